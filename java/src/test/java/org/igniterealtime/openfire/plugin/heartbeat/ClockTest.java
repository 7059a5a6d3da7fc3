package org.igniterealtime.openfire.plugin.heartbeat;

import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;

class ClockTest {
    private static final long SLACK_US = TimeUnit.SECONDS.toMicros(5);

    private final Clock clock = new Clock();

    @Test
    void goesOn() throws InterruptedException {
        long before = clock.nowUs();
        TimeUnit.MILLISECONDS.sleep(20);
        assertTrue(clock.nowUs() - before >= TimeUnit.MILLISECONDS.toMicros(20));
    }

    @Test
    void knowsThePast() {
        long hourAgo = clock.earlierUs(System.currentTimeMillis() - TimeUnit.HOURS.toMillis(1));
        long off = clock.nowUs() - hourAgo - TimeUnit.HOURS.toMicros(1);
        assertTrue(Math.abs(off) < SLACK_US, () -> off + " us off");
    }

    @Test
    void isNeverNegative() {
        assertTrue(clock.earlierUs(0) >= 0);
    }

    @Test
    void knowsNoFuture() {
        assertTrue(clock.earlierUs(System.currentTimeMillis() + TimeUnit.HOURS.toMillis(1)) <= clock.nowUs());
    }
}
