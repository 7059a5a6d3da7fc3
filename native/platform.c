#define _DEFAULT_SOURCE /* flock, madvise */
#ifdef __APPLE__
#define _DARWIN_C_SOURCE /* flock, F_FULLFSYNC, O_CLOEXEC */
#endif

#include "platform.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define LARGE_PAGE ((size_t)2 * 1024 * 1024)

struct hb_folder {
    int directory;
    int lock;
};

static int open_at(int directory, const char *name, int flags)
{
    int file;

    do
        file = openat(directory, name, flags | O_CLOEXEC, 0600);
    while (file < 0 && errno == EINTR);
    return file;
}

int hb_folder_make(const char *path)
{
    return mkdir(path, 0700) == 0 || errno == EEXIST ? 0 : errno;
}

int hb_folder_open(const char *path, hb_folder **out)
{
    hb_folder *folder = malloc(sizeof *folder);

    if (!folder)
        return ENOMEM;
    folder->lock = HB_NO_FILE;
    folder->directory = open_at(AT_FDCWD, path, O_RDONLY | O_DIRECTORY);
    if (folder->directory < 0) {
        int why = errno;
        free(folder);
        return why;
    }
    *out = folder;
    return 0;
}

void hb_folder_close(hb_folder *folder)
{
    if (!folder)
        return;
    hb_file_close(folder->lock);
    (void)close(folder->directory);
    free(folder);
}

int hb_folder_lock(hb_folder *folder)
{
    int locked;

    folder->lock = open_at(folder->directory, "lock", O_RDWR | O_CREAT);
    if (folder->lock < 0)
        return errno;
    do
        locked = flock(folder->lock, LOCK_EX | LOCK_NB);
    while (locked != 0 && errno == EINTR);
    return locked == 0 ? 0 : errno;
}

int hb_folder_sync(hb_folder *folder)
{
    return hb_file_sync(folder->directory);
}

int hb_folder_each(hb_folder *folder, int (*visit)(void *to, const char *name), void *to)
{
    int fd = open_at(folder->directory, ".", O_RDONLY | O_DIRECTORY);
    DIR *files = fd >= 0 ? fdopendir(fd) : NULL;
    const struct dirent *entry = NULL;
    int answer = 0;
    int why = 0;

    if (!files) {
        why = errno;
        hb_file_close(fd);
        return why;
    }
    do {
        errno = 0;              /* what tells an error from the end */
        entry = readdir(files); /* No other thread reads this one. NOLINT(concurrency-mt-unsafe) */
        if (entry)
            answer = visit(to, entry->d_name);
        else
            why = errno;
    } while (entry && answer >= 0);
    (void)closedir(files);
    return answer < 0 ? answer : why;
}

int hb_folder_rename(hb_folder *folder, const char *from, const char *to)
{
    return renameat(folder->directory, from, folder->directory, to) == 0 ? 0 : errno;
}

int hb_folder_remove(hb_folder *folder, const char *name)
{
    return unlinkat(folder->directory, name, 0) == 0 ? 0 : errno;
}

int hb_folder_secure(hb_folder *folder, const char *name)
{
    struct stat about;
    int changed = 0;

    if (fstatat(folder->directory, name, &about, 0) != 0)
        return errno;
    if (about.st_mode & 077) {
        do
            changed = fchmodat(folder->directory, name, 0600, 0);
        while (changed != 0 && errno == EINTR);
    }
    return changed == 0 ? 0 : errno;
}

int hb_file_open(hb_folder *folder, const char *name, hb_open how, int *out)
{
    static const int flags[] = {
        [HB_OPEN_READ] = O_RDONLY,
        [HB_OPEN_WRITE] = O_WRONLY,
        [HB_OPEN_NEW] = O_WRONLY | O_CREAT | O_EXCL,
        [HB_OPEN_REPLACE] = O_WRONLY | O_CREAT | O_TRUNC,
    };

    *out = open_at(folder->directory, name, flags[how]);
    return *out < 0 ? errno : 0;
}

void hb_file_close(int file)
{
    if (file >= 0)
        (void)close(file);
}

int hb_file_write(int file, const void *bytes, size_t length, uint64_t *written)
{
    const char *at = bytes;

    while (length) {
        ssize_t done = write(file, at, length);
        if (done < 0 && errno == EINTR)
            continue;
        if (done <= 0)
            return done < 0 ? errno : EIO;
        at += done;
        length -= (size_t)done;
        if (written)
            *written += (uint64_t)done;
    }
    return 0;
}

int hb_file_sync(int file)
{
    int done;

#ifdef F_FULLFSYNC
    /* There fsync stops at the disk's own memory. Not every file system knows this one; any other error is one. */
    do
        done = fcntl(file, F_FULLFSYNC);
    while (done < 0 && errno == EINTR);
    if (done >= 0)
        return 0;
    if (errno != ENOTSUP && errno != EINVAL && errno != ENOTTY)
        return errno;
#endif
    do
        done = fsync(file);
    while (done != 0 && errno == EINTR);
    return done == 0 ? 0 : errno;
}

/* Much of it comes in fewer and larger pages. */
static uint8_t *room_for(size_t size)
{
#ifdef MADV_HUGEPAGE
    if (size >= LARGE_PAGE) {
        size_t whole = (size + LARGE_PAGE - 1) / LARGE_PAGE * LARGE_PAGE;
        void *large = whole >= size ? aligned_alloc(LARGE_PAGE, whole) : NULL;
        if (large)
            (void)madvise(large, whole, MADV_HUGEPAGE);
        return large;
    }
#endif
    return malloc(size ? size : 1);
}

int hb_file_head(int file, uint8_t *bytes, size_t size, size_t *length)
{
    *length = 0;
    while (*length < size) {
        ssize_t got = read(file, bytes + *length, size - *length);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return errno;
        if (!got)
            break;
        *length += (size_t)got;
    }
    return 0;
}

int hb_file_read(int file, uint8_t **bytes, size_t *length)
{
    struct stat about;

    if (fstat(file, &about) != 0)
        return errno;
    size_t size = (size_t)about.st_size;
    uint8_t *content = room_for(size);
    if (!content)
        return ENOMEM;
    int why = hb_file_head(file, content, size, length);
    if (why) {
        free(content);
        return why;
    }
    *bytes = content;
    return 0;
}

int hb_file_cut(int file, uint64_t length)
{
    int cut;

    do
        cut = ftruncate(file, (off_t)length);
    while (cut != 0 && errno == EINTR);
    return cut == 0 ? hb_file_sync(file) : errno;
}

void *hb_block_new(size_t size, bool large_pages)
{
    void *block = aligned_alloc(size, size);

#ifdef MADV_HUGEPAGE
    if (block && large_pages)
        (void)madvise(block, size, MADV_HUGEPAGE);
#else
    (void)large_pages;
#endif
    return block;
}

void hb_block_free(void *block)
{
    free(block);
}

void *hb_memory_new(size_t size)
{
    void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    return memory == MAP_FAILED ? NULL : memory;
}

void hb_memory_free(void *memory, size_t size)
{
    if (memory)
        (void)munmap(memory, size);
}

void hb_errno_text(int why, char *out, size_t size)
{
    if (strerror_r(why, out, size) != 0)
        snprintf(out, size, "error %d", why);
}
