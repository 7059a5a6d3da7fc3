package org.igniterealtime.openfire.plugin.heartbeat.web;

import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import org.igniterealtime.openfire.plugin.heartbeat.HeartbeatPlugin.Asked;
import org.igniterealtime.openfire.plugin.heartbeat.HeartbeatPlugin;
import org.igniterealtime.openfire.plugin.heartbeat.LastActivityService;
import org.igniterealtime.openfire.plugin.heartbeat.UserActivity;
import org.jivesoftware.openfire.XMPPServer;
import org.xmpp.packet.JID;

/**
 * The sessions with one full JID, or of one user, open ones and such that are over: what was done, and why. Pings, and
 * disconnects.
 */
public final class SessionPage extends Page {
    private static final long serialVersionUID = 1L;

    private static final String PING = "ping";

    /** Users who are shown where nobody has the name that was asked for. */
    private static final int MOST_ALIKE = 20;

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
        String jid = normal(visit.parameter("jid"));
        boolean isUser = jid.indexOf('/') < 0;
        model.put("title", texts.of(isUser ? "title-user" : "title-session"));
        model.put("isUser", isUser);
        model.put("jid", jid);
        model.put("owner", isUser ? null : link(jid.substring(0, jid.indexOf('/'))));
        model.put("again", new Address("session").with("jid", jid).toString());
        String why = jid.isEmpty() ? null : HeartbeatPlugin.loaded().why(jid);
        if (isUser) {
            addUser(localUser(jid), model, texts);
        }
        model.put("known", why != null || model.containsKey("seen"));
        if (why == null) {
            return;
        }
        JsonObject all = Json.parse(why);
        String confirmed = visit.parameter("confirm");
        List<Map<String, Object>> open = new ArrayList<>();
        for (JsonElement each : all.getAsJsonArray("open")) {
            JsonObject its = each.getAsJsonObject();
            String full = isUser ? Json.text(its, "jid") : jid;
            Map<String, Object> session = session(its, full, texts);
            session.put("device", full.substring(full.indexOf('/') + 1));
            session.put("details", new Address("session").with("jid", full).toString());
            session.put("confirming", confirmed.equals(session.get("session")));
            open.add(session);
        }
        // Of a user what matters is looked for among the pings of all devices, so these are shown if one asks for them.
        boolean pings = !isUser || !visit.parameter("pings").isEmpty();
        List<Map<String, Object>> decisions = new ArrayList<>();
        int left = 0;
        for (JsonElement each : all.getAsJsonArray("decisions")) {
            Map<String, Object> decision = decision(each.getAsJsonObject(), texts);
            if (pings || !PING.equals(decision.get("kind"))) {
                decisions.add(decision);
            } else {
                left++;
            }
        }
        if (left > 0) {
            model.put("withPings", new Address("session").with("jid", jid).with("pings", "1").toString());
            model.put("withPingsText", texts.of("decisions-with-pings", left));
        }
        Collections.reverse(decisions);
        model.put("open", open);
        model.put("isOpen", !open.isEmpty());
        model.put("decisions", decisions);
        model.put("decided", !decisions.isEmpty());
        // One after the other with the same resource; of a user the devices are told apart.
        model.put("several", !isUser && decisions.stream().map(each -> each.get("session")).distinct().count() > 1);
        model.put("incomplete", !Json.flag(all, "complete"));
    }

    /** As sessions have it: what is typed may be in capitals, or be the name of the user alone. */
    private static String normal(String typed) {
        String domain = XMPPServer.getInstance().getServerInfo().getXMPPDomain();
        try {
            if (typed.isEmpty() || typed.indexOf('/') >= 0) {
                return typed.isEmpty() ? typed : new JID(typed).toString();
            }
            return typed.indexOf('@') < 0
                    ? new JID(typed, domain, null).toString()
                    : new JID(typed).toString();
        } catch (IllegalArgumentException e) {
            return typed; // nobody has it
        }
    }

    /** Empty: of another domain. What is no JID may be a part of a name. */
    private static String localUser(String jid) {
        try {
            JID parsed = new JID(jid);
            boolean isOurs = XMPPServer.getInstance().isLocal(parsed) && parsed.getNode() != null;
            return isOurs ? parsed.getNode() : "";
        } catch (IllegalArgumentException e) {
            return jid;
        }
    }

    /** What is known of a user beyond the sessions; and who is called like that, where nobody is called so. */
    private static void addUser(String user, Map<String, Object> model, Texts texts) {
        LastActivityService service = HeartbeatPlugin.loaded().lastActivityService();
        if (service == null || user.isEmpty()) {
            return;
        }
        UserActivity activity = service.of(user);
        if (activity != null) {
            model.put("seen", texts.time(activity.lastReadMs()));
            if (activity.offlineMs() != 0) {
                model.put("ended", texts.time(activity.offlineMs()));
                model.put("endedWhy", texts.of("end-" + activity.reason()));
            }
            return;
        }
        List<Map<String, Object>> alike = new ArrayList<>();
        for (UserActivity each : service.list(new LastActivityService.Query().containing(user), MOST_ALIKE)) {
            alike.add(link(each.user()));
        }
        model.put("alike", alike);
        model.put("anyAlike", !alike.isEmpty());
    }

    /** To the page of a user. */
    private static Map<String, Object> link(String user) {
        Map<String, Object> link = new HashMap<>();
        link.put("name", user);
        link.put("address", new Address("session").with("jid", user).toString());
        return link;
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
        session.put("available", texts.of(Json.flag(from, "available") ? "yes" : "no"));
        session.put("confirm", new Address("session").with("jid", jid).with("confirm", number).toString());
        return session;
    }

    private static Map<String, Object> decision(JsonObject from, Texts texts) {
        Map<String, Object> decision = new HashMap<>();
        String jid = Json.text(from, "jid");
        if (jid != null) {
            decision.put("device", jid.substring(jid.indexOf('/') + 1));
            decision.put("its", new Address("session").with("jid", jid).toString());
        }
        long ago = Json.number(from, "ago_s", 0);
        decision.put("when", texts.time(System.currentTimeMillis() - TimeUnit.SECONDS.toMillis(ago)));
        decision.put("ago", texts.of("ago", texts.span(ago)));
        String why = Json.text(from, "why");
        decision.put("action", texts.of(Decision.action(from)));
        boolean ping = PING.equals(Json.text(from, "action")) || "spoke".equals(why);
        decision.put("kind", Decision.byItself(from) ? "end" : ping ? PING : "deed");
        decision.put("why", texts.of("why-" + why));
        decision.put("session", Json.text(from, "session"));
        return decision;
    }

    @Override
    String act(Visit visit, String what, Map<String, Object> model) {
        HeartbeatPlugin plugin = HeartbeatPlugin.loaded();
        String jid = normal(visit.parameter("jid"));
        long token = visit.number("session", 1, Long.MAX_VALUE, 0);
        boolean disconnect = "disconnect".equals(what);
        // Who is disconnected is whose session it is, whatever the form calls it: the page and the log shall say the same.
        String its = plugin == null ? null : plugin.jidOf(token);
        boolean isAnother = its != null && !its.equals(jid);
        if (plugin == null || token == 0 || isAnother || (!disconnect && !PING.equals(what))) {
            model.put("error", visit.texts.of("form-unknown"));
            return null;
        }
        Asked asked = its == null ? Asked.OVER : disconnect ? plugin.disconnect(token) : plugin.ping(token);
        if (disconnect && asked == Asked.UNDER_WAY) {
            visit.audit("Heartbeat: disconnected a session", its + ", session " + token);
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
