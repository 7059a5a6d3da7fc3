package org.igniterealtime.openfire.heartbeat.suite;

import java.util.List;
import org.igniterealtime.openfire.heartbeat.harness.Event;
import org.igniterealtime.openfire.heartbeat.harness.RawClient;

/** What became of a client since its last byte. Times in seconds since then; NaN: it did not happen. */
record Fate(List<Double> pings, double streamError, double closingTag, double end, long endedAt) {

    static Fate of(RawClient client) {
        return of(client, client.lastSent());
    }

    /** The same, since some other moment. */
    static Fate of(RawClient client, long silent) {
        List<Double> pings = client.events(silent, Event::isPing).stream()
                .map(event -> Times.seconds(silent, event.at()))
                .toList();
        long ended = client.events(silent, Event::isOver).stream().mapToLong(Event::at).findFirst().orElse(0);
        return new Fate(
                pings,
                first(client, silent, event -> event.isStreamError("connection-timeout")),
                first(client, silent, event -> event.kind() == Event.Kind.CLOSED),
                first(client, silent, Event::isOver),
                ended);
    }

    private static double first(RawClient client, long since, java.util.function.Predicate<Event> which) {
        return client.events(since, which).stream()
                .mapToDouble(event -> Times.seconds(since, event.at()))
                .findFirst()
                .orElse(Double.NaN);
    }

    boolean hasStreamError() {
        return !Double.isNaN(streamError);
    }

    boolean hasClosingTag() {
        return !Double.isNaN(closingTag);
    }

    boolean hasEnded() {
        return !Double.isNaN(end);
    }
}
