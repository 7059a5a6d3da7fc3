package org.igniterealtime.openfire.plugin.heartbeat.netty;

import io.netty.channel.Channel;
import io.netty.channel.EventLoop;
import io.netty.util.concurrent.EventExecutor;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.function.Consumer;
import org.igniterealtime.openfire.plugin.heartbeat.Adapter;
import org.igniterealtime.openfire.plugin.heartbeat.RateLimit;
import org.igniterealtime.openfire.plugin.heartbeat.Sessions;
import org.jivesoftware.openfire.Connection;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Watches the connections of clients on Openfire 4.8 and later, which speaks to them through Netty. Servers, components
 * and connection managers have acceptors of their own, and those are not touched.
 *
 * <p>Openfire asks a factory of ours for each new channel, and for all channels when the factory is added. It may ask
 * twice for a channel that is opened at that moment, or miss it: whoever notes a channel first watches it, and adding
 * the factory once more, which changes nothing in Openfire, finds what was missed.
 */
public final class NettyAdapter implements Adapter {
    private static final Logger Log = LoggerFactory.getLogger(NettyAdapter.class);

    /** For so many ticks after a change, all channels are gone through at each look; later each time so many have passed. */
    private static final int EARLY_TICKS = 3;

    private static final int SWEEP_EVERY_TICKS = 60;

    /** How long the threads that clients are read on have, to let us go. */
    private static final long PATIENCE_NS = TimeUnit.SECONDS.toNanos(5);

    private final Sessions sessions;
    private final NettyOpenfire openfire;
    private final NettyOpenfire.Acceptors acceptors;
    private final NettyConnection.Common common;
    private final Object factory;
    private final RateLimit faults = new RateLimit();
    private final Map<Channel, NettyConnection> watched = new ConcurrentHashMap<>();
    private final Map<EventLoop, Guard> guards = new ConcurrentHashMap<>();

    /** Closed, and the event that tells so has not come to its place yet; with the tick in which that was found. */
    private final Map<NettyConnection, Integer> closed = new ConcurrentHashMap<>();

    /** The acceptors that have our factory. Guarded by this. */
    private Set<Object> known = new HashSet<>();

    /**
     * Held while ports are asked to tell of acceptors that start, or not to any more. Not by who holds this: a port that
     * starts is held by who starts it, waits for this, and is waited for here.
     */
    private final Object hearing = new Object();

    /** Ends our hearing. Guarded by {@link #hearing}. */
    private Runnable deaf;

    /** The tick of the last change. Guarded by this. */
    private int changed;

    /** The tick in which all channels were last gone through. Guarded by this. */
    private int swept;

    /** The thread that goes through all channels. What it finds may have logged in before. */
    private volatile Thread sweeper;

    private volatile boolean found;
    private volatile boolean detached;

    /**
     * Changes nothing yet.
     *
     * @throws ReflectiveOperationException its message names what this server does not have
     */
    public NettyAdapter(Sessions sessions) throws ReflectiveOperationException {
        this(sessions, NettyOpenfire.acceptorsOfClients(), NettyOpenfire.interrupter());
    }

    NettyAdapter(Sessions sessions, NettyOpenfire.Acceptors acceptors, Consumer<Connection> interrupter)
            throws ReflectiveOperationException {
        this.sessions = sessions;
        this.acceptors = acceptors;
        openfire = NettyOpenfire.find();
        common = new NettyConnection.Common(sessions, openfire, interrupter, faults, this::over);
        factory = openfire.factory(this::watch);
    }

    /**
     * Looks whether this server can be served.
     *
     * @throws ReflectiveOperationException its message names what this server does not have
     */
    public static void check() throws ReflectiveOperationException {
        NettyOpenfire.find();
        NettyOpenfire.acceptorsOfClients();
    }

    @Override
    public void look() {
        hear();
        int tick = sessions.clock().tick();
        boolean sweep;
        synchronized (this) {
            if (detached) {
                return;
            }
            Set<Object> used = acceptors.inUse();
            if (!used.equals(known)) {
                changed = tick;
                // Replaced when the settings of a port change. What they have open is watched until it closes.
                known.stream().filter(each -> !used.contains(each)).forEach(each -> openfire.remove(each, factory));
                known = used;
            }
            sweep = tick - changed < EARLY_TICKS || tick - swept >= SWEEP_EVERY_TICKS;
            if (sweep) {
                swept = tick;
                sweep();
            }
        }
        if (found) {
            found = false;
            sessions.adoptAll();
        }
        tidy(sweep, tick);
        // Those of a port that was closed.
        guards.keySet().removeIf(EventExecutor::isShuttingDown);
    }

    private void hear() {
        synchronized (hearing) {
            if (deaf == null && !detached) {
                deaf = acceptors.listen(this::starting);
            }
        }
    }

    @Override
    public void detach() {
        detached = true;
        synchronized (hearing) {
            if (deaf != null) {
                deaf.run();
            }
        }
        synchronized (this) {
            known.forEach(each -> openfire.remove(each, factory));
            known = new HashSet<>();
        }
        guards.values().forEach(Guard::end);
        guards.clear();
        leave(new ArrayList<>(watched.values()));
        watched.clear();
        closed.clear();
    }

    /** Each is left on its own thread; where that is busy for too long, on this one. */
    private static void leave(List<NettyConnection> connections) {
        List<Future<?>> steps = new ArrayList<>(connections.size());
        connections.forEach(each -> steps.add(each.leave()));
        long end = System.nanoTime() + PATIENCE_NS;
        for (int i = 0; i < steps.size(); i++) {
            try {
                steps.get(i).get(end - System.nanoTime(), TimeUnit.NANOSECONDS);
            } catch (ExecutionException | TimeoutException e) {
                connections.get(i).remove();
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
                connections.get(i).remove();
            }
        }
    }

    /** Before its port is open: nobody comes in unwatched. */
    private synchronized void starting(Object acceptor) {
        if (!detached && known.add(acceptor)) {
            openfire.add(acceptor, factory);
            changed = sessions.clock().tick();
        }
    }

    private void sweep() {
        sweeper = Thread.currentThread();
        try {
            known.forEach(each -> openfire.add(each, factory));
        } finally {
            sweeper = null;
        }
    }

    private void watch(Channel channel) {
        if (detached || watched.containsKey(channel)) {
            return;
        }
        NettyConnection connection = new NettyConnection(channel, common);
        if (watched.putIfAbsent(channel, connection) != null) {
            return;
        }
        try {
            if (!connection.start()) {
                watched.remove(channel, connection);
                return;
            }
            guards.computeIfAbsent(channel.eventLoop(), Guard::new).take(connection);
        } catch (RuntimeException | LinkageError | OutOfMemoryError e) {
            connection.remove();
            // It stays noted until it closes: what failed now fails again, and Openfire has it.
            if (connection.isClosed()) {
                Log.debug("{} closed while it was looked at: {}", channel, e.toString());
            } else if (faults.allows()) {
                Log.error("A connection is not watched, Openfire's own idle handling has it: {}", channel, e);
            }
        }
        if (Thread.currentThread() == sweeper) {
            found = true;
        }
        if (detached) {
            connection.remove();
            watched.remove(channel, connection);
            guards.values().forEach(Guard::end);
        } else if (connection.isClosed()) {
            closed.put(connection, sessions.clock().tick());
        }
    }

    private void over(NettyConnection connection) {
        watched.remove(connection.channel(), connection);
        closed.remove(connection);
    }

    /** Ends what closed without a word to us: at the moment it was found, or together with the threads that tell it. */
    private void tidy(boolean all, int tick) {
        if (all) {
            watched.values().stream().filter(NettyConnection::isClosed).forEach(each -> closed.putIfAbsent(each, tick));
        }
        closed.forEach((each, since) -> {
            if (each.isOverdue(tick - since)) {
                each.end();
            }
        });
    }

    /**
     * Looks each second whether the core is in charge, on a thread that clients are read from: should ours stand still,
     * silence is given back to Openfire, and taken again when they go on.
     */
    private final class Guard implements Runnable {
        private final EventLoop loop;
        private final Future<?> task;

        /** What all its channels have heard of whose business silence is; null: they differ. Only {@link #loop} comes here. */
        private Sessions.Charge last;

        Guard(EventLoop loop) {
            this.loop = loop;
            task = loop.scheduleWithFixedDelay(this, 1, 1, TimeUnit.SECONDS);
        }

        /** On the thread of its look: so neither misses the other. */
        void take(NettyConnection connection) {
            loop.execute(() -> {
                Sessions.Charge charge = sessions.charge();
                if (charge != last) {
                    last = null;
                }
                connection.safely(() -> connection.silenceIs(charge));
            });
        }

        @Override
        public void run() {
            try {
                Sessions.Charge charge = sessions.charge();
                if (charge == last || charge == Sessions.Charge.IN_DOUBT || detached) {
                    return;
                }
                last = charge;
                watched.values().stream()
                        .filter(each -> each.channel().eventLoop() == loop)
                        .forEach(each -> each.silenceIs(charge));
            } catch (RuntimeException | LinkageError | OutOfMemoryError e) {
                if (faults.allows()) {
                    Log.error("Whose business silence is could not be told to all connections", e);
                }
            }
        }

        void end() {
            task.cancel(false);
        }
    }
}
