package org.igniterealtime.openfire.plugin.heartbeat;

import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import org.jivesoftware.openfire.XMPPServer;
import org.jivesoftware.openfire.container.Plugin;
import org.jivesoftware.openfire.container.PluginListener;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Tells listeners, from a thread of its own, what the core has noted since a second ago. */
final class LastActivityListeners implements PluginListener, AutoCloseable {
    private static final Logger Log = LoggerFactory.getLogger(LastActivityListeners.class);
    private static final long EVERY_MS = 1_000;
    private static final long END_MS = 5_000;

    private static final class Entry {
        final LastActivityListener listener;
        final Plugin owner;
        final RateLimit faults = new RateLimit();

        Entry(LastActivityListener listener, Plugin owner) {
            this.listener = listener;
            this.owner = owner;
        }
    }

    private final NativeCore core;
    private final List<Entry> entries = new CopyOnWriteArrayList<>();
    private final Queue<String> erased = new ConcurrentLinkedQueue<>();
    private final Thread thread = new Thread(this::run, "heartbeat-listeners");
    private final RateLimit faults = new RateLimit();
    private volatile boolean stopped;

    /** The core keeps note, since somebody listened for the first time. */
    private volatile boolean noted;

    LastActivityListeners(NativeCore core) {
        this.core = core;
        thread.setDaemon(true);
    }

    /** Not by the first who listens: a thread remembers whose code has started it, and keeps it from being unloaded. */
    void start() {
        thread.start();
    }

    void register() {
        XMPPServer.getInstance().getPluginManager().addPluginListener(this);
    }

    void unregister() {
        XMPPServer server = XMPPServer.getInstance();
        if (server != null && server.getPluginManager() != null) {
            server.getPluginManager().removePluginListener(this);
        }
    }

    synchronized void add(LastActivityListener listener, Plugin owner) {
        if (stopped) {
            return;
        }
        remove(listener);
        entries.add(new Entry(listener, owner));
        if (!noted) {
            // The first call takes nobody, and begins to keep note.
            core.gone();
            noted = true;
        }
    }

    synchronized void remove(LastActivityListener listener) {
        entries.removeIf(entry -> entry.listener == listener);
    }

    /** A user was erased. */
    void erased(String user) {
        if (!entries.isEmpty()) {
            erased.add(user);
        }
    }

    @Override
    public void pluginCreated(String pluginName, Plugin plugin) {
        // It listens if it likes.
    }

    /** Who goes hears nothing any more, and is not kept from being unloaded. */
    @Override
    public void pluginDestroyed(String pluginName, Plugin plugin) {
        entries.removeIf(entry -> entry.owner == plugin);
    }

    private void run() {
        while (!stopped) {
            try {
                TimeUnit.MILLISECONDS.sleep(EVERY_MS);
                tell();
            } catch (InterruptedException e) {
                if (!stopped) {
                    Log.warn("A listener interrupted the thread that tells it; it is told on");
                }
            } catch (Throwable e) {
                // Out of memory, say: they may have missed somebody, and go on hearing of the next.
                if (faults.allows()) {
                    Log.error("Listeners for last activity could not be told", e);
                }
                each(LastActivityListener::missed);
            }
        }
    }

    /** Tells what there is to be told. */
    void tell() {
        List<String> names = new ArrayList<>();
        for (String user = erased.poll(); user != null; user = erased.poll()) {
            names.add(user);
        }
        if (!names.isEmpty()) {
            List<String> told = Collections.unmodifiableList(names);
            each(listener -> listener.erased(told));
        }
        List<UserActivity> users;
        do {
            byte[] gone = noted ? core.gone() : null;
            users = gone == null ? Collections.emptyList() : UserActivity.readAll(gone, 1);
            if (!users.isEmpty()) {
                List<UserActivity> told = Collections.unmodifiableList(users);
                each(listener -> listener.ended(told));
            }
            if (gone != null && gone[0] != 0) {
                each(LastActivityListener::missed);
            }
        } while (users.size() == LastActivityService.MOST_LISTED && !stopped);
    }

    private void each(Consumer<LastActivityListener> call) {
        for (Entry entry : entries) {
            try {
                call.accept(entry.listener);
            } catch (Throwable e) {
                // Whatever it is, it is the listener's: the others are told, and it is told of the next.
                if (entry.faults.allows()) {
                    Log.error("A listener for last activity failed: {}", entry.listener.getClass().getName(), e);
                }
            }
        }
    }

    private synchronized void end() {
        stopped = true;
        entries.clear();
    }

    @Override
    public void close() {
        end();
        thread.interrupt();
        if (Thread.currentThread() == thread) {
            return;
        }
        try {
            thread.join(END_MS);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }
}
