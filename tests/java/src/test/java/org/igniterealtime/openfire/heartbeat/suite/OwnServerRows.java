package org.igniterealtime.openfire.heartbeat.suite;

import static org.igniterealtime.openfire.heartbeat.suite.Times.SLACK;
import static org.igniterealtime.openfire.heartbeat.suite.Times.T;
import static org.igniterealtime.openfire.heartbeat.suite.Times.TICK;
import static org.igniterealtime.openfire.heartbeat.suite.Times.isGoneTime;
import static org.igniterealtime.openfire.heartbeat.suite.Times.isPingTime;
import static org.igniterealtime.openfire.heartbeat.suite.Times.seconds;
import static org.igniterealtime.openfire.heartbeat.suite.Times.sleep;
import static org.igniterealtime.openfire.heartbeat.suite.Times.sleepUntil;

import com.google.gson.JsonObject;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.igniterealtime.openfire.heartbeat.harness.Event;
import org.igniterealtime.openfire.heartbeat.harness.OpenfireServer;
import org.igniterealtime.openfire.heartbeat.harness.PingAnswer;
import org.igniterealtime.openfire.heartbeat.harness.Products;
import org.igniterealtime.openfire.heartbeat.harness.RawClient;

/** The rows that change what holds for a whole server: each has one of its own. */
final class OwnServerRows {
    private static final String IDLE = "xmpp.client.idle";
    private static final String PING = "xmpp.client.idle.ping";
    private static final String POLICY = "plugin.heartbeat.policy";
    private static final String RECORD = "plugin.heartbeat.record";
    private static final int RELOADS = 20;

    /**
     * Seconds from the end of the ticking until Openfire has silence back: after 5 s without a tick it is in doubt, a
     * second later it is not. The last tick may be a second old, and who asks does so once a second.
     */
    private static final double EARLIEST_BACK = 5;

    private static final double LATEST_BACK = 7;

    private OwnServerRows() {}

    static List<OwnRow> all() {
        return List.of(
                new OwnRow("ping-off", setup -> setup.set(PING, "false"), OwnServerRows::pingOff),
                new OwnRow("idle-off", setup -> setup.set(IDLE, "-1"), OwnServerRows::idleOff),
                new OwnRow("live-change", setup -> setup.set(IDLE, millis(2 * T)), OwnServerRows::liveChange),
                new OwnRow("bad-policy", setup -> setup.set(POLICY, "{\"idel\": \"4s\"}"), OwnServerRows::badPolicy),
                new OwnRow("recorded", OwnServerRows::recorded),
                new OwnRow("unload", OwnServerRows::unload),
                new OwnRow(
                        "unload-quiet", setup -> setup.set(POLICY, "{\"idle\": \"60s\"}"), OwnServerRows::unloadQuiet),
                new OwnRow(
                        "unload-slow",
                        setup -> setup.set(POLICY, "{\"idle\": \"2s\", \"ack_timeout\": \"1s\"}"),
                        OtherPluginRow::unloadSlow),
                new OwnRow("reload-20", OwnServerRows::reload20),
                new OwnRow(
                        "reload-silent", setup -> setup.set(POLICY, "{\"idle\": \"60s\"}"), OwnServerRows::reloadSilent),
                new OwnRow("upgrade", Upgrade::play),
                new OwnRow("broken-library", Site.Kind.ALONE, setup -> setup, OwnServerRows::brokenLibrary),
                new OwnRow("ticker-dead", OwnServerRows::tickerDead),
                new OwnRow("server-sleeps", OwnServerRows::serverSleeps),
                new OwnRow("port-change", PortChange::play),
                new OwnRow("port-unload", PortChange::unload),
                new OwnRow("clean-stop", OwnServerRows::cleanStop),
                new OwnRow("others-untouched", OthersUntouched::configure, OthersUntouched::play));
    }

    private static String millis(double seconds) {
        return Long.toString((long) (1000 * seconds));
    }

    // ---- Settings.

    /** {@code xmpp.client.idle.ping} false: closed at T, not pinged. */
    private static void pingOff(Stage stage) throws Exception {
        stage.people("client");
        RawClient contact = stage.contact();
        RawClient client = stage.login("client");
        stage.begin();
        // Nobody pings the contact either.
        while (!client.isOver() && seconds(client.lastSent(), System.nanoTime()) < T + 8) {
            contact.send(" ");
            sleep(TICK / 2);
        }
        sleep(TICK);
        Fate fate = Fate.of(client);
        stage.saw(fate.pings().size() + String.format(Locale.ROOT, " pings; closed after %.1f s", fate.end()));
        stage.must(fate.pings().isEmpty(), "it is not pinged", client);
        stage.must(fate.hasStreamError() && fate.hasClosingTag(), "it is told why", client);
        stage.must(isGoneTime(fate.end(), T), "it is closed at T", client);
        stage.must(contact.presences(client.jid(), "unavailable").size() == 1, "the contact is told once", contact);
    }

    /** {@code xmpp.client.idle} -1: never pinged nor closed. */
    private static void idleOff(Stage stage) throws Exception {
        stage.people("client");
        RawClient contact = stage.contact();
        RawClient client = stage.login("client");
        stage.begin();
        sleep(3 * T);
        stage.saw((client.isOver() ? "closed; " : "stays; ") + client.pings().size() + " pings in 3 T");
        stage.must(client.pings().isEmpty(), "it is never pinged", client);
        stage.must(!client.isOver(), "it is never closed", client);
        stage.must(contact.presences(client.jid(), "unavailable").isEmpty(), "the contact is not told", contact);
    }

    /** T is changed while people are connected: the new timing holds from the next tick on. */
    private static void liveChange(Stage stage) throws Exception {
        stage.people("overdue", "halved", "doubled");
        stage.contact();
        RawClient overdue = stage.login("overdue");
        RawClient halved = stage.login("halved");
        stage.begin();

        // T is 24 s: silent for 8 s is nothing yet. With T at 12 s its ping is overdue.
        sleepUntil(overdue.lastSent() + (long) (8e9));
        halved.send(" ");
        long change = System.nanoTime();
        stage.server().set(IDLE, millis(T));
        awaitGone(halved, T);
        awaitGone(overdue, T);
        Fate ofOverdue = Fate.of(overdue);
        Fate ofHalved = Fate.of(halved);

        // And longer again: what was not due yet waits for the new time.
        RawClient doubled = stage.login("doubled");
        sleep(T / 3);
        stage.server().set(IDLE, millis(2 * T));
        awaitGone(doubled, 2 * T);
        Fate ofDoubled = Fate.of(doubled);

        double overduePing = seconds(change, overdue.lastSent()) + first(ofOverdue.pings());
        double overdueEnd = ofOverdue.end() - first(ofOverdue.pings());
        stage.saw(String.format(
                Locale.ROOT,
                "24 to 12 s: overdue, pinged %.1f s after the change and closed %.1f s after that; not yet due, %.1f and"
                        + " %.1f s; 12 to 24 s: %.1f and %.1f s",
                overduePing, overdueEnd, first(ofHalved.pings()), ofHalved.end(), first(ofDoubled.pings()),
                ofDoubled.end()));
        stage.must(overduePing >= 0 && overduePing <= TICK + SLACK, "what is overdue is done with the next tick", overdue);
        stage.must(overdueEnd >= T / 2 && overdueEnd <= T / 2 + TICK + SLACK, "the answer has its new time", overdue);
        stage.must(isPingTime(first(ofHalved.pings()), T / 2) && isGoneTime(ofHalved.end(), T), "half of T holds", halved);
        stage.must(
                isPingTime(first(ofDoubled.pings()), T) && isGoneTime(ofDoubled.end(), 2 * T), "double T holds", doubled);
    }

    private static double first(List<Double> pings) {
        return pings.isEmpty() ? Double.NaN : pings.get(0);
    }

    /** What is wrong, and what the line in the log must name. */
    private record BadPolicy(String text, String... named) {}

    /** A policy that is wrong is refused with its place; the one in force stays in force. */
    private static void badPolicy(Stage stage) throws Exception {
        stage.people("client");
        stage.contact();
        RawClient client = stage.login("client");
        stage.begin();
        OpenfireServer server = stage.server();
        JsonObject atStart = server.status(false).getAsJsonObject("policy");
        stage.must(
                atStart.get("forget_after").getAsString().equals("off"),
                "who starts with a bad policy may have wanted everybody kept: " + atStart);
        server.set(POLICY, "{\"idle\": \"4s\", \"ack_timeout\": \"5s\"}");
        JsonObject inForce = server.status(false).getAsJsonObject("policy");
        stage.must(inForce.get("forget_after").getAsString().equals("730d"), "and then what it says: " + inForce);
        stage.must(inForce.get("idle").getAsString().equals("4s"), "a good policy is taken: " + inForce);
        client.send(" ");

        List<BadPolicy> all = List.of(
                new BadPolicy("{\"idle\": 90}", "idle"),
                new BadPolicy("{\"ping\": \"yes\"}", "ping"),
                new BadPolicy("{\"retries\": -1}", "retries", "-1"),
                new BadPolicy("{\"idle\": \"-5s\"}", "idle", "-5s"),
                new BadPolicy("{\"idle\": \"90s\", \"idel\": \"90s\"}", "idel"),
                new BadPolicy("{\"on_dead\": \"burn\"}", "on_dead", "burn"),
                new BadPolicy("[]"),
                new BadPolicy("{\"idle\": \"90s\",\n \"retries\": }", "line 2", "column"),
                new BadPolicy("{\"idle\": \"" + "9".repeat(5000) + "s\"}"),
                new BadPolicy(" ".repeat(5000)  + "{\"idle\": \"90s\"}"),
                new BadPolicy("[".repeat(3000)));
        for (BadPolicy bad : all) {
            String before = server.log();
            server.set(POLICY, bad.text());
            List<String> lines = server.log()
                    .substring(before.length())
                    .lines()
                    .filter(line -> line.contains(" ERROR ") && line.contains("heartbeat"))
                    .toList();
            String shown = bad.text().length() > 60 ? bad.text().substring(0, 60) + "..." : bad.text();
            stage.must(lines.size() == 1, "one line for " + shown + ": " + lines);
            for (String name : bad.named()) {
                stage.must(lines.get(0).contains(name), "the line for " + shown + " names " + name + ": " + lines.get(0));
            }
            JsonObject now = server.status(false).getAsJsonObject("policy");
            stage.must(now.equals(inForce), "the policy in force stays after " + shown + ": " + now);
        }
        awaitGone(client, 9);
        Fate fate = Fate.of(client);
        stage.saw(String.format(
                Locale.ROOT, "%d bad policies refused; the good one held: pinged after %.1f s, closed after %.1f s",
                all.size(), first(fate.pings()), fate.end()));
        stage.must(isPingTime(first(fate.pings()), 4), "its ping comes when the good policy says", client);
        stage.must(isGoneTime(fate.end(), 9), "its end comes when the good policy says", client);
    }

    // ---- Recording.

    /** What is recorded in the midst of things decides the same elsewhere, and names nobody. */
    private static void recorded(Stage stage) throws Exception {
        stage.people("silent", "answers", "returns");
        stage.contact();
        RawClient silent = stage.login("silent");
        RawClient answers = stage.login("answers").answerPings(PingAnswer.RESULT);
        stage.begin();
        sleep(T / 4);
        OpenfireServer server = stage.server();
        server.set(RECORD, "true");
        stage.login("returns").closeStream();
        sleep(TICK);
        stage.login("returns");
        awaitGone(silent, T);
        sleep(2 * TICK);
        String ofSilent = server.why(silent.jid())
                .map(known -> known.getAsJsonArray("decisions").toString())
                .orElse("");
        server.set(RECORD, "false");
        sleep(3 * TICK);
        Path file = server.home().resolve("logs").resolve("heartbeat-recording.txt");
        String text = Files.readString(file);
        Process replay = new ProcessBuilder(Products.program("native/replay").toString(), file.toString())
                .redirectErrorStream(true)
                .start();
        String said = new String(replay.getInputStream().readAllBytes(), StandardCharsets.UTF_8).strip();
        stage.saw(said.replaceFirst("^.*/", ""));
        stage.must(replay.waitFor() == 0, "it is replayed: " + said);
        stage.must(text.contains("\n=> disconnect ") && text.contains(" => ping\n"), "pings and the end are in it");
        stage.must(!text.contains("silent") && !text.contains(server.domain()), "nobody is named");
        stage.must(ofSilent.contains("no-answer"), "it can be asked why: " + ofSilent);
        stage.must(!answers.isOver(), "who answers stays", answers);
    }

    // ---- Coming and going of the plugin.

    /** Unloaded with sessions open: Openfire's own handling acts on old and new sessions. */
    private static void unload(Stage stage) throws Exception {
        stage.people("old-silent", "old-lively", "new-silent");
        RawClient contact = stage.contact();
        RawClient oldSilent = stage.login("old-silent");
        RawClient oldLively = stage.login("old-lively").answerPings(PingAnswer.RESULT);
        stage.begin();
        oldLively.await("a ping of ours", Event::isPing);
        stage.server().uninstall();
        // On Netty a space after Openfire's ping is no sign of life, and some may have got one just now.
        oldSilent.sync();
        oldLively.sync();
        RawClient newSilent = stage.login("new-silent");
        awaitGone(oldSilent, T);
        awaitGone(newSilent, T);
        oldLively.sync();

        int copies = copiesLeft(stage.server());
        List<String> threads = heartbeatThreads(stage.server());
        stage.saw(String.format(
                Locale.ROOT,
                "Openfire alone pinged after %.1f and %.1f s, closed after %.1f and %.1f s",
                first(Fate.of(oldSilent).pings()),
                first(Fate.of(newSilent).pings()),
                Fate.of(oldSilent).end(),
                Fate.of(newSilent).end()));
        for (RawClient client : List.of(oldSilent, newSilent)) {
            openfireHandled(stage, client, contact);
        }
        stage.must(!oldLively.isOver(), "who answers stays", oldLively);
        stage.must(threads.isEmpty(), "no thread is left: " + threads);
        stage.must(copies == 0, "no library is left: " + copies + " maps");
    }

    /**
     * Unloaded while our policy is more patient than Openfire's: who was quiet so far is not closed for it, but pinged as
     * Openfire does, and stays if it answers.
     */
    private static void unloadQuiet(Stage stage) throws Exception {
        stage.people("client");
        RawClient contact = stage.contact();
        RawClient client = stage.login("client").answerPings(PingAnswer.RESULT);
        stage.begin();
        sleepUntil(client.lastSent() + (long) ((T / 2 + 2 * TICK) * 1e9));
        int pinged = client.pings().size();
        stage.server().uninstall();
        sleep(2 * T);
        List<Event> pings = client.pings();
        stage.saw((client.isOver() ? "closed" : "stays") + ", pinged " + pings.size() + " times in 2 T after it");
        stage.must(pinged == 0, "our policy leaves it alone", client);
        stage.must(!client.isOver(), "it stays", client);
        stage.must(!pings.isEmpty(), "Openfire pings it", client);
        stage.must(contact.presences(client.jid(), "unavailable").isEmpty(), "the contact is not told", contact);
    }

    /** Openfire's own handling: pings with ids that are not ours at T/2, closes at T. MINA looks once a second. */
    private static void openfireHandled(Stage stage, RawClient client, RawClient contact) {
        openfireHandled(stage, client, contact, 0, 0);
    }

    /** Openfire began to count between {@code earliest} and {@code latest} seconds after the client's last byte. */
    private static void openfireHandled(
            Stage stage, RawClient client, RawClient contact, double earliest, double latest) {
        Fate fate = Fate.of(client);
        List<Event> pings = client.events(client.lastSent(), Event::isPing);
        require(stage, pings.size() == 1, "Openfire pings it once", client);
        require(stage, !pings.get(0).isOurPing(), "it is Openfire's ping", client);
        double pinged = fate.pings().get(0);
        require(stage, pinged >= T / 2 + earliest - SLACK && pinged <= T / 2 + latest + 2 * TICK, "at T/2", client);
        double closed = fate.end();
        require(stage, closed >= T + earliest - SLACK && closed <= T + latest + 3 * TICK, "it closes it at T", client);
        require(stage, contact.presences(client.jid(), "unavailable").size() == 1, "the contact is told once", contact);
    }

    private static void require(Stage stage, boolean held, String what, RawClient client) {
        if (!held) {
            stage.always(false, what + ": " + client.name() + "\n"
                    + org.igniterealtime.openfire.heartbeat.harness.Timeline.of(client));
        }
    }

    /** Of our threads each is there once: numbers begin anew with each loading. */
    static void noThreadLeftOver(Stage stage) {
        List<String> ours = heartbeatThreads(stage.server());
        stage.must(ours.stream().filter(name -> name.equals("heartbeat-tick")).count() == 1, "one thread ticks: " + ours);
        stage.must(ours.stream().distinct().count() == ours.size(), "no thread of ours is left over: " + ours);
    }

    private static List<String> heartbeatThreads(OpenfireServer server) {
        return server.threads().stream().filter(name -> name.startsWith("heartbeat")).toList();
    }

    /** Unloaded and loaded 20 times under traffic: works each time, and nothing grows. */
    private static void reload20(Stage stage) throws Exception {
        List<String> parts = IntStream.range(0, 20).mapToObj(i -> "c" + i).toList();
        List<String> all = new ArrayList<>(parts);
        all.add("visitor");
        stage.people(all);
        RawClient contact = stage.contact();
        List<RawClient> clients =
                parts.stream().map(part -> stage.login(part).answerPings(PingAnswer.RESULT)).toList();
        stage.begin();
        OpenfireServer server = stage.server();
        server.command("administrators", stage.address("contact"));

        AtomicBoolean over = new AtomicBoolean();
        AtomicInteger visits = new AtomicInteger();
        List<Throwable> trouble = new ArrayList<>();
        Thread talk = traffic(trouble, () -> {
            for (int i = 0; !over.get(); i++) {
                RawClient to = clients.get((i + 1) % clients.size());
                clients.get(i % clients.size()).send("<message to='" + to.jid() + "'><body>hello</body></message>");
                sleep(0.01);
            }
        });
        Thread visitors = traffic(trouble, () -> {
            while (!over.get()) {
                visit(stage, visits.getAndIncrement());
            }
        });
        int maps;
        List<String> threads;
        List<Path> files;
        try {
            server.reload();
            maps = copiesLeft(server);
            threads = threads(server);
            files = files(server);
            for (int i = 1; i < RELOADS; i++) {
                server.reload();
                stage.must("null".equals(server.refusal()), "it works after reload " + i + ": " + server.refusal());
                stage.must(clients.stream().noneMatch(RawClient::isOver), "everyone stays at reload " + i);
                stage.must(!contact.isOver(), "the contact stays at reload " + i, contact);
                // One command is done, and one is begun and left.
                AdHoc status = AdHoc.begin(contact, "heartbeat#status");
                stage.must(!status.isError() && status.hasForm(), "a command works after reload " + i + ": " + status);
                AdHoc ping = AdHoc.begin(contact, "heartbeat#ping").go("next", "accountjid", stage.address("c0"));
                stage.must(!ping.isError() && ping.fixed().size() == 1, "a ping is sent after reload " + i + ": " + ping);
                allWatched(stage, clients.size() + 1, i);
            }
        } finally {
            over.set(true);
            talk.join();
            visitors.join();
        }
        sleep(TICK);
        server.command("gc");
        int mapsHeld = server.maps("heartbeat");
        int mapsAfter = copiesLeft(server);
        List<String> threadsAfter = threads(server);
        List<Path> filesAfter = files(server);
        stage.saw(String.format(
                Locale.ROOT,
                "%d reloads, %d visits; threads %d, then %d; maps of the library %d, then %d (%d with what Openfire's threads hold); files %d, then %d",
                RELOADS, visits.get(), threads.size(), threadsAfter.size(), maps, mapsAfter, mapsHeld, files.size(), filesAfter.size()));
        stage.must(trouble.isEmpty(), "the traffic goes on: " + trouble);
        stage.must(clients.stream().noneMatch(RawClient::isOver), "everyone stays");
        noThreadLeftOver(stage);
        // Openfire's pools come and go by a few; one thread that is left over each time would make 19.
        stage.must(threadsAfter.size() < threads.size() + RELOADS / 4, "threads do not grow: " + threadsAfter);
        stage.must(mapsAfter <= maps, "copies of the library do not grow");
        stage.must(filesAfter.equals(files), "files do not grow: " + filesAfter);
    }

    /**
     * Lines of the memory map that belong to copies of the library, when all copies are gone that nobody wants: the JVM
     * unloads a library some time after the collection that found its class loader to be garbage.
     */
    static int copiesLeft(OpenfireServer server) {
        int least = Integer.MAX_VALUE;
        for (int i = 0; i < 5; i++) {
            server.command("forget");
            sleep(0.3);
            least = Math.min(least, server.maps("heartbeat"));
        }
        return least;
    }

    /** All threads but those of pools that Openfire fills up as it likes. */
    private static List<String> threads(OpenfireServer server) {
        return server.threads().stream()
                .filter(name -> !name.matches("(socket_c2s-thread|launcher-command|TaskEngine-pool).*"))
                .toList();
    }

    /** Comes, and goes in one way or the other. */
    private static void visit(Stage stage, int number) {
        // Openfire 4.2 loses a session that takes the full JID of one that is just going.
        RawClient visitor = RawClient.login(stage.server().door(), stage.user("visitor"), "visit" + number).available();
        if (number % 2 == 0) {
            visitor.reset();
        } else {
            visitor.closeStream();
            visitor.await(Duration.ofSeconds(10), "the end", Event::isOver);
        }
    }

    /** Loaded again, the plugin takes nobody for seen who is silent: Openfire had its own timer then, and it was due. */
    private static void reloadSilent(Stage stage) throws Exception {
        stage.people("client");
        RawClient client = stage.login("client");
        stage.begin();
        sleepUntil(client.lastSent() + (long) ((T / 2 + 2 * TICK) * 1e9));
        double late = Double.NEGATIVE_INFINITY;
        for (int i = 1; i <= 2; i++) {
            stage.server().reload();
            late = Math.max(late, seenAfterSent(stage, client, i));
            sleep(2 * TICK);
        }
        client.send(" ");
        sleep(2 * TICK);
        seenAfterSent(stage, client, 2);
        stage.saw(String.format(Locale.ROOT, "two reloads; seen %.1f s after it sent something", late));
    }

    /** In seconds. It is the time of the tick in which it was read. */
    private static double seenAfterSent(Stage stage, RawClient client, int reload) {
        long sentMs = System.currentTimeMillis() - (System.nanoTime() - client.lastSent()) / 1_000_000;
        JsonObject known = Rows.lastActivityIs(stage, "client", true);
        double after = (known.get("seen_ms").getAsLong() - sentMs) / 1e3;
        stage.must(
                after >= -2 * TICK - SLACK && after <= SLACK,
                "it was seen when it sent, reload " + reload + ": " + after + " s after it",
                client);
        return after;
    }

    private static void allWatched(Stage stage, int all, int reload) {
        int watched = 0;
        for (int i = 0; i < 30 && watched < all; i++) {
            watched = stage.server().status(true).getAsJsonArray("list").size();
            sleep(watched < all ? 0.1 : 0);
        }
        stage.must(watched >= all, "all sessions are watched after reload " + reload + ": " + watched + " of " + all);
    }

    private interface Traffic {
        void run() throws Exception;
    }

    private static Thread traffic(List<Throwable> trouble, Traffic work) {
        Thread thread = new Thread(() -> {
            try {
                work.run();
            } catch (Throwable e) {
                synchronized (trouble) {
                    trouble.add(e);
                }
            }
        });
        thread.setDaemon(true);
        thread.start();
        return thread;
    }

    private static List<Path> files(OpenfireServer server) throws IOException {
        List<Path> found = new ArrayList<>();
        for (String folder : List.of("tmp", "plugins")) {
            try (Stream<Path> all = Files.walk(server.home().resolve(folder))) {
                all.sorted().forEach(found::add);
            }
        }
        return found;
    }

    /** The library is not as it should be: server up, Openfire's own handling on, one line that says which and why. */
    private static void brokenLibrary(Stage stage) throws Exception {
        List<BrokenJar> jars = BrokenJar.all();
        stage.people(jars.stream().map(BrokenJar::name).toList());
        RawClient contact = stage.contact();
        stage.begin();
        OpenfireServer server = stage.server();
        List<String> said = new ArrayList<>();
        for (BrokenJar jar : jars) {
            int before = server.log().length();
            stage.always(server.install(jar.file()), jar.name() + ": the plugin is there, and off");
            RawClient client = stage.login(jar.name());
            List<String> lines = server.log()
                    .substring(before)
                    .lines()
                    .filter(line -> line.contains(" ERROR ") || line.startsWith("\tat ") || line.contains("Exception"))
                    .toList();
            stage.always(lines.size() == 1, jar.name() + ": one line in the log: " + lines);
            for (String name : jar.named()) {
                stage.always(lines.get(0).contains(name), jar.name() + ": the line names " + name + ": " + lines);
            }
            stage.always(lines.get(0).contains(server.refusal()), jar.name() + ": it says so itself");
            stage.always(heartbeatThreads(server).isEmpty(), jar.name() + ": no thread runs");
            awaitGone(client, T);
            sleep(0.5);
            openfireHandled(stage, client, contact);
            server.uninstall();
            said.add(jar.name());
        }
        stage.saw("refused with a reason, Openfire's own handling on: " + String.join(", ", said));
    }

    /** The ticking thread is gone: Openfire's own handling acts again. */
    private static void tickerDead(Stage stage) throws Exception {
        stage.people("client");
        RawClient contact = stage.contact();
        RawClient client = stage.login("client");
        stage.begin();
        stage.server().command("kill-thread", "heartbeat-tick");
        client.send(" ");
        boolean fromThen = stage.server().version().countsFromGivingBack();
        awaitGone(client, T + (fromThen ? LATEST_BACK : 0));
        sleep(TICK);
        Fate fate = Fate.of(client);
        stage.saw(String.format(
                Locale.ROOT, "Openfire alone pinged after %.1f s, closed after %.1f s", first(fate.pings()), fate.end()));
        openfireHandled(stage, client, contact, fromThen ? EARLIEST_BACK : 0, fromThen ? LATEST_BACK : 0);
    }

    /** The whole server is stopped for longer than T: nobody is dead because we slept. */
    private static void serverSleeps(Stage stage) throws Exception {
        List<String> parts = IntStream.range(0, 20).mapToObj(i -> "c" + i).toList();
        List<String> all = new ArrayList<>(parts);
        all.add("silent");
        stage.people(all);
        RawClient contact = stage.contact();
        List<RawClient> clients =
                parts.stream().map(part -> stage.login(part).answerPings(PingAnswer.RESULT)).toList();
        RawClient silent = stage.login("silent");
        stage.begin();
        sleep(T / 4);
        double slept = T + T / 4;
        stage.server().freeze(Duration.ofMillis((long) (1000 * slept)));
        awaitGone(silent, T + slept);
        sleep(TICK);
        long stayed = clients.stream().filter(client -> !client.isOver()).count();
        long told = clients.stream()
                .filter(client -> !contact.presences(client.jid(), "unavailable").isEmpty())
                .count();
        Fate fate = Fate.of(silent);
        stage.saw(String.format(
                Locale.ROOT,
                "slept %.0f s: %d of %d who answer stay; the silent one is closed after %.1f s",
                slept, stayed, clients.size(), fate.end()));
        stage.must(stayed == clients.size() && told == 0, "who answers stays");
        stage.must(fate.pings().size() == 1, "the silent one is pinged once", silent);
        stage.must(fate.end() >= T + slept - TICK && fate.end() <= T + slept + 2 * TICK + SLACK, "it goes", silent);
    }

    /** The server is stopped while some are due to be pinged, closed or told: none of it comes from us any more. */
    private static void cleanStop(Stage stage) throws Exception {
        List<String> closing = IntStream.range(0, 10).mapToObj(i -> "closing" + i).toList();
        List<String> pinging = IntStream.range(0, 10).mapToObj(i -> "pinging" + i).toList();
        stage.people(Stream.concat(closing.stream(), pinging.stream()).toList());
        RawClient contact = stage.contact();
        List<RawClient> almostClosed = closing.stream().map(stage::login).toList();
        List<RawClient> almostPinged = pinging.stream().map(stage::login).toList();
        stage.begin();
        long start = System.nanoTime();
        almostClosed.forEach(client -> client.send(" "));
        sleepUntil(start + (long) (7.3e9));
        almostPinged.forEach(client -> client.send(" "));
        sleepUntil(start + (long) (11.9e9));
        long stop = System.nanoTime();
        int logged = stage.server().log().length();
        stage.server().stop();
        sleep(3);

        List<RawClient> all = Stream.concat(almostClosed.stream(), almostPinged.stream()).toList();
        long pinged = all.stream().filter(client -> !client.events(stop, Event::isOurPing).isEmpty()).count();
        long timedOut = all.stream()
                .filter(client -> !client.events(stop, event -> event.isStreamError("connection-timeout")).isEmpty())
                .count();
        long before = almostClosed.stream()
                .filter(client -> client.events(event -> event.isPing() && event.at() < stop).size() == 1)
                .count();
        List<String> ours = stage.server().log().substring(logged).lines()
                .filter(line -> line.contains("plugin.heartbeat.Actions"))
                .toList();
        stage.saw(before + " had been pinged; after the stop " + pinged + " pinged by us, " + timedOut + " told of a timeout");
        stage.must(before == closing.size(), "those who are almost closed have been pinged before");
        stage.must(pinged == 0, "nobody is pinged by us after the stop began");
        stage.must(timedOut == 0, "nobody is closed by us after the stop began");
        stage.must(ours.isEmpty(), "nothing is done by us after the stop began: " + ours);
        stage.must(
                all.stream().allMatch(client -> contact.presences(client.jid(), "unavailable").size() <= 1),
                "nobody is told twice",
                contact);
    }

    private static void awaitGone(RawClient client, double seconds) {
        client.await(Duration.ofSeconds((long) (seconds + 8)), "the end of the connection", Event::isOver);
    }
}
