package org.igniterealtime.openfire.heartbeat.soak;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.gson.JsonObject;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.igniterealtime.openfire.heartbeat.harness.OpenfireServer;
import org.igniterealtime.openfire.heartbeat.harness.Products;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/**
 * A server in use: people come, talk, and go in every way, while the policy changes and the plugin is loaded again.
 * Nothing may grow, nobody who answers may go, nobody who is silent may stay, and in the end everybody's last activity must
 * be right. {@code make soak MINUTES=30 SESSIONS=2000 SEED=1}.
 */
final class SoakTest {
    private static final double MINUTES = Double.parseDouble(System.getProperty("minutes", "5"));
    private static final int SESSIONS = Integer.getInteger("sessions", 300);
    private static final long SEED = Long.getLong("seed", 1);
    private static final int WORKERS = 6;
    /** Of all people together: more is what this machine has no processors for. */
    private static final double ACTS_PER_SECOND = 40;
    private static final int SAMPLES = 60;
    private static final String POOL = "socket_c2s-thread-";
    private static final double MB = 1 << 20;
    private static final String POLICY = "plugin.heartbeat.policy";
    private static final String PLUGIN_CLASS = "org.igniterealtime.openfire.plugin.heartbeat.HeartbeatPlugin";
    private static final List<String> POLICIES = List.of(
            "{\"idle\": \"4s\", \"ack_timeout\": \"4s\"}",
            "{\"idle\": \"3s\", \"ack_timeout\": \"3s\", \"retries\": 1}",
            "{\"idle\": \"6s\", \"ack_timeout\": \"3s\", \"spread\": \"3s\"}",
            "{\"idle\": \"5s\", \"ack_timeout\": \"5s\", \"on_dead\": \"close\"}",
            "{\"idle\": \"5s\", \"ack_timeout\": \"4s\", \"on_dead\": \"cut\", \"pings_per_tick\": 20}",
            // Refused, and the one before stays.
            "{\"idle\": \"5s\", \"on_dead\": \"burn\"}");

    private final Tally tally = new Tally();
    private final List<Series> all = new ArrayList<>();
    private final Series resident = series("resident", "MB", 12);
    private final Series outside = series("native", "MB", 6);
    private final Series heap = series("heap", "MB", 3);
    private final Series core = series("core", "kB", 64);
    /** But those of the pool that Openfire 4.2 to 4.7 has for clients: from 5 to 16, as many as have been busy at once lately. */
    private final Series threads = series("threads", "", 4);
    /** Of each sample. */
    private final List<List<String>> threadNames = new ArrayList<>();
    /** But those of clients. */
    private final Series descriptors = series("descriptors", "", 8);
    private final Series files = series("files", "", 0);
    private final Series loaders = series("plugins loaded", "", 0);

    private volatile boolean over;
    private long begin;

    private Series series(String name, String unit, double allowed) {
        Series series = new Series(name, unit, allowed);
        all.add(series);
        return series;
    }

    @Test
    @Timeout(value = 600, unit = TimeUnit.MINUTES)
    void nothingGrowsAndNothingIsForgotten() throws Exception {
        System.out.println("soak: MINUTES=" + MINUTES + " SESSIONS=" + SESSIONS + " SEED=" + SEED);
        OpenfireServer server = OpenfireServer.named("soak")
                .plugin(Products.plugin())
                .set("xmpp.client.idle", "60000")
                .set(POLICY, POLICIES.get(0))
                .set("xmpp.offline.type", "drop")
                .set("xmpp.session.detach.timeout", "8000")
                .heap("512m")
                // What the heap may take, it has: what grows is something else.
                .flag("-Xms512m")
                .flag("-XX:+AlwaysPreTouch")
                .flag("-XX:NativeMemoryTracking=summary")
                // What glibc keeps in an arena for each thread that there ever was is not our growth.
                .environment("MALLOC_ARENA_MAX", "1")
                .start();
        double warmUp = Math.max(2, MINUTES / 5) * 60;
        List<Person> people = new ArrayList<>();
        try (server) {
            assertEquals("null", server.refusal());
            invite(server, people);
            begin = System.nanoTime();
            List<Thread> busy = start(server, people);
            while (second() < MINUTES * 60) {
                Thread.sleep((long) (MINUTES * 60_000 / SAMPLES));
                sample(server);
            }
            over = true;
            for (Thread thread : busy) {
                thread.join();
            }
            comeToRest(server, people);
            long oldest = people.stream().mapToLong(person -> tally.check(person, server)).max().orElse(0);
            assertEquals("null", server.journalTrouble());
            report(warmUp, oldest);
        }
    }

    private double second() {
        return (System.nanoTime() - begin) / 1e9;
    }

    /** Two and two see each other. */
    private void invite(OpenfireServer server, List<Person> people) {
        Person.World world = new Person.World(server, people, tally);
        IntStream.range(0, SESSIONS).forEach(i -> people.add(new Person("p" + i, world, SEED * 1_000_003 + i)));
        server.users(people.stream().map(person -> person.name).toList());
        for (int i = 0; i + 1 < SESSIONS; i += 2) {
            server.contacts(List.of(people.get(i).name), List.of(people.get(i + 1).name));
        }
    }

    // ---- What happens.

    private List<Thread> start(OpenfireServer server, List<Person> people) {
        List<Thread> busy = new ArrayList<>();
        for (int worker = 0; worker < WORKERS; worker++) {
            int first = worker;
            List<Person> own = IntStream.range(0, people.size())
                    .filter(i -> i % WORKERS == first)
                    .mapToObj(people::get)
                    .toList();
            busy.add(run("people-" + worker, new Random(SEED + worker), random -> {
                own.get(random.nextInt(own.size())).act();
                pause(2 * random.nextDouble() * WORKERS / ACTS_PER_SECOND);
            }));
        }
        busy.add(run("policies", new Random(SEED + 100), random -> {
            pause(3 + random.nextInt(10));
            if (random.nextInt(6) == 0) {
                server.delete(POLICY);
                pause(2);
            }
            server.set(POLICY, POLICIES.get(random.nextInt(POLICIES.size())));
            tally.count("policies");
        }));
        busy.add(run("reloads", new Random(SEED + 200), random -> {
            pause(10 + random.nextInt(20));
            tally.blindly(server::reload);
            tally.count("reloads");
        }));
        return busy;
    }

    private interface Turn {
        void take(Random random) throws Exception;
    }

    private Thread run(String name, Random random, Turn turn) {
        Thread thread = new Thread(
                () -> {
                    while (!over) {
                        try {
                            turn.take(random);
                        } catch (Exception | AssertionError e) {
                            tally.wrong(name + ": " + e);
                        }
                    }
                },
                name);
        thread.setDaemon(true);
        thread.start();
        return thread;
    }

    /** Ends early when all is over. */
    private void pause(double seconds) {
        long end = System.nanoTime() + (long) (seconds * 1e9);
        while (!over && System.nanoTime() < end) {
            try {
                TimeUnit.NANOSECONDS.sleep(Math.min(end - System.nanoTime(), 100_000_000L));
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
                return;
            }
        }
    }

    /** Whoever is silent is found, and what could be resumed no longer can. */
    private void comeToRest(OpenfireServer server, List<Person> people) throws InterruptedException {
        server.set(POLICY, POLICIES.get(0));
        for (int i = 0; i < 90 && people.stream().anyMatch(Person::isSilent); i++) {
            people.stream().filter(Person::isSilent).forEach(Person::act);
            Thread.sleep(1_000);
        }
        Thread.sleep(10_000);
        server.sweepDetached();
        Thread.sleep(4_000);
    }

    // ---- What is seen.

    private void sample(OpenfireServer server) {
        server.sweepDetached();
        server.command("forget");
        JsonObject vitals = server.vitals(PLUGIN_CLASS);
        double at = second();
        resident.add(at, vitals.get("resident").getAsLong() / MB);
        outside.add(at, vitals.get("native").getAsLong() / MB);
        heap.add(at, vitals.get("heap").getAsLong() / MB);
        threadNames.add(server.threads().stream().filter(name -> !name.startsWith(POOL)).toList());
        threads.add(at, threadNames.get(threadNames.size() - 1).size());
        descriptors.add(at, vitals.get("descriptors").getAsLong() - server.connections());
        loaders.add(at, vitals.get("objects").getAsLong());
        try {
            core.add(at, server.status(false).get("memory_bytes").getAsLong() / 1024.0);
            long count = filesOf(server);
            server.status(false); // all of the plugin's own were there
            files.add(at, count);
        } catch (IllegalStateException | IOException | UncheckedIOException e) {
            // It is being loaded again.
        }
    }

    private static long filesOf(OpenfireServer server) throws IOException {
        long count = 0;
        for (String folder : List.of("tmp", "plugins")) {
            try (Stream<Path> found = Files.walk(server.home().resolve(folder))) {
                count += found.count();
            }
        }
        return count;
    }

    /** Which there are at the end, and were not at the end of the warm-up. */
    private List<String> threadsThatCame(double warmUp) {
        List<String> came = new ArrayList<>(threadNames.get(threadNames.size() - 1));
        threadNames.get(threads.begin(warmUp)).forEach(came::remove);
        return came;
    }

    private void report(double warmUp, long oldest) throws IOException {
        System.out.println("done: " + tally.counts());
        for (Series series : all) {
            System.out.println(series.verdict(warmUp));
        }
        Path chart = Products.folder("report").resolve("soak.svg");
        Chart.write("Soak, " + MINUTES + " minutes, " + SESSIONS + " people, seed " + SEED, all, warmUp, chart);
        System.out.println("threads that came after the warm-up: " + threadsThatCame(warmUp));
        System.out.println("drawn in " + chart);
        System.out.println("last activity of " + SESSIONS + " people: at most " + oldest
                + " ms before what they surely sent, " + tally.wrong().size() + " wrong");
        for (String done : List.of("logins", "logouts", "FIN", "RST", "silent", "links cut", "resumes", "policies", "reloads")) {
            assertTrue(tally.counts().containsKey(done), "too short: there were no " + done);
        }
        List<String> wrong = new ArrayList<>(tally.wrong());
        all.stream().filter(series -> series.grows(warmUp)).forEach(series -> wrong.add(series.verdict(warmUp)));
        assertTrue(wrong.isEmpty(), () -> "SEED=" + SEED + "\n" + String.join("\n", wrong));
    }
}
