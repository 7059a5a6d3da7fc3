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
import java.nio.ByteBuffer;
import java.util.NoSuchElementException;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Future;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import javax.net.ssl.SSLException;
import org.igniterealtime.openfire.plugin.heartbeat.Clock;
import org.igniterealtime.openfire.plugin.heartbeat.RateLimit;
import org.igniterealtime.openfire.plugin.heartbeat.Sessions;
import org.igniterealtime.openfire.plugin.heartbeat.Transport;
import org.igniterealtime.openfire.plugin.heartbeat.Watched;
import org.jivesoftware.openfire.Connection;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import org.xmpp.packet.StreamError;

/**
 * One connection on Netty, and the handlers by which it is watched: the first of the pipeline stamps reads, ahead of
 * TLS and compression; one stands before Openfire's own handler, on its thread, and sees the connection end in order with
 * the stanzas that came before; and where Openfire's idle timer is not out, one keeps silence from Openfire. Only the first
 * is on the way of a read.
 *
 * <p>There is one of these for each client, so what all have in common is elsewhere, and handlers are few: each takes a
 * context of Netty's.
 */
final class NettyConnection implements Transport {
    private static final Logger Log = LoggerFactory.getLogger(NettyConnection.class);

    private static final long DOUBT_MS = 50;
    private static final String READ = "heartbeat-read";
    private static final String IDLE = "heartbeat-idle";
    private static final String BEFORE = "heartbeat-before";
    private static final String[] NAMES = {READ, IDLE, BEFORE};

    /** Of {@link #timer}: Openfire's own is where it was. */
    private static final long IN_PLACE = -1;

    /** Ticks that its own event has to come, once it was found closed. */
    private static final int PATIENCE = 60;

    private final Channel channel;
    private final Common common;
    private volatile Watched watched;

    /** Openfire's threads for the stanzas of this connection. */
    private volatile EventExecutor executor;

    /** The reader idle time of Openfire's idle timer in milliseconds while it is out, or IN_PLACE. Guarded by this. */
    private long timer = IN_PLACE;

    /** Guarded by this. */
    private boolean removed;

    /** What all connections of an adapter have in common. */
    static final class Common {
        final Sessions sessions;
        final NettyOpenfire openfire;
        final Consumer<Connection> interrupter;
        final RateLimit faults;

        /** Is told of each connection that is over. */
        final Consumer<NettyConnection> over;

        Common(
                Sessions sessions,
                NettyOpenfire openfire,
                Consumer<Connection> interrupter,
                RateLimit faults,
                Consumer<NettyConnection> over) {
            this.sessions = sessions;
            this.openfire = openfire;
            this.interrupter = interrupter;
            this.faults = faults;
            this.over = over;
        }
    }

    NettyConnection(Channel channel, Common common) {
        this.channel = channel;
        this.common = common;
        // Once asked, Netty knows it of a closed channel too.
        channel.remoteAddress();
    }

    Channel channel() {
        return channel;
    }

    /** Begins to watch. False: the core could not take it. */
    boolean start() {
        ChannelPipeline pipeline = channel.pipeline();
        ChannelHandlerContext business = pipeline.context(common.openfire.businessLogic);
        if (business == null || pipeline.context(NettyOpenfire.KEEP_ALIVE) == null) {
            throw new IllegalStateException("Openfire's handlers are not where they should be: " + pipeline.names());
        }
        executor = business.executor();
        long age = common.openfire.lastRead.ageUs(channel);
        long read = Math.max(0, common.sessions.clock().nowUs() - age);
        Watched ours = common.sessions.opened(this, read, read);
        if (ours == null) {
            return false;
        }
        watched = ours;
        try {
            addHandlers(pipeline, business.name());
        } catch (RuntimeException | LinkageError | OutOfMemoryError e) {
            common.sessions.ended(ours);
            throw e;
        }
        common.sessions.connected(ours);
        if (common.openfire.lastRead.ageUs(channel) < age) {
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
            takeTimerOut();
        } else if (charge == Sessions.Charge.OPENFIRES) {
            putTimerBack(watched);
        }
    }

    /** Without it there is no silence to be kept from Openfire either. */
    private void takeTimerOut() {
        if (timer == IN_PLACE) {
            timer = IdleTimer.takeOut(channel, IDLE);
            if (timer != IN_PLACE) {
                remove(IDLE);
            }
        }
    }

    private void putTimerBack(Watched ours) {
        long readerIdleMs = timer;
        timer = IN_PLACE;
        if (readerIdleMs == IN_PLACE || !channel.isOpen()) {
            return;
        }
        try {
            channel.pipeline().addBefore(NettyOpenfire.KEEP_ALIVE, IDLE, new IdleHandler());
        } catch (NoSuchElementException | IllegalArgumentException | RejectedExecutionException e) {
            // Closed, and its pipeline is taken down; or its thread has ended.
            return;
        }
        IdleTimer.putBack(channel, common.openfire, IDLE, readerIdleMs, ours.silentUs(), ours.readAgoUs());
    }

    private synchronized void addHandlers(ChannelPipeline pipeline, String business) {
        // Left over if an earlier life of the plugin could not be ended completely.
        removeAll();
        EventExecutorGroup group = executor == channel.eventLoop() ? null : executor;
        pipeline.addBefore(group, business, BEFORE, new BeforeHandler());
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
            putTimerBack(ours);
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

    /** Whether the end of this connection, found closed so many ticks ago, is not to be expected from its own event any more. */
    boolean isOverdue(int ticks) {
        EventExecutor threads = executor;
        return threads == null || threads.isShutdown() || ticks > PATIENCE;
    }

    private void closing() {
        Connection connection = connection();
        if (common.openfire.saysWhose(connection)) {
            common.sessions.closing(watched, common.openfire.owner(connection));
        } else {
            common.sessions.closing(watched);
        }
    }

    /** The connection is closed, and Openfire has done what it does then. */
    void end() {
        common.over.accept(this);
        // Openfire keeps its object for a while, and with it the pipeline as it was.
        remove();
        Watched ours = watched;
        if (ours != null) {
            common.sessions.ended(ours);
        }
    }

    @Override
    public Connection connection() {
        return common.openfire.connection(channel);
    }

    @Override
    public void close(StreamError.Condition why) {
        Connection connection = connection();
        if (connection == null || !common.openfire.hasWritten(channel)) {
            // No stream was opened, there is none to be closed.
            drop();
            return;
        }
        // Not connection.close(): up to 4.9 it waits. Openfire does its part when it sees the connection closed.
        connection.deliverRawText(Transport.endOfStream(why));
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
            Log.debug("{} was dropped already", remote());
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
        return String.valueOf(channel.remoteAddress());
    }

    @SuppressWarnings("FutureReturnValueIgnored") // the event tells
    private static void closeFrom(ChannelOutboundInvoker place) {
        place.close();
    }

    /** A fault of ours must not get into the pipeline: Openfire would close the connection for it. */
    void safely(Runnable step) {
        try {
            step.run();
        } catch (RuntimeException | LinkageError | OutOfMemoryError e) {
            if (common.faults.allows()) {
                Log.error("An event of {} was lost", remote(), e);
            }
        }
    }

    private final class ReadHandler extends ChannelInboundHandlerAdapter {
        private final ByteBuffer page;
        private final int offset;
        private final Clock clock;

        ReadHandler(Watched watched) {
            page = watched.page();
            offset = watched.offset();
            clock = common.sessions.clock();
        }

        @Override
        public void channelRead(ChannelHandlerContext context, Object message) {
            // As watched.read().
            page.putInt(offset, clock.tick());
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
                Log.debug("The connection of {} broke: {}", remote(), cause.toString());
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
                safely(() -> charge[0] = common.sessions.idle(watched));
            }
            switch (charge[0]) {
                case OURS:
                    common.openfire.forgetIdle(channel);
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

    /** In front of Openfire's own handler, so what that does is done when an event has been handed on. */
    private final class BeforeHandler extends ChannelInboundHandlerAdapter {
        /** Openfire has made its object for the connection by now: nobody can log in unknown to us. */
        @Override
        public void handlerAdded(ChannelHandlerContext context) {
            safely(() -> common.sessions.connected(watched));
        }

        @Override
        public void channelUnregistered(ChannelHandlerContext context) {
            safely(NettyConnection.this::closing);
            safely(() -> {
                Connection connection = connection();
                if (connection != null) {
                    common.interrupter.accept(connection);
                }
            });
            try {
                context.fireChannelUnregistered();
            } finally {
                safely(NettyConnection.this::end);
            }
        }
    }
}
