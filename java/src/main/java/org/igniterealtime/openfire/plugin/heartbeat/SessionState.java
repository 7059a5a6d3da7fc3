package org.igniterealtime.openfire.plugin.heartbeat;

import java.util.Locale;

/** What the core knows a session to be in; docs/status.md says what each is. */
public enum SessionState {
    CONNECTED(1),
    ALIVE(2),
    PINGING(3),
    PINGED(4),
    CLOSING(5),
    DETACHED(6),
    CLOSED(7);

    /** The core's number, {@code HB_PHASES}. */
    final int code;

    SessionState(int code) {
        this.code = code;
    }

    /** As the core names it: {@code connected}, ... */
    public String text() {
        return name().toLowerCase(Locale.ROOT);
    }

    static SessionState of(int code) {
        return values()[code - 1];
    }
}
