package org.igniterealtime.openfire.plugin.heartbeat;

import java.io.File;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.Paths;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.Locale;
import java.util.Properties;
import java.util.TreeSet;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Loads the native core. What stands in the way is a value with a reason, never an exception.
 *
 * <p>A library can be loaded once per path and class loader, and a loader that was unloaded may live for long. So what is
 * loaded is a copy under a name of its own, deleted at once: the process keeps what it has mapped.
 */
final class NativeLibrary {
    private static final Logger Log = LoggerFactory.getLogger(NativeLibrary.class);

    private static final String PROPERTIES = "/heartbeat-native.properties";
    private static final String COPY_PREFIX = "openfire-heartbeat-";
    private static final String COPY_SUFFIX = ".copy";

    /** A copy of this age was left behind by a crash; a younger one may be another server's, being loaded. */
    private static final long LEFTOVER_MS = TimeUnit.MINUTES.toMillis(10);

    private final String platform;
    private final String version;
    private final Path file;
    private final String sha256;
    private final String refusal;

    private NativeLibrary(String platform, String version, Path file, String sha256, String refusal) {
        this.platform = platform;
        this.version = version;
        this.file = file;
        this.sha256 = sha256;
        this.refusal = refusal;
    }

    /** Why the library was not loaded, or null if it was. */
    String refusal() {
        return refusal;
    }

    String platform() {
        return platform;
    }

    String version() {
        return version;
    }

    /** The library as it was unpacked. */
    Path file() {
        return file;
    }

    /** Of what is loaded. */
    String sha256() {
        return sha256;
    }

    /** Why the file is not what is loaded, or null if it is. */
    String changed() {
        try {
            String found = sha256(Files.readAllBytes(file));
            return found.equals(sha256) ? null : file + " has another SHA-256 now: " + found;
        } catch (IOException e) {
            return file + " can not be read: " + e;
        }
    }

    /** Loads the library that belongs to these classes from the plugin's folder. */
    static NativeLibrary load(File pluginFolder) {
        Properties known = new Properties();
        try (InputStream in = NativeLibrary.class.getResourceAsStream(PROPERTIES)) {
            if (in == null) {
                return refused("", "the jar has no " + PROPERTIES.substring(1) + ": it was not built completely");
            }
            known.load(in);
        } catch (IOException | IllegalArgumentException e) {
            return refused("", PROPERTIES.substring(1) + " in the jar can not be read: " + e);
        }
        String os = System.getProperty("os.name");
        String arch = System.getProperty("os.arch");
        return load(pluginFolder.toPath(), known, platformOf(os, arch, isMusl(os, Paths.get("/proc/self/maps"))));
    }

    static NativeLibrary load(Path pluginFolder, Properties known, String platform) {
        String path = known.getProperty(platform + ".path");
        String expected = known.getProperty(platform + ".sha256");
        String version = known.getProperty("version");
        if (path == null || expected == null) {
            return refused(platform, "there is no library for " + platform + ", this jar has: " + platformsOf(known));
        }
        Path file = pluginFolder.resolve(path);
        try {
            if (!Files.isRegularFile(file)) {
                return refused(platform, file + " is missing");
            }
            byte[] content = Files.readAllBytes(file);
            String found = sha256(content);
            if (!found.equalsIgnoreCase(expected)) {
                return refused(
                        platform,
                        file + " is damaged or of another build: its SHA-256 is " + found + " (" + content.length
                                + " bytes), not " + expected);
            }
            loadCopy(content, file);
            String loaded = NativeCore.version();
            if (!loaded.equals(version)) {
                return refused(platform, file + " is of version " + loaded + ", the plugin of " + version);
            }
            return new NativeLibrary(platform, version, file, found, null);
        } catch (IOException | LinkageError e) {
            return refused(platform, file + " can not be loaded: " + messageOf(e));
        } catch (RuntimeException e) {
            // IllegalCallerException, which Java 8 does not have: a Java that lets only those load a library who are named.
            return refused(
                    platform,
                    file + " can not be loaded: " + messageOf(e)
                            + ". Start Openfire's Java with --enable-native-access=ALL-UNNAMED");
        }
    }

    static String platformOf(String os, String arch, boolean musl) {
        String system = os.toLowerCase(Locale.ROOT);
        String family = system.startsWith("windows") ? "windows" : system.startsWith("mac") ? "macos" : system;
        String machine = arch.equals("amd64") ? "x86_64" : arch.equals("arm64") ? "aarch64" : arch;
        return family + (musl ? "-musl-" : "-") + machine;
    }

    /**
     * Whether this process stands on musl, as on Alpine, and not on glibc: one of the two is mapped into it. A system may
     * have both.
     *
     * @param maps what is mapped, a file as proc(5) describes it
     */
    static boolean isMusl(String os, Path maps) {
        if (!os.equals("Linux")) {
            return false;
        }
        try (Stream<String> lines = Files.lines(maps, StandardCharsets.ISO_8859_1)) {
            return lines.anyMatch(line -> line.contains("/ld-musl-") || line.contains("/libc.musl-"));
        } catch (IOException | UncheckedIOException e) {
            Log.debug("Can not see which libc this is, taking it for glibc", e);
            return false;
        }
    }

    /**
     * In the plugin's own folder, or where temporary files are if that one can not be written or executed. On Windows
     * there at once: a file that is mapped can not be deleted, and would be in the way when Openfire removes the folder.
     */
    private static void loadCopy(byte[] content, Path file) throws IOException {
        Path beside = file.getParent();
        Path temporary = Paths.get(System.getProperty("java.io.tmpdir"));
        removeLeftovers(temporary);
        if (File.separatorChar == '\\') {
            loadCopyIn(temporary, content);
            return;
        }
        removeLeftovers(beside);
        try {
            loadCopyIn(beside, content);
        } catch (IOException | UnsatisfiedLinkError first) {
            Log.debug("Can not load a copy in {}: {}", beside, messageOf(first));
            try {
                loadCopyIn(temporary, content);
            } catch (IOException | UnsatisfiedLinkError second) {
                second.addSuppressed(first);
                throw second;
            }
        }
    }

    // There is no other way: what is to be loaded is chosen here, and its content was checked.
    @SuppressWarnings("UnsafeDynamicallyLoadedCode")
    private static void loadCopyIn(Path folder, byte[] content) throws IOException {
        Path copy = Files.createTempFile(folder, COPY_PREFIX, COPY_SUFFIX);
        try {
            Files.write(copy, content);
            System.load(copy.toAbsolutePath().toString());
        } finally {
            remove(copy);
        }
    }

    private static void removeLeftovers(Path folder) {
        try (DirectoryStream<Path> copies = Files.newDirectoryStream(folder, COPY_PREFIX + "*" + COPY_SUFFIX)) {
            for (Path copy : copies) {
                if (System.currentTimeMillis() - Files.getLastModifiedTime(copy).toMillis() > LEFTOVER_MS) {
                    remove(copy);
                }
            }
        } catch (IOException | RuntimeException e) {
            Log.debug("Could not look for old copies in {}", folder, e);
        }
    }

    /** On Windows what is loaded stays, in this process or another one; a later start removes it. */
    private static void remove(Path copy) {
        try {
            Files.deleteIfExists(copy);
        } catch (IOException e) {
            Log.debug("{} stays for now: {}", copy, e.toString());
        }
    }

    private static String sha256(byte[] content) {
        try {
            StringBuilder hex = new StringBuilder(64);
            for (byte b : MessageDigest.getInstance("SHA-256").digest(content)) {
                hex.append(String.format("%02x", b));
            }
            return hex.toString();
        } catch (NoSuchAlgorithmException e) {
            throw new AssertionError("every Java platform has SHA-256", e);
        }
    }

    private static String platformsOf(Properties known) {
        TreeSet<String> platforms = new TreeSet<>();
        for (String key : known.stringPropertyNames()) {
            if (key.endsWith(".path")) {
                platforms.add(key.substring(0, key.length() - ".path".length()));
            }
        }
        return platforms.isEmpty() ? "none" : String.join(", ", platforms);
    }

    private static String messageOf(Throwable e) {
        // A link error's message says it all; the others' classes say more than their messages.
        StringBuilder text = new StringBuilder(e instanceof UnsatisfiedLinkError ? e.getMessage() : e.toString());
        for (Throwable before : e.getSuppressed()) {
            text.append("; before that: ").append(before.getMessage());
        }
        return text.toString();
    }

    private static NativeLibrary refused(String platform, String reason) {
        return new NativeLibrary(platform, "", null, "", reason);
    }
}
