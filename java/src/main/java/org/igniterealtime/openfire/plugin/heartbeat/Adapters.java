package org.igniterealtime.openfire.plugin.heartbeat;

import org.igniterealtime.openfire.plugin.heartbeat.mina.MinaAdapter;
import org.jivesoftware.openfire.XMPPServer;
import org.jivesoftware.openfire.spi.ConnectionListener;

/** Chooses the adapter for the server that we run in. */
final class Adapters {
    private Adapters() {}

    /** Why no adapter fits, or null if one does. Looks at names only: what is not there must not be linked. */
    static String refusal() {
        try {
            ConnectionListener.class.getMethod("getSocketAcceptor");
            return null;
        } catch (NoSuchMethodException | LinkageError e) {
            return "Openfire " + XMPPServer.getInstance().getServerInfo().getVersion()
                    + " does not use MINA, this plugin serves 4.2 to 4.7";
        }
    }

    static Adapter create(Sessions sessions) {
        return new MinaAdapter(sessions);
    }
}
