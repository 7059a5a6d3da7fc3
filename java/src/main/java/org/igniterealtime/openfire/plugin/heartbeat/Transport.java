package org.igniterealtime.openfire.plugin.heartbeat;

import java.util.Locale;
import org.jivesoftware.openfire.Connection;
import org.xmpp.packet.StreamError;

/** What an adapter can do with one connection of a client. No method of those over TCP waits for the network. */
public interface Transport {
    /** What a connection is made of: {@code HB_TRANSPORTS} of the core. */
    enum Kind {
        TCP(0),
        WEBSOCKET(1),
        BOSH(2);

        final int code;

        Kind(int code) {
            this.code = code;
        }

        /** As the core names it: {@code tcp}, ... */
        public String text() {
            return name().toLowerCase(Locale.ROOT);
        }
    }

    default Kind kind() {
        return Kind.TCP;
    }

    /**
     * Seconds of silence after which Openfire closes the connection by a task of its own that can not be taken out; 0:
     * there is no such task, or it is out while we are in charge.
     */
    default int endedByOpenfireAfter() {
        return 0;
    }

    /** A stanza is routed that is from its session. Not worth a look where each read is seen. */
    default void heard(Watched ours) {
        // It was read before.
    }

    /** Openfire's object for this connection, or null while there is none. */
    Connection connection();

    /**
     * Sends a stream error (RFC 6120, section 4.9) with this condition if a stream was opened, ends the stream, and closes
     * when all that was written is out. If the client takes nothing any more that never comes to its end: {@link #drop} then.
     */
    void close(StreamError.Condition why);

    /** The end of a stream over TCP, whose header declares the prefix: an error with this condition, and the closing tag. */
    static String endOfStream(StreamError.Condition why) {
        return "<stream:error><" + why.toXMPP() + " xmlns='urn:ietf:params:xml:ns:xmpp-streams'/></stream:error>"
                + "</stream:stream>";
    }

    /** Closes at once; what was not sent is lost. */
    void drop();

    /** Drops a connection whose closing did not come to its end, and sees to it that Openfire ends it too. */
    void abort();

    /** Whether the connection is closed on the wire. */
    boolean isClosed();

    /** The remote address, for the log. */
    String remote();
}
