package org.igniterealtime.openfire.plugin.heartbeat;

/** What a plot is of. */
public enum Span {
    /** In steps of 10 seconds. */
    HOUR(0),
    /** In steps of 5 minutes. */
    DAY(1),
    /** In steps of 30 minutes. */
    WEEK(2);

    /** The core's number, {@code HB_SPANS}. */
    final int code;

    Span(int code) {
        this.code = code;
    }
}
