package org.igniterealtime.openfire.plugin.heartbeat.web;

import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import java.util.Map;
import org.igniterealtime.openfire.plugin.heartbeat.HeartbeatPlugin;
import org.jivesoftware.util.JiveGlobals;

/** The policy as a form and as JSON, what it would mean, and who is in charge. */
public final class SettingsPage extends Page {
    private static final long serialVersionUID = 1L;

    private static final int LEAST_ROWS = 4;
    private static final int MOST_ROWS = 16;

    public SettingsPage() {
        super("settings");
    }

    @Override
    void show(Visit visit, Map<String, Object> model) {
        HeartbeatPlugin plugin = HeartbeatPlugin.loaded();
        model.put("title", visit.texts.of("title-settings"));
        String described = plugin.describePolicy(HeartbeatPlugin.policyText());
        model.put("usable", described != null);
        if (described == null) {
            return;
        }
        boolean off = !plugin.isOn();
        model.put("inCharge", !off);
        // The box below says it better.
        model.put("off", false);
        model.put("openfireIdle", Meaning.ofOpenfire(visit.texts));
        PolicyForm saved = PolicyForm.ofText(plugin, HeartbeatPlugin.policyText(), visit.texts);
        PolicyForm shown = (PolicyForm) model.get("form");
        boolean draft = shown != null || visit.raw("preview") != null;
        if (shown == null) {
            shown = draft ? PolicyForm.ofFields(plugin, visit) : saved;
        }
        model.put("keys", shown.keys());
        model.put("meaningTitle", visit.texts.of(draft ? "meaning-draft" : "meaning-saved"));
        model.put("meaning", shown.meaning());
        model.put("refusedText", saved.refusal());
        if ("defaults".equals(visit.parameter("confirm"))) {
            model.put("confirmDefaults", true);
            model.put("defaultsMeaning", PolicyForm.ofText(plugin, null, visit.texts).meaning());
        }
        if (!model.containsKey("json")) {
            model.put("json", draft && shown.text() != null ? shown.text() : orEmpty(HeartbeatPlugin.policyText()));
        }
        int rows = ((String) model.get("json")).split("\n", -1).length + 1;
        model.put("jsonRows", Math.max(LEAST_ROWS, Math.min(MOST_ROWS, rows)));
    }

    @Override
    String act(Visit visit, String what, Map<String, Object> model) {
        HeartbeatPlugin plugin = HeartbeatPlugin.loaded();
        if (plugin == null || plugin.describePolicy(null) == null) {
            return null;
        }
        switch (what) {
            case "save":
                return saveFields(plugin, visit, model);
            case "json":
                return saveJson(plugin, visit, model);
            case "defaults":
                return save(visit, null);
            case "off":
                return turn(visit, false);
            case "on":
                return turn(visit, true);
            default:
                model.put("error", visit.texts.of("form-unknown"));
                return null;
        }
    }

    private static String saveFields(HeartbeatPlugin plugin, Visit visit, Map<String, Object> model) {
        PolicyForm form = PolicyForm.ofFields(plugin, visit);
        if (form.refusal() != null) {
            model.put("form", form);
            model.put("error", visit.texts.of("not-saved"));
            return null;
        }
        return save(visit, form.text());
    }

    private static String saveJson(HeartbeatPlugin plugin, Visit visit, Map<String, Object> model) {
        String sent = visit.raw("json");
        // Forms send the ends of lines as two characters; places are counted in what is kept.
        String json = sent == null ? "" : sent.replace("\r\n", "\n");
        if (json.trim().isEmpty()) {
            return save(visit, null);
        }
        JsonElement error = Json.parse(plugin.describePolicy(json)).get("error");
        if (error == null) {
            return save(visit, json);
        }
        model.put("json", json);
        model.put("jsonError", JsonError.of(error.getAsJsonObject(), json, visit.texts));
        model.put("error", visit.texts.of("not-saved"));
        return null;
    }

    /** @param text null: all of it follows from Openfire's settings */
    private static String save(Visit visit, String text) {
        String before = HeartbeatPlugin.policyText();
        if (text == null) {
            JiveGlobals.deleteProperty(HeartbeatPlugin.POLICY);
        } else {
            JiveGlobals.setProperty(HeartbeatPlugin.POLICY, text);
        }
        visit.audit(
                "Heartbeat: changed the policy",
                HeartbeatPlugin.POLICY + " is " + orNothing(text) + ", was " + orNothing(before));
        visit.say(visit.texts.of("saved"));
        return "settings";
    }

    private static String turn(Visit visit, boolean on) {
        JiveGlobals.setProperty(HeartbeatPlugin.ENABLED, Boolean.toString(on));
        visit.audit(
                on ? "Heartbeat: switched on" : "Heartbeat: switched off",
                HeartbeatPlugin.ENABLED + " is " + on);
        visit.say(visit.texts.of(on ? "taken-over" : "handed-back"));
        return "settings";
    }

    private static String orNothing(String text) {
        return text == null ? "not set" : text;
    }

    private static String orEmpty(String text) {
        return text == null ? "" : text;
    }

    /** Where a text is wrong, for the template. */
    static final class JsonError {
        final String where;
        final String what;

        /** The line with a mark below the column; null where there is no place. */
        final String line;

        private JsonError(String where, String what, String line) {
            this.where = where;
            this.what = what;
            this.line = line;
        }

        static JsonError of(JsonObject error, String json, Texts texts) {
            int line = error.get("line").getAsInt();
            int column = error.get("column").getAsInt();
            String key = error.get("key").getAsString();
            String text = error.get("text").getAsString();
            String what = key.isEmpty() ? text : key + ": " + text;
            if (line == 0) {
                return new JsonError("", what, null);
            }
            String[] lines = json.split("\n", -1);
            String shown = line <= lines.length ? lines[line - 1] : "";
            StringBuilder mark = new StringBuilder();
            for (int i = 1; i < column; i++) {
                mark.append(' ');
            }
            return new JsonError(texts.of("json-place", line, column), what, shown + "\n" + mark + "^");
        }
    }
}
