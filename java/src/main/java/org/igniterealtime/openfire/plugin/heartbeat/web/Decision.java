package org.igniterealtime.openfire.plugin.heartbeat.web;

import com.google.gson.JsonObject;

/** A decision about a session, as the core tells it. */
public final class Decision {
    private Decision() {}

    /** Whether the session ended, was detached or was resumed without us. */
    static boolean byItself(JsonObject decision) {
        return "nothing".equals(Json.text(decision, "action")) && !"spoke".equals(Json.text(decision, "why"));
    }

    /** The key of the text that says what was done. */
    public static String action(JsonObject decision) {
        return byItself(decision) ? "action-by-itself" : "action-" + Json.text(decision, "action");
    }
}
