package org.igniterealtime.openfire.plugin.heartbeat.http;

import org.igniterealtime.openfire.plugin.heartbeat.Transport;
import org.igniterealtime.openfire.plugin.heartbeat.Watched;
import org.jivesoftware.openfire.Connection;
import org.jivesoftware.openfire.XMPPServer;
import org.jivesoftware.openfire.session.LocalClientSession;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import org.xmpp.packet.Presence;
import org.xmpp.packet.StreamError;

/**
 * One connection over WebSocket (RFC 7395) or BOSH (XEP-0124). It is reached through Openfire's own object only, whose
 * calls may wait for the network.
 */
final class HttpConnection implements Transport {
    private static final Logger Log = LoggerFactory.getLogger(HttpConnection.class);

    final LocalClientSession session;
    private final Kind kind;
    private final int ownS;
    private final Connection connection;
    private final Reads reads;
    private final String remote;

    /** Up to 4.7 Openfire tells contacts twice of a WebSocket that it is made to close, unless they know. */
    private final boolean tellFirst;

    /** We are about to say unavailable for its client. */
    private volatile boolean ending;

    /** Guarded by this. */
    private Watched watched;

    private long lastMark;

    HttpConnection(Kind kind, int ownS, LocalClientSession session, Connection connection, Reads reads, boolean tellFirst) {
        this.tellFirst = tellFirst;
        this.kind = kind;
        this.ownS = ownS;
        this.session = session;
        this.connection = connection;
        this.reads = reads;
        remote = session.getAddress().toString();
        lastMark = reads.mark();
    }

    /** Its monitor is held from before it can be found until this is called. */
    synchronized void watchedAs(Watched ours) {
        watched = ours;
    }

    /** Null if the core could not take it. */
    synchronized Watched watched() {
        return watched;
    }

    /** Of the last look, or of when it was found. */
    long lastMark() {
        return lastMark;
    }

    /** Stamps what was read since the last look, and is no stanza: those are stamped when they come. */
    void look() {
        long mark = reads.mark();
        Watched ours = watched();
        boolean isNew = kind == Kind.BOSH ? mark > lastMark : mark != lastMark;
        if (isNew && ours != null) {
            lastMark = mark;
            ours.read();
        }
    }

    /** Unavailable is said by Openfire for whose connection is closed, and by us before we close it: nobody spoke. */
    @Override
    public void heard(Watched ours) {
        if (!ending && !isClosed()) {
            ours.read();
        }
    }

    /** Whether nothing was read for so long, to the tick. */
    boolean wasSilentFor(int seconds) {
        return watched().silentUs() >= (seconds - 1) * 1_000_000L;
    }

    @Override
    public Kind kind() {
        return kind;
    }

    @Override
    public int endedByOpenfireAfter() {
        return ownS;
    }

    @Override
    public Connection connection() {
        return connection;
    }

    /** The error is an element of its own (RFC 7395, section 3.5). The end that comes after it, Openfire writes. */
    @Override
    public void close(StreamError.Condition why) {
        if (!connection.isClosed()) {
            connection.deliverRawText(new StreamError(why).toXML());
            if (tellFirst) {
                ending = true;
                tell();
            }
        }
        drop();
    }

    private void tell() {
        if (session.getPresence().isAvailable()) {
            Presence gone = new Presence(Presence.Type.unavailable);
            gone.setFrom(session.getAddress());
            XMPPServer.getInstance().getPresenceRouter().route(gone);
        }
    }

    @Override
    public void drop() {
        try {
            connection.close();
        } catch (RuntimeException e) {
            // 4.2.0 does, for a WebSocket that is closed on the wire.
            Log.debug("{} did not close", remote, e);
        }
    }

    @Override
    public void abort() {
        drop();
    }

    @Override
    public boolean isClosed() {
        return connection.isClosed();
    }

    /** Closed, or its session goes on without it. */
    boolean isOver() {
        return isClosed() || session.isDetached() || session.getConnection() != connection;
    }

    /**
     * Up to 4.7 Openfire keeps the session of a WebSocket that was lost, for its client to resume, and forgets to detach
     * it: it would be kept for ever.
     */
    void detachLost() {
        if (kind == Kind.WEBSOCKET && !connection.validate() && session.getStreamManager().getResume()) {
            drop();
            // Once it was resumed, Openfire's own listener has another session in mind.
            if (!session.isDetached() && session.getConnection() == connection) {
                session.setDetached();
            }
        }
    }

    @Override
    public String remote() {
        return remote;
    }

    /**
     * What is another one after each read, stanza or not. Of BOSH it grows with each, and may fall when requests are let go,
     * as in 4.2.0; of a WebSocket it is a time of day, which may be set back.
     */
    interface Reads {
        long mark();
    }
}
