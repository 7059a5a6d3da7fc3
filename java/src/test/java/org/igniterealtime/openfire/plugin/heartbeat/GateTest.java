package org.igniterealtime.openfire.plugin.heartbeat;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;

final class GateTest {
    private static final int ROUNDS = 200;
    private static final int THREADS = 6;

    @Test
    void nobodyIsInsideWhenItCloses() throws InterruptedException {
        for (int round = 0; round < ROUNDS; round++) {
            Gate gate = new Gate();
            AtomicBoolean freed = new AtomicBoolean();
            AtomicInteger late = new AtomicInteger();
            CountDownLatch busy = new CountDownLatch(THREADS);
            List<Thread> threads = new ArrayList<>();
            for (int i = 0; i < THREADS; i++) {
                threads.add(new Thread(() -> {
                    boolean open = true;
                    while (open) {
                        gate.lock();
                        try {
                            open = !freed.get();
                            // What is open when one enters stays so until one leaves.
                            if (open && freed.get()) {
                                late.incrementAndGet();
                            }
                        } finally {
                            gate.unlock();
                        }
                        busy.countDown();
                    }
                }));
            }
            threads.forEach(Thread::start);
            busy.await();
            gate.close(() -> freed.set(true));
            for (Thread thread : threads) {
                thread.join(TimeUnit.SECONDS.toMillis(10));
                assertFalse(thread.isAlive());
            }
            assertEquals(0, late.get());
        }
    }

    @Test
    void closingWaitsForWhoIsInside() throws InterruptedException {
        Gate gate = new Gate();
        AtomicBoolean closed = new AtomicBoolean();
        gate.lock();
        Thread closer = new Thread(() -> gate.close(() -> closed.set(true)));
        closer.start();
        closer.join(100);
        assertFalse(closed.get());
        gate.unlock();
        closer.join(TimeUnit.SECONDS.toMillis(10));
        assertTrue(closed.get());
    }

    @Test
    void itClosesOnce() {
        Gate gate = new Gate();
        AtomicInteger times = new AtomicInteger();
        gate.close(times::incrementAndGet);
        gate.close(times::incrementAndGet);
        assertEquals(1, times.get());
        gate.lock();
        gate.unlock();
    }
}
