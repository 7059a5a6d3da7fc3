/*
 * Any bytes as the id of an answer: none is taken for the answer to a ping but the id of that ping, once. The first
 * byte says what is done to the real id, so that near misses are tried too.
 */
#include "fuzz.h"

#include <string.h>

#include <sanitizer/lsan_interface.h>

#include "core.h"
#include "pingid.h"

#define SECOND INT64_C(1000000)

static hb_core *core;
static hb_token token;
static int64_t now_us = SECOND;
static uint32_t cells[HB_PAGE_CELLS];
static uint32_t tick;

static void step(void)
{
    hb_action action;
    size_t count = 0;
    now_us += SECOND;
    must(hb_core_advance(core, now_us, now_us / 1000, &action, 1, &count, &tick) == 0);
}

static void start(void)
{
    must(hb_core_new(NULL, now_us, now_us / 1000, &core) == HB_OK);
    /* The core is kept, and lies where no leak is looked for: what it owns would be taken for leaked. */
    __lsan_register_root_region(core, sizeof *core);
    must(hb_core_add_page(core, cells) == HB_OK);
    static const char policy[] = "{\"idle\": \"1s\", \"ack_timeout\": \"1d\"}";
    must(hb_core_configure(core, policy, sizeof policy - 1, 20000, true, NULL) == HB_OK);
    must(hb_core_open(core, HB_TCP, 0, now_us, now_us, &token) == HB_OK);
    must(hb_core_bound(core, token, "a@b/c", 5, false) == HB_OK);
}

/* Sends a ping, whose id is written to *order. */
static void ping(hb_order *order)
{
    for (int i = 0; i < 3; i++) {
        step();
        must(hb_core_begin(core, token, HB_PING, 0, now_us, order) == HB_OK);
        if (order->verb == HB_PING) {
            return;
        }
    }
    must(order->verb == HB_PING);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static hb_order order;
    char id[512];
    if (!core) {
        start();
    }
    ping(&order);
    must(order.length == HB_PINGID_LENGTH);
    size_t length = order.length;
    memcpy(id, order.text, length);
    if (size > 0 && data[0] == 'x') { /* the real one, with bytes of the input xored in from some place on */
        for (size_t i = 2; size > 2 && i < size && data[1] + i - 2 < length; i++) {
            id[data[1] + i - 2] = (char)((unsigned char)id[data[1] + i - 2] ^ data[i]);
        }
    } else {
        length = size < sizeof id ? size : sizeof id;
        memcpy(id, data, length);
    }
    bool real = length == order.length && memcmp(id, order.text, length) == 0;
    cells[(uint32_t)token % HB_PAGE_CELLS] = tick;
    must(hb_core_pong(core, token, id, length, now_us) == (real ? 1 : 0));
    must(hb_core_pong(core, token, order.text, order.length, now_us) == (real ? 0 : 1));
    must(hb_core_pong(core, token, order.text, order.length, now_us) == 0);
    return 0;
}
