package org.igniterealtime.openfire.heartbeat.suite;

import static org.igniterealtime.openfire.heartbeat.suite.Times.T;
import static org.igniterealtime.openfire.heartbeat.suite.Times.TICK;
import static org.igniterealtime.openfire.heartbeat.suite.Times.isGoneTime;
import static org.igniterealtime.openfire.heartbeat.suite.Times.isPingTime;
import static org.igniterealtime.openfire.heartbeat.suite.Times.sleep;
import static org.igniterealtime.openfire.heartbeat.suite.Times.span;

import com.google.gson.JsonElement;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Locale;
import org.igniterealtime.openfire.heartbeat.harness.Event;
import org.igniterealtime.openfire.heartbeat.harness.OpenfireServer;
import org.igniterealtime.openfire.heartbeat.harness.PingAnswer;
import org.igniterealtime.openfire.heartbeat.harness.RawClient;

/**
 * The row port-change: settings of the client port change, so that Openfire puts another acceptor in the place of the one it
 * had. Whoever comes then is watched as ever. What becomes of those who were there is Openfire's business; who stays is
 * watched, and nothing is kept of who does not.
 */
final class PortChange {
    private static final int AGAIN = 3;
    private static final double PATIENCE = 5;

    private PortChange() {}

    static void play(Stage stage) throws Exception {
        stage.people("first", "second");
        stage.contact();
        for (String part : List.of("first", "second")) {
            stage.login(part, "before").answerPings(PingAnswer.RESULT);
        }
        stage.begin();
        OpenfireServer server = stage.server();
        long memory = stage.hasPlugin() ? memory(server) : 0;

        // As most settings do it: the same port, opened anew. Then another port.
        int tries = 0;
        for (int i = 0; i < AGAIN; i++) {
            tries += server.reopen();
        }
        sleep(TICK);
        String fateOfOld = server.sessions().isEmpty() ? "thrown out" : "still there";
        Fate first = watched(stage, "first");
        int left = server.door().port();
        server.moveTo(OpenfireServer.freePort());
        Fate second = watched(stage, "second");
        sleep(TICK);

        stage.saw(String.format(
                Locale.ROOT,
                "who was there is %s; port opened anew %d times in %d tries: pinged after %s, closed after %.1f s; another port:"
                        + " %s, %.1f s",
                fateOfOld,
                AGAIN,
                tries,
                span(first.pings()),
                first.end(),
                span(second.pings()),
                second.end()));
        stage.always(server.door().port() != left, "the port is another one");
        if (stage.hasPlugin()) {
            nothingLeaks(stage, memory);
        }
    }

    /** The row port-unload: the plugin goes just when the port is about to be opened. It is open then, and the plugin comes back. */
    static void unload(Stage stage) throws Exception {
        stage.people("client");
        stage.contact();
        stage.begin();
        stage.server().reloadWhileOpening();
        Fate fate = watched(stage, "client");
        stage.saw(String.format(Locale.ROOT, "pinged after %s, closed after %.1f s", span(fate.pings()), fate.end()));
        OwnServerRows.noThreadLeftOver(stage);
    }

    private static void nothingLeaks(Stage stage, long memory) {
        OpenfireServer server = stage.server();
        List<String> sessions = List.of();
        List<String> kept = List.of("?");
        for (int i = 0; i < PATIENCE && !sessions.equals(kept); i++) {
            sleep(TICK);
            sessions = open(server);
            kept = kept(server);
        }
        stage.must(sessions.equals(kept), "what is watched is what is open: " + kept + ", " + sessions);
        OwnServerRows.noThreadLeftOver(stage);
        stage.must(memory(server) <= memory, "the core does not grow: " + memory + ", then " + memory(server));
    }

    /** A contact and a silent client come: it is pinged by us and closed in time, and the contact hears of it. */
    private static Fate watched(Stage stage, String part) {
        RawClient contact = stage.login("contact", part).answerPings(PingAnswer.RESULT);
        RawClient client = stage.login(part);
        client.await(Duration.ofSeconds((long) T + 8), "the end of the connection", Event::isOver);
        sleep(TICK);
        Fate fate = Fate.of(client);
        stage.must(
                !stage.hasPlugin() || client.events(client.lastSent(), Event::isPing).stream()
                        .allMatch(Event::isOurPing),
                "it is our ping",
                client);
        stage.must(fate.pings().size() == 1 && isPingTime(fate.pings().get(0), T / 2), "it is pinged at T/2", client);
        stage.must(isGoneTime(fate.end(), T), "it is closed at T", client);
        stage.must(contact.presences(client.jid(), "unavailable").size() == 1, "the contact is told once", contact);
        stage.must(!contact.isOver(), "who answers stays", contact);
        return fate;
    }

    private static List<String> open(OpenfireServer server) {
        List<String> addresses = new ArrayList<>();
        for (String session : server.sessions()) {
            addresses.add(session.substring(0, session.lastIndexOf(' ')));
        }
        Collections.sort(addresses);
        return addresses;
    }

    /** Who the plugin keeps something of; an entry without an address is of a connection that has not logged in. */
    private static List<String> kept(OpenfireServer server) {
        List<String> addresses = new ArrayList<>();
        for (JsonElement session : server.status(true).getAsJsonArray("list")) {
            JsonElement address = session.getAsJsonObject().get("jid");
            addresses.add(address == null ? "" : address.getAsString());
        }
        Collections.sort(addresses);
        return addresses;
    }

    private static long memory(OpenfireServer server) {
        return server.status(false).get("memory_bytes").getAsLong();
    }
}
