package org.igniterealtime.openfire.heartbeat.suite;

import static org.igniterealtime.openfire.heartbeat.suite.Times.TICK;
import static org.igniterealtime.openfire.heartbeat.suite.Times.sleep;

import com.google.gson.JsonObject;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.igniterealtime.openfire.heartbeat.harness.OpenfireServer;
import org.igniterealtime.openfire.heartbeat.harness.PingAnswer;
import org.igniterealtime.openfire.heartbeat.harness.Products;
import org.igniterealtime.openfire.heartbeat.harness.RawClient;
import org.igniterealtime.openfire.heartbeat.harness.Stanza;

/**
 * The row upgrade: a newer version is put over the plugin while sessions are open, then the older one again, then the older
 * one where a journal of a newer format lies, and in the end it is removed.
 */
final class Upgrade {
    private static final String POLICY = "plugin.heartbeat.policy";
    private static final String OURS = "{\"idle\": \"5s\", \"ack_timeout\": \"20s\"}";
    private static final int PEOPLE = 10;
    /** With the contact, and the one whose session may be resumed. */
    private static final int WATCHED = PEOPLE + 2;
    /** A time that is read back is told to the tick, each time. */
    private static final long AS_LOADED_MS = 2_000;

    private static final int VERSION_AT = 8;
    private static final int GENERATION_AT = 16;

    private final Stage stage;
    private final OpenfireServer server;
    private final RawClient contact;
    private final List<RawClient> clients;
    /** When the session that waits to be resumed was last read from. */
    private long lostMs;

    private Upgrade(Stage stage, RawClient contact, List<RawClient> clients) {
        this.stage = stage;
        this.server = stage.server();
        this.contact = contact;
        this.clients = clients;
    }

    static void play(Stage stage) throws Exception {
        List<String> parts = IntStream.range(0, PEOPLE).mapToObj(i -> "c" + i).toList();
        stage.people(Stream.concat(parts.stream(), Stream.of("gone", "lost")).toList());
        RawClient contact = stage.contact();
        List<RawClient> clients =
                parts.stream().map(part -> stage.login(part).answerPings(PingAnswer.RESULT)).toList();
        stage.begin();
        new Upgrade(stage, contact, clients).play();
    }

    private void play() throws Exception {
        server.set(POLICY, OURS);
        RawClient gone = stage.login("gone");
        gone.unavailable("back on Monday");
        gone.closeStream();
        sleep(3 * TICK);
        String older = version();
        lostMs = lost();
        JsonObject policy = server.status(false).getAsJsonObject("policy");
        JsonObject known = lastActivity();
        stage.must(known.get("status").getAsString().equals("back on Monday"), "the status is known: " + known);
        int maps = OwnServerRows.copiesLeft(server);

        put(Products.newerPlugin());
        String newer = version();
        stage.must(!newer.equals(older), "another version runs: " + newer);
        unchanged("after the upgrade", policy, known, maps);

        put(Products.plugin());
        stage.must(version().equals(older), "the older version runs: " + version());
        unchanged("after the downgrade", policy, known, maps);

        newerJournal(policy, known);
        removed(known);
        stage.saw("from " + older + " to " + newer + " and back: all stay, nothing is forgotten; a newer journal is left as it is");
    }

    /** Somebody's connection breaks; the session may be resumed, and is written to. Answers when it was last read from. */
    private long lost() {
        RawClient lost = stage.login("lost");
        lost.enableResumption();
        sleep(TICK);
        lost.reset();
        sleep(2 * TICK);
        contact.send("<message to='" + stage.address("lost") + "/phone'><body>are you there?</body></message>");
        sleep(TICK);
        return seenMs("lost");
    }

    private long seenMs(String part) {
        return server.lastActivity(stage.user(part)).orElseThrow().get("seen_ms").getAsLong();
    }

    private void put(Path jar) {
        stage.must(server.install(jar), "Openfire takes " + jar);
        stage.must("null".equals(server.refusal()), "it works: " + server.refusal());
    }

    private String version() {
        return server.status(false).get("version").getAsString();
    }

    private JsonObject lastActivity() {
        JsonObject known = server.lastActivity(stage.user("gone")).orElseThrow();
        known.remove("ago_ms");
        return known;
    }

    private void unchanged(String when, JsonObject policy, JsonObject known, int maps) throws Exception {
        allThere(when);
        JsonObject now = server.status(false).getAsJsonObject("policy");
        stage.must(now.equals(policy), "the policy holds " + when + ": " + now);
        stage.must(lastActivity().equals(known), "last activity is known " + when + ": " + lastActivity() + ", not " + known);
        stage.must(server.journalTrouble().equals("null"), "it is kept on disk " + when + ": " + server.journalTrouble());
        long nowMs = seenMs("lost");
        stage.must(Math.abs(nowMs - lostMs) <= AS_LOADED_MS, "who lost the connection was here then " + when + ": " + nowMs + ", not " + lostMs);
        int left = OwnServerRows.copiesLeft(server);
        stage.must(left <= maps, "the one before is gone " + when + ": " + left + " maps of libraries, " + maps + " before");
        OwnServerRows.noThreadLeftOver(stage);
    }

    /** Nobody went, everybody is watched, and pinged by the one that runs now. */
    private void allThere(String when) throws Exception {
        int watched = 0;
        for (int i = 0; i < 30 && watched < WATCHED; i++) {
            watched = server.status(true).getAsJsonArray("list").size();
            sleep(0.1);
        }
        stage.must(watched == WATCHED, watched + " are watched " + when);
        long since = System.nanoTime();
        sleep(5 + 2 * TICK);
        for (RawClient client : clients) {
            stage.must(!client.isOver(), "nobody is disconnected " + when, client);
            stage.must(!client.events(since, event -> event.isOurPing()).isEmpty(), "all are pinged " + when, client);
        }
        int told = contact.events(event -> event.isPresence("unavailable")).size();
        stage.must(told == 1, "only of the one who left contacts are told: " + told, contact);
    }

    /** What a newer version wrote: refused in words, and not touched. The plugin goes on in memory. */
    private void newerJournal(JsonObject policy, JsonObject known) throws Exception {
        server.uninstall();
        Path folder = folder();
        Path last = files(folder).keySet().stream()
                .filter(name -> name.startsWith("journal-"))
                .max(String::compareTo)
                .map(folder::resolve)
                .orElseThrow();
        long generation = Long.parseLong(last.getFileName().toString().substring("journal-".length()), 16) + 1;
        byte[] bytes = Files.readAllBytes(last);
        ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN).putInt(VERSION_AT, 2).putLong(GENERATION_AT, generation);
        Path newer = Files.write(folder.resolve(String.format("journal-%016x", generation)), bytes);
        Map<String, String> before = files(folder);

        put(Products.plugin());
        String said = server.journalTrouble();
        stage.must(said.contains(newer.getFileName() + " was written by a newer version"), "it says so: " + said);
        stage.must(server.log().contains("kept in memory only"), "the log says so");
        allThere("with a newer journal");
        stage.must(server.lastActivity(clients.get(0).user()).isPresent(), "who is here is known");
        stage.must(files(folder).equals(before), "no file is touched: " + files(folder) + ", before " + before);

        Files.delete(newer);
        server.reload();
        stage.must(server.journalTrouble().equals("null"), "without it, it is as before: " + server.journalTrouble());
        stage.must(lastActivity().equals(known), "last activity is known as before: " + lastActivity());
        stage.must(server.status(false).getAsJsonObject("policy").equals(policy), "the policy holds");
    }

    /** Openfire is as it was; what is left is what the README says. */
    private void removed(JsonObject known) throws Exception {
        String plugins = server.command("get", POLICY);
        server.uninstall();
        stage.must(clients.stream().noneMatch(RawClient::isOver), "nobody is disconnected by the removal");
        stage.must(server.command("get", POLICY).equals(plugins) && plugins.equals(OURS), "our property stays");
        int left = OwnServerRows.copiesLeft(server);
        stage.must(left == 0, "no library is left: " + left);
        Stanza answer = contact.request("get", stage.address("gone"), "<query xmlns='jabber:iq:last'/>");
        stage.must(answer.toString().contains("seconds="), "Openfire itself answers XEP-0012: " + answer);
        Set<String> homes = new TreeSet<>();
        try (Stream<Path> found = Files.list(server.home())) {
            found.forEach(path -> homes.add(path.getFileName().toString()));
        }
        stage.must(homes.remove("heartbeat"), "last activity stays: " + homes);
        homes.removeAll(Set.of("conf", "logs", "tmp", "plugins", "resources", "embedded-db", "monitoring"));
        stage.must(homes.isEmpty(), "nothing else is left: " + homes);
        try (Stream<Path> found = Files.list(server.home().resolve("plugins"))) {
            List<Path> ours = found.filter(path -> path.getFileName().toString().contains("heartbeat")).toList();
            stage.must(ours.isEmpty(), "nor in the plugins folder: " + ours);
        }
        // As the README has it: the folder is deleted, and a plugin that comes back knows nothing.
        for (String name : files(folder()).keySet()) {
            Files.delete(folder().resolve(name));
        }
        Files.delete(folder());
        server.delete(POLICY);
        put(Products.plugin());
        boolean forgotten = server.lastActivity(stage.user("gone"))
                .map(now -> !now.has("status") && !now.get("why").equals(known.get("why")))
                .orElse(true);
        stage.must(forgotten, "what was deleted is gone");
    }

    private Path folder() {
        return server.home().resolve("heartbeat");
    }

    /** Names and contents. */
    private static Map<String, String> files(Path folder) throws IOException {
        try (Stream<Path> found = Files.list(folder)) {
            return found.collect(Collectors.toMap(
                    path -> path.getFileName().toString(), Upgrade::contentOf, (one, other) -> one, TreeMap::new));
        }
    }

    private static String contentOf(Path file) {
        try {
            return HexFormat.of().formatHex(Files.readAllBytes(file));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
