package org.igniterealtime.openfire.heartbeat.micro;

import com.google.gson.JsonNull;
import com.google.gson.JsonObject;
import java.util.Locale;

/**
 * One row: what ours costs, what the peer costs, and how much of the peer's cost ours may be. The ratio is ours / peer, of
 * the medians; a row without a bar is told for what it is worth.
 */
final class Result {
    static final String HEADER = String.format(
            Locale.ROOT, "%-78s %22s %22s  %-7s %8s %7s  %s", "row", "ours (min)", "peer (min)", "unit", "ratio", "bar", "holds");

    private final JsonObject json;

    private Result(JsonObject json) {
        this.json = json;
    }

    static Result of(String name, String unit, Stats ours, Stats peer, Double bar) {
        JsonObject json = new JsonObject();
        double ratio = ours.median() / peer.median();
        json.addProperty("name", name);
        json.addProperty("ours", ours.median());
        json.addProperty("ours_min", ours.min());
        json.addProperty("ours_max", ours.max());
        json.addProperty("peer", peer.median());
        json.addProperty("peer_min", peer.min());
        json.addProperty("peer_max", peer.max());
        json.addProperty("unit", unit);
        json.addProperty("ratio", ratio);
        json.add("bar", JsonNull.INSTANCE);
        json.add("holds", JsonNull.INSTANCE);
        if (bar != null) {
            json.addProperty("bar", bar);
            json.addProperty("holds", ratio <= bar);
        }
        return new Result(json);
    }

    static Result parse(JsonObject json) {
        return new Result(json);
    }

    JsonObject json() {
        return json;
    }

    String name() {
        return json.get("name").getAsString();
    }

    boolean fails() {
        return !json.get("holds").isJsonNull() && !json.get("holds").getAsBoolean();
    }

    /** Whether all figures that it has are such. */
    boolean isWhole() {
        for (String key : new String[] {"ours", "ours_min", "peer", "peer_min", "ratio"}) {
            double value = json.get(key).getAsDouble();
            if (!(value > 0) || Double.isInfinite(value)) {
                return false;
            }
        }
        return true;
    }

    String line() {
        boolean barred = !json.get("bar").isJsonNull();
        return String.format(
                Locale.ROOT,
                "%-78s %22s %22s  %-7s %8s %7s  %s",
                name(), both("ours"), both("peer"), json.get("unit").getAsString(), figure("ratio"),
                barred ? figure("bar") : "-", barred ? (fails() ? "NO" : "yes") : "-");
    }

    private String both(String key) {
        return figure(key) + " (" + figure(key + "_min") + ")";
    }

    private String figure(String key) {
        double value = json.get(key).getAsDouble();
        int digits = value >= 100 ? 0 : value >= 10 ? 1 : value >= 0.1 ? 2 : value >= 0.01 ? 3 : 5;
        return String.format(Locale.ROOT, "%." + digits + "f", value);
    }
}
