package org.igniterealtime.openfire.heartbeat.micro;

import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.handler.timeout.IdleStateHandler;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.igniterealtime.openfire.plugin.heartbeat.Door;
import org.igniterealtime.openfire.plugin.heartbeat.netty.NettyDoor;
import org.jivesoftware.openfire.nio.NettyConnectionHandler;
import org.jivesoftware.openfire.spi.NettyConnectionAcceptor;
import org.openjdk.jol.info.ClassLayout;

/**
 * What the plugin holds of a connection on the Java heap, beyond what Openfire holds; beside Netty's handler for idle
 * connections, its context and its timer. Ours is the growth of the heap, so all is in it that is reachable; and what is no longer there is not: Openfire's idle
 * timer, which is out. As many event loops as Netty makes.
 */
final class JavaMemory implements Group {
    private static final int CHANNELS = 50_000;
    private static final String[] NETTYS = {
        "io.netty.handler.timeout.IdleStateHandler",
        "io.netty.handler.timeout.IdleStateHandler$ReaderIdleTimeoutTask",
        "io.netty.channel.DefaultChannelHandlerContext",
        "io.netty.util.concurrent.ScheduledFutureTask",
    };

    private final List<Object> kept = new ArrayList<>();

    @Override
    public List<Result> run(Scale scale) throws Exception {
        int count = scale.of(CHANNELS);
        // What is made once, and classes, are there before anything is counted.
        hold(1000, false);
        hold(1000, true);
        double alone = hold(count, false);
        double with = hold(count, true);
        long netty = 0;
        for (String name : NETTYS) {
            netty += ClassLayout.parseClass(Class.forName(name)).instanceSize();
        }
        Contest.consumed = kept.size();
        return List.of(Result.of(
                "Java memory per connection: ours / Netty's idle handler, context and timer", "bytes",
                Stats.given(Math.max(1, with - alone)), Stats.given(netty), 1 / 2.0));
    }

    private double hold(int count, boolean plugin) throws Exception {
        long before = used();
        NettyConnectionAcceptor acceptor = new NettyConnectionAcceptor();
        kept.add(acceptor);
        if (plugin) {
            Door door = new Door();
            kept.add(door);
            NettyDoor.adapter(door.sessions(), acceptor).look();
        }
        VirtualLoop[] loops = new VirtualLoop[2 * Runtime.getRuntime().availableProcessors()];
        Arrays.setAll(loops, i -> new VirtualLoop());
        kept.add(loops);
        for (int i = 0; i < count; i++) {
            QuietChannel channel = new QuietChannel();
            loops[i % loops.length].register(channel);
            channel.pipeline()
                    .addLast("idleStateHandler", new IdleStateHandler(180, 0, 0, TimeUnit.SECONDS))
                    .addLast("keepAliveHandler", new ChannelInboundHandlerAdapter())
                    .addLast(new NettyConnectionHandler());
            acceptor.add(channel);
            kept.add(channel);
        }
        return (double) (used() - before) / count;
    }

    private static long used() {
        Runtime runtime = Runtime.getRuntime();
        long least = Long.MAX_VALUE;
        for (int i = 0; i < 3; i++) {
            System.gc();
            least = Math.min(least, runtime.totalMemory() - runtime.freeMemory());
        }
        return least;
    }
}
