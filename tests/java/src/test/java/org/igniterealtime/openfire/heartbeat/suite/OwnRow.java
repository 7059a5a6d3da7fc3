package org.igniterealtime.openfire.heartbeat.suite;

import java.util.List;
import java.util.function.UnaryOperator;
import org.igniterealtime.openfire.heartbeat.harness.OpenfireServer;

/** A row that needs a server of its own, as it changes what holds for all sessions; or some that can share one. */
record OwnRow(String server, Site.Kind kind, UnaryOperator<OpenfireServer.Setup> settings, List<Row> rows) {
    OwnRow(String name, Row.Play play) {
        this(name, setup -> setup, play);
    }

    OwnRow(String name, UnaryOperator<OpenfireServer.Setup> settings, Row.Play play) {
        this(name, Site.Kind.PLUGIN, settings, play);
    }

    OwnRow(String name, Site.Kind kind, UnaryOperator<OpenfireServer.Setup> settings, Row.Play play) {
        this(name, kind, settings, List.of(new Row(name, play)));
    }

    OwnRow(String server, UnaryOperator<OpenfireServer.Setup> settings, List<Row> rows) {
        this(server, Site.Kind.PLUGIN, settings, rows);
    }

    /** The same with those rows only that were asked for, which may be none. */
    OwnRow chosen() {
        return new OwnRow(server, kind, settings, SideBySide.chosen(rows));
    }

    Site start() {
        return Site.start(kind, settings.apply(Site.setup(server)), rows.size());
    }
}
