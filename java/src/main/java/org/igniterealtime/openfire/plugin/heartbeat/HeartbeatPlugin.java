package org.igniterealtime.openfire.plugin.heartbeat;

import java.io.File;
import org.jivesoftware.openfire.container.Plugin;
import org.jivesoftware.openfire.container.PluginManager;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The plugin as Openfire sees it. If anything is in the way it says so in one line, and Openfire is left as it was: a
 * plugin that throws would be tried five times.
 */
public final class HeartbeatPlugin implements Plugin {
    private static final Logger Log = LoggerFactory.getLogger(HeartbeatPlugin.class);

    private volatile Heartbeat running;
    private volatile String refusal;

    @Override
    public void initializePlugin(PluginManager manager, File pluginFolder) {
        try {
            String reason = Adapters.refusal();
            if (reason == null) {
                NativeLibrary library = NativeLibrary.load(pluginFolder);
                reason = library.refusal();
                if (reason == null) {
                    running = Heartbeat.start(library, homeOf(pluginFolder));
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
        Heartbeat heartbeat = running;
        running = null;
        refusal = null;
        if (heartbeat != null) {
            heartbeat.close();
            Log.info("Heartbeat is off, Openfire's own idle handling is on");
        }
    }

    private void refuse(String reason, Throwable cause) {
        refusal = reason;
        Log.error("Heartbeat stays off, Openfire's own idle handling stays on: {}", reason, cause);
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

    /**
     * When a byte was last read from any of a user's sessions, in milliseconds since 1970, to the second; -1: unknown or
     * off. Cheap enough to be asked for each user of a list.
     *
     * @param user the node of the JID as Openfire stores it
     */
    public long lastSeen(String user) {
        Heartbeat heartbeat = running;
        return heartbeat == null ? LastActivity.UNKNOWN : heartbeat.lastActivity().of(user) >> 1;
    }

    /** How last activity is kept: "on disk", or why it is not; null when off. */
    public String journal() {
        Heartbeat heartbeat = running;
        return heartbeat == null ? null : heartbeat.journal().state();
    }

    /** Why something was done to the sessions with this full JID, as JSON, or null when nothing is known or off. */
    public String why(String fullJid) {
        Heartbeat heartbeat = running;
        return heartbeat == null ? null : heartbeat.core().why(fullJid);
    }

    /** Why the plugin stays off, or null if it does not. */
    public String refusal() {
        return refusal;
    }
}
