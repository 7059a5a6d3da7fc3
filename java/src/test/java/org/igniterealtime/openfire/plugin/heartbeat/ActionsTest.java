package org.igniterealtime.openfire.plugin.heartbeat;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.TimeUnit;
import org.jivesoftware.openfire.Connection;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.xmpp.packet.StreamError;

/** What a connection is told when it is closed. */
final class ActionsTest {
    private static final int IDLE_MS = 2_000;
    private static final int MOST_TICKS = 10;

    private final Clock clock = new Clock();
    private final BlockingQueue<StreamError.Condition> told = new ArrayBlockingQueue<>(2);
    private NativeCore core;
    private Sessions sessions;
    private Actions actions;

    @BeforeEach
    void open() throws Exception {
        TestLibrary.load();
        core = new NativeCore(0, System.currentTimeMillis());
        core.configure(null, IDLE_MS, false);
        sessions = new Sessions(core, clock);
        actions = new Actions(core, clock, sessions, jid -> {});
    }

    @AfterEach
    void close() {
        actions.close();
        core.close();
    }

    private Watched login() {
        Watched watched = sessions.opened(new Told(), 0, 0);
        assertEquals(0, core.bound(watched.token, "alice@example.org/phone", false));
        return watched;
    }

    @Test
    void whoIsDeadIsToldThatItTimedOut() throws Exception {
        Watched dead = login();
        ByteBuffer due = ByteBuffer.allocateDirect(NativeCore.ACTION_BYTES).order(ByteOrder.nativeOrder());
        int count = 0;
        for (int second = 1; count == 0 && second <= MOST_TICKS; second++) {
            long result = core.advance(TimeUnit.SECONDS.toMicros(second), System.currentTimeMillis(), due);
            assertTrue(result > 0);
            clock.tick = (int) (result >>> 32);
            count = (int) result;
        }
        assertEquals(1, count);
        assertEquals(dead.token, due.getLong(0));
        actions.submit(dead.token, due.getInt(Long.BYTES), due.getInt(Long.BYTES + Integer.BYTES));
        assertEquals(StreamError.Condition.connection_timeout, told.poll(10, TimeUnit.SECONDS));
    }

    @Test
    void whomAnAdministratorDisconnectsIsToldThatItIsThePolicy() throws Exception {
        Watched alive = login();
        long answer = core.ask(alive.token, NativeCore.DISCONNECT);
        actions.submit(alive.token, (int) (answer >>> 32), (int) answer);
        assertEquals(StreamError.Condition.policy_violation, told.poll(10, TimeUnit.SECONDS));
    }

    private final class Told implements Transport {
        @Override
        public Connection connection() {
            return null;
        }

        @Override
        public void close(StreamError.Condition why) {
            told.add(why);
        }

        @Override
        public void drop() {
            throw new IllegalStateException("dropped");
        }

        @Override
        public void abort() {
            throw new IllegalStateException("aborted");
        }

        @Override
        public boolean isClosed() {
            return false;
        }

        @Override
        public String remote() {
            return "alice";
        }
    }
}
