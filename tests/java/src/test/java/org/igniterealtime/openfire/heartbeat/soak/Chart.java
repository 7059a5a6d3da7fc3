package org.igniterealtime.openfire.heartbeat.soak;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;

/** Draws series below each other, each from 0 to its most, the warm-up shaded. */
final class Chart {
    private static final int WIDTH = 720;
    private static final int HEIGHT = 90;
    private static final int LEFT = 20;
    private static final int HEAD = 22;

    private Chart() {}

    static void write(String title, List<Series> all, double warmUp, Path file) throws IOException {
        StringBuilder svg = new StringBuilder();
        int height = HEAD + all.size() * (HEIGHT + HEAD) + 10;
        svg.append(String.format(
                Locale.ROOT,
                "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %d\" font-family=\"sans-serif\" font-size=\"12\">%n"
                        + "<rect width=\"100%%\" height=\"100%%\" fill=\"white\"/>%n<text x=\"%d\" y=\"15\">%s</text>%n",
                WIDTH + 2 * LEFT, height, LEFT, title));
        int top = HEAD;
        for (Series series : all) {
            draw(series, warmUp, top, svg);
            top += HEIGHT + HEAD;
        }
        Files.writeString(file, svg.append("</svg>\n"));
    }

    private static void draw(Series series, double warmUp, int top, StringBuilder svg) {
        double end = series.second(series.size() - 1);
        double most = 1e-9;
        for (int i = 0; i < series.size(); i++) {
            most = Math.max(most, series.value(i));
        }
        int floor = top + HEAD + HEIGHT;
        svg.append(String.format(
                Locale.ROOT,
                "<text x=\"%d\" y=\"%d\">%s: at most %.2f %s, slope %+.3f per hour%s</text>%n"
                        + "<rect x=\"%d\" y=\"%d\" width=\"%.1f\" height=\"%d\" fill=\"#eee\"/>%n",
                LEFT, top + HEAD - 6, series.name, most, series.unit, series.slope(warmUp) * 3600,
                series.grows(warmUp) ? ", GROWS" : "", LEFT, top + HEAD, WIDTH * warmUp / end, HEIGHT));
        svg.append("<polyline fill=\"none\" stroke=\"")
                .append(series.grows(warmUp) ? "#c00" : "#06c")
                .append("\" points=\"");
        for (int i = 0; i < series.size(); i++) {
            svg.append(String.format(
                    Locale.ROOT, "%.1f,%.1f ", LEFT + WIDTH * series.second(i) / end, floor - HEIGHT * series.value(i) / most));
        }
        svg.append(String.format("\"/>%n<path stroke=\"#999\" d=\"M%d %dh%d\"/>%n", LEFT, floor, WIDTH));
    }
}
