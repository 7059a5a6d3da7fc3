package org.igniterealtime.openfire.heartbeat.micro;

import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.Statement;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.function.Consumer;
import java.util.stream.Stream;
import org.igniterealtime.openfire.plugin.heartbeat.Door;
import org.jivesoftware.database.DbConnectionManager;

/**
 * The start of a server that knows a million users: from an empty core until each of them can be looked up. The peer reads as many
 * rows from Openfire's own table, in one query, and keeps nothing: from an embedded database that is open and has them in
 * memory, by code that ran before; and as a server does it that starts, once in a process: the query alone, and with the
 * opening, which comes before it there.
 */
final class Recovery implements Group {
    private static final int USERS = 1_000_000;
    private static final int ASKED = 1_000;
    private static final double LIMIT_MS = 500;
    private static final double SLOWEST_MS = 10;
    private static final String ALL = "SELECT username, offlineDate FROM ofPresence";

    private final Random random = new Random(1);
    private int users;
    private long wroteMs;

    private static String name(int user) {
        return "user" + (10_000_000 + user);
    }

    @Override
    public List<Result> run(Scale scale) throws Exception {
        users = scale.of(USERS);
        Path home = Files.createTempDirectory(Path.of(System.getProperty("bench.folder")), "home-");
        OpenfiresActivity.makeHome(home);
        try {
            Path folder = home.resolve("heartbeat");
            write(folder);
            String[] names = new String[users];
            for (int user = 0; user < users; user++) {
                names[user] = name(user);
            }
            OpenfiresActivity.fillDatabase(names);
            Contest contest = new Contest();
            int ours = contest.add(() -> recover(folder));
            int theirs = contest.add(this::query);
            int whole = contest.add(() -> recover(folder, Door::flush));
            int slowest = contest.add(() -> slowest(folder));
            Stats[] all = contest.run(scale.rounds(3), scale.rounds(11));
            DbConnectionManager.destroyConnectionProvider();
            Contest starts = new Contest();
            int first = starts.add(() -> start("ours", home));
            int theirQuery = starts.add(() -> start("query", home));
            int theirFirst = starts.add(() -> start("theirs", home));
            Stats[] ofStarts = starts.run(0, scale.rounds(5));
            String what = "recovery of " + users + " users: ours / ";
            return List.of(
                    Result.of(what + "these rows from HSQLDB in one query", "ms", all[ours], all[theirs], 0.1),
                    Result.of(what + "a limit of 500 ms", "ms", all[ours], Stats.given(LIMIT_MS), 1.0),
                    Result.of(
                            "the same, until all of them are in memory: ours / these rows from HSQLDB in one query",
                            "ms",
                            all[whole],
                            all[theirs],
                            1.0),
                    Result.of(
                            "the slowest of " + ASKED + " look-ups right after it: ours / a limit of 10 ms",
                            "ms",
                            all[slowest],
                            Stats.given(SLOWEST_MS),
                            1.0),
                    Result.of(
                            "the same, first in its process: ours / one query of an HSQLDB that is open",
                            "ms",
                            ofStarts[first],
                            ofStarts[theirQuery],
                            0.1),
                    Result.of(
                            "the same, first in its process: ours / HSQLDB opened, and one query",
                            "ms",
                            ofStarts[first],
                            ofStarts[theirFirst],
                            0.1),
                    Result.of(
                            "the same, first in its process: ours / a limit of 500 ms",
                            "ms",
                            ofStarts[first],
                            Stats.given(LIMIT_MS),
                            1.0));
        } finally {
            try (Stream<Path> all = Files.walk(home)) {
                all.sorted((a, b) -> b.compareTo(a)).forEach(each -> each.toFile().delete());
            }
        }
    }

    /** A snapshot of all, and a journal. */
    private void write(Path folder) {
        try (Door door = new Door()) {
            wroteMs = System.currentTimeMillis() - 60_000;
            door.journal(folder);
            for (int user : Shuffle.of(users, 1)) {
                door.known(name(user), wroteMs);
            }
            door.flush();
            door.flush();
        }
    }

    /** What it takes in a process of its own. */
    private double start(String whose, Path home) throws Exception {
        List<String> command = new ArrayList<>();
        command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
        command.addAll(ManagementFactory.getRuntimeMXBean().getInputArguments());
        command.addAll(List.of("-cp", System.getProperty("java.class.path"), Recovery.class.getName()));
        command.addAll(List.of(whose, home.toString(), Integer.toString(users), Long.toString(wroteMs)));
        Process process = new ProcessBuilder(command).redirectError(ProcessBuilder.Redirect.INHERIT).start();
        String said = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8).strip();
        if (process.waitFor() != 0) {
            throw new IllegalStateException(whose + " can not be started: " + said);
        }
        return Double.parseDouble(said.substring(said.lastIndexOf('\n') + 1));
    }

    /** Arguments: whose, the home, users, when they were written. */
    public static void main(String[] arguments) throws Exception {
        Recovery recovery = new Recovery();
        Path home = Path.of(arguments[1]);
        recovery.users = Integer.parseInt(arguments[2]);
        recovery.wroteMs = Long.parseLong(arguments[3]);
        double ms;
        if (arguments[0].equals("ours")) {
            ms = recovery.recover(home.resolve("heartbeat"));
        } else {
            // The database alone, without what Openfire does around it.
            long start = System.nanoTime();
            try (Connection database =
                            DriverManager.getConnection("jdbc:hsqldb:" + home + "/embedded-db/openfire", "sa", "");
                    Statement end = database.createStatement()) {
                start = arguments[0].equals("query") ? System.nanoTime() : start;
                recovery.query(database);
                ms = (System.nanoTime() - start) / 1e6;
                end.execute("SHUTDOWN");
            }
        }
        System.out.println(ms);
        System.exit(0);
    }

    private double recover(Path folder) {
        return recover(folder, door -> {});
    }

    /** With something that is done then, and counts. */
    private double recover(Path folder, Consumer<Door> then) {
        // An empty core, as the plugin has it by then: loading classes and the library is not what is compared.
        try (Door door = new Door()) {
            long start = System.nanoTime();
            door.journal(folder);
            then.accept(door);
            double ms = (System.nanoTime() - start) / 1e6;
            for (int i = 0; i < ASKED; i++) {
                lookUp(door, name(random.nextInt(users)));
            }
            return ms;
        }
    }

    /** What one waits at most who asks for somebody right after the start. */
    private double slowest(Path folder) {
        String[] names = new String[ASKED];
        Arrays.setAll(names, i -> name(random.nextInt(users)));
        long slowest = 0;
        try (Door door = new Door()) {
            door.journal(folder);
            for (String name : names) {
                long start = System.nanoTime();
                lookUp(door, name);
                slowest = Math.max(slowest, System.nanoTime() - start);
            }
        }
        return slowest / 1e6;
    }

    private void lookUp(Door door, String name) {
        if (Math.abs(door.lastActivity(name) - wroteMs) > 1_000) {
            throw new IllegalStateException("somebody is not known as before");
        }
    }

    private double query() throws Exception {
        long start = System.nanoTime();
        try (Connection database = DbConnectionManager.getConnection()) {
            query(database);
        }
        return (System.nanoTime() - start) / 1e6;
    }

    private void query(Connection database) throws Exception {
        long sum = 0;
        int count = 0;
        try (PreparedStatement all = database.prepareStatement(ALL);
                ResultSet rows = all.executeQuery()) {
            while (rows.next()) {
                sum += rows.getString(1).length() + Long.parseLong(rows.getString(2));
                count++;
            }
        }
        Contest.consumed = sum;
        if (count != users) {
            throw new IOException("rows are missing: " + count);
        }
    }
}
