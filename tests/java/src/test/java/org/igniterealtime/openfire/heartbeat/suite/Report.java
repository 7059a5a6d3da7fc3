package org.igniterealtime.openfire.heartbeat.suite;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.EnumMap;
import java.util.LinkedHashMap;
import java.util.Map;
import org.igniterealtime.openfire.heartbeat.harness.Installation;
import org.igniterealtime.openfire.heartbeat.harness.Products;

/** The columns side by side: what Openfire does alone, and what it does with the plugin. */
final class Report {
    private static final Map<String, Map<Site.Kind, String>> CELLS = new LinkedHashMap<>();

    private Report() {}

    static synchronized void expect(String row) {
        CELLS.computeIfAbsent(row, name -> new EnumMap<>(Site.Kind.class));
    }

    static synchronized void note(String row, Site.Kind column, String cell) {
        expect(row);
        CELLS.get(row).put(column, cell);
    }

    static synchronized boolean isEmpty() {
        return CELLS.isEmpty();
    }

    static synchronized String text() {
        StringBuilder text = new StringBuilder("# What was seen\n\nOpenfire ").append(Installation.used().version())
                .append(". T is ").append((int) Times.T)
                .append(" s: a ping is due at T/2, the end at T. \"Plugin loaded late\" is shown where it differs.\n\n");
        text.append("| row | Openfire alone | with the plugin |\n|---|---|---|\n");
        CELLS.forEach((row, cells) -> {
            String plugin = cells.getOrDefault(Site.Kind.PLUGIN, "");
            String late = cells.getOrDefault(Site.Kind.LATE, "");
            text.append("| ").append(row);
            text.append(" | ").append(cell(cells.getOrDefault(Site.Kind.ALONE, "")));
            text.append(" | ").append(cell(plugin));
            if (late.startsWith("FAILED")) {
                text.append(" (loaded late: ").append(cell(late)).append(')');
            }
            text.append(" |\n");
        });
        return text.toString();
    }

    private static String cell(String text) {
        return text.lines().findFirst().orElse("").replace("|", "\\|");
    }

    static synchronized Path write() {
        Path file = Products.folder("report").resolve("behaviour-" + Installation.used().version() + ".md");
        try {
            return Files.writeString(file, text());
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
