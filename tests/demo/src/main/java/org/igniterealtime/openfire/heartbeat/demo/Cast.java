package org.igniterealtime.openfire.heartbeat.demo;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import org.igniterealtime.openfire.heartbeat.harness.Event;
import org.igniterealtime.openfire.heartbeat.harness.OpenfireServer;
import org.igniterealtime.openfire.heartbeat.harness.PingAnswer;
import org.igniterealtime.openfire.heartbeat.harness.RawClient;

/** Five clients on one server, each with a way of its own to be or not to be there, and a contact who watches them. */
final class Cast {
    static final List<String> NAMES = List.of("alice", "bob", "carol", "dave", "erin");
    static final String WATCHER = "watcher";
    /** For those who want to join with a client of their own. */
    static final String GUEST = "guest";

    static final String FAREWELL = "Lunch";

    private static final int SPACE_SECONDS = 6;
    private static final int LOGOUT_SECONDS = 8;
    private static final int RESET_SECONDS = 13;
    /** The next to happen would be another ping for everyone: nothing new. */
    static final int SECONDS = 31;

    /** What a client did, beside logging in and answering. */
    record Deed(long at, String who, String what) {}

    private final OpenfireServer server;
    private final Map<String, RawClient> clients = new LinkedHashMap<>();
    private final Map<String, String> manners = new ConcurrentHashMap<>();
    private final List<Deed> deeds = new ArrayList<>();
    private final ScheduledExecutorService clock;
    private RawClient watcher;
    private long start;

    Cast(OpenfireServer server) {
        this.server = server;
        clock = Executors.newSingleThreadScheduledExecutor(task -> {
            Thread thread = new Thread(task, "clients of " + server.domain());
            thread.setDaemon(true);
            return thread;
        });
    }

    /** Logs everyone in and sets the clock going; all that follows happens by itself. */
    void play() {
        List<String> everyone = new ArrayList<>(NAMES);
        everyone.add(WATCHER);
        everyone.add(GUEST);
        server.users(everyone);
        server.contacts(NAMES, List.of(WATCHER, GUEST));
        server.contacts(List.of(WATCHER), List.of(GUEST));

        watcher = RawClient.login(server.door(), WATCHER, "desk").answerPings(PingAnswer.RESULT).available();
        start = System.nanoTime();
        enter("alice", PingAnswer.RESULT, "answers pings");
        enter("bob", PingAnswer.NOTHING, "went silent");
        enter("carol", PingAnswer.NOTHING, "a space every " + SPACE_SECONDS + " s");
        clock.scheduleAtFixedRate(this::sendSpace, SPACE_SECONDS, SPACE_SECONDS, TimeUnit.SECONDS);
        enter("dave", PingAnswer.RESULT, "answers pings");
        enter("erin", PingAnswer.RESULT, "answers pings");
        long late = System.nanoTime() - start;
        clock.schedule(this::logOut, TimeUnit.SECONDS.toNanos(LOGOUT_SECONDS) - late, TimeUnit.NANOSECONDS);
        clock.schedule(this::reset, TimeUnit.SECONDS.toNanos(RESET_SECONDS) - late, TimeUnit.NANOSECONDS);
    }

    private void enter(String name, PingAnswer answer, String manner) {
        RawClient client = RawClient.login(server.door(), name, "phone").answerPings(answer);
        clients.put(name, client);
        manners.put(name, manner);
        note(name, "logged in");
        client.available();
    }

    private void sendSpace() {
        client("carol").send(" ");
        note("carol", "sent a space");
    }

    private void logOut() {
        RawClient erin = client("erin");
        note("erin", "logs out, status \"" + FAREWELL + "\"");
        erin.unavailable(FAREWELL);
        erin.closeStream();
        manners.put("erin", "logged out at " + LOGOUT_SECONDS + " s");
    }

    private void reset() {
        note("dave", "cut off: TCP reset");
        client("dave").reset();
        manners.put("dave", "cut off at " + RESET_SECONDS + " s");
    }

    private void note(String who, String what) {
        synchronized (deeds) {
            deeds.add(new Deed(System.nanoTime(), who, what));
        }
    }

    OpenfireServer server() {
        return server;
    }

    RawClient client(String name) {
        return clients.get(name);
    }

    RawClient watcher() {
        return watcher;
    }

    /** What this client does at the moment, for people to read. */
    String manner(String name) {
        return manners.getOrDefault(name, "");
    }

    List<Deed> deeds() {
        synchronized (deeds) {
            return List.copyOf(deeds);
        }
    }

    /** When a client did this, or null. */
    Long when(String who, String what) {
        return deeds().stream()
                .filter(deed -> deed.who().equals(who) && deed.what().startsWith(what))
                .map(Deed::at)
                .findFirst()
                .orElse(null);
    }

    /** Everything that the watcher was told of the others' presence, in order. */
    List<Event> told() {
        return watcher.events(event -> (event.isPresence(null) || event.isPresence("unavailable"))
                && !userOf(event).equals(WATCHER));
    }

    static String userOf(Event presence) {
        return presence.stanza().attribute("from").split("@", 2)[0];
    }

    /** A presence as a contact's client would show it. */
    static String shown(Event presence) {
        String status = presence.stanza().text("status");
        return (presence.isPresence(null) ? "online" : "offline") + (status == null ? "" : ": " + status);
    }

    /** Seconds since the clients began to come. */
    double seconds(long nanoTime) {
        return (nanoTime - start) / 1e9;
    }

    void leave() {
        clock.shutdownNow();
        clients.values().forEach(RawClient::close);
        if (watcher != null) {
            watcher.close();
        }
    }
}
