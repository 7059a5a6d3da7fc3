package org.igniterealtime.openfire.plugin.heartbeat.web;

import com.google.gson.JsonObject;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.igniterealtime.openfire.plugin.heartbeat.HeartbeatPlugin;

/** What an administrator should know before anything else, the worst first. That the plugin is off each page says. */
final class Warnings {
    /** So many seconds without a tick, and Openfire's own idle handling acts. */
    private static final long LONGEST_WITHOUT_TICK = 5;

    private final List<Map<String, Object>> all = new ArrayList<>();

    private Warnings() {}

    /**
     * For the template.
     *
     * @param status what the core tells of its state; null: it is off
     */
    static List<Map<String, Object>> of(HeartbeatPlugin plugin, JsonObject status, Texts texts) {
        Warnings warnings = new Warnings();
        long silent = plugin.secondsWithoutTick();
        if (status != null && silent > LONGEST_WITHOUT_TICK) {
            warnings.add(texts.of("warning-no-tick", texts.span(silent)), null, null, null);
        }
        if (status != null && Json.flag(status, "stopped")) {
            warnings.add(texts.of("warning-stopping"), null, null, null);
        }
        warnings.aboutPolicy(plugin, status, texts);
        warnings.aboutDisk(plugin, status, texts);
        String changed = plugin.libraryChanged();
        if (changed != null) {
            warnings.add(texts.of("warning-library"), changed, null, null);
        }
        return warnings.all;
    }

    private void aboutPolicy(HeartbeatPlugin plugin, JsonObject status, Texts texts) {
        String described = plugin.describePolicy(HeartbeatPlugin.policyText());
        JsonObject policy = described == null ? null : Json.parse(described);
        if (policy != null && policy.has("error")) {
            add(texts.of("property-refused"), null, "settings", texts.of("title-settings"));
        }
        if (status != null && "off".equals(Json.text(status.getAsJsonObject("policy"), "idle"))) {
            add(texts.of("means-never"), null, "settings", texts.of("title-settings"));
        }
    }

    private void aboutDisk(HeartbeatPlugin plugin, JsonObject status, Texts texts) {
        String journal = plugin.journalTrouble();
        if (journal != null) {
            add(texts.of("warning-journal"), journal, null, null);
        }
        String key = status == null ? null : Json.text(status.getAsJsonObject("journal"), "key");
        if (key != null) {
            add(texts.of("warning-key"), key, null, null);
        }
        String plots = plugin.plotsTrouble();
        if (plots != null) {
            add(texts.of("warning-plots"), plots, null, null);
        }
    }

    private void add(String what, String detail, String address, String link) {
        Map<String, Object> warning = new HashMap<>();
        warning.put("what", what);
        warning.put("detail", detail);
        warning.put("address", address);
        warning.put("link", link);
        all.add(warning);
    }
}
