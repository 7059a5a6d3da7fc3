package org.igniterealtime.openfire.heartbeat.harness;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;

/** What some clients did and saw, in one list: for people who ask why a test failed. */
public final class Timeline {
    private static final int LONGEST = 200;

    private record Line(long at, String who, String what) {}

    private Timeline() {}

    public static String of(RawClient... clients) {
        return of(List.of(clients), Long.MIN_VALUE);
    }

    /** From this moment on ({@link System#nanoTime}). */
    public static String of(List<RawClient> clients, long since) {
        List<Line> lines = new ArrayList<>();
        for (RawClient client : clients) {
            for (Event event : client.events()) {
                if (event.at() < since) {
                    continue;
                }
                String what = event.toString();
                what = what.length() > LONGEST ? what.substring(0, LONGEST) + "..." : what;
                lines.add(new Line(event.at(), client.name(), what));
            }
        }
        lines.sort(Comparator.comparingLong(line -> line.at()));
        if (lines.isEmpty()) {
            return "  nothing happened\n";
        }
        long start = lines.get(0).at();
        StringBuilder text = new StringBuilder();
        for (Line line : lines) {
            text.append(String.format(
                    Locale.ROOT, "  %8.3f s  %-20s %s%n", (line.at() - start) / 1e9, line.who(), line.what()));
        }
        return text.toString();
    }
}
