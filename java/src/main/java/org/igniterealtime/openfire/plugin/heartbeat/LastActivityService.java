package org.igniterealtime.openfire.plugin.heartbeat;

import java.util.Collection;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import org.jivesoftware.openfire.container.Plugin;

/**
 * Last activity of users, for other plugins: {@link HeartbeatPlugin#lastActivityService()} gives it. It is this server's
 * view: what it knows of users with sessions here.
 *
 * <p>Users are named by the node of their JID as Openfire stores it: prepared (RFC 7622, section 3.3), as {@code
 * JID.nodeprep} does.
 *
 * <p>Answers come from memory. {@link #of(String)} is one lookup, {@link #lastReadMs} a shorter one, {@link #list} a look at
 * everybody, a few at a time, so that no event waits for it.
 *
 * <p>Threads: any. When the plugin is unloaded everybody is unknown and lists are empty: ask the plugin again then.
 */
public final class LastActivityService {
    /** The most users that one call of {@link #list} answers. */
    public static final int MOST_LISTED = 1000;

    private final NativeCore core;
    private final LastActivityListeners listeners;
    private final LastActivity lastReads;

    /** To be made once for a core. */
    LastActivityService(NativeCore core, LastActivityListeners listeners) {
        this.core = core;
        lastReads = new LastActivity(core);
        this.listeners = listeners;
    }

    /** Which users {@link #list} is asked for, and in which order; without more all of them, by name. */
    public static final class Query {
        private static final int BY_NAME = 0;
        private static final int BY_LAST_READ = 1;

        private int order = BY_NAME;
        private long beforeMs;
        private String part;
        private boolean prefix;
        private String afterUser;
        private long afterMs;

        /** Only those from whom nothing was read since then, milliseconds since 1970 UTC; more than 0. */
        public Query notSeenSince(long ms) {
            if (ms <= 0) {
                throw new IllegalArgumentException("a time after 1970 expected, found " + ms);
            }
            beforeMs = ms;
            return this;
        }

        /** Only those whose name has this in it, in whatever case. */
        public Query containing(String text) {
            part = text.toLowerCase(Locale.ROOT);
            prefix = false;
            return this;
        }

        /** Only those whose name begins so, in whatever case. */
        public Query startingWith(String text) {
            part = text.toLowerCase(Locale.ROOT);
            prefix = true;
            return this;
        }

        /** In the order of {@link UserActivity#lastReadMs()}, longest ago first. */
        public Query byLastRead() {
            order = BY_LAST_READ;
            return this;
        }

        /** Only those who come after this one: the last of the page before. Null: the first page. */
        public Query after(UserActivity last) {
            return last == null ? after(null, 0) : after(last.user(), last.lastReadMs());
        }

        /** The same by name and {@link UserActivity#lastReadMs()}, for whoever can not keep the object between two pages. */
        public Query after(String user, long lastReadMs) {
            afterUser = user;
            afterMs = lastReadMs;
            return this;
        }
    }

    /** What is known of a user, or null if nothing is. */
    public UserActivity of(String user) {
        return core.last(user);
    }

    /**
     * {@link UserActivity#lastReadMs()} alone, of a user; -1: nothing is known of the user. It makes no object of what is
     * known, and looks up again only those whose answer may have changed: for who asks for each user of a long list, or over
     * and over.
     */
    public long lastReadMs(String user) {
        // The lowest bit says whether the user is online.
        return lastReads.of(user) >> 1;
    }

    /** What is known of these users, in their order; those who are not known are not in it. */
    public Map<String, UserActivity> of(Collection<String> users) {
        Map<String, UserActivity> known = new LinkedHashMap<>();
        for (String user : users) {
            UserActivity activity = core.last(user);
            if (activity != null) {
                known.put(user, activity);
            }
        }
        return known;
    }

    /**
     * Users, page by page. Who comes, goes or is seen while it looks may be missing, nobody is there twice.
     *
     * @param limit users of a page, 1 to {@link #MOST_LISTED}; fewer come when there are no more
     * @throws IllegalArgumentException if limit is out of its range
     */
    public List<UserActivity> list(Query query, int limit) {
        if (limit < 1 || limit > MOST_LISTED) {
            throw new IllegalArgumentException("a limit from 1 to " + MOST_LISTED + " expected, found " + limit);
        }
        byte[] records = core.users(
                query.order,
                limit,
                query.beforeMs,
                query.part,
                query.prefix,
                query.afterUser,
                query.afterMs);
        return records == null ? Collections.emptyList() : UserActivity.readAll(records, 0);
    }

    /**
     * Forgets a user: in memory at once, on disk by default within a minute. If the user is online, what comes after is noted
     * again from the next login on.
     *
     * @return whether anything was known
     */
    public boolean erase(String user) {
        boolean known = core.forget(user);
        if (known) {
            listeners.erased(user);
        }
        return known;
    }

    /** {@link #erase(String)} for many; returns of how many something was known. */
    public int erase(Collection<String> users) {
        int count = 0;
        for (String user : users) {
            if (erase(user)) {
                count++;
            }
        }
        return count;
    }

    /**
     * Has a listener told of users whose last session ends from now on, and of who is erased. Adding it again changes nothing but
     * its owner.
     *
     * @param owner the plugin whose listener it is: it is told nothing any more once Openfire has unloaded that plugin. Null: until
     *     it is {@linkplain #removeListener removed}; whoever forgets to do that is never unloaded. When this plugin is unloaded
     *     all listeners are gone.
     */
    public void addListener(LastActivityListener listener, Plugin owner) {
        listeners.add(Objects.requireNonNull(listener, "listener"), owner);
    }

    /** A call that is under way may still end after it. */
    public void removeListener(LastActivityListener listener) {
        listeners.remove(listener);
    }
}
