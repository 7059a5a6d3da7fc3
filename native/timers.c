#include "timers.h"

#define BLOCK 64

size_t hb_timers_next(const uint32_t *due, size_t from, size_t count, uint32_t now)
{
    size_t i = from;

    while (i < count && i % BLOCK) {
        if (due[i] <= now)
            return i;
        i++;
    }
    /* Whole blocks without a branch per entry, so that the compiler can use the vector unit. */
    for (; i + BLOCK <= count; i += BLOCK) {
        uint32_t any = 0;
        for (size_t k = 0; k < BLOCK; k++)
            any |= (uint32_t)(due[i + k] <= now);
        if (any)
            break;
    }
    while (i < count && due[i] > now)
        i++;
    return i;
}
