package org.igniterealtime.openfire.plugin.heartbeat.web;

import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonPrimitive;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.regex.Pattern;
import org.igniterealtime.openfire.plugin.heartbeat.HeartbeatPlugin;

/**
 * The keys of the policy as fields. Which there are, and what may stand in them, the core says; what one finds in the
 * fields is put together as JSON and given to the core to judge.
 */
final class PolicyForm {
    private static final Pattern NUMBER = Pattern.compile("[0-9]{1,9}");
    private static final Pattern DURATION = Pattern.compile("[0-9]+[smhd]");
    private static final String[] UNITS = {"s", "m", "h", "d"};
    private static final String OFF = "off";
    private static final String UNIT = "-unit";

    private final Texts texts;
    private final String text;
    private final JsonObject described;

    /** What is wrong in the fields before the core is asked, by key. */
    private final Map<String, String> wrong;

    /** What was sent, by field; null: the form shows the policy of the text. */
    private final Map<String, String> sent;

    private PolicyForm(
            Texts texts, String text, JsonObject described, Map<String, String> wrong, Map<String, String> sent) {
        this.texts = texts;
        this.text = text;
        this.described = described;
        this.wrong = wrong;
        this.sent = sent;
    }

    /** @param text the policy as JSON, or null */
    static PolicyForm ofText(HeartbeatPlugin plugin, String text, Texts texts) {
        JsonObject described = Json.parse(plugin.describePolicy(text));
        return new PolicyForm(texts, text, described, Collections.emptyMap(), null);
    }

    static PolicyForm ofFields(HeartbeatPlugin plugin, Visit visit) {
        Map<String, String> sent = new HashMap<>();
        Map<String, String> wrong = new HashMap<>();
        JsonObject policy = new JsonObject();
        for (JsonElement element : Json.parse(plugin.describePolicy(null)).getAsJsonArray("keys")) {
            JsonObject key = element.getAsJsonObject();
            String name = key.get("key").getAsString();
            String value = visit.parameter(name);
            sent.put(name, value);
            sent.put(name + UNIT, visit.parameter(name + UNIT));
            JsonElement json = read(key.get("kind").getAsString(), value, sent.get(name + UNIT));
            if (json != null) {
                policy.add(name, json);
            } else if (!value.isEmpty()) {
                wrong.put(name, visit.texts.of("unit-missing"));
            }
        }
        String text = policy.size() == 0 ? null : Json.print(policy);
        return new PolicyForm(visit.texts, text, Json.parse(plugin.describePolicy(text)), wrong, sent);
    }

    /** What a field says as JSON; null: the key is not to be named. What makes no sense is left for the core to refuse. */
    private static JsonElement read(String kind, String value, String unit) {
        switch (kind) {
            case "duration":
                if (unit.isEmpty()) {
                    return null;
                }
                return new JsonPrimitive(OFF.equals(unit) ? OFF : value + unit);
            case "number":
                if (value.isEmpty()) {
                    return null;
                }
                return NUMBER.matcher(value).matches()
                        ? new JsonPrimitive(Long.valueOf(value))
                        : new JsonPrimitive(value);
            case "switch":
                return value.isEmpty() ? null : new JsonPrimitive(Boolean.valueOf(value));
            default:
                return value.isEmpty() ? null : new JsonPrimitive(value);
        }
    }

    /** The policy as JSON; null: no key is named. */
    String text() {
        return text;
    }

    /** Why this can not be the policy, or null if it can. */
    String refusal() {
        if (!wrong.isEmpty()) {
            return wrong.values().iterator().next();
        }
        JsonElement error = described.get("error");
        if (error == null) {
            return null;
        }
        JsonObject what = error.getAsJsonObject();
        return texts.of("json-place", what.get("line").getAsInt(), what.get("column").getAsInt()) + " "
                + what.get("key").getAsString() + ": " + what.get("text").getAsString();
    }

    /** What it would mean, in sentences; none if it is refused. */
    List<String> meaning() {
        if (refusal() != null) {
            return Collections.singletonList(texts.of("means-nothing"));
        }
        return Meaning.of(described, texts);
    }

    /** The fields for the template. */
    List<Map<String, Object>> keys() {
        List<Map<String, Object>> all = new ArrayList<>();
        for (JsonElement element : described.getAsJsonArray("keys")) {
            all.add(field(element.getAsJsonObject()));
        }
        return all;
    }

    private Map<String, Object> field(JsonObject key) {
        String name = key.get("key").getAsString();
        String kind = key.get("kind").getAsString();
        Map<String, Object> field = new HashMap<>();
        field.put("key", name);
        field.put("label", texts.has("key-" + name) ? texts.of("key-" + name) : name);
        field.put("help", texts.has("help-" + name) ? texts.of("help-" + name) : "");
        field.put("default", shown(key.get("default").getAsString()));
        field.put("wrong", wrongIn(name));
        field.put("range", "");
        switch (kind) {
            case "duration":
                field.put("isDuration", true);
                addDuration(field, key, name);
                break;
            case "number":
                field.put("isNumber", true);
                field.put("min", key.get("min").getAsString());
                field.put("max", key.get("max").getAsString());
                field.put("range", texts.of("range-number", key.get("min").getAsLong(), key.get("max").getAsLong()));
                field.put("number", sent != null ? sent.get(name) : named(key));
                break;
            default:
                field.put("isChoice", true);
                field.put("options", choices(key, name, sent != null ? sent.get(name) : named(key)));
                break;
        }
        return field;
    }

    private String wrongIn(String name) {
        if (wrong.containsKey(name)) {
            return wrong.get(name);
        }
        JsonElement error = described.get("error");
        return sent != null && error != null && error.getAsJsonObject().get("key").getAsString().equals(name)
                ? error.getAsJsonObject().get("text").getAsString()
                : null;
    }

    /** The value as the policy's text names it; empty if it does not. */
    private static String named(JsonObject key) {
        return Json.flag(key, "named") && key.has("value") ? key.get("value").getAsString() : "";
    }

    private void addDuration(Map<String, Object> field, JsonObject key, String name) {
        String value = named(key);
        String number = "";
        String unit = value;
        if (DURATION.matcher(value).matches()) {
            number = value.substring(0, value.length() - 1);
            unit = value.substring(value.length() - 1);
        }
        if (sent != null) {
            number = sent.get(name);
            unit = sent.get(name + UNIT);
        }
        boolean off = Json.flag(key, OFF);
        field.put("number", number);
        field.put("unitLabel", texts.of("unit-of", field.get("label")));
        List<Map<String, Object>> options = new ArrayList<>();
        options.add(option("", texts.of("as-default", field.get("default")), unit));
        for (String each : UNITS) {
            options.add(option(each, texts.of("unit-" + each), unit));
        }
        if (off) {
            options.add(option(OFF, texts.of("off"), unit));
        }
        field.put("options", options);
        field.put(
                "range",
                texts.of(
                        off ? "range-duration-off" : "range-duration",
                        texts.span(key.get("min").getAsLong()),
                        texts.span(key.get("max").getAsLong())));
    }

    private List<Map<String, Object>> choices(JsonObject key, String name, String chosen) {
        List<Map<String, Object>> options = new ArrayList<>();
        options.add(option("", texts.of("as-default", titleOf(key, name)), chosen));
        if (key.has("words")) {
            for (JsonElement word : key.getAsJsonArray("words")) {
                String text = name + "-" + word.getAsString();
                String title = texts.has(text) ? texts.of(text) : word.getAsString();
                options.add(option(word.getAsString(), title, chosen));
            }
        } else {
            options.add(option("true", texts.of("yes"), chosen));
            options.add(option("false", texts.of("no"), chosen));
        }
        return options;
    }

    private String titleOf(JsonObject key, String name) {
        String value = key.get("default").getAsString();
        return texts.has(name + "-" + value) ? texts.of(name + "-" + value) : shown(value);
    }

    private static Map<String, Object> option(String value, String name, String chosen) {
        Map<String, Object> option = new HashMap<>();
        option.put("value", value);
        option.put("name", name);
        option.put("selected", value.equals(chosen));
        return option;
    }

    /** A value as the policy writes it, in words. */
    private String shown(String value) {
        if (OFF.equals(value)) {
            return texts.of("off");
        }
        if ("true".equals(value) || "false".equals(value)) {
            return texts.of("true".equals(value) ? "yes" : "no");
        }
        if (!DURATION.matcher(value).matches()) {
            return value;
        }
        long number = Long.parseLong(value.substring(0, value.length() - 1));
        TimeUnit[] units = {TimeUnit.SECONDS, TimeUnit.MINUTES, TimeUnit.HOURS, TimeUnit.DAYS};
        return texts.span(units["smhd".indexOf(value.charAt(value.length() - 1))].toSeconds(number));
    }
}
