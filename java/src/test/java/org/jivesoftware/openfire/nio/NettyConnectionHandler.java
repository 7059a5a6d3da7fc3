package org.jivesoftware.openfire.nio;

import io.netty.channel.Channel;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.SimpleChannelInboundHandler;
import io.netty.util.AttributeKey;
import java.lang.reflect.Proxy;
import java.util.function.Consumer;
import org.jivesoftware.openfire.Connection;

/** Stands in for Openfire's: it greets whoever says something, and notes how the connection ends. */
public final class NettyConnectionHandler extends SimpleChannelInboundHandler<String> {
    public static final AttributeKey<Connection> CONNECTION = AttributeKey.valueOf("CONNECTION");
    public static final AttributeKey<Long> WRITTEN_BYTES = AttributeKey.valueOf("WRITTEN_BYTES");
    public static final AttributeKey<Boolean> IDLE_FLAG = AttributeKey.valueOf("IDLE_FLAG");

    /** Its connection was asked for its session, and has none. */
    public static final AttributeKey<Boolean> ASKED = AttributeKey.valueOf("asked");

    private final Consumer<Channel> unregistered;

    public NettyConnectionHandler(Consumer<Channel> unregistered) {
        this.unregistered = unregistered;
    }

    @Override
    public void handlerAdded(ChannelHandlerContext context) {
        context.channel().attr(CONNECTION).set((Connection) Proxy.newProxyInstance(
                NettyConnection.class.getClassLoader(),
                new Class<?>[] {NettyConnection.class},
                (proxy, method, arguments) -> {
                    switch (method.getName()) {
                        case "getSession":
                            context.channel().attr(ASKED).set(true);
                            return null;
                        case "deliverRawText":
                            write(context, (String) arguments[0]);
                            return null;
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
    protected void channelRead0(ChannelHandlerContext context, String message) {
        write(context, "<stream>");
    }

    @Override
    public void channelUnregistered(ChannelHandlerContext context) throws Exception {
        unregistered.accept(context.channel());
        super.channelUnregistered(context);
    }

    private static void write(ChannelHandlerContext context, String text) {
        context.writeAndFlush(text)
                .addListener(written -> context.channel().attr(WRITTEN_BYTES).set((long) text.length()));
    }
}
