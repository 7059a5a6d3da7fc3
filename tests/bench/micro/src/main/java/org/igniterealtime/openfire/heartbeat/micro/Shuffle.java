package org.igniterealtime.openfire.heartbeat.micro;

import java.util.Random;

/** Orders in which nothing lies beside what came before. */
final class Shuffle {
    private Shuffle() {}

    /** 0 to count - 1, the same for the same seed. */
    static int[] of(int count, long seed) {
        int[] order = new int[count];
        for (int i = 0; i < count; i++) {
            order[i] = i;
        }
        Random random = new Random(seed);
        for (int i = count - 1; i > 0; i--) {
            int other = random.nextInt(i + 1);
            int kept = order[i];
            order[i] = order[other];
            order[other] = kept;
        }
        return order;
    }
}
