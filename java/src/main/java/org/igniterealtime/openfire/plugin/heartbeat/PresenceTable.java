package org.igniterealtime.openfire.plugin.heartbeat;

import java.sql.BatchUpdateException;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import org.jivesoftware.database.DbConnectionManager;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Openfire's table {@code ofPresence}: when each user went offline. Times are milliseconds since 1970 UTC, which Openfire
 * writes as 15 digits. A user who is online has no row.
 *
 * <p>Threads: any that may wait for the database. Each call takes one connection of Openfire's pool, until it returns.
 */
final class PresenceTable {
    private static final Logger Log = LoggerFactory.getLogger(PresenceTable.class);

    /** Users of one question. */
    static final int MOST_ASKED = 100;

    /** After so long the database is as good as away; seconds. */
    private static final int SLOWEST_S = 30;

    private static final int ROWS_FETCHED = 1_000;

    private static final String LATER = "SELECT username, offlineDate FROM ofPresence WHERE offlineDate > ?";
    private static final String SOME = "SELECT username, offlineDate FROM ofPresence WHERE username IN (?"
            + String.join("", Collections.nCopies(MOST_ASKED - 1, ",?")) + ")";
    private static final String UPDATE =
            "UPDATE ofPresence SET offlineDate = ? WHERE username = ? AND offlineDate = ?";
    private static final String INSERT =
            "INSERT INTO ofPresence (username, offlinePresence, offlineDate) VALUES (?, NULL, ?)";
    private static final String DELETE = "DELETE FROM ofPresence WHERE username = ?";
    private static final String DELETE_THIS = "DELETE FROM ofPresence WHERE username = ? AND offlineDate = ?";

    private final RateLimit refusals = new RateLimit();

    /** What a user's row shall say. */
    static final class Change {
        final String user;

        /** What it says; null: there is none. */
        final String before;

        final String after;

        Change(String user, String before, String after) {
            this.user = user;
            this.before = before;
            this.after = after;
        }
    }

    /** Is given a row. */
    interface Reader {
        void row(String user, long offlineMs);
    }

    /** A time as Openfire writes it. */
    static String digits(long ms) {
        return String.format(Locale.ROOT, "%015d", ms);
    }

    /** The time that is written so; -1: it is none. */
    static long time(String digits) {
        try {
            return Long.parseLong(digits.trim());
        } catch (NumberFormatException e) {
            return -1;
        }
    }

    /** Reads the rows of those who went offline later than this; 0: all. */
    void later(long ms, Reader reader) throws SQLException {
        Connection database = DbConnectionManager.getTransactionConnection();
        try (PreparedStatement later = prepare(database, LATER)) {
            // Within a transaction PostgreSQL does not send all of it at once.
            later.setFetchSize(ROWS_FETCHED);
            later.setString(1, digits(ms));
            try (ResultSet rows = later.executeQuery()) {
                while (rows.next()) {
                    read(rows.getString(1), rows.getString(2), reader);
                }
            }
        } finally {
            DbConnectionManager.closeTransactionConnection(database, false);
        }
    }

    private static void read(String user, String date, Reader reader) {
        long ms = time(date);
        if (ms < 0) {
            Log.warn("The time of {} in Openfire's table is no time: {}", user, date);
            return;
        }
        reader.row(user, ms);
    }

    /** What the rows of these users say, of those who have one. */
    Map<String, String> of(List<String> users) throws SQLException {
        Map<String, String> dates = new HashMap<>();
        try (Connection database = DbConnectionManager.getConnection();
                PreparedStatement some = prepare(database, SOME)) {
            for (int from = 0; from < users.size(); from += MOST_ASKED) {
                for (int i = 0; i < MOST_ASKED; i++) {
                    // The last one again, where there are no more.
                    some.setString(i + 1, users.get(Math.min(from + i, users.size() - 1)));
                }
                try (ResultSet rows = some.executeQuery()) {
                    while (rows.next()) {
                        dates.put(rows.getString(1), rows.getString(2).trim());
                    }
                }
            }
        }
        return dates;
    }

    /**
     * Makes changes, all or none; a row that does not say any more what it did is left alone. Where that is refused, each
     * for itself; one that is refused then never can be made, and is left out.
     */
    void write(List<Change> changes) throws SQLException {
        try {
            inOne(changes);
        } catch (BatchUpdateException e) {
            // Openfire may have made a row meanwhile.
            for (Change change : changes) {
                alone(change);
            }
        }
    }

    private void inOne(List<Change> changes) throws SQLException {
        Connection database = DbConnectionManager.getTransactionConnection();
        boolean done = false;
        try (PreparedStatement update = prepare(database, UPDATE);
                PreparedStatement insert = prepare(database, INSERT)) {
            int updates = 0;
            int inserts = 0;
            for (Change change : changes) {
                if (change.before == null) {
                    fill(insert, change.user, change.after).addBatch();
                    inserts++;
                } else {
                    fill(update, change.after, change.user, change.before).addBatch();
                    updates++;
                }
            }
            if (updates > 0) {
                update.executeBatch();
            }
            if (inserts > 0) {
                insert.executeBatch();
            }
            if (!database.getAutoCommit()) {
                // Openfire's way to end a transaction does not tell if that fails.
                database.commit();
            }
            forgetWarnings(database);
            done = true;
        } finally {
            DbConnectionManager.closeTransactionConnection(database, !done);
        }
    }

    private void alone(Change change) throws SQLException {
        try {
            if (change.before == null) {
                execute(INSERT, change.user, change.after);
            } else {
                execute(UPDATE, change.after, change.user, change.before);
            }
        } catch (SQLException e) {
            String state = e.getSQLState();
            // Data that does not fit, or a row that is there by now (SQL:2011, part 2, table 33).
            if (state == null || (!state.startsWith("22") && !state.startsWith("23"))) {
                throw e;
            }
            if (refusals.allows()) {
                Log.warn("Openfire's table does not take when {} went offline: {}", change.user, e.getMessage());
            }
        }
    }

    /** Takes the row of a user away. */
    void delete(String user) throws SQLException {
        execute(DELETE, user);
    }

    /** The same if it still says this. */
    void delete(String user, String date) throws SQLException {
        execute(DELETE_THIS, user, date);
    }

    private static void execute(String sql, String... values) throws SQLException {
        try (Connection database = DbConnectionManager.getConnection();
                PreparedStatement statement = prepare(database, sql)) {
            fill(statement, values).executeUpdate();
            forgetWarnings(database);
        }
    }

    /** HSQLDB warns that no row was changed, and keeps who asked, with our classes, after we were unloaded. */
    private static void forgetWarnings(Connection database) throws SQLException {
        database.clearWarnings();
    }

    private static PreparedStatement prepare(Connection database, String sql) throws SQLException {
        PreparedStatement statement = database.prepareStatement(sql);
        statement.setQueryTimeout(SLOWEST_S);
        return statement;
    }

    private static PreparedStatement fill(PreparedStatement statement, String... values) throws SQLException {
        for (int i = 0; i < values.length; i++) {
            statement.setString(i + 1, values[i]);
        }
        return statement;
    }

    /** Of the users of some changes. */
    static List<String> users(List<Change> changes) {
        List<String> users = new ArrayList<>(changes.size());
        for (Change change : changes) {
            users.add(change.user);
        }
        return users;
    }
}
