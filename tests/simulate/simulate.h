/*
 * simulate.h - a fleet of clients in virtual time over the real core, beside a model of what must hold.
 *
 * fleet.c   what clients, servers and clocks do; follows from a seed, and reacts to what the core orders
 * world.c   the core and the model, and the time of both
 * events.c  carries one event out on both
 * model.c   the rules of docs/design.md, in terms of what happened and never of how the core keeps it
 * times.c   the same of clocks and of last activity
 * shrink.c  throws events away for as long as the same rule is broken, and prints the rest as a transcript
 *
 * Time     Milliseconds since the origin, as transcripts have them; ticks come on whole seconds.
 * Errors   A broken rule ends the run by a jump to world.broken. What is no rule's is an assertion of support.h.
 */
#ifndef HEARTBEAT_TESTS_SIMULATE_H
#define HEARTBEAT_TESTS_SIMULATE_H

#include "support.h"

#include <stdio.h>

#define SIM_LIVE 48 /* sessions that are open, resumable or watched at one time */
#define SIM_OPENED 8192
#define SIM_USERS 6
#define SIM_RESOURCES 3
#define SIM_TICKS 2000
#define SIM_IDS 4 /* of the last pings of a session */
#define SIM_ACTIONS 4096

typedef enum kind {
    SIM_QUIET, /* nothing; time passes */
    SIM_POLICY,
    SIM_OPEN,
    SIM_BOUND,
    SIM_READ,
    SIM_AVAILABLE,
    SIM_UNAVAILABLE,
    SIM_IDLE,
    SIM_PONG,
    SIM_DETACHED,
    SIM_RESUMED,
    SIM_CLOSED,
    SIM_BEGIN,
    SIM_ASK,
    SIM_SEEN,
    SIM_WALL,
    SIM_STALL,
} kind;

typedef struct policy {
    uint32_t idle;
    uint32_t ack;
    uint32_t retries;
    uint32_t spread;
    uint32_t login;
    uint32_t on_dead; /* 0 auto, 1 close, 2 cut */
    uint32_t pings_per_tick;
    bool ping;
} policy;

typedef struct event {
    int64_t at_ms;
    kind kind;
    bool flag; /* read: by a reader that has not heard of the last tick; unavailable: by the server; bound: anonymous;
                  begin: resumable; pong: forged */
    uint32_t who;   /* number of a session, counted from 1 as they open; seen: the user */
    uint32_t other; /* resumed: the new session; pong: whose id; begin, ask: the verb; bound: user; unavailable: status;
                       open: own */
    uint32_t value; /* pong: which of its pings, from 1; bound: resource; open: hb_transport */
    int64_t ms;     /* wall, stall; open: how long ago it was opened */
    int64_t read_ms; /* open: how long ago it was read from */
    policy policy;
} event;

typedef enum place { GONE, OPEN, DETACHED, WATCHED } place;

typedef struct session {
    hb_token token; /* 0: not opened */
    uint32_t number;
    place place;
    uint32_t own; /* silence that the server itself ends; 0: it does not */
    bool bound;
    bool available; /* contacts believe in it */
    bool logout;
    int user;     /* -1: anonymous */
    int resource; /* of the user's JIDs; a number of its own if anonymous */
    uint32_t opened;
    int64_t opened_us;
    uint32_t read;
    int64_t read_us;
    uint32_t pings;
    uint32_t last_ping;
    int64_t ping_us;
    bool ping_late; /* it was sent when the next tick was overdue */
    uint32_t asked; /* tick of the last ping that was decided */
    uint32_t asked_before;
    uint32_t waits; /* tick since when a ping is due that was one too many for a tick; 0: it does not wait */
    uint32_t sent;
    char ids[SIM_IDS][128]; /* of ping n at n % SIM_IDS */
    uint32_t answered;      /* number of the last ping that was */
    hb_verb pending;        /* decided and not begun */
    hb_reason why;
    uint32_t pending_since;
    bool spoke;        /* since that was decided */
    bool dropped;      /* a disconnect that nobody began, and that may have been called off */
    bool excused;      /* the policy changed since: both are right */
    bool measured;     /* an administrator's ping waits to be sent */
    bool begun;        /* a disconnect */
    bool cut;          /* it was a cut */
    uint32_t begun_at; /* or the last abort */
    uint32_t closed_at;
    hb_reason end;
} session;

typedef struct user {
    bool known;
    int64_t stored_ms;
    int64_t other_ms; /* the same, had the wall clock been set back to the other side of it (see model_set_back) */
    int64_t told_ms;
    hb_reason why;
    char status[32];
    int available[SIM_RESOURCES]; /* times that contacts were told so */
    int told[SIM_RESOURCES];
    bool believed[SIM_RESOURCES];
} user;

typedef struct world {
    rig rig;
    dice dice; /* sizes of the action buffer, which no transcript shows; state 0: always large enough */
    policy policy;
    uint32_t configured_at;
    session sessions[SIM_OPENED]; /* by number */
    uint32_t live[SIM_LIVE];      /* numbers of those that are not GONE */
    uint32_t live_count;
    uint32_t by_slot[HB_PAGE_CELLS]; /* number of who was last in it */
    user users[SIM_USERS];
    uint32_t first_tick;
    int64_t tick_us[SIM_TICKS]; /* when each tick began, by number since the first */
    int64_t told_us;            /* of the last advance */
    int64_t wall_told_ms;
    int64_t base_ms;
    int64_t doubted_us; /* when the core was first found not to be ticked; 0: it is */
    int64_t stalled_until;
    hb_action actions[SIM_ACTIONS]; /* decided since somebody emptied this */
    size_t action_count;
    uint32_t pings;     /* decided in this tick */
    hb_verb ordered;    /* by the last begin */
    bool done;          /* the last event was one, and not skipped as senseless */
    uint32_t record_at; /* tick since when it is recorded; 0: it is not */
    char *record;       /* the recording */
    size_t record_length;
    FILE *out; /* a transcript is written here, or NULL */
    jmp_buf broken;
    const char *rule;
    const char *what;
    int line;
} world;

/* world.c; seed 0: as transcripts are played */
world *world_new(int64_t origin_us, uint64_t seed);
void world_free(world *w);
/* Records the core from a tick on, so many after the first. */
void world_record(world *w, uint32_t ticks);
/* False, and says why: what was recorded does not come again. */
bool world_replays(const world *w, uint64_t seed);
/* Ticks up to the event's time and carries it out. What makes no sense in the present state is skipped. */
void world_do(world *w, const event *e);
/* Everybody leaves; a while later contacts know of all, and nothing is left. */
void world_end(world *w);
void jid_print(const session *s, char *out, size_t size);
void policy_print(const policy *p, char *out, size_t size);

/* events.c */
void world_event(world *w, const event *e);
/* A line of the transcript which says that nothing else has come until now. */
void world_quiet(const world *w);

/* model.c */
session *model_find(world *w, hb_token token);
/* Another session of the JID that is here, open or resumable; NULL: none. */
session *model_twin(world *w, const session *s);
void model_gone(world *w, session *s);
void model_told(world *w, const session *s);
void model_read(world *w, session *s, uint32_t stamp, int64_t us);
hb_reason model_end_of(const session *s);
void model_before_tick(world *w);
void model_decided(world *w, const hb_action *action);
void model_after_tick(world *w);
int model_asked(world *w, session *s, hb_verb verb);
void model_begun(world *w, session *s, hb_verb verb, bool resumable, const hb_order *order);
int model_in_charge(world *w);

/* times.c */
/* When a tick began; those before the first are as long as they should be. */
int64_t model_begin_of(const world *w, uint32_t tick);
uint32_t model_tick_of(const world *w, int64_t us);
void model_wall(world *w, int64_t wall_ms);
void model_keep_seen(world *w, const session *s);
void model_seen(world *w, uint32_t which, int code, const hb_activity *a);

/* fleet.c: one story of `ticks` seconds. Every event that was carried out is kept on the tape. */
typedef struct tape {
    event *events;
    size_t count;
    size_t capacity;
} tape;
void fleet_run(world *w, uint64_t seed, uint32_t ticks, tape *out);

/* shrink.c: the tape broke a rule; finds the few of its events that do, and writes them as a transcript. */
int tape_play(const tape *t, int64_t origin_us, uint64_t seed, FILE *out, const char **rule, const char **what);
/* Returns the seed that it breaks with: 0 if it can. */
uint64_t tape_shrink(tape *t, int64_t origin_us, uint64_t seed);

/* The rule's name, and a condition that must hold. */
#define must(w, name, condition)                                                                                       \
    do {                                                                                                               \
        if (!(condition)) {                                                                                            \
            world_break(w, name, #condition, __LINE__);                                                                \
        }                                                                                                              \
    } while (0)
_Noreturn void world_break(world *w, const char *rule, const char *what, int line);

#endif
