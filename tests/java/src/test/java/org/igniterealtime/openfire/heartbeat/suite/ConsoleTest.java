package org.igniterealtime.openfire.heartbeat.suite;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.util.ArrayList;
import java.util.List;
import org.igniterealtime.openfire.heartbeat.harness.Event;
import org.igniterealtime.openfire.heartbeat.harness.OpenfireServer;
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
    private static final List<String> PAGES = List.of("settings", "sessions", "users");

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
            List<String> faults = server.faults();
            server.close();
            assertEquals(List.of(), faults);
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
        String meant = "pinged after 2 min, then up to 1 more times, 30 s apart, and disconnected after 3 min";
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
            bob.await("a ping", event -> event.stanza() != null && event.stanza().isPing());
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
            browser.open("session?jid=bob%40console.test%2Fphone");
            assertTrue(browser.text().contains("an administrator asked for it"), browser.text());
            browser.look("session-over");
            String audit = server.command("audit");
            assertTrue(audit.contains("admin Heartbeat: disconnected a session: bob@console.test/phone"), audit);
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
        } finally {
            strangers.forEach(RawClient::close);
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
            browser.open("users");
            assertTrue(browser.find("tr:has(a[href*='alice'])").getText().contains("online"), browser.text());
            browser.open("users?days=30");
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
        assertEquals(302, ask("GET", "users.csv", "").statusCode());
        for (String page : PAGES) {
            assertEquals(302, ask("GET", page, "").statusCode(), page);
            assertEquals(302, ask("POST", page, "do=off").statusCode(), page);
        }
        assertTrue(policy().contains("idle"));
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
