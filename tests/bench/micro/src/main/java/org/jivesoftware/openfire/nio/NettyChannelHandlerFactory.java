package org.jivesoftware.openfire.nio;

import io.netty.channel.ChannelPipeline;

/** Stands in for Openfire's, which is on no registry. */
public interface NettyChannelHandlerFactory {
    void addNewHandlerTo(ChannelPipeline pipeline);

    void removeHandlerFrom(ChannelPipeline pipeline);
}
