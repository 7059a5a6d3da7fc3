package org.igniterealtime.openfire.plugin.heartbeat;

import java.io.File;
import java.sql.SQLException;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import org.jivesoftware.util.JiveGlobals;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Has the core keep last activity on disk, by a thread that may wait for it. What fails is logged once, and tried again:
 * meanwhile the core goes on in memory.
 */
final class Journal implements AutoCloseable {
    private static final Logger Log = LoggerFactory.getLogger(Journal.class);

    /** How long after an event it is on disk, at most; milliseconds. */
    static final String INTERVAL = "plugin.heartbeat.journal.interval";

    static final long INTERVAL_MS = 1_000;
    private static final long SHORTEST_MS = 50;
    private static final long LONGEST_MS = TimeUnit.HOURS.toMillis(1);
    private static final long OPEN_AGAIN_NS = TimeUnit.MINUTES.toNanos(1);
    private static final long END_MS = 10_000;

    private final NativeCore core;
    private final File folder;
    private final Thread thread = new Thread(this::run, "heartbeat-journal");
    private volatile boolean stopped;
    private boolean opened;
    private volatile boolean whole;

    /** null: it is opened for the first time. */
    private Consumer<Boolean> openedLater;

    /** Null: none was met. */
    private volatile String trouble;

    private volatile boolean onDisk;

    Journal(NativeCore core, File folder) {
        this.core = core;
        this.folder = folder;
        thread.setDaemon(true);
    }

    /**
     * What is on disk is known when it returns, if it can be read: to be called before sessions are watched.
     *
     * @param later is told once if it could be read later only: as of {@link #isWhole}
     */
    void start(Consumer<Boolean> later) {
        boolean first = isEmpty();
        open();
        if (opened && first) {
            whole = importFromOpenfire();
        }
        openedLater = later;
        thread.start();
    }

    /** Whether nothing was ever kept here; a key may have been put there. */
    private boolean isEmpty() {
        String[] kept = folder.list((at, name) -> name.startsWith("snapshot-") || name.startsWith("journal-"));
        return kept == null || kept.length == 0;
    }

    /** Whether what was known before is known. */
    boolean isWhole() {
        return whole;
    }

    /** Whether what the core knows is kept. */
    boolean isOnDisk() {
        return onDisk;
    }

    /** Why it is in memory only, in one line; null: it is on disk. */
    String trouble() {
        return trouble;
    }

    private void open() {
        String said = core.journalOpen(folder.getPath());
        String error = logLines(said);
        opened = error.isEmpty();
        // Of a journal no more than what was on its way to the disk is missing.
        whole = opened && !said.contains("damaged-snapshot-");
        if (opened && openedLater != null) {
            // Before it is said to be kept on disk: then it is written until when that was so.
            openedLater.accept(whole);
        }
        told(opened ? null : error);
    }

    private void flush() {
        String said = core.journalFlush();
        if (said != null) {
            String error = logLines(said.substring(1));
            told(said.charAt(0) == 1 ? null : error);
        }
    }

    /** Logs what the core says in whole lines. What comes after them is the answer. */
    private static String logLines(String said) {
        int end = said.lastIndexOf('\n') + 1;
        for (String line : said.substring(0, end).split("\n", -1)) {
            if (!line.isEmpty()) {
                Log.warn("Last activity: {}", line);
            }
        }
        return said.substring(end);
    }

    private void told(String error) {
        if (error == null) {
            if (trouble != null) {
                Log.info("Last activity is kept on disk again, in {}", folder);
            }
            trouble = null;
            onDisk = true;
        } else if (!error.isEmpty()) {
            if (!error.equals(trouble)) {
                Log.error("Last activity is kept in memory only, and is lost if the server dies: {}", error);
            }
            trouble = error;
            onDisk = false;
        }
    }

    /** What Openfire has noted of the users, before there was anything of ours. Whether it could be read. */
    private boolean importFromOpenfire() {
        int[] count = new int[1];
        try {
            new PresenceTable().later(0, (user, ms) -> {
                if (core.importUser(user, ms, null)) {
                    count[0]++;
                }
            });
            Log.info("Last activity of {} users was taken over from Openfire", count[0]);
            return true;
        } catch (SQLException e) {
            Log.error("Last activity could not be taken over from Openfire, {} users were; it is tried again", count[0], e);
            return false;
        }
    }

    private void run() {
        long triedNs = System.nanoTime();
        while (!stopped) {
            try {
                long interval = Math.max(
                        SHORTEST_MS, Math.min(LONGEST_MS, JiveGlobals.getLongProperty(INTERVAL, INTERVAL_MS)));
                // A tenth is the disk's.
                TimeUnit.MILLISECONDS.sleep(interval - interval / 10);
                if (opened) {
                    flush();
                } else if (System.nanoTime() - triedNs > OPEN_AGAIN_NS) {
                    open();
                    triedNs = System.nanoTime();
                }
            } catch (InterruptedException e) {
                return;
            } catch (RuntimeException | LinkageError | OutOfMemoryError e) {
                told(e.toString());
            }
        }
    }

    /** The core writes what is left when it is closed. */
    @Override
    public void close() {
        stopped = true;
        thread.interrupt();
        try {
            thread.join(END_MS);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }
}
