package org.igniterealtime.openfire.plugin.heartbeat.mina;

import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.function.Supplier;
import org.apache.mina.core.service.IoService;
import org.apache.mina.core.service.IoServiceListener;
import org.apache.mina.core.session.IdleStatus;
import org.apache.mina.core.session.IoSession;
import org.apache.mina.transport.socket.nio.NioSocketAcceptor;
import org.igniterealtime.openfire.plugin.heartbeat.Adapter;
import org.igniterealtime.openfire.plugin.heartbeat.RateLimit;
import org.igniterealtime.openfire.plugin.heartbeat.Sessions;
import org.jivesoftware.openfire.ConnectionManager;
import org.jivesoftware.openfire.XMPPServer;
import org.jivesoftware.openfire.spi.ConnectionListener;
import org.jivesoftware.openfire.spi.ConnectionManagerImpl;
import org.jivesoftware.openfire.spi.ConnectionType;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Watches the connections of clients on Openfire 4.2 to 4.7, which speaks to them through MINA. Servers, components and
 * connection managers have acceptors of their own, and those are not touched.
 *
 * <p>New sessions are told by the acceptor before their first byte is read, old ones are found in its list; whoever marks
 * a session first watches it. A session is in the list before it is told, and we listen before we look through the list:
 * so none is missed.
 */
public final class MinaAdapter implements Adapter {
    private static final Logger Log = LoggerFactory.getLogger(MinaAdapter.class);

    private final Sessions sessions;
    private final Supplier<Set<NioSocketAcceptor>> inUse;
    private final RateLimit faults = new RateLimit();

    /** The sessions' attribute. No other plugin and no earlier life of this one has an equal key. */
    private final Object key = new Object();

    private final SessionListener listener = new SessionListener();

    /** The acceptors that are listened to: those in use, and replaced ones that still have sessions. Guarded by itself. */
    private final List<NioSocketAcceptor> acceptors = new ArrayList<>();

    private volatile boolean detached;

    public MinaAdapter(Sessions sessions) {
        this(sessions, MinaAdapter::ofClients);
    }

    MinaAdapter(Sessions sessions, Supplier<Set<NioSocketAcceptor>> inUse) {
        this.sessions = sessions;
        this.inUse = inUse;
    }

    @Override
    public void look() {
        // Replaced when the settings of a port change, and no event tells.
        Set<NioSocketAcceptor> used = inUse.get();
        boolean found = false;
        synchronized (acceptors) {
            if (detached) {
                return;
            }
            for (NioSocketAcceptor acceptor : used) {
                if (!acceptors.contains(acceptor)) {
                    acceptors.add(acceptor);
                    acceptor.addListener(listener);
                    for (IoSession session : acceptor.getManagedSessions().values()) {
                        watch(session);
                    }
                    found = true;
                }
            }
            List<NioSocketAcceptor> replaced = new ArrayList<>(acceptors);
            replaced.removeAll(used);
            for (NioSocketAcceptor acceptor : replaced) {
                if (acceptor.getManagedSessionCount() == 0) {
                    acceptor.removeListener(listener);
                    acceptors.remove(acceptor);
                }
            }
        }
        if (found) {
            sessions.adoptAll();
        }
    }

    @Override
    public void detach() {
        List<NioSocketAcceptor> all;
        synchronized (acceptors) {
            detached = true;
            all = new ArrayList<>(acceptors);
            acceptors.clear();
        }
        for (NioSocketAcceptor acceptor : all) {
            acceptor.removeListener(listener);
            for (IoSession session : acceptor.getManagedSessions().values()) {
                Object ours = session.removeAttribute(key);
                if (ours != null) {
                    ((MinaConnection) ours).remove();
                }
            }
        }
    }

    private void watch(IoSession session) {
        MinaConnection connection = new MinaConnection(session, sessions, faults);
        if (session.setAttributeIfAbsent(key, connection) != null) {
            return;
        }
        if (!connection.start()) {
            session.removeAttribute(key, connection);
        } else if (detached) {
            session.removeAttribute(key, connection);
            connection.remove();
        }
    }

    private static Set<NioSocketAcceptor> ofClients() {
        Set<NioSocketAcceptor> found = new HashSet<>();
        XMPPServer server = XMPPServer.getInstance();
        ConnectionManager manager = server == null ? null : server.getConnectionManager();
        if (manager instanceof ConnectionManagerImpl) {
            Set<ConnectionListener> listeners = ((ConnectionManagerImpl) manager).getListeners(ConnectionType.SOCKET_C2S);
            for (ConnectionListener each : listeners) {
                // None while the port is closed, as at the start of the server.
                NioSocketAcceptor acceptor = each.getSocketAcceptor();
                if (acceptor != null) {
                    found.add(acceptor);
                }
            }
        }
        return found;
    }

    private final class SessionListener implements IoServiceListener {
        @Override
        public void sessionCreated(IoSession session) {
            try {
                watch(session);
            } catch (RuntimeException | LinkageError | OutOfMemoryError e) {
                if (faults.allows()) {
                    Log.error("A connection is not watched, Openfire's own idle handling has it: {}", session, e);
                }
            }
        }

        @Override
        public void sessionDestroyed(IoSession session) {
            // The filter tells, after Openfire.
        }

        /** Part of the interface in later versions of MINA only. */
        @SuppressWarnings("unused")
        public void sessionClosed(IoSession session) {
            // The filter tells, after Openfire.
        }

        @Override
        public void serviceActivated(IoService service) {
            // Not about a session.
        }

        @Override
        public void serviceIdle(IoService service, IdleStatus status) {
            // Not about a session.
        }

        @Override
        public void serviceDeactivated(IoService service) {
            // Not about a session.
        }
    }
}
