package org.igniterealtime.openfire.heartbeat.suite;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.time.Duration;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.List;
import java.util.Map;
import java.util.function.Predicate;
import java.util.stream.Collectors;
import org.igniterealtime.openfire.heartbeat.harness.Event;
import org.igniterealtime.openfire.heartbeat.harness.OpenfireServer;
import org.igniterealtime.openfire.heartbeat.harness.PingAnswer;
import org.igniterealtime.openfire.heartbeat.harness.Products;
import org.igniterealtime.openfire.heartbeat.harness.RawClient;
import org.jivesoftware.smackx.commands.RemoteCommand;
import org.jivesoftware.smackx.xdata.form.FillableForm;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** The administrators' commands (XEP-0050), run by real clients. */
@Timeout(120)
final class AdHocTest {
    private static final String POLICY = "plugin.heartbeat.policy";
    private static final String ENABLED = "plugin.heartbeat.enabled";
    private static final String STATUS = "heartbeat#status";
    private static final String PING = "heartbeat#ping";
    private static final String WHY = "heartbeat#why";
    private static final String NOT_SEEN = "heartbeat#not-seen-since";
    private static final List<String> ALL = List.of(STATUS, PING, WHY, NOT_SEEN);
    private static final String ACCOUNT = "accountjid";

    private static final String HOSTILE = "<note type='error'>]]>&\"'{{jid}}";
    private static final Instant LONG_AGO = Instant.now().minus(400, ChronoUnit.DAYS).truncatedTo(ChronoUnit.SECONDS);
    private static final Instant SOME_DAYS_AGO = Instant.now().minus(10, ChronoUnit.DAYS);

    private static OpenfireServer server;
    private static RawClient boss;

    @BeforeAll
    static void start() {
        server = OpenfireServer.named("ad-hoc")
                .set("admin.authorizedJIDs", "boss@ad-hoc.test")
                .start();
        server.users(List.of("boss", "alice", "bob", "carol", "dave", "old", "older"));
        server.left("older", LONG_AGO.toEpochMilli());
        server.left("old", LONG_AGO.toEpochMilli() + 1000);
        server.left("dave", SOME_DAYS_AGO.toEpochMilli());
        assertTrue(server.install(Products.plugin()));
        boss = login("boss", "desk");
    }

    @AfterAll
    static void stop() {
        if (boss != null) {
            boss.close();
        }
        if (server != null) {
            server.close();
        }
    }

    @AfterEach
    void asItWasInstalled() {
        server.delete(POLICY);
        server.delete(ENABLED);
    }

    private static RawClient login(String user, String resource) {
        return RawClient.login(server.door(), user, resource)
                .answerPings(PingAnswer.RESULT)
                .available();
    }

    private static AdHoc why(String user) {
        return AdHoc.begin(boss, WHY).go("complete", ACCOUNT, user);
    }

    private static AdHoc awaitWhy(String user, Predicate<AdHoc> seen) {
        AdHoc answer = why(user);
        for (int i = 0; i < 100 && !seen.test(answer); i++) {
            Times.sleep(0.1);
            answer = why(user);
        }
        assertTrue(seen.test(answer), answer.toString());
        return answer;
    }

    private static String only(List<String> notes, String type) {
        assertEquals(1, notes.size(), notes.toString());
        assertTrue(notes.get(0).startsWith(type + ": "), notes.toString());
        return notes.get(0);
    }

    @Test
    void onlyAdministratorsAreOfferedThem() {
        List<String> offered = AdHoc.offeredTo(boss);
        assertTrue(offered.containsAll(ALL), offered.toString());
        try (RawClient alice = login("alice", "offered")) {
            assertEquals(List.of(), AdHoc.offeredTo(alice).stream().filter(node -> node.startsWith("heartbeat")).toList());
        }
    }

    @Test
    void nobodyElseMayRunThem() {
        try (RawClient alice = login("alice", "refused")) {
            for (String node : ALL) {
                AdHoc refused = AdHoc.begin(alice, node);
                assertTrue(refused.isError(), refused.toString());
                assertEquals("forbidden", refused.error(), refused.toString());
            }
        }
    }

    @Test
    void whoIsNoAdministratorAnyMoreIsToldNothing() {
        AdHoc begun = AdHoc.begin(boss, WHY);
        server.command("administrators", "somebody@ad-hoc.test");
        try {
            begun.go("complete", ACCOUNT, "boss");
            assertEquals("error: You are no administrator any more.", only(begun.notes(), "error"));
            assertFalse(begun.hasForm(), begun.toString());
        } finally {
            server.command("administrators", "boss@ad-hoc.test");
        }
    }

    @Test
    void statusTellsWhoIsInCharge() {
        server.set(POLICY, "{\"idle\": \"17m\"}");
        AdHoc status = AdHoc.begin(boss, STATUS);
        assertEquals("completed", status.status(), status.toString());
        assertEquals("result", status.formType());
        assertEquals("boolean: 1", status.field("in_charge").replace("true", "1"));
        long sessions = Long.parseLong(status.field("sessions").replace("text-single: ", ""));
        assertTrue(sessions >= 1 && status.field("sessions_alive") != null, status.toString());
        assertEquals("text-single: on disk, encrypted", status.field("journal"));
        assertTrue(status.field("policy").contains("idle: 17m\n"), status.field("policy"));
        server.set(ENABLED, "false");
        status = AdHoc.begin(boss, STATUS);
        assertEquals("boolean: 0", status.field("in_charge").replace("false", "0"));
        assertTrue(only(status.notes(), "error").contains("Openfire's own idle policy is in charge"));
        for (String node : List.of(WHY, NOT_SEEN)) {
            AdHoc off = AdHoc.begin(boss, node).go("complete", ACCOUNT, "boss");
            assertTrue(only(off.notes(), "error").contains("Openfire's own idle policy is in charge"), off.toString());
        }
    }

    @Test
    void aUserIsPingedAndTheRoundTripsAreTold() {
        try (RawClient phone = login("alice", "phone");
                RawClient deaf = login("alice", "deaf").answerPings(PingAnswer.NOTHING);
                RawClient bob = login("bob", "other")) {
            AdHoc ping = AdHoc.begin(boss, PING);
            assertEquals("executing", ping.status());
            assertEquals("next=next", ping.actions());
            assertEquals("jid-single: ", ping.field(ACCOUNT));
            ping.go("next", ACCOUNT, "alice@ad-hoc.test");
            assertEquals("next complete=complete", ping.actions(), ping.toString());
            assertEquals(2, ping.fixed().size(), ping.toString());
            phone.await("a ping", Event::isOurPing);
            deaf.await("a ping", Event::isOurPing);
            phone.sync();
            ping.go("next");
            assertTrue(ping.fixed().stream().anyMatch(line -> line.matches("alice@ad-hoc.test/phone: .* ms")), ping.toString());
            assertTrue(ping.fixed().contains("alice@ad-hoc.test/deaf: no answer yet"), ping.toString());
            ping.go("complete");
            assertEquals("completed", ping.status());
            assertEquals("result", ping.formType());
            Map<String, Map<String, String>> rows =
                    ping.rows().stream().collect(Collectors.toMap(row -> row.get("jid"), row -> row));
            assertEquals(2, rows.size(), ping.toString());
            double trip = Double.parseDouble(rows.get(phone.jid()).get("rtt_ms"));
            assertTrue(trip > 0 && trip < 10_000, ping.toString());
            assertEquals("", rows.get(deaf.jid()).get("rtt_ms"));
            assertTrue(only(ping.notes(), "info").contains("Not everyone has answered"));
            assertEquals(List.of(), bob.events(Event::isOurPing));
        }
    }

    @Test
    void oneSessionIsPinged() {
        try (RawClient phone = login("bob", "phone");
                RawClient desk = login("bob", "desk")) {
            AdHoc ping = AdHoc.begin(boss, PING).go("next", ACCOUNT, phone.jid());
            phone.await("a ping", Event::isOurPing);
            phone.sync();
            // "execute" is what completes it now.
            ping.go("execute");
            assertEquals("completed", ping.status());
            assertEquals(List.of(), ping.notes());
            assertEquals(1, ping.rows().size(), ping.toString());
            assertEquals(phone.jid(), ping.rows().get(0).get("jid"));
            assertEquals(List.of(), desk.events(Event::isOurPing));
        }
    }

    /** The form comes again with what is wrong, and the command goes on once it is right. */
    @Test
    void whoCanNotBePingedIsAskedForAgain() {
        AdHoc ping = AdHoc.begin(boss, PING);
        for (String[] wrong : new String[][] {
            {"carol", "No session of carol@ad-hoc.test is open."},
            {"nobody", "No session of nobody@ad-hoc.test is open."},
            {"", "name a user"},
            {"@", "no user name"},
            {"a@b@c", "no user name"},
            {HOSTILE, "no user name"},
            {"x".repeat(2000), "no user name"},
            {"alice@elsewhere.example", "alice@elsewhere.example is not a user of this server"}
        }) {
            ping.go("next", ACCOUNT, wrong[0]);
            assertEquals("executing", ping.status(), ping.toString());
            assertTrue(only(ping.notes(), "error").contains(wrong[1]), ping.toString());
            assertEquals("next=next", ping.actions());
            assertNotNull(ping.field(ACCOUNT));
        }
        assertEquals("bad-request", ping.go("complete").error(), ping.toString());
        try (RawClient carol = login("carol", "late")) {
            ping.go("next", ACCOUNT, "carol");
            carol.await("a ping", Event::isOurPing);
            assertEquals("next complete=complete", ping.actions());
            assertFalse(ping.go("complete").isError(), ping.toString());
        }
    }

    @Test
    void whyTellsOfADeadSessionByItsUser() {
        try (RawClient silent = RawClient.login(server.door(), "carol", "silent").available()) {
            server.set(POLICY, "{\"idle\": \"2s\", \"ack_timeout\": \"2s\"}");
            silent.await(Duration.ofSeconds(15), "the end", Event::isOver);
            AdHoc why = awaitWhy("carol", answer -> answer.notes().toString().contains("did not answer pings"));
            assertTrue(only(why.notes(), "info").contains("carol@ad-hoc.test: 0 open sessions."), why.toString());
            // The newest first.
            List<Map<String, String>> rows =
                    why.rows().stream().filter(row -> row.get("jid").equals(silent.jid())).toList();
            Map<String, String> end = rows.stream().filter(row -> row.get("reason").equals("no-answer")).findFirst().orElseThrow();
            assertEquals("disconnected, its session ended", end.get("action"));
            assertTrue(end.get("meaning").contains("last ping was not answered"), end.toString());
            Duration ago = Duration.between(Instant.parse(end.get("time")), Instant.now());
            assertTrue(ago.toSeconds() >= -2 && ago.toSeconds() < 60, end.toString());
            Map<String, String> first = rows.get(rows.indexOf(end) + 1);
            assertEquals("ping idle", first.get("action") + " " + first.get("reason"));
            // And by the full JID; and not of another one.
            assertEquals(
                    List.of(silent.jid()),
                    why(silent.jid()).rows().stream().map(row -> row.get("jid")).distinct().toList());
            AdHoc other = why("carol@ad-hoc.test/nowhere");
            assertFalse(other.hasForm(), other.toString());
        }
    }

    @Test
    void whyTellsOfALogoutAndOfNothingDone() {
        RawClient dave = login("dave", "desk");
        AdHoc online = why("dave@ad-hoc.test");
        assertTrue(only(online.notes(), "info").contains("dave@ad-hoc.test: 1 open sessions."), online.toString());
        assertFalse(online.hasForm(), online.toString());
        dave.unavailable("bye");
        dave.closeStream();
        dave.await("the end", Event::isOver);
        dave.close();
        AdHoc gone = awaitWhy("dave", answer -> answer.notes().toString().contains("0 open sessions"));
        assertTrue(gone.notes().get(0).contains("logged out"), gone.toString());
        List<String> ends = gone.rows().stream()
                .filter(row -> row.get("action").equals("not by Heartbeat"))
                .map(row -> row.get("jid") + " " + row.get("reason"))
                .toList();
        assertEquals(List.of("dave@ad-hoc.test/desk logout"), ends, gone.toString());
    }

    @Test
    void whyOfNobody() {
        for (String[] wrong : new String[][] {
            {"nobody", "Nothing was known of nobody@ad-hoc.test"},
            {"", "name a user"},
            {"a b", "no user name"},
            {HOSTILE, "no user name"},
            {"alice@elsewhere.example/x", "alice@elsewhere.example is not a user of this server"}
        }) {
            AdHoc why = why(wrong[0]);
            assertEquals("completed", why.status(), why.toString());
            assertTrue(only(why.notes(), "error").contains(wrong[1]), why.toString());
            assertFalse(why.hasForm());
        }
        AdHoc none = AdHoc.begin(boss, WHY).go("complete");
        assertTrue(only(none.notes(), "error").contains("name a user"), none.toString());
    }

    @Test
    void hostileNamesAreToldAsTheyAre() {
        try (RawClient bob = login("bob", HOSTILE)) {
            AdHoc ping = AdHoc.begin(boss, PING).go("next", ACCOUNT, bob.jid());
            bob.await("a ping", Event::isOurPing);
            bob.sync();
            ping.go("complete");
            assertEquals("bob@ad-hoc.test/" + HOSTILE, ping.rows().get(0).get("jid"));
            AdHoc why = why("bob");
            assertTrue(
                    why.rows().stream()
                            .anyMatch(row -> row.get("jid").equals("bob@ad-hoc.test/" + HOSTILE)
                                    && row.get("reason").equals("admin")),
                    why.toString());
            assertTrue(why(bob.jid()).title().endsWith(HOSTILE), why.toString());
        }
    }

    @Test
    void whoWasNotSeenForLongIsListed() {
        AdHoc form = AdHoc.begin(boss, NOT_SEEN);
        assertEquals("text-single: 90", form.field("days"));
        assertTrue(form.toString().contains("xs:integer"), form.toString());
        assertTrue(form.field("max_items").startsWith("list-single: "), form.toString());
        form.go("complete", "days", "90", "max_items", "100");
        assertEquals(List.of(), form.notes());
        assertEquals(
                List.of("older@ad-hoc.test", "old@ad-hoc.test"),
                form.rows().stream().map(row -> row.get("user")).toList());
        assertEquals(LONG_AGO.toString(), form.rows().get(0).get("seen"), form.toString());
        AdHoc first = AdHoc.begin(boss, NOT_SEEN).go("complete", "days", "90", "max_items", "1");
        assertEquals(1, first.rows().size());
        assertTrue(only(first.notes(), "info").contains("more than these 1"), first.toString());
        AdHoc nobody = AdHoc.begin(boss, NOT_SEEN).go("complete", "days", "36500");
        assertTrue(only(nobody.notes(), "info").contains("No user is like that"), nobody.toString());
        for (String days : List.of("0", "-1", "36501", "99999999999999999999", "1.5", HOSTILE)) {
            AdHoc wrong = AdHoc.begin(boss, NOT_SEEN).go("complete", "days", days);
            assertTrue(only(wrong.notes(), "error").contains("from 1 to 36,500"), wrong.toString());
        }
        for (String most : List.of("0", "1000", "all")) {
            AdHoc wrong = AdHoc.begin(boss, NOT_SEEN).go("complete", "days", "90", "max_items", most);
            assertTrue(only(wrong.notes(), "error").contains("from 1 to 999"), wrong.toString());
        }
    }

    @Test
    void chineseIsSpokenToThoseWhoAskForIt() {
        for (String tag : List.of("zh-CN", "zh", "zh-Hans-CN")) {
            try (RawClient chief = RawClient.connect(server.door(), "chief")
                    .speaking(tag)
                    .authenticate("boss")
                    .bind("zh")) {
                AdHoc why = AdHoc.begin(chief, WHY);
                assertEquals("Heartbeat：用户为何被断开", why.title());
                why.go("complete", ACCOUNT, "");
                assertEquals("error: 未作任何操作：请填写用户。", only(why.notes(), "error"));
            }
        }
        // The status is in the server's language up to 4.8.
        server.command("locale", "zh-CN");
        try (RawClient chief =
                RawClient.connect(server.door(), "chief").speaking("zh-CN").authenticate("boss").bind("zh")) {
            assertEquals("text-single: 磁盘，已加密", AdHoc.begin(chief, STATUS).field("journal"));
        } finally {
            server.command("locale", "en");
        }
        try (RawClient chief = RawClient.connect(server.door(), "chief")
                .speaking("fr")
                .authenticate("boss")
                .bind("fr")) {
            assertEquals("Heartbeat: why was a user disconnected", AdHoc.begin(chief, WHY).title());
        }
    }

    /** Smack reads forms, validation and tables more strictly than we do. */
    @Test
    void smackRunsThem() throws Exception {
        try (SmackClient chief = new SmackClient(server.door(), "boss", "smack");
                RawClient bob = login("bob", "pinged")) {
            assertTrue(chief.commands().containsAll(ALL), chief.commands().toString());
            RemoteCommand ping = chief.command(PING);
            FillableForm user = new FillableForm(ping.getForm());
            user.setAnswer(ACCOUNT, bob.jid());
            ping.next(user);
            bob.await("a ping", Event::isOurPing);
            bob.sync();
            ping.complete(new FillableForm(ping.getForm()));
            assertTrue(ping.isCompleted());
            assertEquals(bob.jid(), ping.getForm().getItems().get(0).getFields().get(0).getFirstValue());
            RemoteCommand list = chief.command(NOT_SEEN);
            FillableForm days = new FillableForm(list.getForm());
            days.setAnswer("days", 90);
            days.setAnswer("max_items", "25");
            list.complete(days);
            assertEquals(2, list.getForm().getItems().size());
            RemoteCommand status = chief.command(STATUS);
            assertTrue(status.isCompleted());
            assertEquals("on disk, encrypted", status.getForm().getField("journal").getFirstValue());
        }
    }

    @Test
    void theyGoWithThePluginAndComeBack() {
        AdHoc begun = AdHoc.begin(boss, WHY);
        server.uninstall();
        List<String> offered = AdHoc.offeredTo(boss);
        assertTrue(offered.stream().noneMatch(node -> node.startsWith("heartbeat")), offered.toString());
        for (String node : ALL) {
            assertEquals("item-not-found", AdHoc.begin(boss, node).error());
        }
        assertTrue(begun.go("cancel").isError() || begun.status().equals("canceled"), begun.toString());
        assertTrue(server.install(Products.plugin()));
        assertTrue(AdHoc.offeredTo(boss).containsAll(ALL));
        assertFalse(AdHoc.begin(boss, STATUS).isError());
    }
}
