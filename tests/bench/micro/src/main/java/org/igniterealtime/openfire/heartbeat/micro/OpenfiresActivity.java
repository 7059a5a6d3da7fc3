package org.igniterealtime.openfire.heartbeat.micro;

import java.io.IOException;
import java.io.InputStream;
import java.lang.reflect.Field;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.util.Date;
import org.jivesoftware.database.DbConnectionManager;
import org.jivesoftware.openfire.spi.PresenceManagerImpl;
import org.jivesoftware.openfire.user.User;
import org.jivesoftware.util.JiveGlobals;
import org.jivesoftware.util.cache.Cache;
import org.jivesoftware.util.cache.CacheWrapper;
import org.jivesoftware.util.cache.DefaultCache;

/** Openfire's own last activity: its PresenceManagerImpl, with its caches, on its embedded database. */
final class OpenfiresActivity {
    /** Of its cache, in bytes, as Openfire sets it. It is enough for 15,016 users. */
    static final long BY_DEFAULT = 128 * 1024;

    static final long WITHOUT_LIMIT = -1;

    private static final Date LONG_AGO = new Date(0);

    private final PresenceManagerImpl manager = new PresenceManagerImpl();
    private final Cache<String, Long> times;
    private final Cache<String, String> presences;

    OpenfiresActivity(long cacheBytes) throws ReflectiveOperationException {
        times = new CacheWrapper<>(new DefaultCache<>("Last Activity Cache", cacheBytes, -1));
        presences = new CacheWrapper<>(new DefaultCache<>("Offline Presence Cache", cacheBytes, -1));
        set("lastActivityCache", times);
        set("offlinePresenceCache", presences);
    }

    private void set(String name, Object value) throws ReflectiveOperationException {
        Field field = PresenceManagerImpl.class.getDeclaredField(name);
        field.setAccessible(true);
        field.set(manager, value);
    }

    static User user(String name) {
        return new User(name, null, null, LONG_AGO, LONG_AGO);
    }

    long get(User user) {
        return manager.getLastActivity(user);
    }

    void put(String name, Long time) {
        times.put(name, time);
    }

    static void makeHome(Path home) throws IOException {
        for (String folder : new String[] {"conf", "logs", "plugins", "resources/database", "resources/security"}) {
            Files.createDirectories(home.resolve(folder));
        }
        copy("openfire.xml", home.resolve("conf/openfire.xml"));
        copy("security.xml", home.resolve("conf/security.xml"));
        copy("schema.sql", home.resolve("resources/database/openfire_hsqldb.sql"));
        JiveGlobals.setHomeDirectory(home.toString());
        JiveGlobals.setConfigName("conf/openfire.xml");
    }

    /** Has the database know when these users were last there. */
    static void fillDatabase(String[] names) throws Exception {
        try (Connection connection = DbConnectionManager.getConnection();
                PreparedStatement insert = connection.prepareStatement(
                        "INSERT INTO ofPresence (username, offlinePresence, offlineDate) VALUES (?, NULL, ?)")) {
            for (int i = 0; i < names.length; i++) {
                insert.setString(1, names[i]);
                insert.setString(2, String.format("%015d", System.currentTimeMillis()));
                insert.addBatch();
                if (i % 1000 == 999 || i == names.length - 1) {
                    insert.executeBatch();
                }
            }
        }
    }

    private static void copy(String resource, Path file) throws IOException {
        try (InputStream in = OpenfiresActivity.class.getResourceAsStream("/openfire-home/" + resource)) {
            Files.write(file, in.readAllBytes());
        }
    }
}
