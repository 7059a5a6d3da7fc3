package org.igniterealtime.openfire.heartbeat.suite;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import org.junit.jupiter.api.DynamicTest;

/** Plays rows at the same time, as most of them wait most of the time, and shows each as a test of its own. */
final class SideBySide {
    private final List<DynamicTest> tests = new ArrayList<>();

    /** The rows that were asked for by {@code -Drow=regular expression}; all of them if none was. */
    static List<Row> chosen(List<Row> rows) {
        String wanted = System.getProperty("row", "");
        return rows.stream().filter(row -> wanted.isEmpty() || row.name().matches(wanted)).toList();
    }

    /** Starts playing these rows on this site. */
    SideBySide play(List<Row> rows, Site site) {
        return play(rows, site, site.kind());
    }

    /** The same, for this column of the report. */
    SideBySide play(List<Row> rows, Site site, Site.Kind column) {
        for (Row row : rows) {
            Report.expect(row.name());
            CompletableFuture<Void> result = new CompletableFuture<>();
            Thread thread = new Thread(() -> play(row, site, column, result), column + " " + row.name());
            thread.setDaemon(true);
            thread.start();
            // Two tests of one name would be taken for two tries of one test.
            String name = column == Site.Kind.PLUGIN ? row.name() : row.name() + " (" + column.title + ")";
            tests.add(DynamicTest.dynamicTest(name, () -> await(result)));
        }
        return this;
    }

    private static void play(Row row, Site site, Site.Kind column, CompletableFuture<Void> result) {
        try (Stage stage = new Stage(site, row.name())) {
            try {
                row.play().on(stage);
                Report.note(row.name(), column, stage.seen());
                result.complete(null);
            } catch (AssertionError e) {
                Report.note(row.name(), column, "FAILED: " + e.getMessage());
                result.completeExceptionally(e);
            } catch (Throwable e) {
                Report.note(row.name(), column, "FAILED: " + e);
                // The summary at the end of a run shows the message, and not the name of the row.
                result.completeExceptionally(new AssertionError(row.name() + ", " + column.title + ": " + e, e));
            }
        }
    }

    private static void await(CompletableFuture<Void> result) throws Throwable {
        try {
            result.join();
        } catch (CompletionException e) {
            throw e.getCause();
        }
    }

    List<DynamicTest> tests() {
        return tests;
    }
}
