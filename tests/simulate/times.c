/* times.c - what must hold of clocks and of last activity. */
#include "simulate.h"

#include <stdlib.h>
#include <string.h>

#define WALL_NOISE_MS 250      /* by which the clocks may differ before it is a jump */
#define SEEN_TOLERANCE_MS 1500 /* a tick, and the noise of both clocks */

static int64_t later_of(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

int64_t model_begin_of(const world *w, uint32_t tick)
{
    if (tick < w->first_tick) {
        return w->tick_us[0] - (int64_t)(w->first_tick - tick) * 1000000;
    }
    return w->tick_us[tick - w->first_tick];
}

uint32_t model_tick_of(const world *w, int64_t us)
{
    uint32_t tick = w->rig.tick;
    while (tick > 0 && model_begin_of(w, tick) > us) {
        tick--;
    }
    return tick;
}

/* When a byte of this tick was read, by the wall clock of now. */
static int64_t wall_of(const world *w, uint32_t tick)
{
    return w->wall_told_ms - (w->told_us - model_begin_of(w, tick)) / 1000;
}

void model_keep_seen(world *w, const session *s)
{
    if (s->bound && s->user >= 0) {
        int64_t seen = wall_of(w, s->read);
        user *u = &w->users[s->user];
        u->stored_ms = later_of(u->stored_ms, seen);
        u->other_ms = later_of(u->other_ms, seen);
    }
}

/*
 * Times that would lie in the future are taken back with the wall clock. Of one within the noise of the two clocks from
 * where the clock was set to, nobody can say which side it is on: both are right from then on.
 */
static void set_back(world *w, int64_t by_ms)
{
    for (int i = 0; i < SIM_USERS; i++) {
        user *u = &w->users[i];
        bool edge = llabs(u->stored_ms - w->wall_told_ms) <= SEEN_TOLERANCE_MS;
        bool split = u->other_ms != u->stored_ms;
        int64_t stored = u->stored_ms;
        u->stored_ms -= stored > w->wall_told_ms ? by_ms : 0;
        if (edge && !split) {
            u->other_ms = stored > w->wall_told_ms ? stored : stored - by_ms;
        } else {
            u->other_ms -= u->other_ms > w->wall_told_ms ? by_ms : 0;
        }
    }
}

/* The wall clock that advance is told. */
void model_wall(world *w, int64_t wall_ms)
{
    int64_t base = wall_ms - w->rig.now_us / 1000;
    int64_t before = w->wall_told_ms;
    w->wall_told_ms = wall_ms;
    w->told_us = w->rig.now_us;
    w->doubted_us = 0;
    if (base - w->base_ms < -WALL_NOISE_MS) {
        if (wall_ms < before) {
            set_back(w, w->base_ms - base);
        }
        for (int i = 0; i < SIM_USERS; i++) {
            w->users[i].told_ms = 0; /* it may go back now */
        }
    }
    if (llabs(base - w->base_ms) > WALL_NOISE_MS) {
        w->base_ms = base;
    }
}

/* Was this told, where `expected` is true? Nothing is told to be later than the wall clock. */
static bool near(const world *w, int64_t told, int64_t expected)
{
    int64_t right = expected < w->wall_told_ms ? expected : w->wall_told_ms;
    return llabs(told - right) <= SEEN_TOLERANCE_MS;
}

void model_seen(world *w, uint32_t which, int code, const hb_activity *a)
{
    user *u = &w->users[which];
    bool online = false;
    int64_t live = 0;
    must(w, "seen-is-true", code == (u->known ? 1 : 0));
    if (!u->known) {
        return;
    }
    for (uint32_t i = 0; i < w->live_count; i++) {
        const session *s = &w->sessions[w->live[i]];
        if (s->place != WATCHED && s->bound && s->user == (int)which) {
            online = true;
            live = later_of(live, wall_of(w, s->read));
        }
    }
    must(w, "seen-is-true", a->online == online);
    must(w, "seen-is-true", a->seen_ms <= w->wall_told_ms);
    must(w, "seen-is-true", a->seen_ms >= u->told_ms);
    must(w, "seen-is-true",
         near(w, a->seen_ms, later_of(live, u->stored_ms)) || near(w, a->seen_ms, later_of(live, u->other_ms)));
    must(w, "seen-is-true", a->why == u->why || u->why == HB_WHY_SPOKE);
    must(w, "seen-is-true", a->length == strlen(u->status) && memcmp(a->status, u->status, a->length) == 0);
    u->told_ms = u->stored_ms = u->other_ms = a->seen_ms;
}
