package org.igniterealtime.openfire.heartbeat.micro;

import java.util.ArrayList;
import java.util.List;

/**
 * Runs contestants in turns: whatever the machine does meanwhile, it does to all of them. Rounds are short and many; the
 * first ones, in which the JVM compiles, do not count.
 */
final class Contest {
    /** What is computed goes in here, so that nothing is found to be of no use and left out. */
    static volatile long consumed;

    @FunctionalInterface
    interface Contestant {
        /** Runs once, and returns what one operation cost. */
        double run() throws Exception;
    }

    private final List<Contestant> contestants = new ArrayList<>();

    /** Returns its number. */
    int add(Contestant contestant) {
        contestants.add(contestant);
        return contestants.size() - 1;
    }

    /** The figures of each, by number. */
    Stats[] run(int warmUp, int rounds) throws Exception {
        int count = contestants.size();
        double[][] figures = new double[count][rounds];
        for (int round = -warmUp; round < rounds; round++) {
            for (int i = 0; i < count; i++) {
                // Another one begins each round.
                int turn = Math.floorMod(i + round, count);
                double figure = contestants.get(turn).run();
                if (round >= 0) {
                    figures[turn][round] = figure;
                }
            }
        }
        Stats[] all = new Stats[count];
        for (int i = 0; i < count; i++) {
            all[i] = Stats.of(figures[i]);
        }
        return all;
    }

    /** Nanoseconds of wall time per operation. */
    static double nanosPer(long operations, Runnable work) {
        long start = System.nanoTime();
        work.run();
        return (double) (System.nanoTime() - start) / operations;
    }
}
