package org.igniterealtime.openfire.plugin.heartbeat;

import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;

final class WallClockTest {
    private static final long NOW = 1_700_000_000_000L;
    private static final long MINUTE = 60_000;

    private final WallClock clock = new WallClock(10 * MINUTE, NOW, 5);

    private boolean wasSetBack(long wallMs, long passedMs) {
        return clock.wasSetBack(wallMs, 5 + TimeUnit.MILLISECONDS.toNanos(passedMs));
    }

    @Test
    void aClockThatGoesOnWasNotSet() {
        assertFalse(wasSetBack(NOW, 0));
        assertFalse(wasSetBack(NOW + MINUTE, MINUTE));
        assertFalse(wasSetBack(NOW + MINUTE, 11 * MINUTE - 1), "little by little is not set back");
        assertFalse(wasSetBack(NOW + MINUTE, 21 * MINUTE - 2));
    }

    @Test
    void aClockThatIsSetBackIsToldOnce() {
        assertTrue(wasSetBack(NOW - 11 * MINUTE, 0));
        assertFalse(wasSetBack(NOW - 10 * MINUTE, MINUTE));
        assertFalse(wasSetBack(NOW + 60 * MINUTE, MINUTE), "forward is not back");
        assertTrue(wasSetBack(NOW, MINUTE));
    }

    @Test
    void aClockOf1970WasNotSetYet() {
        assertFalse(WallClock.isSet(0));
        assertFalse(WallClock.isSet(TimeUnit.DAYS.toMillis(365)));
        assertTrue(WallClock.isSet(NOW));
    }
}
