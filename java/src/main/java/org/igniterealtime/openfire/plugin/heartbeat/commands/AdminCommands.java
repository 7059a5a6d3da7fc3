package org.igniterealtime.openfire.plugin.heartbeat.commands;

import java.util.function.BiConsumer;
import org.igniterealtime.openfire.plugin.heartbeat.HeartbeatPlugin;
import org.jivesoftware.openfire.XMPPServer;
import org.jivesoftware.openfire.commands.AdHocCommandHandler;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** The ad-hoc commands (XEP-0050) of this plugin, among the server's own. */
public final class AdminCommands {
    private static final Logger Log = LoggerFactory.getLogger(AdminCommands.class);

    private final Command[] all;

    public AdminCommands(HeartbeatPlugin plugin) {
        all = new Command[] {
            new StatusCommand(plugin), new PingCommand(plugin), new WhyCommand(plugin), new NotSeenCommand(plugin)
        };
    }

    public void register() {
        each("taken", AdHocCommandHandler::addCommand);
    }

    /** A command that somebody is in the midst of fails with its next step, as Openfire does not find it any more. */
    public void unregister() {
        each("given back", AdHocCommandHandler::removeCommand);
    }

    /** Without them the plugin does all the rest. */
    private void each(String what, BiConsumer<AdHocCommandHandler, Command> deed) {
        try {
            AdHocCommandHandler handler = handler();
            for (Command command : handler == null ? new Command[0] : all) {
                deed.accept(handler, command);
            }
        } catch (RuntimeException | LinkageError e) {
            Log.warn("Openfire has not {} the ad-hoc commands: {}", what, e.toString());
        }
    }

    /** Null: the server has none, as it has stopped. */
    private static AdHocCommandHandler handler() {
        XMPPServer server = XMPPServer.getInstance();
        return server == null ? null : server.getAdHocCommandHandler();
    }
}
