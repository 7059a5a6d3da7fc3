/*
 * fleet.c - clients with moods, a server that is late, and a little of what should never come. All of it follows from
 * the seed and from what the core orders.
 */
#include "simulate.h"

#include <stdlib.h>
#include <string.h>

#define CLIENTS 24
#define WAITING 8192
#define STALLS 25 /* the core knows the length of so many, and the sum of those before */

typedef enum mood { ANSWERS, ANSWERS_LATE, ANSWERS_WITH_SPACE, TALKS, FLAPS, DARK, MOODS } mood;

typedef struct client {
    mood mood;
    uint32_t session;   /* 0: none */
    uint32_t resumable; /* detached, or 0 */
    uint32_t user;
    uint32_t resource;
    bool anonymous;
    int64_t lag_ms;  /* of the thread that tells its events */
    int64_t last_ms; /* events of one client stay in order */
} client;

typedef struct waiting {
    int64_t at_ms;
    uint64_t order; /* of two at one time, the one that was there first goes first */
    uint32_t turn;  /* client whose turn it is, from 1; 0: an event */
    event event;
} waiting;

typedef struct fleet {
    world *w;
    tape *tape;
    dice dice;
    client clients[CLIENTS];
    uint32_t owner[SIM_OPENED]; /* client of a session, from 1 */
    uint32_t opened;
    waiting heap[WAITING];
    size_t count;
    uint64_t order;
    uint32_t chaos; /* senseless events per second, at most */
    int stalls;
    int64_t now_ms;
} fleet;

/* What waits, the earliest first. */

static bool before(const waiting *a, const waiting *b)
{
    return a->at_ms < b->at_ms || (a->at_ms == b->at_ms && a->order < b->order);
}

static void push(fleet *f, waiting item)
{
    if (f->count == WAITING) {
        return; /* it got lost */
    }
    size_t i = f->count++;
    item.order = f->order++;
    while (i > 0 && before(&item, &f->heap[(i - 1) / 2])) {
        f->heap[i] = f->heap[(i - 1) / 2];
        i = (i - 1) / 2;
    }
    f->heap[i] = item;
}

static waiting pop(fleet *f)
{
    waiting first = f->heap[0];
    waiting last = f->heap[--f->count];
    size_t i = 0;
    for (;;) {
        size_t k = 2 * i + 1;
        if (k + 1 < f->count && before(&f->heap[k + 1], &f->heap[k])) {
            k++;
        }
        if (k >= f->count || !before(&f->heap[k], &last)) {
            break;
        }
        f->heap[i] = f->heap[k];
        i = k;
    }
    f->heap[i] = last;
    return first;
}

static int64_t below(fleet *f, int64_t limit)
{
    return dice_below(&f->dice, (uint32_t)limit);
}

static bool chance(fleet *f, uint32_t percent)
{
    return dice_percent(&f->dice, percent);
}

static void after(fleet *f, int64_t ms, event e)
{
    e.at_ms = f->now_ms + ms;
    push(f, (waiting){.at_ms = e.at_ms, .event = e});
}

/* Events of a client go through a thread that may be late, but keeps their order. Reads do not. */
static void tell(fleet *f, client *c, int64_t ms, event e)
{
    int64_t at_ms = f->now_ms + ms + c->lag_ms;
    c->last_ms = at_ms > c->last_ms ? at_ms : c->last_ms;
    after(f, c->last_ms - f->now_ms, e);
}

static void turn(fleet *f, uint32_t which, int64_t ms)
{
    push(f, (waiting){.at_ms = f->now_ms + ms, .turn = which + 1});
}

/* Clients. */

static void new_person(fleet *f, client *c)
{
    c->anonymous = chance(f, 10);
    c->user = (uint32_t)below(f, SIM_USERS);
    c->resource = (uint32_t)below(f, c->anonymous ? 1000000 : SIM_RESOURCES);
}

static void connect_to(fleet *f, uint32_t which)
{
    client *c = &f->clients[which];
    if (f->opened + 1 >= SIM_OPENED) {
        return;
    }
    event open = {.kind = SIM_OPEN, .who = ++f->opened};
    if (chance(f, 3)) { /* the plugin was loaded late */
        open.ms = 1 + below(f, 30000);
        open.read_ms = below(f, open.ms);
    }
    if (chance(f, 15)) {
        open.value = 1 + (uint32_t)below(f, 2);
        open.other = chance(f, 30) ? 0 : 1 + (uint32_t)below(f, 60);
    }
    c->session = f->opened;
    f->owner[c->session] = which + 1;
    tell(f, c, 0, open);
    if (chance(f, 4)) {
        return; /* it never logs in */
    }
    if (c->resumable && chance(f, 80)) {
        tell(f, c, 1 + below(f, 900), (event){.kind = SIM_RESUMED, .who = c->resumable, .other = c->session});
        c->resumable = 0;
        return;
    }
    c->resumable = 0;
    if (chance(f, 40)) {
        new_person(f, c); /* or the same again, and perhaps the server has not noticed the end of the old one */
    }
    int64_t login = chance(f, 95) ? below(f, 900) : below(f, 30000);
    tell(f, c, login,
         (event){.kind = SIM_BOUND, .who = c->session, .other = c->user, .value = c->resource, .flag = c->anonymous});
    if (chance(f, 90)) {
        tell(f, c, login, (event){.kind = SIM_AVAILABLE, .who = c->session});
    }
}

/* The connection is gone, as the server sees it: with or without a word to contacts, before it is over or after. */
static void disconnected(fleet *f, client *c, int64_t ms)
{
    event closed = {.kind = SIM_CLOSED, .who = c->session};
    event told = {.kind = SIM_UNAVAILABLE, .who = c->session, .flag = true};
    uint32_t told_when = (uint32_t)below(f, 3);
    if (told_when == 0) {
        tell(f, c, ms, told);
    }
    tell(f, c, ms, closed);
    if (told_when == 1) {
        tell(f, c, ms + below(f, 3000), told);
    }
    c->session = 0;
}

static void detached(fleet *f, client *c, int64_t ms)
{
    tell(f, c, ms, (event){.kind = SIM_DETACHED, .who = c->session});
    if (chance(f, 30)) {
        disconnected(f, c, ms + below(f, 60000)); /* the server gives it up */
    } else {
        c->resumable = c->session;
    }
    c->session = 0;
}

static void leaves(fleet *f, client *c)
{
    switch (below(f, 4)) {
    case 0:
        tell(f, c, 0, (event){.kind = SIM_UNAVAILABLE, .who = c->session, .other = (uint32_t)below(f, 1000)});
        disconnected(f, c, below(f, 200));
        break;
    case 1:
        detached(f, c, 0);
        break;
    case 2:
        disconnected(f, c, 0);
        break;
    default:
        c->session = 0; /* the link is down: the server knows nothing of it */
    }
}

static void client_turn(fleet *f, uint32_t which)
{
    client *c = &f->clients[which];
    int64_t next = 500 + below(f, 8000);
    if (chance(f, 5)) {
        c->mood = (mood)below(f, MOODS);
        c->lag_ms = chance(f, 30) ? below(f, 3000) : 0;
    }
    if (!c->session) {
        if (c->mood != DARK || chance(f, 10)) {
            connect_to(f, which);
        }
    } else if (c->mood == TALKS) {
        after(f, 0, (event){.kind = SIM_READ, .who = c->session});
    } else if (c->mood == FLAPS || chance(f, 3)) {
        leaves(f, c);
        next = below(f, 3000);
    } else if (c->mood != DARK && chance(f, 10)) {
        after(f, 0, (event){.kind = SIM_READ, .who = c->session});
        tell(f, c, 0, (event){.kind = chance(f, 50) ? SIM_AVAILABLE : SIM_UNAVAILABLE, .who = c->session});
    }
    turn(f, which, next);
}

/* A client was pinged. */
static void pinged(fleet *f, client *c, uint32_t number)
{
    const uint32_t ack_ms = f->w->policy.ack * 1000;
    event read = {.kind = SIM_READ, .who = number};
    event pong = {.kind = SIM_PONG, .who = number, .other = number, .value = f->w->sessions[number].sent};
    int64_t delay = below(f, 300);
    switch (c->session == number ? c->mood : DARK) {
    case ANSWERS_LATE:
        delay = below(f, ack_ms + ack_ms / 4);
        after(f, delay, read);
        after(f, delay, pong);
        break;
    case ANSWERS_WITH_SPACE:
        after(f, below(f, ack_ms), read);
        break;
    case ANSWERS:
    case FLAPS:
        after(f, delay, read);
        after(f, delay + (chance(f, 5) ? below(f, 3000) : 0), pong);
        break;
    default:
        break;
    }
}

/* A deed is to be done, after a while in a queue; some are lost, some done twice. */
static void queue_begin(fleet *f, const hb_action *action)
{
    uint32_t roll = (uint32_t)below(f, 100);
    int64_t delay = roll < 60 ? 0 : roll < 80 ? below(f, 50) : roll < 95 ? below(f, 4000) : below(f, 70000);
    event e = {.kind = SIM_BEGIN, .who = f->w->by_slot[(uint32_t)action->token], .other = action->verb};
    e.flag = chance(f, 50);
    if (chance(f, 97)) {
        after(f, delay, e);
    }
    if (chance(f, 3)) {
        after(f, delay + below(f, 2000), e);
    }
    if (action->verb == HB_DISCONNECT && chance(f, 10)) {
        after(f, 0, (event){.kind = SIM_READ, .who = e.who, .flag = true});
    }
}

/* What was ordered comes to pass, soon or late or never. */
static void ordered(fleet *f, uint32_t number)
{
    uint32_t owner = f->owner[number];
    client nobody = {.mood = DARK};
    client *c = owner && f->clients[owner - 1].session == number ? &f->clients[owner - 1] : &nobody;
    int64_t delay = chance(f, 80) ? below(f, 300) : below(f, 12000);
    if (c == &nobody) {
        nobody.session = number;
    }
    switch (f->w->ordered) {
    case HB_PING:
        pinged(f, c, number);
        break;
    case HB_CUT:
        detached(f, c, delay);
        break;
    case HB_CLOSE:
        disconnected(f, c, delay);
        break;
    case HB_ABORT:
        disconnected(f, c, below(f, 100));
        break;
    default:
        break;
    }
}

/* What happens to nobody's plan. */

static event any_policy(fleet *f)
{
    policy p = {.ping = chance(f, 85)};
    p.idle = chance(f, 10) ? 0 : 1 + (uint32_t)below(f, 20);
    p.ack = 1 + (uint32_t)below(f, 15);
    p.retries = chance(f, 50) ? 0 : (uint32_t)below(f, 4);
    p.spread = p.idle && chance(f, 50) ? (uint32_t)below(f, p.idle) : 0;
    p.login = chance(f, 10) ? 0 : 1 + (uint32_t)below(f, 30);
    p.on_dead = (uint32_t)below(f, 3);
    p.pings_per_tick = chance(f, 50) ? 1000 : 1 + (uint32_t)below(f, 6);
    return (event){.kind = SIM_POLICY, .policy = p};
}

/* A session that is here, or was. */
static uint32_t any_session(fleet *f)
{
    const world *w = f->w;
    if (w->live_count && chance(f, 85)) {
        return w->live[below(f, w->live_count)];
    }
    int64_t recent = f->opened < 64 ? f->opened : 64;
    return recent ? f->opened - (uint32_t)below(f, recent) : 1;
}

static void disturb(fleet *f)
{
    static const struct {
        uint32_t weight;
        kind kind;
    } deeds[] = {{6, SIM_BOUND},  {30, SIM_READ},    {10, SIM_PONG},   {8, SIM_AVAILABLE}, {5, SIM_UNAVAILABLE},
                 {4, SIM_CLOSED}, {3, SIM_DETACHED}, {5, SIM_RESUMED}, {6, SIM_IDLE},      {8, SIM_SEEN},
                 {8, SIM_OPEN},   {3, SIM_BEGIN},    {1, SIM_POLICY},  {4, SIM_ASK}};
    uint32_t roll = (uint32_t)below(f, 101);
    size_t i = 0;
    while (roll >= deeds[i].weight) {
        roll -= deeds[i++].weight;
    }
    event e = {.kind = deeds[i].kind, .who = any_session(f), .other = any_session(f), .flag = chance(f, 30)};
    switch (e.kind) {
    case SIM_OPEN:
        if (f->opened + 1 >= SIM_OPENED) {
            return;
        }
        e = (event){.kind = SIM_OPEN, .who = ++f->opened};
        break;
    case SIM_BOUND:
        e.other = (uint32_t)below(f, SIM_USERS);
        e.value = (uint32_t)below(f, SIM_RESOURCES);
        e.flag = chance(f, 10);
        break;
    case SIM_READ:
        e.flag = false;
        break;
    case SIM_PONG:
        e.other = chance(f, 80) ? e.who : e.other;
        e.value = f->w->sessions[e.other].sent - (uint32_t)chance(f, 30);
        break;
    case SIM_SEEN:
        e.who = (uint32_t)below(f, SIM_USERS);
        break;
    case SIM_BEGIN:
        e.other = HB_PING + (uint32_t)below(f, 2);
        e.other = chance(f, 50) ? e.other : chance(f, 50) ? HB_ABORT : HB_UNAVAILABLE;
        break;
    case SIM_POLICY:
        e = any_policy(f);
        break;
    case SIM_ASK:
        e.other = chance(f, 80) ? HB_PING : HB_DISCONNECT;
        break;
    default:
        break;
    }
    after(f, below(f, 1000), e);
}

/* Once a second. */
static void second(fleet *f)
{
    after(f, 1000, (event){.kind = SIM_QUIET});
    if (f->stalls < STALLS && chance(f, 4)) {
        int64_t length = 2 + (chance(f, 50) ? below(f, 5) : chance(f, 70) ? below(f, 100) : below(f, 5000));
        after(f, below(f, 1000), (event){.kind = SIM_STALL, .ms = length * 1000});
        f->stalls++;
    }
    if (chance(f, 10)) {
        after(f, below(f, 1000), (event){.kind = SIM_WALL, .ms = below(f, 200) - 100});
    } else if (chance(f, 2)) {
        after(f, below(f, 1000), (event){.kind = SIM_WALL, .ms = below(f, 4000000) - 2000000});
    }
    for (int64_t n = f->chaos ? below(f, f->chaos + 1) : 0; n > 0; n--) {
        disturb(f);
    }
}

static void carry_out(fleet *f, const event *e)
{
    tape *t = f->tape;
    if (t->count == t->capacity) {
        t->capacity = t->capacity ? 2 * t->capacity : 4096;
        t->events = realloc(t->events, t->capacity * sizeof *t->events);
        assert_non_null(t->events);
    }
    t->events[t->count++] = *e; /* before it is done: it may be the last one */
    world_do(f->w, e);
    if (!f->w->done) {
        t->count--;
    }
    if (f->w->ordered != HB_NOTHING) {
        ordered(f, e->who);
    }
    for (size_t i = 0; i < f->w->action_count; i++) {
        queue_begin(f, &f->w->actions[i]);
    }
    f->w->action_count = 0;
}

void fleet_run(world *w, uint64_t seed, uint32_t ticks, tape *out)
{
    static fleet fleets;
    fleet *f = &fleets;
    memset(f->owner, 0, sizeof f->owner);
    memset(f->clients, 0, sizeof f->clients);
    f->opened = 0;
    f->count = 0;
    f->order = 0;
    f->stalls = 0;
    f->now_ms = 0;
    f->w = w;
    f->tape = out;
    f->dice.state = seed * UINT64_C(0x9E3779B97F4A7C15) + 1;
    dice_next(&f->dice);
    f->chaos = chance(f, 30) ? 0 : (uint32_t)below(f, 16);
    f->stalls = chance(f, 20) ? STALLS : 0;
    out->count = 0;
    after(f, 0, any_policy(f));
    after(f, 0, (event){.kind = SIM_QUIET});
    for (uint32_t i = 0; i < CLIENTS; i++) {
        f->clients[i].mood = (mood)below(f, MOODS);
        new_person(f, &f->clients[i]);
        turn(f, i, below(f, 20000));
    }
    while (w->rig.tick - w->first_tick < ticks) {
        waiting next = pop(f);
        f->now_ms = next.at_ms;
        if (next.turn) {
            client_turn(f, next.turn - 1);
        } else {
            bool tick = next.event.kind == SIM_QUIET;
            carry_out(f, &next.event);
            if (tick) {
                second(f);
            }
        }
    }
}
