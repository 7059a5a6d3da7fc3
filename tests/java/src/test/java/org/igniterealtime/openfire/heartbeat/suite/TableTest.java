package org.igniterealtime.openfire.heartbeat.suite;

import java.util.List;
import java.util.Locale;
import java.util.concurrent.CompletableFuture;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.DynamicContainer;
import org.junit.jupiter.api.TestFactory;
import org.junit.jupiter.api.TestInstance;

/** The rows of the table on three servers at once: Openfire alone, with the plugin, and with the plugin loaded late. */
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
final class TableTest {
    private List<Row> rows;
    private List<Site> sites;

    @BeforeAll
    void start() {
        rows = SideBySide.chosen(Stream.of(Rows.all(), TlsRows.all(), SmRows.all()).flatMap(List::stream).toList());
        sites = Stream.of(Site.Kind.values())
                .filter(kind -> kind.name().matches(System.getProperty("columns", ".*")))
                .map(kind -> CompletableFuture.supplyAsync(
                        () -> Site.start(kind, Site.setup(kind.name().toLowerCase(Locale.ROOT)).tls(), rows.size())))
                .toList()
                .stream()
                .map(CompletableFuture::join)
                .toList();
    }

    @AfterAll
    void stop() {
        Site.closeAll(sites);
    }

    @TestFactory
    @DisplayName("the table")
    Stream<DynamicContainer> table() {
        return sites.stream()
                .map(site -> DynamicContainer.dynamicContainer(
                        site.kind().title, new SideBySide().play(rows, site).tests()))
                .toList()
                .stream();
    }
}
