package org.igniterealtime.openfire.plugin.heartbeat.web;

import com.google.gson.Gson;
import com.google.gson.GsonBuilder;
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;

/** What the core tells. */
final class Json {
    private static final Gson GSON = new GsonBuilder().setPrettyPrinting().disableHtmlEscaping().create();

    private Json() {}

    static JsonObject parse(String json) {
        return GSON.fromJson(json, JsonObject.class);
    }

    static String print(JsonElement json) {
        return GSON.toJson(json);
    }

    /** The text of a member; null if it is absent or null. */
    static String text(JsonObject object, String key) {
        JsonElement value = object.get(key);
        return value == null || value.isJsonNull() ? null : value.getAsString();
    }

    /** The number of a member; `otherwise` if it is absent or null. */
    static long number(JsonObject object, String key, long otherwise) {
        JsonElement value = object.get(key);
        return value == null || value.isJsonNull() ? otherwise : value.getAsLong();
    }

    static boolean flag(JsonObject object, String key) {
        JsonElement value = object.get(key);
        return value != null && !value.isJsonNull() && value.getAsBoolean();
    }
}
