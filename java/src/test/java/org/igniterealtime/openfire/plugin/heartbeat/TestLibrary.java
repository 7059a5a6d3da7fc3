package org.igniterealtime.openfire.plugin.heartbeat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

/** The native core as it was built, for tests that need a real one. */
public final class TestLibrary {
    private TestLibrary() {}

    /** Loads it once for all tests. */
    public static synchronized void load() {
        System.load(built().toString());
    }

    static void copyTo(Path file) throws IOException {
        Files.copy(built(), file);
    }

    static String version() {
        load();
        return NativeCore.version();
    }

    private static Path built() {
        Path library = Path.of(System.getProperty("heartbeat.native"), "libheartbeat.so").toAbsolutePath();
        if (!Files.isRegularFile(library)) {
            throw new IllegalStateException(library + " is missing: it is built by make native");
        }
        return library;
    }
}
