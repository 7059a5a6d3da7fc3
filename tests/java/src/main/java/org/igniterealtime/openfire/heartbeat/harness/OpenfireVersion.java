package org.igniterealtime.openfire.heartbeat.harness;

/** A version of Openfire, and what it does otherwise than others: the one place where rows look for that. */
public record OpenfireVersion(int major, int minor, int patch) {

    private boolean isSince(int otherMajor, int otherMinor) {
        return major > otherMajor || major == otherMajor && minor >= otherMinor;
    }

    /** Whether it speaks to clients through Netty; through MINA before. */
    public boolean isNetty() {
        return isSince(4, 8);
    }

    /**
     * Whether Openfire counts silence from the moment at which it is its business again: on Netty its timer is out while
     * the core is in charge. On MINA it counts all the time.
     */
    public boolean countsFromGivingBack() {
        return isNetty();
    }

    /** Whether it pings a silent client over WebSocket, and closes it, by a task of its own. */
    public boolean endsSilentWebSockets() {
        return isSince(4, 8);
    }

    /** Whether what a client sends over the WebSocket on which it has resumed a session comes from that session. */
    public boolean hearsResumedWebSockets() {
        return isNetty();
    }

    /** Whether a connection that it closes as idle by itself is told so, by a stream error. */
    public boolean saysWhyIdleEnds() {
        return isNetty();
    }

    /**
     * Whether contacts hear that a session is gone whose full JID another one has taken. From 5.1 on it does not say so
     * once the new one has the route (its OF-3318): contacts see the JID stay online.
     */
    public boolean tellsOfReplaced() {
        return !isSince(5, 1);
    }

    /**
     * Whether it removes a session that was resumed while its old connection was still open: from 5.1 on the listeners of
     * that one are told after the session has the new one (its OF-2808 once more).
     */
    public boolean removesResumed() {
        return isSince(5, 1);
    }

    /** Whether its console lets one in by a token of the configuration file, which serves once. */
    public boolean letsInOnce() {
        return isSince(4, 4) || isSince(4, 3) && patch >= 1;
    }

    /** Whether its console lists properties with what they are for. */
    public boolean listsProperties() {
        return isSince(4, 5);
    }

    /** Whether it asks clients that have come for their software (XEP-0092). */
    public boolean asksForSoftware() {
        return isSince(4, 4);
    }

    @Override
    public String toString() {
        return major + "." + minor + "." + patch;
    }
}
