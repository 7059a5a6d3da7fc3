package org.igniterealtime.openfire.plugin.heartbeat;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.junit.jupiter.api.Test;

/** What is told of the policy in force. */
final class PolicyPropertyTest {
    private static final long IDLE_MS = 360_000;

    static {
        TestLibrary.load();
    }

    @Test
    void whichTimeIsTold() throws Exception {
        try (NativeCore core = new NativeCore(0, 0)) {
            assertEquals("last_read", PolicyProperty.lastActivity(core));
            core.configure("{\"last_activity\": \"offline\"}", IDLE_MS, true);
            assertEquals("offline", PolicyProperty.lastActivity(core));
            core.configure(null, IDLE_MS, true);
            assertEquals("last_read", PolicyProperty.lastActivity(core));
        }
    }

    @Test
    void itIsToldWhole() throws Exception {
        try (NativeCore core = new NativeCore(0, 0)) {
            PolicyProperty property = new PolicyProperty(core, () -> {});
            core.configure("{\"idle\": \"2m\", \"last_activity\": \"offline\"}", IDLE_MS, true);
            String told = property.inForce();
            assertTrue(told.startsWith("{\"") && told.endsWith("}"), told);
            assertTrue(told.contains("\"last_activity\":\"offline\""), told);
            // What it tells is a policy, and the same one.
            core.configure(told, 1_000, false);
            assertEquals(told, property.inForce());
        }
    }

    /** What is wrong with a policy is said with its characters, however many bytes these have. */
    @Test
    void charactersOfAMistake() {
        try (NativeCore core = new NativeCore(0, 0)) {
            for (String key : new String[] {"idl\u00e9", "\u95f2", "a\ud83d\ude00b\udbff\udfff"}) {
                Exception refused = assertThrows(
                        NativeCore.PolicyException.class,
                        () -> core.configure("{\"" + key + "\": 1}", IDLE_MS, true));
                assertTrue(refused.getMessage().startsWith("line 1, column 2: " + key + ": unknown key"), refused.getMessage());
            }
        }
    }

    @Test
    void withoutACore() {
        NativeCore core = new NativeCore(0, 0);
        core.close();
        assertNull(PolicyProperty.lastActivity(core));
        assertEquals("none", new PolicyProperty(core, () -> {}).inForce());
    }
}
