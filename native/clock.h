/*
 * clock.h - the core's clock: ticks of one second that only count while somebody ticks, and their wall time.
 *
 * When more than one second has passed since the last tick, the surplus is a stall: the tick moves by one, and what was
 * slept is remembered, so that no deadline moves by it and times of before and after it still translate.
 * Nothing here reads a clock; times are told by the caller. See heartbeat.h for units.
 */
#ifndef HB_CLOCK_H
#define HB_CLOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HB_CLOCK_STALLS 32 /* remembered; of older ones only the sum is known */

typedef struct hb_stall {
    uint32_t tick;   /* the last tick before the stall */
    uint64_t before; /* seconds slept in all stalls before this one */
} hb_stall;

typedef struct hb_clock {
    uint32_t tick;
    uint64_t second;      /* of monotonic time, at the last tick */
    uint64_t slept;       /* seconds in all stalls so far */
    uint64_t stall_count; /* stalls so far */
    int64_t wall_ms;      /* wall time as last told */
    int64_t wall_base;    /* wall time of monotonic time 0 */
    hb_stall stalls[HB_CLOCK_STALLS];
} hb_clock;

void hb_clock_init(hb_clock *clock, int64_t now_us, int64_t wall_ms);

/*
 * Moves the clock. Returns how far, in ms, the wall clock was set back since the last call (0: it was not), so that the
 * caller can correct times that it has stored.
 */
int64_t hb_clock_advance(hb_clock *clock, int64_t now_us, int64_t wall_ms);

/* The tick of a monotonic time, at most the current one. Times from before a stall come out too early by it. */
uint32_t hb_clock_tick_of(const hb_clock *clock, int64_t us);

/* The wall time of the begin of a tick, at most the wall time as last told. */
int64_t hb_clock_wall_of(const hb_clock *clock, uint32_t tick);

#endif
