/*
 * main.c - simulate EVENTS SEED [FILE]: runs story after story, from SEED on, until so many events were carried out.
 * The first that breaks a rule ends it: the seed, and a transcript of the events that it takes, also written to FILE.
 */
#include "simulate.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define TICKS 400
#define RECORDED 8 /* every eighth story is recorded, and replayed */

static int64_t origin_of(uint64_t seed)
{
    return (seed % 2 ? INT64_C(1000) : INT64_C(9000000)) * 1000000;
}

#define TRANSCRIPT_SESSIONS 128 /* of tests/c/test_transcripts.c */

static void write_transcript(const tape *t, uint64_t seed, uint64_t as, FILE *out)
{
    const char *rule = "nothing";
    const char *what = "it does not happen again";
    size_t opened = 0;
    for (size_t i = 0; i < t->count; i++) {
        opened += t->events[i].kind == SIM_OPEN;
    }
    fprintf(out, "# Seed %" PRIu64 ". The answers are the core's; the last of them, or the lack of one, is wrong.\n",
            seed);
    if (as) {
        fprintf(out, "# no transcript: it takes action buffers that are too small for what is due\n");
    } else if (seed % RECORDED == 0 && !tape_play(t, origin_of(seed), as, NULL, &rule, &what)) {
        fprintf(out, "# no transcript: it takes a recording that is under way\n");
    } else if (opened > TRANSCRIPT_SESSIONS) {
        fprintf(out, "# no transcript: it takes %zu sessions\n", opened);
    }
    fputc('\n', out);
    (void)tape_play(t, origin_of(seed), as, out, &rule, &what);
    fprintf(out, "# %s is broken: %s\n", rule, what);
}

static int report(tape *t, uint64_t seed, const char *file)
{
    uint64_t as = tape_shrink(t, origin_of(seed), seed);
    write_transcript(t, seed, as, stdout);
    if (file) {
        FILE *out = fopen(file, "w");
        if (!out) {
            perror(file);
            return 1;
        }
        write_transcript(t, seed, as, out);
        fclose(out);
    }
    return 1;
}

typedef enum story_end { HELD, BROKEN, NOT_REPLAYED } story_end;

static story_end run_seed(uint64_t seed, tape *t)
{
    world *volatile w = world_new(origin_of(seed), seed);
    volatile story_end held = HELD;
    if (seed % RECORDED == 0) {
        world_record(w, (uint32_t)(seed / RECORDED % TICKS));
    }
    if (setjmp(w->broken) == 0) {
        fleet_run(w, seed, TICKS, t);
        world_end(w);
        held = world_replays(w, seed) ? HELD : NOT_REPLAYED;
    } else {
        printf("not ok simulate: %s: %s (SEED=%" PRIu64 ", after %zu events)\n", w->rule, w->what, seed, t->count);
        held = BROKEN;
    }
    world_free(w);
    return held;
}

int main(int argc, char **argv)
{
    if (argc < 3) {
        fprintf(stderr, "simulate EVENTS SEED [FILE]\n");
        return 2;
    }
    uint64_t wanted = strtoull(argv[1], NULL, 10);
    uint64_t seed = strtoull(argv[2], NULL, 10);
    seed = seed ? seed : 1;
    uint64_t first = seed;
    uint64_t done = 0;
    struct timespec begin;
    struct timespec end;
    tape t = {0};
    clock_gettime(CLOCK_MONOTONIC, &begin);
    for (; done < wanted; seed++) {
        story_end held = run_seed(seed, &t);
        if (held != HELD) {
            int code = held == BROKEN ? report(&t, seed, argc > 3 ? argv[3] : NULL) : 1;
            free(t.events);
            return code;
        }
        done += t.count;
    }
    clock_gettime(CLOCK_MONOTONIC, &end);
    double took = (double)(end.tv_sec - begin.tv_sec) + (double)(end.tv_nsec - begin.tv_nsec) / 1e9;
    printf("ok simulate: %" PRIu64 " events, %.0f a second, seeds %" PRIu64 " to %" PRIu64
           ": alive-stays, dead-goes, told-once, sleep-kills-none, seen-is-true, stale-is-inert, bounded hold; "
           "recordings replay\n",
           done, (double)done / took, first, seed - 1);
    free(t.events);
    return 0;
}
