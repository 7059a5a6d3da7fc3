package org.igniterealtime.openfire.heartbeat.demo;

import java.util.List;

/** How the board is shown. Lines are at most {@link #WIDTH} characters wide. */
interface View {
    int WIDTH = 110;

    void show(Board board, List<Board.Moment> news, double seconds);

    /** Cuts or pads to a width. */
    static String fit(String text, int width) {
        return text.length() > width ? text.substring(0, width) : text + " ".repeat(width - text.length());
    }
}
