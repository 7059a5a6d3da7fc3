package org.igniterealtime.openfire.plugin.heartbeat.netty;

import io.netty.channel.Channel;
import io.netty.handler.timeout.IdleStateHandler;
import io.netty.util.AttributeKey;
import java.lang.reflect.Field;
import java.util.concurrent.TimeUnit;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * When a channel was last read from before we came. Netty knows, and keeps it to itself; where it can not be had, the
 * moment at which we come has to do.
 */
final class LastRead {
    private static final Logger Log = LoggerFactory.getLogger(LastRead.class);

    /**
     * What a handler was told, and when the channel was really read from; both as that handler has its time. It stays with
     * the channel, so the next life of the plugin finds it.
     */
    private static final AttributeKey<long[]> REALLY_READ = AttributeKey.valueOf("heartbeat-really-read");

    /** Null where Netty has it in another way. */
    private final Field time;

    /** From 4.2 on Netty's clock has its own beginning. */
    private final Field ticker;

    LastRead() {
        time = find("lastReadTime");
        ticker = find("ticker");
        if (time == null) {
            Log.info("Netty does not say when it last read: sessions that are open now count as just read from");
        }
    }

    private static Field find(String name) {
        try {
            Field field = IdleStateHandler.class.getDeclaredField(name);
            field.setAccessible(true);
            return field;
        } catch (NoSuchFieldException | RuntimeException e) {
            return null;
        }
    }

    /** In microseconds before now; 0 if unknown. */
    long ageUs(Channel channel) {
        return ageUs(channel, true);
    }

    /** Of what Netty counts from, which is told no more than it was. */
    long countedUs(Channel channel) {
        return ageUs(channel, false);
    }

    private long ageUs(Channel channel, boolean really) {
        IdleStateHandler idle = channel.pipeline().get(IdleStateHandler.class);
        // Switched off, it does not note reads.
        if (time == null || idle == null || idle.getReaderIdleTimeInMillis() == 0) {
            return 0;
        }
        try {
            long read = time.getLong(idle);
            long[] told = channel.attr(REALLY_READ).get();
            if (really && told != null && told[0] == read) {
                read = told[1];
            }
            long age = read == 0 ? 0 : nowOf(idle) - read;
            return Math.max(0, TimeUnit.NANOSECONDS.toMicros(age));
        } catch (ReflectiveOperationException | RuntimeException e) {
            Log.debug("When {} was last read from is not known", channel, e);
            return 0;
        }
    }

    /**
     * Has a handler that was just added know of an earlier read.
     *
     * @param ageUs how long ago it shall count from, in microseconds
     * @param reallyUs how long ago it was, to the tick
     */
    void tell(Channel channel, IdleStateHandler idle, long ageUs, long reallyUs) {
        if (time == null) {
            return;
        }
        try {
            long now = nowOf(idle);
            long told = now - TimeUnit.MICROSECONDS.toNanos(ageUs);
            channel.attr(REALLY_READ).set(new long[] {told, now - TimeUnit.MICROSECONDS.toNanos(reallyUs)});
            time.setLong(idle, told);
        } catch (ReflectiveOperationException | RuntimeException e) {
            Log.debug("It counts as just read from", e);
        }
    }

    private long nowOf(IdleStateHandler idle) throws ReflectiveOperationException {
        Object clock = ticker == null ? null : ticker.get(idle);
        if (clock == null) {
            return System.nanoTime();
        }
        return (Long) ticker.getType().getMethod("nanoTime").invoke(clock);
    }
}
