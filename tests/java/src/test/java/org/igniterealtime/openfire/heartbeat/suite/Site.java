package org.igniterealtime.openfire.heartbeat.suite;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.function.Supplier;
import java.util.stream.Collectors;
import org.igniterealtime.openfire.heartbeat.harness.OpenfireServer;
import org.igniterealtime.openfire.heartbeat.harness.PingAnswer;
import org.igniterealtime.openfire.heartbeat.harness.Products;
import org.igniterealtime.openfire.heartbeat.harness.RawClient;

/** A server that rows of the table are played on. */
final class Site implements AutoCloseable {
    /** What the server has to do with the plugin; the text heads a column of the report. */
    enum Kind {
        ALONE("Openfire alone"),
        PLUGIN("with the plugin"),
        LATE("plugin loaded late");

        final String title;

        Kind(String title) {
            this.title = title;
        }
    }

    private static final long PATIENCE_SECONDS = 90;

    /** What the logins have set going shall be over before anything is timed. */
    private static final double REST = 1;

    /**
     * How many are let in at a time. More would not be faster, and could take all connections to the database, while each
     * of them holds one and asks for a second.
     */
    private static final int ENTRANCES = 4;

    /** How often a warm-up lets its clients come and go, until that is compiled: a hundred that end at once need it. */
    private static final int ROUNDS = 40;

    private final Kind kind;
    private final OpenfireServer server;
    private final Semaphore entrance = new Semaphore(ENTRANCES);
    private final CountDownLatch in;
    private final CountDownLatch ready;
    private final CountDownLatch open = new CountDownLatch(1);
    private final AtomicBoolean begun = new AtomicBoolean();
    private volatile RuntimeException failure;

    Site(Kind kind, OpenfireServer server, int rows) {
        this.kind = kind;
        this.server = server;
        this.in = new CountDownLatch(rows);
        this.ready = new CountDownLatch(rows);
    }

    /** The settings of a server for the table, to be changed where a row needs others. */
    static OpenfireServer.Setup setup(String name) {
        return OpenfireServer.named(name).set("xmpp.client.idle", Times.T_MILLIS);
    }

    /** A server for this number of rows. */
    static Site start(Kind kind, OpenfireServer.Setup setup, int rows) {
        if (kind == Kind.PLUGIN) {
            setup.plugin(Products.plugin());
        }
        OpenfireServer server = setup.start();
        if (kind == Kind.PLUGIN && !"null".equals(server.refusal())) {
            throw new IllegalStateException("the plugin refused to work: " + server.refusal());
        }
        warmUp(server);
        return new Site(kind, server, rows);
    }

    /** What a server does for the first time takes longer than what is timed here. */
    private static void warmUp(OpenfireServer server) {
        List<String> users = List.of("warm-up-contact", "warm-up-1", "warm-up-2", "warm-up-3");
        server.users(users);
        server.contacts(users.subList(0, 1), users.subList(1, users.size()));
        // It answers, as a slow machine may take longer than the shortest policy of a row waits for the silent.
        try (RawClient contact =
                RawClient.login(server.door(), users.get(0), "x").answerPings(PingAnswer.RESULT).available()) {
            for (int i = 0; i < ROUNDS; i++) {
                String resource = "x" + i;
                List<RawClient> clients = users.stream()
                        .skip(1)
                        .map(user -> RawClient.login(server.door(), user, resource).available())
                        .toList();
                clients.forEach(RawClient::reset);
                clients.forEach(client -> contact.awaitPresence(client.jid(), "unavailable"));
            }
        }
    }

    Kind kind() {
        return kind;
    }

    OpenfireServer server() {
        return server;
    }

    boolean hasPlugin() {
        return kind != Kind.ALONE;
    }

    /** Does what makes the server go to its database: to make users, and to log them in. */
    <A> A letIn(Supplier<A> work) {
        entrance.acquireUninterruptibly();
        try {
            return work.get();
        } finally {
            entrance.release();
        }
    }

    /** The clients of one row are in; returns when those of all rows are. */
    void awaitAllIn() throws InterruptedException {
        begin();
        in.countDown();
        await(in);
        Times.sleep(REST);
    }

    /** One row is ready; returns when it may begin: all rows are ready, and the plugin is loaded if it is a late one. */
    void awaitOpen() throws InterruptedException {
        ready.countDown();
        await(open);
        if (failure != null) {
            throw failure;
        }
    }

    /** One row will not come. */
    void absent() {
        begin();
        in.countDown();
        ready.countDown();
    }

    /** With the first row: the server may have waited long for other servers by then. */
    private void begin() {
        if (begun.compareAndSet(false, true)) {
            Thread opener = new Thread(this::openWhenAllAreReady, "opener");
            opener.setDaemon(true);
            opener.start();
        }
    }

    private static void await(CountDownLatch latch) throws InterruptedException {
        if (!latch.await(PATIENCE_SECONDS, TimeUnit.SECONDS)) {
            throw new IllegalStateException("the other rows do not get ready");
        }
    }

    private void openWhenAllAreReady() {
        try {
            await(ready);
            if (kind == Kind.LATE && !server.install(Products.plugin())) {
                throw new IllegalStateException("Openfire did not load the plugin");
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        } catch (RuntimeException e) {
            failure = e;
        }
        open.countDown();
    }

    @Override
    public void close() {
        server.close();
    }

    /** Closes all of them, and says of all what was wrong. */
    static void closeAll(List<Site> sites) {
        List<Throwable> wrong = new ArrayList<>();
        for (Site site : sites) {
            try {
                site.close();
            } catch (AssertionError | RuntimeException e) {
                wrong.add(e);
            }
        }
        if (!wrong.isEmpty()) {
            AssertionError all = new AssertionError("servers were not in order: "
                    + wrong.stream().map(Throwable::getMessage).collect(Collectors.joining("; ")));
            wrong.forEach(all::addSuppressed);
            throw all;
        }
    }
}
