package org.igniterealtime.openfire.heartbeat.harness;

import java.io.File;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;

/**
 * A PostgreSQL of our own, on loopback, in a folder of its own. It refuses to be run by root: then it is run by the user that
 * Debian's package makes for it. It ends when this object is closed, and with this JVM.
 */
public final class PostgreSql implements AutoCloseable {
    private static final Path VERSIONS = Path.of("/usr/lib/postgresql");
    private static final String DATABASE = "openfire";
    private static final String USER = "postgres";
    private static final int START_SECONDS = 30;

    private final Path programs;
    private final Path folder;
    private final int port = OpenfireServer.freePort();
    private final Thread end = new Thread(this::stopNow);
    private Process process;

    /** Returns when it takes connections. Whoever connects from this machine may do everything. */
    public PostgreSql() {
        programs = newest();
        try {
            // Not below the products: another user could not get there.
            folder = Files.createTempDirectory("heartbeat-postgresql-");
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        Runtime.getRuntime().addShutdownHook(end);
        if (isRoot()) {
            run(List.of("chown", USER, folder.toString()), null);
        }
        run(asItsUser("initdb", "-D", data(), "-U", DATABASE, "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync"), null);
        start();
        run(asItsUser("createdb", "-h", "127.0.0.1", "-p", Integer.toString(port), "-U", DATABASE, DATABASE), null);
    }

    private static Path newest() {
        try (Stream<Path> versions = Files.list(VERSIONS)) {
            return versions.map(version -> version.resolve("bin"))
                    .filter(bin -> Files.isExecutable(bin.resolve("initdb")))
                    .max((a, b) -> Integer.compare(number(a), number(b)))
                    .orElseThrow(() -> new IllegalStateException("there is no PostgreSQL in " + VERSIONS));
        } catch (IOException e) {
            throw new IllegalStateException("PostgreSQL is not installed", e);
        }
    }

    private static int number(Path bin) {
        return Integer.parseInt(bin.getParent().getFileName().toString().replaceAll("[^0-9].*", ""));
    }

    private static boolean isRoot() {
        return "root".equals(System.getProperty("user.name"));
    }

    private String data() {
        return folder.resolve("data").toString();
    }

    private List<String> asItsUser(String program, String... arguments) {
        List<String> command = new ArrayList<>();
        if (isRoot()) {
            command.addAll(List.of("setpriv", "--reuid=" + USER, "--regid=" + USER, "--clear-groups"));
        }
        command.add(programs.resolve(program).toString());
        command.addAll(List.of(arguments));
        return command;
    }

    private void run(List<String> command, Path input) {
        int code = tryTo(command, input);
        if (code != 0) {
            throw new IllegalStateException(command + " failed with " + code + ", see " + log());
        }
    }

    private File log() {
        return folder.resolveSibling(folder.getFileName() + ".log").toFile();
    }

    private int tryTo(List<String> command, Path input) {
        try {
            ProcessBuilder builder = new ProcessBuilder(command)
                    .directory(folder.toFile())
                    .redirectErrorStream(true)
                    .redirectOutput(ProcessBuilder.Redirect.appendTo(log()));
            if (input != null) {
                builder.redirectInput(input.toFile());
            }
            return builder.start().waitFor();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IllegalStateException(e);
        }
    }

    /** What Openfire is to be told to use it. */
    String provider() {
        return "<connectionProvider>\n"
                + "        <className>org.jivesoftware.database.DefaultConnectionProvider</className>\n"
                + "    </connectionProvider>\n"
                + "    <database>\n"
                + "        <defaultProvider>\n"
                + "            <driver>org.postgresql.Driver</driver>\n"
                + "            <serverURL>jdbc:postgresql://127.0.0.1:" + port + "/" + DATABASE + "</serverURL>\n"
                + "            <username>" + DATABASE + "</username>\n"
                + "            <password>none</password>\n"
                + "            <testSQL>select 1</testSQL>\n"
                + "            <testBeforeUse>true</testBeforeUse>\n"
                + "            <testAfterUse>false</testAfterUse>\n"
                + "            <minConnections>2</minConnections>\n"
                + "            <maxConnections>5</maxConnections>\n"
                + "            <connectionTimeout>1.0</connectionTimeout>\n"
                + "        </defaultProvider>\n"
                + "    </database>";
    }

    /** Runs statements. */
    void execute(String sql) {
        try {
            Path file = folder.resolveSibling(folder.getFileName() + ".sql");
            Files.writeString(file, sql);
            run(
                    asItsUser(
                            "psql", "-q", "-v", "ON_ERROR_STOP=1", "-h", "127.0.0.1", "-p", Integer.toString(port), "-U",
                            DATABASE, DATABASE),
                    file);
            Files.delete(file);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** As after {@link #stop}, with what was in it. */
    public void start() {
        try {
            process = new ProcessBuilder(asItsUser(
                            "postgres", "-D", data(), "-p", Integer.toString(port), "-c", "listen_addresses=127.0.0.1", "-c",
                            "unix_socket_directories="))
                    .directory(folder.toFile())
                    .redirectErrorStream(true)
                    .redirectOutput(ProcessBuilder.Redirect.appendTo(log()))
                    .start();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        List<String> question = asItsUser("pg_isready", "-q", "-h", "127.0.0.1", "-p", Integer.toString(port));
        for (int i = 0; tryTo(question, null) != 0; i++) {
            if (i == 10 * START_SECONDS || !process.isAlive()) {
                throw new IllegalStateException("PostgreSQL does not start, see " + log());
            }
            sleep();
        }
    }

    private static void sleep() {
        try {
            Thread.sleep(100);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IllegalStateException(e);
        }
    }

    /** Connections that are open are closed at once. */
    public void stop() {
        Signals.send(process.pid(), "INT");
        try {
            if (!process.waitFor(START_SECONDS, TimeUnit.SECONDS)) {
                throw new IllegalStateException("PostgreSQL does not stop");
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IllegalStateException(e);
        }
    }

    private void stopNow() {
        if (process != null && process.isAlive()) {
            Signals.send(process.pid(), "INT");
        }
    }

    @Override
    public void close() {
        if (process.isAlive()) {
            stop();
        }
        Runtime.getRuntime().removeShutdownHook(end);
        try {
            Folders.delete(folder);
            Files.deleteIfExists(folder.resolveSibling(folder.getFileName() + ".log"));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
