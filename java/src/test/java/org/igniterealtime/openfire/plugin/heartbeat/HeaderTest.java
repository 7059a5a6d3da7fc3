package org.igniterealtime.openfire.plugin.heartbeat;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.TreeMap;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/** What the Java side knows of the core's numbers is what the core's header says. */
class HeaderTest {
    private static String header;

    @BeforeAll
    static void read() throws IOException {
        header = Files.readString(Path.of("../native/include/heartbeat.h"));
    }

    @Test
    void verbsHaveTheirNames() {
        Map<Integer, String> verbs = entries("HB_VERBS");
        verbs.forEach((number, name) -> assertEquals(name, Names.verb(number)));
        assertEquals(Integer.toString(verbs.size()), Names.verb(verbs.size()));
    }

    @Test
    void reasonsHaveTheirNames() {
        Map<Integer, String> reasons = entries("HB_REASONS");
        reasons.forEach((number, name) -> assertEquals(name, Names.reason(number)));
        assertEquals(Integer.toString(reasons.size()), Names.reason(reasons.size()));
        assertEquals("admin", reasons.get(NativeCore.WHY_ADMIN));
    }

    @Test
    void sortsStatesAndTransportsAreTheCores() throws IOException {
        Map<Integer, String> sorts = entries("HB_SORTS");
        assertEquals(SessionQuery.Sort.values().length, sorts.size());
        for (SessionQuery.Sort sort : SessionQuery.Sort.values()) {
            assertEquals(sort.text(), sorts.get(sort.code));
        }
        Map<Integer, String> transports = entries("HB_TRANSPORTS");
        assertEquals(Transport.Kind.values().length, transports.size());
        for (Transport.Kind kind : Transport.Kind.values()) {
            assertEquals(kind.text(), transports.get(kind.code));
        }
        header = Files.readString(Path.of("../native/session.h"));
        Map<Integer, String> states = entries("HB_PHASES");
        read();
        assertEquals(SessionState.values().length, states.size() - 1);
        for (SessionState state : SessionState.values()) {
            assertEquals(state.text(), states.get(state.code));
        }
        assertEquals(SessionQuery.MOST, number("HB_LIST_MAX (\\d+)u"));
        assertEquals(SessionQuery.LONGEST_TEXT, number("HB_LIST_TEXT (\\d+)u"));
        assertEquals(SessionList.STATES, number("HB_STATES (\\d+)"));
    }

    @Test
    void verbsHaveTheirNumbers() {
        Map<Integer, String> verbs = entries("HB_VERBS");
        assertEquals("nothing", verbs.get(NativeCore.NOTHING));
        assertEquals("ping", verbs.get(NativeCore.PING));
        assertEquals("disconnect", verbs.get(NativeCore.DISCONNECT));
        assertEquals("close", verbs.get(NativeCore.CLOSE));
        assertEquals("cut", verbs.get(NativeCore.CUT));
        assertEquals("abort", verbs.get(NativeCore.ABORT));
        assertEquals("unavailable", verbs.get(NativeCore.UNAVAILABLE));
    }

    @Test
    void listsHaveTheirLimit() {
        assertEquals(LastActivityService.MOST_LISTED, number("HB_USERS_MAX (\\d+)u"));
    }

    @Test
    void errorsHaveTheirNumbers() {
        assertEquals(NativeCore.FULL, number("X\\(HB_EFULL, (-?\\d+)"));
        assertEquals(NativeCore.STALE, number("X\\(HB_ESTALE, (-?\\d+)"));
        assertEquals(NativeCore.FACT_RESUMABLE, number("HB_FACT_RESUMABLE = (\\d+)"));
        assertEquals(NativeCore.cellOffset(number("HB_PAGE_CELLS (\\d+)u") - 1L),
                (number("HB_PAGE_CELLS (\\d+)u") - 1) * number("HB_CELL_BYTES (\\d+)u"));
        assertEquals(0, NativeCore.cellOffset(number("HB_PAGE_CELLS (\\d+)u")));
    }

    private static int number(String pattern) {
        Matcher matcher = Pattern.compile(pattern).matcher(header);
        assertEquals(true, matcher.find(), pattern);
        return Integer.parseInt(matcher.group(1));
    }

    /** The X-macro list of this name: number to name. */
    private static Map<Integer, String> entries(String list) {
        int from = header.indexOf("#define " + list + "(X)");
        int to = header.indexOf("\ntypedef", from);
        Matcher matcher = Pattern.compile("X\\(HB_\\w+, (\\d+), \"([^\"]+)\"").matcher(header.substring(from, to));
        Map<Integer, String> found = new TreeMap<>();
        while (matcher.find()) {
            found.put(Integer.parseInt(matcher.group(1)), matcher.group(2));
        }
        assertFalse(found.isEmpty());
        return found;
    }
}
