/* shrink.c - of a tape that breaks a rule, the events that it takes, found by leaving out ever smaller parts. */
#include "simulate.h"

#include <stdlib.h>
#include <string.h>

int tape_play(const tape *t, int64_t origin_us, uint64_t seed, FILE *out, const char **rule, const char **what)
{
    world *volatile w = world_new(origin_us, seed);
    volatile int line = 0;
    w->out = out;
    if (setjmp(w->broken) == 0) {
        for (size_t i = 0; i < t->count; i++) {
            world_do(w, &t->events[i]);
            w->action_count = 0;
        }
        world_end(w);
    } else {
        line = w->line;
        *rule = w->rule;
        *what = w->what;
        world_quiet(w); /* what had to come by now, and did not */
    }
    world_free(w);
    return line;
}

/* Breaks without the events [from, to) what it broke with them? Then they are gone. */
static bool leave_out(tape *t, size_t from, size_t to, int64_t origin_us, uint64_t seed, int line)
{
    const char *rule = NULL;
    const char *what = NULL;
    tape less = {.events = malloc((t->count + 1) * sizeof *t->events), .count = t->count - (to - from)};
    assert_non_null(less.events);
    memcpy(less.events, t->events, from * sizeof *t->events);
    memcpy(less.events + from, t->events + to, (t->count - to) * sizeof *t->events);
    bool same = tape_play(&less, origin_us, seed, NULL, &rule, &what) == line;
    if (same) {
        memcpy(t->events, less.events, less.count * sizeof *t->events);
        t->count = less.count;
    }
    free(less.events);
    return same;
}

/* A story that begins at once is easier to read. */
static void begin_at_once(tape *t, int64_t origin_us, uint64_t seed, int line)
{
    const char *rule = NULL;
    const char *what = NULL;
    int64_t by_ms = t->count ? t->events[0].at_ms / 1000 * 1000 : 0;
    for (size_t i = 0; i < t->count; i++) {
        t->events[i].at_ms -= by_ms;
    }
    if (tape_play(t, origin_us, seed, NULL, &rule, &what) == line) {
        return;
    }
    for (size_t i = 0; i < t->count; i++) {
        t->events[i].at_ms += by_ms;
    }
}

uint64_t tape_shrink(tape *t, int64_t origin_us, uint64_t seed)
{
    const char *rule = NULL;
    const char *what = NULL;
    int line = tape_play(t, origin_us, seed, NULL, &rule, &what);
    if (tape_play(t, origin_us, 0, NULL, &rule, &what) == line) {
        seed = 0;
    }
    size_t part = t->count / 2;
    while (line && part > 0) {
        bool shorter = false;
        for (size_t to = t->count; to > 0;) {
            size_t from = to > part ? to - part : 0;
            shorter |= leave_out(t, from, to, origin_us, seed, line);
            to = from;
        }
        part = part > 1 || !shorter ? part / 2 : part;
    }
    begin_at_once(t, origin_us, seed, line);
    return seed;
}
