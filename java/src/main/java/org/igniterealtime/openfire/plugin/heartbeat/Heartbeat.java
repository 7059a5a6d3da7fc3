package org.igniterealtime.openfire.plugin.heartbeat;

import java.io.File;
import java.nio.ByteBuffer;
import org.igniterealtime.openfire.plugin.heartbeat.http.HttpAdapter;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Everything that runs while the plugin is on. */
final class Heartbeat implements AutoCloseable {
    private static final Logger Log = LoggerFactory.getLogger(Heartbeat.class);

    /** Bytes of a recording. */
    private static final long MOST_RECORDED = 256L << 20;

    private final NativeCore core;
    private final Clock clock;
    private final Sessions sessions;
    private final Actions actions;
    private final Ticker ticker;
    private final OpenfireEvents events;
    private final Adapter adapter;
    private final HttpAdapter http;
    private final PolicyProperty policy;
    private final Recording recording;
    private final LastActivityListeners lastActivityListeners;
    private final LastActivityService lastActivityService;
    private final Journal journal;
    private final OfflineTimes offlineTimes;
    private final Plots plots;
    private final MachineAccess access = new MachineAccess();
    private final Statistics statistics;
    private final LastActivityQuery query;

    /** What was open before us is known, whoever has no connection that an adapter finds as well. Only who looks comes here. */
    private boolean adopted;

    private Heartbeat(NativeCore core, Clock clock, File home) {
        this.core = core;
        this.clock = clock;
        sessions = new Sessions(core, clock);
        lastActivityListeners = new LastActivityListeners(core);
        lastActivityService = new LastActivityService(core, lastActivityListeners);
        journal = new Journal(core, folder(home));
        offlineTimes = new OfflineTimes(core, folder(home), journal::isOnDisk);
        plots = new Plots(core, folder(home));
        statistics = new Statistics(core);
        query = new LastActivityQuery(core);
        policy = new PolicyProperty(core, offlineTimes::policyChanged);
        policy.apply();
        offlineTimes.policyChanged();
        actions = new Actions(core, clock, sessions, Actions::routeUnavailable);
        adapter = Adapters.create(sessions);
        http = new HttpAdapter(sessions);
        events = new OpenfireEvents(core, sessions, policy, lastActivityListeners, offlineTimes, this::findSoon);
        recording = new Recording(core, new File(home, "logs"), MOST_RECORDED);
        ticker = new Ticker(core, clock, actions, this::find, () -> {
            http.look();
            sessions.look();
            recording.look();
            plots.look();
        });
    }

    /** Where everything is kept, in Openfire's own folder. */
    static File folder(File home) {
        return new File(home, "heartbeat");
    }

    /** @param home Openfire's own folder */
    static Heartbeat start(NativeLibrary library, File home) {
        Clock clock = new Clock();
        NativeCore core = new NativeCore(clock.nowUs(), System.currentTimeMillis());
        Heartbeat heartbeat = null;
        try {
            heartbeat = new Heartbeat(core, clock, home);
            heartbeat.open();
        } catch (Throwable e) {
            if (heartbeat != null) {
                heartbeat.close();
            } else {
                core.close();
            }
            throw e;
        }
        Log.info("Heartbeat " + library.version() + " is on: native core for " + library.platform() + " from "
                + library.file() + ", policy " + heartbeat.policy.inForce());
        return heartbeat;
    }

    private void findSoon() {
        ticker.findSoon();
    }

    private void find() {
        adapter.look();
        if (!adopted) {
            sessions.adoptAll();
            adopted = true;
        }
    }

    NativeCore core() {
        return core;
    }

    long clockUs() {
        return clock.nowUs();
    }

    Journal journal() {
        return journal;
    }

    Plots plots() {
        return plots;
    }

    Ticker ticker() {
        return ticker;
    }

    /** A page of sessions; null when closed, or without memory for it. */
    SessionList list(SessionQuery query) {
        ByteBuffer listing = core.list(query);
        if (listing == null) {
            return null;
        }
        SessionList list = SessionList.read(listing);
        for (SessionRow row : list.rows()) {
            Watched watched = sessions.byToken(row.token());
            if (watched != null) {
                row.ask(watched);
            }
        }
        return list;
    }

    String jidOf(long token) {
        return sessions.jidOf(token);
    }

    /** Has an administrator's wish carried out. */
    HeartbeatPlugin.Asked ask(long token, int verb) {
        long answer = core.ask(token, verb);
        if (answer < 0) {
            return HeartbeatPlugin.Asked.OVER;
        }
        if (answer == 0) {
            return HeartbeatPlugin.Asked.NOTHING_TO_DO;
        }
        actions.submit(token, (int) (answer >>> 32), (int) answer);
        return HeartbeatPlugin.Asked.UNDER_WAY;
    }

    LastActivityService lastActivityService() {
        return lastActivityService;
    }

    private void open() {
        journal.start(offlineTimes::knowsMore);
        plots.open();
        lastActivityListeners.add(offlineTimes, null);
        // Events first: of what the adapter finds afterwards, none is missed.
        events.register();
        ticker.start();
        query.register();
        lastActivityListeners.start();
        lastActivityListeners.register();
        offlineTimes.start(journal.isWhole());
        access.register();
        statistics.register();
    }

    /**
     * Decides nothing any more, gives back, then ends: who answers is not heard any longer once the connections are
     * given back, and what comes after may wait for others. No step keeps another from being done.
     */
    @Override
    public void close() {
        step(access::unregister);
        step(statistics::unregister);
        step(ticker::close);
        step(actions::close);
        step(adapter::detach);
        step(http::detach);
        step(events::unregister);
        step(query::unregister);
        step(lastActivityListeners::unregister);
        step(lastActivityListeners::close);
        step(offlineTimes::close);
        step(recording::close);
        step(plots::close);
        step(journal::close);
        step(core::close);
    }

    private static void step(Runnable step) {
        try {
            step.run();
        } catch (RuntimeException | LinkageError | OutOfMemoryError e) {
            Log.error("Heartbeat could not be ended completely", e);
        }
    }
}
