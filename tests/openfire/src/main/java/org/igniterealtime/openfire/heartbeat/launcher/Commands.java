package org.igniterealtime.openfire.heartbeat.launcher;

import com.sun.management.OperatingSystemMXBean;
import java.io.IOException;
import java.io.InputStream;
import java.lang.management.ManagementFactory;
import java.lang.reflect.Field;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.Paths;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.FutureTask;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.locks.LockSupport;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import jdk.jfr.Recording;
import org.jivesoftware.database.DbConnectionManager;
import org.jivesoftware.openfire.SessionManager;
import org.jivesoftware.openfire.XMPPServer;
import org.jivesoftware.openfire.admin.AdminManager;
import org.jivesoftware.openfire.container.Plugin;
import org.jivesoftware.openfire.container.PluginListener;
import org.jivesoftware.openfire.container.PluginManager;
import org.jivesoftware.openfire.group.Group;
import org.jivesoftware.openfire.group.GroupManager;
import org.jivesoftware.openfire.security.SecurityAuditManager;
import org.jivesoftware.openfire.session.ClientSession;
import org.jivesoftware.openfire.session.LocalSession;
import org.jivesoftware.openfire.spi.ConnectionListener;
import org.jivesoftware.openfire.spi.ConnectionManagerImpl;
import org.jivesoftware.openfire.spi.ConnectionType;
import org.jivesoftware.openfire.stats.Statistic;
import org.jivesoftware.openfire.stats.StatisticsManager;
import org.jivesoftware.openfire.user.UserNotFoundException;
import org.jivesoftware.util.JiveGlobals;
import org.jivesoftware.util.cache.CacheFactory;
import org.xmpp.packet.JID;

/** What the launcher can be told to do, by the doors that an administrator or the console uses. */
final class Commands {
    private static final long PLUGIN_SECONDS = 90;
    private static final int DATABASE_CONNECTIONS = 12;
    private static final int LISTENING_TRIES = 5;
    private static final int LISTENING_POLLS = 50;
    private static final long OPENING_NS = TimeUnit.SECONDS.toNanos(3);
    private static final long POLL_NS = TimeUnit.MILLISECONDS.toNanos(5);
    private static final int SUBSCRIBED_BOTH = 3;
    private static final int NOTHING_ASKED = -1;
    private static final Duration SAMPLE = Duration.ofMillis(10);

    private final XMPPServer server;
    private final PluginManager plugins;
    /** How often each plugin was created and destroyed: its initialisation is over when the event comes. */
    private final Map<String, Integer> created = new ConcurrentHashMap<>();

    private final Map<String, Integer> destroyed = new ConcurrentHashMap<>();

    private long nextRosterId = 1;
    private Recording recording;

    Commands(XMPPServer server) {
        this.server = server;
        this.plugins = server.getPluginManager();
        plugins.addPluginListener(new PluginListener() {
            @Override
            public void pluginCreated(String name, Plugin plugin) {
                created.merge(name, 1, Integer::sum);
            }

            @Override
            public void pluginDestroyed(String name, Plugin plugin) {
                destroyed.merge(name, 1, Integer::sum);
            }
        });
    }

    void awaitListening() throws Exception {
        await(() -> plugins.isExecuted() && Release.isListening(clients()), "the client port to open");
    }

    String run(String command, String... arguments) throws Exception {
        switch (command) {
            case "users":
                return addUsers(arguments);
            case "contacts":
                return addContacts(arguments[0].split(" "), arguments[1].split(" "));
            case "administrators":
                AdminManager.getInstance()
                        .setAdminJIDs(Arrays.stream(arguments).map(JID::new).collect(Collectors.toList()));
                return "";
            case "left":
                return addLeft(arguments[0], Long.parseLong(arguments[1]));
            case "share-group":
                return shareGroup(arguments);
            case "set":
                JiveGlobals.setProperty(arguments[0], arguments[1]);
                return "";
            case "set-in-file":
                Release.setInFile(arguments[0], arguments[1]);
                return "";
            case "delete":
                JiveGlobals.deleteProperty(arguments[0]);
                return "";
            case "get":
                return String.valueOf(JiveGlobals.getProperty(arguments[0]));
            case "install":
                return install(arguments[0], Paths.get(arguments[1]));
            case "uninstall":
                return uninstall(arguments[0]);
            case "reload":
                return reload(arguments[0]);
            case "loaded":
                return Boolean.toString(Release.plugin(plugins, arguments[0]) != null);
            case "status":
                return ask("status", new Class<?>[] {boolean.class}, Boolean.valueOf(arguments[0]));
            case "last-activity":
                return ask("lastActivity", new Class<?>[] {String.class}, arguments[0]);
            case "crowd":
                Crowd.come(Release.plugin(plugins, "heartbeat"), Integer.parseInt(arguments[0]));
                return "";
            case "statistic":
                Statistic statistic = StatisticsManager.getInstance().getStatistic(arguments[0]);
                return statistic == null ? "null" : Double.toString(statistic.sample());
            case "openfires-activity":
                return openfiresActivity(arguments[0]);
            case "offline-date":
                return offlineDate(arguments[0]);
            case "sql":
                return execute(arguments[0]);
            case "delete-user":
                server.getUserManager().deleteUser(server.getUserManager().getUser(arguments[0]));
                return "";
            case "why":
                return ask("why", new Class<?>[] {String.class}, arguments[0]);
            case "disconnect":
                return ask("disconnect", new Class<?>[] {long.class}, Long.valueOf(arguments[0]));
            case "audit":
                return SecurityAuditManager.getInstance().getEvents(null, 0, 1000, null, null).stream()
                        .map(event -> event.getUsername() + " " + event.getSummary() + ": " + event.getDetails())
                        .collect(Collectors.joining("\n"));
            case "locale":
                JiveGlobals.setLocale(Locale.forLanguageTag(arguments[0]));
                return "";
            case "erase":
                return erase(arguments[0]);
            case "journal-trouble":
                return ask("isOn", new Class<?>[] {}).equals("true") ? ask("journalTrouble", new Class<?>[] {}) : "off";
            case "refusal":
                return ask("refusal", new Class<?>[] {});
            case "close":
                return close(new JID(arguments[0]));
            case "sessions":
                return sessions();
            case "stanzas-sent":
                return Long.toString(StreamManagement.stanzasSent(new JID(arguments[0])));
            case "sweep-detached":
                StreamManagement.sweep();
                return "";
            case "connections":
                return Integer.toString(Release.connections(clients()));
            case "restart-listener":
                return restartListener();
            case "reload-while-opening":
                return reloadWhileOpening(arguments[0]);
            case "set-port":
                clients().setPort(Integer.parseInt(arguments[0]));
                await(() -> Release.isListening(clients()), "the new client port to open");
                return "";
            case "threads":
                return threads();
            case "kill-thread":
                return killThread(arguments[0]);
            case "maps":
                return Long.toString(mappedFiles(arguments[0]));
            case "descriptors":
                try (Stream<Path> open = Files.list(Paths.get("/proc/self/fd"))) {
                    return Long.toString(open.count());
                }
            case "vitals":
                return Vitals.text(arguments[0]);
            case "heap":
                System.gc();
                Runtime runtime = Runtime.getRuntime();
                return Long.toString(runtime.totalMemory() - runtime.freeMemory());
            case "cpu":
                return Long.toString(
                        ManagementFactory.getPlatformMXBean(OperatingSystemMXBean.class).getProcessCpuTime());
            case "record":
                return startRecording();
            case "recorded":
                recording.stop();
                recording.dump(Paths.get(arguments[0]));
                recording.close();
                return "";
            case "gc":
                System.gc();
                return "";
            case "forget":
                forget();
                System.gc();
                return "";
            case "stop":
                server.stop();
                return "";
            default:
                throw new IllegalArgumentException("no such command: " + command);
        }
    }

    private ConnectionListener clients() {
        ConnectionManagerImpl connections = (ConnectionManagerImpl) server.getConnectionManager();
        return connections.getListener(ConnectionType.SOCKET_C2S, false);
    }

    /**
     * Closes the client port and opens it again. On Netty Openfire may be too quick, and find its own port still in use: it
     * stays closed until somebody tries again. Answers how many tries it took.
     */
    private String restartListener() throws Exception {
        int tries = 0;
        do {
            clients().restart();
            tries++;
            for (int i = 0; i < LISTENING_POLLS && !Release.isListening(clients()); i++) {
                Thread.sleep(20);
            }
        } while (!Release.isListening(clients()) && tries < LISTENING_TRIES);
        if (!Release.isListening(clients())) {
            throw new TimeoutException("the client port does not open again");
        }
        return Integer.toString(tries);
    }

    /** Adds users whose password is their name. Straight into the table: a thousand of them shall cost no second. */
    private static String addUsers(String[] names) throws SQLException {
        String row = "INSERT INTO ofUser (username, plainPassword, creationDate, modificationDate) VALUES (?,?,?,?)";
        String now = "00" + System.currentTimeMillis();
        try (Connection database = DbConnectionManager.getConnection();
                PreparedStatement insert = database.prepareStatement(row)) {
            for (String name : names) {
                insert.setString(1, name);
                insert.setString(2, name);
                insert.setString(3, now);
                insert.setString(4, now);
                insert.addBatch();
            }
            insert.executeBatch();
        }
        return "";
    }

    /** Notes as Openfire does that a user went offline then, milliseconds since 1970. */
    private static String addLeft(String name, long ms) throws SQLException {
        try (Connection database = DbConnectionManager.getConnection();
                PreparedStatement insert =
                        database.prepareStatement("INSERT INTO ofPresence (username, offlineDate) VALUES (?,?)")) {
            insert.setString(1, name);
            insert.setString(2, String.format(Locale.ROOT, "%015d", ms));
            insert.executeUpdate();
        }
        return "";
    }

    /** When Openfire says that a user was last here: milliseconds since 1970, or -1. */
    private String openfiresActivity(String user) throws UserNotFoundException {
        long ago = server.getPresenceManager()
                .getLastActivity(server.getUserManager().getUser(user));
        return Long.toString(ago < 0 ? -1 : System.currentTimeMillis() - ago);
    }

    /** What Openfire's table says of a user; "none": there is no row. */
    private static String offlineDate(String user) throws SQLException {
        try (Connection database = DbConnectionManager.getConnection();
                PreparedStatement row =
                        database.prepareStatement("SELECT offlineDate FROM ofPresence WHERE username = ?")) {
            row.setString(1, user);
            try (ResultSet rows = row.executeQuery()) {
                return rows.next() ? rows.getString(1).trim() : "none";
            }
        }
    }

    private static String execute(String sql) throws SQLException {
        try (Connection database = DbConnectionManager.getConnection();
                PreparedStatement statement = database.prepareStatement(sql)) {
            statement.execute();
            return "";
        }
    }

    /** Lets everyone of the one list and everyone of the other see each other's presence. */
    private synchronized String addContacts(String[] some, String[] others) throws SQLException {
        String row = "INSERT INTO ofRoster (username, rosterID, jid, sub, ask, recv) VALUES (?,?,?,?,?,?)";
        String domain = server.getServerInfo().getXMPPDomain();
        try (Connection database = DbConnectionManager.getConnection();
                PreparedStatement insert = database.prepareStatement(row)) {
            for (String one : some) {
                for (String other : others) {
                    addRosterItem(insert, one, other + "@" + domain);
                    addRosterItem(insert, other, one + "@" + domain);
                }
                insert.executeBatch();
            }
        }
        // Rosters that Openfire holds in memory would not know.
        Set<String> changed = new TreeSet<>(Arrays.asList(some));
        changed.addAll(Arrays.asList(others));
        for (String user : changed) {
            CacheFactory.createCache("Roster").remove(user);
        }
        return "";
    }

    /** Makes a group of this name, whose members, named after it, see each other. */
    private String shareGroup(String[] names) throws Exception {
        Group group = GroupManager.getInstance().createGroup(names[0]);
        group.getProperties().put("sharedRoster.displayName", names[0]);
        group.getProperties().put("sharedRoster.showInRoster", "onlyGroup");
        group.getProperties().put("sharedRoster.groupList", "");
        for (int i = 1; i < names.length; i++) {
            group.getMembers().add(server.createJID(names[i], null));
        }
        return "";
    }

    private void addRosterItem(PreparedStatement insert, String user, String contact) throws SQLException {
        insert.setString(1, user);
        insert.setLong(2, nextRosterId++);
        insert.setString(3, contact);
        insert.setInt(4, SUBSCRIBED_BOTH);
        insert.setInt(5, NOTHING_ASKED);
        insert.setInt(6, NOTHING_ASKED);
        insert.addBatch();
    }

    /** Installs as the console's upload form does. Answers whether the plugin is loaded then. */
    private String install(String name, Path jar) throws IOException {
        try (InputStream in = Files.newInputStream(jar)) {
            plugins.installPlugin(in, name + ".jar");
        }
        return Boolean.toString(Release.plugin(plugins, name) != null);
    }

    private String uninstall(String name) throws Exception {
        plugins.deletePlugin(name);
        Path folder = plugins.getPluginsDirectory().resolve(name);
        await(() -> Release.plugin(plugins, name) == null && Files.notExists(folder), name + " to be unloaded");
        return "";
    }

    private String reload(String name) throws Exception {
        int before = created.getOrDefault(name, 0);
        if (!plugins.reloadPlugin(name)) {
            throw new IllegalStateException("Openfire does not reload " + name);
        }
        await(() -> created.getOrDefault(name, 0) > before, name + " to be loaded again");
        return "";
    }

    /**
     * Closes the client port and opens it again, and when it is about to be opened, begins to unload a plugin, which comes back
     * later. It opens when the plugin is unloaded, unless that takes longer, as where it waits for the port.
     */
    private String reloadWhileOpening(String name) throws Exception {
        FutureTask<String> reloading = new FutureTask<>(() -> reload(name));
        AtomicBoolean begun = new AtomicBoolean();
        int before = destroyed.getOrDefault(name, 0);
        Runnable end = Release.whenOpening(clients(), () -> {
            if (begun.compareAndSet(false, true)) {
                new Thread(reloading, "launcher-reload").start();
                long start = System.nanoTime();
                while (destroyed.getOrDefault(name, 0) == before && System.nanoTime() - start < OPENING_NS) {
                    LockSupport.parkNanos(POLL_NS);
                }
            }
        });
        try {
            restartListener();
        } finally {
            end.run();
            if (!begun.get()) {
                reloading.run();
            }
            reloading.get(PLUGIN_SECONDS, TimeUnit.SECONDS);
        }
        return "";
    }

    /** Calls a method of our plugin, whose classes only its own loader knows. */
    private String ask(String method, Class<?>[] types, Object... arguments) throws ReflectiveOperationException {
        return String.valueOf(answer(method, types, arguments));
    }

    private Object answer(String method, Class<?>[] types, Object... arguments) throws ReflectiveOperationException {
        Plugin plugin = Release.plugin(plugins, "heartbeat");
        if (plugin == null) {
            throw new IllegalStateException("the plugin is not loaded");
        }
        return plugin.getClass().getMethod(method, types).invoke(plugin, arguments);
    }

    /** Has the plugin forget when a user was last here. */
    private String erase(String user) throws ReflectiveOperationException {
        Object service = answer("lastActivityService", new Class<?>[] {});
        return String.valueOf(service.getClass().getMethod("erase", String.class).invoke(service, user));
    }

    private String startRecording() {
        recording = new Recording();
        recording.enable("jdk.ExecutionSample").withPeriod(SAMPLE);
        recording.enable("jdk.NativeMethodSample").withPeriod(SAMPLE);
        recording.start();
        return "";
    }

    private static String close(JID address) {
        ClientSession session = SessionManager.getInstance().getSession(address);
        if (session == null) {
            throw new IllegalArgumentException("no session of " + address);
        }
        session.close();
        return "";
    }

    /** One line per client session: address, "detached" if it waits to be resumed, else "connected". */
    private static String sessions() {
        return SessionManager.getInstance().getSessions().stream()
                .map(session -> session.getAddress()
                        + (session instanceof LocalSession && ((LocalSession) session).isDetached()
                                ? " detached"
                                : " connected"))
                .sorted()
                .collect(Collectors.joining("\n"));
    }

    private static String threads() {
        return Thread.getAllStackTraces().keySet().stream()
                .map(Thread::getName)
                .sorted()
                .collect(Collectors.joining("\n"));
    }

    /** Ends a thread by force, whatever it does: the stand-in for a fault that nobody thought of. */
    @SuppressWarnings("deprecation")
    private static String killThread(String name) throws Exception {
        List<Thread> found = Thread.getAllStackTraces().keySet().stream()
                .filter(thread -> thread.getName().equals(name))
                .collect(Collectors.toList());
        if (found.isEmpty()) {
            throw new IllegalArgumentException("no thread " + name);
        }
        for (Thread thread : found) {
            thread.stop();
            thread.join(TimeUnit.SECONDS.toMillis(10));
            if (thread.isAlive()) {
                throw new IllegalStateException(name + " goes on");
            }
        }
        return Integer.toString(found.size());
    }

    /**
     * Drops what keeps an unloaded plugin alive though nobody wants to: HSQLDB remembers each connection's last warning
     * (as "no data") with its stack trace, and a thread remembers whose code was on the stack when it was started, which
     * for a thread of Openfire's pools may have been a filter of the plugin's.
     */
    private static void forget() throws SQLException, ReflectiveOperationException {
        List<Connection> all = new ArrayList<>();
        try {
            for (int i = 0; i < DATABASE_CONNECTIONS; i++) {
                Connection database = DbConnectionManager.getConnection();
                all.add(database);
                database.clearWarnings();
            }
        } finally {
            for (Connection database : all) {
                database.close();
            }
        }
        // Java 24 and later remember no code.
        if (Runtime.version().feature() < 24) {
            Field inherited = Thread.class.getDeclaredField("inheritedAccessControlContext");
            inherited.setAccessible(true);
            for (Thread thread : Thread.getAllStackTraces().keySet()) {
                inherited.set(thread, null);
            }
        }
    }

    /** A file has one line for each part of it that is mapped: how many depends on who linked it. */
    private static long mappedFiles(String part) throws IOException {
        try (Stream<String> lines = Files.lines(Paths.get("/proc/self/maps"))) {
            return lines.filter(line -> line.contains(part))
                    .map(line -> line.substring(Math.max(0, line.indexOf('/'))))
                    .distinct()
                    .count();
        }
    }

    private interface Condition {
        boolean holds() throws Exception;
    }

    private static void await(Condition condition, String what) throws Exception {
        long start = System.nanoTime();
        while (!condition.holds()) {
            if (System.nanoTime() - start > TimeUnit.SECONDS.toNanos(PLUGIN_SECONDS)) {
                throw new TimeoutException("waited in vain for " + what);
            }
            Thread.sleep(20);
        }
    }
}
