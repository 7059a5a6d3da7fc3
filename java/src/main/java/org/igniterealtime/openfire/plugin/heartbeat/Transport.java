package org.igniterealtime.openfire.plugin.heartbeat;

import org.jivesoftware.openfire.Connection;

/** What an adapter can do with one connection of a client. No method waits for the network. */
public interface Transport {
    /** Openfire's object for this connection, or null while there is none. */
    Connection connection();

    /**
     * Sends {@code farewell} if a stream was opened, and closes when all that was written is out. If the client takes
     * nothing any more that never comes to its end: {@link #drop} then.
     */
    void close(String farewell);

    /** Closes at once; what was not sent is lost. */
    void drop();

    /** Drops a connection whose closing did not come to its end, and sees to it that Openfire ends it too. */
    void abort();

    /** Whether the connection is closed on the wire. */
    boolean isClosed();

    /** The remote address, for the log. */
    String remote();
}
