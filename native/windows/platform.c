/* platform.c for Windows. Files are descriptors of the C runtime over handles that others may rename and remove. */
#include "platform.h"

#include <errno.h>
#include <fcntl.h>
#include <io.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>

#include <windows.h>

#include <sddl.h>

/* Protected from what the folder above grants; full access for the owner, the system and its administrators. */
#define PRIVATE L"D:P(A;OICI;FA;;;OW)(A;OICI;FA;;;SY)(A;OICI;FA;;;BA)"
#define PATH_UNITS 1024
#define NAME_UNITS 128

struct hb_folder {
    HANDLE lock;
    wchar_t path[PATH_UNITS];
};

static int errno_of(DWORD error)
{
    switch (error) {
    case ERROR_SUCCESS:
        return 0;
    case ERROR_FILE_NOT_FOUND:
    case ERROR_PATH_NOT_FOUND:
    case ERROR_INVALID_NAME:
        return ENOENT;
    case ERROR_ACCESS_DENIED:
    case ERROR_SHARING_VIOLATION:
    case ERROR_WRITE_PROTECT:
        return EACCES;
    case ERROR_ALREADY_EXISTS:
    case ERROR_FILE_EXISTS:
        return EEXIST;
    case ERROR_DISK_FULL:
    case ERROR_HANDLE_DISK_FULL:
        return ENOSPC;
    case ERROR_NOT_ENOUGH_MEMORY:
    case ERROR_OUTOFMEMORY:
        return ENOMEM;
    default:
        return EIO;
    }
}

/* The path of a file in the folder, or of the folder. */
static int path_of(const hb_folder *folder, const char *name, wchar_t path[PATH_UNITS + NAME_UNITS])
{
    wchar_t wide[NAME_UNITS];

    if (!MultiByteToWideChar(CP_UTF8, MB_ERR_INVALID_CHARS, name, -1, wide, NAME_UNITS))
        return ENAMETOOLONG;
    int length = swprintf(path, PATH_UNITS + NAME_UNITS, L"%ls\\%ls", folder->path, wide);
    return length > 0 ? 0 : ENAMETOOLONG;
}

static int wide_path(const char *path, wchar_t wide[PATH_UNITS])
{
    return MultiByteToWideChar(CP_UTF8, MB_ERR_INVALID_CHARS, path, -1, wide, PATH_UNITS) ? 0 : ENAMETOOLONG;
}

/* To be freed with LocalFree. NULL: GetLastError. */
static PSECURITY_DESCRIPTOR private_access(void)
{
    PSECURITY_DESCRIPTOR access = NULL;

    return ConvertStringSecurityDescriptorToSecurityDescriptorW(PRIVATE, SDDL_REVISION_1, &access, NULL) ? access
                                                                                                         : NULL;
}

int hb_folder_make(const char *path)
{
    wchar_t wide[PATH_UNITS];
    int why = wide_path(path, wide);

    if (why)
        return why;
    SECURITY_ATTRIBUTES access = {.nLength = sizeof access, .lpSecurityDescriptor = private_access()};
    if (!access.lpSecurityDescriptor)
        return errno_of(GetLastError());
    DWORD error = CreateDirectoryW(wide, &access) ? ERROR_SUCCESS : GetLastError();
    LocalFree(access.lpSecurityDescriptor);
    return error == ERROR_ALREADY_EXISTS ? 0 : errno_of(error);
}

int hb_folder_open(const char *path, hb_folder **out)
{
    hb_folder *folder = calloc(1, sizeof *folder);

    if (!folder)
        return ENOMEM;
    folder->lock = INVALID_HANDLE_VALUE;
    int why = wide_path(path, folder->path);
    DWORD attributes = why ? 0 : GetFileAttributesW(folder->path);
    if (!why && attributes == INVALID_FILE_ATTRIBUTES)
        why = errno_of(GetLastError());
    else if (!why && !(attributes & FILE_ATTRIBUTE_DIRECTORY))
        why = ENOTDIR;
    if (why) {
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
    if (folder->lock != INVALID_HANDLE_VALUE)
        CloseHandle(folder->lock);
    free(folder);
}

int hb_folder_lock(hb_folder *folder)
{
    wchar_t path[PATH_UNITS + NAME_UNITS];
    int why = path_of(folder, "lock", path);

    if (why)
        return why;
    /* Shared with nobody: a second opening fails for as long as this one is there. */
    folder->lock = CreateFileW(path, GENERIC_READ | GENERIC_WRITE, 0, NULL, OPEN_ALWAYS, FILE_ATTRIBUTE_NORMAL, NULL);
    if (folder->lock != INVALID_HANDLE_VALUE)
        return 0;
    DWORD error = GetLastError();
    return error == ERROR_SHARING_VIOLATION ? EWOULDBLOCK : errno_of(error);
}

/* The file system writes its own journal; renames wait for it (MOVEFILE_WRITE_THROUGH). There is nothing to be called.
 */
int hb_folder_sync(hb_folder *folder)
{
    (void)folder;
    return 0;
}

int hb_folder_each(hb_folder *folder, int (*visit)(void *to, const char *name), void *to)
{
    wchar_t pattern[PATH_UNITS + NAME_UNITS];
    WIN32_FIND_DATAW found;
    char name[sizeof found.cFileName * 2];
    int answer = path_of(folder, "*", pattern);

    if (answer)
        return answer;
    HANDLE files = FindFirstFileW(pattern, &found);
    if (files == INVALID_HANDLE_VALUE)
        return errno_of(GetLastError());
    do {
        if (WideCharToMultiByte(CP_UTF8, 0, found.cFileName, -1, name, sizeof name, NULL, NULL))
            answer = visit(to, name);
    } while (answer >= 0 && FindNextFileW(files, &found));
    DWORD error = GetLastError(); /* of FindNextFileW, if that was called last */
    FindClose(files);
    if (answer < 0)
        return answer;
    return error == ERROR_NO_MORE_FILES ? 0 : errno_of(error);
}

int hb_folder_rename(hb_folder *folder, const char *from, const char *to)
{
    wchar_t before[PATH_UNITS + NAME_UNITS];
    wchar_t after[PATH_UNITS + NAME_UNITS];
    int why = path_of(folder, from, before);

    if (!why)
        why = path_of(folder, to, after);
    if (why)
        return why;
    return MoveFileExW(before, after, MOVEFILE_REPLACE_EXISTING | MOVEFILE_WRITE_THROUGH) ? 0
                                                                                          : errno_of(GetLastError());
}

int hb_folder_remove(hb_folder *folder, const char *name)
{
    wchar_t path[PATH_UNITS + NAME_UNITS];
    int why = path_of(folder, name, path);

    if (why)
        return why;
    return DeleteFileW(path) ? 0 : errno_of(GetLastError());
}

int hb_folder_secure(hb_folder *folder, const char *name)
{
    wchar_t path[PATH_UNITS + NAME_UNITS];
    int why = path_of(folder, name, path);

    if (why)
        return why;
    if (GetFileAttributesW(path) == INVALID_FILE_ATTRIBUTES)
        return errno_of(GetLastError());
    PSECURITY_DESCRIPTOR access = private_access();
    if (!access)
        return errno_of(GetLastError());
    DWORD error = SetFileSecurityW(path, DACL_SECURITY_INFORMATION | PROTECTED_DACL_SECURITY_INFORMATION, access)
                      ? ERROR_SUCCESS
                      : GetLastError();
    LocalFree(access);
    return errno_of(error);
}

int hb_file_open(hb_folder *folder, const char *name, hb_open how, int *out)
{
    static const DWORD found[] = {[HB_OPEN_READ] = OPEN_EXISTING,
                                  [HB_OPEN_WRITE] = OPEN_EXISTING,
                                  [HB_OPEN_NEW] = CREATE_NEW,
                                  [HB_OPEN_REPLACE] = CREATE_ALWAYS};
    wchar_t path[PATH_UNITS + NAME_UNITS];
    int why = path_of(folder, name, path);

    *out = HB_NO_FILE;
    if (why)
        return why;
    SECURITY_ATTRIBUTES access = {.nLength = sizeof access, .lpSecurityDescriptor = private_access()};
    if (!access.lpSecurityDescriptor)
        return errno_of(GetLastError());
    HANDLE handle = CreateFileW(path, how == HB_OPEN_READ ? GENERIC_READ : GENERIC_WRITE,
                                FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE, &access, found[how],
                                FILE_ATTRIBUTE_NORMAL, NULL);
    why = handle == INVALID_HANDLE_VALUE ? errno_of(GetLastError()) : 0;
    LocalFree(access.lpSecurityDescriptor);
    if (why)
        return why;
    *out = _open_osfhandle((intptr_t)handle, how == HB_OPEN_READ ? _O_RDONLY : 0);
    if (*out >= 0)
        return 0;
    CloseHandle(handle);
    return EMFILE;
}

void hb_file_close(int file)
{
    if (file >= 0)
        (void)_close(file);
}

int hb_file_write(int file, const void *bytes, size_t length, uint64_t *written)
{
    const char *at = bytes;

    while (length) {
        int done = _write(file, at, length < INT_MAX ? (unsigned)length : INT_MAX);
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
    return _commit(file) == 0 ? 0 : errno;
}

int hb_file_head(int file, uint8_t *bytes, size_t size, size_t *length)
{
    *length = 0;
    while (*length < size) {
        size_t left = size - *length;
        int got = _read(file, bytes + *length, left < INT_MAX ? (unsigned)left : INT_MAX);
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
    int64_t size = _filelengthi64(file);

    if (size < 0)
        return errno;
    uint8_t *content = malloc(size ? (size_t)size : 1);
    if (!content)
        return ENOMEM;
    int why = hb_file_head(file, content, (size_t)size, length);
    if (why) {
        free(content);
        return why;
    }
    *bytes = content;
    return 0;
}

int hb_file_cut(int file, uint64_t length)
{
    int why = _chsize_s(file, (int64_t)length);

    return why ? why : hb_file_sync(file);
}

/* Large pages need a right that a server does not have. */
void *hb_block_new(size_t size, bool large_pages)
{
    (void)large_pages;
    return VirtualAlloc(NULL, size, MEM_RESERVE | MEM_COMMIT, PAGE_READWRITE);
}

void hb_block_free(void *block)
{
    if (block)
        VirtualFree(block, 0, MEM_RELEASE);
}

void *hb_memory_new(size_t size)
{
    return VirtualAlloc(NULL, size, MEM_RESERVE | MEM_COMMIT, PAGE_READWRITE);
}

void hb_memory_free(void *memory, size_t size)
{
    (void)size;
    if (memory)
        VirtualFree(memory, 0, MEM_RELEASE);
}

void hb_errno_text(int why, char *out, size_t size)
{
    if (strerror_s(out, size, why) != 0)
        snprintf(out, size, "error %d", why);
}
