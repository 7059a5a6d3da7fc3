package org.igniterealtime.openfire.heartbeat.suite;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import org.igniterealtime.openfire.heartbeat.harness.ConsoleVisitor;
import org.igniterealtime.openfire.heartbeat.harness.Event;
import org.igniterealtime.openfire.heartbeat.harness.Installation;
import org.igniterealtime.openfire.heartbeat.harness.OpenfireServer;
import org.igniterealtime.openfire.heartbeat.harness.PingAnswer;
import org.igniterealtime.openfire.heartbeat.harness.Products;
import org.igniterealtime.openfire.heartbeat.harness.RawClient;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** The way of an administrator: the plugin is uploaded in the console, used, and removed there, with a browser. */
@Timeout(240)
final class UploadTest {
    private static final String PLUGINS = "plugin-admin.jsp";
    private static final String BESIDE = "connection-settings-socket-c2s.jsp";
    private static final String ENTRY = "#jive-sidebar a[href$='plugins/heartbeat/settings']";
    private static final String PROPERTY = "server-properties.jsp?searchName=plugin.heartbeat.journal.interval";
    private static final int SILENT_S = 4;

    @Test
    void uploadedUsedAndRemovedThroughTheConsole() throws Exception {
        assumeTrue(Installation.used().hasConsole(), "Openfire from Maven Central comes without its console");
        OpenfireServer server = OpenfireServer.named("upload")
                .console()
                .set("plugins.upload.enabled", "true")
                .set("admin.authorizedJIDs", "admin@upload.test,boss@upload.test")
                .start();
        try (server;
                Browser browser = new Browser(server.webConsole(), true)) {
            server.users(List.of("boss", "bob"));
            try (RawClient boss = login(server, "boss");
                    RawClient bob = login(server, "bob")) {
                upload(browser, server);
                use(browser, server, boss, bob);
                remove(browser, server, boss, bob);
            }
        }
    }

    private static RawClient login(OpenfireServer server, String user) {
        return RawClient.login(server.door(), user, "desk")
                .answerPings(PingAnswer.RESULT)
                .available();
    }

    private static void upload(Browser browser, OpenfireServer server) throws Exception {
        Path jar = Files.createDirectories(Products.folder("console").resolve("upload")).resolve("heartbeat.jar");
        Files.deleteIfExists(jar);
        Files.copy(Products.plugin(), jar);
        browser.visit(BESIDE);
        assertFalse(browser.has(ENTRY));
        browser.visit(PLUGINS);
        browser.find("input[name=uploadfile]").sendKeys(jar.toString());
        browser.find("form:has(input[name=uploadfile]) input[type=submit]").click();
        browser.waitFor(by -> browser.driver().getCurrentUrl().contains("uploadsuccess=true"), "the upload");
        browser.waitFor(by -> server.isLoaded(), "the plugin");
        browser.visit(PLUGINS);
        String row = browser.find("tr:has(input[name=deleteplugin][value=heartbeat])").getText();
        assertTrue(row.contains("Heartbeat") && row.contains("Pings silent clients"), row);
        browser.picture("upload-done");
        assertEquals("null", server.refusal());
    }

    private static void use(Browser browser, OpenfireServer server, RawClient boss, RawClient bob) {
        browser.visit(BESIDE);
        browser.press(ENTRY);
        assertTrue(browser.has("#jive-sidebar a[href$='" + BESIDE + "']"), "the page is in the console's frame");
        assertTrue(browser.text().contains("Heartbeat is in charge of silent clients"), browser.text());
        browser.picture("upload-settings");
        // Who was connected before the plugin came feels what is set on the page.
        assertEquals(List.of(), bob.pings());
        browser.fill("#k-idle", Integer.toString(SILENT_S));
        browser.choose("select[name=idle-unit]", "s");
        browser.press("button[value=save]");
        assertTrue(browser.text().contains("The settings were saved"), browser.text());
        bob.send(" ");
        long silent = bob.lastSent();
        Event ping = bob.await(Duration.ofSeconds(20), "a ping", event -> event.isOurPing() && event.at() - silent > 0);
        double after = Times.seconds(silent, ping.at());
        assertTrue(after >= SILENT_S - Times.TICK && after <= SILENT_S + Times.TICK, "pinged after " + after + " s");
        browser.open("sessions?q=bob");
        assertTrue(browser.text().contains(bob.jid()), browser.text());
        AdHoc status = AdHoc.begin(boss, "heartbeat#status");
        assertEquals("completed", status.status(), status.toString());
        assertTrue(status.field("policy").contains("idle: 4s\n"), status.toString());
        if (server.version().listsProperties()) {
            browser.visit(PROPERTY);
            assertTrue(browser.find("#jive-main-content").getText().contains("plugin.heartbeat.journal.interval"));
        }
        ConsoleVisitor machine = new ConsoleVisitor(server).login("admin", "admin");
        assertEquals(200, machine.ask("GET", "plugins/heartbeat/metrics", "").statusCode());
        assertTrue(server.statistic("heartbeat_pings").isPresent());
    }

    private static void remove(Browser browser, OpenfireServer server, RawClient boss, RawClient bob) {
        browser.visit(PLUGINS);
        browser.find("form:has(input[name=deleteplugin][value=heartbeat]) input[type=image]").click();
        browser.driver().switchTo().alert().accept();
        browser.waitFor(by -> browser.driver().getCurrentUrl().contains("deletesuccess=true"), "the removal");
        Path folder = server.home().resolve("plugins/heartbeat");
        browser.waitFor(by -> !server.isLoaded() && !Files.exists(folder), "the end of the plugin");
        browser.visit(BESIDE);
        assertFalse(browser.has(ENTRY), "the entry of the menu is gone");
        browser.visit("session-summary.jsp");
        assertFalse(browser.has("#jive-sidebar a[href*='plugins/heartbeat']"), "the other entries too");
        browser.picture("upload-removed");
        if (server.version().listsProperties()) {
            browser.visit(PROPERTY);
            assertFalse(browser.find("#jive-main-content").getText().contains("plugin.heartbeat.journal.interval"));
        }
        ConsoleVisitor visitor = new ConsoleVisitor(server).login("admin", "admin");
        // As a plugin that never was: 404, or 500 where Openfire looks for whether it wants a token of forms.
        int none = visitor.ask("GET", "plugins/never/settings", "").statusCode();
        assertTrue(none == 404 || none == 500, "none: " + none);
        for (String page : List.of("settings", "sessions", "metrics")) {
            assertEquals(none, visitor.ask("GET", "plugins/heartbeat/" + page, "").statusCode(), page);
        }
        assertTrue(AdHoc.offeredTo(boss).stream().noneMatch(node -> node.startsWith("heartbeat")));
        assertEquals("item-not-found", AdHoc.begin(boss, "heartbeat#status").error());
        assertTrue(server.statistic("heartbeat_pings").isEmpty());
        assertEquals(List.of(), server.threads().stream().filter(name -> name.startsWith("heartbeat")).toList());
        assertEquals(0, OwnServerRows.copiesLeft(server), "copies of the library");
        // Openfire counts from here on, and its idle time is minutes: nobody is pinged by us any more.
        long gone = System.nanoTime();
        Times.sleep(2 * SILENT_S);
        assertEquals(List.of(), bob.events(gone, Event::isPing));
        bob.sync();
    }
}
