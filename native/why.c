#include "why.h"

#include <stdlib.h>
#include <string.h>

int hb_traces_init(hb_traces *traces)
{
    traces->count = 0;
    traces->ring = calloc(HB_TRACES, sizeof *traces->ring);
    return traces->ring ? HB_OK : HB_ENOMEM;
}

void hb_traces_close(hb_traces *traces)
{
    free(traces->ring);
}

void hb_traces_add(hb_traces *traces, hb_trace trace)
{
    traces->ring[traces->count++ % HB_TRACES] = trace;
}

size_t hb_traces_find(const hb_traces *traces, uint64_t whom, hb_trace *out, size_t capacity, bool *cut)
{
    uint64_t first = traces->count > HB_TRACES ? traces->count - HB_TRACES : 0;
    size_t found = 0;

    *cut = first > 0;
    for (uint64_t n = traces->count; n > first; n--) {
        const hb_trace *trace = &traces->ring[(n - 1) % HB_TRACES];
        if (trace->whom != whom)
            continue;
        if (found == capacity) {
            *cut = true;
            break;
        }
        out[capacity - ++found] = *trace;
    }
    memmove(out, out + capacity - found, found * sizeof *out);
    return found;
}
