package org.igniterealtime.openfire.plugin.heartbeat;

import java.util.concurrent.TimeUnit;

/** Whether the system's time of day is to be believed. Of one thread. */
final class WallClock {
    /** 2020: a clock that is before it was not set yet, as of a machine without a battery that has just begun. */
    private static final long SET_MS = 1_577_836_800_000L;

    private final long enoughMs;

    /** What the wall clock said when the monotonic one began; as of the last look. */
    private long baseMs;

    /** @param enoughMs that it was set back by more is to be told */
    WallClock(long enoughMs, long wallMs, long monotonicNs) {
        this.enoughMs = enoughMs;
        baseMs = base(wallMs, monotonicNs);
    }

    private static long base(long wallMs, long monotonicNs) {
        return wallMs - TimeUnit.NANOSECONDS.toMillis(monotonicNs);
    }

    static boolean isSet(long wallMs) {
        return wallMs >= SET_MS;
    }

    /** Whether it was set back since this was asked before. */
    boolean wasSetBack(long wallMs, long monotonicNs) {
        long before = baseMs;
        baseMs = base(wallMs, monotonicNs);
        return before - baseMs > enoughMs;
    }
}
