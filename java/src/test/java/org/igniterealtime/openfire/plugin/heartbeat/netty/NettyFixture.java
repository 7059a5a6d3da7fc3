package org.igniterealtime.openfire.plugin.heartbeat.netty;

import static org.junit.jupiter.api.Assertions.assertTrue;

import io.netty.channel.Channel;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.BooleanSupplier;
import java.util.function.Consumer;
import org.igniterealtime.openfire.plugin.heartbeat.TestCore;
import org.jivesoftware.openfire.spi.NettyConnectionAcceptor;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Timeout;

/**
 * The adapter on Netty itself, with a stand-in for Openfire's acceptor, over real sockets. Run on Netty 4.1 (Openfire
 * 4.8 to 5.0) and on 4.2 (5.1); with threads of their own for stanzas (5.1) and without.
 */
@Timeout(60)
abstract class NettyFixture {
    final TestCore core = new TestCore();
    final AtomicInteger interrupted = new AtomicInteger();
    final Set<Object> inUse = new HashSet<>();
    final Set<Consumer<Object>> starting = new HashSet<>();
    /** Or a collection of garbage closes those that a test does not look at any more. */
    private final List<Socket> clients = new ArrayList<>();

    NettyConnectionAcceptor acceptor;
    NettyAdapter adapter;

    @AfterEach
    void close() throws IOException {
        for (Socket client : clients) {
            client.close();
        }
        acceptor.close();
        core.close();
    }

    void open(boolean ownThreads) throws Exception {
        acceptor = new NettyConnectionAcceptor(ownThreads);
        inUse.add(acceptor);
        adapter = newAdapter();
    }

    NettyAdapter newAdapter() throws Exception {
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

    Channel only() throws InterruptedException {
        await("the only channel", () -> acceptor.channels.size() == 1);
        return acceptor.channels.iterator().next();
    }

    List<Socket> connect(int count) throws IOException {
        List<Socket> sockets = new ArrayList<>();
        for (int i = 0; i < count; i++) {
            Socket socket = new Socket();
            socket.connect(new InetSocketAddress(InetAddress.getLoopbackAddress(), acceptor.port()));
            sockets.add(socket);
        }
        clients.addAll(sockets);
        return sockets;
    }

    /** Reads up to so many bytes, fewer at the end of the connection. */
    static String read(Socket socket, int length) throws IOException {
        return new String(socket.getInputStream().readNBytes(length), StandardCharsets.UTF_8);
    }

    static void await(String what, BooleanSupplier condition) throws InterruptedException {
        long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(10);
        while (!condition.getAsBoolean()) {
            assertTrue(System.nanoTime() < end, () -> "waited in vain for " + what);
            TimeUnit.MILLISECONDS.sleep(5);
        }
    }
}
