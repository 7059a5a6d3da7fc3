package org.jivesoftware.openfire.spi;

import io.netty.bootstrap.ServerBootstrap;
import io.netty.channel.Channel;
import io.netty.channel.ChannelDuplexHandler;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.ChannelInitializer;
import io.netty.channel.ChannelPipeline;
import io.netty.channel.EventLoopGroup;
import io.netty.channel.group.ChannelGroup;
import io.netty.channel.group.DefaultChannelGroup;
import io.netty.channel.nio.NioEventLoopGroup;
import io.netty.channel.socket.SocketChannel;
import io.netty.channel.socket.nio.NioServerSocketChannel;
import io.netty.handler.codec.string.StringDecoder;
import io.netty.handler.codec.string.StringEncoder;
import io.netty.handler.ssl.SslHandler;
import io.netty.handler.timeout.IdleStateEvent;
import io.netty.handler.timeout.IdleStateHandler;
import io.netty.util.concurrent.DefaultEventExecutorGroup;
import io.netty.util.concurrent.EventExecutorGroup;
import io.netty.util.concurrent.GlobalEventExecutor;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.util.HashSet;
import java.util.Set;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Consumer;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLEngine;
import org.jivesoftware.openfire.nio.NettyChannelHandlerFactory;
import org.jivesoftware.openfire.nio.NettyConnectionHandler;

/**
 * Stands in for Openfire's, which is on no registry: a real acceptor on Netty with the names and the order of its
 * handlers, and its way with factories. With threads of its own for stanzas as from 5.1 on, or without.
 */
public final class NettyConnectionAcceptor implements AutoCloseable {
    public final AtomicInteger idle = new AtomicInteger();
    public final AtomicInteger faults = new AtomicInteger();
    public final AtomicInteger closed = new AtomicInteger();

    /** How often a factory was added, again or not. */
    public final AtomicInteger added = new AtomicInteger();

    public final ChannelGroup channels = new DefaultChannelGroup(GlobalEventExecutor.INSTANCE);
    public volatile Consumer<Channel> ending = channel -> {};
    public volatile SSLContext tls;
    public volatile int idleSeconds;
    public volatile boolean ownTimer;

    /** As in 4.8.0: silence is timed behind the decoder. */
    public volatile boolean timesLate;

    public volatile String keepAlive = "keepAliveHandler";

    @SuppressWarnings("deprecation") // what replaces it came with 4.2
    private final EventLoopGroup loops = new NioEventLoopGroup(2);

    private final EventExecutorGroup executors;
    private final Set<NettyChannelHandlerFactory> factories = new HashSet<>();
    private final CountDownLatch held = new CountDownLatch(1);
    private final Channel server;

    public NettyConnectionAcceptor(boolean ownThreads) throws InterruptedException {
        executors = ownThreads ? new DefaultEventExecutorGroup(2) : null;
        server = new ServerBootstrap()
                .group(loops)
                .channel(NioServerSocketChannel.class)
                .childHandler(new ChannelInitializer<SocketChannel>() {
                    @Override
                    protected void initChannel(SocketChannel channel) {
                        init(channel);
                    }
                })
                .bind(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0))
                .sync()
                .channel();
    }

    private void init(Channel channel) {
        channel.pipeline().addLast("trafficShapingHandler", new ChannelDuplexHandler());
        if (!timesLate) {
            addTimer(channel.pipeline());
        }
        channel.pipeline().addLast(new StringDecoder()).addLast(new StringEncoder());
        if (timesLate) {
            addTimer(channel.pipeline());
        }
        channel.pipeline()
                .addLast(executors, new NettyConnectionHandler(each -> {
                    ending.accept(each);
                    closed.incrementAndGet();
                }));
        if (tls != null) {
            SSLEngine engine = tls.createSSLEngine();
            engine.setUseClientMode(false);
            channel.pipeline().addFirst("ssl", new SslHandler(engine));
        }
        for (NettyChannelHandlerFactory factory : factories) {
            add(factory, channel.pipeline());
        }
        channels.add(channel);
    }

    private void addTimer(ChannelPipeline pipeline) {
        IdleStateHandler plain = new IdleStateHandler(idleSeconds, 0, 0, TimeUnit.SECONDS);
        pipeline.addLast("idleStateHandler", ownTimer ? new OwnTimer() : plain).addLast(keepAlive, new KeepAlive());
    }

    public void addChannelHandler(NettyChannelHandlerFactory factory) {
        added.incrementAndGet();
        factories.add(factory);
        channels.forEach(channel -> add(factory, channel.pipeline()));
    }

    public void removeChannelHandler(NettyChannelHandlerFactory factory) {
        factories.remove(factory);
        channels.forEach(channel -> factory.removeHandlerFrom(channel.pipeline()));
    }

    private void add(NettyChannelHandlerFactory factory, ChannelPipeline pipeline) {
        if (executors == null) {
            factory.addNewHandlerTo(pipeline);
        } else {
            factory.addNewHandlerTo(pipeline, executors);
        }
    }

    public boolean hasFactories() {
        return !factories.isEmpty();
    }

    public int port() {
        return ((InetSocketAddress) server.localAddress()).getPort();
    }

    /** Ends the threads that stanzas are brought to, with all that waits for them. */
    public void endThreads() {
        executors.shutdownGracefully(0, 0, TimeUnit.SECONDS).syncUninterruptibly();
    }

    /** Nothing gets through to what stanzas are brought to any more. */
    public void holdThreads() {
        executors.forEach(each -> {
            var unused = each.submit(() -> {
                held.await();
                return null;
            });
        });
    }

    @Override
    public void close() {
        held.countDown();
        server.close().syncUninterruptibly();
        loops.shutdownGracefully(0, 5, TimeUnit.SECONDS).syncUninterruptibly();
        if (executors != null) {
            executors.shutdownGracefully(0, 5, TimeUnit.SECONDS).syncUninterruptibly();
        }
    }

    private final class OwnTimer extends IdleStateHandler {
        OwnTimer() {
            super(idleSeconds, 0, 0, TimeUnit.SECONDS);
        }
    }

    private final class KeepAlive extends ChannelInboundHandlerAdapter {
        @Override
        public void userEventTriggered(ChannelHandlerContext context, Object event) throws Exception {
            if (event instanceof IdleStateEvent) {
                idle.incrementAndGet();
            }
            super.userEventTriggered(context, event);
        }

        @Override
        public void exceptionCaught(ChannelHandlerContext context, Throwable cause) {
            faults.incrementAndGet();
            var unused = context.close();
        }
    }
}
