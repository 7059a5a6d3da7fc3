package org.igniterealtime.openfire.plugin.heartbeat;

import java.io.File;
import java.io.IOException;
import java.lang.reflect.Method;
import java.net.URL;
import java.net.URLClassLoader;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicReference;
import java.util.stream.Stream;

/**
 * Whether the classes of a jar find, load and use the library in it that fits the Java that runs this: for each platform
 * that can be run on the machine that builds the jar. {@code ShippedLibrary PLUGIN EMPTY PLATFORM}: the folder that the jar
 * was unpacked to, an empty one, and what the platform is called. Needs no framework, as not every Java there has one.
 */
final class ShippedLibrary {
    private static final long WALL_MS = 1_700_000_000_000L;
    private static final long START_US = TimeUnit.DAYS.toMicros(30);
    private static final int SECONDS = 70;
    private static final int TICKS_READ = 5;
    private static final int COLLECTIONS = 200;

    private static int failed;

    private ShippedLibrary() {}

    private static void check(boolean right, String what, Object found) {
        System.out.println((right ? "ok " : "not ok ") + what + (right ? "" : ": " + found));
        failed += right ? 0 : 1;
    }

    public static void main(String[] arguments) throws Exception {
        NativeLibrary library = NativeLibrary.load(new File(arguments[0]));
        check(library.refusal() == null, "the library is found, whole, and loaded", library.refusal());
        check(arguments[2].equals(library.platform()), "it is the one for " + arguments[2], library.platform());
        if (failed == 0) {
            check(library.version().equals(NativeCore.version()), "it is of the plugin's version", NativeCore.version());
            String folder = new File(arguments[1], "heartbeat").getPath();
            silentClient(folder);
            nextStart(folder);
            wrongPolicy();
            cameAndWent(arguments[0]);
        }
        System.out.println(System.getProperty("java.vm.version") + " on " + System.getProperty("os.name") + " "
                + System.getProperty("os.arch"));
        Runtime.getRuntime().halt(failed == 0 ? 0 : 1);
    }

    /** Pinged, and disconnected. */
    private static void silentClient(String folder) throws Exception {
        NativeCore core = new NativeCore(START_US, WALL_MS);
        core.configure("{\"idle\": \"20s\", \"ack_timeout\": \"10s\", \"retries\": 1}", TimeUnit.MINUTES.toMillis(6), true);
        String said = core.journalOpen(folder);
        check(said.isEmpty(), "last activity is kept on disk", said);
        long token = core.open(Transport.Kind.TCP.code, 0, START_US, START_US);
        check(token > 0 && core.bound(token, "läufer@example.org/日本", false) == 0, "a session logs in", token);
        ByteBuffer due = ByteBuffer.allocateDirect(16 * NativeCore.ACTION_BYTES).order(ByteOrder.nativeOrder());
        StringBuilder story = new StringBuilder();
        for (int second = 1; second <= SECONDS; second++) {
            long nowUs = START_US + TimeUnit.SECONDS.toMicros(second);
            long result = core.advance(nowUs, WALL_MS + TimeUnit.SECONDS.toMillis(second), due);
            int count = (int) result;
            if (second == TICKS_READ) {
                core.cellPage(token).putInt(NativeCore.cellOffset(token), (int) (result >>> 32));
            }
            for (int i = 0; i < count; i++) {
                long whose = due.getLong(i * NativeCore.ACTION_BYTES);
                NativeCore.Order order = core.begin(whose, due.getInt(i * NativeCore.ACTION_BYTES + 8), 0, nowUs);
                story.append(order.verb == NativeCore.PING && order.text.startsWith("hb-") ? "ping " : order.verb + " ");
            }
            if (story.toString().endsWith(NativeCore.CLOSE + " ")) {
                break;
            }
        }
        check(story.toString().equals("ping ping " + NativeCore.CLOSE + " "), "silent, it is pinged twice and closed", story);
        check(core.status(true).contains("日本"), "names of other scripts pass both ways", core.status(true));
        said = core.journalFlush();
        check(said.length() == 1 && said.charAt(0) == 1, "what is known is written", said);
        core.closed(token);
        core.close();
    }

    private static void nextStart(String folder) {
        NativeCore core = new NativeCore(START_US, WALL_MS + TimeUnit.HOURS.toMillis(1));
        String said = core.journalOpen(folder);
        check(said.isEmpty(), "the next start finds it", said);
        UserActivity known = core.last("läufer");
        long seen = known == null ? 0 : known.lastReadMs();
        check(seen == WALL_MS + TimeUnit.SECONDS.toMillis(TICKS_READ), "it knows when the last byte was read", seen - WALL_MS);
        core.close();
    }

    private static void wrongPolicy() {
        NativeCore core = new NativeCore(START_US, WALL_MS);
        try {
            core.configure("{\"idle\": \"never\"}", 1, true);
            check(false, "a wrong policy is refused", "it was taken");
        } catch (NativeCore.PolicyException e) {
            check(e.getMessage().contains("idle"), "a wrong policy is refused in words", e.getMessage());
        }
        core.close();
    }

    // ---- Loaded again and again, as Openfire does with a plugin.

    /** What another class loader runs, on a thread that lives longer than the loader. */
    static final class Visit {
        private Visit() {}

        static void make(String plugin) {
            NativeLibrary library = NativeLibrary.load(new File(plugin));
            if (library.refusal() != null) {
                throw new IllegalStateException(library.refusal());
            }
            new NativeCore(START_US, WALL_MS).close();
        }
    }

    /**
     * The library goes with its class loader, and leaves nothing behind that is called later: not when a thread ends that was
     * in it, and not at the end of the process, which is not seen here but by whoever started it.
     */
    private static void cameAndWent(String plugin) throws Exception {
        long before = copies();
        CountDownLatch loaded = new CountDownLatch(1);
        CountDownLatch gone = new CountDownLatch(1);
        AtomicReference<Exception> trouble = new AtomicReference<>();
        Thread visitor = new Thread(() -> {
            try {
                visit(plugin);
            } catch (Exception e) {
                trouble.set(e);
            }
            loaded.countDown();
            try {
                gone.await();
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
            }
        });
        visitor.start();
        loaded.await();
        check(trouble.get() == null, "another class loader loads it too", trouble.get());
        for (int i = 0; i < (before < 0 ? COLLECTIONS / 10 : COLLECTIONS) && (before < 0 || copies() > before); i++) {
            System.gc();
            TimeUnit.MILLISECONDS.sleep(20);
        }
        check(copies() == before, "it goes with that loader", copies() + " copies are mapped, " + before + " before");
        gone.countDown();
        visitor.join();
        check(true, "a thread that was in it ends", null);
    }

    private static void visit(String plugin) throws Exception {
        List<URL> classes = new ArrayList<>();
        for (String entry : System.getProperty("java.class.path").split(File.pathSeparator, -1)) {
            classes.add(new File(entry).toURI().toURL());
        }
        try (URLClassLoader loader =
                new URLClassLoader(classes.toArray(new URL[0]), ClassLoader.getPlatformClassLoader())) {
            Method make = loader.loadClass(Visit.class.getName()).getDeclaredMethod("make", String.class);
            make.setAccessible(true);
            make.invoke(null, plugin);
        }
    }

    /** Copies of the library in this process; -1 where it can not be seen. */
    private static long copies() throws IOException {
        Path maps = Path.of("/proc/self/maps");
        if (File.separatorChar == '\\' || !Files.exists(maps)) {
            return -1;
        }
        try (Stream<String> lines = Files.lines(maps, StandardCharsets.ISO_8859_1)) {
            return lines.filter(line -> line.contains("/openfire-heartbeat-"))
                    .map(line -> line.substring(line.indexOf('/')))
                    .distinct()
                    .count();
        }
    }
}
