/*
 * The files of a folder: an error is told as it is, and nothing that a signal interrupts is one.
 *
 * The linker puts the __wrap_ functions in the place of the system's calls. platform.c is compiled in, with the call
 * that macOS has and Linux has not.
 */
#define _DEFAULT_SOURCE /* flock, madvise, mkdtemp */
#include "support.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#ifndef F_FULLFSYNC
#define F_FULLFSYNC 51
#endif
#undef _DEFAULT_SOURCE
#include "platform.c" /* NOLINT(bugprone-suspicious-include) */

int __real_openat(int folder, const char *path, int flags, ...);
int __real_flock(int fd, int how);
int __real_ftruncate(int fd, off_t length);
int __real_fcntl(int fd, int what, ...);
int __real_fchmodat(int folder, const char *path, mode_t mode, int flags);
struct dirent *__real_readdir(DIR *files);
int __wrap_openat(int folder, const char *path, int flags, ...);
int __wrap_flock(int fd, int how);
int __wrap_ftruncate(int fd, off_t length);
int __wrap_fchmodat(int folder, const char *path, mode_t mode, int flags);
int __wrap_fcntl(int fd, int what, ...);
int __wrap_fsync(int fd);
struct dirent *__wrap_readdir(DIR *files);

typedef enum call { OPENAT, FLOCK, FTRUNCATE, FCHMODAT, FULLFSYNC, FSYNC, READDIR, CALLS } call;

/* How often each is called, how often it is interrupted first, and what it fails with then; 0: it does not. */
static int calls[CALLS];
static int interrupted[CALLS];
static int broken[CALLS];

static bool fails(call c)
{
    calls[c]++;
    if (interrupted[c]) {
        interrupted[c]--;
        errno = EINTR;
        return true;
    }
    if (broken[c])
        errno = broken[c];
    return broken[c];
}

int __wrap_openat(int folder, const char *path, int flags, ...)
{
    return fails(OPENAT) ? -1 : __real_openat(folder, path, flags, 0600);
}

int __wrap_flock(int fd, int how)
{
    return fails(FLOCK) ? -1 : __real_flock(fd, how);
}

int __wrap_ftruncate(int fd, off_t length)
{
    return fails(FTRUNCATE) ? -1 : __real_ftruncate(fd, length);
}

int __wrap_fchmodat(int folder, const char *path, mode_t mode, int flags)
{
    return fails(FCHMODAT) ? -1 : __real_fchmodat(folder, path, mode, flags);
}

int __wrap_fcntl(int fd, int what, ...)
{
    if (what == F_FULLFSYNC)
        return fails(FULLFSYNC) ? -1 : 0;
    /* What counts the lines that were run locks its files. */
    va_list more;
    va_start(more, what);
    void *lock = va_arg(more, void *);
    va_end(more);
    return __real_fcntl(fd, what, lock);
}

int __wrap_fsync(int fd)
{
    assert_true(fd >= 0);
    return fails(FSYNC) ? -1 : 0;
}

/* At its end, which is no error, errno is left alone. */
struct dirent *__wrap_readdir(DIR *files)
{
    if (broken[READDIR] && calls[READDIR] < 3) {
        calls[READDIR]++;
        return __real_readdir(files);
    }
    return fails(READDIR) ? NULL : __real_readdir(files);
}

static char path[FOLDER_PATH];
static hb_folder *folder;

static void reset(void)
{
    memset(calls, 0, sizeof calls);
    memset(interrupted, 0, sizeof interrupted);
    memset(broken, 0, sizeof broken);
}

static int set_up(void **state)
{
    (void)state;
    reset();
    folder_new(path);
    return hb_folder_open(path, &folder);
}

static int tear_down(void **state)
{
    (void)state;
    reset();
    hb_folder_close(folder);
    folder_remove(path);
    return 0;
}

static void make(const char *name)
{
    int file;
    assert_int_equal(hb_file_open(folder, name, HB_OPEN_NEW, &file), 0);
    assert_int_equal(hb_file_write(file, "0123456789", 10, NULL), 0);
    hb_file_close(file);
}

static int count(void *to, const char *name)
{
    errno = ENOENT; /* a visitor's calls may fail */
    *(int *)to += name[0] != '.';
    return 0;
}

/* Whoever takes a part for all of it overlooks files. */
static void test_listing_breaks(void **state)
{
    (void)state;
    static const int errors[] = {EIO, ENOENT, EBADF};
    int names = 0;
    for (char name[] = "a"; name[0] < 'a' + 8; name[0]++)
        make(name);
    assert_int_equal(hb_folder_each(folder, count, &names), 0);
    assert_int_equal(names, 8);
    for (size_t i = 0; i < sizeof errors / sizeof errors[0]; i++) {
        reset();
        names = 0;
        broken[READDIR] = errors[i];
        assert_int_equal(hb_folder_each(folder, count, &names), errors[i]);
        assert_in_range(names, 1, 3);
    }
}

static void test_interrupted(void **state)
{
    (void)state;
    struct stat about;
    hb_folder *other = NULL;
    int file;
    make("one");
    assert_int_equal(fchmodat(folder->directory, "one", 0644, 0), 0);
    reset();
    for (int c = 0; c < CALLS; c++)
        interrupted[c] = c == READDIR ? 0 : 2;
    broken[FULLFSYNC] = ENOTSUP;
    assert_int_equal(hb_folder_open(path, &other), 0);
    assert_int_equal(calls[OPENAT], 3);
    assert_int_equal(hb_folder_lock(other), 0);
    assert_int_equal(calls[FLOCK], 3);
    interrupted[FLOCK] = 1;
    assert_int_equal(hb_folder_lock(folder), EWOULDBLOCK);
    hb_folder_close(other);
    interrupted[OPENAT] = 2;
    assert_int_equal(hb_file_open(folder, "one", HB_OPEN_WRITE, &file), 0);
    assert_int_equal(hb_file_cut(file, 4), 0);
    assert_int_equal(calls[FTRUNCATE], 3);
    assert_int_equal(calls[FULLFSYNC], 3);
    assert_int_equal(calls[FSYNC], 3);
    hb_file_close(file);
    assert_int_equal(hb_folder_secure(folder, "one"), 0);
    assert_int_equal(calls[FCHMODAT], 3);
    assert_int_equal(fstatat(folder->directory, "one", &about, 0), 0);
    assert_int_equal(about.st_mode & 0777, 0600);
    assert_int_equal(about.st_size, 4);
}

/* Where a file system has it, it is the word of the disk: what it says is not asked again of one that knows less. */
static void test_full_sync(void **state)
{
    (void)state;
    static const struct {
        int says;
        bool lacks; /* the file system has it not */
    } full[] = {{0, false},      {EIO, false},   {ENOSPC, false}, {EDQUOT, false},
                {ENOTSUP, true}, {EINVAL, true}, {ENOTTY, true}};
    for (size_t i = 0; i < sizeof full / sizeof full[0]; i++) {
        reset();
        broken[FULLFSYNC] = full[i].says;
        assert_int_equal(hb_folder_sync(folder), full[i].lacks ? 0 : full[i].says);
        assert_int_equal(calls[FSYNC], full[i].lacks);
        broken[FSYNC] = ENOSPC;
        assert_int_equal(hb_folder_sync(folder), full[i].lacks ? ENOSPC : full[i].says);
    }
}

/* What fails is told, and is tried once. */
static void test_broken(void **state)
{
    (void)state;
    hb_folder *other = NULL;
    int names = 0;
    int file;
    make("one");
    assert_int_equal(fchmodat(folder->directory, "one", 0644, 0), 0);
    assert_int_equal(hb_file_open(folder, "one", HB_OPEN_WRITE, &file), 0);
    reset();
    for (int c = 0; c < CALLS; c++)
        broken[c] = EIO;
    assert_int_equal(hb_folder_open(path, &other), EIO);
    assert_null(other);
    assert_int_equal(hb_folder_lock(folder), EIO);
    assert_int_equal(hb_folder_each(folder, count, &names), EIO);
    assert_int_equal(names, 0);
    assert_int_equal(calls[OPENAT], 3);
    assert_int_equal(hb_folder_secure(folder, "one"), EIO);
    assert_int_equal(calls[FCHMODAT], 1);
    assert_int_equal(hb_file_cut(file, 4), EIO);
    assert_int_equal(calls[FTRUNCATE], 1);
    broken[FTRUNCATE] = 0;
    assert_int_equal(hb_file_cut(file, 4), EIO);
    assert_int_equal(calls[FULLFSYNC], 1);
    hb_file_close(file);
    reset();
    broken[FLOCK] = ENOLCK;
    assert_int_equal(hb_folder_lock(folder), ENOLCK);
    assert_int_equal(calls[FLOCK], 1);
}

#define in_folder(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        in_folder(test_listing_breaks),
        in_folder(test_interrupted),
        in_folder(test_full_sync),
        in_folder(test_broken),
    };
    return cmocka_run_group_tests_name("platform", tests, NULL, NULL);
}
