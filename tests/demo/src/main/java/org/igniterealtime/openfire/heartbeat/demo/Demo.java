package org.igniterealtime.openfire.heartbeat.demo;

import java.io.FileDescriptor;
import java.io.FileOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.igniterealtime.openfire.heartbeat.harness.Installation;
import org.igniterealtime.openfire.heartbeat.harness.OpenfireServer;
import org.igniterealtime.openfire.heartbeat.harness.Products;

/**
 * Shows what the plugin does, on a real Openfire with real connections, and checks it. Beside it runs the same Openfire
 * without the plugin, with the same clients, to compare.
 *
 * <p>Options: {@code --stay} keeps the server up afterwards; {@code --screen ROWS COLUMNS} draws on a terminal of
 * that size (0: unknown) instead of printing lines; {@code --picture FILE} writes what a terminal would show as SVG.
 */
public final class Demo {
    private static final int LOOK_MILLIS = 250;
    /** In the names of our servers' folders: two demos at once shall not share one. */
    private static final String MARK = "-" + ProcessHandle.current().pid();

    private static final String OPENFIRE = "Openfire " + Installation.used().version();

    private final PrintStream out =
            new PrintStream(new FileOutputStream(FileDescriptor.out), false, StandardCharsets.UTF_8);
    private final List<OpenfireServer> servers = new CopyOnWriteArrayList<>();
    private boolean stay;
    /** Of the terminal; null: there is none. */
    private Integer rows;

    private int columns;
    private Path picture;
    private volatile ScreenView screen;
    /** What the process ends with when it is told to end (Ctrl-C). */
    private volatile int status = 130;

    private volatile boolean keepHomes;
    private volatile boolean ending;

    private Demo() {}

    public static void main(String[] arguments) {
        Demo demo = new Demo();
        if (!demo.understands(arguments)) {
            System.err.println("usage: run [--stay | --picture FILE]");
            System.exit(2);
        }
        Runtime.getRuntime().addShutdownHook(new Thread(demo::end, "end"));
        try {
            demo.status = demo.run() ? 0 : 1;
        } catch (Throwable e) {
            demo.fail(e);
        }
        System.exit(demo.status);
    }

    private boolean understands(String[] arguments) {
        try {
            for (int i = 0; i < arguments.length; i++) {
                switch (arguments[i]) {
                    case "--stay":
                        stay = true;
                        break;
                    case "--screen":
                        rows = Integer.valueOf(arguments[++i]);
                        columns = Integer.parseInt(arguments[++i]);
                        break;
                    case "--picture":
                        picture = Path.of(arguments[++i]);
                        break;
                    default:
                        return false;
                }
            }
            return true;
        } catch (NumberFormatException | ArrayIndexOutOfBoundsException e) {
            return false;
        }
    }

    private boolean run() throws IOException, InterruptedException {
        out.println("Starting two servers (" + OPENFIRE + "), one with the plugin and one without");
        out.flush();
        CompletableFuture<Cast> with = CompletableFuture.supplyAsync(() -> new Cast(start("demo", Products.plugin())));
        CompletableFuture<Cast> without = CompletableFuture.supplyAsync(() -> new Cast(start("alone", null)));
        Cast cast = with.join();
        Cast alone = without.join();
        OpenfireServer server = cast.server();
        if (!server.isLoaded()) {
            throw new IllegalStateException("Openfire did not load the plugin" + lastWord(server));
        }
        if (!server.refusal().equals("null")) {
            throw new IllegalStateException("the plugin refuses to work: " + server.refusal());
        }
        String introduction = "Five clients and a contact who watches them, on 127.0.0.1:" + server.door().port()
                + "; pinged after " + Summary.PING_SECONDS + " s of silence, gone after " + Summary.IDLE_SECONDS + " s";
        out.println(introduction + "\n");
        out.flush();
        CompletableFuture.allOf(CompletableFuture.runAsync(cast::play), CompletableFuture.runAsync(alone::play)).join();
        Board board = new Board(cast);
        watch(cast, board);
        Summary summary = new Summary(cast, board, alone);
        alone.leave();
        close(alone.server());
        if (!stay) {
            cast.leave();
            summary.server(close(server), complaints(server));
        }
        keepHomes = !summary.isGood();
        out.println();
        summary.lines(new Paint(rows != null)).forEach(out::println);
        if (keepHomes) {
            out.println("Logs: " + server.home().resolve("logs"));
        }
        out.flush();
        if (picture != null && summary.isGood()) {
            draw(introduction, summary);
        }
        if (stay) {
            status = summary.isGood() ? 0 : 1;
            keepUp(cast, board);
        }
        return summary.isGood();
    }

    private OpenfireServer start(String name, Path plugin) {
        OpenfireServer.Setup setup = OpenfireServer.named(name + MARK)
                .domain(name + ".test")
                .set("xmpp.client.idle", Integer.toString(Summary.IDLE_SECONDS * 1000));
        if (plugin != null) {
            setup.plugin(plugin);
        }
        OpenfireServer server = setup.start();
        servers.add(server);
        return server;
    }

    private void watch(Cast cast, Board board) throws IOException, InterruptedException {
        View view;
        if (rows != null && (rows == 0 || rows >= ScreenView.FEWEST)) {
            screen = new ScreenView(out, new Paint(true), rows, columns);
            view = screen;
        } else if (picture != null) {
            screen = new ScreenView(new PrintStream(OutputStream.nullOutputStream()), new Paint(true), 0, 0);
            view = screen;
        } else {
            view = new LinesView(out, new Paint(rows != null));
        }
        double seconds;
        do {
            TimeUnit.MILLISECONDS.sleep(LOOK_MILLIS);
            seconds = cast.seconds(System.nanoTime());
            show(board, view, seconds);
        } while (seconds < Cast.SECONDS);
        if (screen != null) {
            screen.close();
        }
    }

    private void show(Board board, View view, double seconds) throws IOException {
        view.show(board, board.update(), seconds);
        if (out.checkError()) {
            throw new IOException("nobody reads the output any more");
        }
    }

    private void keepUp(Cast cast, Board board) throws IOException, InterruptedException {
        int port = cast.server().door().port();
        String address = Cast.GUEST + "@" + cast.server().domain();
        out.println();
        out.println("The server stays up until Ctrl-C. To join with a client of your own:");
        out.println();
        out.println("  address   " + address + ", password " + Cast.GUEST);
        out.println("  server    127.0.0.1, port " + port + " (say so by hand: the domain is in no DNS)");
        out.println("  security  TLS is off: allow a connection that is not encrypted, and a plain password");
        out.println("  profanity /connect " + address + " server 127.0.0.1 port " + port + " tls disable");
        out.println();
        out.println("alice, carol and the watcher are in the contact list. What happens from now on:");
        out.println();
        LinesView view = new LinesView(out, new Paint(rows != null));
        while (true) {
            TimeUnit.MILLISECONDS.sleep(LOOK_MILLIS);
            show(board, view, cast.seconds(System.nanoTime()));
        }
    }

    private void draw(String introduction, Summary summary) throws IOException {
        List<String> lines = new ArrayList<>();
        lines.add(new Paint(true).in(Paint.Colour.DIM, "$ ") + "./build.sh demo");
        lines.add(introduction);
        lines.add("");
        lines.addAll(screen.frame());
        lines.add("");
        lines.addAll(summary.lines(new Paint(true)));
        Svg.write(lines, picture);
        out.println(picture);
        out.flush();
    }

    // ---- The end.

    /** What was wrong with this server, or null. */
    private static String close(OpenfireServer server) {
        try {
            server.close();
            return null;
        } catch (AssertionError e) {
            return e.getMessage();
        }
    }

    /** Warnings and errors of the plugin in the server's log. */
    private static List<String> complaints(OpenfireServer server) {
        return server.log()
                .lines()
                .filter(line -> line.contains(".plugin.heartbeat."))
                .filter(line -> line.contains(" WARN ") || line.contains(" ERROR "))
                .toList();
    }

    /** What Openfire itself has to say about our plugin. */
    private static String lastWord(OpenfireServer server) {
        return server.log()
                .lines()
                .filter(line -> line.contains("PluginManager") && line.contains(OpenfireServer.PLUGIN))
                .reduce((earlier, later) -> later)
                .map(line -> ": " + line.replaceFirst("^.* - ", ""))
                .orElse("");
    }

    private void fail(Throwable e) {
        if (ending) {
            return; // Told to end while at work: whatever broke then broke of that.
        }
        keepHomes = true;
        if (screen != null) {
            screen.close();
        }
        Throwable cause = e;
        while (cause instanceof CompletionException && cause.getCause() != null) {
            cause = cause.getCause();
        }
        System.err.println("The demo failed: " + (cause.getMessage() == null ? cause.toString() : cause.getMessage()));
        servers.forEach(server -> System.err.println("Logs: " + server.home().resolve("logs")));
        status = 1;
    }

    /** However it ends: no process stays behind, and the terminal is as it was. */
    private void end() {
        ending = true;
        if (screen != null) {
            screen.close();
        }
        servers.forEach(Demo::close);
        // One that was only just being started.
        ProcessHandle.current().descendants().forEach(process -> {
            process.destroyForcibly();
            process.onExit().join();
        });
        if (!keepHomes) {
            homes().forEach(Demo::delete);
        }
        Runtime.getRuntime().halt(status);
    }

    /** Of servers that were started, and of those that were about to be. */
    private static List<Path> homes() {
        try (Stream<Path> all = Files.list(Products.folder("servers"))) {
            return all.filter(home -> home.getFileName().toString().matches("(demo|alone)" + MARK + "-\\d+")).toList();
        } catch (IOException e) {
            return List.of();
        }
    }

    private static void delete(Path folder) {
        try (Stream<Path> all = Files.walk(folder)) {
            all.sorted(Comparator.reverseOrder()).forEach(path -> path.toFile().delete());
        } catch (IOException e) {
            System.err.println("This folder could not be removed: " + folder);
        }
    }
}
