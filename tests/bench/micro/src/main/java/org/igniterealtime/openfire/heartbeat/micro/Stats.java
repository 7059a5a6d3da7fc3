package org.igniterealtime.openfire.heartbeat.micro;

import java.util.Arrays;

/** What was measured in several rounds: the least, the median and the most. */
record Stats(double min, double median, double max) {
    static Stats of(double... rounds) {
        double[] sorted = rounds.clone();
        Arrays.sort(sorted);
        int half = sorted.length / 2;
        double middle = sorted.length % 2 == 1 ? sorted[half] : (sorted[half - 1] + sorted[half]) / 2;
        return new Stats(sorted[0], middle, sorted[sorted.length - 1]);
    }

    /** A figure that is not measured, as a limit. */
    static Stats given(double value) {
        return new Stats(value, value, value);
    }

    /** Without what was measured of the same thing without the part that is meant. At least a tenth of a unit: not nothing. */
    Stats minus(Stats other) {
        return new Stats(
                Math.max(0.1, min - other.min),
                Math.max(0.1, median - other.median),
                Math.max(0.1, max - other.max));
    }
}
