package org.igniterealtime.openfire.plugin.heartbeat;

import java.io.File;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.concurrent.TimeUnit;

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
}
