/*
 * plots.c - the data of the plots on disk: one file beside the journal, written anew as a whole, with a checksum. There
 * is nobody's name in it.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core.h"
#include "platform.h"

#define NAME "series"
#define NAME_NEW "series.new"
#define NAME_DAMAGED "series.damaged"

static int failed(hb_error *error, const char *path, const char *what, int why)
{
    char words[128];

    hb_errno_text(why, words, sizeof words);
    *error = (hb_error){0};
    snprintf(error->path, sizeof error->path, "%s", path);
    snprintf(error->text, sizeof error->text, "%s: %s", what, words);
    return HB_EJOURNAL;
}

static void take_file(hb_core *core, const uint8_t *bytes, size_t length, hb_folder *folder, hb_core_say *say, void *to)
{
    hb_core_lock(core);
    bool whole = hb_series_parse(core->series, bytes, length);
    hb_core_unlock(core);
    if (whole)
        return;
    int why = hb_folder_rename(folder, NAME, NAME_DAMAGED);
    if (say)
        say(to, why ? "the data of the plots (" NAME ") are damaged, and are left where they are; they begin anew"
                    : "the data of the plots (" NAME ") are damaged, and are kept as " NAME_DAMAGED
                      "; they begin anew");
}

int hb_core_series_open(hb_core *core, const char *path, hb_core_say *say, void *to, hb_error *error)
{
    hb_folder *folder = NULL;
    uint8_t *bytes = NULL;
    size_t length = 0;
    int file = HB_NO_FILE;
    int why = hb_folder_make(path);

    if (!why)
        why = hb_folder_open(path, &folder);
    if (why)
        return failed(error, path, "the folder can not be opened", why);
    why = hb_file_open(folder, NAME, HB_OPEN_READ, &file);
    if (!why)
        why = hb_file_read(file, &bytes, &length);
    if (!why)
        take_file(core, bytes, length, folder, say, to);
    free(bytes);
    hb_file_close(file);
    hb_folder_close(folder);
    return !why || why == ENOENT ? HB_OK : failed(error, path, NAME " can not be read", why);
}

static int write_file(hb_folder *folder, const uint8_t *bytes)
{
    int file = HB_NO_FILE;
    int why = hb_file_open(folder, NAME_NEW, HB_OPEN_REPLACE, &file);

    if (!why)
        why = hb_file_write(file, bytes, HB_SERIES_BYTES, NULL);
    if (!why)
        why = hb_file_sync(file);
    hb_file_close(file);
    if (!why)
        why = hb_folder_rename(folder, NAME_NEW, NAME);
    if (!why)
        return hb_folder_sync(folder);
    (void)hb_folder_remove(folder, NAME_NEW); /* a full disk's last bytes are the journal's */
    return why;
}

int hb_core_series_save(hb_core *core, const char *path, hb_error *error)
{
    hb_folder *folder = NULL;
    uint8_t *bytes = malloc(HB_SERIES_BYTES);

    if (!bytes)
        return HB_ENOMEM;
    hb_core_lock(core);
    hb_series_print(core->series, bytes);
    hb_core_unlock(core);
    int why = hb_folder_open(path, &folder);
    if (!why) {
        why = write_file(folder, bytes);
        hb_folder_close(folder);
    }
    free(bytes);
    return why ? failed(error, path, NAME " can not be written", why) : HB_OK;
}
