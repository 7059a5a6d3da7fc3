package org.igniterealtime.openfire.heartbeat.suite;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.function.Function;
import java.util.logging.Level;
import org.igniterealtime.openfire.heartbeat.harness.Products;
import org.openqa.selenium.By;
import org.openqa.selenium.Dimension;
import org.openqa.selenium.Keys;
import org.openqa.selenium.OutputType;
import org.openqa.selenium.WebDriver;
import org.openqa.selenium.WebElement;
import org.openqa.selenium.chrome.ChromeDriver;
import org.openqa.selenium.chrome.ChromeDriverService;
import org.openqa.selenium.chrome.ChromeOptions;
import org.openqa.selenium.interactions.Actions;
import org.openqa.selenium.logging.LogType;
import org.openqa.selenium.logging.LoggingPreferences;
import org.openqa.selenium.support.ui.WebDriverWait;

/** A headless Chromium with nothing in it, logged in to the console of a server. */
final class Browser implements AutoCloseable {
    private static final Duration PATIENCE = Duration.ofSeconds(10);

    /** More than there are links in the frame and on a page. */
    private static final int MOST_TABS = 300;

    private static final String AXE = "web-client/node_modules/axe-core/axe.min.js";

    private static final String AXE_RUN = "var done = arguments[0];"
            + "axe.run('#heartbeat').then(function (result) {"
            + "  done(result.violations.filter(function (one) { return /serious|critical/.test(one.impact); })"
            + "    .map(function (one) { return one.id + ': ' + one.help + one.nodes.map(function (node) {"
            + "      return '\\n  ' + node.html + ' ' + node.failureSummary; }).join(''); }));"
            + "});";

    /** Of the console's frame: attributes with script in them, which the pages forbid. They only set the status line. */
    private static final String FRAMES_HANDLERS = "Executing inline event handler violates";

    private final String console;
    private final ChromeDriver driver;

    /** @param script whether pages may run scripts */
    Browser(String console, boolean script) {
        this.console = console;
        ChromeOptions options = new ChromeOptions();
        options.setBinary("/usr/bin/chromium");
        options.addArguments(
                "--headless",
                "--no-sandbox",
                "--disable-gpu",
                "--disable-quic",
                "--disable-dev-shm-usage",
                "--no-first-run",
                "--disable-background-networking",
                "--disable-component-update",
                "--disable-sync",
                "--lang=en",
                "--user-data-dir=" + profile());
        if (!script) {
            options.setExperimentalOption("prefs", Map.of("profile.managed_default_content_settings.javascript", 2));
        }
        LoggingPreferences logging = new LoggingPreferences();
        logging.enable(LogType.BROWSER, Level.ALL);
        options.setCapability("goog:loggingPrefs", logging);
        ChromeDriverService service = new ChromeDriverService.Builder()
                .usingDriverExecutable(new java.io.File("/usr/bin/chromedriver"))
                .build();
        driver = new ChromeDriver(service, options);
        size(1280, 900);
    }

    private static Path profile() {
        try {
            return Files.createTempDirectory(Files.createDirectories(Products.folder("console")), "profile-");
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    void size(int width, int height) {
        driver.manage().window().setSize(new Dimension(width, height));
    }

    /** Opens a page of the plugin; logs in where the console asks for it. */
    void open(String page) {
        visit("plugins/heartbeat/" + page);
    }

    /** Opens a page of the console; the same. */
    void visit(String page) {
        driver.get(console + page);
        List<WebElement> names = driver.findElements(By.name("username"));
        if (!names.isEmpty()) {
            names.get(0).sendKeys("admin");
            driver.findElement(By.name("password")).sendKeys("admin", Keys.ENTER);
            String path = "/" + page.replaceFirst("[?].*", "");
            waitFor(by -> driver.getCurrentUrl().contains(path), "the page after the login");
            forgetSaid();
        }
    }

    ChromeDriver driver() {
        return driver;
    }

    WebElement find(String css) {
        return waitFor(browser -> browser.findElements(By.cssSelector(css)).stream().findFirst().orElse(null), css);
    }

    List<WebElement> all(String css) {
        return driver.findElements(By.cssSelector(css));
    }

    boolean has(String css) {
        return !all(css).isEmpty();
    }

    /** The text of the page, without the console's frame. */
    String text() {
        return find("#heartbeat").getText();
    }

    String html() {
        return find("#heartbeat").getAttribute("outerHTML");
    }

    void fill(String css, String text) {
        WebElement field = find(css);
        field.clear();
        field.sendKeys(text);
    }

    void choose(String css, String value) {
        find(css + " option[value='" + value + "']").click();
    }

    /** Clicks, and waits for the page that comes. */
    void press(String css) {
        WebElement page = driver.findElement(By.tagName("html"));
        find(css).click();
        awaitAnother(page, css);
    }

    /** From where the keyboard is with Tab to this one, and Enter there; waits for the page that comes. */
    void enter(String css) {
        WebElement page = driver.findElement(By.tagName("html"));
        tabTo(css);
        type(Keys.ENTER);
        awaitAnother(page, css);
    }

    /** From where the keyboard is with Tab to this one. */
    void tabTo(String css) {
        find(css);
        for (int i = 0; i < MOST_TABS; i++) {
            type(Keys.TAB);
            if ((Boolean) driver.executeScript("return document.activeElement.matches(arguments[0]);", css)) {
                return;
            }
        }
        throw new AssertionError("the keyboard does not come to " + css);
    }

    /** Types where the keyboard is. */
    void type(CharSequence... keys) {
        new Actions(driver).sendKeys(keys).perform();
    }

    private void awaitAnother(WebElement page, String css) {
        waitFor(
                browser -> {
                    try {
                        return !page.equals(browser.findElement(By.tagName("html")));
                    } catch (org.openqa.selenium.WebDriverException e) {
                        return false;
                    }
                },
                "another page after " + css);
        find("#heartbeat");
    }

    <T> T waitFor(Function<WebDriver, T> what, String name) {
        return new WebDriverWait(driver, PATIENCE).withMessage(name).until(what);
    }

    /** Fails if the page says so in the browser's console, but for what the frame's own attributes cause. */
    void assertQuiet() {
        List<String> said = driver.manage().logs().get(LogType.BROWSER).getAll().stream()
                .map(Object::toString)
                .filter(line -> !line.contains(FRAMES_HANDLERS) && !line.contains("favicon"))
                .toList();
        assertEquals(List.of(), said, "what the browser's console says of " + driver.getCurrentUrl());
    }

    /** The browser says of a page that was refused what its status was: that is expected. */
    void forgetSaid() {
        driver.manage().logs().get(LogType.BROWSER);
    }

    /** Fails if axe-core finds something serious in the page, or it does not fit; it is kept as a picture under this name. */
    void look(String name) {
        picture(name);
        try {
            driver.executeScript(Files.readString(Products.folder(".").resolve(AXE)));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        Object found = driver.executeAsyncScript(AXE_RUN);
        assertEquals(List.of(), found, "what axe-core finds in " + name);
        Object wider = driver.executeScript(
                "var p = document.getElementById('heartbeat'); return p.scrollWidth - p.clientWidth;");
        assertTrue(((Number) wider).intValue() <= 1, name + " is wider than its place by " + wider);
        wider = driver.executeScript("var d = document.documentElement; return d.scrollWidth - d.clientWidth;");
        assertTrue(((Number) wider).intValue() <= 1, name + " is wider than the window by " + wider);
    }

    void picture(String name) {
        try {
            Path file = Products.folder("console").resolve(name + ".png");
            Files.write(file, driver.getScreenshotAs(OutputType.BYTES));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    @Override
    public void close() {
        driver.quit();
    }
}
