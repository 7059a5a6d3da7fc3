package org.igniterealtime.openfire.plugin.heartbeat;

import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** A real core whose time a test moves. */
public final class TestCore implements AutoCloseable {
    static {
        TestLibrary.load();
    }

    private final Clock clock = new Clock();
    private final NativeCore core = new NativeCore(clock.nowUs(), System.currentTimeMillis());
    private final Sessions sessions = new Sessions(core, clock);
    private final ByteBuffer due =
            ByteBuffer.allocateDirect(64 * NativeCore.ACTION_BYTES).order(ByteOrder.nativeOrder());
    private long nowUs = clock.nowUs();

    public TestCore() {
        tick(1);
    }

    public Sessions sessions() {
        return sessions;
    }

    /** Lets this many seconds pass for the core. Returns how many actions were due. */
    public int tick(int seconds) {
        int actions = 0;
        for (int i = 0; i < seconds; i++) {
            actions += tick();
        }
        return actions;
    }

    private int tick() {
        nowUs += TimeUnit.SECONDS.toMicros(1);
        long result = core.advance(nowUs, System.currentTimeMillis(), due);
        assertTrue(result > 0);
        clock.tick = (int) (result >>> 32);
        return (int) result;
    }

    /** The same, and asks for the last word on what is due. Returns what is to be carried out. */
    List<NativeCore.Order> orders(int seconds) {
        List<NativeCore.Order> orders = new ArrayList<>();
        for (int i = 0; i < seconds; i++) {
            int count = tick();
            for (int at = 0; at < count * NativeCore.ACTION_BYTES; at += NativeCore.ACTION_BYTES) {
                NativeCore.Order order = core.begin(due.getLong(at), due.getInt(at + 8), 0, nowUs);
                if (order.verb != NativeCore.NOTHING) {
                    orders.add(order);
                }
            }
        }
        return orders;
    }

    /** Ticks once, at the time that it really is. */
    public void tickOnTime() {
        nowUs = Math.max(nowUs, clock.nowUs() - TimeUnit.SECONDS.toMicros(1));
        tick(1);
    }

    /** Has so many users log in, each once. */
    public void crowd(int users) {
        for (int i = 0; i < users; i++) {
            long token = core.open(Transport.Kind.TCP.code, 0, nowUs, nowUs);
            assertTrue(token > 0 && core.bound(token, "user" + i + "@chat.example.org/a-resource-as-clients-make", false) == 0);
        }
    }

    public SessionList list(SessionQuery query) {
        return SessionList.read(core.list(query));
    }

    /** From now on the core is not in charge. */
    public void stop() {
        core.stop();
    }

    /** A number of the core's status, by its key. */
    public int number(String key) {
        String status = core.status(true);
        Matcher matcher = Pattern.compile("\"" + key + "\":(\\d+)").matcher(status);
        assertTrue(matcher.find(), status);
        return Integer.parseInt(matcher.group(1));
    }

    @Override
    public void close() {
        core.close();
    }
}
