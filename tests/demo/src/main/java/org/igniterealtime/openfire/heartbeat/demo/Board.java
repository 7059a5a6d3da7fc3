package org.igniterealtime.openfire.heartbeat.demo;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.function.Predicate;
import org.igniterealtime.openfire.heartbeat.demo.PluginView.Activity;
import org.igniterealtime.openfire.heartbeat.demo.PluginView.Decision;
import org.igniterealtime.openfire.heartbeat.demo.PluginView.Session;
import org.igniterealtime.openfire.heartbeat.harness.Event;
import org.igniterealtime.openfire.heartbeat.harness.RawClient;

/** Puts together what the plugin says, what the clients do and what the contact sees. Used by one thread. */
final class Board {
    /** One user, in words. */
    record Row(
            String who,
            String manner,
            String state,
            String read,
            String pings,
            String roundTrip,
            String sees,
            String activity,
            String why) {}

    enum Source {
        CLIENT,
        PLUGIN,
        CONTACT
    }

    /** Something that happened to a user: in the plugin's view, at a client, or in the contact's eyes. */
    record Moment(double at, String who, Source source, String what) {}

    private final Cast cast;
    private final Set<String> names = new LinkedHashSet<>(Cast.NAMES);
    private final Map<String, Row> rows = new LinkedHashMap<>();
    private final Map<String, Integer> pings = new HashMap<>();
    private final Map<String, Decision> lastDecisions = new HashMap<>();
    private final Map<String, Double> roundTrips = new HashMap<>();
    private final Map<String, String> ends = new HashMap<>();
    private final Map<String, String> sights = new HashMap<>();
    private long nextDecision;
    private int nextDeed;
    private int nextPresence;

    Board(Cast cast) {
        this.cast = cast;
    }

    List<Row> rows() {
        return List.copyOf(rows.values());
    }

    Row row(String who) {
        return rows.get(who);
    }

    /** How many pings the plugin decided to send to this user. */
    int pings(String who) {
        return pings.getOrDefault(who, 0);
    }

    Double roundTrip(String who) {
        return roundTrips.get(who);
    }

    /** Looks at everything anew, and returns what happened since the last time. */
    List<Moment> update() {
        PluginView view = PluginView.of(cast.server());
        double now = cast.seconds(System.nanoTime());
        List<Moment> news = new ArrayList<>();

        List<Cast.Deed> deeds = cast.deeds();
        for (; nextDeed < deeds.size(); nextDeed++) {
            Cast.Deed deed = deeds.get(nextDeed);
            news.add(new Moment(cast.seconds(deed.at()), deed.who(), Source.CLIENT, deed.what()));
        }
        for (Decision decision : view.decisions()) {
            if (decision.number() >= nextDecision && !decision.user().equals(Cast.WATCHER)) {
                news.add(decided(decision, now));
            }
            nextDecision = Math.max(nextDecision, decision.number() + 1);
        }
        List<Event> told = cast.told();
        for (; nextPresence < told.size(); nextPresence++) {
            Event presence = told.get(nextPresence);
            String who = Cast.userOf(presence);
            sights.put(who, Cast.shown(presence));
            news.add(new Moment(
                    cast.seconds(presence.at()), who, Source.CONTACT, "the contact sees: " + Cast.shown(presence)));
        }
        view.sessions().keySet().stream().filter(name -> !name.equals(Cast.WATCHER)).forEach(names::add);
        for (String name : names) {
            Activity activity = PluginView.activity(cast.server(), name);
            Session session = view.sessions().get(name);
            noteEnd(name, session, activity, now, news);
            rows.put(name, row(name, session, activity));
        }
        news.sort(Comparator.comparingDouble(Moment::at));
        return news;
    }

    private Moment decided(Decision decision, double now) {
        String who = decision.user();
        lastDecisions.put(who, decision);
        RawClient client = cast.client(who);
        // The plugin counts time in whole seconds; what the client saw of it is more exact.
        Event seen = null;
        if (decision.action().equals("ping")) {
            int count = pings.merge(who, 1, Integer::sum);
            seen = client == null ? null : nth(client, Event::isPing, count);
        } else if (decision.action().equals("close")) {
            seen = client == null ? null : nth(client, event -> event.isStanza("stream:error"), 1);
        }
        double at = seen == null ? now : cast.seconds(seen.at());
        return new Moment(at, who, Source.PLUGIN, decision.action() + ": " + decision.meaning());
    }

    private static Event nth(RawClient client, Predicate<Event> which, int number) {
        List<Event> events = client.events(which);
        return events.size() < number ? null : events.get(number - 1);
    }

    private void noteEnd(String name, Session session, Activity activity, double now, List<Moment> news) {
        if (session != null) {
            ends.remove(name);
        } else if (activity != null && !activity.online() && ends.put(name, activity.why()) == null) {
            news.add(new Moment(now, name, Source.PLUGIN, "session over: " + activity.why()));
        }
    }

    private Row row(String name, Session session, Activity activity) {
        Decision decision = lastDecisions.get(name);
        String why = decision == null ? "" : decision.action() + ": " + decision.why();
        if (ends.containsKey(name) && (decision == null || !decision.why().equals(ends.get(name)))) {
            why = ends.get(name);
        }
        if (session != null && session.roundTripMillis() != null) {
            roundTrips.put(name, session.roundTripMillis());
        }
        Double roundTrip = roundTrips.get(name);
        return new Row(
                name,
                cast.manner(name),
                session != null ? session.state() : activity != null ? "gone" : "",
                session != null ? session.silentSeconds() + " s" : "",
                Integer.toString(pings(name)),
                roundTrip == null ? "" : String.format(Locale.ROOT, "%.1f ms", roundTrip),
                sights.getOrDefault(name, ""),
                activity == null ? "" : ago(activity.agoMillis()),
                why);
    }

    private static String ago(long millis) {
        long seconds = millis / 1000;
        return seconds < 120 ? seconds + " s ago" : seconds / 60 + " min ago";
    }
}
