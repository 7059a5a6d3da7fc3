/*
 * last.c - which users go to the journal, and what of them; and what comes from it at the start.
 *
 * Who changed is noted when it happens (hb_last_touch); before there is a journal as one of whom it is known better
 * than a journal can, if it is opened later. Who is online and was read from is found by a look at the cells. Nothing
 * is written to disk while the core's lock is held: records are gathered a few at a time, in memory.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backlog.h"
#include "core.h"
#include "places.h"

#define CHUNK 64                  /* users gathered while the lock is held */
#define AWAY_FLUSHES 5u           /* flushes between two tries to come back to the disk */
#define WIPE_TICKS 60u            /* between two snapshots that are made for the sake of users who were forgotten */
#define KEY_TICKS 60u             /* between two tries to change the key */
#define SWEEP_TICKS (24u * 3600u) /* between two looks for users who were not here for too long */
#define HOUR_MS (INT64_C(3600) * 1000)
#define LATEST_MS (INT64_MAX >> 16) /* that can be written down of a user */

struct hb_keeper {
    pthread_mutex_t lock; /* of the journal, taken before the core's */
    hb_journal *journal;
    uint32_t tick; /* reads before it were written, or belong to who is touched */
    unsigned tries;
    bool failed;        /* the last snapshot */
    int64_t oldest_ms;  /* who was not here since is forgotten; 0: nobody is */
    uint32_t wipe_tick; /* from then on a snapshot may be made for the sake of users who were forgotten */
    uint32_t key_tick;  /* from then on the key may be changed; 0: at once */
    char key_seen[sizeof(((hb_error *)0)->text)]; /* why the new key can not be used, as of the last look; "": it can */
    uint32_t sweep_tick;
    int64_t wall_base;   /* of the clock, at the last look for whom to forget; 0: there was none */
    uint32_t doubt_tick; /* until then nobody is forgotten */
};

/* Where somebody is told what happens in between. */
typedef struct hearing {
    hb_core *core;
    hb_core_say *say; /* or NULL */
    void *to;
} hearing;

/* All that follows with the core's lock held. */

void hb_last_touch(hb_core *core, hb_user_ref ref)
{
    if (core->keeper)
        hb_user_list_add(core, &core->touched, ref, HB_USER_TOUCHED);
    else
        hb_user_mark(hb_user_at(&core->users, ref), HB_USER_TOUCHED);
}

int64_t hb_last_seen(const hb_core *core, const hb_user *user)
{
    int64_t seen = hb_user_seen_ms(&core->users, user);

    for (uint32_t slot = user->sessions; slot != HB_NO_SLOT; slot = hb_slot_at(core, slot)->next) {
        int64_t ms = hb_clock_wall_of(&core->clock, hb_core_cell_tick(core, slot));
        seen = ms > seen ? ms : seen;
    }
    return seen;
}

static hb_last last_of(const hb_core *core, const hb_user *user)
{
    size_t length;
    const char *name = hb_user_name(&core->users, user, &length);

    return (hb_last){.name = name,
                     .name_length = length,
                     .why = hb_user_why(user),
                     .seen_ms = hb_last_seen(core, user),
                     .offline_ms = hb_user_offline_ms(user),
                     .status = user->status,
                     .status_length = user->status ? strlen(user->status) : 0};
}

/* Some of those who were touched. */
static int add_touched(hb_core *core, bool *more)
{
    int code = HB_OK;

    for (size_t i = 0; i < CHUNK && core->touched.count && code == HB_OK; i++) {
        hb_user *user = hb_user_at(&core->users, core->touched.users[--core->touched.count]);
        if (!(user->end & HB_USER_TOUCHED))
            continue; /* forgotten since */
        hb_user_unmark(user, HB_USER_TOUCHED);
        hb_last last = last_of(core, user);
        code = hb_journal_add(core->keeper->journal, &last);
    }
    *more = core->touched.count > 0;
    return code;
}

/* Users of a part of a page whose sessions were read from since the last flush. */
static int add_read(hb_core *core, size_t first, size_t count)
{
    const hb_page *page = hb_page_of(core, (uint32_t)first);
    const uint32_t *cells = core->shelves[first / HB_PAGE_CELLS].cells;
    int code = HB_OK;

    for (size_t i = hb_index_of((uint32_t)first); count-- && code == HB_OK; i++) {
        hb_phase phase = (hb_phase)page->slots[i].session.phase;
        if (phase == HB_FREE || phase == HB_CLOSED || !page->slots[i].user)
            continue;
        if (__atomic_load_n(&cells[i], __ATOMIC_RELAXED) < core->keeper->tick)
            continue;
        hb_last last = last_of(core, hb_user_at(&core->users, page->slots[i].user));
        code = hb_journal_add(core->keeper->journal, &last);
    }
    return code;
}

/* All that follows with the keeper's lock held, and the core's not. */

/*
 * First who was read from: whoever leaves meanwhile is touched by that. A read is written into its cell a moment after
 * the tick that it is of was read, so those of the tick before are looked at once more.
 */
static int gather(hb_core *core, hb_error *error)
{
    bool more = true;
    int code = HB_OK;

    hb_core_lock(core);
    uint32_t tick = core->clock.tick;
    hb_core_unlock(core);
    for (size_t at = 0; more && code == HB_OK; at += CHUNK) {
        hb_core_lock(core);
        more = at < core->page_count * HB_PAGE_CELLS;
        if (more)
            code = add_read(core, at, CHUNK);
        hb_core_unlock(core);
        if (code == HB_OK)
            code = hb_journal_drain(core->keeper->journal, error);
    }
    more = true;
    while (more && code == HB_OK) {
        hb_core_lock(core);
        code = add_touched(core, &more);
        hb_core_unlock(core);
        if (code == HB_OK)
            code = hb_journal_drain(core->keeper->journal, error);
    }
    core->keeper->tick = tick ? tick - 1 : 0;
    return code;
}

/* When a user who is not here was. */
static int64_t here_ms(const hb_core *core, const hb_user *user)
{
    int64_t offline_ms = hb_user_offline_ms(user);
    int64_t seen_ms = hb_user_seen_ms(&core->users, user);

    return offline_ms > seen_ms ? offline_ms : seen_ms;
}

/* Whether a user is to be forgotten, by the last sweep. */
static bool is_old(const hb_core *core, const hb_user *user)
{
    return user->sessions == HB_NO_SLOT && here_ms(core, user) < core->keeper->oldest_ms;
}

/*
 * Whether the wall clock is in doubt: it was set by more than an hour between two looks, and a day has not passed since
 * that was found. With the core's lock held.
 */
static bool in_doubt(hb_core *core)
{
    hb_keeper *keeper = core->keeper;
    int64_t by = core->clock.wall_base - keeper->wall_base;

    if (keeper->wall_base && (by > HOUR_MS || by < -HOUR_MS))
        keeper->doubt_tick = core->clock.tick + SWEEP_TICKS;
    keeper->wall_base = core->clock.wall_base;
    return core->clock.tick < keeper->doubt_tick;
}

/*
 * Sets from when on users are kept, and says whether anybody is to be forgotten; then a snapshot does it. Nobody is if
 * nobody was here since: then it is the clock that is wrong, or the server that was away. Nor is anybody for a day
 * after the clock was set: it may be set again.
 */
static bool has_old(hb_core *core)
{
    hb_user_ref at = HB_NO_USER;
    bool found = false;
    bool someone = false;

    hb_core_lock(core);
    int64_t oldest_ms = core->policy.forget_after ? core->clock.wall_ms - (int64_t)core->policy.forget_after * 1000 : 0;
    if (in_doubt(core))
        oldest_ms = 0;
    hb_core_unlock(core);
    if (oldest_ms > 0) {
        do {
            hb_core_lock(core);
            for (size_t i = 0; i < CHUNK && !(found && someone); i++) {
                at = hb_users_next(&core->users, at);
                if (!at)
                    break;
                const hb_user *user = hb_user_at(&core->users, at);
                bool stays = user->sessions != HB_NO_SLOT || here_ms(core, user) >= oldest_ms;
                someone = someone || stays;
                found = found || !stays;
            }
            hb_core_unlock(core);
        } while (at && !(found && someone));
    }
    core->keeper->oldest_ms = someone ? oldest_ms : 0;
    return found && someone;
}

/* Forgets those who were not here for too long, on the way. With the core's lock held. */
static int keep_some(hb_core *core, const hb_user_ref *users, size_t count, hb_error *error)
{
    int code = HB_OK;

    for (size_t i = 0; i < count && code == HB_OK; i++) {
        hb_user *user = hb_user_at(&core->users, users[i]);
        hb_last last = last_of(core, user);
        if (is_old(core, user))
            hb_slots_forget(core, users[i]);
        else if (last.seen_ms || last.offline_ms)
            code = hb_journal_keep(core->keeper->journal, &last, error);
    }
    return code;
}

/* Of the users of a stripe, whom nobody else forgets meanwhile: the keeper's lock is held. */
static int keep_stripe(hb_core *core, size_t stripe, hb_error *error)
{
    hb_journal *journal = core->keeper->journal;

    hb_core_lock(core);
    size_t count = core->users.stripes[stripe].count;
    hb_user_ref *users = count ? malloc(count * sizeof *users) : NULL;
    if (users)
        hb_users_of(&core->users, stripe, users);
    hb_core_unlock(core);
    if (!count)
        return HB_OK;
    if (!users) {
        hb_journal_snapshot_drop(journal);
        return HB_ENOMEM;
    }
    int code = hb_journal_part_begin(journal, core->users.seed, stripe, error);
    for (size_t at = 0; at < count && code == HB_OK; at += CHUNK) {
        hb_core_lock(core);
        code = keep_some(core, users + at, count - at < CHUNK ? count - at : CHUNK, error);
        hb_core_unlock(core);
        if (code == HB_OK)
            code = hb_journal_drain(journal, error);
    }
    free(users);
    return code;
}

/* Everybody goes to the snapshot that is being made. */
static int keep_all(hb_core *core, hb_error *error)
{
    int code = HB_OK;

    for (size_t stripe = 0; stripe < HB_USER_STRIPES && code == HB_OK; stripe++)
        code = keep_stripe(core, stripe, error);
    return code;
}

/*
 * What fails leaves on disk what was there. *again: it holds, but the journal that goes with it is older, and may have
 * somebody as they were, or whom we were to forget.
 */
static int make_snapshot(hb_core *core, bool *again, hb_error *error)
{
    hb_journal *journal = core->keeper->journal;
    bool older = hb_journal_log_waits(journal);
    int code = hb_journal_snapshot_begin(journal, error);

    hb_core_lock(core);
    bool all = core->touched.all;
    bool wipe = core->wipe;
    core->touched.all = false; /* whoever changes from here on is marked, and goes to the new journal too */
    core->wipe = false;
    core->keeper->wipe_tick = core->clock.tick + WIPE_TICKS;
    hb_core_unlock(core);
    if (code == HB_OK)
        code = keep_all(core, error);
    if (code == HB_OK)
        code = hb_journal_snapshot_end(journal, error);
    core->keeper->failed = code < 0;
    *again = code == HB_OK && older && (all || wipe);
    if (code < 0 || *again) {
        hb_core_lock(core);
        core->touched.all = core->touched.all || all;
        core->wipe = core->wipe || wipe;
        hb_core_unlock(core);
    }
    return code;
}

static int snapshot(hb_core *core, hb_error *error)
{
    bool again;
    int code = make_snapshot(core, &again, error);

    return code == HB_OK && again ? make_snapshot(core, &again, error) : code;
}

static int rekey(hb_core *core, bool *changed, hb_error *error)
{
    hb_journal *journal = core->keeper->journal;
    int code = hb_journal_rekey_begin(journal, error);

    *changed = false;
    if (code == HB_OK)
        code = keep_all(core, error);
    if (code == HB_OK)
        code = hb_journal_rekey_end(journal, changed, error);
    if (code < 0)
        return code;
    core->keeper->failed = false;
    /* Whoever changed meanwhile is still marked, and goes to the new journal. */
    hb_core_lock(core);
    core->wipe = false;
    core->keeper->wipe_tick = core->clock.tick + WIPE_TICKS;
    hb_core_unlock(core);
    return HB_OK;
}

__attribute__((format(printf, 2, 3))) static void tell(const hearing *h, const char *format, ...)
{
    char line[640];
    va_list arguments;

    if (!h->say)
        return;
    va_start(arguments, format);
    vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    h->say(h->to, line);
}

/* The key is as it was, for this reason; it is said once. NULL: there is none. */
static void keep_key(const hearing *h, const char *why)
{
    hb_journal_report *report = &h->core->report;

    hb_core_lock(h->core);
    bool is_new = why && strcmp(report->key, why) != 0;
    snprintf(report->key, sizeof report->key, "%s", why ? why : "");
    hb_core_unlock(h->core);
    if (is_new)
        tell(h, "%s: the key is not changed: %s", report->folder, why);
}

/* If another key is asked for. What fails leaves the old one. */
static void change_key(const hearing *h)
{
    hb_keeper *keeper = h->core->keeper;
    hb_error error = {0};
    int code = hb_journal_wants_key(keeper->journal, &error);

    if (code == HB_OK) {
        keeper->key_tick = 0;
        keeper->key_seen[0] = '\0';
        keep_key(h, NULL);
        return;
    }
    if (code < 0) {
        /* The file may be being written: at the second look it is wrong. */
        const char *why = code == HB_EJOURNAL ? error.text : hb_strerror(code);
        if (strcmp(keeper->key_seen, why) == 0)
            keep_key(h, why);
        snprintf(keeper->key_seen, sizeof keeper->key_seen, "%s", why);
        return;
    }
    hb_core_lock(h->core);
    uint32_t tick = h->core->clock.tick;
    hb_core_unlock(h->core);
    if (tick < keeper->key_tick)
        return;
    bool changed = false;
    code = rekey(h->core, &changed, &error);
    const char *why = code == HB_OK ? NULL : code == HB_EJOURNAL ? error.text : hb_strerror(code);
    if (why)
        keeper->key_tick = tick + KEY_TICKS;
    if (!changed) {
        keep_key(h, why);
        return;
    }
    keep_key(h, NULL);
    tell(h, "%s: the key was changed, everything is written under the new one", h->core->report.folder);
    if (why)
        tell(h, "%s: it is to be written once more: %s", h->core->report.folder, why);
}

/* Has it looked once a day, at the start and with a new policy, for who is to be forgotten. */
static void sweep(hb_core *core)
{
    hb_core_lock(core);
    bool due = core->sweep || core->clock.tick >= core->keeper->sweep_tick;
    if (due)
        core->keeper->sweep_tick = core->clock.tick + SWEEP_TICKS;
    core->sweep = false;
    hb_core_unlock(core);
    if (due && has_old(core)) {
        hb_core_lock(core);
        core->wipe = true;
        hb_core_unlock(core);
    }
}

/* Those who changed go to the journal. */
static int write_changes(hb_core *core, hb_error *error)
{
    int code = gather(core, error);

    if (code == HB_OK)
        code = hb_journal_flush(core->keeper->journal, error);
    if (code < 0) {
        /* Who is no longer marked is not on disk. */
        hb_core_lock(core);
        core->touched.all = true;
        hb_core_unlock(core);
    }
    return code;
}

/* last: it is the last one, so what waits for a better time is done now. */
static int flush(hb_core *core, bool last, const hearing *h, hb_error *error)
{
    hb_keeper *keeper = core->keeper;
    bool away = hb_journal_away(keeper->journal);
    bool waits = (away || keeper->failed) && !last && ++keeper->tries < AWAY_FLUSHES;

    if (!waits)
        keeper->tries = 0;
    if (away && waits)
        return HB_EJOURNAL;
    int fetched = hb_last_fetch_all(core);
    if (fetched == HB_OK)
        sweep(core);
    if (fetched == HB_OK && !last)
        change_key(h);
    /* Before the snapshot, so that it is on disk even if there is no room for that one. */
    int code = hb_journal_away(keeper->journal) ? HB_OK : write_changes(core, error);
    if (code < 0)
        return code;
    if (fetched < 0)
        return fetched; /* no snapshot without them */
    hb_core_lock(core);
    bool all = core->touched.all;
    bool due = all || keeper->failed || (core->wipe && (last || core->clock.tick >= keeper->wipe_tick));
    hb_core_unlock(core);
    if (!due && !hb_journal_away(keeper->journal) && !hb_journal_wants_snapshot(keeper->journal))
        return HB_OK;
    return waits ? HB_EJOURNAL : snapshot(core, error);
}

static void take_forgotten(hb_core *core, const hb_last *last)
{
    hb_user_ref ref = hb_users_ref(&core->users, last->name, last->name_length);

    core->wipe = true; /* the server may have died before it was done */
    if (ref && !hb_user_is_ours(hb_user_at(&core->users, ref)))
        hb_slots_forget(core, ref);
}

/* What was known before. Of who is here, or was, it is known better. With the core's lock held. */
static int take(hb_core *core, const hb_last *last, uint64_t hash)
{
    int64_t latest_ms = core->clock.wall_ms >= HB_CLOCK_SET_MS ? core->clock.wall_ms : LATEST_MS;
    const hb_user_past past = {.seen_ms = last->seen_ms < latest_ms ? last->seen_ms : latest_ms,
                               .offline_ms = last->offline_ms < latest_ms ? last->offline_ms : latest_ms,
                               .why = last->why < HB_WHY_COUNT ? last->why : HB_WHY_NONE};

    if (last->forgotten) {
        take_forgotten(core, last);
        return HB_OK;
    }
    hb_user_ref ref = hb_users_put(&core->users, hash, last->name, last->name_length, &past);
    if (!ref)
        return HB_ENOMEM;
    hb_user *user = hb_user_at(&core->users, ref);
    if (hb_user_is_ours(user) || (!last->status && !user->status))
        return HB_OK;
    return hb_user_set_status(&core->users, user, last->status, last->status_length);
}

static int take_held(void *to, const hb_last *lasts, size_t count)
{
    hb_core *core = to;
    int code = HB_OK;

    for (size_t i = 0; i < count && code == HB_OK; i++)
        code = take(core, &lasts[i], hb_users_hash(&core->users, lasts[i].name, lasts[i].name_length));
    return code;
}

static int take_some(void *to, const hb_last *lasts, size_t count)
{
    hb_core_lock(to);
    int code = take_held(to, lasts, count);
    hb_core_unlock(to);
    return code;
}

_Static_assert(HB_JOURNAL_PARTS == HB_USER_STRIPES, "a stripe of users is a part of a snapshot");

/*
 * Whoever was forgotten before it was opened, and did not come back, and whoever was when they could not be fetched, if
 * they are here.
 */
static void forget_erased(hb_core *core)
{
    char *names = core->erased.names;
    char *kept = names;

    if (!core->erased.length)
        return;
    /* Also who was forgotten when already taken from the folder: it still has them. */
    core->wipe = true;
    const char *end = names + core->erased.length;
    for (const char *name = names; name < end;) {
        size_t size = strlen(name) + 1;
        uint64_t hash = hb_users_hash(&core->users, name, size - 1);
        hb_user_ref ref = hb_users_known(&core->users, hash, name, size - 1);
        if (ref && !hb_user_is_ours(hb_user_at(&core->users, ref)))
            hb_slots_forget(core, ref);
        if (core->users.stripes[hb_stripe_of(hash)].arrival != HB_HERE) {
            memmove(kept, name, size);
            kept += size;
        }
        name += size;
    }
    core->erased.length = (size_t)(kept - names);
    if (!core->erased.length) {
        free(names);
        core->erased.names = NULL;
    }
}

/* With the core's lock held. */
static int fetch(hb_core *core, size_t stripe)
{
    hb_users *users = &core->users;

    if (users->stripes[stripe].arrival == HB_HERE)
        return HB_OK;
    hb_users_set_arrival(users, stripe, HB_COMING);
    hb_users_reserve(users, stripe, hb_backlog_users(core->backlog, stripe));
    int code = hb_backlog_take(core->backlog, stripe, take_held, core);
    hb_users_set_arrival(users, stripe, code < 0 ? HB_AWAITED : HB_HERE);
    if (code == HB_OK)
        forget_erased(core);
    return code;
}

void hb_last_fetch_held(hb_core *core)
{
    for (size_t stripe = 0; stripe < HB_USER_STRIPES; stripe++)
        (void)fetch(core, stripe);
}

int hb_last_fetch(hb_core *core, uint64_t hash)
{
    return fetch(core, hb_stripe_of(hash));
}

/* Who is known by this name, or HB_NO_USER. The same. */
static int find(hb_core *core, const char *name, size_t length, hb_user_ref *out)
{
    uint64_t hash = hb_users_hash(&core->users, name, length);
    int code = hb_last_fetch(core, hash);

    *out = hb_users_known(&core->users, hash, name, length);
    return code;
}

int hb_last_fetch_name(hb_core *core, const char *name, size_t length)
{
    uint64_t hash = hb_users_hash(&core->users, name, length);

    hb_users_lock(&core->users, hash);
    bool here = core->users.stripes[hb_stripe_of(hash)].arrival == HB_HERE;
    hb_users_unlock(&core->users, hash);
    if (here)
        return HB_OK;
    hb_core_lock(core);
    int code = hb_last_fetch(core, hash);
    hb_core_unlock(core);
    return code;
}

int hb_last_fetch_all(hb_core *core)
{
    int code = HB_OK;

    for (size_t stripe = 0; stripe < HB_USER_STRIPES && code == HB_OK && hb_last_waits(core); stripe++) {
        hb_core_lock(core);
        code = fetch(core, stripe);
        hb_core_unlock(core);
    }
    if (code < 0 || !hb_last_waits(core))
        return code;
    hb_core_lock(core);
    hb_backlog *backlog = core->backlog;
    __atomic_store_n(&core->backlog, NULL, __ATOMIC_RELEASE);
    hb_core_unlock(core);
    hb_backlog_free(backlog);
    return HB_OK;
}

/* Nobody is known yet: those in the backlog, which is the core's from here on, are fetched when they are needed. */
static void await(hb_core *core, hb_backlog *backlog)
{
    hb_users_reseed(&core->users, hb_backlog_seed(backlog));
    for (size_t stripe = 0; stripe < HB_USER_STRIPES; stripe++) {
        if (hb_backlog_count(backlog, stripe))
            hb_users_set_arrival(&core->users, stripe, HB_AWAITED);
    }
    __atomic_store_n(&core->backlog, backlog, __ATOMIC_RELEASE);
}

static void hear_line(void *to, const char *line)
{
    const hearing *h = to;

    if (h->say)
        h->say(h->to, line);
}

/* What is told of the journal (hb_core_status), after it was opened or flushed. */
static void report(hb_core *core, int code, const hb_error *error)
{
    hb_journal_report *r = &core->report;

    hb_core_lock(core);
    r->on_disk = code == HB_OK;
    if (code == HB_OK)
        r->reason[0] = '\0';
    else if (code != HB_EJOURNAL)
        snprintf(r->reason, sizeof r->reason, "%s", hb_strerror(code));
    else if (error->text[0])
        memcpy(r->reason, error->text, sizeof r->reason);
    if (code == HB_OK)
        r->flushed_ms = core->clock.wall_ms;
    if (core->keeper) {
        r->entries = hb_journal_entries(core->keeper->journal);
        r->bytes = hb_journal_bytes(core->keeper->journal);
        r->written = hb_journal_written(core->keeper->journal);
    }
    hb_core_unlock(core);
}

/* It was opened: from here on those who change are marked. */
static void begin(hb_core *core, hb_keeper *keeper, bool known)
{
    hb_user_ref at = HB_NO_USER;
    hb_counts counts;

    forget_erased(core);
    hb_core_counts(core, &counts);
    known = known || counts.opened > 0; /* whoever came before it, or while it was opened, is not in it */
    while (known && (at = hb_users_next(&core->users, at)))
        hb_user_unmark(hb_user_at(&core->users, at), HB_USER_TOUCHED);
    core->touched.all = known;
    pthread_mutex_init(&keeper->lock, NULL);
    core->keeper = keeper;
}

/* For who does not hold the core's lock; it is taken after the keeper's. */
static hb_keeper *keeper_of(hb_core *core)
{
    hb_core_lock(core);
    hb_keeper *keeper = core->keeper;
    hb_core_unlock(core);
    return keeper;
}

/* It is open. Who is known already is known better than what was read, which is taken at once then. */
static int begin_with(hb_core *core, hb_keeper *keeper, bool known, hb_backlog *backlog)
{
    int code = HB_OK;

    hb_core_lock(core);
    if (!known && !core->users.count && !core->erased.length) {
        await(core, backlog);
        begin(core, keeper, known);
        hb_core_unlock(core);
        return HB_OK;
    }
    hb_core_unlock(core);
    for (size_t part = 0; part < HB_JOURNAL_PARTS && code == HB_OK; part++)
        code = hb_backlog_take(backlog, part, take_some, core);
    if (code < 0)
        return code;
    hb_backlog_free(backlog);
    hb_core_lock(core);
    begin(core, keeper, known);
    hb_core_unlock(core);
    return HB_OK;
}

int hb_core_journal_open(hb_core *core, const char *folder, const uint8_t *key, hb_core_say *say, void *to,
                         hb_error *error)
{
    hearing h = {.core = core, .say = say, .to = to};
    hb_error own = {0};

    if (keeper_of(core))
        return HB_EINVAL;
    hb_core_lock(core);
    snprintf(core->report.folder, sizeof core->report.folder, "%s", folder);
    bool known = core->users.count > 0 || core->erased.length > 0;
    hb_core_unlock(core);
    hb_keeper *keeper = calloc(1, sizeof *keeper);
    hb_backlog *backlog = hb_backlog_new(core->users.seed);
    const hb_journal_reader reader = {.backlog = backlog, .say = hear_line, .to = &h};
    int code = keeper && backlog ? hb_journal_open(folder, key, &reader, &keeper->journal, &own) : HB_ENOMEM;
    if (code == HB_OK)
        code = begin_with(core, keeper, known, backlog);
    if (code < 0) {
        if (keeper)
            hb_journal_abandon(keeper->journal);
        free(keeper);
        hb_backlog_free(backlog);
        report(core, code, &own);
        if (error && code == HB_EJOURNAL)
            *error = own;
        return code;
    }
    report(core, HB_OK, NULL);
    return HB_OK;
}

int hb_core_journal_flush(hb_core *core, hb_core_say *say, void *to, hb_error *error)
{
    const hearing h = {.core = core, .say = say, .to = to};
    hb_error own = {0};

    hb_keeper *keeper = keeper_of(core);
    if (!keeper)
        return HB_EINVAL;
    pthread_mutex_lock(&keeper->lock);
    int code = flush(core, false, &h, &own);
    report(core, code, &own);
    pthread_mutex_unlock(&keeper->lock);
    if (error)
        *error = own;
    return code;
}

void hb_keeper_free(hb_core *core)
{
    if (core->keeper) {
        (void)flush(core, true, NULL, NULL);
        hb_journal_close(core->keeper->journal);
        pthread_mutex_destroy(&core->keeper->lock);
        free(core->keeper);
    }
    hb_backlog_free(core->backlog);
    free(core->touched.users);
    free(core->erased.names);
    free(core->gone.users);
}

/* With the core's lock held. */
static int note_erased(hb_core *core, const char *name, size_t length)
{
    char *names = realloc(core->erased.names, core->erased.length + length + 1);

    if (!names)
        return HB_ENOMEM;
    core->erased.names = names;
    memcpy(names + core->erased.length, name, length);
    names[core->erased.length + length] = '\0';
    core->erased.length += length + 1;
    return HB_OK;
}

int hb_core_forget(hb_core *core, const char *name, size_t length)
{
    const hb_last gone = {.name = name, .name_length = length, .forgotten = true};
    hb_user_ref ref;
    int code = HB_OK;

    if (!length || length > HB_JID_MAX || memchr(name, '\0', length))
        return HB_EINVAL;
    hb_core_lock(core);
    hb_keeper *keeper = core->keeper; /* for good, if there is one */
    if (keeper) {
        hb_core_unlock(core);
        pthread_mutex_lock(&keeper->lock);
        hb_core_lock(core);
    }
    bool waits = find(core, name, length, &ref) < 0;
    if (ref)
        hb_slots_forget(core, ref);
    if (!keeper || waits)
        code = note_erased(core, name, length);
    hb_core_unlock(core);
    if (keeper) {
        /* On disk the name stands until the next snapshot. */
        int added = hb_journal_add(keeper->journal, &gone);
        hb_core_lock(core);
        core->wipe = core->wipe || ref || waits;
        core->touched.all = core->touched.all || added < 0; /* a snapshot at once, which says it too */
        hb_core_unlock(core);
        if (added < 0)
            keeper->tries = AWAY_FLUSHES; /* and the next flush says why, if it can not be made either */
        pthread_mutex_unlock(&keeper->lock);
    }
    return code < 0 ? code : ref != HB_NO_USER || waits;
}

int hb_core_import(hb_core *core, const char *name, size_t length, int64_t offline_ms, const char *status,
                   size_t status_length)
{
    hb_user_ref ref;

    if (!length || length > HB_JID_MAX || offline_ms <= 0)
        return HB_EINVAL;
    const hb_last last = {.name = name,
                          .name_length = length,
                          .seen_ms = offline_ms,
                          .offline_ms = offline_ms,
                          .status = status,
                          .status_length = status_length};
    hb_core_lock(core);
    int code = find(core, name, length, &ref);
    bool known = ref != HB_NO_USER;
    if (code == HB_OK && !known)
        code = take(core, &last, hb_users_hash(&core->users, name, length));
    ref = hb_users_ref(&core->users, name, length);
    if (!known && ref && core->keeper)
        hb_last_touch(core, ref);
    hb_core_unlock(core);
    return code < 0 ? code : !known;
}

int hb_core_catch_up(hb_core *core, const char *name, size_t length, int64_t offline_ms)
{
    hb_user_ref ref;

    if (!length || length > HB_JID_MAX || offline_ms <= 0)
        return HB_EINVAL;
    hb_core_lock(core);
    int done = find(core, name, length, &ref);
    hb_user *user = ref ? hb_user_at(&core->users, ref) : NULL;
    int64_t ms = offline_ms < core->clock.wall_ms ? offline_ms : core->clock.wall_ms;
    if (user && user->sessions == HB_NO_SLOT && hb_user_seen_ms(&core->users, user) < ms &&
        hb_user_offline_ms(user) < ms) {
        hb_user_lock(&core->users, user);
        hb_user_set_seen_ms(&core->users, user, ms);
        hb_user_set_offline_ms(user, ms);
        hb_user_set_why(user, HB_WHY_NONE);
        hb_user_unlock(&core->users, user);
        (void)hb_user_set_status(&core->users, user, NULL, 0); /* it is of an older end */
        if (core->keeper)
            hb_last_touch(core, ref);
        done = 1;
    }
    hb_core_unlock(core);
    return done;
}
