/*
 * journal.h - last activity on disk: what survives a crash. The format is docs/journal.md.
 *
 * A folder holds one snapshot and the journals since. Records are gathered in memory by hb_journal_add, and written and
 * synced as one frame by hb_journal_flush: what it said HB_OK to is found again. A new snapshot is written beside the
 * old one, synced, renamed, and the folder synced; only then the old files go. A journal that was opened before is
 * never written to again: each start begins one.
 *
 * After a failed write nothing more goes to that file: the journal is away (hb_journal_away) and takes no records until
 * a snapshot, of everything that is known, could be written.
 *
 * Time     Wall time, milliseconds since 1970 UTC. It reads no clock.
 * Memory   The batch, and what one frame needs; while it opens, one file as a whole, or all of them in a backlog.
 * Threads  One at a time. Another process is kept out by a lock on the file `lock`.
 * Errors   HB_EJOURNAL with *error filled: which file, what was done, why. HB_ENOMEM, HB_ECRYPTO.
 */
#ifndef HB_JOURNAL_H
#define HB_JOURNAL_H

#include "heartbeat.h"
#include "seal.h"

#define HB_JOURNAL_VERSION 1u

/* What is kept of a user. Texts are not NUL-terminated. */
typedef struct hb_last {
    const char *name;
    size_t name_length; /* 1 to HB_JID_MAX */
    bool forgotten;     /* the user is to be forgotten; nothing below counts */
    hb_reason why;
    int64_t seen_ms;
    int64_t offline_ms; /* when the last session ended; 0: never */
    const char *status; /* or NULL */
    size_t status_length;
} hb_last;

#define HB_JOURNAL_SOME 32   /* records that are taken at once, at most */
#define HB_JOURNAL_PARTS 256 /* of a snapshot */

/* Which one a user is in, by the hash of the name with the snapshot's seed (hb_siphash_fast). */
static inline size_t hb_journal_part(uint64_t hash)
{
    return (size_t)(hash >> 32) % HB_JOURNAL_PARTS;
}

/* Takes some records, in the order of their writing. Negative ends it. */
typedef int hb_journal_take(void *to, const hb_last *lasts, size_t count);

/* What was read and is not taken yet: backlog.h. */
typedef struct hb_backlog hb_backlog;

/* Where hb_journal_open puts the records, and in words what is not as it should be. */
typedef struct hb_journal_reader {
    hb_backlog *backlog;
    void (*say)(void *to, const char *line);
    void *to;
} hb_journal_reader;

typedef struct hb_journal hb_journal;

/*
 * Reads what the folder holds, which is made if it is not there, and begins a journal. key: HB_SEAL_KEY bytes, or NULL:
 * the one in the folder's file `key`, which is made if the folder holds nothing yet; what was written under the one
 * that it is being changed to is read too. Damage is no error: what is whole is taken, the rest is kept aside, and
 * said. HB_EJOURNAL: nothing that was kept is lost. A file that is not ours to read, by its header, is found before
 * anything is changed; if something fails later what is damaged may be aside already.
 */
int hb_journal_open(const char *folder, const uint8_t *key, const hb_journal_reader *reader, hb_journal **out,
                    hb_error *error);

/* What was added and not flushed is lost. NULL is allowed. */
void hb_journal_close(hb_journal *journal);

/* As if it had not been opened, for who can not take what was read: nothing was added to it. NULL is allowed. */
void hb_journal_abandon(hb_journal *journal);

/* Nothing is written to disk. While the journal is away nothing is kept either. */
int hb_journal_add(hb_journal *journal, const hb_last *last);

/* What was added is on disk when it returns HB_OK. */
int hb_journal_flush(hb_journal *journal, hb_error *error);

/* Writes what was gathered, unsynced, if it is much: so hb_journal_keep has room, and hb_journal_add need not write. */
int hb_journal_drain(hb_journal *journal, hb_error *error);

bool hb_journal_away(const hb_journal *journal);

/* Whether so much was written that a snapshot is worth it. */
bool hb_journal_wants_snapshot(const hb_journal *journal);

/*
 * Whether the next snapshot goes with the journal that was begun for one that failed: what was added since is older
 * than that snapshot, and is read after it. Then whatever else than records is to be superseded (users who are in no
 * record of that journal any more, or who changed and were not added) needs one more snapshot, which has a journal of
 * its own.
 */
bool hb_journal_log_waits(const hb_journal *journal);

/*
 * Begins a snapshot: from here on hb_journal_add goes to the journal that goes with it, a new one unless
 * hb_journal_log_waits. hb_journal_keep adds to the snapshot, and must be called for everybody; those of a part after
 * hb_journal_part_begin, part by part, so that they can be taken so; HB_EFULL: hb_journal_drain was not called for too
 * long. hb_journal_snapshot_end makes it valid. On failure the files before it hold as they did, with it if it has its
 * name already, and hb_journal_snapshot_drop is called for us.
 */
int hb_journal_snapshot_begin(hb_journal *journal, hb_error *error);
int hb_journal_part_begin(hb_journal *journal, const uint64_t seed[2], size_t part, hb_error *error);
int hb_journal_keep(hb_journal *journal, const hb_last *last, hb_error *error);
int hb_journal_snapshot_end(hb_journal *journal, hb_error *error);
void hb_journal_snapshot_drop(hb_journal *journal);

/*
 * Another key is asked for by the file `key.new` in the folder: it holds the key, or the word `random` for one to be
 * made; and by `key.next`, which holds the key of a change that was begun and not ended. hb_journal_wants_key says 1 if
 * there is one of them, 0 if not; HB_EJOURNAL: what is there is no key. A journal that was given its key takes no
 * other.
 *
 * hb_journal_rekey_begin writes the key to `key.next` and begins a snapshot under it, which hb_journal_keep adds
 * everybody to; nothing else may be added until hb_journal_rekey_end, which names it, writes the key to `key`, begins a
 * journal under it, and removes what was written under the old one, `key.next`, and `key.new` if it has not become
 * another wish. On failure hb_journal_snapshot_drop is called for us, and the journal is away if it could be that the
 * snapshot has its name; *changed tells whether the key is the new one all the same. A journal that is away comes back
 * so. Whenever the server dies, `key` and `key.next` are all that is needed to read the rest.
 */
int hb_journal_wants_key(hb_journal *journal, hb_error *error);
int hb_journal_rekey_begin(hb_journal *journal, hb_error *error);
int hb_journal_rekey_end(hb_journal *journal, bool *changed, hb_error *error);

/* Bytes written since it was opened. */
uint64_t hb_journal_written(const hb_journal *journal);

/* Of the files that are read at the next start: their records, and bytes. */
uint64_t hb_journal_entries(const hb_journal *journal);
uint64_t hb_journal_bytes(const hb_journal *journal);

/* 64 hex digits, and white space after them. */
int hb_journal_key_parse(const char *text, size_t length, uint8_t key[HB_SEAL_KEY]);

#endif
