/* journal-dump: prints a snapshot or a journal as JSON lines (docs/journal.md). Nothing is changed. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "frames.h"

static uint8_t *load(const char *path, size_t *length)
{
    FILE *file = fopen(path, "rb");
    size_t room = 1 << 16;
    uint8_t *bytes = file ? malloc(room) : NULL;

    *length = 0;
    while (bytes && !feof(file) && !ferror(file)) {
        if (*length == room) {
            uint8_t *more = realloc(bytes, room * 2);
            if (!more)
                break;
            bytes = more;
            room *= 2;
        }
        *length += fread(bytes + *length, 1, room - *length, file);
    }
    if (!bytes || ferror(file)) {
        perror(path);
        exit(2);
    }
    (void)fclose(file);
    return bytes;
}

static void print(const hb_last *last)
{
    static const char *const reasons[] = {
#define X(name, value, text, meaning) text,
        HB_REASONS(X)
#undef X
    };
    json_t *line = json_pack("{s:s%}", "user", last->name, last->name_length);

    if (last->forgotten) {
        (void)json_object_set_new(line, "forgotten", json_true());
    } else {
        size_t why = (size_t)last->why;
        (void)json_object_set_new(line, "seen_ms", json_integer(last->seen_ms));
        (void)json_object_set_new(line, "offline_ms", json_integer(last->offline_ms));
        (void)json_object_set_new(line, "why", json_string(why < HB_WHY_COUNT ? reasons[why] : "unknown"));
        if (last->status)
            (void)json_object_set_new(line, "status", json_stringn(last->status, last->status_length));
    }
    (void)json_dumpf(line, stdout, JSON_COMPACT);
    (void)putchar('\n');
    json_decref(line);
}

static void print_all(const uint8_t *bytes, size_t good)
{
    hb_frames_cursor c = hb_frames_all(bytes, good);
    hb_last last;

    while (hb_frames_next(&c, &last))
        print(&last);
}

/* The key in the file of this name beside the one that is to be printed. It may be missing if that is allowed. */
static bool load_key(const char *path, const char *base, const char *name, bool optional, uint8_t key[HB_SEAL_KEY])
{
    char key_path[4096];
    size_t folder = (size_t)(base - path);
    size_t length = 0;

    if (folder + strlen(name) >= sizeof key_path)
        return false;
    memcpy(key_path, path, folder);
    memcpy(key_path + folder, name, strlen(name) + 1);
    FILE *there = optional ? fopen(key_path, "rb") : NULL;
    if (optional && !there)
        return false;
    if (there)
        (void)fclose(there);
    uint8_t *text = load(key_path, &length);
    bool is_key = hb_journal_key_parse((const char *)text, length, key) == HB_OK;
    free(text);
    if (!is_key && !optional)
        (void)fprintf(stderr, "%s is not a key\n", key_path);
    return is_key;
}

int main(int argc, char **argv)
{
    static const char *const found_texts[] = {"whole", "damaged from here on",
                                              "written with another key, or its header is damaged",
                                              "written by a newer version", "no file of the plugin"};
    const char *slash = argc == 2 ? strrchr(argv[1], '/') : NULL;
    const char *base = slash ? slash + 1 : argc == 2 ? argv[1] : "";
    uint8_t key[HB_SEAL_KEY];
    hb_found found = HB_FOUND_WHOLE;
    size_t good = 0;
    size_t length = 0;
    uint64_t records = 0;

    if (argc != 2) {
        (void)fputs("usage: journal-dump FOLDER/snapshot-... or FOLDER/journal-..., the key lies beside it\n", stderr);
        return 2;
    }
    if (!load_key(argv[1], base, "key", false, key))
        return 2;
    uint8_t *bytes = load(argv[1], &length);
    hb_file_kind kind = strstr(base, "snapshot") ? HB_FILE_SNAPSHOT : HB_FILE_JOURNAL;
    int code = hb_frames_read(bytes, length, kind, key, NULL, &found, &good, &records);
    /* A change of the key may not have come to its end. */
    if (code == HB_OK && found == HB_FOUND_OTHER_KEY && load_key(argv[1], base, "key.next", true, key))
        code = hb_frames_read(bytes, length, kind, key, NULL, &found, &good, &records);
    if (code == HB_OK && hb_frames_count(found, kind))
        print_all(bytes, good);
    free(bytes);
    (void)fprintf(stderr, "%s: %s; %zu of %zu bytes, %llu records\n", argv[1],
                  code < 0 ? hb_strerror(code) : found_texts[found], good, length, (unsigned long long)records);
    return code == HB_OK && found == HB_FOUND_WHOLE ? 0 : 1;
}
