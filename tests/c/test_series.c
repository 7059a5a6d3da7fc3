/* The data of the plots: points, percentiles, what is on disk, and the text of the metrics. */
#include "support.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#ifndef _WIN32
#include <signal.h>
#include <sys/resource.h>
#endif

#include <jansson.h>

#include "core.h"

static int set_up(void **state)
{
    rig *r = calloc(1, sizeof *r);
    if (!r) {
        return -1;
    }
    rig_init(r, INT64_C(1000) * 1000000);
    rig_policy(r, "{\"idle\": \"10s\", \"ack_timeout\": \"5s\", \"retries\": 0}", 20000, true);
    *state = r;
    return 0;
}

static int tear_down(void **state)
{
    rig_close(*state);
    free(*state);
    return 0;
}

static json_t *series(const rig *r, hb_span span)
{
    char *text = NULL;
    size_t length = 0;
    assert_int_equal(hb_core_series(r->core, span, &text, &length), HB_OK);
    assert_int_equal(strlen(text), length);
    json_t *json = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
    assert_non_null(json);
    hb_string_free(text);
    return json;
}

static json_int_t sum(const json_t *json, const char *key)
{
    const json_t *points = json_object_get(json, "points");
    json_int_t all = 0;
    for (size_t i = 0; i < json_array_size(points); i++) {
        all += json_integer_value(json_object_get(json_array_get(points, i), key));
    }
    return all;
}

/* Two sessions, one of them dead: it is pinged, and closed; the other one answers after 20 ms. */
static void live(rig *r)
{
    hb_token dead = rig_login(r, "dead@example.org/a", true);
    hb_token alive = rig_login(r, "alive@example.org/a", false);
    int64_t from = rig_second(r);
    rig_due due;
    rig_step(r, from + 10);
    while (rig_take(r, &due)) {
        rig_begin(r, due.action.token, HB_PING, 0, HB_PING);
        if (due.action.token == alive) {
            int64_t at = r->now_us + 20000;
            assert_int_equal(hb_core_pong(r->core, alive, rig_text, strlen(rig_text), at), 1);
            rig_read(r, alive);
        }
    }
    rig_expect(r, from + 16, dead, HB_DISCONNECT, HB_WHY_NO_ANSWER);
    rig_begin(r, dead, HB_DISCONNECT, 0, HB_CLOSE);
    assert_int_equal(hb_core_closed(r->core, dead), HB_OK);
    rig_expect(r, from + 18, dead, HB_UNAVAILABLE, HB_WHY_NOT_TOLD);
    rig_begin(r, dead, HB_UNAVAILABLE, 0, HB_UNAVAILABLE);
    assert_int_equal(hb_core_closed(r->core, alive), HB_OK);
    rig_quiet(r, from + 19);
}

static void test_points(void **state)
{
    rig *r = *state;
    live(r);
    for (int span = HB_HOUR; span <= HB_WEEK; span++) {
        json_t *json = series(r, (hb_span)span);
        assert_int_equal(sum(json, "ticks"), rig_second(r));
        assert_int_equal(sum(json, "opened"), 2);
        assert_int_equal(sum(json, "over"), 2);
        assert_int_equal(sum(json, "pings"), 2);
        assert_int_equal(sum(json, "pongs"), 1);
        assert_int_equal(sum(json, "told"), 1);
        const json_t *points = json_object_get(json, "points");
        json_int_t closed = 0;
        json_int_t trips = 0;
        double sessions = 0;
        for (size_t i = 0; i < json_array_size(points); i++) {
            const json_t *p = json_array_get(points, i);
            closed += json_integer_value(json_object_get(json_object_get(p, "disconnects"), "no-answer"));
            const json_t *rtt = json_object_get(p, "rtt_us");
            if (json_is_object(rtt)) {
                trips += json_integer_value(json_object_get(rtt, "count"));
                assert_in_range(json_integer_value(json_object_get(rtt, "p50")), 15000, 20000);
                assert_in_range(json_integer_value(json_object_get(rtt, "p99")), 15000, 20000);
            }
            sessions += json_real_value(json_object_get(json_object_get(p, "sessions"), "alive")) *
                        (double)json_integer_value(json_object_get(p, "ticks"));
            assert_int_equal(json_integer_value(json_object_get(p, "at_ms")) %
                                 (1000 * json_integer_value(json_object_get(json, "step_s"))),
                             0);
        }
        assert_int_equal(closed, 1);
        assert_int_equal(trips, 1);
        assert_true(sessions > 20 && sessions < 40);
        json_decref(json);
    }
    char *text = NULL;
    size_t length = 0;
    assert_int_equal(hb_core_series(r->core, (hb_span)3, &text, &length), HB_EINVAL);
}

/* Each ring has what came in its time, and no more, whatever the wall clock does. */
static void test_rings(void **state)
{
    (void)state;
    hb_series *s = calloc(1, sizeof *s);
    hb_point *points = calloc(HB_SERIES_POINTS, sizeof *points);
    assert_non_null(s);
    assert_non_null(points);
    hb_totals now = {0};
    int64_t wall_ms = RIG_WALL_MS;
    for (int i = 0; i < 8 * 24 * 3600; i++) {
        now.pings += 2;
        wall_ms += 1000;
        hb_series_tick(s, &now, wall_ms);
    }
    for (int span = HB_HOUR; span <= HB_WEEK; span++) {
        size_t count = hb_series_ring(s, (hb_span)span, wall_ms, points);
        assert_int_equal(count, hb_series_size((hb_span)span));
        for (size_t i = 0; i < count; i++) {
            assert_int_equal(points[i].pings, 2 * points[i].ticks);
            assert_true(i == 0 || points[i].place == points[i - 1].place + 1);
            bool last = i == count - 1;
            assert_true(last || points[i].ticks == hb_series_step_ms((hb_span)span) / 1000);
        }
        assert_int_equal(hb_series_ring(s, (hb_span)span, wall_ms + INT64_C(3650) * 24 * 3600 * 1000, points), 0);
        assert_int_equal(hb_series_ring(s, (hb_span)span, 0, points), 0);
    }
    /* Set back by half an hour: what is in the future is not told, and is gone when that time comes again. */
    wall_ms -= 1800 * 1000;
    now.pings++;
    hb_series_tick(s, &now, wall_ms);
    size_t count = hb_series_ring(s, HB_HOUR, wall_ms, points);
    assert_true(count > 0 && points[count - 1].place == wall_ms / 10000 + 1);
    hb_series_tick(s, &now, -5);
    free(points);
    free(s);
}

static void test_percentiles(void **state)
{
    (void)state;
    uint32_t counts[HB_RTT_BUCKETS] = {0};
    assert_int_equal(hb_rtt_percentile(counts, 50), -1);
    for (uint32_t us = 0; us < 100000; us += 10) {
        counts[hb_rtt_bucket(us)]++;
    }
    for (unsigned percent = 1; percent <= 100; percent++) {
        int64_t p = hb_rtt_percentile(counts, percent);
        assert_in_range(p, (int64_t)percent * 1000 - 200, (int64_t)percent * 1000 + 200);
    }
    for (size_t i = 0; i < HB_RTT_BUCKETS - 1; i++) {
        assert_int_equal(hb_rtt_bucket(HB_RTT_BOUNDS_US[i]), i);
        assert_int_equal(hb_rtt_bucket(HB_RTT_BOUNDS_US[i] + 1), i + 1);
    }
    uint32_t slow[HB_RTT_BUCKETS] = {[HB_RTT_BUCKETS - 1] = 3};
    assert_int_equal(hb_rtt_percentile(slow, 50), 70000000);
}

static int lines;

static void say(void *to, const char *line)
{
    assert_ptr_equal(to, &lines);
    assert_non_null(strstr(line, "series.damaged"));
    lines++;
}

/* Written by one core, read by the next; whatever is changed in it is found, and kept aside. */
static void test_disk(void **state)
{
    rig *r = *state;
    hb_error error = {0};
    char folder[FOLDER_PATH];
    char file[FOLDER_PATH + 16];
    char damaged[FOLDER_PATH + 16];
    folder_new(folder);
    text_print(file, sizeof file, "%s/series", folder);
    text_print(damaged, sizeof damaged, "%s/series.damaged", folder);
    live(r);
    assert_int_equal(hb_core_series_save(r->core, "/nowhere/at/all", &error), HB_EJOURNAL);
    assert_string_equal(error.path, "/nowhere/at/all");
    assert_true(strlen(error.text) > 20);
    assert_int_equal(hb_core_series_save(r->core, folder, &error), HB_OK);
    assert_int_equal(hb_core_series_save(r->core, folder, &error), HB_OK);

    rig *next = calloc(1, sizeof *next);
    assert_non_null(next);
    rig_init(next, r->now_us);
    next->wall_ms = rig_wall_ms(r);
    assert_int_equal(hb_core_series_open(next->core, folder, say, &lines, &error), HB_OK);
    rig_quiet(next, 1);
    json_t *json = series(next, HB_DAY);
    assert_int_equal(sum(json, "pings"), 2);
    assert_int_equal(sum(json, "ticks"), rig_second(r) + 1);
    json_decref(json);
    assert_int_equal(lines, 0);

    static const long places[] = {0, 9, 13, 17, 21, 25, 31, 40, 200000, -1, -8};
    for (size_t i = 0; i <= sizeof places / sizeof places[0]; i++) {
        assert_int_equal(hb_core_series_save(r->core, folder, &error), HB_OK);
        if (i == sizeof places / sizeof places[0]) {
            assert_int_equal(truncate(file, 1000), 0);
        } else {
            FILE *f = fopen(file, "r+b");
            assert_non_null(f);
            assert_int_equal(fseek(f, places[i], places[i] < 0 ? SEEK_END : SEEK_SET), 0);
            int byte = fgetc(f);
            assert_int_equal(fseek(f, places[i], places[i] < 0 ? SEEK_END : SEEK_SET), 0);
            assert_int_equal(fputc(byte ^ 1, f), byte ^ 1);
            assert_int_equal(fclose(f), 0);
        }
        assert_int_equal(hb_core_series_open(next->core, folder, say, &lines, &error), HB_OK);
        assert_int_equal(lines, i + 1);
        assert_int_not_equal(access(file, F_OK), 0);
        assert_int_equal(access(damaged, F_OK), 0);
    }
    /* It has what it had. */
    json = series(next, HB_DAY);
    assert_int_equal(sum(json, "pings"), 2);
    json_decref(json);
    assert_int_equal(hb_core_series_open(next->core, "/nowhere/at/all", NULL, NULL, &error), HB_EJOURNAL);
    rig_close(next);
    free(next);
    folder_remove(folder);
}

#ifndef _WIN32
/* A disk that gets full on the way: what was written before is left, and of what could not be nothing. */
static void test_full_disk(void **state)
{
    rig *r = *state;
    hb_error error = {0};
    char folder[FOLDER_PATH];
    char file[FOLDER_PATH + 16];
    char begun[FOLDER_PATH + 16];
    struct rlimit before;
    struct stat about;
    folder_new(folder);
    text_print(file, sizeof file, "%s/series", folder);
    text_print(begun, sizeof begun, "%s/series.new", folder);
    assert_int_equal(hb_core_series_save(r->core, folder, &error), HB_OK);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    const struct rlimit full = {.rlim_cur = 1000, .rlim_max = before.rlim_max};
    void (*old)(int) = signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &full), 0);
    int code = hb_core_series_save(r->core, folder, &error);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    (void)signal(SIGXFSZ, old);
    assert_int_equal(code, HB_EJOURNAL);
    assert_string_equal(error.path, folder);
    assert_non_null(strstr(error.text, "series can not be written: "));
    assert_int_not_equal(access(begun, F_OK), 0);
    assert_int_equal(stat(file, &about), 0);
    assert_int_equal(about.st_size, HB_SERIES_BYTES);
    assert_int_equal(hb_core_series_open(r->core, folder, say, &lines, &error), HB_OK);
    /* What can not take its name does not stay either. */
    assert_int_equal(remove(file), 0);
    assert_int_equal(mkdir(file, 0700), 0);
    assert_int_equal(hb_core_series_save(r->core, folder, &error), HB_EJOURNAL);
    assert_int_not_equal(access(begun, F_OK), 0);
    assert_int_equal(rmdir(file), 0);
    folder_remove(folder);
}
#endif

static void test_metrics(void **state)
{
    rig *r = *state;
    static char text[HB_METRICS_BYTES];
    size_t length = 0;
    live(r);
    for (int open = 0; open < 2; open++) {
        assert_int_equal(hb_core_metrics(r->core, open, text, sizeof text - 1, &length), HB_OK);
        text[length] = '\0';
        assert_true(text[length - 1] == '\n' && length < sizeof text / 2);
        assert_non_null(strstr(text, "\nheartbeat_pings_total 2\n"));
        assert_non_null(strstr(text, "\nheartbeat_disconnects_total{reason=\"no-answer\"} 1\n"));
        assert_non_null(strstr(text, "\nheartbeat_sessions{state=\"alive\"} 0\n"));
        assert_non_null(strstr(text, "_bucket{le=\"0.015\"} 0\n"));
        assert_non_null(strstr(text, "_bucket{le=\"0.02\"} 1\n"));
        assert_non_null(strstr(text, "_bucket{le=\"+Inf\"} 1\n"));
        assert_non_null(strstr(text, "_sum 0.020000\n"));
        assert_non_null(
            strstr(text, open ? "# TYPE heartbeat_pings counter\n" : "# TYPE heartbeat_pings_total counter\n"));
        assert_int_equal(strstr(text, "# EOF\n") == text + length - 6, open);
        assert_int_equal(strstr(text, "# UNIT") != NULL, open);
        /* Whatever the room, it is all of it or none. */
        for (size_t room = 0; room <= length; room += 97) {
            size_t untouched = 12345;
            assert_int_equal(hb_core_metrics(r->core, open, text, room, &untouched), HB_EFULL);
            assert_int_equal(untouched, 12345);
        }
    }
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_points),    TEST(test_rings), TEST(test_percentiles), TEST(test_disk), TEST(test_metrics),
#ifndef _WIN32
        TEST(test_full_disk),
#endif
    };
    return cmocka_run_group_tests_name("series", tests, NULL, NULL);
}
