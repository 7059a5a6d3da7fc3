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
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.Socket;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.function.Function;
import java.util.stream.IntStream;
import org.igniterealtime.openfire.heartbeat.harness.Event;
import org.igniterealtime.openfire.heartbeat.harness.OpenfireServer;
import org.igniterealtime.openfire.heartbeat.harness.PingAnswer;
import org.igniterealtime.openfire.heartbeat.harness.RawClient;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.TestFactory;
import org.junit.jupiter.api.TestInstance;

/** The rows with many: one after the other, and nothing else beside them. */
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
final class CrowdTest {
    private static final int CROWD = 1_000;
    private static final int CONTACTS = 50;
    private static final int STORM = 500;
    private static final int BYSTANDERS = 50;
    private static final int CHECKS = 10_000;
    private static final Duration STALL = Duration.ofSeconds(60);
    private static final int KNOCKS_AT_ONCE = 20;
    private static final int LOGINS_AT_ONCE = 8;

    @TestFactory
    @DisplayName("rows with many")
    List<DynamicTest> rows() {
        List<OwnRow> rows = List.of(
                new OwnRow("crowd", setup -> setup.heap("1g").shortPauses(), CrowdTest::crowd),
                new OwnRow("mass-death", setup -> setup.heap("1g").shortPauses(), CrowdTest::massDeath),
                new OwnRow("reset-storm", setup -> setup.heap("1g").shortPauses(), CrowdTest::resetStorm),
                new OwnRow("stall", setup -> setup.heap("1g").shortPauses(), CrowdTest::stall),
                new OwnRow("health-checks", CrowdTest::healthChecks));
        List<DynamicTest> tests = new ArrayList<>();
        for (OwnRow row : rows) {
            if (!row.chosen().rows().isEmpty()) {
                tests.add(DynamicTest.dynamicTest(row.server(), () -> {
                    try (Site site = row.start()) {
                        new SideBySide().play(row.rows(), site).tests().get(0).getExecutable().execute();
                    }
                }));
            }
        }
        return tests;
    }

    private static List<String> parts(String name, int count) {
        return IntStream.range(0, count).mapToObj(i -> name + i).toList();
    }

    private static List<RawClient> login(List<String> parts, Function<String, RawClient> login) {
        ExecutorService workers = Executors.newFixedThreadPool(LOGINS_AT_ONCE);
        try {
            return parts.stream()
                    .map(part -> CompletableFuture.supplyAsync(() -> login.apply(part), workers))
                    .toList()
                    .stream()
                    .map(CompletableFuture::join)
                    .toList();
        } finally {
            workers.shutdown();
        }
    }

    /** 1,000 sessions, half of them silent: exactly the silent half goes, in time. */
    private static void crowd(Stage stage) throws Exception {
        List<String> parts = parts("c", CROWD);
        stage.people(parts);
        List<RawClient> all = login(parts, part -> stage.login(part));
        List<RawClient> silent = new ArrayList<>();
        List<RawClient> lively = new ArrayList<>();
        for (int i = 0; i < CROWD; i++) {
            (i % 2 == 0 ? silent : lively).add(all.get(i).answerPings(i % 2 == 0 ? PingAnswer.NOTHING : PingAnswer.RESULT));
        }
        // Not all at once: that is the next row.
        stage.begin(0.004);
        sleepUntil(all.get(CROWD - 1).lastSent() + (long) ((T + 2 * TICK) * 1e9));
        long start = System.nanoTime();
        sleep(T / 2 + 2 * TICK);

        List<Fate> fates = silent.stream().map(Fate::of).toList();
        long gone = fates.stream().filter(Fate::hasEnded).count();
        long stayed = lively.stream().filter(client -> !client.isOver()).count();
        stage.saw(String.format(
                Locale.ROOT, "%d of %d silent ones are gone, after %s; %d of %d others stay",
                gone, silent.size(), span(fates.stream().map(Fate::end).toList()), stayed, lively.size()));
        stage.must(stayed == lively.size(), "who answers stays");
        for (int i = 0; i < silent.size(); i++) {
            Fate fate = fates.get(i);
            stage.must(fate.pings().size() == 1, "each silent one is pinged once", silent.get(i));
            stage.must(isPingTime(fate.pings().get(0), T / 2), "its ping comes at T/2", silent.get(i));
            stage.must(isGoneTime(fate.end(), T), "it is gone at T", silent.get(i));
            stage.must(fate.hasStreamError() && fate.hasClosingTag(), "it is told why", silent.get(i));
        }
        stage.must(
                lively.stream().allMatch(client -> !client.events(start, Event::isPing).isEmpty()),
                "who answers is pinged again and again");
    }

    /** 1,000 sessions with 50 contacts each die in one tick: ticks stay on time, and each contact is told once of each. */
    private static void massDeath(Stage stage) throws Exception {
        OpenfireServer server = stage.server();
        List<String> dying = parts("d", CROWD);
        List<String> watching = parts("w", CONTACTS);
        List<String> canaries = parts("canary", 5);
        List<String> everyone = new ArrayList<>(dying);
        everyone.addAll(watching);
        everyone.addAll(canaries);
        server.users(everyone.stream().map(stage::user).toList());
        server.contacts(
                watching.stream().map(stage::user).toList(), dying.stream().map(stage::user).toList());
        List<RawClient> dead = login(dying, part -> stage.login(part));
        List<RawClient> contacts = login(watching, part -> stage.login(part).answerPings(PingAnswer.RESULT));
        List<RawClient> watches = login(canaries, part -> stage.login(part).answerPings(PingAnswer.RESULT));
        stage.begin(0);
        JsonObject before = server.status(false).getAsJsonObject("counts");
        long start = System.nanoTime();
        dead.forEach(client -> client.send(" "));
        double lastWords = seconds(start, System.nanoTime());

        sleepUntil(start + (long) ((T + 12) * 1e9));
        JsonObject after = server.status(false).getAsJsonObject("counts");
        List<Fate> fates = dead.stream().map(Fate::of).toList();
        long toldOnce = contacts.stream().filter(contact -> isToldOnceOf(dead, contact)).count();
        double lastWord = contacts.stream().mapToDouble(contact -> lastWord(contact, start)).max().orElseThrow();
        List<Double> canaryPings = watches.stream().flatMap(client -> silences(client, start).stream()).toList();
        stage.saw(String.format(
                Locale.ROOT,
                "%d gone after %s; %d of %d contacts told exactly once of each, the last after %.1f s; others pinged after %s",
                fates.stream().filter(Fate::hasEnded).count(),
                span(fates.stream().map(Fate::end).toList()),
                toldOnce, contacts.size(), lastWord, span(canaryPings)));
        stage.must(lastWords < TICK, "all fall silent within a tick");
        stage.must(toldOnce == contacts.size(), "each contact is told once of each");
        stage.must(fates.stream().allMatch(fate -> fate.hasEnded() && fate.end() >= T), "nobody goes early, all go");
        ticksStayOnTime(stage, before, after);
        stage.must(!canaryPings.isEmpty(), "others are pinged meanwhile");
        stage.must(
                canaryPings.stream().allMatch(s -> s >= T / 2 - TICK && s <= T / 2 + TICK + SLACK),
                "others are pinged in time meanwhile: " + Times.list(canaryPings));
        stage.must(watches.stream().noneMatch(RawClient::isOver), "others stay");
    }

    /** Unavailable presence of each of these has come once, and of nobody else. */
    private static boolean isToldOnceOf(List<RawClient> gone, RawClient contact) {
        Map<String, Integer> expected = new HashMap<>();
        gone.forEach(client -> expected.put(client.jid(), 1));
        Map<String, Integer> told = new HashMap<>();
        for (Event event : contact.events(event -> event.isPresence("unavailable"))) {
            told.merge(event.stanza().attribute("from"), 1, Integer::sum);
        }
        return told.equals(expected);
    }

    private static double lastWord(RawClient contact, long since) {
        return contact.events(event -> event.isPresence("unavailable")).stream()
                .mapToDouble(event -> seconds(since, event.at()))
                .max()
                .orElse(0);
    }

    private static void ticksStayOnTime(Stage stage, JsonObject before, JsonObject after) {
        stage.must(
                after.get("stalls").equals(before.get("stalls")) && after.get("slept_s").equals(before.get("slept_s")),
                "ticks stay on time: " + after);
    }

    /** 500 connections are reset within a second: contacts are told once of each, and nobody else is touched. */
    private static void resetStorm(Stage stage) throws Exception {
        List<String> leaving = parts("r", STORM);
        List<String> staying = parts("b", BYSTANDERS);
        List<String> everyone = new ArrayList<>(leaving);
        everyone.addAll(staying);
        stage.people(everyone);
        List<RawClient> gone = login(leaving, part -> stage.login(part).answerPings(PingAnswer.RESULT));
        List<RawClient> bystanders = login(staying, part -> stage.login(part).answerPings(PingAnswer.RESULT));
        RawClient contact = stage.contact();
        stage.begin(0);
        OpenfireServer server = stage.server();
        JsonObject before = server.status(false).getAsJsonObject("counts");
        // The bystanders' pings fall due while the storm is about.
        long quiet = System.nanoTime();
        bystanders.forEach(client -> client.send(" "));
        sleepUntil(quiet + (long) ((T / 2 - 1.5 * TICK) * 1e9));
        long start = System.nanoTime();
        gone.forEach(RawClient::reset);
        double took = seconds(start, System.nanoTime());

        sleepUntil(quiet + (long) ((T + 2 * TICK) * 1e9));
        JsonObject status = server.status(true);
        List<Double> pings = bystanders.stream().flatMap(client -> silences(client, quiet).stream()).toList();
        double lastWord = lastWord(contact, start);
        boolean toldOnce = isToldOnceOf(gone, contact);
        int kept = status.getAsJsonArray("list").size();
        stage.saw(String.format(
                Locale.ROOT,
                "%d reset within %.1f s; contact told %s, the last after %.1f s; %d of %d others stay, pinged after %s",
                gone.size(), took, toldOnce ? "once of each" : "otherwise", lastWord,
                bystanders.stream().filter(client -> !client.isOver()).count(), bystanders.size(), span(pings)));
        stage.must(took < TICK, "all are reset within a second");
        stage.must(toldOnce, "the contact is told once of each, and of nobody else");
        stage.must(bystanders.stream().noneMatch(RawClient::isOver) && !contact.isOver(), "nobody else goes");
        stage.must(pings.size() >= 2 * BYSTANDERS, "others are pinged meanwhile: " + pings.size());
        stage.must(pings.stream().allMatch(s -> isPingTime(s, T / 2)), "others are pinged in time: " + Times.list(pings));
        ticksStayOnTime(stage, before, status.getAsJsonObject("counts"));
        stage.must(kept == BYSTANDERS + 1, "nothing is kept of who went: " + kept);
    }

    /** The server stands still for a minute: nobody goes who answers afterwards. */
    private static void stall(Stage stage) throws Exception {
        List<String> parts = parts("c", CROWD);
        stage.people(parts);
        RawClient contact = stage.contact();
        List<RawClient> all = login(parts, part -> stage.login(part).answerPings(PingAnswer.RESULT));
        stage.begin(0.002);
        stage.server().freeze(STALL);
        long awake = System.nanoTime();
        sleep(T + 2 * TICK);
        long stayed = all.stream().filter(client -> !client.isOver()).count();
        long pinged = all.stream()
                .filter(client -> !client.events(awake, Event::isPing).isEmpty())
                .count();
        int told = contact.events(event -> event.isPresence("unavailable")).size();
        stage.saw(String.format(
                Locale.ROOT, "stood still for %d s: %d of %d stay, %d are pinged afterwards, contact told of %d",
                STALL.getSeconds(), stayed, all.size(), pinged, told));
        stage.must(stayed == all.size() && told == 0, "who answers stays");
        stage.must(pinged == all.size(), "all are watched again");
    }

    private static List<Double> silences(RawClient client, long since) {
        List<Double> silences = new ArrayList<>();
        long sent = 0;
        for (Event event : client.events()) {
            if (event.kind() == Event.Kind.SENT) {
                sent = event.at();
            } else if (event.isPing() && event.at() > since) {
                silences.add(seconds(sent, event.at()));
            }
        }
        return silences;
    }

    /** 10,000 connections that open and close without a byte: nothing is kept, and the log is not flooded. */
    private static void healthChecks(Stage stage) throws Exception {
        stage.people("client");
        stage.contact();
        RawClient client = stage.login("client").answerPings(PingAnswer.RESULT);
        stage.begin();
        OpenfireServer server = stage.server();
        // Openfire itself logs each RST with a stack trace: of these there are but a few, and they come first.
        knock(server, CHECKS / 100, true);
        knock(server, CHECKS / 10, false);
        settle(server);
        long heapBefore = heap(server);
        String logBefore = server.log();
        long memoryBefore = server.status(false).get("memory_bytes").getAsLong();

        knock(server, CHECKS, false);
        settle(server);
        sleep(3 * TICK);
        JsonObject status = server.status(true);
        long heapGrown = heap(server) - heapBefore;
        long logged = server.log()
                .substring(logBefore.length())
                .lines()
                .filter(line -> !line.contains(" DEBUG "))
                .count();
        long memoryGrown = status.get("memory_bytes").getAsLong() - memoryBefore;
        int kept = status.getAsJsonObject("sessions").get("total").getAsInt();
        stage.saw(String.format(
                Locale.ROOT, "%d sessions watched after it, %d lines logged, heap grew by %d kB, the core by %d bytes",
                kept, logged, heapGrown / 1024, memoryGrown));
        stage.must(kept == 2 && status.getAsJsonArray("list").size() == 2, "nothing is kept: " + status);
        stage.must(logged < 20, "the log is not flooded: " + logged + " lines");
        // 100 bytes per connection would make 1 MB.
        stage.must(heapGrown < 1_000_000, "the heap does not grow: " + heapGrown);
        stage.must(memoryGrown == 0, "the core does not grow: " + memoryGrown);
        stage.must(!client.isOver(), "clients stay", client);
    }

    /** The least of some measurements: what others are about at the moment does not count. */
    private static long heap(OpenfireServer server) {
        long least = Long.MAX_VALUE;
        for (int i = 0; i < 5; i++) {
            least = Math.min(least, Long.parseLong(server.command("heap")));
            sleep(0.3);
        }
        return least;
    }

    private static void knock(OpenfireServer server, int times, boolean reset) {
        ExecutorService workers = Executors.newFixedThreadPool(KNOCKS_AT_ONCE);
        List<CompletableFuture<Void>> all = IntStream.range(0, KNOCKS_AT_ONCE)
                .mapToObj(worker -> CompletableFuture.runAsync(
                        () -> {
                            for (int i = 0; i < times / KNOCKS_AT_ONCE; i++) {
                                try (Socket socket = new Socket(InetAddress.getLoopbackAddress(), server.door().port())) {
                                    socket.setSoLinger(reset, 0);
                                } catch (IOException e) {
                                    throw new UncheckedIOException(e);
                                }
                            }
                        },
                        workers))
                .toList();
        all.forEach(CompletableFuture::join);
        workers.shutdown();
    }

    private static void settle(OpenfireServer server) {
        for (int i = 0; i < 100 && server.connections() > 2; i++) {
            sleep(0.1);
        }
    }
}
