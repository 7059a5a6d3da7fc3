package org.igniterealtime.openfire.plugin.heartbeat.web;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.charset.StandardCharsets;
import java.util.EnumSet;
import java.util.HashMap;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import org.igniterealtime.openfire.plugin.heartbeat.SessionQuery;
import org.igniterealtime.openfire.plugin.heartbeat.SessionQuery.Sort;
import org.igniterealtime.openfire.plugin.heartbeat.SessionState;
import org.igniterealtime.openfire.plugin.heartbeat.TestCore;
import org.junit.jupiter.api.Test;

/** The page of live sessions with 100,000 of them in the core. */
class CrowdedPageTest {
    private static final int SESSIONS = 100_000;
    private static final long MOST_MS = 200;
    private static final int MOST_BYTES = 300_000;
    private static final int TRIES = 5;

    @Test
    void aPageOfAHundredThousandIsMadeInTimeAndSmall() {
        try (TestCore core = new TestCore()) {
            core.crowd(SESSIONS);
            core.tick(2);
            for (Sort sort : Sort.values()) {
                long best = Long.MAX_VALUE;
                int bytes = 0;
                for (int i = 0; i < TRIES; i++) {
                    long start = System.nanoTime();
                    String page = page(core, SessionQuery.all().containing("@CHAT").sortedBy(sort, true).rows(0, SessionsPage.ROWS));
                    best = Math.min(best, System.nanoTime() - start);
                    bytes = page.getBytes(StandardCharsets.UTF_8).length;
                    assertTrue(page.contains("Sessions 1 to 100 of 100,000"), page);
                    assertEquals(SessionsPage.ROWS, page.split("class=\"hb-jid\" dir=\"auto\"><a ", -1).length - 1);
                }
                long ms = TimeUnit.NANOSECONDS.toMillis(best);
                System.out.println("live sessions by " + sort.text() + ": " + ms + " ms, " + bytes + " bytes");
                assertTrue(ms < MOST_MS, sort + " takes " + ms + " ms");
                assertTrue(bytes < MOST_BYTES, sort + " has " + bytes + " bytes");
            }
        }
    }

    private static String page(TestCore core, SessionQuery query) {
        Map<String, Object> model = new HashMap<>();
        Texts texts = new Texts(Locale.ENGLISH);
        model.put("text", texts);
        SessionsPage.fill(model, query, EnumSet.noneOf(SessionState.class), core.list(query), texts);
        return Templates.render("sessions", model);
    }
}
