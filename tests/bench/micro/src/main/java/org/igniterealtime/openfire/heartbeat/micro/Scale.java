package org.igniterealtime.openfire.heartbeat.micro;

/** How much is measured: all of it, or so little that it only shows that it can be. */
enum Scale {
    FULL,
    SMOKE;

    int rounds(int full) {
        return this == FULL ? full : 2;
    }

    /** A number of things. */
    int of(int full) {
        return this == FULL ? full : Math.max(1, Math.min(full, 1 + full / 100));
    }
}
