package io.netty.handler.timeout;

import java.util.concurrent.TimeUnit;
import java.util.function.LongSupplier;

/** Netty's own, but for the clock that it looks at. */
public final class VirtualIdleStateHandler extends IdleStateHandler {
    private final LongSupplier nanos;

    public VirtualIdleStateHandler(long readerIdleSeconds, LongSupplier nanos) {
        super(readerIdleSeconds, 0, 0, TimeUnit.SECONDS);
        this.nanos = nanos;
    }

    @Override
    long ticksInNanos() {
        return nanos.getAsLong();
    }
}
