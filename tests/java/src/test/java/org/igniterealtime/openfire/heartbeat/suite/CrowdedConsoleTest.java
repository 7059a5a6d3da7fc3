package org.igniterealtime.openfire.heartbeat.suite;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import org.igniterealtime.openfire.heartbeat.harness.ConsoleVisitor;
import org.igniterealtime.openfire.heartbeat.harness.ConsoleVisitor.Timing;
import org.igniterealtime.openfire.heartbeat.harness.OpenfireServer;
import org.igniterealtime.openfire.heartbeat.harness.Products;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** The page of live sessions and the metrics with 100,000 sessions in the core, through HTTP and in a browser: what they take. */
@Timeout(180)
final class CrowdedConsoleTest {
    private static final int SESSIONS = 100_000;
    private static final int WARM_UP = 15;
    private static final int TRIES = 15;
    private static final List<String> SORTS = List.of("jid", "state", "silent", "rtt", "pings", "ends", "transport");

    private static final double FIRST_BYTE_MS = 200;
    private static final double PAGE_MS = 1000;
    private static final long PAGE_BYTES = 300_000;
    private static final double SCRAPE_MS = 20;

    /** Requests of the page and of what it needs, as the browser saw them: first byte, all of it loaded, bytes. */
    private static final String TIMES = "var t = performance.getEntriesByType('navigation')[0];"
            + "var bytes = t.encodedBodySize;"
            + "performance.getEntriesByType('resource').forEach(function (r) {"
            + "  if (r.name.indexOf('/plugins/heartbeat/') > 0) bytes += r.encodedBodySize; });"
            + "return [t.responseStart - t.requestStart, t.loadEventEnd - t.startTime, bytes];";

    private static OpenfireServer server;

    @BeforeAll
    static void start() {
        server = OpenfireServer.named("crowded")
                .asInUse()
                .heap("768m")
                .console()
                .set("plugin.heartbeat.policy", "{\"idle\": \"1d\", \"ack_timeout\": \"1h\"}")
                .plugin(Products.plugin())
                .start();
        server.crowd(SESSIONS);
        assertEquals(SESSIONS, server.status(false).getAsJsonObject("sessions").get("alive").getAsInt());
    }

    @AfterAll
    static void stop() {
        if (server != null) {
            server.close();
        }
    }

    private static double ms(long ns) {
        return ns / 1e6;
    }

    private static double median(List<Double> values) {
        return values.stream().sorted().toList().get(values.size() / 2);
    }

    private static void say(String what, double first, double all, long bytes) {
        System.out.printf(
                Locale.ROOT, "%s: first byte after %.1f ms, all after %.1f ms, %d bytes (medians)%n", what, first, all, bytes);
    }

    @Test
    void thePageOfLiveSessionsIsThereAtOnceInEachOrder() {
        ConsoleVisitor administrator = new ConsoleVisitor(server).login("admin", "admin");
        for (int i = 0; i < WARM_UP; i++) {
            SORTS.forEach(sort -> administrator.time("plugins/heartbeat/sessions?sort=" + sort));
        }
        for (String sort : SORTS) {
            List<Double> first = new ArrayList<>();
            List<Double> all = new ArrayList<>();
            long bytes = 0;
            for (int i = 0; i < TRIES; i++) {
                Timing timing = administrator.time("plugins/heartbeat/sessions?q=@CHAT&order=down&sort=" + sort);
                first.add(ms(timing.firstByteNs()));
                all.add(ms(timing.allNs()));
                bytes = Math.max(bytes, timing.bytes());
            }
            say("live sessions by " + sort, median(first), median(all), bytes);
            assertTrue(median(first) < FIRST_BYTE_MS, sort + ": first bytes after " + first + " ms");
            assertTrue(median(all) < PAGE_MS, sort + ": " + all + " ms");
            assertTrue(bytes < PAGE_BYTES, sort + ": " + bytes + " bytes");
        }
    }

    @Test
    void itIsThereAtOnceInABrowser() {
        try (Browser browser = new Browser(server.webConsole(), true)) {
            List<Double> first = new ArrayList<>();
            List<Double> all = new ArrayList<>();
            double bytes = 0;
            for (int i = 0; i < WARM_UP / 3 + TRIES; i++) {
                browser.open("sessions");
                assertEquals("Sessions 1 to 100 of 100,000", browser.find("#count").getText());
                List<?> times = (List<?>) browser.driver().executeScript(TIMES);
                if (i >= WARM_UP / 3) {
                    first.add(((Number) times.get(0)).doubleValue());
                    all.add(((Number) times.get(1)).doubleValue());
                    bytes = Math.max(bytes, ((Number) times.get(2)).doubleValue());
                }
            }
            say("live sessions in a browser", median(first), median(all), (long) bytes);
            assertTrue(median(first) < FIRST_BYTE_MS, "first bytes after " + first + " ms");
            assertTrue(median(all) < PAGE_MS, "loaded after " + all + " ms");
            assertTrue(bytes < PAGE_BYTES, bytes + " bytes");
            browser.picture("sessions-crowded");
        }
    }

    @Test
    void theMetricsAreToldAtOnce() {
        ConsoleVisitor administrator = new ConsoleVisitor(server).login("admin", "admin");
        List<Double> all = new ArrayList<>();
        long bytes = 0;
        for (int i = 0; i < WARM_UP + TRIES; i++) {
            Timing timing = administrator.time("plugins/heartbeat/metrics", "Accept", "application/openmetrics-text");
            if (i >= WARM_UP) {
                all.add(ms(timing.allNs()));
                bytes = Math.max(bytes, timing.bytes());
            }
        }
        say("metrics", median(all), median(all), bytes);
        assertTrue(median(all) < SCRAPE_MS, "scraped after " + all + " ms");
    }
}
