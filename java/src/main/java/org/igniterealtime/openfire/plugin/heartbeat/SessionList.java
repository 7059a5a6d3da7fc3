package org.igniterealtime.openfire.plugin.heartbeat;

import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;

/** A page of open sessions, as they were when it was asked for ({@link HeartbeatPlugin#sessions}). */
public final class SessionList {
    /** Numbers of states, of which 0 is no session's. */
    static final int STATES = 8;

    private final long total;
    private final long[] counts = new long[STATES];
    private final List<SessionRow> rows = new ArrayList<>();

    private SessionList(long total) {
        this.total = total;
    }

    /** Reads what {@code list0} writes. */
    static SessionList read(ByteBuffer from) {
        SessionList list = new SessionList(from.getLong());
        long count = from.getLong();
        for (int i = 0; i < STATES; i++) {
            list.counts[i] = from.getLong();
        }
        for (long i = 0; i < count; i++) {
            list.rows.add(new SessionRow(from));
        }
        return list;
    }

    /** How many sessions the query is about, on other pages too. */
    public long total() {
        return total;
    }

    /** How many there are in a state: of those that the query is about but for its states. */
    public long count(SessionState state) {
        return counts[state.code];
    }

    public List<SessionRow> rows() {
        return Collections.unmodifiableList(rows);
    }
}
