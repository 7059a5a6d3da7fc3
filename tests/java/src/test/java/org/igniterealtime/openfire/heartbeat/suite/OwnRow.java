package org.igniterealtime.openfire.heartbeat.suite;

import java.util.function.UnaryOperator;
import org.igniterealtime.openfire.heartbeat.harness.OpenfireServer;

/** A row that needs a server of its own, as it changes what holds for all sessions. */
record OwnRow(String name, Site.Kind kind, UnaryOperator<OpenfireServer.Setup> settings, Row.Play play) {
    OwnRow(String name, Row.Play play) {
        this(name, setup -> setup, play);
    }

    OwnRow(String name, UnaryOperator<OpenfireServer.Setup> settings, Row.Play play) {
        this(name, Site.Kind.PLUGIN, settings, play);
    }

    Site start() {
        return Site.start(kind, settings.apply(Site.setup(name)), 1);
    }

    Row row() {
        return new Row(name, play);
    }
}
