package org.igniterealtime.openfire.heartbeat.suite;

import com.google.gson.JsonObject;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import org.igniterealtime.openfire.heartbeat.harness.OpenfireServer;
import org.igniterealtime.openfire.heartbeat.harness.PingAnswer;
import org.igniterealtime.openfire.heartbeat.harness.RawClient;
import org.igniterealtime.openfire.heartbeat.harness.Timeline;

/** One row of the table, played on one server: its people, and what is made of what they saw. */
final class Stage implements AutoCloseable {
    private static final int SHOWN = 6;
    private static final double BETWEEN = 0.02;
    private static final double KEEP_ALIVE = 2;

    private final Site site;
    private final String row;
    private final List<RawClient> clients = new ArrayList<>();
    private final Set<String> differences = new LinkedHashSet<>();
    private String seen = "";
    private final Thread keeper = new Thread(this::keepAlive, "keep-alive");
    private volatile boolean begun;
    private long beginning = System.nanoTime();

    Stage(Site site, String row) {
        this.site = site;
        this.row = row;
        keeper.setDaemon(true);
        keeper.start();
    }

    /** Until all are in, nobody falls silent: it takes a while for a hundred to log in. */
    private void keepAlive() {
        while (!begun) {
            speak(0);
            Times.sleep(KEEP_ALIVE);
        }
    }

    /** Each client that has logged in sends a space. */
    private void speak(double between) {
        List<RawClient> present;
        synchronized (clients) {
            present = List.copyOf(clients);
        }
        for (RawClient client : present) {
            if (client.jid() != null) {
                client.send(" ");
                Times.sleep(between);
            }
        }
    }

    OpenfireServer server() {
        return site.server();
    }

    boolean hasPlugin() {
        return site.hasPlugin();
    }

    // ---- People.

    /** The user that plays this part in this row. */
    String user(String part) {
        return row + "-" + part;
    }

    /** The bare JID of that user. */
    String address(String part) {
        return user(part) + "@" + server().domain();
    }

    /** Makes users for these parts, and one called "contact" who may see each of them. */
    void people(String... parts) {
        people(List.of(parts));
    }

    void people(List<String> parts) {
        List<String> users = new ArrayList<>(parts.stream().map(this::user).toList());
        users.add(user("contact"));
        site.letIn(() -> {
            server().users(users);
            server().contacts(List.of(user("contact")), users.subList(0, users.size() - 1));
            return users;
        });
    }

    /** Logs in and sends available presence; pings stay unanswered. */
    RawClient login(String part) {
        return login(part, "phone");
    }

    RawClient login(String part, String resource) {
        return add(site.letIn(
                () -> RawClient.login(server().door(), user(part), resource).available()));
    }

    /** The same over TLS: direct, or after STARTTLS. */
    RawClient loginOverTls(String part, boolean direct) {
        return add(site.letIn(
                () -> RawClient.loginOverTls(server(), direct, user(part), "phone").available()));
    }

    RawClient contact() {
        return login("contact").answerPings(PingAnswer.RESULT);
    }

    RawClient add(RawClient client) {
        synchronized (clients) {
            clients.add(client);
        }
        return client;
    }

    /** Everyone is in. Returns when that holds for all rows; where the plugin is loaded late, it is loaded then. */
    void begin() throws InterruptedException {
        begin(BETWEEN, () -> {});
    }

    /** The same, with so many seconds between the last bytes of any two. */
    void begin(double between) throws InterruptedException {
        begin(between, () -> {});
    }

    /** The same, and this is done when all the others are in. */
    void begin(Runnable last) throws InterruptedException {
        begin(BETWEEN, last);
    }

    private void begin(double between, Runnable last) throws InterruptedException {
        site.awaitAllIn();
        begun = true;
        keeper.join();
        beginning = System.nanoTime();
        last.run();
        // The table counts from a last byte: let it be one from before the plugin, and not all due in one tick. Nobody is
        // so near to a ping that it comes while the others speak.
        speak(0);
        speak(between);
        site.awaitOpen();
    }

    /** When everyone was in: what was before does not matter. */
    long beginning() {
        return beginning;
    }

    /** What the plugin says of a session. */
    Optional<JsonObject> session(RawClient client) {
        return server().session(client.jid());
    }

    // ---- Judgement.

    /** Says in a few words what happened: a cell of the report. */
    void saw(String what) {
        seen = what;
    }

    String seen() {
        return differences.isEmpty() ? seen : seen + " - differs: " + String.join("; ", differences);
    }

    /** The plugin must keep this promise. Of Openfire alone it is only noted whether it does. */
    void must(boolean kept, String promise) {
        if (kept) {
            return;
        }
        if (!hasPlugin()) {
            differences.add("not true: " + promise);
            return;
        }
        fail(promise);
    }

    /** Openfire does this with or without the plugin. */
    void always(boolean held, String fact) {
        if (!held) {
            fail(fact);
        }
    }

    private void fail(String promise) {
        List<RawClient> shown;
        synchronized (clients) {
            shown = List.copyOf(clients.subList(0, Math.min(SHOWN, clients.size())));
        }
        fail(promise, shown);
    }

    /** Like {@link #must}, and shows these clients if not. */
    void must(boolean kept, String promise, RawClient... concerned) {
        if (!kept && hasPlugin()) {
            fail(promise, Arrays.asList(concerned));
        }
        must(kept, promise);
    }

    private void fail(String promise, List<RawClient> shown) {
        throw new AssertionError(row + ", " + site.kind().title + ": not true: " + promise + "\nseen: " + seen + "\n"
                + Timeline.of(shown, beginning));
    }

    @Override
    public void close() {
        if (!begun) {
            begun = true;
            site.absent();
        }
        synchronized (clients) {
            clients.forEach(RawClient::close);
        }
    }
}
