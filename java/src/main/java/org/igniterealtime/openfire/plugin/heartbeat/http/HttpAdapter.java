package org.igniterealtime.openfire.plugin.heartbeat.http;

import java.lang.reflect.Field;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.time.Duration;
import java.time.Instant;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.TimeUnit;
import org.igniterealtime.openfire.plugin.heartbeat.Adapter;
import org.igniterealtime.openfire.plugin.heartbeat.OpenfireIdle;
import org.igniterealtime.openfire.plugin.heartbeat.RateLimit;
import org.igniterealtime.openfire.plugin.heartbeat.Sessions;
import org.igniterealtime.openfire.plugin.heartbeat.Transport;
import org.igniterealtime.openfire.plugin.heartbeat.Watched;
import org.jivesoftware.openfire.Connection;
import org.jivesoftware.openfire.SessionManager;
import org.jivesoftware.openfire.SessionPacketRouter;
import org.jivesoftware.openfire.http.HttpSession;
import org.jivesoftware.openfire.session.LocalClientSession;
import org.jivesoftware.openfire.session.LocalSession;
import org.jivesoftware.openfire.websocket.WebSocketConnection;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Watches sessions over WebSocket and BOSH (docs/transports.md). No acceptor of theirs can be followed and no event
 * tells of their end: a session is found by its first event, and looked at once a second. Where Openfire pings and closes
 * them by tasks of its own, those can not be taken out, and the core is told so.
 *
 * <p>Threads: {@link #look} is called by one at a time, the finder by any.
 */
public final class HttpAdapter implements Adapter {
    private static final Logger Log = LoggerFactory.getLogger(HttpAdapter.class);

    /** As the core takes it, 30 days. */
    private static final long OWN_MAX_S = TimeUnit.DAYS.toSeconds(30);

    /** So strict that no policy is stricter: the core leaves the connection alone. */
    private static final int NOT_OURS = 1;

    private final Sessions sessions;
    private final Map<Connection, HttpConnection> watched = new ConcurrentHashMap<>();
    private final RateLimit faults = new RateLimit();

    /** Of the socket of a WebSocket connection; null where it can not be had. */
    private final Field socket;

    /** When the socket was last read from; from 4.8 on. */
    private final Field lastReceived;

    /** Openfire closes a silent WebSocket by itself; from 4.8 on. */
    private final boolean endsWebSockets;

    /** What the stanzas of a WebSocket go through, and the session they go to; up to 4.7. */
    private final Field router;

    private final Field routed;

    /** Ends a session that is kept for a client that may resume; from 4.8 on. */
    private final Method terminateDetached;

    private volatile boolean detached;

    public HttpAdapter(Sessions sessions) {
        this.sessions = sessions;
        String handler = "org.jivesoftware.openfire.websocket.WebSocketClientConnectionHandler";
        socket = field(WebSocketConnection.class, "socket");
        lastReceived = field(classNamed(handler), "lastReceived");
        router = field(classNamed("org.jivesoftware.openfire.websocket.XmppWebSocket"), "router");
        routed = field(SessionPacketRouter.class, "session");
        endsWebSockets = field(classNamed(handler), "xmppSessionIdleTask") != null;
        terminateDetached = method(SessionManager.class, "terminateDetached", LocalSession.class);
        sessions.setFinder(this::find);
    }

    @Override
    public void look() {
        watched.values().removeIf(each -> {
            try {
                if (detachesLate()) {
                    each.detachLost();
                }
                if (!each.isOver()) {
                    each.look();
                    return false;
                }
                if (each.watched() != null) {
                    end(each);
                }
            } catch (RuntimeException | LinkageError | OutOfMemoryError e) {
                if (faults.allows()) {
                    Log.error("{} could not be looked at", each.remote(), e);
                }
            }
            return each.isOver();
        });
    }

    @Override
    public void detach() {
        detached = true;
        watched.clear();
    }

    /** Up to 4.7. */
    private boolean detachesLate() {
        return terminateDetached == null;
    }

    private void end(HttpConnection each) {
        // A request that ended it was the last that was read.
        each.look();
        // Openfire may have ended a session already that can not be resumed; that of 4.2.0 is over with its stream.
        sessions.closing(each.watched());
        boolean ghost = each.session.isDetached() && isEndedAsIdle(each);
        sessions.ended(each.watched(), !ghost);
        if (ghost) {
            terminate(each.session);
        }
    }

    /** Whether Openfire itself has closed it for its silence, by what it is told to do now. */
    private boolean isEndedAsIdle(HttpConnection each) {
        int own = ownOf(each.kind(), each.session, each.connection());
        return each.kind() == Transport.Kind.WEBSOCKET && own > 0 && each.wasSilentFor(own);
    }

    /** Openfire would keep it for the whole time in which it could be resumed, and its client is not let back in. */
    private void terminate(LocalClientSession session) {
        Log.info("Ending the session of {}: its connection was closed as idle", session.getAddress());
        try {
            if (terminateDetached != null) {
                terminateDetached.invoke(SessionManager.getInstance(), session);
            }
        } catch (InvocationTargetException | IllegalAccessException e) {
            // The core has its contacts told.
            Log.debug("Openfire did not end the session of {}", session.getAddress(), e);
        }
    }

    private Watched find(LocalClientSession session, Connection connection) {
        Transport.Kind kind = kindOf(session, connection);
        if (detached || kind == null || connection.isClosed()) {
            return null;
        }
        HttpConnection known = watched.get(connection);
        if (known != null) {
            return known.watched();
        }
        HttpConnection fresh =
                new HttpConnection(kind, ownOf(kind, session, connection), session, connection, readsOf(kind, session, connection),
                        detachesLate());
        long readMs = lastReadMs(fresh);
        synchronized (fresh) {
            known = watched.putIfAbsent(connection, fresh);
            if (known == null) {
                return begin(fresh, readMs);
            }
        }
        return known.watched();
    }

    /** As far as it is known: it may have been there long before us. Milliseconds since 1970. */
    private long lastReadMs(HttpConnection fresh) {
        if (fresh.kind() == Transport.Kind.BOSH) {
            return lastRequestMs(fresh.session);
        }
        long mark = fresh.lastMark();
        return mark > 0 ? mark : sessions.lastHere(fresh.session);
    }

    /** Now, while one is held: that may be as old as its {@code wait}. A number up to 4.6, a time since. */
    private static long lastRequestMs(LocalClientSession session) {
        try {
            Object value = HttpSession.class.getMethod("getLastActivity").invoke(session);
            return value instanceof Instant ? ((Instant) value).toEpochMilli() : ((Number) value).longValue();
        } catch (ReflectiveOperationException e) {
            return System.currentTimeMillis();
        }
    }

    private Watched begin(HttpConnection fresh, long readMs) {
        @SuppressWarnings("JavaUtilDate") // Openfire's own
        long opened = sessions.clock().earlierUs(fresh.session.getCreationDate().getTime());
        Watched ours = sessions.opened(fresh, opened, sessions.clock().earlierUs(readMs));
        if (ours == null) {
            watched.remove(fresh.connection(), fresh);
            return null;
        }
        fresh.watchedAs(ours);
        sessions.connected(ours);
        return ours;
    }

    private static Transport.Kind kindOf(LocalClientSession session, Connection connection) {
        if (session instanceof HttpSession) {
            return Transport.Kind.BOSH;
        }
        return connection instanceof WebSocketConnection ? Transport.Kind.WEBSOCKET : null;
    }

    /** Seconds of silence after which Openfire itself ends it; 0: never. */
    private int ownOf(Transport.Kind kind, LocalClientSession session, Connection connection) {
        if (kind == Transport.Kind.WEBSOCKET) {
            if (isDeaf(session, connection)) {
                return NOT_OURS;
            }
            long idle = endsWebSockets ? OpenfireIdle.idleMs() / 1000 : 0;
            return (int) Math.max(0, Math.min(idle, OWN_MAX_S));
        }
        // Held open for `wait`, and then nothing for as long as it may be away (XEP-0124, section 10).
        long own = seconds(session, "getWait") + seconds(session, "getInactivityTimeout");
        return (int) Math.max(1, Math.min(own, OWN_MAX_S));
    }

    /**
     * Whether no stanza of the client comes from this session: up to 4.7, those of a WebSocket on which a session was
     * resumed go on coming from the one that it was before.
     */
    private boolean isDeaf(LocalClientSession session, Connection connection) {
        try {
            Object open = router == null || routed == null ? null : socket.get(connection);
            Object through = open == null ? null : router.get(open);
            return through != null && routed.get(through) != session;
        } catch (IllegalAccessException e) {
            return false;
        }
    }

    /** A number of seconds up to 4.6, a duration since. */
    private static long seconds(LocalClientSession session, String getter) {
        try {
            Object value = HttpSession.class.getMethod(getter).invoke(session);
            return value instanceof Duration ? ((Duration) value).toMillis() / 1000 : ((Number) value).longValue();
        } catch (ReflectiveOperationException e) {
            throw new IllegalStateException("HttpSession." + getter + " is not to be had", e);
        }
    }

    private HttpConnection.Reads readsOf(Transport.Kind kind, LocalClientSession session, Connection connection) {
        if (kind == Transport.Kind.BOSH) {
            // Each request has a number, also one that brings nothing.
            return ((HttpSession) session)::getLastAcknowledged;
        }
        if (socket == null || lastReceived == null) {
            return () -> 0;
        }
        return () -> {
            try {
                Object handler = socket.get(connection);
                Object time = handler == null ? null : lastReceived.get(handler);
                return time == null ? 0 : ((Instant) time).toEpochMilli();
            } catch (IllegalAccessException e) {
                return 0;
            }
        };
    }

    private static Class<?> classNamed(String name) {
        try {
            return Class.forName(name);
        } catch (ClassNotFoundException e) {
            return null;
        }
    }

    private static Field field(Class<?> owner, String name) {
        try {
            Field field = owner == null ? null : owner.getDeclaredField(name);
            if (field != null) {
                field.setAccessible(true);
            }
            return field;
        } catch (NoSuchFieldException | RuntimeException e) {
            return null;
        }
    }

    private static Method method(Class<?> owner, String name, Class<?>... parameters) {
        try {
            return owner.getMethod(name, parameters);
        } catch (NoSuchMethodException e) {
            return null;
        }
    }
}
