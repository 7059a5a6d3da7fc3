/* replay FILE: plays a recording of the plugin on the core, and says whether it decides the same. */
#include <stdio.h>
#include <stdlib.h>

#include "replay.h"

#define MAX_PAGES 1024 /* four million sessions */

static char *read_all(const char *file, size_t *length)
{
    FILE *in = fopen(file, "rb");
    long size = -1;
    char *text = NULL;
    if (in && fseek(in, 0, SEEK_END) == 0) {
        size = ftell(in);
        rewind(in);
    }
    if (size >= 0) {
        text = malloc((size_t)size + 1);
    }
    if (text && fread(text, 1, (size_t)size, in) != (size_t)size) {
        free(text);
        text = NULL;
    }
    if (!text) {
        perror(file);
    }
    if (in) {
        (void)fclose(in);
    }
    *length = size > 0 ? (size_t)size : 0;
    return text;
}

int main(int argc, char **argv)
{
    size_t length = 0;
    char *text = argc == 2 ? read_all(argv[1], &length) : NULL;
    if (!text) {
        fprintf(stderr, "replay FILE\n");
        return 2;
    }
    replay_result r = replay_text(text, length, MAX_PAGES);
    free(text);
    if (r.end == REPLAY_SAME) {
        printf("ok replay: %zu events, %zu decisions and answers, all of them the same%s\n", r.events, r.decisions,
               r.cut ? "; the recording ended for lack of room" : "");
        return 0;
    }
    printf("%s:%zu: %s: %s\n", argv[1], r.line, r.end == REPLAY_DIFFERS ? "differs" : "broken", r.said);
    return 1;
}
