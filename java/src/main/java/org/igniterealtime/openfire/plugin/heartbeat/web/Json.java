package org.igniterealtime.openfire.plugin.heartbeat.web;

import com.google.gson.Gson;
import com.google.gson.GsonBuilder;
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;

/** What the core tells. */
public final class Json {
    private static final Gson GSON = new GsonBuilder().setPrettyPrinting().disableHtmlEscaping().create();

    private Json() {}

    public static JsonObject parse(String json) {
        return GSON.fromJson(json, JsonObject.class);
    }

    static String print(JsonElement json) {
        return GSON.toJson(json);
    }

    /** The text of a member; null if it is absent or null. */
    public static String text(JsonObject object, String key) {
        JsonElement value = object.get(key);
        return value == null || value.isJsonNull() ? null : value.getAsString();
    }

    /** The number of a member; `otherwise` if it is absent or null. */
    public static long number(JsonObject object, String key, long otherwise) {
        JsonElement value = object.get(key);
        return value == null || value.isJsonNull() ? otherwise : value.getAsLong();
    }

    public static boolean flag(JsonObject object, String key) {
        JsonElement value = object.get(key);
        return value != null && !value.isJsonNull() && value.getAsBoolean();
    }
}
