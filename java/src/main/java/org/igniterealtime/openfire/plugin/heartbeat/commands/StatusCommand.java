package org.igniterealtime.openfire.plugin.heartbeat.commands;

import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import java.util.Map;
import org.igniterealtime.openfire.plugin.heartbeat.HeartbeatPlugin;
import org.igniterealtime.openfire.plugin.heartbeat.SessionState;
import org.igniterealtime.openfire.plugin.heartbeat.web.JournalState;
import org.igniterealtime.openfire.plugin.heartbeat.web.Json;
import org.igniterealtime.openfire.plugin.heartbeat.web.Texts;
import org.jivesoftware.openfire.commands.SessionData;
import org.xmpp.forms.DataForm;
import org.xmpp.forms.FormField;

/** How things are: who is in charge, how many sessions in which state, what was done. */
final class StatusCommand extends Command {
    StatusCommand(HeartbeatPlugin plugin) {
        super(plugin, "heartbeat#status");
    }

    @Override
    String label(Texts texts) {
        return texts.of("command-status");
    }

    @Override
    public int getMaxStages(SessionData data) {
        return 0;
    }

    @Override
    void ask(Answer answer, SessionData data) {
        throw new UnsupportedOperationException("nothing is asked for");
    }

    @Override
    void run(Answer answer, SessionData data) {
        Texts texts = answer.texts;
        String text = plugin.status(false);
        DataForm form = answer.result(texts.of("command-status"));
        Answer.field(form, FormField.Type.boolean_type, "in_charge", texts.of("command-in-charge"), text != null);
        Answer.field(form, FormField.Type.text_single, "version", texts.of("command-version"), plugin.version());
        if (text == null) {
            isOff(answer);
        } else {
            fill(form, Json.parse(text), texts);
        }
        answer.form(form);
    }

    private void fill(DataForm form, JsonObject status, Texts texts) {
        JsonObject sessions = status.getAsJsonObject("sessions");
        number(form, "sessions", texts.of("command-sessions"), sessions.get("total"));
        for (SessionState state : SessionState.values()) {
            String label = texts.of("command-sessions-in", texts.of("state-" + state.text()));
            number(form, "sessions_" + state.text(), label, sessions.get(state.text()));
        }
        JsonObject counts = status.getAsJsonObject("counts");
        number(form, "users", texts.of("command-users"), status.get("users"));
        number(form, "memory_bytes", texts.of("command-memory"), status.get("memory_bytes"));
        number(form, "pings", texts.of("command-pings"), counts.get("pings"));
        number(form, "pongs", texts.of("command-pongs"), counts.get("pongs"));
        number(form, "closes", texts.of("command-closes"), counts.get("closes"));
        number(form, "cuts", texts.of("command-cuts"), counts.get("cuts"));
        number(form, "told", texts.of("command-told"), counts.get("told"));
        String kept = JournalState.of(plugin, texts);
        Answer.field(form, FormField.Type.text_single, "journal", texts.of("command-journal"), kept);
        FormField policy = Answer.field(form, FormField.Type.text_multi, "policy", texts.of("command-policy"), null);
        for (Map.Entry<String, JsonElement> key : status.getAsJsonObject("policy").entrySet()) {
            policy.addValue(key.getKey() + ": " + key.getValue().getAsString());
        }
    }

    private static void number(DataForm form, String name, String label, JsonElement value) {
        Answer.field(form, FormField.Type.text_single, name, label, value.getAsLong());
    }
}
