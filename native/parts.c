/* parts.c - the locks of the core, and what is counted under each. */
#define _GNU_SOURCE /* the adaptive mutex of glibc, sched_getcpu */

#include <sched.h>
#include <string.h>

#include "core.h"

/* It is held for so short a time that whoever finds it taken rather tries again a few times than goes to sleep. */
static bool make_lock(pthread_mutex_t *lock)
{
    pthread_mutexattr_t attributes;

    if (pthread_mutexattr_init(&attributes) != 0)
        return false;
#ifdef PTHREAD_ADAPTIVE_MUTEX_INITIALIZER_NP
    (void)pthread_mutexattr_settype(&attributes, PTHREAD_MUTEX_ADAPTIVE_NP);
#endif
    bool made = pthread_mutex_init(lock, &attributes) == 0;
    pthread_mutexattr_destroy(&attributes);
    return made;
}

static pthread_mutex_t *lock_at(hb_core *core, size_t i)
{
    if (i < HB_PARTS)
        return &core->parts[i].lock;
    return i == HB_PARTS ? &core->traces_lock : &core->users_lock;
}

static void close_first(hb_core *core, size_t count)
{
    while (count)
        pthread_mutex_destroy(lock_at(core, --count));
}

#define LOCKS (HB_PARTS + 2)

bool hb_parts_init(hb_core *core)
{
    for (size_t i = 0; i < LOCKS; i++) {
        if (!make_lock(lock_at(core, i))) {
            close_first(core, i);
            return false;
        }
    }
    for (size_t lane = 0; lane < HB_LANES; lane++)
        core->lanes[lane].page = HB_NO_PAGE;
    return true;
}

void hb_parts_close(hb_core *core)
{
    close_first(core, LOCKS);
}

void hb_core_lock(hb_core *core)
{
    for (size_t i = 0; i < HB_PARTS; i++)
        __builtin_prefetch(&core->parts[i].lock, 1);
    for (size_t i = 0; i < HB_PARTS; i++)
        pthread_mutex_lock(&core->parts[i].lock);
}

void hb_core_unlock(hb_core *core)
{
    for (size_t i = 0; i < HB_PARTS; i++)
        pthread_mutex_unlock(&core->parts[i].lock);
}

void hb_hold_all(hb_hold *hold)
{
    if (!hold->part)
        return;
    pthread_mutex_unlock(hold->part);
    hold->part = NULL;
    hb_core_lock(hold->core);
}

/* The one that this thread is on, which may be another one at once; where that is not told, a number of the thread. */
static size_t processor(void)
{
#ifdef __linux__
    int number = sched_getcpu();

    return number < 0 ? 0 : (size_t)number;
#else
    static size_t threads;
    static _Thread_local size_t mine; /* from 1 on */

    if (!mine)
        mine = __atomic_add_fetch(&threads, 1, __ATOMIC_RELAXED);
    return mine;
#endif
}

void hb_wait_for(hb_core *core, uint32_t slot)
{
    if (__atomic_load_n(&core->lanes[0].page, __ATOMIC_RELAXED) == slot / HB_PAGE_CELLS)
        __atomic_store_n(&core->crowded, true, __ATOMIC_RELAXED);
    pthread_mutex_lock(&hb_part_of(core, slot)->lock);
}

hb_lane *hb_lane_of(hb_core *core)
{
    return &core->lanes[__atomic_load_n(&core->crowded, __ATOMIC_RELAXED) ? processor() % HB_LANES : 0];
}

hb_hold hb_hold_any(hb_core *core)
{
    return hb_hold_slot(core, (uint32_t)(processor() % HB_PARTS * HB_PAGE_CELLS));
}

hb_traces *hb_core_traces(hb_core *core)
{
    for (size_t p = 0; p < HB_PARTS; p++)
        hb_traces_take(&core->traces, &core->parts[p].traces);
    return &core->traces;
}

void hb_core_counts(const hb_core *core, hb_counts *out)
{
    memset(out, 0, sizeof *out);
    for (size_t p = 0; p < HB_PARTS; p++) {
        const hb_counts *part = &core->parts[p].counts;
#define X(name) out->name += part->name;
        HB_COUNTS(X)
#undef X
        for (size_t why = 0; why < HB_SERIES_REASONS; why++)
            out->disconnects[why] += part->disconnects[why];
        for (size_t bucket = 0; bucket < HB_RTT_BUCKETS; bucket++)
            out->rtt[bucket] += part->rtt[bucket];
    }
}

uint32_t hb_core_phase(const hb_core *core, hb_phase phase)
{
    uint32_t sessions = 0;

    for (size_t p = 0; p < HB_PARTS; p++)
        sessions += core->parts[p].phases[phase];
    return sessions;
}
