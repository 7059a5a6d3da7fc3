package org.igniterealtime.openfire.plugin.heartbeat;

/** The names of verbs and reasons as {@code native/include/heartbeat.h} has them, for the log. A test compares. */
final class Names {
    private static final String[] VERBS = {"nothing", "ping", "disconnect", "close", "cut", "abort", "unavailable"};
    private static final String[] REASONS = {
        "none",
        "idle",
        "retry",
        "no-answer",
        "silent",
        "not-logged-in",
        "stuck",
        "not-told",
        "spoke",
        "logout",
        "closed",
        "resumed",
        "admin",
        "detached",
        "expired"
    };

    private Names() {}

    static String verb(int verb) {
        return of(VERBS, verb);
    }

    static String reason(int why) {
        return of(REASONS, why);
    }

    private static String of(String[] names, int value) {
        return value >= 0 && value < names.length ? names[value] : Integer.toString(value);
    }
}
