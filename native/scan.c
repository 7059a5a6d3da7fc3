/*
 * scan.c - finds who is due (timers.h), a stretch of all sessions at a time. What is looked at is fetched before, all
 * of one kind at once.
 */
#include "core.h"
#include "fetch.h"

/* With more suspects than so many who are not due, what is known of their block is no good any more. */
#define INNOCENT 8

static const uint32_t *seen_of(const hb_core *core, size_t block)
{
    return hb_seen_of(core, (uint32_t)(block * HB_TIMERS_BLOCK));
}

static const hb_slot *slots_of(const hb_core *core, size_t block)
{
    return hb_slot_at(core, (uint32_t)(block * HB_TIMERS_BLOCK));
}

/* The blocks whose number has come. */
static size_t find_blocks(const hb_core *core, size_t at, size_t end, hb_scan *s)
{
    for (s->count = 0; s->count < HB_SCAN_BLOCKS; at = s->blocks[s->count++] + 1) {
        at = hb_timers_next(core->soonest, at, end, core->clock.tick);
        if (at == end)
            break;
        s->blocks[s->count] = (uint32_t)at;
    }
    return at;
}

void hb_scan_fetch(const hb_core *core, size_t at)
{
    size_t all = core->page_count * HB_PAGE_BLOCKS;
    size_t end = all - at < HB_SCAN_STRETCH ? all : at + HB_SCAN_STRETCH;

    for (; at < end; at += HB_FETCH_LINE / sizeof core->soonest[0])
        __builtin_prefetch(core->soonest + at);
}

/* Leaves the blocks in which somebody may be due, by when they were read from. */
static void look_at_reads(hb_core *core, hb_scan *s)
{
    size_t count = s->count;

    for (size_t k = 0; k < count; k++) {
        hb_fetch(core->blocks + s->blocks[k], sizeof core->blocks[0]);
        hb_fetch(seen_of(core, s->blocks[k]), HB_TIMERS_BLOCK * sizeof(uint32_t));
    }
    s->count = 0;
    for (size_t k = 0; k < count; k++) {
        uint32_t block = s->blocks[k];
        if (hb_recording(core))
            hb_record_see_block(core, block * HB_TIMERS_BLOCK);
        uint32_t next = hb_timers_soonest(&core->blocks[block], seen_of(core, block), core->clock.tick);
        if (next > core->clock.tick)
            core->soonest[block] = next;
        else
            s->blocks[s->count++] = block;
    }
}

/* Who may be due, and their sessions. */
static void find_suspects(hb_core *core, hb_scan *s)
{
    for (size_t k = 0; k < s->count; k++) {
        uint32_t block = s->blocks[k];
        s->due[k] =
            hb_timers_suspects(&core->blocks[block], seen_of(core, block), core->clock.tick, &core->soonest[block]);
    }
    for (size_t k = 0; k < s->count; k++) {
        for (uint64_t left = s->due[k]; left; left &= left - 1)
            hb_fetch(slots_of(core, s->blocks[k]) + __builtin_ctzll(left), sizeof(hb_slot));
    }
}

static uint32_t least_of(const hb_slot *slots, uint64_t follows)
{
    uint32_t least = HB_NEVER;

    for (; follows; follows &= follows - 1) {
        uint32_t due = slots[__builtin_ctzll(follows)].due;
        least = due < least ? due : least;
    }
    return least;
}

/* Who of the suspects is due. The others may lower *next. */
static uint64_t due_of(const hb_core *core, uint32_t at, uint64_t suspects, uint32_t *next)
{
    const uint32_t now = core->clock.tick;
    const hb_slot *slots = slots_of(core, at);
    hb_block *block = &core->blocks[at];
    uint64_t due = 0;
    uint32_t rest = HB_NEVER;

    for (uint64_t left = suspects; left; left &= left - 1) {
        unsigned i = (unsigned)__builtin_ctzll(left);
        uint32_t its = slots[i].due;
        if (block->follows >> i & 1)
            its = hb_timers_later(hb_core_read_tick(core, at * HB_TIMERS_BLOCK + i), its);
        else if (its > now)
            rest = its < rest ? its : rest;
        if (its <= now)
            due |= UINT64_C(1) << i;
        else
            *next = its < *next ? its : *next;
    }
    if (block->rest <= now)
        block->rest = rest;
    if (__builtin_popcountll(suspects & block->follows & ~due) > INNOCENT)
        block->least = least_of(slots, block->follows);
    return due;
}

size_t hb_scan_look(hb_core *core, size_t at, size_t end, hb_scan *out)
{
    hb_scan_fetch(core, end); /* is on its way meanwhile */
    at = find_blocks(core, at, end, out);
    look_at_reads(core, out);
    find_suspects(core, out);
    for (size_t k = 0; k < out->count; k++) {
        uint32_t block = out->blocks[k];
        out->due[k] = due_of(core, block, out->due[k], &core->soonest[block]);
    }
    return at;
}

void hb_scan_again(hb_core *core, uint32_t block)
{
    core->blocks[block].rest = 0;
    core->soonest[block] = 0;
}
