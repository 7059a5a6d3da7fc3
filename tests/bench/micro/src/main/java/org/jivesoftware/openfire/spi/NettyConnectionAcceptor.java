package org.jivesoftware.openfire.spi;

import io.netty.channel.Channel;
import java.util.ArrayList;
import java.util.List;
import org.jivesoftware.openfire.nio.NettyChannelHandlerFactory;

/** Stands in for Openfire's, which is on no registry: its way with factories, on channels without a port. */
public final class NettyConnectionAcceptor {
    private final List<Channel> channels = new ArrayList<>();
    private final List<NettyChannelHandlerFactory> factories = new ArrayList<>();

    /** A new channel, with Openfire's handlers in its pipeline. */
    public void add(Channel channel) {
        factories.forEach(factory -> factory.addNewHandlerTo(channel.pipeline()));
        channels.add(channel);
    }

    public void addChannelHandler(NettyChannelHandlerFactory factory) {
        factories.add(factory);
        channels.forEach(channel -> factory.addNewHandlerTo(channel.pipeline()));
    }

    public void removeChannelHandler(NettyChannelHandlerFactory factory) {
        factories.remove(factory);
        channels.forEach(channel -> factory.removeHandlerFrom(channel.pipeline()));
    }
}
