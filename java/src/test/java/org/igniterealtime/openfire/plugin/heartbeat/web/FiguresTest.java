package org.igniterealtime.openfire.plugin.heartbeat.web;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.gson.JsonObject;
import java.nio.charset.StandardCharsets;
import java.util.HashMap;
import java.util.Locale;
import java.util.Map;
import org.igniterealtime.openfire.plugin.heartbeat.Span;
import org.junit.jupiter.api.Test;

/** What the core tells of a span, as lines of plots and as a table. */
class FiguresTest {
    private static final long NOW_S = 1_700_003_605;
    private static final int MOST_BYTES = 300_000;

    private final Texts texts = new Texts(Locale.ENGLISH);

    private static String point(long atS, int ticks, String rtt, String disconnects) {
        return "{\"at_ms\":" + atS * 1000 + ",\"ticks\":" + ticks
                + ",\"sessions\":{\"connected\":1,\"alive\":1234.5,\"pinging\":0.5,\"pinged\":2,\"closing\":3,\"detached\":4,\"closed\":0.25},"
                + "\"disconnects\":" + disconnects + ",\"opened\":1,\"over\":1,\"pings\":30,\"pongs\":15,\"rtt_us\":" + rtt + "}";
    }

    private static String series(String... points) {
        return "{\"step_s\":10,\"now_ms\":" + (NOW_S * 1000 + 999) + ",\"points\":[" + String.join(",", points) + "]}";
    }

    private static double value(Figures figures, int plot, int line, int step) {
        return figures.plots.get(plot).lines.get(line).values[step];
    }

    @Test
    void eachStepHasItsPlaceAndNothingIsKnownOfTheOthers() {
        Figures figures = Figures.of(
                series(
                        point(1_700_000_000, 10, "null", "{}"), // 10 s too old
                        point(1_700_000_010, 10, "{\"count\":3,\"p50\":1500,\"p90\":20000,\"p99\":3000000}", "{\"admin\":2}"),
                        point(1_700_003_600, 5, "null", "{\"no-answer\":1,\"new-reason\":7}")),
                Span.HOUR,
                texts);
        assertEquals(360, figures.count);
        assertEquals(1_700_000_010, figures.fromS);
        assertEquals(1_700_003_600, figures.atS(359));
        assertTrue(figures.isKnown(0) && figures.isKnown(359));
        for (int step = 1; step < 359; step++) {
            assertFalse(figures.isKnown(step));
            assertTrue(Double.isNaN(value(figures, 0, 0, step)));
        }
        assertEquals(1234.5, value(figures, 0, 0, 0));
        assertEquals(2.5, value(figures, 0, 1, 0), "pinging and pinged");
        assertEquals(3.25, value(figures, 0, 4, 0), "closing and closed");
        // Per minute of what was ticked: the last step is not over yet.
        assertEquals(180, value(figures, 1, 0, 0));
        assertEquals(360, value(figures, 1, 0, 359));
        assertEquals(180, value(figures, 1, 1, 359));
        assertEquals(1.5, value(figures, 2, 0, 0));
        assertEquals(3000, value(figures, 2, 2, 0));
        assertTrue(Double.isNaN(value(figures, 2, 0, 359)), "nothing was answered");
        assertEquals(2, value(figures, 3, 3, 0));
        assertEquals(0, value(figures, 3, 0, 0));
        assertEquals(1, value(figures, 3, 0, 359));
        // A reason that is new has a line behind the others, by its own name.
        assertEquals("new-reason", figures.plots.get(3).lines.get(4).name);
        assertEquals(7, value(figures, 3, 4, 359));
        assertEquals("Disconnects by reason, in each 10 s", figures.plots.get(3).title);

        JsonObject drawn = figures.json();
        assertEquals(360, drawn.get("count").getAsInt());
        JsonObject alive = drawn.getAsJsonArray("plots").get(0).getAsJsonObject().getAsJsonArray("lines").get(0).getAsJsonObject();
        assertEquals("alive", alive.get("name").getAsString());
        assertEquals("1234.5", alive.getAsJsonArray("values").get(0).toString());
        assertTrue(alive.getAsJsonArray("values").get(1).isJsonNull());
    }

    @Test
    void nothingAtAllIsNoMistake() {
        Figures figures = Figures.of("{\"step_s\":1800,\"now_ms\":0,\"points\":[]}", Span.WEEK, texts);
        assertEquals(336, figures.count);
        assertFalse(page(figures).contains("<th scope=\"row\">"));
    }

    @Test
    void theTableHasWhatIsKnownTheLatestFirstAndIsSmall() {
        String[] points = new String[360];
        for (int i = 0; i < points.length; i++) {
            points[i] = point(1_700_000_010 + 10L * i, 10, "{\"count\":3,\"p50\":1500,\"p90\":20000,\"p99\":3000000}", "{\"admin\":2}");
        }
        String page = page(Figures.of(series(points), Span.HOUR, texts));
        assertEquals(360, page.split("<tr><th scope=\"row\">[^<]*</th><td>1,234\\.5</td><td>2\\.5</td>", -1).length - 1);
        assertTrue(page.indexOf(texts.time(1_700_003_600_000L)) < page.indexOf(texts.time(1_700_003_590_000L)));
        int bytes = page.getBytes(StandardCharsets.UTF_8).length;
        assertTrue(bytes < MOST_BYTES, bytes + " bytes");
    }

    private String page(Figures figures) {
        Map<String, Object> model = new HashMap<>();
        model.put("text", texts);
        model.put("on", true);
        OverviewPage.fill(model, figures, texts);
        return Templates.render("overview", model);
    }
}
