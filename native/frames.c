#include "frames.h"

#include <stdlib.h>
#include <string.h>

#include "pingid.h"
#include "platform.h"

/* 0 magic, 8 version, 12 kind, 16 generation, 24 key id, 32 random. */
#define HEADER 64
#define RANDOM_AT 32
static const uint8_t MAGIC[8] = {'H', 'B', 'L', 'A', 'S', 'T', '\r', '\n'};

#define LENGTH 4                        /* of a frame, before it */
#define FRAME_MAX ((size_t)1024 * 1024) /* records of a frame; a full buffer is written */
#define RECORD_MAX (32 + HB_JID_MAX + HB_STATUS_MAX)

enum { RECORD_USER = 'U', RECORD_FORGOTTEN = 'F', RECORD_END = 'E' };
#define NO_STATUS 0xffffu

#define AHEAD 16 /* records that are told of before they are taken */

static void put(uint8_t *out, uint64_t value, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++)
        out[i] = (uint8_t)(value >> (8 * i));
}

static uint64_t get(const uint8_t *in, size_t bytes)
{
    uint64_t value = 0;

    for (size_t i = 0; i < bytes; i++)
        value |= (uint64_t)in[i] << (8 * i);
    return value;
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

bool hb_frames_full(const hb_frames *frames)
{
    return frames->length >= FRAME_MAX;
}

int hb_frames_add(hb_frames *frames, const hb_last *last)
{
    if (!last->name_length || last->name_length > HB_JID_MAX || last->status_length > HB_STATUS_MAX)
        return HB_EINVAL;
    if (hb_frames_full(frames))
        return HB_EFULL;
    int code = make_room(frames, RECORD_MAX);
    if (code < 0)
        return code;
    uint8_t *at = frames->bytes + LENGTH + frames->length;
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
    size_t name = left >= 3 ? (size_t)get(at + 1, 2) : 0;

    if ((type != RECORD_USER && type != RECORD_FORGOTTEN) || !name || name > HB_JID_MAX || left < 3 + name)
        return NULL;
    *last = (hb_last){.name = (const char *)at + 3, .name_length = name, .forgotten = type == RECORD_FORGOTTEN};
    at += 3 + name;
    if (last->forgotten)
        return at;
    if (end - at < 19)
        return NULL;
    last->seen_ms = (int64_t)get(at, 8);
    last->offline_ms = (int64_t)get(at + 8, 8);
    last->why = (hb_reason)at[16];
    size_t status = (size_t)get(at + 17, 2);
    at += 19;
    if (status == NO_STATUS)
        return at;
    if (status > HB_STATUS_MAX || (size_t)(end - at) < status)
        return NULL;
    last->status = (const char *)at;
    last->status_length = status;
    return at + status;
}

/* The records of a frame that is authentic. False: they are not what we write. */
static bool count_records(const uint8_t *at, const uint8_t *end, uint64_t *records, bool *finished)
{
    hb_last last;

    while (at && at < end) {
        if (*at == RECORD_END) {
            *finished = end - at == 9 && get(at + 1, 8) == *records;
            return *finished;
        }
        at = parse(at, end, &last);
        *records += at != NULL;
    }
    return at != NULL;
}

/* Hands out the records of a frame that were counted. */
static int hand_out(const uint8_t *at, const uint8_t *end, const hb_journal_reader *reader)
{
    const uint8_t *ahead = at;
    hb_last last;
    int code = HB_OK;

    for (size_t told = 0, taken = 0; code >= 0 && at < end && *at != RECORD_END; taken++) {
        for (; reader->soon && told <= taken + AHEAD && ahead < end && *ahead != RECORD_END; told++) {
            ahead = parse(ahead, end, &last);
            reader->soon(reader->to, &last);
        }
        at = parse(at, end, &last);
        code = reader->take(reader->to, &last);
    }
    return code < 0 ? code : HB_OK;
}

static hb_found look_at_header(const uint8_t *bytes, size_t length, hb_file_kind kind, const uint8_t *key_id)
{
    if (length < HEADER)
        return length <= sizeof MAGIC ? HB_FOUND_TORN
                                      : (memcmp(bytes, MAGIC, sizeof MAGIC) == 0 ? HB_FOUND_TORN : HB_FOUND_FOREIGN);
    if (memcmp(bytes, MAGIC, sizeof MAGIC) != 0)
        return HB_FOUND_FOREIGN;
    if (get(bytes + 8, 4) > HB_JOURNAL_VERSION)
        return HB_FOUND_NEWER;
    if (get(bytes + 8, 4) != HB_JOURNAL_VERSION || get(bytes + 12, 4) != kind)
        return HB_FOUND_FOREIGN;
    return memcmp(bytes + 24, key_id, HB_SEAL_KEY_ID) == 0 ? HB_FOUND_WHOLE : HB_FOUND_OTHER_KEY;
}

/* The next frame, which begins at `at`: its length, or SIZE_MAX if there is no whole one. */
static size_t frame_at(const uint8_t *bytes, size_t length, size_t at)
{
    size_t left = length - at;
    size_t size = left >= LENGTH ? (size_t)get(bytes + at, LENGTH) : SIZE_MAX;

    if (size > FRAME_MAX + RECORD_MAX || left - LENGTH < size + HB_SEAL_TAG)
        return SIZE_MAX;
    return size;
}

/* Decrypts as much as is authentic, and finds out whether it is all that it should be. */
static int unseal(uint8_t *bytes, size_t length, const uint8_t *key, size_t *good, uint64_t *records, bool *finished)
{
    hb_seal seal;
    int code = hb_seal_init(&seal, key, bytes, HEADER);

    if (code < 0)
        return code;
    for (size_t at = HEADER; at < length && !*finished; *good = at) {
        size_t size = frame_at(bytes, length, at);
        uint8_t *plain = bytes + at + LENGTH;
        if (size == SIZE_MAX)
            break;
        code = hb_seal_get(&seal, plain, (uint32_t)size, plain + size);
        if (code != 1 || !count_records(plain, plain + size, records, finished))
            break;
        at += LENGTH + size + HB_SEAL_TAG;
    }
    hb_seal_close(&seal);
    return code < 0 ? code : HB_OK;
}

int hb_frames_read(uint8_t *bytes, size_t length, hb_file_kind kind, const uint8_t *key,
                   const hb_journal_reader *reader, hb_found *found, size_t *good, uint64_t *records)
{
    uint8_t key_id[HB_SEAL_KEY_ID];
    bool finished = false;

    *good = 0;
    *records = 0;
    int code = hb_seal_key_id(key, key_id);
    if (code < 0)
        return code;
    *found = look_at_header(bytes, length, kind, key_id);
    if (*found != HB_FOUND_WHOLE)
        return HB_OK;
    code = unseal(bytes, length, key, good, records, &finished);
    if (code < 0)
        return code;
    bool whole = *good == length && *good > HEADER && (finished || kind == HB_FILE_JOURNAL);
    *found = whole ? HB_FOUND_WHOLE : HB_FOUND_TORN;
    if (!reader || (!whole && kind == HB_FILE_SNAPSHOT))
        return HB_OK;
    if (reader->expect && kind == HB_FILE_SNAPSHOT)
        reader->expect(reader->to, *records);
    for (size_t at = HEADER; code == HB_OK && at < *good;) {
        size_t size = frame_at(bytes, *good, at);
        code = hand_out(bytes + at + LENGTH, bytes + at + LENGTH + size, reader);
        at += LENGTH + size + HB_SEAL_TAG;
    }
    return code;
}
