package org.igniterealtime.openfire.plugin.heartbeat;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.lang.reflect.Constructor;
import java.lang.reflect.Proxy;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.Collectors;
import org.jivesoftware.openfire.Connection;
import org.jivesoftware.openfire.session.LocalClientSession;
import org.jivesoftware.openfire.streammanagement.StreamManager;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.xmpp.packet.JID;
import org.xmpp.packet.Presence;
import org.xmpp.packet.StreamError;

/** Of a session whose connection is closed: until its contacts were told, or until it goes on over another one. */
final class SessionsTest {
    /** As a look comes after each login that is not ours: many in a tick. */
    private static final int LOOKS = 200;

    /** The core waits two ticks for Openfire to tell the contacts. */
    private static final int UNTIL_TOLD = 4;

    private static final int UNTIL_FORGOTTEN = 31;

    private static final String ADDRESS = "someone@chat.example.org/phone";

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

    @Test
    void whoComesBackAfterTheCoreTookThemForGoneIsKnown() throws Exception {
        Session session = closed();
        core.tick(1);
        session.goOnOver(connection());
        Watched now = open(session.wire);
        assertTrue(sessions.bound(session));
        assertEquals(List.of(), verbs(UNTIL_TOLD), "contacts are told of a session that lives");
        goesOn(session, now);
    }

    @Test
    void whoComesBackAfterContactsWereToldIsKnown() throws Exception {
        Session session = closed();
        assertEquals(List.of(NativeCore.UNAVAILABLE), verbs(UNTIL_TOLD));
        session.goOnOver(connection());
        Watched now = open(session.wire);
        assertTrue(sessions.bound(session));
        goesOn(session, now);
    }

    @Test
    void theOldConnectionEndsBeforeItsSessionHasTheNewOne() throws Exception {
        Session session = Session.make();
        Watched before = login(session);
        Connection next = connection();
        Watched now = open(next);
        session.goOnOver(null);
        sessions.ended(before);
        look(LOOKS);
        assertEquals(List.of(), verbs(UNTIL_TOLD), "contacts are told of a session that Openfire keeps");
        session.goOnOver(next);
        look(1);
        goesOn(session, now);
    }

    @Test
    void theOldConnectionEndsAfterItsSessionHasTheNewOne() throws Exception {
        Session session = Session.make();
        Watched before = login(session);
        session.goOnOver(connection());
        Watched now = open(session.wire);
        sessions.ended(before);
        assertEquals(List.of(), verbs(1));
        look(1);
        goesOn(session, now);
    }

    /** Resumed and lost again between two looks: what was read meanwhile counts. */
    @Test
    void theConnectionThatEndsIsFoundToBeOfASessionThatWasDetached() throws Exception {
        Session session = Session.make();
        Watched before = detached(session);
        verbs(UNTIL_FORGOTTEN);
        session.goOnOver(connection());
        Watched now = open(session.wire);
        now.read();
        sessions.closing(now, session);
        session.resumption.possible = true;
        sessions.ended(now);
        assertEquals(now.token, row().token(), "it was resumed");
        assertNull(sessions.byToken(before.token));
        assertTrue(row().silentSeconds() <= 1);
        assertTrue(row().isAvailable());
    }

    @Test
    void theEndOfAStrangersConnectionAsksNobodyElse() throws Exception {
        Session session = Session.make();
        detached(session);
        Watched stranger = open(connection());
        int asked = session.detachedAsked.get();
        sessions.closing(stranger, null);
        sessions.closing(stranger, Session.make());
        assertEquals(asked, session.detachedAsked.get());
        sessions.closing(stranger);
        assertTrue(session.detachedAsked.get() > asked, "as all are where Openfire does not say whose it is");
    }

    private Watched detached(Session session) {
        Watched watched = login(session);
        session.goOnOver(null);
        sessions.ended(watched);
        return watched;
    }

    @Test
    void endsWithTheConnectionThatItHas() throws Exception {
        Session session = Session.make();
        sessions.ended(login(session));
        look(LOOKS);
        assertEquals(List.of(NativeCore.UNAVAILABLE), verbs(UNTIL_TOLD));
    }

    /** It is known as logged in and available on this connection, and its presence is followed for as long as it lasts. */
    private void goesOn(Session session, Watched now) {
        SessionRow row = row();
        assertEquals(now.token, row.token());
        assertEquals(ADDRESS, row.jid());
        assertTrue(row.isAvailable());
        isFollowed(session);
        for (int i = 0; i < UNTIL_FORGOTTEN; i++) {
            now.read();
            assertEquals(List.of(), verbs(1));
            look(1);
        }
        isFollowed(session);
        sessions.ended(now);
        assertEquals(List.of(NativeCore.UNAVAILABLE), verbs(UNTIL_TOLD), "told once, at its end");
    }

    private void isFollowed(Session session) {
        sessions.unavailable(session, null);
        assertFalse(row().isAvailable());
        sessions.available(session);
        assertTrue(row().isAvailable());
    }

    private SessionRow row() {
        List<SessionRow> rows = core.list(SessionQuery.all()).rows();
        assertEquals(1, rows.size());
        return rows.get(0);
    }

    private List<Integer> verbs(int seconds) {
        return core.orders(seconds).stream().map(order -> order.verb).collect(Collectors.toList());
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
        sessions.ended(login(session), false);
        return session;
    }

    private Watched login(Session session) {
        Watched watched = open(session.wire);
        assertTrue(sessions.bound(session));
        sessions.available(session);
        return watched;
    }

    private Watched open(Connection connection) {
        long now = sessions.clock().nowUs();
        Watched watched = sessions.opened(new Wire(connection), now, now);
        sessions.connected(watched);
        return watched;
    }

    /** One that is closed on the wire, and that is asked for nothing else. */
    private static Connection connection() {
        return (Connection) Proxy.newProxyInstance(
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
    }

    /** Openfire's own needs a whole server to be made: this one has what it is asked for, and nothing else. */
    private static final class Session extends LocalClientSession {
        private AtomicInteger asked;
        private AtomicInteger detachedAsked;
        private Connection wire;
        private Resumption resumption;

        private Session() {
            super(null, null, null, null);
        }

        static Session make() throws ReflectiveOperationException {
            Session session = made(Session.class);
            session.resumption = made(Resumption.class);
            session.asked = new AtomicInteger();
            session.detachedAsked = new AtomicInteger();
            session.wire = connection();
            return session;
        }

        @Override
        public JID getAddress() {
            return new JID(ADDRESS);
        }

        @Override
        public Connection getConnection() {
            asked.incrementAndGet();
            return wire;
        }

        /** As Openfire has it resumed; null: it is detached. */
        void goOnOver(Connection connection) {
            wire = connection;
        }

        @Override
        public boolean isDetached() {
            detachedAsked.incrementAndGet();
            return wire == null;
        }

        @Override
        public StreamManager getStreamManager() {
            return resumption;
        }

        @Override
        public Presence getPresence() {
            return new Presence();
        }

        @Override
        public boolean isAnonymousUser() {
            return false;
        }
    }

    /** Whether Openfire would let the session be resumed once more. */
    private static final class Resumption extends StreamManager {
        private volatile boolean possible;

        private Resumption() {
            super(null);
        }

        @Override
        public boolean getResume() {
            return possible;
        }
    }

    /** As serialization does it: without its own constructor. */
    private static <T> T made(Class<T> type) throws ReflectiveOperationException {
        Class<?> factory = Class.forName("sun.reflect.ReflectionFactory");
        Constructor<?> constructor = (Constructor<?>) factory.getMethod(
                        "newConstructorForSerialization", Class.class, Constructor.class)
                .invoke(factory.getMethod("getReflectionFactory").invoke(null), type, Object.class.getConstructor());
        return type.cast(constructor.newInstance());
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
