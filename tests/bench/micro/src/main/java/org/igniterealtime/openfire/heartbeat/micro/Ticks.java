package org.igniterealtime.openfire.heartbeat.micro;

import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.handler.timeout.VirtualIdleStateHandler;
import io.netty.util.HashedWheelTimer;
import io.netty.util.Timeout;
import io.netty.util.TimerTask;
import java.lang.management.ManagementFactory;
import java.lang.management.ThreadMXBean;
import java.nio.channels.SelectableChannel;
import java.nio.channels.SelectionKey;
import java.nio.channels.Selector;
import java.nio.channels.spi.AbstractSelectionKey;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Iterator;
import java.util.List;
import java.util.Random;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.TimeUnit;
import org.apache.mina.core.session.AbstractIoSession;
import org.apache.mina.core.session.IoSession;
import org.igniterealtime.openfire.plugin.heartbeat.Door;

/**
 * What it costs to find out once a second who was silent for too long. All have the same sessions, read from at the same
 * moments: each every 30 s on average, by chance. Whoever is found silent is read from at once.
 *
 * <p>Ours, Netty's timers and MINA's scan are called once a second with a time of their own. The wheel timer has a thread
 * and a clock that can not be taken from it: so the seconds are real ones, and what its thread used in each is counted.
 * Caches are flushed before each call, and while the wheel turns. Code is compiled as it is after hours: it has been
 * called as often before, with few sessions. What measuring itself takes is measured in turns too, and taken off.
 */
final class Ticks implements Group {
    private static final int IDLE_SECONDS = 180;
    private static final int READ_EVERY = 30;
    private static final int WARM_UP = 20;
    private static final int ROUNDS = 41;
    private static final int FEW = 100;
    private static final int HOURS = 3 * 3600;
    private static final ThreadMXBean THREADS = ManagementFactory.getThreadMXBean();

    /** One of those that are compared: knows when each of its sessions was last read from, and who is silent. */
    private interface Watcher {
        void read(int session);

        /** A second has passed: who is silent? */
        void tick();

        /** Not counted: what is done about those who are. */
        void answer();

        /** Lets time pass until nothing is left of how it began: timers are spread as they are after hours. */
        default void settle(int count) {
            Random random = new Random(count);
            for (int second = 0; second < 2 * IDLE_SECONDS; second++) {
                for (int i = 0; i < count / READ_EVERY; i++) {
                    read(random.nextInt(count));
                }
                tick();
                answer();
            }
        }
    }

    @Override
    public List<Result> run(Scale scale) throws Exception {
        for (Watcher watcher : List.of(new Ours(FEW), new NettyTimers(FEW), new MinaScan(FEW), new Nobody())) {
            for (int second = 0; second < HOURS; second++) {
                cpuOf(watcher);
                watcher.answer();
            }
        }
        List<Result> results = new ArrayList<>();
        results.addAll(run(scale, scale.of(100_000), 20, 10, false));
        results.addAll(run(scale, scale.of(1_000_000), 50, 15, true));
        return results;
    }

    private static List<Result> run(Scale scale, int count, int netty, int wheel, boolean most) throws Exception {
        Watcher ours = new Ours(count);
        Watcher timers = new NettyTimers(count);
        ours.settle(count);
        timers.settle(count);
        // A scan of all does not depend on the past.
        List<Watcher> inTurns = List.of(ours, timers, new MinaScan(count), new Nobody());
        int rounds = scale.rounds(ROUNDS);
        double[][] cpu = new double[inTurns.size()][rounds];
        double[] wall = new double[rounds];
        double[] wheelCpu = new double[rounds];
        try (Wheel turning = new Wheel(count)) {
            Random random = new Random(count);
            for (int round = -scale.rounds(WARM_UP); round < rounds; round++) {
                long begin = System.nanoTime();
                long wheelBefore = turning.cpu();
                int[] read = random.ints(count / READ_EVERY, 0, count).toArray();
                for (int session : read) {
                    turning.read(session);
                }
                for (int i = 0; i < inTurns.size(); i++) {
                    int at = Math.floorMod(i + round, inTurns.size());
                    Watcher watcher = inTurns.get(at);
                    for (int session : read) {
                        watcher.read(session);
                    }
                    Caches.flush();
                    long before = System.nanoTime();
                    double spent = cpuOf(watcher);
                    long after = System.nanoTime();
                    watcher.answer();
                    if (round >= 0) {
                        cpu[at][round] = spent;
                        if (at == 0) {
                            wall[round] = (after - before) / 1e3;
                        }
                    }
                }
                long left = begin + TimeUnit.SECONDS.toNanos(1) - System.nanoTime();
                while (left > 0) {
                    Caches.flush();
                    TimeUnit.NANOSECONDS.sleep(Math.min(left, TimeUnit.MILLISECONDS.toNanos(80)));
                    left = begin + TimeUnit.SECONDS.toNanos(1) - System.nanoTime();
                }
                if (round >= 0) {
                    // Per real second, should a round have taken longer.
                    wheelCpu[round] = (turning.cpu() - wheelBefore) / 1e3 * 1e9 / (System.nanoTime() - begin);
                }
            }
        }
        String name = "a tick, " + count + " sessions: ours / ";
        Stats measuring = Stats.of(cpu[3]);
        Stats spent = Stats.of(cpu[0]).minus(measuring);
        List<Result> results = new ArrayList<>(List.of(
                Result.of(
                        name + "Netty's per-channel timers",
                        "us CPU",
                        spent,
                        Stats.of(cpu[1]).minus(measuring),
                        1.0 / netty),
                Result.of(name + "HashedWheelTimer", "us CPU", spent, Stats.of(wheelCpu), 1.0 / wheel),
                Result.of(name + "MINA's scan", "us CPU", spent, Stats.of(cpu[2]).minus(measuring), 1.0 / 1000)));
        if (most) {
            Stats took = Stats.of(wall);
            results.add(Result.of(name + "0.5 ms", "us", took, Stats.given(500), 1.0));
            results.add(Result.of(
                    "the worst tick, " + count + " sessions: ours / 5 ms", "us", Stats.given(took.max()), Stats.given(5000), 1.0));
        }
        return results;
    }

    /** Microseconds of a processor. */
    private static double cpuOf(Watcher watcher) {
        long before = THREADS.getCurrentThreadCpuTime();
        watcher.tick();
        return (THREADS.getCurrentThreadCpuTime() - before) / 1e3;
    }

    /** Does nothing. */
    private static final class Nobody implements Watcher {
        @Override
        public void read(int session) {
            // Nobody looks.
        }

        @Override
        public void tick() {
            // Nobody looks.
        }

        @Override
        public void answer() {
            // Nobody was found.
        }
    }

    /** The core, called as the ticking thread calls it. */
    private static final class Ours implements Watcher {
        private final Door door = new Door();
        private final long[] tokens;
        private int actions;

        Ours(int count) {
            door.idle(TimeUnit.SECONDS.toMillis(IDLE_SECONDS));
            for (int i = 0; i < IDLE_SECONDS; i++) {
                door.nextSecond();
                door.advance();
            }
            Random random = new Random(1);
            tokens = new long[count];
            for (int i = 0; i < count; i++) {
                tokens[i] = door.open(random.nextInt(IDLE_SECONDS));
                door.bound(tokens[i], "user" + i + "@example.org/phone", true);
                door.available(tokens[i]);
            }
        }

        @Override
        public void read(int session) {
            door.read(tokens[session]);
        }

        @Override
        public void tick() {
            door.nextSecond();
            actions = door.advance();
        }

        @Override
        public void answer() {
            door.answer(actions);
            while (door.isFull(actions)) {
                actions = door.advance();
                door.answer(actions);
            }
        }
    }

    /** A timer per channel in the event loop's queue, as IdleStateHandler sets it. As many loops as Netty makes. */
    private static final class NettyTimers implements Watcher {
        private final VirtualLoop[] loops = new VirtualLoop[2 * Runtime.getRuntime().availableProcessors()];
        private final QuietChannel[] channels;

        NettyTimers(int count) {
            Arrays.setAll(loops, i -> new VirtualLoop());
            Random random = new Random(1);
            channels = new QuietChannel[count];
            long now = loops[0].nanos();
            for (int i = 0; i < count; i++) {
                VirtualLoop loop = loops[i % loops.length];
                channels[i] = new QuietChannel();
                channels[i].pipeline().addLast(new VirtualIdleStateHandler(IDLE_SECONDS, loop::nanos));
                channels[i].pipeline().addLast(new ChannelInboundHandlerAdapter() {
                    @Override
                    public void channelRead(io.netty.channel.ChannelHandlerContext context, Object message) {
                        // It comes to its end here.
                    }
                });
                loop.set(now - random.nextLong(TimeUnit.SECONDS.toNanos(IDLE_SECONDS)));
                loop.register(channels[i]);
            }
            for (VirtualLoop loop : loops) {
                loop.set(now);
            }
        }

        @Override
        public void read(int session) {
            channels[session].pipeline().fireChannelRead("x");
            channels[session].pipeline().fireChannelReadComplete();
        }

        @Override
        public void tick() {
            for (VirtualLoop loop : loops) {
                loop.set(loop.nanos() + TimeUnit.SECONDS.toNanos(1));
                loop.runDue();
            }
        }

        @Override
        public void answer() {
            // IdleStateHandler has set its timer anew.
        }
    }

    /** All sessions once a second, as MINA's processors do: through the keys of a selector. */
    private static final class MinaScan implements Watcher {
        private final QuietSession.Service service = new QuietSession.Service();
        private final QuietSession[] sessions;
        private final Set<SelectionKey> keys = ConcurrentHashMap.newKeySet();
        private long nowMs = System.currentTimeMillis();

        MinaScan(int count) throws Exception {
            sessions = new QuietSession[count];
            for (int i = 0; i < count; i++) {
                sessions[i] = service.open(IDLE_SECONDS);
                Key key = new Key();
                key.attach(sessions[i]);
                keys.add(key);
            }
        }

        @Override
        public void read(int session) {
            sessions[session].increaseReadBytes(1, nowMs);
        }

        @Override
        public void tick() {
            nowMs += 1000;
            Iterator<SelectionKey> each = keys.iterator();
            AbstractIoSession.notifyIdleness(
                    new Iterator<IoSession>() {
                        @Override
                        public boolean hasNext() {
                            return each.hasNext();
                        }

                        @Override
                        public IoSession next() {
                            return (IoSession) each.next().attachment();
                        }
                    },
                    nowMs);
        }

        @Override
        public void answer() {
            Contest.consumed = service.idles();
        }

        private static final class Key extends AbstractSelectionKey {
            @Override
            public SelectableChannel channel() {
                throw new UnsupportedOperationException();
            }

            @Override
            public Selector selector() {
                throw new UnsupportedOperationException();
            }

            @Override
            public int interestOps() {
                return 0;
            }

            @Override
            public SelectionKey interestOps(int operations) {
                return this;
            }

            @Override
            public int readyOps() {
                return 0;
            }
        }
    }

    /** A timeout per session on one wheel, set anew when it comes and the session was read from meanwhile. */
    private static final class Wheel implements AutoCloseable {
        private final HashedWheelTimer timer;
        private final Entry[] entries;
        private Thread thread;

        Wheel(int count) throws InterruptedException {
            timer = new HashedWheelTimer(work -> {
                thread = new Thread(work, "wheel");
                thread.setDaemon(true);
                return thread;
            });
            timer.start();
            Random random = new Random(1);
            entries = new Entry[count];
            for (int i = 0; i < count; i++) {
                entries[i] = new Entry();
                timer.newTimeout(entries[i], random.nextLong(TimeUnit.SECONDS.toNanos(IDLE_SECONDS)), TimeUnit.NANOSECONDS);
            }
            // It takes no more than so many in one turn.
            TimeUnit.MILLISECONDS.sleep(200 + count / 500);
        }

        void read(int session) {
            entries[session].read = System.nanoTime();
        }

        long cpu() {
            return THREADS.getThreadCpuTime(thread.getId());
        }

        @Override
        public void close() {
            timer.stop();
        }

        private final class Entry implements TimerTask {
            private volatile long read = System.nanoTime();

            @Override
            public void run(Timeout timeout) {
                long silent = System.nanoTime() - read;
                long left = TimeUnit.SECONDS.toNanos(IDLE_SECONDS) - silent;
                timer.newTimeout(this, left > 0 ? left : TimeUnit.SECONDS.toNanos(IDLE_SECONDS), TimeUnit.NANOSECONDS);
            }
        }
    }
}
