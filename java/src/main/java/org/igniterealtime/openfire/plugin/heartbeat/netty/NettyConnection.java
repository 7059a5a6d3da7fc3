package org.igniterealtime.openfire.plugin.heartbeat.netty;

import io.netty.buffer.Unpooled;
import io.netty.channel.Channel;
import io.netty.channel.ChannelFutureListener;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.ChannelOutboundInvoker;
import io.netty.channel.ChannelPipeline;
import io.netty.handler.timeout.IdleState;
import io.netty.handler.timeout.IdleStateEvent;
import io.netty.util.concurrent.EventExecutor;
import io.netty.util.concurrent.EventExecutorGroup;
import java.io.IOException;
import java.util.NoSuchElementException;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Future;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import javax.net.ssl.SSLException;
import org.igniterealtime.openfire.plugin.heartbeat.RateLimit;
import org.igniterealtime.openfire.plugin.heartbeat.Sessions;
import org.igniterealtime.openfire.plugin.heartbeat.Transport;
import org.igniterealtime.openfire.plugin.heartbeat.Watched;
import org.jivesoftware.openfire.Connection;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * One connection on Netty, and the handlers by which it is watched: the first of the pipeline stamps reads, ahead of
 * TLS and compression; one keeps silence from Openfire; and two stand around Openfire's own handler, on its thread, and
 * see the connection end in order with the stanzas that came before. Only the first is on the way of a read, and
 * Openfire's idle timer is off it while the core is in charge.
 */
final class NettyConnection implements Transport {
    private static final Logger Log = LoggerFactory.getLogger(NettyConnection.class);

    private static final long DOUBT_MS = 50;
    private static final String READ = "heartbeat-read";
    private static final String IDLE = "heartbeat-idle";
    private static final String BEFORE = "heartbeat-before";
    private static final String AFTER = "heartbeat-after";
    private static final String[] NAMES = {READ, IDLE, BEFORE, AFTER};

    /** How many looks its own event has to come, once it was found closed. */
    private static final int PATIENCE = 60;

    private final Channel channel;
    private final Sessions sessions;
    private final NettyOpenfire openfire;
    private final Consumer<Connection> interrupter;
    private final RateLimit faults;
    private final Consumer<NettyConnection> over;
    private final String remote;
    private volatile Watched watched;

    /** Openfire's threads for the stanzas of this connection. */
    private volatile EventExecutor executor;

    /** Guarded by this. */
    private final IdleTimer idleTimer;

    /** Guarded by this. */
    private boolean removed;

    private int looks;

    NettyConnection(
            Channel channel,
            Sessions sessions,
            NettyOpenfire openfire,
            Consumer<Connection> interrupter,
            RateLimit faults,
            Consumer<NettyConnection> over) {
        this.channel = channel;
        this.sessions = sessions;
        this.openfire = openfire;
        this.interrupter = interrupter;
        this.faults = faults;
        this.over = over;
        // Kept: a closed channel has forgotten it.
        remote = String.valueOf(channel.remoteAddress());
        idleTimer = new IdleTimer(channel, openfire, IDLE);
    }

    Channel channel() {
        return channel;
    }

    /** Begins to watch. False: the core could not take it. */
    boolean start() {
        ChannelPipeline pipeline = channel.pipeline();
        ChannelHandlerContext business = pipeline.context(openfire.businessLogic);
        if (business == null || pipeline.context(NettyOpenfire.KEEP_ALIVE) == null) {
            throw new IllegalStateException("Openfire's handlers are not where they should be: " + pipeline.names());
        }
        executor = business.executor();
        long age = openfire.lastRead.ageUs(channel);
        long read = Math.max(0, sessions.clock().nowUs() - age);
        Watched ours = sessions.opened(this, read, read);
        if (ours == null) {
            return false;
        }
        watched = ours;
        try {
            addHandlers(pipeline, business.name());
        } catch (RuntimeException | LinkageError e) {
            sessions.ended(ours);
            throw e;
        }
        sessions.connected(ours);
        if (openfire.lastRead.ageUs(channel) < age) {
            // It passed before the handler was there.
            ours.read();
        }
        return true;
    }

    /** Takes Openfire's idle timer out or puts it back, by whose business silence is. In doubt it stays as it is. */
    synchronized void silenceIs(Sessions.Charge charge) {
        if (removed) {
            return;
        }
        if (charge == Sessions.Charge.OURS) {
            idleTimer.takeOut();
        } else if (charge == Sessions.Charge.OPENFIRES) {
            idleTimer.putBack(watched.silentUs());
        }
    }

    private synchronized void addHandlers(ChannelPipeline pipeline, String business) {
        // Left over if an earlier life of the plugin could not be ended completely.
        removeAll();
        EventExecutorGroup group = executor == channel.eventLoop() ? null : executor;
        pipeline.addBefore(group, business, BEFORE, new BeforeHandler());
        pipeline.addAfter(group, business, AFTER, new AfterHandler());
        pipeline.addBefore(NettyOpenfire.KEEP_ALIVE, IDLE, new IdleHandler());
        pipeline.addFirst(READ, new ReadHandler(watched));
    }

    /** Takes the handlers out again, on the thread of the channel: there no read comes in between. */
    Future<?> leave() {
        try {
            return channel.eventLoop().submit(() -> remove());
        } catch (RejectedExecutionException e) {
            remove();
            return CompletableFuture.completedFuture(null);
        }
    }

    /** The same on this thread. */
    synchronized void remove() {
        removed = true;
        Watched ours = watched;
        if (ours != null) {
            // First: until it is in, reads are stamped by us.
            idleTimer.putBack(ours.silentUs());
        }
        removeAll();
    }

    private void removeAll() {
        for (String name : NAMES) {
            remove(name);
        }
    }

    private void remove(String name) {
        if (channel.pipeline().context(name) != null) {
            try {
                channel.pipeline().remove(name);
            } catch (NoSuchElementException | RejectedExecutionException e) {
                // Closed at this moment, or its thread has ended: Netty was faster.
            }
        }
    }

    /** TLS and compression are put at the front when they begin; bytes are seen ahead of them only. */
    private synchronized void toFront() {
        if (!removed) {
            remove(READ);
            channel.pipeline().addFirst(READ, new ReadHandler(watched));
        }
    }

    /** Whether the end of this closed connection is not to be expected any more from its own event. */
    boolean isOverdue() {
        EventExecutor threads = executor;
        return threads == null || threads.isShutdown() || ++looks > PATIENCE;
    }

    /** The connection is closed, and Openfire has done what it does then. */
    void end() {
        over.accept(this);
        // Openfire keeps its object for a while, and with it the pipeline as it was.
        remove();
        Watched ours = watched;
        if (ours != null) {
            sessions.ended(ours);
        }
    }

    @Override
    public Connection connection() {
        return openfire.connection(channel);
    }

    @Override
    public void close(String farewell) {
        Connection connection = connection();
        if (connection == null || !openfire.hasWritten(channel)) {
            // No stream was opened, there is none to be closed.
            drop();
            return;
        }
        // Not connection.close(): up to 4.9 it waits. Openfire does its part when it sees the connection closed.
        connection.deliverRawText(farewell);
        channel.writeAndFlush(Unpooled.EMPTY_BUFFER).addListener(ChannelFutureListener.CLOSE);
    }

    @Override
    public void drop() {
        try {
            channel.eventLoop().execute(() -> {
                // TLS would first send its own farewell, and wait for it to be taken: close ahead of it.
                toFront();
                ChannelHandlerContext ahead = channel.pipeline().context(READ);
                closeFrom(ahead == null ? channel : ahead);
            });
        } catch (RejectedExecutionException e) {
            // Its thread has ended, and has closed it.
            Log.debug("{} was dropped already", remote);
        }
    }

    @Override
    public void abort() {
        // Openfire's own close would wait for the thread that is stuck, up to 4.9; it comes when that thread is free.
        drop();
    }

    @Override
    public boolean isClosed() {
        return !channel.isOpen();
    }

    @Override
    public String remote() {
        return remote;
    }

    @SuppressWarnings("FutureReturnValueIgnored") // the event tells
    private static void closeFrom(ChannelOutboundInvoker place) {
        place.close();
    }

    /** A fault of ours must not get into the pipeline: Openfire would close the connection for it. */
    void safely(Runnable step) {
        try {
            step.run();
        } catch (RuntimeException | LinkageError e) {
            if (faults.allows()) {
                Log.error("An event of {} was lost", remote, e);
            }
        }
    }

    private final class ReadHandler extends ChannelInboundHandlerAdapter {
        private final Watched watched;

        ReadHandler(Watched watched) {
            this.watched = watched;
        }

        @Override
        public void channelRead(ChannelHandlerContext context, Object message) {
            watched.read();
            context.fireChannelRead(message);
            if (context.pipeline().first() != this) {
                safely(NettyConnection.this::toFront);
            }
        }

        /**
         * A reset. Openfire 5.1 would take it for a stream in error, whose session can not be resumed; a plain end of
         * the connection is what it is.
         */
        @Override
        public void exceptionCaught(ChannelHandlerContext context, Throwable cause) {
            if (cause instanceof IOException && !(cause instanceof SSLException)) {
                Log.debug("The connection of {} broke: {}", remote, cause.toString());
                closeFrom(context);
            } else {
                context.fireExceptionCaught(cause);
            }
        }
    }

    private final class IdleHandler extends ChannelInboundHandlerAdapter {
        private void askAgain(ChannelHandlerContext context, Object event) {
            if (!context.isRemoved()) {
                userEventTriggered(context, event);
            }
        }

        @Override
        public void userEventTriggered(ChannelHandlerContext context, Object event) {
            Sessions.Charge[] charge = {Sessions.Charge.OPENFIRES};
            if (event instanceof IdleStateEvent && ((IdleStateEvent) event).state() == IdleState.READER_IDLE) {
                safely(() -> charge[0] = sessions.idle(watched));
            }
            switch (charge[0]) {
                case OURS:
                    openfire.forgetIdle(channel);
                    break;
                case IN_DOUBT:
                    // Once, when the process has slept or our ticks end.
                    Future<?> unused =
                            context.executor().schedule(() -> askAgain(context, event), DOUBT_MS, TimeUnit.MILLISECONDS);
                    break;
                default:
                    context.fireUserEventTriggered(event);
                    break;
            }
        }
    }

    private final class BeforeHandler extends ChannelInboundHandlerAdapter {
        @Override
        public void channelUnregistered(ChannelHandlerContext context) {
            safely(() -> sessions.closing(watched));
            safely(() -> {
                Connection connection = connection();
                if (connection != null) {
                    interrupter.accept(connection);
                }
            });
            context.fireChannelUnregistered();
        }
    }

    private final class AfterHandler extends ChannelInboundHandlerAdapter {
        /** Openfire has made its object for the connection by now: nobody can log in unknown to us. */
        @Override
        public void handlerAdded(ChannelHandlerContext context) {
            safely(() -> sessions.connected(watched));
        }

        @Override
        public void channelUnregistered(ChannelHandlerContext context) {
            try {
                context.fireChannelUnregistered();
            } finally {
                safely(NettyConnection.this::end);
            }
        }
    }
}
