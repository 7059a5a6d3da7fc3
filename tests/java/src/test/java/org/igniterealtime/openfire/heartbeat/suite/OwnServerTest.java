package org.igniterealtime.openfire.heartbeat.suite;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.TestFactory;
import org.junit.jupiter.api.TestInstance;

/** The rows that have a server of their own each, beside each other: they too wait most of the time. */
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
final class OwnServerTest {
    /** Between the beginnings of two: plugins that go and come, all in one moment, would keep what is timed waiting. */
    private static final long APART_MS = 1_000;

    private final List<Site> sites = new ArrayList<>();
    private List<OwnRow> rows;

    @BeforeAll
    void start() {
        rows = Stream.of(OwnServerRows.all(), SmRows.own(), HttpRows.own(), LastActivityRows.own())
                .flatMap(List::stream)
                .map(OwnRow::chosen)
                .filter(row -> !row.rows().isEmpty())
                .toList();
        // All are up before the first row begins: a server that starts would be timed by the others.
        ExecutorService starters = Executors.newFixedThreadPool(3);
        rows.stream()
                .map(row -> CompletableFuture.supplyAsync(row::start, starters))
                .toList()
                .forEach(site -> sites.add(site.join()));
        starters.shutdown();
    }

    @AfterAll
    void stop() {
        Site.closeAll(sites);
    }

    @TestFactory
    @DisplayName("rows with a server of their own")
    List<DynamicTest> rows() throws InterruptedException {
        SideBySide all = new SideBySide();
        for (int i = 0; i < rows.size(); i++) {
            Thread.sleep(i == 0 ? 0 : APART_MS);
            all.play(rows.get(i).rows(), sites.get(i), rows.get(i).column());
        }
        return all.tests();
    }
}
