package org.igniterealtime.openfire.plugin.heartbeat;

import java.nio.Buffer;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.CharBuffer;
import java.nio.charset.CoderResult;
import java.nio.charset.StandardCharsets;

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

    /** Bytes of a node in UTF-8 (RFC 7622, section 3.3). */
    private static final int NAME_MAX = 1023;

    /** Where the address of a buffer of {@link #talks} is kept: in itself, behind what is exchanged with the core. */
    private static final int OWN_ADDRESS = NativeCore.SEEN_NAME + NAME_MAX + 1;

    private final NativeCore core;
    private final ByteBuffer changes =
            ByteBuffer.allocateDirect(NativeCore.STRIPES * Integer.BYTES).order(ByteOrder.nativeOrder());

    /** What a thread and the core exchange. No class of ours, which a thread of the server's would keep. */
    private final ThreadLocal<ByteBuffer> talks = ThreadLocal.withInitial(LastActivity::newTalk);

    /**
     * Hashes of the names in {@link #known}: most others are told by them, without a look at the names. What is written at
     * once by two is one of both, and as good as the other: what it says is checked.
     */
    private final int[] hashes = new int[SETS * WAYS];

    private final Known[] known = new Known[SETS * WAYS];

    private static final class Known {
        final String user;
        final int stripe;
        final int change;
        final long answer;

        Known(String user, int stripe, int change, long answer) {
            this.user = user;
            this.stripe = stripe;
            this.change = change;
            this.answer = answer;
        }
    }

    LastActivity(NativeCore core) {
        this.core = core;
        core.countChanges(changes);
    }

    private static ByteBuffer newTalk() {
        ByteBuffer talk = ByteBuffer.allocateDirect(OWN_ADDRESS + Long.BYTES).order(ByteOrder.nativeOrder());
        return talk.putLong(OWN_ADDRESS, NativeCore.addressOf(talk));
    }

    /**
     * Wall time in milliseconds &lt;&lt; 1, with 1 added for who is online; or {@link #UNKNOWN}.
     *
     * @param user the node of the JID as Openfire stores it
     */
    long of(String user) {
        int hash = user.hashCode();
        int set = ((hash ^ hash >>> 16) & SETS - 1) * WAYS;
        for (int place = set; place < set + WAYS; place++) {
            Known entry = hashes[place] == hash ? known[place] : null;
            if (entry != null && isTrue(entry, user)) {
                return entry.answer;
            }
        }
        ByteBuffer talk = talks.get();
        int length = write(user, talk);
        long answer = length < 0 ? UNKNOWN : core.seen(talk.getLong(OWN_ADDRESS), length);
        if (answer != UNKNOWN && (answer & 1) == 0) {
            if (hashes[set] != hash) {
                hashes[set + 1] = hashes[set];
                known[set + 1] = known[set];
            }
            hashes[set] = hash;
            known[set] = new Known(user, talk.getInt(0), talk.getInt(Integer.BYTES), answer);
        }
        return answer;
    }

    /** Writes a name in UTF-8. Its length, or -1: no such name can be. */
    private static int write(String user, ByteBuffer talk) {
        int length = user.length();
        if (length > NAME_MAX) {
            return -1;
        }
        for (int i = 0; i < length; i++) {
            char c = user.charAt(i);
            if (c >= 0x80) {
                return encode(user, talk);
            }
            talk.put(NativeCore.SEEN_NAME + i, (byte) c);
        }
        return length;
    }

    private static int encode(String user, ByteBuffer talk) {
        ByteBuffer name = talk.duplicate();
        // As a Buffer: methods of ByteBuffer are younger than Java 8.
        ((Buffer) name).position(NativeCore.SEEN_NAME);
        ((Buffer) name).limit(NativeCore.SEEN_NAME + NAME_MAX);
        CoderResult result = StandardCharsets.UTF_8.newEncoder().encode(CharBuffer.wrap(user), name, true);
        return result.isUnderflow() ? name.position() - NativeCore.SEEN_NAME : -1;
    }

    private boolean isTrue(Known entry, String user) {
        return entry.user.equals(user)
                && changes.getInt(entry.stripe * Integer.BYTES) == entry.change;
    }
}
