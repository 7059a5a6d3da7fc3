package org.igniterealtime.openfire.plugin.heartbeat;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The data of the plots and the metrics, through the native door. */
final class SeriesTest {
    private static final long WALL_MS = 1_700_000_000_000L;

    @TempDir
    Path folder;

    @BeforeAll
    static void load() {
        TestLibrary.load();
    }

    private static NativeCore tick(NativeCore core, int from, int seconds) {
        ByteBuffer due = ByteBuffer.allocateDirect(NativeCore.ACTION_BYTES).order(ByteOrder.nativeOrder());
        for (int i = from + 1; i <= from + seconds; i++) {
            assertTrue(core.advance(TimeUnit.SECONDS.toMicros(i), WALL_MS + TimeUnit.SECONDS.toMillis(i), due) > 0);
        }
        return core;
    }

    @Test
    void surviveARestart() throws Exception {
        Path home = folder.resolve("heartbeat");
        try (NativeCore core = new NativeCore(0, WALL_MS)) {
            assertEquals("", core.seriesOpen(home.toString()));
            tick(core, 0, 5);
            core.open(Transport.Kind.TCP.code, 0, 0, 0);
            tick(core, 5, 1);
            new Plots(core, home.toFile()).close();
        }
        try (NativeCore core = new NativeCore(0, WALL_MS + 6000)) {
            new Plots(core, home.toFile()).open();
            tick(core, 6, 1);
            for (Span span : Span.values()) {
                String json = core.series(span.code);
                assertTrue(json.contains("\"ticks\":"), json);
                assertTrue(json.contains("\"opened\":1"), json);
            }
            assertNull(core.series(3));
        }
        Files.write(home.resolve("series"), new byte[100]);
        try (NativeCore core = new NativeCore(0, WALL_MS)) {
            String said = core.seriesOpen(home.toString());
            assertTrue(said.contains("damaged") && said.endsWith("\n"), said);
            assertTrue(Files.exists(home.resolve("series.damaged")));
            String failed = core.seriesSave(folder.resolve("none").toString());
            assertTrue(failed.contains("series"), failed);
        }
    }

    @Test
    void metricsAreToldInBothFormats() {
        NativeCore core = new NativeCore(0, WALL_MS);
        String text = core.metrics(false);
        String open = core.metrics(true);
        assertTrue(text.contains("\n# TYPE heartbeat_pings_total counter\nheartbeat_pings_total 0\n"), text);
        assertTrue(open.endsWith("\n# EOF\n"), open);
        core.close();
        assertNull(core.metrics(true));
        assertNull(core.series(0));
        assertNull(core.seriesSave(folder.toString()));
        assertNull(core.seriesOpen(folder.toString()));
    }
}
