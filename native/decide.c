/* decide.c - what comes out of the core: actions that are due, and the last word on each. */
#include "core.h"

#include <stddef.h>
#include <string.h>

#include "fetch.h"

void hb_trace_slot(hb_core *core, uint32_t slot, hb_verb verb, hb_reason why)
{
    const hb_jid *jid = hb_jid_of(hb_page_of(core, slot), hb_index_of(slot));
    const char *text = jid ? jid->text : "";
    size_t all = jid ? jid->length : 0;
    size_t bare = hb_bare_length(text, all);

    hb_trace trace = {.token = hb_token_of(core, slot),
                      .whom = hb_siphash(core->users.seed, text, all),
                      .user = hb_siphash(core->users.seed, text, bare),
                      .tick = core->clock.tick,
                      .verb = (uint8_t)verb,
                      .why = (uint8_t)why};
    hb_traces_waiting *waiting = &hb_part_of(core, slot)->traces;
    const char *resource = bare < all ? text + bare + 1 : "";
    size_t length = bare < all ? all - bare - 1 : 0;

    if (hb_traces_wait(waiting, &trace, resource, length))
        return;
    pthread_mutex_lock(&core->traces_lock);
    hb_traces_take(&core->traces, waiting);
    hb_traces_add(&core->traces, &trace, resource, length);
    pthread_mutex_unlock(&core->traces_lock);
}

static void remember(hb_core *core, uint32_t slot, hb_verb verb, hb_reason why)
{
    const hb_jid *jid = hb_jid_of(hb_page_of(core, slot), hb_index_of(slot));
    size_t length = jid ? hb_utf8_cut(jid->text, jid->length, HB_DECISION_JID) : 0;

    pthread_mutex_lock(&core->traces_lock);
    hb_decision *decision = &core->decisions[core->decision_count++ % HB_DECISIONS];
    decision->tick = core->clock.tick;
    decision->verb = (uint8_t)verb;
    decision->why = (uint8_t)why;
    decision->jid_length = (uint16_t)length;
    if (jid)
        memcpy(decision->jid, jid->text, length);
    pthread_mutex_unlock(&core->traces_lock);
    hb_trace_slot(core, slot, verb, why);
}

/* As many as the policy says, but let no round of all sessions take more than ten ticks. */
static uint32_t most_pings(const hb_core *core)
{
    size_t tenth = (core->page_count * HB_PAGE_CELLS - hb_core_phase(core, HB_FREE) + 9) / 10;

    return tenth > core->policy.pings_per_tick ? (uint32_t)tenth : core->policy.pings_per_tick;
}

/* One that is due. False: its ping is one too many, and it stays due. */
static bool visit(hb_core *core, uint32_t slot, hb_action *out, size_t *count)
{
    const hb_session *session = &hb_slot_at(core, slot)->session;
    hb_moment moment = hb_slot_moment(core, slot);
    hb_step step = hb_session_step(*session, HB_EV_DUE, &moment, &core->policy);

    if (step.verb == HB_PING && core->pinged >= core->most_pings)
        return false;
    core->pinged += step.verb == HB_PING;
    hb_slot_take(core, slot, step, &moment);
    if (step.verb != HB_NOTHING)
        out[(*count)++] =
            (hb_action){.token = hb_token_of(core, slot), .verb = (uint32_t)step.verb, .why = (uint32_t)step.why};
    return true;
}

/* Visits the due of one block from the cursor up to slot `end`. Returns false if the buffer filled before that. */
static bool visit_block(hb_core *core, uint32_t block, uint64_t all, size_t end, hb_action *out, size_t capacity,
                        size_t *count)
{
    size_t first = (size_t)block * HB_TIMERS_BLOCK;
    uint64_t due = all;

    if (core->cursor > first)
        due &= UINT64_MAX << (core->cursor - first);
    if (end - first < HB_TIMERS_BLOCK)
        due &= (UINT64_C(1) << (end - first)) - 1;
    if (due != all)
        hb_scan_again(core, block);
    for (; due; due &= due - 1) {
        uint32_t slot = (uint32_t)first + (uint32_t)__builtin_ctzll(due);
        core->cursor = slot;
        if (*count == capacity)
            return false;
        if (!visit(core, slot, out, count)) {
            hb_scan_again(core, block);
            if (core->held == HB_NO_SLOT)
                core->held = slot;
        }
    }
    return true;
}

/*
 * Visits the due of a stretch from the cursor, up to slot `end`; of a part of it if they are many. So it does not
 * depend on where was looked for them, and a replay goes the same way. Returns false if the buffer filled before that.
 */
static bool scan(hb_core *core, size_t end, hb_action *out, size_t capacity, size_t *count)
{
    size_t at = core->cursor / HB_TIMERS_BLOCK;
    size_t last = (end + HB_TIMERS_BLOCK - 1) / HB_TIMERS_BLOCK;
    size_t visits = 0;
    hb_scan s;

    last = last - at < HB_SCAN_STRETCH ? last : at + HB_SCAN_STRETCH;
    while (at < last && visits < HB_PAGE_CELLS) {
        at = hb_scan_look(core, at, last, &s);
        for (size_t k = 0; k < s.count; k++) {
            if (visits >= HB_PAGE_CELLS) {
                hb_scan_again(core, s.blocks[k]);
                continue;
            }
            if (!visit_block(core, s.blocks[k], s.due[k], end, out, capacity, count)) {
                for (; k < s.count; k++)
                    hb_scan_again(core, s.blocks[k]);
                return false;
            }
            visits += (size_t)__builtin_popcountll(s.due[k]);
            at = visits < HB_PAGE_CELLS ? at : s.blocks[k] + 1;
        }
    }
    core->cursor = at * HB_TIMERS_BLOCK < end ? at * HB_TIMERS_BLOCK : end;
    return true;
}

/* Up to which slot this round has still to look from the cursor on; 0: it is at its end. */
static size_t rest_of(hb_core *core)
{
    size_t all = core->page_count * HB_PAGE_CELLS;

    if (!core->wrapped && core->cursor >= all) {
        core->wrapped = true;
        core->cursor = 0;
    }
    size_t end = core->wrapped ? core->first : all;
    return core->cursor < end ? end : 0;
}

/*
 * Everybody is to be looked at, beginning with who waits for a ping, or with whom the caller stopped at: so nobody is
 * pinged twice while somebody waits to be pinged once.
 */
static void begin_round(hb_core *core)
{
    size_t unfinished = rest_of(core) ? core->cursor : 0;

    core->first = core->held != HB_NO_SLOT ? core->held : unfinished;
    core->cursor = core->first;
    core->wrapped = false;
    core->held = HB_NO_SLOT;
}

static void keep_series(hb_core *core)
{
    hb_counts counts;
    hb_totals now;

    hb_core_counts(core, &counts);
#define X(name) now.name = counts.name;
    HB_SERIES_COUNTS(X)
#undef X
    memcpy(now.disconnects, counts.disconnects, sizeof now.disconnects);
    memcpy(now.rtt, counts.rtt, sizeof now.rtt);
    for (int phase = HB_FREE; phase <= HB_CLOSED; phase++)
        now.sessions[phase] = hb_core_phase(core, (hb_phase)phase);
    hb_series_tick(core->series, &now, core->clock.wall_ms);
}

/* What every tick looks at. */
static void fetch_counts(const hb_core *core)
{
    for (size_t p = 0; p < HB_PARTS; p++)
        hb_fetch(&core->parts[p], offsetof(hb_part, traces) + sizeof core->parts[p].traces.count);
    hb_fetch(&core->series->before, sizeof core->series->before);
    hb_fetch(core->lanes, sizeof core->lanes);
    hb_scan_fetch(core, 0);
}

void hb_advance_begin(hb_core *core, int64_t now_us, int64_t wall_ms)
{
    uint32_t before = core->clock.tick;

    if (wall_ms < core->clock.wall_ms && hb_last_waits(core))
        hb_last_fetch_held(core); /* their times are of the clock as it was */
    int64_t set_back = hb_clock_advance(&core->clock, now_us, wall_ms);

    if (set_back && wall_ms >= HB_CLOCK_SET_MS) {
        hb_users_set_back(&core->users, wall_ms, set_back);
        core->touched.all = core->keeper != NULL;
    }
    core->advanced_us = now_us;
    core->doubted_us = 0;
    core->most_pings = most_pings(core);
    if (core->clock.tick != before) {
        core->pinged = 0;
        fetch_counts(core);
        (void)hb_core_traces(core);
        keep_series(core);
        hb_slots_tidy(core);
    }
    if (core->clock.tick != before || !rest_of(core))
        begin_round(core);
}

bool hb_advance_part(hb_core *core, hb_action *out, size_t capacity, size_t *count, bool *more)
{
    size_t end = core->stopped || *more ? 0 : rest_of(core);

    if (!end)
        return false;
    *more = !scan(core, end, out, capacity, count);
    return true;
}

int hb_core_advance(hb_core *core, int64_t now_us, int64_t wall_ms, hb_action *out, size_t capacity, size_t *count,
                    uint32_t *tick)
{
    bool more = false;
    size_t written = 0;

    if (!out || !capacity)
        return HB_EINVAL;
    hb_core_lock(core);
    if (core->recorder_next)
        hb_record_begin(core);
    if (hb_recording(core))
        hb_record_tick(core, now_us, capacity);
    hb_advance_begin(core, now_us, wall_ms);
    *tick = core->clock.tick;
    while (hb_advance_part(core, out, capacity, &written, &more)) {
        if (hb_recording(core))
            core->recorder->scans++;
        /* Let waiting events in between pages. */
        hb_core_unlock(core);
        hb_core_lock(core);
    }
    if (hb_recording(core))
        hb_record_actions(core, out, written, more);
    hb_core_unlock(core);
    *count = written;
    return more;
}

/* Another open session with the full JID of this closed one, or HB_NO_SLOT. */
static uint32_t twin_of(const hb_core *core, uint32_t slot)
{
    const hb_page *page = hb_page_of(core, slot);
    const hb_jid *jid = hb_jid_at(page, hb_index_of(slot));
    const hb_user *user = hb_users_find(&core->users, jid->text, hb_node_length(jid->text, jid->length));
    uint32_t other = user ? user->sessions : HB_NO_SLOT;

    while (other != HB_NO_SLOT) {
        const hb_page *others = hb_page_of(core, other);
        const hb_jid *its = hb_jid_of(others, hb_index_of(other));
        if (its && its->length == jid->length && memcmp(its->text, jid->text, jid->length) == 0)
            return other;
        other = others->slots[hb_index_of(other)].next;
    }
    return HB_NO_SLOT;
}

static int begin_ping(hb_core *core, uint32_t slot, int64_t now_us, hb_order *order)
{
    char id[HB_PINGID_LENGTH + 1];
    int code = hb_pingid_make(core->ping_key, hb_token_of(core, slot), now_us, id);

    if (code < 0)
        return code; /* nothing has changed: the ping comes again after HB_REPEAT_TICKS */
    hb_moment moment = hb_slot_moment(core, slot);
    moment.late = hb_clock_late(&core->clock, now_us);
    hb_step step = hb_slot_apply_at(core, slot, HB_EV_BEGIN_PING, &moment);
    order->verb = step.verb;
    order->why = step.why;
    if (step.verb == HB_PING) {
        order->length = HB_PINGID_LENGTH;
        memcpy(order->text, id, HB_PINGID_LENGTH);
        hb_part_of(core, slot)->counts.pings++;
    }
    if (step.why != HB_WHY_NONE)
        remember(core, slot, step.verb, step.why);
    hb_part_of(core, slot)->counts.spared += step.why == HB_WHY_SPOKE;
    return HB_OK;
}

static int begin_disconnect(hb_core *core, uint32_t slot, unsigned facts, hb_order *order)
{
    hb_counts *counts = &hb_part_of(core, slot)->counts;
    hb_moment moment = hb_slot_moment(core, slot);

    moment.resumable = (facts & HB_FACT_RESUMABLE) != 0;
    hb_step step = hb_slot_apply_at(core, slot, HB_EV_BEGIN_DISCONNECT, &moment);

    order->verb = step.verb;
    order->why = step.why;
    if (step.why != HB_WHY_NONE)
        remember(core, slot, step.verb, step.why);
    counts->spared += step.why == HB_WHY_SPOKE;
    counts->closes += step.verb == HB_CLOSE;
    counts->cuts += step.verb == HB_CUT;
    counts->disconnects[step.why] += step.verb != HB_NOTHING;
    return HB_OK;
}

static int begin_abort(hb_core *core, uint32_t slot, hb_order *order)
{
    hb_step step = hb_slot_apply(core, slot, HB_EV_BEGIN_ABORT);

    order->verb = step.verb;
    order->why = step.why;
    if (step.verb == HB_ABORT) {
        hb_part_of(core, slot)->counts.aborts++;
        remember(core, slot, step.verb, step.why);
    }
    return HB_OK;
}

static int begin_unavailable(hb_core *core, uint32_t slot, hb_order *order)
{
    hb_step step = hb_slot_apply(core, slot, HB_EV_BEGIN_UNAVAILABLE);

    if (step.next.phase != HB_FREE)
        return HB_OK;
    const hb_jid *jid = hb_jid_at(hb_page_of(core, slot), hb_index_of(slot));
    uint32_t twin = twin_of(core, slot);
    if (twin == HB_NO_SLOT) {
        order->verb = HB_UNAVAILABLE;
        order->why = step.why;
        order->length = jid->length;
        memcpy(order->text, jid->text, jid->length);
        hb_part_of(core, slot)->counts.told++;
        remember(core, slot, step.verb, step.why);
    } else {
        /* What contacts believe of that JID is the other session's now, and its end ends it. */
        (void)hb_slot_apply(core, twin, HB_EV_AVAILABLE);
    }
    hb_slot_release(core, slot);
    return HB_OK;
}

static int begin(hb_core *core, uint32_t slot, hb_verb verb, unsigned facts, int64_t now_us, hb_order *order)
{
    switch (verb) {
    case HB_PING:
        return begin_ping(core, slot, now_us, order);
    case HB_DISCONNECT:
        return begin_disconnect(core, slot, facts, order);
    case HB_ABORT:
        return begin_abort(core, slot, order);
    case HB_UNAVAILABLE:
        return begin_unavailable(core, slot, order);
    case HB_NOTHING:
    case HB_CLOSE:
    case HB_CUT:
        break;
    }
    return HB_EINVAL;
}

int hb_core_begin(hb_core *core, hb_token token, hb_verb verb, unsigned facts, int64_t now_us, hb_order *order)
{
    int code = HB_ESTALE;
    uint32_t slot;

    order->verb = HB_NOTHING;
    order->why = HB_WHY_NONE;
    order->length = 0;
    hb_hold hold = hb_hold_slot(core, (uint32_t)token);
    if (verb == HB_UNAVAILABLE)
        hb_hold_all(&hold); /* for the user's other sessions */
    if (core->stopped)
        code = HB_OK;
    else if (hb_slot_find(core, token, &slot)) {
        if (hb_recording(core))
            hb_record_begun(core, now_us, slot, verb, facts);
        code = begin(core, slot, verb, facts, now_us, order);
        if (hb_recording(core))
            hb_record_order(core, code, order);
    }
    hb_let_go(&hold);
    return code;
}
