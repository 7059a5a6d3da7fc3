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

/* What was told of, and is to be taken in that order. */
static struct ahead {
    const char *names[32];
    size_t told;
    size_t taken;
    uint64_t expected;
} ahead;

static void expect(void *to, uint64_t records)
{
    (void)to;
    ahead.expected = records;
}

static void soon(void *to, const hb_last *last)
{
    (void)to;
    if (ahead.told - ahead.taken >= 32)
        abort();
    ahead.names[ahead.told++ % 32] = last->name;
}

static int take(void *to, const hb_last *last)
{
    size_t *bytes = to;

    if (ahead.told == ahead.taken || ahead.names[ahead.taken++ % 32] != last->name)
        abort();
    if (!last->name_length || last->name_length > HB_JID_MAX || last->status_length > HB_STATUS_MAX)
        abort();
    for (size_t i = 0; i < last->name_length; i++)
        *bytes += (unsigned char)last->name[i];
    for (size_t i = 0; last->status && i < last->status_length; i++)
        *bytes += (unsigned char)last->status[i];
    return HB_OK;
}

static hb_found read_all(uint8_t *bytes, size_t length, hb_file_kind kind)
{
    size_t sum = 0;
    const hb_journal_reader reader = {.expect = expect, .soon = soon, .take = take, .to = &sum};
    hb_found found = HB_FOUND_WHOLE;
    size_t good = 0;
    uint64_t records = 0;

    ahead = (struct ahead){0};
    if (hb_frames_read(bytes, length, kind, key, &reader, &found, &good, &records) < 0 || good > length)
        abort();
    /* All that was told of was taken; and of a snapshot as many as it said. */
    if (ahead.told != ahead.taken || (kind == HB_FILE_SNAPSHOT && ahead.taken != ahead.expected))
        abort();
    if (ahead.taken && ahead.taken != records)
        abort();
    return found;
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
    uint8_t *copy = copy_of(file, (size_t)length);
    (void)read_all(copy, (size_t)length, kind);
    free(copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (!size || size > 4000)
        return 0;
    hb_file_kind kind = data[0] & 1 ? HB_FILE_SNAPSHOT : HB_FILE_JOURNAL;
    if (data[0] & 2) {
        as_records(data + 1, size - 1, kind);
    } else {
        uint8_t *copy = copy_of(data + 1, size - 1);
        (void)read_all(copy, size - 1, kind);
        free(copy);
    }
    return 0;
}
