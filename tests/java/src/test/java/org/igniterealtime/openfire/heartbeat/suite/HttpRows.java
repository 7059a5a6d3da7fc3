package org.igniterealtime.openfire.heartbeat.suite;

import static org.igniterealtime.openfire.heartbeat.suite.Times.SLACK;
import static org.igniterealtime.openfire.heartbeat.suite.Times.T;
import static org.igniterealtime.openfire.heartbeat.suite.Times.TICK;
import static org.igniterealtime.openfire.heartbeat.suite.Times.isGoneTime;
import static org.igniterealtime.openfire.heartbeat.suite.Times.isPingTime;
import static org.igniterealtime.openfire.heartbeat.suite.Times.seconds;
import static org.igniterealtime.openfire.heartbeat.suite.Times.sleep;

import com.google.gson.JsonObject;
import java.util.List;
import java.util.Locale;
import org.igniterealtime.openfire.heartbeat.harness.Event;
import org.igniterealtime.openfire.heartbeat.harness.OpenfireServer;
import org.igniterealtime.openfire.heartbeat.harness.RawClient;

/** The rows over WebSocket and BOSH: what is possible there stands in docs/transports.md. */
final class HttpRows {
    private static final int AWAY_S = 5;
    private static final int WAIT_S = 2;
    private static final int PATIENT_S = 60;

    /** Nobody is pinged meanwhile. */
    private static final String PATIENT_IDLE_MS = "120000";

    /** Openfire answers an empty request later than after {@code wait}, now and then, and looks every 30 s in 4.2.0. */
    private static final double LATE = 50;

    /** Within it Openfire looks for what was idle too long: a tenth of T over WebSocket. */
    private static final double OWN_PERIOD = T / 10;

    private HttpRows() {}

    static List<OwnRow> own() {
        OwnRow rows = new OwnRow(
                "http",
                HttpRows::configure,
                List.of(
                        new Row("ws-silent", HttpRows::webSocketSilent),
                        new Row("ws-answers", HttpRows::webSocketAnswers),
                        new Row("ws-sm-ghost", HttpRows::webSocketGhost),
                        new Row("ws-logout", HttpRows::webSocketLogout),
                        new Row("ws-disconnect", HttpRows::webSocketDisconnected),
                        new Row("bosh-silent", HttpRows::boshSilent),
                        new Row("ws-sm-drop", HttpRows::webSocketDrop),
                        new Row("bosh-polls", HttpRows::boshPolls),
                        new Row("bosh-answers", HttpRows::boshAnswers),
                        new Row("bosh-disconnect", HttpRows::boshDisconnected),
                        new Row("ws-xmppjs", HttpRows::xmppJsAnswers),
                        new Row("ws-xmppjs-frozen", HttpRows::xmppJsFrozen),
                        new Row("ws-xmppjs-resumes", HttpRows::xmppJsResumes),
                        new Row("bosh-strophe", HttpRows::stropheAnswers),
                        new Row("bosh-strophe-frozen", HttpRows::stropheFrozen),
                        new Row("bosh-strophe-logout", HttpRows::stropheLogout)));
        OwnRow reloaded = new OwnRow(
                "ws-reload", setup -> configure(setup).set("xmpp.client.idle", PATIENT_IDLE_MS), HttpRows::reloaded);
        return List.of(rows, rows.alone(), reloaded);
    }

    private static OpenfireServer.Setup configure(OpenfireServer.Setup setup) {
        return setup.set("httpbind.enabled", "true")
                .port(WebClient.PORT)
                .port("httpbind.port.secure")
                .set("xmpp.httpbind.client.idle", Integer.toString(AWAY_S))
                .set("xmpp.httpbind.session.cleanupcheck", "1000");
    }

    private static WebClient webSocket(Stage stage) throws Exception {
        return WebClient.overWebSocket(stage.server(), stage.user("client")).login();
    }

    private static void webSocketSilent(Stage stage) throws Exception {
        stage.people("client");
        RawClient contact = stage.contact();
        try (WebClient client = webSocket(stage).available()) {
            stage.begin();
            awaitGone(client, T + OWN_PERIOD + 5);
            sleep(2 * TICK);
            double pinged = client.pings().isEmpty() ? -1 : seconds(client.lastSent(), client.pings().get(0).at());
            double closed = client.isOver() ? seconds(client.lastSent(), client.over()) : Double.POSITIVE_INFINITY;
            long ours = client.pings().stream().filter(WebClient.Seen::isOurPing).count();
            stage.saw(String.format(
                    Locale.ROOT, "pinged %d times, %d by us, after %.1f s; %s",
                    client.pings().size(), ours, pinged, closedAfter(client)));
            stage.must(client.pings().size() == 1, "it is pinged once");
            if (stage.server().version().endsSilentWebSockets()) {
                stage.must(ours == 0, "it is Openfire's business");
                stage.must(pinged >= T / 2 - SLACK && pinged <= T / 2 + OWN_PERIOD + TICK, "at T/2");
                stage.must(closed >= T - SLACK && closed <= T + OWN_PERIOD + TICK, "it closes it at T");
            } else {
                stage.must(ours == 1 && isPingTime(pinged, T / 2), "it is pinged at T/2");
                stage.must(isGoneTime(closed, T), "it is closed at T");
            }
            toldOnce(stage, contact, client);
            if (!stage.server().version().endsSilentWebSockets()) {
                toldWhy(stage, client, "connection-timeout");
                stage.must(client.last().contains("<close "), "then the stream is closed: " + client.last());
            }
            wasSeenAt(stage, client.lastSent(), Rows.lastActivityIs(stage, "client", false));
        }
    }

    private static String closedAfter(WebClient client) {
        return client.isOver()
                ? String.format(Locale.ROOT, "closed after %.1f s", seconds(client.lastSent(), client.over()))
                : "not closed";
    }

    private static void webSocketAnswers(Stage stage) throws Exception {
        stage.people("client");
        RawClient contact = stage.contact();
        try (WebClient client = webSocket(stage).answerPings().available()) {
            stage.begin();
            sleep(2.5 * T);
            stage.saw((client.isOver() ? "closed; " : "stays; ") + client.pings().size() + " pings in 2.5 T");
            stage.must(!client.isOver(), "who answers stays");
            stage.must(client.pings().size() >= 3, "it is pinged each time");
            stage.must(contact.presences(client.jid, "unavailable").isEmpty(), "nobody is told");
            Rows.lastActivityIs(stage, "client", true);
        }
    }

    /** Closed as idle, nobody can resume it; alone, Openfire keeps it for the whole resume window. */
    private static void webSocketGhost(Stage stage) throws Exception {
        stage.people("client");
        RawClient contact = stage.contact();
        try (WebClient client = webSocket(stage).resumable().available()) {
            stage.begin();
            awaitGone(client, T + OWN_PERIOD + 5);
            sleep(3 * TICK);
            List<Event> told = contact.presences(client.jid, "unavailable");
            double after = told.isEmpty() || !client.isOver() ? -1 : seconds(client.over(), told.get(0).at());
            stage.saw(String.format(
                    Locale.ROOT, "%s, contact told %d times, %.1f s after the close",
                    closedAfter(client), told.size(), after));
            stage.must(told.size() == 1, "the contact is told once");
            stage.must(after <= TICK + 3 * SLACK, "within a tick of the close");
            wasSeenAt(stage, client.lastSent(), Rows.lastActivityIs(stage, "client", false));
        }
    }

    private static void webSocketLogout(Stage stage) throws Exception {
        stage.people("client");
        RawClient contact = stage.contact();
        // Until all the others are in it may take longer than T.
        try (WebClient client = webSocket(stage).answerPings().available()) {
            stage.begin();
            logout(stage, contact, client);
        }
    }

    private static void logout(Stage stage, RawClient contact, WebClient client) throws Exception {
        sleep(TICK);
        long left = System.nanoTime();
        client.end("<presence xmlns='jabber:client' type='unavailable'><status>bye</status></presence>");
        sleep(4 * TICK);
        loggedOut(stage, contact, client.jid, left, 1);
    }

    private static void loggedOut(Stage stage, RawClient contact, String jid, long left, int atMost) {
        List<Event> told = contact.presences(jid, "unavailable");
        double after = told.isEmpty() ? -1 : seconds(left, told.get(0).at());
        stage.saw(String.format(Locale.ROOT, "contact told %d times, after %.0f ms", told.size(), 1000 * after));
        stage.must(!told.isEmpty() && told.size() <= atMost, "the contact is told " + atMost + " times at most");
        stage.must(after >= 0 && after <= TICK, "at once");
        JsonObject activity = Rows.lastActivityIs(stage, "client", false);
        if (activity != null) {
            wasSeenAt(stage, told.get(0).at(), activity);
            stage.must("logout".equals(activity.get("why").getAsString()), "it is a logout: " + activity);
            stage.must("bye".equals(activity.get("status").getAsString()), "its status is kept: " + activity);
        }
    }

    /** An administrator ends it. Its client is told that it is no accident: it shall not come back at once. */
    private static void webSocketDisconnected(Stage stage) throws Exception {
        stage.people("client");
        RawClient contact = stage.contact();
        try (WebClient client = webSocket(stage).resumable().answerPings().available()) {
            stage.begin();
            isThrownOut(stage, contact, client);
            stage.must(client.isOver(), "its connection is closed");
            stage.must(client.last().contains("<close "), "the stream before: " + client.last());
        }
    }

    private static void boshDisconnected(Stage stage) throws Exception {
        stage.people("client");
        RawClient contact = stage.contact();
        try (WebClient client = patient(stage).answerPings().available()) {
            stage.begin();
            isThrownOut(stage, contact, client);
        }
    }

    /** Openfire alone does it by the button of its own console. */
    private static void isThrownOut(Stage stage, RawClient contact, WebClient client) throws Exception {
        sleep(TICK);
        if (stage.hasPlugin()) {
            stage.server().disconnect(client.jid);
        } else {
            stage.server().command("close", client.jid);
        }
        // Over BOSH a request that comes at that moment is left without an answer, now and then: Openfire's own doing.
        sleep(4 * TICK);
        boolean open = stage.server().command("sessions").contains(client.jid);
        int told = contact.presences(client.jid, "unavailable").size();
        stage.saw((open ? "stays" : "ended") + ", told " + client.streamErrors() + "; contact told " + told + " times");
        stage.must(!open, "its session is over");
        toldWhy(stage, client, "policy-violation");
        toldOnce(stage, contact, client);
        Rows.lastActivityIs(stage, "client", false);
    }

    private static void toldWhy(Stage stage, WebClient client, String condition) {
        List<String> errors = client.streamErrors();
        stage.must(errors.equals(List.of(condition)), "the client is told " + condition + ", and was " + errors);
    }

    /** The network goes, and the client may come back: nobody is told as long as it may. */
    private static void webSocketDrop(Stage stage) throws Exception {
        stage.people("client");
        RawClient contact = stage.contact();
        // Until all the others are in it may take longer than T.
        try (WebClient client = webSocket(stage).resumable().answerPings().available()) {
            stage.begin();
            sleep(TICK);
            client.cut();
            sleep(2 * T);
            int told = contact.presences(client.jid, "unavailable").size();
            stage.saw("contact told " + told + " times in 2 T");
            stage.must(told == 0, "nobody is told within the resume window");
            Rows.lastActivityIs(stage, "client", true);
        }
    }

    private static void boshSilent(Stage stage) throws Exception {
        stage.people("client");
        RawClient contact = stage.contact();
        try (WebClient client =
                WebClient.overBosh(stage.server(), stage.user("client"), WAIT_S).login().available()) {
            stage.begin();
            sleep(TICK);
            client.cut();
            long cut = System.nanoTime();
            double limit = WAIT_S + AWAY_S + LATE;
            while (contact.presences(client.jid, "unavailable").isEmpty() && seconds(cut, System.nanoTime()) < limit) {
                sleep(SLACK);
            }
            double told = seconds(cut, System.nanoTime());
            sleep(3 * TICK);
            stage.saw(String.format(
                    Locale.ROOT, "contact told %.1f s after the last request, %d pings", told, client.pings().size()));
            stage.must(told >= AWAY_S - SLACK && told < limit, "Openfire ends it when it was away too long");
            stage.must(client.pings().isEmpty(), "nobody pings it");
            toldOnce(stage, contact, client);
            wasSeenAt(stage, client.lastSent(), Rows.lastActivityIs(stage, "client", false));
        }
    }

    private static void boshPolls(Stage stage) throws Exception {
        stage.people("client");
        RawClient contact = stage.contact();
        try (WebClient client =
                WebClient.overBosh(stage.server(), stage.user("client"), WAIT_S).login().available()) {
            stage.begin();
            sleep(2 * T);
            long ours = client.pings().stream().filter(WebClient.Seen::isOurPing).count();
            stage.saw((client.isOver() ? "closed; " : "stays; ") + ours + " pings of ours in 2 T");
            stage.must(!client.isOver() && ours == 0, "who polls stays, and is not pinged");
            stage.must(contact.presences(client.jid, "unavailable").isEmpty(), "nobody is told");
            JsonObject activity = Rows.lastActivityIs(stage, "client", true);
            if (activity != null) {
                // Openfire answers a request late, now and then: the last one may be a while ago.
                double silent = (System.currentTimeMillis() - activity.get("seen_ms").getAsLong()) / 1e3;
                double off = silent - seconds(client.lastSent(), System.nanoTime());
                stage.must(Math.abs(off) <= 2 * TICK + SLACK, "each poll is a sign of life: " + off + " s off");
            }
        }
    }

    /** Loaded again while nobody is there over TCP: the others are watched, and were read from when they were. */
    private static void reloaded(Stage stage) throws Exception {
        stage.people("web", "bosh", "lost");
        RawClient lost = stage.login("lost");
        lost.enableResumption();
        try (WebClient web = WebClient.overWebSocket(stage.server(), stage.user("web")).login().available();
                WebClient bosh = WebClient.overBosh(stage.server(), stage.user("bosh"), WAIT_S).login().available()) {
            stage.begin();
            long cut = System.nanoTime();
            lost.reset();
            sleep(5 * TICK);
            stage.server().reload();
            long loaded = System.nanoTime();
            sleep(2 * TICK);
            for (String jid : List.of(web.jid, bosh.jid, lost.jid())) {
                stage.must(stage.server().session(jid).isPresent(), jid + " is watched: " + stage.server().status(true));
            }
            JsonObject activity = Rows.lastActivityIs(stage, "web", true);
            stage.saw(String.format(Locale.ROOT, "all are watched; seen %.1f s after its last byte", seenAfter(activity, web.lastSent())));
            wasSeenAt(stage, web.lastSent(), activity);
            wasSeenAt(stage, cut, Rows.lastActivityIs(stage, "lost", true));
            // A request that is held when the plugin is loaded counts as of then; it may be answered late.
            wasSeenAt(stage, Math.max(bosh.lastSent(), loaded), Rows.lastActivityIs(stage, "bosh", true));
        }
    }

    private static WebClient patient(Stage stage) throws Exception {
        return WebClient.overBosh(stage.server(), stage.user("client"), PATIENT_S).login();
    }

    /** Its requests are so long that the plugin's policy is the stricter one: it asks, and hears. */
    private static void boshAnswers(Stage stage) throws Exception {
        stage.people("client");
        RawClient contact = stage.contact();
        try (WebClient client = patient(stage).answerPings().available()) {
            stage.begin();
            sleep(2.5 * T);
            stage.saw((client.isOver() ? "closed; " : "stays; ") + client.pings().size() + " pings in 2.5 T");
            stage.must(!client.isOver(), "who answers stays");
            stage.must(client.pings().size() >= 3, "it is pinged each time");
            stage.must(contact.presences(client.jid, "unavailable").isEmpty(), "nobody is told");
            Rows.lastActivityIs(stage, "client", true);
        }
    }

    // ---- Clients as people use them.

    private static void xmppJsAnswers(Stage stage) throws Exception {
        stage.people("client");
        RawClient contact = stage.contact();
        try (ScriptClient client = ScriptClient.xmppJs(stage.server(), stage.user("client"))) {
            stage.begin();
            answersAndStays(stage, contact, client);
        }
    }

    private static void answersAndStays(Stage stage, RawClient contact, ScriptClient client) throws Exception {
        sleep(2.5 * T);
        stage.saw(client.count("ping") + " pings in 2.5 T, disconnected " + client.count("disconnected") + " times");
        stage.must(client.count("disconnected") == 0, "who answers stays");
        stage.must(client.count("ping") >= 2, "it is pinged");
        stage.must(contact.presences(client.jid(), "unavailable").isEmpty(), "nobody is told");
        Rows.lastActivityIs(stage, "client", true);
    }

    /** A laptop that was shut: its connection stays open, and nobody answers. */
    private static void xmppJsFrozen(Stage stage) throws Exception {
        stage.people("client");
        RawClient contact = stage.contact();
        try (ScriptClient client = ScriptClient.xmppJs(stage.server(), stage.user("client"))) {
            stage.begin();
            isFoundDead(stage, contact, client);
        }
    }

    private static void isFoundDead(Stage stage, RawClient contact, ScriptClient client) throws Exception {
        client.stop();
        long stopped = System.nanoTime();
        double limit = T + OWN_PERIOD + 2 * TICK + SLACK;
        sleep(limit + 2 * TICK);
        List<Event> told = contact.presences(client.jid(), "unavailable");
        double after = told.isEmpty() ? -1 : seconds(stopped, told.get(0).at());
        stage.saw(String.format(Locale.ROOT, "contact told %d times, after %.1f s", told.size(), after));
        stage.must(told.size() == 1, "the contact is told once");
        // Its last byte is up to T/2 older.
        stage.must(after >= T / 2 - SLACK && after <= limit, "when it is found dead");
        JsonObject activity = Rows.lastActivityIs(stage, "client", false);
        if (activity != null) {
            stage.must(seenAfter(activity, stopped) <= TICK + SLACK, "it was not seen after it stopped: " + activity);
        }
    }

    /** The network goes and comes: its session is had back, and contacts see nothing of it. */
    private static void xmppJsResumes(Stage stage) throws Exception {
        stage.people("client");
        RawClient contact = stage.contact();
        try (ScriptClient client = ScriptClient.xmppJs(stage.server(), stage.user("client"))) {
            stage.begin();
            client.cut();
            client.await("resumed");
            sleep(2 * T);
            stage.saw(String.format(
                    Locale.ROOT, "resumed %d times, disconnected %d times, %d pings, contact told %d times",
                    client.count("resumed"), client.count("disconnected"), client.count("ping"),
                    contact.presences(client.jid(), "unavailable").size()));
            stage.must(client.count("resumed") == 1 && client.count("disconnected") == 1, "it is back, and stays");
            if (stage.server().version().hearsResumedWebSockets()) {
                stage.must(client.count("ping") >= 1, "it is watched again");
            } else {
                stage.must(client.count("ping") == 0, "nobody is asked whose answer is not heard");
            }
            stage.must(contact.presences(client.jid(), "unavailable").isEmpty(), "nobody is told");
            Rows.lastActivityIs(stage, "client", true);
        }
    }

    private static void stropheAnswers(Stage stage) throws Exception {
        stage.people("client");
        RawClient contact = stage.contact();
        try (ScriptClient client = ScriptClient.strophe(stage.server(), stage.user("client"))) {
            stage.begin();
            answersAndStays(stage, contact, client);
        }
    }

    private static void stropheFrozen(Stage stage) throws Exception {
        stage.people("client");
        RawClient contact = stage.contact();
        try (ScriptClient client = ScriptClient.strophe(stage.server(), stage.user("client"))) {
            stage.begin();
            isFoundDead(stage, contact, client);
        }
    }

    private static void stropheLogout(Stage stage) throws Exception {
        stage.people("client");
        RawClient contact = stage.contact();
        try (ScriptClient client = ScriptClient.strophe(stage.server(), stage.user("client"))) {
            stage.begin();
            sleep(TICK);
            long left = System.nanoTime();
            client.logout();
            sleep(4 * TICK);
            // Openfire alone tells twice: of the presence, and of the end.
            loggedOut(stage, contact, client.jid(), left, 2);
        }
    }

    /**
     * Openfire says unavailable for who is dead: that is no byte of theirs. What is stamped is the tick of the byte, or the
     * next one where it is looked for once a second.
     */
    private static void wasSeenAt(Stage stage, long sent, JsonObject activity) {
        if (activity != null) {
            double after = seenAfter(activity, sent);
            stage.must(
                    after >= -2 * TICK - SLACK && after <= TICK + SLACK,
                    "it was seen when it sent its last byte, and not " + after + " s after it: " + activity);
        }
    }

    /** Seconds from this moment ({@link System#nanoTime}) until the user was last seen. */
    private static double seenAfter(JsonObject activity, long moment) {
        double agoMs = (System.nanoTime() - moment) / 1e6;
        return (activity.get("seen_ms").getAsLong() - (System.currentTimeMillis() - agoMs)) / 1e3;
    }

    private static void toldOnce(Stage stage, RawClient contact, WebClient client) {
        int told = contact.presences(client.jid, "unavailable").size();
        stage.must(told == 1, "the contact is told once, and was " + told + " times");
    }

    private static void awaitGone(WebClient client, double atMost) {
        long begin = System.nanoTime();
        while (!client.isOver() && seconds(begin, System.nanoTime()) < atMost) {
            sleep(SLACK / 10);
        }
    }
}
