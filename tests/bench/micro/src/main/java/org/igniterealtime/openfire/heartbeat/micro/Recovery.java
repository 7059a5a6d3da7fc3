package org.igniterealtime.openfire.heartbeat.micro;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.util.List;
import java.util.Random;
import java.util.stream.Stream;
import org.igniterealtime.openfire.plugin.heartbeat.Door;
import org.jivesoftware.database.DbConnectionManager;

/**
 * The start of a server that knows a million users: from nothing until each of them can be looked up. The peer reads as many
 * rows from Openfire's own table, in one query, from an embedded database that is open and has them in memory; it keeps nothing.
 */
final class Recovery implements Group {
    private static final int USERS = 1_000_000;
    private static final int ASKED = 1_000;
    private static final double LIMIT_MS = 500;
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
            Stats[] all = contest.run(scale.rounds(3), scale.rounds(11));
            String what = "recovery of " + users + " users: ours / ";
            return List.of(
                    Result.of(what + "these rows from HSQLDB in one query", "ms", all[ours], all[theirs], 0.1),
                    Result.of(what + "a limit of 500 ms", "ms", all[ours], Stats.given(LIMIT_MS), 1.0));
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

    private double recover(Path folder) {
        long start = System.nanoTime();
        try (Door door = new Door()) {
            door.journal(folder);
            double ms = (System.nanoTime() - start) / 1e6;
            for (int i = 0; i < ASKED; i++) {
                if (Math.abs((door.lastActivity(name(random.nextInt(users))) >> 1) - wroteMs) > 1_000) {
                    throw new IllegalStateException("somebody is not known as before");
                }
            }
            return ms;
        }
    }

    private double query() throws Exception {
        long start = System.nanoTime();
        long sum = 0;
        int count = 0;
        try (Connection database = DbConnectionManager.getConnection();
                PreparedStatement all = database.prepareStatement(ALL);
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
        return (System.nanoTime() - start) / 1e6;
    }
}
