/*
 * series.h - what happened in the last hour, day and week, in a ring of one size, for plots: sessions by state, what
 * was counted, round trips.
 *
 * Each tick is added to the present point of each of three rings. A point belongs to a time of the wall clock; where it
 * lies follows from that time alone, so a clock that is set back or forth leaves gaps, and nothing else.
 *
 * Time     A point's place is wall time divided by the ring's step.
 * Memory   One block, from the begin.
 * Threads  The caller holds the core's lock.
 */
#ifndef HB_SERIES_H
#define HB_SERIES_H

#include "heartbeat.h"

/* Of round trips: each bucket ends where the next begins, the last one never. */
#define HB_RTT_BUCKETS 31
extern const uint32_t HB_RTT_BOUNDS_US[HB_RTT_BUCKETS - 1];
size_t hb_rtt_bucket(uint32_t rtt_us);

/* The round trip that `percent` of those in the buckets do not exceed, in microseconds; -1: there is none. */
int64_t hb_rtt_percentile(const uint32_t counts[HB_RTT_BUCKETS], unsigned percent);

#define HB_SERIES_REASONS 32 /* room for more of them: it is in the file */

/* What is counted, without an end. Kept in uint32_t in a point, where it is what came in its time. */
#define HB_SERIES_COUNTS(X) X(opened) X(over) X(pings) X(pongs) X(spared) X(told) X(resumed)

typedef struct hb_point {
    int64_t place;                /* 0: nothing is in it */
    uint64_t sessions[HB_STATES]; /* by state, added up over the ticks */
    uint32_t ticks;
#define X(name) uint32_t name;
    HB_SERIES_COUNTS(X)
#undef X
    uint32_t disconnects[HB_SERIES_REASONS]; /* closed and cut, by reason */
    uint32_t rtt[HB_RTT_BUCKETS];
    uint32_t unused;
} hb_point;

typedef struct hb_totals {
#define X(name) uint64_t name;
    HB_SERIES_COUNTS(X)
#undef X
    uint64_t disconnects[HB_SERIES_REASONS];
    uint64_t rtt[HB_RTT_BUCKETS];
    uint32_t sessions[HB_STATES]; /* now */
} hb_totals;

#define HB_SERIES_POINTS (360 + 288 + 336)

typedef struct hb_series {
    hb_totals before; /* as of the last tick */
    hb_point points[HB_SERIES_POINTS];
} hb_series;

/* Adds what came since the last tick. */
void hb_series_tick(hb_series *series, const hb_totals *now, int64_t wall_ms);

/* Copies a ring's points of the time up to now, oldest first, to out, which has room for all. Returns how many. */
size_t hb_series_ring(const hb_series *series, hb_span span, int64_t wall_ms, hb_point *out);
size_t hb_series_size(hb_span span);
int64_t hb_series_step_ms(hb_span span);

/* The file: see docs/metrics.md. hb_series_parse changes nothing if it returns false. */
#define HB_SERIES_BYTES (32 + sizeof(hb_point) * HB_SERIES_POINTS + 8)
void hb_series_print(const hb_series *series, uint8_t out[HB_SERIES_BYTES]);
bool hb_series_parse(hb_series *series, const uint8_t *bytes, size_t length);

#endif
