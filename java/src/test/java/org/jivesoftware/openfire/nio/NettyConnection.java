package org.jivesoftware.openfire.nio;

import org.jivesoftware.openfire.Connection;
import org.jivesoftware.openfire.session.LocalSession;

/** Stands in for Openfire's, as far as we ask it for more than any connection. */
public interface NettyConnection extends Connection {
    LocalSession getSession();
}
