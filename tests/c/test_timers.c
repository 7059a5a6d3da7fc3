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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_none),
        cmocka_unit_test(test_one_at_each_place),
        cmocka_unit_test(test_every_length),
        cmocka_unit_test(test_walk),
    };
    return cmocka_run_group_tests_name("timers", tests, NULL, NULL);
}
