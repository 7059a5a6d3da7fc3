/*
 * timers.h - who is due, among the sessions of one page. Tables and scans, in two steps: a tick goes through one number
 * per block of 64 sessions, the tick before which nobody in it can be due; and looks into those blocks only whose
 * number has come. A session that is waited on for its next read carries how long after the read it is due, and its
 * read is looked at with its block: so a session that is read from costs nothing until its block is looked at again,
 * and that is when the one that is silent for longest could be due.
 */
#ifndef HB_TIMERS_H
#define HB_TIMERS_H

#include <stddef.h>
#include <stdint.h>

#define HB_TIMERS_BLOCK 64u

/* The index of the first of table[from] .. table[count - 1] that is at most now; count if there is none. */
size_t hb_timers_next(const uint32_t *table, size_t from, size_t count, uint32_t now);

/* A tick so much later; never HB_NEVER. */
uint32_t hb_timers_later(uint32_t tick, uint32_t by);

/*
 * Who of one block is due: a bit for each. due: the tick; for those with their bit in `follows`, ticks after the tick
 * in their cell, which any thread may write and which is at most now. *next is the least tick at which one of the
 * others will be, as it stands: UINT32_MAX if none.
 */
uint64_t hb_timers_due(const uint32_t *due, uint64_t follows, const uint32_t *cells, uint32_t now, uint32_t *next);

#endif
