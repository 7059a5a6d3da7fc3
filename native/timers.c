#include "timers.h"

#define BLOCK HB_TIMERS_BLOCK

size_t hb_timers_next(const uint32_t *table, size_t from, size_t count, uint32_t now)
{
    size_t i = from;

    while (i < count && i % BLOCK) {
        if (table[i] <= now)
            return i;
        i++;
    }
    /* Whole blocks without a branch per entry, so that the compiler can use the vector unit. */
    for (; i + BLOCK <= count; i += BLOCK) {
        uint32_t any = 0;
        for (size_t k = 0; k < BLOCK; k++)
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

uint64_t hb_timers_due(const uint32_t *due, uint64_t follows, const uint32_t *cells, uint32_t now, uint32_t *next)
{
    uint64_t found = 0;
    uint32_t least = UINT32_MAX;

    for (size_t i = 0; i < BLOCK; i++) {
        uint32_t at = due[i];
        if (follows >> i & 1) {
            uint32_t read = __atomic_load_n(&cells[i], __ATOMIC_RELAXED);
            at = hb_timers_later(read < now ? read : now, at);
        }
        if (at <= now)
            found |= UINT64_C(1) << i;
        else if (at < least)
            least = at;
    }
    *next = least;
    return found;
}
