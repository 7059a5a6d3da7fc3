package org.igniterealtime.openfire.plugin.heartbeat.commands;

import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.regex.Pattern;
import org.igniterealtime.openfire.plugin.heartbeat.HeartbeatPlugin;
import org.igniterealtime.openfire.plugin.heartbeat.LastActivityService;
import org.igniterealtime.openfire.plugin.heartbeat.UserActivity;
import org.igniterealtime.openfire.plugin.heartbeat.web.Texts;
import org.jivesoftware.openfire.XMPPServer;
import org.jivesoftware.openfire.commands.SessionData;
import org.xmpp.forms.DataForm;
import org.xmpp.forms.FormField;
import org.xmpp.packet.JID;

/** Who was not here for so many days, longest ago first. */
final class NotSeenCommand extends Command {
    private static final String DAYS = "days";
    private static final long USUAL_DAYS = 90;
    private static final long MOST_DAYS = 36_500;
    private static final Pattern NUMBER = Pattern.compile("[0-9]{1,9}");

    /** As XEP-0133 calls it, where it gives these to choose from. */
    private static final String MOST = "max_items";

    private static final int[] MOSTS = {25, 100, 500};

    NotSeenCommand(HeartbeatPlugin plugin) {
        super(plugin, "heartbeat#not-seen-since");
    }

    @Override
    String label(Texts texts) {
        return texts.of("command-not-seen");
    }

    @Override
    void ask(Answer answer, SessionData data) {
        Texts texts = answer.texts;
        DataForm form = answer.ask(texts.of("command-not-seen"), texts.of("command-not-seen-about"));
        Answer.number(form, DAYS, texts.of("users-days"), USUAL_DAYS, 1, MOST_DAYS);
        FormField most = Answer.field(form, FormField.Type.list_single, MOST, texts.of("command-most"), MOSTS[1]);
        for (int each : MOSTS) {
            most.addOption(texts.number(each), Integer.toString(each));
        }
        answer.form(form);
    }

    @Override
    void run(Answer answer, SessionData data) {
        Texts texts = answer.texts;
        long days = number(answer.sent(DAYS), USUAL_DAYS);
        long most = number(answer.sent(MOST), MOSTS[1]);
        LastActivityService service = plugin.lastActivityService();
        if (isOff(answer) || service == null) {
            return;
        }
        if (days < 1 || days > MOST_DAYS) {
            answer.error(texts.of("command-out-of-range", texts.of("users-days"), 1, MOST_DAYS));
            return;
        }
        if (most < 1 || most >= LastActivityService.MOST_LISTED) {
            answer.error(texts.of("command-out-of-range", texts.of("command-most"), 1, LastActivityService.MOST_LISTED - 1));
            return;
        }
        LastActivityService.Query query = new LastActivityService.Query()
                .notSeenSince(Math.max(1, System.currentTimeMillis() - TimeUnit.DAYS.toMillis(days)))
                .byLastRead();
        // One more than is shown tells whether there are more.
        List<UserActivity> users = service.list(query, (int) most + 1);
        if (users.isEmpty()) {
            answer.note(Answer.Severity.INFO, texts.of("users-none"));
            return;
        }
        if (users.size() > most) {
            answer.note(Answer.Severity.INFO, texts.of("command-more", most));
        }
        answer.form(table(users.subList(0, (int) Math.min(most, users.size())), days, answer));
    }

    /** -1: it is none. */
    private static long number(String text, long usual) {
        if (text.isEmpty()) {
            return usual;
        }
        return NUMBER.matcher(text).matches() ? Long.parseLong(text) : -1;
    }

    private static DataForm table(List<UserActivity> users, long days, Answer answer) {
        Texts texts = answer.texts;
        DataForm form = answer.result(texts.of("users-not-for", days));
        form.addReportedField("user", texts.of("column-user"), FormField.Type.jid_single);
        form.addReportedField("seen", texts.of("column-seen"), FormField.Type.text_single);
        form.addReportedField("ended", texts.of("column-ended"), FormField.Type.text_single);
        form.addReportedField("reason", texts.of("column-end-why"), FormField.Type.text_single);
        form.addReportedField("status", texts.of("column-status"), FormField.Type.text_single);
        String domain = XMPPServer.getInstance().getServerInfo().getXMPPDomain();
        for (UserActivity user : users) {
            Map<String, Object> row = new LinkedHashMap<>();
            row.put("user", new JID(user.user(), domain, null, true).toString());
            row.put("seen", time(user.lastReadMs()));
            row.put("ended", time(user.offlineMs()));
            row.put("reason", texts.of("end-" + user.reason()));
            row.put("status", Answer.line(user.status()));
            form.addItemFields(row);
        }
        return form;
    }
}
