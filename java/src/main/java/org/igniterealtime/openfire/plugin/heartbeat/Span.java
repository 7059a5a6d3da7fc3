package org.igniterealtime.openfire.plugin.heartbeat;

import java.util.Locale;

/** What a plot is of. */
public enum Span {
    /** In steps of 10 seconds. */
    HOUR(0, 3_600),
    /** In steps of 5 minutes. */
    DAY(1, 86_400),
    /** In steps of 30 minutes. */
    WEEK(2, 604_800);

    /** The core's number, {@code HB_SPANS}. */
    final int code;

    private final int seconds;

    Span(int code, int seconds) {
        this.code = code;
        this.seconds = seconds;
    }

    /** How long it is. */
    public int seconds() {
        return seconds;
    }

    /** As it is written in an address: {@code hour}, ... */
    public String text() {
        return name().toLowerCase(Locale.ROOT);
    }

    /** The one that is written so; {@link #HOUR} if none is. */
    public static Span of(String text) {
        for (Span span : values()) {
            if (span.text().equals(text)) {
                return span;
            }
        }
        return HOUR;
    }
}
