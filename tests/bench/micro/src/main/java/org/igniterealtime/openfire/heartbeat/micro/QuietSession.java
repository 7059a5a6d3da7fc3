package org.igniterealtime.openfire.heartbeat.micro;

import java.net.InetSocketAddress;
import java.net.SocketAddress;
import java.util.List;
import java.util.Set;
import org.apache.mina.core.file.FileRegion;
import org.apache.mina.core.filterchain.DefaultIoFilterChain;
import org.apache.mina.core.filterchain.IoFilterChain;
import org.apache.mina.core.service.AbstractIoAcceptor;
import org.apache.mina.core.service.DefaultTransportMetadata;
import org.apache.mina.core.service.IoHandlerAdapter;
import org.apache.mina.core.service.IoProcessor;
import org.apache.mina.core.service.TransportMetadata;
import org.apache.mina.core.session.AbstractIoSession;
import org.apache.mina.core.session.IdleStatus;
import org.apache.mina.core.session.IoSession;
import org.apache.mina.core.session.IoSessionConfig;
import org.apache.mina.core.write.WriteRequest;
import org.apache.mina.transport.socket.DefaultSocketSessionConfig;
import org.apache.mina.transport.socket.SocketSessionConfig;

/** A session of MINA's without a network. */
final class QuietSession extends AbstractIoSession {
    private static final TransportMetadata METADATA = new DefaultTransportMetadata(
            "bench", "quiet", false, true, InetSocketAddress.class, SocketSessionConfig.class, Object.class, FileRegion.class);

    private final IoFilterChain chain;

    private QuietSession(Service service, int idleSeconds) {
        super(service);
        config = new DefaultSocketSessionConfig();
        config.setIdleTime(IdleStatus.READER_IDLE, idleSeconds);
        chain = new DefaultIoFilterChain(this);
    }

    /** What sessions have in common, with what comes to its handler. */
    static final class Service extends AbstractIoAcceptor {
        private long messages;
        private int idles;

        Service() {
            super(new DefaultSocketSessionConfig(), Runnable::run);
            setHandler(new IoHandlerAdapter() {
                @Override
                public void messageReceived(IoSession session, Object message) {
                    messages++;
                }

                @Override
                public void sessionIdle(IoSession session, IdleStatus status) {
                    idles++;
                }
            });
        }

        QuietSession open(int idleSeconds) throws Exception {
            QuietSession session = new QuietSession(this, idleSeconds);
            session.setAttributeMap(getSessionDataStructureFactory().getAttributeMap(session));
            session.setWriteRequestQueue(getSessionDataStructureFactory().getWriteRequestQueue(session));
            return session;
        }

        long messages() {
            return messages;
        }

        int idles() {
            return idles;
        }

        @Override
        public TransportMetadata getTransportMetadata() {
            return METADATA;
        }

        @Override
        public SocketSessionConfig getSessionConfig() {
            return (SocketSessionConfig) sessionConfig;
        }

        @Override
        public InetSocketAddress getLocalAddress() {
            return null;
        }

        @Override
        protected void dispose0() {
            // It has nothing.
        }

        @Override
        protected Set<SocketAddress> bindInternal(List<? extends SocketAddress> addresses) {
            throw new UnsupportedOperationException();
        }

        @Override
        protected void unbind0(List<? extends SocketAddress> addresses) {
            throw new UnsupportedOperationException();
        }

        @Override
        public IoSession newSession(SocketAddress remote, SocketAddress local) {
            throw new UnsupportedOperationException();
        }
    }

    @Override
    public IoFilterChain getFilterChain() {
        return chain;
    }

    @Override
    public IoProcessor<QuietSession> getProcessor() {
        return NOBODY;
    }

    @Override
    public TransportMetadata getTransportMetadata() {
        return METADATA;
    }

    @Override
    public SocketAddress getRemoteAddress() {
        return null;
    }

    @Override
    public SocketAddress getLocalAddress() {
        return null;
    }

    @Override
    public IoSessionConfig getConfig() {
        return config;
    }

    private static final IoProcessor<QuietSession> NOBODY = new IoProcessor<>() {
        @Override
        public boolean isDisposing() {
            return false;
        }

        @Override
        public boolean isDisposed() {
            return false;
        }

        @Override
        public void dispose() {
            // It has nothing.
        }

        @Override
        public void add(QuietSession session) {
            throw new UnsupportedOperationException();
        }

        @Override
        public void flush(QuietSession session) {
            throw new UnsupportedOperationException();
        }

        @Override
        public void write(QuietSession session, WriteRequest request) {
            throw new UnsupportedOperationException();
        }

        @Override
        public void updateTrafficControl(QuietSession session) {
            throw new UnsupportedOperationException();
        }

        @Override
        public void remove(QuietSession session) {
            throw new UnsupportedOperationException();
        }
    };
}
