/*
 * timers.h - who is due. Tables and scans, in three steps: a tick goes through one number per block of 64 sessions, the
 * tick before which nobody in it can be due; of those blocks whose number has come it looks at the reads, as most were
 * read from meanwhile; and at each session only where somebody may be due all the same. A session that is waited on for
 * its next read carries how long after the read it is due: so one that is read from costs nothing until its block is
 * looked at again, and that is when the one that is silent for longest could be due.
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

/* What is known of a block without a look at each of its sessions. */
typedef struct hb_block {
    uint64_t follows; /* a bit for each whose due counts from their last read */
    uint32_t least;   /* none of those is due sooner after its read */
    uint32_t rest;    /* none of the others is due before */
} hb_block;

/* The tick before which nobody of the block can be due. cells: of its sessions; any thread may write them. */
uint32_t hb_timers_soonest(const hb_block *block, const uint32_t *cells, uint32_t now);

/*
 * Who may be due now: a bit for each. A read that is later than now counts as now. *next is the tick before which none
 * of the others can be due, as it stands: UINT32_MAX if none will.
 */
uint64_t hb_timers_suspects(const hb_block *block, const uint32_t *cells, uint32_t now, uint32_t *next);

#endif
