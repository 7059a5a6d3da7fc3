package org.igniterealtime.openfire.plugin.heartbeat.commands;

import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import org.igniterealtime.openfire.plugin.heartbeat.HeartbeatPlugin;
import org.igniterealtime.openfire.plugin.heartbeat.HeartbeatPlugin.Asked;
import org.igniterealtime.openfire.plugin.heartbeat.web.Json;
import org.igniterealtime.openfire.plugin.heartbeat.web.Texts;
import org.jivesoftware.openfire.commands.SessionData;
import org.xmpp.forms.DataForm;
import org.xmpp.forms.FormField;
import org.xmpp.packet.JID;

/**
 * Pings the sessions of a user, or one of them, and tells the round trips. First the user is asked for, again if it is none;
 * then the pings are sent, and each further "next" looks which were answered; "complete" tells all of it as a table.
 */
final class PingCommand extends Command {
    /** Sessions that are pinged at one time. */
    private static final int MOST_PINGED = 100;

    /** Of commands that are under way and of such that nobody ended; Openfire allows an administrator a hundred. */
    private static final int MOST_REMEMBERED = 1000;

    /** By the number of the command's session, which Openfire gives. */
    private final Map<String, Pinged> pinged = Collections.synchronizedMap(new Remembered());

    /** Not more of them than are allowed. */
    private static final class Remembered extends LinkedHashMap<String, Pinged> {
        private static final long serialVersionUID = 1L;

        @Override
        protected boolean removeEldestEntry(Map.Entry<String, Pinged> eldest) {
            return size() > MOST_REMEMBERED;
        }
    }

    /** Who was pinged, and when. */
    private static final class Pinged {
        final JID user;
        final long askedUs;
        final Map<Long, String> asked = new LinkedHashMap<>();
        final Map<Long, String> unreachable = new LinkedHashMap<>();
        boolean some;

        Pinged(JID user, long askedUs) {
            this.user = user;
            this.askedUs = askedUs;
        }
    }

    PingCommand(HeartbeatPlugin plugin) {
        super(plugin, "heartbeat#ping");
    }

    @Override
    String label(Texts texts) {
        return texts.of("command-ping");
    }

    @Override
    public int getMaxStages(SessionData data) {
        return 2;
    }

    @Override
    protected List<Action> getActions(SessionData data) {
        return pinged.containsKey(data.getId())
                ? Arrays.asList(Action.next, Action.complete)
                : Collections.singletonList(Action.next);
    }

    @Override
    protected Action getExecuteAction(SessionData data) {
        return pinged.containsKey(data.getId()) ? Action.complete : Action.next;
    }

    @Override
    void ask(Answer answer, SessionData data) {
        Pinged now = pinged.get(data.getId());
        if (now == null && data.getStage() > 0) {
            now = ping(answer);
            if (now != null) {
                pinged.put(data.getId(), now);
            }
        }
        DataForm form = answer.ask(
                answer.texts.of("command-ping"), answer.texts.of(now == null ? "command-ping-about" : "command-pinged"));
        if (now == null) {
            askForUser(form, answer.texts);
        } else {
            for (Map<String, Object> row : rows(now, answer.texts)) {
                Answer.field(form, FormField.Type.fixed, null, null, row.get("jid") + ": " + row.get("answer"));
            }
        }
        answer.form(form);
    }

    @Override
    void run(Answer answer, SessionData data) {
        Pinged now = pinged.remove(data.getId());
        if (now == null) {
            // The plugin was loaded anew since, or a thousand others came.
            answer.error(answer.texts.of("form-expired"));
            return;
        }
        Texts texts = answer.texts;
        List<Map<String, Object>> rows = rows(now, texts);
        if (rows.stream().anyMatch(row -> row.get("rtt_ms").equals("")) && !now.asked.isEmpty()) {
            answer.note(Answer.Severity.INFO, texts.of("command-unanswered"));
        }
        if (now.some) {
            answer.note(Answer.Severity.WARN, texts.of("command-more", MOST_PINGED));
        }
        DataForm form = answer.result(texts.of("column-rtt") + ": " + now.user);
        form.addReportedField("jid", texts.of("full-jid"), FormField.Type.jid_single);
        form.addReportedField("answer", texts.of("command-answer"), FormField.Type.text_single);
        form.addReportedField("rtt_ms", texts.of("command-rtt-ms"), FormField.Type.text_single);
        rows.forEach(form::addItemFields);
        answer.form(form);
    }

    /** Sends the pings; null: it can not, and a note says why. */
    private Pinged ping(Answer answer) {
        JID user = isOff(answer) ? null : user(answer);
        if (user == null) {
            return null;
        }
        Pinged now = new Pinged(user, plugin.clockUs());
        for (JsonObject session : open(user)) {
            long token = Json.number(session, "session", 0);
            String jid = Json.text(session, "jid");
            if (now.asked.size() == MOST_PINGED) {
                now.some = true;
                break;
            }
            (plugin.ping(token) == Asked.UNDER_WAY ? now.asked : now.unreachable).put(token, jid);
        }
        if (now.asked.isEmpty() && now.unreachable.isEmpty()) {
            answer.error(answer.texts.of("command-not-open", user.toString()));
            return null;
        }
        return now;
    }

    private List<JsonObject> open(JID user) {
        List<JsonObject> open = new ArrayList<>();
        String why = plugin.why(user.toString());
        if (why != null) {
            for (JsonElement session : Json.parse(why).getAsJsonArray("open")) {
                open.add(session.getAsJsonObject());
            }
        }
        return open;
    }

    /** What has become of the pings so far. */
    private List<Map<String, Object>> rows(Pinged now, Texts texts) {
        Map<Long, Long> trips = new HashMap<>();
        Set<Long> still = new TreeSet<>();
        for (JsonObject session : open(now.user)) {
            long token = Json.number(session, "session", 0);
            still.add(token);
            // An answer to an earlier ping is not meant.
            if (Json.number(session, "answered_us", 0) >= now.askedUs) {
                trips.put(token, Json.number(session, "rtt_us", -1));
            }
        }
        List<Map<String, Object>> rows = new ArrayList<>();
        now.asked.forEach((token, jid) -> {
            Long trip = trips.get(token);
            String pending = texts.of(still.contains(token) ? "command-no-answer" : "command-over");
            rows.add(row(jid, trip == null ? pending : texts.roundTrip(trip), trip == null ? "" : milliseconds(trip)));
        });
        now.unreachable.forEach((token, jid) -> rows.add(row(jid, texts.of("command-no-connection"), "")));
        return rows;
    }

    private static Map<String, Object> row(String jid, String answer, String milliseconds) {
        Map<String, Object> row = new LinkedHashMap<>();
        row.put("jid", jid);
        row.put("answer", answer);
        row.put("rtt_ms", milliseconds);
        return row;
    }

    private static String milliseconds(long us) {
        return us / 1000 + "." + String.valueOf(1000 + us % 1000).substring(1);
    }
}
