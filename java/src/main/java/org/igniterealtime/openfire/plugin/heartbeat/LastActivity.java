package org.igniterealtime.openfire.plugin.heartbeat;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/**
 * When users were last seen, as the core knows it. Who was asked for a moment ago is answered from here, as long as the
 * core has changed nobody in the same part of its table since.
 *
 * <p>Threads: any.
 */
final class LastActivity {
    /** The answer about somebody who is not known. */
    static final long UNKNOWN = -1;

    private static final int SETS = 4096;
    private static final int WAYS = 2;

    private final NativeCore core;
    private final ByteBuffer changes =
            ByteBuffer.allocateDirect(NativeCore.STRIPES * Integer.BYTES).order(ByteOrder.nativeOrder());

    /** What is written at once by two is one of both, and as good as the other: what it says is checked. */
    private final Known[] known = new Known[SETS * WAYS];

    private static final class Known {
        final String user;
        final int stripe;
        final int change;
        final long answer;

        Known(String user, int[] where, long answer) {
            this.user = user;
            this.stripe = where[0];
            this.change = where[1];
            this.answer = answer;
        }
    }

    LastActivity(NativeCore core) {
        this.core = core;
        core.countChanges(changes);
    }

    /**
     * Wall time in milliseconds &lt;&lt; 1, with 1 added for who is online; or {@link #UNKNOWN}.
     *
     * @param user the node of the JID as Openfire stores it
     */
    long of(String user) {
        int hash = user.hashCode();
        int set = ((hash ^ hash >>> 16) & SETS - 1) * WAYS;
        Known first = known[set];
        if (isTrue(first, user)) {
            return first.answer;
        }
        Known second = known[set + 1];
        if (isTrue(second, user)) {
            return second.answer;
        }
        int[] where = new int[2];
        long answer = core.seen(user, where);
        if (answer != UNKNOWN && (answer & 1) == 0) {
            if (first != null && !first.user.equals(user)) {
                known[set + 1] = first;
            }
            known[set] = new Known(user, where, answer);
        }
        return answer;
    }

    private boolean isTrue(Known entry, String user) {
        return entry != null
                && entry.user.equals(user)
                && changes.getInt(entry.stripe * Integer.BYTES) == entry.change;
    }
}
