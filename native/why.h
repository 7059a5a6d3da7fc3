/*
 * why.h - the last decisions of all sessions, small, so that it can be asked why something was done to one of them.
 *
 * They outlive their session. The oldest are overwritten. They are found by looking through all: asked for seldom,
 * while a decision is made often.
 *
 * Memory   The ring has one size from the begin; what was never written to takes no memory of the machine.
 * Threads  The caller locks.
 */
#ifndef HB_WHY_H
#define HB_WHY_H

#include "heartbeat.h"

#define HB_TRACES 65536u /* a power of 2 */

typedef struct hb_trace {
    hb_token token;
    uint64_t whom; /* keyed hash of the full JID, or of "" before the login */
    uint32_t tick;
    uint8_t verb; /* hb_verb */
    uint8_t why;  /* hb_reason */
} hb_trace;

typedef struct hb_traces {
    hb_trace *ring;
    uint64_t count; /* since the begin */
} hb_traces;

/* HB_OK or HB_ENOMEM. */
int hb_traces_init(hb_traces *traces);
void hb_traces_close(hb_traces *traces);

void hb_traces_add(hb_traces *traces, hb_trace trace);

/*
 * The last decisions about somebody, oldest first, at most `capacity` of them; *cut: there were more of them. Returns
 * how many.
 */
size_t hb_traces_find(const hb_traces *traces, uint64_t whom, hb_trace *out, size_t capacity, bool *cut);

#endif
