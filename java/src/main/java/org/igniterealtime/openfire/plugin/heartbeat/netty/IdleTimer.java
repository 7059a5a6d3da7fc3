package org.igniterealtime.openfire.plugin.heartbeat.netty;

import io.netty.channel.Channel;
import io.netty.channel.ChannelHandler;
import io.netty.channel.ChannelPipeline;
import io.netty.handler.timeout.IdleStateHandler;
import java.util.List;
import java.util.NoSuchElementException;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.TimeUnit;

/**
 * Openfire's idle timer of a channel. It looks at the clock at every read and has a task of its own in the queue of
 * its thread, so it is taken out while nobody needs it, and an equal one is put back in its place.
 *
 * <p>Threads: the caller sees to it that one thread at a time calls for a channel.
 */
final class IdleTimer {
    private IdleTimer() {}

    /**
     * Takes it out. Leaves it where it is if it is not what we know how to put back.
     *
     * @param behind what stands right behind it: put before Openfire's reaction to silence
     * @return its reader idle time in milliseconds, or -1: it is where it was
     */
    static long takeOut(Channel channel, String behind) {
        ChannelPipeline pipeline = channel.pipeline();
        ChannelHandler handler = pipeline.get(NettyOpenfire.IDLE_STATE);
        if (handler == null || !isKnown(handler) || !isInItsPlace(pipeline, behind)) {
            return -1;
        }
        try {
            pipeline.remove(handler);
            return ((IdleStateHandler) handler).getReaderIdleTimeInMillis();
        } catch (NoSuchElementException | RejectedExecutionException e) {
            // Closed at this moment, or its thread has ended.
            return -1;
        }
    }

    /**
     * Puts an equal one back. Done on the thread of the channel it knows of the last read; else it counts as just read
     * from.
     *
     * @param ageUs how long ago the channel was last read from, in microseconds: no more than that
     * @param reallyUs the same, to the tick
     */
    static void putBack(
            Channel channel, NettyOpenfire openfire, String behind, long readerIdleMs, long ageUs, long reallyUs) {
        // Of before we came, or of the moment at which it went out.
        openfire.forgetIdle(channel);
        IdleStateHandler equal = new IdleStateHandler(readerIdleMs, 0, 0, TimeUnit.MILLISECONDS);
        try {
            channel.pipeline().addBefore(behind, NettyOpenfire.IDLE_STATE, equal);
            if (channel.eventLoop().inEventLoop()) {
                openfire.lastRead.tell(channel, equal, ageUs, reallyUs);
            }
        } catch (NoSuchElementException | IllegalArgumentException | RejectedExecutionException e) {
            // Closed, and its pipeline is taken down; or its thread has ended.
        }
    }

    private static boolean isKnown(ChannelHandler handler) {
        if (handler.getClass() != IdleStateHandler.class) {
            return false;
        }
        IdleStateHandler timer = (IdleStateHandler) handler;
        return timer.getWriterIdleTimeInMillis() == 0 && timer.getAllIdleTimeInMillis() == 0;
    }

    private static boolean isInItsPlace(ChannelPipeline pipeline, String behind) {
        List<String> names = pipeline.names();
        return names.indexOf(behind) == names.indexOf(NettyOpenfire.IDLE_STATE) + 1;
    }
}
