package org.igniterealtime.openfire.plugin.heartbeat;

/** Forwards the events of one of Openfire's transports to {@link Sessions}. */
public interface Adapter {
    /**
     * Finds what was opened or replaced without a word, and watches it. Called once at the start, then about once a
     * second; never by two threads at a time.
     */
    void look();

    /** Takes everything out of Openfire again; its own handling is in charge when this returns. */
    void detach();
}
