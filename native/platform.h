/*
 * platform.h - what differs between systems: the files of a folder, large blocks of memory, errors in words.
 * platform.c is for POSIX, windows/platform.c for Windows. Threads are POSIX threads everywhere.
 *
 * A folder is held open, and its files are named without it: names have no separators. Files are private: only the
 * account that the server runs as can read them (mode 0600; on Windows a protected list of who may, with the owner, the
 * system and its administrators in it). No file is inherited by a process that is started.
 *
 * Memory   A folder until hb_folder_close, a file until hb_file_close, a block until hb_block_free.
 * Threads  One at a time per folder and per file.
 * Errors   0, or a value of errno. Nothing that a signal interrupts is an error.
 */
#ifndef HB_PLATFORM_H
#define HB_PLATFORM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct hb_folder hb_folder;

/* Makes a folder that only we can use, unless there is one. path: UTF-8. */
int hb_folder_make(const char *path);
int hb_folder_open(const char *path, hb_folder **out);
/* NULL is allowed. The lock goes with it. */
void hb_folder_close(hb_folder *folder);

/* Holds the file `lock`, so that no other process does. EWOULDBLOCK: one has it. */
int hb_folder_lock(hb_folder *folder);

/* What was made, renamed and removed is on disk when it returns 0. */
int hb_folder_sync(hb_folder *folder);

/* Calls for each name until one answers with less than 0: that is returned. */
int hb_folder_each(hb_folder *folder, int (*visit)(void *to, const char *name), void *to);

/* Replaces a file of that name. Either may be open, but on Windows not the one that is replaced. */
int hb_folder_rename(hb_folder *folder, const char *from, const char *to);
int hb_folder_remove(hb_folder *folder, const char *name);

/* Sees to it that only we can read a file. ENOENT: there is none. */
int hb_folder_secure(hb_folder *folder, const char *name);

typedef enum hb_open {
    HB_OPEN_READ,
    HB_OPEN_WRITE,   /* one that is there */
    HB_OPEN_NEW,     /* one that is not */
    HB_OPEN_REPLACE, /* an empty one, whether or not there is one */
} hb_open;

#define HB_NO_FILE (-1)

/* *out is HB_NO_FILE on failure. */
int hb_file_open(hb_folder *folder, const char *name, hb_open how, int *out);
/* HB_NO_FILE is allowed. */
void hb_file_close(int file);

/* All of it, or an error; *written (which may be NULL) grows by what was written in either case. */
int hb_file_write(int file, const void *bytes, size_t length, uint64_t *written);
/* On disk when it returns 0, and not only in the disk's own memory where the system can tell. */
int hb_file_sync(int file);
/* The whole file, to be freed with free. ENOMEM too. */
int hb_file_read(int file, uint8_t **bytes, size_t *length);
/* The first bytes of a file that was just opened: *length of them, size or all that there are. */
int hb_file_head(int file, uint8_t *bytes, size_t size, size_t *length);
/* Cuts it off there, on disk. */
int hb_file_cut(int file, uint64_t length);

/* A block of memory of size bytes, a power of two and many pages: page-aligned, and in fewer and larger pages if that
 * is wanted and the system has them. NULL: there is none. */
void *hb_block_new(size_t size, bool large_pages);
void hb_block_free(void *block);

/* Zeroed memory that goes back to the system as soon as it is freed, page-aligned. NULL: there is none. */
void *hb_memory_new(size_t size);
/* NULL is allowed. */
void hb_memory_free(void *memory, size_t size);

/* The words for a value of errno. */
void hb_errno_text(int why, char *out, size_t size);

#endif
