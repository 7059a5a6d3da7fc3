package org.igniterealtime.openfire.plugin.heartbeat;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Predicate;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Moves the core's clock on every whole second of {@link Clock}, and hands out what is due. If it dies the core notices,
 * and leaves silent clients to Openfire's own handling again.
 */
final class Ticker implements AutoCloseable {
    private static final Logger Log = LoggerFactory.getLogger(Ticker.class);
    private static final long TICK_US = TimeUnit.SECONDS.toMicros(1);
    private static final int CAPACITY = 4096;
    private static final long END_MS = 5_000;

    private final NativeCore core;
    private final Clock clock;
    private final Actions actions;
    private final Predicate<Runnable> looker;
    private final Runnable find;
    private final Runnable look;

    /** How many looks were asked for since the one under way began, with that one; none is under way at 0. */
    private final AtomicInteger asked = new AtomicInteger(1);

    /** The tick of the last whole look. Only who looks comes here. */
    private int looked;

    private final RateLimit faults = new RateLimit();
    private final ByteBuffer due =
            ByteBuffer.allocateDirect(CAPACITY * NativeCore.ACTION_BYTES).order(ByteOrder.nativeOrder());
    private final Thread thread = new Thread(this::run, "heartbeat-tick");
    private volatile boolean stopped;

    /** When the core last took a tick. */
    private volatile long tickedNs = System.nanoTime();

    /**
     * Both are done beside the ticking thread, as they may have to wait for Openfire, and never by two threads at a time.
     *
     * @param find done after each tick, and when {@link #findSoon} is called
     * @param look done after each tick, after {@code find}
     */
    Ticker(NativeCore core, Clock clock, Actions actions, Runnable find, Runnable look) {
        this(core, clock, actions, actions::execute, find, look);
    }

    /** @param looker has the looks done, as {@link Actions#execute} does */
    Ticker(NativeCore core, Clock clock, Actions actions, Predicate<Runnable> looker, Runnable find, Runnable look) {
        this.core = core;
        this.clock = clock;
        this.actions = actions;
        this.looker = looker;
        this.find = find;
        this.look = look;
        thread.setDaemon(true);
    }

    /**
     * The first tick, and the first look, are done when it returns: nothing is stamped before there is a time, and what
     * was open before us is watched.
     */
    void start() {
        tick();
        look();
        thread.start();
    }

    @Override
    public void close() {
        stopped = true;
        thread.interrupt();
        try {
            thread.join(END_MS);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    private void run() {
        while (!stopped) {
            try {
                TimeUnit.MICROSECONDS.sleep(TICK_US - clock.nowUs() % TICK_US);
                tick();
                findSoon();
            } catch (InterruptedException e) {
                if (!stopped) {
                    Log.error("The ticking thread was interrupted and ends: Openfire's own idle handling acts again");
                }
                return;
            } catch (RuntimeException | LinkageError | OutOfMemoryError e) {
                if (faults.allows()) {
                    Log.error("A tick failed; the next one comes in a second", e);
                }
            }
        }
    }

    /** Has a look begun from now on, and does not wait for it. One serves all who ask before it begins. */
    void findSoon() {
        if (asked.getAndIncrement() == 0) {
            beginLook();
        }
    }

    private void beginLook() {
        boolean begun = false;
        try {
            begun = looker.test(this::look);
        } finally {
            // Without memory for it, or at the end: whoever asks next tries again.
            if (!begun) {
                asked.set(0);
            }
        }
    }

    private void tick() {
        long nowUs = clock.nowUs();
        long wallMs = System.currentTimeMillis();
        int count;
        do {
            long result = core.advance(nowUs, wallMs, due);
            if (result < 0) {
                if (result != NativeCore.CLOSED) {
                    throw new IllegalStateException("the core did not take the tick: code " + result);
                }
                return;
            }
            // First the time, then the deeds: what is read from now on is younger than them.
            clock.tick = (int) (result >>> 32);
            count = (int) result;
            for (int i = 0; i < count; i++) {
                int at = i * NativeCore.ACTION_BYTES;
                actions.submit(due.getLong(at), due.getInt(at + 8), due.getInt(at + 12));
            }
        } while (count == CAPACITY);
        tickedNs = System.nanoTime();
    }

    /** Seconds since the core last took a tick. */
    long silentSeconds() {
        return TimeUnit.NANOSECONDS.toSeconds(System.nanoTime() - tickedNs);
    }

    private void look() {
        int served = asked.get();
        try {
            find.run();
            int tick = clock.tick;
            if (tick != looked) {
                looked = tick;
                look.run();
            }
        } catch (RuntimeException | LinkageError | OutOfMemoryError e) {
            if (faults.allows()) {
                Log.error("Looking for new and resumed connections failed; it is tried again in a second", e);
            }
        } finally {
            if (asked.addAndGet(-served) > 0) {
                beginLook();
            }
        }
    }
}
