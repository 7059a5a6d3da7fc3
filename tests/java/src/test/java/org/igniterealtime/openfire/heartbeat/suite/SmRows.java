package org.igniterealtime.openfire.heartbeat.suite;

import static org.igniterealtime.openfire.heartbeat.suite.Times.SLACK;
import static org.igniterealtime.openfire.heartbeat.suite.Times.T;
import static org.igniterealtime.openfire.heartbeat.suite.Times.TICK;
import static org.igniterealtime.openfire.heartbeat.suite.Times.isGoneTime;
import static org.igniterealtime.openfire.heartbeat.suite.Times.isPingTime;
import static org.igniterealtime.openfire.heartbeat.suite.Times.seconds;
import static org.igniterealtime.openfire.heartbeat.suite.Times.sleep;
import static org.igniterealtime.openfire.heartbeat.suite.Times.sleepUntil;
import static org.igniterealtime.openfire.heartbeat.suite.Times.span;

import com.google.gson.JsonObject;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.igniterealtime.openfire.heartbeat.harness.Event;
import org.igniterealtime.openfire.heartbeat.harness.LinkCut;
import org.igniterealtime.openfire.heartbeat.harness.OpenfireServer;
import org.igniterealtime.openfire.heartbeat.harness.PingAnswer;
import org.igniterealtime.openfire.heartbeat.harness.RawClient;

/** The rows with stream management (XEP-0198): a session outlives its connection, and nobody is told. */
final class SmRows {
    private static final String POLICY = "plugin.heartbeat.policy";

    /** A policy under which 200 pings take no 200 times T. */
    private static final String SHORT = "{\"idle\": \"1s\", \"ack_timeout\": \"5s\"}";

    private static final double SHORT_IDLE = 1;
    private static final double SHORT_GONE = 6;

    /** How long a session can be resumed there: longer than it takes to be cut under that policy. */
    private static final double WINDOW = 10;

    private static final int COUNTING = 10;
    private static final int PINGS = 200;

    private SmRows() {}

    /** Those that are played on the servers of the table. */
    static List<Row> all() {
        return List.of(
                new Row("sm-fin", stage -> comesBack(stage, RawClient::finish)),
                new Row("sm-rst", stage -> comesBack(stage, RawClient::reset)),
                new Row("sm-silent-cut", stage -> comesBack(stage, client -> awaitGone(client, T))),
                new Row("sm-link-down", SmRows::linkDown),
                new Row("sm-resume-then-silent", SmRows::resumeThenSilent));
    }

    static List<OwnRow> own() {
        return List.of(
                new OwnRow("sm-close", setup -> setup.set(POLICY, "{\"on_dead\": \"close\"}"), SmRows::close),
                new OwnRow(
                        "stream-management",
                        setup -> setup.set(POLICY, SHORT)
                                .set("xmpp.session.detach.timeout", Long.toString((long) (1000 * WINDOW))),
                        List.of(new Row("sm-never-back", SmRows::neverBack), new Row("sm-counters", SmRows::counters))));
    }

    private interface Way {
        void go(RawClient client);
    }

    /**
     * Loses the connection in this way and resumes on another one: what was lost with it and what came meanwhile arrives,
     * each once and in order; contacts see nothing; it is watched again.
     */
    private static void comesBack(Stage stage, Way way) throws Exception {
        stage.people("client");
        RawClient contact = stage.contact();
        RawClient client = stage.login("client");
        String resumption = client.enableResumption();
        stage.begin();

        say(contact, client, "1", "2");
        client.await("the second message", event -> isMessage(event, "2"));
        long received = client.received();
        // Of this one the client will know nothing, as if it had been on its way when the connection went.
        say(contact, client, "3");
        client.await("the third message", event -> isMessage(event, "3"));
        way.go(client);
        boolean detached = waitsToBeResumed(stage, client);
        say(contact, client, "4", "5", "6");
        contact.sync();

        RawClient back = connectAgain(stage);
        boolean resumed = back.resume(resumption, received);
        if (!resumed) {
            noWayBack(stage, contact, client, detached);
            return;
        }
        back.sync();
        // A ping that was not acknowledged comes again, and has by now.
        long begun = System.nanoTime();
        long quiet = back.lastSent();
        back.answerPings(PingAnswer.RESULT);
        sleepUntil(quiet + (long) ((T / 2 + TICK) * 1e9));
        List<Event> pings = back.events(begun, Event::isPing);
        List<String> messages = back.events(event -> event.isStanza("message")).stream()
                .map(event -> event.stanza().text("body"))
                .toList();
        stage.saw(String.format(
                Locale.ROOT,
                "%s, resumed, got messages %s; pinged after %s; contact saw %d presences",
                detached ? "detached" : "not detached",
                String.join(" ", messages),
                span(pings.stream().map(ping -> seconds(quiet, ping.at())).toList()),
                flicker(stage, contact, client).size()));
        stage.must(detached, "the session waits to be resumed");
        stage.must(messages.equals(List.of("3", "4", "5", "6")), "what it has not got arrives once, in order", back);
        stage.must(flicker(stage, contact, client).isEmpty(), "contacts see nothing", contact);
        stage.must(contact.events(SmRows::isBounced).isEmpty(), "no message comes back to who sent it", contact);
        stage.must(pings.size() == 1 && isPingTime(seconds(quiet, pings.get(0).at()), T / 2), "it is watched again", back);
        stage.must(!back.isOver(), "it stays", back);
        if (stage.hasPlugin()) {
            stage.must(hasRoundTrip(stage, client), "the round trip of the resumed session is recorded", back);
        }
    }

    private static void noWayBack(Stage stage, RawClient contact, RawClient client, boolean detached) {
        sleep(TICK);
        stage.saw((detached ? "detached" : "not detached") + ", not resumed; contact saw "
                + flicker(stage, contact, client).size() + " presences");
        stage.must(false, "it can be resumed", client);
    }

    private static void say(RawClient from, RawClient to, String... texts) {
        for (String text : texts) {
            from.send("<message type='chat' to='" + to.jid() + "'><body>" + text + "</body></message>");
        }
    }

    private static boolean isMessage(Event event, String text) {
        return event.isStanza("message") && text.equals(event.stanza().text("body"));
    }

    private static boolean isBounced(Event event) {
        return event.isStanza("message") && "error".equals(event.stanza().attribute("type"));
    }

    /** Any presence of the client that the contact has seen since the row began. */
    private static List<Event> flicker(Stage stage, RawClient contact, RawClient client) {
        return contact.events(
                stage.beginning(),
                event -> event.isStanza("presence") && client.jid().equals(event.stanza().attribute("from")));
    }

    /** Whether the session gets there soon. */
    private static boolean waitsToBeResumed(Stage stage, RawClient client) {
        String wanted = client.jid() + " detached";
        for (int i = 0; i < 20; i++) {
            if (stage.server().sessions().contains(wanted)) {
                return true;
            }
            sleep(0.1);
        }
        return false;
    }

    private static RawClient connectAgain(Stage stage) {
        RawClient back = stage.add(RawClient.connect(stage.server().door(), stage.user("client") + "/resumed"));
        return back.authenticate(stage.user("client"));
    }

    private static boolean hasRoundTrip(Stage stage, RawClient client) {
        return stage.session(client)
                .map(session -> !session.get("rtt_us").isJsonNull())
                .orElse(false);
    }

    /** The link is down and the client knows it first: it resumes while the server still believes in the old connection. */
    private static void linkDown(Stage stage) throws Exception {
        stage.people("client");
        RawClient contact = stage.contact();
        RawClient client = stage.login("client");
        String resumption = client.enableResumption();
        client.sync();
        stage.begin();
        try (LinkCut cut = new LinkCut(client.localPort(), stage.server().door().port())) {
            RawClient back = connectAgain(stage);
            boolean resumed = back.resume(resumption, client.received());
            stage.must(resumed, "it is resumed", back);
            if (!resumed) {
                return;
            }
            if (stage.server().version().removesResumed()) {
                isOver(stage, contact, client, back);
                return;
            }
            back.sync();
            long begun = System.nanoTime();
            long quiet = back.lastSent();
            back.answerPings(PingAnswer.RESULT);
            sleepUntil(quiet + (long) ((T / 2 + TICK) * 1e9));
            List<Event> pings = back.events(begun, Event::isPing);
            // By now all is over that may come of the old connection, or of a new one that nobody has logged in on.
            sleepUntil(quiet + (long) ((T + 3 * TICK) * 1e9));
            boolean listed = stage.server().sessions().stream().anyMatch(each -> each.startsWith(client.jid()));
            stage.saw(String.format(
                    Locale.ROOT,
                    "resumed, pinged after %s, %s; contact saw %d presences",
                    span(pings.stream().map(ping -> seconds(quiet, ping.at())).toList()),
                    back.isOver() ? "then closed" : listed ? "stays" : "then nobody's session",
                    flicker(stage, contact, client).size()));
            stage.must(flicker(stage, contact, client).isEmpty(), "contacts see nothing", contact);
            stage.must(
                    pings.size() == 1 && isPingTime(seconds(quiet, pings.get(0).at()), T / 2),
                    "it is watched on its new connection",
                    back);
            stage.must(!back.isOver() && listed, "it stays", back);
            if (stage.hasPlugin()) {
                stage.must(hasRoundTrip(stage, client), "the core has it with its round trip", back);
            }
        }
    }

    /** Openfire has removed the session that it had just resumed: contacts hear of it, and its connection does not stay. */
    private static void isOver(Stage stage, RawClient contact, RawClient client, RawClient back) {
        back.answerPings(PingAnswer.RESULT);
        awaitGone(back, T);
        sleep(3 * TICK);
        int told = contact.presences(client.jid(), "unavailable").size();
        boolean listed = stage.server().sessions().stream().anyMatch(each -> each.startsWith(client.jid()));
        stage.saw("resumed, removed, then closed; contact told " + told + " times");
        stage.must(told == 1, "the contact is told once", contact);
        stage.must(!listed, "Openfire has no such session", back);
        if (stage.hasPlugin()) {
            stage.must(stage.session(client).isEmpty(), "nothing is kept of the session", client);
        }
    }

    /** Resumed after it was cut, it answers one ping and then goes silent again: cut again, unseen by contacts. */
    private static void resumeThenSilent(Stage stage) throws Exception {
        stage.people("client");
        RawClient contact = stage.contact();
        RawClient dark = stage.login("client");
        String resumption = dark.enableResumption();
        stage.begin();

        awaitGone(dark, T);
        Fate cut = Fate.of(dark);
        sleep(2 * TICK);
        boolean detached = waitsToBeResumed(stage, dark);
        RawClient back = connectAgain(stage);
        if (!back.resume(resumption, 0)) {
            noWayBack(stage, contact, dark, detached);
            return;
        }
        back.sync();
        sleep(2 * TICK);
        int seenWhileAway = flicker(stage, contact, dark).size();

        // The resumed session answers one ping, then goes dark again, and for good.
        back.answerPings(PingAnswer.RESULT);
        long resumed = System.nanoTime();
        back.await("a ping", event -> event.isPing() && event.at() > resumed);
        sleep(0.5);
        back.answerPings(PingAnswer.NOTHING);
        boolean recorded = stage.hasPlugin() && hasRoundTrip(stage, dark);
        awaitGone(back, T);
        Fate again = Fate.of(back);
        boolean detachedAgain = waitsToBeResumed(stage, dark);
        sleep(2 * TICK);

        stage.saw(String.format(
                Locale.ROOT,
                "cut after %.1f s%s, contact saw %d presences; resumed, pinged after %s and cut again after %.1f s, contact saw %d presences",
                cut.end(),
                cut.hasClosingTag() || cut.hasStreamError() ? " with words" : " without a word",
                seenWhileAway,
                span(again.pings()),
                again.end(),
                flicker(stage, contact, dark).size()));
        stage.must(isGoneTime(cut.end(), T), "it is cut at T", dark);
        stage.must(!cut.hasStreamError() && !cut.hasClosingTag(), "a cut is without a word", dark);
        stage.must(detached, "the session waits to be resumed");
        stage.must(seenWhileAway == 0, "contacts see nothing", contact);
        stage.must(!stage.hasPlugin() || recorded, "the round trip of the resumed session is recorded", back);
        stage.must(again.pings().size() == 1 && isPingTime(again.pings().get(0), T / 2), "it is pinged again", back);
        stage.must(isGoneTime(again.end(), T), "it is cut again", back);
        stage.must(detachedAgain, "the session waits to be resumed again");
        stage.must(flicker(stage, contact, dark).isEmpty(), "contacts see nothing", contact);
    }

    /** The policy says close: a session that might have been resumed ends for good, and contacts hear of it. */
    private static void close(Stage stage) throws Exception {
        stage.people("client");
        RawClient contact = stage.contact();
        RawClient dark = stage.login("client");
        dark.enableResumption();
        stage.begin();
        awaitGone(dark, T);
        sleep(2 * TICK);
        Fate fate = Fate.of(dark);
        List<String> left = stage.server().sessions();
        List<Event> told = contact.presences(dark.jid(), "unavailable");
        stage.saw(String.format(Locale.ROOT, "closed after %.1f s, contact told %d times", fate.end(), told.size()));
        stage.must(isGoneTime(fate.end(), T) && fate.hasStreamError() && fate.hasClosingTag(), "it is closed at T", dark);
        stage.must(told.size() == 1, "the contact is told once", contact);
        stage.must(left.stream().noneMatch(session -> session.startsWith(dark.jid())), "nothing waits: " + left);
    }

    /** Nobody resumes: contacts are told once, when the time for that is over, and not before. */
    private static void neverBack(Stage stage) throws Exception {
        stage.people("fin", "rst", "silent");
        RawClient contact = stage.contact();
        List<RawClient> clients = Stream.of("fin", "rst", "silent").map(stage::login).toList();
        clients.forEach(RawClient::enableResumption);
        stage.begin();

        // The time counts from a last stanza: let it be one of now.
        clients.forEach(RawClient::sync);
        List<Long> lastBytes = clients.stream().map(SmRows::lastByte).toList();
        clients.get(0).finish();
        clients.get(1).reset();
        awaitGone(clients.get(2), SHORT_GONE);
        OpenfireServer server = stage.server();
        for (RawClient client : clients) {
            stage.must(waitsToBeResumed(stage, client), "the session waits to be resumed", client);
        }
        server.sweepDetached();
        sleep(TICK);
        int early = clients.stream().mapToInt(client -> flicker(stage, contact, client).size()).sum();

        // The last stanza of the silent one is the ping that it got.
        sleepUntil(clients.get(2).lastSent() + (long) ((SHORT_IDLE + WINDOW + TICK) * 1e9));
        server.sweepDetached();
        sleep(3 * TICK);
        server.sweepDetached();
        sleep(TICK);
        List<Integer> told = clients.stream()
                .map(client -> contact.presences(client.jid(), "unavailable").size())
                .toList();
        List<String> left = server.sessions();
        stage.saw("contact told " + early + " times before the window ended, then of each " + told);
        stage.must(early == 0, "nobody is told before the window ends", contact);
        stage.must(told.equals(List.of(1, 1, 1)), "the contact is told once of each: " + told, contact);
        for (int i = 0; i < clients.size(); i++) {
            RawClient client = clients.get(i);
            stage.must(left.stream().noneMatch(session -> session.startsWith(client.jid())), "nothing waits: " + left);
            stage.must(stage.session(client).isEmpty(), "nothing is kept of the session", client);
            JsonObject activity = Rows.lastActivityIs(stage, client.user().substring(stage.user("").length()), false);
            double off = (activity.get("seen_ms").getAsLong() - lastBytes.get(i)) / 1e3;
            stage.must(Math.abs(off) <= TICK + SLACK, "last activity is the last byte: " + off + " s off", client);
        }
    }

    /** When the client last sent something, in milliseconds of the wall clock. */
    private static long lastByte(RawClient client) {
        return System.currentTimeMillis() - (long) (1000 * seconds(client.lastSent(), System.nanoTime()));
    }

    /** Pings are stanzas as others are: after 200 of them both sides have counted the same, in both directions. */
    private static void counters(Stage stage) throws Exception {
        List<String> parts = IntStream.range(0, COUNTING).mapToObj(i -> "c" + i).toList();
        stage.people(parts);
        RawClient contact = stage.contact();
        List<RawClient> clients = parts.stream().map(stage::login).toList();
        for (RawClient client : clients) {
            client.answerPings(PingAnswer.RESULT).acknowledge().enableResumption();
        }
        stage.begin();
        OpenfireServer server = stage.server();
        int logged = server.log().length();
        long start = System.nanoTime();
        while (pings(clients, start) < PINGS && seconds(start, System.nanoTime()) < 3 * PINGS / COUNTING) {
            clients.forEach(client -> say(contact, client, "hello"));
            sleep(2 * TICK);
        }
        clients.forEach(client -> client.answerPings(PingAnswer.NOTHING));
        contact.sync();
        sleep(0.2);

        List<String> wrong = new ArrayList<>();
        long received = 0;
        long sent = 0;
        for (RawClient client : clients) {
            long acknowledged = client.acknowledgement();
            sent += client.sent();
            received += client.received();
            if (acknowledged != client.sent()) {
                wrong.add(client.user() + " sent " + client.sent() + ", acknowledged are " + acknowledged);
            }
            if (!agree(server, client)) {
                wrong.add(client.user() + " got " + client.received() + ", the server counts "
                        + server.stanzasSent(client.jid()));
            }
        }
        List<String> doubts = server.log().substring(logged).lines()
                .filter(line -> line.contains("acknowledges stanzas that we didn't send"))
                .toList();
        stage.saw(pings(clients, start) + " pings; " + received + " stanzas to clients and " + sent + " from them, counted "
                + (wrong.isEmpty() ? "alike" : "differently") + " on both sides");
        stage.must(pings(clients, start) >= PINGS, "they are pinged again and again");
        stage.must(wrong.isEmpty(), "both sides count the same: " + wrong);
        stage.must(doubts.isEmpty(), "no count is doubted: " + doubts);
        stage.must(clients.stream().noneMatch(RawClient::isOver), "who answers stays");
    }

    private static long pings(List<RawClient> clients, long since) {
        return clients.stream()
                .mapToLong(client -> client.events(since, Event::isPing).size())
                .sum();
    }

    /** Whether both count the same; a stanza may just be on its way. */
    private static boolean agree(OpenfireServer server, RawClient client) {
        for (int i = 0; i < 5; i++) {
            if (server.stanzasSent(client.jid()) == client.received()) {
                return true;
            }
            sleep(0.1);
        }
        return false;
    }

    private static void awaitGone(RawClient client, double seconds) {
        client.await(Duration.ofSeconds((long) (seconds + 8)), "the end of the connection", Event::isOver);
    }
}
