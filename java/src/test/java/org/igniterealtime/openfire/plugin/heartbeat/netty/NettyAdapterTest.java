package org.igniterealtime.openfire.plugin.heartbeat.netty;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.netty.channel.Channel;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.handler.ssl.SslHandler;
import io.netty.handler.timeout.IdleStateHandler;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.BooleanSupplier;
import java.util.function.Consumer;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLEngine;
import org.igniterealtime.openfire.plugin.heartbeat.RateLimit;
import org.igniterealtime.openfire.plugin.heartbeat.TestCore;
import org.igniterealtime.openfire.plugin.heartbeat.TestTls;
import org.jivesoftware.openfire.nio.NettyConnectionHandler;
import org.jivesoftware.openfire.spi.NettyConnectionAcceptor;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * The adapter on Netty itself, with a stand-in for Openfire's acceptor: plain and with TLS, over real sockets. Run on
 * Netty 4.1 (Openfire 4.8 to 5.0) and on 4.2 (5.1); with threads of their own for stanzas (5.1) and without.
 */
@Timeout(60)
class NettyAdapterTest {
    private static final String FAREWELL = "<stream:error/></stream:stream>";

    @TempDir
    private static Path folder;

    private static SSLContext tls;

    private final TestCore core = new TestCore();
    private final AtomicInteger interrupted = new AtomicInteger();
    private final Set<Object> inUse = new HashSet<>();
    private final Set<Consumer<Object>> starting = new HashSet<>();
    private NettyConnectionAcceptor acceptor;
    private NettyAdapter adapter;

    @BeforeAll
    static void makeKey() throws Exception {
        tls = TestTls.make(folder);
    }

    @AfterEach
    void close() {
        acceptor.close();
        core.close();
    }

    private void open(boolean ownThreads) throws Exception {
        acceptor = new NettyConnectionAcceptor(ownThreads);
        inUse.add(acceptor);
        adapter = newAdapter();
    }

    private NettyAdapter newAdapter() throws Exception {
        NettyOpenfire.Acceptors acceptors = new NettyOpenfire.Acceptors() {
            @Override
            public Set<Object> inUse() {
                return new HashSet<>(inUse);
            }

            @Override
            public Runnable listen(Consumer<Object> listener) {
                starting.add(listener);
                return () -> starting.remove(listener);
            }
        };
        return new NettyAdapter(core.sessions(), acceptors, connection -> interrupted.incrementAndGet());
    }

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void watchesOldAndNewChannelsOnce(boolean ownThreads) throws Exception {
        open(ownThreads);
        List<Socket> sockets = new ArrayList<>(connect(3));
        await("three channels", () -> acceptor.channels.size() == 3);
        adapter.look();
        adapter.look();
        sockets.addAll(connect(3));
        await("six to be watched", () -> core.number("opened") == 6);
        adapter.look();

        assertEquals(6, core.number("opened"));
        for (Channel channel : acceptor.channels) {
            await("its place at the front", () -> "heartbeat-read".equals(channel.pipeline().names().get(0)));
            List<String> names = channel.pipeline().names();
            assertEquals(names.indexOf("keepAliveHandler"), names.indexOf("heartbeat-idle") + 1);
            assertEquals(names.indexOf("heartbeat-after"), names.indexOf("heartbeat-before") + 2);
        }
        for (Socket socket : sockets) {
            socket.close();
        }
        await("all to be over", () -> core.number("over") == 6);
        assertEquals(6, acceptor.closed.get());
    }

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void missesNobodyWhileItComesAndGoes(boolean ownThreads) throws Exception {
        open(ownThreads);
        List<Socket> staying = connect(5);
        await("five channels", () -> acceptor.channels.size() == 5);
        List<String> before = acceptor.channels.iterator().next().pipeline().names();
        for (int i = 0; i < 50; i++) {
            NettyAdapter brief = newAdapter();
            brief.look();
            for (Channel channel : acceptor.channels) {
                // Openfire's idle timer may be out already.
                assertTrue(channel.pipeline().names().size() >= before.size() + 3);
            }
            staying.get(i % 5).getOutputStream().write(' ');
            brief.detach();
            for (Channel channel : acceptor.channels) {
                assertEquals(before, channel.pipeline().names());
            }
        }
        assertFalse(acceptor.hasFactories());
        assertEquals(5, acceptor.channels.size());
        assertEquals(0, acceptor.faults.get());
    }

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void letsAllThroughWhileItComesAndGoes(boolean ownThreads) throws Exception {
        open(ownThreads);
        List<Throwable> failures = new ArrayList<>();
        Thread talker = new Thread(() -> {
            try (Socket socket = connect(1).get(0)) {
                for (int i = 0; i < 2000; i++) {
                    socket.getOutputStream().write(' ');
                    assertEquals("<stream>", read(socket, 8));
                }
            } catch (IOException | AssertionError e) {
                failures.add(e);
            }
        });
        talker.start();
        while (talker.isAlive()) {
            NettyAdapter brief = newAdapter();
            brief.look();
            brief.detach();
        }
        talker.join();
        assertEquals(List.of(), failures);
    }

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void stampsEveryByteThatIsRead(boolean ownThreads) throws Exception {
        open(ownThreads);
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

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void knowsWhenItWasReadFromBefore(boolean ownThreads) throws Exception {
        open(ownThreads);
        acceptor.idleSeconds = 30;
        Socket socket = connect(1).get(0);
        TimeUnit.SECONDS.sleep(1);
        socket.getOutputStream().write(' ');
        assertEquals("<stream>", read(socket, 8));
        TimeUnit.SECONDS.sleep(3);
        core.tick(4);
        adapter.look();
        assertEquals(3, core.number("silent_s"), 1);
    }

    @Test
    void stampsBytesThatTlsKeepsForItself() throws Exception {
        open(false);
        adapter.look();
        Socket socket = connect(1).get(0);
        await("it to be watched", () -> core.number("opened") == 1);
        SSLEngine engine = tls.createSSLEngine();
        engine.setUseClientMode(false);
        // As STARTTLS does, and compression too.
        only().pipeline().addFirst("ssl", new SslHandler(engine));
        try (Socket secure = tls.getSocketFactory().createSocket(socket, "localhost", acceptor.port(), true)) {
            secure.getOutputStream().write(' ');
            assertEquals("<stream>", read(secure, 8));
            Channel channel = only();
            await("its place at the front", () -> "heartbeat-read".equals(channel.pipeline().names().get(0)));
            core.tick(5);
            await("silence", () -> core.number("silent_s") == 5);

            // The beginning of a record of TLS, whose rest does not come.
            socket.getOutputStream().write(new byte[] {23, 3, 3});

            await("the stamp", () -> core.number("silent_s") == 0);
        }
    }

    @Test
    void staysAheadOfWhatHoldsBytesBack() throws Exception {
        open(false);
        adapter.look();
        Socket socket = connect(1).get(0);
        await("it to be watched", () -> core.number("opened") == 1);
        only().pipeline().addFirst(new ChannelInboundHandlerAdapter() {
            private boolean first = true;

            @Override
            public void channelRead(ChannelHandlerContext context, Object message) {
                if (first) {
                    context.fireChannelRead(message);
                } else {
                    ((ByteBuf) message).release();
                }
                first = false;
            }
        });
        socket.getOutputStream().write(' ');
        assertEquals("<stream>", read(socket, 8));
        core.tick(5);

        socket.getOutputStream().write(' ');

        await("the stamp", () -> core.number("silent_s") == 0);
    }

    /** It costs at every read; nobody needs it while the core counts. */
    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void takesTheIdleTimerOutWhileTheCoreIsInCharge(boolean ownThreads) throws Exception {
        open(ownThreads);
        acceptor.idleSeconds = 1;
        connect(1);
        await("a channel", () -> acceptor.channels.size() == 1);
        List<String> before = only().pipeline().names();
        adapter.look();
        connect(1);
        await("both to be watched", () -> core.number("opened") == 2);
        for (Channel channel : acceptor.channels) {
            await("its idle timer to be out", () -> channel.pipeline().get("idleStateHandler") == null);
            // Openfire has pinged it, and was answered by a space, which is no sign of life to it.
            channel.attr(NettyConnectionHandler.IDLE_FLAG).set(true);
        }
        TimeUnit.SECONDS.sleep(2);
        assertEquals(0, core.number("idle_events"));
        assertEquals(0, acceptor.idle.get());

        core.stop();

        for (Channel channel : acceptor.channels) {
            await("an equal one", () -> channel.pipeline().get("idleStateHandler") != null);
            // Or Openfire would close it without a ping.
            assertNull(channel.attr(NettyConnectionHandler.IDLE_FLAG).get());
            List<String> names = new ArrayList<>(channel.pipeline().names());
            names.removeIf(name -> name.startsWith("heartbeat-"));
            assertEquals(before, names);
            IdleStateHandler timer = (IdleStateHandler) channel.pipeline().get("idleStateHandler");
            assertEquals(IdleStateHandler.class, timer.getClass());
            assertEquals(1000, timer.getReaderIdleTimeInMillis());
            assertEquals(0, timer.getWriterIdleTimeInMillis());
            assertEquals(0, timer.getAllIdleTimeInMillis());
        }
        await("Openfire to hear of silence twice", () -> acceptor.idle.get() >= 2);
        assertEquals(0, acceptor.faults.get());
    }

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void handsOnWhenItWasLastReadFrom(boolean ownThreads) throws Exception {
        open(ownThreads);
        acceptor.idleSeconds = 30;
        adapter.look();
        Socket socket = connect(1).get(0);
        await("it to be watched", () -> core.number("opened") == 1);
        socket.getOutputStream().write(' ');
        assertEquals("<stream>", read(socket, 8));
        Channel channel = only();
        await("its idle timer to be out", () -> channel.pipeline().get("idleStateHandler") == null);
        core.tick(8);
        adapter.detach();
        IdleStateHandler timer = (IdleStateHandler) channel.pipeline().get("idleStateHandler");
        assertEquals(30_000, timer.getReaderIdleTimeInMillis());
        // At once, for whoever comes next; and never more than it was, as it was read at the end of a tick perhaps.
        long age = new LastRead().ageUs(channel);
        assertTrue(age >= 7_000_000 && age < 8_000_000, () -> age + " us");
    }

    /** Also between our leaving and the timer's beginning. */
    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void missesNoReadWhileItGoes(boolean ownThreads) throws Exception {
        open(ownThreads);
        acceptor.idleSeconds = 30;
        List<Socket> sockets = connect(20);
        await("their channels", () -> acceptor.channels.size() == 20);
        LastRead lastRead = new LastRead();
        for (int i = 0; i < 20; i++) {
            NettyAdapter brief = newAdapter();
            brief.look();
            for (Channel channel : acceptor.channels) {
                await("its idle timer to be out", () -> channel.pipeline().get("idleStateHandler") == null);
            }
            core.tick(20);
            for (Socket socket : sockets) {
                socket.getOutputStream().write(' ');
            }
            brief.detach();
            for (Socket socket : sockets) {
                assertEquals("<stream>", read(socket, 8));
            }
            for (Channel channel : acceptor.channels) {
                assertTrue(lastRead.ageUs(channel) < 5_000_000, () -> "a read of " + channel + " was lost");
            }
        }
    }

    /** A timer that is not Openfire's own can not be put back as it was: it stays, and its word is kept from Openfire. */
    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void keepsSilenceFromOpenfireWhileTheCoreIsInCharge(boolean ownThreads) throws Exception {
        open(ownThreads);
        acceptor.ownTimer = true;
        acceptor.idleSeconds = 1;
        adapter.look();
        connect(1);
        await("it to be watched", () -> core.number("opened") == 1);
        Channel channel = only();
        channel.attr(NettyConnectionHandler.IDLE_FLAG).set(true);

        await("the core to hear of it", () -> core.number("idle_events") >= 1);
        assertEquals(0, acceptor.idle.get());
        await("an earlier silence to be forgotten", () -> channel.attr(NettyConnectionHandler.IDLE_FLAG).get() == null);

        core.stop();
        await("Openfire to hear of it", () -> acceptor.idle.get() > 0);
    }

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void givesSilenceBackWhenItGoes(boolean ownThreads) throws Exception {
        open(ownThreads);
        acceptor.idleSeconds = 1;
        adapter.look();
        connect(1);
        await("it to be watched", () -> core.number("opened") == 1);
        adapter.detach();

        await("Openfire to hear of it", () -> acceptor.idle.get() > 0);
        assertEquals(0, core.number("idle_events"));
    }

    /** The core hears of the end when Openfire has told the contacts; Openfire hears first that it may be resumed. */
    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void tellsTheEndAfterOpenfire(boolean ownThreads) throws Exception {
        open(ownThreads);
        AtomicInteger overBefore = new AtomicInteger(-1);
        AtomicInteger interruptedBefore = new AtomicInteger(-1);
        acceptor.ending = channel -> {
            overBefore.set(core.number("over"));
            interruptedBefore.set(interrupted.get());
        };
        adapter.look();
        Socket socket = connect(1).get(0);
        await("it to be watched", () -> core.number("opened") == 1);
        socket.close();
        await("it to be over", () -> core.number("over") == 1);
        assertEquals(0, overBefore.get());
        assertEquals(1, interruptedBefore.get());
    }

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void takesAResetForAPlainEnd(boolean ownThreads) throws Exception {
        open(ownThreads);
        adapter.look();
        Socket socket = connect(1).get(0);
        await("it to be watched", () -> core.number("opened") == 1);
        socket.setSoLinger(true, 0);
        socket.close();
        await("it to be over", () -> core.number("over") == 1);
        assertEquals(0, acceptor.faults.get());
        assertEquals(1, interrupted.get());
        assertEquals(1, acceptor.closed.get());
    }

    @Test
    void farewellArrivesWholeHundredTimesPlain() throws Exception {
        open(true);
        assertFarewells(false);
    }

    @Test
    void farewellArrivesWholeHundredTimesOverTls() throws Exception {
        open(true);
        acceptor.tls = tls;
        assertFarewells(true);
    }

    private void assertFarewells(boolean secure) throws Exception {
        for (int i = 0; i < 100; i++) {
            try (Socket socket = secure ? secureSocket() : connect(1).get(0)) {
                socket.getOutputStream().write(' ');
                assertEquals("<stream>", read(socket, 8));
                Channel channel = only();
                await("the count of bytes", () -> channel.attr(NettyConnectionHandler.WRITTEN_BYTES).get() != null);
                connectionOf(channel).close(FAREWELL);
                assertEquals(FAREWELL, read(socket, 1000));
            }
            await("the channel to end", () -> acceptor.channels.isEmpty());
        }
    }

    @Test
    void saysNothingWhereNoStreamWasOpened() throws Exception {
        open(false);
        Socket socket = connect(1).get(0);
        await("the channel", () -> acceptor.channels.size() == 1);
        connectionOf(only()).close(FAREWELL);
        assertEquals("", read(socket, 1000));
    }

    @Test
    void dropsAClientThatTakesNothingPlain() throws Exception {
        open(false);
        assertDropped(false);
    }

    @Test
    void dropsAClientThatTakesNothingOverTls() throws Exception {
        open(true);
        acceptor.tls = tls;
        assertDropped(true);
    }

    private void assertDropped(boolean secure) throws Exception {
        Socket socket = secure ? secureSocket() : connect(1).get(0);
        socket.getOutputStream().write(' ');
        assertEquals("<stream>", read(socket, 8));
        Channel channel = only();
        await("the count of bytes", () -> channel.attr(NettyConnectionHandler.WRITTEN_BYTES).get() != null);
        NettyConnection connection = connectionOf(channel);
        for (int i = 0; i < 200; i++) {
            var unused = channel.writeAndFlush(Unpooled.wrappedBuffer(new byte[100_000]));
        }
        connection.close(FAREWELL);
        channel.eventLoop().submit(() -> {}).sync();
        TimeUnit.MILLISECONDS.sleep(300);
        assertFalse(connection.isClosed());

        long start = System.nanoTime();
        connection.drop();

        await("the channel to end", connection::isClosed);
        assertTrue(System.nanoTime() - start < TimeUnit.SECONDS.toNanos(2), "TLS waited for its own farewell");
        await("Openfire to hear of it", () -> acceptor.closed.get() == 1);
        socket.close();
    }

    @Test
    void followsAnAcceptorThatIsReplaced() throws Exception {
        open(true);
        adapter.look();
        Socket staying = connect(1).get(0);
        await("its channel to be watched", () -> core.number("opened") == 1);
        try (NettyConnectionAcceptor other = new NettyConnectionAcceptor(true)) {
            inUse.clear();
            inUse.add(other);
            adapter.look();
            assertFalse(acceptor.hasFactories());
            new Socket(InetAddress.getLoopbackAddress(), other.port());
            await("the new channel to be watched", () -> core.number("opened") == 2);
            staying.close();
            await("the old channel to be over", () -> core.number("over") == 1);
            adapter.detach();
            assertFalse(other.hasFactories());
        }
    }

    @Test
    void isThereBeforeAPortIsOpened() throws Exception {
        open(true);
        inUse.clear();
        adapter.look();
        starting.forEach(listener -> listener.accept(acceptor));
        connect(1);
        await("its channel to be watched", () -> core.number("opened") == 1);
        inUse.add(acceptor);
        adapter.look();
        assertTrue(acceptor.hasFactories());
        adapter.detach();
        assertFalse(acceptor.hasFactories());
        assertTrue(starting.isEmpty());
    }

    @Test
    void endsWhatCanNotTellItsEndAnyMore() throws Exception {
        open(true);
        adapter.look();
        Socket socket = connect(1).get(0);
        await("its channel to be watched", () -> core.number("opened") == 1);
        acceptor.endThreads();
        Channel channel = only();
        socket.close();
        await("the channel to be closed", () -> !channel.isOpen());
        assertEquals(0, core.number("over"));

        adapter.look();

        assertEquals(1, core.number("over"));
    }

    @Test
    void isNotInTheWayOfAChannelThatTheCoreCanNotTake() throws Exception {
        open(false);
        core.close();
        adapter.look();
        Socket socket = connect(1).get(0);
        socket.getOutputStream().write(' ');
        assertEquals("<stream>", read(socket, 8));
        assertNothingIsAdded();
    }

    @Test
    void leavesAPipelineAloneThatItDoesNotKnow() throws Exception {
        open(false);
        acceptor.keepAlive = "somethingElse";
        adapter.look();
        Socket socket = connect(1).get(0);
        socket.getOutputStream().write(' ');
        assertEquals("<stream>", read(socket, 8));
        assertNothingIsAdded();
        assertEquals(0, core.number("opened"));
    }

    private void assertNothingIsAdded() throws InterruptedException {
        List<String> names = only().pipeline().names();
        assertTrue(names.stream().noneMatch(name -> name.startsWith("heartbeat")), names::toString);
    }

    @Test
    void namesWhatThisOpenfireDoesNotHave() throws Exception {
        open(false);
        Exception missing = assertThrows(NoSuchMethodException.class, NettyAdapter::check);
        assertTrue(missing.getMessage().contains("ConnectionListener.getConnectionAcceptor"), missing::getMessage);
    }

    private NettyConnection connectionOf(Channel channel) throws Exception {
        NettyConnection connection = new NettyConnection(
                channel, core.sessions(), NettyOpenfire.find(), closed -> {}, new RateLimit(), over -> {});
        assertTrue(connection.start());
        return connection;
    }

    private Channel only() throws InterruptedException {
        await("the only channel", () -> acceptor.channels.size() == 1);
        return acceptor.channels.iterator().next();
    }

    private Socket secureSocket() throws IOException {
        return tls.getSocketFactory().createSocket("localhost", acceptor.port());
    }

    private List<Socket> connect(int count) throws IOException {
        List<Socket> sockets = new ArrayList<>();
        for (int i = 0; i < count; i++) {
            Socket socket = new Socket();
            socket.connect(new InetSocketAddress(InetAddress.getLoopbackAddress(), acceptor.port()));
            sockets.add(socket);
        }
        return sockets;
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
