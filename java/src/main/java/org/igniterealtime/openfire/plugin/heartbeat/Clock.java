package org.igniterealtime.openfire.plugin.heartbeat;

import java.util.concurrent.TimeUnit;

/** Monotonic time in microseconds, and the coarse tick that reads are stamped with. */
public final class Clock {
    /** How far back an event may lie that came before this clock: times are never negative. */
    private static final long PAST_US = TimeUnit.DAYS.toMicros(30);

    private final long origin = System.nanoTime();

    /** What is written into the cell of a session that is read from. Moved by {@link Ticker} only. */
    volatile int tick;

    /** What a read is stamped with. */
    public int tick() {
        return tick;
    }

    public long nowUs() {
        return PAST_US + (System.nanoTime() - origin) / 1000;
    }

    /** How long ago a tick began, which comes on each whole second. */
    long sinceUs(int earlier) {
        return TimeUnit.SECONDS.toMicros(Math.max(0, tick - earlier)) + nowUs() % TimeUnit.SECONDS.toMicros(1);
    }

    /** The time of something that happened at {@code wallMs}, milliseconds since 1970, by its age. */
    public long earlierUs(long wallMs) {
        long ageMs = Math.max(0, System.currentTimeMillis() - wallMs);
        return Math.max(0, nowUs() - Math.min(ageMs, PAST_US / 1000) * 1000);
    }
}
