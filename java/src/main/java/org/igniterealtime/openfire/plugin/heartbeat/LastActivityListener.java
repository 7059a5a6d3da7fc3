package org.igniterealtime.openfire.plugin.heartbeat;

import java.util.List;

/**
 * Is told of users whose last session ended, and of users who were erased: {@link
 * LastActivityService#addListener(LastActivityListener, org.jivesoftware.openfire.container.Plugin)}.
 *
 * <p>Threads: one of the plugin's own, which has nothing else to do, one call at a time for all listeners. What is told comes
 * a few seconds late at most, unless a listener takes longer; whatever it throws is logged, and it is told of the next.
 */
public interface LastActivityListener {
    /**
     * The last sessions of these users ended, since the last call. Each is there once, as known now: who came back meanwhile
     * {@linkplain UserActivity#isOnline() is online}. A session that waits to be resumed (XEP-0198) has not ended.
     *
     * @param users at least one, at most {@link LastActivityService#MOST_LISTED}; not to be changed
     */
    void ended(List<UserActivity> users);

    /**
     * These users were erased here, or deleted in Openfire: what was taken from here may have to be erased as well. Not told
     * is who is forgotten as not here for too long.
     *
     * @param users at least one; not to be changed
     */
    default void erased(List<String> users) {
        // For those who keep nothing.
    }

    /** Of some users it could not be noted that their last session ended, for want of memory. */
    default void missed() {
        // For those who do not count.
    }
}
