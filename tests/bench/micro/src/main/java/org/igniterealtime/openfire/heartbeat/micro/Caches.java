package org.igniterealtime.openfire.heartbeat.micro;

/** Empties the processor's caches, as a busy server does between two ticks. */
final class Caches {
    /** Several times what they hold. */
    private static final int BYTES = 128 << 20;

    private static final long[] OTHER = new long[BYTES / Long.BYTES];

    private Caches() {}

    static synchronized void flush() {
        long sum = 0;
        for (int i = 0; i < OTHER.length; i += 8) {
            sum += OTHER[i]++;
        }
        Contest.consumed = sum;
    }
}
