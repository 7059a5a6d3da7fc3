/*
 * A file of the journal: bytes as they may lie on a disk, and records in a frame that is authentic, as somebody with
 * the key, or another version, may have written them. Whatever comes, what is taken is within its bounds.
 */
#define _GNU_SOURCE /* memfd_create */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "backlog.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const uint8_t key[HB_SEAL_KEY] = {1, 2, 3};

static const uint64_t seed[2] = {4, 5};

/* What is taken. */
typedef struct taken {
    uint64_t count;
    size_t bytes;
    size_t part;
    const char *name; /* of the last one in it */
} taken;

static void take_one(taken *t, const hb_last *last)
{
    if (!last->name_length || last->name_length > HB_JID_MAX || last->status_length > HB_STATUS_MAX)
        abort();
    for (size_t i = 0; i < last->name_length; i++)
        t->bytes += (unsigned char)last->name[i];
    for (size_t i = 0; last->status && i < last->status_length; i++)
        t->bytes += (unsigned char)last->status[i];
    /* In the order of their writing. */
    if (t->name && last->name <= t->name)
        abort();
    t->name = last->name;
    t->count++;
}

static int take(void *to, const hb_last *lasts, size_t count)
{
    if (!count || count > HB_JOURNAL_SOME)
        abort();
    for (size_t i = 0; i < count; i++)
        take_one(to, &lasts[i]);
    return HB_OK;
}

static void take_all(const uint8_t *bytes, size_t good, taken *t)
{
    hb_frames_cursor c = hb_frames_all(bytes, good);
    hb_last last;

    while (hb_frames_next(&c, &last))
        take_one(t, &last);
}

static void take_parts(uint8_t *bytes, size_t good, const hb_frames_index *index, uint64_t records, taken *t)
{
    hb_backlog *backlog = hb_backlog_new(seed);

    if (!backlog || hb_backlog_add(backlog, bytes, good, index, records) < 0)
        abort();
    for (size_t part = 0; part < HB_JOURNAL_PARTS; part++) {
        uint64_t before = t->count;
        t->name = NULL;
        if (hb_backlog_take(backlog, part, take, t) < 0 || t->count - before != hb_backlog_count(backlog, part))
            abort();
    }
    hb_backlog_free(backlog);
}

/* It is freed. Of a snapshot all or nothing, and as many as it said. */
static void read_all(uint8_t *bytes, size_t length, hb_file_kind kind, bool by_parts, taken *t)
{
    hb_frames_index index;
    hb_found found = HB_FOUND_WHOLE;
    size_t good = 0;
    uint64_t records = 0;

    *t = (taken){0};
    if (hb_frames_read(bytes, length, kind, key, &index, &found, &good, &records) < 0 || good > length)
        abort();
    if (!hb_frames_count(found, kind)) {
        free(bytes);
        return;
    }
    if (by_parts) {
        take_parts(bytes, good, &index, records, t);
    } else {
        take_all(bytes, good, t);
        free(bytes);
    }
    if (t->count != records)
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

    for (int by_parts = 0; by_parts < 2; by_parts++)
        read_all(copy_of(data, size), size, kind, by_parts, &t[by_parts]);
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
