package org.igniterealtime.openfire.plugin.heartbeat;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
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
    private final Runnable look;
    private final AtomicBoolean looking = new AtomicBoolean();
    private final RateLimit faults = new RateLimit();
    private final ByteBuffer due =
            ByteBuffer.allocateDirect(CAPACITY * NativeCore.ACTION_BYTES).order(ByteOrder.nativeOrder());
    private final Thread thread = new Thread(this::run, "heartbeat-tick");
    private volatile boolean stopped;

    /** When the core last took a tick. */
    private volatile long tickedNs = System.nanoTime();

    /** @param look done after each tick, beside the ticking thread: it may have to wait for Openfire */
    Ticker(NativeCore core, Clock clock, Actions actions, Runnable look) {
        this.core = core;
        this.clock = clock;
        this.actions = actions;
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
                lookSoon();
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

    /** Has a look done, unless one is under way, and does not wait for it. */
    void lookSoon() {
        if (looking.compareAndSet(false, true) && !actions.execute(this::look)) {
            looking.set(false);
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
        try {
            look.run();
        } catch (RuntimeException | LinkageError | OutOfMemoryError e) {
            if (faults.allows()) {
                Log.error("Looking for new and resumed connections failed; it is tried again in a second", e);
            }
        } finally {
            looking.set(false);
        }
    }
}
