package org.igniterealtime.openfire.plugin.heartbeat.netty;

import java.util.Set;
import java.util.function.Consumer;
import org.igniterealtime.openfire.plugin.heartbeat.Sessions;

/** Lets the benchmarks in: the adapter itself, on acceptors of theirs. */
public final class NettyDoor {
    private NettyDoor() {}

    public static NettyAdapter adapter(Sessions sessions, Object acceptor) throws ReflectiveOperationException {
        NettyOpenfire.Acceptors acceptors = new NettyOpenfire.Acceptors() {
            @Override
            public Set<Object> inUse() {
                return Set.of(acceptor);
            }

            @Override
            public Runnable listen(Consumer<Object> starting) {
                return () -> {};
            }
        };
        return new NettyAdapter(sessions, acceptors, connection -> {});
    }
}
