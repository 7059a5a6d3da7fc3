#include "journal.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backlog.h"
#include "pingid.h"
#include "platform.h"

#define NAME 64 /* of a file in the folder */
#define KEY_FILE "key"
#define WISH_FILE "key.new"  /* an administrator's */
#define NEXT_FILE "key.next" /* ours: the key that is to take the place of key, as long as that is not done */
#define WISH_WORD "random"
#define UNFINISHED ".new" /* ends the name of a snapshot that is being made */
#define KEY_DIGITS ((size_t)2 * HB_SEAL_KEY)

/* A journal of this size, and twice that of its snapshot, is worth a new snapshot; so are so many files. */
#define WORTH_BYTES (UINT64_C(4) << 20)
#define WORTH_FILES 16

#define ASIDE_MAX 100u /* damaged files of one generation */

#define GENERATION_MAX (UINT64_MAX / 2) /* one more each second would not come so far */

#define DRAIN_BYTES ((size_t)256 * 1024)

struct hb_journal {
    char folder[256]; /* for messages */
    hb_folder *place;
    uint8_t key[HB_SEAL_KEY];
    uint8_t next_key[HB_SEAL_KEY]; /* the one that key is changed to */
    bool has_next;                 /* while it opens: files under it may be there */
    bool random;                   /* next_key was made because the word asked for it */
    bool rekeying;                 /* the snapshot that is being made is under it */
    bool given;                    /* the key is not in the folder */
    uint64_t generation;           /* of the youngest file, whatever became of it */
    uint64_t kept;                 /* of the snapshot that holds */
    hb_frames log;                 /* without a file: the journal is away */
    hb_frames snapshot;            /* without a file: none is being made */
    bool came_back;                /* log was begun for the snapshot that is being made */
    uint64_t ready;                /* of a log that was begun for a snapshot which is not there yet */
    uint64_t since;                /* bytes of journals since the snapshot, but for log's own */
    uint64_t base;                 /* bytes of the snapshot */
    uint64_t entries;              /* records of the snapshot and of the journals since, but for log's own */
    uint64_t written;              /* by files that are closed */
    unsigned files;                /* journals since the snapshot */
};

__attribute__((format(printf, 4, 5))) static int fail(hb_error *error, const char *folder, int why, const char *format,
                                                      ...)
{
    char reason[80] = "";
    char what[160];
    va_list arguments;

    if (!error)
        return HB_EJOURNAL;
    va_start(arguments, format);
    vsnprintf(what, sizeof what, format, arguments);
    va_end(arguments);
    if (why)
        hb_errno_text(why, reason, sizeof reason);
    memset(error, 0, sizeof *error);
    snprintf(error->path, sizeof error->path, "%s", folder);
    snprintf(error->text, sizeof error->text, "%s%s%s", what, why ? ": " : "", reason);
    return HB_EJOURNAL;
}

static void file_name(char out[NAME], const char *kind, uint64_t generation)
{
    snprintf(out, NAME, "%s-%016" PRIx64, kind, generation);
}

/* The generation of a file that has the name that we give to this kind, with this at its end; or 0. */
static uint64_t generation_of(const char *name, const char *kind, const char *end)
{
    char ours[NAME];
    size_t length = strlen(kind);

    if (strncmp(name, kind, length) != 0 || name[length] != '-')
        return 0;
    uint64_t generation = strtoull(name + length + 1, NULL, 16);
    snprintf(ours, sizeof ours, "%s-%016" PRIx64 "%s", kind, generation, end);
    return strcmp(name, ours) == 0 ? generation : 0;
}

/* What the folder holds. */
typedef struct holding {
    uint64_t *journals;
    size_t count;
    uint64_t snapshot; /* the youngest, 0: none */
    uint64_t youngest; /* of all, damaged ones too */
} holding;

static int by_age(const void *left, const void *right)
{
    uint64_t a = *(const uint64_t *)left;
    uint64_t b = *(const uint64_t *)right;

    return a < b ? -1 : a > b;
}

static int note_file(void *to, const char *name)
{
    holding *h = to;
    const uint64_t snapshot = generation_of(name, "snapshot", "");
    const uint64_t log = generation_of(name, "journal", "");
    const uint64_t all[] = {snapshot, log, generation_of(name, "snapshot", UNFINISHED),
                            generation_of(name, "damaged-snapshot", ""), generation_of(name, "damaged-journal", "")};

    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        h->youngest = all[i] > h->youngest ? all[i] : h->youngest;
    h->snapshot = snapshot > h->snapshot ? snapshot : h->snapshot;
    if (!log)
        return HB_OK;
    uint64_t *journals = realloc(h->journals, (h->count + 1) * sizeof *journals);
    if (!journals)
        return HB_ENOMEM;
    h->journals = journals;
    journals[h->count++] = log;
    return HB_OK;
}

/* Removes what is older than the snapshot that was made, and what was begun and not finished. */
static int remove_old(void *to, const char *name)
{
    const hb_journal *journal = to;
    uint64_t generation = generation_of(name, "snapshot", "");

    if (!generation)
        generation = generation_of(name, "snapshot", UNFINISHED);
    if (!generation)
        generation = generation_of(name, "journal", "");
    if (generation && generation < journal->kept)
        (void)hb_folder_remove(journal->place, name); /* if it stays the next snapshot tries again */
    return HB_OK;
}

static int each_file(const hb_journal *journal, int (*visit)(void *, const char *), void *to, hb_error *error)
{
    int why = hb_folder_each(journal->place, visit, to);

    return why > 0 ? fail(error, journal->folder, why, "the folder can not be listed") : why;
}

static int read_file(const hb_journal *journal, const char *name, uint8_t **bytes, size_t *length, hb_error *error)
{
    int file = HB_NO_FILE;
    int why = hb_file_open(journal->place, name, HB_OPEN_READ, &file);

    if (!why)
        why = hb_file_read(file, bytes, length);
    hb_file_close(file);
    if (why == ENOMEM)
        return HB_ENOMEM;
    return why ? fail(error, journal->folder, why, "%s can not be read", name) : HB_OK;
}

static int sync_folder(const hb_journal *journal, hb_error *error)
{
    int why = hb_folder_sync(journal->place);

    return why ? fail(error, journal->folder, why, "the folder can not be synced") : HB_OK;
}

/* A file of its own, written and synced. */
static int write_new(const hb_journal *journal, const char *name, const void *bytes, size_t length, hb_error *error)
{
    int file = HB_NO_FILE;
    int why = hb_file_open(journal->place, name, HB_OPEN_REPLACE, &file);

    if (why)
        return fail(error, journal->folder, why, "%s can not be made", name);
    why = hb_file_write(file, bytes, length, NULL);
    if (!why)
        why = hb_file_sync(file);
    hb_file_close(file);
    if (!why)
        return HB_OK;
    (void)hb_folder_remove(journal->place, name);
    return fail(error, journal->folder, why, "%s can not be written", name);
}

/* Its length without white space at its end. */
static size_t trimmed(const char *text, size_t length)
{
    while (length && strchr(" \t\r\n", text[length - 1]) && text[length - 1])
        length--;
    return length;
}

int hb_journal_key_parse(const char *text, size_t length, uint8_t key[HB_SEAL_KEY])
{
    uint8_t parsed[HB_SEAL_KEY] = {0};
    int code = HB_OK;

    length = trimmed(text, length);
    if (length != KEY_DIGITS)
        return HB_EINVAL;
    for (size_t i = 0; i < length && code == HB_OK; i++) {
        char c = text[i];
        int digit = c >= '0' && c <= '9'   ? c - '0'
                    : c >= 'a' && c <= 'f' ? c - 'a' + 10
                    : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                           : -1;
        if (digit < 0)
            code = HB_EINVAL;
        else
            parsed[i / 2] = (uint8_t)(parsed[i / 2] << 4 | digit);
    }
    if (code == HB_OK)
        memcpy(key, parsed, HB_SEAL_KEY);
    hb_seal_wipe(parsed, sizeof parsed);
    return code;
}

/* *placed: the file of that name holds it. It is on disk for good if HB_OK comes back. */
static int write_key(const hb_journal *journal, const uint8_t key[HB_SEAL_KEY], const char *name, bool *placed,
                     hb_error *error)
{
    char text[KEY_DIGITS + 2];

    *placed = false;
    for (size_t i = 0; i < HB_SEAL_KEY; i++)
        snprintf(text + 2 * i, 3, "%02x", key[i]);
    text[KEY_DIGITS] = '\n';
    int code = write_new(journal, KEY_FILE ".tmp", text, KEY_DIGITS + 1, error);
    hb_seal_wipe(text, sizeof text);
    if (code < 0)
        return code;
    int why = hb_folder_rename(journal->place, KEY_FILE ".tmp", name);
    if (why) {
        (void)hb_folder_remove(journal->place, KEY_FILE ".tmp");
        return fail(error, journal->folder, why, "%s can not be named so", name);
    }
    *placed = true;
    return sync_folder(journal, error);
}

static int make_key(hb_journal *journal, hb_error *error)
{
    bool placed = false;
    int code = hb_pingid_random(journal->key, HB_SEAL_KEY);

    return code < 0 ? code : write_key(journal, journal->key, KEY_FILE, &placed, error);
}

/* What a file has: NO_KEY, A_KEY, or, where that is allowed, the word for ANY_KEY. HB_EINVAL: something else. */
enum { NO_KEY, A_KEY, ANY_KEY };

static int read_key(const hb_journal *journal, const char *name, bool word_too, uint8_t key[HB_SEAL_KEY],
                    hb_error *error)
{
    uint8_t *text = NULL;
    size_t length = 0;
    int file = HB_NO_FILE;
    int why = hb_file_open(journal->place, name, HB_OPEN_READ, &file);

    if (why == ENOENT)
        return NO_KEY;
    if (!why)
        why = hb_file_read(file, &text, &length);
    hb_file_close(file);
    if (why)
        return why == ENOMEM ? HB_ENOMEM : fail(error, journal->folder, why, "%s can not be read", name);
    int answer = A_KEY;
    size_t word = trimmed((const char *)text, length);
    if (hb_journal_key_parse((const char *)text, length, key) < 0) {
        answer = HB_EINVAL;
        if (word_too && word == sizeof WISH_WORD - 1 && memcmp(text, WISH_WORD, word) == 0)
            answer = ANY_KEY;
        else if (word_too)
            (void)fail(error, journal->folder, 0, "%s is neither %zu hexadecimal digits nor the word %s", name,
                       KEY_DIGITS, WISH_WORD);
        else
            (void)fail(error, journal->folder, 0, "%s is not %zu hexadecimal digits", name, KEY_DIGITS);
    }
    hb_seal_wipe(text, length);
    free(text);
    return answer;
}

/* The key that the present one is to be changed to: by a change that was begun, else by a wish. */
static int read_next_key(const hb_journal *journal, uint8_t key[HB_SEAL_KEY], hb_error *error)
{
    int answer = read_key(journal, NEXT_FILE, false, key, error);

    if (answer == NO_KEY)
        answer = read_key(journal, WISH_FILE, true, key, error);
    return answer == HB_EINVAL ? HB_EJOURNAL : answer;
}

static int find_key(hb_journal *journal, const uint8_t *key, bool empty, hb_error *error)
{
    if (key) {
        memcpy(journal->key, key, HB_SEAL_KEY);
        journal->given = true;
        return HB_OK;
    }
    /* One that can not be used is told of when it is to be. */
    int next = read_next_key(journal, journal->next_key, NULL);
    if (next == HB_ENOMEM)
        return next;
    journal->has_next = next == A_KEY;
    int why = hb_folder_secure(journal->place, KEY_FILE);
    if (why && why != ENOENT)
        return fail(error, journal->folder, why, "%s can not be kept from others", KEY_FILE);
    int code = read_key(journal, KEY_FILE, false, journal->key, error);
    if (code != NO_KEY)
        return code == A_KEY ? HB_OK : code == HB_EINVAL ? HB_EJOURNAL : code;
    if (journal->has_next) {
        memcpy(journal->key, journal->next_key, HB_SEAL_KEY);
        return HB_OK;
    }
    return empty ? make_key(journal, error)
                 : fail(error, journal->folder, 0,
                        "the file %s is missing, and what is here can not be read without it", KEY_FILE);
}

static void end_log(hb_journal *journal)
{
    if (journal->log.file == HB_NO_FILE)
        return;
    journal->since += journal->log.written;
    journal->entries += journal->log.count;
    journal->written += journal->log.written;
    hb_frames_end(&journal->log);
}

/* In the place of the one that is open, if there is one, which stays if it fails. */
static int begin_log(hb_journal *journal, hb_error *error)
{
    char name[NAME];
    hb_frames fresh = {.file = HB_NO_FILE};
    int file = HB_NO_FILE;
    int why = 0;

    file_name(name, "journal", ++journal->generation);
    why = hb_file_open(journal->place, name, HB_OPEN_NEW, &file);
    if (why)
        return fail(error, journal->folder, why, "%s can not be made", name);
    int code = hb_frames_begin(&fresh, file, HB_FILE_JOURNAL, journal->generation, journal->key, &why);
    if (code == HB_OK)
        why = hb_file_sync(fresh.file);
    if (code == HB_OK && !why)
        why = hb_folder_sync(journal->place);
    if (code == HB_OK && !why) {
        end_log(journal);
        journal->log = fresh;
        journal->files++;
        return HB_OK;
    }
    hb_frames_end(&fresh);
    (void)hb_folder_remove(journal->place, name);
    return why ? fail(error, journal->folder, why, "%s can not be written", name) : code;
}

__attribute__((format(printf, 3, 4))) static void say(const hb_journal *journal, const hb_journal_reader *reader,
                                                      const char *format, ...)
{
    char what[256];
    char line[sizeof what + sizeof journal->folder + 2];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(what, sizeof what, format, arguments);
    va_end(arguments);
    snprintf(line, sizeof line, "%s: %s", journal->folder, what);
    reader->say(reader->to, line);
}

/* Whether a file can be written in its place without losing anything: there is none, or these bytes begin with its own.
 */
static int is_free(const hb_journal *journal, const char *name, const uint8_t *bytes, size_t length)
{
    uint8_t *there = NULL;
    size_t there_length = 0;
    int file = HB_NO_FILE;
    int why = hb_file_open(journal->place, name, HB_OPEN_READ, &file);

    if (why == ENOENT)
        return 1;
    if (!why)
        why = hb_file_read(file, &there, &there_length);
    hb_file_close(file);
    bool same = !why && bytes && there_length <= length && memcmp(there, bytes, there_length) == 0;
    free(there);
    return why == ENOMEM ? HB_ENOMEM : same;
}

/*
 * A name for what is damaged, under which nothing else is kept. bytes: what is to be kept, and may be kept already if
 * the server died, or failed, before it was done; NULL: the name must be nobody's.
 */
static int aside_name(const hb_journal *journal, const char *kind, uint64_t generation, const uint8_t *bytes,
                      size_t length, char out[NAME], hb_error *error)
{
    file_name(out, kind, generation);
    size_t end = strlen(out);
    for (unsigned n = 1; n <= ASIDE_MAX; n++) {
        if (n > 1)
            snprintf(out + end, NAME - end, "-%u", n);
        int code = is_free(journal, out, bytes, length);
        if (code)
            return code < 0 ? code : HB_OK;
    }
    return fail(error, journal->folder, EEXIST, "%s can not be made", out);
}

/* A journal was cut off: its tail is kept in a file of its own, then it is cut off there. */
static int set_aside(const hb_journal *journal, uint64_t generation, const uint8_t *tail, size_t good, size_t length,
                     const hb_journal_reader *reader, uint64_t records, hb_error *error)
{
    char name[NAME];
    char aside[NAME];

    file_name(name, "journal", generation);
    if (length > good) {
        int code = aside_name(journal, "damaged-journal", generation, tail, length - good, aside, error);
        if (code == HB_OK)
            code = write_new(journal, aside, tail, length - good, error);
        if (code == HB_OK)
            code = sync_folder(journal, error);
        if (code < 0)
            return code;
        say(journal, reader,
            "%s is damaged or was being written when the server died: %" PRIu64
            " records of it are whole and were taken, the last %zu bytes are kept in %s",
            name, records, length - good, aside);
    }
    if (!good) {
        (void)hb_folder_remove(journal->place, name);
        return sync_folder(journal, error);
    }
    int file = HB_NO_FILE;
    int why = hb_file_open(journal->place, name, HB_OPEN_WRITE, &file);
    if (!why)
        why = hb_file_cut(file, good);
    hb_file_close(file);
    return why ? fail(error, journal->folder, why, "%s can not be cut off", name) : sync_folder(journal, error);
}

static int refuse(const hb_journal *journal, hb_found found, const char *name, hb_error *error)
{
    if (found == HB_FOUND_NEWER)
        return fail(error, journal->folder, 0, "%s was written by a newer version of the plugin, it stays as it is",
                    name);
    if (found == HB_FOUND_OTHER_KEY)
        return fail(error, journal->folder, 0,
                    "%s was written with another key, or its header is damaged; it stays as it is", name);
    return fail(error, journal->folder, 0, "%s is no file of this plugin, it stays as it is", name);
}

/* Under the key that it was written with, if it is one of the two. index may be NULL. */
static int read_frames(const hb_journal *journal, uint8_t *bytes, size_t length, hb_file_kind kind,
                       hb_frames_index *index, hb_found *found, size_t *good, uint64_t *records)
{
    int code = hb_frames_read(bytes, length, kind, journal->key, index, found, good, records);

    if (code == HB_OK && *found == HB_FOUND_OTHER_KEY && journal->has_next)
        code = hb_frames_read(bytes, length, kind, journal->next_key, index, found, good, records);
    return code;
}

/* What became of a file that was read. */
typedef struct outcome {
    hb_found found;
    size_t length;
    size_t good;
    uint64_t records;
} outcome;

/* Reads a file, and keeps its records to be taken. */
static int recover_file(const hb_journal *journal, const char *name, hb_file_kind kind, const hb_journal_reader *reader,
                        outcome *o, hb_error *error)
{
    hb_frames_index index;
    uint8_t *bytes = NULL;
    int code = read_file(journal, name, &bytes, &o->length, error);

    if (code == HB_OK)
        code = read_frames(journal, bytes, o->length, kind, &index, &o->found, &o->good, &o->records);
    if (code == HB_OK && hb_frames_count(o->found, kind)) {
        code = hb_backlog_add(reader->backlog, bytes, o->good, &index, o->records);
        if (code == HB_OK)
            bytes = NULL;
    }
    free(bytes);
    return code;
}

/* Whether a file is one that can be read, as far as its header tells. */
static int look_at(const hb_journal *journal, const char *name, hb_file_kind kind, hb_error *error)
{
    uint8_t header[HB_FRAMES_HEADER];
    size_t length = 0;
    size_t good = 0;
    uint64_t records = 0;
    hb_found found = HB_FOUND_WHOLE;
    int file = HB_NO_FILE;
    int why = hb_file_open(journal->place, name, HB_OPEN_READ, &file);

    if (!why)
        why = hb_file_head(file, header, sizeof header, &length);
    hb_file_close(file);
    if (why)
        return fail(error, journal->folder, why, "%s can not be read", name);
    int code = read_frames(journal, header, length, kind, NULL, &found, &good, &records);
    return code < 0 || found == HB_FOUND_WHOLE || found == HB_FOUND_TORN ? code : refuse(journal, found, name, error);
}

/* All of them, before any of them is changed. */
static int look_at_all(const hb_journal *journal, const holding *h, hb_error *error)
{
    char name[NAME];
    int code = HB_OK;

    if (h->snapshot) {
        file_name(name, "snapshot", h->snapshot);
        code = look_at(journal, name, HB_FILE_SNAPSHOT, error);
    }
    for (size_t i = 0; i < h->count && code == HB_OK; i++) {
        file_name(name, "journal", h->journals[i]);
        if (h->journals[i] >= h->snapshot)
            code = look_at(journal, name, HB_FILE_JOURNAL, error);
    }
    return code;
}

static int recover_snapshot(hb_journal *journal, uint64_t generation, const hb_journal_reader *reader, hb_error *error)
{
    char name[NAME];
    char aside[NAME];
    outcome o = {.found = HB_FOUND_WHOLE};

    file_name(name, "snapshot", generation);
    int code = recover_file(journal, name, HB_FILE_SNAPSHOT, reader, &o, error);
    if (code < 0)
        return code;
    if (o.found == HB_FOUND_WHOLE) {
        journal->base = o.length;
        journal->entries = o.records;
        journal->kept = generation;
        return HB_OK;
    }
    if (o.found != HB_FOUND_TORN)
        return refuse(journal, o.found, name, error);
    code = aside_name(journal, "damaged-snapshot", generation, NULL, 0, aside, error);
    if (code < 0)
        return code;
    int why = hb_folder_rename(journal->place, name, aside);
    if (why)
        return fail(error, journal->folder, why, "%s is damaged, and can not be kept as %s", name, aside);
    say(journal, reader, "%s is damaged at byte %zu of %zu: nothing of it was taken, it is kept as %s", name, o.good,
        o.length, aside);
    return sync_folder(journal, error);
}

static int recover_journal(hb_journal *journal, uint64_t generation, const hb_journal_reader *reader, hb_error *error)
{
    char name[NAME];
    outcome o = {.found = HB_FOUND_WHOLE};

    file_name(name, "journal", generation);
    int code = recover_file(journal, name, HB_FILE_JOURNAL, reader, &o, error);
    if (code == HB_OK && o.found == HB_FOUND_TORN) {
        /* As it was on disk: reading may have decrypted a part of it. */
        uint8_t *tail = NULL;
        size_t length = 0;
        code = read_file(journal, name, &tail, &length, error);
        if (code == HB_OK)
            code = set_aside(journal, generation, tail + o.good, o.good, length, reader, o.records, error);
        free(tail);
    } else if (code == HB_OK && o.found != HB_FOUND_WHOLE) {
        code = refuse(journal, o.found, name, error);
    }
    journal->since += o.good;
    journal->entries += o.records;
    journal->files++;
    return code;
}

static int recover(hb_journal *journal, const holding *h, const hb_journal_reader *reader, hb_error *error)
{
    int code = look_at_all(journal, h, error);

    if (code == HB_OK && h->snapshot)
        code = recover_snapshot(journal, h->snapshot, reader, error);
    for (size_t i = 0; i < h->count && code == HB_OK; i++) {
        /* What is older than the snapshot is in it. */
        if (h->journals[i] >= h->snapshot)
            code = recover_journal(journal, h->journals[i], reader, error);
    }
    return code;
}

static int open_folder(hb_journal *journal, const char *folder, hb_error *error)
{
    int why = hb_folder_make(folder);

    if (why)
        return fail(error, folder, why, "the folder can not be made");
    why = hb_folder_open(folder, &journal->place);
    if (why == ENOMEM)
        return HB_ENOMEM;
    if (why)
        return fail(error, folder, why, "the folder can not be opened");
    why = hb_folder_lock(journal->place);
    if (why == EWOULDBLOCK)
        return fail(error, folder, 0, "another server uses the folder");
    return why ? fail(error, folder, why, "the folder can not be written to") : HB_OK;
}

int hb_journal_open(const char *folder, const uint8_t *key, const hb_journal_reader *reader, hb_journal **out,
                    hb_error *error)
{
    hb_journal *journal = calloc(1, sizeof *journal);
    holding h = {0};

    if (!journal)
        return HB_ENOMEM;
    journal->log.file = HB_NO_FILE;
    journal->snapshot.file = HB_NO_FILE;
    snprintf(journal->folder, sizeof journal->folder, "%s", folder);
    int code = open_folder(journal, folder, error);
    if (code == HB_OK)
        code = each_file(journal, note_file, &h, error);
    if (code == HB_OK && h.youngest > GENERATION_MAX)
        code =
            fail(error, folder, 0, "there is a file of generation %016" PRIx64 ", which is none of ours", h.youngest);
    if (code == HB_OK)
        code = find_key(journal, key, !h.snapshot && !h.count, error);
    if (code == HB_OK) {
        if (h.count)
            qsort(h.journals, h.count, sizeof *h.journals, by_age);
        journal->generation = h.youngest;
        code = recover(journal, &h, reader, error);
    }
    if (code == HB_OK)
        code = begin_log(journal, error);
    /* As the server may have died before it was done, or could not do it then. */
    if (code == HB_OK && journal->kept)
        (void)each_file(journal, remove_old, journal, NULL);
    free(h.journals);
    if (code < 0) {
        hb_journal_close(journal);
        return code;
    }
    *out = journal;
    return HB_OK;
}

void hb_journal_close(hb_journal *journal)
{
    if (!journal)
        return;
    hb_journal_snapshot_drop(journal);
    end_log(journal);
    hb_folder_close(journal->place);
    hb_seal_wipe(journal, sizeof *journal);
    free(journal);
}

bool hb_journal_away(const hb_journal *journal)
{
    return journal->log.file == HB_NO_FILE;
}

bool hb_journal_wants_snapshot(const hb_journal *journal)
{
    uint64_t bytes = journal->since + journal->log.written;

    return (bytes > WORTH_BYTES && bytes > 2 * journal->base) || journal->files > WORTH_FILES;
}

uint64_t hb_journal_written(const hb_journal *journal)
{
    return journal->written + (journal->log.file == HB_NO_FILE ? 0 : journal->log.written) +
           (journal->snapshot.file == HB_NO_FILE ? 0 : journal->snapshot.written);
}

uint64_t hb_journal_entries(const hb_journal *journal)
{
    return journal->entries + (journal->log.file == HB_NO_FILE ? 0 : journal->log.count);
}

uint64_t hb_journal_bytes(const hb_journal *journal)
{
    return journal->base + journal->since + (journal->log.file == HB_NO_FILE ? 0 : journal->log.written);
}

/* Nothing more goes to a file of which it is not known what is in it. */
static int lose_log(hb_journal *journal, int code, int why, hb_error *error)
{
    end_log(journal);
    if (code == HB_EJOURNAL)
        return fail(error, journal->folder, why, "the journal can not be written");
    return code;
}

int hb_journal_add(hb_journal *journal, const hb_last *last)
{
    int why = 0;

    if (journal->rekeying)
        return HB_EINVAL;
    if (journal->log.file == HB_NO_FILE)
        return HB_OK;
    int code = hb_frames_add(&journal->log, last);
    if (code == HB_EFULL) {
        code = hb_frames_write(&journal->log, &why);
        if (code == HB_OK)
            code = hb_frames_add(&journal->log, last);
        else
            code = lose_log(journal, code, why, NULL);
    }
    return code;
}

/* The file of a snapshot of the youngest generation that has not its name yet. */
static void unfinished_name(const hb_journal *journal, char out[NAME])
{
    file_name(out, "snapshot", journal->generation);
    memcpy(out + strlen(out), UNFINISHED, sizeof UNFINISHED);
}

/* As if log had not been begun. */
static void drop_log(hb_journal *journal)
{
    char name[NAME];
    uint64_t since = journal->since;
    uint64_t entries = journal->entries;

    end_log(journal);
    journal->since = since;
    journal->entries = entries;
    journal->files--;
    file_name(name, "journal", journal->generation);
    (void)hb_folder_remove(journal->place, name);
}

void hb_journal_abandon(hb_journal *journal)
{
    if (journal && !hb_journal_away(journal))
        drop_log(journal);
    hb_journal_close(journal);
}

void hb_journal_snapshot_drop(hb_journal *journal)
{
    char name[NAME];

    if (journal->snapshot.file != HB_NO_FILE) {
        journal->written += journal->snapshot.written;
        hb_frames_end(&journal->snapshot);
        unfinished_name(journal, name);
        (void)hb_folder_remove(journal->place, name);
    }
    journal->rekeying = false;
    /* What was lost while it was away is not in this journal. */
    if (journal->came_back)
        drop_log(journal);
    journal->came_back = false;
}

static int lose_snapshot(hb_journal *journal, int code, int why, hb_error *error)
{
    if (code == HB_EJOURNAL)
        (void)fail(error, journal->folder, why, "the snapshot can not be written");
    hb_journal_snapshot_drop(journal);
    return code;
}

int hb_journal_drain(hb_journal *journal, hb_error *error)
{
    int code = HB_OK;
    int why = 0;

    if (journal->log.length >= DRAIN_BYTES)
        code = hb_frames_write(&journal->log, &why);
    if (code < 0)
        return lose_log(journal, code, why, error);
    if (journal->snapshot.length >= DRAIN_BYTES)
        code = hb_frames_write(&journal->snapshot, &why);
    return code < 0 ? lose_snapshot(journal, code, why, error) : HB_OK;
}

static int sync_file(const hb_frames *frames, int *why)
{
    *why = hb_file_sync(frames->file);
    return *why ? HB_EJOURNAL : HB_OK;
}

int hb_journal_flush(hb_journal *journal, hb_error *error)
{
    int why = 0;

    if (journal->log.file == HB_NO_FILE)
        return fail(error, journal->folder, 0, "the journal is away");
    if (!journal->log.length && !journal->log.unsynced)
        return HB_OK;
    int code = hb_frames_write(&journal->log, &why);
    if (code == HB_OK)
        code = sync_file(&journal->log, &why);
    if (code < 0)
        return lose_log(journal, code, why, error);
    journal->log.unsynced = false;
    return HB_OK;
}

static int begin_snapshot(hb_journal *journal, const uint8_t *key, hb_error *error)
{
    char name[NAME];
    int file = HB_NO_FILE;
    int code = HB_EJOURNAL;

    unfinished_name(journal, name);
    int why = hb_file_open(journal->place, name, HB_OPEN_REPLACE, &file);
    if (!why)
        code = hb_frames_begin(&journal->snapshot, file, HB_FILE_SNAPSHOT, journal->generation, key, &why);
    if (code < 0) {
        if (why)
            (void)fail(error, journal->folder, why, "%s can not be written", name);
        (void)hb_folder_remove(journal->place, name);
        hb_journal_snapshot_drop(journal);
    }
    return code;
}

bool hb_journal_log_waits(const hb_journal *journal)
{
    return journal->log.file != HB_NO_FILE && journal->ready == journal->generation;
}

int hb_journal_snapshot_begin(hb_journal *journal, hb_error *error)
{
    hb_journal_snapshot_drop(journal);
    bool away = journal->log.file == HB_NO_FILE;
    if (!away) {
        int flushed = hb_journal_flush(journal, error);
        if (flushed < 0)
            return flushed;
    }
    if (away || !hb_journal_log_waits(journal)) {
        int code = begin_log(journal, error);
        if (code < 0)
            return code;
    }
    journal->ready = journal->generation;
    journal->came_back = away;
    return begin_snapshot(journal, journal->key, error);
}

int hb_journal_part_begin(hb_journal *journal, const uint64_t seed[2], size_t part, hb_error *error)
{
    if (journal->snapshot.file == HB_NO_FILE)
        return HB_EINVAL;
    int code = hb_journal_drain(journal, error); /* so that there is room */
    if (code < 0)
        return code;
    code = hb_frames_part(&journal->snapshot, seed, part);
    return code < 0 ? lose_snapshot(journal, code, 0, error) : HB_OK;
}

int hb_journal_keep(hb_journal *journal, const hb_last *last, hb_error *error)
{
    if (journal->snapshot.file == HB_NO_FILE)
        return HB_EINVAL;
    int code = hb_frames_add(&journal->snapshot, last);
    return code < 0 ? lose_snapshot(journal, code, 0, error) : HB_OK;
}

/* Makes the snapshot valid. On failure it is dropped. */
static int name_snapshot(hb_journal *journal, hb_error *error)
{
    char name[NAME];
    char temporary[NAME];
    int why = 0;
    int code = hb_frames_finish(&journal->snapshot, &why);

    if (code == HB_OK)
        code = sync_file(&journal->snapshot, &why);
    if (code == HB_OK && journal->rekeying)
        end_log(journal); /* nothing that is written there counts once the snapshot has its name */
    file_name(name, "snapshot", journal->generation);
    unfinished_name(journal, temporary);
    if (code == HB_OK) {
        why = hb_folder_rename(journal->place, temporary, name);
        code = why ? HB_EJOURNAL : HB_OK;
    }
    if (code < 0)
        return lose_snapshot(journal, code, why, error);
    journal->base = journal->snapshot.written;
    journal->entries = journal->snapshot.count;
    journal->written += journal->snapshot.written;
    journal->kept = journal->generation;
    journal->ready = 0;
    hb_frames_end(&journal->snapshot);
    return HB_OK;
}

int hb_journal_snapshot_end(hb_journal *journal, hb_error *error)
{
    if (journal->snapshot.file == HB_NO_FILE || journal->rekeying)
        return HB_EINVAL;
    int code = name_snapshot(journal, error);
    if (code < 0)
        return code;
    /* It counts from here on. Until the folder is synced the old files stay: they and the journal say the same. */
    journal->came_back = false;
    code = sync_folder(journal, error);
    if (code < 0)
        return code;
    journal->since = 0;
    journal->files = 1;
    return each_file(journal, remove_old, journal, error);
}

int hb_journal_wants_key(hb_journal *journal, hb_error *error)
{
    uint8_t key[HB_SEAL_KEY];
    int code = journal->given ? NO_KEY : read_next_key(journal, key, error);

    hb_seal_wipe(key, sizeof key);
    return code > NO_KEY ? 1 : code;
}

int hb_journal_rekey_begin(hb_journal *journal, hb_error *error)
{
    bool placed = false;

    hb_journal_snapshot_drop(journal);
    if (journal->given)
        return HB_EINVAL;
    if (journal->log.file != HB_NO_FILE) {
        int flushed = hb_journal_flush(journal, error);
        if (flushed < 0)
            return flushed;
    }
    int code = read_next_key(journal, journal->next_key, error);
    if (code == NO_KEY)
        return HB_EINVAL;
    journal->random = code == ANY_KEY;
    if (code == ANY_KEY)
        code = hb_pingid_random(journal->next_key, HB_SEAL_KEY);
    /* On disk, and ours, before anything depends on it. */
    if (code >= 0)
        code = write_key(journal, journal->next_key, NEXT_FILE, &placed, error);
    if (code < 0)
        return code;
    journal->generation++;
    journal->rekeying = true;
    return begin_snapshot(journal, journal->next_key, error);
}

/* Another wish, that came meanwhile, stays. A file that can not be removed asks for the same again. */
static int remove_wish(const hb_journal *journal, hb_error *error)
{
    uint8_t key[HB_SEAL_KEY];
    int wish = read_key(journal, WISH_FILE, true, key, error);
    bool done = wish == A_KEY ? memcmp(key, journal->next_key, HB_SEAL_KEY) == 0 : wish == ANY_KEY && journal->random;
    const char *name = NEXT_FILE;
    int why = hb_folder_remove(journal->place, name);

    hb_seal_wipe(key, sizeof key);
    if (!why && done) {
        name = WISH_FILE;
        why = hb_folder_remove(journal->place, name);
    }
    if (why)
        return fail(error, journal->folder, why, "%s can not be removed", name);
    return wish < 0 && wish != HB_EINVAL ? wish : sync_folder(journal, error);
}

int hb_journal_rekey_end(hb_journal *journal, bool *changed, hb_error *error)
{
    *changed = false;
    if (journal->snapshot.file == HB_NO_FILE || !journal->rekeying)
        return HB_EINVAL;
    int code = name_snapshot(journal, error);
    if (code < 0)
        return code;
    journal->rekeying = false;
    journal->since = 0;
    journal->files = 0;
    code = sync_folder(journal, error);
    if (code < 0)
        return code;
    code = write_key(journal, journal->next_key, KEY_FILE, changed, error);
    if (*changed)
        memcpy(journal->key, journal->next_key, HB_SEAL_KEY);
    if (code == HB_OK)
        code = begin_log(journal, error);
    if (code == HB_OK)
        code = each_file(journal, remove_old, journal, error);
    return code < 0 ? code : remove_wish(journal, error);
}
