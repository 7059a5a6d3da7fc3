package org.igniterealtime.openfire.heartbeat.demo;

import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import java.util.stream.StreamSupport;
import org.igniterealtime.openfire.heartbeat.harness.OpenfireServer;

/** What the plugin says at one moment: its sessions and its latest decisions, by the user they are about. */
record PluginView(Map<String, Session> sessions, List<Decision> decisions) {
    /** A session of a user; the round trip is null until a ping was answered. */
    record Session(String state, long silentSeconds, Double roundTripMillis) {}

    /** What was done about a user's session, and why: the reason's name and its meaning. */
    record Decision(long number, String user, String action, String why, String meaning) {}

    /** When a user was last heard of, and why the last session ended. */
    record Activity(long seenMillis, long agoMillis, boolean online, String why, String status) {}

    static PluginView of(OpenfireServer server) {
        JsonObject status = server.status(true);
        Map<String, Session> sessions = new HashMap<>();
        for (JsonElement each : status.getAsJsonArray("list")) {
            JsonObject session = each.getAsJsonObject();
            if (session.get("jid") == null) {
                continue; // Nobody has logged in yet.
            }
            JsonElement roundTrip = session.get("rtt_us");
            sessions.put(
                    userOf(session),
                    new Session(
                            session.get("state").getAsString(),
                            session.get("silent_s").getAsLong(),
                            roundTrip.isJsonNull() ? null : roundTrip.getAsDouble() / 1000));
        }
        List<Decision> decisions = new ArrayList<>();
        for (JsonElement each : status.getAsJsonArray("decisions")) {
            JsonObject decision = each.getAsJsonObject();
            decisions.add(new Decision(
                    decision.get("number").getAsLong(),
                    userOf(decision),
                    decision.get("action").getAsString(),
                    decision.get("why").getAsString(),
                    decision.get("meaning").getAsString()));
        }
        return new PluginView(sessions, decisions);
    }

    /** null: the plugin knows nothing of this user. */
    static Activity activity(OpenfireServer server, String user) {
        return server.lastActivity(user)
                .map(activity -> new Activity(
                        activity.get("seen_ms").getAsLong(),
                        activity.get("ago_ms").getAsLong(),
                        activity.get("online").getAsBoolean(),
                        activity.get("why").getAsString(),
                        activity.has("status") ? activity.get("status").getAsString() : null))
                .orElse(null);
    }

    /** Why it did what it did to a session: the reasons of the last two decisions; null: it knows nothing of it. */
    static String why(OpenfireServer server, String jid) {
        return server.why(jid)
                .map(known -> known.getAsJsonArray("decisions"))
                .map(all -> StreamSupport.stream(all.spliterator(), false)
                        .skip(Math.max(0, all.size() - 2))
                        .map(JsonElement::getAsJsonObject)
                        .map(each -> each.get("why").getAsString())
                        .collect(Collectors.joining(", ")))
                .orElse(null);
    }

    private static String userOf(JsonObject about) {
        return about.get("jid").getAsString().split("@", 2)[0];
    }
}
