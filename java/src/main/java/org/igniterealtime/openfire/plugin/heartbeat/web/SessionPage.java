package org.igniterealtime.openfire.plugin.heartbeat.web;

import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import org.igniterealtime.openfire.plugin.heartbeat.HeartbeatPlugin;
import org.igniterealtime.openfire.plugin.heartbeat.HeartbeatPlugin.Asked;

/** The sessions with one full JID, open ones and such that are over: what was done, and why. Pings, and disconnects. */
public final class SessionPage extends Page {
    private static final long serialVersionUID = 1L;

    public SessionPage() {
        super("session");
    }

    /** The menu knows the list. */
    @Override
    String menuId() {
        return "heartbeat-sessions";
    }

    @Override
    void show(Visit visit, Map<String, Object> model) {
        Texts texts = visit.texts;
        String jid = visit.parameter("jid");
        model.put("title", texts.of("title-session"));
        model.put("jid", jid);
        model.put("again", new Address("session").with("jid", jid).toString());
        String why = jid.isEmpty() ? null : HeartbeatPlugin.loaded().why(jid);
        model.put("known", why != null);
        if (why == null) {
            return;
        }
        JsonObject all = Json.parse(why);
        String confirmed = visit.parameter("confirm");
        List<Map<String, Object>> open = new ArrayList<>();
        for (JsonElement each : all.getAsJsonArray("open")) {
            Map<String, Object> session = session(each.getAsJsonObject(), jid, texts);
            session.put("confirming", confirmed.equals(session.get("session")));
            open.add(session);
        }
        List<Map<String, Object>> decisions = new ArrayList<>();
        for (JsonElement each : all.getAsJsonArray("decisions")) {
            decisions.add(decision(each.getAsJsonObject(), texts));
        }
        Collections.reverse(decisions);
        model.put("open", open);
        model.put("isOpen", !open.isEmpty());
        model.put("decisions", decisions);
        model.put("decided", !decisions.isEmpty());
        model.put("incomplete", !Json.flag(all, "complete"));
    }

    private static Map<String, Object> session(JsonObject from, String jid, Texts texts) {
        Map<String, Object> session = new HashMap<>();
        String number = Json.text(from, "session");
        long rtt = Json.number(from, "rtt_us", -1);
        session.put("session", number);
        session.put("state", Json.text(from, "state"));
        session.put("stateName", texts.of("state-" + Json.text(from, "state")));
        session.put("transport", Json.text(from, "transport"));
        session.put("silent", texts.span(Json.number(from, "silent_s", 0)));
        session.put("pings", Json.number(from, "pings", 0));
        session.put("rtt", rtt < 0 ? texts.of("none-yet") : texts.roundTrip(rtt));
        session.put("seen", texts.of(Json.flag(from, "available") ? "yes" : "no"));
        session.put("confirm", new Address("session").with("jid", jid).with("confirm", number).toString());
        return session;
    }

    private static Map<String, Object> decision(JsonObject from, Texts texts) {
        Map<String, Object> decision = new HashMap<>();
        long ago = Json.number(from, "ago_s", 0);
        decision.put("when", texts.time(System.currentTimeMillis() - TimeUnit.SECONDS.toMillis(ago)));
        decision.put("ago", texts.of("ago", texts.span(ago)));
        decision.put("action", texts.of("action-" + Json.text(from, "action")));
        decision.put("why", texts.of("why-" + Json.text(from, "why")));
        decision.put("session", Json.text(from, "session"));
        return decision;
    }

    @Override
    String act(Visit visit, String what, Map<String, Object> model) {
        HeartbeatPlugin plugin = HeartbeatPlugin.loaded();
        String jid = visit.parameter("jid");
        long token = visit.number("session", 1, Long.MAX_VALUE, 0);
        boolean disconnect = "disconnect".equals(what);
        if (plugin == null || token == 0 || (!disconnect && !"ping".equals(what))) {
            model.put("error", visit.texts.of("form-unknown"));
            return null;
        }
        Asked asked = disconnect ? plugin.disconnect(token) : plugin.ping(token);
        if (disconnect && asked == Asked.UNDER_WAY) {
            visit.audit("Heartbeat: disconnected a session", jid + ", session " + token);
        }
        switch (asked) {
            case UNDER_WAY:
                visit.say(visit.texts.of(disconnect ? "disconnecting" : "pinging"));
                break;
            case NOTHING_TO_DO:
                visit.say(visit.texts.of("nothing-to-do"));
                break;
            default:
                visit.say(visit.texts.of("session-over"));
                break;
        }
        return new Address("session").with("jid", jid).toString();
    }
}
