#include "series.h"

#include <string.h>

#include "activity.h"
#include "fetch.h"

_Static_assert(HB_WHY_COUNT <= HB_SERIES_REASONS, "there is room for each reason");
_Static_assert(sizeof(hb_point) == 8 + 8 * HB_STATES + 4 * (1 + 7 + HB_SERIES_REASONS + HB_RTT_BUCKETS + 1),
               "a point has no gaps: it is written as it lies");

const uint32_t HB_RTT_BOUNDS_US[HB_RTT_BUCKETS - 1] = {
    1000,    1500,    2000,    3000,    5000,     7000,     10000,    15000,    20000,    30000,
    50000,   70000,   100000,  150000,  200000,   300000,   500000,   700000,   1000000,  1500000,
    2000000, 3000000, 5000000, 7000000, 10000000, 15000000, 20000000, 30000000, 50000000, 70000000};

static const struct ring {
    size_t first;
    size_t count;
    int64_t step_ms;
} RINGS[] = {{0, 360, 10000}, {360, 288, 300000}, {648, 336, 1800000}};
#define RING_COUNT (sizeof RINGS / sizeof RINGS[0])

static const uint8_t MAGIC[8] = {'H', 'B', 'S', 'E', 'R', 'I', 'E', 'S'};
#define VERSION 1u
#define HEADER_BYTES 32
#define ORDER 0x01020304u /* of the machine's bytes */

size_t hb_rtt_bucket(uint32_t rtt_us)
{
    size_t low = 0;
    size_t high = HB_RTT_BUCKETS - 1;

    while (low < high) {
        size_t middle = (low + high) / 2;
        if (rtt_us <= HB_RTT_BOUNDS_US[middle])
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}

int64_t hb_rtt_percentile(const uint32_t counts[HB_RTT_BUCKETS], unsigned percent)
{
    uint64_t total = 0;
    uint64_t seen = 0;

    for (size_t i = 0; i < HB_RTT_BUCKETS; i++)
        total += counts[i];
    if (!total)
        return -1;
    for (size_t i = 0; i < HB_RTT_BUCKETS - 1; i++) {
        uint64_t wanted = total * percent;
        if ((seen + counts[i]) * 100 >= wanted && counts[i]) {
            int64_t from = i ? HB_RTT_BOUNDS_US[i - 1] : 0;
            int64_t width = (int64_t)HB_RTT_BOUNDS_US[i] - from;
            uint64_t into = wanted > seen * 100 ? wanted - seen * 100 : 0;
            return from + (int64_t)((double)width * (double)into / (100.0 * (double)counts[i]));
        }
        seen += counts[i];
    }
    return HB_RTT_BOUNDS_US[HB_RTT_BUCKETS - 2]; /* or more */
}

static hb_point *point_at(hb_series *series, const struct ring *ring, int64_t place)
{
    return &series->points[ring->first + (size_t)(place % (int64_t)ring->count)];
}

/* The same, and empty if something older was there. */
static hb_point *point_of(hb_series *series, const struct ring *ring, int64_t place)
{
    hb_point *point = point_at(series, ring, place);

    if (point->place != place) {
        memset(point, 0, sizeof *point);
        point->place = place;
    }
    return point;
}

static void add(hb_point *point, const hb_totals *before, const hb_totals *now)
{
    point->ticks++;
#define X(name) point->name += (uint32_t)(now->name - before->name);
    HB_SERIES_COUNTS(X)
#undef X
    for (size_t s = 0; s < HB_STATES; s++)
        point->sessions[s] += now->sessions[s];
    for (size_t r = 0; r < HB_SERIES_REASONS; r++)
        point->disconnects[r] += (uint32_t)(now->disconnects[r] - before->disconnects[r]);
    for (size_t b = 0; b < HB_RTT_BUCKETS; b++)
        point->rtt[b] += (uint32_t)(now->rtt[b] - before->rtt[b]);
}

void hb_series_tick(hb_series *series, const hb_totals *now, int64_t wall_ms)
{
    int64_t places[RING_COUNT];

    for (size_t r = 0; wall_ms > 0 && r < RING_COUNT; r++) {
        places[r] = wall_ms / RINGS[r].step_ms + 1;
        hb_fetch(point_at(series, &RINGS[r], places[r]), sizeof(hb_point));
    }
    for (size_t r = 0; wall_ms > 0 && r < RING_COUNT; r++)
        add(point_of(series, &RINGS[r], places[r]), &series->before, now);
    series->before = *now;
}

size_t hb_series_size(hb_span span)
{
    return RINGS[span].count;
}

int64_t hb_series_step_ms(hb_span span)
{
    return RINGS[span].step_ms;
}

size_t hb_series_ring(const hb_series *series, hb_span span, int64_t wall_ms, hb_point *out)
{
    const struct ring *ring = &RINGS[span];
    int64_t last = wall_ms > 0 ? wall_ms / ring->step_ms + 1 : 0;
    size_t count = 0;

    for (int64_t place = last - (int64_t)ring->count + 1; place <= last; place++) {
        if (place <= 0)
            continue;
        const hb_point *point = &series->points[ring->first + (size_t)(place % (int64_t)ring->count)];
        if (point->place == place && point->ticks)
            out[count++] = *point;
    }
    return count;
}

static uint64_t checksum_of(const uint8_t *bytes, size_t length)
{
    static const uint64_t KEY[2] = {0};

    return hb_siphash(KEY, bytes, length);
}

static void make_header(uint8_t out[HEADER_BYTES])
{
    const uint32_t numbers[] = {VERSION, ORDER, sizeof(hb_point), HB_SERIES_POINTS, HB_STATES, HB_SERIES_REASONS};

    memcpy(out, MAGIC, sizeof MAGIC);
    memcpy(out + sizeof MAGIC, numbers, sizeof numbers);
}

void hb_series_print(const hb_series *series, uint8_t out[HB_SERIES_BYTES])
{
    make_header(out);
    memcpy(out + HEADER_BYTES, series->points, sizeof series->points);
    uint64_t sum = checksum_of(out, HB_SERIES_BYTES - sizeof sum);
    memcpy(out + HB_SERIES_BYTES - sizeof sum, &sum, sizeof sum);
}

bool hb_series_parse(hb_series *series, const uint8_t *bytes, size_t length)
{
    uint8_t header[HEADER_BYTES];
    uint64_t sum = 0;

    if (length != HB_SERIES_BYTES)
        return false;
    make_header(header);
    memcpy(&sum, bytes + HB_SERIES_BYTES - sizeof sum, sizeof sum);
    if (memcmp(bytes, header, sizeof header) != 0 || sum != checksum_of(bytes, HB_SERIES_BYTES - sizeof sum))
        return false;
    memcpy(series->points, bytes + HEADER_BYTES, sizeof series->points);
    return true;
}
