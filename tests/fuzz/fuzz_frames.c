/*
 * A file of the journal: bytes as they may lie on a disk, and records in a frame that is authentic, as somebody with
 * the key, or another version, may have written them. Whatever comes, what is taken is within its bounds.
 */
#define _GNU_SOURCE /* memfd_create */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "frames.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const uint8_t key[HB_SEAL_KEY] = {1, 2, 3};

/* What is taken. */
typedef struct taken {
    uint64_t count;
    uint64_t expected;
    size_t bytes;
    bool by_parts;
    size_t part; /* of the last one; without parts 0 */
    const char *name;
} taken;

/* Not a good one: names of all lengths have the same. */
static uint64_t hash_of(void *to, const hb_last *last)
{
    (void)to;
    return (uint64_t)(unsigned char)last->name[0] << 32 | last->name_length;
}

static void expect(void *to, uint64_t hash, size_t records)
{
    taken *t = to;

    if (!records || (t->name && hb_journal_part(hash) <= t->part))
        abort();
    t->expected += records;
}

static void take_one(taken *t, const hb_last *last, uint64_t hash)
{
    if (!last->name_length || last->name_length > HB_JID_MAX || last->status_length > HB_STATUS_MAX)
        abort();
    for (size_t i = 0; i < last->name_length; i++)
        t->bytes += (unsigned char)last->name[i];
    for (size_t i = 0; last->status && i < last->status_length; i++)
        t->bytes += (unsigned char)last->status[i];
    if (t->by_parts && hash != hash_of(t, last))
        abort();
    /* Part by part, and within one in the order of their writing. */
    size_t part = t->by_parts ? hb_journal_part(hash) : 0;
    if (t->name && (part < t->part || (part == t->part && last->name <= t->name)))
        abort();
    t->part = part;
    t->name = last->name;
    t->count++;
}

static int take(void *to, const hb_last *lasts, const uint64_t *hashes, size_t count)
{
    if (!count || count > HB_JOURNAL_SOME)
        abort();
    for (size_t i = 0; i < count; i++)
        take_one(to, &lasts[i], hashes[i]);
    return HB_OK;
}

static void read_all(uint8_t *bytes, size_t length, hb_file_kind kind, bool by_parts, taken *t)
{
    const hb_journal_reader reader = {.hash = by_parts ? hash_of : NULL, .expect = expect, .take = take, .to = t};
    hb_found found = HB_FOUND_WHOLE;
    size_t good = 0;
    uint64_t records = 0;

    *t = (taken){.by_parts = by_parts};
    if (hb_frames_read(bytes, length, kind, key, &reader, &found, &good, &records) < 0 || good > length)
        abort();
    /* Of a snapshot all or nothing, and as many as it said. */
    if (t->count ? t->count != records : kind == HB_FILE_JOURNAL && records)
        abort();
    if (t->expected != (by_parts && kind == HB_FILE_SNAPSHOT ? t->count : 0))
        abort();
}

static uint8_t *copy_of(const uint8_t *data, size_t size)
{
    uint8_t *copy = malloc(size ? size : 1);

    if (!copy)
        abort();
    if (size)
        memcpy(copy, data, size);
    return copy;
}

/* With parts and without, which is the same but for the order. */
static void read_both(const uint8_t *data, size_t size, hb_file_kind kind)
{
    taken t[2];

    for (int by_parts = 0; by_parts < 2; by_parts++) {
        uint8_t *copy = copy_of(data, size);
        read_all(copy, size, kind, by_parts, &t[by_parts]);
        free(copy);
    }
    if (t[0].count != t[1].count || t[0].bytes != t[1].bytes)
        abort();
}

/* The input as the records of one authentic frame. */
static void as_records(const uint8_t *data, size_t size, hb_file_kind kind)
{
    static uint8_t file[1 << 17];
    hb_frames frames;
    int why = 0;
    int fd = memfd_create("frames", 0);
    int again = dup(fd);

    if (fd < 0 || again < 0 || size > 4000)
        abort();
    if (hb_frames_begin(&frames, fd, kind, 1, key, &why) < 0)
        abort();
    memcpy(frames.bytes + 4, data, size); /* there is room for some records from the beginning */
    frames.length = size;
    if (hb_frames_write(&frames, &why) < 0)
        abort();
    hb_frames_end(&frames);
    ssize_t length = pread(again, file, sizeof file, 0);
    (void)close(again);
    if (length < 0)
        abort();
    read_both(file, (size_t)length, kind);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (!size || size > 4000)
        return 0;
    hb_file_kind kind = data[0] & 1 ? HB_FILE_SNAPSHOT : HB_FILE_JOURNAL;
    if (data[0] & 2)
        as_records(data + 1, size - 1, kind);
    else
        read_both(data + 1, size - 1, kind);
    return 0;
}
