#include "backlog.h"

#include <stdlib.h>
#include <string.h>

#include "siphash.h"

#define AHEAD 16 /* records that are on their way from memory before they are taken */

/* A file, and where its parts are. */
typedef struct kept_file {
    uint8_t *bytes;
    size_t good;
    hb_frames_index index;
    const uint8_t **sorted; /* the records, part by part, of a file that was not written so; or NULL */
} kept_file;

struct hb_backlog {
    uint64_t seed[2];
    kept_file *files;
    size_t count;
};

hb_backlog *hb_backlog_new(const uint64_t seed[2])
{
    hb_backlog *backlog = calloc(1, sizeof *backlog);

    if (backlog)
        memcpy(backlog->seed, seed, sizeof backlog->seed);
    return backlog;
}

void hb_backlog_free(hb_backlog *backlog)
{
    if (!backlog)
        return;
    for (size_t i = 0; i < backlog->count; i++) {
        free(backlog->files[i].bytes);
        free(backlog->files[i].sorted);
    }
    free(backlog->files);
    free(backlog);
}

const uint64_t *hb_backlog_seed(const hb_backlog *backlog)
{
    return backlog->seed;
}

/* A counting sort, which leaves records of one user in their order. */
static int sort(kept_file *file, const uint64_t seed[2], uint64_t records)
{
    uint8_t *parts = malloc(records ? records : 1);
    const uint8_t **sorted = malloc((records ? records : 1) * sizeof *sorted);
    size_t next[HB_JOURNAL_PARTS];
    hb_last last;

    if (!parts || !sorted) {
        free(parts);
        free(sorted);
        return HB_ENOMEM;
    }
    hb_frames_cursor c = hb_frames_all(file->bytes, file->good);
    for (uint64_t i = 0; i < records && hb_frames_next(&c, &last); i++) {
        parts[i] = (uint8_t)hb_journal_part(hb_siphash_fast(seed, last.name, last.name_length));
        file->index.counts[parts[i]]++;
    }
    for (size_t part = 0, sum = 0; part < HB_JOURNAL_PARTS; sum += file->index.counts[part++])
        next[part] = sum;
    c = hb_frames_all(file->bytes, file->good);
    for (uint64_t i = 0; i < records && hb_frames_next(&c, &last); i++)
        sorted[next[parts[i]]++] = c.record;
    free(parts);
    file->sorted = sorted;
    return HB_OK;
}

int hb_backlog_add(hb_backlog *backlog, uint8_t *bytes, size_t good, const hb_frames_index *index, uint64_t records)
{
    kept_file *files = realloc(backlog->files, (backlog->count + 1) * sizeof *files);
    int code = HB_OK;

    if (!files)
        return HB_ENOMEM;
    backlog->files = files;
    kept_file *file = &files[backlog->count];
    *file = (kept_file){.good = good};
    file->bytes = bytes;
    if (index->parts) {
        file->index = *index;
        memcpy(backlog->seed, index->seed, sizeof backlog->seed);
    } else {
        code = sort(file, backlog->seed, records);
    }
    backlog->count += code == HB_OK;
    return code;
}

size_t hb_backlog_count(const hb_backlog *backlog, size_t part)
{
    size_t count = 0;

    for (size_t i = 0; i < backlog->count; i++)
        count += backlog->files[i].index.counts[part];
    return count;
}

size_t hb_backlog_users(const hb_backlog *backlog, size_t part)
{
    return backlog->count && backlog->files[0].index.parts ? backlog->files[0].index.counts[part] : 0;
}

/* Some records that are taken at once. */
typedef struct batch {
    hb_last lasts[HB_JOURNAL_SOME];
    size_t count;
    hb_journal_take *take;
    void *to;
} batch;

/* Has them taken if there is no room for one more, or all of them are to be. */
static int flush(batch *b, bool all)
{
    int code = HB_OK;

    if (b->count == HB_JOURNAL_SOME || (all && b->count)) {
        code = b->take(b->to, b->lasts, b->count);
        b->count = 0;
    }
    return code;
}

static int take_written(const kept_file *file, size_t part, batch *b)
{
    int code = HB_OK;

    if (!file->index.counts[part])
        return HB_OK;
    hb_frames_cursor c = hb_frames_from(file->bytes, file->good, file->index.begins[part]);
    while (code >= 0 && hb_frames_next(&c, &b->lasts[b->count])) {
        b->count++;
        code = flush(b, false);
    }
    return code;
}

static int take_sorted(const kept_file *file, size_t part, batch *b)
{
    const uint8_t **records = file->sorted;
    size_t count = file->index.counts[part];
    int code = HB_OK;

    for (size_t before = 0; before < part; before++)
        records += file->index.counts[before];
    for (size_t i = 0; i < count && code >= 0; i++) {
        if (i + AHEAD < count)
            __builtin_prefetch(records[i + AHEAD]);
        hb_frames_at(records[i], file->bytes + file->good, &b->lasts[b->count++]);
        code = flush(b, false);
    }
    return code;
}

int hb_backlog_take(const hb_backlog *backlog, size_t part, hb_journal_take *take, void *to)
{
    batch b = {.take = take, .to = to};
    int code = HB_OK;

    for (size_t i = 0; i < backlog->count && code >= 0; i++) {
        const kept_file *file = &backlog->files[i];
        code = file->sorted ? take_sorted(file, part, &b) : take_written(file, part, &b);
    }
    return code < 0 ? code : flush(&b, true);
}
