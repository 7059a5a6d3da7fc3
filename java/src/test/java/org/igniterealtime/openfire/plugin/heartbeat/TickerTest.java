package org.igniterealtime.openfire.plugin.heartbeat;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
import java.util.Collections;
import java.util.HashSet;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Who asks that connections be found, as each login may, is served at once, and moves nothing that goes by time. */
@Timeout(60)
final class TickerTest {
    static {
        TestLibrary.load();
    }

    private static final int LOGINS = 500;
    private static final int TICKS = 3;

    private final Clock clock = new Clock();
    private final NativeCore core = new NativeCore(clock.nowUs(), System.currentTimeMillis());
    private final Actions actions = new Actions(core, clock, new Sessions(core, clock), gone -> {});
    private final Ticker ticker = new Ticker(core, clock, actions, this::begin, this::find, this::look);
    private final Semaphore found = new Semaphore(0);
    private final List<Integer> looks = Collections.synchronizedList(new ArrayList<>());
    private final AtomicInteger together = new AtomicInteger();
    private volatile boolean neverTwo = true;
    private volatile Runnable finding = () -> {};

    private volatile boolean withoutMemory;

    private boolean begin(Runnable look) {
        if (withoutMemory) {
            throw new OutOfMemoryError("unable to create a thread");
        }
        return actions.execute(look);
    }

    private void find() {
        neverTwo &= together.incrementAndGet() == 1;
        try {
            finding.run();
        } finally {
            together.decrementAndGet();
            found.release();
        }
    }

    private void look() {
        looks.add(clock.tick());
    }

    @AfterEach
    void close() {
        ticker.close();
        actions.close();
        core.close();
    }

    private void awaitFound() throws InterruptedException {
        assertTrue(found.tryAcquire(10, TimeUnit.SECONDS), "nobody looked");
    }

    /** From here on nothing but the test asks. */
    private void startWithoutTicks() {
        ticker.start();
        ticker.close();
        // What a tick has asked for that came meanwhile is done when another is.
        found.drainPermits();
    }

    @Test
    void looksOncePerTickHoweverManyLogIn() throws Exception {
        ticker.start();
        found.drainPermits();
        int first = clock.tick();
        for (int i = 0; i < LOGINS || clock.tick() < first + TICKS; i++) {
            ticker.findSoon();
            awaitFound();
        }
        List<Integer> all = new ArrayList<>(looks);
        assertEquals(new HashSet<>(all).size(), all.size(), () -> "a tick was looked at twice: " + all);
        assertTrue(all.size() >= TICKS, () -> "ticks were left out: " + all);
        assertTrue(neverTwo, "two looked at a time");
    }

    @Test
    void whoLogsInDuringALookHasAnother() throws Exception {
        startWithoutTicks();
        CountDownLatch begun = new CountDownLatch(1);
        CountDownLatch go = new CountDownLatch(1);
        finding = () -> {
            begun.countDown();
            try {
                go.await();
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
            }
        };
        ticker.findSoon();
        assertTrue(begun.await(10, TimeUnit.SECONDS), "nobody looked");
        ticker.findSoon();
        ticker.findSoon();
        go.countDown();

        awaitFound();
        awaitFound();

        assertFalse(found.tryAcquire(300, TimeUnit.MILLISECONDS), "each of two that came together had a look");
        assertTrue(neverTwo, "two looked at a time");
    }

    @Test
    void whatOneThrowsDoesNotEndThem() throws Exception {
        startWithoutTicks();
        finding = () -> {
            throw new AssertionError("a fault that is not caught");
        };
        ticker.findSoon();
        awaitFound();
        finding = () -> {};
        ticker.findSoon();
        awaitFound();
    }

    @Test
    void oneThatCouldNotBeBegunDoesNotEndThem() throws Exception {
        startWithoutTicks();
        withoutMemory = true;
        assertThrows(OutOfMemoryError.class, ticker::findSoon);
        withoutMemory = false;
        ticker.findSoon();
        awaitFound();
    }
}
