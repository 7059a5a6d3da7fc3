#include "why.h"

#include <stdlib.h>
#include <string.h>

int hb_traces_init(hb_traces *traces)
{
    bool whole = true;

    *traces = (hb_traces){0};
    for (size_t r = 0; r < HB_TRACE_RINGS; r++) {
        hb_trace_ring *ring = &traces->rings[r];
        ring->traces = calloc(HB_TRACES, sizeof *ring->traces);
        ring->resources = calloc(HB_TRACE_RESOURCES, 1);
        whole = whole && ring->traces && ring->resources;
    }
    if (whole)
        return HB_OK;
    hb_traces_close(traces);
    return HB_ENOMEM;
}

void hb_traces_close(hb_traces *traces)
{
    for (size_t r = 0; r < HB_TRACE_RINGS; r++) {
        free(traces->rings[r].traces);
        free(traces->rings[r].resources);
    }
    *traces = (hb_traces){0};
}

static size_t ring_of(const hb_trace *trace)
{
    bool ping = trace->verb == HB_PING || trace->why == HB_WHY_SPOKE;

    return ping ? HB_TRACES_OF_PINGS : HB_TRACES_OF_OTHERS;
}

/* How many of `length` bytes from `at` on come before the end of the ring. */
static size_t before_end(uint32_t at, size_t length)
{
    size_t left = HB_TRACE_RESOURCES - at % HB_TRACE_RESOURCES;

    return length < left ? length : left;
}

void hb_traces_add(hb_traces *traces, const hb_trace *trace, const char *resource, size_t length)
{
    hb_trace_ring *ring = &traces->rings[ring_of(trace)];
    size_t first = before_end(ring->written, length);

    if (length) {
        memcpy(ring->resources + ring->written % HB_TRACE_RESOURCES, resource, first);
        memcpy(ring->resources, resource + first, length - first);
    }
    hb_trace *it = &ring->traces[ring->count++ % HB_TRACES];
    *it = *trace;
    it->number = traces->number++;
    it->resource = ring->written;
    it->resource_length = (uint16_t)length;
    ring->written += (uint32_t)length;
}

bool hb_traces_wait(hb_traces_waiting *waiting, const hb_trace *trace, const char *resource, size_t length)
{
    if (waiting->count == HB_TRACES_WAITING || length > HB_TRACES_WAITING_BYTES - waiting->used)
        return false;
    memcpy(waiting->resources + waiting->used, resource, length);
    waiting->used += (uint32_t)length;
    hb_trace *it = &waiting->traces[waiting->count++];
    *it = *trace;
    it->resource_length = (uint16_t)length;
    return true;
}

void hb_traces_take(hb_traces *traces, hb_traces_waiting *waiting)
{
    const char *resource = waiting->resources;

    for (uint32_t i = 0; i < waiting->count; i++) {
        hb_traces_add(traces, &waiting->traces[i], resource, waiting->traces[i].resource_length);
        resource += waiting->traces[i].resource_length;
    }
    waiting->count = 0;
    waiting->used = 0;
}

/* The next older one before *at, which goes back to it; NULL: there is none. */
static const hb_trace *older(const hb_trace_ring *ring, uint64_t whom, uint64_t *at)
{
    uint64_t first = ring->count > HB_TRACES ? ring->count - HB_TRACES : 0;

    while (*at > first) {
        const hb_trace *trace = &ring->traces[--*at % HB_TRACES];
        if (trace->whom == whom || trace->user == whom)
            return trace;
    }
    return NULL;
}

/* Which of two is the younger one; numbers go round. */
static size_t younger(const hb_trace *const next[HB_TRACE_RINGS])
{
    if (!next[0] || !next[1])
        return next[0] ? 0 : 1;
    return (int32_t)(next[1]->number - next[0]->number) > 0 ? 1 : 0;
}

size_t hb_traces_find(const hb_traces *traces, uint64_t whom, hb_trace *out, size_t each, bool *cut)
{
    const size_t room = HB_TRACE_RINGS * each;
    const hb_trace *next[HB_TRACE_RINGS];
    uint64_t at[HB_TRACE_RINGS];
    size_t taken[HB_TRACE_RINGS] = {0};
    size_t found = 0;

    *cut = false;
    for (size_t r = 0; r < HB_TRACE_RINGS; r++) {
        const hb_trace_ring *ring = &traces->rings[r];
        *cut |= ring->count > HB_TRACES;
        at[r] = ring->count;
        next[r] = older(ring, whom, &at[r]);
    }
    for (size_t r = younger(next); next[r]; r = younger(next)) {
        if (taken[r] == each) {
            *cut = true;
            next[r] = NULL;
            continue;
        }
        taken[r]++;
        out[room - ++found] = *next[r];
        next[r] = older(&traces->rings[r], whom, &at[r]);
    }
    memmove(out, out + room - found, found * sizeof *out);
    return found;
}

bool hb_traces_resource(const hb_traces *traces, const hb_trace *trace, char *out)
{
    const hb_trace_ring *ring = &traces->rings[ring_of(trace)];
    size_t first = before_end(trace->resource, trace->resource_length);

    /* No decision is kept for 4 GB of resources, after which it would seem to be a young one. */
    if (ring->written - trace->resource > HB_TRACE_RESOURCES)
        return false;
    memcpy(out, ring->resources + trace->resource % HB_TRACE_RESOURCES, first);
    memcpy(out + first, ring->resources, trace->resource_length - first);
    return true;
}
