package org.igniterealtime.openfire.heartbeat.suite;

import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.gson.JsonObject;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.IntStream;
import org.igniterealtime.openfire.heartbeat.harness.OpenfireServer;
import org.igniterealtime.openfire.heartbeat.harness.Products;
import org.igniterealtime.openfire.heartbeat.harness.RawClient;
import org.igniterealtime.openfire.heartbeat.harness.Stanza;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/**
 * The server is killed under traffic, again and again, and asked afterwards when everybody was last here (XEP-0012). {@code
 * make crash ROUNDS=100} runs more of it.
 */
final class CrashTest {
    private static final int ROUNDS = Integer.getInteger("rounds", 20);
    private static final int USERS = 20;
    private static final long TICK_MS = 1_000;
    private static final long INTERVAL_MS = 1_000;
    private static final Pattern SECONDS = Pattern.compile("seconds=[\"'](-?[0-9]+)[\"']");

    private final Random random = new Random();
    private long id;

    /** What a client knows of itself: wall times before it sent, each, and after it did last. */
    private static final class Person {
        final String name;
        final List<Long> sentMs = new ArrayList<>();
        long afterMs;
        boolean loggedOut;

        Person(String name) {
            this.name = name;
        }

        /** The last that it sent before this time. */
        long sentBefore(long ms) {
            return sentMs.stream().filter(sent -> sent <= ms).reduce((first, second) -> second).orElseThrow();
        }
    }

    @Test
    @Timeout(value = 60, unit = TimeUnit.MINUTES)
    void killedAgainAndAgain() throws Exception {
        List<Person> people = new ArrayList<>();
        IntStream.range(0, USERS).forEach(i -> people.add(new Person("user" + i)));
        int port = OpenfireServer.freePort();
        OpenfireServer server = setup(port).start();
        List<String> names = people.stream().map(person -> person.name).toList();
        server.users(names);
        server.users(List.of("watcher", "stranger"));
        server.contacts(List.of("watcher"), names);
        List<String> wrong = new ArrayList<>();
        long oldest = 0;
        for (int round = 1; round <= ROUNDS; round++) {
            live(server, people);
            long killedMs = System.currentTimeMillis();
            server.kill();
            server = setup(port).homeOf(server).start();
            oldest = Math.max(oldest, ask(server, people, killedMs, round, wrong));
        }
        server.close();
        System.out.println(ROUNDS + " rounds of kill -9, " + USERS + " users: of what was sent a second before the end the oldest time was " + oldest
                + " ms before the client's own, " + wrong.size() + " wrong");
        assertTrue(wrong.isEmpty(), () -> String.join("\n", wrong));
    }

    private static OpenfireServer.Setup setup(int port) {
        return OpenfireServer.named("crash")
                .port("xmpp.socket.plain.port", port)
                .plugin(Products.plugin());
    }

    /** Everybody talks for some seconds; some log out, some only come back in the next round. */
    private void live(OpenfireServer server, List<Person> people) throws InterruptedException {
        List<RawClient> clients = new ArrayList<>();
        for (Person person : people) {
            person.sentMs.add(System.currentTimeMillis());
            clients.add(RawClient.login(server.door(), person.name, "phone").available());
            person.afterMs = System.currentTimeMillis();
            person.loggedOut = false;
        }
        long end = System.nanoTime() + TimeUnit.MILLISECONDS.toNanos(2_500 + random.nextInt(4_000));
        while (System.nanoTime() < end) {
            int who = random.nextInt(people.size());
            Person person = people.get(who);
            if (!person.loggedOut && who % 5 != 4) {
                person.sentMs.add(System.currentTimeMillis());
                if (random.nextInt(100) == 0) {
                    person.loggedOut = true;
                    clients.get(who).unavailable("bye");
                    clients.get(who).closeStream();
                } else {
                    clients.get(who).send(" ");
                }
                person.afterMs = System.currentTimeMillis();
            }
            Thread.sleep(random.nextInt(20));
        }
    }

    /**
     * What was sent an interval before the end must be on disk, to the tick. Answers how much older than that a time was at
     * most, in milliseconds.
     */
    private long ask(OpenfireServer server, List<Person> people, long killedMs, int round, List<String> wrong) {
        long oldest = 0;
        RawClient watcher = RawClient.login(server.door(), "watcher", "desk").available();
        RawClient stranger = RawClient.login(server.door(), "stranger", "desk").available();
        for (Person person : people) {
            Stanza answer = ask(watcher, server, person.name);
            Matcher seconds = SECONDS.matcher(answer.toString());
            if (!seconds.find() || Long.parseLong(seconds.group(1)) < 0) {
                wrong.add("round " + round + ": no time of " + person.name + ": " + answer);
                continue;
            }
            JsonObject known = server.lastActivity(person.name).orElseThrow();
            long seenMs = known.get("seen_ms").getAsLong();
            long toldMs = System.currentTimeMillis() - 1_000 * Long.parseLong(seconds.group(1));
            long sentMs = person.sentBefore(killedMs - INTERVAL_MS);
            oldest = Math.max(oldest, sentMs - seenMs);
            if (sentMs - seenMs > TICK_MS || seenMs > person.afterMs) {
                wrong.add("round " + round + ": " + person.name + " sent at " + sentMs + ", last at " + person.afterMs
                        + ", and was seen at " + seenMs + "; killed at " + killedMs);
            }
            // What is told is that time, in whole seconds.
            if (toldMs < seenMs || toldMs > seenMs + 2_000) {
                wrong.add("round " + round + ": " + person.name + " was seen at " + seenMs + ", told is " + toldMs);
            }
            String refused = ask(stranger, server, person.name).toString();
            if (!refused.contains("forbidden")) {
                wrong.add("round " + round + ": a stranger is told " + refused);
            }
        }
        if (!ask(stranger, server, "nobody").toString().contains("forbidden")) {
            wrong.add("round " + round + ": a stranger learns who does not exist");
        }
        watcher.close();
        stranger.close();
        return oldest;
    }

    private Stanza ask(RawClient client, OpenfireServer server, String user) {
        String own = "last" + ++id;
        client.send("<iq type='get' id='" + own + "' to='" + user + "@" + server.domain()
                + "'><query xmlns='jabber:iq:last'/></iq>");
        return client.await("the answer about " + user, event -> event.isStanza("iq")
                        && own.equals(event.stanza().attribute("id")))
                .stanza();
    }
}
