/*
 * frames.h - one file of the journal: a header, then sealed frames of records (docs/journal.md).
 *
 * Memory   A writer owns its buffer and its file.
 * Threads  One at a time.
 * Errors   HB_EJOURNAL with errno in *why where the system said no, HB_ENOMEM, HB_ECRYPTO.
 */
#ifndef HB_FRAMES_H
#define HB_FRAMES_H

#include "journal.h"

typedef enum hb_file_kind { HB_FILE_SNAPSHOT = 1, HB_FILE_JOURNAL = 2 } hb_file_kind;

typedef struct hb_frames {
    int file; /* HB_NO_FILE: none */
    hb_seal seal;
    uint8_t *bytes; /* room for the length, then plain records, then room for the tag */
    size_t length;  /* of the records */
    size_t capacity;
    uint64_t count;   /* records of all frames */
    uint64_t written; /* bytes of the file */
    bool unsynced;    /* a frame was written since its owner cleared this */
} hb_frames;

/* Begins an empty file, and owns it from here on, even on failure. Its first frame is written, not
 * synced. */
int hb_frames_begin(hb_frames *frames, int file, hb_file_kind kind, uint64_t generation, const uint8_t *key, int *why);
void hb_frames_end(hb_frames *frames);

/* Into the buffer only. HB_EFULL: it is to be written first. */
int hb_frames_add(hb_frames *frames, const hb_last *last);

/* Writes the buffer as a frame, if anything is in it, and empties it. */
int hb_frames_write(hb_frames *frames, int *why);

/* The records from here on are in this part, by this seed (hb_journal_part). Parts come in their order. As
 * hb_frames_add. */
int hb_frames_part(hb_frames *frames, const uint64_t seed[2], size_t part);

/* Writes the frame that says how many records there were: without it a snapshot is not whole. */
int hb_frames_finish(hb_frames *frames, int *why);

typedef enum hb_found {
    HB_FOUND_WHOLE,
    HB_FOUND_TORN,      /* the end is missing, or damaged */
    HB_FOUND_OTHER_KEY, /* or its header is damaged */
    HB_FOUND_NEWER,     /* of a format that we do not know */
    HB_FOUND_FOREIGN,   /* nothing of ours */
} hb_found;

#define HB_FRAMES_HEADER 64 /* bytes that a file begins with: they tell all but HB_FOUND_WHOLE from HB_FOUND_TORN */

/* Where something stands in a file. */
typedef struct hb_frames_spot {
    size_t frame; /* where its frame begins; 0: it is nowhere */
    size_t at;
} hb_frames_spot;

/* Of a snapshot whose records are all in parts. */
typedef struct hb_frames_index {
    bool parts;
    uint64_t seed[2];
    hb_frames_spot begins[HB_JOURNAL_PARTS]; /* of its first record, if there is one */
    size_t counts[HB_JOURNAL_PARTS];
} hb_frames_index;

/*
 * Reads a file that is in memory, which it decrypts in place. *good: bytes up to the end of the last whole frame.
 * index may be NULL.
 */
int hb_frames_read(uint8_t *bytes, size_t length, hb_file_kind kind, const uint8_t *key, hb_frames_index *index,
                   hb_found *found, size_t *good, uint64_t *records);

/* Whether there are records to be taken: of a snapshot that is not whole there are none. */
static inline bool hb_frames_count(hb_found found, hb_file_kind kind)
{
    return found == HB_FOUND_WHOLE || (found == HB_FOUND_TORN && kind == HB_FILE_JOURNAL);
}

/* Goes through the records of a file that was read. */
typedef struct hb_frames_cursor {
    const uint8_t *bytes;
    size_t good;
    const uint8_t *at;
    const uint8_t *end;    /* of its frame */
    const uint8_t *record; /* the last one that was told */
    bool one;              /* part, and no further */
} hb_frames_cursor;

/* All of them, in the order of their writing. */
hb_frames_cursor hb_frames_all(const uint8_t *bytes, size_t good);

/* Those of the part that begins there. */
hb_frames_cursor hb_frames_from(const uint8_t *bytes, size_t good, hb_frames_spot begin);

/* The next one, whose texts are those of the file. False: there is none. */
bool hb_frames_next(hb_frames_cursor *cursor, hb_last *last);

/* The record that begins there, of a file that was read and ends there. */
void hb_frames_at(const uint8_t *record, const uint8_t *end, hb_last *last);

#endif
