package org.igniterealtime.openfire.plugin.heartbeat;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jivesoftware.openfire.Connection;
import org.junit.jupiter.api.Test;
import org.xmpp.packet.StreamError;

/** 10,000 sessions are found dead in one tick, and each deed takes as long as telling 200 contacts may: 50 ms. */
final class MassDeathTest {
    private static final int SESSIONS = 10_000;
    private static final int DEED_MS = 50;
    private static final int IDLE_MS = 5_000;

    private final Clock clock = new Clock();
    private final Map<String, Client> clients = new ConcurrentHashMap<>();
    private final AtomicInteger told = new AtomicInteger();
    private Sessions sessions;

    @Test
    void ticksStayOnTimeAndEachIsToldOnce() throws Exception {
        TestLibrary.load();
        try (NativeCore core = new NativeCore(clock.nowUs(), System.currentTimeMillis())) {
            core.configure(null, IDLE_MS, false);
            sessions = new Sessions(core, clock);
            try (Actions actions = new Actions(core, clock, sessions, this::tell);
                    Ticker ticker = new Ticker(core, clock, actions, () -> {}, () -> {})) {
                ticker.start();
                List<Client> all = new ArrayList<>();
                for (int i = 0; i < SESSIONS; i++) {
                    all.add(login(core, "user" + i + "@example.org/phone"));
                }
                List<Long> late = new ArrayList<>();
                long begin = System.nanoTime();
                // The core's ticks and the clock's seconds come together first.
                sleepToHalfSecond();
                sleepToHalfSecond();
                sleepToHalfSecond();
                int tick = clock.tick;
                int stalls = count(core, "stalls");
                while (told.get() < SESSIONS && seconds(begin) < limit()) {
                    sleepToHalfSecond();
                    tick++;
                    if (clock.tick != tick) {
                        late.add(seconds(begin));
                        tick = clock.tick;
                    }
                }
                // Whoever is told twice, is told again after this.
                TimeUnit.SECONDS.sleep(3);
                assertEquals(List.of(), late, "seconds at which a tick was not on time");
                assertEquals(stalls, count(core, "stalls"));
                for (Client client : all) {
                    assertEquals(List.of("close", "told"), client.deeds, client.jid);
                    assertEquals(0, client.together.get(), client.jid);
                }
                assertEquals(SESSIONS, count(core, "told"));
            }
        }
    }

    /** Until half a second after the next tick should have come. */
    private void sleepToHalfSecond() throws InterruptedException {
        TimeUnit.MICROSECONDS.sleep(1_500_000 - clock.nowUs() % 1_000_000);
    }

    private static long limit() {
        int threads = Math.min(8, 2 * Runtime.getRuntime().availableProcessors());
        // Closing and telling, and as much again.
        return 4L * SESSIONS * DEED_MS / threads / 1000 + 30;
    }

    private static long seconds(long since) {
        return TimeUnit.NANOSECONDS.toSeconds(System.nanoTime() - since);
    }

    private Client login(NativeCore core, String jid) {
        Client client = new Client(jid);
        clients.put(jid, client);
        long now = clock.nowUs();
        client.watched = sessions.opened(client, now, now);
        assertEquals(0, core.bound(client.watched.token, jid, false));
        assertEquals(0, core.available(client.watched.token));
        return client;
    }

    private void tell(String jid) {
        clients.get(jid).does("told");
        told.incrementAndGet();
    }

    private static int count(NativeCore core, String key) {
        String status = core.status(false);
        Matcher matcher = Pattern.compile("\"" + key + "\":(\\d+)").matcher(status);
        assertTrue(matcher.find(), status);
        return Integer.parseInt(matcher.group(1));
    }

    private final class Client implements Transport {
        final String jid;
        final List<String> deeds = new ArrayList<>();
        final AtomicInteger together = new AtomicInteger();
        private final AtomicInteger doing = new AtomicInteger();
        private volatile Watched watched;

        Client(String jid) {
            this.jid = jid;
        }

        void does(String deed) {
            if (doing.incrementAndGet() != 1) {
                together.incrementAndGet();
            }
            try {
                TimeUnit.MILLISECONDS.sleep(DEED_MS);
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
            }
            synchronized (deeds) {
                deeds.add(deed);
            }
            doing.decrementAndGet();
        }

        @Override
        public Connection connection() {
            return null;
        }

        @Override
        public void close(StreamError.Condition why) {
            does("close");
            sessions.closing(watched);
            sessions.ended(watched);
        }

        @Override
        public void drop() {
            does("drop");
        }

        @Override
        public void abort() {
            does("abort");
        }

        @Override
        public boolean isClosed() {
            return false;
        }

        @Override
        public String remote() {
            return jid;
        }
    }
}
