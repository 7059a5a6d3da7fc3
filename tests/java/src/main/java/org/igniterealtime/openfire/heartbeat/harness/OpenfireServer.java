package org.igniterealtime.openfire.heartbeat.harness;

import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.net.BindException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.Random;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/**
 * A real Openfire in a process of its own, on loopback and on free ports, with a home made for it. Any number of them can
 * run at once. It ends when this object is closed, and when this JVM ends, however that comes about.
 */
public final class OpenfireServer implements AutoCloseable {
    /** The name that our plugin is installed by. */
    public static final String PLUGIN = "heartbeat";

    /** Where the log goes on with another event: a line that begins with the time. */
    private static final Pattern EVENT = Pattern.compile("\n(?=[0-9:. -]+ [A-Z]+ )");

    private static final Pattern ROUTE_IS_GONE = Pattern.compile(
            "NullPointerException: Cannot invoke \"[^\"]+\\.process\\(org\\.xmpp\\.packet\\.Packet\\)\" because the return value of "
                    + "\"[^\"]+\\.getRoute\\(org\\.xmpp\\.packet\\.JID\\)\" is null");

    private static final Duration PATIENCE = Duration.ofSeconds(120);
    private static final String TLS_PORT = "xmpp.socket.ssl.port";
    private static final String CONSOLE_PORT = "adminConsole.port";
    private static final AtomicInteger COUNT = new AtomicInteger();
    private static final int FIRST_PORT = 12_000;
    private static final int PORTS = 18_000;
    /** Two that run at once shall not meet. */
    private static final AtomicInteger NEXT_PORT = new AtomicInteger(new Random().nextInt(PORTS));

    /** Where a server lets clients in. */
    public record Door(String domain, int port) {}

    private final String name;
    private final String domain;
    private final Path home;
    private final Process process;
    private final OutputStream commands;
    private final AtomicInteger number = new AtomicInteger();
    private final Answers answers;
    private volatile Door clients;
    private final Map<String, Integer> ports;
    private boolean closed;
    private boolean broken;

    /** What a server shall be. */
    public static final class Setup {
        private final String name;
        private final Map<String, String> properties = new LinkedHashMap<>();
        private final Map<String, Integer> ports = new LinkedHashMap<>();
        private final List<String> flags = new ArrayList<>();
        private final Map<String, String> environment = new LinkedHashMap<>();
        private Path plugin;
        private Path home;
        private PostgreSql database;
        private String domain;
        private String heap = "384m";
        private String collector = "-XX:+UseSerialGC";
        /** For tests: native calls are checked, nobody waits for the best of compilers, and the plugin tells all. */
        private List<String> manner = List.of("-Xcheck:jni", "-XX:TieredStopAtLevel=1", "-Dheartbeat.level=debug");

        private Setup(String name) {
            this.name = name;
            this.domain = name + ".test";
            set("xmpp.socket.ssl.active", "false");
            set("xmpp.client.tls.policy", "disabled");
            set("xmpp.auth.anonymous", "true");
            set("xmpp.server.socket.active", "false");
            set("xmpp.server.socket.ssl.active", "false");
            set("xmpp.component.socket.active", "false");
            set("xmpp.component.ssl.active", "false");
            set("xmpp.multiplex.socket.active", "false");
            set("xmpp.multiplex.ssl.active", "false");
            set("xmpp.proxy.enabled", "false");
            set("mediaproxy.enabled", "false");
            set("httpbind.enabled", "false");
            set("flash.crossdomain.enabled", "false");
            set("update.service-enabled", "false");
            // A roster that was dropped from memory is read from the database: that would time the database.
            set("cache.username2roster.size", "-1");
            port("xmpp.socket.plain.port");
        }

        /** A property that is in the database before the server starts. */
        public Setup set(String key, String value) {
            properties.put(key, value);
            return this;
        }

        /** Gives a property the number of a free port. */
        public Setup port(String key) {
            return port(key, freePort());
        }

        /** The same, with a port that was asked for before. */
        public Setup port(String key, int number) {
            ports.put(key, number);
            return set(key, Integer.toString(number));
        }

        /** Lets clients use TLS: by STARTTLS, or at once at a port of its own. */
        public Setup tls() {
            set("xmpp.client.tls.policy", "optional");
            set("xmpp.socket.ssl.active", "true");
            return port(TLS_PORT);
        }

        /** With the web console: {@link OpenfireServer#webConsole} says where. User "admin" may log in. */
        public Setup console() {
            ports.put(CONSOLE_PORT, freePort());
            // The parser that 4.2.0 comes with does not go with this Java.
            return flag("-Djavax.xml.parsers.DocumentBuilderFactory="
                    + "com.sun.org.apache.xerces.internal.jaxp.DocumentBuilderFactoryImpl");
        }

        /** Puts this jar into the plugins folder as {@link #PLUGIN}, before the server starts. */
        public Setup plugin(Path jar) {
            plugin = jar;
            return this;
        }

        /** Takes the home of one that has ended, as it left it. Its ports, domain and plugin must be given again. */
        public Setup homeOf(OpenfireServer ended) {
            home = ended.home;
            return this;
        }

        /** On a PostgreSQL in the place of the embedded database. One that has ended must be given it again. */
        public Setup database(PostgreSql postgreSql) {
            database = postgreSql;
            return this;
        }

        public Setup domain(String value) {
            domain = value;
            return this;
        }

        public Setup heap(String value) {
            heap = value;
            return this;
        }

        /** With a collector that pauses no longer than a tick can bear, for servers with much to do. */
        public Setup shortPauses() {
            collector = "-XX:+UseG1GC";
            return flag("-XX:MaxGCPauseMillis=30");
        }

        /** As a server runs that is in use, to be measured. */
        public Setup asInUse() {
            manner = List.of("-Dheartbeat.level=info");
            collector = "-XX:+UseG1GC";
            return this;
        }

        public Setup environment(String name, String value) {
            environment.put(name, value);
            return this;
        }

        public Setup flag(String value) {
            flags.add(value);
            return this;
        }

        /** Returns when clients can connect. */
        public OpenfireServer start() {
            return new OpenfireServer(this);
        }
    }

    public static Setup named(String name) {
        return new Setup(name);
    }

    private OpenfireServer(Setup setup) {
        name = setup.name;
        domain = setup.domain;
        ports = setup.ports;
        clients = new Door(domain, setup.ports.get("xmpp.socket.plain.port"));
        home = setup.home != null
                ? setup.home
                : Products.folder("servers").resolve(name + "-" + COUNT.incrementAndGet());
        try {
            if (setup.home == null) {
                makeHome(setup);
            }
            process = launch(setup);
        } catch (IOException | GeneralSecurityException e) {
            throw new IllegalStateException("Openfire can not be started", e);
        }
        commands = process.getOutputStream();
        answers = new Answers(name);
        CompletableFuture<String> listening = answers.expect("0");
        Thread reader = new Thread(this::readAnswers, name + "-answers");
        reader.setDaemon(true);
        reader.start();
        try {
            wait(listening, "start");
        } catch (RuntimeException | Error e) {
            process.destroyForcibly();
            throw new IllegalStateException(name + " did not start; see " + home.resolve("logs"), e);
        }
    }

    // ---- The home and the process.

    private void makeHome(Setup setup) throws IOException, GeneralSecurityException {
        Folders.delete(home);
        boolean hasConsole = ports.containsKey(CONSOLE_PORT);
        for (String folder : List.of("conf", "logs", "tmp", "plugins/admin", "resources/database", "resources/security")) {
            Files.createDirectories(home.resolve(folder));
        }
        Files.writeString(
                home.resolve("conf/openfire.xml"),
                provider(setup)
                        .replace("<port>-1</port>", "<port>" + ports.getOrDefault(CONSOLE_PORT, -1) + "</port>"));
        write("security.xml", "conf/security.xml");
        write("log4j.properties", "conf/log4j.properties");
        write("log4j2.xml", "conf/log4j2.xml");
        if (hasConsole) {
            Files.delete(home.resolve("plugins/admin"));
            Installation.used().makeConsole(home.resolve("plugins/admin"));
        } else {
            write("admin-plugin.xml", "plugins/admin/plugin.xml");
        }

        StringBuilder schema = new StringBuilder(
                setup.database != null ? Installation.used().postgreSqlSchema() : Installation.used().schema());
        Map<String, String> properties = new LinkedHashMap<>(setup.properties);
        properties.put("xmpp.domain", domain);
        properties.put("xmpp.fqdn", "localhost");
        properties.forEach((key, value) -> schema.append("INSERT INTO ofProperty (name, propValue) VALUES ('")
                .append(key)
                .append("', '")
                .append(value.replace("'", "''"))
                .append("');\n"));
        if (setup.database != null) {
            setup.database.execute(schema.toString());
        } else {
            Files.writeString(home.resolve("resources/database/openfire_hsqldb.sql"), schema);
        }

        Path security = home.resolve("resources/security");
        for (String trusted : List.of("truststore", "client.truststore")) {
            TestCertificate.write(TestCertificate.none(), security.resolve(trusted));
        }
        boolean hasTls = ports.containsKey(TLS_PORT);
        TestCertificate.write(
                hasTls ? TestCertificate.store() : TestCertificate.none(), security.resolve("keystore"));
        if (setup.plugin != null) {
            Files.copy(setup.plugin, home.resolve("plugins").resolve(PLUGIN + ".jar"));
        }
    }

    private static String provider(Setup setup) throws IOException {
        String settings = Installation.template("openfire.xml");
        return setup.database == null
                ? settings
                : settings.replaceAll("(?s)<connectionProvider>.*</connectionProvider>", setup.database.provider());
    }

    private void write(String template, String file) throws IOException {
        Files.writeString(home.resolve(file), Installation.template(template));
    }

    private Process launch(Setup setup) throws IOException {
        List<String> command = new ArrayList<>(List.of(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                // Standard output belongs to the launcher's answers.
                "-XX:+DisplayVMOutputToStderr",
                "-Xmx" + setup.heap,
                setup.collector,
                "-XX:-UsePerfData",
                // Nor does the JVM's log belong there, which else goes there with its warnings.
                "-Xlog:disable",
                "-Xlog:all=warning:stderr",
                "-Xlog:gc:file=" + home.resolve("logs/gc.log"),
                "-XX:ErrorFile=" + home.resolve("logs/hs_err.log"),
                "--add-opens=java.base/java.lang=ALL-UNNAMED",
                "--add-opens=java.base/sun.security.x509=ALL-UNNAMED",
                "-Djava.io.tmpdir=" + home.resolve("tmp"),
                "-Djava.awt.headless=true",
                "-DopenfireHome=" + home,
                // Of log4j 1 and 2: which of them it has is Openfire's matter.
                "-Dlog4j.configuration=" + home.resolve("conf/log4j.properties").toUri(),
                "-Dlog4j.configurationFile=" + home.resolve("conf/log4j2.xml").toUri()));
        command.addAll(setup.manner);
        command.addAll(setup.flags);
        command.add("-cp");
        command.add(Installation.used().classPath());
        command.add("org.igniterealtime.openfire.heartbeat.launcher.ServerMain");
        ProcessBuilder builder = new ProcessBuilder(command);
        builder.directory(home.toFile());
        builder.environment().putAll(setup.environment);
        builder.redirectError(console().toFile());
        return builder.start();
    }

    /**
     * A port that nobody uses. Not one of those that the system itself hands out: a connection of somebody's might get it
     * before the server opens it.
     */
    public static int freePort() {
        for (int i = 0; i < PORTS; i++) {
            int port = FIRST_PORT + Math.floorMod(NEXT_PORT.getAndIncrement(), PORTS);
            try (ServerSocket socket = new ServerSocket(port, 1, InetAddress.getLoopbackAddress())) {
                return socket.getLocalPort();
            } catch (BindException e) {
                // Taken: the next one.
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
        }
        throw new IllegalStateException("no port is free");
    }

    private void readAnswers() {
        try (BufferedReader lines =
                new BufferedReader(new InputStreamReader(process.getInputStream(), StandardCharsets.UTF_8))) {
            for (String line = lines.readLine(); line != null; line = lines.readLine()) {
                if (!answers.take(line)) {
                    System.err.println(name + " says: " + line);
                }
            }
        } catch (IOException e) {
            // The process is gone; whoever waits is told below.
        } finally {
            answers.end();
        }
    }

    // ---- Commands.

    /** Gives a command to the launcher and returns its answer; an error there is an error here. */
    public String command(String verb, String... arguments) {
        String id = Integer.toString(number.incrementAndGet());
        CompletableFuture<String> answer = answers.expect(id);
        String line = Stream.concat(Stream.of(id, verb), Arrays.stream(arguments).map(OpenfireServer::escape))
                .collect(Collectors.joining("\t", "", "\n"));
        try {
            synchronized (commands) {
                commands.write(line.getBytes(StandardCharsets.UTF_8));
                commands.flush();
            }
        } catch (IOException e) {
            throw new UncheckedIOException(name + " takes no commands", e);
        }
        return wait(answer, verb);
    }

    private String wait(CompletableFuture<String> answer, String verb) {
        try {
            return answer.get(PATIENCE.toSeconds(), TimeUnit.SECONDS);
        } catch (ExecutionException e) {
            throw new IllegalStateException(name + ", " + verb + ": " + e.getCause().getMessage(), e.getCause());
        } catch (TimeoutException e) {
            throw new IllegalStateException(
                    name + " did not answer to " + verb + ", see " + standstill() + " and " + console(), e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IllegalStateException(e);
        }
    }

    /**
     * Writes down what the server's threads wait for: as the system sees them, into the file that is returned, and as the
     * JVM does, if it still can, into its console.
     */
    private Path standstill() {
        Path file = home.resolve("logs/standstill.txt");
        try (Stream<Path> tasks = Files.list(Path.of("/proc", Long.toString(pid()), "task"))) {
            StringBuilder text = new StringBuilder();
            for (Path task : tasks.sorted().toList()) {
                for (String about : List.of("comm", "stat", "wchan", "syscall")) {
                    text.append(Files.readString(task.resolve(about)).strip()).append("  ");
                }
                text.append('\n');
            }
            Files.writeString(file, text);
            signal("QUIT");
            Thread.sleep(2_000);
        } catch (IOException | UncheckedIOException | IllegalStateException e) {
            // One ended while we looked, or all: there is nothing more to be seen.
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
        return file;
    }

    /** Makes users whose password is their name. */
    public void users(Collection<String> names) {
        command("users", names.toArray(String[]::new));
    }

    /** Has Openfire know that a user went offline then, milliseconds since 1970; before the plugin is there. */
    public void left(String user, long ms) {
        command("left", user, Long.toString(ms));
    }

    /** Lets each of the one see each of the others' presence, and the reverse. */
    public void contacts(Collection<String> some, Collection<String> others) {
        command("contacts", String.join(" ", some), String.join(" ", others));
    }

    public void set(String key, String value) {
        command("set", key, value);
    }

    public void delete(String key) {
        command("delete", key);
    }

    /** Installs as the console's upload form does; says whether the plugin is loaded then. */
    public boolean install(Path jar) {
        return Boolean.parseBoolean(command("install", PLUGIN, jar.toString()));
    }

    public void uninstall() {
        command("uninstall", PLUGIN);
    }

    public void reload() {
        command("reload", PLUGIN);
    }

    public boolean isLoaded() {
        return Boolean.parseBoolean(command("loaded", PLUGIN));
    }

    /** What the plugin says of itself. */
    public JsonObject status(boolean detail) {
        return JsonParser.parseString(command("status", Boolean.toString(detail))).getAsJsonObject();
    }

    /** What the plugin says of the session with this full JID. */
    public Optional<JsonObject> session(String jid) {
        for (JsonElement session : status(true).getAsJsonArray("list")) {
            JsonElement its = session.getAsJsonObject().get("jid");
            if (its != null && its.getAsString().equals(jid)) {
                return Optional.of(session.getAsJsonObject());
            }
        }
        return Optional.empty();
    }

    /** The last activity of a user, if the plugin knows one. */
    public Optional<JsonObject> lastActivity(String user) {
        JsonElement known = JsonParser.parseString(command("last-activity", user));
        return known.isJsonNull() ? Optional.empty() : Optional.of(known.getAsJsonObject());
    }

    /** When Openfire itself says that a user was last here, in milliseconds since 1970; -1: it does not know. */
    public long openfiresActivity(String user) {
        return Long.parseLong(command("openfires-activity", user));
    }

    /** What Openfire's table of offline times says of a user; -1: it has no row. */
    public long offlineDate(String user) {
        String date = command("offline-date", user);
        return date.equals("none") ? -1 : Long.parseLong(date);
    }

    /** Why something was done to the sessions with a full JID, if the plugin knows. */
    public Optional<JsonObject> why(String jid) {
        JsonElement known = JsonParser.parseString(command("why", jid));
        return known.isJsonNull() ? Optional.empty() : Optional.of(known.getAsJsonObject());
    }

    /** Has the plugin disconnect the one open session with a full JID, as an administrator does in the console. */
    public void disconnect(String jid) {
        JsonObject session = why(jid).orElseThrow().getAsJsonArray("open").get(0).getAsJsonObject();
        String answer = command("disconnect", session.get("session").getAsString());
        if (!answer.equals("UNDER_WAY")) {
            throw new IllegalStateException(jid + " is not disconnected: " + answer);
        }
    }

    /** Why the plugin keeps last activity in memory only, or "off"; "null": it is on disk. */
    public String journalTrouble() {
        return command("journal-trouble");
    }

    /**
     * What the process holds, after a collection: resident, native and heap bytes, descriptors, and how many
     * objects there are of this class. Needs {@code -XX:NativeMemoryTracking=summary}.
     */
    public JsonObject vitals(String className) {
        return JsonParser.parseString(command("vitals", className)).getAsJsonObject();
    }

    /** Why the plugin refused to work, "null" when it did not. */
    public String refusal() {
        return command("refusal");
    }

    /** What Openfire's statistics say of this one, and its monitoring plugin asks once a minute; empty: there is none. */
    public OptionalDouble statistic(String name) {
        String sample = command("statistic", name);
        return sample.equals("null") ? OptionalDouble.empty() : OptionalDouble.of(Double.parseDouble(sample));
    }

    /** Has so many sessions without connections come to the plugin's core. */
    public void crowd(int sessions) {
        command("crowd", Integer.toString(sessions));
    }

    /** Closes a session as an administrator does. */
    public void kick(String jid) {
        command("close", jid);
    }

    /** One line per session: the full JID, and "connected" or "detached". */
    public List<String> sessions() {
        return lines(command("sessions"));
    }

    /** Closes the client port and opens it again, as Openfire does when its settings change; says how many tries it took. */
    public int reopen() {
        return Integer.parseInt(command("restart-listener"));
    }

    /** The same, with the plugin unloaded just when the port is about to be opened, and loaded again. */
    public void reloadWhileOpening() {
        command("reload-while-opening", PLUGIN);
    }

    /** Lets clients in at another port, as the console does. */
    public void moveTo(int port) {
        command("set-port", Integer.toString(port));
        clients = new Door(domain, port);
    }

    /** How many stanzas the server counts as sent to this full JID, since stream management is on there. */
    public long stanzasSent(String jid) {
        return Long.parseLong(command("stanzas-sent", jid));
    }

    /** Has Openfire look at once for sessions whose time to be resumed is over; it does every few minutes. */
    public void sweepDetached() {
        command("sweep-detached");
    }

    /** Client connections that are open, logged in or not. */
    public int connections() {
        return Integer.parseInt(command("connections"));
    }

    /** The time that its threads have spent on processors. */
    public Duration cpu() {
        return Duration.ofNanos(Long.parseLong(command("cpu")));
    }

    /** Samples what its threads do (JDK Flight Recorder), until the command "recorded" writes it to a file. */
    public void record() {
        command("record");
    }

    public void recorded(Path file) {
        command("recorded", file.toString());
    }

    public List<String> threads() {
        return lines(command("threads"));
    }

    /** Files that the process has mapped, with this in their paths. */
    public int maps(String part) {
        return Integer.parseInt(command("maps", part));
    }

    private static List<String> lines(String text) {
        return text.isEmpty() ? List.of() : List.of(text.split("\n"));
    }

    // ---- What is known from outside.

    public Door door() {
        return clients;
    }

    /** Where they begin with TLS, if {@link Setup#tls} was asked for. */
    Door directTlsDoor() {
        return new Door(domain, port(TLS_PORT));
    }

    /** Where the web console is, if {@link Setup#console} was asked for. */
    public String webConsole() {
        return "http://127.0.0.1:" + port(CONSOLE_PORT) + "/";
    }

    public OpenfireVersion version() {
        return Installation.used().version();
    }

    public String domain() {
        return domain;
    }

    /** The port that {@link Setup#port} chose for this property. */
    public int port(String key) {
        return ports.get(key);
    }

    public long pid() {
        return process.pid();
    }

    public Path home() {
        return home;
    }

    /** What Openfire and its plugins log. */
    public String log() {
        try {
            return Files.readString(home.resolve("logs/openfire.log"));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /**
     * What the log tells with code of the plugin in a stack trace: something went wrong in it, or below it. Not counted
     * is a thread of Openfire that has to ask again for a connection to the database, as too many ask at once; if it got
     * none at last, Openfire says so in other words. Nor is a session that Openfire finds, and that is over when it asks for
     * it again to give it a packet, which then goes to nobody: so when two who are subscribed to each other leave at once.
     *
     * @return of each such place of the plugin the first event, as it is in the log
     */
    static List<String> faults(String log) {
        Map<String, String> first = new LinkedHashMap<>();
        EVENT.splitAsStream(log)
                .filter(event -> !event.contains("Unable to get a connection from the database pool (attempt "))
                .filter(event -> !ROUTE_IS_GONE.matcher(event).find())
                .forEach(event -> event.lines()
                        .filter(line -> line.startsWith("\tat org.igniterealtime.openfire.plugin.heartbeat."))
                        .forEach(line -> first.putIfAbsent(line, event)));
        return first.values().stream().distinct().toList();
    }

    /** What the JVM and the libraries in it say. */
    private Path console() {
        return home.resolve("logs/console.log");
    }

    // ---- The end.

    /** Stops Openfire as an administrator does; the process lives until {@link #close}. */
    public void stop() {
        command("stop");
    }

    /** Stops the process for a time (SIGSTOP, SIGCONT), as a laptop's lid or a busy host does. */
    public void freeze(Duration time) {
        signal("STOP");
        try {
            Thread.sleep(time.toMillis());
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        } finally {
            signal("CONT");
        }
    }

    private void signal(String signal) {
        Signals.send(process.pid(), signal);
    }

    /** Something was broken on purpose: what fails then may be below code of the plugin, as that of Openfire's listeners is. */
    public void broken() {
        broken = true;
    }

    /** SIGKILL. */
    public void kill() {
        process.destroyForcibly();
        process.onExit().join();
    }

    /**
     * Ends the process.
     *
     * @throws AssertionError if it did not end in time; if the JVM found fault with native code, or crashed; or if the log,
     *     to its end, has a stack trace with code of the plugin in it, unless {@link #broken} was called
     */
    @Override
    public void close() {
        if (closed) {
            return;
        }
        closed = true;
        try {
            commands.close();
        } catch (IOException e) {
            // Gone already.
        }
        try {
            if (!process.waitFor(20, TimeUnit.SECONDS)) {
                kill();
                throw new AssertionError(name + " did not end");
            }
            String console = Files.readString(console());
            for (String sign : List.of("WARNING in native method", "FATAL ERROR in native method", "hs_err")) {
                if (console.contains(sign)) {
                    throw new AssertionError(name + ": " + sign + ", see " + console());
                }
            }
            List<String> faults = faults(log());
            if (!faults.isEmpty() && !broken) {
                throw new AssertionError(name + ", see " + home.resolve("logs") + ": " + String.join("\n", faults));
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            kill();
        }
    }

    private static String escape(String text) {
        return text.replace("\\", "\\\\").replace("\t", "\\t").replace("\n", "\\n").replace("\r", "\\r");
    }
}
