package org.igniterealtime.openfire.plugin.heartbeat;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.lang.reflect.Constructor;
import java.lang.reflect.Proxy;
import java.util.concurrent.atomic.AtomicInteger;
import org.jivesoftware.openfire.Connection;
import org.jivesoftware.openfire.session.LocalClientSession;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.xmpp.packet.JID;
import org.xmpp.packet.StreamError;

/** Of a session that is closed, until its contacts were told. */
final class SessionsTest {
    /** As a look comes after each login that is not ours: many in a tick. */
    private static final int LOOKS = 200;

    /** The core waits two ticks for Openfire to tell the contacts. */
    private static final int UNTIL_TOLD = 4;

    private static final int UNTIL_FORGOTTEN = 31;

    private final TestCore core = new TestCore();
    private final Sessions sessions = core.sessions();

    @AfterEach
    void close() {
        core.close();
    }

    @Test
    void contactsThatOpenfireToldAreNotToldAgainHoweverManyLogIn() throws Exception {
        Session session = closed();
        look(LOOKS);
        sessions.unavailable(session, null);
        assertEquals(0, core.tick(UNTIL_TOLD), "contacts are told a second time");
    }

    @Test
    void contactsThatNobodyToldAreTold() throws Exception {
        closed();
        look(LOOKS);
        assertEquals(1, core.tick(UNTIL_TOLD));
    }

    @Test
    void isForgottenThoughOpenfireNeverTells() throws Exception {
        Session one = closed();
        Session other = closed();
        core.tick(UNTIL_FORGOTTEN - 1);
        look(LOOKS);
        assertTrue(isKnown(one));
        core.tick(1);
        look(1);
        assertFalse(isKnown(other), "it is kept for ever");
    }

    /** Whether it is asked for its connection, as one that is known. It is not afterwards: this was its end. */
    private boolean isKnown(Session session) {
        int before = session.asked.get();
        sessions.unavailable(session, null);
        return session.asked.get() > before;
    }

    private void look(int times) {
        for (int i = 0; i < times; i++) {
            sessions.look();
        }
    }

    /** A session that was available, and whose connection is closed. */
    private Session closed() throws Exception {
        Session session = Session.make();
        long now = sessions.clock().nowUs();
        Watched watched = sessions.opened(new Wire(session.getConnection()), now, now);
        sessions.connected(watched);
        assertTrue(sessions.bound(session));
        sessions.available(session);
        sessions.ended(watched, false);
        return session;
    }

    /** Openfire's own needs a whole server to be made: this one has what it is asked for, and nothing else. */
    private static final class Session extends LocalClientSession {
        private AtomicInteger asked;
        private Connection wire;

        private Session() {
            super(null, null, null, null);
        }

        static Session make() throws ReflectiveOperationException {
            // As serialization does it: without its own constructor.
            Class<?> factory = Class.forName("sun.reflect.ReflectionFactory");
            Constructor<?> made = (Constructor<?>) factory.getMethod(
                            "newConstructorForSerialization", Class.class, Constructor.class)
                    .invoke(factory.getMethod("getReflectionFactory").invoke(null), Session.class, Object.class.getConstructor());
            Session session = (Session) made.newInstance();
            session.asked = new AtomicInteger();
            session.wire = (Connection) Proxy.newProxyInstance(
                    SessionsTest.class.getClassLoader(), new Class<?>[] {Connection.class}, (proxy, method, arguments) -> {
                        switch (method.getName()) {
                            case "equals":
                                return proxy == arguments[0];
                            case "hashCode":
                                return System.identityHashCode(proxy);
                            case "isClosed":
                                return true;
                            default:
                                throw new UnsupportedOperationException(method.toString());
                        }
                    });
            return session;
        }

        @Override
        public JID getAddress() {
            return new JID("someone@chat.example.org/phone");
        }

        @Override
        public Connection getConnection() {
            asked.incrementAndGet();
            return wire;
        }

        @Override
        public boolean isDetached() {
            return false;
        }

        @Override
        public boolean isAnonymousUser() {
            return false;
        }
    }

    private static final class Wire implements Transport {
        private final Connection connection;

        Wire(Connection connection) {
            this.connection = connection;
        }

        @Override
        public Connection connection() {
            return connection;
        }

        @Override
        public void close(StreamError.Condition why) {
            throw new UnsupportedOperationException();
        }

        @Override
        public void drop() {
            throw new UnsupportedOperationException();
        }

        @Override
        public void abort() {
            throw new UnsupportedOperationException();
        }

        @Override
        public boolean isClosed() {
            return true;
        }

        @Override
        public String remote() {
            return "here";
        }
    }
}
