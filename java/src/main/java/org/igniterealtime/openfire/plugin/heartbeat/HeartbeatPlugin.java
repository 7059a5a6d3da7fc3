package org.igniterealtime.openfire.plugin.heartbeat;

import java.io.File;
import org.igniterealtime.openfire.plugin.heartbeat.commands.AdminCommands;
import org.jivesoftware.openfire.container.Plugin;
import org.jivesoftware.openfire.container.PluginManager;
import org.jivesoftware.util.JiveGlobals;
import org.jivesoftware.util.PropertyEventDispatcher;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The plugin as Openfire sees it. If anything is in the way it says so in one line, and Openfire is left as it was: a
 * plugin that throws would be tried five times. It can be switched off, and on again, by a property.
 *
 * <p>Threads: any.
 */
public final class HeartbeatPlugin implements Plugin, PropertyWatcher {
    private static final Logger Log = LoggerFactory.getLogger(HeartbeatPlugin.class);

    /** {@code false}: Openfire's own handling is in charge, as if the plugin were not there. It is obeyed at once. */
    public static final String ENABLED = "plugin.heartbeat.enabled";

    /** The policy ({@code docs/policy.md}). */
    public static final String POLICY = PolicyProperty.POLICY;

    /** For the pages: Openfire makes them, and tells them nothing. */
    private static volatile HeartbeatPlugin loaded;

    private volatile Heartbeat running;
    private volatile String refusal;

    /** Once it is loaded; it stays for as long as the classes. */
    private volatile NativeLibrary library;

    private File home;
    private AdminCommands commands;

    /** The plugin while it is loaded, else null. */
    public static HeartbeatPlugin loaded() {
        return loaded;
    }

    @Override
    public void initializePlugin(PluginManager manager, File pluginFolder) {
        home = homeOf(pluginFolder);
        loaded = this;
        SystemProperties.register();
        try {
            String reason = Adapters.refusal();
            if (reason == null) {
                commands = new AdminCommands(this);
                commands.register();
                NativeLibrary found = NativeLibrary.load(pluginFolder);
                reason = found.refusal();
                if (reason == null) {
                    library = found;
                    PropertyEventDispatcher.addListener(this);
                    obey();
                }
            }
            if (reason != null) {
                refuse(reason, null);
            }
        } catch (Throwable e) {
            refuse("it could not start: " + e, e);
        }
    }

    /** The plugin lies in HOME/plugins/heartbeat; Openfire's own way to ask for its home is not the same in all versions. */
    private static File homeOf(File pluginFolder) {
        return pluginFolder.getAbsoluteFile().getParentFile().getParentFile();
    }

    @Override
    public void destroyPlugin() {
        if (library != null) {
            PropertyEventDispatcher.removeListener(this);
        }
        synchronized (this) {
            library = null;
            refusal = null;
            stop();
        }
        if (commands != null) {
            commands.unregister();
        }
        SystemProperties.unregister();
        loaded = null;
    }

    /** Starts or stops as the property says. */
    private synchronized void obey() {
        if (library == null) {
            return;
        }
        boolean enabled = JiveGlobals.getBooleanProperty(ENABLED, true);
        if (enabled && running == null) {
            try {
                running = Heartbeat.start(library, home);
                refusal = null;
            } catch (RuntimeException | LinkageError | OutOfMemoryError e) {
                refuse("it could not start: " + e, e);
            }
        } else if (!enabled) {
            stop();
        }
    }

    private void stop() {
        Heartbeat heartbeat = running;
        running = null;
        if (heartbeat != null) {
            heartbeat.close();
            Log.info("Heartbeat is off, Openfire's own idle handling is on");
        }
    }

    private void refuse(String reason, Throwable cause) {
        refusal = reason;
        Log.error("Heartbeat stays off, Openfire's own idle handling stays on: {}", reason, cause);
    }

    @Override
    public void propertyChanged(String property) {
        if (ENABLED.equals(property)) {
            obey();
        }
    }

    /** Whether silent clients are ours. */
    public boolean isOn() {
        return running != null;
    }

    /** Of the library, or null if it was refused. */
    public String version() {
        NativeLibrary found = library;
        return found == null ? null : found.version();
    }

    /** The machine that the library is for, as {@code linux-x86_64}; null if it was refused. */
    public String platform() {
        NativeLibrary found = library;
        return found == null ? null : found.platform();
    }

    /** Where the library was unpacked; null if it was refused. */
    public String libraryFile() {
        NativeLibrary found = library;
        return found == null ? null : found.file().toString();
    }

    /** The SHA-256 of the library that is loaded; null if it was refused. */
    public String librarySha256() {
        NativeLibrary found = library;
        return found == null ? null : found.sha256();
    }

    /**
     * Why the library's file is not what is loaded: it was exchanged since. Null if it is, or was refused. It reads the
     * file.
     */
    public String libraryChanged() {
        NativeLibrary found = library;
        return found == null ? null : found.changed();
    }

    /** The folder of everything that is kept on disk. */
    public String folder() {
        return Heartbeat.folder(home).getPath();
    }

    /** The policy as the property has it; null: all of it follows from Openfire's own settings. */
    public static String policyText() {
        return PolicyProperty.text();
    }

    /**
     * What a policy would mean and what it may be, as JSON ({@code docs/policy.md}); nothing is changed. Null: the library
     * was refused.
     *
     * @param json may be null: then what follows from Openfire's own settings
     */
    public String describePolicy(String json) {
        return library == null ? null : PolicyProperty.describe(json);
    }

    /** The state as JSON, or null when off. */
    public String status(boolean detail) {
        Heartbeat heartbeat = running;
        return heartbeat == null ? null : heartbeat.core().status(detail);
    }

    /** The last activity of a user as JSON, or null when unknown or off. */
    public String lastActivity(String user) {
        Heartbeat heartbeat = running;
        return heartbeat == null ? null : heartbeat.core().lastActivity(user);
    }

    /** Last activity of users, for other plugins; null when off. */
    public LastActivityService lastActivityService() {
        Heartbeat heartbeat = running;
        return heartbeat == null ? null : heartbeat.lastActivityService();
    }

    /** Why last activity is kept in memory only; null if it is on disk, or when off. */
    public String journalTrouble() {
        Heartbeat heartbeat = running;
        return heartbeat == null ? null : heartbeat.journal().trouble();
    }

    /** Why the data of the plots are kept in memory only; null if they are not, or when off. */
    public String plotsTrouble() {
        Heartbeat heartbeat = running;
        return heartbeat == null ? null : heartbeat.plots().trouble();
    }

    /** Seconds since the core last took a tick; after some Openfire's own idle handling acts. -1 when off. */
    public long secondsWithoutTick() {
        Heartbeat heartbeat = running;
        return heartbeat == null ? -1 : heartbeat.ticker().silentSeconds();
    }

    /** Why something was done to the sessions with this full or bare JID, as JSON, or null when nothing is known or off. */
    public String why(String jid) {
        Heartbeat heartbeat = running;
        return heartbeat == null ? null : heartbeat.core().why(jid);
    }

    /** The clock of {@code answered_us} in {@link #why}: microseconds; 0 when off. */
    public long clockUs() {
        Heartbeat heartbeat = running;
        return heartbeat == null ? 0 : heartbeat.clockUs();
    }

    /** What becomes of an administrator's wish. */
    public enum Asked {
        /** It is being done. What comes of it is told by {@link #why}. */
        UNDER_WAY,
        /** The session has no connection, is being closed already, or can not be pinged before its login. */
        NOTHING_TO_DO,
        /** The session is over, or the plugin is off. */
        OVER
    }

    /**
     * A page of the sessions that are open now, filtered and sorted by the core.
     *
     * @return null when off
     */
    public SessionList sessions(SessionQuery query) {
        Heartbeat heartbeat = running;
        return heartbeat == null ? null : heartbeat.list(query);
    }

    /**
     * Pings a session at once, to measure its round trip. Left unanswered it counts against nobody.
     *
     * @param token {@link SessionRow#token}
     */
    public Asked ping(long token) {
        return ask(token, NativeCore.PING);
    }

    /**
     * Ends a session for good, whatever it says; its client is told {@code policy-violation}. Whoever calls this notes it in
     * Openfire's security audit log.
     *
     * @param token {@link SessionRow#token}
     */
    public Asked disconnect(long token) {
        return ask(token, NativeCore.DISCONNECT);
    }

    /**
     * The full JID of a session, which it keeps for as long as it lives; null if it has not logged in, is over, or when off.
     *
     * @param token {@link SessionRow#token}
     */
    public String jidOf(long token) {
        Heartbeat heartbeat = running;
        return heartbeat == null ? null : heartbeat.jidOf(token);
    }

    private Asked ask(long token, int verb) {
        Heartbeat heartbeat = running;
        return heartbeat == null ? Asked.OVER : heartbeat.ask(token, verb);
    }

    /** What happened in the last hour, day or week, as JSON (docs/metrics.md), or null when off. */
    public String series(Span span) {
        Heartbeat heartbeat = running;
        return heartbeat == null ? null : heartbeat.core().series(span.code);
    }

    /**
     * Everything that is counted (docs/metrics.md), or null when off.
     *
     * @param openMetrics as OpenMetrics 1.0; else in the text format of Prometheus, 0.0.4
     */
    public String metrics(boolean openMetrics) {
        Heartbeat heartbeat = running;
        return heartbeat == null ? null : heartbeat.core().metrics(openMetrics);
    }

    /** Why the plugin stays off, or null if it does not, or was switched off. */
    public String refusal() {
        return refusal;
    }
}
