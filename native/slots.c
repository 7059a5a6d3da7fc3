#include "core.h"

#include <stdlib.h>
#include <string.h>

#define GENERATION_MAX 0x7fffffffu /* tokens stay positive as int64_t */
#define SLOTS_MAX 0x7fffffffu      /* slots, as int32_t */

/* The slot of a token, if it is still that token's. */
bool hb_slot_find(hb_core *core, hb_token token, uint32_t *slot)
{
    uint32_t at = (uint32_t)token;

    if (at / HB_PAGE_CELLS < core->page_count) {
        const hb_page *page = hb_page_of(core, at);
        if (page->session[hb_index_of(at)].phase != HB_FREE && page->generation[hb_index_of(at)] == token >> 32) {
            *slot = at;
            return true;
        }
    }
    core->counts.stale++;
    return false;
}

uint32_t hb_core_read_tick(const hb_core *core, uint32_t slot)
{
    uint32_t read = __atomic_load_n(&hb_page_of(core, slot)->seen[hb_index_of(slot)], __ATOMIC_RELAXED);

    return read < core->clock.tick ? read : core->clock.tick;
}

/* Spreads the pings of sessions that went silent together (splitmix64's finish). */
static uint32_t jitter_of(const hb_core *core, hb_token token)
{
    uint64_t x = token ^ core->seed;

    if (!core->policy.spread)
        return 0;
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
    x = (x ^ x >> 27) * 0x94d049bb133111ebu;
    x ^= x >> 31;
    return (uint32_t)(x % (core->policy.spread + 1));
}

static void set_due(hb_page *page, size_t i, uint32_t due)
{
    size_t block = i / HB_TIMERS_BLOCK;

    page->due[i] = due;
    page->follows[block] &= ~(UINT64_C(1) << i % HB_TIMERS_BLOCK);
    if (due < page->soonest[block])
        page->soonest[block] = due;
}

/* Due so many ticks after its last read, whenever that is: not before `soonest`. */
static void set_due_after_read(hb_page *page, size_t i, uint32_t after, uint32_t soonest)
{
    set_due(page, i, soonest);
    page->due[i] = after;
    page->follows[i / HB_TIMERS_BLOCK] |= UINT64_C(1) << i % HB_TIMERS_BLOCK;
}

void hb_slot_set(hb_core *core, uint32_t slot, hb_session session, uint32_t due)
{
    hb_page *page = hb_page_of(core, slot);
    size_t i = hb_index_of(slot);

    core->phases[page->session[i].phase]--;
    core->phases[session.phase]++;
    page->session[i] = session;
    set_due(page, i, due);
}

void hb_slot_look(hb_core *core, uint32_t slot)
{
    set_due(hb_page_of(core, slot), hb_index_of(slot), 0);
}

hb_moment hb_slot_moment(const hb_core *core, uint32_t slot)
{
    return (hb_moment){.now = core->clock.tick,
                       .read = hb_core_read_tick(core, slot),
                       .own = hb_page_of(core, slot)->own[hb_index_of(slot)] & ((1u << HB_OWN_BITS) - 1),
                       .jitter = jitter_of(core, hb_token_of(core, slot))};
}

void hb_slot_take(hb_core *core, uint32_t slot, hb_step step, hb_moment moment)
{
    hb_slot_set(core, slot, step.next, step.due);
    if (step.next.phase == HB_ALIVE && step.due != HB_NEVER && step.due >= moment.read)
        set_due_after_read(hb_page_of(core, slot), hb_index_of(slot), step.due - moment.read, step.due);
}

hb_step hb_slot_apply_at(hb_core *core, uint32_t slot, hb_event event, hb_moment moment)
{
    hb_session session = hb_page_of(core, slot)->session[hb_index_of(slot)];
    hb_step step = hb_session_step(session, event, moment, &core->policy);

    hb_slot_take(core, slot, step, moment);
    return step;
}

hb_step hb_slot_apply(hb_core *core, uint32_t slot, hb_event event)
{
    return hb_slot_apply_at(core, slot, event, hb_slot_moment(core, slot));
}

static void put_free(hb_core *core, uint32_t slot)
{
    hb_page_of(core, slot)->next[hb_index_of(slot)] = HB_NO_SLOT;
    if (core->free_slot == HB_NO_SLOT)
        core->free_slot = slot;
    else
        hb_page_of(core, core->last_free)->next[hb_index_of(core->last_free)] = slot;
    core->last_free = slot;
}

void hb_slot_link(hb_core *core, uint32_t slot, hb_user_ref ref)
{
    hb_page *page = hb_page_of(core, slot);
    size_t i = hb_index_of(slot);
    hb_user *user = hb_user_at(&core->users, ref);

    page->user[i] = ref;
    page->prev[i] = HB_NO_SLOT;
    page->next[i] = user->sessions;
    if (user->sessions != HB_NO_SLOT)
        hb_page_of(core, user->sessions)->prev[hb_index_of(user->sessions)] = slot;
    hb_user_lock(&core->users, user);
    hb_user_set_sessions(&core->users, user, slot);
    hb_user_unlock(&core->users, user);
}

void hb_slot_see(hb_core *core, hb_user *user, uint32_t slot)
{
    int64_t seen = hb_clock_wall_of(&core->clock, hb_core_read_tick(core, slot));

    if (seen > hb_user_seen_ms(&core->users, user))
        hb_user_set_seen_ms(&core->users, user, seen);
}

/* Takes a session off its user's list, and keeps what was seen of it. The slot still knows whose it was. */
void hb_slot_unlink(hb_core *core, uint32_t slot)
{
    hb_page *page = hb_page_of(core, slot);
    size_t i = hb_index_of(slot);
    hb_user *user = hb_user_of(core, slot);

    if (!user)
        return;
    hb_user_lock(&core->users, user);
    hb_slot_see(core, user, slot);
    if (page->prev[i] != HB_NO_SLOT)
        hb_page_of(core, page->prev[i])->next[hb_index_of(page->prev[i])] = page->next[i];
    else
        hb_user_set_sessions(&core->users, user, page->next[i]);
    if (page->next[i] != HB_NO_SLOT)
        hb_page_of(core, page->next[i])->prev[hb_index_of(page->next[i])] = page->prev[i];
    hb_user_unlock(&core->users, user);
}

void hb_slots_forget(hb_core *core, hb_user_ref ref)
{
    for (size_t p = 0; p < core->page_count; p++) {
        hb_page *page = core->pages[p];
        for (size_t i = 0; i < HB_PAGE_CELLS; i++) {
            if (page->user[i] == ref)
                page->user[i] = HB_NO_USER;
        }
    }
    hb_users_forget(&core->users, ref);
}

/* Gives a slot back. Its user must have been unlinked. */
void hb_slot_release(hb_core *core, uint32_t slot)
{
    hb_page *page = hb_page_of(core, slot);
    size_t i = hb_index_of(slot);
    hb_session none = {.phase = HB_FREE};

    if (page->jid[i])
        core->jid_bytes -= sizeof(hb_jid) + page->jid[i]->length;
    free(page->jid[i]);
    page->jid[i] = NULL;
    page->user[i] = HB_NO_USER;
    hb_slot_set(core, slot, none, HB_NEVER);
    page->generation[i] = page->generation[i] == GENERATION_MAX ? 1 : page->generation[i] + 1;
    put_free(core, slot);
    core->counts.over++;
}

int hb_slots_add(hb_core *core, uint32_t *cells)
{
    uint32_t first = (uint32_t)(core->page_count * HB_PAGE_CELLS);

    if (core->page_count >= SLOTS_MAX / HB_PAGE_CELLS)
        return HB_EINVAL;
    hb_page **pages = realloc(core->pages, (core->page_count + 1) * sizeof(hb_page *));
    if (!pages)
        return HB_ENOMEM;
    core->pages = pages;
    hb_page *page = calloc(1, sizeof *page);
    if (!page)
        return HB_ENOMEM;
    page->cells = cells;
    page->seen = cells;
    core->pages[core->page_count++] = page;
    core->phases[HB_FREE] += HB_PAGE_CELLS;
    memset(page->soonest, 0xff, sizeof page->soonest); /* HB_NEVER */
    for (uint32_t i = 0; i < HB_PAGE_CELLS; i++) {
        page->due[i] = HB_NEVER;
        page->generation[i] = 1;
        put_free(core, first + i);
    }
    return HB_OK;
}

int hb_slots_copy(hb_core *core)
{
    size_t all = core->page_count * HB_PAGE_CELLS;
    uint32_t *copies = realloc(core->copies, (all + 1) * sizeof *copies);

    if (!copies)
        return HB_ENOMEM;
    for (size_t i = core->copy_count; i < all; i++)
        copies[i] = __atomic_load_n(&core->pages[i / HB_PAGE_CELLS]->cells[i % HB_PAGE_CELLS], __ATOMIC_RELAXED);
    for (size_t p = 0; p < core->page_count; p++)
        core->pages[p]->seen = copies + p * HB_PAGE_CELLS;
    core->copies = copies;
    core->copy_count = all;
    return HB_OK;
}

void hb_slots_uncopy(hb_core *core)
{
    for (size_t p = 0; p < core->page_count; p++)
        core->pages[p]->seen = core->pages[p]->cells;
    free(core->copies);
    core->copies = NULL;
    core->copy_count = 0;
}
