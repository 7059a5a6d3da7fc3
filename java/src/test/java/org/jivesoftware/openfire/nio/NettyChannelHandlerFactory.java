package org.jivesoftware.openfire.nio;

import io.netty.channel.ChannelPipeline;
import io.netty.util.concurrent.EventExecutorGroup;

/** Stands in for Openfire's, which is on no registry: as of 5.1; before, it has no executor. */
public interface NettyChannelHandlerFactory {
    void addNewHandlerTo(ChannelPipeline pipeline);

    default void addNewHandlerTo(ChannelPipeline pipeline, EventExecutorGroup executor) {
        addNewHandlerTo(pipeline);
    }

    void removeHandlerFrom(ChannelPipeline pipeline);
}
