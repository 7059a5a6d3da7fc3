package org.igniterealtime.openfire.plugin.heartbeat;

import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertSame;

import java.nio.ByteBuffer;
import org.junit.jupiter.api.Test;

class SlotsTest {
    private final Slots slots = new Slots();

    private static Watched watched(int slot, long generation) {
        return new Watched(generation << 32 | slot, null, new Clock(), ByteBuffer.allocate(0));
    }

    @Test
    void findsByTokenAndNotBySlotAlone() {
        for (int slot : new int[] {0, 4095, 4096, 100_000, 5000}) {
            Watched first = watched(slot, 1);
            assertNull(slots.get(first.token));
            slots.put(first);
            assertSame(first, slots.get(first.token));
            assertNull(slots.get(2L << 32 | slot));
        }
        assertNull(slots.get(1L << 32 | 1));
        assertNull(slots.get(1L << 32 | 1_000_000));
    }

    /** As an administrator's form may have it. */
    @Test
    void whatIsNoTokenIsNobodys() {
        slots.put(watched(0, 1));
        for (long token : new long[] {-1, 0, 0xffffffffL, 0xffffefffL, 0x80000000L, 1L << 32 | 0x80000000L, Long.MAX_VALUE, Long.MIN_VALUE}) {
            assertNull(slots.get(token));
        }
    }

    /** The core may give a slot away before the end of whoever had it is done with. */
    @Test
    void lateEndTakesNothingFromTheNext() {
        Watched first = watched(7, 1);
        Watched second = watched(7, 2);
        slots.put(first);
        slots.put(second);
        assertNull(slots.get(first.token));
        slots.remove(first);
        assertSame(second, slots.get(second.token));
        slots.remove(second);
        assertNull(slots.get(second.token));
    }
}
