/* Who is due: the scan against the simplest loop that can be right. */
#include "support.h"

#include <stdlib.h>
#include <string.h>

#include "timers.h"

#define COUNT 4096

static size_t plain(const uint32_t *due, size_t from, size_t count, uint32_t now)
{
    while (from < count && due[from] > now) {
        from++;
    }
    return from;
}

static void test_none(void **state)
{
    (void)state;
    uint32_t due[COUNT];
    memset(due, 0xff, sizeof due);
    assert_int_equal(hb_timers_next(due, 0, 0, UINT32_MAX), 0);
    assert_int_equal(hb_timers_next(due, 0, COUNT, UINT32_MAX - 1), COUNT);
    assert_int_equal(hb_timers_next(due, COUNT, COUNT, UINT32_MAX), COUNT);
    assert_int_equal(hb_timers_next(due, COUNT - 1, COUNT, UINT32_MAX - 1), COUNT);
    assert_int_equal(hb_timers_next(due, 17, COUNT, UINT32_MAX), 17);
}

static void test_one_at_each_place(void **state)
{
    (void)state;
    uint32_t due[COUNT];
    for (size_t i = 0; i < COUNT; i++) {
        due[i] = UINT32_MAX;
    }
    for (size_t i = 0; i < COUNT; i++) {
        due[i] = 100;
        assert_int_equal(hb_timers_next(due, 0, COUNT, 100), i);
        assert_int_equal(hb_timers_next(due, i, COUNT, 100), i);
        assert_int_equal(hb_timers_next(due, i + 1, COUNT, 100), COUNT);
        assert_int_equal(hb_timers_next(due, 0, COUNT, 99), COUNT);
        assert_int_equal(hb_timers_next(due, 0, i, 100), i); /* beyond the end nothing is looked at */
        due[i] = UINT32_MAX;
    }
}

/* Every length and start, on memory of just that length, so that a sanitizer sees a read beyond it. */
static void test_every_length(void **state)
{
    (void)state;
    dice d = {.state = 3};
    for (size_t count = 1; count < 200; count++) {
        uint32_t *due = malloc(count * sizeof *due);
        assert_non_null(due);
        for (size_t i = 0; i < count; i++) {
            due[i] = dice_below(&d, 60);
        }
        for (size_t from = 0; from <= count; from++) {
            for (uint32_t now = 0; now < 3; now++) {
                assert_int_equal(hb_timers_next(due, from, count, now), plain(due, from, count, now));
            }
        }
        free(due);
    }
}

static void test_walk(void **state)
{
    (void)state;
    dice d = {.state = 11};
    uint32_t due[COUNT];
    for (int round = 0; round < 200; round++) {
        uint32_t range = 1u << dice_below(&d, 16);
        for (size_t i = 0; i < COUNT; i++) {
            due[i] = dice_below(&d, range);
        }
        size_t mine = plain(due, 0, COUNT, 2);
        size_t its = hb_timers_next(due, 0, COUNT, 2);
        while (mine < COUNT) {
            assert_int_equal(its, mine);
            mine = plain(due, mine + 1, COUNT, 2);
            its = hb_timers_next(due, its + 1, COUNT, 2);
        }
        assert_int_equal(its, COUNT);
    }
}

/* Each session of a block on its own, as if all of one kind were due as the first of them. */
static void test_block(void **state)
{
    (void)state;
    dice d = {.state = 17};
    uint32_t cells[HB_TIMERS_BLOCK];
    for (int round = 0; round < 20000; round++) {
        uint32_t now = 100 + dice_below(&d, 100);
        hb_block block = {
            .follows = dice_percent(&d, 20) ? UINT64_MAX * dice_below(&d, 2) : dice_next(&d),
            .least = dice_percent(&d, 10) ? UINT32_MAX - dice_below(&d, 3) : dice_below(&d, 40),
            .rest = dice_percent(&d, 10) ? UINT32_MAX - dice_below(&d, 3) : now + dice_below(&d, 40) - 2,
        };
        uint64_t expected = 0;
        uint32_t others = block.rest > now ? block.rest : UINT32_MAX;
        uint32_t read_now = hb_timers_later(now, block.least);
        uint32_t soonest = block.rest < read_now ? block.rest : read_now;
        for (size_t i = 0; i < HB_TIMERS_BLOCK; i++) {
            cells[i] = now + 2 - dice_below(&d, 60); /* some are ahead: what is read while a tick is made */
            uint64_t at = block.rest;
            if (block.follows >> i & 1) {
                at = (uint64_t)block.least + (cells[i] < now ? cells[i] : now);
                at = at < UINT32_MAX ? at : UINT32_MAX - 1;
            }
            soonest = at < soonest ? (uint32_t)at : soonest;
            if (at <= now)
                expected |= UINT64_C(1) << i;
            else
                others = at < others ? (uint32_t)at : others;
        }
        uint32_t next = 0;
        assert_true(hb_timers_suspects(&block, cells, now, &next) == expected);
        if (expected)
            assert_true(hb_timers_soonest(&block, cells, now) <= now);
        else
            assert_int_equal(hb_timers_soonest(&block, cells, now), soonest);
        assert_int_equal(next, others);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_none),         cmocka_unit_test(test_one_at_each_place),
        cmocka_unit_test(test_every_length), cmocka_unit_test(test_walk),
        cmocka_unit_test(test_block),
    };
    return cmocka_run_group_tests_name("timers", tests, NULL, NULL);
}
