package org.igniterealtime.openfire.heartbeat.suite;

import java.util.List;
import java.util.function.UnaryOperator;
import org.igniterealtime.openfire.heartbeat.harness.OpenfireServer;

/** A row that needs a server of its own, as it changes what holds for all sessions; or some that can share one. */
record OwnRow(
        String server,
        Site.Kind kind,
        Site.Kind column,
        UnaryOperator<OpenfireServer.Setup> settings,
        List<Row> rows) {
    OwnRow(String name, Row.Play play) {
        this(name, setup -> setup, play);
    }

    OwnRow(String name, UnaryOperator<OpenfireServer.Setup> settings, Row.Play play) {
        this(name, Site.Kind.PLUGIN, settings, play);
    }

    OwnRow(String name, Site.Kind kind, UnaryOperator<OpenfireServer.Setup> settings, Row.Play play) {
        this(name, kind, Site.Kind.PLUGIN, settings, List.of(new Row(name, play)));
    }

    OwnRow(String server, UnaryOperator<OpenfireServer.Setup> settings, List<Row> rows) {
        this(server, Site.Kind.PLUGIN, Site.Kind.PLUGIN, settings, rows);
    }

    /** The same with those rows only that were asked for, which may be none. */
    OwnRow chosen() {
        return new OwnRow(server, kind, column, settings, SideBySide.chosen(rows));
    }

    /** The same on Openfire alone, for its column. */
    OwnRow alone() {
        return new OwnRow(server + "-alone", Site.Kind.ALONE, Site.Kind.ALONE, settings, rows);
    }

    Site start() {
        return Site.start(kind, settings.apply(Site.setup(server)), rows.size());
    }
}
