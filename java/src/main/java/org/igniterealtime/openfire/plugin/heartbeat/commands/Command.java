package org.igniterealtime.openfire.plugin.heartbeat.commands;

import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.Collections;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import org.dom4j.Element;
import org.igniterealtime.openfire.plugin.heartbeat.HeartbeatPlugin;
import org.igniterealtime.openfire.plugin.heartbeat.web.Texts;
import org.jivesoftware.openfire.SessionManager;
import org.jivesoftware.openfire.XMPPServer;
import org.jivesoftware.openfire.commands.AdHocCommand;
import org.jivesoftware.openfire.commands.SessionData;
import org.jivesoftware.openfire.session.ClientSession;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import org.xmpp.forms.DataForm;
import org.xmpp.forms.FormField;
import org.xmpp.packet.JID;

/**
 * An ad-hoc command that only administrators may run: Openfire asks {@link #hasPermission} when it is begun, and it is asked
 * again with each step. What is wrong with a form is said in a note of type error, as Openfire's own commands do: Openfire has
 * no way for a command to answer with bad-payload.
 *
 * <p>Threads: any; a command is shared by all who run it. None waits: Openfire reads nothing else from the administrator
 * meanwhile.
 */
abstract class Command extends AdHocCommand {
    private static final Logger Log = LoggerFactory.getLogger(Command.class);

    /** As XEP-0133 calls it. */
    static final String ACCOUNT = "accountjid";

    final HeartbeatPlugin plugin;
    private final String code;

    /** @param code the node, unique among all commands of the server */
    Command(HeartbeatPlugin plugin, String code) {
        this.plugin = plugin;
        this.code = code;
    }

    @Override
    public final String getCode() {
        return code;
    }

    /** In the server's language: Openfire does not say who asks. */
    @Override
    public final String getLabel() {
        return getDefaultLabel();
    }

    /** Called by the constructor of the class above: it may use nothing of the object. */
    @Override
    public final String getDefaultLabel() {
        return label(Texts.current());
    }

    abstract String label(Texts texts);

    @Override
    public int getMaxStages(SessionData data) {
        return 1;
    }

    /** Asks for what is to be known first. */
    abstract void ask(Answer answer, SessionData data);

    /** Does it, and says what came of it. */
    abstract void run(Answer answer, SessionData data);

    @Override
    protected final void addStageInformation(SessionData data, Element command) {
        step(data, command, this::ask);
    }

    @Override
    public final void execute(SessionData data, Element command) {
        step(data, command, this::run);
    }

    @Override
    protected List<Action> getActions(SessionData data) {
        return Collections.singletonList(Action.complete);
    }

    @Override
    protected Action getExecuteAction(SessionData data) {
        return Action.complete;
    }

    private interface Step {
        void take(Answer answer, SessionData data);
    }

    /** @param data null where Openfire, up to 4.8, does not say who runs a command without a form */
    private void step(SessionData data, Element command, Step step) {
        Map<String, List<String>> sent = data == null ? Collections.emptyMap() : data.getData();
        Answer answer = new Answer(textsFor(data), sent, command);
        if (data != null && !hasPermission(data.getOwner())) {
            answer.error(answer.texts.of("command-forbidden"));
            return;
        }
        try {
            step.take(answer, data);
        } catch (RuntimeException | LinkageError e) {
            Log.error("The command " + code + " failed", e);
            answer.error(answer.texts.of("command-failed"));
        }
    }

    /** In the language of the administrator's stream, English if it has none; in the server's where that is not known. */
    private static Texts textsFor(SessionData data) {
        JID owner = data == null ? null : data.getOwner();
        ClientSession session = owner == null || !XMPPServer.getInstance().isLocal(owner)
                ? null
                : SessionManager.getInstance().getSession(owner);
        Locale language = session == null ? null : session.getLanguage();
        if (language == null) {
            return Texts.current();
        }
        boolean anyChinese = language.getLanguage().equals("zh") && language.getCountry().isEmpty();
        return new Texts(anyChinese && !language.getScript().equals("Hant") ? Locale.SIMPLIFIED_CHINESE : language);
    }

    /** Says why nothing can be told, if that is so. */
    final boolean isOff(Answer answer) {
        String refusal = plugin.refusal();
        if (refusal != null) {
            answer.error(answer.texts.of("refused") + " " + refusal);
        } else if (!plugin.isOn()) {
            answer.error(answer.texts.of("switched-off"));
        }
        return !plugin.isOn();
    }

    final void askForUser(DataForm form, Texts texts) {
        FormField field = Answer.field(form, FormField.Type.jid_single, ACCOUNT, texts.of("column-user"), null);
        field.setDescription(texts.of("command-user-about"));
        field.setRequired(true);
    }

    /** The user of this server that was sent, with a resource if one session is meant; null: none was, and a note says so. */
    final JID user(Answer answer) {
        String text = answer.sent(ACCOUNT);
        JID jid = null;
        try {
            jid = text.indexOf('@') < 0
                    ? new JID(text, XMPPServer.getInstance().getServerInfo().getXMPPDomain(), null)
                    : new JID(text);
        } catch (IllegalArgumentException e) {
            Log.debug("No JID: {}", e.getMessage());
        }
        if (text.isEmpty()) {
            answer.error(answer.texts.of("command-user-missing"));
        } else if (jid == null || jid.getNode() == null) {
            answer.error(answer.texts.of("command-user-bad"));
        } else if (!XMPPServer.getInstance().isLocal(jid)) {
            answer.error(answer.texts.of("command-user-elsewhere", jid.toBareJID()));
        } else {
            return jid;
        }
        return null;
    }

    /** A point in time as XEP-0082 has it, to the second; empty: never. */
    static String time(long ms) {
        return ms == 0 ? "" : Instant.ofEpochMilli(ms).truncatedTo(ChronoUnit.SECONDS).toString();
    }
}
