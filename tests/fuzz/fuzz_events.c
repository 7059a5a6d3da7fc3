/*
 * Any bytes as a life of the core: each takes a call, the next ones its arguments, texts are what follows. Nothing may
 * crash, every code must be one that the call can give, orders are only for those that live, and what the core tells of
 * itself is JSON.
 */
#include "fuzz.h"

#include <stdbool.h>
#include <string.h>

#include <jansson.h>

#include "heartbeat.h"

#define SESSIONS 8
#define SECOND INT64_C(1000000)

typedef struct input {
    const uint8_t *data;
    size_t size;
} input;

typedef struct world {
    hb_core *core;
    hb_token tokens[SESSIONS];
    bool over[SESSIONS]; /* closed for good: resumed elsewhere, or closed and told */
    int64_t now_us;
    int64_t wall_ms; /* of monotonic time 0 */
    int64_t told_ms; /* the wall time that the core knows */
    uint32_t tick;
    bool stopped;
} world;

static uint32_t cells[HB_PAGE_CELLS];

static uint8_t byte_of(input *in)
{
    if (in->size == 0) {
        return 0;
    }
    in->size--;
    return *in->data++;
}

/* A text of up to 255 bytes, or one longer than anybody should send. Freed by the caller. */
static char *text_of(input *in, size_t *length)
{
    size_t wanted = byte_of(in);
    size_t repeat = wanted == 255 ? 100 : 1;
    size_t have = wanted < in->size ? wanted : in->size;
    char *text = malloc(have * repeat + 1);
    must(text != NULL);
    for (size_t i = 0; i < repeat; i++) {
        memcpy(text + i * have, in->data, have);
    }
    in->data += have;
    in->size -= have;
    *length = have * repeat;
    return text;
}

static void check_json(char *text, size_t length)
{
    must(strlen(text) == length);
    json_t *json = json_loadb(text, length, JSON_ALLOW_NUL | JSON_REJECT_DUPLICATES, NULL);
    must(json_is_object(json));
    json_decref(json);
    hb_string_free(text);
}

static void check_order(world *w, size_t i, hb_verb verb, int code, const hb_order *order)
{
    must(code == HB_OK || code == HB_ESTALE || code == HB_EINVAL);
    must(code == HB_OK || order->verb == HB_NOTHING);
    must(!w->stopped || order->verb == HB_NOTHING);
    must(!w->over[i] || order->verb == HB_NOTHING);
    must(order->length <= HB_JID_MAX);
    switch (order->verb) {
    case HB_NOTHING:
    case HB_ABORT:
        must(order->verb == HB_NOTHING || verb == HB_ABORT);
        break;
    case HB_PING:
        must(verb == HB_PING && order->length > 0);
        break;
    case HB_CLOSE:
    case HB_CUT:
        must(verb == HB_DISCONNECT);
        break;
    case HB_UNAVAILABLE:
        must(verb == HB_UNAVAILABLE && order->length > 0);
        w->over[i] = true;
        break;
    case HB_DISCONNECT:
        must(false);
    }
}

static void advance(world *w, int64_t seconds, uint8_t capacity)
{
    hb_action out[16];
    size_t count = 0;
    uint32_t before = w->tick;
    w->now_us += seconds * SECOND;
    w->told_ms = w->wall_ms + w->now_us / 1000;
    int more = hb_core_advance(w->core, w->now_us, w->told_ms, out, 1 + capacity % 16, &count, &w->tick);
    must(more == 0 || (more == 1 && count == (size_t)(1 + capacity % 16)));
    must(w->tick - before <= 1);
    must(!w->stopped || count == 0);
    for (size_t k = 0; k < count; k++) {
        bool known = false;
        for (size_t i = 0; i < SESSIONS; i++) {
            known |= w->tokens[i] == out[k].token && !w->over[i];
        }
        must(known);
        must(out[k].verb == HB_PING || out[k].verb == HB_DISCONNECT || out[k].verb == HB_ABORT ||
             out[k].verb == HB_UNAVAILABLE);
        must(out[k].why != HB_WHY_NONE && out[k].why < HB_WHY_COUNT);
    }
}

static void reopen(world *w, size_t i, input *in)
{
    hb_token old = w->tokens[i];
    int64_t ago = (int64_t)byte_of(in) * SECOND / 4;
    if (old && !w->over[i]) {
        return;
    }
    hb_transport transport = (hb_transport)(byte_of(in) % 3);
    uint32_t own = transport == HB_TCP ? 0 : byte_of(in);
    must(hb_core_open(w->core, transport, own, w->now_us - ago, w->now_us - ago / 2, &w->tokens[i]) == HB_OK);
    must(w->tokens[i] != old);
    w->over[i] = false;
}

static void resume(world *w, size_t from, size_t to)
{
    int code = hb_core_resumed(w->core, w->tokens[from], w->tokens[to]);
    must(code == HB_OK || code == HB_ESTALE || code == HB_EINVAL);
    if (code == HB_OK) {
        must(!w->over[from] && from != to);
        w->over[from] = true;
    }
}

/* Over at once, or watched until its contacts are told. */
static void gone(world *w, size_t i, int code)
{
    must(code == HB_OK || code == HB_ESTALE);
    must(!w->over[i] || code == HB_ESTALE);
    if (hb_core_idle(w->core, w->tokens[i], w->now_us) == HB_ESTALE) {
        w->over[i] = true;
    }
}

static void tell(world *w, bool detail, const char *user, size_t length)
{
    char *json = NULL;
    size_t size = 0;
    static hb_activity activity;
    must(hb_core_status(w->core, detail, &json, &size) == HB_OK);
    check_json(json, size);
    int asked = hb_core_why(w->core, user, length, &json, &size);
    must(asked == 0 || asked == 1 || (asked == HB_EINVAL && length > HB_JID_MAX));
    if (asked == 1) {
        check_json(json, size);
    }
    int known = hb_core_last_activity(w->core, user, length, &activity);
    must(known == 0 || known == 1);
    if (known) {
        must(activity.length <= HB_STATUS_MAX && activity.seen_ms <= w->told_ms);
        must(hb_core_last_activity_json(w->core, user, length, &json, &size) == 1);
        check_json(json, size);
    }
}

static void list(world *w, input *in)
{
    size_t length = 0;
    hb_list_query query = {.sort = (hb_sort)(byte_of(in) % 8), .descending = byte_of(in) & 1};
    query.states = byte_of(in);
    query.transports = byte_of(in);
    query.offset = byte_of(in) % (SESSIONS + 2);
    query.limit = byte_of(in) % (SESSIONS + 2);
    char *text = text_of(in, &length);
    query.text = text;
    query.length = length;
    hb_listing *listing = NULL;
    int code = hb_core_list(w->core, &query, &listing);
    must(code == HB_OK || code == HB_EINVAL);
    if (code == HB_OK) {
        must(listing->count <= query.limit && listing->total <= SESSIONS);
        must(listing->count == 0 || query.offset + listing->count <= listing->total);
        for (size_t i = 0; i < listing->count; i++) {
            must(!query.states || query.states & 1U << listing->rows[i].state);
        }
    }
    hb_listing_free(listing);
    free(text);
}

static void with_text(world *w, uint8_t call, size_t i, input *in)
{
    size_t length = 0;
    char *text = text_of(in, &length);
    hb_token t = w->tokens[i];
    int code;
    switch (call) {
    case 1:
        code = hb_core_bound(w->core, t, text, length, byte_of(in) & 1);
        must(code == HB_OK || code == HB_ESTALE || code == HB_EINVAL);
        break;
    case 2:
        code = hb_core_unavailable(w->core, t, text, length, byte_of(in) & 1);
        gone(w, i, code);
        break;
    case 3:
        must(hb_core_pong(w->core, t, text, length, w->now_us) <= 0);
        break;
    case 4:
        code = hb_core_configure(w->core, text, length, (int64_t)byte_of(in) * 250, byte_of(in) & 1, NULL);
        must(code == HB_OK || code == HB_EPOLICY);
        break;
    default:
        tell(w, byte_of(in) & 1, text, length);
        break;
    }
    free(text);
}

static void one_call(world *w, input *in)
{
    uint8_t call = byte_of(in) % 22;
    size_t i = byte_of(in) % SESSIONS;
    hb_token t = w->tokens[i];
    static hb_order order;
    switch (call) {
    case 0:
        reopen(w, i, in);
        break;
    case 1:
    case 2:
    case 3:
    case 4:
    case 5:
        with_text(w, call, i, in);
        break;
    case 6: {
        int code = hb_core_available(w->core, t);
        must(code == HB_OK || code == HB_ESTALE || code == HB_EINVAL);
        break;
    }
    case 7:
        must(hb_core_idle(w->core, t, w->now_us) <= HB_ASK_AGAIN);
        break;
    case 8:
        gone(w, i, hb_core_detached(w->core, t));
        break;
    case 9:
        resume(w, i, byte_of(in) % SESSIONS);
        break;
    case 10:
        gone(w, i, hb_core_closed(w->core, t));
        break;
    case 11:
        cells[(uint32_t)t % HB_PAGE_CELLS] = (byte_of(in) & 7) ? w->tick : (uint32_t)byte_of(in) << 24;
        break;
    case 12:
        w->wall_ms += ((int64_t)byte_of(in) - 128) * 1000;
        break;
    case 13:
        advance(w, (int64_t)byte_of(in) * 1000, 15);
        break;
    case 14:
        if (byte_of(in) == 0x77) { /* seldom: little happens after it */
            hb_core_stop(w->core);
            w->stopped = true;
        }
        break;
    case 15:
    case 16: {
        hb_verb verb = (hb_verb)(byte_of(in) % 8);
        int code = hb_core_begin(w->core, t, verb, byte_of(in) & 1, w->now_us, &order);
        check_order(w, i, verb, code, &order);
        if (code == HB_OK && verb == HB_UNAVAILABLE && hb_core_idle(w->core, t, w->now_us) == HB_ESTALE) {
            w->over[i] = true;
        }
        break;
    }
    case 20: {
        hb_verb verb = (hb_verb)(byte_of(in) % 8);
        hb_action action = {.verb = HB_NOTHING};
        int code = hb_core_ask(w->core, t, verb, &action);
        must(code == HB_EINVAL || verb == HB_PING || verb == HB_DISCONNECT);
        must(code != 1 || (!w->over[i] && !w->stopped && action.token == t && action.verb == (uint32_t)verb));
        break;
    }
    case 21:
        list(w, in);
        break;
    default:
        advance(w, 1, byte_of(in));
        break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint8_t key[32] = {42};
    const hb_core_options options = {.ping_key = key, .seed = 7};
    input in = {data, size};
    world w = {.now_us = 1000 * SECOND, .wall_ms = INT64_C(1700000000000)};
    memset(cells, 0, sizeof cells);
    w.told_ms = w.wall_ms + w.now_us / 1000;
    must(hb_core_new(&options, w.now_us, w.told_ms, &w.core) == HB_OK);
    must(hb_core_add_page(w.core, cells) == HB_OK);
    must(hb_core_configure(w.core, NULL, 0, 8000, true, NULL) == HB_OK);
    w.tick = 1000;
    while (in.size > 0) {
        one_call(&w, &in);
    }
    tell(&w, true, "a", 1);
    hb_core_free(w.core);
    return 0;
}
