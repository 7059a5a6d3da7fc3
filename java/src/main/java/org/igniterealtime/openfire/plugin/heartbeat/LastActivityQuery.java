package org.igniterealtime.openfire.plugin.heartbeat;

import java.lang.management.ManagementFactory;
import java.util.Collections;
import java.util.Iterator;
import org.dom4j.Element;
import org.jivesoftware.openfire.IQHandlerInfo;
import org.jivesoftware.openfire.SessionManager;
import org.jivesoftware.openfire.XMPPServer;
import org.jivesoftware.openfire.disco.ServerFeaturesProvider;
import org.jivesoftware.openfire.handler.IQHandler;
import org.jivesoftware.openfire.user.UserNotFoundException;
import org.xmpp.packet.IQ;
import org.xmpp.packet.JID;
import org.xmpp.packet.PacketError;

/**
 * Answers when users were last here (XEP-0012), from the core, in the place of Openfire's own handler. Who may not know is
 * told the same about everybody, whether they exist or not (section 3 of the XEP).
 */
final class LastActivityQuery extends IQHandler implements ServerFeaturesProvider {
    private static final String NAMESPACE = "jabber:iq:last";

    private final NativeCore core;
    private final IQHandlerInfo info = new IQHandlerInfo("query", NAMESPACE);

    LastActivityQuery(NativeCore core) {
        super("Heartbeat last activity");
        this.core = core;
    }

    void register() {
        XMPPServer.getInstance().getIQRouter().addHandler(this);
    }

    void unregister() {
        XMPPServer server = XMPPServer.getInstance();
        if (server != null) {
            server.getIQRouter().removeHandler(this);
        }
    }

    @Override
    public IQHandlerInfo getInfo() {
        return info;
    }

    /**
     * Openfire 4.8 and later ask whether they shall answer about users who do not exist, by service-unavailable: it would tell
     * everybody who does. No such method is in those before.
     */
    public boolean performNoSuchUserCheck() {
        return false;
    }

    @Override
    public Iterator<String> getFeatures() {
        return Collections.singleton(NAMESPACE).iterator();
    }

    @Override
    public IQ handleIQ(IQ query) {
        IQ reply = IQ.createResultIQ(query);
        if (query.getType() != IQ.Type.get) {
            return refused(reply, query, PacketError.Condition.bad_request);
        }
        JID of = query.getTo();
        String user = of == null ? query.getFrom().getNode() : of.getNode();
        long now = System.currentTimeMillis();
        if (user == null) {
            answer(reply, ManagementFactory.getRuntimeMXBean().getUptime(), "");
            return reply;
        }
        if (!mayKnow(query.getFrom(), user)) {
            return refused(reply, query, PacketError.Condition.forbidden);
        }
        UserActivity last = core.last(user);
        if ((last != null && last.isOnline()) || isHere(user)) {
            answer(reply, 0, "");
            return reply;
        }
        if (last == null) {
            return refused(reply, query, PacketError.Condition.item_not_found);
        }
        answer(reply, now - last.lastActivityMs(), last.status());
        return reply;
    }

    /** As Openfire has it: at another server of the cluster, too, or erased from what we know. */
    private static boolean isHere(String user) {
        return !SessionManager.getInstance().getSessions(user).isEmpty();
    }

    private static boolean mayKnow(JID who, String user) {
        XMPPServer server = XMPPServer.getInstance();
        if (user.equals(who.getNode()) && server.isLocal(who)) {
            return true;
        }
        try {
            return server.getPresenceManager().canProbePresence(who, user);
        } catch (UserNotFoundException e) {
            return false;
        }
    }

    private static void answer(IQ reply, long ms, String status) {
        Element answer = reply.setChildElement("query", NAMESPACE);
        answer.addAttribute("seconds", Long.toString(Math.max(0, ms / 1000)));
        if (!status.isEmpty()) {
            answer.setText(status);
        }
    }

    private static IQ refused(IQ reply, IQ query, PacketError.Condition why) {
        reply.setChildElement(query.getChildElement().createCopy());
        reply.setError(why);
        return reply;
    }
}
