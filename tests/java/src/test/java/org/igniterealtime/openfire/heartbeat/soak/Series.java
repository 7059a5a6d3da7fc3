package org.igniterealtime.openfire.heartbeat.soak;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;

/**
 * What was measured of one thing over time, and whether it grows.
 *
 * <p>The rule: the slope is the median of the slopes of all pairs of samples after the warm-up (Theil and Sen), which a
 * sample that is far off does not move. What grows by it in the time measured must not be more than what is allowed, nor
 * what the least of the last fifth is above the least of the first.
 */
final class Series {
    private static final int FEWEST = 10;

    final String name;
    final String unit;
    /** How much the trend may grow from the end of the warm-up to the end. */
    final double allowed;
    private final List<Double> seconds = new ArrayList<>();
    private final List<Double> values = new ArrayList<>();

    Series(String name, String unit, double allowed) {
        this.name = name;
        this.unit = unit;
        this.allowed = allowed;
    }

    void add(double second, double value) {
        seconds.add(second);
        values.add(value);
    }

    int size() {
        return values.size();
    }

    double second(int i) {
        return seconds.get(i);
    }

    double value(int i) {
        return values.get(i);
    }

    /** The first sample after the warm-up. */
    int begin(double warmUp) {
        int begin = 0;
        while (begin < size() && second(begin) < warmUp) {
            begin++;
        }
        if (size() - begin < FEWEST) {
            throw new IllegalStateException(name + ": " + (size() - begin) + " samples after the warm-up are too few");
        }
        return begin;
    }

    /** Per second. */
    double slope(double warmUp) {
        int begin = begin(warmUp);
        int count = size() - begin;
        double[] slopes = new double[count * (count - 1) / 2];
        int next = 0;
        for (int i = begin; i < size(); i++) {
            for (int j = i + 1; j < size(); j++) {
                slopes[next++] = (value(j) - value(i)) / (second(j) - second(i));
            }
        }
        Arrays.sort(slopes);
        return (slopes[(next - 1) / 2] + slopes[next / 2]) / 2;
    }

    /** By the trend, from the end of the warm-up to the end. */
    double growth(double warmUp) {
        return slope(warmUp) * (second(size() - 1) - second(begin(warmUp)));
    }

    /** From the least of the first fifth to the least of the last: steps that are rare have no slope. */
    double rise(double warmUp) {
        int begin = begin(warmUp);
        int fifth = (size() - begin) / 5;
        return least(size() - fifth, size()) - least(begin, begin + fifth);
    }

    private double least(int from, int to) {
        return values.subList(from, to).stream().mapToDouble(Double::doubleValue).min().orElseThrow();
    }

    boolean grows(double warmUp) {
        return growth(warmUp) > allowed || rise(warmUp) > allowed;
    }

    String verdict(double warmUp) {
        return String.format(
                Locale.ROOT,
                "%-15s %10.2f to %10.2f %s, slope %+.3f per hour, %+.2f by it and %+.2f by its least in the time measured, allowed %.2f: %s",
                name, value(begin(warmUp)), value(size() - 1), unit, slope(warmUp) * 3600, growth(warmUp), rise(warmUp),
                allowed, grows(warmUp) ? "GROWS" : "flat");
    }
}
