/* model.c - what must hold. Everything here is said of what was seen to happen; nothing of how the core goes about it.
 */
#include "simulate.h"

#include <string.h>

#define LATE_US 100000 /* by which a tick may be late without being a stall */
#define DOUBT_AFTER_US 5000000
#define DOUBT_US 1000000

#define CLOSE_TICKS 5
#define TELL_TICKS 2
#define REPEAT_TICKS 30

_Noreturn void world_break(world *w, const char *rule, const char *what, int line)
{
    w->rule = rule;
    w->what = what;
    w->line = line;
    longjmp(w->broken, 1);
}

static uint32_t max_of(uint32_t a, uint32_t b)
{
    return a > b ? a : b;
}

static int64_t seconds(uint32_t s)
{
    return (int64_t)s * 1000000;
}

session *model_find(world *w, hb_token token)
{
    uint32_t slot = (uint32_t)token;
    session *s = slot < HB_PAGE_CELLS ? &w->sessions[w->by_slot[slot]] : NULL;
    return s && s->token == token && s->place != GONE ? s : NULL;
}

session *model_twin(world *w, const session *s)
{
    for (uint32_t i = 0; s->user >= 0 && i < w->live_count; i++) {
        session *t = &w->sessions[w->live[i]];
        if (t != s && t->place != WATCHED && t->bound && t->user == s->user && t->resource == s->resource) {
            return t;
        }
    }
    return NULL;
}

void model_gone(world *w, session *s)
{
    s->place = GONE;
    for (uint32_t i = 0; i < w->live_count; i++) {
        if (w->live[i] == s->number) {
            w->live[i] = w->live[--w->live_count];
            return;
        }
    }
}

/* The contacts hear that a JID is unavailable. */
void model_told(world *w, const session *s)
{
    if (s->user >= 0) {
        user *u = &w->users[s->user];
        u->told[s->resource]++;
        u->believed[s->resource] = false;
        must(w, "told-once", u->told[s->resource] <= u->available[s->resource]);
    }
}

void model_read(world *w, session *s, uint32_t stamp, int64_t us)
{
    if (stamp < s->read) {
        return;
    }
    __atomic_store_n(rig_cell(&w->rig, s->token), stamp, __ATOMIC_RELAXED);
    s->read = stamp;
    s->read_us = us;
    s->waits = 0;
    s->spoke = s->pending != HB_NOTHING;
    w->done = true;
}

/* Why its last activity will say that it ended. HB_WHY_SPOKE: what was called off, or not yet, may be told. */
hb_reason model_end_of(const session *s)
{
    if (!s->begun && s->why != HB_WHY_ADMIN &&
        (s->dropped || (s->pending == HB_DISCONNECT && (s->spoke || s->excused)))) {
        return HB_WHY_SPOKE;
    }
    if (s->begun || s->pending == HB_DISCONNECT) {
        return s->why;
    }
    return s->logout ? HB_WHY_LOGOUT : HB_WHY_CLOSED;
}

/* Its last ping was answered, by any byte; or it was not pinged. */
static bool alive(const session *s)
{
    return s->pings == 0 || s->read >= s->last_ping;
}

static uint32_t patience(const policy *p)
{
    return p->idle + (p->retries + 1) * p->ack;
}

/* Whether the silence of this session is ours to end: it is not where it may last, nor where the server is as fast. */
static bool ours(const session *s, const policy *p)
{
    return p->idle && (!s->own || patience(p) < s->own);
}

/* Pings are limited per tick, but for a tenth of the sessions. */
static uint32_t most_pings(const world *w)
{
    return max_of(w->policy.pings_per_tick, (w->live_count + 9) / 10);
}

static void take_turn(world *w, session *s)
{
    must(w, "dead-goes", ++w->pings <= most_pings(w));
    s->asked_before = s->asked;
    s->asked = w->rig.tick;
    s->waits = 0;
}

/*
 * A ping that is due and was not decided: there was none left for it in this tick, and nobody is pinged twice while
 * another waits to be pinged once.
 */
static void check_waiting(world *w, session *s)
{
    must(w, "dead-goes", w->pings == most_pings(w));
    for (uint32_t i = 0; s->waits && i < w->live_count; i++) {
        const session *t = &w->sessions[w->live[i]];
        must(w, "dead-goes", t->asked < w->rig.tick || t->asked_before < s->waits);
    }
    s->waits = s->waits ? s->waits : w->rig.tick;
}

/* Actions: was it right to decide this now? */

static void check_ping(world *w, const session *s, hb_reason why, bool repeated)
{
    const policy *p = &w->policy;
    uint32_t now = w->rig.tick;
    must(w, "alive-stays", s->place == OPEN && s->bound && !s->begun);
    must(w, "alive-stays", ours(s, p) && p->ping);
    if (why == HB_WHY_RETRY) {
        must(w, "alive-stays", repeated || (!alive(s) && s->pings <= p->retries));
        must(w, "alive-stays", repeated || now >= s->last_ping + p->ack + s->ping_late);
    } else {
        must(w, "alive-stays", why == HB_WHY_IDLE);
        must(w, "alive-stays", repeated || (alive(s) && now + p->spread >= s->read + p->idle));
    }
}

static void check_disconnect(world *w, const session *s, hb_reason why, bool repeated)
{
    const policy *p = &w->policy;
    int64_t now_us = w->rig.now_us + LATE_US;
    must(w, "alive-stays", s->place == OPEN && !s->begun);
    if (why == HB_WHY_NOT_LOGGED_IN) {
        must(w, "alive-stays", !s->bound);
        must(w, "sleep-kills-none", repeated || (p->login && w->rig.tick >= s->opened + p->login + 1));
        must(w, "sleep-kills-none", repeated || now_us - s->opened_us >= seconds(p->login));
        return;
    }
    must(w, "alive-stays", why != HB_WHY_ADMIN || repeated);
    must(w, "alive-stays", s->bound || why == HB_WHY_ADMIN);
    if (repeated) {
        return; /* as right as it was */
    }
    if (why == HB_WHY_SILENT) {
        must(w, "alive-stays", ours(s, p) && !p->ping);
        must(w, "sleep-kills-none", w->rig.tick >= s->read + patience(p) + 1);
        must(w, "sleep-kills-none", now_us - s->read_us >= seconds(patience(p)));
    } else {
        must(w, "alive-stays", why == HB_WHY_NO_ANSWER);
        must(w, "alive-stays", ours(s, p) && p->ping && !alive(s) && s->pings > p->retries);
        must(w, "sleep-kills-none", w->rig.tick >= s->last_ping + p->ack + 1 + s->ping_late);
        must(w, "sleep-kills-none", now_us - s->ping_us >= seconds(p->ack));
    }
}

static void check_action(world *w, session *s, const hb_action *action, bool repeated)
{
    uint32_t now = w->rig.tick;
    switch (action->verb) {
    case HB_PING:
        check_ping(w, s, (hb_reason)action->why, repeated);
        take_turn(w, s);
        break;
    case HB_DISCONNECT:
        check_disconnect(w, s, (hb_reason)action->why, repeated);
        break;
    case HB_ABORT:
        must(w, "alive-stays", s->place == OPEN && s->begun && now >= s->begun_at + CLOSE_TICKS);
        s->begun_at = now;
        break;
    case HB_UNAVAILABLE:
        must(w, "told-once", s->place == WATCHED && now >= s->closed_at + TELL_TICKS);
        break;
    default:
        world_break(w, "stale-is-inert", "no such action", __LINE__);
    }
}

void model_decided(world *w, const hb_action *action)
{
    session *s = model_find(w, action->token);
    uint32_t now = w->rig.tick;
    if (!s) {
        world_break(w, "stale-is-inert", "an action for a session that is over", __LINE__);
    }
    bool same = s->pending == (hb_verb)action->verb;
    bool deaf = s->why == HB_WHY_ADMIN || !s->bound;
    bool repeated = same && (deaf || !s->spoke) && now >= s->pending_since + REPEAT_TICKS;
    must(w, "told-once", !same || repeated || s->spoke || s->excused || action->verb == HB_ABORT);
    check_action(w, s, action, repeated);
    if (action->verb == HB_ABORT) {
        return;
    }
    s->pending = (hb_verb)action->verb;
    s->pending_since = now;
    s->why = (hb_reason)action->why;
    s->spoke = false;
    s->excused = false;
    s->dropped = false;
}

/* What hb_core_ask is to answer, and what is different from then on. */
int model_asked(world *w, session *s, hb_verb verb)
{
    if (s->place != OPEN || s->begun) {
        return 0;
    }
    if (verb == HB_PING) {
        bool can = s->bound && s->pending != HB_DISCONNECT;
        s->measured |= can;
        return can;
    }
    s->pending = HB_DISCONNECT;
    s->pending_since = w->rig.tick;
    s->why = HB_WHY_ADMIN;
    s->spoke = s->excused = s->dropped = false;
    s->waits = 0;
    return 1;
}

/* Nobody began what was decided, and it is not wanted any more: the core may, but need not, have called it off. */
static void call_off(world *w, session *s)
{
    const policy *p = &w->policy;
    bool off = !ours(s, p) || (s->pending == HB_PING && !p->ping);
    bool late = s->spoke && w->rig.tick >= s->pending_since + REPEAT_TICKS;
    if (s->pending == HB_NOTHING || !s->bound || s->why == HB_WHY_ADMIN || !(off || late)) {
        return;
    }
    s->excused = true;
    if (s->pending == HB_PING || s->spoke) {
        s->dropped = s->pending == HB_DISCONNECT;
        s->pending = HB_NOTHING;
    }
}

static void check_overdue(world *w, session *s)
{
    const policy *p = &w->policy;
    uint32_t now = w->rig.tick;
    uint32_t changed = w->configured_at + 1;
    if (s->place == WATCHED) {
        must(w, "told-once", now < s->closed_at + TELL_TICKS || s->pending == HB_UNAVAILABLE);
        must(w, "told-once", s->pending != HB_UNAVAILABLE || now <= s->pending_since + REPEAT_TICKS);
        return;
    }
    if (s->place != OPEN) {
        return;
    }
    if (s->begun) {
        must(w, "dead-goes", now < s->begun_at + CLOSE_TICKS);
        return;
    }
    call_off(w, s);
    uint32_t waits = s->waits;
    s->waits = 0;
    if (s->pending == HB_PING && now > s->pending_since + REPEAT_TICKS) {
        s->waits = waits;
        check_waiting(w, s);
    } else if (s->pending != HB_NOTHING) {
        must(w, "dead-goes", now <= s->pending_since + REPEAT_TICKS);
    } else if (!s->bound) {
        must(w, "dead-goes", !p->login || now < max_of(s->opened + p->login + 1, changed));
    } else if (ours(s, p)) {
        uint32_t last = s->pings > p->retries;
        uint32_t limit = !p->ping   ? s->read + patience(p) + 1
                         : alive(s) ? s->read + p->idle
                                    : s->last_ping + p->ack + last + s->ping_late;
        bool last_one = !p->ping || (!alive(s) && last);
        if (!last_one && now >= max_of(limit, changed)) {
            s->waits = waits;
            check_waiting(w, s);
        } else {
            must(w, "dead-goes", now < max_of(limit, changed));
        }
    }
}

void model_before_tick(world *w)
{
    w->pings = 0;
    for (uint32_t i = 0; i < w->live_count; i++) {
        session *s = &w->sessions[w->live[i]];
        if (!ours(s, &w->policy) || !w->policy.ping) {
            s->pings = 0; /* where nobody is pinged, no answer is awaited */
        }
    }
}

/* Whatever had to be decided by now was. */
void model_after_tick(world *w)
{
    for (uint32_t i = 0; i < w->live_count; i++) {
        check_overdue(w, &w->sessions[w->live[i]]);
    }
}

/* Begins: is the order right? */

static void begun_disconnect(world *w, session *s, bool resumable, const hb_order *order)
{
    bool stranger = s->why == HB_WHY_NOT_LOGGED_IN;
    bool admin = s->why == HB_WHY_ADMIN;
    if (order->verb == HB_NOTHING) {
        bool spared = !admin && (s->spoke || s->excused || (stranger && s->bound));
        bool right = s->pending != HB_DISCONNECT || spared;
        must(w, "dead-goes", right);
    } else {
        must(w, "alive-stays", s->place == OPEN && s->pending == HB_DISCONNECT);
        must(w, "alive-stays", stranger ? !s->bound : admin || !s->spoke);
        must(w, "alive-stays", s->why != HB_WHY_NO_ANSWER || s->read_us < s->ping_us);
        must(w, "alive-stays", order->why == s->why);
        bool cut = !stranger && !admin && (w->policy.on_dead == 2 || (w->policy.on_dead == 0 && resumable));
        must(w, "alive-stays", order->verb == (cut ? HB_CUT : HB_CLOSE));
        s->begun = true;
        s->begun_at = w->rig.tick;
        s->cut = cut;
    }
    if (s->pending == HB_DISCONNECT) {
        s->pending = HB_NOTHING;
        if (!s->begun) {
            s->pings = 0; /* called off: if it is silent still, it is asked anew */
        }
    }
}

static void keep_id(session *s, const hb_order *order)
{
    s->sent++;
    text_print(s->ids[s->sent % SIM_IDS], sizeof s->ids[0], "%.*s", (int)order->length, order->text);
}

static void begun_ping(world *w, session *s, const hb_order *order)
{
    if (order->why == HB_WHY_ADMIN) {
        /* It measures, and nothing else comes of it. */
        must(w, "alive-stays", order->verb == HB_PING && s->place == OPEN && s->bound && !s->begun && s->measured);
        must(w, "alive-stays", s->pending == HB_NOTHING || s->excused || (s->pending == HB_PING && s->spoke));
        s->measured = false;
        keep_id(s, order);
        return;
    }
    if (order->verb == HB_NOTHING) {
        must(w, "dead-goes", s->pending != HB_PING || s->spoke || s->excused);
        must(w, "dead-goes", !s->measured || s->place != OPEN || s->begun || s->pending != HB_NOTHING || s->excused);
    } else {
        must(w, "alive-stays", order->verb == HB_PING && s->place == OPEN && s->pending == HB_PING);
        must(w, "alive-stays", s->read < s->pending_since);
        s->pings = alive(s) ? 1 : s->pings + 1;
        s->last_ping = w->rig.tick;
        s->ping_us = w->rig.now_us;
        s->ping_late = w->rig.now_us - model_begin_of(w, w->rig.tick) > 1000000;
        keep_id(s, order);
    }
    if (s->pending == HB_PING) {
        s->pending = HB_NOTHING;
    }
}

static void begun_unavailable(world *w, session *s, const hb_order *order)
{
    if (s->place != WATCHED) {
        must(w, "told-once", order->verb == HB_NOTHING);
        return;
    }
    session *twin = model_twin(w, s);
    if (twin) {
        must(w, "told-once", order->verb == HB_NOTHING);
        twin->available = true; /* contacts believe in the JID; whoever holds it owes them the word */
        twin->logout = false;
    } else {
        char jid[64];
        jid_print(s, jid, sizeof jid);
        must(w, "told-once", order->verb == HB_UNAVAILABLE);
        must(w, "told-once", order->length == strlen(jid) && memcmp(order->text, jid, order->length) == 0);
        model_told(w, s);
    }
    model_gone(w, s);
}

void model_begun(world *w, session *s, hb_verb verb, bool resumable, const hb_order *order)
{
    switch (verb) {
    case HB_DISCONNECT:
        begun_disconnect(w, s, resumable, order);
        break;
    case HB_PING:
        begun_ping(w, s, order);
        break;
    case HB_UNAVAILABLE:
        begun_unavailable(w, s, order);
        break;
    default:
        must(w, "alive-stays", order->verb == (s->place == OPEN && s->begun ? HB_ABORT : HB_NOTHING));
    }
}

/* Is the server to leave its idle session to the core? Not when nobody ticks; for a second it is in doubt. */
int model_in_charge(world *w)
{
    int64_t now_us = w->rig.now_us;
    if (now_us - w->told_us <= DOUBT_AFTER_US) {
        return 1;
    }
    if (!w->doubted_us) {
        w->doubted_us = now_us;
    }
    return now_us - w->doubted_us < DOUBT_US ? HB_ASK_AGAIN : 0;
}
