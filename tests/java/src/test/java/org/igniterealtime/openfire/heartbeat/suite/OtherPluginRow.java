package org.igniterealtime.openfire.heartbeat.suite;

import static org.igniterealtime.openfire.heartbeat.suite.Times.TICK;
import static org.igniterealtime.openfire.heartbeat.suite.Times.seconds;
import static org.igniterealtime.openfire.heartbeat.suite.Times.sleep;

import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Locale;
import java.util.jar.JarEntry;
import java.util.jar.JarFile;
import java.util.jar.JarOutputStream;
import javax.tools.ToolProvider;
import org.igniterealtime.openfire.heartbeat.harness.Event;
import org.igniterealtime.openfire.heartbeat.harness.Installation;
import org.igniterealtime.openfire.heartbeat.harness.OpenfireServer;
import org.igniterealtime.openfire.heartbeat.harness.PingAnswer;
import org.igniterealtime.openfire.heartbeat.harness.Products;
import org.igniterealtime.openfire.heartbeat.harness.RawClient;

/**
 * The rows other-plugin and unload-slow: plugins of others get at last activity in both ways of docs/other-plugins.md, by reflection from a class
 * loader of their own, and as children of ours. Each writes down what it is told.
 */
final class OtherPluginRow {
    private static final double TOLD = 8;

    /** Each looks up whoever it is told of, and somebody who was never here. */
    private static final String LOOKED_UP = " same-time true nobody -1";

    private final Stage stage;
    private final OpenfireServer server;

    private OtherPluginRow(Stage stage) {
        this.stage = stage;
        server = stage.server();
    }

    static void play(Stage stage) throws Exception {
        stage.people("first", "second", "third", "fourth");
        stage.contact();
        stage.begin();
        new OtherPluginRow(stage).play();
    }

    /** Ours is unloaded while somebody else keeps it waiting: who answers meanwhile is not closed for it. */
    static void unloadSlow(Stage stage) throws Exception {
        stage.people("slow", "lively");
        stage.contact();
        RawClient lively = stage.login("lively").answerPings(PingAnswer.RESULT);
        stage.begin();
        OtherPluginRow row = new OtherPluginRow(stage);
        row.install("reflecting", "ReflectingPlugin", "");
        row.visit("slow");
        row.await("reflecting", "ended " + stage.user("slow") + " logout heartbeat-listeners own-loader true" + LOOKED_UP);
        lively.await("a ping of ours", Event::isPing);
        long begin = System.nanoTime();
        stage.server().uninstall();
        double took = seconds(begin, System.nanoTime());
        sleep(2 * TICK);
        stage.saw(String.format(Locale.ROOT, "unloaded in %.1f s; %s", took, lively.isOver() ? "closed" : "who answers stays"));
        stage.must(took > 2, "it is kept waiting: " + took);
        stage.must(!lively.isOver(), "who answers stays", lively);
    }

    private void play() throws Exception {
        byReflection();
        byInheritance();
        stage.saw("told by reflection, and no more when unloaded; told as a child, of who was erased too");
    }

    private void visit(String part) {
        RawClient client = stage.login(part);
        client.unavailable("bye");
        client.closeStream();
    }

    private void byReflection() throws Exception {
        install("reflecting", "ReflectingPlugin", "");
        visit("first");
        await("reflecting", "ended " + stage.user("first") + " logout heartbeat-listeners own-loader true" + LOOKED_UP);
        server.command("uninstall", "reflecting");
        visit("second");
        sleep(TOLD / 2);
        stage.must(!told("reflecting").contains(stage.user("second")), "who is unloaded is told nothing: " + told("reflecting"));
        stage.must(server.isLoaded(), "Heartbeat stays");
        await("reflecting", "destroyed");
    }

    private void byInheritance() throws Exception {
        install("inheriting", "InheritingPlugin", "<parentPlugin>heartbeat</parentPlugin>");
        String before = server.log();
        visit("third");
        await("inheriting", "ended " + stage.user("third") + " logout heartbeat-listeners own-loader false" + LOOKED_UP);
        // It erases whoever it is told of; and another listener of it throws each time.
        await("inheriting", "erased " + stage.user("third"));
        stage.must(server.lastActivity(stage.user("third")).isEmpty(), "who was erased is unknown");
        visit("fourth");
        await("inheriting", "ended " + stage.user("fourth") + " logout heartbeat-listeners own-loader false" + LOOKED_UP);
        String said = server.log().substring(before.length());
        int faults = said.split("A listener for last activity failed", -1).length - 1;
        stage.must(faults == 1, "a listener that throws is logged once a minute: " + faults);
        server.command("uninstall", "inheriting");
        // Openfire unloads both, and loads ours again.
        for (int i = 0; i < 600 && !server.isLoaded(); i++) {
            sleep(TICK / 10);
        }
        stage.must(server.isLoaded(), "Heartbeat is back");
        stage.must("null".equals(server.refusal()), "and works: " + server.refusal());
    }

    private Path file(String plugin) {
        return server.home().resolve("logs").resolve("told-" + plugin + ".txt");
    }

    private String told(String plugin) throws IOException {
        return Files.exists(file(plugin)) ? Files.readString(file(plugin)) : "";
    }

    private void await(String plugin, String line) throws IOException {
        long end = System.nanoTime() + (long) (TOLD * 1e9);
        while (!told(plugin).lines().toList().contains(line) && System.nanoTime() < end) {
            sleep(0.1);
        }
        stage.must(told(plugin).lines().toList().contains(line), line + " is told: " + told(plugin));
    }

    // ---- Making the jar.

    private void install(String name, String className, String more) throws Exception {
        // Of this server alone: rows with other servers install the same at the same time.
        Path folder = server.home().resolve("other-plugins").resolve(name);
        Path classes = Files.createDirectories(folder.resolve("classes"));
        Path source = folder.resolve(className + ".java");
        try (InputStream in = OtherPluginRow.class.getResourceAsStream("/other-plugins/" + className + ".java")) {
            Files.write(source, in.readAllBytes());
        }
        int code = ToolProvider.getSystemJavaCompiler()
                .run(null, null, null, "--release", "8", "-Xlint:-options", "-nowarn", "-proc:none", "-d", classes.toString(), "-classpath",
                        ours(folder) + ":" + openfire(), source.toString());
        stage.always(code == 0, className + " compiles");
        Path jar = folder.resolve(name + ".jar");
        try (JarOutputStream out = new JarOutputStream(Files.newOutputStream(jar))) {
            add(out, "plugin.xml", ("<?xml version='1.0' encoding='UTF-8'?><plugin><class>other." + className
                    + "</class><name>" + name + "</name><description>A test</description><author>A test</author>"
                    + "<version>1.0.0</version><minServerVersion>4.2.0</minServerVersion>" + more + "</plugin>")
                    .getBytes(StandardCharsets.UTF_8));
            Path library = folder.resolve("library.jar");
            try (JarOutputStream inner = new JarOutputStream(Files.newOutputStream(library));
                    var found = Files.walk(classes)) {
                for (Path each : found.filter(Files::isRegularFile).toList()) {
                    add(inner, classes.relativize(each).toString(), Files.readAllBytes(each));
                }
            }
            add(out, "lib/plugin-" + name + ".jar", Files.readAllBytes(library));
        }
        stage.always(Boolean.parseBoolean(server.command("install", name, jar.toString())), name + " is loaded");
    }

    /** The classes of our plugin, as a jar of their own. */
    private static Path ours(Path folder) throws IOException {
        try (JarFile plugin = new JarFile(Products.plugin().toFile())) {
            byte[] bytes = plugin.getInputStream(plugin.getEntry("lib/plugin-heartbeat.jar")).readAllBytes();
            return Files.write(folder.resolve("plugin-heartbeat.jar"), bytes);
        }
    }

    /** Openfire's libraries, each by its name: the compiler takes no folders. */
    private static String openfire() throws IOException {
        StringBuilder all = new StringBuilder();
        for (String each : Installation.used().classPath().split(":")) {
            if (!each.endsWith("/*")) {
                all.append(each).append(':');
                continue;
            }
            try (var found = Files.list(Path.of(each.substring(0, each.length() - 2)))) {
                found.forEach(jar -> all.append(jar).append(':'));
            }
        }
        return all.toString();
    }

    private static void add(JarOutputStream out, String name, byte[] bytes) throws IOException {
        out.putNextEntry(new JarEntry(name));
        out.write(bytes);
        out.closeEntry();
    }
}
