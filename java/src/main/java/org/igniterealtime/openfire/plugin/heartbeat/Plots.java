package org.igniterealtime.openfire.plugin.heartbeat;

import java.io.File;
import java.util.Objects;
import java.util.concurrent.TimeUnit;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Has the core keep the data of the plots on disk. Without it they begin anew at each start, and nothing else is lost. */
final class Plots implements AutoCloseable {
    private static final Logger Log = LoggerFactory.getLogger(Plots.class);

    private static final long INTERVAL_NS = TimeUnit.MINUTES.toNanos(1);

    private final NativeCore core;
    private final File folder;
    private long savedNs = System.nanoTime();
    private volatile String trouble;

    Plots(NativeCore core, File folder) {
        this.core = core;
        this.folder = folder;
    }

    /** To be called before the first tick. */
    void open() {
        String said = core.seriesOpen(folder.getPath());
        for (String line : said == null ? new String[0] : said.split("\n", -1)) {
            if (!line.isEmpty()) {
                Log.warn("Plots: {}", line);
            }
        }
    }

    /** Why they are kept in memory only, or null if they are not. */
    String trouble() {
        return trouble;
    }

    /** Writes once a minute. */
    synchronized void look() {
        if (System.nanoTime() - savedNs >= INTERVAL_NS) {
            save();
        }
    }

    private void save() {
        savedNs = System.nanoTime();
        String error = core.seriesSave(folder.getPath());
        if (error != null && !Objects.equals(error, trouble)) {
            Log.error("The data of the plots are kept in memory only: {}", error);
        }
        trouble = error;
    }

    @Override
    public synchronized void close() {
        save();
    }
}
