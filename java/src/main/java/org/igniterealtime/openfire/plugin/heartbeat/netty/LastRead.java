package org.igniterealtime.openfire.plugin.heartbeat.netty;

import io.netty.channel.Channel;
import io.netty.handler.timeout.IdleStateHandler;
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
        IdleStateHandler idle = channel.pipeline().get(IdleStateHandler.class);
        // Switched off, it does not note reads.
        if (time == null || idle == null || idle.getReaderIdleTimeInMillis() == 0) {
            return 0;
        }
        try {
            long read = time.getLong(idle);
            long age = read == 0 ? 0 : nowOf(idle) - read;
            return Math.max(0, TimeUnit.NANOSECONDS.toMicros(age));
        } catch (ReflectiveOperationException | RuntimeException e) {
            Log.debug("When {} was last read from is not known", channel, e);
            return 0;
        }
    }

    /** Has a handler that was just added know of an earlier read, {@code ageUs} microseconds before now. */
    void tell(IdleStateHandler idle, long ageUs) {
        if (time == null) {
            return;
        }
        try {
            time.setLong(idle, nowOf(idle) - TimeUnit.MICROSECONDS.toNanos(ageUs));
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
