package org.igniterealtime.openfire.plugin.heartbeat.mina;

import org.apache.mina.core.session.IoSession;
import org.igniterealtime.openfire.plugin.heartbeat.RateLimit;
import org.igniterealtime.openfire.plugin.heartbeat.Sessions;

/** Lets the benchmarks in: both filters, as the adapter adds them. */
public final class MinaDoor {
    private static final RateLimit FAULTS = new RateLimit();

    private MinaDoor() {}

    public static void watch(IoSession session, Sessions sessions) {
        if (!new MinaConnection(session, sessions, FAULTS).start()) {
            throw new IllegalStateException("the core did not take it");
        }
    }
}
