package org.igniterealtime.openfire.heartbeat.suite;

import static org.igniterealtime.openfire.heartbeat.suite.Times.TICK;
import static org.igniterealtime.openfire.heartbeat.suite.Times.sleep;

import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.function.BooleanSupplier;
import org.igniterealtime.openfire.heartbeat.harness.OpenfireServer;
import org.igniterealtime.openfire.heartbeat.harness.Products;
import org.igniterealtime.openfire.heartbeat.harness.RawClient;

/**
 * The row journal: another key while the server runs; then a folder that can not be written to, and a disk that is full.
 * Last activity goes on in memory, says so, and comes back to the disk. Needs the right to mount a file system.
 */
final class JournalRow {
    /** How long it may take to come back: it tries every fifth second, or once a minute if it never was there. */
    private static final double BACK = 8;

    private static final double OPENED_AGAIN = 65;

    private final Stage stage;
    private final OpenfireServer server;
    private final Path folder;

    private JournalRow(Stage stage) {
        this.stage = stage;
        server = stage.server();
        folder = server.home().resolve("heartbeat");
    }

    static void play(Stage stage) throws Exception {
        stage.people("early", "meanwhile");
        stage.contact();
        stage.begin();
        new JournalRow(stage).play();
    }

    private void play() throws Exception {
        visit("early");
        newKey();
        server.uninstall();
        Path kept = Files.createDirectories(server.home().resolve("tmp/kept"));
        copy(folder, kept);
        run("mount", "-t", "tmpfs", "-o", "size=2m,mode=700", "heartbeat-test", folder.toString());
        try {
            copy(kept, folder);
            readOnly();
            full();
        } finally {
            server.uninstall();
            run("umount", folder.toString());
        }
        stage.must(server.install(Products.plugin()), "it is back");
        stage.saw("another key, a read-only folder and a full disk: it said so, went on in memory and came back to the disk");
    }

    private void visit(String part) {
        visit(part, "see you");
    }

    private void visit(String part, String status) {
        RawClient client = stage.login(part);
        client.unavailable(status);
        client.closeStream();
    }

    private JsonObject journal() {
        return server.status(false).getAsJsonObject("journal");
    }

    private String told(String key) {
        JsonElement told = journal().get(key);
        return told.isJsonNull() ? "" : told.getAsString();
    }

    private void await(double seconds, String what, BooleanSupplier condition) {
        long end = System.nanoTime() + (long) (seconds * 1e9);
        while (!condition.getAsBoolean() && System.nanoTime() < end) {
            sleep(0.1);
        }
        stage.must(condition.getAsBoolean(), what + ": " + journal());
    }

    /** What is no key is refused in words; what is one takes the place of the other, and nothing is lost. */
    private void newKey() throws IOException {
        await(5, "it is on disk", () -> told("state").equals("on disk"));
        String before = Files.readString(folder.resolve("key"));
        Path asked = folder.resolve("key.new");
        Files.writeString(asked, "no key");
        await(5, "what is no key is refused", () -> told("key").contains("neither 64 hexadecimal digits nor the word"));
        stage.must(server.log().contains("the key is not changed: key.new is neither"), "the log says so");
        stage.must(told("state").equals("on disk"), "and it is kept on disk as before: " + journal());
        Files.writeString(asked, "random\n");
        await(5, "the key is changed", () -> Files.notExists(asked));
        await(5, "it says so", () -> told("key").isEmpty() && server.log().contains("the key was changed"));
        String after = Files.readString(folder.resolve("key"));
        stage.must(after.length() == before.length() && !after.equals(before), "it is another one");
        server.reload();
        stage.must(server.lastActivity(stage.user("early")).isPresent(), "what was known is known under the new key");
        stage.must(told("state").equals("on disk"), "and kept: " + journal());
    }

    /** It can not be opened, and then it can. */
    private void readOnly() throws Exception {
        run("mount", "-o", "remount,ro", folder.toString());
        server.install(Products.plugin());
        stage.must("null".equals(server.refusal()), "the plugin works: " + server.refusal());
        stage.must(told("state").equals("memory only"), "in memory: " + journal());
        stage.must(told("reason").contains("Read-only file system"), "it says why: " + journal());
        stage.must(server.log().contains("kept in memory only"), "the log says so");
        visit("meanwhile");
        sleep(2 * TICK);
        stage.must(server.lastActivity(stage.user("meanwhile")).isPresent(), "it goes on in memory");
        run("mount", "-o", "remount,rw", folder.toString());
        await(OPENED_AGAIN, "it takes to the disk when it can", () -> told("state").equals("on disk"));
        stage.must(server.lastActivity(stage.user("early")).isPresent(), "what was there is read");
        sleep(2 * TICK);
        server.reload();
        stage.must(server.lastActivity(stage.user("meanwhile")).isPresent(), "what came in memory is on disk");
    }

    /** No room is left, and then there is. */
    private void full() throws IOException {
        Path filler = folder.resolve("filler");
        String before = server.log();
        try (OutputStream out = Files.newOutputStream(filler)) {
            byte[] block = new byte[4096];
            for (int i = 0; i < 1024; i++) {
                out.write(block);
            }
            stage.must(false, "the disk is full");
        } catch (IOException e) {
            // As it should be.
        }
        for (int i = 0; i < 10 && told("state").equals("on disk"); i++) {
            // The last page of the journal's own file has room for some.
            visit("meanwhile", "x".repeat(900));
            sleep(1.1 * TICK);
        }
        stage.must(told("state").equals("memory only"), "in memory: " + journal());
        stage.must(told("reason").contains("No space left on device"), "it says why: " + journal());
        visit("early");
        sleep(2 * TICK);
        long seenMs = seenMs("early");
        Files.delete(filler);
        await(BACK, "it takes to the disk when there is room", () -> told("state").equals("on disk"));
        String said = server.log().substring(before.length());
        stage.must(said.contains("kept in memory only") && said.contains("No space left on device"), "the log says why");
        stage.must(said.contains("kept on disk again"), "and that it is over");
        server.reload();
        stage.must(Math.abs(seenMs("early") - seenMs) <= 1000, "what came in memory is on disk");
    }

    private long seenMs(String part) {
        return server.lastActivity(stage.user(part)).orElseThrow().get("seen_ms").getAsLong();
    }

    private static void copy(Path from, Path to) throws IOException {
        try (var files = Files.list(from)) {
            for (Path file : files.toList()) {
                Files.copy(file, to.resolve(file.getFileName()));
            }
        }
    }

    private static void run(String... command) throws Exception {
        Process process = new ProcessBuilder(command).redirectErrorStream(true).start();
        String said = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        if (process.waitFor() != 0) {
            throw new IllegalStateException(String.join(" ", command) + ": " + said);
        }
    }
}
