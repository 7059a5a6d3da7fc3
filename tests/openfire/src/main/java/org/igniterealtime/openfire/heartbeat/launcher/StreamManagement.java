package org.igniterealtime.openfire.heartbeat.launcher;

import java.lang.reflect.Constructor;
import java.lang.reflect.Field;
import java.util.Deque;
import org.jivesoftware.openfire.SessionManager;
import org.jivesoftware.openfire.session.ClientSession;
import org.jivesoftware.openfire.session.LocalSession;
import org.jivesoftware.openfire.streammanagement.StreamManager;
import org.xmpp.packet.JID;

/** What Openfire does of XEP-0198 and shows to no one. */
final class StreamManagement {
    private StreamManagement() {}

    /** How many stanzas it counts as sent in this session: the last one that waits to be acknowledged, or was. */
    static long stanzasSent(JID address) throws ReflectiveOperationException {
        ClientSession session = SessionManager.getInstance().getSession(address);
        StreamManager manager = ((LocalSession) session).getStreamManager();
        synchronized (manager) {
            Deque<?> waiting = (Deque<?>) field(manager, "unacknowledgedServerStanzas");
            // Since 4.3 an AtomicLong, which is a Number too.
            Object number = waiting.isEmpty()
                    ? field(manager, "clientProcessedStanzas")
                    : field(waiting.getLast(), "x");
            return ((Number) number).longValue();
        }
    }

    /** Ends the detached sessions that nobody resumed in time. Openfire has a task for that, which runs every few minutes. */
    static void sweep() throws ReflectiveOperationException {
        Class<?> task = Class.forName(SessionManager.class.getName() + "$DetachedCleanupTask");
        Constructor<?> constructor = task.getDeclaredConstructor(SessionManager.class);
        constructor.setAccessible(true);
        ((Runnable) constructor.newInstance(SessionManager.getInstance())).run();
    }

    private static Object field(Object target, String name) throws ReflectiveOperationException {
        Field field = target.getClass().getDeclaredField(name);
        field.setAccessible(true);
        return field.get(target);
    }
}
