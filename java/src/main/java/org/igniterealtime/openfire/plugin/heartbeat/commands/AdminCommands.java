package org.igniterealtime.openfire.plugin.heartbeat.commands;

import org.igniterealtime.openfire.plugin.heartbeat.HeartbeatPlugin;
import org.jivesoftware.openfire.XMPPServer;
import org.jivesoftware.openfire.commands.AdHocCommandHandler;

/** The ad-hoc commands (XEP-0050) of this plugin, among the server's own. */
public final class AdminCommands {
    private final Command[] all;

    public AdminCommands(HeartbeatPlugin plugin) {
        all = new Command[] {
            new StatusCommand(plugin), new PingCommand(plugin), new WhyCommand(plugin), new NotSeenCommand(plugin)
        };
    }

    public void register() {
        AdHocCommandHandler handler = handler();
        for (Command each : handler == null ? new Command[0] : all) {
            handler.addCommand(each);
        }
    }

    /** A command that somebody is in the midst of fails with its next step, as Openfire does not find it any more. */
    public void unregister() {
        AdHocCommandHandler handler = handler();
        for (Command each : handler == null ? new Command[0] : all) {
            handler.removeCommand(each);
        }
    }

    /** Null: the server has none, as it has stopped. */
    private static AdHocCommandHandler handler() {
        XMPPServer server = XMPPServer.getInstance();
        return server == null ? null : server.getAdHocCommandHandler();
    }
}
