#include "core.h"

#include <stdlib.h>
#include <string.h>

#include "platform.h"

#define GENERATION_MAX 0x7fffffffu /* tokens stay positive as int64_t */
#define SLOTS_MAX 0x7fffffffu      /* slots, as int32_t */

/* The slot of a token, if it is still that token's. */
bool hb_slot_find(hb_core *core, hb_token token, uint32_t *slot)
{
    uint32_t at = (uint32_t)token;

    if (at / HB_PAGE_CELLS < core->page_count) {
        const hb_slot *it = hb_slot_at(core, at);
        if (it->session.phase != HB_FREE && it->generation == token >> 32) {
            *slot = at;
            return true;
        }
    }
    hb_part_of(core, at)->counts.stale++;
    return false;
}

static uint32_t tick_of(const hb_core *core, const uint32_t *cell)
{
    uint32_t read = __atomic_load_n(cell, __ATOMIC_RELAXED);

    return read < core->clock.tick ? read : core->clock.tick;
}

uint32_t hb_core_read_tick(const hb_core *core, uint32_t slot)
{
    return tick_of(core, hb_seen_of(core, slot));
}

uint32_t hb_core_cell_tick(const hb_core *core, uint32_t slot)
{
    return tick_of(core, hb_cell_of(core, slot));
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

static void set_soonest(hb_core *core, uint32_t slot, uint32_t due)
{
    uint32_t *soonest = &core->soonest[slot / HB_TIMERS_BLOCK];

    if (due < *soonest)
        *soonest = due;
}

static void set_due(hb_core *core, uint32_t slot, uint32_t due)
{
    hb_block *block = &core->blocks[slot / HB_TIMERS_BLOCK];
    uint64_t bit = UINT64_C(1) << slot % HB_TIMERS_BLOCK;

    hb_slot_at(core, slot)->due = due;
    block->follows &= ~bit;
    if (due < block->rest || block->follows == ~bit)
        block->rest = due;
    set_soonest(core, slot, due);
}

/* Due so many ticks after its last read, whenever that is: not before `soonest`. */
static void set_due_after_read(hb_core *core, uint32_t slot, uint32_t after, uint32_t soonest)
{
    hb_block *block = &core->blocks[slot / HB_TIMERS_BLOCK];

    hb_slot_at(core, slot)->due = after;
    if (after < block->least || !block->follows)
        block->least = after;
    block->follows |= UINT64_C(1) << slot % HB_TIMERS_BLOCK;
    if (block->follows == UINT64_MAX)
        block->rest = HB_NEVER;
    set_soonest(core, slot, soonest);
}

static void set_session(hb_core *core, uint32_t slot, hb_session session)
{
    hb_slot *it = hb_slot_at(core, slot);
    hb_part *part = hb_part_of(core, slot);

    part->phases[it->session.phase]--;
    part->phases[session.phase]++;
    it->session = session;
}

void hb_slot_set(hb_core *core, uint32_t slot, hb_session session, uint32_t due)
{
    set_session(core, slot, session);
    set_due(core, slot, due);
}

void hb_slot_look(hb_core *core, uint32_t slot)
{
    set_due(core, slot, 0);
}

hb_moment hb_slot_moment(const hb_core *core, uint32_t slot)
{
    return (hb_moment){.now = core->clock.tick,
                       .read = hb_core_read_tick(core, slot),
                       .own = hb_slot_at(core, slot)->own & ((1u << HB_OWN_BITS) - 1),
                       .jitter = jitter_of(core, hb_token_of(core, slot))};
}

void hb_slot_take(hb_core *core, uint32_t slot, hb_step step, const hb_moment *moment)
{
    set_session(core, slot, step.next);
    if (step.next.phase == HB_ALIVE && step.due != HB_NEVER && step.due >= moment->read)
        set_due_after_read(core, slot, step.due - moment->read, step.due);
    else
        set_due(core, slot, step.due);
}

hb_step hb_slot_apply_at(hb_core *core, uint32_t slot, hb_event event, const hb_moment *moment)
{
    hb_session session = hb_slot_at(core, slot)->session;
    hb_step step = hb_session_step(session, event, moment, &core->policy);

    hb_slot_take(core, slot, step, moment);
    return step;
}

hb_step hb_slot_apply(hb_core *core, uint32_t slot, hb_event event)
{
    hb_moment moment = hb_slot_moment(core, slot);

    return hb_slot_apply_at(core, slot, event, &moment);
}

static void put_free(hb_core *core, uint32_t slot)
{
    hb_shelf *shelf = &core->shelves[slot / HB_PAGE_CELLS];
    hb_page *page = hb_page_of(core, slot);
    uint16_t i = (uint16_t)hb_index_of(slot);

    if (shelf->free) {
        page->slots[shelf->last].next = i;
    } else {
        shelf->first = i;
        shelf->since = page->slots[i].session.since;
    }
    shelf->last = i;
    shelf->free++;
}

static bool has_rested(const hb_core *core, uint32_t since)
{
    return core->clock.tick - since >= HB_REST_TICKS;
}

/* Can its first free slot be given away? Where many are free, it is free for long enough all the same. */
static bool can_open(const hb_core *core, const hb_shelf *shelf)
{
    return shelf->free >= HB_PAGE_CELLS / 4 || (shelf->free && has_rested(core, shelf->since));
}

static unsigned lanes_in(const hb_core *core, size_t page)
{
    unsigned count = 0;

    for (size_t lane = 0; lane < HB_LANES; lane++)
        count += core->lanes[lane].page == page;
    return count;
}

/*
 * The lowest page that can, of those with fewest lanes in them; else the one with most free slots; else one that was
 * given back.
 */
static int find_page(hb_core *core, size_t *out)
{
    size_t best = core->page_count;
    unsigned fewest = HB_LANES + 1;
    uint16_t most = 0;

    for (size_t p = 0; p < core->page_count && fewest; p++) {
        const hb_shelf *shelf = &core->shelves[p];
        if (can_open(core, shelf) && lanes_in(core, p) < fewest) {
            fewest = lanes_in(core, p);
            best = p;
        }
        if (shelf->free > most && fewest > HB_LANES) {
            best = p;
            most = shelf->free;
        }
    }
    if (best == core->page_count && core->vacancies) {
        best = 0;
        while (core->pages[best] != core->vacant)
            best++;
        if (hb_slots_wake(core, best) < 0)
            return HB_ENOMEM;
    }
    *out = best;
    return best < core->page_count ? HB_OK : HB_EFULL;
}

static void take_first(hb_core *core, size_t p, uint32_t *slot)
{
    hb_shelf *shelf = &core->shelves[p];
    const hb_page *page = core->pages[p];

    *slot = (uint32_t)(p * HB_PAGE_CELLS + shelf->first);
    if (--shelf->free) {
        shelf->first = (uint16_t)page->slots[shelf->first].next;
        shelf->since = page->slots[shelf->first].session.since;
    }
}

bool hb_slots_take_of(hb_core *core, size_t page, uint32_t *slot)
{
    if (page >= core->page_count || !can_open(core, &core->shelves[page]))
        return false;
    take_first(core, page, slot);
    return true;
}

int hb_slots_take(hb_core *core, uint32_t *slot)
{
    hb_lane *lane = hb_lane_of(core);
    size_t p;

    if (hb_slots_take_of(core, lane->page, slot))
        return HB_OK;
    __atomic_store_n(&lane->page, HB_NO_PAGE, __ATOMIC_RELAXED);
    int code = find_page(core, &p);
    if (code < 0)
        return code;
    __atomic_store_n(&lane->page, p, __ATOMIC_RELAXED);
    take_first(core, p, slot);
    return HB_OK;
}

/* Does a session of a user's list know the one before? The first one has none. */
static bool knows_before(const hb_slot *it)
{
    return it->prev < HB_NEXT_KNOWS;
}

void hb_slot_link(hb_core *core, uint32_t slot, hb_user_ref ref)
{
    hb_slot *it = hb_slot_at(core, slot);
    hb_user *user = hb_user_at(&core->users, ref);

    it->user = ref;
    it->prev = HB_NO_SLOT;
    it->next = user->sessions; /* which is not told: it is somewhere else in memory, and most never need to know */
    hb_user_set_sessions(&core->users, user, slot);
}

void hb_slots_relink(hb_core *core, const hb_user *user)
{
    uint32_t slot = user->sessions;

    while (slot != HB_NO_SLOT && hb_slot_at(core, slot)->next != HB_NO_SLOT) {
        uint32_t next = hb_slot_at(core, slot)->next;
        if (knows_before(hb_slot_at(core, next)))
            break;
        hb_slot_at(core, next)->prev = slot;
        slot = next;
    }
    if (user->sessions != HB_NO_SLOT)
        hb_slot_at(core, user->sessions)->prev = HB_NEXT_KNOWS;
}

void hb_slot_see(hb_core *core, hb_user *user, uint32_t slot)
{
    int64_t seen = hb_clock_wall_of(&core->clock, hb_core_read_tick(core, slot));

    if (seen > hb_user_seen_ms(&core->users, user))
        hb_user_set_seen_ms(&core->users, user, seen);
}

/* Takes the first one off a list. */
static void unlink_first(hb_core *core, hb_user *user)
{
    const hb_slot *first = hb_slot_at(core, user->sessions);

    if (first->prev == HB_NEXT_KNOWS && first->next != HB_NO_SLOT)
        hb_slot_at(core, first->next)->prev = HB_NEXT_KNOWS;
    hb_user_set_sessions(&core->users, user, first->next);
}

/* Takes a session off its user's list, and keeps what was seen of it. From then on it is nobody's. */
void hb_slot_unlink(hb_core *core, uint32_t slot)
{
    hb_slot *it = hb_slot_at(core, slot);
    hb_user *user = hb_user_of(core, slot);

    if (!user)
        return;
    hb_slot_see(core, user, slot);
    it->user = HB_NO_USER;
    if (user->sessions == slot) {
        unlink_first(core, user);
        return;
    }
    if (!knows_before(it))
        hb_slots_relink(core, user);
    hb_slot_at(core, it->prev)->next = it->next;
    if (it->next != HB_NO_SLOT)
        hb_slot_at(core, it->next)->prev = it->prev;
}

void hb_slots_forget(hb_core *core, hb_user_ref ref)
{
    uint32_t slot = hb_user_at(&core->users, ref)->sessions;

    for (; slot != HB_NO_SLOT; slot = hb_slot_at(core, slot)->next)
        hb_slot_at(core, slot)->user = HB_NO_USER;
    hb_users_forget(&core->users, ref);
}

/* Gives a slot back. Its user must have been unlinked. */
void hb_slot_release(hb_core *core, uint32_t slot)
{
    hb_slot *it = hb_slot_at(core, slot);
    hb_session none = {.phase = HB_FREE, .since = core->clock.tick};

    hb_jid_drop(hb_page_of(core, slot), hb_index_of(slot));
    hb_slot_set(core, slot, none, HB_NEVER);
    it->generation = it->generation == GENERATION_MAX ? 1 : it->generation + 1;
    put_free(core, slot);
    hb_part_of(core, slot)->counts.over++;
}

/* Nobody in this page is ever due. */
static void clear_blocks(hb_core *core, size_t p)
{
    for (size_t b = p * HB_PAGE_BLOCKS; b < (p + 1) * HB_PAGE_BLOCKS; b++) {
        core->soonest[b] = HB_NEVER;
        core->blocks[b] = (hb_block){.least = HB_NEVER, .rest = HB_NEVER};
    }
}

/* All slots of a page are free and have never been given away, or not for a long time. */
static hb_page *new_page(hb_core *core, size_t p)
{
    hb_page *page = hb_memory_new(sizeof *page);
    hb_shelf *shelf = &core->shelves[p];

    if (!page)
        return NULL;
    core->pages[p] = page;
    shelf->free = 0;
    for (uint32_t i = 0; i < HB_PAGE_CELLS; i++) {
        page->slots[i].due = HB_NEVER;
        page->slots[i].generation = shelf->generation;
        page->slots[i].session.since = core->clock.tick - HB_REST_TICKS;
        put_free(core, (uint32_t)(p * HB_PAGE_CELLS + i));
    }
    return page;
}

int hb_slots_add(hb_core *core, uint32_t *cells)
{
    size_t p = core->page_count;

    if (p >= SLOTS_MAX / HB_PAGE_CELLS)
        return HB_EINVAL;
    hb_page **pages = realloc(core->pages, (p + 1) * sizeof(hb_page *));
    if (!pages)
        return HB_ENOMEM;
    core->pages = pages;
    hb_shelf *shelves = realloc(core->shelves, (p + 1) * sizeof *shelves);
    if (!shelves)
        return HB_ENOMEM;
    core->shelves = shelves;
    uint32_t *soonest = realloc(core->soonest, (p + 1) * HB_PAGE_BLOCKS * sizeof *soonest);
    if (!soonest)
        return HB_ENOMEM;
    core->soonest = soonest;
    hb_block *blocks = realloc(core->blocks, (p + 1) * HB_PAGE_BLOCKS * sizeof *blocks);
    if (!blocks)
        return HB_ENOMEM;
    core->blocks = blocks;
    memset(&shelves[p], 0, sizeof shelves[p]);
    shelves[p].cells = cells;
    shelves[p].seen = cells;
    shelves[p].generation = 1;
    clear_blocks(core, p);
    if (!new_page(core, p))
        return HB_ENOMEM;
    core->page_count++;
    hb_part_of(core, (uint32_t)(p * HB_PAGE_CELLS))->phases[HB_FREE] += HB_PAGE_CELLS;
    return HB_OK;
}

static void free_page(hb_core *core, size_t p)
{
    hb_jids_free(core, core->pages[p]);
    hb_memory_free(core->pages[p], sizeof(hb_page));
}

void hb_slots_free(hb_core *core)
{
    for (size_t p = 0; p < core->page_count; p++) {
        if (core->pages[p] != core->vacant)
            free_page(core, p);
    }
    free(core->pages);
    free(core->shelves);
    free(core->soonest);
    free(core->blocks);
}

/* What is left is the generation that none of its slots has had yet, so that whatever comes late meets nobody. */
static void give_back(hb_core *core, size_t p)
{
    hb_shelf *shelf = &core->shelves[p];

    for (size_t i = 0; i < HB_PAGE_CELLS; i++) {
        uint32_t generation = core->pages[p]->slots[i].generation;
        shelf->generation = generation > shelf->generation ? generation : shelf->generation;
    }
    shelf->free = 0;
    free_page(core, p);
    clear_blocks(core, p);
    core->pages[p] = core->vacant;
    core->vacancies++;
}

int hb_slots_wake(hb_core *core, size_t p)
{
    if (core->pages[p] != core->vacant)
        return HB_OK;
    if (!new_page(core, p))
        return HB_ENOMEM;
    core->vacancies--;
    return HB_OK;
}

void hb_slots_tidy(hb_core *core)
{
    size_t p = core->tidied < core->page_count ? core->tidied : 0;
    size_t open = core->page_count * HB_PAGE_CELLS - hb_core_phase(core, HB_FREE);
    size_t most = open + open / 4 + 2 * (size_t)HB_PAGE_CELLS; /* room that is kept */

    core->tidied = p + 1;
    __atomic_store_n(&core->crowded, false, __ATOMIC_RELAXED);
    for (size_t lane = 0; lane < HB_LANES; lane++)
        __atomic_store_n(&core->lanes[lane].page, HB_NO_PAGE, __ATOMIC_RELAXED);
    if (p >= core->page_count || core->pages[p] == core->vacant)
        return;
    const hb_shelf *shelf = &core->shelves[p];
    if (shelf->free < HB_PAGE_CELLS)
        hb_jids_tidy(core, core->pages[p]);
    else if ((core->page_count - core->vacancies) * HB_PAGE_CELLS > most &&
             has_rested(core, core->pages[p]->slots[shelf->last].session.since))
        give_back(core, p);
}

int hb_slots_copy(hb_core *core)
{
    size_t all = core->page_count * HB_PAGE_CELLS;
    uint32_t *copies = realloc(core->copies, (all + 1) * sizeof *copies);

    if (!copies)
        return HB_ENOMEM;
    for (size_t i = core->copy_count; i < all; i++)
        copies[i] = __atomic_load_n(&core->shelves[i / HB_PAGE_CELLS].cells[i % HB_PAGE_CELLS], __ATOMIC_RELAXED);
    for (size_t p = 0; p < core->page_count; p++)
        core->shelves[p].seen = copies + p * HB_PAGE_CELLS;
    core->copies = copies;
    core->copy_count = all;
    return HB_OK;
}

void hb_slots_uncopy(hb_core *core)
{
    for (size_t p = 0; p < core->page_count; p++)
        core->shelves[p].seen = core->shelves[p].cells;
    free(core->copies);
    core->copies = NULL;
    core->copy_count = 0;
}
