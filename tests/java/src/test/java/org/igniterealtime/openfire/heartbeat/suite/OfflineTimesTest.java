package org.igniterealtime.openfire.heartbeat.suite;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.gson.JsonObject;
import java.io.IOException;
import java.util.List;
import java.util.Locale;
import java.util.function.BooleanSupplier;
import java.util.function.UnaryOperator;
import org.igniterealtime.openfire.heartbeat.harness.Folders;
import org.igniterealtime.openfire.heartbeat.harness.OpenfireServer;
import org.igniterealtime.openfire.heartbeat.harness.PostgreSql;
import org.igniterealtime.openfire.heartbeat.harness.Products;
import org.igniterealtime.openfire.heartbeat.harness.RawClient;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/**
 * Openfire's own word on when somebody was last here ({@code PresenceManager}, and its table) is that of the core: after an
 * idle end, kill -9, a clean stop, with the database away, and while the plugin was not there.
 */
@Timeout(600)
final class OfflineTimesTest {
    private static final String POLICY = "plugin.heartbeat.policy";
    private static final String CLOSES_SOON = "{\"idle\": \"3s\", \"ack_timeout\": \"2s\", \"on_dead\": \"close\"}";
    private static final String OPENFIRES_MEANING =
            "{\"idle\": \"3s\", \"ack_timeout\": \"2s\", \"on_dead\": \"close\", \"last_activity\": \"offline\"}";

    /** From the end of a session until Openfire has our time: it may write its own first. */
    private static final long SOON_MS = 12_000;

    /** After the database came back: tries are further and further apart. */
    private static final long LATER_MS = 60_000;

    /** For two looks at the same row. */
    private static final long LOOKED_TWICE_MS = 16_000;

    private static final long TICK_MS = 1_000;
    private static final long A_DAY_MS = 86_400_000;
    private static final List<String> PEOPLE = List.of("silent", "quick", "asked", "online", "late", "erased");

    /** Who are never online here. */
    private static final List<String> OTHERS = List.of("elsewhere", "near", "stopped");

    private OpenfireServer server;
    private UnaryOperator<OpenfireServer.Setup> made;

    /** How the database goes away, and comes back. */
    private interface Database {
        void leaves(OpenfireServer server);

        void returns(OpenfireServer server);
    }

    private static final Database EMBEDDED = new Database() {
        @Override
        public void leaves(OpenfireServer server) {
            server.command("sql", "ALTER TABLE ofPresence RENAME TO ofElsewhere");
        }

        @Override
        public void returns(OpenfireServer server) {
            server.command("sql", "ALTER TABLE ofElsewhere RENAME TO ofPresence");
        }
    };

    @Test
    void onTheEmbeddedDatabase() throws Exception {
        play("offline-times", setup -> setup, EMBEDDED);
    }

    @Test
    void onPostgreSql() throws Exception {
        try (PostgreSql postgreSql = new PostgreSql()) {
            play("offline-times-postgresql", setup -> setup.database(postgreSql), new Database() {
                @Override
                public void leaves(OpenfireServer server) {
                    postgreSql.stop();
                }

                @Override
                public void returns(OpenfireServer server) {
                    postgreSql.start();
                }
            });
        }
    }

    private void play(String name, UnaryOperator<OpenfireServer.Setup> database, Database itself) throws Exception {
        int port = OpenfireServer.freePort();
        made = setup -> database.apply(setup)
                .port("xmpp.socket.plain.port", port)
                .set(POLICY, CLOSES_SOON)
                .plugin(Products.plugin());
        server = made.apply(OpenfireServer.named(name)).start();
        try {
            server.users(PEOPLE);
            server.users(OTHERS);
            isElsewhere(name);
            endsByItself();
            isAskedWhileOnline();
            isKilled(name);
            comesBack();
            isStopped(name);
            losesItsDatabase(itself);
            followsThePolicy();
            forgets();
            isWithoutThePlugin();
        } finally {
            server.close();
        }
    }

    /**
     * A row that is long after what the core saw is of a session elsewhere, as in a cluster: it is not made older. One of
     * about that time, and one of about the stop of this server, is Openfire's own.
     */
    private void isElsewhere(String name) throws IOException {
        long before = System.currentTimeMillis() - 2 * A_DAY_MS;
        server.uninstall();
        Folders.delete(server.home().resolve("heartbeat"));
        OTHERS.forEach(user -> row(user, before));
        assertTrue(server.install(Products.plugin()));
        for (String user : OTHERS) {
            await(user + " to be known", () -> server.lastActivity(user).isPresent() && seen(user) == before);
        }
        // All rows are compared half a second after the start; it is not known yet that these are not of a stop.
        sleep(4 * TICK_MS);
        row("elsewhere", before + A_DAY_MS);
        row("near", before + 300_000);
        // Until when the plugin ran is known from the second time on.
        server.uninstall();
        assertTrue(server.install(Products.plugin()));
        await("the other server's time to be taken over", () -> seen("elsewhere") == before + A_DAY_MS);
        agrees("elsewhere", SOON_MS);
        await("the row of near to be corrected", () -> server.offlineDate("near") == before);

        row("stopped", System.currentTimeMillis());
        server.stop();
        server.close();
        server = made.apply(OpenfireServer.named(name)).homeOf(server).start();
        await("the row of the stop to be corrected", () -> server.offlineDate("stopped") == before);
        assertEquals(before, seen("stopped"));
        assertEquals(before + A_DAY_MS, seen("elsewhere"));
        agrees("elsewhere", SOON_MS);
    }

    /** Closed long after its last byte: Openfire takes the close for the last activity. */
    private void endsByItself() {
        RawClient silent = login("silent");
        long sentMs = System.currentTimeMillis();
        silent.send(" ");
        await("the silent client to be closed", silent::isOver);
        agrees("silent", SOON_MS);
        assertTrue(Math.abs(seen("silent") - sentMs) <= TICK_MS, "seen when it sent");
        assertTrue(known("silent").get("offline_ms").getAsLong() - seen("silent") > 3_000, "offline long after");
        // A second look does not change it, nor does Openfire.
        sleep(LOOKED_TWICE_MS);
        agrees("silent", 0);
    }

    /** Openfire then remembers that it has no time, and of a logout without a status notes none at all. */
    private void isAskedWhileOnline() {
        RawClient asked = login("asked");
        assertEquals(-1, server.offlineDate("asked"));
        assertEquals(-1, server.openfiresActivity("asked"));
        asked.close();
        agrees("asked", SOON_MS);
    }

    private void isKilled(String name) {
        RawClient online = login("online");
        RawClient quick = login("quick");
        quick.unavailable("off");
        quick.closeStream();
        agrees("quick", SOON_MS);
        long silent = seen("silent");
        online.send(" ");
        sleep(2_500);
        long before = seen("online");
        assertEquals(-1, server.offlineDate("online"), "who is online has no row");
        server.kill();
        server = made.apply(OpenfireServer.named(name)).homeOf(server).start();
        for (String user : List.of("silent", "quick", "asked", "online")) {
            agrees(user, SOON_MS);
        }
        assertEquals(silent, seen("silent"));
        assertEquals(before, seen("online"));
    }

    /** Whoever comes back has no row, and gets none while online. */
    private void comesBack() {
        RawClient online = login("online");
        await("the row to go", () -> server.offlineDate("online") == -1);
        RawClient second = RawClient.login(server.door(), "online", "second").available();
        second.close();
        for (int i = 0; i < 5; i++) {
            online.send(" ");
            sleep(1_000);
        }
        assertEquals(-1, server.offlineDate("online"));
        // Out and in again, faster than anything is written: Openfire may write it when they are back. With another resource:
        // Openfire takes the route of a session away by its full JID, of one that has come in its place meanwhile too.
        online.close();
        await("it to be offline", () -> !known("online").get("online").getAsBoolean());
        online = RawClient.login(server.door(), "online", "again").available();
        sleep(1_000);
        server.command("sql", "DELETE FROM ofPresence WHERE username = 'online'");
        server.command("sql", "INSERT INTO ofPresence (username, offlineDate) VALUES ('online', '001700000000000')");
        for (int i = 0; i < 15; i++) {
            online.send(" ");
            sleep(1_000);
        }
        assertEquals(-1, server.offlineDate("online"));
        assertEquals(-1, server.openfiresActivity("online"));
        online.close();
        agrees("online", SOON_MS);
    }

    /** Openfire writes the time of the stop for everybody, before the plugin's last word or after it. */
    private void isStopped(String name) {
        RawClient late = login("late");
        long sentMs = System.currentTimeMillis();
        late.send(" ");
        sleep(2_500);
        long quick = seen("quick");
        server.stop();
        server.close();
        server = made.apply(OpenfireServer.named(name)).homeOf(server).start();
        for (String user : List.of("late", "quick", "silent")) {
            agrees(user, SOON_MS);
        }
        assertEquals(quick, seen("quick"));
        assertTrue(Math.abs(seen("late") - sentMs) <= TICK_MS, "seen when it sent, not when the server stopped");
    }

    private void losesItsDatabase(Database database) {
        RawClient late = login("late");
        RawClient quick = login("quick");
        int logged = server.log().length();
        server.broken();
        database.leaves(server);
        late.close();
        quick.close();
        // The cache is told at once.
        await("the cache to agree", () -> isNear(server.openfiresActivity("late"), seen("late")));
        await("it to be logged", () -> server.log().substring(logged).contains("can not be read or written"));
        sleep(LOOKED_TWICE_MS);
        database.returns(server);
        agrees("late", LATER_MS);
        agrees("quick", LATER_MS);
        await("it to be logged", () -> server.log().substring(logged).contains("is written again"));
        String log = server.log().substring(logged);
        assertEquals(1, log.split("can not be read or written", -1).length - 1, "logged once");
    }

    /** The other one of the two times, of those who went before too. */
    private void followsThePolicy() {
        long offline = known("silent").get("offline_ms").getAsLong();
        server.set(POLICY, OPENFIRES_MEANING);
        await("the row to be the other time", () -> server.offlineDate("silent") == offline);
        await("and the cache", () -> isNear(server.openfiresActivity("silent"), offline));
        server.set(POLICY, CLOSES_SOON);
        agrees("silent", SOON_MS);
    }

    private void forgets() {
        RawClient erased = login("erased");
        erased.close();
        agrees("erased", SOON_MS);
        server.command("delete-user", "erased");
        sleep(LOOKED_TWICE_MS);
        assertEquals(-1, server.offlineDate("erased"));
        assertTrue(server.lastActivity("erased").isEmpty());
    }

    /** What Openfire notes while nobody tells the core is younger, and is taken over. */
    private void isWithoutThePlugin() {
        long before = seen("silent");
        server.uninstall();
        sleep(1_500);
        RawClient silent = login("silent");
        silent.unavailable("away");
        silent.closeStream();
        await("Openfire to note it", () -> server.offlineDate("silent") > before);
        long noted = server.offlineDate("silent");
        assertTrue(server.install(Products.plugin()));
        await("it to be taken over", () -> seen("silent") == noted);
        agrees("silent", SOON_MS);
    }

    private void row(String user, long ms) {
        server.command("sql", "DELETE FROM ofPresence WHERE username = '" + user + "'");
        server.command("sql", String.format(
                Locale.ROOT, "INSERT INTO ofPresence (username, offlineDate) VALUES ('%s', '%015d')", user, ms));
    }

    // ---- What they share.

    private RawClient login(String user) {
        return RawClient.login(server.door(), user, "phone").available();
    }

    private JsonObject known(String user) {
        return server.lastActivity(user).orElseThrow();
    }

    private long seen(String user) {
        return known(user).get("seen_ms").getAsLong();
    }

    private long told(String user) {
        return known(user).get("last_ms").getAsLong();
    }

    /** The table says what the core knows, to the millisecond; and so does Openfire, as far as its clock tells. */
    private void agrees(String user, long withinMs) {
        await(user + " to have the same time in Openfire", withinMs, () -> server.offlineDate(user) == told(user));
        await(
                user + ": Openfire to tell it",
                withinMs,
                () -> isNear(server.openfiresActivity(user), told(user)));
    }

    private static boolean isNear(long toldMs, long knownMs) {
        return Math.abs(toldMs - knownMs) < 100;
    }

    private static void await(String what, BooleanSupplier holds) {
        await(what, 30_000, holds);
    }

    private static void await(String what, long withinMs, BooleanSupplier holds) {
        long end = System.nanoTime() + withinMs * 1_000_000;
        while (!holds.getAsBoolean()) {
            if (System.nanoTime() - end > 0) {
                throw new AssertionError("waited for " + what);
            }
            sleep(100);
        }
    }

    private static void sleep(long ms) {
        try {
            Thread.sleep(ms);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IllegalStateException(e);
        }
    }
}
