/*
 * replay.h - plays a recording (tests/recordings/README.md) on a core of its own, and compares what it decides.
 *
 * Errors   The first difference, or the first line that is none, ends it.
 * Threads  None.
 */
#ifndef HEARTBEAT_TESTS_REPLAY_H
#define HEARTBEAT_TESTS_REPLAY_H

#include <stdbool.h>
#include <stddef.h>

typedef enum replay_end {
    REPLAY_SAME,
    REPLAY_DIFFERS, /* the core did something else */
    REPLAY_BROKEN,  /* this is no recording */
} replay_end;

typedef struct replay_result {
    replay_end end;
    size_t line;      /* at which it ended */
    size_t events;    /* ticks among them */
    size_t decisions; /* actions, orders and answers that were compared */
    bool cut;         /* the recording says that it lacks its end */
    char said[200];   /* what is wrong: recorded, and replayed */
} replay_result;

/* max_pages: a recording of more sessions is refused. */
replay_result replay_text(const char *text, size_t length, size_t max_pages);

#endif
