/*
 * Random stories against a plain model, which knows the rules of docs/design.md and nothing of how the core keeps them.
 * Each run follows from its seed: stalls, jumps of the wall clock, slow and lost and repeated begins, changed policies,
 * stale tokens, slots that come back, two sessions of one JID, sessions that are resumed. A rule that is broken is
 * reported under its name, with the seed and the last events of the session.
 *
 * test_random [FIRST [LAST]] runs these seeds.
 */
#include "support.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TICKS 400
#define SESSIONS 48
#define USERS 6
#define RESOURCES 3
#define OLD_TOKENS 64
#define BEGINS 512
#define LOG_LINES 4000
/* About 20 s; the sanitizers are slower, and look for something else. */
#if defined __SANITIZE_ADDRESS__ || defined __SANITIZE_THREAD__
#define SEEDS 500
#else
#define SEEDS 3000
#endif
#define WALL_NOISE_MS 250      /* by which the clocks may differ before it is a jump */
#define SEEN_TOLERANCE_MS 1500 /* a tick, and the noise of both clocks */

#define CLOSE_TICKS 5
#define TELL_TICKS 2
#define REPEAT_TICKS 30

typedef enum place { GONE, OPEN, DETACHED, WATCHED } place;

typedef struct session {
    hb_token token;
    place place;
    uint32_t own; /* silence that the server itself ends; 0: it does not */
    bool bound;
    bool available; /* contacts believe in it */
    bool logout;
    int user;     /* -1: anonymous */
    int resource; /* of the user's JIDs; a number of its own if anonymous */
    uint32_t opened;
    uint32_t read;
    uint32_t pings;
    uint32_t last_ping;
    char id[128];
    bool answered;
    hb_verb pending; /* decided and not begun */
    hb_reason why;
    uint32_t pending_since;
    bool spoke;        /* since that was decided */
    bool dropped;      /* a disconnect that nobody began, and that may have been called off */
    bool excused;      /* the policy changed since: both are right */
    bool begun;        /* a disconnect */
    bool cut;          /* it was a cut */
    uint32_t begun_at; /* or the last abort */
    uint32_t closed_at;
    hb_reason end;
} session;

typedef struct policy {
    uint32_t idle;
    uint32_t ack;
    uint32_t retries;
    uint32_t spread;
    uint32_t login;
    int on_dead; /* 0 auto, 1 close, 2 cut */
    bool ping;
} policy;

typedef struct user {
    bool known;
    int64_t stored_ms;
    int64_t other_ms; /* the same, had the wall clock been set back to the other side of it (see set_wall_back) */
    int64_t told_ms;
    hb_reason why;
    char status[32];
    int available[RESOURCES]; /* times that contacts were told so */
    int told[RESOURCES];
    bool believed[RESOURCES];
} user;

typedef struct later {
    hb_token token;
    hb_verb verb;
    uint32_t at;
} later;

typedef struct world {
    rig rig;
    dice dice;
    uint64_t seed;
    policy policy;
    uint32_t configured_at;
    session sessions[SESSIONS];
    user users[USERS];
    hb_token old[OLD_TOKENS];
    uint32_t old_count;
    later begins[BEGINS];
    int begin_count;
    uint32_t first_tick;
    int64_t *tick_us; /* when each tick began, by number since the first */
    int64_t wall_told_ms;
    int64_t base_ms;
    int stalls;
    char log[LOG_LINES][256];
    int log_count;
} world;

static void note(world *w, hb_token token, const char *text, int64_t value)
{
    char *line = w->log[w->log_count++ % LOG_LINES];
    text_print(line, sizeof w->log[0], "%7u %llx %s %lld", w->rig.tick - w->first_tick, (unsigned long long)token, text,
               (long long)value);
}

static void report(world *w, hb_token token, const char *rule, const char *text, int line)
{
    char mark[32];
    text_print(mark, sizeof mark, " %llx ", (unsigned long long)token);
    print_error("%s: %s\n  seed %llu, tick %u, session%s; its last events:\n", rule, text, (unsigned long long)w->seed,
                w->rig.tick - w->first_tick, mark);
    int from = w->log_count > LOG_LINES ? w->log_count - LOG_LINES : 0;
    for (int i = from; i < w->log_count; i++) {
        const char *entry = w->log[i % LOG_LINES];
        bool late = i >= w->log_count - 60; /* of what concerns no single session, the end tells most */
        if (strstr(entry, mark) || (late && (!token || strstr(entry, " 0 ")))) {
            print_error("  %s\n", entry);
        }
    }
    _fail(__FILE__, line);
}

/* The rule's name, what went wrong, and a condition that must hold. */
#define check(w, token, rule, condition)                                                                               \
    do {                                                                                                               \
        if (!(condition)) {                                                                                            \
            report(w, token, rule, #condition, __LINE__);                                                              \
        }                                                                                                              \
    } while (0)

static uint32_t max_of(uint32_t a, uint32_t b)
{
    return a > b ? a : b;
}

static int64_t later_of(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

static session *find(world *w, hb_token token)
{
    for (int i = 0; i < SESSIONS; i++) {
        if (w->sessions[i].place != GONE && w->sessions[i].token == token) {
            return &w->sessions[i];
        }
    }
    return NULL;
}

/* A random session in one of the places (a set of bits), or NULL. */
static session *any(world *w, unsigned places)
{
    int from = (int)dice_below(&w->dice, SESSIONS);
    for (int i = 0; i < SESSIONS; i++) {
        session *s = &w->sessions[(from + i) % SESSIONS];
        if (s->place != GONE && (places & 1u << s->place)) {
            return s;
        }
    }
    return NULL;
}

#define IN(place) (1u << (place))

static void jid_of(const session *s, char *out, size_t size)
{
    if (s->user < 0) {
        text_print(out, size, "%d@example.org/%d", s->resource, s->resource);
    } else {
        text_print(out, size, "user%d@example.org/%d", s->user, s->resource);
    }
}

/* When a byte of this tick was read, by the wall clock of now. */
static int64_t wall_of(const world *w, uint32_t tick)
{
    return w->wall_told_ms - (w->rig.now_us - w->tick_us[tick - w->first_tick]) / 1000;
}

static void keep_seen(world *w, const session *s)
{
    if (s->bound && s->user >= 0) {
        int64_t seen = wall_of(w, s->read);
        user *u = &w->users[s->user];
        u->stored_ms = later_of(u->stored_ms, seen);
        u->other_ms = later_of(u->other_ms, seen);
    }
}

static void is_gone(world *w, session *s)
{
    s->place = GONE;
    w->old[w->old_count++ % OLD_TOKENS] = s->token;
}

/* The contacts hear that a JID is unavailable. */
static void told(world *w, const session *s)
{
    if (s->user >= 0) {
        user *u = &w->users[s->user];
        u->told[s->resource]++;
        u->believed[s->resource] = false;
        check(w, s->token, "told-once", u->told[s->resource] <= u->available[s->resource]);
    }
}

/* Another session of the JID that is here, open or resumable. */
static session *twin_of(world *w, const session *s)
{
    for (int i = 0; s->user >= 0 && i < SESSIONS; i++) {
        session *t = &w->sessions[i];
        if (t != s && (t->place == OPEN || t->place == DETACHED) && t->bound && t->user == s->user &&
            t->resource == s->resource) {
            return t;
        }
    }
    return NULL;
}

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

/* Actions: was it right to decide this now? */

static void check_ping(world *w, const session *s, hb_reason why, bool repeated)
{
    const policy *p = &w->policy;
    uint32_t now = w->rig.tick;
    check(w, s->token, "alive-stays", s->place == OPEN && s->bound && !s->begun);
    check(w, s->token, "alive-stays", ours(s, p) && p->ping);
    if (why == HB_WHY_RETRY) {
        check(w, s->token, "alive-stays", repeated || (!alive(s) && s->pings <= p->retries));
        check(w, s->token, "alive-stays", repeated || now >= s->last_ping + p->ack);
    } else {
        check(w, s->token, "alive-stays", why == HB_WHY_IDLE);
        check(w, s->token, "alive-stays", repeated || (alive(s) && now + p->spread >= s->read + p->idle));
    }
}

static void check_disconnect(world *w, const session *s, hb_reason why, bool repeated)
{
    const policy *p = &w->policy;
    uint32_t now = w->rig.tick;
    check(w, s->token, "alive-stays", s->place == OPEN && !s->begun);
    if (why == HB_WHY_NOT_LOGGED_IN) {
        check(w, s->token, "alive-stays", !s->bound);
        check(w, s->token, "sleep-kills-none", repeated || (p->login && now >= s->opened + p->login + 1));
        return;
    }
    check(w, s->token, "alive-stays", s->bound);
    if (repeated) {
        return; /* as right as it was */
    }
    if (why == HB_WHY_SILENT) {
        check(w, s->token, "alive-stays", ours(s, p) && !p->ping);
        check(w, s->token, "sleep-kills-none", now >= s->read + patience(p) + 1);
    } else {
        check(w, s->token, "alive-stays", why == HB_WHY_NO_ANSWER);
        check(w, s->token, "alive-stays", ours(s, p) && p->ping && !alive(s) && s->pings > p->retries);
        check(w, s->token, "sleep-kills-none", now >= s->last_ping + p->ack + 1);
    }
}

static void decided(world *w, const hb_action *action)
{
    session *s = find(w, action->token);
    uint32_t now = w->rig.tick;
    note(w, action->token, verb_name(action->verb), (int64_t)action->why);
    if (!s) {
        report(w, action->token, "stale-is-inert", "an action for a session that is over", __LINE__);
        return;
    }
    bool repeated =
        s->pending == (hb_verb)action->verb && !(s->bound && s->spoke) && now >= s->pending_since + REPEAT_TICKS;
    check(w, s->token, "told-once",
          s->pending != (hb_verb)action->verb || repeated || s->spoke || s->excused || action->verb == HB_ABORT);
    switch (action->verb) {
    case HB_PING:
        check_ping(w, s, (hb_reason)action->why, repeated);
        break;
    case HB_DISCONNECT:
        check_disconnect(w, s, (hb_reason)action->why, repeated);
        break;
    case HB_ABORT:
        check(w, s->token, "alive-stays", s->place == OPEN && s->begun && now >= s->begun_at + CLOSE_TICKS);
        s->begun_at = now;
        break;
    case HB_UNAVAILABLE:
        check(w, s->token, "told-once", s->place == WATCHED && now >= s->closed_at + TELL_TICKS);
        break;
    default:
        report(w, s->token, "stale-is-inert", "no such action", __LINE__);
    }
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

/* Right after a tick: whatever had to be decided by now was. */
static void check_overdue(world *w, session *s)
{
    const policy *p = &w->policy;
    uint32_t now = w->rig.tick;
    uint32_t changed = w->configured_at + 1;
    if (s->place == WATCHED) {
        check(w, s->token, "told-once", now < s->closed_at + TELL_TICKS || s->pending == HB_UNAVAILABLE);
        check(w, s->token, "told-once", s->pending != HB_UNAVAILABLE || now <= s->pending_since + REPEAT_TICKS);
        return;
    }
    if (s->place != OPEN) {
        return;
    }
    if (s->begun) {
        check(w, s->token, "dead-goes", now < s->begun_at + CLOSE_TICKS);
        return;
    }
    bool off = !ours(s, p) || (s->pending == HB_PING && !p->ping);
    if (s->pending != HB_NOTHING && s->bound && (off || (s->spoke && now >= s->pending_since + REPEAT_TICKS))) {
        s->excused = true;
        if (s->pending == HB_PING || s->spoke) {
            s->dropped = s->pending == HB_DISCONNECT;
            s->pending = HB_NOTHING; /* nobody began it, and it is not wanted any more */
        }
    }
    if (s->pending != HB_NOTHING) {
        check(w, s->token, "dead-goes", now <= s->pending_since + REPEAT_TICKS);
        return;
    }
    if (!s->bound) {
        check(w, s->token, "dead-goes", !p->login || now < max_of(s->opened + p->login + 1, changed));
    } else if (ours(s, p)) {
        uint32_t limit = !p->ping   ? s->read + patience(p) + 1
                         : alive(s) ? s->read + p->idle
                                    : s->last_ping + p->ack + (s->pings > p->retries);
        check(w, s->token, "dead-goes", now < max_of(limit, changed));
    }
}

/* Begins: is the order right? */

static void begin_disconnect(world *w, session *s, bool resumable, const hb_order *order)
{
    bool stranger = s->why == HB_WHY_NOT_LOGGED_IN;
    if (order->verb == HB_NOTHING) {
        bool right = s->pending != HB_DISCONNECT || s->spoke || s->excused || (stranger && s->bound);
        check(w, s->token, "dead-goes", right);
    } else {
        check(w, s->token, "alive-stays", s->place == OPEN && s->pending == HB_DISCONNECT);
        check(w, s->token, "alive-stays", stranger ? !s->bound : !s->spoke);
        bool cut = !stranger && (w->policy.on_dead == 2 || (w->policy.on_dead == 0 && resumable));
        check(w, s->token, "alive-stays", order->verb == (cut ? HB_CUT : HB_CLOSE));
        s->begun = true;
        s->begun_at = w->rig.tick;
        s->cut = cut;
    }
    if (s->pending == HB_DISCONNECT) {
        s->pending = HB_NOTHING;
        if (!s->begun && s->spoke) {
            s->pings = 0;
        }
    }
}

static void begin_ping(world *w, session *s, const hb_order *order)
{
    if (order->verb == HB_NOTHING) {
        check(w, s->token, "dead-goes", s->pending != HB_PING || s->spoke || s->excused);
    } else {
        check(w, s->token, "alive-stays", order->verb == HB_PING && s->place == OPEN && s->pending == HB_PING);
        check(w, s->token, "alive-stays", s->read < s->pending_since);
        s->pings = alive(s) ? 1 : s->pings + 1;
        s->last_ping = w->rig.tick;
        text_print(s->id, sizeof s->id, "%.*s", (int)order->length, order->text);
        s->answered = false;
    }
    if (s->pending == HB_PING) {
        s->pending = HB_NOTHING;
    }
}

static void begin_unavailable(world *w, session *s, const hb_order *order)
{
    if (s->place != WATCHED) {
        check(w, s->token, "told-once", order->verb == HB_NOTHING);
        return;
    }
    session *twin = twin_of(w, s);
    if (twin) {
        check(w, s->token, "told-once", order->verb == HB_NOTHING);
        twin->available = true; /* contacts believe in the JID; whoever holds it owes them the word */
        twin->logout = false;
    } else {
        char jid[64];
        jid_of(s, jid, sizeof jid);
        check(w, s->token, "told-once", order->verb == HB_UNAVAILABLE);
        check(w, s->token, "told-once", order->length == strlen(jid) && memcmp(order->text, jid, order->length) == 0);
        told(w, s);
    }
    is_gone(w, s);
}

static void begin(world *w, hb_token token, hb_verb verb)
{
    static hb_order order;
    session *s = find(w, token);
    bool resumable = dice_percent(&w->dice, 50);
    order.verb = HB_NOTHING;
    int code = hb_core_begin(w->rig.core, token, verb, resumable ? HB_FACT_RESUMABLE : 0, w->rig.now_us, &order);
    note(w, token, "begin", (int64_t)verb * 10 + (int64_t)order.verb);
    if (!s) {
        check(w, token, "stale-is-inert", code == HB_ESTALE);
        check(w, token, "stale-is-inert", order.verb == HB_NOTHING);
        return;
    }
    check(w, token, "stale-is-inert", code == HB_OK);
    if (verb == HB_DISCONNECT) {
        begin_disconnect(w, s, resumable, &order);
    } else if (verb == HB_PING) {
        begin_ping(w, s, &order);
    } else if (verb == HB_UNAVAILABLE) {
        begin_unavailable(w, s, &order);
    } else {
        check(w, token, "alive-stays", order.verb == (s->place == OPEN && s->begun ? HB_ABORT : HB_NOTHING));
    }
}

/* Events. */

static void read_at(world *w, session *s, uint32_t stamp)
{
    if (stamp < s->read) {
        return;
    }
    __atomic_store_n(rig_cell(&w->rig, s->token), stamp, __ATOMIC_RELAXED);
    s->read = stamp;
    s->spoke = s->pending != HB_NOTHING;
    note(w, s->token, "read", (int64_t)(stamp - w->first_tick));
}

static void do_open(world *w)
{
    int free_at = 0;
    while (free_at < SESSIONS && w->sessions[free_at].place != GONE) {
        free_at++;
    }
    if (free_at == SESSIONS) {
        return;
    }
    session *s = &w->sessions[free_at];
    memset(s, 0, sizeof *s);
    hb_transport transport = (hb_transport)dice_below(&w->dice, 3);
    s->own = transport == HB_TCP || dice_percent(&w->dice, 30) ? 0 : 1 + dice_below(&w->dice, 60);
    int code = hb_core_open(w->rig.core, transport, s->own, w->rig.now_us, w->rig.now_us, &s->token);
    check(w, s->token, "bounded", code == HB_OK);
    check(w, s->token, "stale-is-inert", find(w, s->token) == NULL);
    for (int i = 0; i < SESSIONS; i++) {
        const session *t = &w->sessions[i];
        check(w, s->token, "stale-is-inert", t->place == GONE || (uint32_t)t->token != (uint32_t)s->token);
    }
    s->place = OPEN;
    s->opened = s->read = w->rig.tick;
    note(w, s->token, "open", s->own);
}

static void do_bound(world *w)
{
    session *s = any(w, IN(OPEN));
    if (!s || s->bound) {
        return;
    }
    s->user = dice_percent(&w->dice, 15) ? -1 : (int)dice_below(&w->dice, USERS);
    s->resource = s->user < 0 ? (int)dice_below(&w->dice, 1000000) : (int)dice_below(&w->dice, RESOURCES);
    int holders = 0;
    for (int i = 0; i < SESSIONS; i++) {
        const session *t = &w->sessions[i];
        holders += t != s && t->place != GONE && t->bound && t->user == s->user && t->resource == s->resource;
    }
    if (holders > 1) {
        return;
    }
    char jid[64];
    jid_of(s, jid, sizeof jid);
    int code = hb_core_bound(w->rig.core, s->token, jid, strlen(jid), s->user < 0);
    check(w, s->token, "stale-is-inert", code == HB_OK);
    s->bound = true;
    if (s->pending == HB_DISCONNECT) {
        s->pending = HB_NOTHING;
    }
    if (s->user >= 0) {
        w->users[s->user].known = true;
    }
    note(w, s->token, jid, 0);
}

static void do_read(world *w)
{
    session *s = any(w, IN(OPEN));
    if (s) {
        read_at(w, s, w->rig.tick);
    }
}

static void do_pong(world *w)
{
    session *s = any(w, IN(OPEN));
    if (!s || !s->id[0]) {
        return;
    }
    bool own = dice_percent(&w->dice, 80);
    session *from = own ? s : any(w, IN(OPEN));
    char id[128];
    text_print(id, sizeof id, "%s", from->id);
    bool forged = dice_percent(&w->dice, 20) && id[0];
    if (forged) {
        size_t at = dice_below(&w->dice, (uint32_t)strlen(id));
        id[at] = id[at] == '0' ? '1' : '0';
    }
    read_at(w, s, w->rig.tick);
    int code = hb_core_pong(w->rig.core, s->token, id, strlen(id), w->rig.now_us);
    bool right = !forged && from == s && !s->answered;
    check(w, s->token, "stale-is-inert", code == (right ? 1 : 0));
    note(w, s->token, "pong", code);
    s->answered |= right;
    if (right && s->pending == HB_PING) {
        s->excused = true;
    }
}

static void do_available(world *w)
{
    session *s = any(w, IN(OPEN));
    if (!s || !s->bound || s->begun) {
        return;
    }
    check(w, s->token, "stale-is-inert", hb_core_available(w->rig.core, s->token) == HB_OK);
    note(w, s->token, "available", s->available);
    if (s->user >= 0) {
        user *u = &w->users[s->user];
        u->available[s->resource] += !s->available;
        u->believed[s->resource] = true;
        u->status[0] = '\0';
    }
    s->available = true;
    s->logout = false;
}

static void unavailable(world *w, session *s, bool server)
{
    char status[32];
    text_print(status, sizeof status, "status %u", dice_below(&w->dice, 1000));
    int code = hb_core_unavailable(w->rig.core, s->token, server ? NULL : status, server ? 0 : strlen(status), server);
    check(w, s->token, "stale-is-inert", code == HB_OK);
    note(w, s->token, server ? "told by the server" : "unavailable", s->available);
    if (s->available) {
        told(w, s);
    }
    if (s->user >= 0) {
        text_print(w->users[s->user].status, sizeof status, "%s", server ? "" : status);
    }
    s->available = false;
    if (s->place == WATCHED) {
        is_gone(w, s);
    } else {
        s->logout |= !server;
    }
}

static void do_unavailable(world *w)
{
    session *s = any(w, IN(OPEN) | IN(WATCHED));
    if (s && s->bound) {
        unavailable(w, s, s->place == WATCHED && dice_percent(&w->dice, 70));
    }
}

/* Why its last activity will say that it ended. HB_WHY_SPOKE: what was called off, or not yet, may be told. */
static hb_reason end_of(const session *s)
{
    if (!s->begun && (s->dropped || (s->pending == HB_DISCONNECT && (s->spoke || s->excused)))) {
        return HB_WHY_SPOKE;
    }
    if (s->begun || s->pending == HB_DISCONNECT) {
        return s->why;
    }
    return s->logout ? HB_WHY_LOGOUT : HB_WHY_CLOSED;
}

static void closed(world *w, session *s)
{
    if (s->place == OPEN && s->available && dice_percent(&w->dice, 40)) {
        unavailable(w, s, true); /* the server tells before it says that it is over */
    }
    hb_reason end = s->place == DETACHED && s->end != HB_WHY_CLOSED ? s->end : end_of(s);
    check(w, s->token, "stale-is-inert", hb_core_closed(w->rig.core, s->token) == HB_OK);
    note(w, s->token, "closed", s->available);
    if (s->place == WATCHED) {
        return;
    }
    keep_seen(w, s);
    if (s->bound && s->user >= 0) {
        w->users[s->user].why = end;
    }
    s->pending = HB_NOTHING;
    if (s->available) {
        s->place = WATCHED;
        s->closed_at = w->rig.tick;
        if (dice_percent(&w->dice, 40)) {
            unavailable(w, s, true);
        }
    } else {
        is_gone(w, s);
    }
}

static void do_closed(world *w)
{
    session *s = any(w, IN(OPEN) | IN(DETACHED) | IN(WATCHED));
    if (s) {
        closed(w, s);
    }
}

static void detached(world *w, session *s)
{
    hb_reason end = end_of(s);
    check(w, s->token, "stale-is-inert", hb_core_detached(w->rig.core, s->token) == HB_OK);
    note(w, s->token, "detached", 0);
    if (s->bound) {
        s->place = DETACHED;
        s->end = end == HB_WHY_LOGOUT ? HB_WHY_CLOSED : end; /* that can change yet */
        s->pending = HB_NOTHING;
        s->begun = false;
    } else {
        is_gone(w, s);
    }
}

static void do_detached(world *w)
{
    session *s = any(w, IN(OPEN));
    if (s) {
        detached(w, s);
    }
}

static void do_resumed(world *w)
{
    session *from = any(w, dice_percent(&w->dice, 80) ? IN(DETACHED) : IN(OPEN));
    session *to = any(w, IN(OPEN));
    if (!from || !to || from == to || !from->bound || to->bound || to->begun) {
        return;
    }
    check(w, to->token, "stale-is-inert", hb_core_resumed(w->rig.core, from->token, to->token) == HB_OK);
    note(w, from->token, "resumed", 0);
    note(w, to->token, "goes on", (int64_t)from->token);
    keep_seen(w, from);
    to->bound = true;
    to->user = from->user;
    to->resource = from->resource;
    to->available = from->available;
    to->logout = from->logout;
    to->pings = 0;
    to->pending = HB_NOTHING;
    is_gone(w, from);
}

static void do_idle(world *w)
{
    session *s = any(w, IN(OPEN) | IN(DETACHED) | IN(WATCHED));
    if (s) {
        check(w, s->token, "stale-is-inert", hb_core_idle(w->rig.core, s->token, w->rig.now_us) == 1);
    }
}

static void do_configure(world *w)
{
    dice *d = &w->dice;
    policy p = {.ping = dice_percent(d, 85)};
    char json[512];
    char login[16];
    char idle[16];
    static const char *const on_dead[] = {"auto", "close", "cut"};
    p.idle = dice_percent(d, 10) ? 0 : 1 + dice_below(d, 20);
    p.ack = 1 + dice_below(d, 15);
    p.retries = dice_percent(d, 50) ? 0 : dice_below(d, 4);
    p.spread = p.idle && dice_percent(d, 50) ? dice_below(d, p.idle) : 0;
    p.login = dice_percent(d, 10) ? 0 : 1 + dice_below(d, 30);
    p.on_dead = (int)dice_below(d, 3);
    text_print(login, sizeof login, p.login ? "%us" : "off", p.login);
    text_print(idle, sizeof idle, p.idle ? "%us" : "off", p.idle);
    text_print(json, sizeof json,
               "{\"idle\": \"%s\", \"ack_timeout\": \"%us\", \"retries\": %u, \"spread\": \"%us\","
               " \"login_within\": \"%s\", \"on_dead\": \"%s\", \"ping\": %s}",
               idle, p.ack, p.retries, p.spread, login, on_dead[p.on_dead], p.ping ? "true" : "false");
    rig_policy(&w->rig, json, 60000, true);
    w->policy = p;
    w->configured_at = w->rig.tick;
    note(w, 0, json, 0);
    for (int i = 0; i < SESSIONS; i++) {
        w->sessions[i].excused = w->sessions[i].pending == HB_DISCONNECT || w->sessions[i].pending == HB_PING;
    }
}

static void do_stale(world *w)
{
    if (!w->old_count) {
        return;
    }
    uint32_t known = w->old_count < OLD_TOKENS ? w->old_count : OLD_TOKENS;
    hb_token token = w->old[dice_below(&w->dice, known)];
    session *other = any(w, IN(OPEN));
    hb_core *core = w->rig.core;
    int code = HB_ESTALE;
    switch (dice_below(&w->dice, 9)) {
    case 0:
        code = hb_core_bound(core, token, "user0@example.org/0", 19, false);
        break;
    case 1:
        code = hb_core_available(core, token);
        break;
    case 2:
        code = hb_core_unavailable(core, token, "late", 4, dice_percent(&w->dice, 50));
        break;
    case 3:
        code = hb_core_idle(core, token, w->rig.now_us);
        break;
    case 4:
        code = hb_core_pong(core, token, "hb-", 3, w->rig.now_us);
        break;
    case 5:
        code = hb_core_detached(core, token);
        break;
    case 6:
        code = hb_core_closed(core, token);
        break;
    case 7:
        code = other ? hb_core_resumed(core, token, other->token) : HB_ESTALE;
        break;
    default:
        code = other ? hb_core_resumed(core, other->token, token) : HB_ESTALE;
        break;
    }
    check(w, token, "stale-is-inert", code == HB_ESTALE);
}

/* Was this told, where `expected` is true? Nothing is told to be later than the wall clock. */
static bool near(const world *w, int64_t told, int64_t expected)
{
    int64_t right = expected < w->wall_told_ms ? expected : w->wall_told_ms;
    return llabs(told - right) <= SEEN_TOLERANCE_MS;
}

static void check_seen(world *w, int which)
{
    user *u = &w->users[which];
    char name[16];
    hb_activity a;
    bool online = false;
    int64_t live = 0;
    text_print(name, sizeof name, "user%d", which);
    int code = hb_core_last_activity(w->rig.core, name, strlen(name), &a);
    check(w, 0, "seen-is-true", code == (u->known ? 1 : 0));
    if (!u->known) {
        return;
    }
    for (int i = 0; i < SESSIONS; i++) {
        const session *s = &w->sessions[i];
        if ((s->place == OPEN || s->place == DETACHED) && s->bound && s->user == which) {
            online = true;
            live = later_of(live, wall_of(w, s->read));
        }
    }
    note(w, 0, name, a.seen_ms - RIG_WALL_MS);
    note(w, 0, reason_name(a.why), which);
    note(w, 0, reason_name(u->why), which);
    check(w, 0, "seen-is-true", a.online == online);
    check(w, 0, "seen-is-true", a.seen_ms <= w->wall_told_ms);
    check(w, 0, "seen-is-true", a.seen_ms >= u->told_ms);
    check(w, 0, "seen-is-true",
          near(w, a.seen_ms, later_of(live, u->stored_ms)) || near(w, a.seen_ms, later_of(live, u->other_ms)));
    check(w, 0, "seen-is-true", a.why == u->why || u->why == HB_WHY_SPOKE);
    check(w, 0, "seen-is-true", a.length == strlen(u->status) && memcmp(a.status, u->status, a.length) == 0);
    u->told_ms = u->stored_ms = u->other_ms = a.seen_ms;
}

static void do_seen(world *w)
{
    check_seen(w, (int)dice_below(&w->dice, USERS));
}

/* How often each happens, in a hundred of events. */
static const struct deed {
    uint32_t weight;
    void (*run)(world *w);
} deeds[] = {
    {10, do_open},       {12, do_bound}, {24, do_read},    {10, do_pong},   {9, do_available},
    {5, do_unavailable}, {5, do_closed}, {3, do_detached}, {6, do_resumed}, {5, do_idle},
    {1, do_configure},   {5, do_stale},  {5, do_seen},
};

static void random_event(world *w)
{
    uint32_t total = 0;
    for (size_t i = 0; i < sizeof deeds / sizeof deeds[0]; i++) {
        total += deeds[i].weight;
    }
    uint32_t roll = dice_below(&w->dice, total);
    size_t i = 0;
    while (roll >= deeds[i].weight) {
        roll -= deeds[i++].weight;
    }
    deeds[i].run(w);
}

/* Time. */

/*
 * Times that would lie in the future are taken back with the wall clock. Of one within the noise of the two clocks from
 * where the clock was set to, nobody can say which side it is on: both are right from then on.
 */
static void set_wall_back(world *w, int64_t by_ms)
{
    for (int i = 0; i < USERS; i++) {
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
        u->told_ms = 0; /* it may go back now */
    }
}

/* The wall clock that advance is told: it jumps now and then, and is a little unsteady always. */
static void move_wall(world *w)
{
    if (dice_percent(&w->dice, 2)) {
        int64_t jump = (int64_t)dice_below(&w->dice, 4000000) - 2000000;
        w->rig.wall_ms += jump;
        note(w, 0, "the wall clock jumps by", jump);
    }
}

static void advance(world *w)
{
    hb_action out[SESSIONS + 1];
    size_t capacity = 1 + dice_below(&w->dice, SESSIONS);
    int64_t wall = rig_wall_ms(&w->rig) + (int64_t)dice_below(&w->dice, 100);
    int64_t base = wall - w->rig.now_us / 1000;
    uint32_t before = w->rig.tick;
    int64_t wall_before = w->wall_told_ms;
    int more;
    w->wall_told_ms = wall;
    if (base - w->base_ms < -WALL_NOISE_MS) {
        if (wall < wall_before) {
            set_wall_back(w, w->base_ms - base);
        }
        for (int i = 0; i < USERS; i++) {
            w->users[i].told_ms = 0;
        }
    }
    if (llabs(base - w->base_ms) > WALL_NOISE_MS) {
        w->base_ms = base;
    }
    for (int i = 0; i < SESSIONS; i++) {
        if (!ours(&w->sessions[i], &w->policy) || !w->policy.ping)
            w->sessions[i].pings = 0; /* where nobody is pinged, no answer is awaited */
    }
    bool first = true;
    do {
        size_t count = 0;
        more = hb_core_advance(w->rig.core, w->rig.now_us, wall, out, capacity, &count, &w->rig.tick);
        if (first) {
            check(w, 0, "sleep-kills-none", w->rig.tick == before + 1);
            w->tick_us[w->rig.tick - w->first_tick] = w->rig.now_us;
            first = false;
        }
        for (size_t i = 0; i < count; i++) {
            decided(w, &out[i]);
            uint32_t roll = dice_below(&w->dice, 100);
            uint32_t delay = roll < 70 ? 0 : roll < 90 ? dice_below(&w->dice, 4) : dice_below(&w->dice, 70);
            if (roll < 97 && w->begin_count < BEGINS) { /* the others get lost */
                w->begins[w->begin_count++] = (later){out[i].token, (hb_verb)out[i].verb, w->rig.tick + delay};
            }
        }
        check(w, 0, "bounded", more == 0 || more == 1);
    } while (more == 1);
    for (int i = 0; i < SESSIONS; i++) {
        if (w->sessions[i].place != GONE) {
            check_overdue(w, &w->sessions[i]);
        }
    }
    /* Readers that have not heard of the new tick yet. */
    for (int i = 0; i < SESSIONS; i++) {
        session *s = &w->sessions[i];
        if (s->place == OPEN && s->pending == HB_DISCONNECT && dice_percent(&w->dice, 10)) {
            read_at(w, s, before);
        }
    }
}

static void run_begins(world *w)
{
    int kept = 0;
    for (int i = 0; i < w->begin_count; i++) {
        later b = w->begins[i];
        if (b.at > w->rig.tick) {
            w->begins[kept++] = b;
        } else {
            begin(w, b.token, b.verb);
            if (dice_percent(&w->dice, 3)) {
                begin(w, b.token, b.verb); /* twice */
            }
        }
    }
    w->begin_count = kept;
}

static void one_second(world *w, bool stalls)
{
    w->rig.now_us = w->rig.origin_us + (rig_second(&w->rig) + 1) * 1000000;
    if (stalls && w->stalls < 25 && dice_percent(&w->dice, 4)) {
        int64_t length = 1 + (int64_t)dice_below(&w->dice, dice_percent(&w->dice, 50) ? 5 : 5000);
        w->rig.now_us += length * 1000000;
        w->stalls++;
        note(w, 0, "a stall of", length);
    }
    move_wall(w);
    advance(w);
    run_begins(w);
    for (int i = 0; i < SESSIONS; i++) {
        session *s = &w->sessions[i];
        if (s->place == OPEN && s->begun && dice_percent(&w->dice, 40)) { /* what was ordered comes to pass */
            if (s->bound && s->cut) {
                detached(w, s);
            } else {
                closed(w, s);
            }
        }
    }
}

/* Everybody leaves. A few ticks later all contacts know, and nothing is left. */
static void all_leave(world *w)
{
    for (int i = 0; i < SESSIONS; i++) {
        if (w->sessions[i].place != GONE && w->sessions[i].place != WATCHED) {
            closed(w, &w->sessions[i]);
        }
    }
    for (int i = 0; i < 200; i++) {
        one_second(w, false);
    }
    for (int i = 0; i < SESSIONS; i++) {
        check(w, w->sessions[i].token, "told-once", w->sessions[i].place == GONE);
    }
    for (int i = 0; i < USERS; i++) {
        for (int k = 0; k < RESOURCES; k++) {
            check(w, 0, "told-once", !w->users[i].believed[k]);
        }
        check_seen(w, i);
    }
    char *json = NULL;
    size_t length = 0;
    assert_int_equal(hb_core_status(w->rig.core, false, &json, &length), HB_OK);
    check(w, 0, "bounded", strstr(json, "\"total\":0") != NULL);
    hb_string_free(json);
}

static void run_seed(uint64_t seed)
{
    world *w = calloc(1, sizeof *w);
    assert_non_null(w);
    w->seed = seed;
    w->dice.state = seed * UINT64_C(0x9E3779B97F4A7C15) + 1;
    dice_next(&w->dice);
    w->tick_us = calloc(TICKS + 300, sizeof *w->tick_us);
    assert_non_null(w->tick_us);
    rig_init(&w->rig, (int64_t)dice_below(&w->dice, 100000) * 1000000 + 1000000);
    w->first_tick = w->rig.tick;
    w->tick_us[0] = w->rig.now_us;
    w->wall_told_ms = rig_wall_ms(&w->rig);
    w->base_ms = w->wall_told_ms - w->rig.now_us / 1000;
    do_configure(w);
    uint32_t busy = 1 + dice_below(&w->dice, 12);
    bool late = dice_percent(&w->dice, 80);
    for (int i = 0; i < TICKS; i++) {
        one_second(w, late);
        for (uint32_t n = dice_below(&w->dice, 2 * busy); n > 0; n--) {
            w->rig.now_us += 1 + dice_below(&w->dice, 30000);
            random_event(w);
        }
    }
    all_leave(w);
    rig_close(&w->rig);
    free(w->tick_us);
    free(w);
}

static uint64_t first_seed = 1;
static uint64_t last_seed = SEEDS;

static void test_stories(void **state)
{
    (void)state;
    for (uint64_t seed = first_seed; seed <= last_seed; seed++) {
        run_seed(seed);
    }
    print_message(
        "seeds %llu to %llu, %d ticks each: alive-stays, dead-goes, told-once, sleep-kills-none, seen-is-true,"
        " stale-is-inert, bounded hold\n",
        (unsigned long long)first_seed, (unsigned long long)last_seed, TICKS);
}

int main(int argc, char **argv)
{
    if (argc > 1) {
        first_seed = last_seed = strtoull(argv[1], NULL, 10);
    }
    if (argc > 2) {
        last_seed = strtoull(argv[2], NULL, 10);
    }
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_stories)};
    return cmocka_run_group_tests_name("random", tests, NULL, NULL);
}
