package org.igniterealtime.openfire.plugin.heartbeat.mina;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.lang.reflect.Proxy;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.BooleanSupplier;
import javax.net.ssl.SSLContext;
import org.apache.mina.core.buffer.IoBuffer;
import org.apache.mina.core.service.IoHandlerAdapter;
import org.apache.mina.core.session.IdleStatus;
import org.apache.mina.core.session.IoSession;
import org.apache.mina.filter.ssl.SslFilter;
import org.apache.mina.transport.socket.nio.NioSocketAcceptor;
import org.igniterealtime.openfire.plugin.heartbeat.RateLimit;
import org.igniterealtime.openfire.plugin.heartbeat.TestCore;
import org.igniterealtime.openfire.plugin.heartbeat.TestTls;
import org.jivesoftware.openfire.Connection;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.xmpp.packet.StreamError;

/**
 * The adapter on MINA itself, with a stand-in for Openfire's handler: plain and with TLS, over real sockets. Run on MINA 2.0
 * (Openfire 4.2) and on 2.1 (4.3 to 4.7).
 */
@Timeout(60)
class MinaAdapterTest {
    private static final String FAREWELL =
            "<stream:error><policy-violation xmlns='urn:ietf:params:xml:ns:xmpp-streams'/></stream:error></stream:stream>";

    @TempDir
    private static Path folder;

    private static SSLContext tls;

    private final TestCore core = new TestCore();
    private final Handler handler = new Handler();
    private final NioSocketAcceptor acceptor = new NioSocketAcceptor(2);
    private MinaAdapter adapter;

    /** What Openfire's handler does with a session, as far as it matters here. */
    private static final class Handler extends IoHandlerAdapter {
        final AtomicInteger idle = new AtomicInteger();
        final AtomicInteger closed = new AtomicInteger();
        volatile boolean greets = true;

        @Override
        public void sessionOpened(IoSession session) {
            session.setAttribute("CONNECTION", Proxy.newProxyInstance(
                    Connection.class.getClassLoader(), new Class<?>[] {Connection.class}, (proxy, method, arguments) -> {
                        switch (method.getName()) {
                            case "deliverRawText":
                                return write(session, (String) arguments[0]);
                            case "hashCode":
                                return System.identityHashCode(proxy);
                            case "equals":
                                return proxy == arguments[0];
                            default:
                                throw new UnsupportedOperationException(method.getName());
                        }
                    }));
            if (greets) {
                write(session, "<stream>");
            }
        }

        @Override
        public void sessionIdle(IoSession session, IdleStatus status) {
            idle.incrementAndGet();
        }

        @Override
        public void sessionClosed(IoSession session) {
            closed.incrementAndGet();
        }

        private static Object write(IoSession session, String text) {
            session.write(IoBuffer.wrap(text.getBytes(StandardCharsets.UTF_8)));
            return null;
        }
    }

    /** Or a collection of garbage closes those that a test does not look at any more. */
    private final List<Socket> clients = new ArrayList<>();

    @BeforeAll
    static void makeKey() throws Exception {
        tls = TestTls.make(folder);
    }

    @BeforeEach
    void open() throws IOException {
        acceptor.setHandler(handler);
        acceptor.bind(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0));
        adapter = new MinaAdapter(core.sessions(), () -> Set.of(acceptor));
    }

    @AfterEach
    void close() throws IOException {
        for (Socket client : clients) {
            client.close();
        }
        acceptor.dispose(true);
        core.close();
    }

    @Test
    void watchesOldAndNewSessionsOnce() throws Exception {
        List<Socket> sockets = new ArrayList<>(connect(3));
        await("three sessions", () -> acceptor.getManagedSessionCount() == 3);
        adapter.look();
        adapter.look();
        sockets.addAll(connect(3));
        await("six to be watched", () -> core.number("opened") == 6);

        for (IoSession session : acceptor.getManagedSessions().values()) {
            await("its filters", () -> session.getFilterChain().contains("heartbeat-events"));
            assertEquals("heartbeat-read", session.getFilterChain().getAll().get(0).getName());
        }
        for (Socket socket : sockets) {
            socket.close();
        }
        await("all to be over", () -> core.number("over") == 6);
        assertEquals(6, handler.closed.get());
    }

    @Test
    void missesNobodyWhileItComesAndGoes() throws Exception {
        Thread crowd = new Thread(() -> {
            while (!Thread.currentThread().isInterrupted()) {
                try (Socket socket = new Socket(InetAddress.getLoopbackAddress(), port())) {
                    socket.getOutputStream().write(' ');
                } catch (IOException e) {
                    throw new IllegalStateException(e);
                }
            }
        });
        crowd.start();
        List<Socket> staying = connect(5);
        for (int i = 0; i < 50; i++) {
            MinaAdapter brief = new MinaAdapter(core.sessions(), () -> Set.of(acceptor));
            brief.look();
            await("those who stay to be watched", () -> watched(staying) == staying.size());
            brief.detach();
        }
        crowd.interrupt();
        crowd.join();
        await("the crowd to go", () -> acceptor.getManagedSessionCount() == 5);
        for (IoSession session : acceptor.getManagedSessions().values()) {
            assertTrue(session.getFilterChain().getAll().isEmpty(), () -> session.getFilterChain().toString());
            for (Object key : session.getAttributeKeys()) {
                assertFalse(session.getAttribute(key) instanceof MinaConnection);
            }
        }
    }

    @Test
    void stampsEveryByteThatIsRead() throws Exception {
        adapter.look();
        Socket socket = connect(1).get(0);
        await("it to be watched", () -> core.number("opened") == 1);
        core.tick(5);
        assertEquals(5, core.number("silent_s"), 1);

        socket.getOutputStream().write(' ');

        await("the stamp", () -> core.number("silent_s") == 0);
        core.tick(3);
        assertEquals(3, core.number("silent_s"));
    }

    @Test
    void keepsSilenceFromOpenfireWhileTheCoreIsInCharge() throws Exception {
        adapter.look();
        connect(1);
        await("it to be watched", () -> core.number("opened") == 1);
        acceptor.getManagedSessions().values().forEach(session -> session.getConfig().setReaderIdleTime(1));

        await("the core to hear of it", () -> core.number("idle_events") >= 1);
        assertEquals(0, handler.idle.get());

        core.stop();
        await("Openfire to hear of it", () -> handler.idle.get() > 0);
    }

    @Test
    void givesSilenceBackWhenItGoes() throws Exception {
        adapter.look();
        connect(1);
        await("it to be watched", () -> core.number("opened") == 1);
        adapter.detach();
        acceptor.getManagedSessions().values().forEach(session -> session.getConfig().setReaderIdleTime(1));

        await("Openfire to hear of it", () -> handler.idle.get() > 0);
        assertEquals(0, core.number("idle_events"));
    }

    @Test
    void aSilentSessionIsNotTakenForReadFromWhenItIsWatchedAgain() throws Exception {
        adapter.look();
        Socket socket = connect(1).get(0);
        await("it to be watched", () -> core.number("opened") == 1);
        socket.getOutputStream().write(' ');
        IoSession session = only();
        await("the byte", () -> session.getReadBytes() == 1);
        long read = session.getLastReadTime();
        session.getConfig().setReaderIdleTime(1);
        await("the session to be idle", () -> session.getReaderIdleCount() > 0);
        adapter.detach();
        assertEquals(0, session.getReaderIdleCount(), "Openfire counts from here on");

        assertEquals(read, MinaConnection.lastRead(session));
        MinaAdapter again = new MinaAdapter(core.sessions(), () -> Set.of(acceptor));
        again.look();
        again.detach();
        assertEquals(read, MinaConnection.lastRead(session), "nor by being watched for a moment");

        long bytes = session.getReadBytes();
        socket.getOutputStream().write(' ');
        await("the byte", () -> session.getReadBytes() > bytes);
        assertEquals(session.getLastReadTime(), MinaConnection.lastRead(session), "a byte that is read counts");
    }

    @Test
    void farewellArrivesWholeHundredTimesPlain() throws Exception {
        assertFarewells(false);
    }

    @Test
    void farewellArrivesWholeHundredTimesOverTls() throws Exception {
        useTls();
        assertFarewells(true);
    }

    private void assertFarewells(boolean secure) throws Exception {
        for (int i = 0; i < 100; i++) {
            try (Socket socket = secure ? tls.getSocketFactory().createSocket("localhost", port()) : connect(1).get(0)) {
                socket.getOutputStream().write(' ');
                assertEquals("<stream>", read(socket, 8));
                await("the count of bytes", () -> only().getWrittenBytes() > 0);
                connectionOf(only()).close(StreamError.Condition.policy_violation);
                assertEquals(FAREWELL, read(socket, 1000));
            }
            await("the session to end", () -> acceptor.getManagedSessionCount() == 0);
        }
    }

    @Test
    void saysNothingWhereNoStreamWasOpened() throws Exception {
        handler.greets = false;
        Socket socket = connect(1).get(0);
        await("the session", () -> acceptor.getManagedSessionCount() == 1);
        connectionOf(only()).close(StreamError.Condition.policy_violation);
        assertEquals("", read(socket, 1000));
    }

    @Test
    void dropsAClientThatTakesNothingPlain() throws Exception {
        assertDropped(false);
    }

    @Test
    void dropsAClientThatTakesNothingOverTls() throws Exception {
        useTls();
        assertDropped(true);
    }

    private void assertDropped(boolean secure) throws Exception {
        Socket socket = secure ? tls.getSocketFactory().createSocket("localhost", port()) : connect(1).get(0);
        socket.getOutputStream().write(' ');
        assertEquals("<stream>", read(socket, 8));
        IoSession session = only();
        await("the count of bytes", () -> session.getWrittenBytes() > 0);
        MinaConnection connection = connectionOf(session);
        for (int i = 0; i < 200; i++) {
            session.write(IoBuffer.wrap(new byte[100_000]));
        }
        connection.close(StreamError.Condition.policy_violation);
        TimeUnit.MILLISECONDS.sleep(300);
        assertFalse(connection.isClosed());

        connection.drop();

        await("the session to end", connection::isClosed);
        await("Openfire to hear of it", () -> handler.closed.get() == 1);
        socket.close();
    }

    @Test
    void followsAnAcceptorThatIsReplaced() throws Exception {
        adapter.look();
        NioSocketAcceptor other = new NioSocketAcceptor(1);
        other.setHandler(handler);
        other.bind(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0));
        List<NioSocketAcceptor> used = new ArrayList<>(List.of(acceptor));
        MinaAdapter following = new MinaAdapter(core.sessions(), () -> Set.copyOf(used));
        adapter.detach();
        following.look();
        used.set(0, other);
        following.look();

        new Socket(InetAddress.getLoopbackAddress(), other.getLocalAddress().getPort());

        await("its session to be watched", () -> core.number("opened") == 1);
        other.dispose(true);
    }

    @Test
    void isNotInTheWayOfASessionThatTheCoreCanNotTake() throws Exception {
        core.close();
        adapter.look();
        Socket socket = connect(1).get(0);
        assertEquals("<stream>", read(socket, 8));
        assertTrue(only().getFilterChain().getAll().isEmpty());
    }

    private void useTls() {
        acceptor.getFilterChain().addFirst("tls", new SslFilter(tls));
    }

    private MinaConnection connectionOf(IoSession session) {
        MinaConnection connection = new MinaConnection(session, core.sessions(), new RateLimit());
        assertTrue(connection.start());
        return connection;
    }

    private IoSession only() {
        assertEquals(1, acceptor.getManagedSessionCount());
        return acceptor.getManagedSessions().values().iterator().next();
    }

    private int port() {
        return acceptor.getLocalAddress().getPort();
    }

    private List<Socket> connect(int count) throws IOException {
        List<Socket> sockets = new ArrayList<>();
        for (int i = 0; i < count; i++) {
            sockets.add(new Socket(InetAddress.getLoopbackAddress(), port()));
        }
        clients.addAll(sockets);
        return sockets;
    }

    private long watched(List<Socket> sockets) {
        return acceptor.getManagedSessions().values().stream()
                .filter(session -> isOf(session, sockets))
                .filter(session -> session.getFilterChain().contains("heartbeat-read"))
                .filter(session -> session.getFilterChain().contains("heartbeat-events"))
                .count();
    }

    private static boolean isOf(IoSession session, List<Socket> sockets) {
        int port = ((InetSocketAddress) session.getRemoteAddress()).getPort();
        return sockets.stream().anyMatch(socket -> socket.getLocalPort() == port);
    }

    /** Reads up to so many bytes, fewer at the end of the connection. */
    private static String read(Socket socket, int length) throws IOException {
        return new String(socket.getInputStream().readNBytes(length), StandardCharsets.UTF_8);
    }

    private static void await(String what, BooleanSupplier condition) throws InterruptedException {
        long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(10);
        while (!condition.getAsBoolean()) {
            assertTrue(System.nanoTime() < end, () -> "waited in vain for " + what);
            TimeUnit.MILLISECONDS.sleep(5);
        }
    }
}
