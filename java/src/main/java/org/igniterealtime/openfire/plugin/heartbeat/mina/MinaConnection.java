package org.igniterealtime.openfire.plugin.heartbeat.mina;

import org.apache.mina.core.filterchain.IoFilter.NextFilter;
import org.apache.mina.core.filterchain.IoFilterAdapter;
import org.apache.mina.core.filterchain.IoFilterChain;
import org.apache.mina.core.session.AbstractIoSession;
import org.apache.mina.core.session.IdleStatus;
import org.apache.mina.core.session.IoSession;
import org.apache.mina.core.write.WriteRequest;
import org.igniterealtime.openfire.plugin.heartbeat.RateLimit;
import org.igniterealtime.openfire.plugin.heartbeat.Sessions;
import org.igniterealtime.openfire.plugin.heartbeat.Transport;
import org.igniterealtime.openfire.plugin.heartbeat.Watched;
import org.jivesoftware.openfire.Connection;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import org.xmpp.packet.StreamError;

/**
 * One connection on MINA, and the two filters by which it is watched: the first of the chain stamps reads on the I/O
 * thread, ahead of TLS and of the queue to Openfire's threads; the last one sees, on those threads, what Openfire's
 * handler sees, in the same order.
 */
final class MinaConnection implements Transport {
    private static final Logger Log = LoggerFactory.getLogger(MinaConnection.class);

    private static final String READ = "heartbeat-read";
    private static final String EVENTS = "heartbeat-events";

    private static final long DOUBT_MS = 50;

    /** Where Openfire keeps its object for the connection. */
    private static final String CONNECTION = "CONNECTION";

    /**
     * Kept when MINA is told of a byte that never came: when one really did, in milliseconds since 1970, and the count of
     * bytes with the made-up one. It stays with the session, so the next life of the plugin finds it.
     */
    private static final String REALLY_READ = "heartbeat-really-read";

    private final IoSession session;
    private final Sessions sessions;
    private final RateLimit faults;

    /** Openfire has written something, so it has opened its stream. MINA's own count of messages is not to be trusted. */
    private volatile boolean answered;

    MinaConnection(IoSession session, Sessions sessions, RateLimit faults) {
        this.session = session;
        this.sessions = sessions;
        this.faults = faults;
    }

    /** Begins to watch. False: the core could not take it. */
    boolean start() {
        long told = session.getLastReadTime();
        long read = lastRead(session);
        Watched watched = sessions.opened(
                this, sessions.clock().earlierUs(session.getCreationTime()), sessions.clock().earlierUs(read));
        if (watched == null) {
            return false;
        }
        answered = session.getWrittenBytes() > 0;
        IoFilterChain chain = session.getFilterChain();
        synchronized (chain) {
            // Left over if an earlier life of the plugin could not be ended completely.
            remove(chain, READ);
            remove(chain, EVENTS);
            chain.addFirst(READ, new ReadFilter(watched));
            chain.addLast(EVENTS, new EventsFilter(watched));
        }
        sessions.connected(watched);
        if (session.getLastReadTime() != told) {
            watched.read();
        }
        if (session.getCloseFuture().isClosed()) {
            // It may have passed the place of the filter before the filter was there.
            sessions.ended(watched);
        }
        return true;
    }

    /** Takes the filters out again, and gives the idle session back to Openfire. */
    void remove() {
        IoFilterChain chain = session.getFilterChain();
        synchronized (chain) {
            remove(chain, READ);
            remove(chain, EVENTS);
        }
        if (session.getReaderIdleCount() > 0) {
            forgetIdleness();
        }
    }

    /**
     * Has MINA count idleness anew. Openfire pings at count 1 and closes at any later one: a session whose first one it
     * did not see would be closed without a ping. MINA only forgets the count for a byte that is read, so it is told of
     * one; when there really was one is noted.
     */
    private void forgetIdleness() {
        if (session instanceof AbstractIoSession) {
            // The count first: a byte that comes meanwhile makes it differ, and is believed.
            long count = session.getReadBytes() + 1;
            session.setAttribute(REALLY_READ, new long[] {lastRead(session), count});
            ((AbstractIoSession) session).increaseReadBytes(1, System.currentTimeMillis());
        }
    }

    /** When a byte was last read from the session; milliseconds since 1970. */
    static long lastRead(IoSession session) {
        long told = session.getLastReadTime();
        Object noted = session.getAttribute(REALLY_READ);
        boolean madeUp = noted instanceof long[] && ((long[]) noted)[1] == session.getReadBytes();
        return madeUp ? ((long[]) noted)[0] : told;
    }

    private static void remove(IoFilterChain chain, String name) {
        if (chain.contains(name)) {
            chain.remove(name);
        }
    }

    @Override
    public Connection connection() {
        return (Connection) session.getAttribute(CONNECTION);
    }

    @Override
    public void close(StreamError.Condition why) {
        Connection connection = connection();
        if (connection == null || !answered) {
            // No stream was opened, there is none to be closed.
            drop();
            return;
        }
        // Not connection.close(): it drops what is queued. Openfire does its part when it sees the connection closed.
        connection.deliverRawText(Transport.endOfStream(why));
        session.close(false);
    }

    @Override
    public void drop() {
        session.close(true);
        // TLS would first send its own farewell, and wait for ever if nobody takes it: close ahead of it.
        NextFilter ahead = session.getFilterChain().getNextFilter(READ);
        if (ahead != null) {
            ahead.filterClose(session);
        }
    }

    @Override
    public void abort() {
        drop();
        Connection connection = connection();
        if (connection != null && !connection.isClosed()) {
            connection.close();
        }
    }

    @Override
    public boolean isClosed() {
        return session.getCloseFuture().isClosed();
    }

    @Override
    public String remote() {
        return String.valueOf(session.getRemoteAddress());
    }

    /** One instance per session: nothing has to be looked up per read. */
    private static final class ReadFilter extends IoFilterAdapter {
        private final Watched watched;

        ReadFilter(Watched watched) {
            this.watched = watched;
        }

        @Override
        public void messageReceived(NextFilter next, IoSession session, Object message) {
            watched.read();
            next.messageReceived(session, message);
        }
    }

    private final class EventsFilter extends IoFilterAdapter {
        private final Watched watched;

        /** Openfire's connection is known. Only seen by one thread at a time: MINA orders the events of a session. */
        private boolean connected;

        /** Idleness is Openfire's to handle. */
        private boolean givenBack;

        EventsFilter(Watched watched) {
            this.watched = watched;
        }

        @Override
        public void messageReceived(NextFilter next, IoSession session, Object message) {
            if (!connected) {
                // Openfire has seen the session opened by now: nobody can log in unknown to us.
                connected = true;
                safely(() -> sessions.connected(watched));
            }
            next.messageReceived(session, message);
        }

        @Override
        public void filterWrite(NextFilter next, IoSession session, WriteRequest request) {
            if (!answered) {
                answered = true;
            }
            next.filterWrite(session, request);
        }

        @Override
        public void sessionIdle(NextFilter next, IoSession session, IdleStatus status) {
            if (status != IdleStatus.READER_IDLE) {
                next.sessionIdle(session, status);
                return;
            }
            boolean before = givenBack;
            givenBack = !isOurs();
            if (givenBack && !before && session.getReaderIdleCount() > 1) {
                forgetIdleness();
            } else if (givenBack) {
                next.sessionIdle(session, status);
            }
        }

        /** Waits while it is in doubt, on one of Openfire's threads: once, when the process has slept or our ticks end. */
        private boolean isOurs() {
            Sessions.Charge[] charge = {Sessions.Charge.OPENFIRES};
            try {
                safely(() -> charge[0] = sessions.idle(watched));
                while (charge[0] == Sessions.Charge.IN_DOUBT) {
                    Thread.sleep(DOUBT_MS);
                    safely(() -> charge[0] = sessions.idle(watched));
                }
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
            }
            return charge[0] == Sessions.Charge.OURS;
        }

        @Override
        public void sessionClosed(NextFilter next, IoSession session) {
            safely(() -> sessions.closing(watched));
            try {
                next.sessionClosed(session);
            } finally {
                safely(() -> sessions.ended(watched));
            }
        }

        /** A fault of ours must not get to MINA: Openfire would close the connection for it. */
        private void safely(Runnable step) {
            try {
                step.run();
            } catch (RuntimeException | LinkageError | OutOfMemoryError e) {
                if (faults.allows()) {
                    Log.error("An event of {} was lost", remote(), e);
                }
            }
        }
    }
}
