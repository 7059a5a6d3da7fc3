package org.igniterealtime.openfire.plugin.heartbeat;

/** Forwards the events of one of Openfire's transports to {@link Sessions}. */
public interface Adapter {
    /**
     * Finds what was opened or replaced without a word, and watches it. Called once at the start, then after each tick,
     * and when somebody has logged in on a connection that nobody watches, which can be many times a second: whatever
     * lasts a while is counted in ticks. Never by two threads at a time.
     */
    void look();

    /** Takes everything out of Openfire again; its own handling is in charge when this returns. */
    void detach();
}
