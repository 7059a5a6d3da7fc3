/* world.c - the core and the model, and the time of both. */
#include "simulate.h"

#include "replay.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

world *world_new(int64_t origin_us, uint64_t seed)
{
    world *w = calloc(1, sizeof *w);
    assert_non_null(w);
    w->dice.state = seed ? seed * UINT64_C(0x9E3779B97F4A7C15) | 1 : 0;
    rig_init(&w->rig, origin_us);
    rig_policy(&w->rig, NULL, 20000, true);
    w->policy = (policy){.idle = 10, .ack = 10, .login = 20, .pings_per_tick = 1000, .ping = true};
    w->first_tick = w->rig.tick;
    w->configured_at = w->rig.tick;
    w->tick_us[0] = w->told_us = origin_us;
    w->wall_told_ms = rig_wall_ms(&w->rig);
    w->base_ms = w->wall_told_ms - origin_us / 1000;
    return w;
}

void world_free(world *w)
{
    rig_close(&w->rig);
    free(w->record);
    free(w);
}

void jid_print(const session *s, char *out, size_t size)
{
    if (s->user < 0) {
        text_print(out, size, "%d@example.org/%d", s->resource, s->resource);
    } else {
        text_print(out, size, "user%d@example.org/%d", s->user, s->resource);
    }
}

void policy_print(const policy *p, char *out, size_t size)
{
    static const char *const on_dead[] = {"auto", "close", "cut"};
    char login[16] = "off";
    char idle[16] = "off";
    if (p->login) {
        text_print(login, sizeof login, "%us", p->login);
    }
    if (p->idle) {
        text_print(idle, sizeof idle, "%us", p->idle);
    }
    text_print(out, size,
               "{\"idle\": \"%s\", \"ack_timeout\": \"%us\", \"retries\": %u, \"spread\": \"%us\","
               " \"login_within\": \"%s\", \"on_dead\": \"%s\", \"pings_per_tick\": %u, \"ping\": %s}",
               idle, p->ack, p->retries, p->spread, login, on_dead[p->on_dead], p->pings_per_tick,
               p->ping ? "true" : "false");
}

/* Recording. */

#define RECORD_PIECE 4096

void world_record(world *w, uint32_t ticks)
{
    w->record_at = w->rig.tick + ticks;
}

static void record(world *w)
{
    if (!w->record_at || w->rig.tick < w->record_at) {
        return;
    }
    size_t taken = 0;
    if (!w->record) {
        assert_int_equal(hb_core_record(w->rig.core, 1 << 20), HB_OK);
    }
    do {
        w->record = realloc(w->record, w->record_length + RECORD_PIECE);
        assert_non_null(w->record);
        assert_int_equal(hb_core_recorded(w->rig.core, w->record + w->record_length, RECORD_PIECE, &taken), HB_OK);
        w->record_length += taken;
    } while (taken == RECORD_PIECE);
}

bool world_replays(const world *w, uint64_t seed)
{
    if (!w->record_length) {
        return true;
    }
    replay_result r = replay_text(w->record, w->record_length, RIG_PAGES);
    if (r.end == REPLAY_SAME) {
        return true;
    }
    printf("not ok simulate: what was recorded does not come again (SEED=%" PRIu64 "): line %zu: %s\n", seed, r.line,
           r.said);
    return false;
}

/* Time. */

static void put_actions(const world *w, const hb_action *out, size_t count)
{
    for (size_t i = 0; w->out && i < count; i++) {
        const session *s = &w->sessions[w->by_slot[(uint32_t)out[i].token % HB_PAGE_CELLS]];
        fprintf(w->out, "=> %lld %s s%u %s\n", (long long)rig_second(&w->rig), verb_name(out[i].verb), s->number,
                reason_name(out[i].why));
    }
}

static void tick(world *w)
{
    hb_action out[SIM_LIVE + 1];
    size_t capacity = w->dice.state ? 1 + dice_below(&w->dice, SIM_LIVE) : SIM_LIVE + 1;
    uint32_t before = w->rig.tick;
    int more;
    model_wall(w, rig_wall_ms(&w->rig));
    model_before_tick(w);
    do {
        size_t count = 0;
        more = hb_core_advance(w->rig.core, w->rig.now_us, w->wall_told_ms, out, capacity, &count, &w->rig.tick);
        must(w, "sleep-kills-none", w->rig.tick == before + 1);
        if (w->rig.tick - w->first_tick >= SIM_TICKS) {
            world_break(w, "none", "more ticks than are kept: a tape whose stalls were left out", 0);
        }
        w->tick_us[w->rig.tick - w->first_tick] = w->rig.now_us;
        put_actions(w, out, count); /* all of them: the model may stop at the first */
        for (size_t i = 0; i < count; i++) {
            model_decided(w, &out[i]);
            assert_true(w->action_count < SIM_ACTIONS);
            w->actions[w->action_count++] = out[i];
        }
        must(w, "bounded", more == 0 || (more == 1 && count == capacity));
    } while (more == 1);
    model_after_tick(w);
    record(w);
}

static void move_to(world *w, int64_t at_ms)
{
    int64_t second = at_ms / 1000;
    while (rig_second(&w->rig) < second) {
        int64_t next = rig_second(&w->rig) + 1;
        next = next > w->stalled_until ? next : w->stalled_until;
        if (next > second) {
            break;
        }
        w->rig.now_us = w->rig.origin_us + next * 1000000;
        tick(w);
    }
    int64_t now_us = w->rig.origin_us + at_ms * 1000;
    w->rig.now_us = now_us > w->rig.now_us ? now_us : w->rig.now_us;
}

void world_do(world *w, const event *e)
{
    w->done = false;
    w->ordered = HB_NOTHING;
    move_to(w, e->at_ms);
    world_event(w, e);
}

/* What was decided is done at once. */
static void begin_all(world *w, int64_t at_ms)
{
    for (size_t i = 0; i < w->action_count; i++) {
        event e = {.at_ms = at_ms, .kind = SIM_BEGIN, .other = w->actions[i].verb};
        e.who = w->by_slot[(uint32_t)w->actions[i].token];
        world_do(w, &e);
    }
    w->action_count = 0;
}

/* The number after this in the status. */
static long long number_of(const char *json, const char *key)
{
    const char *at = strstr(json, key);
    return at ? strtoll(at + strlen(key), NULL, 10) : -1;
}

void world_end(world *w)
{
    int64_t at_ms = (w->rig.now_us - w->rig.origin_us) / 1000;
    w->action_count = 0;
    for (uint32_t n = 1; n < SIM_OPENED; n++) {
        const session *s = &w->sessions[n];
        if (s->token && s->place != GONE && s->place != WATCHED) {
            world_do(w, &(event){.at_ms = at_ms, .kind = SIM_CLOSED, .who = n});
        }
    }
    int64_t second = at_ms / 1000 > w->stalled_until ? at_ms / 1000 : w->stalled_until;
    for (int i = 0; i < 100 && w->live_count; i++) {
        world_do(w, &(event){.at_ms = ++second * 1000, .kind = SIM_QUIET});
        begin_all(w, second * 1000);
    }
    must(w, "told-once", w->live_count == 0);
    for (uint32_t i = 0; i < SIM_USERS; i++) {
        for (int k = 0; k < SIM_RESOURCES; k++) {
            must(w, "told-once", !w->users[i].believed[k]);
        }
        world_do(w, &(event){.at_ms = second * 1000, .kind = SIM_SEEN, .who = i});
    }
    char *json = NULL;
    size_t length = 0;
    assert_int_equal(hb_core_status(w->rig.core, false, &json, &length), HB_OK);
    long long opened = number_of(json, "\"opened\":");
    bool none = number_of(json, "\"total\":") == 0 && number_of(json, "\"over\":") == opened;
    hb_string_free(json);
    must(w, "bounded", none);
}
