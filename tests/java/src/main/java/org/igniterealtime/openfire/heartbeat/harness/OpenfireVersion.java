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

    @Override
    public String toString() {
        return major + "." + minor + "." + patch;
    }
}
