/* events.c - one event: to the core, to the model, and to the transcript if one is written. */
#include "simulate.h"

#include <string.h>

/* One line of the transcript: the present time, what it is, and its answer unless that is 0. */
__attribute__((format(printf, 3, 4))) static void say(const world *w, const char *answer, const char *format, ...)
{
    char text[1024];
    char at[32];
    va_list arguments;
    if (!w->out) {
        return;
    }
    va_start(arguments, format);
    assert_true(vsnprintf(text, sizeof text, format, arguments) < (int)sizeof text);
    va_end(arguments);
    int64_t ms = (w->rig.now_us - w->rig.origin_us) / 1000;
    text_print(at, sizeof at, "%lld.%03d", (long long)(ms / 1000), (int)(ms % 1000));
    size_t length = strlen(at);
    while (at[length - 1] == '0' || at[length - 1] == '.') {
        bool dot = at[--length] == '.';
        at[length] = '\0';
        if (dot) {
            break;
        }
    }
    fprintf(w->out, "%-7s %s%s%s\n", at, text, *answer ? " => " : "", answer);
}

void world_quiet(const world *w)
{
    say(w, "", "quiet");
}

static const char *answer_of(int code, char number[16])
{
    switch (code) {
    case HB_OK:
        return "";
    case HB_ESTALE:
        return "stale";
    case HB_EINVAL:
        return "invalid";
    default:
        text_print(number, 16, "%d", code);
        return number;
    }
}

/* For a session that is over there is one answer, and the core must not have changed for it. */
static void answered(world *w, const session *s, int code, int expected)
{
    must(w, "stale-is-inert", code == (s->place == GONE ? HB_ESTALE : expected));
    w->done = true;
}

static void do_policy(world *w, const event *e)
{
    char json[512];
    policy_print(&e->policy, json, sizeof json);
    rig_policy(&w->rig, json, 20000, true);
    w->policy = e->policy;
    w->configured_at = w->rig.tick;
    for (uint32_t i = 0; i < w->live_count; i++) {
        session *s = &w->sessions[w->live[i]];
        s->excused = (s->pending == HB_DISCONNECT && s->why != HB_WHY_ADMIN) || s->pending == HB_PING;
        s->waits = 0;
    }
    w->done = true;
    say(w, "", "policy %s", json);
}

static void do_open(world *w, session *s, const event *e)
{
    static const char *const transports[] = {"", " websocket", " bosh"};
    char over[32];
    int64_t opened_us = w->rig.now_us - e->ms * 1000;
    int64_t read_us = w->rig.now_us - e->read_ms * 1000;
    if (s->token || w->live_count == SIM_LIVE) {
        return;
    }
    must(w, "bounded",
         hb_core_open(w->rig.core, (hb_transport)e->value, e->other, opened_us, read_us, &s->token) == HB_OK);
    must(w, "stale-is-inert", model_find(w, s->token) == NULL);
    uint32_t slot = (uint32_t)s->token;
    const session *last = &w->sessions[w->by_slot[slot]];
    must(w, "stale-is-inert", last->place == GONE && last->token != s->token);
    w->by_slot[slot] = s->number = e->who;
    w->live[w->live_count++] = s->number;
    s->place = OPEN;
    s->user = -1;
    s->opened = model_tick_of(w, opened_us);
    s->opened_us = opened_us;
    s->read = model_tick_of(w, read_us);
    s->read_us = read_us;
    w->done = true;
    s->own = e->other;
    text_print(over, sizeof over, "%s", transports[e->value]);
    if (e->other) {
        text_print(over + strlen(over), sizeof over - strlen(over), " own=%us", e->other);
    }
    if (e->ms) {
        double now = (double)(w->rig.now_us - w->rig.origin_us) / 1e6;
        say(w, "", "open s%u%s %.3f %.3f", s->number, over, now - (double)e->ms / 1e3, now - (double)e->read_ms / 1e3);
    } else {
        say(w, "", "open s%u%s", s->number, over);
    }
}

static void do_bound(world *w, session *s, const event *e)
{
    char jid[64];
    char number[16];
    session as = {.user = e->flag ? -1 : (int)e->other, .resource = (int)e->value};
    bool same = s->bound && s->user == as.user && s->resource == as.resource;
    int holders = 0;
    for (uint32_t i = 0; i < w->live_count && !s->bound && s->place != GONE; i++) {
        const session *t = &w->sessions[w->live[i]];
        holders += t->bound && t->user == as.user && t->resource == as.resource;
    }
    if (holders > 1 || (s->place == OPEN && s->begun)) {
        return;
    }
    jid_print(&as, jid, sizeof jid);
    int code = hb_core_bound(w->rig.core, s->token, jid, strlen(jid), e->flag);
    say(w, answer_of(code, number), "bound s%u %s%s", s->number, jid, e->flag ? " anonymous" : "");
    answered(w, s, code, !s->bound || same ? HB_OK : HB_EINVAL);
    if (s->place == GONE || s->bound) {
        return;
    }
    s->bound = true;
    s->user = as.user;
    s->resource = as.resource;
    if (s->pending == HB_DISCONNECT && s->why != HB_WHY_ADMIN) {
        s->pending = HB_NOTHING;
    }
    if (s->user >= 0) {
        w->users[s->user].known = true;
    }
}

/*
 * A reader that has not heard of the latest tick reports the one before: what it read came before that tick. It matters
 * to those who are about to be disconnected; a ping too many is no harm.
 */
static void do_read(world *w, session *s, const event *e)
{
    uint32_t stamp = w->rig.tick - e->flag;
    if (s->place != OPEN || (e->flag && (s->pending != HB_DISCONNECT || stamp < s->read))) {
        return;
    }
    model_read(w, s, stamp, e->flag ? w->tick_us[w->rig.tick - w->first_tick] - 1 : w->rig.now_us);
    say(w, "", "read s%u%s", s->number, e->flag ? " (late)" : "");
}

static void do_available(world *w, session *s)
{
    char number[16];
    if (s->place == DETACHED || s->place == WATCHED || s->begun) {
        return;
    }
    int code = hb_core_available(w->rig.core, s->token);
    say(w, answer_of(code, number), "available s%u", s->number);
    answered(w, s, code, s->bound ? HB_OK : HB_EINVAL);
    if (s->place == GONE || !s->bound) {
        return;
    }
    if (s->user >= 0) {
        user *u = &w->users[s->user];
        u->available[s->resource] += !s->available;
        u->believed[s->resource] = true;
        u->status[0] = '\0';
    }
    s->available = true;
    s->logout = false;
}

static void do_unavailable(world *w, session *s, const event *e)
{
    char status[32];
    char number[16];
    bool server = e->flag;
    if (s->place != GONE && (!s->bound || (s->place == DETACHED && !server))) {
        return;
    }
    text_print(status, sizeof status, "status %u", e->other);
    int code = hb_core_unavailable(w->rig.core, s->token, server ? NULL : status, server ? 0 : strlen(status), server);
    say(w, answer_of(code, number), server ? "unavailable s%u (server)" : "unavailable s%u \"%s\"", s->number, status);
    answered(w, s, code, HB_OK);
    if (s->place == GONE) {
        return;
    }
    if (s->available) {
        model_told(w, s);
    }
    if (s->user >= 0) {
        text_print(w->users[s->user].status, sizeof status, "%s", server ? "" : status);
    }
    s->available = false;
    if (s->place == WATCHED) {
        model_gone(w, s);
    } else {
        s->logout |= !server;
    }
}

static void do_idle(world *w, session *s)
{
    char number[16];
    int code = hb_core_idle(w->rig.core, s->token, w->rig.now_us);
    say(w, answer_of(code, number), "idle s%u", s->number);
    answered(w, s, code, s->place == GONE ? HB_ESTALE : model_in_charge(w));
}

static void do_pong(world *w, session *s, const event *e)
{
    char id[128];
    char number[16];
    session *of = &w->sessions[e->other];
    if ((s->place != OPEN && s->place != GONE) || !e->value || e->value > of->sent || e->value + SIM_IDS <= of->sent) {
        return;
    }
    text_print(id, sizeof id, "%s", of->ids[e->value % SIM_IDS]);
    if (e->flag) {
        size_t at = (size_t)e->at_ms % strlen(id);
        id[at] = id[at] == '0' ? '1' : '0';
    }
    bool right = !e->flag && of == s && e->value > s->answered;
    int code = hb_core_pong(w->rig.core, s->token, id, strlen(id), w->rig.now_us);
    if (e->flag) {
        say(w, answer_of(code, number), "pong s%u \"%s\"", s->number, id);
    } else {
        say(w, answer_of(code, number), "pong s%u s%u#%u", s->number, of->number, e->value);
    }
    answered(w, s, code, right ? 1 : 0);
    if (right && s->place != GONE) {
        s->answered = e->value;
        s->excused |= s->pending == HB_PING;
        if (s->pending != HB_DISCONNECT) {
            s->waits = 0;
            s->pings = 0; /* told late perhaps, after the next ping: an answer all the same */
        }
    }
}

static void do_detached(world *w, session *s)
{
    char number[16];
    if (s->place == DETACHED || s->place == WATCHED) {
        return;
    }
    hb_reason end = model_end_of(s);
    int code = hb_core_detached(w->rig.core, s->token);
    say(w, answer_of(code, number), "detached s%u", s->number);
    answered(w, s, code, HB_OK);
    if (s->place == GONE) {
        return;
    }
    if (s->bound) {
        s->place = DETACHED;
        s->end = end == HB_WHY_LOGOUT ? HB_WHY_CLOSED : end; /* that can change yet */
        s->pending = HB_NOTHING;
        s->begun = false;
    } else {
        model_gone(w, s);
    }
}

static void do_resumed(world *w, session *from, const event *e)
{
    char number[16];
    session *to = &w->sessions[e->other];
    bool stale = from->place == GONE || to->place == GONE;
    if (!to->token || from == to) {
        return;
    }
    if (!stale && (from->place == WATCHED || to->place != OPEN || !from->bound || to->bound || to->begun)) {
        return;
    }
    int code = hb_core_resumed(w->rig.core, from->token, to->token);
    say(w, answer_of(code, number), "resumed s%u s%u", from->number, to->number);
    must(w, "stale-is-inert", code == (stale ? HB_ESTALE : HB_OK));
    w->done = true;
    if (stale) {
        return;
    }
    model_keep_seen(w, from);
    to->bound = true;
    to->user = from->user;
    to->resource = from->resource;
    to->available = from->available;
    to->logout = from->logout;
    to->pings = 0;
    to->pending = HB_NOTHING;
    model_gone(w, from);
}

static void do_closed(world *w, session *s)
{
    char number[16];
    hb_reason end = s->place == DETACHED && s->end != HB_WHY_CLOSED ? s->end : model_end_of(s);
    int code = hb_core_closed(w->rig.core, s->token);
    say(w, answer_of(code, number), "closed s%u", s->number);
    answered(w, s, code, HB_OK);
    if (s->place == GONE || s->place == WATCHED) {
        return;
    }
    model_keep_seen(w, s);
    if (s->bound && s->user >= 0) {
        w->users[s->user].why = end;
    }
    s->pending = HB_NOTHING;
    if (s->available) {
        s->place = WATCHED;
        s->closed_at = w->rig.tick;
    } else {
        model_gone(w, s);
    }
}

static void do_begin(world *w, session *s, const event *e)
{
    static hb_order order;
    hb_verb verb = (hb_verb)e->other;
    char answer[128];
    order.verb = HB_NOTHING;
    order.length = 0;
    int code = hb_core_begin(w->rig.core, s->token, verb, e->flag ? HB_FACT_RESUMABLE : 0, w->rig.now_us, &order);
    w->ordered = order.verb;
    if (code != HB_OK) {
        text_print(answer, sizeof answer, "%s", code == HB_ESTALE ? "stale" : "?");
    } else {
        text_print(answer, sizeof answer, "%s%s%.*s", verb_name(order.verb), order.verb == HB_UNAVAILABLE ? " " : "",
                   order.verb == HB_UNAVAILABLE ? (int)order.length : 0, order.text);
    }
    say(w, strcmp(answer, verb_name(verb)) == 0 ? "" : answer, "begin s%u %s%s", s->number, verb_name(verb),
        e->flag ? " resumable" : "");
    answered(w, s, code, HB_OK);
    if (s->place == GONE) {
        must(w, "stale-is-inert", order.verb == HB_NOTHING);
    } else {
        model_begun(w, s, verb, e->flag, &order);
    }
}

/* An administrator asks for a deed, and it is to be done at once. */
static void do_ask(world *w, session *s, const event *e)
{
    char number[16];
    hb_verb verb = (hb_verb)e->other;
    hb_action action = {.verb = HB_NOTHING};
    bool off = s->pending == HB_DISCONNECT && s->spoke && s->why != HB_WHY_ADMIN;
    if (verb == HB_PING && (s->dropped || s->excused || off)) {
        return; /* whether its disconnect was called off is the core's to know */
    }
    int code = hb_core_ask(w->rig.core, s->token, verb, &action);
    say(w, answer_of(code, number), "ask s%u %s", s->number, verb_name(verb));
    answered(w, s, code, model_asked(w, s, verb));
    if (s->place != GONE && code == 1) {
        must(w, "stale-is-inert", action.token == s->token && action.verb == verb && action.why == HB_WHY_ADMIN);
        assert_true(w->action_count < SIM_ACTIONS);
        w->actions[w->action_count++] = action;
    }
}

static void do_seen(world *w, const event *e)
{
    char name[16];
    char answer[128] = "unknown";
    hb_activity a = {0};
    text_print(name, sizeof name, "user%u", e->who);
    int code = hb_core_last_activity(w->rig.core, name, strlen(name), &a);
    if (code == 1) {
        text_print(answer, sizeof answer, "%.3f %s %s%s%.*s%s", (double)(a.seen_ms - RIG_WALL_MS) / 1000,
                   a.online ? "online" : "offline", reason_name(a.why), a.length ? " \"" : "", (int)a.length, a.status,
                   a.length ? "\"" : "");
        char *fraction = strstr(answer, ".000 ");
        if (fraction) {
            memmove(fraction, fraction + 4, strlen(fraction + 4) + 1);
        }
    }
    say(w, answer, "seen %s", name);
    w->done = true;
    model_seen(w, e->who, code, &a);
}

static void do_wall(world *w, const event *e)
{
    w->rig.wall_ms += e->ms;
    w->done = true;
    say(w, "", "wall %.3f", (double)e->ms / 1000);
}

static void do_stall(world *w, const event *e)
{
    if (w->stalled_until > rig_second(&w->rig)) {
        return;
    }
    w->stalled_until = rig_second(&w->rig) + e->ms / 1000;
    w->done = true;
    say(w, "", "stall %lld", (long long)w->stalled_until);
}

static void do_session(world *w, session *s, const event *e)
{
    switch (e->kind) {
    case SIM_BOUND:
        do_bound(w, s, e);
        break;
    case SIM_READ:
        do_read(w, s, e);
        break;
    case SIM_AVAILABLE:
        do_available(w, s);
        break;
    case SIM_UNAVAILABLE:
        do_unavailable(w, s, e);
        break;
    case SIM_IDLE:
        do_idle(w, s);
        break;
    case SIM_PONG:
        do_pong(w, s, e);
        break;
    case SIM_DETACHED:
        do_detached(w, s);
        break;
    case SIM_RESUMED:
        do_resumed(w, s, e);
        break;
    case SIM_CLOSED:
        do_closed(w, s);
        break;
    case SIM_ASK:
        do_ask(w, s, e);
        break;
    default:
        do_begin(w, s, e);
    }
}

void world_event(world *w, const event *e)
{
    switch (e->kind) {
    case SIM_QUIET:
        break;
    case SIM_POLICY:
        do_policy(w, e);
        break;
    case SIM_OPEN:
        do_open(w, &w->sessions[e->who], e);
        break;
    case SIM_SEEN:
        do_seen(w, e);
        break;
    case SIM_WALL:
        do_wall(w, e);
        break;
    case SIM_STALL:
        do_stall(w, e);
        break;
    default:
        if (w->sessions[e->who].token) {
            do_session(w, &w->sessions[e->who], e);
        }
    }
}
