package org.igniterealtime.openfire.plugin.heartbeat;

import java.util.ArrayDeque;
import java.util.Map;
import java.util.Queue;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Consumer;
import org.jivesoftware.openfire.XMPPServer;
import org.jivesoftware.openfire.auth.UnauthorizedException;
import org.jivesoftware.openfire.session.LocalClientSession;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import org.xmpp.packet.IQ;
import org.xmpp.packet.JID;
import org.xmpp.packet.Presence;
import org.xmpp.packet.StreamError;

/**
 * Carries out what the core wants done, on threads of its own: never two actions of one session at once, and always in
 * order. How long one takes delays no tick; what one throws harms no other.
 */
final class Actions implements AutoCloseable {
    private static final Logger Log = LoggerFactory.getLogger(Actions.class);

    /** RFC 6120 section 4.9.3.4. */
    private static final StreamError.Condition TIMED_OUT = StreamError.Condition.connection_timeout;

    /** Section 4.9.3.14: an administrator's word is the policy; clients do not come back at once. */
    private static final StreamError.Condition THROWN_OUT = StreamError.Condition.policy_violation;

    private static final int MAX_THREADS = 8;
    private static final long END_MS = 5_000;

    private final NativeCore core;
    private final Clock clock;
    private final Sessions sessions;
    private final Consumer<String> gone;
    private final ThreadPoolExecutor pool;

    /** What waits per session. A session has an entry while a thread works on it. */
    private final Map<Long, Queue<Action>> waiting = new ConcurrentHashMap<>();

    private static final class Action {
        final int verb;
        final int why;

        Action(int verb, int why) {
            this.verb = verb;
            this.why = why;
        }
    }

    /** @param gone tells the contacts of a full JID that it is unavailable */
    Actions(NativeCore core, Clock clock, Sessions sessions, Consumer<String> gone) {
        this.gone = gone;
        this.core = core;
        this.clock = clock;
        this.sessions = sessions;
        int threads = Math.min(MAX_THREADS, 2 * Runtime.getRuntime().availableProcessors());
        AtomicInteger number = new AtomicInteger();
        pool = new ThreadPoolExecutor(threads, threads, 30, TimeUnit.SECONDS, new LinkedBlockingQueue<>(), work -> {
            Thread thread = new Thread(work, "heartbeat-action-" + number.incrementAndGet());
            thread.setDaemon(true);
            return thread;
        });
        pool.allowCoreThreadTimeOut(true);
    }

    /** Takes an action of {@link NativeCore#advance}. */
    void submit(long token, int verb, int why) {
        Action action = new Action(verb, why);
        waiting.compute(token, (key, queue) -> {
            if (queue != null) {
                queue.add(action);
                return queue;
            }
            Queue<Action> fresh = new ArrayDeque<>(2);
            fresh.add(action);
            return execute(() -> drain(token)) ? fresh : null;
        });
    }

    /** Runs other work on the same threads. False: it will not be run, we are at the end. */
    boolean execute(Runnable work) {
        try {
            pool.execute(work);
            return true;
        } catch (RejectedExecutionException e) {
            return false;
        }
    }

    @Override
    public void close() {
        pool.shutdown();
        // What has not begun is dropped; nothing of Openfire's is interrupted.
        pool.getQueue().clear();
        try {
            if (!pool.awaitTermination(END_MS, TimeUnit.MILLISECONDS)) {
                Log.warn("An action is still under way after {} ms; it ends by itself", END_MS);
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    private void drain(long token) {
        Action action = next(token);
        while (action != null) {
            Watched watched = sessions.byToken(token);
            try {
                perform(token, watched, action);
            } catch (Throwable e) {
                String who = watched == null ? "a session that is over" : watched.name();
                Log.error("Action " + Names.verb(action.verb) + " of " + who + " failed", e);
            }
            action = next(token);
        }
    }

    private Action next(long token) {
        Action[] taken = new Action[1];
        waiting.computeIfPresent(token, (key, queue) -> {
            taken[0] = queue.poll();
            return taken[0] == null ? null : queue;
        });
        return taken[0];
    }

    private void perform(long token, Watched watched, Action action) throws UnauthorizedException {
        if (action.verb == NativeCore.DISCONNECT && watched != null && watched.session == null) {
            // Nobody is to be closed as not logged in because its login escaped us.
            sessions.catchUp();
        }
        // Over WebSocket no client of those tried has its session back after a close from here.
        boolean cuttable = watched != null && watched.transport.kind() == Transport.Kind.TCP;
        int facts = cuttable && sessions.resumable(watched) ? NativeCore.FACT_RESUMABLE : 0;
        NativeCore.Order order = core.begin(token, action.verb, facts, clock.nowUs());
        String who = watched == null ? order.text : watched.name();
        if (Log.isDebugEnabled()) {
            Log.debug(who + ": " + Names.verb(action.verb) + " (" + Names.reason(action.why) + ") becomes "
                    + Names.verb(order.verb) + " (" + Names.reason(order.why) + ")");
        }
        if (order.verb == NativeCore.UNAVAILABLE) {
            gone.accept(order.text);
        } else if (watched != null) {
            // The reason is the order's: another one may have taken the place of the action's meanwhile.
            carryOut(watched, order, who, Names.reason(order.why));
        }
    }

    private void carryOut(Watched watched, NativeCore.Order order, String who, String why)
            throws UnauthorizedException {
        switch (order.verb) {
            case NativeCore.PING:
                ping(watched, order.text);
                break;
            case NativeCore.CLOSE:
                LocalClientSession session = sessions.sessionOn(watched);
                if (session != null) {
                    Log.info("Closing the connection of {}: {}", who, why);
                    // Without it Openfire keeps the session of a client that may resume.
                    session.getStreamManager().formalClose();
                }
                watched.transport.close(order.why == NativeCore.WHY_ADMIN ? THROWN_OUT : TIMED_OUT);
                break;
            case NativeCore.CUT:
                Log.info("Cutting the connection of {}, its session can be resumed: {}", who, why);
                watched.transport.drop();
                break;
            case NativeCore.ABORT:
                Log.info("Dropping the connection of {}, it did not close: {}", who, why);
                abort(watched);
                break;
            default:
                break;
        }
    }

    private void ping(Watched watched, String id) throws UnauthorizedException {
        LocalClientSession session = sessions.sessionOn(watched);
        if (session == null) {
            return;
        }
        IQ ping = new IQ(IQ.Type.get, id);
        ping.setFrom(new JID(domain()));
        ping.setTo(session.getAddress());
        ping.setChildElement("ping", "urn:xmpp:ping");
        // Through the session, not its connection: stanzas are counted there (XEP-0198).
        session.deliver(ping);
    }

    private void abort(Watched watched) {
        boolean closed = watched.transport.isClosed();
        watched.transport.abort();
        if (closed) {
            // Closed on the wire some time ago, and its event is still stuck: this is the end that it would tell.
            sessions.ended(watched);
        }
    }

    static void routeUnavailable(String from) {
        Presence gone = new Presence(Presence.Type.unavailable);
        gone.setFrom(from);
        XMPPServer.getInstance().getPresenceRouter().route(gone);
    }

    private static String domain() {
        return XMPPServer.getInstance().getServerInfo().getXMPPDomain();
    }
}
