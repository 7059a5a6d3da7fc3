package org.igniterealtime.openfire.plugin.heartbeat;

import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.TimeUnit;
import org.jivesoftware.openfire.Connection;
import org.jivesoftware.openfire.RoutingTable;
import org.jivesoftware.openfire.SessionManager;
import org.jivesoftware.openfire.XMPPServer;
import org.jivesoftware.openfire.session.ClientSession;
import org.jivesoftware.openfire.session.LocalClientSession;
import org.jivesoftware.openfire.session.LocalSession;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import org.xmpp.packet.JID;
import org.xmpp.packet.StreamError;

/**
 * Which connection is which session, and the way of their events into the core. It decides nothing: what it forwards
 * twice or too late, the core drops.
 *
 * <p>A connection has one token as long as it lives. A session that can be resumed (XEP-0198) outlives it: it is kept
 * with the token of its last connection until it goes on over another one or is over.
 *
 * <p>Threads: any. Events of one connection are ordered by the monitor of its {@link Watched}; nothing of Openfire that
 * takes locks is called inside.
 */
public final class Sessions {
    private static final Logger Log = LoggerFactory.getLogger(Sessions.class);

    /** Ticks for which a closed session is kept that nothing more is heard of. The core has given it up long before. */
    private static final int LEAVING_TICKS = 30;

    private static final long CATCH_UP_NS = TimeUnit.SECONDS.toNanos(1);

    private final NativeCore core;
    private final Clock clock;
    private final Slots byToken = new Slots();
    private final Map<Connection, Watched> byConnection = new ConcurrentHashMap<>();
    private final Map<LocalClientSession, Watched> bySession = new ConcurrentHashMap<>();
    private final Map<LocalClientSession, Watched> detached = new ConcurrentHashMap<>();

    /** Closed, and the core may wait to hear that their contacts were told: the closing thread may be slower than we. */
    private final Map<LocalClientSession, Watched> leaving = new ConcurrentHashMap<>();

    private final RateLimit faults = new RateLimit();
    private volatile Finder finder = (session, connection) -> null;
    private final Object moving = new Object();
    private volatile long caughtUp = System.nanoTime() - CATCH_UP_NS;

    Sessions(NativeCore core, Clock clock) {
        this.core = core;
        this.clock = clock;
    }

    /** Watches connections that no adapter sees opened, when the first session is found on one. */
    public interface Finder {
        /** Returns the connection as it is watched now, or null if it is not the finder's. */
        Watched find(LocalClientSession session, Connection connection);
    }

    public void setFinder(Finder finder) {
        this.finder = finder;
    }

    public Clock clock() {
        return clock;
    }

    /**
     * A connection was opened, and last read from at {@code readUs}. Returns null if the core can not take it: Openfire's
     * own handling stays in charge of it then.
     */
    public Watched opened(Transport transport, long openedUs, long readUs) {
        long token = core.open(
                transport.kind().code, transport.endedByOpenfireAfter(), openedUs, readUs);
        if (token < 0) {
            if (token != NativeCore.CLOSED && faults.allows()) {
                Log.error("A connection can not be watched, Openfire's own idle handling has it: code {}", token);
            }
            return null;
        }
        Watched watched = new Watched(token, transport, clock, core.cellPage(token));
        byToken.put(watched);
        return watched;
    }

    /** Openfire has made its object for the connection. Sessions are found by it from now on. */
    public void connected(Watched watched) {
        Connection connection = watched.transport.connection();
        if (connection == null) {
            return;
        }
        synchronized (watched) {
            if (!watched.ended) {
                watched.connection = connection;
                byConnection.put(connection, watched);
            }
        }
    }

    /** Whose business a silent connection is. */
    public enum Charge {
        OURS,
        OPENFIRES,
        /** Not known yet: ask again in a moment. It takes a second at most. */
        IN_DOUBT
    }

    /** Whose business silent connections are. Cheap enough to be asked about each new one. */
    public Charge charge() {
        return chargeOf(core.inCharge(clock.nowUs()));
    }

    /** Openfire's idle timer found the connection silent. */
    public Charge idle(Watched watched) {
        return chargeOf(core.idle(watched.token, clock.nowUs()));
    }

    private static Charge chargeOf(int answer) {
        if (answer == NativeCore.ASK_AGAIN) {
            return Charge.IN_DOUBT;
        }
        return answer == NativeCore.IN_CHARGE ? Charge.OURS : Charge.OPENFIRES;
    }

    /** The connection is closed, Openfire is about to hear of it. */
    public void closing(Watched watched) {
        if (watched.session == null && !detached.isEmpty()) {
            // A session may have been resumed on it since the last look: then it is that session's connection that ends.
            findResumed();
        }
    }

    /**
     * The same where Openfire says whose connection it is: nobody else is looked at, however many are detached while
     * strangers come and go.
     *
     * @param owner null if the connection has no session
     */
    public void closing(Watched watched, LocalSession owner) {
        if (watched.session == null && owner instanceof LocalClientSession) {
            goesOnOver((LocalClientSession) owner, detached.get(owner));
        }
    }

    /** The connection is closed, and Openfire has done what it does then. */
    public void ended(Watched watched) {
        ended(watched, true);
    }

    /** As {@link #ended(Watched)}; a session that nobody will come back for is over, whatever Openfire keeps. */
    public void ended(Watched watched, boolean mayComeBack) {
        synchronized (watched) {
            if (watched.ended) {
                return;
            }
            disconnected(watched);
            LocalClientSession session = watched.session;
            if (mayComeBack && session != null && outlives(session, watched) && bySession.get(session) == watched) {
                detached.put(session, watched);
                core.detached(watched.token);
            } else {
                close(session, watched);
            }
        }
    }

    /** A session has logged in. False: its connection is not watched, yet or at all. */
    boolean bound(LocalClientSession session) {
        Watched watched = find(session);
        if (watched != null) {
            bind(session, watched);
        }
        return watched != null;
    }

    void available(LocalClientSession session) {
        Watched watched = bySession.get(session);
        if (watched != null) {
            synchronized (watched) {
                watched.available = true;
                core.available(watched.token);
            }
        }
    }

    void unavailable(LocalClientSession session, String status) {
        Watched watched = bySession.get(session);
        if (watched != null) {
            // Openfire says it itself for a connection that is closed: that is no logout.
            Connection connection = connectionOf(session);
            boolean closed = connection == null || connection.isClosed();
            synchronized (watched) {
                watched.available = false;
                core.unavailable(watched.token, status, closed);
                if (leaving.containsKey(session)) {
                    left(session, watched);
                }
            }
        }
    }

    /** Openfire has removed the session. That of a session without a connection is the only end that we hear of. */
    void destroyed(LocalClientSession session) {
        Watched watched = detached.get(session);
        if (watched != null) {
            over(session, watched);
            return;
        }
        watched = bySession.get(session);
        if (watched != null && watched.transport.kind() != Transport.Kind.TCP) {
            // Up to 4.7 Openfire has told the contacts of a WebSocket's session without an event.
            synchronized (watched) {
                if (watched.available) {
                    watched.available = false;
                    core.unavailable(watched.token, null, true);
                }
            }
        }
    }

    /** A stanza is routed that is from the session: its client's, or said for it. */
    void heard(LocalClientSession session) {
        Watched watched = bySession.get(session);
        if (watched != null) {
            watched.transport.heard(watched);
        }
    }

    /** An IQ result or error came from the session. */
    void pong(LocalClientSession session, String id) {
        Watched watched = bySession.get(session);
        if (watched != null && core.pong(watched.token, id, clock.nowUs())) {
            Log.debug("{} answered ping {}", session.getAddress(), id);
        }
    }

    Watched byToken(long token) {
        return byToken.get(token);
    }

    /** The full JID of a session, or null if it has not logged in or is over. */
    String jidOf(long token) {
        Watched watched = byToken.get(token);
        LocalClientSession session = watched == null ? null : watched.session;
        return session == null ? null : session.getAddress().toString();
    }

    /** Whether the watched session is the one that its connection belongs to now, and can be resumed. */
    boolean resumable(Watched watched) {
        LocalClientSession session = sessionOn(watched);
        return session != null && resumable(session);
    }

    /** The session of the connection, or null if there is none or it went on over another connection. */
    LocalClientSession sessionOn(Watched watched) {
        LocalClientSession session = watched.session;
        return session != null && connectionOf(session) == watched.connection ? session : null;
    }

    /**
     * Forwards what was missed: sessions that were open before we came, and any event that got lost. Looks through all
     * sessions, so not more than once a second.
     */
    public void catchUp() {
        long now = System.nanoTime();
        if (now - caughtUp < CATCH_UP_NS) {
            return;
        }
        caughtUp = now;
        adoptAll();
    }

    /** As {@link #catchUp}, and at once: connections have just been found. */
    public void adoptAll() {
        XMPPServer server = XMPPServer.getInstance();
        SessionManager manager = server == null ? null : server.getSessionManager();
        if (manager == null) {
            return;
        }
        for (ClientSession candidate : manager.getSessions()) {
            try {
                if (candidate instanceof LocalClientSession) {
                    adopt((LocalClientSession) candidate);
                }
            } catch (RuntimeException | LinkageError | OutOfMemoryError e) {
                // It may just be dying, and is no reason to leave out the others.
                if (faults.allows()) {
                    Log.error("A session is not watched, Openfire's own idle handling has it: {}", candidate, e);
                }
            }
        }
    }

    /** Looks at what no event tells of: sessions that were resumed, that never can be any more, that are quite gone. */
    void look() {
        leaving.forEach((session, watched) -> {
            if (clock.tick - watched.closedTick > LEAVING_TICKS) {
                left(session, watched);
            }
        });
        if (detached.isEmpty()) {
            return;
        }
        findResumed();
        XMPPServer server = XMPPServer.getInstance();
        RoutingTable routes = server == null ? null : server.getRoutingTable();
        if (routes == null) {
            return;
        }
        detached.forEach((session, watched) -> {
            // A session is resumed by its route: replaced by another session with its address, it is over.
            if (routes.getClientRoute(session.getAddress()) != session) {
                over(session, watched);
            }
        });
    }

    private void findResumed() {
        detached.forEach(this::goesOnOver);
    }

    /** Looks whether a session that was detached has another connection. */
    private void goesOnOver(LocalClientSession session, Watched before) {
        Watched now = before == null ? null : find(session);
        if (now != null && now != before) {
            moved(session, before, now);
        }
    }

    private void adopt(LocalClientSession session) {
        Watched known = bySession.get(session);
        if (session.isDetached()) {
            if (known == null) {
                adoptDetached(session);
            }
            return;
        }
        Watched watched = find(session);
        if (watched == null || watched == known) {
            return;
        }
        bind(session, watched);
        tellAvailable(session, watched);
    }

    /** Openfire keeps a session for a client that may come back: it must be known when that happens. */
    @SuppressWarnings("JavaUtilDate") // Openfire's own
    private void adoptDetached(LocalClientSession session) {
        long seen = clock.earlierUs(lastHere(session));
        Watched watched = opened(new Gone(session), seen, seen);
        if (watched == null) {
            return;
        }
        synchronized (watched) {
            watched.ended = true;
            watched.session = session;
            if (bySession.putIfAbsent(session, watched) != null) {
                byToken.remove(watched);
                core.closed(watched.token);
                return;
            }
            tellBound(session, watched);
        }
        tellAvailable(session, watched);
        synchronized (watched) {
            detached.put(session, watched);
            core.detached(watched.token);
        }
    }

    /**
     * Openfire's time moves with what is sent to the session, too. If the core saw the user since the session began, as
     * before the plugin was loaded again, it knows better. Milliseconds since 1970.
     */
    @SuppressWarnings("JavaUtilDate") // Openfire's own
    public long lastHere(LocalClientSession session) {
        long active = session.getLastActiveDate().getTime();
        String user = session.getAddress().getNode();
        UserActivity known = user == null ? null : core.last(user);
        return known != null && known.lastReadMs() >= session.getCreationDate().getTime()
                ? Math.min(active, known.lastReadMs())
                : active;
    }

    private void bind(LocalClientSession session, Watched watched) {
        Watched before = bySession.get(session);
        if (before != null && before != watched) {
            moved(session, before, watched);
            return;
        }
        JID address = session.getAddress();
        if (address.getNode() == null || address.getResource() == null) {
            return;
        }
        synchronized (watched) {
            if (!watched.ended) {
                watched.session = session;
                bySession.put(session, watched);
                tellBound(session, watched);
            }
        }
    }

    /** Whether the core has it now. */
    private boolean tellBound(LocalClientSession session, Watched watched) {
        int code = core.bound(watched.token, session.getAddress().toString(), session.isAnonymousUser());
        if (code < 0 && code != NativeCore.STALE && code != NativeCore.CLOSED && faults.allows()) {
            Log.error("The core did not take the login of {}: code {}", session.getAddress(), code);
        }
        return code >= 0;
    }

    private void tellAvailable(LocalClientSession session, Watched watched) {
        synchronized (watched) {
            // Read inside: an unavailable that comes after it waits for the monitor, and is forwarded after it.
            if (session.getPresence().isAvailable()) {
                watched.available = true;
                core.available(watched.token);
            }
        }
    }

    /** The session goes on over another connection. */
    private void moved(LocalClientSession session, Watched from, Watched to) {
        synchronized (moving) {
            if (bySession.get(session) != from) {
                return;
            }
            synchronized (from) {
                if (!from.ended) {
                    disconnected(from);
                    core.detached(from.token);
                }
                detached.put(session, from);
            }
            synchronized (to) {
                if (to.ended) {
                    return;
                }
                to.session = session;
                to.available = from.available;
                bySession.put(session, to);
                if (core.resumed(from.token, to.token) < 0 && tellBound(session, to)) {
                    // The core has taken it for over, and now as one that has just logged in.
                    tellAvailable(session, to);
                    core.closed(from.token);
                }
            }
            detached.remove(session, from);
            leaving.remove(session, from);
            byToken.remove(from);
            Log.debug("{} was resumed", session.getAddress());
        }
    }

    private void over(LocalClientSession session, Watched watched) {
        synchronized (moving) {
            if (!detached.remove(session, watched)) {
                return;
            }
            synchronized (watched) {
                close(session, watched);
            }
        }
    }

    private void close(LocalClientSession session, Watched watched) {
        byToken.remove(watched);
        core.closed(watched.token);
        if (session != null && bySession.get(session) == watched) {
            watched.closedTick = clock.tick;
            leaving.put(session, watched);
        }
    }

    private void left(LocalClientSession session, Watched watched) {
        leaving.remove(session, watched);
        bySession.remove(session, watched);
    }

    private void disconnected(Watched watched) {
        watched.ended = true;
        Connection connection = watched.connection;
        if (connection != null) {
            byConnection.remove(connection, watched);
        }
    }

    private Watched find(LocalClientSession session) {
        Connection connection = connectionOf(session);
        if (connection == null) {
            return null;
        }
        Watched watched = byConnection.get(connection);
        return watched != null ? watched : finder.find(session, connection);
    }

    private static Connection connectionOf(LocalClientSession session) {
        // Asked for the connection of a detached session, Openfire logs an error.
        return session.isDetached() ? null : session.getConnection();
    }

    /**
     * Whether Openfire keeps the session though this connection of it is closed. If it is resumed on a new connection while
     * Openfire believes in the old one, 4.8.0 and 5.1 close that as if nobody could resume the session ever again, and go on
     * with it all the same: it has no connection for that moment, or the new one already.
     */
    private static boolean outlives(LocalClientSession session, Watched watched) {
        if (resumable(session)) {
            return true;
        }
        Connection now = connectionOf(session);
        return now != watched.connection;
    }

    private static boolean resumable(LocalClientSession session) {
        return session.getStreamManager().getResume();
    }

    /** The connection of a session that had none when it was found. */
    private static final class Gone implements Transport {
        private final LocalClientSession session;

        Gone(LocalClientSession session) {
            this.session = session;
        }

        @Override
        public Connection connection() {
            return null;
        }

        @Override
        public void close(StreamError.Condition why) {
            // Nothing to close.
        }

        @Override
        public void drop() {
            // Nothing to close.
        }

        @Override
        public void abort() {
            // Nothing to close.
        }

        @Override
        public boolean isClosed() {
            return true;
        }

        @Override
        public String remote() {
            return session.getAddress().toString();
        }
    }
}
