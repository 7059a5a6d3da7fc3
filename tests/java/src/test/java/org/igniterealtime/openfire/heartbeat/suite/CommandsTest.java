package org.igniterealtime.openfire.heartbeat.suite;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.util.concurrent.TimeUnit;
import org.igniterealtime.openfire.heartbeat.harness.OpenfireServer;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/**
 * What the tests tell a server reaches it. An installed Openfire looks each second whether somebody typed "exit", and takes
 * part of whatever stands there at that moment.
 */
final class CommandsTest {
    private static final int SECONDS = 4;
    private static final int LENGTH = 100_000;

    @Test
    @Timeout(60)
    void noCommandGoesAstray() {
        try (OpenfireServer server = OpenfireServer.named("commands").start()) {
            String name = "x".repeat(LENGTH);
            for (long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(SECONDS); System.nanoTime() < end; ) {
                assertEquals("false", server.command("loaded", name));
            }
        }
    }
}
