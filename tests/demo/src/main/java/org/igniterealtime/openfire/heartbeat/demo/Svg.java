package org.igniterealtime.openfire.heartbeat.demo;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** Draws lines of a terminal, with the escape sequences of {@link Paint}, as a picture. */
final class Svg {
    private static final double CHARACTER = 8.4;
    private static final int LINE = 18;
    private static final int MARGIN = 18;
    private static final Pattern ESCAPE = Pattern.compile("\033\\[([0-9;]*)m");
    /** Words with one space between them; wider gaps are columns, each of which gets its place. */
    private static final Pattern GROUP = Pattern.compile("\\S+(?: \\S+)*");

    private Svg() {}

    static void write(List<String> lines, Path file) throws IOException {
        int width = (int) Math.ceil(View.WIDTH * CHARACTER) + 2 * MARGIN;
        int height = lines.size() * LINE + 2 * MARGIN;
        StringBuilder svg = new StringBuilder();
        svg.append(String.format(
                "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %d\" width=\"%d\" height=\"%d\">%n",
                width, height, width, height));
        svg.append("<title>Openfire Heartbeat, the demo in a terminal</title>\n");
        svg.append(String.format("<rect width=\"%d\" height=\"%d\" rx=\"8\" fill=\"#0d1117\"/>%n", width, height));
        svg.append("<g font-family=\"ui-monospace, SFMono-Regular, Menlo, 'DejaVu Sans Mono', Consolas, monospace\""
                + " font-size=\"14\" fill=\"#d1d7e0\">\n");
        for (int i = 0; i < lines.size(); i++) {
            draw(lines.get(i), MARGIN + i * LINE + 13, svg);
        }
        svg.append("</g>\n</svg>\n");
        Files.write(file, svg.toString().getBytes(StandardCharsets.UTF_8));
    }

    private static void draw(String line, int y, StringBuilder svg) {
        Matcher escape = ESCAPE.matcher(line);
        String code = "";
        int column = 0;
        int from = 0;
        while (from < line.length()) {
            boolean found = escape.find(from);
            String run = line.substring(from, found ? escape.start() : line.length());
            draw(run, column, y, code, svg);
            column += run.length();
            code = found ? escape.group(1) : code;
            from = found ? escape.end() : line.length();
        }
    }

    private static void draw(String run, int column, int y, String code, StringBuilder svg) {
        Matcher group = GROUP.matcher(run);
        while (group.find()) {
            svg.append(String.format(
                    Locale.ROOT,
                    "<text x=\"%.1f\" y=\"%d\" textLength=\"%.1f\"%s>%s</text>%n",
                    MARGIN + (column + group.start()) * CHARACTER,
                    y,
                    group.group().length() * CHARACTER,
                    style(code),
                    group.group().replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")));
        }
    }

    private static String style(String code) {
        switch (code) {
            case "1":
                return " font-weight=\"bold\" fill=\"#ffffff\"";
            case "2":
                return " fill=\"#7d8590\"";
            case "1;31":
                return " font-weight=\"bold\" fill=\"#ff7b72\"";
            case "32":
                return " fill=\"#56d364\"";
            case "33":
                return " fill=\"#e3b341\"";
            case "36":
                return " fill=\"#76e3ea\"";
            default:
                return "";
        }
    }
}
