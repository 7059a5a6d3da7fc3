package org.igniterealtime.openfire.plugin.heartbeat;

import java.nio.ByteBuffer;
import java.util.concurrent.TimeUnit;
import org.jivesoftware.openfire.Connection;
import org.jivesoftware.openfire.session.LocalClientSession;

/** One connection that the core watches. Its monitor orders the events of its session. */
public final class Watched {
    final long token;
    final Transport transport;

    /** The session, once it has logged in. Guarded by this for writing. */
    volatile LocalClientSession session;

    /** Openfire's object for the connection, once it is known. Kept: the transport may forget it at its end. */
    volatile Connection connection;

    /** The core was told that the connection is closed. Guarded by this. */
    boolean ended;

    /** The core heard last that the session is available. Guarded by this. */
    boolean available;

    /** The tick in which it was closed. Written once, before others can find it as closed. */
    int closedTick;

    private final Clock clock;
    private final ByteBuffer page;
    private final int offset;

    Watched(long token, Transport transport, Clock clock, ByteBuffer page) {
        this.token = token;
        this.transport = transport;
        this.clock = clock;
        this.page = page;
        this.offset = NativeCore.cellOffset(token);
    }

    /** Something was read from the connection. The hot path: one store, seen by the core at the next tick. */
    public void read() {
        page.putInt(offset, clock.tick);
    }

    /**
     * Where {@link #read} stores {@link Clock#tick()}, at {@link #offset}. For a handler that keeps both: a read of one
     * of many connections then misses the caches once less, as this object is not looked at.
     */
    public ByteBuffer page() {
        return page;
    }

    /** In bytes. */
    public int offset() {
        return offset;
    }

    /**
     * How long nothing was read from the connection, in microseconds, to the tick. A read may have come at the end of its
     * tick: it is less rather than more, or who asks might close too early.
     */
    public long silentUs() {
        return TimeUnit.SECONDS.toMicros(Math.max(0, clock.tick - page.getInt(offset) - 1));
    }

    /** The same from the beginning of the tick in which it was last read from. */
    public long readAgoUs() {
        return clock.sinceUs(page.getInt(offset));
    }

    /** Who it is, for the log. */
    String name() {
        LocalClientSession known = session;
        return known != null ? known.getAddress().toString() : transport.remote();
    }
}
