#include "why.h"

#include <stdlib.h>
#include <string.h>

int hb_traces_init(hb_traces *traces)
{
    traces->count = 0;
    traces->written = 0;
    traces->ring = calloc(HB_TRACES, sizeof *traces->ring);
    traces->resources = calloc(HB_TRACE_RESOURCES, 1);
    if (traces->ring && traces->resources)
        return HB_OK;
    hb_traces_close(traces);
    return HB_ENOMEM;
}

void hb_traces_close(hb_traces *traces)
{
    free(traces->ring);
    free(traces->resources);
    traces->ring = NULL;
    traces->resources = NULL;
}

/* How many of `length` bytes from `at` on come before the end of the ring. */
static size_t before_end(uint32_t at, size_t length)
{
    size_t left = HB_TRACE_RESOURCES - at % HB_TRACE_RESOURCES;

    return length < left ? length : left;
}

void hb_traces_add(hb_traces *traces, hb_trace trace, const char *resource, size_t length)
{
    size_t first = before_end(traces->written, length);

    if (length) {
        memcpy(traces->resources + traces->written % HB_TRACE_RESOURCES, resource, first);
        memcpy(traces->resources, resource + first, length - first);
    }
    trace.resource = traces->written;
    trace.resource_length = (uint16_t)length;
    traces->written += (uint32_t)length;
    traces->ring[traces->count++ % HB_TRACES] = trace;
}

size_t hb_traces_find(const hb_traces *traces, uint64_t whom, hb_trace *out, size_t capacity, bool *cut)
{
    uint64_t first = traces->count > HB_TRACES ? traces->count - HB_TRACES : 0;
    size_t found = 0;

    *cut = first > 0;
    for (uint64_t n = traces->count; n > first; n--) {
        const hb_trace *trace = &traces->ring[(n - 1) % HB_TRACES];
        if (trace->whom != whom && trace->user != whom)
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

bool hb_traces_resource(const hb_traces *traces, const hb_trace *trace, char *out)
{
    size_t first = before_end(trace->resource, trace->resource_length);

    /* No decision is kept for 4 GB of resources, after which it would seem to be a young one. */
    if (traces->written - trace->resource > HB_TRACE_RESOURCES)
        return false;
    memcpy(out, traces->resources + trace->resource % HB_TRACE_RESOURCES, first);
    memcpy(out + first, traces->resources, trace->resource_length - first);
    return true;
}
