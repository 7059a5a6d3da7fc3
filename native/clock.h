/*
 * clock.h - the core's clock: ticks of one second that only count while somebody ticks, and their wall time.
 *
 * A tick that comes up to HB_CLOCK_EARLY_US early or HB_CLOCK_LATE_US late is on time, and moves the clock by one. One
 * that comes later ends a stall: it too moves the clock by one, and what was slept is remembered. So no deadline moves
 * by a stall, and times of before and after it still translate. Nothing here reads a clock; times are told by the
 * caller.
 *
 * Time     See heartbeat.h for units.
 * Threads  The caller locks.
 */
#ifndef HB_CLOCK_H
#define HB_CLOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HB_CLOCK_TICK_US INT64_C(1000000)
#define HB_CLOCK_EARLY_US INT64_C(10000)
#define HB_CLOCK_LATE_US INT64_C(100000)
#define HB_CLOCK_SET_MS INT64_C(1577836800000) /* 2020: a wall clock that is before it was not set yet */
#define HB_CLOCK_STALLS 32                     /* remembered; of older ones only the sum is known */

typedef struct hb_stall {
    uint32_t tick;     /* the last one before the stall: it was that much longer */
    int64_t before_us; /* slept in all stalls before this one */
} hb_stall;

typedef struct hb_clock {
    uint32_t tick;
    int64_t tick_us;      /* monotonic time at which it began, or should have, within the slack */
    int64_t slept_us;     /* in all stalls so far */
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

/* Is the next tick overdue? Then what happens now happens later than the current tick says. */
bool hb_clock_late(const hb_clock *clock, int64_t now_us);

/* The tick of a monotonic time: at most the current one, at least 0. */
uint32_t hb_clock_tick_of(const hb_clock *clock, int64_t us);

/* The wall time of the begin of a tick, at most the wall time as last told. */
int64_t hb_clock_wall_of(const hb_clock *clock, uint32_t tick);

#endif
