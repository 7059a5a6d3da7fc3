#include "core.h"

#include <stdlib.h>
#include <string.h>

#include "platform.h"

#define IDLE_DEFAULT_MS INT64_C(360000) /* of Openfire's xmpp.client.idle */

int hb_core_new(const hb_core_options *options, int64_t now_us, int64_t wall_ms, hb_core **out)
{
    hb_core *core = hb_memory_new(sizeof *core);
    uint64_t seeds[3];
    int code = HB_OK;

    if (!core)
        return HB_ENOMEM;
    if (options && options->seed) {
        for (size_t i = 0; i < 3; i++)
            seeds[i] = options->seed + i;
    } else {
        code = hb_pingid_random(seeds, sizeof seeds);
    }
    if (options && options->ping_key)
        memcpy(core->ping_key, options->ping_key, HB_PINGID_KEY);
    else if (code == HB_OK)
        code = hb_pingid_random(core->ping_key, HB_PINGID_KEY);
    if (code == HB_OK)
        code = hb_traces_init(&core->traces);
    if (code == HB_OK)
        code = hb_users_init(&core->users, seeds[1], seeds[2]);
    core->series = code == HB_OK ? calloc(1, sizeof *core->series) : NULL;
    core->vacant = code == HB_OK ? hb_memory_new(sizeof *core->vacant) : NULL;
    if (code == HB_OK && (!core->series || !core->vacant))
        code = HB_ENOMEM;
    if (code == HB_OK && !hb_parts_init(core))
        code = HB_ENOMEM;
    if (code != HB_OK) {
        hb_users_close(&core->users);
        hb_traces_close(&core->traces);
        free(core->series);
        hb_memory_free(core->vacant, sizeof *core->vacant);
        hb_memory_free(core, sizeof *core);
        return code;
    }
    core->seed = seeds[0];
    hb_clock_init(&core->clock, now_us, wall_ms);
    hb_policy_derive(IDLE_DEFAULT_MS, true, &core->policy);
    core->advanced_us = now_us;
    core->held = HB_NO_SLOT;
    core->wrapped = true;
    *out = core;
    return HB_OK;
}

void hb_core_free(hb_core *core)
{
    if (!core)
        return;
    hb_core_record_end(core);
    hb_keeper_free(core);
    hb_slots_free(core);
    hb_memory_free(core->vacant, sizeof *core->vacant);
    hb_users_close(&core->users);
    hb_traces_close(&core->traces);
    free(core->series);
    hb_parts_close(core);
    hb_memory_free(core, sizeof *core);
}

int hb_core_add_page(hb_core *core, uint32_t *cells)
{
    if (!cells || (uintptr_t)cells % HB_CELL_BYTES)
        return HB_EINVAL;
    hb_core_lock(core);
    int code = hb_slots_add(core, cells);
    if (code == HB_OK && hb_recording(core))
        hb_record_page(core);
    hb_core_unlock(core);
    return code;
}

void hb_core_set_policy(hb_core *core, const hb_policy *policy)
{
    core->sweep = core->sweep || core->policy.forget_after != policy->forget_after;
    core->policy = *policy;
    for (size_t p = 0; p < core->page_count; p++) {
        const hb_page *page = core->pages[p];
        for (size_t i = 0; i < HB_PAGE_CELLS; i++) {
            if (page->slots[i].session.phase != HB_FREE)
                hb_slot_look(core, (uint32_t)(p * HB_PAGE_CELLS + i)); /* by the new policy */
        }
    }
}

int hb_core_configure(hb_core *core, const char *json, size_t length, int64_t idle_ms, bool ping, hb_error *error)
{
    hb_policy policy;

    hb_policy_derive(idle_ms, ping, &policy);
    if (json) {
        int code = hb_policy_parse(json, length, &policy, &policy, error);
        if (code < 0)
            return code;
    }
    hb_core_lock(core);
    hb_core_set_policy(core, &policy);
    if (hb_recording(core))
        hb_record_policy(core);
    hb_core_unlock(core);
    return HB_OK;
}

int hb_core_open(hb_core *core, hb_transport transport, uint32_t own_s, int64_t opened_us, int64_t read_us,
                 hb_token *out)
{
    uint32_t slot;
    int code = HB_OK;

    if ((unsigned)transport > HB_BOSH || own_s > HB_OWN_MAX)
        return HB_EINVAL;
    size_t open_in = __atomic_load_n(&hb_lane_of(core)->page, __ATOMIC_RELAXED);
    hb_hold hold = hb_hold_slot(core, (uint32_t)(open_in * HB_PAGE_CELLS));
    if (!hb_slots_take_of(core, open_in, &slot)) {
        hb_hold_all(&hold);
        code = hb_slots_take(core, &slot);
    }
    if (code == HB_OK) {
        hb_page *page = hb_page_of(core, slot);
        size_t i = hb_index_of(slot);
        hb_slot *it = &page->slots[i];
        it->answered_us = 0;
        it->rtt_us = 0;
        it->own = (uint32_t)transport << HB_OWN_BITS | own_s;
        uint32_t read = hb_clock_tick_of(&core->clock, read_us);
        __atomic_store_n(hb_cell_of(core, slot), read, __ATOMIC_RELAXED);
        __atomic_store_n(hb_seen_of(core, slot), read, __ATOMIC_RELAXED);
        hb_session session = hb_session_opened(hb_clock_tick_of(&core->clock, opened_us));
        hb_moment moment = hb_slot_moment(core, slot);
        uint32_t due = hb_session_due(session, &moment, &core->policy);
        hb_slot_set(core, slot, session, due);
        hb_part_of(core, slot)->counts.opened++;
        if (hb_recording(core))
            hb_record_open(core, slot, opened_us, read_us);
        *out = hb_token_of(core, slot);
    }
    hb_let_go(&hold);
    return code;
}

size_t hb_node_length(const char *jid, size_t length)
{
    const char *at = memchr(jid, '@', hb_bare_length(jid, length));

    return at ? (size_t)(at - jid) : 0;
}

size_t hb_bare_length(const char *jid, size_t length)
{
    const char *slash = memchr(jid, '/', length);

    return slash ? (size_t)(slash - jid) : length;
}

/* A session is a user's. False: nobody knows them. */
static bool link_user(hb_core *core, uint32_t slot, uint64_t hash, const char *name, size_t length)
{
    hb_users_lock(&core->users, hash);
    hb_user_ref ref = hb_users_known(&core->users, hash, name, length);
    if (!ref) {
        hb_users_unlock(&core->users, hash);
        return false;
    }
    hb_slot_link(core, slot, ref);
    if (hb_core_cell_tick(core, slot) < core->clock.tick)
        hb_last_touch(core, ref); /* whoever looked at the cell since did not know whose it is */
    hb_user_unlock(&core->users, hb_user_at(&core->users, ref));
    return true;
}

#define NOT_ALONE 1 /* a user is to be made, for which everything is to be held */

/* A user whom nobody knows. *hash: of the name, as it is now. With all of the core held. */
static int make_user(hb_core *core, const char *name, size_t length, uint64_t *hash)
{
    *hash = hb_users_hash(&core->users, name, length);
    int code = hb_last_fetch(core, *hash);
    return code == HB_OK && !hb_users_get(&core->users, *hash, name, length) ? HB_ENOMEM : code;
}

/* node: of which user, 0: nobody's. Anything but HB_OK has changed nothing. */
static int bind_slot(const hb_hold *hold, uint32_t slot, const char *text, size_t length, size_t node, uint64_t hash)
{
    hb_core *core = hold->core;
    hb_page *page = hb_page_of(core, slot);
    size_t i = hb_index_of(slot);
    const hb_jid *jid = hb_jid_of(page, i);

    if (jid)
        return jid->length == length && memcmp(jid->text, text, length) == 0 ? HB_OK : HB_EINVAL;
    int code = hb_jid_keep(core, page, i, text, length);
    if (code < 0)
        return code;
    if (node && !hold->part)
        code = make_user(core, text, node, &hash);
    if (code == HB_OK && node && !link_user(core, slot, hash, text, node))
        code = NOT_ALONE;
    if (code != HB_OK) {
        hb_jid_drop(page, i);
        return code;
    }
    (void)hb_slot_apply(core, slot, HB_EV_BOUND);
    return HB_OK;
}

static int bound(const hb_hold *hold, hb_token token, const char *jid, size_t length, size_t node, uint64_t hash)
{
    hb_core *core = hold->core;
    uint32_t slot;

    if (!hb_slot_find(core, token, &slot))
        return HB_ESTALE;
    if (hb_recording(core))
        hb_record_see(core, slot);
    int code = bind_slot(hold, slot, jid, length, node, hash);
    if (code == HB_OK && hb_recording(core))
        hb_record_bound(core, slot);
    return code;
}

int hb_core_bound(hb_core *core, hb_token token, const char *jid, size_t length, bool anonymous)
{
    if (!jid || !length || length > HB_JID_MAX)
        return HB_EINVAL;
    /* What can be done before the lock is taken. */
    size_t node = anonymous ? 0 : hb_node_length(jid, length);
    uint64_t hash = hb_users_hash(&core->users, jid, node);
    hb_hold hold = hb_hold_slot(core, (uint32_t)token);
    int code = bound(&hold, token, jid, length, node, hash);
    if (code == NOT_ALONE) {
        hb_hold_all(&hold);
        code = bound(&hold, token, jid, length, node, hash);
    }
    hb_let_go(&hold);
    return code;
}

/* What a user's presence says: a status, or NULL. Returns what it said before, to be freed. */
static char *set_status(hb_core *core, hb_user_ref ref, char *status)
{
    hb_user *user = hb_user_at(&core->users, ref);

    if (!status && !hb_user_has_status(user))
        return NULL;
    hb_user_lock(&core->users, user);
    char *old = hb_user_swap_status(&core->users, user, status);
    hb_last_touch(core, ref);
    hb_user_leave(&core->users, user);
    return old;
}

static int take_available(hb_core *core, uint32_t slot)
{
    hb_user_ref user = hb_slot_at(core, slot)->user;

    if (!hb_slot_at(core, slot)->jid)
        return HB_EINVAL; /* nobody to be available yet */
    (void)hb_slot_apply(core, slot, HB_EV_AVAILABLE);
    if (user)
        free(set_status(core, user, NULL));
    return HB_OK;
}

int hb_core_available(hb_core *core, hb_token token)
{
    int code = HB_ESTALE;
    uint32_t slot;

    hb_hold hold = hb_hold_slot(core, (uint32_t)token);
    if (hb_slot_find(core, token, &slot)) {
        if (hb_recording(core))
            hb_record_event(core, slot, "available");
        code = take_available(core, slot);
        if (hb_recording(core))
            hb_record_answer(core, code);
    }
    hb_let_go(&hold);
    return code;
}

/* Whose status the presence of a session is: also of one that is over, whose last presence may come after its end. */
static hb_user_ref speaker(hb_core *core, uint32_t slot)
{
    const hb_page *page = hb_page_of(core, slot);
    size_t i = hb_index_of(slot);

    if (page->slots[i].session.phase != HB_CLOSED)
        return page->slots[i].user;
    const hb_jid *jid = hb_jid_at(page, i);
    size_t node = hb_node_length(jid->text, jid->length);
    uint64_t hash = hb_users_hash(&core->users, jid->text, node);
    hb_users_lock(&core->users, hash);
    hb_user_ref ref = hb_users_known(&core->users, hash, jid->text, node);
    hb_users_unlock(&core->users, hash);
    return ref;
}

int hb_core_unavailable(hb_core *core, hb_token token, const char *status, size_t length, bool closed)
{
    const bool says = status && !closed;
    char *copy = says ? hb_status_copy(status, length) : NULL;
    int code = HB_ESTALE;
    uint32_t slot;

    hb_hold hold = hb_hold_slot(core, (uint32_t)token);
    if (hb_slot_find(core, token, &slot)) {
        hb_user_ref user = speaker(core, slot);
        if (hb_recording(core)) {
            hb_record_event(core, slot, closed ? "told" : "unavailable");
            hb_record_answer(core, HB_OK);
        }
        hb_step step = hb_slot_apply(core, slot, closed ? HB_EV_TOLD : HB_EV_LOGOUT);
        code = user && says && !copy ? HB_ENOMEM : HB_OK;
        if (user && code == HB_OK)
            copy = set_status(core, user, copy);
        if (step.next.phase == HB_FREE)
            hb_slot_release(core, slot);
    }
    hb_let_go(&hold);
    free(copy);
    return code;
}

static int in_charge(hb_core *core, int64_t now_us)
{
    if (core->stopped)
        return 0;
    if (now_us - core->advanced_us <= HB_IN_CHARGE_US)
        return 1;
    int64_t doubted_us = __atomic_load_n(&core->doubted_us, __ATOMIC_RELAXED);
    if (!doubted_us)
        __atomic_store_n(&core->doubted_us, doubted_us = now_us, __ATOMIC_RELAXED);
    return now_us - doubted_us < HB_DOUBT_US ? HB_ASK_AGAIN : 0;
}

int hb_core_in_charge(hb_core *core, int64_t now_us)
{
    hb_hold hold = hb_hold_any(core);
    int answer = in_charge(core, now_us);
    if (answer != 1 && hb_recording(core)) { /* else nothing has changed */
        hb_record_timed(core, now_us, HB_NO_SLOT, "charge");
        hb_record_answer(core, answer);
    }
    hb_let_go(&hold);
    return answer;
}

int hb_core_idle(hb_core *core, hb_token token, int64_t now_us)
{
    int code = HB_ESTALE;
    uint32_t slot;

    hb_hold hold = hb_hold_slot(core, (uint32_t)token);
    if (hb_slot_find(core, token, &slot)) {
        hb_part_of(core, slot)->counts.idle_events++;
        /* A second clock found silence: have a look on the next tick, whatever ours says. */
        hb_slot_look(core, slot);
        code = in_charge(core, now_us);
        if (hb_recording(core)) {
            hb_record_timed(core, now_us, slot, "idle");
            hb_record_answer(core, code);
        }
    }
    hb_let_go(&hold);
    return code;
}

/* What was found in the id of a ping. */
typedef struct pong {
    int code; /* of hb_pingid_check */
    hb_token token;
    int64_t sent_us;
} pong;

static int take_pong(hb_core *core, uint32_t slot, const pong *answer, int64_t now_us)
{
    hb_page *page = hb_page_of(core, slot);
    size_t i = hb_index_of(slot);
    hb_counts *counts = &hb_part_of(core, slot)->counts;
    int64_t sent_us = answer->sent_us;

    if (answer->code < 0)
        return answer->code;
    if (answer->code == 0 || answer->token != hb_token_of(core, slot) || sent_us <= page->slots[i].answered_us) {
        counts->forged_pongs++;
        return 0;
    }
    int64_t rtt = now_us > sent_us ? now_us - sent_us : 0;
    page->slots[i].answered_us = sent_us;
    page->slots[i].rtt_us = rtt < UINT32_MAX ? (uint32_t)rtt : UINT32_MAX;
    counts->pongs++;
    counts->rtt[hb_rtt_bucket(page->slots[i].rtt_us)]++;
    counts->rtt_us += page->slots[i].rtt_us;
    (void)hb_slot_apply(core, slot, HB_EV_PONG);
    return 1;
}

int hb_core_pong(hb_core *core, hb_token token, const char *id, size_t length, int64_t now_us)
{
    pong answer = {0};
    int code = HB_ESTALE;
    uint32_t slot;

    answer.code = hb_pingid_check(core->ping_key, id, length, &answer.token, &answer.sent_us);
    hb_hold hold = hb_hold_slot(core, (uint32_t)token);
    if (hb_slot_find(core, token, &slot)) {
        if (hb_recording(core))
            hb_record_pong(core, slot, id, length, now_us);
        code = take_pong(core, slot, &answer, now_us);
        if (hb_recording(core))
            hb_record_answer(core, code);
    }
    hb_let_go(&hold);
    return code;
}

/* Why a session ended: by us, by its client, or by what cut its connection. */
static hb_reason end_of(hb_session session)
{
    if (session.phase == HB_CLOSING || session.flags & HB_S_CUT)
        return (hb_reason)session.why;
    if (session.flags & HB_S_LOGOUT)
        return HB_WHY_LOGOUT;
    return HB_WHY_CLOSED;
}

/* Keeps what became of a session, for hb_core_why, unless it is what we did, which is kept already. */
static void trace_end(hb_core *core, uint32_t slot, hb_session before, hb_phase after)
{
    const bool lost = before.phase == HB_DETACHED;
    const bool ours = before.phase == HB_CLOSING || (before.flags & HB_S_CUT && !lost);

    if (ours || before.phase == HB_CLOSED || before.phase == after)
        return;
    if (after == HB_DETACHED)
        hb_trace_slot(core, slot, HB_NOTHING, HB_WHY_DETACHED);
    else
        hb_trace_slot(core, slot, HB_NOTHING, lost ? HB_WHY_EXPIRED : end_of(before));
}

static void end_session(hb_core *core, uint32_t slot, hb_event event)
{
    hb_session before = hb_slot_at(core, slot)->session;
    hb_user_ref ref = hb_slot_at(core, slot)->user;
    bool named = hb_slot_at(core, slot)->jid != 0;

    if (!named)
        event = HB_EV_CLOSED; /* nobody has logged in: there is nothing to resume */
    hb_step step = hb_slot_apply(core, slot, event);
    bool over = step.next.phase == HB_FREE || step.next.phase == HB_CLOSED;

    if (named)
        trace_end(core, slot, before, (hb_phase)step.next.phase);

    if (ref && over) {
        hb_user *user = hb_user_at(&core->users, ref);
        hb_user_lock(&core->users, user);
        hb_user_set_why(user, end_of(before));
        hb_slot_unlink(core, slot);
        if (user->sessions == HB_NO_SLOT) {
            hb_user_set_offline_ms(user, core->clock.wall_ms);
            hb_gone_note(core, ref);
        }
        hb_last_touch(core, ref);
        hb_user_unlock(&core->users, user);
    }
    if (step.next.phase == HB_FREE)
        hb_slot_release(core, slot);
}

static int end(hb_core *core, hb_token token, hb_event event)
{
    int code = HB_ESTALE;
    uint32_t slot;

    hb_hold hold = hb_hold_slot(core, (uint32_t)token);
    if (hb_slot_find(core, token, &slot)) {
        if (hb_recording(core)) {
            hb_record_event(core, slot, event == HB_EV_DETACHED ? "detached" : "closed");
            hb_record_answer(core, HB_OK);
        }
        end_session(core, slot, event);
        code = HB_OK;
    }
    hb_let_go(&hold);
    return code;
}

int hb_core_detached(hb_core *core, hb_token token)
{
    return end(core, token, HB_EV_DETACHED);
}

int hb_core_closed(hb_core *core, hb_token token)
{
    return end(core, token, HB_EV_CLOSED);
}

/* The JID of one slot is another's. */
static int move_jid(hb_core *core, uint32_t from, uint32_t to)
{
    hb_page *old = hb_page_of(core, from);
    hb_page *page = hb_page_of(core, to);
    const hb_jid *jid = hb_jid_at(old, hb_index_of(from));

    if (old != page)
        return hb_jid_keep(core, page, hb_index_of(to), jid->text, jid->length);
    hb_slot_at(core, to)->jid = hb_slot_at(core, from)->jid;
    hb_slot_at(core, from)->jid = 0;
    return HB_OK;
}

static int resume(hb_core *core, uint32_t from, uint32_t to)
{
    const hb_slot *old = hb_slot_at(core, from);
    hb_session session = old->session;

    if (from == to || !old->jid || hb_slot_at(core, to)->jid || session.phase == HB_CLOSED)
        return HB_EINVAL;
    int code = move_jid(core, from, to);
    if (code < 0)
        return code;
    session = hb_session_resumed(session);
    if (old->user) {
        const hb_user *user = hb_user_of(core, from);
        hb_user_lock(&core->users, user);
        hb_slot_link(core, to, old->user);
        hb_last_touch(core, old->user);
        hb_slot_unlink(core, from);
        hb_user_unlock(&core->users, user);
    }
    hb_slot_set(core, to, session, 0);
    hb_slot_release(core, from);
    (void)hb_core_traces(core); /* what came before is before it */
    hb_trace_slot(core, to, HB_NOTHING, HB_WHY_RESUMED);
    hb_part_of(core, to)->counts.resumed++;
    return HB_OK;
}

int hb_core_resumed(hb_core *core, hb_token from, hb_token to)
{
    int code = HB_ESTALE;
    uint32_t old;
    uint32_t slot;

    hb_core_lock(core);
    if (hb_slot_find(core, from, &old) && hb_slot_find(core, to, &slot)) {
        if (hb_recording(core)) {
            hb_record_see(core, old);
            hb_record_see(core, slot);
            hb_record(core, "resumed s%u.%u s%u.%u", old, (uint32_t)(from >> 32), slot, (uint32_t)(to >> 32));
        }
        code = resume(core, old, slot);
        if (hb_recording(core))
            hb_record_answer(core, code);
    }
    hb_core_unlock(core);
    return code;
}

/* What an administrator asks for is an action at once: who asks waits for no tick. */
static int ask(hb_core *core, uint32_t slot, hb_verb verb, hb_action *action)
{
    hb_step step = hb_slot_apply(core, slot, verb == HB_PING ? HB_EV_ASK_PING : HB_EV_ASK_DISCONNECT);

    if (step.verb == HB_NOTHING)
        return 0;
    *action = (hb_action){.token = hb_token_of(core, slot), .verb = (uint32_t)step.verb, .why = (uint32_t)step.why};
    return 1;
}

int hb_core_ask(hb_core *core, hb_token token, hb_verb verb, hb_action *action)
{
    int code = HB_ESTALE;
    uint32_t slot;

    if (verb != HB_PING && verb != HB_DISCONNECT)
        return HB_EINVAL;
    hb_core_lock(core);
    if (core->stopped)
        code = 0;
    else if (hb_slot_find(core, token, &slot)) {
        if (hb_recording(core)) {
            hb_record_event(core, slot, "ask");
            hb_record_word(core, hb_verb_name(verb));
        }
        code = ask(core, slot, verb, action);
        if (hb_recording(core))
            hb_record_answer(core, code);
    }
    hb_core_unlock(core);
    return code;
}

void hb_core_stop(hb_core *core)
{
    hb_core_lock(core);
    core->stopped = true;
    if (hb_recording(core))
        hb_record(core, "stop\n");
    hb_core_unlock(core);
}

int hb_core_activity(hb_core *core, const char *name, size_t length, hb_activity *out)
{
    uint64_t hash = hb_users_hash(&core->users, name, length);

    hb_users_lock(&core->users, hash);
    hb_user_ref ref = hb_users_known(&core->users, hash, name, length);
    if (!ref) {
        hb_users_unlock(&core->users, hash);
        return 0;
    }
    hb_user *user = hb_user_at(&core->users, ref);
    for (uint32_t slot = user->sessions; slot != HB_NO_SLOT; slot = hb_slot_at(core, slot)->next) {
        if (hb_recording(core))
            hb_record_see(core, slot);
        hb_slot_see(core, user, slot); /* kept, so that what was told once never goes back */
    }
    int64_t seen_ms = hb_user_seen_ms(&core->users, user);
    out->seen_ms = seen_ms < core->clock.wall_ms ? seen_ms : core->clock.wall_ms;
    int64_t offline_ms = hb_user_offline_ms(user);
    out->offline_ms = offline_ms < core->clock.wall_ms ? offline_ms : core->clock.wall_ms;
    out->last_ms = out->seen_ms;
    /* After a crash the end of the last session was not seen: what was read is younger than the end of one before. */
    if (core->policy.last_activity == HB_LAST_OFFLINE && out->offline_ms > out->seen_ms)
        out->last_ms = out->offline_ms;
    out->online = user->sessions != HB_NO_SLOT;
    out->why = hb_user_why(user);
    out->length = user->status ? strlen(user->status) : 0;
    if (user->status)
        memcpy(out->status, user->status, out->length);
    hb_user_unlock(&core->users, user);
    return 1;
}

int hb_core_seen(hb_core *core, const char *user, size_t length, hb_seen *out)
{
    bool waits = hb_last_waits(core);
    int found = hb_users_peek(&core->users, user, length, out);

    if (!found && waits) {
        int code = hb_last_fetch_name(core, user, length);
        found = code < 0 ? code : hb_users_peek(&core->users, user, length, out);
    }
    if (found == 1 && out->online) {
        hb_activity activity;
        hb_hold hold = hb_hold_any(core);
        found = hb_core_activity(core, user, length, &activity);
        hb_let_go(&hold);
        if (found != 1)
            return found; /* forgotten in between */
        out->ms = activity.seen_ms;
        out->online = activity.online;
        return found;
    }
    int64_t wall_ms = __atomic_load_n(&core->clock.wall_ms, __ATOMIC_RELAXED);
    if (found == 1 && out->ms > wall_ms)
        out->ms = wall_ms;
    return found;
}

void hb_core_count_changes(hb_core *core, uint32_t *changes)
{
    hb_core_lock(core);
    hb_users_count_in(&core->users, changes);
    hb_core_unlock(core);
}

int hb_core_last_activity(hb_core *core, const char *user, size_t length, hb_activity *out)
{
    bool waits = hb_last_waits(core);
    hb_hold hold = hb_hold_any(core);
    int found = hb_core_activity(core, user, length, out);

    hb_let_go(&hold);
    if (found || !waits)
        return found;
    int code = hb_last_fetch_name(core, user, length);
    if (code < 0)
        return code;
    hold = hb_hold_any(core);
    found = hb_core_activity(core, user, length, out);
    hb_let_go(&hold);
    return found;
}
