package org.jivesoftware.openfire.nio;

import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.util.AttributeKey;
import java.lang.reflect.Proxy;
import org.jivesoftware.openfire.Connection;

/** Stands in for Openfire's, which is on no registry: takes what is read, and does nothing with it. */
public final class NettyConnectionHandler extends ChannelInboundHandlerAdapter {
    public static final AttributeKey<Connection> CONNECTION = AttributeKey.valueOf("CONNECTION");
    public static final AttributeKey<Long> WRITTEN_BYTES = AttributeKey.valueOf("WRITTEN_BYTES");
    public static final AttributeKey<Boolean> IDLE_FLAG = AttributeKey.valueOf("IDLE_FLAG");

    private long read;

    @Override
    public void handlerAdded(ChannelHandlerContext context) {
        context.channel().attr(CONNECTION).set((Connection) Proxy.newProxyInstance(
                Connection.class.getClassLoader(), new Class<?>[] {Connection.class}, (proxy, method, arguments) -> {
                    switch (method.getName()) {
                        case "hashCode":
                            return System.identityHashCode(proxy);
                        case "equals":
                            return proxy == arguments[0];
                        default:
                            throw new UnsupportedOperationException(method.getName());
                    }
                }));
    }

    @Override
    public void channelRead(ChannelHandlerContext context, Object message) {
        read += message.hashCode();
    }

    public long read() {
        return read;
    }
}
