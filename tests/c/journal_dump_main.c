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

static int take(void *to, const hb_last *last)
{
    static const char *const reasons[] = {
#define X(name, value, text, meaning) text,
        HB_REASONS(X)
#undef X
    };
    json_t *line = json_pack("{s:s%}", "user", last->name, last->name_length);

    (void)to;
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
    return HB_OK;
}

static void say(void *to, const char *line)
{
    (void)to;
    (void)line;
}

int main(int argc, char **argv)
{
    static const char *const found_texts[] = {"whole", "damaged from here on",
                                              "written with another key, or its header is damaged",
                                              "written by a newer version", "no file of the plugin"};
    static const hb_journal_reader reader = {.take = take, .say = say};
    const char *slash = argc == 2 ? strrchr(argv[1], '/') : NULL;
    const char *base = slash ? slash + 1 : argc == 2 ? argv[1] : "";
    uint8_t key[HB_SEAL_KEY];
    char key_path[4096];
    hb_found found = HB_FOUND_WHOLE;
    size_t good = 0;
    size_t length = 0;
    uint64_t records = 0;

    if (argc != 2) {
        (void)fputs("usage: journal-dump FOLDER/snapshot-... or FOLDER/journal-..., the key lies beside it\n", stderr);
        return 2;
    }
    size_t folder = (size_t)(base - argv[1]);
    if (folder + sizeof "key" > sizeof key_path)
        return 2;
    memcpy(key_path, argv[1], folder);
    memcpy(key_path + folder, "key", sizeof "key");
    uint8_t *text = load(key_path, &length);
    if (hb_journal_key_parse((const char *)text, length, key) < 0) {
        (void)fprintf(stderr, "%s is not a key\n", key_path);
        free(text);
        return 2;
    }
    free(text);
    uint8_t *bytes = load(argv[1], &length);
    hb_file_kind kind = strstr(base, "snapshot") ? HB_FILE_SNAPSHOT : HB_FILE_JOURNAL;
    int code = hb_frames_read(bytes, length, kind, key, &reader, &found, &good, &records);
    free(bytes);
    (void)fprintf(stderr, "%s: %s; %zu of %zu bytes, %llu records\n", argv[1],
                  code < 0 ? hb_strerror(code) : found_texts[found], good, length, (unsigned long long)records);
    return code == HB_OK && found == HB_FOUND_WHOLE ? 0 : 1;
}
