package org.igniterealtime.openfire.plugin.heartbeat;

import java.nio.charset.StandardCharsets;
import java.util.Locale;
import java.util.Set;

/**
 * Which sessions are asked for, and which of them: every one by JID, the first 50, unless something else is said. Immutable:
 * each method gives another query.
 */
public final class SessionQuery {
    /** Rows at one time. */
    public static final int MOST = 1000;

    /** Bytes of UTF-8 of a text to look for; a longer one is cut. */
    public static final int LONGEST_TEXT = 1023;

    private static final int USUAL = 50;

    /** What sessions can be sorted by; equal ones are in the order of their JIDs. */
    public enum Sort {
        JID(0),
        STATE(1),
        /** How long nothing was read. */
        SILENT(2),
        /** Last round trip. Without one they come last, either way. */
        RTT(3),
        /** Unanswered pings. */
        PINGS(4),
        /** How soon it is disconnected. Those that are not come last, either way. */
        ENDS(5),
        TRANSPORT(6);

        /** The core's number, {@code HB_SORTS}. */
        final int code;

        Sort(int code) {
            this.code = code;
        }

        /** As it is written in an address: {@code jid}, ... */
        public String text() {
            return name().toLowerCase(Locale.ROOT);
        }

        /** The one that is written so; {@link #JID} if none is. */
        public static Sort of(String text) {
            for (Sort sort : values()) {
                if (sort.text().equals(text)) {
                    return sort;
                }
            }
            return JID;
        }
    }

    private final String text;
    private final int states;
    private final int transports;
    private final Sort sort;
    private final boolean descending;
    private final long offset;
    private final int limit;

    private SessionQuery(
            String text, int states, int transports, Sort sort, boolean descending, long offset, int limit) {
        this.text = text;
        this.states = states;
        this.transports = transports;
        this.sort = sort;
        this.descending = descending;
        this.offset = offset;
        this.limit = limit;
    }

    public static SessionQuery all() {
        return new SessionQuery("", 0, 0, Sort.JID, false, 0, USUAL);
    }

    /** Only those with this in their JID, whatever the case of its ASCII letters. */
    public SessionQuery containing(String wanted) {
        String cut = wanted == null ? "" : wanted;
        while (cut.getBytes(StandardCharsets.UTF_8).length > LONGEST_TEXT) {
            cut = cut.substring(0, Math.min(cut.length() - 1, LONGEST_TEXT));
        }
        return new SessionQuery(cut, states, transports, sort, descending, offset, limit);
    }

    /** Only those in one of these states; empty: any. */
    public SessionQuery in(Set<SessionState> wanted) {
        int bits = wanted.stream().mapToInt(state -> 1 << state.code).reduce(0, (a, b) -> a | b);
        return new SessionQuery(text, bits, transports, sort, descending, offset, limit);
    }

    /** Only those over one of these transports; empty: any. */
    public SessionQuery over(Set<Transport.Kind> wanted) {
        int bits = wanted.stream().mapToInt(kind -> 1 << kind.code).reduce(0, (a, b) -> a | b);
        return new SessionQuery(text, states, bits, sort, descending, offset, limit);
    }

    public SessionQuery sortedBy(Sort by, boolean downwards) {
        return new SessionQuery(text, states, transports, by, downwards, offset, limit);
    }

    /**
     * Which rows.
     *
     * @param first rows that are left out before the first, from 0
     * @param count at most so many, 1 to {@link #MOST}
     * @throws IllegalArgumentException if either is out of its range
     */
    public SessionQuery rows(long first, int count) {
        if (first < 0 || count < 1 || count > MOST) {
            throw new IllegalArgumentException("rows " + first + " and " + count + " more");
        }
        return new SessionQuery(text, states, transports, sort, descending, first, count);
    }

    public String text() {
        return text;
    }

    int states() {
        return states;
    }

    int transports() {
        return transports;
    }

    public Sort sort() {
        return sort;
    }

    public boolean isDescending() {
        return descending;
    }

    public long offset() {
        return offset;
    }

    public int limit() {
        return limit;
    }
}
