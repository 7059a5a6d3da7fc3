package org.igniterealtime.openfire.plugin.heartbeat.netty;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.netty.channel.Channel;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.handler.ssl.SslHandler;
import java.io.IOException;
import java.net.InetAddress;
import java.net.Socket;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLEngine;
import org.igniterealtime.openfire.plugin.heartbeat.RateLimit;
import org.igniterealtime.openfire.plugin.heartbeat.TestTls;
import org.jivesoftware.openfire.nio.NettyConnectionHandler;
import org.jivesoftware.openfire.spi.NettyConnectionAcceptor;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import org.xmpp.packet.StreamError;

/** How connections are found, watched and ended, plain and with TLS. */
class NettyAdapterTest extends NettyFixture {
    private static final String FAREWELL =
            "<stream:error><policy-violation xmlns='urn:ietf:params:xml:ns:xmpp-streams'/></stream:error></stream:stream>";

    /** As a look comes after each login that is not ours: many in a tick. */
    private static final int OFTEN = 200;

    /** In ticks. */
    private static final int PATIENCE = 60;

    private static final int SWEEP_EVERY = 60;

    @TempDir
    private static Path folder;

    private static SSLContext tls;

    @BeforeAll
    static void makeKey() throws Exception {
        tls = TestTls.make(folder);
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
            await("its idle timer to be out", () -> !channel.pipeline().names().contains("heartbeat-idle"));
            List<String> names = channel.pipeline().names();
            assertFalse(names.contains("idleStateHandler"), names::toString);
            assertTrue(
                    names.get(names.indexOf("heartbeat-before") + 1).startsWith("NettyConnectionHandler"), names::toString);
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
                assertTrue(channel.pipeline().names().size() >= before.size() + 1);
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
        // In before they come and go: a channel that is opened while a factory comes or goes may fail, in Openfire as well, whose
        // factories are in a plain HashSet.
        Socket socket = connect(1).get(0);
        only();
        List<Throwable> failures = new ArrayList<>();
        Thread talker = new Thread(() -> {
            try (socket) {
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

    /** The core hears of the end when Openfire has told the contacts; Openfire hears first that it may be resumed. */
    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void tellsTheEndAfterOpenfire(boolean ownThreads) throws Exception {
        open(ownThreads);
        AtomicInteger overBefore = new AtomicInteger(-1);
        AtomicInteger interruptedBefore = new AtomicInteger(-1);
        AtomicBoolean askedBefore = new AtomicBoolean();
        acceptor.ending = channel -> {
            askedBefore.set(channel.hasAttr(NettyConnectionHandler.ASKED));
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
        assertTrue(askedBefore.get(), "it was asked whose it is");
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
                connectionOf(channel).close(StreamError.Condition.policy_violation);
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
        connectionOf(only()).close(StreamError.Condition.policy_violation);
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
        connection.close(StreamError.Condition.policy_violation);
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
    void waitsForItsTicksHoweverOftenItLooks() throws Exception {
        open(true);
        adapter.look();
        Socket socket = connect(1).get(0);
        await("its channel to be watched", () -> core.number("opened") == 1);
        acceptor.holdThreads();
        Channel channel = only();
        socket.close();
        await("the channel to be closed", () -> !channel.isOpen());

        look(OFTEN);
        assertEquals(0, core.number("over"), "its own event was not waited for");

        core.tick(PATIENCE);
        look(OFTEN);
        assertEquals(0, core.number("over"), "its own event was not waited for");
        core.tick(1);
        look(1);
        assertEquals(1, core.number("over"));
    }

    @Test
    void goesThroughAllChannelsByTicksHoweverOftenItLooks() throws Exception {
        open(false);
        adapter.look();
        core.tick(2);
        look(1);
        assertEquals(2, acceptor.added.get(), "who came at that moment and logs in is to be found at once");
        core.tick(1);
        int before = acceptor.added.get();

        look(OFTEN);
        assertEquals(before, acceptor.added.get(), "gone through though no time has passed");
        core.tick(SWEEP_EVERY - 2);
        look(OFTEN);
        assertEquals(before, acceptor.added.get(), "gone through too early");
        core.tick(1);
        look(OFTEN);
        assertEquals(before + 1, acceptor.added.get(), "gone through once when it is time");
    }

    private void look(int times) {
        for (int i = 0; i < times; i++) {
            adapter.look();
        }
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
                channel,
                new NettyConnection.Common(
                        core.sessions(), NettyOpenfire.find(), closed -> {}, new RateLimit(), over -> {}));
        assertTrue(connection.start());
        return connection;
    }

    private Socket secureSocket() throws IOException {
        return tls.getSocketFactory().createSocket("localhost", acceptor.port());
    }
}
