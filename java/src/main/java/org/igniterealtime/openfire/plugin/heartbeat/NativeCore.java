package org.igniterealtime.openfire.plugin.heartbeat;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.function.Supplier;

/**
 * The native core, and the only class with native methods. It translates; {@code native/include/heartbeat.h} says what
 * each call means.
 *
 * <p>Times: {@code Us} is monotonic microseconds of {@link Clock}, {@code Ms} is wall time in milliseconds since 1970.
 *
 * <p>Threads: every method may be called from any thread; {@link #advance} from one at a time. {@link #close()} refuses
 * new calls, waits for those under way, then frees. A call after that does nothing and returns {@link #CLOSED}, {@code
 * null} or an empty order.
 */
final class NativeCore implements AutoCloseable {
    /** Codes of the core that callers look at; the others are only logged. */
    static final int FULL = -3;

    /** The session is over: nothing was changed. */
    static final int STALE = -4;

    /** This object was closed before the call. */
    static final int CLOSED = -100;

    /** Answers of {@link #inCharge}: Openfire shall leave the session alone; shall ask again within a second. */
    static final int IN_CHARGE = 1;

    static final int ASK_AGAIN = 2;

    /** Verbs of actions and orders ({@code HB_VERBS}). */
    static final int NOTHING = 0;

    static final int PING = 1;
    static final int DISCONNECT = 2;
    static final int CLOSE = 3;
    static final int CUT = 4;
    static final int ABORT = 5;
    static final int UNAVAILABLE = 6;

    /** The reason of what an administrator asked for ({@code HB_REASONS}). */
    static final int WHY_ADMIN = 12;

    /** Fact for {@link #begin}: the session can be resumed (XEP-0198). */
    static final int FACT_RESUMABLE = 1;

    /** Bytes of one action: token (long), verb (int), reason (int), in native byte order. */
    static final int ACTION_BYTES = 16;

    /** Parts that users are kept in ({@code HB_USER_STRIPES}). */
    static final int STRIPES = 256;

    /** Where {@link #seen} finds the name. */
    static final int SEEN_NAME = 2 * Integer.BYTES;

    private static final int PAGE_CELLS = 4096;
    private static final int CELL_BYTES = 4;

    private final Gate call = new Gate();
    private volatile ByteBuffer[] pages = new ByteBuffer[0];
    private long handle;

    /** What {@link #advance} filled last, and where it lies: to ask for that takes longer than much of a tick. */
    private ByteBuffer actions;

    private long actionsAt;

    /** What {@link #countChanges} was given: the core writes there for as long as it is. */
    private ByteBuffer changes;

    /** The last word of the core before a deed. */
    static final class Order {
        static final Order NONE = new Order(NOTHING, 0, "");

        /** What to do: {@link #NOTHING}, {@link #PING}, {@link #CLOSE}, ... */
        final int verb;

        /** Why, {@code HB_REASONS}; 0 where nothing was decided. */
        final int why;

        /** The id of the ping, or the full JID that is to be told unavailable. */
        final String text;

        Order(int verb, int why, String text) {
            this.verb = verb;
            this.why = why;
            this.text = text;
        }
    }

    /** The policy was refused; the message says where and why. Created by the native side. */
    static final class PolicyException extends Exception {
        private static final long serialVersionUID = 1L;

        PolicyException(String message) {
            super(message);
        }
    }

    /** Creates a core. The library must have been loaded ({@link NativeLibrary}). */
    NativeCore(long nowUs, long wallMs) {
        handle = create0(nowUs, wallMs);
    }

    /** The version of the loaded library. */
    static String version() {
        return version0();
    }

    /**
     * Takes a policy. {@code json} may be null: then all of it follows from Openfire's own settings.
     *
     * @param idleMs {@code xmpp.client.idle}, milliseconds; 0 or less: never
     * @param ping {@code xmpp.client.idle.ping}
     * @throws PolicyException if the text is refused; the policy in force stays in force
     */
    void configure(String json, long idleMs, boolean ping) throws PolicyException {
        call.lock();
        try {
            if (handle != 0) {
                configure0(handle, utf8(json), idleMs, ping);
            }
        } finally {
            call.unlock();
        }
    }

    /**
     * What a policy would mean and what it may be, as JSON ({@code docs/policy.md}). Nothing is changed, and no core is
     * needed but the library.
     *
     * @param json as for {@link #configure}
     */
    static String describe(String json, long idleMs, boolean ping) {
        byte[] described = describe0(utf8(json), idleMs, ping);
        if (described == null) {
            throw new IllegalStateException("out of memory");
        }
        return new String(described, StandardCharsets.UTF_8);
    }

    /**
     * A connection was opened. Returns its token, or a negative code.
     *
     * @param transport what it is made of, {@code HB_TRANSPORTS}
     * @param ownS seconds of silence after which Openfire itself closes it, by what can not be taken out; 0: it does not
     */
    long open(int transport, int ownS, long openedUs, long readUs) {
        call.lock();
        try {
            if (handle == 0) {
                return CLOSED;
            }
            long token = open0(handle, transport, ownS, openedUs, readUs);
            while (token == FULL) {
                addPage();
                token = open0(handle, transport, ownS, openedUs, readUs);
            }
            return token;
        } finally {
            call.unlock();
        }
    }

    private synchronized void addPage() {
        ByteBuffer page = ByteBuffer.allocateDirect(PAGE_CELLS * CELL_BYTES).order(ByteOrder.nativeOrder());
        // The page is published before the core can hand out a slot in it.
        ByteBuffer[] before = pages;
        ByteBuffer[] grown = Arrays.copyOf(before, before.length + 1);
        grown[before.length] = page;
        pages = grown;
        int code = addPage0(handle, page);
        if (code < 0) {
            // The next one takes this place, in the core as well.
            pages = before;
            throw new IllegalStateException("the core refused a page of cells: " + code);
        }
    }

    /** The page that holds the cell of this token; the cell is the int at {@link #cellOffset}. */
    ByteBuffer cellPage(long token) {
        return pages[(int) token / PAGE_CELLS];
    }

    static int cellOffset(long token) {
        return (int) token % PAGE_CELLS * CELL_BYTES;
    }

    /** The connection has logged in as this full JID. */
    int bound(long token, String fullJid, boolean anonymous) {
        call.lock();
        try {
            return handle == 0 ? CLOSED : bound0(handle, token, utf8(fullJid), anonymous);
        } finally {
            call.unlock();
        }
    }

    int available(long token) {
        call.lock();
        try {
            return handle == 0 ? CLOSED : available0(handle, token);
        } finally {
            call.unlock();
        }
    }

    /**
     * The session's presence became unavailable.
     *
     * @param status the status text, or null
     * @param closed its connection is closed already ({@code Connection.isClosed()}): the server said it, not the client
     */
    int unavailable(long token, String status, boolean closed) {
        call.lock();
        try {
            return handle == 0 ? CLOSED : unavailable0(handle, token, utf8(status), closed);
        } finally {
            call.unlock();
        }
    }

    /** Whether silent sessions are ours to handle. Returns {@link #IN_CHARGE}, {@link #ASK_AGAIN} or another code. */
    int inCharge(long nowUs) {
        call.lock();
        try {
            return handle == 0 ? CLOSED : inCharge0(handle, nowUs);
        } finally {
            call.unlock();
        }
    }

    /** Openfire's idle timer found the session silent. Answers as {@link #inCharge}. */
    int idle(long token, long nowUs) {
        call.lock();
        try {
            return handle == 0 ? CLOSED : idle0(handle, token, nowUs);
        } finally {
            call.unlock();
        }
    }

    /** An IQ result or error with this id came from the session. True: it answers a ping of ours. */
    boolean pong(long token, String id, long nowUs) {
        call.lock();
        try {
            return handle != 0 && pong0(handle, token, utf8(id), nowUs) == 1;
        } finally {
            call.unlock();
        }
    }

    int detached(long token) {
        call.lock();
        try {
            return handle == 0 ? CLOSED : detached0(handle, token);
        } finally {
            call.unlock();
        }
    }

    /** The detached session {@code from} goes on over the connection {@code to}. */
    int resumed(long from, long to) {
        call.lock();
        try {
            return handle == 0 ? CLOSED : resumed0(handle, from, to);
        } finally {
            call.unlock();
        }
    }

    int closed(long token) {
        call.lock();
        try {
            return handle == 0 ? CLOSED : closed0(handle, token);
        } finally {
            call.unlock();
        }
    }

    /**
     * Moves the clock and fills {@code actions} (direct, native byte order) from its beginning.
     *
     * @return tick &lt;&lt; 32 | number of actions; if that fills the buffer, call again with the same times; negative:
     *     a code
     */
    @SuppressWarnings("ReferenceEquality") // the same buffer, and not one with the same in it
    long advance(long nowUs, long wallMs, ByteBuffer actions) {
        call.lock();
        try {
            if (handle == 0) {
                return CLOSED;
            }
            if (actions != this.actions) {
                actionsAt = addressOf0(actions);
                this.actions = actions;
            }
            return advance0(handle, nowUs, wallMs, actionsAt, actions.capacity() / ACTION_BYTES);
        } finally {
            call.unlock();
        }
    }

    /** Asks for the last word before an action is carried out. */
    Order begin(long token, int verb, int facts, long nowUs) {
        byte[] answer;
        call.lock();
        try {
            answer = handle == 0 ? null : begin0(handle, token, verb, facts, nowUs);
        } finally {
            call.unlock();
        }
        if (answer == null) {
            return Order.NONE;
        }
        return new Order(answer[0], answer[1], new String(answer, 2, answer.length - 2, StandardCharsets.UTF_8));
    }

    /**
     * An administrator wants a session pinged or disconnected.
     *
     * @param verb {@link #PING} or {@link #DISCONNECT}
     * @return verb &lt;&lt; 32 | reason of an action that is to be carried out; 0: there is nothing to be done; negative:
     *     a code
     */
    long ask(long token, int verb) {
        call.lock();
        try {
            return handle == 0 ? CLOSED : ask0(handle, token, verb);
        } finally {
            call.unlock();
        }
    }

    /** A page of sessions, as {@link SessionList#read} takes it; null when closed, or without memory for it. */
    ByteBuffer list(SessionQuery query) {
        byte[] listing;
        call.lock();
        try {
            listing = handle == 0
                    ? null
                    : list0(
                            handle,
                            utf8(query.text()),
                            query.states(),
                            query.transports(),
                            query.sort().code,
                            query.isDescending(),
                            query.offset(),
                            query.limit());
        } finally {
            call.unlock();
        }
        return listing == null ? null : ByteBuffer.wrap(listing).order(ByteOrder.nativeOrder());
    }

    /** From now on nobody is pinged, closed or told. */
    void stop() {
        call.lock();
        try {
            if (handle != 0) {
                stop0(handle);
            }
        } finally {
            call.unlock();
        }
    }

    /** The state as JSON, or null when closed. */
    String status(boolean detail) {
        byte[] json;
        call.lock();
        try {
            json = handle == 0 ? null : status0(handle, detail);
        } finally {
            call.unlock();
        }
        return json == null ? null : new String(json, StandardCharsets.UTF_8);
    }

    /** The last activity of a user as JSON, or null when unknown. */
    String lastActivity(String user) {
        byte[] json;
        call.lock();
        try {
            json = handle == 0 ? null : lastActivity0(handle, utf8(user));
        } finally {
            call.unlock();
        }
        return json == null ? null : new String(json, StandardCharsets.UTF_8);
    }

    /**
     * When a user was last seen: wall time &lt;&lt; 1, with 1 added for who is online; -1: unknown.
     *
     * @param at address of a direct buffer that holds the name from {@link #SEEN_NAME} on, and takes an int for the user's
     *     stripe and one for the count of changes of that stripe that the answer is of
     * @param length of the name in UTF-8
     */
    long seen(long at, int length) {
        call.lock();
        try {
            return handle == 0 ? -1 : seen0(handle, at, length);
        } finally {
            call.unlock();
        }
    }

    /** Where a direct buffer lies. */
    static long addressOf(ByteBuffer buffer) {
        return addressOf0(buffer);
    }

    /**
     * Has changes of users counted in {@code counts} (direct, {@link #STRIPES} ints, of the machine's byte order), the end of
     * this core as one of everybody. To be called once.
     */
    void countChanges(ByteBuffer counts) {
        call.lock();
        try {
            changes = counts;
            if (handle != 0 && countChanges0(handle, counts) < 0) {
                throw new IllegalArgumentException("no place for the counts of changes");
            }
        } finally {
            call.unlock();
        }
    }

    /**
     * Keeps last activity in this folder, and takes over what is there. To be called before sessions are opened.
     *
     * @return lines about what was found damaged, each with its end; one more without an end says why it was not opened
     */
    String journalOpen(String folder) {
        byte[] said;
        call.lock();
        try {
            said = handle == 0 ? null : journalOpen0(handle, utf8(folder));
        } finally {
            call.unlock();
        }
        return said == null ? "the name of the folder is too long" : new String(said, StandardCharsets.UTF_8);
    }

    /**
     * Takes over the data of the plots that lie in this folder. To be called before the first tick.
     *
     * @return lines about what was found damaged, each with its end; one more without an end says what failed
     */
    String seriesOpen(String folder) {
        return told(() -> seriesOpen0(handle, utf8(folder)));
    }

    /** Writes the data of the plots, and waits for the disk. Null: done; else why not. */
    String seriesSave(String folder) {
        return told(() -> seriesSave0(handle, utf8(folder)));
    }

    /** What happened in a span, {@code HB_SPANS}, as JSON, or null when closed. */
    String series(int span) {
        return told(() -> series0(handle, span));
    }

    /** What is counted, in Prometheus' text format or as OpenMetrics, or null when closed. */
    String metrics(boolean openMetrics) {
        return told(() -> metrics0(handle, openMetrics));
    }

    private String told(Supplier<byte[]> ask) {
        byte[] answer;
        call.lock();
        try {
            answer = handle == 0 ? null : ask.get();
        } finally {
            call.unlock();
        }
        return answer == null ? null : new String(answer, StandardCharsets.UTF_8);
    }

    /**
     * Writes what is new, and waits for the disk; under another key if one is asked for.
     *
     * @return a first character, 1 if it is on disk; lines about what was done, each with its end; one more without an end
     *     says why it is not on disk, and is empty for the same reason as before. Null when closed.
     */
    String journalFlush() {
        return told(() -> journalFlush0(handle));
    }

    /** Forgets a user; on disk soon after. False: nothing was known. */
    boolean forget(String user) {
        call.lock();
        try {
            return handle != 0 && forget0(handle, utf8(user)) == 1;
        } finally {
            call.unlock();
        }
    }

    /** Takes over what Openfire knew of a user who is not known here. */
    boolean importUser(String user, long offlineMs, String status) {
        call.lock();
        try {
            return handle != 0 && import0(handle, utf8(user), offlineMs, utf8(status)) == 1;
        } finally {
            call.unlock();
        }
    }

    /** Null: unknown. */
    UserActivity last(String user) {
        byte[] answer;
        call.lock();
        try {
            answer = handle == 0 ? null : last0(handle, utf8(user));
        } finally {
            call.unlock();
        }
        return answer == null ? null : UserActivity.readOne(answer, user);
    }

    /** The answer of {@code hb_core_users}; null if it is closed, or an argument is out of its range. */
    byte[] users(int order, int limit, long beforeMs, String part, boolean prefix, String after, long afterMs) {
        call.lock();
        try {
            return handle == 0
                    ? null
                    : users0(handle, order, limit, beforeMs, utf8(part), prefix, utf8(after), afterMs);
        } finally {
            call.unlock();
        }
    }

    /**
     * The answer of {@code hb_core_each} behind an int, where the next call goes on; null if it is closed, or without
     * memory for it.
     *
     * @param at 0 for the first call
     */
    byte[] each(int at) {
        call.lock();
        try {
            return handle == 0 ? null : each0(handle, at);
        } finally {
            call.unlock();
        }
    }

    /** Takes over that a known user went offline later than anything that is known here. */
    boolean catchUp(String user, long offlineMs) {
        call.lock();
        try {
            return handle != 0 && catchUp0(handle, utf8(user), offlineMs) == 1;
        } finally {
            call.unlock();
        }
    }

    /** Whether it is closed: then nobody is known. */
    boolean isClosed() {
        call.lock();
        try {
            return handle == 0;
        } finally {
            call.unlock();
        }
    }

    /** The answer of {@code hb_core_gone} behind one byte that is 1 if some are missing; null if it is closed. */
    byte[] gone() {
        call.lock();
        try {
            return handle == 0 ? null : gone0(handle);
        } finally {
            call.unlock();
        }
    }

    /** Why something was done to the sessions with a full or bare JID, as JSON, or null when nothing is known. */
    String why(String jid) {
        byte[] json;
        call.lock();
        try {
            json = handle == 0 ? null : why0(handle, utf8(jid));
        } finally {
            call.unlock();
        }
        return json == null ? null : new String(json, StandardCharsets.UTF_8);
    }

    /** Records events and decisions, from the next tick on. Returns 0 or a negative code. */
    int record(int capacity) {
        call.lock();
        try {
            return handle == 0 ? CLOSED : record0(handle, capacity);
        } finally {
            call.unlock();
        }
    }

    /**
     * Takes what was recorded into {@code out} (direct), from its beginning.
     *
     * @return bytes; {@link #FULL}: all was taken, and it is over for lack of room; another negative code: it is off
     */
    int recorded(ByteBuffer out) {
        call.lock();
        try {
            return handle == 0 ? CLOSED : recorded0(handle, out);
        } finally {
            call.unlock();
        }
    }

    /** Records no more, and throws away what was not taken. */
    void recordEnd() {
        call.lock();
        try {
            if (handle != 0) {
                recordEnd0(handle);
            }
        } finally {
            call.unlock();
        }
    }

    @Override
    public void close() {
        call.close(() -> {
            free0(handle);
            handle = 0;
            // No answer that somebody keeps is true any more.
            ByteBuffer counts = changes;
            for (int at = 0; counts != null && at < STRIPES * Integer.BYTES; at += Integer.BYTES) {
                counts.putInt(at, counts.getInt(at) + 1);
            }
        });
    }

    private static byte[] utf8(String text) {
        return text == null ? null : text.getBytes(StandardCharsets.UTF_8);
    }

    private static native String version0();

    private static native long create0(long nowUs, long wallMs);

    private static native void free0(long handle);

    private static native void configure0(long handle, byte[] json, long idleMs, boolean ping) throws PolicyException;

    private static native byte[] describe0(byte[] json, long idleMs, boolean ping);

    private static native int addPage0(long handle, ByteBuffer page);

    private static native long open0(long handle, int transport, int ownS, long openedUs, long readUs);

    private static native int bound0(long handle, long token, byte[] jid, boolean anonymous);

    private static native int available0(long handle, long token);

    private static native int unavailable0(long handle, long token, byte[] status, boolean closed);

    private static native int inCharge0(long handle, long nowUs);

    private static native int idle0(long handle, long token, long nowUs);

    private static native int pong0(long handle, long token, byte[] id, long nowUs);

    private static native int detached0(long handle, long token);

    private static native int resumed0(long handle, long from, long to);

    private static native int closed0(long handle, long token);

    private static native long advance0(long handle, long nowUs, long wallMs, long at, int capacity);

    private static native byte[] begin0(long handle, long token, int verb, int facts, long nowUs);

    private static native long ask0(long handle, long token, int verb);

    private static native byte[] list0(
            long handle,
            byte[] text,
            int states,
            int transports,
            int sort,
            boolean descending,
            long offset,
            int limit);

    private static native byte[] seriesOpen0(long handle, byte[] folder);

    private static native byte[] seriesSave0(long handle, byte[] folder);

    private static native byte[] series0(long handle, int span);

    private static native byte[] metrics0(long handle, boolean openMetrics);

    private static native void stop0(long handle);

    private static native byte[] status0(long handle, boolean detail);

    private static native byte[] lastActivity0(long handle, byte[] user);

    private static native long seen0(long handle, long at, int length);

    private static native long addressOf0(ByteBuffer buffer);

    private static native int countChanges0(long handle, ByteBuffer counts);

    private static native byte[] journalOpen0(long handle, byte[] folder);

    private static native byte[] journalFlush0(long handle);

    private static native int forget0(long handle, byte[] user);

    private static native int import0(long handle, byte[] user, long offlineMs, byte[] status);

    private static native byte[] last0(long handle, byte[] user);

    private static native byte[] users0(
            long handle,
            int order,
            int limit,
            long beforeMs,
            byte[] part,
            boolean prefix,
            byte[] after,
            long afterMs);

    private static native byte[] each0(long handle, int at);

    private static native int catchUp0(long handle, byte[] user, long offlineMs);

    private static native byte[] gone0(long handle);

    private static native byte[] why0(long handle, byte[] jid);

    private static native int record0(long handle, int capacity);

    private static native int recorded0(long handle, ByteBuffer out);

    private static native void recordEnd0(long handle);
}
