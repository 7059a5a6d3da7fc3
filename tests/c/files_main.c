/*
 * files FOLDER: whether platform.h and the journal do on this system what they promise, in a folder that is there and
 * empty. files die FOLDER: keeps users, and dies without a word. files recover FOLDER: finds them.
 *
 * One program for every system that a library is built for, without a framework: it is run where none can be had (under
 * qemu-user, under Wine). On the machine that builds it tests/c has more.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backlog.h"
#include "heartbeat.h"
#include "journal.h"
#include "platform.h"

#define KEPT 1000
#define SIZE 70000u
#define SECOND_US 1000000
#define WALL_MS INT64_C(1700000000000)

static int failed;
static int passed;

static void check(bool right, const char *what)
{
    if (right)
        passed++;
    else
        failed++;
    printf("%s %s\n", right ? "ok" : "not ok", what);
}

#define PATH_SIZE 512

/* FOLDER/NAME; "" if that is too long. */
static void path_of(char out[PATH_SIZE], const char *folder, const char *name)
{
    size_t length = strlen(folder);
    size_t rest = strlen(name) + 1;

    out[0] = '\0';
    if (length + 1 + rest > PATH_SIZE)
        return;
    memcpy(out, folder, length);
    out[length] = '/';
    memcpy(out + length + 1, name, rest);
}

/* ---- Files. */

/* Every byte there is, the ends of lines of all systems among them. */
static void fill(uint8_t *bytes, size_t length)
{
    for (size_t i = 0; i < length; i++)
        bytes[i] = (uint8_t)(i * 7 + i / 256);
}

static bool write_file(hb_folder *folder, const char *name, hb_open how, const void *bytes, size_t length)
{
    uint64_t written = 0;
    int file;
    int why = hb_file_open(folder, name, how, &file);

    if (!why)
        why = hb_file_write(file, bytes, length, &written);
    if (!why)
        why = hb_file_sync(file);
    hb_file_close(file);
    return !why && written == length;
}

static bool holds(int file, const void *bytes, size_t length)
{
    uint8_t *found = NULL;
    size_t found_length = 0;
    bool same = hb_file_read(file, &found, &found_length) == 0 && found_length == length &&
                (!length || memcmp(found, bytes, length) == 0);

    free(found);
    return same;
}

static bool file_holds(hb_folder *folder, const char *name, const void *bytes, size_t length)
{
    int file;
    int why = hb_file_open(folder, name, HB_OPEN_READ, &file);
    bool same = !why && holds(file, bytes, length);

    hb_file_close(file);
    return same;
}

/* Whether its first bytes are these, when up to so many are asked for. */
static bool begins_with(hb_folder *folder, const char *name, size_t size, const void *bytes, size_t length)
{
    uint8_t head[64];
    size_t got = size + 1;
    int file;
    int why = hb_file_open(folder, name, HB_OPEN_READ, &file);

    if (!why)
        why = hb_file_head(file, head, size, &got);
    hb_file_close(file);
    return !why && got == length && memcmp(head, bytes, length) == 0;
}

static int opening(hb_folder *folder, const char *name, hb_open how)
{
    int file;
    int why = hb_file_open(folder, name, how, &file);

    if (why && file != HB_NO_FILE)
        return -1;
    hb_file_close(file);
    return why;
}

typedef struct seen {
    int names;
    int others;
} seen;

static int see(void *to, const char *name)
{
    seen *all = to;

    if (strcmp(name, "one") == 0 || strcmp(name, "two") == 0)
        all->names++;
    else if (strcmp(name, ".") != 0 && strcmp(name, "..") != 0)
        all->others++;
    return 0;
}

static int stop(void *to, const char *name)
{
    (void)to;
    (void)name;
    return -7;
}

static void test_folder(const char *path)
{
    hb_folder *folder = NULL;
    char missing[PATH_SIZE];
    char file[PATH_SIZE];

    path_of(missing, path, "missing");
    path_of(file, path, "one");
    check(hb_folder_make(path) == 0, "a folder is made, with letters of other scripts in its name");
    check(hb_folder_make(path) == 0, "and may be there already");
    check(hb_folder_open(missing, &folder) == ENOENT, "one that is not there can not be opened");
    check(hb_folder_open(path, &folder) == 0, "it is opened");
    check(write_file(folder, "one", HB_OPEN_NEW, "", 0), "an empty file is made");
    hb_folder *other = NULL;
    check(hb_folder_open(file, &other) == ENOTDIR, "a file is no folder");
    check(hb_folder_remove(folder, "one") == 0, "a file is removed");
    hb_folder_close(folder);
}

static void test_files(hb_folder *folder)
{
    static uint8_t bytes[SIZE];

    fill(bytes, sizeof bytes);
    check(opening(folder, "one", HB_OPEN_READ) == ENOENT, "what is not there can not be read");
    check(opening(folder, "one", HB_OPEN_WRITE) == ENOENT, "nor written to");
    check(write_file(folder, "one", HB_OPEN_NEW, bytes, sizeof bytes), "a new file is written and synced");
    check(opening(folder, "one", HB_OPEN_NEW) == EEXIST, "it is new only once");
    check(file_holds(folder, "one", bytes, sizeof bytes), "what is read is what was written, byte by byte");
    int file;
    check(hb_file_open(folder, "one", HB_OPEN_WRITE, &file) == 0 && hb_file_cut(file, 1000) == 0, "it is cut off");
    hb_file_close(file);
    check(file_holds(folder, "one", bytes, 1000), "and is shorter by that");
    check(write_file(folder, "one", HB_OPEN_REPLACE, bytes, 10) && file_holds(folder, "one", bytes, 10),
          "another one takes its place");
    check(begins_with(folder, "one", 4, bytes, 4), "its first bytes are read");
    check(begins_with(folder, "one", 64, bytes, 10), "as many as there are");
    check(hb_folder_secure(folder, "one") == 0, "it is made private");
    check(file_holds(folder, "one", bytes, 10), "which leaves us in");
    check(hb_folder_secure(folder, "two") == ENOENT, "what is not there is not");
    check(hb_folder_sync(folder) == 0, "the folder is synced");
}

static void test_names(hb_folder *folder)
{
    uint8_t first[10];
    int old;
    int gone;
    seen all = {0};

    fill(first, sizeof first);
    check(write_file(folder, "two", HB_OPEN_NEW, "two", 3), "a second file is written");
    check(hb_folder_each(folder, see, &all) == 0 && all.names == 2 && all.others == 0, "both are found");
    check(hb_folder_each(folder, stop, NULL) == -7, "who has seen enough is obeyed");
    check(hb_file_open(folder, "two", HB_OPEN_READ, &old) == 0 && hb_folder_rename(folder, "two", "one") == 0,
          "a file that is open takes another one's name");
    check(file_holds(folder, "one", "two", 3), "and its place");
    check(holds(old, "two", 3), "who had it open still reads it");
    hb_file_close(old);
    check(opening(folder, "two", HB_OPEN_READ) == ENOENT, "it has its old name no longer");
    check(hb_folder_rename(folder, "two", "three") == ENOENT, "what is not there is not renamed");
    check(write_file(folder, "two", HB_OPEN_NEW, first, sizeof first), "the old name is free");
    check(hb_file_open(folder, "one", HB_OPEN_READ, &old) == 0, "a file is held open");
#ifdef _WIN32
    check(hb_folder_rename(folder, "two", "one") == EACCES && file_holds(folder, "one", "two", 3) &&
              file_holds(folder, "two", first, sizeof first),
          "it is not replaced, and both are as they were");
#else
    check(hb_folder_rename(folder, "two", "one") == 0 && file_holds(folder, "one", first, sizeof first),
          "it is replaced");
#endif
    check(holds(old, "two", 3), "who had it open still reads the old one");
    hb_file_close(old);
    check(hb_file_open(folder, "one", HB_OPEN_READ, &gone) == 0 && hb_folder_remove(folder, "one") == 0,
          "a file that is open is removed");
    hb_file_close(gone);
    check(opening(folder, "one", HB_OPEN_READ) == ENOENT, "and is gone");
    check(hb_folder_remove(folder, "one") == ENOENT, "it can not be removed twice");
}

static void test_lock(const char *path)
{
    hb_folder *first = NULL;
    hb_folder *second = NULL;

    bool opened = hb_folder_open(path, &first) == 0 && hb_folder_open(path, &second) == 0;
    check(opened && hb_folder_lock(first) == 0, "a folder is locked");
    check(opened && hb_folder_lock(second) == EWOULDBLOCK, "by one at a time");
    hb_folder_close(first);
    hb_folder_close(second);
    check(hb_folder_open(path, &second) == 0 && hb_folder_lock(second) == 0, "whoever goes leaves it to the next");
    hb_folder_close(second);
}

static void test_rest(void)
{
    char words[128] = "";
    char *block = hb_block_new(1 << 21, true);

    check(block && (uintptr_t)block % 4096 == 0, "a large block of memory begins with a page");
    if (block) {
        memset(block, 1, 1 << 21);
        hb_block_free(block);
    }
    hb_block_free(NULL);
    hb_errno_text(ENOSPC, words, sizeof words);
    check(strlen(words) > 3, "an error has words");
}

/* ---- The journal. */

typedef struct heard {
    int users;
    int wrong;
    int lines;
} heard;

static int64_t seen_of(int user)
{
    return WALL_MS + user;
}

static void take_one(heard *h, const hb_last *last)
{
    char name[16] = "";

    if (last->name_length < sizeof name)
        memcpy(name, last->name, last->name_length);
    int user = (int)strtol(name[0] ? name + 1 : name, NULL, 10);
    bool right = name[0] == 'u' && last->seen_ms == seen_of(user) && last->status_length == 3 &&
                 memcmp(last->status, "bye", 3) == 0;
    h->users++;
    h->wrong += !right;
}

static int take(void *to, const hb_last *lasts, size_t count)
{
    for (size_t i = 0; i < count; i++)
        take_one(to, &lasts[i]);
    return HB_OK;
}

static void say(void *to, const char *line)
{
    ((heard *)to)->lines++;
    printf("  %s\n", line);
}

static hb_journal *open_journal(const char *path, heard *h)
{
    const uint64_t seed[2] = {5, 7};
    hb_backlog *backlog = hb_backlog_new(seed);
    const hb_journal_reader reader = {.backlog = backlog, .say = say, .to = h};
    hb_journal *journal = NULL;
    hb_error error = {0};

    memset(h, 0, sizeof *h);
    if (!backlog || hb_journal_open(path, NULL, &reader, &journal, &error) < 0)
        printf("  %s: %s\n", error.path, error.text);
    for (size_t part = 0; part < HB_JOURNAL_PARTS && journal; part++)
        (void)hb_backlog_take(backlog, part, take, h);
    hb_backlog_free(backlog);
    return journal;
}

static hb_last last_of(int user, char name[16])
{
    int length = snprintf(name, 16, "u%d", user);

    return (hb_last){.name = name,
                     .name_length = (size_t)length,
                     .why = HB_WHY_LOGOUT,
                     .seen_ms = seen_of(user),
                     .offline_ms = seen_of(user),
                     .status = "bye",
                     .status_length = 3};
}

static bool add_users(hb_journal *journal, int from, int to)
{
    char name[16];
    hb_error error;

    for (int user = from; user < to; user++) {
        hb_last last = last_of(user, name);
        if (hb_journal_add(journal, &last) < 0)
            return false;
    }
    return hb_journal_flush(journal, &error) == HB_OK;
}

static bool make_snapshot(hb_journal *journal, int users)
{
    char name[16];
    hb_error error;
    int code = hb_journal_snapshot_begin(journal, &error);

    for (int user = 0; user < users && code == HB_OK; user++) {
        hb_last last = last_of(user, name);
        code = hb_journal_keep(journal, &last, &error);
    }
    return code == HB_OK && hb_journal_snapshot_end(journal, &error) == HB_OK;
}

/* The name of the journal in a folder: there is one. */
static int find_journal(void *to, const char *name)
{
    if (strncmp(name, "journal-", 8) == 0 && strlen(name) < 64)
        memcpy(to, name, strlen(name) + 1);
    return 0;
}

/* Takes the last bytes of the newest journal away, as a machine does that loses its power. */
static bool tear(const char *path)
{
    hb_folder *folder = NULL;
    char name[64] = "";
    uint8_t *bytes = NULL;
    size_t length = 0;
    int file = HB_NO_FILE;

    bool done = hb_folder_open(path, &folder) == 0 && hb_folder_each(folder, find_journal, name) == 0 && name[0] &&
                hb_file_open(folder, name, HB_OPEN_READ, &file) == 0 && hb_file_read(file, &bytes, &length) == 0;
    hb_file_close(file);
    free(bytes);
    file = HB_NO_FILE;
    done = done && length > 5 && hb_file_open(folder, name, HB_OPEN_WRITE, &file) == 0 &&
           hb_file_cut(file, length - 5) == 0;
    hb_file_close(file);
    hb_folder_close(folder);
    return done;
}

static void test_journal(const char *path)
{
    heard h;
    heard none;
    hb_journal *journal = open_journal(path, &h);

    check(journal && h.users == 0 && h.lines == 0, "a journal begins");
    check(!open_journal(path, &none), "it is kept by one at a time");
    check(journal && add_users(journal, 0, KEPT), "users are written");
    hb_journal_close(journal);
    journal = open_journal(path, &h);
    check(journal && h.users == KEPT && !h.wrong && !h.lines, "and found again");
    check(journal && make_snapshot(journal, KEPT), "a snapshot takes the place of the journal");
    check(journal && add_users(journal, KEPT, KEPT + 10), "and it goes on");
    check(journal && add_users(journal, KEPT + 10, KEPT + 20), "and on");
    hb_journal_close(journal);
    check(tear(path), "its last bytes are lost");
    journal = open_journal(path, &h);
    check(journal && h.users == KEPT + 10 && !h.wrong && h.lines == 1, "what is whole is found, and the rest said");
    hb_journal_close(journal);
}

/* ---- The core. */

static int64_t last_seen(hb_core *core, const char *user)
{
    hb_activity activity;

    return hb_core_last_activity(core, user, strlen(user), &activity) == 1 ? activity.seen_ms : 0;
}

static void test_core(const char *path)
{
    static uint32_t cells[HB_PAGE_CELLS];
    const char jid[] = "juliet@capulet.example/balcony";
    hb_core *core = NULL;
    hb_error error = {0};
    hb_action actions[16];
    hb_token token;
    uint32_t tick = 0;
    size_t count = 0;

    bool made = hb_core_new(NULL, 0, WALL_MS, &core) == HB_OK && hb_core_add_page(core, cells) == HB_OK &&
                hb_core_journal_open(core, path, NULL, NULL, NULL, &error) == HB_OK;
    check(made, "a core keeps its users there");
    bool in = made && hb_core_open(core, HB_TCP, 0, 0, 0, &token) == HB_OK &&
              hb_core_bound(core, token, jid, sizeof jid - 1, false) == HB_OK;
    for (int i = 1; in && i <= 5; i++)
        in = hb_core_advance(core, (int64_t)i * SECOND_US, WALL_MS + i * 1000, actions, 16, &count, &tick) == HB_OK;
    check(in && tick == 5, "time passes");
    if (in)
        cells[(uint32_t)token % HB_PAGE_CELLS] = tick;
    check(in && hb_core_journal_flush(core, NULL, NULL, &error) == HB_OK, "what it knows is written");
    check(in && hb_core_closed(core, token) == HB_OK, "a session ends");
    hb_core_free(core);
    core = NULL;
    made = hb_core_new(NULL, 0, WALL_MS + 60000, &core) == HB_OK &&
           hb_core_journal_open(core, path, NULL, NULL, NULL, &error) == HB_OK;
    check(made && last_seen(core, "juliet") == WALL_MS + 5000, "the next one knows when it was");
    check(made && last_seen(core, "romeo") == 0, "and nothing of others");
    hb_core_free(core);
}

static void test_all(const char *folder)
{
    char path[PATH_SIZE];
    hb_folder *files = NULL;

    path_of(path, folder, "Läufer-\xe6\x97\xa5\xe6\x9c\xac");
    test_folder(path);
    if (hb_folder_open(path, &files) == 0) {
        test_files(files);
        test_names(files);
        hb_folder_close(files);
    }
    test_lock(path);
    test_rest();
    path_of(path, folder, "journal");
    test_journal(path);
    path_of(path, folder, "core");
    test_core(path);
    hb_unload();
    check(true, "the library gives back what it holds");
}

int main(int argc, char **argv)
{
    char path[PATH_SIZE];
    heard h;

    if (argc == 2) {
        test_all(argv[1]);
    } else if (argc == 3 && strcmp(argv[1], "die") == 0) {
        path_of(path, argv[2], "dead");
        hb_journal *journal = open_journal(path, &h);
        check(journal && add_users(journal, 0, KEPT), "users are written, and the process dies");
        (void)fflush(stdout);
        _Exit(failed ? 1 : 0);
    } else if (argc == 3 && strcmp(argv[1], "recover") == 0) {
        path_of(path, argv[2], "dead");
        hb_journal *journal = open_journal(path, &h);
        check(journal && h.users == KEPT && !h.wrong && !h.lines, "a dead process's lock is free, its users are found");
        hb_journal_close(journal);
    } else {
        (void)fputs("files FOLDER, files die FOLDER, files recover FOLDER\n", stderr);
        return 2;
    }
    printf("%d passed, %d failed\n", passed, failed);
    return failed ? 1 : 0;
}
