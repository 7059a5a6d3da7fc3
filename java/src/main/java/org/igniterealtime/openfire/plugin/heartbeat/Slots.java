package org.igniterealtime.openfire.plugin.heartbeat;

import java.util.Arrays;
import java.util.concurrent.atomic.AtomicReferenceArray;

/**
 * Who has which slot of the core. Tokens say where to look, so this is pages of an array and no map: 4 bytes for each.
 *
 * <p>Threads: any.
 */
final class Slots {
    private static final int PAGE = 4096;

    @SuppressWarnings({"unchecked", "rawtypes"})
    private volatile AtomicReferenceArray<Watched>[] pages = new AtomicReferenceArray[0];

    /** From now on it is found, and whoever had its slot before is not. */
    void put(Watched watched) {
        int slot = (int) watched.token;
        if (slot / PAGE >= pages.length) {
            grow(slot / PAGE + 1);
        }
        pages[slot / PAGE].set(slot % PAGE, watched);
    }

    /** Null: its slot is free, or another's by now; or there is none, as the core gave no such token. */
    Watched get(long token) {
        int slot = (int) token;
        AtomicReferenceArray<Watched>[] all = pages;
        Watched watched = slot >= 0 && slot / PAGE < all.length ? all[slot / PAGE].get(slot % PAGE) : null;
        return watched != null && watched.token == token ? watched : null;
    }

    void remove(Watched watched) {
        int slot = (int) watched.token;
        pages[slot / PAGE].compareAndSet(slot % PAGE, watched, null);
    }

    private synchronized void grow(int count) {
        AtomicReferenceArray<Watched>[] grown = Arrays.copyOf(pages, Math.max(count, pages.length));
        for (int i = pages.length; i < grown.length; i++) {
            grown[i] = new AtomicReferenceArray<>(PAGE);
        }
        pages = grown;
    }
}
