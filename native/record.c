#include "record.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core.h"
#include "seal.h"

#define END "full\n" /* there is always room for it */
#define END_LENGTH (sizeof END - 1)
#define NAME "s%" PRIu32 ".%" PRIu32 /* of a session: slot and generation */
#define TIME "%" PRId64 ".%06" PRId64

#define SECONDS(us) (us) / HB_CLOCK_TICK_US, (us) % HB_CLOCK_TICK_US

/* NULL is allowed. Its key goes before its memory does: nobody can find out what names were hashed. */
static void recorder_free(hb_recorder *recorder)
{
    if (recorder)
        hb_seal_wipe(recorder->key, sizeof recorder->key);
    free(recorder);
}

int hb_recorder_new(size_t capacity, hb_recorder **out)
{
    if (capacity < END_LENGTH)
        return HB_EINVAL;
    hb_recorder *recorder = malloc(sizeof *recorder + capacity);
    if (!recorder)
        return HB_ENOMEM;
    memset(recorder, 0, sizeof *recorder);
    recorder->capacity = capacity;
    int code = hb_pingid_random(recorder->key, sizeof recorder->key);
    if (code < 0) {
        recorder_free(recorder);
        return code;
    }
    *out = recorder;
    return HB_OK;
}

void hb_recorder_end(hb_core *core)
{
    hb_slots_uncopy(core);
    recorder_free(core->recorder);
    core->recorder = NULL;
}

static void end_full(hb_recorder *recorder)
{
    memcpy(recorder->text + recorder->length, END, END_LENGTH);
    recorder->length += END_LENGTH;
    recorder->full = true;
}

__attribute__((format(printf, 2, 0))) static void put(hb_recorder *recorder, const char *format, va_list arguments)
{
    size_t room = recorder->capacity - END_LENGTH - recorder->length;

    int length = vsnprintf(recorder->text + recorder->length, room, format, arguments);
    if (length < 0 || (size_t)length >= room)
        end_full(recorder);
    else
        recorder->length += (size_t)length;
}

__attribute__((format(printf, 2, 3))) static void line(hb_recorder *recorder, const char *format, ...)
{
    va_list arguments;

    if (recorder->full)
        return;
    va_start(arguments, format);
    put(recorder, format, arguments);
    va_end(arguments);
}

/* What a tick looked at before this event. */
static void flush_scans(hb_recorder *recorder)
{
    size_t scans = recorder->scans;

    recorder->scans = 0;
    if (scans)
        line(recorder, "scan %zu\n", scans);
}

void hb_record(hb_core *core, const char *format, ...)
{
    va_list arguments;

    flush_scans(core->recorder);
    if (core->recorder->full)
        return;
    va_start(arguments, format);
    put(core->recorder, format, arguments);
    va_end(arguments);
}

static uint32_t generation_of(const hb_core *core, uint32_t slot)
{
    return hb_slot_at(core, slot)->generation;
}

void hb_record_see(hb_core *core, uint32_t slot)
{
    uint32_t read = __atomic_load_n(hb_cell_of(core, slot), __ATOMIC_RELAXED);
    uint32_t *seen = hb_seen_of(core, slot);

    if (read == *seen || hb_slot_at(core, slot)->session.phase == HB_FREE)
        return;
    *seen = read;
    line(core->recorder, "read " NAME " %" PRIu32 "\n", slot, generation_of(core, slot), read);
}

void hb_record_see_block(hb_core *core, uint32_t first)
{
    for (uint32_t i = 0; i < HB_TIMERS_BLOCK; i++)
        hb_record_see(core, first + i);
}

void hb_record_event(hb_core *core, uint32_t slot, const char *event)
{
    hb_record_see(core, slot);
    hb_record(core, "%s " NAME, event, slot, generation_of(core, slot));
}

void hb_record_timed(hb_core *core, int64_t now_us, uint32_t slot, const char *event)
{
    if (slot == HB_NO_SLOT) {
        hb_record(core, TIME " %s", SECONDS(now_us), event);
        return;
    }
    hb_record_see(core, slot);
    hb_record(core, TIME " %s " NAME, SECONDS(now_us), event, slot, generation_of(core, slot));
}

void hb_record_word(hb_core *core, const char *word)
{
    line(core->recorder, " %s", word);
}

void hb_record_answer(hb_core *core, int code)
{
    line(core->recorder, " => %d\n", code);
}

/* Without memory for the copies of cells the recording is over. */
static void copy_cells(hb_core *core)
{
    if (hb_slots_copy(core) < 0 && !core->recorder->full)
        end_full(core->recorder);
}

void hb_record_page(hb_core *core)
{
    hb_record(core, "page\n");
    copy_cells(core);
}

void hb_record_policy(hb_core *core)
{
    const hb_policy *p = &core->policy; /* without what decides nothing about sessions */

    hb_record(core, "policy %u %u %u %u %u %u %u %u\n", p->idle, p->ack_timeout, p->retries, p->spread, p->login_within,
              p->pings_per_tick, (unsigned)p->on_dead, (unsigned)p->ping);
}

/* A name that says which sessions are of one user, and of one address, and nothing else. */
static void name_of(const hb_core *core, const hb_jid *jid, char out[HB_RECORD_NAME])
{
    const hb_recorder *recorder = core->recorder;
    size_t node = hb_node_length(jid->text, jid->length);
    uint64_t user = hb_siphash(recorder->key, jid->text, node) >> 16;
    uint64_t whole = hb_siphash(recorder->key, jid->text, jid->length) >> 16;

    snprintf(out, HB_RECORD_NAME, "u%012" PRIx64 "@x/r%012" PRIx64, user, whole);
}

void hb_record_bound(hb_core *core, uint32_t slot)
{
    const hb_page *page = hb_page_of(core, slot);
    size_t i = hb_index_of(slot);
    char name[HB_RECORD_NAME];

    name_of(core, hb_jid_at(page, i), name);
    hb_record(core, "bound " NAME " %s%s\n", slot, page->slots[i].generation, name,
              page->slots[i].user ? "" : " anonymous");
}

void hb_record_open(hb_core *core, uint32_t slot, int64_t opened_us, int64_t read_us)
{
    const hb_page *page = hb_page_of(core, slot);
    uint32_t own = page->slots[hb_index_of(slot)].own;

    hb_record(core, "open " NAME " %s %u %" PRId64 " %" PRId64 "\n", slot, generation_of(core, slot),
              hb_transport_name(hb_transport_of(page, hb_index_of(slot))), own & ((1u << HB_OWN_BITS) - 1), opened_us,
              read_us);
}

void hb_record_pong(hb_core *core, uint32_t slot, const char *id, size_t length, int64_t now_us)
{
    hb_token token = 0;
    int64_t sent_us = 0;

    hb_record_timed(core, now_us, slot, "pong");
    /* The id itself is of no use where the key is another one. */
    if (hb_pingid_check(core->ping_key, id, length, &token, &sent_us) == 1)
        line(core->recorder, " " NAME " %" PRId64, (uint32_t)token, (uint32_t)(token >> 32), sent_us);
    else
        line(core->recorder, " -");
}

void hb_record_begun(hb_core *core, int64_t now_us, uint32_t slot, hb_verb verb, unsigned facts)
{
    hb_record_timed(core, now_us, slot, "begin");
    line(core->recorder, " %s%s", hb_verb_name(verb), facts & HB_FACT_RESUMABLE ? " resumable" : "");
}

void hb_record_tick(hb_core *core, int64_t now_us, size_t capacity)
{
    hb_record_timed(core, now_us, HB_NO_SLOT, "tick");
    line(core->recorder, " %zu\n", capacity);
}

void hb_record_order(hb_core *core, int code, const hb_order *order)
{
    if (code < 0)
        hb_record_answer(core, code);
    else
        line(core->recorder, " => %s\n", hb_verb_name(order->verb));
}

void hb_record_actions(hb_core *core, const hb_action *out, size_t count, bool more)
{
    flush_scans(core->recorder);
    for (size_t i = 0; i < count; i++)
        line(core->recorder, "=> %s " NAME " %s\n", hb_verb_name((hb_verb)out[i].verb), (uint32_t)out[i].token,
             (uint32_t)(out[i].token >> 32), hb_reason_name((hb_reason)out[i].why));
    line(core->recorder, "=> %s\n", more ? "more" : "end");
}

static void record_session(hb_core *core, uint32_t slot)
{
    const hb_page *page = hb_page_of(core, slot);
    size_t i = hb_index_of(slot);
    hb_session s = page->slots[i].session;
    char name[HB_RECORD_NAME] = "-";

    if (page->slots[i].jid)
        name_of(core, hb_jid_at(page, i), name);
    hb_record(core, "session " NAME " %u %u %u %u %u %u %u %u %u %" PRId64 " %s%s\n", slot, page->slots[i].generation,
              page->slots[i].own, s.phase, s.since, s.flags, s.pings, s.why, page->slots[i].due,
              (unsigned)(core->blocks[slot / HB_TIMERS_BLOCK].follows >> slot % HB_TIMERS_BLOCK & 1),
              *hb_seen_of(core, slot), page->slots[i].answered_us, name, page->slots[i].user ? "" : " anonymous");
}

/* So that whoever links them again one by one gets the same list: the last of a user's sessions first. */
static void record_user(hb_core *core, uint32_t last)
{
    hb_slots_relink(core, hb_user_of(core, last));
    for (uint32_t slot = last; slot < HB_NEXT_KNOWS; slot = hb_slot_at(core, slot)->prev)
        record_session(core, slot);
}

void hb_record_begin(hb_core *core)
{
    const hb_clock *clock = &core->clock;
    core->recorder = core->recorder_next;
    core->recorder_next = NULL;
    size_t stalls = clock->stall_count < HB_CLOCK_STALLS ? (size_t)clock->stall_count : HB_CLOCK_STALLS;

    hb_record(core, "heartbeat-recording 1\nclock %u %" PRId64 " %" PRId64 "\n", clock->tick, clock->tick_us,
              clock->slept_us);
    for (size_t i = 0; i < stalls; i++)
        hb_record(core, "stall %u %" PRId64 "\n", clock->stalls[i].tick, clock->stalls[i].before_us);
    hb_record(core, "core %" PRIu64 " %zu %zu %u %u %u %u %" PRId64 " %" PRId64 "\n", core->seed, core->cursor,
              core->first, (unsigned)core->wrapped, core->held, core->pinged, (unsigned)core->stopped,
              core->advanced_us, core->doubted_us);
    hb_record_policy(core);
    for (size_t p = 0; p < core->page_count; p++)
        hb_record(core, "page\n");
    copy_cells(core);
    for (uint32_t slot = 0; slot < core->page_count * HB_PAGE_CELLS && !core->recorder->full; slot++) {
        const hb_page *page = hb_page_of(core, slot);
        size_t i = hb_index_of(slot);
        if (page->slots[i].session.phase == HB_FREE)
            continue;
        if (!page->slots[i].user)
            record_session(core, slot); /* on nobody's list */
        else if (page->slots[i].next == HB_NO_SLOT)
            record_user(core, slot);
    }
    hb_record(core, "begin\n");
}

int hb_core_record(hb_core *core, size_t capacity)
{
    hb_recorder *recorder = NULL;
    int code = hb_recorder_new(capacity, &recorder);

    if (code < 0)
        return code;
    hb_core_lock(core);
    if (core->recorder || core->recorder_next)
        code = HB_EINVAL;
    else
        core->recorder_next = recorder;
    hb_core_unlock(core);
    if (code < 0)
        recorder_free(recorder);
    return code;
}

void hb_core_record_end(hb_core *core)
{
    hb_core_lock(core);
    if (core->recorder)
        hb_recorder_end(core);
    recorder_free(core->recorder_next);
    core->recorder_next = NULL;
    hb_core_unlock(core);
}

int hb_core_recorded(hb_core *core, char *out, size_t capacity, size_t *length)
{
    int code = HB_OK;
    size_t taken = 0;

    hb_core_lock(core);
    hb_recorder *recorder = core->recorder;
    if (recorder) {
        taken = recorder->length < capacity ? recorder->length : capacity;
        memcpy(out, recorder->text, taken);
        recorder->length -= taken;
        memmove(recorder->text, recorder->text + taken, recorder->length);
        code = recorder->full && !taken ? HB_EFULL : HB_OK;
    } else if (!core->recorder_next) {
        code = HB_EINVAL;
    }
    hb_core_unlock(core);
    if (code == HB_OK)
        *length = taken;
    return code;
}
