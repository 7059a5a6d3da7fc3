package org.igniterealtime.openfire.heartbeat.soak;

import com.google.gson.JsonObject;
import java.util.ArrayList;
import java.util.Deque;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.ConcurrentSkipListMap;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.igniterealtime.openfire.heartbeat.harness.OpenfireServer;

/** What was done, what was wrong, and when the plugin was not there to see. Any thread may call. */
final class Tally {
    private static final int SHOWN = 20;
    private static final int CUTS_AT_ONCE = 3;
    private static final long TICK_MS = 1_000;
    /** A busy machine may keep the server from reading, or from a tick, for so long: what is exact is asked elsewhere. */
    private static final long LATE_MS = 2_000;
    /** For so long bytes may wait to be read. */
    private static final long UNREAD_NS = TimeUnit.MILLISECONDS.toNanos(500);
    /** After a reload the first look may be to come. */
    private static final long AFTER_NS = TimeUnit.MILLISECONDS.toNanos(1_500);

    private final Map<String, AtomicInteger> counts = new ConcurrentSkipListMap<>();
    private final List<String> wrong = new ArrayList<>();
    private final List<long[]> blind = new ArrayList<>();
    private final AtomicInteger cuts = new AtomicInteger();
    private final long nanos = System.nanoTime();
    private final long wallMs = System.currentTimeMillis();

    void count(String what) {
        counts.computeIfAbsent(what, key -> new AtomicInteger()).incrementAndGet();
    }

    Map<String, AtomicInteger> counts() {
        return new TreeMap<>(counts);
    }

    synchronized void wrong(String what) {
        wrong.add(what);
    }

    synchronized List<String> wrong() {
        return wrong.size() <= SHOWN ? List.copyOf(wrong) : List.copyOf(wrong.subList(0, SHOWN));
    }

    /** Each costs a process, and stays for a while. */
    boolean mayCut() {
        if (cuts.incrementAndGet() <= CUTS_AT_ONCE) {
            return true;
        }
        cuts.decrementAndGet();
        return false;
    }

    void joined() {
        cuts.decrementAndGet();
    }

    /** Does something while the plugin may see nothing. */
    void blindly(Runnable work) {
        long begin = System.nanoTime() - UNREAD_NS;
        long[] span = {begin, Long.MAX_VALUE};
        synchronized (this) {
            blind.add(span);
        }
        work.run();
        synchronized (this) {
            span[1] = System.nanoTime() + AFTER_NS;
        }
    }

    private long wall(long at) {
        return wallMs + Math.floorDiv(at - nanos, 1_000_000L);
    }

    private synchronized boolean isBlind(long at) {
        return blind.stream().anyMatch(span -> at >= span[0] && at <= span[1]);
    }

    /**
     * The server's word against the person's own. Answers how old the one is at most, in milliseconds. The person goes on
     * meanwhile: what it sent before the server was asked must be known, and nothing that it sent after the answer.
     */
    long check(Person person, OpenfireServer server) {
        long asked = System.nanoTime() - UNREAD_NS;
        JsonObject known = server.lastActivity(person.name).orElse(null);
        person.bringUpToDate();
        Deque<Long> sent = person.sent();
        long sure = Long.MIN_VALUE;
        for (Iterator<Long> times = sent.descendingIterator(); times.hasNext(); ) {
            long at = times.next();
            if (at <= asked && !isBlind(at)) {
                sure = wall(at);
                break;
            }
        }
        if (person.lastSent() == 0) {
            return 0;
        }
        if (known == null) {
            wrong("nothing is known of " + person.name);
            return 0;
        }
        long seen = known.get("seen_ms").getAsLong();
        boolean isOld = sure != Long.MIN_VALUE && sure - seen > TICK_MS + LATE_MS;
        boolean isYoung = seen > wall(person.lastSent()) + LATE_MS;
        if (isYoung && isBlind(nanos + (seen - wallMs) * 1_000_000L)) {
            // Its session ended while the plugin was loaded again: nobody knows more than Openfire, which noted the end.
            isYoung = false;
            count("ends taken over");
        }
        if (isOld || isYoung) {
            wrong(person.name + " sent at " + (sure == Long.MIN_VALUE ? "no time that is sure" : sure) + ", last at "
                    + wall(person.lastSent()) + ", and was seen at " + seen + ": " + known + "\n" + person.story());
        }
        if (known.get("online").getAsBoolean() != person.isHere()) {
            wrong(person.name + " is " + (person.isHere() ? "here" : "away") + ": " + known + "\n" + person.story());
        }
        return sure == Long.MIN_VALUE ? 0 : Math.max(0, sure - seen);
    }
}
