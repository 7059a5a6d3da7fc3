package org.igniterealtime.openfire.heartbeat.suite;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.OptionalDouble;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.function.BooleanSupplier;
import java.util.stream.IntStream;
import org.igniterealtime.openfire.heartbeat.harness.ConsoleVisitor;
import org.igniterealtime.openfire.heartbeat.harness.Event;
import org.igniterealtime.openfire.heartbeat.harness.OpenfireServer;
import org.igniterealtime.openfire.heartbeat.harness.PingAnswer;
import org.igniterealtime.openfire.heartbeat.harness.Products;
import org.igniterealtime.openfire.heartbeat.harness.RawClient;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** What machines ask for over HTTP, as they do, and Openfire's statistics; beside what real clients saw. */
@Timeout(180)
final class MachinesTest {
    private static final String METRICS = "plugins/heartbeat/metrics";
    private static final String STATUS = "plugins/heartbeat/status";
    private static final String TOKEN = "plugin.heartbeat.metrics.token";
    private static final String NETWORKS = "plugin.heartbeat.metrics.networks";
    private static final String POLICY = "plugin.heartbeat.policy";
    private static final String ENABLED = "plugin.heartbeat.enabled";
    private static final String PATIENT = "{\"idle\": \"1h\"}";
    private static final String HASTY = "{\"idle\": \"3s\", \"ack_timeout\": \"3s\"}";
    private static final String OPEN = "application/openmetrics-text; version=1.0.0,text/plain;q=0.5";
    private static final String SECRET = "jK8-long-and-random";
    private static final int CLIENTS = 100;
    private static final int SCRAPERS = 4;
    private static final int SCRAPES = 25;

    private static OpenfireServer server;
    private static ConsoleVisitor administrator;

    @BeforeAll
    static void start() {
        server = OpenfireServer.named("machines")
                .console()
                .set(POLICY, PATIENT)
                .plugin(Products.plugin())
                .start();
        server.users(IntStream.range(0, CLIENTS).mapToObj(i -> "user" + i).toList());
        administrator = new ConsoleVisitor(server).login("admin", "admin");
    }

    @AfterAll
    static void stop() {
        if (server != null) {
            server.close();
        }
    }

    @AfterEach
    void asItWasInstalled() {
        server.delete(TOKEN);
        server.delete(NETWORKS);
        server.delete(ENABLED);
        server.set(POLICY, PATIENT);
    }

    private static HttpResponse<String> stranger(String page, String... headers) {
        return new ConsoleVisitor(server).ask("GET", page, "", headers);
    }

    private static void await(String what, BooleanSupplier condition) {
        for (int i = 0; i < 200 && !condition.getAsBoolean(); i++) {
            Times.sleep(0.1);
        }
        assertTrue(condition.getAsBoolean(), what);
    }

    // ---- Who may read.

    @Test
    void whoIsLoggedInReads() {
        HttpResponse<String> metrics = administrator.ask("GET", METRICS, "");
        assertEquals(200, metrics.statusCode());
        assertEquals("text/plain;version=0.0.4;charset=utf-8", type(metrics));
        assertTrue(metrics.body().contains("heartbeat_sessions{state=\"alive\"} "), metrics.body());
        HttpResponse<String> open = administrator.ask("GET", METRICS, "", "Accept", OPEN);
        assertEquals("application/openmetrics-text;version=1.0.0;charset=utf-8", type(open));
        assertTrue(open.body().endsWith("\n# EOF\n"), open.body());
        HttpResponse<String> status = administrator.ask("GET", STATUS, "");
        assertEquals("application/json;charset=utf-8", type(status));
        for (HttpResponse<String> each : List.of(metrics, open, status)) {
            assertEquals("no-store", each.headers().firstValue("Cache-Control").orElse(""));
            assertEquals("nosniff", each.headers().firstValue("X-Content-Type-Options").orElse(""));
        }
        assertNotToBePosted(administrator.ask("POST", METRICS, ""));
    }

    /** Where Openfire looks for its token of forms first, it sends back to the page. */
    private static void assertNotToBePosted(HttpResponse<String> answer) {
        assertTrue(answer.statusCode() == 405 || answer.statusCode() == 302, answer.toString());
    }

    private static String type(HttpResponse<String> answer) {
        return answer.headers().firstValue("Content-Type").orElse("").replace(" ", "").toLowerCase(java.util.Locale.ROOT);
    }

    @Test
    void whoIsLoggedInByTheTokenThatServesOnceReads() {
        assumeTrue(server.version().letsInOnce(), "this Openfire has no such login");
        server.command("set-in-file", "oneTimeAccessToken", SECRET);
        ConsoleVisitor lockedOut = new ConsoleVisitor(server).loginOnce(SECRET);
        for (String page : List.of(METRICS, STATUS, "plugins/heartbeat/overview")) {
            assertEquals(200, lockedOut.ask("GET", page, "").statusCode(), page);
        }
    }

    @Test
    void aStrangerIsSentToTheLogin() {
        for (String page : List.of(METRICS, STATUS)) {
            HttpResponse<String> answer = stranger(page, "Authorization", "Bearer ");
            assertEquals(302, answer.statusCode(), page);
            assertTrue(answer.headers().firstValue("Location").orElse("").contains("login.jsp"), answer.toString());
        }
    }

    @Test
    void whoHasTheTokenReads() {
        server.set(TOKEN, SECRET);
        for (String page : List.of(METRICS, STATUS)) {
            assertEquals(200, stranger(page, "Authorization", "Bearer " + SECRET).statusCode(), page);
            for (String wrong : List.of("Bearer " + SECRET + "x", "Bearer ", "Basic " + SECRET, SECRET)) {
                HttpResponse<String> refused = stranger(page, "Authorization", wrong);
                assertEquals(401, refused.statusCode(), wrong);
                assertEquals("Bearer", refused.headers().firstValue("WWW-Authenticate").orElse(""));
                assertFalse(refused.body().contains("sessions"), refused.body());
            }
            assertEquals(401, stranger(page).statusCode());
        }
        // Nothing else is opened by it.
        assertEquals(302, stranger("plugins/heartbeat/sessions", "Authorization", "Bearer " + SECRET).statusCode());
        assertNotToBePosted(new ConsoleVisitor(server).ask("POST", METRICS, "", "Authorization", "Bearer " + SECRET));
        server.delete(TOKEN);
        assertEquals(302, stranger(METRICS, "Authorization", "Bearer " + SECRET).statusCode());
    }

    @Test
    void whoComesFromAnAllowedNetworkReads() {
        server.set(NETWORKS, "10.0.0.0/8, fd00::/8");
        assertEquals(401, stranger(METRICS).statusCode());
        server.set(NETWORKS, "10.0.0.0/8, 127.0.0.0/8");
        assertEquals(200, stranger(METRICS).statusCode());
        assertEquals(200, stranger(STATUS).statusCode());
        assertEquals(302, stranger("plugins/heartbeat/settings").statusCode());
        server.set(NETWORKS, "everybody");
        assertEquals(401, stranger(METRICS).statusCode());
        // A prefix that only looks like it.
        server.set(NETWORKS, "127.0.0.2/32");
        assertEquals(401, stranger(METRICS).statusCode());
    }

    @Test
    void switchedOffThereIsNothingToRead() {
        server.set(TOKEN, SECRET);
        server.set(ENABLED, "false");
        assertEquals(503, administrator.ask("GET", METRICS, "").statusCode());
        assertEquals(302, stranger(METRICS, "Authorization", "Bearer " + SECRET).statusCode());
        server.delete(ENABLED);
        assertEquals(200, stranger(METRICS, "Authorization", "Bearer " + SECRET).statusCode());
    }

    // ---- What is told.

    /** The value of a metric, by its name and labels. */
    private static long metric(String name) {
        String body = administrator.ask("GET", METRICS, "").body();
        return body.lines()
                .filter(line -> line.startsWith(name + " "))
                .map(line -> (long) Double.parseDouble(line.substring(name.length() + 1)))
                .findFirst()
                .orElseThrow(() -> new AssertionError(name + " is not told:\n" + body));
    }

    private static double statistic(String name) {
        OptionalDouble sample = server.statistic("heartbeat_" + name);
        assertTrue(sample.isPresent(), name);
        return sample.getAsDouble();
    }

    private static long answered(List<RawClient> clients) {
        return clients.stream()
                .mapToLong(client -> client.events(event -> event.kind() == Event.Kind.SENT
                                && event.text().contains("hb-"))
                        .size())
                .sum();
    }

    private static long pinged(List<RawClient> clients) {
        return clients.stream().mapToLong(client -> client.events(Event::isOurPing).size()).sum();
    }

    /**
     * A hundred clients are pinged and answer, one is dead, while others scrape: both forms are read by Prometheus' own parsers,
     * and metrics, state and Openfire's statistics tell what the clients saw.
     */
    @Test
    void whatIsToldIsWhatClientsSaw() throws Exception {
        List<RawClient> clients = new ArrayList<>();
        ExecutorService scrapers = Executors.newFixedThreadPool(SCRAPERS);
        try {
            long pings = metric("heartbeat_pings_total");
            long pongs = metric("heartbeat_ping_answers_total");
            long dead = metric("heartbeat_disconnects_total{reason=\"no-answer\"}");
            for (String name : List.of("pings", "pongs", "closes")) {
                statistic(name);
            }
            for (int i = 0; i < CLIENTS; i++) {
                clients.add(RawClient.login(server.door(), "user" + i, "phone")
                        .answerPings(i == 0 ? PingAnswer.NOTHING : PingAnswer.RESULT)
                        .available());
            }
            assertEquals(CLIENTS, metric("heartbeat_sessions{state=\"alive\"}"));
            assertEquals(CLIENTS, statistic("alive"));
            List<CompletableFuture<Void>> load = IntStream.range(0, SCRAPERS)
                    .mapToObj(i -> CompletableFuture.runAsync(MachinesTest::scrape, scrapers))
                    .toList();
            server.set(POLICY, HASTY);
            clients.get(0).await(Duration.ofSeconds(20), "the end", Event::isOver);
            await("everybody was pinged", () -> clients.stream().noneMatch(client -> client.events(Event::isOurPing).isEmpty()));
            load.forEach(CompletableFuture::join);
            server.set(POLICY, PATIENT);
            await("all answers arrived", () -> metric("heartbeat_ping_answers_total") - pongs == answered(clients));
            await("all pings arrived", () -> metric("heartbeat_pings_total") - pings == pinged(clients));

            long answers = metric("heartbeat_ping_answers_total") - pongs;
            assertTrue(answers >= CLIENTS - 1, "answers: " + answers);
            assertEquals(dead + 1, metric("heartbeat_disconnects_total{reason=\"no-answer\"}"));
            assertEquals(pongs + answers, metric("heartbeat_ping_round_trip_seconds_count"));
            await("the dead one is over", () -> metric("heartbeat_sessions{state=\"alive\"}") == CLIENTS - 1);
            assertEquals(pinged(clients), statistic("pings"));
            assertEquals(answers, statistic("pongs"));
            assertEquals(1, statistic("closes"));
            assertEquals(CLIENTS - 1, statistic("alive"));
            // Of a counter only what is new.
            assertEquals(0, statistic("pings"));

            JsonObject status = JsonParser.parseString(administrator.ask("GET", STATUS, "").body()).getAsJsonObject();
            assertEquals(CLIENTS - 1, status.getAsJsonObject("sessions").get("alive").getAsInt());
            assertEquals(pings + pinged(clients), status.getAsJsonObject("counts").get("pings").getAsLong());
            assertFalse(status.toString().contains("user1"), status.toString());
            check();
        } finally {
            scrapers.shutdown();
            clients.forEach(RawClient::close);
        }
    }

    private static void scrape() {
        ConsoleVisitor prometheus = new ConsoleVisitor(server).login("admin", "admin");
        for (int i = 0; i < SCRAPES; i++) {
            boolean open = i % 2 == 0;
            HttpResponse<String> answer = prometheus.ask("GET", METRICS, "", "Accept", open ? OPEN : "text/plain");
            assertEquals(200, answer.statusCode());
            assertEquals(open, answer.body().endsWith("# EOF\n"));
        }
    }

    /** Both forms, as they came over HTTP, by Prometheus' own parsers. */
    private static void check() throws Exception {
        Path folder = Files.createDirectories(Products.folder("machines"));
        Path text = folder.resolve("metrics.txt");
        Path open = folder.resolve("metrics.openmetrics");
        Files.writeString(text, administrator.ask("GET", METRICS, "").body());
        Files.writeString(open, administrator.ask("GET", METRICS, "", "Accept", OPEN).body());
        Path checker = Path.of(System.getProperty("repository"), "tests/check-metrics").toAbsolutePath().normalize();
        Process process = new ProcessBuilder(checker.toString(), text.toString(), open.toString())
                .directory(checker.getParent().getParent().toFile())
                .redirectErrorStream(true)
                .start();
        String said = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        assertEquals(0, process.waitFor(), said);
        assertTrue(said.startsWith("ok check-metrics: "), said);
    }

    @Test
    void openfiresStatisticsGoWithThePlugin() {
        assertTrue(server.statistic("heartbeat_pings").isPresent());
        server.set(ENABLED, "false");
        assertTrue(server.statistic("heartbeat_pings").isEmpty());
        server.delete(ENABLED);
        assertTrue(server.statistic("heartbeat_pings").isPresent());
    }
}
