/* How many pings a tick may have, and whose turn it is when there are more. */
#include "support.h"

#include <stdlib.h>

/* All of them come back in one second and then fall silent: some are pinged each second, nobody twice before all. */
static void test_storm(void **state)
{
    rig *r = *state;
    enum { COUNT = 100000, IDLE = 60, ACK = 30 };
    hb_action *out = calloc(COUNT, sizeof *out);
    uint8_t *asked = calloc(RIG_PAGES * HB_PAGE_CELLS, 1);
    size_t total = 0;
    size_t dead = 0;
    int more = 0;
    assert_true(out && asked);
    rig_policy(r, "{\"idle\": \"60s\", \"ack_timeout\": \"30s\"}", 20000, true);
    for (size_t i = 0; i < COUNT; i++) {
        rig_login(r, "a@b/c", false);
    }
    for (int second = 1; second <= IDLE + ACK + 11; second++) {
        size_t count = 0;
        size_t pings = 0;
        r->now_us += 1000000;
        more = hb_core_advance(r->core, r->now_us, rig_wall_ms(r), out, COUNT, &count, &r->tick);
        assert_int_equal(more, 0);
        for (size_t i = 0; i < count; i++) {
            pings += out[i].verb == HB_PING;
            dead += out[i].verb == HB_DISCONNECT;
            if (out[i].verb == HB_PING) {
                assert_int_equal(asked[(uint32_t)out[i].token]++, 0);
                rig_begin(r, out[i].token, HB_PING, 0, HB_PING);
            }
        }
        total += pings;
        assert_int_equal(pings, second >= IDLE && second < IDLE + 10 ? COUNT / 10 : 0);
        assert_int_equal(dead,
                         second <= IDLE + ACK ? 0 : COUNT / 10 * (second - IDLE - ACK < 10 ? second - IDLE - ACK : 10));
    }
    assert_int_equal(total, COUNT);
    free(asked);
    free(out);
}

/* The limit is one of a tick, however often it is called; who waited is the first. */
static void test_pings_of_a_tick(void **state)
{
    rig *r = *state;
    hb_token tokens[5];
    hb_action out[4];
    size_t count = 0;
    uint32_t value = 0;
    rig_policy(r, "{\"idle\": \"2s\", \"ack_timeout\": \"30s\", \"pings_per_tick\": 2}", 20000, true);
    for (size_t i = 0; i < 5; i++) {
        tokens[i] = rig_login(r, "a@b/c", false);
    }
    rig_quiet(r, 1);
    const size_t order[] = {0, 1, 2, 3, 4, 0, 1};
    for (size_t tick = 0; tick < 3; tick++) {
        rig_stall(r, (int64_t)(2 + tick));
        assert_int_equal(hb_core_advance(r->core, r->now_us, rig_wall_ms(r), out, 4, &count, &value), 0);
        assert_int_equal(count, tick < 2 ? 2 : 1);
        for (size_t i = 0; i < count; i++) {
            assert_int_equal(out[i].verb, HB_PING);
            assert_true(out[i].token == tokens[order[2 * tick + i]]);
            rig_begin(r, out[i].token, HB_PING, 0, HB_PING);
        }
        assert_int_equal(hb_core_advance(r->core, r->now_us, rig_wall_ms(r), out, 4, &count, &value), 0);
        assert_int_equal(count, 0);
    }
}

static int start(void **state)
{
    rig *r = calloc(1, sizeof *r);
    assert_non_null(r);
    rig_init(r, INT64_C(1000) * 1000000);
    *state = r;
    return 0;
}

static int finish(void **state)
{
    rig_close(*state);
    free(*state);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_storm, start, finish),
        cmocka_unit_test_setup_teardown(test_pings_of_a_tick, start, finish),
    };
    return cmocka_run_group_tests_name("limits", tests, NULL, NULL);
}
