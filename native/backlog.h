/*
 * backlog.h - what was read from the journal's files and is not taken yet: the records of each part of the users, which
 * can be taken part by part, in any order of parts. So a server that knows many users need not wait for all of them.
 *
 * Memory   It owns the files that it is given, as they are in memory, until hb_backlog_free.
 * Threads  One at a time.
 * Errors   HB_ENOMEM: nothing has changed.
 */
#ifndef HB_BACKLOG_H
#define HB_BACKLOG_H

#include "frames.h"

/* An empty one, with this seed until there is a snapshot, which has its own. NULL: out of memory. */
hb_backlog *hb_backlog_new(const uint64_t seed[2]);

/* NULL is allowed. */
void hb_backlog_free(hb_backlog *backlog);

/* By which users are in their parts (hb_journal_part). */
const uint64_t *hb_backlog_seed(const hb_backlog *backlog);

/*
 * Adds a file that was read, with its good bytes, after those that are older; the snapshot is the oldest. It is the
 * backlog's if that is HB_OK, to be freed by free.
 */
int hb_backlog_add(hb_backlog *backlog, uint8_t *bytes, size_t good, const hb_frames_index *index, uint64_t records);

/* Records of a part, which may be of the same users. */
size_t hb_backlog_count(const hb_backlog *backlog, size_t part);

/* How many users it has at least, as a snapshot has each once. */
size_t hb_backlog_users(const hb_backlog *backlog, size_t part);

/* Has those of a part taken, in the order of their writing. May be called again. */
int hb_backlog_take(const hb_backlog *backlog, size_t part, hb_journal_take *take, void *to);

#endif
