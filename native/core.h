/*
 * core.h - the core's insides, for core.c, decide.c, slots.c and status.c.
 *
 * Threads  Pages are in parts with a lock each. Who holds all of them, which is called the core's lock, may do
 *          everything. Who holds one (hb_hold) may read what is the whole core's, and change the sessions of the pages
 *          in it, but for `next` and `prev` of those that are on a user's list: these, and what is known of the user,
 *          are under the lock of the user's stripe (activity.h). What all write to has locks of its own. Parts are
 *          taken first, in their order, then a stripe, then the others. Cells are nobody's. One part is held for one
 *          event, all of them for the scan of 32 pages, or of as many who are due as a page has. While it is recorded,
 *          everything takes all: a recording is one list.
 *
 *          What is seldom takes all of them for longer. For all sessions: a new policy (hb_core_set_policy), and the
 *          begin of a recording (hb_record_begin). For all users: a wall clock that was set back (hb_users_set_back),
 *          and a journal that is opened late (begin in last.c). For a stripe of users: the first time that one of them
 *          is needed after the start (hb_last_fetch). For what has one size: the plots (hb_series_print), and the
 *          traces (hb_traces_find).
 */
#ifndef HB_CORE_H
#define HB_CORE_H

#include <pthread.h>

#include "activity.h"
#include "clock.h"
#include "heartbeat.h"
#include "pingid.h"
#include "policy.h"
#include "record.h"
#include "series.h"
#include "session.h"
#include "timers.h"
#include "why.h"

#define HB_DECISIONS 256 /* remembered */
#define HB_DECISION_JID 160

#define HB_OWN_BITS 24 /* enough for HB_OWN_MAX */

typedef struct hb_jid {
    uint16_t length;
    char text[]; /* not NUL-terminated */
} hb_jid;

#define HB_JID_UNIT 4u /* bytes; what hb_slot.jid counts */
#define HB_JID_UNITS_MAX ((sizeof(hb_jid) + HB_JID_MAX + HB_JID_UNIT - 1) / HB_JID_UNIT)

#define HB_PAGE_BLOCKS (HB_PAGE_CELLS / HB_TIMERS_BLOCK)

/* What is known of a session. */
typedef struct hb_slot {
    hb_session session;  /* in phase HB_FREE, since: when it was given back */
    int64_t answered_us; /* when the last answered ping was sent; 0: none was */
    uint32_t generation;
    uint32_t due;     /* tick; of one with its bit in hb_block.follows, ticks after its last read */
    uint32_t own;     /* hb_transport << HB_OWN_BITS | own_s of hb_core_open */
    hb_user_ref user; /* on whose list it is; HB_NO_USER: not logged in, anonymous, or over */
    uint32_t next;    /* session of the same user; of a free one the next free one of its page */
    uint32_t prev;    /* of the same user; HB_NO_SLOT, HB_NEXT_KNOWS: none, or it is not known */
    uint32_t jid;     /* where in the page's texts, see jids.c; 0: not logged in */
    uint32_t rtt_us;  /* of the last answered ping */
} hb_slot;

/*
 * A user's list of sessions begins with the one that was opened last. A new one is not told to the one behind it, which
 * would be a miss of the caches for each login: so the first ones of the list do not know the one before, from some
 * session on all do, and the last of those that do not knows, instead, that the next one does.
 */
#define HB_NEXT_KNOWS (HB_NO_SLOT - 1)

/* Where the JIDs of a page are kept, see jids.c. */
typedef struct hb_texts {
    unsigned char *bytes;
    uint32_t used; /* units, those of free pieces included */
    uint32_t room;
    uint32_t unused;                       /* units of free pieces */
    uint32_t pieces[HB_JID_UNITS_MAX + 1]; /* the first free one of so many units; 0: none */
} hb_texts;

typedef struct hb_page {
    hb_slot slots[HB_PAGE_CELLS];
    hb_texts texts;
} hb_page;

/* What is known of a page even while its memory is given back. */
typedef struct hb_shelf {
    uint32_t *cells;     /* the caller's: tick of the last read */
    uint32_t *seen;      /* what the core looks at: the same, or a recorder's copy */
    uint32_t generation; /* while it is given back: with which its slots begin again */
    uint32_t since;      /* when its first free slot was given back */
    uint16_t first;      /* free slot, the one that is free for longest */
    uint16_t last;
    uint16_t free;  /* how many; 0 while it is given back */
    char apart[64]; /* from the next one, of another part: these are not aligned */
} hb_shelf;

/* A free slot is not given away for so many ticks if there are others: what comes late for it then meets nobody. */
#define HB_REST_TICKS 5u

typedef struct hb_decision {
    uint32_t tick;
    uint8_t verb;
    uint8_t why;
    uint16_t jid_length;
    char jid[HB_DECISION_JID]; /* cut; empty: not logged in */
} hb_decision;

#define HB_COUNTS(X)                                                                                                   \
    X(opened)                                                                                                          \
    X(over) /* slots given back: closed, or resumed elsewhere */                                                       \
    X(idle_events)                                                                                                     \
    X(pings)                                                                                                           \
    X(pongs)                                                                                                           \
    X(forged_pongs) /* with the look of ours, but made up, repeated or another session's */                            \
    X(spared)                                                                                                          \
    X(closes)                                                                                                          \
    X(cuts)                                                                                                            \
    X(aborts)                                                                                                          \
    X(told)                                                                                                            \
    X(resumed)                                                                                                         \
    X(stale)  /* events for sessions that were over */                                                                 \
    X(rtt_us) /* of all pings */

typedef struct hb_counts {
#define X(name) uint64_t name;
    HB_COUNTS(X)
#undef X
    uint64_t disconnects[HB_SERIES_REASONS]; /* closed and cut, by reason */
    uint64_t rtt[HB_RTT_BUCKETS];            /* round trips of pings */
} hb_counts;

/* Some of the pages, each HB_PARTS-th, with what is counted of their sessions. */
#define HB_PARTS 16u

typedef struct hb_part {
    HB_APART pthread_mutex_t lock;
    uint32_t phases[HB_CLOSED + 1]; /* sessions in each */
    hb_counts counts;
    hb_traces_waiting traces;
} hb_part;

/* Where a processor opens sessions; all of them in one page until they meet there. */
#define HB_LANES 16u
#define HB_NO_PAGE SIZE_MAX

typedef struct hb_lane {
    HB_APART size_t page; /* that the last slot was given away of, HB_NO_PAGE: of none in this tick */
} hb_lane;

typedef struct hb_keeper hb_keeper;
typedef struct hb_backlog hb_backlog;

/* How last activity is kept, as it is told. */
typedef struct hb_journal_report {
    char folder[256]; /* "": nobody asked for it to be kept */
    bool on_disk;
    char reason[sizeof(((hb_error *)0)->text)]; /* why it is not */
    char key[sizeof(((hb_error *)0)->text)];    /* why the new key was not taken; "": none is there */
    uint64_t entries;                           /* of the files that are read at the next start */
    uint64_t bytes;
    uint64_t written;   /* bytes since it was opened */
    int64_t flushed_ms; /* wall time of when all was on disk, 0: never was */
} hb_journal_report;

/* Users of whom something is to be done, each once: whoever is in it has its mark. */
typedef struct hb_user_list {
    hb_user_ref *users;
    size_t count;
    size_t room;
    bool all; /* it may be of anybody: of all, or of somebody for whom there was no memory */
} hb_user_list;

struct hb_core {
    hb_users users;
    hb_part parts[HB_PARTS];
    hb_lane lanes[HB_LANES];
    hb_clock clock;
    hb_policy policy;
    hb_recorder *recorder; /* NULL: nothing is recorded; each event asks, so it lies beside what they all need */
    hb_page **pages;       /* `vacant` where one is given back */
    hb_shelf *shelves;
    uint32_t *soonest; /* for each block of all pages: nobody in it is due before; this is what a tick scans */
    hb_block *blocks;
    size_t page_count;
    hb_page *vacant; /* all of its slots are free, and not to be had */
    size_t vacancies;
    size_t tidied; /* a page each tick */
    size_t cursor; /* slot that the next call of an unfinished tick goes on with */
    size_t first;  /* slot that this tick began with; it ends before it, when all others were looked at */
    bool crowded;  /* threads have met in this tick in the page that they opened sessions in */
    bool stopped;
    bool wipe;       /* the disk still has users that were forgotten: a snapshot is to be made */
    bool sweep;      /* it is to be looked whether somebody was not here for too long */
    bool wrapped;    /* the last slot is behind the cursor */
    uint32_t held;   /* the first that was due a ping which was one too many for a tick: the next tick begins with it */
    uint32_t pinged; /* pings of this tick */
    size_t jid_bytes;
    uint8_t ping_key[HB_PINGID_KEY];
    uint64_t seed;
    int64_t advanced_us;
    int64_t doubted_us;  /* when hb_core_idle first missed an advance, 0: none is missed */
    uint32_t most_pings; /* of this tick */
    hb_series *series;
    hb_decision decisions[HB_DECISIONS];
    pthread_mutex_t traces_lock; /* of decisions and traces */
    uint64_t decision_count;
    hb_traces traces;
    uint32_t *copies; /* of all cells, while it is recorded */
    size_t copy_count;
    hb_journal_report report;
    hb_keeper *keeper;          /* last.c: the journal; NULL: nothing is kept on disk */
    hb_backlog *backlog;        /* of the users who are HB_AWAITED; NULL: nobody is */
    pthread_mutex_t users_lock; /* of `touched` and `gone` */
    hb_user_list touched;       /* who is to be written to it */
    struct {                    /* who was forgotten before there is a journal, which may still have them */
        char *names;            /* each NUL-terminated */
        size_t length;
    } erased;
    hb_user_list gone;          /* users.c: whose last session ended */
    bool gone_wanted;           /* somebody asks for them */
    hb_recorder *recorder_next; /* of a recording that begins with the next tick */
};

/* parts.c: false: nothing was made. */
bool hb_parts_init(hb_core *core);
void hb_parts_close(hb_core *core);

/* All parts. */
void hb_core_lock(hb_core *core);
void hb_core_unlock(hb_core *core);

/* What a thread holds: one part, or all of them. */
typedef struct hb_hold {
    hb_core *core;
    pthread_mutex_t *part; /* NULL: all */
} hb_hold;

static inline size_t hb_part_number(uint32_t slot)
{
    return slot / HB_PAGE_CELLS % HB_PARTS;
}

/* The part that a slot is in. */
static inline hb_part *hb_part_of(hb_core *core, uint32_t slot)
{
    return &core->parts[hb_part_number(slot)];
}

/* All traces, with all parts held: none of them waits any more. */
hb_traces *hb_core_traces(hb_core *core);

/* What all parts have counted, with all of them held. */
void hb_core_counts(const hb_core *core, hb_counts *out);
uint32_t hb_core_phase(const hb_core *core, hb_phase phase);

/* The one that is this thread's now. */
hb_lane *hb_lane_of(hb_core *core);

/* Whether what happens is to be written down. */
static inline bool hb_recording(const hb_core *core)
{
    return __builtin_expect(core->recorder != NULL, 0);
}

/* One becomes all: what was seen before may have changed. */
void hb_hold_all(hb_hold *hold);

/* The lock of a part that others have. */
void hb_wait_for(hb_core *core, uint32_t slot);

/* Holds the part of a slot, which need not be one; all of them while it is recorded. */
static inline hb_hold hb_hold_slot(hb_core *core, uint32_t slot)
{
    hb_hold hold = {.core = core, .part = &hb_part_of(core, slot)->lock};

    if (pthread_mutex_trylock(hold.part) != 0)
        hb_wait_for(core, slot);
    if (hb_recording(core))
        hb_hold_all(&hold);
    return hold;
}

static inline void hb_let_go(const hb_hold *hold)
{
    if (hold->part)
        pthread_mutex_unlock(hold->part);
    else
        hb_core_unlock(hold->core);
}

/* Any part, for who only asks. */
hb_hold hb_hold_any(hb_core *core);

static inline hb_page *hb_page_of(const hb_core *core, uint32_t slot)
{
    return core->pages[slot / HB_PAGE_CELLS];
}

static inline size_t hb_index_of(uint32_t slot)
{
    return slot % HB_PAGE_CELLS;
}

/* The tick of the last read. */
static inline uint32_t *hb_cell_of(const hb_core *core, uint32_t slot)
{
    return &core->shelves[slot / HB_PAGE_CELLS].cells[hb_index_of(slot)];
}

/* The same as the core sees it. */
static inline uint32_t *hb_seen_of(const hb_core *core, uint32_t slot)
{
    return &core->shelves[slot / HB_PAGE_CELLS].seen[hb_index_of(slot)];
}

static inline hb_slot *hb_slot_at(const hb_core *core, uint32_t slot)
{
    return &hb_page_of(core, slot)->slots[hb_index_of(slot)];
}

/* Of a session that is logged in. Good until another JID is kept in that page. */
static inline const hb_jid *hb_jid_at(const hb_page *page, size_t i)
{
    return (const hb_jid *)(const void *)(page->texts.bytes + (size_t)page->slots[i].jid * HB_JID_UNIT);
}

/* NULL: not logged in. */
static inline const hb_jid *hb_jid_of(const hb_page *page, size_t i)
{
    return page->slots[i].jid ? hb_jid_at(page, i) : NULL;
}

static inline hb_token hb_token_of(const hb_core *core, uint32_t slot)
{
    return (hb_token)hb_slot_at(core, slot)->generation << 32 | slot;
}

/* NULL: not logged in, anonymous, or over. */
static inline hb_user *hb_user_of(const hb_core *core, uint32_t slot)
{
    hb_user_ref user = hb_slot_at(core, slot)->user;

    return user ? hb_user_at(&core->users, user) : NULL;
}

static inline hb_transport hb_transport_of(const hb_page *page, size_t i)
{
    return (hb_transport)(page->slots[i].own >> HB_OWN_BITS);
}

/*
 * slots.c: the store of sessions. The caller holds all parts, or the slot's where it says so.
 */

int hb_slots_add(hb_core *core, uint32_t *cells);
void hb_slots_free(hb_core *core);

/* A free slot, of as low a page as can be, so that the others become empty. HB_EFULL, HB_ENOMEM. */
int hb_slots_take(hb_core *core, uint32_t *slot);

/* The same of this page, whose part is held. False: it has none. */
bool hb_slots_take_of(hb_core *core, size_t page, uint32_t *slot);

/* Has a page that was given back, or does nothing. HB_ENOMEM. */
int hb_slots_wake(hb_core *core, size_t page);

/* Once a tick: gives a page back if it is empty and far more than are needed. */
void hb_slots_tidy(hb_core *core);

/* Has the core look at copies of the cells, of pages that were added since too; and at the cells again. */
int hb_slots_copy(hb_core *core);
void hb_slots_uncopy(hb_core *core);

/* The slot of a token, if it is still that token's. All that follows of one slot wants its part only. */
bool hb_slot_find(hb_core *core, hb_token token, uint32_t *slot);

hb_moment hb_slot_moment(const hb_core *core, uint32_t slot);
void hb_slot_set(hb_core *core, uint32_t slot, hb_session session, uint32_t due);

/* Has the next tick look at a session. */
void hb_slot_look(hb_core *core, uint32_t slot);

/* Carries out a step that was made at this moment. */
void hb_slot_take(hb_core *core, uint32_t slot, hb_step step, const hb_moment *moment);

/* One step of the state machine. If it ends in HB_FREE, the caller unlinks and releases the slot. */
hb_step hb_slot_apply(hb_core *core, uint32_t slot, hb_event event);

/* The same with a moment of which the caller knows more. */
hb_step hb_slot_apply_at(hb_core *core, uint32_t slot, hb_event event, const hb_moment *moment);

/* With the lock of the user, as the next three. */
void hb_slot_link(hb_core *core, uint32_t slot, hb_user_ref ref);

/* Has all sessions of a user but the first know the one before. */
void hb_slots_relink(hb_core *core, const hb_user *user);

/* Keeps what was seen of a session with its user. */
void hb_slot_see(hb_core *core, hb_user *user, uint32_t slot);

/* Takes a session off its user's list, and keeps what was seen of it. From then on it is nobody's. */
void hb_slot_unlink(hb_core *core, uint32_t slot);

/* Gives a slot back. Its user must have been unlinked. */
void hb_slot_release(hb_core *core, uint32_t slot);

/* Forgets a user, and that sessions are theirs: those go on as nobody's. */
void hb_slots_forget(hb_core *core, hb_user_ref ref);

/* scan.c: who is due. The caller holds the lock. */

#define HB_SCAN_BLOCKS 64u                            /* looked into at once */
#define HB_SCAN_STRETCH ((size_t)32 * HB_PAGE_BLOCKS) /* gone through at once */

/* Blocks in which somebody may be due. */
typedef struct hb_scan {
    size_t count;
    uint32_t blocks[HB_SCAN_BLOCKS];
    uint64_t due[HB_SCAN_BLOCKS]; /* a bit for each who is */
} hb_scan;

/*
 * Looks for them in the blocks [at, end), until enough are found, and returns where to go on. They are not looked into
 * again before somebody else in them is due: whoever is found is to be visited, which says when they are, or the block
 * to be given to hb_scan_again.
 */
size_t hb_scan_look(hb_core *core, size_t at, size_t end, hb_scan *out);

/* Has the processor bring what a look at the stretch from block `at` on begins with. */
void hb_scan_fetch(const hb_core *core, size_t at);

/* Has a block looked into at the next look, whatever is known of it. */
void hb_scan_again(hb_core *core, uint32_t block);

/* jids.c: the JIDs of a page. HB_ENOMEM: nothing has changed. The slot has none yet. */
int hb_jid_keep(hb_core *core, hb_page *page, size_t i, const char *text, size_t length);

/* Nothing if the slot has none. */
void hb_jid_drop(hb_page *page, size_t i);

/* Takes less memory if much is free, unless there is none to do it with. */
void hb_jids_tidy(hb_core *core, hb_page *page);
void hb_jids_free(hb_core *core, hb_page *page);

/* last.c: the user is to be written to the journal. And the end of all keeping. */
void hb_last_touch(hb_core *core, hb_user_ref ref);
void hb_keeper_free(hb_core *core);

/*
 * last.c: users who are in the journal, and whom nobody needed yet. hb_last_waits: whether there may be some of whom
 * nothing is known yet; then who is not found is fetched, and looked for again.
 */
static inline bool hb_last_waits(const hb_core *core)
{
    return __atomic_load_n(&core->backlog, __ATOMIC_ACQUIRE) != NULL;
}

/* Those of the stripe of this hash are here. HB_ENOMEM: they are not. With all of the core held. */
int hb_last_fetch(hb_core *core, uint64_t hash);

/* All of them for whom there is memory. The same. */
void hb_last_fetch_held(hb_core *core);

/* The same by the name, and all of them. With nothing held. */
int hb_last_fetch_name(hb_core *core, const char *name, size_t length);
int hb_last_fetch_all(hb_core *core);

/* When a user was last seen, sessions that are open included. */
int64_t hb_last_seen(const hb_core *core, const hb_user *user);

/* decide.c: keeps for hb_core_why what was done to a session, or became of it. */
void hb_trace_slot(hb_core *core, uint32_t slot, hb_verb verb, hb_reason why);

/* users.c: whoever has the mark is in the list. The user's stripe is held, or all of the core. */
void hb_user_list_add(hb_core *core, hb_user_list *list, hb_user_ref ref, unsigned mark);

/* users.c: the user's last session ended. */
void hb_gone_note(hb_core *core, hb_user_ref ref);

/* The tick of the last byte read from a session, as the core sees it. */
uint32_t hb_core_read_tick(const hb_core *core, uint32_t slot);

/* The same of its cell, where nothing is decided: a recorder's copy is as of the last time that something was. */
uint32_t hb_core_cell_tick(const hb_core *core, uint32_t slot);

/* Without an advance for so long, it is in doubt whether the core is in charge; and so much later it is not. */
#define HB_DOUBT_US INT64_C(1000000)
#define HB_IN_CHARGE_US INT64_C(5000000)

/*
 * The parts of hb_core_advance: what comes before the scan, and the scan, a part at a time. hb_advance_part returns
 * false when everybody was looked at, or *more: the buffer is full.
 */
void hb_advance_begin(hb_core *core, int64_t now_us, int64_t wall_ms);
bool hb_advance_part(hb_core *core, hb_action *out, size_t capacity, size_t *count, bool *more);

/* Native memory of sessions and users. */
size_t hb_core_bytes(const hb_core *core);

/* Takes a policy that was checked. */
void hb_core_set_policy(hb_core *core, const hb_policy *policy);

/* The length of the node of a JID (RFC 7622 section 3.2), 0 if it has none. */
size_t hb_node_length(const char *jid, size_t length);

/* The length of the bare JID of a JID (RFC 6120 section 1.4): all of it, if it has no resource. */
size_t hb_bare_length(const char *jid, size_t length);

/* hb_core_last_activity, with the lock held. */
int hb_core_activity(hb_core *core, const char *name, size_t length, hb_activity *out);

#endif
