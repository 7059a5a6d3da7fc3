/* Who is due, and what is known of a block without a look at each of its sessions. */
#include "support.h"

#include <string.h>

#include "core.h"

#define IDLE_S 100u

/* A block full of sessions that are alive, each read from at a time of its own, the last one now. */
static void fill(rig *r, hb_token tokens[HB_TIMERS_BLOCK])
{
    char jid[32];
    rig_init(r, 0);
    rig_policy(r, "{\"idle\": \"100s\", \"ack_timeout\": \"10s\", \"login_within\": \"off\"}", 0, true);
    for (uint32_t i = 0; i < HB_TIMERS_BLOCK; i++) {
        text_print(jid, sizeof jid, "user%u@x/phone", (unsigned)i);
        tokens[i] = rig_login(r, jid, true);
        assert_int_equal((uint32_t)tokens[i], i);
        if (i + 1 < HB_TIMERS_BLOCK)
            rig_quiet(r, i + 1);
    }
}

/* Whatever is known of a block, each is due at the same second. */
static void is_due_in_order(rig *r, const hb_token tokens[HB_TIMERS_BLOCK])
{
    for (uint32_t i = 0; i < HB_TIMERS_BLOCK; i++) {
        rig_expect(r, i + IDLE_S, tokens[i], HB_PING, HB_WHY_IDLE);
        rig_begin(r, tokens[i], HB_PING, 0, HB_PING);
        rig_read(r, tokens[i]);
    }
}

static void test_full_block(void **state)
{
    (void)state;
    rig r;
    hb_token tokens[HB_TIMERS_BLOCK];
    fill(&r, tokens);
    const hb_block *block = &r.core->blocks[0];
    assert_true(block->follows == UINT64_MAX);
    assert_int_equal(block->least, IDLE_S);
    assert_int_equal(block->rest, HB_NEVER);
    is_due_in_order(&r, tokens);
    rig_close(&r);
}

/* As after one that was due sooner, and is over: learned again when too many are suspected, and harmless until then. */
static void test_least_is_learned(void **state)
{
    (void)state;
    rig r;
    hb_token tokens[HB_TIMERS_BLOCK];
    fill(&r, tokens);
    r.core->blocks[0].least = HB_TIMERS_BLOCK - 5;
    r.core->soonest[0] = 0;
    rig_quiet(&r, HB_TIMERS_BLOCK);
    assert_int_equal(r.core->blocks[0].least, HB_TIMERS_BLOCK - 5);
    assert_int_equal(r.core->soonest[0], rig_second(&r) + 1);
    rig_quiet(&r, HB_TIMERS_BLOCK + 20);
    assert_int_equal(r.core->blocks[0].least, IDLE_S);
    is_due_in_order(&r, tokens);
    rig_close(&r);
}

/* Those who wait for no read: the number of one who does not any more is learned at the next look. */
static void test_rest_is_learned(void **state)
{
    (void)state;
    rig r;
    hb_token tokens[HB_TIMERS_BLOCK];
    fill(&r, tokens);
    const hb_block *block = &r.core->blocks[0];
    assert_int_equal(hb_core_detached(r.core, tokens[3]), HB_OK);
    assert_int_equal(hb_core_detached(r.core, tokens[4]), HB_OK);
    assert_int_equal(block->rest, HB_NEVER);
    assert_int_equal(hb_core_closed(r.core, tokens[3]), HB_OK);
    uint32_t due = r.core->clock.tick + HB_TELL_TICKS;
    assert_int_equal(block->rest, due);
    assert_int_equal(r.core->soonest[0], due);
    assert_int_equal(hb_core_unavailable(r.core, tokens[3], NULL, 0, true), HB_OK);
    assert_int_equal(block->rest, due);
    rig_quiet(&r, rig_second(&r) + HB_TELL_TICKS);
    assert_int_equal(block->rest, HB_NEVER);
    /* With one of them it is known at once. */
    assert_int_equal(hb_core_closed(r.core, tokens[4]), HB_OK);
    assert_int_equal(hb_core_unavailable(r.core, tokens[4], NULL, 0, true), HB_OK);
    rig_close(&r);
}

/* A policy for longer silence leaves nothing of the one before. */
static void test_new_policy(void **state)
{
    (void)state;
    rig r;
    hb_token tokens[HB_TIMERS_BLOCK];
    fill(&r, tokens);
    rig_policy(&r, "{\"idle\": \"300s\", \"ack_timeout\": \"10s\", \"login_within\": \"off\"}", 0, true);
    rig_quiet(&r, HB_TIMERS_BLOCK);
    assert_int_equal(r.core->blocks[0].least, 300);
    assert_int_equal(r.core->blocks[0].rest, HB_NEVER);
    rig_expect(&r, 300, tokens[0], HB_PING, HB_WHY_IDLE);
    rig_close(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_full_block),
        cmocka_unit_test(test_least_is_learned),
        cmocka_unit_test(test_rest_is_learned),
        cmocka_unit_test(test_new_policy),
    };
    return cmocka_run_group_tests_name("scan", tests, NULL, NULL);
}
