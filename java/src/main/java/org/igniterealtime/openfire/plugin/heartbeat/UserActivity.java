package org.igniterealtime.openfire.plugin.heartbeat;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;

/**
 * What is known of a user's last activity, as of one moment: it does not change. Times are milliseconds since 1970 UTC.
 *
 * <p>Threads: any.
 */
public final class UserActivity {
    /** The head of {@code hb_user_row}: three longs, two shorts, two bytes, and two that mean nothing. */
    private static final int HEAD_BYTES = 32;

    private static final int NAME_LENGTH = 24;
    private static final int STATUS_LENGTH = 26;
    private static final int WHY = 28;
    private static final int ONLINE = 29;
    private static final int SHORT = 0xffff;

    private final String user;
    private final long lastReadMs;
    private final long offlineMs;
    private final long lastActivityMs;
    private final boolean online;
    private final int why;
    private final String status;

    private UserActivity(byte[] bytes, ByteBuffer in, int at, String user) {
        lastReadMs = in.getLong(at);
        offlineMs = in.getLong(at + Long.BYTES);
        lastActivityMs = in.getLong(at + 2 * Long.BYTES);
        why = in.get(at + WHY);
        online = in.get(at + ONLINE) != 0;
        int name = at + HEAD_BYTES;
        int nameLength = in.getShort(at + NAME_LENGTH) & SHORT;
        int statusLength = in.getShort(at + STATUS_LENGTH) & SHORT;
        this.user = user == null ? new String(bytes, name, nameLength, StandardCharsets.UTF_8) : user;
        status = new String(bytes, name + nameLength, statusLength, StandardCharsets.UTF_8);
    }

    /** Reads {@code hb_user_row}, one after the other, in the byte order of the machine. */
    static List<UserActivity> readAll(byte[] records, int from) {
        List<UserActivity> users = new ArrayList<>();
        ByteBuffer in = ByteBuffer.wrap(records).order(ByteOrder.nativeOrder());
        int at = from;
        while (at < records.length) {
            users.add(new UserActivity(records, in, at, null));
            at += HEAD_BYTES + (in.getShort(at + NAME_LENGTH) & SHORT) + (in.getShort(at + STATUS_LENGTH) & SHORT);
        }
        return users;
    }

    /** Reads one {@code hb_user_row}, of a user whose name is known and not in it. */
    static UserActivity readOne(byte[] bytes, String user) {
        return new UserActivity(bytes, ByteBuffer.wrap(bytes).order(ByteOrder.nativeOrder()), 0, user);
    }

    /** The node of the user's JID (RFC 7622, section 3.3) as Openfire stores it. */
    public String user() {
        return user;
    }

    /** When a byte was last read from any of the user's sessions, to the second; 0: never. */
    public long lastReadMs() {
        return lastReadMs;
    }

    /** When the user's last session ended, be it while another one was open since; 0: that was never seen. */
    public long offlineMs() {
        return offlineMs;
    }

    /**
     * What is told as the user's last activity (XEP-0012) while the user is not online: one or other of the times above, as
     * the policy says.
     */
    public long lastActivityMs() {
        return lastActivityMs;
    }

    /** Whether a session of the user is open, or may be resumed (XEP-0198). */
    public boolean isOnline() {
        return online;
    }

    /**
     * Why the last session that ended did so: {@code logout}, {@code closed}, {@code no-answer}, {@code silent} or {@code
     * admin}; or {@code none} while none has.
     */
    public String reason() {
        return Names.reason(why);
    }

    /** The text of the last unavailable presence (RFC 6121, section 4.7.2.2); empty if it had none. */
    public String status() {
        return status;
    }

    @Override
    public String toString() {
        return user + (online ? " is online" : " was last read from at " + lastReadMs);
    }
}
