package org.igniterealtime.openfire.plugin.heartbeat;

import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;

/** Keeps a fault that comes back every moment from flooding the log: lets one through per minute. */
public final class RateLimit {
    private static final long PERIOD_NS = TimeUnit.MINUTES.toNanos(1);

    private final AtomicLong next = new AtomicLong(System.nanoTime());

    public boolean allows() {
        long now = System.nanoTime();
        long due = next.get();
        return now - due >= 0 && next.compareAndSet(due, now + PERIOD_NS);
    }
}
