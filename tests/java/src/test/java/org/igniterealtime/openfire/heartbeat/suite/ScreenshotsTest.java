package org.igniterealtime.openfire.heartbeat.suite;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.igniterealtime.openfire.heartbeat.harness.OpenfireServer;
import org.igniterealtime.openfire.heartbeat.harness.PingAnswer;
import org.igniterealtime.openfire.heartbeat.harness.Products;
import org.igniterealtime.openfire.heartbeat.harness.RawClient;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/**
 * Takes the pictures of the README: a server with its clients, after a week that the core has lived through in virtual time
 * ({@code tests/c/history_main.c}). {@code make screenshots} puts them into {@code docs}.
 */
@Timeout(300)
final class ScreenshotsTest {
    private static final List<String> USERS = List.of(
            "alice", "bob", "carol", "dave", "erin", "frank", "grace", "heidi", "ivan", "judy", "kim", "liang", "mei",
            "niaj", "olivia", "peggy", "quentin", "rupert", "sybil", "trent");
    private static final List<String> DEVICES = List.of("Conversations.", "Gajim.", "Dino.");

    /** The one that the week before was lived with. */
    private static final String POLICY = "{\"idle\": \"1m\", \"ack_timeout\": \"30s\", \"retries\": 1}";

    /** Those who are dead were pinged then, and are not gone yet. */
    private static final long LIFE_MS = TimeUnit.SECONDS.toMillis(80);

    private static RawClient login(OpenfireServer server, String user, int device) {
        String resource = DEVICES.get(device) + Integer.toString((user.hashCode() & 0xffff) + device, 36);
        return RawClient.login(server.door(), user, resource);
    }

    @Test
    void ofTheOverviewAndOfLiveSessions() throws Exception {
        List<RawClient> clients = new ArrayList<>();
        OpenfireServer server = OpenfireServer.named("screenshots")
                .domain("example.org")
                .console()
                .set("plugin.heartbeat.policy", POLICY)
                .set("plugin.heartbeat.enabled", "false")
                .plugin(Products.plugin())
                .start();
        try (Browser browser = new Browser(server.webConsole(), true)) {
            server.users(USERS);
            history(server.home().resolve("heartbeat"));
            server.set("plugin.heartbeat.enabled", "true");
            for (String user : USERS) {
                for (int device = 0; device < DEVICES.size(); device++) {
                    RawClient client = login(server, user, device);
                    clients.add(client);
                    live(client, clients.size());
                }
            }
            talk(clients);
            browser.size(1280, 1180);
            browser.open("overview?span=day");
            browser.waitFor(by -> browser.all("#plots canvas").size() == 4, "the plots");
            picture(browser, "overview");
            browser.size(1280, 1180);
            browser.open("sessions?sort=ends");
            picture(browser, "sessions");
        } finally {
            clients.forEach(RawClient::close);
            server.close();
        }
    }

    private static void history(Path folder) throws IOException, InterruptedException {
        Process program = new ProcessBuilder(
                        Products.program("native/history").toString(),
                        folder.toString(),
                        Long.toString(System.currentTimeMillis()))
                .inheritIO()
                .start();
        assertEquals(0, program.waitFor());
    }

    /** Most answer; some are dead and not yet gone; some are lost and may come back. */
    private static void live(RawClient client, int number) {
        if (number % 9 != 4) {
            client.answerPings(PingAnswer.RESULT);
        }
        client.available();
        if (number % 4 == 1) {
            client.enableResumption();
        }
        client.sync();
        if (number % 24 == 1) {
            client.reset();
        }
    }

    /** One after the other says something, as in the week before, but for those who are dead. */
    private static void talk(List<RawClient> clients) throws InterruptedException {
        long end = System.nanoTime() + TimeUnit.MILLISECONDS.toNanos(LIFE_MS);
        for (int i = 0; System.nanoTime() < end; i++) {
            int number = i * 7 % clients.size() + 1;
            if (number % 9 != 4 && number % 24 != 1) {
                clients.get(number - 1).send(" ");
            }
            Thread.sleep(TimeUnit.SECONDS.toMillis(1));
        }
    }

    private static void picture(Browser browser, String name) throws IOException {
        browser.look(name);
        Files.copy(
                Products.folder("console").resolve(name + ".png"),
                Products.folder("screenshots").resolve(name + ".png"),
                StandardCopyOption.REPLACE_EXISTING);
    }
}
