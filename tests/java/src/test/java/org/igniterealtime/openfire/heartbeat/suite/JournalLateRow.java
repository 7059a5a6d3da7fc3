package org.igniterealtime.openfire.heartbeat.suite;

import static org.igniterealtime.openfire.heartbeat.suite.Times.TICK;
import static org.igniterealtime.openfire.heartbeat.suite.Times.sleep;

import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;
import java.util.function.BooleanSupplier;
import java.util.stream.Stream;
import org.igniterealtime.openfire.heartbeat.harness.OpenfireServer;
import org.igniterealtime.openfire.heartbeat.harness.Products;
import org.igniterealtime.openfire.heartbeat.harness.RawClient;

/**
 * The row journal-late: the folder can be opened only when the plugin has been there for some time, at its first start and
 * at a later one. What Openfire had noted is known at once, and what happened meanwhile is not lost to what is on disk.
 */
final class JournalLateRow {
    /** It is tried once a minute. */
    private static final double OPENED = 65;

    /** From the end of a session until Openfire has our time. */
    private static final double AGREED = 15;

    private final Stage stage;
    private final OpenfireServer server;
    private final Path folder;

    private JournalLateRow(Stage stage) {
        this.stage = stage;
        server = stage.server();
        folder = server.home().resolve("heartbeat");
    }

    static void play(Stage stage) throws Exception {
        stage.people("before", "meanwhile", "erased", "without");
        stage.contact();
        stage.begin();
        JournalLateRow row = new JournalLateRow(stage);
        row.firstStart();
        row.laterStart();
        row.withAKey();
        stage.saw("a folder that can be opened a minute later: what Openfire knew, and what came meanwhile, is kept in it");
    }

    private void firstStart() throws Exception {
        server.uninstall();
        remove(folder);
        for (String part : List.of("before", "erased")) {
            visit(part, "of before");
        }
        long noted = noted("before");
        noted("erased");
        startWithAFileInTheWay();
        await(AGREED, "what Openfire had noted is known", () -> seenMs("before") == noted && seenMs("erased") > 0);
        visit("meanwhile", "of meanwhile");
        server.command("delete-user", stage.user("erased"));
        await(AGREED, "it goes on in memory", () -> seenMs("meanwhile") > noted && seenMs("erased") == 0);
        Files.delete(folder);
        await(OPENED, "it takes to the disk when it can", () -> told("state").equals("on disk"));
        long meanwhile = seenMs("meanwhile");
        sleep(2 * TICK);
        server.uninstall();
        // So it is the folder that knows it.
        server.command("sql", "DELETE FROM ofPresence");
        stage.must(server.install(Products.plugin()), "it is back");
        stage.must(told("state").equals("on disk"), "and reads its folder: " + journal());
        stage.must(seenMs("before") == noted, "what Openfire had noted is kept");
        stage.must(seenMs("meanwhile") == meanwhile, "what came in memory is kept");
        stage.must(seenMs("erased") == 0, "who was erased is not");
    }

    private void laterStart() throws Exception {
        long before = seenMs("before");
        long meanwhile = seenMs("meanwhile");
        server.uninstall();
        visit("without", "of without");
        long without = noted("without");
        Path aside = folder.resolveSibling("heartbeat-aside");
        Files.move(folder, aside);
        startWithAFileInTheWay();
        await(AGREED, "Openfire is asked", () -> seenMs("without") == without);
        visit("before", "of now");
        await(AGREED, "it goes on in memory", () -> seenMs("before") > before);
        long now = seenMs("before");
        Files.delete(folder);
        Files.move(aside, folder);
        await(OPENED, "it takes to the disk when it can", () -> told("state").equals("on disk"));
        stage.must(seenMs("before") == now && status("before").equals("of now"), "who came meanwhile was here meanwhile");
        stage.must(seenMs("meanwhile") == meanwhile, "of others the folder knows");
        await(AGREED, "and Openfire, where it noted something since", () -> seenMs("without") == without);
        await(AGREED, "and Openfire is told", () -> server.offlineDate(stage.user("before")) == now);
        sleep(2 * TICK);
        server.reload();
        stage.must(seenMs("before") == now && status("before").equals("of now"), "it is on disk");
        stage.must(seenMs("meanwhile") == meanwhile && seenMs("without") == without, "all of it");
    }

    /** The key was put there before the first start. */
    private void withAKey() throws IOException {
        long noted = server.offlineDate(stage.user("before"));
        String key = Files.readString(folder.resolve("key"));
        server.uninstall();
        remove(folder);
        Files.writeString(Files.createDirectories(folder).resolve("key"), key);
        stage.must(server.install(Products.plugin()), "it is back");
        stage.must(told("state").equals("on disk"), "and keeps what it knows: " + journal());
        stage.must(noted > 0 && seenMs("before") == noted, "what Openfire had noted is taken over");
        stage.must(Files.readString(folder.resolve("key")).equals(key), "under the key that was there");
    }

    private void startWithAFileInTheWay() throws IOException {
        Files.writeString(folder, "in the way");
        stage.must(server.install(Products.plugin()), "the plugin works: " + server.refusal());
        stage.must(told("state").equals("memory only"), "in memory: " + journal());
        stage.must(told("reason").contains("the folder can not be opened"), "it says why: " + journal());
    }

    private void visit(String part, String status) {
        RawClient client = stage.login(part);
        client.unavailable(status);
        client.closeStream();
    }

    /** When Openfire says that somebody went, who did a moment ago. */
    private long noted(String part) {
        for (int i = 0; i < 10 * AGREED && server.offlineDate(stage.user(part)) < 0; i++) {
            sleep(0.1);
        }
        stage.always(server.offlineDate(stage.user(part)) > 0, "Openfire notes who goes");
        return server.offlineDate(stage.user(part));
    }

    private JsonObject journal() {
        return server.status(false).getAsJsonObject("journal");
    }

    private String told(String key) {
        JsonElement told = journal().get(key);
        return told.isJsonNull() ? "" : told.getAsString();
    }

    /** 0: unknown. */
    private long seenMs(String part) {
        return known(part).map(known -> known.get("seen_ms").getAsLong()).orElse(0L);
    }

    private String status(String part) {
        return known(part).map(known -> known.get("status").getAsString()).orElse("");
    }

    private Optional<JsonObject> known(String part) {
        return server.lastActivity(stage.user(part));
    }

    private void await(double seconds, String what, BooleanSupplier condition) {
        long end = System.nanoTime() + (long) (seconds * 1e9);
        while (!condition.getAsBoolean() && System.nanoTime() < end) {
            sleep(0.1);
        }
        stage.must(condition.getAsBoolean(), what + ": " + journal());
    }

    private static void remove(Path folder) throws IOException {
        try (Stream<Path> all = Files.walk(folder)) {
            for (Path each : all.sorted(Comparator.reverseOrder()).toList()) {
                Files.delete(each);
            }
        }
    }
}
