#include "clock.h"

#include <string.h>

#define MS_US 1000

/* The wall clock and the monotonic one are read one after the other: a smaller difference is noise. */
#define WALL_NOISE_MS 250

void hb_clock_init(hb_clock *clock, int64_t now_us, int64_t wall_ms)
{
    memset(clock, 0, sizeof *clock);
    clock->tick = now_us > 0 ? (uint32_t)(now_us / HB_CLOCK_TICK_US) : 0;
    clock->tick_us = now_us;
    clock->wall_ms = wall_ms;
    clock->wall_base = wall_ms - now_us / MS_US;
}

static size_t remembered(const hb_clock *clock)
{
    return clock->stall_count < HB_CLOCK_STALLS ? (size_t)clock->stall_count : HB_CLOCK_STALLS;
}

static void remember_stall(hb_clock *clock, int64_t length_us)
{
    size_t count = remembered(clock);

    if (count == HB_CLOCK_STALLS) {
        count--;
        memmove(clock->stalls, clock->stalls + 1, count * sizeof clock->stalls[0]);
    }
    clock->stalls[count] = (hb_stall){.tick = clock->tick, .before_us = clock->slept_us};
    clock->stall_count++;
    clock->slept_us += length_us;
}

static void move_tick(hb_clock *clock, int64_t now_us)
{
    int64_t passed = now_us - clock->tick_us;

    if (passed < HB_CLOCK_TICK_US - HB_CLOCK_EARLY_US)
        return;
    if (passed <= HB_CLOCK_TICK_US + HB_CLOCK_LATE_US) {
        clock->tick_us += HB_CLOCK_TICK_US;
    } else {
        remember_stall(clock, passed - HB_CLOCK_TICK_US);
        clock->tick_us = now_us;
    }
    clock->tick++;
}

int64_t hb_clock_advance(hb_clock *clock, int64_t now_us, int64_t wall_ms)
{
    int64_t base = wall_ms - now_us / MS_US;
    int64_t off = base - clock->wall_base;
    int64_t set_back = 0;

    move_tick(clock, now_us);
    if (off > WALL_NOISE_MS || off < -WALL_NOISE_MS) {
        clock->wall_base = base;
        if (off < 0 && wall_ms < clock->wall_ms)
            set_back = -off;
    }
    __atomic_store_n(&clock->wall_ms, wall_ms, __ATOMIC_RELAXED); /* hb_core_seen reads it without the lock */
    return set_back;
}

bool hb_clock_late(const hb_clock *clock, int64_t now_us)
{
    return now_us - clock->tick_us > HB_CLOCK_TICK_US;
}

/* The monotonic time at which a tick began, if `slept_us` had been slept until then. */
static int64_t begin_of(const hb_clock *clock, uint32_t tick, int64_t slept_us)
{
    return clock->tick_us - (int64_t)(clock->tick - tick) * HB_CLOCK_TICK_US - (clock->slept_us - slept_us);
}

uint32_t hb_clock_tick_of(const hb_clock *clock, int64_t us)
{
    uint32_t last = clock->tick; /* of the stretch without a stall that is looked at, the youngest first */
    int64_t slept_us = clock->slept_us;

    us = us > 0 ? us : 0;
    for (size_t i = remembered(clock);; i--) {
        uint32_t first = i ? clock->stalls[i - 1].tick + 1 : 0;
        int64_t begin = begin_of(clock, last, slept_us);
        int64_t back = us >= begin ? 0 : (begin - us + HB_CLOCK_TICK_US - 1) / HB_CLOCK_TICK_US;
        if (back <= (int64_t)(last - first))
            return last - (uint32_t)back;
        if (!i)
            return 0;
        last = clock->stalls[i - 1].tick;
        slept_us = clock->stalls[i - 1].before_us;
    }
}

int64_t hb_clock_wall_of(const hb_clock *clock, uint32_t tick)
{
    int64_t slept_us = clock->slept_us;

    /* The first stall that came after this tick tells how long was slept before it. */
    for (size_t i = remembered(clock); i > 0 && clock->stalls[i - 1].tick >= tick; i--)
        slept_us = clock->stalls[i - 1].before_us;
    int64_t wall = clock->wall_base + begin_of(clock, tick, slept_us) / MS_US;
    return wall < clock->wall_ms ? wall : clock->wall_ms;
}
