package org.igniterealtime.openfire.heartbeat.suite;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.logging.Level;
import java.util.logging.Logger;
import org.igniterealtime.openfire.heartbeat.harness.OpenfireServer;
import org.jivesoftware.smack.ConnectionConfiguration.SecurityMode;
import org.jivesoftware.smack.filter.IQTypeFilter;
import org.jivesoftware.smack.filter.StanzaTypeFilter;
import org.jivesoftware.smack.packet.Presence;
import org.jivesoftware.smack.tcp.XMPPTCPConnection;
import org.jivesoftware.smack.tcp.XMPPTCPConnectionConfiguration;
import org.jivesoftware.smackx.commands.AdHocCommandManager;
import org.jivesoftware.smackx.commands.RemoteCommand;
import org.jivesoftware.smackx.disco.packet.DiscoverItems;
import org.jivesoftware.smackx.ping.PingManager;

/** A client as people really use them: Smack, which answers pings by itself. */
final class SmackClient implements AutoCloseable {
    private static final Logger LOG = Logger.getLogger("org.jivesoftware.smack");

    static {
        // Openfire does not answer the end of a stream with one; Smack warns of it each time.
        LOG.setLevel(Level.SEVERE);
    }

    private final XMPPTCPConnection connection;
    private final AtomicInteger pings = new AtomicInteger();
    private final List<Presence> presences = new ArrayList<>();

    SmackClient(OpenfireServer.Door door, String user, String resource) throws Exception {
        connection = new XMPPTCPConnection(XMPPTCPConnectionConfiguration.builder()
                .setHost("127.0.0.1")
                .setPort(door.port())
                .setXmppDomain(door.domain())
                .setUsernameAndPassword(user, user)
                .setResource(resource)
                .setSecurityMode(SecurityMode.disabled)
                .setCompressionEnabled(false)
                .build());
        connection.setUseStreamManagement(false);
        // Smack answers pings without telling: count its answers.
        connection.addStanzaSendingListener(stanza -> pings.incrementAndGet(), IQTypeFilter.RESULT);
        connection.addAsyncStanzaListener(
                stanza -> {
                    synchronized (presences) {
                        presences.add((Presence) stanza);
                    }
                },
                StanzaTypeFilter.PRESENCE);
        connection.setReplyTimeout(2000);
        connection.connect();
        connection.login();
        // Its own pings would be signs of life that nobody asked for.
        PingManager.getInstanceFor(connection).setPingInterval(-1);
    }

    String jid() {
        return connection.getUser().toString();
    }

    boolean isConnected() {
        return connection.isConnected();
    }

    /** How many pings it has answered. */
    int pings() {
        return pings.get();
    }

    /** The commands (XEP-0050) that the server offers. */
    List<String> commands() throws Exception {
        return AdHocCommandManager.getAddHocCommandsManager(connection)
                .discoverCommands(connection.getXMPPServiceDomain())
                .getItems()
                .stream()
                .map(DiscoverItems.Item::getNode)
                .toList();
    }

    /** One of them, begun. */
    RemoteCommand command(String node) throws Exception {
        RemoteCommand command = AdHocCommandManager.getAddHocCommandsManager(connection)
                .getRemoteCommand(connection.getXMPPServiceDomain(), node);
        command.execute();
        return command;
    }

    void logout(String status) throws Exception {
        connection.disconnect(connection
                .getStanzaFactory()
                .buildPresenceStanza()
                .ofType(Presence.Type.unavailable)
                .setStatus(status)
                .build());
    }

    /** The status texts of unavailable presences from this full JID. */
    List<String> unavailable(String jid) {
        synchronized (presences) {
            return presences.stream()
                    .filter(presence -> presence.getType() == Presence.Type.unavailable
                            && presence.getFrom().toString().equals(jid))
                    .map(Presence::getStatus)
                    .toList();
        }
    }

    @Override
    public void close() {
        connection.disconnect();
    }
}
