package org.igniterealtime.openfire.plugin.heartbeat;

import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class HeartbeatPluginTest {
    @TempDir
    private Path folder;

    @Test
    void staysOffWithoutItsLibrary() {
        HeartbeatPlugin plugin = new HeartbeatPlugin();

        plugin.initializePlugin(null, folder.toFile());

        assertNotNull(plugin.refusal());
        assertTrue(plugin.refusal().contains(folder.toString()), plugin.refusal());
        assertTrue(plugin.refusal().endsWith("libheartbeat.so is missing"), plugin.refusal());
        assertNull(plugin.status(true));
        assertNull(plugin.lastActivity("alice"));
        assertNull(plugin.why("alice@example.org/phone"));

        plugin.destroyPlugin();
        assertNull(plugin.refusal());
    }
}
