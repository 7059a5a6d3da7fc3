package org.igniterealtime.openfire.plugin.heartbeat;

import java.util.concurrent.TimeUnit;
import org.jivesoftware.util.JiveGlobals;

/** Openfire's own policy for silent clients, as it is set now. */
public final class OpenfireIdle {
    static final String IDLE = "xmpp.client.idle";
    static final String PING = "xmpp.client.idle.ping";

    private static final long DEFAULT_IDLE_MS = TimeUnit.MINUTES.toMillis(6);
    private static final boolean DEFAULT_PING = true;

    private OpenfireIdle() {}

    /** After how much silence a client is closed, in milliseconds; 0 or less: never. */
    public static long idleMs() {
        return JiveGlobals.getLongProperty(IDLE, DEFAULT_IDLE_MS);
    }

    /** Whether it is pinged before, at half of that time. */
    public static boolean pings() {
        return JiveGlobals.getBooleanProperty(PING, DEFAULT_PING);
    }
}
