/*
 * users.c - users, many at once: lists in an order, page by page, and those whose last session ended.
 *
 * A list is made by one look at everybody, a few at a time, so that no event waits for it. What is best so far is kept
 * in a heap whose first is the worst of it: who comes after that one is passed by with one comparison.
 */
#include <stdlib.h>
#include <string.h>

#include "core.h"

#define CHUNK 64 /* users looked at while the lock is held */

/* A user of a list that is being made. */
typedef struct found {
    int64_t seen_ms;
    size_t length;
    const char *name;
    char *owned; /* the same, of one that is kept */
} found;

typedef struct heap {
    const hb_user_query *query;
    size_t count;
    found *all;
} heap;

/* Names as bytes: UTF-8 sorts as its characters do. */
static int compare_names(const char *a, size_t a_length, const char *b, size_t b_length)
{
    int order = memcmp(a, b, a_length < b_length ? a_length : b_length);

    return order ? order : (a_length > b_length) - (a_length < b_length);
}

static int compare(const hb_user_query *query, const found *a, const found *b)
{
    if (query->order == HB_USERS_BY_SEEN && a->seen_ms != b->seen_ms)
        return a->seen_ms < b->seen_ms ? -1 : 1;
    return compare_names(a->name, a->length, b->name, b->length);
}

static void swap(found *a, found *b)
{
    found other = *a;

    *a = *b;
    *b = other;
}

/* all[at] may be better than those under it. */
static void sink(heap *h, size_t at)
{
    for (;;) {
        size_t worst = at;
        for (size_t child = 2 * at + 1; child <= 2 * at + 2 && child < h->count; child++) {
            if (compare(h->query, &h->all[child], &h->all[worst]) > 0)
                worst = child;
        }
        if (worst == at)
            return;
        swap(&h->all[worst], &h->all[at]);
        at = worst;
    }
}

static void rise(heap *h, size_t at)
{
    while (at && compare(h->query, &h->all[at], &h->all[(at - 1) / 2]) > 0) {
        swap(&h->all[at], &h->all[(at - 1) / 2]);
        at = (at - 1) / 2;
    }
}

/* Keeps a copy of a user that is among the best so far. */
static int keep(heap *h, const found *user)
{
    bool full = h->count == h->query->limit;

    if (full && compare(h->query, user, &h->all[0]) >= 0)
        return HB_OK;
    size_t at = full ? 0 : h->count;
    char *name = realloc(h->all[at].owned, user->length + 1);
    if (!name)
        return HB_ENOMEM;
    memcpy(name, user->name, user->length);
    h->all[at] = (found){.seen_ms = user->seen_ms, .length = user->length, .name = name, .owned = name};
    if (full) {
        sink(h, 0);
    } else {
        h->count++;
        rise(h, at);
    }
    return HB_OK;
}

/* memmem, which is not everywhere. */
static bool has_part(const char *text, size_t length, const char *part, size_t part_length)
{
    const char *end = text + length - part_length + 1;

    for (const char *at = text; at < end && (at = memchr(at, part[0], (size_t)(end - at))); at++) {
        if (memcmp(at, part, part_length) == 0)
            return true;
    }
    return false;
}

/* Whether a list that asks so has a user of that name. */
static bool named(const hb_user_query *query, const char *name, size_t length)
{
    if (!query->part_length)
        return true;
    if (query->part_length > length)
        return false;
    if (query->prefix)
        return memcmp(name, query->part, query->part_length) == 0;
    return has_part(name, length, query->part, query->part_length);
}

static int look_at(hb_core *core, hb_user *user, heap *h)
{
    const hb_user_query *query = h->query;
    found it = {0};

    it.name = hb_user_name(&core->users, user, &it.length);
    if (!named(query, it.name, it.length))
        return HB_OK;
    int64_t seen_ms = hb_last_seen(core, user);
    it.seen_ms = seen_ms < core->clock.wall_ms ? seen_ms : core->clock.wall_ms;
    if (query->before_ms && it.seen_ms >= query->before_ms)
        return HB_OK;
    if (query->after) {
        const found after = {.seen_ms = query->after_ms, .length = query->after_length, .name = query->after};
        if (compare(query, &it, &after) <= 0)
            return HB_OK;
    }
    return keep(h, &it);
}

static int look_at_all(hb_core *core, heap *h)
{
    hb_user_ref at = HB_NO_USER;
    int code = HB_OK;

    do {
        hb_core_lock(core);
        for (size_t i = 0; i < CHUNK && code == HB_OK; i++) {
            at = hb_users_next(&core->users, at);
            if (!at)
                break;
            code = look_at(core, hb_user_at(&core->users, at), h);
        }
        hb_core_unlock(core);
    } while (at && code == HB_OK);
    return code;
}

/* Records, one after the other. */
typedef struct records {
    char *bytes;
    size_t length;
    size_t room;
} records;

static int add_record(records *to, const char *name, size_t length, int64_t seen_ms, const hb_activity *activity)
{
    hb_user_row head = {.seen_ms = seen_ms,
                        .last_ms = activity->last_ms,
                        .offline_ms = activity->offline_ms,
                        .name_length = (uint16_t)length,
                        .status_length = (uint16_t)activity->length,
                        .why = (uint8_t)activity->why,
                        .online = activity->online};
    size_t size = sizeof head + length + activity->length;

    if (!to->bytes || to->room - to->length < size) {
        size_t room = to->room * 2 + size;
        char *bytes = realloc(to->bytes, room);
        if (!bytes)
            return HB_ENOMEM;
        to->bytes = bytes;
        to->room = room;
    }
    char *at = to->bytes + to->length;
    memcpy(at, &head, sizeof head);
    memcpy(at + sizeof head, name, length);
    memcpy(at + sizeof head + length, activity->status, activity->length);
    to->length += size;
    return HB_OK;
}

/* With the time that it stands in its place by, so that the next page goes on behind it. */
static int describe(hb_core *core, const found *user, records *to)
{
    hb_activity activity;

    if (hb_core_last_activity(core, user->name, user->length, &activity) != 1)
        return HB_OK; /* forgotten meanwhile */
    return add_record(to, user->name, user->length, user->seen_ms, &activity);
}

static int list(hb_core *core, heap *h, records *out)
{
    int code = hb_last_fetch_all(core);

    if (code == HB_OK)
        code = look_at_all(core, h);

    /* The worst goes to the end, and so on: what is left is in its order. */
    size_t count = h->count;
    while (h->count > 1) {
        h->count--;
        swap(&h->all[0], &h->all[h->count]);
        sink(h, 0);
    }
    for (size_t i = 0; i < count; i++) {
        if (code == HB_OK)
            code = describe(core, &h->all[i], out);
        free(h->all[i].owned);
    }
    return code;
}

int hb_core_users(hb_core *core, const hb_user_query *query, char **out, size_t *length)
{
    records all = {0};

    if (!query->limit || query->limit > HB_USERS_MAX || query->part_length > HB_JID_MAX ||
        query->after_length > HB_JID_MAX)
        return HB_EINVAL;
    heap h = {.query = query, .all = calloc(query->limit, sizeof *h.all)};
    if (!h.all)
        return HB_ENOMEM;
    int code = list(core, &h, &all);
    free(h.all);
    if (code < 0) {
        free(all.bytes);
        return code;
    }
    *out = all.bytes;
    *length = all.length;
    return HB_OK;
}

int hb_core_each(hb_core *core, uint32_t *at, char **out, size_t *length)
{
    hb_user_ref next = *at;
    records all = {0};
    int code = hb_last_fetch_all(core);

    for (size_t left = HB_USERS_MAX; left && code == HB_OK;) {
        hb_core_lock(core);
        for (size_t i = 0; i < CHUNK && left && code == HB_OK; i++, left--) {
            hb_activity activity;
            size_t bytes;
            next = hb_users_next(&core->users, next);
            if (!next)
                break;
            const char *name = hb_user_name(&core->users, hb_user_at(&core->users, next), &bytes);
            (void)hb_core_activity(core, name, bytes, &activity);
            code = add_record(&all, name, bytes, activity.seen_ms, &activity);
        }
        hb_core_unlock(core);
        if (!next)
            break;
    }
    if (code < 0) {
        free(all.bytes);
        return code;
    }
    *at = next;
    *out = all.bytes;
    *length = all.length;
    return HB_OK;
}

static bool has_room(hb_user_list *list)
{
    if (list->count < list->room)
        return true;
    size_t room = list->room ? list->room * 2 : 256;
    hb_user_ref *users = realloc(list->users, room * sizeof *users);
    if (!users)
        return false;
    list->users = users;
    list->room = room;
    return true;
}

void hb_user_list_add(hb_core *core, hb_user_list *list, hb_user_ref ref, unsigned mark)
{
    hb_user *user = hb_user_at(&core->users, ref);

    if (user->end & mark)
        return;
    pthread_mutex_lock(&core->users_lock);
    if (has_room(list)) {
        list->users[list->count++] = ref;
        hb_user_mark(user, mark);
    } else {
        list->all = true;
    }
    pthread_mutex_unlock(&core->users_lock);
}

void hb_gone_note(hb_core *core, hb_user_ref ref)
{
    if (core->gone_wanted)
        hb_user_list_add(core, &core->gone, ref, HB_USER_GONE);
}

/* With all of the core held. */
static int take_gone(hb_core *core, records *out)
{
    hb_user *user = hb_user_at(&core->users, core->gone.users[core->gone.count - 1]);
    hb_activity activity;
    int code = HB_OK;

    if (user->end & HB_USER_GONE) {
        size_t length;
        const char *name = hb_user_name(&core->users, user, &length);
        if (hb_core_activity(core, name, length, &activity) == 1)
            code = add_record(out, name, length, activity.seen_ms, &activity);
    }
    if (code == HB_OK) {
        hb_user_unmark(user, HB_USER_GONE);
        core->gone.count--;
    }
    return code;
}

int hb_core_gone(hb_core *core, char **out, size_t *length)
{
    records all = {0};
    int code = HB_OK;

    for (size_t left = HB_USERS_MAX; left && code == HB_OK;) {
        hb_core_lock(core);
        core->gone_wanted = true;
        bool none = !core->gone.count;
        for (size_t i = 0; i < CHUNK && core->gone.count && left && code == HB_OK; i++, left--)
            code = take_gone(core, &all);
        bool lost = none && core->gone.all;
        core->gone.all = core->gone.all && !none;
        hb_core_unlock(core);
        if (none) {
            code = lost ? 1 : HB_OK;
            break;
        }
    }
    if (code < 0 && !all.length) {
        free(all.bytes);
        return code;
    }
    /* Who found no room is told by the next call. */
    *out = all.bytes;
    *length = all.length;
    return code > 0;
}
