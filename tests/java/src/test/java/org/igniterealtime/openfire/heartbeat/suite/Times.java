package org.igniterealtime.openfire.heartbeat.suite;

import java.util.Locale;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;
import java.util.List;

/** The times of the table, in seconds, and how exactly they are kept. */
final class Times {
    /** {@code xmpp.client.idle}: whoever is silent for so long is gone. */
    static final double T = 12;

    /** Decisions are made on ticks, once a second. */
    static final double TICK = 1;

    /** What threads, sockets and a busy machine may add. */
    static final double SLACK = 0.1;

    static final String T_MILLIS = Long.toString((long) (T * 1000));

    private Times() {}

    /** A ping comes after this much silence; at most one tick early. */
    static boolean isPingTime(double silence, double idle) {
        return silence >= idle - TICK && silence <= idle + SLACK;
    }

    /** A disconnect comes after this much silence; never early, at most one tick late. */
    static boolean isGoneTime(double silence, double gone) {
        return silence >= gone && silence <= gone + TICK + SLACK;
    }

    static double seconds(long from, long to) {
        return (to - from) / 1e9;
    }

    static void sleep(double seconds) {
        if (seconds <= 0) {
            return;
        }
        try {
            TimeUnit.NANOSECONDS.sleep((long) (seconds * 1e9));
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IllegalStateException(e);
        }
    }

    static void sleepUntil(long nanos) {
        sleep(seconds(System.nanoTime(), nanos));
    }

    /** The range of these numbers, as "5.2 to 6.0 s". */
    static String span(List<Double> seconds) {
        if (seconds.isEmpty()) {
            return "never";
        }
        double least = seconds.stream().mapToDouble(Double::doubleValue).min().orElseThrow();
        double most = seconds.stream().mapToDouble(Double::doubleValue).max().orElseThrow();
        String from = String.format(Locale.ROOT, "%.1f", least);
        String to = String.format(Locale.ROOT, "%.1f", most);
        return from.equals(to) ? from + " s" : from + " to " + to + " s";
    }

    static String list(List<Double> seconds) {
        return seconds.stream().map(s -> String.format(Locale.ROOT, "%.3f s", s)).collect(Collectors.joining(", "));
    }
}
