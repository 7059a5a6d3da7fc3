package org.igniterealtime.openfire.heartbeat.bench;

import com.google.gson.GsonBuilder;
import com.google.gson.JsonArray;
import com.google.gson.JsonObject;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import java.util.stream.IntStream;
import org.igniterealtime.openfire.heartbeat.harness.Event;
import org.igniterealtime.openfire.heartbeat.harness.Installation;
import org.igniterealtime.openfire.heartbeat.harness.OpenfireServer;
import org.igniterealtime.openfire.heartbeat.harness.PingAnswer;
import org.igniterealtime.openfire.heartbeat.harness.Products;
import org.igniterealtime.openfire.heartbeat.harness.RawClient;

/**
 * What a ping cycle costs: a server with idle clients that answer, with the plugin and without, in turns. Both servers
 * are up all the time, and only one of them has clients. Counted is all processor time of the server's process, so what
 * ticks, timers and collections cost is in it, divided by the pings that its clients saw.
 */
public final class PingCycle {
    private static final int IDLE_SECONDS = 20;
    private static final int LOGINS_AT_ONCE = 8;

    private static final int LOGIN_ATTEMPTS = 3;

    /** Each client is pinged once, and answers, before anything is measured. */
    private static final long WARM_UP_MILLIS = TimeUnit.SECONDS.toMillis(IDLE_SECONDS / 2 + 2);

    private static final long MEASURED_MILLIS = TimeUnit.SECONDS.toMillis(IDLE_SECONDS);

    /** Few samples are taken of threads that do little: the profile takes its time. */
    private static final long PROFILED_MILLIS = 4 * MEASURED_MILLIS;

    private static final long REST_MILLIS = 3_000;

    private final int clients;
    private final int runs;

    private PingCycle(int clients, int runs) {
        this.clients = clients;
        this.runs = runs;
    }

    /** Arguments: the number of clients, and of runs. */
    public static void main(String[] arguments) throws Exception {
        boolean held = new PingCycle(Integer.parseInt(arguments[0]), Integer.parseInt(arguments[1])).run();
        System.exit(held ? 0 : 1);
    }

    private boolean run() throws Exception {
        System.out.printf(
                Locale.ROOT,
                "Openfire %s, %d idle clients that answer, xmpp.client.idle %d s, %d runs each%n",
                Installation.used().version(), clients, IDLE_SECONDS, runs);
        try (OpenfireServer alone = server("bench-alone", false);
                OpenfireServer plugin = server("bench-plugin", true)) {
            // What a server compiles, it compiles in a run that does not count.
            measure(alone, null);
            measure(plugin, null);
            double[] without = new double[runs];
            double[] with = new double[runs];
            for (int i = 0; i < runs; i++) {
                // Turn about, so that whatever changes with time changes for both.
                for (boolean ours : i % 2 == 0 ? List.of(false, true) : List.of(true, false)) {
                    (ours ? with : without)[i] = measure(ours ? plugin : alone, null);
                }
                System.out.printf(
                        Locale.ROOT, "run %2d: alone %.1f us a ping, with the plugin %.1f us%n", i + 1, without[i], with[i]);
            }
            double ratio = median(with) / median(without);
            System.out.printf(
                    Locale.ROOT,
                    "median: alone %.1f us of processor time a ping, with the plugin %.1f us: ratio %.3f%n",
                    median(without), median(with), ratio);
            write(without, with, ratio);
            for (boolean ours : List.of(false, true)) {
                Path file = Products.folder("bench-openfire").resolve(ours ? "plugin.jfr" : "alone.jfr");
                measure(ours ? plugin : alone, file);
                System.out.println(ours ? "\nWith the plugin:" : "\nAlone:");
                new Profile(file).print(System.out);
            }
            return ratio <= 1;
        }
    }

    private OpenfireServer server(String name, boolean plugin) {
        OpenfireServer.Setup setup = OpenfireServer.named(name)
                .asInUse()
                .heap("1g")
                .set("xmpp.client.idle", Long.toString(TimeUnit.SECONDS.toMillis(IDLE_SECONDS)));
        if (plugin) {
            setup.plugin(Products.plugin());
        }
        OpenfireServer server = setup.start();
        server.users(users());
        if (plugin && !"null".equals(server.refusal())) {
            throw new IllegalStateException("the plugin refused to work: " + server.refusal());
        }
        return server;
    }

    private List<String> users() {
        return IntStream.range(0, clients).mapToObj(i -> "user" + i).toList();
    }

    /** Microseconds of processor time per ping; with a profile in this file, if there is one. */
    private double measure(OpenfireServer server, Path profile) throws InterruptedException {
        List<RawClient> all = login(server);
        try {
            Thread.sleep(WARM_UP_MILLIS);
            if (profile != null) {
                server.record();
            }
            Duration before = server.cpu();
            long start = System.nanoTime();
            Thread.sleep(profile == null ? MEASURED_MILLIS : PROFILED_MILLIS);
            long end = System.nanoTime();
            Duration spent = server.cpu().minus(before);
            if (profile != null) {
                server.recorded(profile);
            }
            long pings = all.stream()
                    .mapToLong(client -> client.events(start, event -> event.isPing() && event.at() < end).size())
                    .sum();
            if (all.stream().anyMatch(RawClient::isOver) || pings < clients) {
                throw new IllegalStateException("not all clients stayed, or not all were pinged: " + pings + " pings");
            }
            return spent.toNanos() / 1e3 / pings;
        } finally {
            all.forEach(RawClient::closeStream);
            all.forEach(client -> client.await("the end", Event::isOver));
            Thread.sleep(REST_MILLIS);
        }
    }

    private List<RawClient> login(OpenfireServer server) {
        ExecutorService workers = Executors.newFixedThreadPool(LOGINS_AT_ONCE);
        try {
            List<CompletableFuture<RawClient>> all = new ArrayList<>();
            for (String user : users()) {
                all.add(CompletableFuture.supplyAsync(
                        () -> login(server, user).available().answerPings(PingAnswer.RESULT), workers));
            }
            return all.stream().map(CompletableFuture::join).toList();
        } finally {
            workers.shutdown();
        }
    }

    /** Now and then Openfire 5.1 fails a login, if others log in at the same moment: then the client tries again. */
    private static RawClient login(OpenfireServer server, String user) {
        for (int attempt = 1; ; attempt++) {
            try {
                return RawClient.login(server.door(), user, "x");
            } catch (AssertionError e) {
                if (attempt == LOGIN_ATTEMPTS) {
                    throw e;
                }
                System.out.println(user + " did not get in, and tries again");
            }
        }
    }

    private static double median(double[] values) {
        double[] sorted = values.clone();
        Arrays.sort(sorted);
        int half = sorted.length / 2;
        return sorted.length % 2 == 1 ? sorted[half] : (sorted[half - 1] + sorted[half]) / 2;
    }

    private void write(double[] without, double[] with, double ratio) throws IOException {
        JsonObject row = new JsonObject();
        row.addProperty("name", "ping cycle on Openfire " + Installation.used().version());
        row.addProperty("unit", "us of processor time a ping");
        row.addProperty("ours", median(with));
        row.addProperty("ours_min", Arrays.stream(with).min().orElseThrow());
        row.addProperty("peer", median(without));
        row.addProperty("peer_min", Arrays.stream(without).min().orElseThrow());
        row.addProperty("ratio", ratio);
        row.addProperty("bar", 1.0);
        row.addProperty("holds", ratio <= 1);
        JsonArray rows = new JsonArray();
        rows.add(row);
        Path file = Products.folder("bench-openfire").resolve("bench-openfire.json");
        Files.writeString(file, new GsonBuilder().setPrettyPrinting().create().toJson(rows) + "\n");
    }
}
