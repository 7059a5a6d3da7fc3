/* Any bytes as a recording: it plays, differs or is broken, and says which; never anything worse. */
#include "fuzz.h"

#include <string.h>

#include "replay.h"

#define MAX_PAGES 2

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char head[] = "heartbeat-recording 1\n";
    static char text[sizeof head + 65536];
    size = size < 65536 ? size : 65536;
    /* The first line is given: without it nothing is played. */
    memcpy(text, head, sizeof head - 1);
    if (size > 0) {
        memcpy(text + sizeof head - 1, data, size);
    }
    replay_result r = replay_text(text, sizeof head - 1 + size, MAX_PAGES);
    must(r.end == REPLAY_SAME || strlen(r.said) > 0);
    must(r.end != REPLAY_SAME || strlen(r.said) == 0);
    return 0;
}
