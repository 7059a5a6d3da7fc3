package org.igniterealtime.openfire.plugin.heartbeat;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.security.MessageDigest;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.HexFormat;
import java.util.List;
import java.util.Properties;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What stands in the way of the library is told in one line, and nothing is left behind. */
class NativeLibraryTest {
    private static final String PLATFORM = NativeLibrary.platformOf("Linux", System.getProperty("os.arch"), false);

    @TempDir
    private Path plugin;

    private Path file;
    private final Properties known = new Properties();

    @BeforeEach
    void unpack() throws IOException {
        file = plugin.resolve("native").resolve(PLATFORM).resolve("libheartbeat.so");
        Files.createDirectories(file.getParent());
        known.setProperty("version", "1.2.3");
        known.setProperty(PLATFORM + ".path", "native/" + PLATFORM + "/libheartbeat.so");
        known.setProperty(PLATFORM + ".sha256", "0".repeat(64));
    }

    @Test
    void loadsWhatIsBuilt() throws Exception {
        TestLibrary.copyTo(file);
        expect(Files.readAllBytes(file));
        known.setProperty("version", TestLibrary.version());

        NativeLibrary library = NativeLibrary.load(plugin, known, PLATFORM);

        assertNull(library.refusal());
        assertEquals(TestLibrary.version(), library.version());
        assertEquals(file, library.file());
        assertOnlyTheLibrary();
    }

    @Test
    void refusesAnotherVersion() throws Exception {
        TestLibrary.copyTo(file);
        expect(Files.readAllBytes(file));

        assertRefused(file + " is of version " + TestLibrary.version() + ", the plugin of 1.2.3");
        assertOnlyTheLibrary();
    }

    @Test
    void refusesAnUnknownPlatform() {
        NativeLibrary library = NativeLibrary.load(plugin, known, "plan9-mips");

        assertEquals("there is no library for plan9-mips, this jar has: " + PLATFORM, library.refusal());
    }

    @Test
    void refusesAMissingFile() {
        assertRefused(file + " is missing");
    }

    @Test
    void refusesADamagedFile() throws Exception {
        byte[] content = "half a library".getBytes(StandardCharsets.UTF_8);
        Files.write(file, content);

        assertRefused(file + " is damaged or of another build: its SHA-256 is " + sha256(content) + " (14 bytes), not "
                + "0".repeat(64));
        assertOnlyTheLibrary();
    }

    @Test
    void refusesWhatTheSystemDoesNotLoad() throws Exception {
        byte[] content = "not a library at all".getBytes(StandardCharsets.UTF_8);
        Files.write(file, content);
        expect(content);

        String refusal = NativeLibrary.load(plugin, known, PLATFORM).refusal();

        assertNotNull(refusal);
        assertTrue(refusal.startsWith(file + " can not be loaded: "), refusal);
        assertFalse(refusal.contains("\n"), refusal);
        assertOnlyTheLibrary();
    }

    @Test
    void removesCopiesThatACrashLeft() throws Exception {
        Path old = Files.createFile(file.resolveSibling("openfire-heartbeat-1.copy"));
        Files.setLastModifiedTime(old, FileTime.from(Instant.now().minus(1, ChronoUnit.HOURS)));
        Path fresh = Files.createFile(file.resolveSibling("openfire-heartbeat-2.copy"));
        byte[] content = "not a library at all".getBytes(StandardCharsets.UTF_8);
        Files.write(file, content);
        expect(content);

        assertNotNull(NativeLibrary.load(plugin, known, PLATFORM).refusal());

        assertFalse(Files.exists(old));
        assertTrue(Files.exists(fresh));
    }

    @Test
    void namesPlatforms() {
        assertEquals("linux-x86_64", NativeLibrary.platformOf("Linux", "amd64", false));
        assertEquals("linux-aarch64", NativeLibrary.platformOf("Linux", "aarch64", false));
        assertEquals("linux-musl-x86_64", NativeLibrary.platformOf("Linux", "amd64", true));
        assertEquals("windows-x86_64", NativeLibrary.platformOf("Windows Server 2022", "amd64", false));
        assertEquals("macos-aarch64", NativeLibrary.platformOf("Mac OS X", "aarch64", false));
    }

    @Test
    void tellsMuslFromGlibcByWhatIsMapped() throws Exception {
        Path maps = plugin.resolve("maps");

        Files.writeString(maps, "7f01-7f02 r-xp 00000000 fe:00 1 /lib/ld-musl-x86_64.so.1\n");
        assertTrue(NativeLibrary.isMusl("Linux", maps));
        assertFalse(NativeLibrary.isMusl("Mac OS X", maps));
        Files.writeString(maps, "7f01-7f02 r-xp 00000000 fe:00 1 /usr/lib/x86_64-linux-gnu/libc.so.6\n");
        assertFalse(NativeLibrary.isMusl("Linux", maps));
        assertFalse(NativeLibrary.isMusl("Linux", plugin.resolve("nowhere")));
    }

    private void assertRefused(String reason) {
        assertEquals(reason, NativeLibrary.load(plugin, known, PLATFORM).refusal());
    }

    private void assertOnlyTheLibrary() throws IOException {
        try (Stream<Path> files = Files.list(file.getParent())) {
            assertEquals(List.of(file), files.toList());
        }
    }

    private void expect(byte[] content) throws Exception {
        known.setProperty(PLATFORM + ".sha256", sha256(content));
    }

    static String sha256(byte[] content) throws Exception {
        return HexFormat.of().formatHex(MessageDigest.getInstance("SHA-256").digest(content));
    }
}
