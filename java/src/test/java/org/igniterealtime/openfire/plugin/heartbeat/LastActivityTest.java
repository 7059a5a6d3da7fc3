package org.igniterealtime.openfire.plugin.heartbeat;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;

import java.lang.ref.WeakReference;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

final class LastActivityTest {
    private static final long WALL_MS = 1_700_000_000_000L;

    private final ByteBuffer due = ByteBuffer.allocateDirect(NativeCore.ACTION_BYTES).order(ByteOrder.nativeOrder());
    private NativeCore core;
    private LastActivity activity;
    private int second;

    @BeforeEach
    void open() {
        TestLibrary.load();
        core = new NativeCore(0, WALL_MS);
        activity = new LastActivity(core);
        tick();
    }

    @AfterEach
    void close() {
        core.close();
    }

    private void tick() {
        second++;
        core.advance(TimeUnit.SECONDS.toMicros(second), WALL_MS + TimeUnit.SECONDS.toMillis(second), due);
    }

    private long login(String user) {
        long nowUs = TimeUnit.SECONDS.toMicros(second);
        long token = core.open(Transport.Kind.TCP.code, 0, nowUs, nowUs);
        assertEquals(0, core.bound(token, user + "@example.org/phone", false));
        return token;
    }

    private static long offline(int second) {
        return (WALL_MS + TimeUnit.SECONDS.toMillis(second)) << 1;
    }

    private static ByteBuffer counts() {
        return ByteBuffer.allocateDirect(NativeCore.STRIPES * Integer.BYTES).order(ByteOrder.nativeOrder());
    }

    private static WeakReference<ByteBuffer> countedIn(NativeCore core) {
        ByteBuffer counts = counts();
        core.countChanges(counts);
        return new WeakReference<>(counts);
    }

    /** The core would write into memory that is somebody else's. */
    @Test
    void whereTheCoreCountsIsHeldByIt() throws InterruptedException {
        NativeCore other = new NativeCore(0, WALL_MS);
        WeakReference<ByteBuffer> held = countedIn(other);
        WeakReference<ByteBuffer> nobodys = new WeakReference<>(counts());
        for (int i = 0; i < 100 && nobodys.get() != null; i++) {
            System.gc();
            Thread.sleep(20);
        }
        assertNull(nobodys.get());
        assertNotNull(held.get());
        other.close();
    }

    @Test
    void whoWasNeverHereIsUnknown() {
        assertEquals(LastActivity.UNKNOWN, activity.of("nobody"));
        assertEquals(LastActivity.UNKNOWN, activity.of(""));
        assertEquals(LastActivity.UNKNOWN, activity.of("x".repeat(100_000)));
    }

    @Test
    void anAnswerIsTrueAfterEachChange() {
        for (int round = 0; round < 5; round++) {
            long token = login("erin");
            int came = second;
            assertEquals(offline(came) | 1, activity.of("erin"));
            tick();
            core.closed(token);
            assertEquals(offline(came), activity.of("erin"));
            assertEquals(offline(came), activity.of("erin"));
        }
    }

    @Test
    void namesAreTheSameOnBothSides() {
        for (String name : new String[] {"\u00e4rger", "\u4f60\u597d", "a\ud83d\ude00b", "\u0000", "\uffff"}) {
            core.closed(login(name));
            assertEquals(offline(second), activity.of(name), name);
        }
        assertEquals(LastActivity.UNKNOWN, activity.of("\ud83d"));
        assertEquals(LastActivity.UNKNOWN, activity.of("\ude00"));
        assertEquals(LastActivity.UNKNOWN, activity.of("\ud83dx"));
    }

    @Test
    void manyAreToldApart() {
        int users = 30_000;
        for (int i = 0; i < users; i++) {
            if (i % 1000 == 0) {
                tick();
            }
            core.closed(login("user" + i));
        }
        for (int round = 0; round < 2; round++) {
            for (int i = 0; i < users; i++) {
                assertEquals(offline(2 + i / 1000), activity.of("user" + i));
            }
        }
        assertNotEquals(activity.of("user0"), activity.of("user29999"));
    }

    @Test
    void nobodyIsKnownAfterTheEnd() {
        core.closed(login("erin"));
        core.close();
        assertEquals(LastActivity.UNKNOWN, activity.of("erin"));
        assertEquals(NativeCore.CLOSED, core.closed(1));
    }
}
