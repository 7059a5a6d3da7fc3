/*
 * list.c - open sessions, filtered, sorted and a page of them. Looks at the cells themselves, as nothing is decided
 * here, and takes the lock for one page of slots at a time.
 */
#include <stdlib.h>
#include <string.h>

#include "core.h"

_Static_assert(HB_STATES == HB_CLOSED + 1, "a state is a phase");

#define KEY_TEXT 112    /* bytes of a JID that decide its place */
#define KEYS_MAX 16384u /* places that one pass finds */
#define LAST UINT64_MAX /* of a number that is not known: behind all others, either way */

/* The place of a session among the others. */
typedef struct key {
    uint64_t number;
    hb_token token;
    uint16_t length;
    char text[KEY_TEXT];
} key;

typedef struct lister {
    hb_core *core;
    const hb_list_query *query;
    key *heap; /* the first `room` of what comes behind `floor`, the last of them on top */
    size_t count;
    size_t room;
    key floor;
    bool has_floor;
    hb_listing *listing; /* NULL: it was counted already */
} lister;

static char lower(char c)
{
    return (char)(c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c);
}

static bool contains(const hb_jid *jid, const char *text, size_t length)
{
    if (!length)
        return true;
    for (size_t at = 0; jid && at + length <= jid->length; at++) {
        size_t i = 0;
        while (i < length && lower(jid->text[at + i]) == lower(text[i]))
            i++;
        if (i == length)
            return true;
    }
    return false;
}

static hb_moment moment_of(const hb_core *core, uint32_t slot)
{
    hb_moment moment = hb_slot_moment(core, slot);

    moment.read = hb_core_cell_tick(core, slot);
    return moment;
}

static void fill_row(const hb_core *core, uint32_t slot, hb_row *row)
{
    const hb_page *page = hb_page_of(core, slot);
    size_t i = hb_index_of(slot);
    const hb_jid *jid = hb_jid_of(page, i);
    hb_moment moment = moment_of(core, slot);
    hb_session session = hb_session_seen(page->slots[i].session, &moment);
    uint32_t ends = hb_session_ends(session, &moment, &core->policy);

    *row = (hb_row){.token = hb_token_of(core, slot),
                    .rtt_us = page->slots[i].answered_us ? (int64_t)page->slots[i].rtt_us : -1,
                    .ends_s = ends == HB_NEVER    ? -1
                              : ends > moment.now ? (int64_t)(ends - moment.now)
                                                  : 0,
                    .silent_s = moment.now - moment.read,
                    .state = session.phase,
                    .transport = (uint8_t)hb_transport_of(page, i),
                    .pings = session.pings,
                    .why = session.why,
                    .available = (session.flags & HB_S_AVAILABLE) != 0,
                    .jid_length = jid ? jid->length : 0,
                    .jid = jid ? jid->text : NULL};
}

static uint64_t number_of(const hb_row *row, const hb_list_query *query)
{
    int64_t number = 0;

    switch (query->sort) {
    case HB_SORT_JID:
        return 0;
    case HB_SORT_STATE:
        number = row->state;
        break;
    case HB_SORT_SILENT:
        number = row->silent_s;
        break;
    case HB_SORT_RTT:
        number = row->rtt_us;
        break;
    case HB_SORT_PINGS:
        number = row->pings;
        break;
    case HB_SORT_ENDS:
        number = row->ends_s;
        break;
    case HB_SORT_TRANSPORT:
        number = row->transport;
        break;
    }
    if (number < 0)
        return LAST;
    return query->descending ? (uint64_t)INT64_MAX - (uint64_t)number : (uint64_t)number;
}

static key key_of(const hb_row *row, const hb_list_query *query)
{
    key k = {.number = number_of(row, query), .token = row->token};

    k.length = row->jid_length < KEY_TEXT ? row->jid_length : KEY_TEXT;
    if (row->jid)
        memcpy(k.text, row->jid, k.length);
    return k;
}

/* Below 0: a comes before b. */
static int compare(const key *a, const key *b, const hb_list_query *query)
{
    if (a->number != b->number)
        return a->number < b->number ? -1 : 1;
    int order = memcmp(a->text, b->text, a->length < b->length ? a->length : b->length);
    if (!order && a->length != b->length)
        order = a->length < b->length ? -1 : 1;
    if (order)
        return query->sort == HB_SORT_JID && query->descending ? -order : order;
    return (a->token > b->token) - (a->token < b->token);
}

/* The heap is in order but for its entry `at`, which may be too small for its place. */
static void sink(lister *l, size_t at, size_t count)
{
    key moved = l->heap[at];

    for (size_t child = 2 * at + 1; child < count; child = 2 * at + 1) {
        if (child + 1 < count && compare(&l->heap[child], &l->heap[child + 1], l->query) < 0)
            child++;
        if (compare(&moved, &l->heap[child], l->query) >= 0)
            break;
        l->heap[at] = l->heap[child];
        at = child;
    }
    l->heap[at] = moved;
}

static void rise(lister *l, size_t at)
{
    key moved = l->heap[at];

    while (at && compare(&l->heap[(at - 1) / 2], &moved, l->query) < 0) {
        l->heap[at] = l->heap[(at - 1) / 2];
        at = (at - 1) / 2;
    }
    l->heap[at] = moved;
}

static void offer(lister *l, const hb_row *row)
{
    /* Most come behind the last already by their number: their text is not even looked at. */
    if (l->count == l->room && number_of(row, l->query) > l->heap[0].number)
        return;
    key k = key_of(row, l->query);
    if (l->has_floor && compare(&k, &l->floor, l->query) <= 0)
        return;
    if (l->count < l->room) {
        l->heap[l->count] = k;
        rise(l, l->count++);
    } else if (compare(&k, &l->heap[0], l->query) < 0) {
        l->heap[0] = k;
        sink(l, 0, l->count);
    }
}

static void look_at(lister *l, uint32_t slot)
{
    const hb_list_query *query = l->query;
    const hb_page *page = hb_page_of(l->core, slot);
    size_t i = hb_index_of(slot);
    hb_row row;

    if (query->transports && !(query->transports & 1U << hb_transport_of(page, i)))
        return;
    if (!contains(hb_jid_of(page, i), query->text, query->length))
        return;
    fill_row(l->core, slot, &row);
    if (l->listing)
        l->listing->counts[row.state]++;
    if (query->states && !(query->states & 1U << row.state))
        return;
    if (l->listing)
        l->listing->total++;
    offer(l, &row);
}

static void look_at_all(lister *l)
{
    bool more = true;

    l->count = 0;
    for (size_t p = 0; more; p++) {
        hb_core_lock(l->core);
        more = p < l->core->page_count;
        for (uint32_t i = 0; more && i < HB_PAGE_CELLS; i++) {
            if (l->core->pages[p]->slots[i].session.phase != HB_FREE)
                look_at(l, (uint32_t)p * HB_PAGE_CELLS + i);
        }
        hb_core_unlock(l->core);
    }
    for (size_t n = l->count; n > 1; n--) { /* the last of the heap goes where it belongs: at the end */
        key last = l->heap[0];
        l->heap[0] = l->heap[n - 1];
        l->heap[n - 1] = last;
        sink(l, 0, n - 1);
    }
}

/* Where one row's JID is kept beside the rows. */
static char *texts_of(hb_listing *listing, size_t limit)
{
    return (char *)(listing->rows + limit);
}

/* The rows at last, of whom there is still. Their texts need room: 0 if `room` bytes are enough, else how many are. */
static size_t take_rows(lister *l, hb_listing *listing, const key *keys, size_t count, size_t room)
{
    char *text = texts_of(listing, count);
    size_t used = 0;

    listing->count = 0;
    for (size_t k = 0; k < count; k++) {
        uint32_t slot = (uint32_t)keys[k].token;
        hb_core_lock(l->core);
        const hb_page *page = hb_page_of(l->core, slot);
        size_t i = hb_index_of(slot);
        if (page->slots[i].session.phase != HB_FREE && page->slots[i].generation == keys[k].token >> 32) {
            hb_row *row = &listing->rows[listing->count];
            fill_row(l->core, slot, row);
            if (used + row->jid_length <= room) {
                if (row->jid)
                    row->jid = memcpy(text + used, row->jid, row->jid_length);
                listing->count++;
            }
            used += row->jid_length;
        }
        hb_core_unlock(l->core);
    }
    return used <= room ? 0 : used;
}

static int make_listing(lister *l, const hb_listing *counted, const key *keys, size_t count, hb_listing **out)
{
    size_t room = count * 64; /* of a usual JID; a long one has it done again */

    for (;;) {
        hb_listing *listing = malloc(sizeof *listing + count * sizeof(hb_row) + room);
        if (!listing)
            return HB_ENOMEM;
        *listing = *counted;
        size_t needed = take_rows(l, listing, keys, count, room);
        if (!needed) {
            *out = listing;
            return HB_OK;
        }
        free(listing);
        room = needed + HB_JID_MAX;
    }
}

static bool is_valid(const hb_list_query *query)
{
    return query->limit && query->limit <= HB_LIST_MAX && query->length <= HB_LIST_TEXT &&
           (query->text || !query->length) && (unsigned)query->sort <= HB_SORT_TRANSPORT;
}

int hb_core_list(hb_core *core, const hb_list_query *query, hb_listing **out)
{
    hb_listing counted = {0};
    lister l = {.core = core, .query = query, .listing = &counted};

    if (!is_valid(query))
        return HB_EINVAL;
    size_t skip = query->offset;
    size_t room = skip < KEYS_MAX - query->limit ? skip + query->limit : KEYS_MAX;
    l.heap = calloc(room, sizeof *l.heap);
    if (!l.heap)
        return HB_ENOMEM;
    for (;;) {
        bool last = skip <= room - query->limit;
        l.room = last ? skip + query->limit : room;
        look_at_all(&l);
        l.listing = NULL;
        if (last || l.count < room)
            break;
        size_t left_out = skip < room ? skip : room;
        l.floor = l.heap[left_out - 1];
        l.has_floor = true;
        skip -= left_out;
    }
    size_t first = skip < l.count ? skip : l.count;
    size_t count = l.count - first < query->limit ? l.count - first : query->limit;
    int code = make_listing(&l, &counted, l.heap + first, count, out);
    free(l.heap);
    return code;
}

void hb_listing_free(hb_listing *listing)
{
    free(listing);
}
