#include "clock.h"

#include <string.h>

#define US_PER_S 1000000
#define MS_PER_S 1000

/* The wall clock and the monotonic one are read one after the other: a smaller difference is noise. */
#define WALL_NOISE_MS 250

static uint64_t second_of(int64_t us)
{
    return us > 0 ? (uint64_t)us / US_PER_S : 0;
}

void hb_clock_init(hb_clock *clock, int64_t now_us, int64_t wall_ms)
{
    memset(clock, 0, sizeof *clock);
    clock->second = second_of(now_us);
    clock->tick = (uint32_t)clock->second;
    clock->wall_ms = wall_ms;
    clock->wall_base = wall_ms - now_us / MS_PER_S;
}

static void remember_stall(hb_clock *clock, uint64_t length)
{
    if (clock->stall_count >= HB_CLOCK_STALLS)
        memmove(clock->stalls, clock->stalls + 1, sizeof clock->stalls - sizeof clock->stalls[0]);
    size_t last = clock->stall_count < HB_CLOCK_STALLS ? (size_t)clock->stall_count : HB_CLOCK_STALLS - 1;
    clock->stalls[last] = (hb_stall){.tick = clock->tick, .before = clock->slept};
    clock->stall_count++;
    clock->slept += length;
}

int64_t hb_clock_advance(hb_clock *clock, int64_t now_us, int64_t wall_ms)
{
    uint64_t second = second_of(now_us);
    int64_t base = wall_ms - now_us / MS_PER_S;
    int64_t off = base - clock->wall_base;
    int64_t set_back = 0;

    if (second > clock->second) {
        if (second - clock->second > 1)
            remember_stall(clock, second - clock->second - 1);
        clock->tick++;
        clock->second = second;
    }
    if (off > WALL_NOISE_MS || off < -WALL_NOISE_MS) {
        clock->wall_base = base;
        if (off < 0 && wall_ms < clock->wall_ms)
            set_back = -off;
    }
    clock->wall_ms = wall_ms;
    return set_back;
}

uint32_t hb_clock_tick_of(const hb_clock *clock, int64_t us)
{
    uint64_t second = second_of(us);

    if (second >= clock->second)
        return clock->tick;
    return second > clock->slept ? (uint32_t)(second - clock->slept) : 0;
}

int64_t hb_clock_wall_of(const hb_clock *clock, uint32_t tick)
{
    size_t count = clock->stall_count < HB_CLOCK_STALLS ? (size_t)clock->stall_count : HB_CLOCK_STALLS;
    uint64_t slept = clock->slept;

    /* The first stall that came after this tick tells how long was slept before it. */
    for (size_t i = count; i > 0 && clock->stalls[i - 1].tick >= tick; i--)
        slept = clock->stalls[i - 1].before;
    int64_t wall = clock->wall_base + (int64_t)(tick + slept) * MS_PER_S;
    return wall < clock->wall_ms ? wall : clock->wall_ms;
}
