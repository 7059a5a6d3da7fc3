package org.igniterealtime.openfire.heartbeat.harness;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;

/**
 * The Openfire that servers are made of: a copy of the installation that the system property {@code openfire.home} names,
 * or, without one, Openfire 4.2.0 from Maven Central, which comes without files of its own.
 */
public final class Installation {
    private static final Pattern SERVER_JAR = Pattern.compile("xmppserver-([0-9]+)\\.([0-9]+)\\.([0-9]+).*\\.jar");
    private static final String SCHEMA = "resources/database/openfire_hsqldb.sql";

    private static Installation used;

    private final String classPath;
    private final String schema;
    private final OpenfireVersion version;
    private final Path home;

    private Installation(String classPath, String schema, OpenfireVersion version, Path home) {
        this.classPath = classPath;
        this.home = home;
        this.schema = schema;
        this.version = version;
    }

    /** The one that is used; it is copied when it is asked for first. */
    public static synchronized Installation used() {
        if (used == null) {
            String home = System.getProperty("openfire.home", "");
            try {
                used = home.isEmpty() ? fromRegistry() : copyOf(Path.of(home));
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
        }
        return used;
    }

    private static Installation fromRegistry() throws IOException {
        Path libraries = launcherFolder();
        return new Installation(libraries + "/*", template("schema.sql"), version(libraries), null);
    }

    /** Nothing of what an administrator installed is written to, or in use while the tests run. */
    private static Installation copyOf(Path home) throws IOException {
        OpenfireVersion version = version(home.resolve("lib"));
        Path copy = Products.folder("installation");
        Folders.delete(copy);
        Folders.copy(home.resolve("lib"), copy.resolve("lib"));
        String launcher;
        try (Stream<Path> found = Files.list(launcherFolder())) {
            launcher = found.filter(file -> file.getFileName().toString().startsWith("launcher-"))
                    .findFirst()
                    .orElseThrow()
                    .toString();
        }
        String classPath = launcher + ":" + copy.resolve("lib") + "/*";
        return new Installation(classPath, Files.readString(home.resolve(SCHEMA)), version, home);
    }

    private static Path launcherFolder() {
        Path folder = Products.folder("openfire-" + System.getProperty("openfire.version", "4.2.0") + "/lib");
        if (!Files.isDirectory(folder)) {
            throw new IllegalStateException("Openfire is not built: run mvn -f tests/openfire/pom.xml package");
        }
        return folder;
    }

    private static OpenfireVersion version(Path libraries) throws IOException {
        if (!Files.isDirectory(libraries)) {
            throw new IllegalStateException("there is no Openfire: " + libraries + " is not there");
        }
        try (Stream<Path> files = Files.list(libraries)) {
            List<Matcher> found = files.map(file -> SERVER_JAR.matcher(file.getFileName().toString()))
                    .filter(Matcher::matches)
                    .toList();
            if (found.size() != 1) {
                throw new IllegalStateException("there is no Openfire, or more than one: "
                        + found.size() + " files in " + libraries + " are called xmppserver-VERSION.jar");
            }
            Matcher name = found.get(0);
            return new OpenfireVersion(
                    Integer.parseInt(name.group(1)), Integer.parseInt(name.group(2)), Integer.parseInt(name.group(3)));
        }
    }

    /** The tables of Openfire in PostgreSQL. */
    String postgreSqlSchema() throws IOException {
        if (home != null) {
            return Files.readString(home.resolve("resources/database/openfire_postgresql.sql"));
        }
        return schema.replaceAll("(?m)^//.*$", "")
                .replace("LONGVARCHAR", "TEXT");
    }

    static String template(String file) throws IOException {
        try (InputStream in = Installation.class.getResourceAsStream("/openfire-home/" + file)) {
            return new String(in.readAllBytes(), StandardCharsets.UTF_8);
        }
    }

    /** The launcher and all of Openfire. */
    public String classPath() {
        return classPath;
    }

    /** The tables of Openfire's embedded database. */
    String schema() {
        return schema;
    }

    /** Makes the web console, as the plugin that it is; the registry's Openfire comes without, and gets a stand-in. */
    void makeConsole(Path plugin) throws IOException {
        if (home != null) {
            Folders.copy(home.resolve("plugins/admin"), plugin);
            return;
        }
        Files.createDirectories(plugin);
        Files.writeString(
                plugin.resolve("plugin.xml"),
                template("admin-plugin.xml")
                        .replace(
                                "org.igniterealtime.openfire.heartbeat.launcher.NoConsole",
                                "org.jivesoftware.openfire.container.AdminConsolePlugin"));
        for (String file : List.of("WEB-INF/web.xml", "WEB-INF/decorators.xml", "style/global.css")) {
            Path to = plugin.resolve("webapp").resolve(file);
            Files.createDirectories(to.getParent());
            Files.writeString(to, template("console/" + file));
        }
    }

    /** Whether it comes with its own web console; else ours stands in for it. */
    public boolean hasConsole() {
        return home != null;
    }

    public OpenfireVersion version() {
        return version;
    }
}
