package org.igniterealtime.openfire.plugin.heartbeat.commands;

import com.google.gson.JsonArray;
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import org.igniterealtime.openfire.plugin.heartbeat.HeartbeatPlugin;
import org.igniterealtime.openfire.plugin.heartbeat.LastActivityService;
import org.igniterealtime.openfire.plugin.heartbeat.UserActivity;
import org.igniterealtime.openfire.plugin.heartbeat.web.Decision;
import org.igniterealtime.openfire.plugin.heartbeat.web.Json;
import org.igniterealtime.openfire.plugin.heartbeat.web.Texts;
import org.jivesoftware.openfire.commands.SessionData;
import org.xmpp.forms.DataForm;
import org.xmpp.forms.FormField;
import org.xmpp.packet.JID;

/** Why the sessions of a user, or one of them, were pinged, closed or cut, and how the last one ended. */
final class WhyCommand extends Command {
    /** Rows of the table: a stanza shall not become too long. Pings are many, and seldom what is looked for. */
    private static final int MOST_PINGS = 20;

    private static final int MOST_OTHERS = 100;

    WhyCommand(HeartbeatPlugin plugin) {
        super(plugin, "heartbeat#why");
    }

    @Override
    String label(Texts texts) {
        return texts.of("command-why");
    }

    @Override
    void ask(Answer answer, SessionData data) {
        DataForm form = answer.ask(answer.texts.of("command-why"), answer.texts.of("command-why-about"));
        askForUser(form, answer.texts);
        answer.form(form);
    }

    @Override
    void run(Answer answer, SessionData data) {
        JID user = isOff(answer) ? null : user(answer);
        LastActivityService service = plugin.lastActivityService();
        if (user == null || service == null) {
            return;
        }
        String why = plugin.why(user.toString());
        UserActivity last = service.of(user.getNode());
        if (why == null && last == null) {
            answer.error(answer.texts.of("users-unknown", user.toString()));
            return;
        }
        JsonObject known = why == null ? null : Json.parse(why);
        JsonArray decisions = known == null ? new JsonArray() : known.getAsJsonArray("decisions");
        answer.note(Answer.Severity.INFO, summary(user, known, decisions, last, answer.texts));
        if (decisions.size() > 0) {
            answer.form(table(user, decisions, answer));
        }
    }

    private static String summary(JID user, JsonObject known, JsonArray decisions, UserActivity last, Texts texts) {
        List<String> lines = new ArrayList<>();
        long now = System.currentTimeMillis();
        int open = known == null ? 0 : known.getAsJsonArray("open").size();
        lines.add(texts.of("command-open", user.toString(), open));
        if (last != null && last.lastReadMs() > 0) {
            lines.add(texts.of("command-seen", ago(now, last.lastReadMs(), texts)));
        }
        if (last != null && last.offlineMs() > 0) {
            lines.add(texts.of(
                    "command-ended", ago(now, last.offlineMs(), texts), texts.of("end-" + last.reason())));
        }
        if (decisions.size() == 0) {
            lines.add(texts.of("no-decisions"));
        }
        int pings = 0;
        for (JsonElement each : decisions) {
            pings += isPing(each.getAsJsonObject()) ? 1 : 0;
        }
        if (pings > MOST_PINGS || decisions.size() - pings > MOST_OTHERS) {
            lines.add(texts.of("command-why-some", Math.min(pings, MOST_PINGS), MOST_OTHERS));
        }
        if (known != null && !Json.flag(known, "complete")) {
            lines.add(texts.of("decisions-incomplete"));
        }
        return String.join("\n", lines);
    }

    private static String ago(long now, long ms, Texts texts) {
        return texts.of("ago", texts.span(Math.max(0, TimeUnit.MILLISECONDS.toSeconds(now - ms))));
    }

    /** The newest first. */
    private static DataForm table(JID user, JsonArray decisions, Answer answer) {
        Texts texts = answer.texts;
        DataForm form = answer.result(texts.of("decisions") + ": " + user);
        form.addReportedField("time", texts.of("command-time"), FormField.Type.text_single);
        form.addReportedField("jid", texts.of("full-jid"), FormField.Type.jid_single);
        form.addReportedField("action", texts.of("action"), FormField.Type.text_single);
        form.addReportedField("reason", texts.of("command-reason"), FormField.Type.text_single);
        form.addReportedField("meaning", texts.of("reason"), FormField.Type.text_single);
        int pings = 0;
        int others = 0;
        for (int i = decisions.size() - 1; i >= 0; i--) {
            JsonObject decision = decisions.get(i).getAsJsonObject();
            if (isPing(decision) ? ++pings <= MOST_PINGS : ++others <= MOST_OTHERS) {
                form.addItemFields(row(user, decision, texts));
            }
        }
        return form;
    }

    private static boolean isPing(JsonObject decision) {
        return "ping".equals(Json.text(decision, "action"));
    }

    private static Map<String, Object> row(JID user, JsonObject decision, Texts texts) {
        String jid = Json.text(decision, "jid");
        String reason = Json.text(decision, "why");
        long ago = TimeUnit.SECONDS.toMillis(Json.number(decision, "ago_s", 0));
        Map<String, Object> row = new LinkedHashMap<>();
        row.put("time", time(System.currentTimeMillis() - ago));
        row.put("jid", jid == null ? user.toBareJID() : jid);
        row.put("action", texts.of(Decision.action(decision)));
        row.put("reason", reason);
        row.put("meaning", texts.of("why-" + reason));
        return row;
    }
}
