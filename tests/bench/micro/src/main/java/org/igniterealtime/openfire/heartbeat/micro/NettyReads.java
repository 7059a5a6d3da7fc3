package org.igniterealtime.openfire.heartbeat.micro;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.netty.channel.Channel;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.ChannelPipeline;
import io.netty.channel.embedded.EmbeddedChannel;
import io.netty.handler.codec.string.StringDecoder;
import io.netty.handler.codec.string.StringEncoder;
import io.netty.handler.timeout.IdleStateHandler;
import io.netty.handler.timeout.WriteTimeoutHandler;
import io.netty.handler.traffic.ChannelTrafficShapingHandler;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import org.igniterealtime.openfire.plugin.heartbeat.Door;
import org.igniterealtime.openfire.plugin.heartbeat.Watched;
import org.igniterealtime.openfire.plugin.heartbeat.netty.NettyDoor;
import org.jivesoftware.openfire.nio.NettyConnectionHandler;
import org.jivesoftware.openfire.spi.NettyConnectionAcceptor;

/**
 * What a read costs on Netty. Channels without a network, each with a pipeline of its own; a read is a message and the
 * end of a batch, as the event loop fires them. "Few" channels stay in the caches, "many" are gone through out of order.
 */
final class NettyReads implements Group {
    private static final int FEW = 256;
    private static final int MANY = 30_000;
    private static final int READS = 120_000;
    private static final long IDLE_SECONDS = 180;
    private static final byte[] STANZA = "<iq type='get' id='1'/>".getBytes(StandardCharsets.UTF_8);

    private final String netty;
    private final Door door = new Door();

    NettyReads(String netty) {
        this.netty = netty;
    }

    /** Channels with the same handlers, and an order to go through them. */
    private static final class Site {
        final List<Channel> channels = new ArrayList<>();
        final int[] order;
        final int reads;

        /** With the plugin, if there is a door to it: then it comes to each channel as it is made, as in life. */
        Site(int count, int reads, Consumer<ChannelPipeline> handlers, Door door) throws ReflectiveOperationException {
            NettyConnectionAcceptor acceptor = new NettyConnectionAcceptor();
            if (door != null) {
                NettyDoor.adapter(door.sessions(), acceptor).look();
            }
            for (int i = 0; i < count; i++) {
                EmbeddedChannel channel = new EmbeddedChannel();
                handlers.accept(channel.pipeline());
                acceptor.add(channel);
                channel.runPendingTasks();
                if (door != null && !channel.pipeline().names().contains("heartbeat-read")) {
                    throw new IllegalStateException("not watched: " + channel.pipeline().names());
                }
                channels.add(channel);
            }
            order = Shuffle.of(count, count);
            this.reads = reads;
        }

        /** With a message that is already what the last handler wants. */
        double read() {
            ChannelPipeline[] pipelines = pipelines();
            return Contest.nanosPer(reads, () -> {
                for (int i = 0; i < reads; i++) {
                    ChannelPipeline pipeline = pipelines[i % pipelines.length];
                    pipeline.fireChannelRead("x");
                    pipeline.fireChannelReadComplete();
                }
            });
        }

        /** With bytes as they come from a socket. */
        double readBytes() {
            ChannelPipeline[] pipelines = pipelines();
            return Contest.nanosPer(reads, () -> {
                for (int i = 0; i < reads; i++) {
                    ChannelPipeline pipeline = pipelines[i % pipelines.length];
                    ByteBuf bytes = Unpooled.wrappedBuffer(STANZA);
                    pipeline.fireChannelRead(bytes);
                    pipeline.fireChannelReadComplete();
                }
            });
        }

        private ChannelPipeline[] pipelines() {
            ChannelPipeline[] all = new ChannelPipeline[order.length];
            for (int i = 0; i < order.length; i++) {
                all[i] = channels.get(order[i]).pipeline();
            }
            return all;
        }
    }

    @Override
    public List<Result> run(Scale scale) throws Exception {
        List<Result> results = new ArrayList<>();
        results.addAll(run(scale, FEW, "few channels"));
        results.addAll(run(scale, scale.of(MANY), "many channels"));
        return results;
    }

    private List<Result> run(Scale scale, int count, String where) throws Exception {
        int reads = scale.of(READS);
        Watched[] watched = new Watched[count];
        for (int at : Shuffle.of(count, 1)) {
            watched[at] = door.watch();
        }
        Site none = new Site(count, reads, NettyReads::least, null);
        Consumer<ChannelPipeline> withIdle = pipeline -> {
            pipeline.addLast(idleStateHandler());
            least(pipeline);
        };
        Site idle = new Site(count, reads, withIdle, null);
        Site ours = new Site(count, reads, NettyReads::least, door);
        Site openfire = new Site(count, reads, NettyReads::openfires, null);
        Site plugin = new Site(count, reads, NettyReads::openfires, door);

        Contest contest = new Contest();
        int store = contest.add(() -> Contest.nanosPer(reads, () -> {
            for (int i = 0; i < reads; i++) {
                watched[i % watched.length].read();
            }
        }));
        int bare = contest.add(none::read);
        int theirs = contest.add(idle::read);
        int whole = contest.add(ours::read);
        int alone = contest.add(openfire::readBytes);
        int with = contest.add(plugin::readBytes);
        Stats[] all = contest.run(scale.rounds(60), scale.rounds(101));

        boolean few = count == FEW;
        String name = "a read on " + netty + ", " + where + ": ";
        Stats handler = all[theirs].minus(all[bare]);
        return List.of(
                Result.of(name + "the store / IdleStateHandler", "ns", all[store], handler, few ? 1 / 20.0 : null),
                Result.of(name + "our handler / IdleStateHandler", "ns", all[whole].minus(all[bare]), handler, 1.0),
                Result.of(name + "Openfire's pipeline with / without the plugin", "ns", all[with], all[alone], null));
    }

    /** No more than what the adapter looks for. */
    private static void least(ChannelPipeline pipeline) {
        pipeline.addLast("keepAliveHandler", new ChannelInboundHandlerAdapter());
        pipeline.addLast(new NettyConnectionHandler());
    }

    /** The handlers of Openfire's pipeline in their order; what is its own is as little as can be. */
    private static void openfires(ChannelPipeline pipeline) {
        pipeline.addLast("trafficShapingHandler", new ChannelTrafficShapingHandler(0));
        pipeline.addLast("idleStateHandler", idleStateHandler());
        pipeline.addLast("keepAliveHandler", new ChannelInboundHandlerAdapter());
        pipeline.addLast(new StringDecoder(StandardCharsets.UTF_8));
        pipeline.addLast(new StringEncoder(StandardCharsets.UTF_8));
        pipeline.addLast("stalledSessionHandler", new WriteTimeoutHandler(10));
        pipeline.addLast(new NettyConnectionHandler());
    }

    private static IdleStateHandler idleStateHandler() {
        return new IdleStateHandler(TimeUnit.SECONDS.toMillis(IDLE_SECONDS), 0, 0, TimeUnit.MILLISECONDS);
    }
}
