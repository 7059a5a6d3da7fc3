#include "frames.h"

#include <stdlib.h>
#include <string.h>

#include "pingid.h"
#include "platform.h"

/* 0 magic, 8 version, 12 kind, 16 generation, 24 key id, 32 random. */
#define HEADER HB_FRAMES_HEADER
#define RANDOM_AT 32
static const uint8_t MAGIC[8] = {'H', 'B', 'L', 'A', 'S', 'T', '\r', '\n'};

#define LENGTH 4                        /* of a frame, before it */
#define FRAME_MAX ((size_t)1024 * 1024) /* records of a frame; a full buffer is written */
#define RECORD_MAX (32 + HB_JID_MAX + HB_STATUS_MAX)

enum { RECORD_USER = 'U', RECORD_FORGOTTEN = 'F', RECORD_PART = 'P', RECORD_END = 'E' };
#define PART_LENGTH 19 /* of a record that begins a part: its type, its number, and the seed */
#define NO_STATUS 0xffffu

static void put(uint8_t *out, uint64_t value, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++)
        out[i] = (uint8_t)(value >> (8 * i));
}

static inline uint32_t get16(const uint8_t *in)
{
    return (uint32_t)in[0] | (uint32_t)in[1] << 8;
}

static inline uint32_t get32(const uint8_t *in)
{
    return get16(in) | get16(in + 2) << 16;
}

static inline uint64_t get64(const uint8_t *in)
{
    return get32(in) | (uint64_t)get32(in + 4) << 32;
}

static int write_all(hb_frames *frames, const uint8_t *bytes, size_t length, int *why)
{
    *why = hb_file_write(frames->file, bytes, length, &frames->written);
    return *why ? HB_EJOURNAL : HB_OK;
}

static int write_frame(hb_frames *frames, int *why)
{
    uint8_t *records = frames->bytes + LENGTH;

    put(frames->bytes, frames->length, LENGTH);
    int code = hb_seal_put(&frames->seal, records, (uint32_t)frames->length, records + frames->length);
    if (code == HB_OK)
        code = write_all(frames, frames->bytes, LENGTH + frames->length + HB_SEAL_TAG, why);
    frames->length = 0;
    frames->unsynced = true;
    return code;
}

static int make_room(hb_frames *frames, size_t more)
{
    size_t needed = LENGTH + frames->length + more + HB_SEAL_TAG;
    size_t capacity = frames->capacity ? frames->capacity : 4096;

    while (capacity < needed)
        capacity *= 2;
    if (capacity == frames->capacity)
        return HB_OK;
    uint8_t *bytes = realloc(frames->bytes, capacity);
    if (!bytes)
        return HB_ENOMEM;
    frames->bytes = bytes;
    frames->capacity = capacity;
    return HB_OK;
}

int hb_frames_begin(hb_frames *frames, int file, hb_file_kind kind, uint64_t generation, const uint8_t *key, int *why)
{
    uint8_t header[HEADER];

    memset(frames, 0, sizeof *frames);
    frames->file = file;
    memcpy(header, MAGIC, sizeof MAGIC);
    put(header + 8, HB_JOURNAL_VERSION, 4);
    put(header + 12, kind, 4);
    put(header + 16, generation, 8);
    int code = hb_seal_key_id(key, header + 24);
    if (code == HB_OK)
        code = hb_pingid_random(header + RANDOM_AT, HEADER - RANDOM_AT);
    if (code == HB_OK)
        code = hb_seal_init(&frames->seal, key, header, HEADER);
    if (code == HB_OK)
        code = make_room(frames, 0);
    if (code == HB_OK)
        code = write_all(frames, header, HEADER, why);
    /* An empty frame: that the header is ours is known before anything is read. */
    if (code == HB_OK)
        code = write_frame(frames, why);
    if (code < 0)
        hb_frames_end(frames);
    return code;
}

void hb_frames_end(hb_frames *frames)
{
    hb_file_close(frames->file);
    hb_seal_close(&frames->seal);
    free(frames->bytes);
    memset(frames, 0, sizeof *frames);
    frames->file = HB_NO_FILE;
}

/* Where the next record goes; there is room for any. HB_EFULL, HB_ENOMEM: nowhere. */
static int next_record(hb_frames *frames, uint8_t **out)
{
    if (frames->length >= FRAME_MAX)
        return HB_EFULL;
    int code = make_room(frames, RECORD_MAX);
    if (code < 0)
        return code;
    *out = frames->bytes + LENGTH + frames->length;
    return HB_OK;
}

int hb_frames_add(hb_frames *frames, const hb_last *last)
{
    uint8_t *at = NULL;

    if (!last->name_length || last->name_length > HB_JID_MAX || last->status_length > HB_STATUS_MAX)
        return HB_EINVAL;
    int code = next_record(frames, &at);
    if (code < 0)
        return code;
    const uint8_t *begin = at;
    *at++ = last->forgotten ? RECORD_FORGOTTEN : RECORD_USER;
    put(at, last->name_length, 2);
    memcpy(at + 2, last->name, last->name_length);
    at += 2 + last->name_length;
    if (!last->forgotten) {
        put(at, (uint64_t)last->seen_ms, 8);
        put(at + 8, (uint64_t)last->offline_ms, 8);
        at[16] = (uint8_t)last->why;
        put(at + 17, last->status ? last->status_length : NO_STATUS, 2);
        at += 19;
        if (last->status) {
            memcpy(at, last->status, last->status_length);
            at += last->status_length;
        }
    }
    frames->length += (size_t)(at - begin);
    frames->count++;
    return HB_OK;
}

int hb_frames_part(hb_frames *frames, const uint64_t seed[2], size_t part)
{
    uint8_t *at = NULL;
    int code = next_record(frames, &at);
    if (code < 0)
        return code;
    *at = RECORD_PART;
    put(at + 1, part, 2);
    put(at + 3, seed[0], 8);
    put(at + 11, seed[1], 8);
    frames->length += PART_LENGTH;
    return HB_OK;
}

int hb_frames_write(hb_frames *frames, int *why)
{
    return frames->length ? write_frame(frames, why) : HB_OK;
}

int hb_frames_finish(hb_frames *frames, int *why)
{
    int code = hb_frames_write(frames, why);

    if (code < 0)
        return code;
    frames->bytes[LENGTH] = RECORD_END;
    put(frames->bytes + LENGTH + 1, frames->count, 8);
    frames->length = 9;
    return write_frame(frames, why);
}

/* One record: where the next one begins, or NULL if it is not what we write. */
static const uint8_t *parse(const uint8_t *at, const uint8_t *end, hb_last *last)
{
    size_t left = (size_t)(end - at);
    uint8_t type = *at;
    size_t name = left >= 3 ? get16(at + 1) : 0;

    if ((type != RECORD_USER && type != RECORD_FORGOTTEN) || !name || name > HB_JID_MAX || left < 3 + name)
        return NULL;
    *last = (hb_last){.name = (const char *)at + 3, .name_length = name, .forgotten = type == RECORD_FORGOTTEN};
    at += 3 + name;
    if (last->forgotten)
        return at;
    if (end - at < 19)
        return NULL;
    last->seen_ms = (int64_t)get64(at);
    last->offline_ms = (int64_t)get64(at + 8);
    last->why = (hb_reason)at[16];
    size_t status = get16(at + 17);
    at += 19;
    if (status == NO_STATUS)
        return at;
    if (status > HB_STATUS_MAX || (size_t)(end - at) < status)
        return NULL;
    last->status = (const char *)at;
    last->status_length = status;
    return at + status;
}

/* What was found in the frames up to now. */
typedef struct sum {
    uint64_t records;
    bool finished;
    bool parts;  /* one was begun */
    size_t part; /* the last one that was */
    hb_frames_index *index;
} sum;

/* Where the next record begins, or NULL if it is no part that may follow. */
static const uint8_t *begin_part(sum *s, const uint8_t *bytes, size_t frame, const uint8_t *at, const uint8_t *end)
{
    size_t part = end - at >= PART_LENGTH ? get16(at + 1) : SIZE_MAX;
    const uint64_t seed[2] = {part < SIZE_MAX ? get64(at + 3) : 0, part < SIZE_MAX ? get64(at + 11) : 0};

    if (!s->index || part >= HB_JOURNAL_PARTS || (s->parts ? part <= s->part : s->records > 0) ||
        (s->parts && memcmp(seed, s->index->seed, sizeof seed) != 0))
        return NULL;
    memcpy(s->index->seed, seed, sizeof seed);
    s->index->begins[part] = (hb_frames_spot){.frame = frame, .at = (size_t)(at - bytes) + PART_LENGTH};
    s->parts = true;
    s->part = part;
    return at + PART_LENGTH;
}

/* The records of a frame that is authentic. False: they are not what we write. */
static bool count_records(sum *s, const uint8_t *bytes, size_t frame, const uint8_t *end)
{
    const uint8_t *at = bytes + frame + LENGTH;
    hb_last last;

    while (at && at < end) {
        if (*at == RECORD_END) {
            s->finished = end - at == 9 && get64(at + 1) == s->records;
            return s->finished;
        }
        if (*at == RECORD_PART) {
            at = begin_part(s, bytes, frame, at, end);
            continue;
        }
        at = parse(at, end, &last);
        s->records += at != NULL;
        if (s->parts)
            s->index->counts[s->part]++;
    }
    return at != NULL;
}

static hb_found look_at_header(const uint8_t *bytes, size_t length, hb_file_kind kind, const uint8_t *key_id)
{
    if (length < HEADER)
        return length <= sizeof MAGIC ? HB_FOUND_TORN
                                      : (memcmp(bytes, MAGIC, sizeof MAGIC) == 0 ? HB_FOUND_TORN : HB_FOUND_FOREIGN);
    if (memcmp(bytes, MAGIC, sizeof MAGIC) != 0)
        return HB_FOUND_FOREIGN;
    if (get32(bytes + 8) > HB_JOURNAL_VERSION)
        return HB_FOUND_NEWER;
    if (get32(bytes + 8) != HB_JOURNAL_VERSION || get32(bytes + 12) != kind)
        return HB_FOUND_FOREIGN;
    return memcmp(bytes + 24, key_id, HB_SEAL_KEY_ID) == 0 ? HB_FOUND_WHOLE : HB_FOUND_OTHER_KEY;
}

/* The next frame, which begins at `at`: its length, or SIZE_MAX if there is no whole one. */
static size_t frame_at(const uint8_t *bytes, size_t length, size_t at)
{
    size_t left = length - at;
    size_t size = left >= LENGTH ? get32(bytes + at) : SIZE_MAX;

    if (size > FRAME_MAX + RECORD_MAX || left - LENGTH < size + HB_SEAL_TAG)
        return SIZE_MAX;
    return size;
}

/* Decrypts as much as is authentic, and finds out whether it is all that it should be. */
static int unseal(uint8_t *bytes, size_t length, const uint8_t *key, size_t *good, sum *s)
{
    hb_seal seal;
    int code = hb_seal_init(&seal, key, bytes, HEADER);

    if (code < 0)
        return code;
    for (size_t at = HEADER; at < length && !s->finished; *good = at) {
        size_t size = frame_at(bytes, length, at);
        uint8_t *plain = bytes + at + LENGTH;
        if (size == SIZE_MAX)
            break;
        uint64_t before = s->records;
        code = hb_seal_get(&seal, plain, (uint32_t)size, plain + size);
        if (code != 1 || !count_records(s, bytes, at, plain + size)) {
            s->records = before;
            break;
        }
        at += LENGTH + size + HB_SEAL_TAG;
    }
    hb_seal_close(&seal);
    return code < 0 ? code : HB_OK;
}

int hb_frames_read(uint8_t *bytes, size_t length, hb_file_kind kind, const uint8_t *key, hb_frames_index *index,
                   hb_found *found, size_t *good, uint64_t *records)
{
    hb_frames_index own;
    sum s = {.index = index ? index : &own};
    uint8_t key_id[HB_SEAL_KEY_ID];

    memset(s.index, 0, sizeof *s.index);
    if (kind == HB_FILE_JOURNAL)
        s.index = NULL;
    *good = 0;
    *records = 0;
    int code = hb_seal_key_id(key, key_id);
    if (code < 0)
        return code;
    *found = look_at_header(bytes, length, kind, key_id);
    if (*found != HB_FOUND_WHOLE)
        return HB_OK;
    code = unseal(bytes, length, key, good, &s);
    if (code < 0)
        return code;
    *records = s.records;
    if (s.index)
        s.index->parts = s.parts;
    bool whole = *good == length && *good > HEADER && (s.finished || kind == HB_FILE_JOURNAL);
    *found = whole ? HB_FOUND_WHOLE : HB_FOUND_TORN;
    return HB_OK;
}

/* The next frame. */
static bool enter_frame(hb_frames_cursor *c)
{
    size_t from = (size_t)(c->end - c->bytes) + HB_SEAL_TAG;

    if (from >= c->good)
        return false;
    c->at = c->bytes + from + LENGTH;
    c->end = c->at + get32(c->bytes + from);
    return true;
}

hb_frames_cursor hb_frames_all(const uint8_t *bytes, size_t good)
{
    const uint8_t *before = good ? bytes + HEADER - HB_SEAL_TAG : bytes; /* as if a frame ended there */

    return (hb_frames_cursor){.bytes = bytes, .good = good, .at = before, .end = before};
}

hb_frames_cursor hb_frames_from(const uint8_t *bytes, size_t good, hb_frames_spot begin)
{
    const uint8_t *frame = bytes + begin.frame;

    return (hb_frames_cursor){
        .bytes = bytes, .good = good, .at = bytes + begin.at, .end = frame + LENGTH + get32(frame), .one = true};
}

bool hb_frames_next(hb_frames_cursor *c, hb_last *last)
{
    for (;;) {
        if (c->at == c->end) {
            if (!enter_frame(c))
                return false;
        } else if (*c->at == RECORD_PART && !c->one) {
            c->at += PART_LENGTH;
        } else if (*c->at == RECORD_PART || *c->at == RECORD_END) {
            return false;
        } else {
            c->record = c->at;
            c->at = parse(c->at, c->end, last);
            return true;
        }
    }
}

void hb_frames_at(const uint8_t *record, const uint8_t *end, hb_last *last)
{
    (void)parse(record, end, last);
}
