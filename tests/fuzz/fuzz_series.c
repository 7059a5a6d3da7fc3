/* Any points with a right checksum, and any bytes without one, as the data of the plots. */
#include "fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "core.h"

static hb_series series;
static uint8_t file[HB_SERIES_BYTES];
static hb_point points[HB_SERIES_POINTS];

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint8_t *const content = (uint8_t *)series.points;
    int64_t wall_ms = 0;

    must(!hb_series_parse(&series, data, size));
    if (size < sizeof wall_ms) {
        return 0;
    }
    memcpy(&wall_ms, data, sizeof wall_ms);
    wall_ms %= INT64_C(1) << 50;
    memset(&series, 0, sizeof series);
    for (size_t at = 0; at + sizeof(hb_point) <= sizeof series.points; at += 7 * sizeof(hb_point)) {
        memcpy(content + at, data, size < sizeof(hb_point) ? size : sizeof(hb_point));
        if (data[0] & 1) { /* where it is looked for */
            size_t i = at / sizeof(hb_point);
            series.points[i].place = i < 360 && wall_ms > 0 ? wall_ms / 10000 - (int64_t)i : series.points[i].place;
        }
    }
    hb_series_print(&series, file);
    must(hb_series_parse(&series, file, sizeof file));
    for (int span = HB_HOUR; span <= HB_WEEK; span++) {
        size_t count = hb_series_ring(&series, (hb_span)span, wall_ms, points);
        must(count <= hb_series_size((hb_span)span));
        for (size_t i = 0; i < count; i++) {
            must(points[i].ticks > 0 && points[i].place > 0);
            must(hb_rtt_percentile(points[i].rtt, 50) <= hb_rtt_percentile(points[i].rtt, 99));
        }
    }
    hb_totals now = {.pings = size};
    hb_series_tick(&series, &now, wall_ms);
    file[size * 31 % sizeof file] ^= 1;
    must(!hb_series_parse(&series, file, sizeof file));
    return 0;
}
