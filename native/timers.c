#include "timers.h"

#define BLOCK HB_TIMERS_BLOCK

#define LINE 16u /* of the caches: so many numbers */

size_t hb_timers_next(const uint32_t *table, size_t from, size_t count, uint32_t now)
{
    size_t i = from;

    while (i < count && i % LINE) {
        if (table[i] <= now)
            return i;
        i++;
    }
    /* Without a branch per entry, so that the compiler can use the vector unit. */
    for (; i + LINE <= count; i += LINE) {
        uint32_t any = 0;
        for (size_t k = 0; k < LINE; k++)
            any |= (uint32_t)(table[i + k] <= now);
        if (any)
            break;
    }
    while (i < count && table[i] > now)
        i++;
    return i;
}

uint32_t hb_timers_later(uint32_t tick, uint32_t by)
{
    return by < UINT32_MAX - tick ? tick + by : UINT32_MAX - 1;
}

uint32_t hb_timers_soonest(const hb_block *block, const uint32_t *cells, uint32_t now)
{
    uint32_t oldest = now;

    for (size_t i = 0; i < BLOCK; i++) {
        uint32_t read = __atomic_load_n(&cells[i], __ATOMIC_RELAXED);
        read |= (uint32_t)(block->follows >> i & 1) - 1; /* of others: never the oldest */
        oldest = read < oldest ? read : oldest;
    }
    uint32_t due = hb_timers_later(oldest, block->least);
    return due < block->rest ? due : block->rest;
}

uint64_t hb_timers_suspects(const hb_block *block, const uint32_t *cells, uint32_t now, uint32_t *next)
{
    uint64_t found = 0;
    uint32_t least = UINT32_MAX;

    for (size_t i = 0; i < BLOCK; i++) {
        uint32_t read = __atomic_load_n(&cells[i], __ATOMIC_RELAXED);
        uint32_t at = hb_timers_later(read < now ? read : now, block->least);
        if (!(block->follows >> i & 1))
            continue;
        if (at <= now)
            found |= UINT64_C(1) << i;
        else
            least = at < least ? at : least;
    }
    if (block->rest <= now)
        found |= ~block->follows;
    else
        least = block->rest < least ? block->rest : least;
    *next = least;
    return found;
}
