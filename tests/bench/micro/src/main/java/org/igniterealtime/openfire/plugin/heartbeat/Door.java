package org.igniterealtime.openfire.plugin.heartbeat;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Path;
import java.util.concurrent.TimeUnit;
import org.jivesoftware.openfire.Connection;
import org.xmpp.packet.StreamError;

/** Lets the benchmarks in: the plugin's own classes around a real core, whose time the benchmark moves. */
public final class Door implements AutoCloseable {
    private static final int ACTIONS = 4096;
    private static boolean loaded;

    private final Clock clock = new Clock();
    private final NativeCore core;
    private final Sessions sessions;
    private final LastActivityService lastActivity;
    private final ByteBuffer due =
            ByteBuffer.allocateDirect(ACTIONS * NativeCore.ACTION_BYTES).order(ByteOrder.nativeOrder());
    private long nowUs = clock.nowUs();
    private long wallMs = System.currentTimeMillis();

    public Door() {
        load();
        core = new NativeCore(nowUs, wallMs);
        sessions = new Sessions(core, clock);
        lastActivity = new LastActivityService(core, new LastActivityListeners(core));
        nextSecond();
        advance();
    }

    @SuppressWarnings("UnsafeDynamicallyLoadedCode") // it was built here
    private static synchronized void load() {
        if (!loaded) {
            System.load(Path.of(System.getProperty("bench.native")).toAbsolutePath().toString());
            loaded = true;
        }
    }

    public Sessions sessions() {
        return sessions;
    }

    public Clock clock() {
        return clock;
    }

    /** A connection that no transport stands behind. */
    public Watched watch() {
        return sessions.opened(new NoTransport(), nowUs, nowUs);
    }

    public long open() {
        return open(0);
    }

    /** A connection that was last read from so long ago. */
    public long open(int ageSeconds) {
        long readUs = nowUs - TimeUnit.SECONDS.toMicros(ageSeconds);
        return core.open(Transport.Kind.TCP.code, 0, readUs, readUs);
    }

    public void bound(long token, String fullJid, boolean anonymous) {
        core.bound(token, fullJid, anonymous);
    }

    public void available(long token) {
        core.available(token);
    }

    public void closed(long token) {
        core.closed(token);
    }

    /** When a user was last read from, as other plugins ask for it; negative: unknown. */
    public long lastActivity(String user) {
        return lastActivity.lastReadMs(user);
    }

    /** Keeps last activity in this folder, and takes over what is there. */
    public void journal(Path folder) {
        String said = core.journalOpen(folder.toString());
        if (!said.isEmpty()) {
            throw new IllegalStateException(said);
        }
    }

    /** Has this user known, who is not online. */
    public void known(String user, long seenMs) {
        if (!core.importUser(user, seenMs, null)) {
            throw new IllegalStateException(user + " is known already");
        }
    }

    /** What is known is on disk. */
    public void flush() {
        String said = core.journalFlush();
        if (said.charAt(0) != 1) {
            throw new IllegalStateException(said.substring(1));
        }
    }

    public void idle(long idleMs) {
        try {
            core.configure(null, 2 * idleMs, true);
        } catch (NativeCore.PolicyException e) {
            throw new IllegalStateException(e);
        }
    }

    /** What a read stores, without the way to it. */
    public void read(long token) {
        core.cellPage(token).putInt(NativeCore.cellOffset(token), clock.tick);
    }

    /** The time of the next {@link #advance}. */
    public void nextSecond() {
        nowUs += TimeUnit.SECONDS.toMicros(1);
        wallMs += TimeUnit.SECONDS.toMillis(1);
    }

    /** One call, as the ticking thread makes it. Returns the number of actions. */
    public int advance() {
        long result = core.advance(nowUs, wallMs, due);
        if (result < 0) {
            throw new IllegalStateException("the core refused to advance: " + result);
        }
        clock.tick = (int) (result >>> 32);
        return (int) result;
    }

    /** Whether that many actions fill the buffer: then there is more. */
    public boolean isFull(int actions) {
        return actions == ACTIONS;
    }

    /** Does what the last {@link #advance} wanted: pings, each of which is answered. Returns how many there were. */
    public int answer(int actions) {
        for (int i = 0; i < actions; i++) {
            long token = due.getLong(i * NativeCore.ACTION_BYTES);
            int verb = due.getInt(i * NativeCore.ACTION_BYTES + Long.BYTES);
            NativeCore.Order order = core.begin(token, verb, 0, nowUs);
            if (order.verb != NativeCore.PING) {
                throw new IllegalStateException("nobody is silent for long, and yet: " + Names.verb(order.verb));
            }
            read(token);
        }
        return actions;
    }

    @Override
    public void close() {
        core.close();
    }

    private static final class NoTransport implements Transport {
        @Override
        public Connection connection() {
            return null;
        }

        @Override
        public void close(StreamError.Condition why) {
            // There is nothing to close.
        }

        @Override
        public void drop() {
            // There is nothing to drop.
        }

        @Override
        public void abort() {
            // There is nothing to abort.
        }

        @Override
        public boolean isClosed() {
            return false;
        }

        @Override
        public String remote() {
            return "nobody";
        }
    }
}
