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

import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.function.Function;
import java.util.stream.IntStream;
import org.igniterealtime.openfire.heartbeat.harness.Event;
import org.igniterealtime.openfire.heartbeat.harness.LinkCut;
import org.igniterealtime.openfire.heartbeat.harness.PingAnswer;
import org.igniterealtime.openfire.heartbeat.harness.ProcessClient;
import org.igniterealtime.openfire.heartbeat.harness.RawClient;
import org.igniterealtime.openfire.heartbeat.harness.Stanza;

/** The rows that are played side by side: T is 12 s, a ping is due at T/2. Each reads as the table does. */
final class Rows {
    private static final int MANY = 100;
    private static final int CYCLES = 5;

    /** How often a client sends a space, in parts of T. */
    static final double OFTEN = 0.4;

    static final double RARE = 0.6;

    /** Long enough for anything that should not come, to come. */
    private static final double AFTERMATH = 2;

    private Rows() {}

    static List<Row> all() {
        return List.of(
                new Row("silent", Rows::silent),
                new Row("answers-result", stage -> answers(stage, PingAnswer.RESULT)),
                new Row("answers-result-smack", Rows::answersBySmack),
                new Row("answers-error", stage -> answers(stage, PingAnswer.ERROR)),
                new Row("space-early", Rows::spaceEarly),
                new Row("space-late", Rows::spaceLate),
                new Row("space-as-answer", stage -> answers(stage, PingAnswer.SPACE)),
                new Row("forged-pong", Rows::forgedPong),
                new Row("logout-status", Rows::logoutStatus),
                new Row("logout-status-smack", Rows::logoutStatusBySmack),
                new Row("logout-burst", Rows::logoutBurst),
                new Row("stream-end", stage -> goes(stage, RawClient::closeStream)),
                new Row("fin", stage -> goes(stage, RawClient::finish)),
                new Row("rst", stage -> goes(stage, RawClient::reset)),
                new Row("sigkill", Rows::sigkill),
                new Row("sigstop", Rows::sigstop),
                new Row("link-down", Rows::linkDown),
                new Row("kicked", Rows::kicked),
                new Row("kicked-by-login", Rows::kickedByLogin),
                new Row("two-devices", Rows::twoDevices),
                new Row("same-jid-again", Rows::sameJidAgain),
                new Row("anonymous", Rows::anonymous),
                new Row("not-logged-in", Rows::notLoggedIn));
    }

    // ---- Silence.

    private static void silent(Stage stage) throws Exception {
        silent(stage, MANY, stage::login);
    }

    /** Nothing after login: pinged at T/2, told why and closed at T; contacts hear of it once. */
    static void silent(Stage stage, int many, Function<String, RawClient> login) throws Exception {
        List<String> parts = IntStream.range(0, many).mapToObj(i -> "s" + i).toList();
        stage.people(parts);
        RawClient contact = stage.contact();
        List<RawClient> clients = parts.stream().map(login).toList();
        stage.begin();

        for (RawClient client : clients) {
            awaitGone(client);
        }
        sleep(AFTERMATH);

        List<Fate> fates = clients.stream().map(Fate::of).toList();
        List<Double> told = new ArrayList<>();
        long toldOnce = 0;
        for (int i = 0; i < many; i++) {
            List<Event> unavailable =
                    contact.presences(clients.get(i).jid(), "unavailable");
            toldOnce += unavailable.size() == 1 ? 1 : 0;
            for (Event event : unavailable) {
                told.add(Math.abs(seconds(fates.get(i).endedAt(), event.at())));
            }
        }
        stage.saw(String.format(
                Locale.ROOT,
                "pinged after %s; closed after %s; %d of %d got the stream error, %d the closing tag; "
                        + "contact told once of %d, at most %.0f ms apart",
                span(fates.stream().flatMap(fate -> fate.pings().stream()).toList()),
                span(fates.stream().map(Fate::end).toList()),
                fates.stream().filter(Fate::hasStreamError).count(),
                many,
                fates.stream().filter(Fate::hasClosingTag).count(),
                toldOnce,
                1000 * told.stream().mapToDouble(Double::doubleValue).max().orElse(Double.NaN)));

        for (int i = 0; i < many; i++) {
            RawClient client = clients.get(i);
            Fate fate = fates.get(i);
            List<Event> unavailable = contact.presences(client.jid(), "unavailable");
            stage.always(fate.pings().size() == 1, client.name() + " is pinged once");
            stage.always(unavailable.size() == 1, "the contact is told once of " + client.name());
            stage.always(fate.end() >= T && fate.end() <= T + 3 * TICK, client.name() + " is closed at T");
        }
        for (int i = 0; i < many; i++) {
            RawClient client = clients.get(i);
            Fate fate = fates.get(i);
            stage.must(isPingTime(fate.pings().get(0), T / 2), "the ping comes at T/2", client);
            stage.must(fate.hasStreamError(), "the stream error arrives", client);
            stage.must(fate.hasClosingTag(), "the closing tag arrives", client);
            stage.must(
                    fate.streamError() <= fate.closingTag() && fate.closingTag() <= fate.end(),
                    "error, closing tag and end come in order",
                    client);
            stage.must(
                    client.events(event -> event.kind() == Event.Kind.BROKEN).isEmpty(),
                    "the connection ends in order",
                    client);
            stage.must(isGoneTime(fate.end(), T), "the end comes at T", client);
            stage.must(told.get(i) <= SLACK, "the contact is told within 100 ms", client);
        }
    }

    /** A process that neither reads nor writes: as silent, from its last byte. */
    private static void sigstop(Stage stage) throws Exception {
        stage.people("client");
        RawClient contact = stage.contact();
        try (ProcessClient client = new ProcessClient(stage.server().door(), stage.user("client"), "phone")) {
            client.speak();
            stage.begin();
            long silent = client.speak();
            client.stop();
            goneUnheard(stage, contact, client.jid(), silent);
        }
    }

    /** Every packet from and to the client is lost: as silent, from its last byte. */
    private static void linkDown(Stage stage) throws Exception {
        stage.people("client");
        RawClient contact = stage.contact();
        RawClient client = stage.login("client").answerPings(PingAnswer.RESULT);
        stage.begin();
        client.sync();
        long silent = client.lastSent();
        try (LinkCut cut = new LinkCut(client.localPort(), stage.server().door().port())) {
            goneUnheard(stage, contact, client.jid(), silent);
            stage.must(Fate.of(client).pings().isEmpty(), "the link is down", client);
        }
    }

    private static void goneUnheard(Stage stage, RawClient contact, String jid, long silent) {
        contact.await(
                Duration.ofSeconds((long) (T + 5)),
                "unavailable presence of " + jid,
                event -> event.isPresence("unavailable") && jid.equals(event.stanza().attribute("from")));
        sleep(AFTERMATH);
        List<Event> told = contact.presences(jid, "unavailable");
        double after = seconds(silent, told.get(0).at());
        stage.saw(String.format(Locale.ROOT, "contact told %d times, %.1f s after the last byte", told.size(), after));
        stage.always(told.size() == 1, "the contact is told once");
        stage.must(isGoneTime(after, T), "the contact is told at T", contact);
        lastActivityIs(stage, "client", false);
    }

    // ---- Signs of life.

    /** Answers each ping in its way: pinged every T/2, stays. */
    private static void answers(Stage stage, PingAnswer how) throws Exception {
        stage.people("client");
        RawClient contact = stage.contact();
        RawClient client = stage.login("client").answerPings(how);
        stage.begin();

        sleepUntil(client.lastSent() + (long) (CYCLES * (T / 2 + TICK) * 1e9));
        List<Double> silences = silencesBeforePings(stage, client);
        stage.saw((client.isOver() ? "thrown out; " : "stays; ") + pingsAfter(silences));
        stage.must(!client.isOver(), "it stays", client);
        stage.must(contact.presences(client.jid(), "unavailable").isEmpty(), "the contact is not told", contact);
        stage.must(silences.size() >= CYCLES, "it is pinged every T/2", client);
        stage.must(silences.stream().allMatch(s -> isPingTime(s, T / 2)), "each ping comes at T/2", client);
        if (stage.hasPlugin()) {
            Optional<Long> roundTrip = roundTrip(stage, client);
            if (how == PingAnswer.SPACE) {
                stage.must(roundTrip.isEmpty(), "a space is no answer that could be timed", client);
            } else {
                stage.must(roundTrip.isPresent(), "the round trip is recorded", client);
                stage.must(roundTrip.orElseThrow() < 1_000_000, "the round trip is that of loopback", client);
            }
        }
    }

    /** The silence before each ping, since whatever was sent last before it. */
    private static List<Double> silencesBeforePings(Stage stage, RawClient client) {
        List<Double> silences = new ArrayList<>();
        long sent = 0;
        for (Event event : client.events(stage.beginning(), event -> true)) {
            if (event.kind() == Event.Kind.SENT) {
                sent = event.at();
            } else if (event.isPing()) {
                silences.add(seconds(sent, event.at()));
            }
        }
        return silences;
    }

    private static String pingsAfter(List<Double> silences) {
        return silences.isEmpty() ? "no ping" : silences.size() + " pings, after " + span(silences);
    }

    /** The last recorded round trip in microseconds. */
    private static Optional<Long> roundTrip(Stage stage, RawClient client) {
        JsonElement recorded = stage.session(client).orElseThrow().get("rtt_us");
        return recorded.isJsonNull() ? Optional.empty() : Optional.of(recorded.getAsLong());
    }

    private static void spaceEarly(Stage stage) throws Exception {
        spaces(stage, OFTEN, stage::login);
    }

    private static void spaceLate(Stage stage) throws Exception {
        spaces(stage, RARE, stage::login);
    }

    /** A space now and then, no answer to any ping: pinged only if that is rarer than every T/2, stays. */
    static void spaces(Stage stage, double partOfT, Function<String, RawClient> login) throws Exception {
        stage.people("client");
        RawClient contact = stage.contact();
        RawClient client = login.apply("client");
        stage.begin();

        for (int i = 0; i < CYCLES; i++) {
            sleepUntil(client.lastSent() + (long) (partOfT * T * 1e9));
            client.send(" ");
        }
        List<Double> silences = silencesBeforePings(stage, client);
        stage.saw((client.isOver() ? "thrown out; " : "stays; ") + pingsAfter(silences));
        stage.must(!client.isOver(), "it stays", client);
        stage.must(contact.presences(client.jid(), "unavailable").isEmpty(), "the contact is not told", contact);
        if (partOfT < 0.5) {
            stage.must(silences.isEmpty(), "it is never pinged", client);
        } else {
            stage.must(silences.size() == CYCLES, "it is pinged once in each silence", client);
            stage.must(silences.stream().allMatch(s -> isPingTime(s, T / 2)), "each ping comes at T/2", client);
        }
    }

    /** Results of pings that were never sent, or long ago, or to someone else: bytes that were read, and no more. */
    private static void forgedPong(Stage stage) throws Exception {
        stage.people("client", "other");
        RawClient contact = stage.contact();
        RawClient client = stage.login("client");
        RawClient other = stage.login("other");
        stage.begin();

        Stanza first = nextPing(client);
        result(client, "hb-0000000000000000000000000000000000000000000000000000000000000000");
        boolean madeUp = stage.hasPlugin() && roundTripAfterSync(stage, client).isPresent();

        Stanza second = nextPing(client);
        Stanza foreign = other.await("a ping", Event::isPing).stanza();
        result(other, foreign.attribute("id"));
        result(client, foreign.attribute("id"));
        boolean ofAnother = stage.hasPlugin() && roundTripAfterSync(stage, client).isPresent();

        Stanza third = nextPing(client);
        result(client, third.attribute("id"));
        Optional<Long> genuine = stage.hasPlugin() ? roundTripAfterSync(stage, client) : Optional.empty();
        result(client, third.attribute("id"));
        result(client, first.attribute("id"));
        result(client, second.attribute("id"));
        Optional<Long> replayed = stage.hasPlugin() ? roundTripAfterSync(stage, client) : Optional.empty();

        nextPing(client);
        List<Double> silences = silencesBeforePings(stage, client);
        stage.saw((client.isOver() ? "thrown out; " : "stays; ") + pingsAfter(silences));
        stage.must(!madeUp, "a made-up id records no round trip", client);
        stage.must(!ofAnother, "the id of someone else's ping records no round trip", client);
        stage.must(!stage.hasPlugin() || genuine.isPresent(), "the right id records one", client);
        stage.must(replayed.equals(genuine), "an old id changes nothing", client);
        stage.must(!client.isOver(), "it stays", client);
        stage.must(contact.presences(client.jid(), "unavailable").isEmpty(), "the contact is not told", contact);
        stage.must(silences.stream().allMatch(s -> isPingTime(s, T / 2)), "each counts as a read", client);
        stage.must(
                client.events(event -> event.kind() == Event.Kind.STANZA && "error".equals(event.stanza().attribute("type")))
                        .isEmpty(),
                "none is answered",
                client);
    }

    private static Stanza nextPing(RawClient client) {
        int before = client.pings().size();
        long end = System.nanoTime() + (long) ((T / 2 + 3) * 1e9);
        while (client.pings().size() == before && System.nanoTime() < end) {
            sleep(0.01);
        }
        List<Event> pings = client.pings();
        if (pings.size() == before) {
            throw new AssertionError(client.name() + " was not pinged again");
        }
        return pings.get(before).stanza();
    }

    private static void result(RawClient client, String id) {
        client.send("<iq type='result' id='" + id + "'/>");
    }

    private static Optional<Long> roundTripAfterSync(Stage stage, RawClient client) {
        client.sync();
        return roundTrip(stage, client);
    }

    // ---- Ways to go.

    /** Unavailable with a status, then the end: contacts see the status, once, and it is kept. */
    private static void logoutStatus(Stage stage) throws Exception {
        stage.people("client");
        RawClient contact = stage.contact();
        RawClient client = stage.login("client").answerPings(PingAnswer.RESULT);
        stage.begin();

        long left = System.nanoTime();
        client.unavailable("gone <fishing> & more");
        client.closeStream();
        leftWithStatus(stage, contact, client.jid(), left, "gone <fishing> & more");
    }

    static void leftWithStatus(Stage stage, RawClient contact, String jid, long left, String status) {
        contact.awaitPresence(jid, "unavailable");
        sleep(AFTERMATH);
        List<Event> told = contact.presences(jid, "unavailable");
        double after = seconds(left, told.get(0).at());
        String seen = told.get(0).stanza().text("status");
        stage.saw(String.format(
                Locale.ROOT, "contact told %d times, after %.0f ms, status \"%s\"", told.size(), 1000 * after, seen));
        stage.always(told.size() == 1, "the contact is told once");
        stage.always(status.equals(seen), "the contact sees the status");
        stage.must(after <= SLACK, "the contact is told within 100 ms", contact);
        if (stage.hasPlugin()) {
            JsonObject activity = lastActivityIs(stage, "client", false);
            stage.must(activity.get("why").getAsString().equals("logout"), "it is known as a logout: " + activity);
            stage.must(
                    activity.has("status") && activity.get("status").getAsString().equals(status),
                    "the status is kept: " + activity);
        }
    }

    /** The plugin's last activity of a part's user; nothing to check without the plugin. */
    static JsonObject lastActivityIs(Stage stage, String part, boolean online) {
        if (!stage.hasPlugin()) {
            return null;
        }
        Optional<JsonObject> activity = stage.server().lastActivity(stage.user(part));
        stage.must(activity.isPresent(), "last activity of " + part + " is kept");
        stage.must(
                activity.orElseThrow().get("online").getAsBoolean() == online,
                part + " is known as " + (online ? "online" : "offline") + ": " + activity);
        return activity.get();
    }

    private static void logoutStatusBySmack(Stage stage) throws Exception {
        stage.people("client");
        RawClient contact = stage.contact();
        try (SmackClient client = new SmackClient(stage.server().door(), stage.user("client"), "phone");
                SmackClient watcher = new SmackClient(stage.server().door(), stage.user("contact"), "smack")) {
            stage.begin();
            long left = System.nanoTime();
            client.logout("back at five");
            leftWithStatus(stage, contact, client.jid(), left, "back at five");
            stage.always(
                    watcher.unavailable(client.jid()).equals(List.of("back at five")),
                    "a contact with Smack sees it too: " + watcher.unavailable(client.jid()));
        }
    }

    private static void answersBySmack(Stage stage) throws Exception {
        stage.people("client");
        RawClient contact = stage.contact();
        try (SmackClient client = new SmackClient(stage.server().door(), stage.user("client"), "phone")) {
            stage.begin();
            sleep(CYCLES * (T / 2 + TICK));
            stage.saw((client.isConnected() ? "stays; " : "thrown out; ") + client.pings() + " pings");
            stage.must(client.isConnected(), "it stays");
            stage.must(client.pings() >= CYCLES, "it is pinged every T/2");
            stage.must(contact.presences(client.jid(), "unavailable").isEmpty(), "the contact is not told", contact);
            if (stage.hasPlugin()) {
                JsonElement recorded =
                        stage.server().session(client.jid()).orElseThrow().get("rtt_us");
                stage.must(!recorded.isJsonNull(), "the round trip is recorded");
            }
        }
    }

    /** Many that send 30 IQs, unavailable with a status and FIN in one write: the status is not overtaken. */
    private static void logoutBurst(Stage stage) throws Exception {
        List<String> parts = IntStream.range(0, MANY).mapToObj(i -> "b" + i).toList();
        stage.people(parts);
        RawClient contact = stage.contact();
        List<RawClient> clients = parts.stream().map(stage::login).toList();
        stage.begin();
        // After those rows that end at once, and before any ping is due: this is no load for others to be timed under.
        sleep(T / 4);

        for (RawClient client : clients) {
            StringBuilder burst = new StringBuilder();
            for (int i = 0; i < 30; i++) {
                burst.append("<iq type='get' id='q").append(i).append("'><query xmlns='jabber:iq:version'/></iq>");
            }
            burst.append("<presence type='unavailable'><status>bye from ").append(client.user()).append("</status></presence>");
            client.send(burst.toString());
            client.finish();
        }
        for (RawClient client : clients) {
            contact.awaitPresence(client.jid(), "unavailable");
        }
        sleep(AFTERMATH);
        long once = 0;
        long withStatus = 0;
        for (RawClient client : clients) {
            List<Event> told = contact.presences(client.jid(), "unavailable");
            once += told.size() == 1 ? 1 : 0;
            withStatus += ("bye from " + client.user()).equals(told.get(0).stanza().text("status")) ? 1 : 0;
        }
        stage.saw("contact told once of " + once + " of " + MANY + ", with the status of " + withStatus);
        stage.must(once == MANY, "the contact is told once of each", contact);
        stage.must(withStatus == MANY, "the contact sees each status", contact);
        if (stage.hasPlugin()) {
            for (String part : parts) {
                JsonObject activity = lastActivityIs(stage, part, false);
                stage.must(activity.get("why").getAsString().equals("logout"), "it is known as a logout: " + activity);
            }
        }
    }

    private interface Way {
        void go(RawClient client);
    }

    /** Closes in this way: contacts see one unavailable at once. */
    private static void goes(Stage stage, Way way) throws Exception {
        stage.people("client");
        RawClient contact = stage.contact();
        RawClient client = stage.login("client").answerPings(PingAnswer.RESULT);
        stage.begin();

        long left = System.nanoTime();
        way.go(client);
        toldAtOnce(stage, contact, client.jid(), left);
        lastActivityIs(stage, "client", false);
    }

    private static void toldAtOnce(Stage stage, RawClient contact, String jid, long left) {
        contact.awaitPresence(jid, "unavailable");
        sleep(AFTERMATH);
        List<Event> told = contact.presences(jid, "unavailable");
        double after = seconds(left, told.get(0).at());
        stage.saw(String.format(Locale.ROOT, "contact told %d times, after %.0f ms", told.size(), 1000 * after));
        stage.always(told.size() == 1, "the contact is told once");
        stage.must(after <= SLACK, "the contact is told within 100 ms", contact);
    }

    private static void sigkill(Stage stage) throws Exception {
        stage.people("client");
        RawClient contact = stage.contact();
        try (ProcessClient client = new ProcessClient(stage.server().door(), stage.user("client"), "phone")) {
            client.speak();
            stage.begin();
            long killed = System.nanoTime();
            client.kill();
            toldAtOnce(stage, contact, client.jid(), killed);
            lastActivityIs(stage, "client", false);
        }
    }

    /** An administrator closes the session. */
    private static void kicked(Stage stage) throws Exception {
        stage.people("client");
        RawClient contact = stage.contact();
        RawClient client = stage.login("client").answerPings(PingAnswer.RESULT);
        stage.begin();

        long left = System.nanoTime();
        stage.server().kick(client.jid());
        toldAtOnce(stage, contact, client.jid(), left);
        lastActivityIs(stage, "client", false);
        if (stage.hasPlugin()) {
            stage.must(stage.session(client).isEmpty(), "nothing is kept of the session");
        }
    }

    /** Another login takes the resource: the old one is told gone, the new one lives, whatever is done about the old. */
    private static void kickedByLogin(Stage stage) throws Exception {
        stage.people("client");
        RawClient contact = stage.contact();
        RawClient old = stage.login("client");
        stage.begin();
        sleep(T / 3);
        RawClient fresh = stage.login("client").answerPings(PingAnswer.RESULT);
        old.await("the end of the old connection", Event::isOver);
        staysAfterTheOldOne(stage, contact, fresh);
    }

    /** The same full JID again, while the link of the old connection is down. */
    private static void sameJidAgain(Stage stage) throws Exception {
        stage.people("client");
        RawClient contact = stage.contact();
        RawClient old = stage.login("client");
        stage.begin();
        try (LinkCut cut = new LinkCut(old.localPort(), stage.server().door().port())) {
            sleep(T / 3);
            RawClient fresh = stage.login("client").answerPings(PingAnswer.RESULT);
            staysAfterTheOldOne(stage, contact, fresh);
        }
    }

    private static void staysAfterTheOldOne(Stage stage, RawClient contact, RawClient fresh) {
        sleep(T + 3 * TICK);
        List<Event> presences = contact.events(event -> event.kind() == Event.Kind.STANZA
                && event.stanza().name().equals("presence")
                && fresh.jid().equals(event.stanza().attribute("from")));
        List<String> kinds = presences.stream()
                .map(event -> event.isPresence("unavailable") ? "unavailable" : "available")
                .toList();
        stage.saw((fresh.isOver() ? "the new one is thrown out" : "the new one stays") + "; contact saw "
                + String.join(", ", kinds));
        stage.must(!fresh.isOver(), "the new one stays", fresh);
        boolean tellsOfReplaced = stage.server().version().tellsOfReplaced();
        stage.must(
                kinds.equals(List.of("available", "unavailable", "available"))
                        || !tellsOfReplaced && kinds.equals(List.of("available", "available")),
                "one unavailable for the old one" + (tellsOfReplaced ? "" : " at most") + ", none for the new one",
                contact);
        lastActivityIs(stage, "client", true);
    }

    /** One of two resources dies: the other one is not touched. */
    private static void twoDevices(Stage stage) throws Exception {
        stage.people("client");
        RawClient contact = stage.contact();
        RawClient phone = stage.login("client", "phone");
        RawClient laptop = stage.login("client", "laptop").answerPings(PingAnswer.RESULT);
        stage.begin();

        awaitGone(phone);
        sleep(AFTERMATH);
        laptop.sync();
        List<Event> ofPhone = contact.presences(phone.jid(), "unavailable");
        List<Event> ofLaptop = contact.presences(laptop.jid(), "unavailable");
        stage.saw("contact told " + ofPhone.size() + " times of the dead one, " + ofLaptop.size() + " of the other");
        stage.always(ofPhone.size() == 1, "the contact is told once of the dead one");
        stage.always(ofLaptop.isEmpty(), "the contact is not told of the other one");
        stage.always(!laptop.isOver(), "the other one stays");
        if (stage.hasPlugin()) {
            JsonObject activity = lastActivityIs(stage, "client", true);
            long ago = activity.get("ago_ms").getAsLong();
            stage.must(ago >= 0 && ago <= 1000 * (TICK + SLACK), "the user's last activity goes on: " + activity);
        }
    }

    // ---- Without a name.

    /** Anonymous sessions are pinged and closed as others are; no last activity is kept. */
    private static void anonymous(Stage stage) throws Exception {
        RawClient lively = stage.add(RawClient.loginAnonymously(stage.server().door()).available());
        RawClient silent = stage.add(RawClient.loginAnonymously(stage.server().door()).available());
        lively.answerPings(PingAnswer.RESULT);
        stage.begin();

        awaitGone(silent);
        Fate fate = Fate.of(silent);
        List<Double> silences = silencesBeforePings(stage, lively);
        stage.saw(String.format(
                Locale.ROOT, "silent: pinged after %s, closed after %.1f s; answering: %s",
                span(fate.pings()), fate.end(), lively.isOver() ? "thrown out" : "stays"));
        stage.must(fate.pings().size() == 1 && isPingTime(fate.pings().get(0), T / 2), "one ping at T/2", silent);
        stage.must(isGoneTime(fate.end(), T), "the silent one is closed at T", silent);
        stage.must(!lively.isOver() && !silences.isEmpty(), "the other one is pinged and stays", lively);
        if (stage.hasPlugin()) {
            for (RawClient client : List.of(lively, silent)) {
                String node = client.jid().substring(0, client.jid().indexOf('@'));
                stage.must(stage.server().lastActivity(node).isEmpty(), "no last activity is kept of " + node);
            }
        }
    }

    /** Connections that never log in are closed at the time for that, whatever they send, and never pinged. */
    private static void notLoggedIn(Stage stage) throws Exception {
        stage.people("authenticated");
        List<RawClient> all = new ArrayList<>();
        stage.begin(() -> {
            all.add(RawClient.connect(stage.server().door(), "mute"));
            all.add(RawClient.connect(stage.server().door(), "opened").openStream());
            all.add(RawClient.connect(stage.server().door(), "spaces").openStream());
            all.add(RawClient.connect(stage.server().door(), "stanzas").openStream());
            all.add(RawClient.connect(stage.server().door(), "unbound").authenticate(stage.user("authenticated")));
            all.forEach(stage::add);
        });
        RawClient spaces = all.get(2);
        RawClient stanzas = all.get(3);
        RawClient unbound = all.get(4);

        long end = System.nanoTime() + (long) ((T + 4) * 1e9);
        for (int i = 0; System.nanoTime() < end; i++) {
            for (RawClient client : List.of(spaces, unbound)) {
                if (!client.isOver()) {
                    client.send(" ");
                }
            }
            if (!stanzas.isOver()) {
                stanzas.send("<iq type='get' id='n" + i + "'><query xmlns='jabber:iq:auth'/></iq>");
            }
            sleep(1);
        }
        List<String> ends = new ArrayList<>();
        for (RawClient client : all) {
            double after = Fate.of(client, client.connected()).end();
            ends.add(client.name() + " " + (Double.isNaN(after) ? "never" : String.format(Locale.ROOT, "%.1f s", after)));
        }
        stage.saw("closed after: " + String.join(", ", ends) + "; "
                + all.stream().mapToInt(client -> client.pings().size()).sum() + " pings");
        for (RawClient client : all) {
            stage.must(client.pings().isEmpty(), client.name() + " is not pinged", client);
            double after = Fate.of(client, client.connected()).end();
            stage.must(isGoneTime(after, T), client.name() + " is closed in time", client);
        }
    }

    private static void awaitGone(RawClient client) {
        client.await(Duration.ofSeconds((long) (T + 10)), "the end of the connection", Event::isOver);
    }
}
