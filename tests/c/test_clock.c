/* The clock: ticks that stand still in stalls, and the wall time of a tick whatever the wall clock does. */
#include "support.h"

#include "clock.h"

#define S INT64_C(1000000)
#define WALL RIG_WALL_MS

static hb_clock started(int64_t now_us)
{
    hb_clock clock;
    hb_clock_init(&clock, now_us, WALL);
    return clock;
}

/* Advances to `second` with the wall clock in step. */
static int64_t advance(hb_clock *clock, int64_t second, int64_t wall_jump_ms)
{
    return hb_clock_advance(clock, second * S, WALL + second * 1000 + wall_jump_ms);
}

static void test_a_second_is_a_tick(void **state)
{
    (void)state;
    hb_clock clock = started(0);
    uint32_t first = clock.tick;
    for (int64_t second = 1; second <= 100; second++) {
        assert_int_equal(advance(&clock, second, 0), 0);
        assert_int_equal(clock.tick, first + (uint32_t)second);
    }
    /* Called more often than that, it does not run faster. */
    for (int64_t us = 100 * S; us < 110 * S; us += S / 10) {
        hb_clock_advance(&clock, us, WALL + us / 1000);
    }
    assert_int_equal(clock.tick, first + 109);
    assert_int_equal(clock.stall_count, 0);
}

/* A schedule of one second whose calls come a little early or late, around a second's edge, loses no tick. */
static void test_jitter(void **state)
{
    (void)state;
    dice d = {.state = 7};
    hb_clock clock = started(10 * S);
    uint32_t first = clock.tick;
    for (int64_t second = 11; second <= 1010; second++) {
        int64_t us = second * S + (int64_t)dice_below(&d, 2000) - 1000;
        hb_clock_advance(&clock, us, WALL + us / 1000);
    }
    assert_in_range(clock.tick, first + 995, first + 1001);
}

/* A thread that wakes up late now and then, but keeps its schedule: every tick counts, at its time. */
static void test_late_calls(void **state)
{
    (void)state;
    dice d = {.state = 8};
    hb_clock clock = started(0);
    uint32_t first = clock.tick;
    for (int64_t second = 1; second <= 1000; second++) {
        int64_t us = second * S + (int64_t)dice_below(&d, 90000);
        hb_clock_advance(&clock, us, WALL + us / 1000);
        assert_int_equal(clock.tick, first + (uint32_t)second);
        assert_int_equal(hb_clock_wall_of(&clock, clock.tick), WALL + second * 1000);
        assert_true(hb_clock_late(&clock, second * S + S + 1));
        assert_false(hb_clock_late(&clock, second * S + S));
    }
    assert_int_equal(clock.stall_count, 0);
}

/* Time that a late tick took is not counted twice: a whole second lies between any two ticks. */
static void test_late_tick(void **state)
{
    (void)state;
    hb_clock clock = started(10 * S);
    uint32_t first = clock.tick;
    hb_clock_advance(&clock, 11900000, WALL + 1900);
    assert_int_equal(clock.tick, first + 1);
    hb_clock_advance(&clock, 12000000, WALL + 2000);
    assert_int_equal(clock.tick, first + 1);
    hb_clock_advance(&clock, 12900000, WALL + 2900);
    assert_int_equal(clock.tick, first + 2);
}

static void test_a_stall_is_one_tick(void **state)
{
    (void)state;
    hb_clock clock = started(100 * S);
    uint32_t first = clock.tick;
    hb_clock_advance(&clock, 101 * S, WALL + 1000);
    hb_clock_advance(&clock, 3701 * S, WALL + 3601000);
    assert_int_equal(clock.tick, first + 2);
    hb_clock_advance(&clock, 3702 * S, WALL + 3602000);
    assert_int_equal(clock.tick, first + 3);
    /* Before and after it times translate, both ways. */
    assert_int_equal(hb_clock_wall_of(&clock, first), WALL);
    assert_int_equal(hb_clock_wall_of(&clock, first + 1), WALL + 1000);
    assert_in_range(hb_clock_wall_of(&clock, first + 2), WALL + 3600000, WALL + 3601000);
    assert_int_equal(hb_clock_wall_of(&clock, first + 3), WALL + 3602000);
    assert_int_equal(hb_clock_tick_of(&clock, 3702 * S), first + 3);
    assert_int_equal(hb_clock_tick_of(&clock, 3701 * S + 999999), first + 2);
    assert_true(hb_clock_tick_of(&clock, 100 * S) <= first);
}

/* A stall of years overflows nothing. */
static void test_long_stalls(void **state)
{
    (void)state;
    hb_clock clock = started(0);
    int64_t second = 0;
    uint32_t first = clock.tick;
    for (uint32_t i = 1; i <= 200; i++) {
        second += (int64_t)365 * 86400;
        hb_clock_advance(&clock, second * S, WALL + second * 1000);
        assert_int_equal(clock.tick, first + i);
        assert_in_range(hb_clock_wall_of(&clock, clock.tick), WALL, WALL + second * 1000);
    }
    /* Long forgotten stalls: the time is not exact any more, but sane. */
    assert_in_range(hb_clock_wall_of(&clock, first), WALL, WALL + second * 1000);
    hb_clock_advance(&clock, INT64_MAX, INT64_MAX);
    assert_int_equal(clock.tick, first + 201);
}

static void test_many_stalls(void **state)
{
    (void)state;
    hb_clock clock = started(0);
    uint32_t ticks[HB_CLOCK_STALLS];
    int64_t walls[HB_CLOCK_STALLS];
    int64_t second = 0;
    for (int i = 0; i < HB_CLOCK_STALLS; i++) {
        advance(&clock, ++second, 0);
        ticks[i] = clock.tick;
        walls[i] = WALL + second * 1000;
        second += 2 + i;
        advance(&clock, second, 0);
    }
    for (int i = 0; i < HB_CLOCK_STALLS; i++) {
        assert_int_equal(hb_clock_wall_of(&clock, ticks[i]), walls[i]);
    }
}

static void test_tick_of(void **state)
{
    (void)state;
    hb_clock clock = started(100 * S);
    uint32_t first = clock.tick;
    assert_int_equal(hb_clock_tick_of(&clock, 100 * S), first);
    /* The future, and what no tick has reached yet, is now. */
    assert_int_equal(hb_clock_tick_of(&clock, 100 * S + 999999), first);
    assert_int_equal(hb_clock_tick_of(&clock, 101 * S), first);
    assert_int_equal(hb_clock_tick_of(&clock, INT64_MAX), first);
    assert_int_equal(hb_clock_tick_of(&clock, 99 * S), first - 1);
    assert_int_equal(hb_clock_tick_of(&clock, 99 * S + 999999), first - 1);
    assert_true(hb_clock_tick_of(&clock, 0) <= first);
    assert_true(hb_clock_tick_of(&clock, -1) <= first);
    assert_true(hb_clock_tick_of(&clock, INT64_MIN) <= first);
}

static void test_origin_with_a_fraction(void **state)
{
    (void)state;
    hb_clock clock = started(100 * S + 345678);
    uint32_t first = clock.tick;
    for (int64_t i = 1; i <= 10; i++) {
        hb_clock_advance(&clock, (100 + i) * S + 345678, WALL + i * 1000);
    }
    assert_int_equal(clock.tick, first + 10);
    /* The begin of a tick is at most a second before the call that made it, and never after it. */
    for (uint32_t i = 0; i <= 10; i++) {
        assert_in_range(hb_clock_wall_of(&clock, first + i), WALL + (int64_t)i * 1000 - 1000, WALL + (int64_t)i * 1000);
    }
}

static void test_wall_jumps(void **state)
{
    (void)state;
    hb_clock clock = started(0);
    uint32_t first = clock.tick;
    for (int64_t second = 1; second <= 10; second++) {
        advance(&clock, second, 0);
    }
    /* Forward: how long ago a tick was stays true. */
    assert_int_equal(advance(&clock, 11, 3600000), 0);
    assert_int_equal(hb_clock_wall_of(&clock, first + 5), WALL + 5000 + 3600000);
    /* Back by more than passed: told by how much. */
    assert_int_equal(advance(&clock, 12, 0), 3600000);
    assert_int_equal(hb_clock_wall_of(&clock, first + 5), WALL + 5000);
    /* Back by less than passed: nothing stored can lie in the future. */
    assert_int_equal(advance(&clock, 13, -500), 0);
    assert_int_equal(hb_clock_wall_of(&clock, first + 5), WALL + 4500);
    /* Both clocks are read one after the other: a quarter of a second is noise. */
    assert_int_equal(advance(&clock, 14, -300), 0);
    assert_int_equal(hb_clock_wall_of(&clock, first + 5), WALL + 4500);
}

/* No tick is later than the wall clock, not even when the wall clock was read a moment too early. */
static void test_never_in_the_future(void **state)
{
    (void)state;
    dice d = {.state = 99};
    hb_clock clock = started(0);
    int64_t jump = 0;
    for (int64_t second = 1; second <= 2000; second++) {
        if (dice_percent(&d, 5)) {
            jump += (int64_t)dice_below(&d, 20000) - 10000;
        }
        int64_t noise = (int64_t)dice_below(&d, 400) - 200;
        advance(&clock, second, jump + noise);
        for (uint32_t back = 0; back < 20 && back <= (uint32_t)second; back++) {
            assert_true(hb_clock_wall_of(&clock, clock.tick - back) <= WALL + second * 1000 + jump + noise);
            if (back > 0) {
                assert_true(hb_clock_wall_of(&clock, clock.tick - back) <=
                            hb_clock_wall_of(&clock, clock.tick - back + 1));
            }
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_second_is_a_tick),
        cmocka_unit_test(test_jitter),
        cmocka_unit_test(test_late_calls),
        cmocka_unit_test(test_late_tick),
        cmocka_unit_test(test_a_stall_is_one_tick),
        cmocka_unit_test(test_long_stalls),
        cmocka_unit_test(test_many_stalls),
        cmocka_unit_test(test_tick_of),
        cmocka_unit_test(test_origin_with_a_fraction),
        cmocka_unit_test(test_wall_jumps),
        cmocka_unit_test(test_never_in_the_future),
    };
    return cmocka_run_group_tests_name("clock", tests, NULL, NULL);
}
