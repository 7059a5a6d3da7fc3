package org.igniterealtime.openfire.heartbeat.suite;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import com.google.gson.Gson;
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import java.io.IOException;
import java.net.URI;
import java.net.URLEncoder;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.regex.Pattern;
import java.util.zip.ZipFile;
import org.igniterealtime.openfire.heartbeat.harness.ConsoleVisitor;
import org.igniterealtime.openfire.heartbeat.harness.Event;
import org.igniterealtime.openfire.heartbeat.harness.OpenfireServer;
import org.igniterealtime.openfire.heartbeat.harness.OpenfireServer.Setup;
import org.igniterealtime.openfire.heartbeat.harness.PingAnswer;
import org.igniterealtime.openfire.heartbeat.harness.Products;
import org.igniterealtime.openfire.heartbeat.harness.RawClient;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.openqa.selenium.Keys;
import org.openqa.selenium.WebElement;

/**
 * The pages of the admin console, served by Openfire's own machinery for plugins, in a real browser. Pictures of what it
 * showed are kept in {@code build/console}.
 */
@Timeout(120)
final class ConsoleTest {
    private static final String POLICY = "plugin.heartbeat.policy";
    private static final String ENABLED = "plugin.heartbeat.enabled";
    private static final List<String> PAGES = List.of("overview", "settings", "sessions", "session", "users");

    private static OpenfireServer server;
    private static Browser browser;

    @BeforeAll
    static void start() {
        server = OpenfireServer.named("console")
                .console()
                .plugin(Products.plugin())
                .start();
        server.users(List.of("alice", "bob"));
        browser = new Browser(server.webConsole(), true);
    }

    @AfterAll
    static void stop() {
        if (browser != null) {
            browser.close();
        }
        if (server != null) {
            server.close();
        }
    }

    @BeforeEach
    void asItWasInstalled() {
        server.command("locale", "en");
        server.delete(POLICY);
        server.delete(ENABLED);
        browser.size(1280, 900);
    }

    private static String policy() {
        return server.status(false).getAsJsonObject("policy").toString();
    }

    @Test
    void isInTheMenuBesideTheIdlePolicy() {
        browser.open("settings");
        WebElement entry = browser.find("#jive-sidebar a[href$='plugins/heartbeat/settings']");
        assertTrue(entry.getText().contains("Silent Clients"), entry.getText());
        assertTrue(browser.has("#jive-sidebar a[href$='connection-settings-socket-c2s.jsp']"));
        assertTrue(browser.has("#heartbeat a[href$='connection-settings-socket-c2s.jsp']"));
        assertTrue(browser.text().contains("That page can not know of Heartbeat."), browser.text());
        browser.open("sessions");
        assertTrue(browser.find("#jive-sidebar a[href$='plugins/heartbeat/sessions']").getText().contains("Live Sessions"));
    }

    @Test
    void everyPageIsInOrder() {
        for (String language : List.of("en", "zh-CN")) {
            server.command("locale", language);
            for (String page : PAGES) {
                browser.size(1280, 900);
                browser.open(page);
                browser.look(page + "-" + language);
                assertEquals(language, browser.find("#heartbeat").getAttribute("lang"));
                browser.size(400, 800);
                browser.open(page);
                browser.look(page + "-" + language + "-narrow");
                browser.assertQuiet();
            }
        }
    }

    @Test
    void otherLanguagesFallBackToEnglish() {
        server.command("locale", "fr");
        browser.open("settings");
        assertEquals("en", browser.find("#heartbeat").getAttribute("lang"));
        assertTrue(browser.text().contains("What this means"));
    }

    @Test
    void whatItMeansIsShownBeforeItIsSaved() {
        browser.open("settings");
        assertTrue(browser.text().contains("A silent client is pinged after 3 min, and disconnected after 6 min"));
        browser.fill("#k-idle", "2");
        browser.choose("select[name=idle-unit]", "m");
        browser.fill("#k-ack_timeout", "30");
        browser.choose("select[name=ack_timeout-unit]", "s");
        browser.fill("#k-retries", "1");
        String meant = "pinged after 2 min, then once more, and disconnected after 3 min";
        browser.waitFor(by -> browser.text().contains(meant), "what it would mean");
        assertTrue(browser.text().contains("It is not saved yet"));
        assertTrue(policy().contains("\"idle\":\"3m\""), policy());
        browser.press("button[value=save]");
        assertTrue(browser.text().contains("The settings were saved"));
        assertTrue(browser.text().contains(meant));
        assertTrue(policy().contains("\"idle\":\"2m\""), policy());
        assertTrue(policy().contains("\"retries\":1"), policy());
        assertTrue(server.command("audit").contains("admin Heartbeat: changed the policy: " + POLICY), "the audit log");
        browser.assertQuiet();
    }

    @Test
    void whatIsSavedIsFeltByAClient() {
        try (RawClient bob = login("bob", "felt")) {
            browser.open("settings");
            browser.fill("#k-idle", "4");
            browser.choose("select[name=idle-unit]", "s");
            browser.press("button[value=save]");
            assertTrue(browser.text().contains("The settings were saved"), browser.text());
            bob.send(" ");
            long silent = bob.lastSent();
            Event ping = bob.await("a ping", event -> event.isOurPing() && event.at() - silent > 0);
            double after = Times.seconds(silent, ping.at());
            assertTrue(after >= 4 - Times.TICK && after <= 4 + Times.TICK, "pinged after " + after + " s");
        }
    }

    @Test
    void aFormThatIsSentAtOnceIsNotLostToAPreview() {
        browser.open("settings");
        // The answer to the preview comes late; Openfire, where it has tokens, has renewed them by then.
        browser.driver().executeScript("var real = window.fetch; window.asked = 0; window.fetch = function (url, how) {"
                + "window.asked++;"
                + "return real(url, how).then(function (answer) {"
                + "  return new Promise(function (done) { window.setTimeout(function () { done(answer); }, 1500); });"
                + "}); };");
        browser.fill("#k-retries", "4");
        browser.waitFor(by -> ((Long) browser.driver().executeScript("return window.asked;")) > 0, "a preview under way");
        browser.press("button[value=save]");
        assertTrue(browser.text().contains("The settings were saved"), browser.text());
        assertTrue(policy().contains("\"retries\":4"), policy());
    }

    @Test
    void aWrongFieldIsRefusedBesideItAndLosesNothing() {
        browser.open("settings");
        browser.fill("#k-idle", "5");
        browser.choose("select[name=idle-unit]", "m");
        browser.fill("#k-spread", "6");
        browser.choose("select[name=spread-unit]", "m");
        browser.press("button[value=save]");
        browser.forgetSaid();
        assertTrue(browser.find("tr:has(#k-spread) .hb-bad").getText().contains("shorter than idle"));
        assertEquals("5", browser.find("#k-idle").getAttribute("value"));
        assertEquals("6", browser.find("#k-spread").getAttribute("value"));
        assertEquals("null", server.command("get", POLICY));
        browser.look("settings-refused");
    }

    /** Two years and a second, which no larger unit has: what a key may be the core says, and not the browser. */
    @Test
    void whatTheCoreTakesTheFormSends() {
        server.set(POLICY, "{\"forget_after\": \"63072001s\"}");
        browser.open("settings");
        assertEquals("63072001", browser.find("#k-forget_after").getAttribute("value"));
        browser.fill("#k-retries", "2");
        browser.press("button[value=save]");
        assertTrue(browser.text().contains("The settings were saved"), browser.text());
        assertTrue(policy().contains("\"retries\":2") && policy().contains("\"forget_after\":\"63072001s\""), policy());
    }

    @Test
    void jsonIsRefusedWithItsPlaceAndKept() {
        browser.open("settings");
        String wrong = "{\n  \"idle\": \"2m\",\n  \"retries\": \"<script>alert(1)</script>\"\n}";
        browser.fill("textarea", wrong);
        browser.press("button[value=json]");
        browser.forgetSaid();
        assertTrue(browser.find("#json-error").getText().contains("Line 3, column 14:"), browser.text());
        assertTrue(browser.find("#json-error").getText().contains("a whole number from 0 to 10 expected"));
        assertEquals(wrong, browser.find("textarea").getAttribute("value"));
        assertEquals("null", server.command("get", POLICY));
        browser.look("settings-json-refused");
        browser.fill("textarea", "{\"idle\": \"90s\"}");
        browser.press("button[value=json]");
        assertTrue(policy().contains("\"idle\":\"90s\""), policy());
        assertEquals("90", browser.find("#k-idle").getAttribute("value"));
    }

    @Test
    void aPolicyThatSomebodyElseBrokeIsShown() {
        server.set(POLICY, "{\"idle\": \"</textarea><script>document.title='stolen'</script>\"}");
        browser.open("settings");
        assertTrue(browser.text().contains("holds a text that is refused"));
        assertFalse(browser.driver().getTitle().contains("stolen"));
        assertFalse(browser.has("#heartbeat script"));
        browser.assertQuiet();
    }

    @Test
    void defaultsAreRestoredAfterAQuestion() {
        server.set(POLICY, "{\"idle\": \"2m\"}");
        browser.open("settings");
        browser.press("a[href='settings?confirm=defaults']");
        browser.look("settings-confirm");
        assertTrue(policy().contains("\"idle\":\"2m\""), policy());
        browser.press("button[value=defaults]");
        assertEquals("null", server.command("get", POLICY));
        assertTrue(policy().contains("\"idle\":\"3m\""), policy());
    }

    @Test
    void openfiresOwnHandlingCanBeGivenBackAndTakenAgain() {
        browser.open("settings");
        browser.press("button[value=off]");
        assertTrue(browser.text().contains("Openfire's own idle policy is in charge"));
        assertEquals("null", server.command("status", "false"));
        browser.look("settings-off");
        browser.press("button[value=on]");
        assertTrue(browser.text().contains("Heartbeat is in charge"));
        assertTrue(policy().contains("\"idle\":\"3m\""), policy());
        String audit = server.command("audit");
        assertTrue(audit.contains("admin Heartbeat: switched off") && audit.contains("admin Heartbeat: switched on"), audit);
    }

    @Test
    void theKeyboardIsEnough() {
        browser.open("settings");
        browser.find("#k-idle").sendKeys("4", Keys.TAB, "minutes", Keys.TAB);
        browser.find("button[value=save]").sendKeys(Keys.ENTER);
        browser.waitFor(by -> policy().contains("\"idle\":\"4m\""), "the policy");
    }

    /** What takes part on a page: links, fields, buttons, and what scrolls. */
    private static final String TAKES_PART = "window.parts = [].slice.call(document.querySelectorAll('#heartbeat a[href],"
            + "#heartbeat button, #heartbeat input:not([type=hidden]), #heartbeat select, #heartbeat textarea, #heartbeat summary,"
            + "#heartbeat [tabindex]')).filter(function (part) { return part.checkVisibility(); });"
            + "window.parts[0].focus();"
            + "return window.parts.length;";

    /** Which of them the keyboard is at, and whether one sees it. */
    private static final String IS_AT = "var at = document.activeElement;"
            + "var style = getComputedStyle(at);"
            + "return window.parts.indexOf(at) + (style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) > 0"
            + "  ? '' : ' unseen: ' + at.outerHTML);";

    @Test
    void theKeyboardComesToEverythingInTurnAndIsSeen() {
        try (RawClient bob = login("bob", "keys");
                RawClient alice = login("alice", "keys")) {
            for (String page : List.of(
                    "overview",
                    "settings?confirm=defaults",
                    "sessions",
                    "session?jid=bob",
                    "session?jid=bob%40console.test%2Fkeys",
                    "users?confirm=bob")) {
                browser.open(page);
                if (page.equals("overview")) {
                    browser.find("#plot-disconnects .hb-legend button");
                }
                long count = (Long) browser.driver().executeScript(TAKES_PART);
                assertTrue(count > 3, page);
                List<String> order = new ArrayList<>();
                List<String> expected = new ArrayList<>();
                for (long i = 1; i < count; i++) {
                    browser.type(Keys.TAB);
                    order.add((String) browser.driver().executeScript(IS_AT));
                    expected.add(Long.toString(i));
                }
                assertEquals(expected, order, page);
            }
        }
    }

    @Test
    void theKeyboardIsEnoughForSessionsAndUsers() {
        try (RawClient bob = login("bob", "keys")) {
            browser.open("overview");
            browser.enter("#jive-sidebar a[href$='plugins/heartbeat/sessions']");
            browser.tabTo("#q");
            browser.type("bob@");
            browser.enter("button[type=submit]");
            browser.enter("td.hb-jid a");
            browser.enter("button[value=ping]");
            bob.await("a ping of ours", Event::isOurPing);
            browser.enter(".hb-disconnect");
            browser.enter("button[value=disconnect]");
            assertTrue(browser.text().contains("The session is being disconnected"), browser.text());
            bob.await("the end", event -> event.kind() == Event.Kind.CLOSED);
            browser.enter("#jive-sidebar a[href$='plugins/heartbeat/users']");
            browser.tabTo("#q");
            browser.type("BOB");
            browser.enter("button[type=submit]");
            browser.enter("a[href$='confirm=bob']");
            browser.enter("button[value=erase]");
            assertTrue(browser.text().contains("The last activity of bob was erased."), browser.text());
        }
    }

    @Test
    void itWorksWithoutScripts() {
        try (Browser plain = new Browser(server.webConsole(), false)) {
            plain.open("settings");
            plain.fill("#k-retries", "3");
            plain.press("button[name=preview]");
            assertTrue(plain.text().contains("then up to 3 more times"));
            assertEquals("null", server.command("get", POLICY));
            plain.press("button[value=save]");
            assertTrue(policy().contains("\"retries\":3"), policy());
        }
    }

    // ---- Live sessions.

    private static final String HOSTILE = "<img src=x onerror=\"document.title='stolen'\">&'{{jid}}";

    /** From right to left; what mixes directions is no resource (RFC 3454, section 6). */
    private static final String HEBREW = "\u05e9\u05dc\u05d5\u05dd";

    private static RawClient login(String user, String resource) {
        return RawClient.login(server.door(), user, resource)
                .answerPings(PingAnswer.RESULT)
                .available()
                .sync();
    }

    @Test
    void whatSessionsAreCalledIsShownAndNotObeyed() {
        try (RawClient alice = login("alice", HOSTILE);
                RawClient bob = login("bob", HEBREW)) {
            browser.open("sessions");
            browser.look("sessions-hostile");
            assertTrue(browser.text().contains("alice@console.test/" + HOSTILE), browser.text());
            assertTrue(browser.text().contains("bob@console.test/" + HEBREW), browser.text());
            assertFalse(browser.driver().getTitle().contains("stolen"));
            browser.press("td.hb-jid a");
            browser.look("session-hostile");
            assertTrue(browser.text().contains(HOSTILE), browser.text());
            assertTrue(browser.text().contains("alive"));
            assertFalse(browser.has("#heartbeat img"));
            browser.open("sessions?q=%22%3E%3Cscript%3Edocument.title%3D%27stolen%27%3C%2Fscript%3E&state=%3Cb%3E&sort=%22&from=-1");
            assertTrue(browser.text().contains("No session is like that."));
            assertFalse(browser.has("#heartbeat script"));
            browser.assertQuiet();
        }
    }

    @Test
    void aSessionIsPingedAndDisconnectedAtAnAdministratorsWord() {
        try (RawClient bob = login("bob", "phone")) {
            browser.open("sessions?q=BOB");
            browser.press("td.hb-jid a");
            assertTrue(browser.text().contains("none yet"));
            browser.press("button[value=ping]");
            assertTrue(browser.text().contains("A ping was sent"));
            bob.await("a ping of ours", Event::isOurPing);
            browser.waitFor(
                    by -> {
                        browser.open("session?jid=bob%40console.test%2Fphone");
                        return !browser.text().contains("none yet");
                    },
                    "the round trip");
            browser.press(".hb-disconnect");
            browser.look("session-confirm");
            assertFalse(bob.isOver());
            browser.press("button[value=disconnect]");
            assertTrue(browser.text().contains("The session is being disconnected"));
            bob.await("the end", event -> event.kind() == Event.Kind.CLOSED);
            bob.await("the reason", event -> event.isStreamError("policy-violation"));
            browser.open("session?jid=bob%40console.test%2Fphone");
            assertTrue(browser.text().contains("an administrator asked for it"), browser.text());
            browser.look("session-over");
            String audit = server.command("audit");
            assertTrue(audit.contains("admin Heartbeat: disconnected a session: bob@console.test/phone"), audit);
        }
    }

    @Test
    void nobodyIsDisconnectedUnderTheNameOfAnother() {
        try (RawClient bob = login("bob", "named-alice");
                RawClient alice = login("alice", "innocent")) {
            for (String claimed : List.of("alice@console.test/innocent", "bob@console.test", "")) {
                browser.open("session?jid=bob%40console.test%2Fnamed-alice");
                browser.press(".hb-disconnect");
                browser.driver()
                        .executeScript(
                                "document.querySelector('form:has(button[value=disconnect]) input[name=jid]').value = arguments[0];",
                                claimed);
                browser.press("button[value=disconnect]");
                browser.forgetSaid();
                assertTrue(browser.text().contains("This form is not known, and nothing was changed."), browser.text());
            }
            bob.sync();
            alice.sync();
            assertFalse(bob.isOver() || alice.isOver());
            String audit = server.command("audit");
            assertFalse(audit.contains("innocent") || audit.contains("named-alice"), audit);
        }
    }

    @Test
    void whatClientsAreCalledIsShownAndNotObeyed() {
        assumeTrue(server.version().asksForSoftware(), "this Openfire does not ask for it");
        String program = HOSTILE.replace("&", "&amp;").replace("<", "&lt;");
        try (RawClient bob = login("bob", "named")) {
            Event asked = bob.await(
                    Duration.ofSeconds(20),
                    "the question for the software",
                    event -> event.isStanza("iq") && event.stanza().has("jabber:iq:version"));
            bob.send("<iq type='result' to='" + asked.stanza().attribute("from") + "' id='" + asked.stanza().attribute("id")
                    + "'><query xmlns='jabber:iq:version'><name>" + program + "</name><version>" + program
                    + "</version></query></iq>");
            bob.sync();
            browser.waitFor(
                    by -> {
                        browser.open("sessions?q=named");
                        return browser.text().contains(HOSTILE + " " + HOSTILE);
                    },
                    "the client");
            browser.look("sessions-client");
            assertFalse(browser.driver().getTitle().contains("stolen"));
            assertFalse(browser.has("#heartbeat img"));
            browser.assertQuiet();
        }
    }

    @Test
    void sessionsAreFilteredSortedAndCutIntoPages() {
        List<RawClient> strangers = new ArrayList<>();
        try (RawClient bob = login("bob", "desk");
                RawClient alice = login("alice", "desk")) {
            for (int i = 0; i < 101; i++) {
                strangers.add(RawClient.connect(server.door(), "stranger").openStream());
            }
            browser.open("sessions?state=connected");
            assertEquals("Sessions 1 to 100 of 101", browser.find("#count").getText());
            assertEquals(100, browser.all("#heartbeat tbody tr").size());
            browser.press("#next");
            assertEquals("Sessions 101 to 101 of 101", browser.find("#count").getText());
            assertFalse(browser.has("#next"));
            browser.press("#previous");
            assertTrue(browser.has("input[value=connected]:checked"));
            browser.open("sessions?q=desk&sort=jid&order=down");
            assertEquals(
                    List.of("bob@console.test/desk", "alice@console.test/desk"),
                    browser.all("td.hb-jid a").stream().map(link -> link.getText()).toList());
            assertEquals("descending", browser.find("th[aria-sort]").getAttribute("aria-sort"));
            browser.open("sessions?q=desk&from=5000");
            assertEquals("Sessions 1 to 2 of 2", browser.find("#count").getText());
            browser.open("sessions?q=desk&sort=jid&order=down");
            browser.press("#again");
            assertTrue(browser.find("td.hb-jid a").getText().startsWith("bob@"), browser.text());
            assertEquals("Sessions 1 to 2 of 2", browser.find("#count").getText());
            browser.open("overview");
            browser.press("#ending");
            assertEquals("Nobody is about to be disconnected: no ping is waiting for its answer.", browser.find("#count").getText());
            assertFalse(browser.has("#heartbeat table"));
        } finally {
            strangers.forEach(RawClient::close);
        }
    }

    @Test
    void whyAUserWasDisconnectedIsFoundByTheName() {
        try (RawClient phone = login("bob", "phone-of-<b>");
                RawClient desk = login("bob", "desk")) {
            browser.open("session?jid=bob%40console.test%2Fdesk");
            browser.press("button[value=ping]");
            desk.await("a ping", event -> event.stanza() != null && event.stanza().isPing());
            browser.press(".hb-disconnect");
            browser.press("button[value=disconnect]");
            desk.await("the end", event -> event.kind() == Event.Kind.CLOSED);
            phone.close();
            browser.open("overview");
            browser.fill("#ask-jid", "BOB");
            browser.find("#ask-jid").sendKeys(Keys.ENTER);
            browser.waitFor(by -> browser.driver().getCurrentUrl().contains("session?jid=BOB"), "the page of the user");
            browser.waitFor(
                    by -> {
                        browser.open("session?jid=BOB");
                        return browser.text().contains("No session of this user is open.");
                    },
                    "both ends");
            browser.look("user");
            // The newest first: the connection that was closed, then what was done to the other device.
            List<String> rows = browser.all("#decisions tbody tr").stream().map(WebElement::getText).toList();
            assertTrue(rows.get(0).contains("not by Heartbeat") && rows.get(0).contains("phone-of-<b>"), rows.toString());
            assertTrue(
                    rows.stream().anyMatch(row -> row.contains("disconnected, its session ended")
                            && row.contains("an administrator asked for it")
                            && row.contains("desk")),
                    rows.toString());
            assertTrue(browser.text().contains("Last session ended"), browser.text());
            assertFalse(browser.has("#decisions .hb-ping"));
            browser.press("#with-pings");
            assertTrue(browser.has("#decisions .hb-ping"));
            browser.press("#decisions tbody tr:first-child a");
            assertTrue(browser.text().contains("bob@console.test/phone-of-<b>"), browser.text());
            browser.press("#owner");
            assertTrue(browser.text().contains("No session of this user is open."), browser.text());
            // Who is called so elsewhere is somebody else.
            browser.open("session?jid=bob%40elsewhere.example");
            assertFalse(browser.text().contains("Last session ended"), browser.text());
            browser.open("session?jid=bo");
            browser.press("#heartbeat li a[href$='jid=bob']");
            assertTrue(browser.text().contains("an administrator asked for it"), browser.text());
            browser.open("users?q=bob");
            assertEquals("bob", browser.find("td.hb-jid a[href$='jid=bob']").getText());
            browser.open("session?jid=%3Cscript%3Edocument.title%3D%27stolen%27%3C%2Fscript%3E");
            assertTrue(browser.text().contains("Nothing is known of this user or JID."), browser.text());
            assertFalse(browser.has("#heartbeat script"));
            browser.assertQuiet();
        }
    }

    // ---- Last activity.

    @Test
    void whoWasHereWhenIsListedExportedAndErased() throws Exception {
        String said = "=cmd|'<script>document.title=\"stolen\"</script>";
        try (RawClient bob = login("bob", "phone");
                RawClient alice = login("alice", "phone")) {
            bob.send("<presence type='unavailable'><status>" + said.replace("<", "&lt;") + "</status></presence>");
            bob.sync();
            bob.close();
            browser.waitFor(
                    by -> {
                        browser.open("users?q=BOB");
                        return browser.text().contains("logged out");
                    },
                    "bob's end");
            browser.look("users-hostile");
            assertTrue(browser.text().contains(said), browser.text());
            assertFalse(browser.text().contains("alice"), browser.text());
            assertEquals("One user", browser.find("#count").getText());
            browser.open("users");
            assertTrue(browser.find("tr:has(a[href*='alice'])").getText().contains("online"), browser.text());
            browser.open("users");
            browser.press("a[href$='days=30']");
            assertTrue(browser.text().contains("No user is like that."), browser.text());
            HttpResponse<String> csv = ask("GET", "users.csv", "", "Cookie", cookie());
            assertTrue(csv.headers().firstValue("Content-Type").orElse("").startsWith("text/csv"), csv.headers().toString());
            String row = csv.body().lines().filter(line -> line.startsWith("\"bob\",no,")).findFirst().orElseThrow();
            assertTrue(row.endsWith(",logout,\"'" + said.replace("\"", "\"\"") + "\""), row);
            browser.open("users?q=bob");
            browser.press("a[href$='confirm=bob']");
            browser.look("users-confirm");
            browser.press("button[value=erase]");
            assertTrue(browser.text().contains("The last activity of bob was erased."), browser.text());
            assertTrue(browser.text().contains("No user is like that."), browser.text());
            String audit = server.command("audit");
            assertTrue(audit.contains("admin Heartbeat: erased the last activity of a user: bob"), audit);
            browser.assertQuiet();
        }
    }

    /** One with all that a user's name may have, and one that only a table can. */
    @Test
    void whatUsersAreCalledIsShownAndNotObeyed() {
        String allowed = "{{token}}{0}$(alert)\\3cb\\3e%3cb";
        server.users(List.of(allowed));
        server.set(ENABLED, "false");
        // What Openfire notes meanwhile is taken over.
        server.left(HOSTILE, System.currentTimeMillis());
        Times.sleep(1);
        server.set(ENABLED, "true");
        try (RawClient user = login(allowed, "phone")) {
            for (String name : List.of(allowed, HOSTILE)) {
                browser.waitFor(
                        by -> {
                            browser.open(name.equals(HOSTILE) ? "users" : "sessions");
                            return browser.text().contains(name);
                        },
                        name);
                assertFalse(browser.driver().getTitle().contains("stolen"));
                browser.open(browser.all("td.hb-jid a").stream()
                        .filter(link -> link.getText().startsWith(name))
                        .findFirst()
                        .orElseThrow()
                        .getDomAttribute("href"));
                browser.look(name.equals(HOSTILE) ? "user-from-table" : "user-hostile");
                assertTrue(browser.text().contains(name), browser.text());
                browser.open("users?q=" + URLEncoder.encode(name, StandardCharsets.UTF_8));
                browser.press("a[href*='confirm=']");
                assertTrue(browser.find("#confirm").getText().contains(name), browser.text());
                browser.press("button[value=erase]");
                assertTrue(browser.text().contains("The last activity of " + name + " was erased."), browser.text());
                assertFalse(browser.has("#heartbeat img"));
                assertFalse(browser.driver().getTitle().contains("stolen"));
            }
            browser.assertQuiet();
        }
    }

    // ---- Overview.

    private static final String ALIVE = "#1c7c1c";

    /** Of the fourth reason, an administrator. */
    private static final String ADMIN = "#6b6b6b";

    /** Pixels of a colour in the canvas of a plot. */
    private static final String PIXELS = "var canvas = document.querySelector('#plot-' + arguments[0] + ' canvas');"
            + "var colour = arguments[1];"
            + "if (!canvas) { return 0; }"
            + "var wanted = [1, 3, 5].map(function (at) { return parseInt(colour.substr(at, 2), 16); });"
            + "var copy = document.createElement('canvas');"
            + "copy.width = canvas.width;"
            + "copy.height = canvas.height;"
            + "var drawn = copy.getContext('2d', {willReadFrequently: true});"
            + "drawn.drawImage(canvas, 0, 0);"
            + "var data = drawn.getImageData(0, 0, copy.width, copy.height).data;"
            + "var count = 0;"
            + "for (var i = 0; i < data.length; i += 4) {"
            + "  if (data[i + 3] > 200 && wanted.every(function (part, at) { return Math.abs(part - data[i + at]) < 24; })) {"
            + "    count++;"
            + "  }"
            + "}"
            + "return count;";

    private static long pixels(String plot, String colour) {
        return (Long) browser.driver().executeScript(PIXELS, plot, colour);
    }

    private static String value(String plot, int line) {
        return browser.find("#plot-" + plot + " .hb-legend button:nth-of-type(" + line + ") b").getText();
    }

    /** What a line is drawn from, where something is known. */
    private static List<Double> figures(String span, String plot, String line) throws Exception {
        HttpResponse<String> answer = ask("GET", "overview.json?span=" + span, "", "Cookie", cookie());
        List<Double> values = new ArrayList<>();
        for (JsonElement each : JsonParser.parseString(answer.body()).getAsJsonObject().getAsJsonArray("plots")) {
            for (JsonElement its : each.getAsJsonObject().getAsJsonArray("lines")) {
                if (each.getAsJsonObject().get("id").getAsString().equals(plot)
                        && its.getAsJsonObject().get("key").getAsString().equals(line)) {
                    its.getAsJsonObject().getAsJsonArray("values").asList().stream()
                            .filter(value -> !value.isJsonNull())
                            .forEach(value -> values.add(value.getAsDouble()));
                }
            }
        }
        return values;
    }

    /** Opens the overview as it is when the server tells this in the place of its figures. */
    private static void openOverviewWith(String status, String json) {
        Object id = browser.driver()
                .executeCdpCommand(
                        "Page.addScriptToEvaluateOnNewDocument",
                        Map.of(
                                "source",
                                "window.fetch = function () { return Promise.resolve(new Response("
                                        + new Gson().toJson(json) + ", {status: " + status + "})); };"))
                .get("identifier");
        browser.open("overview");
        browser.driver().executeCdpCommand("Page.removeScriptToEvaluateOnNewDocument", Map.of("identifier", id));
    }

    /** What was drawn once: one line, over three steps. */
    private static String figures(String id, boolean bars, String name, String... values) {
        return "{\"step_s\":10,\"from_s\":1700000000,\"count\":3,\"zone\":\"UTC\",\"language\":\"en\",\"plots\":[{\"id\":\"" + id
                + "\",\"title\":\"T\",\"bars\":" + bars + ",\"none\":\"Nothing at all.\",\"lines\":[{\"key\":\"k\",\"name\":"
                + new Gson().toJson(name) + ",\"values\":[" + String.join(",", values) + "]}]}]}";
    }

    @Test
    void plotsAreDrawnFromWhatHappened() throws Exception {
        try (RawClient alice = login("alice", "plotted");
                RawClient bob = login("bob", "plotted")) {
            browser.open("session?jid=bob%40console.test%2Fplotted");
            browser.press("button[value=ping]");
            browser.press(".hb-disconnect");
            browser.press("button[value=disconnect]");
            bob.await("the end", event -> event.kind() == Event.Kind.CLOSED);
            browser.waitFor(
                    by -> {
                        browser.open("overview");
                        browser.find("#plot-disconnects canvas");
                        return pixels("disconnects", ADMIN) > 0 && !value("rtt", 1).equals("\u2013");
                    },
                    "bob's end and his round trip in the plots");
            browser.look("overview");
            // Few who are alive lie below what others who came and went have left, as high as it was.
            browser.all("#plot-sessions .hb-legend button").stream().skip(1).forEach(WebElement::click);
            assertTrue(pixels("sessions", ALIVE) > 0, "the line of those who are alive");
            assertTrue(Double.parseDouble(value("sessions", 1)) > 0, "how many are alive");
            assertTrue(
                    figures("hour", "disconnects", "admin").stream().mapToDouble(Double::doubleValue).sum() >= 1,
                    "how many an administrator disconnected");
            assertFalse(browser.find("#plot-disconnects .hb-none").isDisplayed());
            assertTrue(browser.find("#plot-sessions [role=img]").getAttribute("aria-label").contains("alive"));
            assertFalse(browser.find("#figures table").isDisplayed());
            assertTrue(browser.find("#state").getText().contains("on disk, encrypted"), browser.text());
            assertTrue(browser.find("#state").getText().matches("(?s).*SHA-256 [0-9a-f]{64}.*"), browser.text());
            assertTrue(browser.text().contains("Heartbeat is in charge of silent clients"), browser.text());
            browser.assertQuiet();
        }
    }

    @Test
    void eachSpanHasItsOwnFigures() throws Exception {
        browser.open("overview");
        assertTrue(browser.text().contains("in each 10 s"), browser.text());
        browser.press(".hb-spans a[href$='=week']");
        browser.find("#plot-sessions canvas");
        assertEquals("Last week", browser.find(".hb-spans [aria-current]").getText());
        assertTrue(browser.text().contains("in each 30 min"), browser.text());
        browser.look("overview-week");
        for (String span : List.of("hour 10 360", "day 300 288", "week 1800 336")) {
            String[] parts = span.split(" ");
            HttpResponse<String> answer = ask("GET", "overview.json?span=" + parts[0], "", "Cookie", cookie());
            assertTrue(answer.headers().firstValue("Content-Type").orElse("").startsWith("application/json"));
            JsonObject json = JsonParser.parseString(answer.body()).getAsJsonObject();
            assertEquals(parts[1], json.get("step_s").getAsString());
            assertEquals(parts[2], json.get("count").getAsString());
            JsonObject alive = json.getAsJsonArray("plots").get(0).getAsJsonObject().getAsJsonArray("lines").get(0).getAsJsonObject();
            assertEquals("alive", alive.get("key").getAsString());
            assertEquals(parts[2], Integer.toString(alive.getAsJsonArray("values").size()));
            assertFalse(alive.getAsJsonArray("values").asList().get(Integer.parseInt(parts[2]) - 1).isJsonNull(), "now");
        }
        browser.open("overview?span=%22%3E%3Cscript%3Edocument.title%3D%27stolen%27%3C%2Fscript%3E");
        assertEquals("Last hour", browser.find(".hb-spans [aria-current]").getText());
        assertFalse(browser.has("#heartbeat script"));
        browser.assertQuiet();
    }

    @Test
    void plotsSurviveARestart() throws Exception {
        OpenfireServer first = OpenfireServer.named("plots")
                .console()
                .set(POLICY, "{\"idle\": \"1s\", \"ack_timeout\": \"1s\"}")
                .plugin(Products.plugin())
                .start();
        try (first) {
            first.users(List.of("bob"));
            try (RawClient bob = RawClient.login(first.door(), "bob", "dead").available()) {
                bob.await(Duration.ofSeconds(20), "the end", Event::isOver);
            }
            browser.waitFor(by -> disconnected(first) == 1, "bob's end in the plots");
            first.stop();
        }
        Setup setup = OpenfireServer.named("plots").homeOf(first).console().plugin(Products.plugin());
        for (String port : List.of("xmpp.socket.plain.port", "adminConsole.port")) {
            setup.port(port, first.port(port));
        }
        try (OpenfireServer second = setup.start()) {
            assertEquals(1, disconnected(second), "who was disconnected before the restart");
        }
    }

    /** The figures of the last hour, as a script gets them that draws them. */
    private static JsonObject overview(OpenfireServer asked) {
        String json = new ConsoleVisitor(asked).login("admin", "admin").ask("GET", "plugins/heartbeat/overview.json", "").body();
        return JsonParser.parseString(json).getAsJsonObject();
    }

    /** How many did not answer, in the last hour. */
    private static int disconnected(OpenfireServer asked) {
        JsonObject disconnects = overview(asked).getAsJsonArray("plots").get(3).getAsJsonObject();
        JsonObject line = disconnects.getAsJsonArray("lines").get(0).getAsJsonObject();
        assertEquals("disconnects no-answer", disconnects.get("id").getAsString() + " " + line.get("key").getAsString());
        return line.getAsJsonArray("values").asList().stream()
                .mapToInt(value -> value.isJsonNull() ? 0 : value.getAsInt())
                .sum();
    }

    @Test
    void whatIsEmptySaysSoAndNamesAreNoMarkup() {
        openOverviewWith("200", figures("sessions", false, HOSTILE, "null", "null", "null"));
        assertEquals("Nothing at all.", browser.find("#plot-sessions .hb-none").getText());
        assertTrue(browser.find("#plot-sessions .hb-legend").getText().contains(HOSTILE));
        assertFalse(browser.has("#heartbeat img"));
        assertEquals(0, pixels("sessions", ALIVE));
        openOverviewWith("200", figures("disconnects", true, "n", "0", "0", "0"));
        assertTrue(browser.find("#plot-disconnects .hb-none").isDisplayed());
        openOverviewWith("200", figures("disconnects", true, "n", "0", "3", "0"));
        assertFalse(browser.find("#plot-disconnects .hb-none").isDisplayed());
        assertTrue(pixels("disconnects", ALIVE) > 100, "a bar");
        // A single value between gaps has no line, and must be seen.
        openOverviewWith("200", figures("sessions", false, "n", "null", "5", "null"));
        assertTrue(pixels("sessions", ALIVE) > 0, "a point");
        browser.assertQuiet();
        openOverviewWith("503", "");
        assertTrue(browser.find("#plots-failed").isDisplayed());
        assertTrue(browser.find("#figures table").isDisplayed());
        assertFalse(browser.find("#plots").isDisplayed());
        browser.forgetSaid();
    }

    @Test
    void plotsCanBeReadWithTheKeyboard() {
        openOverviewWith("200", figures("sessions", false, "name", "1", "2", "3"));
        WebElement plot = browser.find("#plot-sessions [role=img]");
        plot.sendKeys(Keys.ARROW_LEFT);
        browser.waitFor(by -> value("sessions", 1).equals("2"), "the value before the last");
        assertTrue(browser.find("#plot-sessions .hb-unseen").getAttribute("textContent").contains(": name 2"));
        plot.sendKeys(Keys.HOME);
        browser.waitFor(by -> value("sessions", 1).equals("1"), "the first value");
        assertTrue(pixels("sessions", ALIVE) > 0);
        browser.find("#plot-sessions .hb-legend button").sendKeys(Keys.ENTER);
        assertEquals("false", browser.find("#plot-sessions .hb-legend button").getAttribute("aria-pressed"));
        browser.waitFor(by -> pixels("sessions", ALIVE) == 0, "the line to be gone");
        browser.assertQuiet();
    }

    @Test
    void withoutScriptsTheFiguresAreATable() {
        try (RawClient alice = login("alice", "counted");
                Browser plain = new Browser(server.webConsole(), false)) {
            String alive = "#figures tbody tr:first-child td:nth-of-type(1)";
            plain.waitFor(
                    by -> {
                        plain.open("overview");
                        return Double.parseDouble(plain.find(alive).getText()) > 0;
                    },
                    "who is alive in the latest row");
            assertFalse(plain.find("#plots").isDisplayed());
            assertEquals(14, plain.all("#figures thead tr:nth-child(2) th").size());
            assertEquals(14, plain.all("#figures tbody tr:first-child td").size());
            assertTrue(plain.all("#figures tbody tr").size() <= 360);
            plain.picture("overview-plain");
        }
    }

    @Test
    void whatIsWrongIsSaidFirst() throws Exception {
        Path folder = server.home().resolve("heartbeat");
        Path aside = server.home().resolve("heartbeat-aside");
        server.set(POLICY, "{\"idle\": \"<img src=x>\"}");
        browser.open("overview");
        assertTrue(browser.find(".hb-warning").getText().contains("holds a text that is refused"), browser.text());
        server.set(POLICY, "{\"idle\": \"off\"}");
        browser.open("overview");
        assertTrue(browser.find(".hb-warning").getText().contains("never pinged, and never disconnected"), browser.text());
        server.delete(POLICY);
        server.set(ENABLED, "false");
        browser.open("overview");
        assertTrue(browser.find(".hb-warning").getText().contains("Heartbeat is switched off"), browser.text());
        assertTrue(browser.find("#state").getText().contains("SHA-256"), browser.text());
        assertFalse(browser.has("#plots"));
        browser.look("overview-off");
        Files.move(folder, aside);
        Files.createFile(folder);
        try {
            server.set(ENABLED, "true");
            browser.open("overview");
            assertTrue(browser.find(".hb-warning").getText().contains("is kept in memory only"), browser.text());
            assertFalse(browser.has(".hb-ok"));
            browser.look("overview-warned");
        } finally {
            server.set(ENABLED, "false");
            Files.delete(folder);
            Files.move(aside, folder);
        }
        server.set(ENABLED, "true");
        server.command("kill-thread", "heartbeat-tick");
        browser.waitFor(
                by -> {
                    browser.open("overview");
                    return browser.text().contains("clock has stood still for");
                },
                "the warning of a clock that stands still");
        server.set(ENABLED, "false");
        Path library = Path.of(browser.find("#state tr:nth-child(2) td").getText());
        byte[] whole = Files.readAllBytes(library);
        Files.write(library, new byte[] {0}, StandardOpenOption.APPEND);
        try {
            browser.open("overview");
            assertTrue(browser.text().contains("not the one that is running"), browser.text());
        } finally {
            Files.write(library, whole);
        }
        server.set(ENABLED, "true");
        browser.open("overview");
        assertFalse(browser.has(".hb-warning"), browser.text());
        browser.assertQuiet();
    }

    // ---- What does not come from the pages.

    private static HttpResponse<String> ask(String method, String page, String body, String... headers)
            throws IOException, InterruptedException {
        HttpRequest.Builder request = HttpRequest.newBuilder(URI.create(server.webConsole() + "plugins/heartbeat/" + page))
                .method(method, HttpRequest.BodyPublishers.ofString(body))
                .header("Content-Type", "application/x-www-form-urlencoded");
        if (headers.length > 0) {
            request.headers(headers);
        }
        return HttpClient.newHttpClient().send(request.build(), HttpResponse.BodyHandlers.ofString());
    }

    private static String cookie() {
        return browser.driver().manage().getCookies().stream()
                .map(cookie -> cookie.getName() + "=" + cookie.getValue())
                .reduce((a, b) -> a + "; " + b)
                .orElseThrow();
    }

    @Test
    void nobodySeesOrChangesAnythingWithoutALogin() throws Exception {
        List<String> addresses = addresses();
        assertTrue(addresses.containsAll(List.of("users.csv", "overview.json", "uplot.js", "plots.js", "style.css", "metrics")), addresses.toString());
        assertTrue(addresses.containsAll(PAGES), addresses.toString());
        for (String address : addresses) {
            HttpResponse<String> answer = ask("GET", address, "");
            assertEquals(302, answer.statusCode(), address);
            assertTrue(answer.headers().firstValue("Location").orElse("").contains("login.jsp"), address);
        }
        for (String page : PAGES) {
            assertEquals(302, ask("GET", page, "").statusCode(), page);
            assertEquals(302, ask("POST", page, "do=off").statusCode(), page);
        }
        assertTrue(policy().contains("idle"));
    }

    /** Of every servlet and every file of the plugin that Openfire serves. */
    private static List<String> addresses() throws IOException {
        List<String> addresses = new ArrayList<>();
        try (ZipFile jar = new ZipFile(Products.plugin().toFile())) {
            jar.stream()
                    .filter(entry -> entry.getName().startsWith("web/") && !entry.isDirectory())
                    .forEach(entry -> addresses.add(entry.getName().substring("web/".length())));
            String servlets = new String(
                    jar.getInputStream(jar.getEntry("web/WEB-INF/web.xml")).readAllBytes(), StandardCharsets.UTF_8);
            Pattern.compile("<url-pattern>/([^<]+)</url-pattern>")
                    .matcher(servlets)
                    .results()
                    .forEach(found -> addresses.add(found.group(1)));
        }
        return addresses;
    }

    @Test
    void whatIsNoPageTakesNoForms() throws Exception {
        browser.open("overview");
        for (String file : List.of("users.csv", "overview.json", "uplot.js")) {
            HttpResponse<String> answer = ask("PUT", file, "do=off", "Cookie", cookie());
            // Where Openfire looks for its token first, it sends back to the page.
            assertTrue(answer.statusCode() == 302 || answer.statusCode() == 405, file + ": " + answer);
            HttpResponse<String> got = ask("GET", file, "", "Cookie", cookie());
            assertEquals(200, got.statusCode(), file);
            assertEquals("nosniff", got.headers().firstValue("X-Content-Type-Options").orElse(""), file);
            assertTrue(got.headers().allValues("Content-Security-Policy").toString().contains("default-src 'none'"), file);
        }
    }

    @Test
    void propertiesAreListedWithWhatTheyAreFor() throws Exception {
        assumeTrue(server.version().listsProperties(), "this Openfire has no such list");
        Properties texts = new Properties();
        try (ZipFile jar = new ZipFile(Products.plugin().toFile())) {
            texts.load(jar.getInputStream(jar.getEntry("i18n/heartbeat_i18n.properties")));
        }
        browser.visit("server-properties.jsp?searchPlugin=Heartbeat");
        String listed = browser.find("#jive-main-content").getText();
        String prefix = "system_property.";
        List<String> described = texts.stringPropertyNames().stream().filter(key -> key.startsWith(prefix)).toList();
        assertEquals(6, described.size());
        for (String key : described) {
            assertTrue(listed.contains(key.substring(prefix.length())), key + ": " + listed);
            assertTrue(listed.replaceAll("\\s+", " ").contains(texts.getProperty(key)), key + ": " + listed);
        }
        browser.picture("properties");
    }

    @Test
    void nothingIsChangedByGetOrWithoutTheToken() throws Exception {
        browser.open("settings");
        String cookie = cookie();
        assertEquals(405, ask("GET", "settings?do=off", "", "Cookie", cookie).statusCode());
        // Where Openfire looks for its token first, it sends back to the page.
        int put = ask("PUT", "settings", "do=off", "Cookie", cookie).statusCode();
        assertTrue(put == 405 || put == 302, "PUT: " + put);
        HttpResponse<String> refused = ask("POST", "settings", "do=off&token=wrong", "Cookie", cookie);
        assertTrue(refused.statusCode() == 400 || refused.statusCode() == 302, refused.toString());
        assertFalse(server.command("status", "false").equals("null"));
    }

    @Test
    void scriptsAndFramesFromElsewhereAreForbidden() throws Exception {
        browser.open("settings");
        HttpResponse<String> page = ask("GET", "settings", "", "Cookie", cookie());
        List<String> policies = page.headers().allValues("Content-Security-Policy");
        assertTrue(
                policies.stream().anyMatch(policy -> policy.contains("default-src 'none'")
                        && policy.contains("script-src 'self';")
                        && policy.contains("frame-ancestors 'self'")),
                policies.toString());
        assertFalse(page.body().substring(page.body().indexOf("id=\"heartbeat\"")).contains("<script"));
    }
}
