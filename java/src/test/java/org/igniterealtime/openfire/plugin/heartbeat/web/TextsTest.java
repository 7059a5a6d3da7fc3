package org.igniterealtime.openfire.plugin.heartbeat.web;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;

import java.io.IOException;
import java.io.Reader;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Properties;
import java.util.Set;
import java.util.TreeSet;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

/** Every text that is asked for is there, in every language, and every text that is there is asked for. */
class TextsTest {
    private static final Path I18N = Path.of("src/main/i18n");
    private static final Pattern IN_TEMPLATES = Pattern.compile("\\{\\{\\{?text\\.([a-zA-Z_-]+)}}");
    private static final Pattern IN_MENU = Pattern.compile("\\$\\{([a-z-]+)}");
    private static final Pattern QUOTED = Pattern.compile("\"([a-z]+(?:[-_][a-z_]+)+|[a-z]+)\"");
    private static final Pattern PROPERTY = Pattern.compile("\"(plugin\\.heartbeat\\.[a-z.]+)\"");
    private static final Pattern PLACE = Pattern.compile("\\{([0-9])}");

    /** The core names these: keys of the policy and their words, states, reasons, verbs. */
    private static final Pattern BY_THE_CORE = Pattern.compile(
            "last-(?:hour|day|week)|(?:key|help)-(?:idle|ping|ack_timeout|retries|spread|on_dead|login_within|pings_per_tick|last_activity|forget_after)"
                    + "|on_dead-(?:auto|close|cut)|last_activity-(?:last_read|offline)|unit-[smhd]|end-(?:none|logout|closed|no-answer|silent|admin|not-logged-in)|sm-(?:off|on|resumable)"
                    + "|column-(?:jid|ends|silent|rtt|pings|transport|state)"
                    + "|state-(?:connected|alive|pinging|pinged|closing|detached|closed)"
                    + "|action-(?:nothing|ping|disconnect|close|cut|abort|unavailable)"
                    + "|why-(?:none|idle|retry|no-answer|silent|not-logged-in|stuck|not-told|spoke|logout|closed|resumed|admin|detached|expired)");

    private static Properties read(String file) throws IOException {
        Properties texts = new Properties();
        try (Reader reader = Files.newBufferedReader(I18N.resolve(file))) {
            texts.load(reader);
        }
        return texts;
    }

    private static String contents(Path folder, String ending) throws IOException {
        try (Stream<Path> files = Files.walk(folder)) {
            StringBuilder all = new StringBuilder();
            for (Path file : files.filter(each -> each.toString().endsWith(ending)).toList()) {
                all.append(Files.readString(file));
            }
            return all.toString();
        }
    }

    private static Set<String> found(Pattern pattern, String text) {
        return pattern.matcher(text).results().map(match -> match.group(1)).collect(Collectors.toCollection(TreeSet::new));
    }

    @Test
    void noneIsMissingAndNoneIsUnused() throws IOException {
        Set<String> there = new TreeSet<>(read("heartbeat_i18n.properties").stringPropertyNames());
        Set<String> asked = found(IN_TEMPLATES, contents(Path.of("src/main/resources"), ".html"));
        asked.remove("language");
        asked.addAll(found(IN_MENU, Files.readString(Path.of("../plugin.xml"))));
        // Openfire's page of properties asks for these.
        found(PROPERTY, contents(Path.of("src/main/java"), ".java")).forEach(key -> asked.add("system_property." + key));
        // What the code asks for is told from other strings by its being there; a missing one fails in the browser test.
        Set<String> quoted = found(QUOTED, contents(Path.of("src/main/java"), ".java"));
        Set<String> missing = new TreeSet<>(asked);
        missing.removeAll(there);
        assertEquals(Set.of(), missing, "missing");
        Set<String> unused = new TreeSet<>(there);
        unused.removeAll(asked);
        unused.removeAll(quoted);
        unused.removeIf(key -> BY_THE_CORE.matcher(key).matches());
        assertEquals(Set.of(), unused, "unused");
    }

    /** The second argument of of(...), as it is written there. */
    @Test
    void theCodeAsksForWhatIsThere() throws IOException {
        Set<String> there = read("heartbeat_i18n.properties").stringPropertyNames();
        Pattern asks = Pattern.compile("texts\\.of\\(\\s*(?:[a-zA-Z.()\"]+ \\? )?\"([^\"]+)\"(?: : \"([^\"]+)\")?[,)]");
        Matcher matcher = asks.matcher(contents(Path.of("src/main/java"), ".java"));
        int count = 0;
        while (matcher.find()) {
            count++;
            assertEquals(true, there.contains(matcher.group(1)), matcher.group(1));
            if (matcher.group(2) != null) {
                assertEquals(true, there.contains(matcher.group(2)), matcher.group(2));
            }
        }
        assertFalse(count < 20, "the pattern finds " + count);
    }

    @Test
    void everyLanguageHasThemAllWithTheSamePlaces() throws IOException {
        Properties english = read("heartbeat_i18n.properties");
        Properties chinese = read("heartbeat_i18n_zh_CN.properties");
        assertEquals(new TreeSet<>(english.stringPropertyNames()), new TreeSet<>(chinese.stringPropertyNames()));
        for (String key : english.stringPropertyNames()) {
            Set<String> places = found(PLACE, english.getProperty(key));
            assertEquals(places, found(PLACE, chinese.getProperty(key)), key);
            if (!places.isEmpty()) {
                // MessageFormat would take it for a quotation.
                assertFalse(english.getProperty(key).replace("''", "").contains("'"), key);
                assertFalse(chinese.getProperty(key).replace("''", "").contains("'"), key);
            }
        }
    }
}
