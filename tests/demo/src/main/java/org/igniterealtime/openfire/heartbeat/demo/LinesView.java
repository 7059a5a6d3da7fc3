package org.igniterealtime.openfire.heartbeat.demo;

import java.io.PrintStream;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;

/** A line for each thing that happens, with how the user stands then: for logs, pipes and plain terminals. */
final class LinesView implements View {
    private static final String FORMAT = "%6s  %-6s  %-8s  %5s  %5s  %8s  %-14s  %-10s  ";
    private static final int STORY = 78;

    private final PrintStream out;
    private final Paint paint;
    private boolean begun;

    LinesView(PrintStream out, Paint paint) {
        this.out = out;
        this.paint = paint;
    }

    @Override
    public void show(Board board, List<Board.Moment> news, double seconds) {
        if (!begun) {
            begun = true;
            String top = String.format(FORMAT, "", "", "", "last", "", "round", "contact", "last");
            out.println(paint.in(Paint.Colour.DIM, top.stripTrailing()));
            out.println(paint.in(Paint.Colour.DIM, String.format(
                            FORMAT, "time", "who", "state", "read", "pings", "trip", "sees", "activity")
                    + "what happened, and why"));
        }
        for (Board.Moment moment : news) {
            Board.Row row = board.row(moment.who());
            if (row == null) {
                continue;
            }
            List<String> story = wrap(moment.what());
            String head = String.format(
                    Locale.ROOT,
                    FORMAT,
                    String.format(Locale.ROOT, "%.1f s", moment.at()),
                    View.fit(row.who(), 6),
                    row.state(),
                    row.read(),
                    row.pings(),
                    row.roundTrip(),
                    View.fit(row.sees(), 14),
                    row.activity());
            out.println(head + paint.in(Paint.of(moment), story.get(0)));
            for (String more : story.subList(1, story.size())) {
                out.println(" ".repeat(STORY) + paint.in(Paint.of(moment), more));
            }
        }
        out.flush();
    }

    private static List<String> wrap(String text) {
        List<String> lines = new ArrayList<>();
        StringBuilder line = new StringBuilder();
        for (String word : text.split(" ")) {
            if (line.length() > 0 && line.length() + 1 + word.length() > WIDTH - STORY) {
                lines.add(line.toString());
                line.setLength(0);
                line.append("  ");
            } else if (line.length() > 0) {
                line.append(' ');
            }
            line.append(word);
        }
        lines.add(line.toString());
        return lines;
    }
}
