package org.igniterealtime.openfire.heartbeat.demo;

import java.io.PrintStream;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Set;

/** A table that is drawn in place, and below it the latest of what happened. */
final class ScreenView implements View {
    private static final String LEFT = "%-6s  ";
    private static final String MANNER = "%-17s  ";
    private static final String STATE = "%-8s";
    private static final String RIGHT = "  %6s  %5s  %7s  %-15s  %-10s  ";
    /** Lines that are not of the story. */
    private static final int FIXED = 13;
    /** The fewest rows of a terminal that this is of use on. */
    static final int FEWEST = FIXED + 5;

    private static final int MOST = 15;
    private static final int BAR = 40;

    private final PrintStream out;
    private final Paint paint;
    /** Whether there is room for what they do. */
    private final boolean manners;

    private final int storyLines;
    private final List<Board.Moment> story = new ArrayList<>();
    private final Set<String> told = new HashSet<>();
    private List<String> frame = List.of();
    private boolean closed;

    /** rows and columns of the terminal, 0 if that is not known. */
    ScreenView(PrintStream out, Paint paint, int rows, int columns) {
        this.out = out;
        this.paint = paint;
        this.manners = columns == 0 || columns >= WIDTH;
        this.storyLines = rows == 0 ? MOST : Math.max(1, Math.min(MOST, rows - FIXED));
        // No cursor, and no wrapping: a line that is too long for the terminal shall not become two.
        out.print("\033[?25l\033[?7l");
    }

    @Override
    public synchronized void show(Board board, List<Board.Moment> news, double seconds) {
        if (closed) {
            return;
        }
        // The table counts; here is told what is new.
        news.stream().filter(moment -> told.add(moment.who() + moment.what())).forEach(story::add);
        StringBuilder text = new StringBuilder();
        if (!frame.isEmpty()) {
            text.append("\033[").append(frame.size()).append('A');
        }
        frame = draw(board.rows(), Math.min(seconds, Cast.SECONDS));
        for (String line : frame) {
            text.append('\r').append(line).append("\033[K\n");
        }
        out.print(text);
        out.flush();
    }

    /** What is on the screen. */
    List<String> frame() {
        return frame;
    }

    private List<String> draw(List<Board.Row> rows, double seconds) {
        List<String> lines = new ArrayList<>();
        int full = (int) Math.round(BAR * seconds / Cast.SECONDS);
        lines.add(paint.in(Paint.Colour.GREEN, "━".repeat(full))
                + paint.in(Paint.Colour.DIM, "─".repeat(BAR - full))
                + String.format(Locale.ROOT, "  %.0f s of %d s", seconds, Cast.SECONDS));
        lines.add("");
        lines.add(dim(left("", "") + String.format(STATE + RIGHT, "", "last", "", "round", "contact", "last")));
        lines.add(dim(left("who", "does")
                + String.format(STATE + RIGHT, "state", "read", "pings", "trip", "sees", "activity") + "why"));
        for (Board.Row row : rows) {
            lines.add(left(View.fit(row.who(), 6), row.manner())
                    + paint.in(Paint.of(row), String.format(STATE, row.state()))
                    + String.format(
                            RIGHT,
                            row.read(),
                            row.pings(),
                            row.roundTrip(),
                            View.fit(row.sees(), 15),
                            row.activity())
                    + row.why());
        }
        lines.add("");
        lines.add(dim("  time  who     what happened for the first time, and why"));
        int from = Math.max(0, story.size() - storyLines);
        for (Board.Moment moment : story.subList(from, story.size())) {
            lines.add(String.format(Locale.ROOT, "%4.1f s  %s  ", moment.at(), View.fit(moment.who(), 6))
                    + paint.in(Paint.of(moment), moment.what()));
        }
        // As many lines each time, so that the picture stands still.
        for (int missing = storyLines - (story.size() - from); missing > 0; missing--) {
            lines.add("");
        }
        return lines;
    }

    private String left(String who, String manner) {
        return String.format(LEFT, who) + (manners ? String.format(MANNER, manner) : "");
    }

    private String dim(String text) {
        return paint.in(Paint.Colour.DIM, text.stripTrailing());
    }

    /** Gives the terminal back as it was. The last frame stays. */
    synchronized void close() {
        if (!closed) {
            closed = true;
            out.print("\033[?7h\033[?25h");
            out.flush();
        }
    }
}
