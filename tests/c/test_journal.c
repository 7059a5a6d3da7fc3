/*
 * The journal: what was said to be on disk is there, whatever is torn, flipped or refused; and nothing is there that
 * was never written.
 *
 * The linker puts the __wrap_ functions in the place of the system's calls.
 */
#define _DEFAULT_SOURCE /* mkdtemp */
#include "support.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "backlog.h"
#include "siphash.h"

int __real_openat(int folder, const char *path, int flags, ...);
ssize_t __real_write(int fd, const void *bytes, size_t length);
int __real_renameat(int from, const char *old, int to, const char *new);
int __real_unlinkat(int folder, const char *path, int flags);
struct dirent *__real_readdir(DIR *files);
struct dirent *__wrap_readdir(DIR *files);
int __wrap_unlinkat(int folder, const char *path, int flags);
int __wrap_openat(int folder, const char *path, int flags, ...);
ssize_t __wrap_write(int fd, const void *bytes, size_t length);
int __wrap_fsync(int fd);
int __wrap_renameat(int from, const char *old, int to, const char *new);

static long fail_at; /* the call that fails when it counts down to 0; 0: none */
static int fail_with;
static bool fail_on; /* and all after it */
static bool stopped; /* with fail_on: the process is over, it removes nothing any more */

static bool fails(void)
{
    if (!fail_at || --fail_at)
        return false;
    fail_at = fail_on;
    errno = fail_with;
    return true;
}

int __wrap_openat(int folder, const char *path, int flags, ...)
{
    return fails() ? -1 : __real_openat(folder, path, flags, 0600);
}

/* Half of it is written before it fails. */
static size_t writes;

ssize_t __wrap_write(int fd, const void *bytes, size_t length)
{
    writes++;
    if (!fails())
        return __real_write(fd, bytes, length);
    int why = errno;
    (void)!__real_write(fd, bytes, length / 2);
    errno = why;
    return -1;
}

static bool watch_syncs;
static void note_sync(int fd);

int __wrap_fsync(int fd)
{
    if (fails())
        return -1;
    note_sync(fd);
    return 0; /* nobody but lose_power could tell, and disks are slow */
}

int __wrap_unlinkat(int folder, const char *path, int flags)
{
    if (stopped && fails())
        return -1;
    return __real_unlinkat(folder, path, flags);
}

int __wrap_renameat(int from, const char *old, int to, const char *new)
{
    return fails() ? -1 : __real_renameat(from, old, to, new);
}

static long list_fails_at; /* as fail_at, of readdir alone */

struct dirent *__wrap_readdir(DIR *files)
{
    if (list_fails_at && !--list_fails_at) {
        errno = EIO;
        return NULL;
    }
    return fails() ? NULL : __real_readdir(files);
}

#define USERS 64

/* What a reader was told. */
typedef struct heard {
    int64_t seen_ms[USERS]; /* 0: unknown; -1: forgotten */
    int64_t offline_ms[USERS];
    char status[USERS][HB_STATUS_MAX + 1];
    int reason[USERS];
    size_t records;
    size_t lines;
    char line[1024];
} heard;

static heard told;

static void take_one(heard *h, const hb_last *last)
{
    char name[16] = "";
    assert_in_range(last->name_length, 5, 15);
    memcpy(name, last->name, last->name_length);
    char *end;
    long i = strtol(name + 4, &end, 10);
    assert_true(*end == '\0' && i >= 0 && i < USERS);
    h->records++;
    h->seen_ms[i] = last->forgotten ? -1 : last->seen_ms;
    h->offline_ms[i] = last->offline_ms;
    h->reason[i] = (int)last->why;
    memcpy(h->status[i], last->status ? last->status : "", last->status_length);
    h->status[i][last->status_length] = '\0';
}

static int take(void *to, const hb_last *lasts, size_t count)
{
    assert_in_range(count, 1, HB_JOURNAL_SOME);
    for (size_t i = 0; i < count; i++)
        take_one(to, &lasts[i]);
    return HB_OK;
}

static void hear(void *to, const char *line)
{
    heard *h = to;
    h->lines++;
    text_print(h->line, sizeof h->line, "%s", line);
}

static char folder[64];
static hb_error error;
static const uint64_t seed[2] = {17, 4};

/* All that is found is told, part by part. */
static int open_at(const char *path, const uint8_t *key, hb_journal **out)
{
    hb_backlog *backlog = hb_backlog_new(seed);
    const hb_journal_reader reader = {.backlog = backlog, .say = hear, .to = &told};
    assert_non_null(backlog);
    int code = hb_journal_open(path, key, &reader, out, &error);
    for (size_t part = 0; part < HB_JOURNAL_PARTS && code == HB_OK; part++)
        code = hb_backlog_take(backlog, part, take, &told);
    hb_backlog_free(backlog);
    return code;
}

static int setup(void **state)
{
    (void)state;
    fail_at = 0;
    list_fails_at = 0;
    fail_on = false;
    stopped = false;
    watch_syncs = false;
    text_print(folder, sizeof folder, "/tmp/heartbeat-journal-XXXXXX");
    return mkdtemp(folder) ? 0 : -1;
}

typedef void visit(const char *path, const char *name);

static void each(visit *v)
{
    DIR *files = opendir(folder);
    const struct dirent *entry;
    assert_non_null(files);
    while ((entry = __real_readdir(files))) {
        char path[512];
        if (entry->d_name[0] == '.')
            continue;
        text_print(path, sizeof path, "%s/%s", folder, entry->d_name);
        v(path, entry->d_name);
    }
    closedir(files);
}

static void remove_file(const char *path, const char *name)
{
    (void)name;
    unlink(path);
}

static int teardown(void **state)
{
    (void)state;
    fail_at = 0;
    each(remove_file);
    return rmdir(folder);
}

static hb_journal *reopen(hb_journal *journal)
{
    hb_journal *next = NULL;
    hb_journal_close(journal);
    memset(&told, 0, sizeof told);
    memset(&error, 0, sizeof error);
    if (open_at(folder, NULL, &next) < 0)
        fail_msg("%s", error.text);
    return next;
}

static hb_last last_of(int i, int64_t seen_ms)
{
    static char name[16];
    text_print(name, sizeof name, "user%d", i);
    return (hb_last){
        .name = name, .name_length = strlen(name), .seen_ms = seen_ms, .offline_ms = seen_ms + 5, .why = HB_WHY_LOGOUT};
}

static int add(hb_journal *journal, int i, int64_t seen_ms)
{
    hb_last last = last_of(i, seen_ms);
    return hb_journal_add(journal, &last);
}

static void test_first_start(void **state)
{
    (void)state;
    struct stat about;
    char path[128];
    hb_journal *journal = reopen(NULL);
    assert_int_equal(told.records + told.lines, 0);
    assert_false(hb_journal_away(journal));
    text_print(path, sizeof path, "%s/key", folder);
    assert_int_equal(stat(path, &about), 0);
    assert_int_equal(about.st_mode & 0777, 0600);
    assert_int_equal(about.st_size, 65);
    hb_journal *second = NULL;
    assert_int_equal(open_at(folder, NULL, &second), HB_EJOURNAL);
    assert_string_equal(error.text, "another server uses the folder");
    hb_journal_close(journal);
    hb_journal_close(NULL);
}

static void test_found_again(void **state)
{
    (void)state;
    hb_journal *journal = reopen(NULL);
    hb_last last = last_of(1, 1000);
    last.status = "Gone fishing";
    last.status_length = 4;
    assert_int_equal(hb_journal_add(journal, &last), HB_OK);
    assert_int_equal(add(journal, 2, 2000), HB_OK);
    assert_int_equal(hb_journal_flush(journal, &error), HB_OK);
    assert_int_equal(add(journal, 2, 3000), HB_OK);
    last = last_of(3, 4000);
    assert_int_equal(hb_journal_add(journal, &last), HB_OK);
    last.forgotten = true;
    assert_int_equal(hb_journal_add(journal, &last), HB_OK);
    assert_int_equal(hb_journal_flush(journal, &error), HB_OK);
    assert_int_equal(hb_journal_flush(journal, &error), HB_OK);
    assert_int_equal(add(journal, 4, 5000), HB_OK); /* not flushed */
    journal = reopen(journal);
    assert_int_equal(told.records, 5);
    assert_int_equal(told.lines, 0);
    assert_int_equal(told.seen_ms[1], 1000);
    assert_int_equal(told.offline_ms[1], 1005);
    assert_int_equal(told.reason[1], HB_WHY_LOGOUT);
    assert_string_equal(told.status[1], "Gone");
    assert_int_equal(told.seen_ms[2], 3000);
    assert_int_equal(told.seen_ms[3], -1);
    assert_int_equal(told.seen_ms[4], 0);
    last.name_length = 0;
    assert_int_equal(hb_journal_add(journal, &last), HB_EINVAL);
    hb_journal_close(journal);
}

static size_t part_of(const hb_last *last)
{
    return hb_journal_part(hb_siphash_fast(seed, last->name, last->name_length));
}

/* The users of a part. */
static int keep_part(hb_journal *journal, size_t part, int first, int count, int64_t seen_ms)
{
    int code = HB_OK;
    bool begun = false;
    for (int i = first; i < first + count && code == HB_OK; i++) {
        hb_last last = last_of(i, seen_ms);
        if (part_of(&last) != part)
            continue;
        if (!begun)
            code = hb_journal_part_begin(journal, seed, part, &error);
        begun = true;
        if (code == HB_OK)
            code = hb_journal_keep(journal, &last, &error);
    }
    return code;
}

static int snapshot(hb_journal *journal, int first, int count, int64_t seen_ms)
{
    int code = hb_journal_snapshot_begin(journal, &error);
    for (size_t part = 0; part < HB_JOURNAL_PARTS && code == HB_OK; part++)
        code = keep_part(journal, part, first, count, seen_ms);
    return code == HB_OK ? hb_journal_snapshot_end(journal, &error) : code;
}

static size_t file_count;
static char file_path[512]; /* the last that begins as asked for */
static const char *file_kind;

static void note(const char *path, const char *name)
{
    file_count++;
    if (strncmp(name, file_kind, strlen(file_kind)) == 0)
        text_print(file_path, sizeof file_path, "%s", path);
}

static const char *file_of(const char *kind)
{
    file_count = 0;
    file_path[0] = '\0';
    file_kind = kind;
    each(note);
    return file_path;
}

static void test_snapshot(void **state)
{
    (void)state;
    hb_journal *journal = reopen(NULL);
    assert_int_equal(hb_journal_keep(journal, &(hb_last){.name = "x", .name_length = 1}, &error), HB_EINVAL);
    assert_int_equal(hb_journal_snapshot_end(journal, &error), HB_EINVAL);
    for (int round = 1; round <= 3; round++) {
        assert_int_equal(add(journal, 1, round), HB_OK);
        assert_int_equal(snapshot(journal, 1, 10, round * 100), HB_OK);
        assert_int_equal(add(journal, 2, round * 1000), HB_OK);
        assert_int_equal(hb_journal_flush(journal, &error), HB_OK);
    }
    file_of("snapshot");
    assert_int_equal(file_count, 4); /* key, lock, snapshot, journal */
    /* Dropped halfway, it changes nothing. */
    assert_int_equal(hb_journal_snapshot_begin(journal, &error), HB_OK);
    hb_last last = last_of(1, 7);
    assert_int_equal(hb_journal_keep(journal, &last, &error), HB_OK);
    hb_journal_snapshot_drop(journal);
    assert_false(hb_journal_away(journal));
    assert_int_equal(add(journal, 3, 3), HB_OK);
    assert_int_equal(hb_journal_flush(journal, &error), HB_OK);
    journal = reopen(journal);
    assert_int_equal(told.lines, 0);
    assert_int_equal(told.seen_ms[1], 300);
    assert_int_equal(told.seen_ms[2], 3000);
    assert_int_equal(told.seen_ms[3], 3);
    assert_int_equal(told.seen_ms[10], 300);
    hb_journal_close(journal);
}

/* No file can be made for a snapshot: the one that is written to is as good as before. */
static void test_snapshot_not_begun(void **state)
{
    (void)state;
    hb_journal *journal = reopen(NULL);
    for (int i = 1; i <= 3; i++) {
        assert_int_equal(add(journal, i, i), HB_OK);
        assert_int_equal(hb_journal_flush(journal, &error), HB_OK);
        fail_with = EMFILE;
        fail_at = 1;
        assert_int_equal(hb_journal_snapshot_begin(journal, &error), HB_EJOURNAL);
        assert_int_equal(fail_at, 0);
        assert_false(hb_journal_away(journal));
    }
    journal = reopen(journal);
    for (int i = 1; i <= 3; i++)
        assert_int_equal(told.seen_ms[i], i);
    hb_journal_close(journal);
}

/* A snapshot is written when it is drained: who keeps may hold a lock, and a disk takes its time. */
static void test_drained(void **state)
{
    (void)state;
    hb_journal *journal = reopen(NULL);
    size_t drains = 0;
    assert_int_equal(hb_journal_snapshot_begin(journal, &error), HB_OK);
    for (int i = 0; i < 100000; i++) {
        hb_last last = last_of(i % USERS, i);
        size_t before = writes;
        assert_int_equal(hb_journal_keep(journal, &last, &error), HB_OK);
        assert_int_equal(writes, before);
        if (i % 64 == 0) {
            assert_int_equal(hb_journal_drain(journal, &error), HB_OK);
            drains += writes > before;
        }
    }
    assert_in_range(drains, 5, 20);
    assert_int_equal(hb_journal_snapshot_end(journal, &error), HB_OK);
    /* One that fails. */
    assert_int_equal(hb_journal_snapshot_begin(journal, &error), HB_OK);
    for (int i = 0; i < 10000; i++) {
        hb_last last = last_of(i % USERS, 1);
        assert_int_equal(hb_journal_keep(journal, &last, &error), HB_OK);
    }
    fail_with = ENOSPC;
    fail_at = 1;
    assert_int_equal(hb_journal_drain(journal, &error), HB_EJOURNAL);
    assert_string_equal(error.text, "the snapshot can not be written: No space left on device");
    hb_last last = last_of(1, 1);
    assert_int_equal(hb_journal_keep(journal, &last, &error), HB_EINVAL);
    journal = reopen(journal);
    assert_int_equal(told.seen_ms[99999 % USERS], 99999);
    hb_journal_close(journal);
}

/* More than a frame holds, and then so much that a snapshot is worth it. */
static void test_many(void **state)
{
    (void)state;
    hb_journal *journal = reopen(NULL);
    int64_t n = 0;
    for (; !hb_journal_wants_snapshot(journal); n++)
        assert_int_equal(add(journal, (int)(n % USERS), n + 1), HB_OK);
    assert_int_equal(hb_journal_flush(journal, &error), HB_OK);
    assert_in_range(hb_journal_written(journal), 4 << 20, 6 << 20);
    journal = reopen(journal);
    assert_int_equal(told.records, n);
    assert_int_equal(told.seen_ms[(n - 1) % USERS], n);
    assert_true(hb_journal_wants_snapshot(journal));
    assert_int_equal(snapshot(journal, 0, USERS, 1), HB_OK);
    assert_false(hb_journal_wants_snapshot(journal));
    /* Each start begins a file: so many are worth one as well. */
    for (int i = 0; i < 16; i++)
        journal = reopen(journal);
    assert_true(hb_journal_wants_snapshot(journal));
    hb_journal_close(journal);
}

static uint8_t *load(const char *path, size_t *length)
{
    static uint8_t bytes[1 << 16];
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    *length = fread(bytes, 1, sizeof bytes, file);
    fclose(file);
    return bytes;
}

static void store(const char *path, const uint8_t *bytes, size_t length)
{
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, length, file), length);
    fclose(file);
}

/* Frame n holds the one record of user n, seen at n + 1000. Returns the key. */
static void write_frames(int count, uint8_t key[HB_SEAL_KEY])
{
    char path[128];
    size_t length;
    hb_journal *journal = reopen(NULL);
    for (int i = 0; i < count; i++) {
        assert_int_equal(add(journal, i, i + 1000), HB_OK);
        assert_int_equal(hb_journal_flush(journal, &error), HB_OK);
    }
    hb_journal_close(journal);
    text_print(path, sizeof path, "%s/key", folder);
    const char *text = (const char *)load(path, &length);
    assert_int_equal(hb_journal_key_parse(text, length, key), HB_OK);
}

/* Each record is right or is not there, and none is there that comes after one that is not. */
static size_t check_prefix(void)
{
    size_t count = 0;
    while (count < USERS && told.seen_ms[count] == (int64_t)count + 1000)
        count++;
    for (size_t i = count; i < USERS; i++)
        assert_int_equal(told.seen_ms[i], 0);
    assert_int_equal(told.records, count);
    return count;
}

static void take_all(const uint8_t *bytes, size_t good)
{
    hb_frames_cursor c = hb_frames_all(bytes, good);
    hb_last last;
    while (hb_frames_next(&c, &last))
        take_one(&told, &last);
}

/* The backlog's from here on. */
static void take_parts(uint8_t *bytes, size_t good, const hb_frames_index *index, uint64_t records)
{
    hb_backlog *backlog = hb_backlog_new(seed);
    size_t count = 0;
    assert_non_null(backlog);
    assert_int_equal(hb_backlog_add(backlog, bytes, good, index, records), HB_OK);
    assert_memory_equal(hb_backlog_seed(backlog), seed, sizeof seed);
    for (size_t part = HB_JOURNAL_PARTS; part-- > 0;) {
        count += hb_backlog_count(backlog, part);
        assert_int_equal(hb_backlog_take(backlog, part, take, &told), HB_OK);
        assert_int_equal(told.records, count);
    }
    hb_backlog_free(backlog);
}

static hb_found read_by(bool by_parts, const uint8_t *bytes, size_t length, hb_file_kind kind, const uint8_t *key,
                        size_t *good)
{
    hb_frames_index index;
    uint64_t records;
    hb_found found = HB_FOUND_WHOLE;
    uint8_t *copy = malloc(length ? length : 1); /* of its own, so that the sanitizer sees a byte too far */
    assert_non_null(copy);
    memcpy(copy, bytes, length);
    memset(&told, 0, sizeof told);
    assert_int_equal(hb_frames_read(copy, length, kind, key, &index, &found, good, &records), HB_OK);
    bool counts = hb_frames_count(found, kind);
    if (counts && by_parts)
        take_parts(copy, *good, &index, records);
    else if (counts)
        take_all(copy, *good);
    if (counts)
        assert_int_equal(records, told.records);
    if (!counts || !by_parts)
        free(copy);
    return found;
}

/* Part by part it is the same as in the order of their writing, in the end. */
static hb_found read_bytes(const uint8_t *bytes, size_t length, hb_file_kind kind, const uint8_t *key, size_t *good)
{
    static heard sorted;
    size_t good_too = 0;
    hb_found found_too = read_by(true, bytes, length, kind, key, &good_too);
    memcpy(&sorted, &told, sizeof sorted);
    hb_found found = read_by(false, bytes, length, kind, key, good);
    assert_int_equal(found_too, found);
    assert_int_equal(good_too, *good);
    assert_memory_equal(&sorted, &told, sizeof sorted);
    return found;
}

enum { COUNT = 60, HEADER = 64, EMPTY = 20, FRAME = 20 + 28, SHORT = 20 + 27 }; /* SHORT: of users 0 to 9 */

static void test_cut(void **state)
{
    (void)state;
    uint8_t key[HB_SEAL_KEY];
    size_t length;
    size_t good;
    write_frames(COUNT, key);
    const uint8_t *bytes = load(file_of("journal"), &length);
    assert_int_equal(read_bytes(bytes, length, HB_FILE_JOURNAL, key, &good), HB_FOUND_WHOLE);
    assert_int_equal(check_prefix(), COUNT);
    size_t last = 0;
    size_t steps = 0;
    for (size_t cut = 0; cut < length; cut++) {
        hb_found found = read_bytes(bytes, cut, HB_FILE_JOURNAL, key, &good);
        size_t count = check_prefix();
        assert_true(good <= cut && count >= last && count < COUNT);
        assert_true(found == HB_FOUND_TORN || good == cut); /* between frames nobody can see it */
        steps += count > last;
        last = count;
    }
    assert_int_equal(steps, COUNT - 1); /* as soon as a frame is whole it counts */
}

static void test_flipped(void **state)
{
    (void)state;
    uint8_t key[HB_SEAL_KEY];
    size_t length;
    size_t good;
    write_frames(COUNT, key);
    uint8_t *bytes = load(file_of("journal"), &length);
    size_t first = length > 4096 ? length - 4096 : 0;
    for (size_t bit = first * 8; bit < length * 8; bit++) {
        bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
        hb_found found = read_bytes(bytes, length, HB_FILE_JOURNAL, key, &good);
        assert_int_not_equal(found, HB_FOUND_WHOLE);
        check_prefix();
        assert_true(good <= bit / 8);
        bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    assert_int_equal(read_bytes(bytes, length, HB_FILE_JOURNAL, key, &good), HB_FOUND_WHOLE);
}

/* Whole files: cut, opened, and the rest kept aside. */
static void test_torn(void **state)
{
    (void)state;
    uint8_t key[HB_SEAL_KEY];
    size_t length;
    size_t kept;
    char path[512];
    write_frames(3, key);
    text_print(path, sizeof path, "%s", file_of("journal"));
    const uint8_t *bytes = load(path, &length);
    store(path, bytes, length - 5);
    size_t torn = length - 5 - (HEADER + EMPTY + 2 * ((length - HEADER - EMPTY) / 3));
    hb_journal *journal = reopen(NULL);
    assert_int_equal(check_prefix(), 2);
    assert_int_equal(told.lines, 1);
    assert_non_null(strstr(told.line, "damaged-journal-0000000000000001"));
    assert_non_null(strstr(told.line, "2 records of it are whole"));
    (void)load(file_of("damaged-journal"), &kept);
    assert_int_equal(kept, torn);
    /* From then on it is whole. */
    journal = reopen(journal);
    assert_int_equal(check_prefix(), 2);
    assert_int_equal(told.lines, 0);
    hb_journal_close(journal);
    /* A file that was begun and nothing more is nothing. */
    text_print(path, sizeof path, "%s", file_of("journal"));
    store(path, bytes, 0);
    journal = reopen(NULL);
    assert_int_equal(check_prefix(), 2);
    hb_journal_close(journal);
}

static void test_damaged_snapshot(void **state)
{
    (void)state;
    uint8_t key[HB_SEAL_KEY];
    size_t length;
    size_t good;
    char path[512];
    write_frames(3, key);
    hb_journal *journal = reopen(NULL);
    assert_int_equal(snapshot(journal, 10, 40, 5), HB_OK);
    assert_int_equal(add(journal, 0, 1000), HB_OK);
    assert_int_equal(hb_journal_flush(journal, &error), HB_OK);
    hb_journal_close(journal);
    text_print(path, sizeof path, "%s", file_of("snapshot"));
    uint8_t *bytes = load(path, &length);
    assert_int_equal(read_bytes(bytes, length, HB_FILE_SNAPSHOT, key, &good), HB_FOUND_WHOLE);
    assert_int_equal(told.records, 40);
    for (size_t bit = 0; bit < length * 8; bit++) {
        bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
        assert_int_not_equal(read_bytes(bytes, length, HB_FILE_SNAPSHOT, key, &good), HB_FOUND_WHOLE);
        assert_int_equal(told.records, 0);
        bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    for (size_t cut = 0; cut < length; cut++) {
        assert_int_not_equal(read_bytes(bytes, cut, HB_FILE_SNAPSHOT, key, &good), HB_FOUND_WHOLE);
        assert_int_equal(told.records, 0);
    }
    bytes[length / 2] ^= 1;
    store(path, bytes, length);
    journal = reopen(NULL);
    assert_int_equal(told.lines, 1);
    assert_non_null(strstr(told.line, "nothing of it was taken, it is kept as damaged-snapshot-"));
    assert_int_equal(check_prefix(), 1); /* what the journal after it says */
    /* It is never replaced, nor removed. */
    assert_int_equal(snapshot(journal, 0, 1, 1000), HB_OK);
    journal = reopen(journal);
    assert_int_equal(check_prefix(), 1);
    size_t kept;
    (void)load(file_of("damaged-snapshot"), &kept);
    assert_int_equal(kept, length);
    hb_journal_close(journal);
}

static void refused(const char *why)
{
    hb_journal *journal = NULL;
    memset(&told, 0, sizeof told);
    memset(&error, 0, sizeof error);
    assert_int_equal(open_at(folder, NULL, &journal), HB_EJOURNAL);
    assert_null(journal);
    assert_string_equal(error.path, folder);
    if (!strstr(error.text, why))
        fail_msg("'%s' expected in '%s'", why, error.text);
}

static void test_refused(void **state)
{
    (void)state;
    uint8_t key[HB_SEAL_KEY];
    size_t length;
    char path[512];
    char key_path[128];
    write_frames(3, key);
    text_print(path, sizeof path, "%s", file_of("journal"));
    uint8_t bytes[4096];
    uint8_t *loaded = load(path, &length);
    memcpy(bytes, loaded, length);

    bytes[8]++;
    store(path, bytes, length);
    refused("was written by a newer version of the plugin");
    bytes[8]--;
    bytes[0]++;
    store(path, bytes, length);
    refused("is no file of this plugin");
    bytes[0]--;
    store(path, bytes, length);

    text_print(key_path, sizeof key_path, "%s/key", folder);
    loaded = load(key_path, &length);
    uint8_t text[128];
    memcpy(text, loaded, length);
    text[0] = text[0] == 'a' ? 'b' : 'a';
    store(key_path, text, length);
    refused("was written with another key");
    store(key_path, text, length - 2);
    refused("key is not 64 hexadecimal digits");
    unlink(key_path);
    refused("the file key is missing");
    /* Given by the administrator instead: all is there. */
    hb_journal *journal = NULL;
    assert_int_equal(open_at(folder, key, &journal), HB_OK);
    assert_int_equal(check_prefix(), 3);
    hb_journal_close(journal);
    assert_int_equal(open_at("/proc/no/such/folder", key, &journal), HB_EJOURNAL);
    assert_string_equal(error.text, "the folder can not be made: No such file or directory");
}

/* A part of the folder is not taken for all of it: what was said to be on disk would not count any more. */
static void test_listing_breaks(void **state)
{
    (void)state;
    uint8_t key[HB_SEAL_KEY];
    write_frames(3, key);
    hb_journal *journal = reopen(NULL);
    assert_int_equal(add(journal, 3, 1003), HB_OK);
    assert_int_equal(hb_journal_flush(journal, &error), HB_OK);
    hb_journal_close(journal);
    file_of("journal");
    size_t files = file_count;
    for (long n = 1; n <= (long)files + 3; n++) { /* with the folder itself, the one above, and the end */
        list_fails_at = n;
        refused("the folder can not be listed: ");
        assert_non_null(strstr(error.text, strerror(EIO)));
        assert_int_equal(list_fails_at, 0);
        assert_int_equal(told.records, 0);
        file_of("journal");
        assert_int_equal(file_count, files);
    }
    journal = reopen(NULL);
    assert_int_equal(check_prefix(), 4);
    hb_journal_close(journal);
}

static void put_file(const char *name, const char *text)
{
    char path[512];
    text_print(path, sizeof path, "%s/%s", folder, name);
    store(path, (const uint8_t *)text, strlen(text));
}

static bool has_file(const char *name)
{
    char path[512];
    text_print(path, sizeof path, "%s/%s", folder, name);
    return access(path, F_OK) == 0;
}

/* What only begins like a file of ours is an administrator's: it is not read, nor removed. */
static void test_names_like_ours(void **state)
{
    (void)state;
    static const char *const others[] = {
        "journal-0000000000000001-bad",
        "journal-0000000000000001.new",
        "journal-0000000000000001~",
        "journal-00000000000000010",
        "journal-000000000000001",
        "journal-0000000000000000",
        "journal-0x00000000000001",
        "journal-+000000000000001",
        "journal--000000000000001",
        "journal- 000000000000001",
        "journal-000000000000000A",
        "journal",
        "journals-0000000000000001",
        "snapshot-0000000000000001-backup",
        "snapshot-0000000000000001.old",
        "snapshot-0000000000000001.new.old",
        "snapshot-0x00000000000001",
        "snapshot-fffffffffffffffff",
        "snapshot-",
        "damaged-journal-ffffffffffffffff-copy",
        "damaged-snapshot-0xffffffffffffff",
    };
    enum { OTHERS = sizeof others / sizeof others[0] };
    uint8_t key[HB_SEAL_KEY];
    write_frames(3, key);
    for (size_t i = 0; i < OTHERS; i++)
        put_file(others[i], "an administrator's");
    hb_journal *journal = reopen(NULL);
    assert_int_equal(check_prefix(), 3);
    assert_int_equal(told.lines, 0);
    put_file("snapshot-0000000000000001.new", "begun, and not finished"); /* this one is ours */
    for (int i = 0; i < 3; i++)
        assert_int_equal(snapshot(journal, 0, 3, 7), HB_OK);
    journal = reopen(journal);
    assert_int_equal(told.records, 3);
    assert_int_equal(told.seen_ms[2], 7);
    for (size_t i = 0; i < OTHERS; i++) {
        if (!has_file(others[i]))
            fail_msg("%s was removed", others[i]);
    }
    file_of("snapshot");
    assert_int_equal(file_count, OTHERS + 5); /* key, lock, snapshot, and the journals of two lives */
    assert_true(has_file("snapshot-0000000000000005") && has_file("journal-0000000000000006"));
    hb_journal_close(journal);
}

/* There is no generation after the last one: what was written as the first again would not count. */
static void test_last_generation(void **state)
{
    (void)state;
    static const char *const last[] = {"journal-ffffffffffffffff", "snapshot-8000000000000000",
                                       "snapshot-ffffffffffffffff.new", "damaged-journal-ffffffffffffffff"};
    char path[512];
    uint8_t key[HB_SEAL_KEY];
    write_frames(3, key);
    for (size_t i = 0; i < sizeof last / sizeof last[0]; i++) {
        put_file(last[i], "not one of ours");
        refused("there is a file of generation ");
        assert_true(has_file(last[i]));
        text_print(path, sizeof path, "%s/%s", folder, last[i]);
        unlink(path);
    }
    put_file("damaged-journal-7fffffffffffffff", "as late as can be");
    hb_journal *journal = reopen(NULL);
    assert_int_equal(check_prefix(), 3);
    assert_true(has_file("journal-8000000000000000"));
    hb_journal_close(journal);
}

/* What is in the folder, in whatever order it is listed. */
static uint64_t folder_sum;

static void add_to_sum(const char *path, const char *name)
{
    size_t length;
    uint64_t sum = UINT64_C(14695981039346656037); /* FNV-1a */
    for (; *name; name++)
        sum = (sum ^ (uint8_t)*name) * UINT64_C(1099511628211);
    const uint8_t *bytes = load(path, &length);
    for (size_t i = 0; i < length; i++)
        sum = (sum ^ bytes[i]) * UINT64_C(1099511628211);
    folder_sum += sum ^ length;
}

static uint64_t sum_of_folder(void)
{
    folder_sum = 0;
    each(add_to_sum);
    return folder_sum;
}

static void change(const char *name, size_t at, uint8_t bits)
{
    char path[512];
    size_t length;
    text_print(path, sizeof path, "%s/%s", folder, name);
    uint8_t *bytes = load(path, &length);
    assert_true(at < length);
    bytes[at] ^= bits;
    store(path, bytes, length);
}

/* One file that is refused, and what is damaged stays as it is too: another version of the plugin may read it all. */
static void test_refused_as_it_was(void **state)
{
    (void)state;
    static const struct {
        size_t at;
        uint8_t bits;
        const char *why;
    } refusals[] = {{8, 2, "was written by a newer version of the plugin"},
                    {0, 1, "is no file of this plugin"},
                    {12, 1, "is no file of this plugin"},
                    {31, 128, "was written with another key, or its header is damaged"}};
    static const char snapshot_2[] = "snapshot-0000000000000002";
    static const char journal_2[] = "journal-0000000000000002";
    static const char journal_3[] = "journal-0000000000000003";
    hb_journal *journal = reopen(NULL);
    assert_int_equal(snapshot(journal, 10, 2, 5), HB_OK);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(add(journal, i, i + 1000), HB_OK);
        assert_int_equal(hb_journal_flush(journal, &error), HB_OK);
    }
    journal = reopen(journal);
    hb_journal_close(journal);
    change(snapshot_2, 100, 1);
    change(journal_2, HEADER + EMPTY + 2 * SHORT + 30, 1);
    for (size_t i = 0; i < sizeof refusals / sizeof refusals[0]; i++) {
        change(journal_3, refusals[i].at, refusals[i].bits);
        uint64_t before = sum_of_folder();
        refused(refusals[i].why);
        assert_non_null(strstr(error.text, journal_3));
        assert_int_equal(sum_of_folder(), before);
        assert_int_equal(told.records + told.lines, 0);
        change(journal_3, refusals[i].at, refusals[i].bits);
    }
    /* One that can not be read is found as early. */
    char path[512];
    text_print(path, sizeof path, "%s/journal-0000000000000004", folder);
    assert_int_equal(mkdir(path, 0700), 0);
    refused("journal-0000000000000004 can not be read: Is a directory");
    assert_true(has_file(snapshot_2));
    assert_int_equal(rmdir(path), 0);
    journal = reopen(NULL);
    assert_int_equal(told.lines, 2);
    assert_int_equal(check_prefix(), 2);
    assert_false(has_file(snapshot_2));
    hb_journal_close(journal);
}

static void aside_is(const char *name, const uint8_t *bytes, size_t length)
{
    char path[512];
    size_t there;
    text_print(path, sizeof path, "%s/%s", folder, name);
    const uint8_t *kept = load(path, &there);
    assert_int_equal(there, length);
    assert_memory_equal(kept, bytes, length);
}

/* What was kept of a file stays when it is damaged once more. */
static void test_damaged_again(void **state)
{
    (void)state;
    static const char first[] = "damaged-journal-0000000000000001";
    static const char second[] = "damaged-journal-0000000000000001-2";
    static const char third[] = "damaged-journal-0000000000000001-3";
    uint8_t key[HB_SEAL_KEY];
    uint8_t bytes[4096];
    size_t length;
    char path[512];
    write_frames(4, key);
    text_print(path, sizeof path, "%s/journal-0000000000000001", folder);
    const uint8_t *loaded = load(path, &length);
    memcpy(bytes, loaded, length);
    size_t whole = length - SHORT;
    bytes[whole + 10] ^= 1;
    store(path, bytes, length);
    hb_journal *journal = reopen(NULL);
    assert_int_equal(check_prefix(), 3);
    aside_is(first, bytes + whole, SHORT);
    /* The server died when it was kept, or while it was being written, and the journal was not yet cut. */
    for (size_t kept = 0; kept <= SHORT; kept += SHORT / 4) {
        char aside[512];
        hb_journal_close(journal);
        store(path, bytes, length);
        text_print(aside, sizeof aside, "%s/%s", folder, first);
        assert_int_equal(truncate(aside, (off_t)(SHORT - kept)), 0);
        journal = reopen(NULL);
        assert_int_equal(check_prefix(), 3);
        assert_int_equal(told.lines, 1);
        aside_is(first, bytes + whole, SHORT);
        assert_false(has_file(second));
    }
    /* The disk takes more of it. */
    for (int round = 0; round < 2; round++) {
        hb_journal_close(journal);
        whole -= SHORT;
        bytes[whole + 10] ^= 1;
        store(path, bytes, whole + SHORT);
        journal = reopen(NULL);
        assert_int_equal(check_prefix(), (size_t)(2 - round));
        assert_non_null(strstr(told.line, round ? third : second));
        aside_is(round ? third : second, bytes + whole, SHORT);
    }
    aside_is(first, bytes + whole + 2 * SHORT, SHORT);
    aside_is(second, bytes + whole + SHORT, SHORT);
    hb_journal_close(journal);
}

/* There are names for some; then it is refused. */
static void test_damaged_for_ever(void **state)
{
    (void)state;
    uint8_t key[HB_SEAL_KEY];
    char name[64] = "damaged-journal-0000000000000001";
    write_frames(2, key);
    change("journal-0000000000000001", HEADER + EMPTY + SHORT + 10, 1);
    put_file(name, "another");
    for (int i = 2; i <= 99; i++) {
        text_print(name, sizeof name, "damaged-journal-0000000000000001-%d", i);
        put_file(name, "another");
    }
    hb_journal *journal = reopen(NULL);
    assert_int_equal(check_prefix(), 1);
    assert_true(has_file("damaged-journal-0000000000000001-100"));
    hb_journal_close(journal);
    change("journal-0000000000000001", HEADER + EMPTY + 10, 1);
    uint64_t before = sum_of_folder();
    refused("damaged-journal-0000000000000001-100 can not be made: File exists");
    assert_int_equal(sum_of_folder(), before);
}

/* A snapshot that came back, from a backup. */
static void test_damaged_snapshot_again(void **state)
{
    (void)state;
    static const char name[] = "snapshot-0000000000000002";
    uint8_t bytes[4096];
    size_t length;
    char path[512];
    hb_journal *journal = reopen(NULL);
    assert_int_equal(snapshot(journal, 10, 2, 5), HB_OK);
    hb_journal_close(journal);
    text_print(path, sizeof path, "%s/%s", folder, name);
    const uint8_t *loaded = load(path, &length);
    memcpy(bytes, loaded, length);
    for (int round = 1; round <= 3; round++) {
        bytes[100]++;
        store(path, bytes, length);
        journal = reopen(NULL);
        assert_int_equal(told.lines, 1);
        hb_journal_close(journal);
        aside_is(round == 1   ? "damaged-snapshot-0000000000000002"
                 : round == 2 ? "damaged-snapshot-0000000000000002-2"
                              : "damaged-snapshot-0000000000000002-3",
                 bytes, length);
    }
    bytes[100] -= 2;
    aside_is("damaged-snapshot-0000000000000002", bytes, length);
}

/* As docs/journal.md says: a file that is refused is moved away, and the rest is there. */
static void test_moved_away(void **state)
{
    (void)state;
    uint8_t key[HB_SEAL_KEY];
    size_t length;
    char path[512];
    char away[600];
    write_frames(3, key);
    hb_journal *journal = reopen(NULL);
    assert_int_equal(add(journal, 3, 1003), HB_OK);
    assert_int_equal(hb_journal_flush(journal, &error), HB_OK);
    hb_journal_close(journal);
    text_print(path, sizeof path, "%s/journal-0000000000000002", folder);
    text_print(away, sizeof away, "%s-bad", path);
    uint8_t *bytes = load(path, &length);
    bytes[24] ^= 1;
    store(path, bytes, length);
    refused("journal-0000000000000002 was written with another key, or its header is damaged");
    assert_int_equal(rename(path, away), 0);
    journal = reopen(NULL);
    assert_int_equal(check_prefix(), 3);
    assert_int_equal(told.lines, 0);
    hb_journal_close(journal);
}

/* A life: what was acknowledged goes to `kept`. It comes back to the disk by a snapshot when it can. */
static void live(int64_t kept[USERS], int64_t now[USERS])
{
    hb_journal *journal = NULL;
    memset(&told, 0, sizeof told);
    if (open_at(folder, NULL, &journal) < 0) {
        assert_true(error.text[0] != '\0');
        return;
    }
    int64_t pending[USERS] = {0};
    for (int step = 1; step <= 12; step++) {
        for (int i = 0; i < 5; i++) {
            now[i * 3 + step % 3] += 10;
            pending[i * 3 + step % 3] = now[i * 3 + step % 3];
            (void)add(journal, i * 3 + step % 3, now[i * 3 + step % 3]);
        }
        int code;
        if (hb_journal_away(journal) || step == 6) {
            memset(&error, 0, sizeof error);
            code = hb_journal_snapshot_begin(journal, &error);
            for (int i = 0; i < USERS && code == HB_OK; i++) {
                hb_last last = last_of(i, now[i]);
                code = now[i] ? hb_journal_keep(journal, &last, &error) : HB_OK;
            }
            code = code == HB_OK ? hb_journal_snapshot_end(journal, &error) : code;
            if (code == HB_OK)
                memcpy(pending, now, sizeof pending);
        } else {
            memset(&error, 0, sizeof error);
            code = hb_journal_flush(journal, &error);
        }
        if (code < 0) {
            assert_true(error.text[0] != '\0');
            continue;
        }
        for (int i = 0; i < USERS; i++) {
            if (pending[i])
                kept[i] = pending[i];
        }
        memset(pending, 0, sizeof pending);
    }
    hb_journal_close(journal);
}

/* Each call fails in turn: once, or from then on. What was acknowledged is there afterwards, and nothing is made up. */
static void test_failing(void **state)
{
    (void)state;
    static const int errors[] = {EIO, ENOSPC, EACCES};
    for (size_t e = 0; e < 12; e++) {
        bool failed = true;
        for (long n = 1; failed; n++) {
            int64_t kept[USERS] = {0};
            int64_t now[USERS] = {0};
            fail_at = 0;
            if (e < 6)
                live(kept, now); /* else it is the first start */
            fail_with = errors[e % 3];
            fail_on = e % 6 >= 3;
            fail_at = n;
            live(kept, now);
            failed = fail_at <= (fail_on ? 1 : 0);
            fail_at = 0;
            hb_journal *journal = reopen(NULL);
            for (int i = 0; i < USERS; i++) {
                if (told.seen_ms[i] < kept[i] || told.seen_ms[i] > now[i])
                    fail_msg("call %ld, error %d: user %d is at %lld, not from %lld to %lld", n, fail_with, i,
                             (long long)told.seen_ms[i], (long long)kept[i], (long long)now[i]);
            }
            hb_journal_close(journal);
            each(remove_file);
            assert_true(n < 1000);
        }
    }
}

/* Authentic frames of what we do not write: from there on nothing is taken. */
static void test_strange_records(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        size_t length;
    } strange[] = {
        {"X", 1},
        {"U", 1},
        {"U\0\0", 3},
        {"U\5\0user", 7},
        {"U\5\0user2", 8},
        {"U\5\0user2.................", 25},
        {"U\5\0user2................\1\5\0abcd", 31},
        {"U\5\0user2................\1\0\5", 27},
        {"F\xff\xff", 3},
        {"E", 1},
        {"E\0\0\0\0\0\0\0\0.", 10},
    };
    static const uint8_t key[HB_SEAL_KEY] = {9};
    char path[128];
    text_print(path, sizeof path, "%s/x", folder);
    /* At the beginning of a frame, and after a record that is right. */
    for (size_t i = 0; i < 2 * sizeof strange / sizeof strange[0]; i++) {
        hb_frames frames;
        int why = 0;
        size_t good;
        size_t length;
        int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
        assert_int_equal(hb_frames_begin(&frames, fd, HB_FILE_JOURNAL, 1, key, &why), HB_OK);
        hb_last last = last_of(0, 1000);
        assert_int_equal(hb_frames_add(&frames, &last), HB_OK);
        assert_int_equal(hb_frames_write(&frames, &why), HB_OK);
        uint64_t whole = frames.written;
        last = last_of(1, 1000);
        if (i % 2)
            assert_int_equal(hb_frames_add(&frames, &last), HB_OK);
        memcpy(frames.bytes + 4 + frames.length, strange[i / 2].bytes, strange[i / 2].length);
        frames.length += strange[i / 2].length;
        assert_int_equal(hb_frames_write(&frames, &why), HB_OK);
        hb_frames_end(&frames);
        const uint8_t *bytes = load(path, &length);
        assert_int_equal(read_bytes(bytes, length, HB_FILE_JOURNAL, key, &good), HB_FOUND_TORN);
        assert_int_equal(good, whole);
        assert_int_equal(check_prefix(), 1);
    }
}

/* The beginning of a part, as it is written, at the end of the buffer. */
static void begin_part(hb_frames *frames, size_t part, uint64_t seed0)
{
    const uint64_t own[2] = {seed0, seed[1]};
    assert_int_equal(hb_frames_part(frames, own, part), HB_OK);
}

static void keep_one(hb_frames *frames, int i)
{
    hb_last last = last_of(i, 1000);
    assert_int_equal(hb_frames_add(frames, &last), HB_OK);
}

static void in_order(hb_frames *frames)
{
    begin_part(frames, 0, seed[0]);
    keep_one(frames, 0);
    begin_part(frames, 7, seed[0]); /* with nobody in it */
    begin_part(frames, 255, seed[0]);
    keep_one(frames, 1);
}

static void backwards(hb_frames *frames)
{
    begin_part(frames, 3, seed[0]);
    keep_one(frames, 0);
    begin_part(frames, 2, seed[0]);
}

static void twice(hb_frames *frames)
{
    begin_part(frames, 3, seed[0]);
    keep_one(frames, 0);
    begin_part(frames, 3, seed[0]);
}

static void of_two_seeds(hb_frames *frames)
{
    begin_part(frames, 3, seed[0]);
    begin_part(frames, 4, seed[0] + 1);
}

static void too_many(hb_frames *frames)
{
    begin_part(frames, HB_JOURNAL_PARTS, seed[0]);
}

static void after_others(hb_frames *frames)
{
    keep_one(frames, 0);
    begin_part(frames, 3, seed[0]);
}

static void too_short(hb_frames *frames)
{
    begin_part(frames, 3, seed[0]);
    frames->length--;
}

/* Parts that are not as they are written are none; and in a journal there are none. */
static void test_strange_parts(void **state)
{
    (void)state;
    static void (*const all[])(hb_frames *) = {in_order, backwards,    twice,    of_two_seeds,
                                               too_many, after_others, too_short};
    static const uint8_t key[HB_SEAL_KEY] = {9};
    char path[128];
    text_print(path, sizeof path, "%s/x", folder);
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        for (int kind = HB_FILE_SNAPSHOT; kind <= HB_FILE_JOURNAL; kind++) {
            hb_frames frames;
            int why = 0;
            size_t good;
            size_t length;
            int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
            assert_int_equal(hb_frames_begin(&frames, fd, (hb_file_kind)kind, 1, key, &why), HB_OK);
            all[i](&frames);
            if (all[i] == too_short)
                assert_int_equal(hb_frames_write(&frames, &why), HB_OK);
            assert_int_equal(hb_frames_finish(&frames, &why), HB_OK);
            hb_frames_end(&frames);
            const uint8_t *bytes = load(path, &length);
            bool right = i == 0 && kind == HB_FILE_SNAPSHOT;
            assert_int_equal(read_bytes(bytes, length, (hb_file_kind)kind, key, &good),
                             right ? HB_FOUND_WHOLE : HB_FOUND_TORN);
            assert_int_equal(told.records, right ? 2 : 0);
        }
    }
}

/* Of many records of some users, part by part, the last of each counts. */
static void test_parts(void **state)
{
    (void)state;
    static const uint8_t key[HB_SEAL_KEY] = {9};
    char path[128];
    text_print(path, sizeof path, "%s/x", folder);
    for (int kind = HB_FILE_SNAPSHOT; kind <= HB_FILE_JOURNAL; kind++) {
        hb_frames frames;
        int64_t seen_ms[USERS] = {0};
        int why = 0;
        size_t good;
        size_t length;
        int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
        assert_int_equal(hb_frames_begin(&frames, fd, (hb_file_kind)kind, 1, key, &why), HB_OK);
        for (int k = 0; k < 2000; k++) {
            int i = k * 37 % USERS;
            hb_last last = last_of(i, 1000 + k);
            last.forgotten = k % 11 == 0;
            seen_ms[i] = last.forgotten ? -1 : last.seen_ms;
            assert_int_equal(hb_frames_add(&frames, &last), HB_OK);
            if (k % 100 == 99)
                assert_int_equal(hb_frames_write(&frames, &why), HB_OK);
        }
        if (kind == HB_FILE_SNAPSHOT)
            assert_int_equal(hb_frames_finish(&frames, &why), HB_OK);
        hb_frames_end(&frames);
        const uint8_t *bytes = load(path, &length);
        assert_int_equal(read_bytes(bytes, length, (hb_file_kind)kind, key, &good), HB_FOUND_WHOLE);
        assert_memory_equal(told.seen_ms, seen_ms, sizeof seen_ms);
        assert_int_equal(told.records, 2000);
    }
}

static void test_key(void **state)
{
    (void)state;
    uint8_t key[HB_SEAL_KEY];
    char text[] = "000102030405060708090a0b0c0d0e0f101112131415161718191A1B1C1D1E1F \r\n";
    assert_int_equal(hb_journal_key_parse(text, sizeof text - 1, key), HB_OK);
    for (size_t i = 0; i < sizeof key; i++)
        assert_int_equal(key[i], i);
    assert_int_equal(hb_journal_key_parse(text, 63, key), HB_EINVAL);
    assert_int_equal(hb_journal_key_parse("", 0, key), HB_EINVAL);
    text[5] = 'g';
    assert_int_equal(hb_journal_key_parse(text, 64, key), HB_EINVAL);
}

/*
 * The least that is left after the power went: each file as it was when it was synced, under the names of when the
 * folder was synced.
 */
#define SHADOWS 256
static struct shadow {
    ino_t inode;
    size_t length;
    uint8_t bytes[8192];
} shadows[SHADOWS];
static size_t shadow_count;
static struct named {
    char name[64];
    ino_t inode;
} names[64];
static size_t name_count;

static void note_file(int fd, ino_t inode)
{
    char path[64];
    size_t i = 0;
    while (i < shadow_count && shadows[i].inode != inode)
        i++;
    assert_true(i < SHADOWS);
    shadow_count = i == shadow_count ? i + 1 : shadow_count;
    text_print(path, sizeof path, "/proc/self/fd/%d", fd);
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    shadows[i].inode = inode;
    shadows[i].length = fread(shadows[i].bytes, 1, sizeof shadows[i].bytes, file);
    assert_true(shadows[i].length < sizeof shadows[i].bytes);
    fclose(file);
}

static void note_name(const char *path, const char *name)
{
    struct stat about;
    assert_int_equal(stat(path, &about), 0);
    assert_true(name_count < sizeof names / sizeof names[0]);
    names[name_count].inode = about.st_ino;
    text_print(names[name_count++].name, sizeof names[0].name, "%s", name);
}

static void note_sync(int fd)
{
    struct stat about;
    if (!watch_syncs)
        return;
    assert_int_equal(fstat(fd, &about), 0);
    if (!S_ISDIR(about.st_mode)) {
        note_file(fd, about.st_ino);
        return;
    }
    name_count = 0;
    each(note_name);
}

/* What is there now is on disk, whoever wrote it. */
static void all_synced(void)
{
    shadow_count = 0;
    name_count = 0;
    each(note_name);
    for (size_t i = 0; i < name_count; i++) {
        char path[512];
        text_print(path, sizeof path, "%s/%s", folder, names[i].name);
        int fd = open(path, O_RDONLY);
        assert_true(fd >= 0);
        note_file(fd, names[i].inode);
        close(fd);
    }
    watch_syncs = true;
}

static void lose_power(void)
{
    each(remove_file);
    for (size_t i = 0; i < name_count; i++) {
        char path[512];
        const struct shadow *file = NULL;
        for (size_t s = 0; s < shadow_count; s++)
            file = shadows[s].inode == names[i].inode ? &shadows[s] : file;
        text_print(path, sizeof path, "%s/%s", folder, names[i].name);
        store(path, file ? file->bytes : (const uint8_t *)"", file ? file->length : 0);
    }
}

#define KEY_C "cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc\n"
static const char KEY_A[] = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\n";
static const char KEY_B[] = "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb";

static bool key_is(const char *text)
{
    char path[512];
    size_t length;
    text_print(path, sizeof path, "%s/key", folder);
    const uint8_t *bytes = load(path, &length);
    return length >= 64 && memcmp(bytes, text, 64) == 0;
}

/* Files of ours that were not written under this key. */
static size_t strangers;
static uint8_t own_key[HB_SEAL_KEY];

static void count_stranger(const char *path, const char *name)
{
    hb_found found = HB_FOUND_WHOLE;
    size_t length;
    size_t good;
    uint64_t records;
    bool snapshot = strncmp(name, "snapshot-", 9) == 0;
    if (!snapshot && strncmp(name, "journal-", 8) != 0)
        return;
    uint8_t *bytes = load(path, &length);
    hb_file_kind kind = snapshot ? HB_FILE_SNAPSHOT : HB_FILE_JOURNAL;
    assert_int_equal(hb_frames_read(bytes, length, kind, own_key, NULL, &found, &good, &records), HB_OK);
    strangers += found != HB_FOUND_WHOLE;
}

static size_t not_under(const char *key)
{
    assert_int_equal(hb_journal_key_parse(key, strlen(key), own_key), HB_OK);
    strangers = 0;
    each(count_stranger);
    return strangers;
}

static bool changed; /* by the last rekey */

static int rekey(hb_journal *journal, int count, int64_t seen_ms)
{
    memset(&error, 0, sizeof error);
    changed = false;
    int code = hb_journal_rekey_begin(journal, &error);
    for (int i = 0; i < count && code == HB_OK; i++) {
        hb_last last = last_of(i, seen_ms);
        code = hb_journal_keep(journal, &last, &error);
    }
    return code == HB_OK ? hb_journal_rekey_end(journal, &changed, &error) : code;
}

static void test_rekey(void **state)
{
    (void)state;
    struct stat about;
    char path[128];
    put_file("key", KEY_A);
    hb_journal *journal = reopen(NULL);
    assert_int_equal(hb_journal_wants_key(journal, &error), 0);
    assert_int_equal(hb_journal_rekey_begin(journal, &error), HB_EINVAL);
    assert_int_equal(hb_journal_rekey_end(journal, &changed, &error), HB_EINVAL);
    assert_int_equal(add(journal, 1, 7), HB_OK);
    assert_int_equal(add(journal, 2, 8), HB_OK);
    put_file("key.new", KEY_B);
    assert_int_equal(hb_journal_wants_key(journal, &error), 1);
    assert_int_equal(hb_journal_rekey_begin(journal, &error), HB_OK);
    assert_int_equal(add(journal, 2, 9), HB_EINVAL);
    assert_int_equal(hb_journal_snapshot_end(journal, &error), HB_EINVAL);
    hb_journal_snapshot_drop(journal);
    assert_true(key_is(KEY_A));
    assert_int_equal(not_under(KEY_A), 0);
    assert_int_equal(add(journal, 3, 9), HB_OK);
    assert_int_equal(rekey(journal, 3, 50), HB_OK);
    assert_false(hb_journal_away(journal));
    assert_true(key_is(KEY_B));
    assert_false(has_file("key.new"));
    text_print(path, sizeof path, "%s/key", folder);
    assert_int_equal(stat(path, &about), 0);
    assert_int_equal(about.st_mode & 0777, 0600);
    assert_int_equal(not_under(KEY_B), 0);
    file_of("snapshot");
    assert_int_equal(file_count, 4); /* key, lock, snapshot, journal */
    assert_int_equal(hb_journal_entries(journal), 3);
    assert_int_equal(add(journal, 4, 60), HB_OK);
    assert_int_equal(hb_journal_flush(journal, &error), HB_OK);
    assert_int_equal(hb_journal_entries(journal), 4);
    journal = reopen(journal);
    assert_int_equal(told.lines, 0);
    assert_int_equal(told.records, 4);
    assert_int_equal(hb_journal_entries(journal), 4);
    assert_int_equal(told.seen_ms[0], 50);
    assert_int_equal(told.seen_ms[3], 0);
    assert_int_equal(told.seen_ms[4], 60);
    /* One that is made: it is neither of these, and another one each time. */
    put_file("key.new", "random\n");
    assert_int_equal(rekey(journal, 3, 51), HB_OK);
    assert_false(key_is(KEY_A) || key_is(KEY_B) || has_file("key.new"));
    assert_int_equal(not_under(KEY_B), 2);
    journal = reopen(journal);
    assert_int_equal(told.seen_ms[2], 51);
    hb_journal_close(journal);
}

static void test_rekey_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {"",
                                      "randomly",
                                      "\n",
                                      "aaaa",
                                      "rando",
                                      "random....",
                                      "gggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggg"};
    uint8_t key[HB_SEAL_KEY];
    put_file("key", KEY_A);
    hb_journal *journal = reopen(NULL);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        put_file("key.new", bad[i]);
        assert_int_equal(hb_journal_wants_key(journal, &error), HB_EJOURNAL);
        assert_string_equal(error.text, "key.new is neither 64 hexadecimal digits nor the word random");
        assert_int_equal(rekey(journal, 1, 1), HB_EJOURNAL);
        assert_false(hb_journal_away(journal));
        assert_true(has_file("key.new"));
    }
    /* It keeps nobody from starting. */
    journal = reopen(journal);
    assert_int_equal(told.lines, 0);
    /* A folder cannot be read. */
    char path[512];
    text_print(path, sizeof path, "%s/key.new", folder);
    unlink(path);
    assert_int_equal(mkdir(path, 0700), 0);
    assert_int_equal(hb_journal_wants_key(journal, &error), HB_EJOURNAL);
    assert_string_equal(error.text, "key.new can not be read: Is a directory");
    rmdir(path);
    hb_journal_close(journal);
    /* A journal that was given its key takes no other. */
    put_file("key.new", KEY_B);
    assert_int_equal(hb_journal_key_parse(KEY_A, strlen(KEY_A), key), HB_OK);
    assert_int_equal(open_at(folder, key, &journal), HB_OK);
    assert_int_equal(hb_journal_wants_key(journal, &error), 0);
    assert_int_equal(hb_journal_rekey_begin(journal, &error), HB_EINVAL);
    hb_journal_close(journal);
}

/* key.new in the place of key, at the first start and later. */
static void test_rekey_alone(void **state)
{
    (void)state;
    put_file("key.new", KEY_B);
    hb_journal *journal = reopen(NULL);
    assert_int_equal(add(journal, 1, 7), HB_OK);
    assert_int_equal(hb_journal_flush(journal, &error), HB_OK);
    journal = reopen(journal);
    assert_int_equal(told.seen_ms[1], 7);
    assert_int_equal(rekey(journal, 2, 8), HB_OK);
    assert_true(key_is(KEY_B));
    assert_false(has_file("key.new"));
    journal = reopen(journal);
    assert_int_equal(told.seen_ms[1], 8);
    hb_journal_close(journal);
    put_file("key", KEY_A);
    refused("was written with another key");
    put_file("key.new", KEY_B);
    journal = reopen(NULL);
    assert_int_equal(told.seen_ms[1], 8);
    hb_journal_close(journal);
}

/*
 * key.new is written again, or removed, while what it asked for is being done, and the server stops at the n-th call
 * after that. What was begun is ended, now or at the next start, and the other wish stays. Whether it was stopped.
 */
static bool rekey_meanwhile(const char *other, long n)
{
    put_file("key", KEY_A);
    hb_journal *journal = reopen(NULL);
    assert_int_equal(add(journal, 1, 8), HB_OK);
    put_file("key.new", KEY_B);
    assert_int_equal(hb_journal_rekey_begin(journal, &error), HB_OK);
    hb_last last = last_of(1, 9);
    assert_int_equal(hb_journal_keep(journal, &last, &error), HB_OK);
    if (other) {
        put_file("key.new", other);
    } else {
        char path[128];
        text_print(path, sizeof path, "%s/key.new", folder);
        unlink(path);
    }
    fail_with = EIO;
    fail_on = true;
    stopped = true;
    fail_at = n;
    bool failed = hb_journal_rekey_end(journal, &changed, &error) < 0;
    hb_journal_close(journal);
    fail_at = 0;
    fail_on = false;
    stopped = false;
    journal = reopen(NULL);
    assert_in_range(told.seen_ms[1], failed ? 8 : 9, 9);
    if (has_file("key.next"))
        assert_int_equal(rekey(journal, 2, 10), HB_OK);
    assert_true(key_is(KEY_B));
    assert_false(has_file("key.next"));
    assert_int_equal(has_file("key.new"), other != NULL);
    hb_journal_close(journal);
    journal = reopen(NULL);
    assert_in_range(told.seen_ms[1], 9, 10);
    hb_journal_close(journal);
    each(remove_file);
    return failed;
}

static void test_rekey_meanwhile(void **state)
{
    (void)state;
    static const char *const others[] = {KEY_C, "random", "x", NULL};
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        long n = 1;
        while (rekey_meanwhile(others[i], n))
            n++;
        assert_in_range(n, 10, 40);
    }
}

typedef enum ending { FAILS_ONCE, FAILS_FROM_THEN_ON, STOPS, LOSES_POWER, ENDINGS } ending;

/*
 * A change of the key in which the n-th call fails, or nothing comes after it. Whatever was acknowledged is there,
 * under the key, or under the one that is to come; the next try does it. Returns whether there was such a call.
 */
static bool rekey_failing(long n, ending end, int with, bool away)
{
    all_synced();
    hb_journal *journal = reopen(NULL);
    int64_t kept = 100;
    assert_int_equal(add(journal, 5, kept), HB_OK);
    assert_int_equal(hb_journal_flush(journal, &error), HB_OK);
    if (away) {
        fail_at = 1;
        fail_with = EIO;
        assert_int_equal(add(journal, 6, 1), HB_OK);
        assert_int_equal(hb_journal_flush(journal, &error), HB_EJOURNAL);
        assert_true(hb_journal_away(journal));
    }
    fail_with = with;
    fail_on = end != FAILS_ONCE;
    bool stops = end == STOPS || end == LOSES_POWER;
    stopped = stops;
    fail_at = n;
    int code = rekey(journal, 10, 200);
    bool failed = fail_at <= (fail_on ? 1 : 0);
    assert_true(code == HB_OK || error.text[0] != '\0');
    if (code == HB_OK)
        kept = 200;
    bool new_key = changed;
    assert_true(changed || code < 0);
    if (!stops) {
        /* What was not done does not keep it from going on: but for what the file says. */
        fail_at = 0;
        if (!hb_journal_away(journal)) {
            assert_int_equal(add(journal, 5, 300), HB_OK);
            assert_int_equal(hb_journal_flush(journal, &error), HB_OK);
            kept = 300;
        } else {
            assert_int_equal(snapshot(journal, 0, 10, 250), HB_OK);
            assert_false(hb_journal_away(journal));
            kept = 250;
        }
    }
    hb_journal_close(journal);
    fail_at = 0;
    watch_syncs = false;
    stopped = false;
    if (end == LOSES_POWER)
        lose_power();
    assert_true(code != HB_OK || (key_is(KEY_B) && !has_file("key.new") && !has_file("key.next")));
    assert_true(key_is(new_key ? KEY_B : KEY_A) || stops);
    journal = reopen(NULL);
    int64_t seen = told.seen_ms[5];
    if (seen < kept || (seen != 100 && seen != 200 && seen != 250 && seen != 300))
        fail_msg("call %ld, ending %d, error %d: %lld, not %lld", n, (int)end, with, (long long)seen, (long long)kept);
    /* A journal that was being begun, and the one that is away. */
    assert_true(told.lines <= (stops ? 1u + away : 0u));
    if (hb_journal_wants_key(journal, &error) == 1)
        assert_int_equal(rekey(journal, 10, 400), HB_OK);
    /* What was begun came first; what is asked for is the same. */
    if (hb_journal_wants_key(journal, &error) == 1)
        assert_int_equal(rekey(journal, 10, 401), HB_OK);
    assert_true(key_is(KEY_B));
    assert_false(has_file("key.new") || has_file("key.next"));
    journal = reopen(journal);
    assert_true(told.seen_ms[5] >= seen);
    hb_journal_close(journal);
    /* Nothing is left of the old key but what could not be removed, and that goes with the next snapshot. */
    journal = reopen(NULL);
    assert_int_equal(snapshot(journal, 0, 10, 500), HB_OK);
    hb_journal_close(journal);
    assert_int_equal(not_under(KEY_B), 0);
    assert_int_equal(told.lines, 0);
    return failed;
}

static void test_rekey_failing(void **state)
{
    (void)state;
    static const int errors[] = {EIO, ENOSPC, EACCES};
    for (size_t e = 0; e < sizeof errors / sizeof errors[0]; e++) {
        for (int end = 0; end < ENDINGS; end++) {
            for (int away = 0; away < 2; away++) {
                long n = 0;
                do {
                    n++;
                    put_file("key", KEY_A);
                    put_file("key.new", KEY_B);
                } while (rekey_failing(n, (ending)end, errors[e], away) && (each(remove_file), true));
                assert_in_range(n, 20, 100); /* as many steps are there */
                each(remove_file);
            }
        }
    }
}

/* The least that is left after the power went, in a life without a new key. */
static void test_power(void **state)
{
    (void)state;
    bool failed = true;
    for (long n = 1; failed; n++) {
        int64_t kept[USERS] = {0};
        int64_t now[USERS] = {0};
        live(kept, now);
        all_synced();
        fail_with = EIO;
        fail_on = true;
        stopped = true;
        fail_at = n;
        live(kept, now);
        failed = fail_at <= 1;
        fail_at = 0;
        stopped = false;
        watch_syncs = false;
        lose_power();
        hb_journal *journal = reopen(NULL);
        for (int i = 0; i < USERS; i++) {
            if (told.seen_ms[i] < kept[i] || told.seen_ms[i] > now[i])
                fail_msg("call %ld: user %d is at %lld, not from %lld to %lld", n, i, (long long)told.seen_ms[i],
                         (long long)kept[i], (long long)now[i]);
        }
        hb_journal_close(journal);
        each(remove_file);
        assert_true(n < 1000);
    }
}

#define in_folder(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        in_folder(test_first_start),
        in_folder(test_found_again),
        in_folder(test_snapshot),
        in_folder(test_snapshot_not_begun),
        in_folder(test_drained),
        in_folder(test_many),
        in_folder(test_cut),
        in_folder(test_flipped),
        in_folder(test_torn),
        in_folder(test_damaged_snapshot),
        in_folder(test_refused),
        in_folder(test_failing),
        in_folder(test_listing_breaks),
        in_folder(test_names_like_ours),
        in_folder(test_last_generation),
        in_folder(test_moved_away),
        in_folder(test_refused_as_it_was),
        in_folder(test_damaged_again),
        in_folder(test_damaged_for_ever),
        in_folder(test_damaged_snapshot_again),
        cmocka_unit_test(test_key),
        in_folder(test_strange_records),
        in_folder(test_parts),
        in_folder(test_strange_parts),
        in_folder(test_rekey),
        in_folder(test_rekey_refused),
        in_folder(test_rekey_alone),
        in_folder(test_rekey_failing),
        in_folder(test_rekey_meanwhile),
        in_folder(test_power),
    };
    return cmocka_run_group_tests_name("journal", tests, NULL, NULL);
}
