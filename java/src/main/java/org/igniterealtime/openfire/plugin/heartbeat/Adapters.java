package org.igniterealtime.openfire.plugin.heartbeat;

import org.igniterealtime.openfire.plugin.heartbeat.mina.MinaAdapter;
import org.igniterealtime.openfire.plugin.heartbeat.netty.NettyAdapter;
import org.jivesoftware.openfire.XMPPServer;
import org.jivesoftware.openfire.spi.ConnectionListener;

/** Chooses the adapter for the server that we run in: MINA up to Openfire 4.7, Netty since. */
final class Adapters {
    private Adapters() {}

    /** Why this server can not be served, or null if it can. By names only: what is missing must not be linked. */
    static String refusal() {
        try {
            Needs.check();
            if (!isMina()) {
                NettyAdapter.check();
            }
            return null;
        } catch (ReflectiveOperationException | LinkageError e) {
            return "Openfire " + XMPPServer.getInstance().getServerInfo().getVersion()
                    + " does not have what this plugin needs: " + e.getMessage();
        }
    }

    static Adapter create(Sessions sessions) {
        if (isMina()) {
            return new MinaAdapter(sessions);
        }
        try {
            return new NettyAdapter(sessions);
        } catch (ReflectiveOperationException e) {
            throw new IllegalStateException(e);
        }
    }

    private static boolean isMina() {
        try {
            ConnectionListener.class.getMethod("getSocketAcceptor");
            return true;
        } catch (NoSuchMethodException e) {
            return false;
        }
    }
}
