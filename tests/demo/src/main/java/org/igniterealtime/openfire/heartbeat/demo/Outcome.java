package org.igniterealtime.openfire.heartbeat.demo;

import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.igniterealtime.openfire.heartbeat.harness.Event;
import org.igniterealtime.openfire.heartbeat.harness.OpenfireServer;
import org.igniterealtime.openfire.heartbeat.harness.RawClient;

/** What became of one client, as it and the contact saw it. Times are in seconds. */
final class Outcome {
    private static final Pattern SECONDS = Pattern.compile("seconds=[\"'](-?\\d+)");

    private final Cast cast;
    private final RawClient client;

    Outcome(Cast cast, String who) {
        this.cast = cast;
        this.client = cast.client(who);
    }

    /** For each ping, the silence before it. */
    List<Double> pings() {
        List<Double> silences = new ArrayList<>();
        client.pings().forEach(ping -> silences.add(silenceBefore(ping)));
        return silences;
    }

    /** The silence after which the connection ended; null: it did not. */
    Double end() {
        List<Event> ends = client.events(Event::isOver);
        return ends.isEmpty() ? null : silenceBefore(ends.get(0));
    }

    private double silenceBefore(Event event) {
        long last = event.at();
        for (Event sent : client.events(each -> each.kind() == Event.Kind.SENT && each.at() <= event.at())) {
            last = sent.at();
        }
        return (event.at() - last) / 1e9;
    }

    boolean isConnected() {
        return !client.isOver();
    }

    boolean gotError() {
        return !client.events(event -> event.isStreamError("connection-timeout")).isEmpty();
    }

    boolean gotEndOfStream() {
        return !client.events(event -> event.kind() == Event.Kind.CLOSED).isEmpty();
    }

    /** When its connection ended, by its own clock; null: it did not. */
    Long endedAt() {
        List<Event> ends = client.events(Event::isOver);
        return ends.isEmpty() ? null : Long.valueOf(ends.get(0).at());
    }

    List<Event> unavailable() {
        return cast.watcher().presences(address(), "unavailable");
    }

    /** What the contact saw last. */
    String seen() {
        String seen = "nothing";
        for (Event presence : cast.told()) {
            seen = Cast.userOf(presence).equals(client.user()) ? Cast.shown(presence) : seen;
        }
        return seen;
    }

    /** How far a wall time is from the last byte that the client sent. */
    double distance(long wallMillis) {
        long lastSent = System.currentTimeMillis() - (System.nanoTime() - client.lastSent()) / 1_000_000;
        return Math.abs(wallMillis - lastSent) / 1e3;
    }

    /** When a user was last there, as wall time, and the status left behind or null. */
    record Last(long seenMillis, String status) {}

    /** What Openfire itself tells a contact who asks (XEP-0012). */
    Last lastActivityOfOpenfire() {
        String id = "last-" + client.user() + "-" + System.nanoTime();
        cast.watcher()
                .send("<iq type='get' id='" + id + "' to='" + address() + "'><query xmlns='jabber:iq:last'/></iq>");
        Event answer = cast.watcher()
                .await("last activity", event -> event.isStanza("iq") && id.equals(event.stanza().attribute("id")));
        Matcher seconds = SECONDS.matcher(answer.stanza().toString());
        if (!seconds.find()) {
            return null;
        }
        return new Last(
                System.currentTimeMillis() - Long.parseLong(seconds.group(1)) * 1000, answer.stanza().text("query"));
    }

    private String address() {
        OpenfireServer server = cast.server();
        return client.user() + "@" + server.domain();
    }

    static String text(double seconds) {
        return String.format(Locale.ROOT, "%.1f s", seconds);
    }
}
