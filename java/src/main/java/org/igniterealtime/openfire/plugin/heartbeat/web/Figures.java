package org.igniterealtime.openfire.plugin.heartbeat.web;

import com.google.gson.JsonArray;
import com.google.gson.JsonElement;
import com.google.gson.JsonNull;
import com.google.gson.JsonObject;
import com.google.gson.JsonPrimitive;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.function.ToDoubleFunction;
import org.igniterealtime.openfire.plugin.heartbeat.Span;

/**
 * The figures of a span, cut into plots: one value per step of the whole span for each line, where something is known.
 * Rates are per minute, so that they mean the same in each span, and in a step that is not over yet.
 */
final class Figures {
    private static final double SECONDS_OF_MINUTE = 60;
    private static final double US_OF_MS = 1000;
    private static final double MS_OF_SECOND = 1000;

    /** Reasons that always have a line, so that colours stay; others, should there be any, come behind. */
    private static final List<String> REASONS = Arrays.asList("no-answer", "silent", "not-logged-in", "admin");

    /** One line. */
    static final class Line {
        final String key;
        final String name;

        /** By step; NaN where nothing is known. */
        final double[] values;

        Line(String key, String name, double[] values) {
            this.key = key;
            this.name = name;
            this.values = values;
        }
    }

    /** Lines over one scale. */
    static final class Plot {
        final String id;
        final String title;

        /** Of values that add up, over one another. */
        final boolean bars;

        /** Of things that are counted: there is no half of one on the scale. */
        final boolean whole;

        /** What is said where there is nothing to be seen. */
        final String none;

        final List<Line> lines;

        Plot(String id, String title, boolean bars, boolean whole, String none, List<Line> lines) {
            this.id = id;
            this.title = title;
            this.bars = bars;
            this.whole = whole;
            this.none = none;
            this.lines = lines;
        }
    }

    /** Seconds of a step. */
    final int stepS;

    /** Begin of the first step, seconds since 1970 UTC. */
    final long fromS;

    /** Steps. */
    final int count;

    /** When the figures were taken. */
    final long nowMs;

    final List<Plot> plots = new ArrayList<>();

    /** By step, as the core tells it; null where nothing is known. */
    private final JsonObject[] points;

    private Figures(JsonObject series, Span span) {
        stepS = (int) Json.number(series, "step_s", 1);
        nowMs = Json.number(series, "now_ms", 0);
        count = span.seconds() / stepS;
        fromS = (long) (nowMs / MS_OF_SECOND) / stepS * stepS - (long) (count - 1) * stepS;
        points = new JsonObject[count];
        for (JsonElement each : series.getAsJsonArray("points")) {
            JsonObject point = each.getAsJsonObject();
            long step = ((long) (Json.number(point, "at_ms", 0) / MS_OF_SECOND) - fromS) / stepS;
            if (step >= 0 && step < count) {
                points[(int) step] = point;
            }
        }
    }

    /** @param json what the core tells of the span (docs/metrics.md) */
    static Figures of(String json, Span span, Texts texts) {
        Figures figures = new Figures(Json.parse(json), span);
        figures.addSessions(texts);
        figures.addPings(texts);
        figures.addRoundTrips(texts);
        figures.addDisconnects(texts);
        return figures;
    }

    private void addSessions(Texts texts) {
        plots.add(new Plot(
                "sessions",
                texts.of("plot-sessions"),
                false,
                true,
                texts.of("plot-none-known"),
                Arrays.asList(
                        sessions("alive", texts, "alive"),
                        sessions("pinged", texts, "pinging", "pinged"),
                        sessions("detached", texts, "detached"),
                        sessions("connected", texts, "connected"),
                        sessions("closing", texts, "closing", "closed"))));
    }

    private Line sessions(String key, Texts texts, String... states) {
        return line(key, texts.of("state-" + key), point -> {
            JsonObject sessions = point.getAsJsonObject("sessions");
            double sum = 0;
            for (String state : states) {
                sum += sessions.get(state).getAsDouble();
            }
            return sum;
        });
    }

    private void addPings(Texts texts) {
        plots.add(new Plot(
                "pings",
                texts.of("plot-pings"),
                false,
                false,
                texts.of("plot-none-known"),
                Arrays.asList(
                        perMinute("pings", texts.of("plot-pings-sent")),
                        perMinute("pongs", texts.of("plot-pings-answered")))));
    }

    private Line perMinute(String key, String name) {
        return line(
                key,
                name,
                point -> Json.number(point, key, 0) * SECONDS_OF_MINUTE / Math.max(1, Json.number(point, "ticks", 1)));
    }

    private void addRoundTrips(Texts texts) {
        plots.add(new Plot(
                "rtt",
                texts.of("plot-rtt"),
                false,
                false,
                texts.of("plot-none-answered"),
                Arrays.asList(
                        percentile("p50", texts.of("plot-rtt-half")),
                        percentile("p90", texts.of("plot-rtt-most", 90)),
                        percentile("p99", texts.of("plot-rtt-most", 99)))));
    }

    private Line percentile(String key, String name) {
        return line(key, name, point -> {
            JsonElement trips = point.get("rtt_us");
            return trips == null || trips.isJsonNull()
                    ? Double.NaN
                    : trips.getAsJsonObject().get(key).getAsDouble() / US_OF_MS;
        });
    }

    private void addDisconnects(Texts texts) {
        List<String> reasons = new ArrayList<>(REASONS);
        for (JsonObject point : points) {
            if (point != null) {
                point.getAsJsonObject("disconnects").keySet().stream()
                        .filter(reason -> !reasons.contains(reason))
                        .forEach(reasons::add);
            }
        }
        List<Line> lines = new ArrayList<>();
        for (String reason : reasons) {
            String name = texts.has("end-" + reason) ? texts.of("end-" + reason) : reason;
            lines.add(line(reason, name, point -> Json.number(point.getAsJsonObject("disconnects"), reason, 0)));
        }
        plots.add(new Plot(
                "disconnects",
                texts.of("plot-disconnects", texts.span(stepS)),
                true,
                true,
                texts.of("plot-none-disconnected"),
                lines));
    }

    private Line line(String key, String name, ToDoubleFunction<JsonObject> value) {
        double[] values = new double[count];
        for (int i = 0; i < count; i++) {
            values[i] = points[i] == null ? Double.NaN : value.applyAsDouble(points[i]);
        }
        return new Line(key, name, values);
    }

    /** Whether anything is known of a step. */
    boolean isKnown(int step) {
        return points[step] != null;
    }

    /** Begin of a step, seconds since 1970 UTC. */
    long atS(int step) {
        return fromS + (long) step * stepS;
    }

    /** For the script that draws them. */
    JsonObject json() {
        JsonObject json = new JsonObject();
        json.addProperty("step_s", stepS);
        json.addProperty("from_s", fromS);
        json.addProperty("count", count);
        JsonArray all = new JsonArray();
        for (Plot plot : plots) {
            JsonObject one = new JsonObject();
            one.addProperty("id", plot.id);
            one.addProperty("title", plot.title);
            one.addProperty("bars", plot.bars);
            one.addProperty("whole", plot.whole);
            one.addProperty("none", plot.none);
            JsonArray lines = new JsonArray();
            for (Line line : plot.lines) {
                JsonObject drawn = new JsonObject();
                drawn.addProperty("key", line.key);
                drawn.addProperty("name", line.name);
                drawn.add("values", values(line.values));
                lines.add(drawn);
            }
            one.add("lines", lines);
            all.add(one);
        }
        json.add("plots", all);
        return json;
    }

    private static JsonArray values(double[] values) {
        JsonArray json = new JsonArray();
        for (double value : values) {
            json.add(Double.isNaN(value) ? JsonNull.INSTANCE : new JsonPrimitive(Math.round(value * 100) / 100.0));
        }
        return json;
    }
}
