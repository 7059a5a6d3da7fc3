/*
 * why.h - the last decisions about all sessions, and how these ended, small, so that it can be asked what happened to
 * one of them, or to those of a user.
 *
 * They outlive their session. The oldest are overwritten. Pings are many and tell little, so they have a ring of their
 * own, and can not push out what is asked for most: why somebody was disconnected. What is asked for is found by
 * looking through all: that is seldom, while a decision is made often. The resources lie in a ring of bytes beside
 * each: one is lost before its decision only if very long ones came since.
 *
 * A part of the core (core.h) gathers some before it gives them to the rings, which all threads write to: among many
 * that end, each would otherwise wait for what another has just written. So of what happens in two parts in the same
 * tick the order is not kept, but where one follows from the other, which is when somebody takes them before.
 *
 * Memory   The rings have one size from the begin; what was never written to takes no memory of the machine.
 * Threads  The caller locks.
 */
#ifndef HB_WHY_H
#define HB_WHY_H

#include "heartbeat.h"

#define HB_TRACES 65536u            /* of a ring; a power of 2 */
#define HB_TRACE_RESOURCES 2097152u /* bytes of all resources of a ring; a power of 2 */

enum { HB_TRACES_OF_PINGS, HB_TRACES_OF_OTHERS, HB_TRACE_RINGS };

typedef struct hb_trace {
    hb_token token;
    uint64_t whom; /* keyed hash of the full JID, or of "" before the login */
    uint64_t user; /* of the bare JID */
    uint32_t tick;
    uint32_t number;   /* the order in which they came; only hb_traces_add knows this, and the next two */
    uint32_t resource; /* where it begins, in bytes since the begin */
    uint16_t resource_length;
    uint8_t verb; /* hb_verb; HB_NOTHING: it was spared (HB_WHY_SPOKE), or something happened to it without us */
    uint8_t why;  /* hb_reason */
} hb_trace;

typedef struct hb_trace_ring {
    hb_trace *traces;
    uint64_t count; /* since the begin */
    char *resources;
    uint32_t written; /* bytes, since the begin */
} hb_trace_ring;

typedef struct hb_traces {
    hb_trace_ring rings[HB_TRACE_RINGS];
    uint32_t number;
} hb_traces;

#define HB_TRACES_WAITING 32u
#define HB_TRACES_WAITING_BYTES 1024u /* of resources */

/* Those that wait for the rings, oldest first. All zeros: none do. */
typedef struct hb_traces_waiting {
    uint32_t count;
    uint32_t used; /* bytes */
    hb_trace traces[HB_TRACES_WAITING];
    char resources[HB_TRACES_WAITING_BYTES]; /* one after the other */
} hb_traces_waiting;

/* HB_OK or HB_ENOMEM. */
int hb_traces_init(hb_traces *traces);
void hb_traces_close(hb_traces *traces);

/* resource: of the full JID, less than HB_JID_MAX bytes; copied. */
void hb_traces_add(hb_traces *traces, const hb_trace *trace, const char *resource, size_t length);

/* The same, but it waits. False: there is no room, nothing has changed. */
bool hb_traces_wait(hb_traces_waiting *waiting, const hb_trace *trace, const char *resource, size_t length);

/* Nobody waits any more. */
void hb_traces_take(hb_traces *traces, hb_traces_waiting *waiting);

/*
 * The last of somebody, by the hash of a full or of a bare JID, oldest first, at most `each` from each ring; out has
 * room for that. *cut: there were more of them, or may have been. Returns how many.
 */
size_t hb_traces_find(const hb_traces *traces, uint64_t whom, hb_trace *out, size_t each, bool *cut);

/* The resource of a decision that was found, trace->resource_length bytes to `out`. False: it is overwritten. */
bool hb_traces_resource(const hb_traces *traces, const hb_trace *trace, char *out);

#endif
