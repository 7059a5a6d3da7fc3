/* decide.c - what comes out of the core: actions that are due, and the last word on each. */
#include "core.h"

#include <string.h>

static void remember(hb_core *core, uint32_t slot, hb_verb verb, hb_reason why)
{
    hb_decision *decision = &core->decisions[core->decision_count++ % HB_DECISIONS];
    const hb_jid *jid = hb_page_of(core, slot)->jid[hb_index_of(slot)];
    size_t length = jid ? hb_utf8_cut(jid->text, jid->length, HB_DECISION_JID) : 0;

    decision->tick = core->clock.tick;
    decision->verb = (uint8_t)verb;
    decision->why = (uint8_t)why;
    decision->jid_length = (uint16_t)length;
    if (jid)
        memcpy(decision->jid, jid->text, length);
}

/*
 * What is looked at next is on its way from memory meanwhile: a tick meets nothing in the caches, and the misses of one
 * after another would be most of its time.
 */
static void prefetch(const void *begin, size_t bytes)
{
    for (size_t at = 0; at < bytes; at += 64)
        __builtin_prefetch((const char *)begin + at);
}

/* A page is looked through one page ahead, and its table of blocks two pages ahead. */
static void prefetch_pages(const hb_core *core, size_t page_at)
{
    if (page_at + 1 < core->page_count)
        prefetch(core->pages[page_at + 1]->soonest, sizeof core->pages[0]->soonest);
    if (page_at >= core->page_count)
        return;
    const hb_page *page = core->pages[page_at];
    size_t b = hb_timers_next(page->soonest, 0, HB_PAGE_BLOCKS, core->clock.tick);
    for (; b < HB_PAGE_BLOCKS; b = hb_timers_next(page->soonest, b + 1, HB_PAGE_BLOCKS, core->clock.tick)) {
        prefetch(page->due + b * HB_TIMERS_BLOCK, HB_TIMERS_BLOCK * sizeof page->due[0]);
        prefetch(page->cells + b * HB_TIMERS_BLOCK, HB_TIMERS_BLOCK * sizeof page->cells[0]);
        prefetch(page->follows + b, sizeof page->follows[0]);
    }
}

static void prefetch_sessions(const hb_page *page, size_t at, uint64_t due)
{
    for (; due; due &= due - 1) {
        size_t i = at + (size_t)__builtin_ctzll(due);
        prefetch(page->session + i, sizeof page->session[0]);
        prefetch(page->generation + i, sizeof page->generation[0]);
    }
}

/* Visits the due of one block of a page. Returns false if the buffer filled before its end. */
static bool scan_block(hb_core *core, hb_page *page, uint32_t first, hb_action *out, size_t capacity, size_t *count)
{
    size_t at = hb_index_of(first);
    size_t block = at / HB_TIMERS_BLOCK;
    uint32_t next;
    uint64_t due = hb_timers_due(page->due + at, page->follows[block], page->cells + at, core->clock.tick, &next);

    prefetch_sessions(page, at, due);
    page->soonest[block] = next; /* what is decided now lowers it again */
    for (; due; due &= due - 1) {
        if (*count == capacity) {
            page->soonest[block] = 0;
            return false;
        }
        uint32_t slot = first + (uint32_t)__builtin_ctzll(due);
        hb_step step = hb_slot_apply(core, slot, HB_EV_DUE);
        if (step.verb != HB_NOTHING)
            out[(*count)++] =
                (hb_action){.token = hb_token_of(core, slot), .verb = (uint32_t)step.verb, .why = (uint32_t)step.why};
    }
    return true;
}

/* Visits the due of one page from the cursor on. Returns false if the buffer filled before its end. */
static bool scan(hb_core *core, uint32_t page_at, hb_action *out, size_t capacity, size_t *count)
{
    hb_page *page = core->pages[page_at];
    uint32_t now = core->clock.tick;
    size_t from = core->cursor % HB_PAGE_CELLS / HB_TIMERS_BLOCK;

    prefetch_pages(core, (size_t)page_at + 1);
    size_t block = hb_timers_next(page->soonest, from, HB_PAGE_BLOCKS, now);
    while (block < HB_PAGE_BLOCKS) {
        uint32_t first = page_at * HB_PAGE_CELLS + (uint32_t)block * HB_TIMERS_BLOCK;
        if (!scan_block(core, page, first, out, capacity, count)) {
            core->cursor = first;
            return false;
        }
        block = hb_timers_next(page->soonest, block + 1, HB_PAGE_BLOCKS, now);
    }
    core->cursor = (size_t)(page_at + 1) * HB_PAGE_CELLS;
    return true;
}

int hb_core_advance(hb_core *core, int64_t now_us, int64_t wall_ms, hb_action *out, size_t capacity, size_t *count,
                    uint32_t *tick)
{
    bool more = false;
    size_t written = 0;

    if (!out || !capacity)
        return HB_EINVAL;
    pthread_mutex_lock(&core->lock);
    uint32_t before = core->clock.tick;
    int64_t set_back = hb_clock_advance(&core->clock, now_us, wall_ms);
    if (set_back)
        hb_users_set_back(&core->users, wall_ms, set_back);
    core->advanced_us = now_us;
    core->doubted_us = 0;
    if (core->clock.tick != before || core->cursor >= core->page_count * HB_PAGE_CELLS)
        core->cursor = 0;
    *tick = core->clock.tick;
    while (!core->stopped && !more && core->cursor < core->page_count * HB_PAGE_CELLS) {
        more = !scan(core, (uint32_t)(core->cursor / HB_PAGE_CELLS), out, capacity, &written);
        /* Let waiting events in between pages. */
        pthread_mutex_unlock(&core->lock);
        pthread_mutex_lock(&core->lock);
    }
    pthread_mutex_unlock(&core->lock);
    *count = written;
    return more;
}

/* Another open session with the full JID of this closed one, or HB_NO_SLOT. */
static uint32_t twin_of(const hb_core *core, uint32_t slot)
{
    const hb_page *page = hb_page_of(core, slot);
    const hb_jid *jid = page->jid[hb_index_of(slot)];
    const hb_user *user = page->user[hb_index_of(slot)];
    uint32_t other = user ? user->sessions : HB_NO_SLOT;

    while (other != HB_NO_SLOT) {
        const hb_page *others = hb_page_of(core, other);
        const hb_jid *its = others->jid[hb_index_of(other)];
        if (its && its->length == jid->length && memcmp(its->text, jid->text, jid->length) == 0)
            return other;
        other = others->next[hb_index_of(other)];
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
    hb_step step = hb_slot_apply_at(core, slot, HB_EV_BEGIN_PING, moment);
    order->verb = step.verb;
    if (step.verb == HB_PING) {
        order->length = HB_PINGID_LENGTH;
        memcpy(order->text, id, HB_PINGID_LENGTH);
        core->counts.pings++;
    }
    if (step.why != HB_WHY_NONE)
        remember(core, slot, step.verb, step.why);
    core->counts.spared += step.why == HB_WHY_SPOKE;
    return HB_OK;
}

static int begin_disconnect(hb_core *core, uint32_t slot, unsigned facts, hb_order *order)
{
    hb_moment moment = hb_slot_moment(core, slot);

    moment.resumable = (facts & HB_FACT_RESUMABLE) != 0;
    hb_step step = hb_slot_apply_at(core, slot, HB_EV_BEGIN_DISCONNECT, moment);

    order->verb = step.verb;
    if (step.why != HB_WHY_NONE)
        remember(core, slot, step.verb, step.why);
    core->counts.spared += step.why == HB_WHY_SPOKE;
    core->counts.closes += step.verb == HB_CLOSE;
    core->counts.cuts += step.verb == HB_CUT;
    return HB_OK;
}

static int begin_abort(hb_core *core, uint32_t slot, hb_order *order)
{
    hb_step step = hb_slot_apply(core, slot, HB_EV_BEGIN_ABORT);

    order->verb = step.verb;
    if (step.verb == HB_ABORT) {
        core->counts.aborts++;
        remember(core, slot, step.verb, step.why);
    }
    return HB_OK;
}

static int begin_unavailable(hb_core *core, uint32_t slot, hb_order *order)
{
    hb_step step = hb_slot_apply(core, slot, HB_EV_BEGIN_UNAVAILABLE);
    const hb_jid *jid = hb_page_of(core, slot)->jid[hb_index_of(slot)];

    if (step.next.phase != HB_FREE)
        return HB_OK;
    uint32_t twin = twin_of(core, slot);
    if (twin == HB_NO_SLOT) {
        order->verb = HB_UNAVAILABLE;
        order->length = jid->length;
        memcpy(order->text, jid->text, jid->length);
        core->counts.told++;
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
    order->length = 0;
    pthread_mutex_lock(&core->lock);
    if (core->stopped)
        code = HB_OK;
    else if (hb_slot_find(core, token, &slot))
        code = begin(core, slot, verb, facts, now_us, order);
    pthread_mutex_unlock(&core->lock);
    return code;
}
