package org.igniterealtime.openfire.heartbeat.launcher;

import java.io.File;
import org.jivesoftware.openfire.container.Plugin;
import org.jivesoftware.openfire.container.PluginManager;

/**
 * Stands where the web console stands in a full Openfire: as the plugin "admin". Without one, Openfire takes the first
 * plugin it finds for the console and loads it twice, and finds none to load when the folder is empty.
 */
public final class NoConsole implements Plugin {
    @Override
    public void initializePlugin(PluginManager manager, File folder) {
        // Nothing to start.
    }

    @Override
    public void destroyPlugin() {
        // Nothing to stop.
    }
}
