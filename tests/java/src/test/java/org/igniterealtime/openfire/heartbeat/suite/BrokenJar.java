package org.igniterealtime.openfire.heartbeat.suite;

import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.zip.ZipEntry;
import java.util.zip.ZipInputStream;
import java.util.zip.ZipOutputStream;
import org.igniterealtime.openfire.heartbeat.harness.Products;

/** The plugin with a native library that is not as it should be, and what the log must name then. */
record BrokenJar(String name, Path file, List<String> named) {
    private static final String CLASSES = "lib/plugin-heartbeat.jar";
    private static final String KNOWN = "heartbeat-native.properties";
    private static final String PLATFORM = "linux-" + (System.getProperty("os.arch").equals("amd64") ? "x86_64" : System.getProperty("os.arch"));
    private static final int MACHINE = 18; // Offset of e_machine in an ELF header.

    static List<BrokenJar> all() throws Exception {
        Map<String, byte[]> whole = read(Files.readAllBytes(Products.plugin()));
        Properties known = new Properties();
        known.load(new ByteArrayInputStream(read(whole.get(CLASSES)).get(KNOWN)));
        String path = known.getProperty(PLATFORM + ".path");
        byte[] library = whole.get(path);

        Map<String, byte[]> missing = new LinkedHashMap<>(whole);
        missing.remove(path);

        byte[] half = Arrays.copyOf(library, library.length / 2);

        byte[] flipped = library.clone();
        flipped[library.length / 2] ^= 1;

        // Of another machine, but with the right checksum: the loader itself must find out.
        byte[] foreign = library.clone();
        foreign[MACHINE] = (byte) 0xf3; // RISC-V
        foreign[MACHINE + 1] = 0;

        Properties elsewhere = new Properties();
        elsewhere.setProperty("version", known.getProperty("version"));
        elsewhere.setProperty("plan9-mips.path", path);
        elsewhere.setProperty("plan9-mips.sha256", known.getProperty(PLATFORM + ".sha256"));

        return List.of(
                new BrokenJar("missing", write("missing", missing), List.of(path, "missing")),
                new BrokenJar("truncated", write("truncated", with(whole, path, half)), List.of(path, "SHA-256")),
                new BrokenJar("checksum", write("checksum", with(whole, path, flipped)), List.of(path, "SHA-256")),
                new BrokenJar(
                        "foreign", write("foreign", with(claiming(whole, known, foreign), path, foreign)), List.of(path)),
                new BrokenJar(
                        "no-platform", write("no-platform", knowing(whole, elsewhere)), List.of(PLATFORM, "plan9-mips")));
    }

    private static Map<String, byte[]> with(Map<String, byte[]> jar, String path, byte[] content) {
        Map<String, byte[]> changed = new LinkedHashMap<>(jar);
        changed.put(path, content);
        return changed;
    }

    /** The jar with the checksum of this library instead of its own. */
    private static Map<String, byte[]> claiming(Map<String, byte[]> jar, Properties known, byte[] library)
            throws Exception {
        Properties claim = new Properties();
        claim.putAll(known);
        byte[] hash = MessageDigest.getInstance("SHA-256").digest(library);
        claim.setProperty(PLATFORM + ".sha256", HexFormat.of().formatHex(hash));
        return knowing(jar, claim);
    }

    private static Map<String, byte[]> knowing(Map<String, byte[]> jar, Properties known) throws IOException {
        StringBuilder text = new StringBuilder();
        known.forEach((key, value) -> text.append(key).append('=').append(value).append('\n'));
        byte[] file = text.toString().getBytes(StandardCharsets.ISO_8859_1);
        return with(jar, CLASSES, zip(with(read(jar.get(CLASSES)), KNOWN, file)));
    }

    private static Map<String, byte[]> read(byte[] jar) throws IOException {
        Map<String, byte[]> entries = new LinkedHashMap<>();
        try (ZipInputStream in = new ZipInputStream(new ByteArrayInputStream(jar))) {
            for (ZipEntry entry = in.getNextEntry(); entry != null; entry = in.getNextEntry()) {
                if (!entry.isDirectory()) {
                    entries.put(entry.getName(), ((InputStream) in).readAllBytes());
                }
            }
        }
        return entries;
    }

    private static byte[] zip(Map<String, byte[]> entries) throws IOException {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        try (ZipOutputStream out = new ZipOutputStream(bytes)) {
            for (Map.Entry<String, byte[]> entry : entries.entrySet()) {
                out.putNextEntry(new ZipEntry(entry.getKey()));
                out.write(entry.getValue());
            }
        }
        return bytes.toByteArray();
    }

    private static Path write(String name, Map<String, byte[]> entries) throws IOException {
        return Files.write(Products.folder("broken").resolve(name + ".jar"), zip(entries));
    }
}
