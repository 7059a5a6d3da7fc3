package org.igniterealtime.openfire.plugin.heartbeat;

import java.util.concurrent.atomic.AtomicIntegerArray;

/**
 * Lets any number of calls through, until it is closed: then those under way are waited for. Threads that pass at once do
 * not write to the same cache line.
 *
 * <p>Threads: any. A thread that is inside must not close it.
 */
final class Gate {
    private static final int LANES = 32;

    /** Ints of a cache line. */
    private static final int STRIDE = 16;

    /** How many are inside, per lane. */
    private final AtomicIntegerArray inside = new AtomicIntegerArray((LANES + 1) * STRIDE);

    private volatile boolean closing;

    /** From here to {@link #unlock}, what {@link #close} does is done, or waits. */
    void lock() {
        int lane = lane();
        inside.incrementAndGet(lane);
        if (closing) {
            inside.decrementAndGet(lane);
            synchronized (this) {
                // It is done when we are let in here.
                inside.incrementAndGet(lane);
            }
        }
    }

    void unlock() {
        inside.decrementAndGet(lane());
    }

    /** Does this once, when nobody is inside. */
    @SuppressWarnings("ThreadPriorityCheck") // calls are short, and this happens once in a life
    synchronized void close(Runnable last) {
        if (closing) {
            return;
        }
        closing = true;
        for (int lane = 0; lane <= LANES; lane++) {
            while (inside.get(lane * STRIDE) != 0) {
                Thread.yield();
            }
        }
        last.run();
    }

    @SuppressWarnings("deprecation") // its successor is younger than Java 8
    private static int lane() {
        return (1 + (int) (Thread.currentThread().getId() % LANES)) * STRIDE;
    }
}
