package org.igniterealtime.openfire.plugin.heartbeat.netty;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
import java.util.Collection;
import java.util.Set;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** Openfire opens a port for clients while we come or go: it is open afterwards. */
class NettyPortTest extends NettyFixture {
    private final Port port = new Port();
    private final Busy other = new Busy();

    @BeforeEach
    void open() throws Exception {
        open(false);
        adapter = new NettyAdapter(
                core.sessions(), NettyOpenfire.acceptorsOf(Port.class, () -> Set.of(port)), connection -> {});
    }

    @Test
    void isOpenedThoughWeGoAfterWeWereTold() throws Exception {
        adapter.look();
        port.add(other);
        goWhileItStarts();
    }

    @Test
    void isOpenedThoughWeGoBeforeWeAreTold() throws Exception {
        port.add(other);
        adapter.look();
        goWhileItStarts();
    }

    private void goWhileItStarts() throws Exception {
        whileItStarts(adapter::detach);
        assertEquals(1, port.listeners.size(), "ours is gone");
        assertFalse(acceptor.hasFactories());
    }

    @Test
    void isOpenedThoughWeCome() throws Exception {
        port.add(other);
        whileItStarts(adapter::look);
        assertTrue(acceptor.hasFactories());
        assertEquals(2, port.listeners.size());
        adapter.detach();
        assertFalse(acceptor.hasFactories());
    }

    @Test
    void nobodyHearsOnceWeAreGone() throws Exception {
        adapter.detach();
        adapter.look();
        assertTrue(port.listeners.isEmpty());
        port.start();
        assertFalse(acceptor.hasFactories());
    }

    /** Does it on a thread of its own, when the port is in the middle of being opened. */
    private void whileItStarts(Runnable what) throws InterruptedException {
        Thread starting = new Thread(port::start, "starting");
        starting.start();
        assertTrue(other.begun.await(10, TimeUnit.SECONDS));
        Thread doing = new Thread(what, "coming or going");
        doing.start();
        await("it to be done, or to wait", () -> doing.getState() == Thread.State.BLOCKED || !doing.isAlive());
        other.go.countDown();
        starting.join(TimeUnit.SECONDS.toMillis(10));
        doing.join(TimeUnit.SECONDS.toMillis(10));
        assertFalse(starting.isAlive() || doing.isAlive(), "each waits for the other");
        assertTrue(port.isOpen, "the port is closed");
    }

    /** What Openfire's ConnectionListener has to do with its listeners, from 4.8 to 5.1. */
    public final class Port {
        private final Collection<SocketAcceptorEventListener> listeners = new ArrayList<>();
        private volatile Object connectionAcceptor;
        private volatile boolean isOpen;

        public synchronized void start() {
            connectionAcceptor = acceptor;
            listeners.forEach(listener -> listener.acceptorStarting(connectionAcceptor));
            isOpen = true;
        }

        public Object getConnectionAcceptor() {
            return connectionAcceptor;
        }

        public void add(SocketAcceptorEventListener listener) {
            listeners.add(listener);
        }

        public void remove(SocketAcceptorEventListener listener) {
            listeners.remove(listener);
        }

        /** As Openfire's. */
        public interface SocketAcceptorEventListener {
            void acceptorStarting(Object connectionAcceptor);

            void acceptorStopping(Object connectionAcceptor);
        }
    }

    /** Another's listener, which takes its time. */
    private static final class Busy implements Port.SocketAcceptorEventListener {
        private final CountDownLatch begun = new CountDownLatch(1);
        private final CountDownLatch go = new CountDownLatch(1);

        @Override
        public void acceptorStarting(Object connectionAcceptor) {
            begun.countDown();
            try {
                assertTrue(go.await(10, TimeUnit.SECONDS));
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
            }
        }

        @Override
        public void acceptorStopping(Object connectionAcceptor) {
            throw new UnsupportedOperationException();
        }
    }
}
