package org.igniterealtime.openfire.plugin.heartbeat.web;

import com.google.gson.JsonObject;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.igniterealtime.openfire.plugin.heartbeat.HeartbeatPlugin;
import org.igniterealtime.openfire.plugin.heartbeat.Span;

/**
 * Warnings, who is about to be disconnected, plots, and what is kept where. A script draws the plots ({@code plots.js}, from
 * {@link OverviewData}); without one there is a table of the same figures.
 */
public final class OverviewPage extends Page {
    private static final long serialVersionUID = 1L;

    private static final double BYTES_OF_KB = 1_000;
    private static final double BYTES_OF_MB = 1_000_000;

    public OverviewPage() {
        super("overview");
    }

    @Override
    void show(Visit visit, Map<String, Object> model) {
        HeartbeatPlugin plugin = HeartbeatPlugin.loaded();
        Texts texts = visit.texts;
        String told = plugin.status(false);
        JsonObject status = told == null ? null : Json.parse(told);
        Span span = Span.of(visit.parameter("span"));
        String series = plugin.series(span);
        model.put("title", texts.of("title-overview"));
        model.put("charts", true);
        model.put("chartVersion", ChartFiles.VERSION);
        List<Map<String, Object>> warnings = Warnings.of(plugin, status, texts);
        model.put("warnings", warnings);
        model.put("usable", plugin.version() != null);
        if (plugin.version() != null) {
            model.put("state", state(plugin, status, texts));
        }
        if (status == null || series == null) {
            return;
        }
        model.put("on", true);
        model.put("calm", warnings.isEmpty());
        // The first sentence is what matters; the page of settings has the others.
        model.put("meaning", PolicyForm.ofText(plugin, HeartbeatPlugin.policyText(), texts).meaning().get(0));
        JsonObject sessions = status.getAsJsonObject("sessions");
        long pinged = Json.number(sessions, "pinging", 0) + Json.number(sessions, "pinged", 0);
        model.put("sessions", texts.of("overview-sessions", Json.number(sessions, "total", 0)));
        model.put("ending", texts.of("overview-ending", pinged));
        model.put("span", span.text());
        model.put("spans", spans(span, texts));
        fill(model, Figures.of(series, span, texts), texts);
    }

    private static List<Map<String, Object>> spans(Span shown, Texts texts) {
        List<Map<String, Object>> spans = new ArrayList<>();
        for (Span span : Span.values()) {
            Map<String, Object> one = new HashMap<>();
            one.put("name", texts.of("last-" + span.text()));
            one.put("address", new Address("overview").with("span", span.text()).toString());
            one.put("shown", span == shown);
            spans.add(one);
        }
        return spans;
    }

    /** The plots' places, and the table: what is known, the latest first. */
    static void fill(Map<String, Object> model, Figures figures, Texts texts) {
        List<Map<String, Object>> plots = new ArrayList<>();
        List<String> columns = new ArrayList<>();
        for (Figures.Plot plot : figures.plots) {
            Map<String, Object> place = new HashMap<>();
            place.put("id", plot.id);
            place.put("heading", plot.title);
            place.put("columns", plot.lines.size());
            plots.add(place);
            plot.lines.forEach(line -> columns.add(line.name));
        }
        List<Map<String, Object>> rows = new ArrayList<>();
        for (int step = figures.count - 1; step >= 0; step--) {
            if (figures.isKnown(step)) {
                rows.add(row(figures, step, texts));
            }
        }
        model.put("plots", plots);
        model.put("columns", columns);
        model.put("rows", rows);
        model.put("asOf", texts.of("figures-as-of", texts.time(figures.nowMs), texts.span(figures.stepS)));
    }

    private static Map<String, Object> row(Figures figures, int step, Texts texts) {
        List<String> cells = new ArrayList<>();
        for (Figures.Plot plot : figures.plots) {
            for (Figures.Line line : plot.lines) {
                double value = line.values[step];
                cells.add(Double.isNaN(value) ? "" : texts.decimal(value));
            }
        }
        Map<String, Object> row = new HashMap<>();
        row.put("at", texts.time(figures.atS(step) * 1000));
        row.put("cells", cells);
        return row;
    }

    private static List<Map<String, Object>> state(HeartbeatPlugin plugin, JsonObject status, Texts texts) {
        List<Map<String, Object>> state = new ArrayList<>();
        add(state, texts.of("library"), texts.of("library-is", plugin.version(), plugin.platform()));
        add(state, texts.of("library-file"), plugin.libraryFile());
        add(state, "SHA-256", plugin.librarySha256());
        if (status == null) {
            return state;
        }
        add(state, texts.of("journal"), JournalState.of(plugin, texts));
        add(state, texts.of("journal-folder"), plugin.folder());
        JsonObject kept = status.getAsJsonObject("journal");
        long flushedMs = Json.number(kept, "flushed_ms", 0);
        double kilobytes = Json.number(kept, "bytes", 0) / BYTES_OF_KB;
        add(state, texts.of("journal-size"), texts.of("journal-kb", Json.number(kept, "entries", 0), texts.decimal(kilobytes)));
        add(state, texts.of("journal-flushed"), flushedMs == 0 ? texts.of("journal-never") : texts.time(flushedMs));
        add(state, texts.of("journal-users"), texts.number(Json.number(status, "users", 0)));
        double megabytes = Json.number(status, "memory_bytes", 0) / BYTES_OF_MB;
        add(state, texts.of("memory"), texts.of("memory-mb", texts.decimal(megabytes)));
        JsonObject counts = status.getAsJsonObject("counts");
        long stalls = Json.number(counts, "stalls", 0);
        String slept = texts.span(Json.number(counts, "slept_s", 0));
        add(state, texts.of("stalls"), stalls == 0 ? texts.of("stalls-none") : texts.of("stalls-some", stalls, slept));
        return state;
    }

    private static void add(List<Map<String, Object>> state, String name, String value) {
        Map<String, Object> row = new HashMap<>();
        row.put("name", name);
        row.put("value", value);
        state.add(row);
    }
}
