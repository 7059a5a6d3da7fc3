package org.igniterealtime.openfire.plugin.heartbeat;

import java.util.Map;
import java.util.function.Consumer;
import org.jivesoftware.openfire.XMPPServer;
import org.jivesoftware.openfire.XMPPServerListener;
import org.jivesoftware.openfire.event.SessionEventDispatcher;
import org.jivesoftware.openfire.event.SessionEventListener;
import org.jivesoftware.openfire.event.UserEventDispatcher;
import org.jivesoftware.openfire.event.UserEventListener;
import org.jivesoftware.openfire.interceptor.InterceptorManager;
import org.jivesoftware.openfire.interceptor.PacketInterceptor;
import org.jivesoftware.openfire.session.ClientSession;
import org.jivesoftware.openfire.session.LocalClientSession;
import org.jivesoftware.openfire.session.Session;
import org.jivesoftware.openfire.user.PresenceEventDispatcher;
import org.jivesoftware.openfire.user.PresenceEventListener;
import org.jivesoftware.openfire.user.User;
import org.jivesoftware.util.PropertyEventDispatcher;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import org.xmpp.packet.IQ;
import org.xmpp.packet.JID;
import org.xmpp.packet.Packet;
import org.xmpp.packet.Presence;

/**
 * Openfire's own events. They come on the thread of the stanza that caused them, and Openfire waits for us: a presence
 * listener that throws would even end its delivery. So nothing here throws or waits.
 */
final class OpenfireEvents
        implements SessionEventListener,
                PresenceEventListener,
                PacketInterceptor,
                XMPPServerListener,
                UserEventListener {
    private static final Logger Log = LoggerFactory.getLogger(OpenfireEvents.class);

    /** What the ids of our pings begin with. */
    private static final String PING_ID = "hb-";

    private final NativeCore core;
    private final Sessions sessions;
    private final PolicyProperty policy;
    private final LastActivityListeners listeners;
    private final OfflineTimes offlineTimes;
    private final Runnable findSoon;
    private final RateLimit faults = new RateLimit();

    /** @param findSoon has the adapter look for connections that it does not know, and does not wait for it */
    OpenfireEvents(
            NativeCore core,
            Sessions sessions,
            PolicyProperty policy,
            LastActivityListeners listeners,
            OfflineTimes offlineTimes,
            Runnable findSoon) {
        this.core = core;
        this.sessions = sessions;
        this.policy = policy;
        this.listeners = listeners;
        this.offlineTimes = offlineTimes;
        this.findSoon = findSoon;
    }

    void register() {
        SessionEventDispatcher.addListener(this);
        PresenceEventDispatcher.addListener(this);
        UserEventDispatcher.addListener(this);
        InterceptorManager.getInstance().addInterceptor(this);
        PropertyEventDispatcher.addListener(policy);
        XMPPServer.getInstance().addServerListener(this);
    }

    void unregister() {
        SessionEventDispatcher.removeListener(this);
        PresenceEventDispatcher.removeListener(this);
        UserEventDispatcher.removeListener(this);
        InterceptorManager.getInstance().removeInterceptor(this);
        PropertyEventDispatcher.removeListener(policy);
        XMPPServer server = XMPPServer.getInstance();
        if (server != null) {
            server.removeServerListener(this);
        }
    }

    @Override
    public void sessionCreated(Session session) {
        forward(session, this::bound);
    }

    @Override
    public void anonymousSessionCreated(Session session) {
        forward(session, this::bound);
    }

    @Override
    public void resourceBound(Session session) {
        forward(session, this::bound);
    }

    private void bound(LocalClientSession session) {
        if (!sessions.bound(session)) {
            // The port was opened a moment ago: whoever comes and goes before the next tick would not be seen.
            findSoon.run();
        }
    }

    @Override
    public void sessionDestroyed(Session session) {
        forward(session, sessions::destroyed);
    }

    @Override
    public void anonymousSessionDestroyed(Session session) {
        forward(session, sessions::destroyed);
    }

    @Override
    public void availableSession(ClientSession session, Presence presence) {
        forward(session, sessions::available);
    }

    @Override
    public void unavailableSession(ClientSession session, Presence presence) {
        forward(session, local -> sessions.unavailable(local, presence.getStatus()));
    }

    @Override
    public void presenceChanged(ClientSession session, Presence presence) {
        // Available before and after.
    }

    @Override
    public void subscribedToPresence(JID subscriber, JID authorizer) {
        // Not about a session.
    }

    @Override
    public void unsubscribedToPresence(JID unsubscriber, JID recipient) {
        // Not about a session.
    }

    @Override
    public void interceptPacket(Packet packet, Session session, boolean incoming, boolean processed) {
        if (!incoming || processed || !(session instanceof LocalClientSession)) {
            return;
        }
        forward(session, sessions::heard);
        if (!(packet instanceof IQ)) {
            return;
        }
        String id = packet.getID();
        if (id == null || !id.startsWith(PING_ID)) {
            return;
        }
        IQ.Type type = ((IQ) packet).getType();
        if (type == IQ.Type.result || type == IQ.Type.error) {
            forward(session, local -> sessions.pong(local, id));
        }
    }

    @Override
    public void userCreated(User user, Map<String, Object> params) {
        // Known when they come.
    }

    @Override
    public void userDeleting(User user, Map<String, Object> params) {
        core.forget(user.getUsername());
        listeners.erased(user.getUsername());
    }

    @Override
    public void userModified(User user, Map<String, Object> params) {
        // Under the same name.
    }

    @Override
    public void serverStarted() {
        // The ticks find the listeners.
    }

    @Override
    public void serverStopping() {
        // What Openfire closes now did not die.
        core.stop();
        offlineTimes.serverStopping();
    }

    private void forward(Session session, Consumer<LocalClientSession> event) {
        if (!(session instanceof LocalClientSession)) {
            return;
        }
        try {
            event.accept((LocalClientSession) session);
        } catch (RuntimeException | LinkageError | OutOfMemoryError e) {
            if (faults.allows()) {
                Log.error("An event of {} was lost", session.getAddress(), e);
            }
        }
    }
}
