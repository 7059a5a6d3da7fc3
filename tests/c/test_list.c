/* Sessions, filtered, sorted and a page of them, against a plain sort of all. */
#include "support.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core.h"

static int set_up(void **state)
{
    rig *r = calloc(1, sizeof *r);
    if (!r) {
        return -1;
    }
    rig_init(r, INT64_C(1000) * 1000000);
    rig_policy(r, "{\"idle\": \"10s\", \"ack_timeout\": \"5s\", \"retries\": 1, \"login_within\": \"20s\"}", 20000,
               true);
    *state = r;
    return 0;
}

static int tear_down(void **state)
{
    rig_close(*state);
    free(*state);
    return 0;
}

static hb_listing *list(const rig *r, hb_list_query query)
{
    hb_listing *listing = NULL;
    if (!query.limit) {
        query.limit = HB_LIST_MAX;
    }
    query.length = query.text ? strlen(query.text) : 0;
    assert_int_equal(hb_core_list(r->core, &query, &listing), HB_OK);
    assert_non_null(listing);
    return listing;
}

/* The JIDs of the rows, each with a space behind it. "-" for one that did not log in. */
static const char *names(const rig *r, hb_list_query query)
{
    static char text[4096];
    size_t length = 0;
    hb_listing *listing = list(r, query);
    text[0] = '\0';
    for (size_t i = 0; i < listing->count; i++) {
        const hb_row *row = &listing->rows[i];
        const char *at = row->jid ? memchr(row->jid, '@', row->jid_length) : NULL;
        text_print(text + length, sizeof text - length, "%.*s ", at ? (int)(at - row->jid) : 1,
                   row->jid ? row->jid : "-");
        length += strlen(text + length);
    }
    hb_listing_free(listing);
    return text;
}

static hb_row row_of(const hb_listing *listing, hb_token token)
{
    hb_row row = {0};
    for (size_t i = 0; i < listing->count; i++) {
        row = listing->rows[i].token == token ? listing->rows[i] : row;
    }
    assert_true(row.token == token);
    return row;
}

static void test_nobody(void **state)
{
    rig *r = *state;
    hb_listing *listing = list(r, (hb_list_query){.sort = HB_SORT_ENDS, .offset = 5});
    assert_int_equal(listing->count, 0);
    assert_int_equal(listing->total, 0);
    hb_listing_free(listing);
    hb_listing_free(NULL);
}

static void test_bad_queries(void **state)
{
    rig *r = *state;
    hb_listing *listing = NULL;
    static const char text[HB_LIST_TEXT + 1] = "";
    const hb_list_query bad[] = {{.limit = 0},
                                 {.limit = HB_LIST_MAX + 1},
                                 {.limit = 1, .text = text, .length = sizeof text},
                                 {.limit = 1, .text = NULL, .length = 1},
                                 {.limit = 1, .sort = (hb_sort)(HB_SORT_TRANSPORT + 1)}};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_int_equal(hb_core_list(r->core, &bad[i], &listing), HB_EINVAL);
        assert_null(listing);
    }
}

/* What is told of each, in all states. */
static void test_rows(void **state)
{
    rig *r = *state;
    hb_token pinged = rig_login(r, "pinged@example.org/a", true);
    hb_token answered = rig_login(r, "answered@example.org/a", false);
    rig_expect(r, 10, pinged, HB_PING, HB_WHY_IDLE);
    rig_begin(r, pinged, HB_PING, 0, HB_PING);
    rig_expect(r, 10, answered, HB_PING, HB_WHY_IDLE);
    rig_begin(r, answered, HB_PING, 0, HB_PING);
    r->now_us += 250000;
    assert_int_equal(hb_core_pong(r->core, answered, rig_text, strlen(rig_text), r->now_us), 1);
    rig_read(r, answered);
    hb_token fresh = 0;
    assert_int_equal(hb_core_open(r->core, HB_BOSH, 30, r->now_us, r->now_us, &fresh), HB_OK);
    hb_token away = rig_login(r, "away@example.org/a", true);
    assert_int_equal(hb_core_detached(r->core, away), HB_OK);
    hb_token gone = rig_login(r, "gone@example.org/a", true);
    assert_int_equal(hb_core_closed(r->core, gone), HB_OK);
    rig_stall(r, 11);
    rig_tick(r);

    hb_listing *l = list(r, (hb_list_query){0});
    assert_int_equal(l->count, 5);
    assert_int_equal(l->total, 5);
    hb_row row = row_of(l, pinged);
    assert_int_equal(row.state, HB_PINGED);
    assert_int_equal(row.pings, 1);
    assert_int_equal(row.silent_s, 11);
    assert_int_equal(row.rtt_us, -1);
    assert_int_equal(row.ends_s, 10); /* a second ping at 15, and 5 s + 1 */
    assert_int_equal(row.why, HB_WHY_IDLE);
    assert_true(row.available);
    row = row_of(l, answered);
    assert_int_equal(row.state, HB_ALIVE);
    assert_int_equal(row.rtt_us, 250000);
    assert_int_equal(row.ends_s, 20); /* read in tick 10, idle 10, twice 5, and 1 */
    assert_false(row.available);
    assert_int_equal(row.jid_length, strlen("answered@example.org/a"));
    row = row_of(l, fresh);
    assert_int_equal(row.state, HB_CONNECTED);
    assert_int_equal(row.transport, HB_BOSH);
    assert_int_equal(row.ends_s, 20);
    assert_null(row.jid);
    row = row_of(l, away);
    assert_int_equal(row.state, HB_DETACHED);
    assert_int_equal(row.ends_s, -1);
    assert_int_equal(row_of(l, gone).state, HB_CLOSED);
    for (int s = HB_CONNECTED; s <= HB_CLOSED; s++) {
        assert_int_equal(l->counts[s], s != HB_PINGING && s != HB_CLOSING);
    }
    hb_listing_free(l);

    /* Read from since its ping it has answered, though the core did not look yet. */
    rig_read(r, pinged);
    l = list(r, (hb_list_query){.states = 1U << HB_ALIVE, .sort = HB_SORT_SILENT});
    assert_int_equal(l->total, 2);
    assert_int_equal(l->counts[HB_PINGED], 0);
    assert_int_equal(l->counts[HB_CLOSED], 1); /* counted beside the filter by state */
    assert_true(l->rows[0].token == pinged && l->rows[0].silent_s == 0 && l->rows[0].pings == 0);
    hb_listing_free(l);
}

/* What is told as the end of silence is the tick at which it comes. */
static void test_ends(void **state)
{
    static const char *const policies[] = {
        "{\"idle\": \"10s\", \"ack_timeout\": \"5s\", \"retries\": 0}",
        "{\"idle\": \"10s\", \"ack_timeout\": \"5s\", \"retries\": 3}",
        "{\"idle\": \"10s\", \"ack_timeout\": \"5s\", \"retries\": 1, \"spread\": \"9s\"}",
        "{\"idle\": \"10s\", \"ack_timeout\": \"5s\", \"retries\": 1, \"ping\": false}",
    };
    rig *r = *state;
    for (size_t i = 0; i < sizeof policies / sizeof policies[0]; i++) {
        rig_policy(r, policies[i], 20000, true);
        hb_token t = rig_login(r, "silent@example.org/a", false);
        int64_t ends = -1;
        bool over = false;
        while (!over) {
            hb_listing *l = list(r, (hb_list_query){0});
            int64_t told = rig_second(r) + row_of(l, t).ends_s;
            assert_true(ends < 0 || told == ends);
            ends = told;
            hb_listing_free(l);
            rig_due due;
            rig_step(r, rig_second(r) + 1);
            while (!over && rig_take(r, &due)) {
                over = due.action.verb == HB_DISCONNECT;
                rig_begin(r, t, (hb_verb)due.action.verb, 0, over ? HB_CLOSE : HB_PING);
            }
        }
        assert_int_equal(rig_second(r), ends);
        assert_int_equal(hb_core_closed(r->core, t), HB_OK);
    }
    rig_policy(r, "{\"idle\": \"off\"}", 20000, true);
    hb_token t = rig_login(r, "quiet@example.org/a", false);
    hb_token own = 0;
    assert_int_equal(hb_core_open(r->core, HB_WEBSOCKET, 30, r->now_us, r->now_us, &own), HB_OK);
    assert_int_equal(hb_core_bound(r->core, own, "web@example.org/a", 17, false), HB_OK);
    hb_listing *l = list(r, (hb_list_query){0});
    assert_int_equal(row_of(l, t).ends_s, -1);
    assert_int_equal(row_of(l, own).ends_s, 30); /* by the server itself */
    hb_listing_free(l);
}

static void test_order(void **state)
{
    rig *r = *state;
    hb_token c = rig_login(r, "carol@example.org/x", true);
    rig_quiet(r, 3);
    hb_token a = rig_login(r, "alice@example.org/x", true);
    (void)rig_open(r);
    rig_quiet(r, 5);
    hb_token b = rig_login(r, "Bob@example.org/x", true);
    (void)c;
    hb_action action;
    assert_int_equal(hb_core_ask(r->core, a, HB_PING, &action), 1);
    rig_begin(r, a, HB_PING, 0, HB_PING);
    r->now_us += 1000;
    assert_int_equal(hb_core_pong(r->core, a, rig_text, strlen(rig_text), r->now_us), 1);
    assert_int_equal(hb_core_ask(r->core, b, HB_PING, &action), 1);
    rig_begin(r, b, HB_PING, 0, HB_PING);
    r->now_us += 2000;
    assert_int_equal(hb_core_pong(r->core, b, rig_text, strlen(rig_text), r->now_us), 1);

    assert_string_equal(names(r, (hb_list_query){0}), "- Bob alice carol ");
    assert_string_equal(names(r, (hb_list_query){.descending = true}), "carol alice Bob - ");
    assert_string_equal(names(r, (hb_list_query){.sort = HB_SORT_SILENT}), "Bob - alice carol ");
    assert_string_equal(names(r, (hb_list_query){.sort = HB_SORT_SILENT, .descending = true}), "carol - alice Bob ");
    assert_string_equal(names(r, (hb_list_query){.sort = HB_SORT_RTT}), "alice Bob - carol ");
    assert_string_equal(names(r, (hb_list_query){.sort = HB_SORT_RTT, .descending = true}), "Bob alice - carol ");
    assert_string_equal(names(r, (hb_list_query){.sort = HB_SORT_STATE}), "- Bob alice carol ");
    assert_string_equal(names(r, (hb_list_query){.sort = HB_SORT_ENDS}), "carol - alice Bob ");
    assert_string_equal(names(r, (hb_list_query){.sort = HB_SORT_TRANSPORT}), "- Bob alice carol ");
    assert_string_equal(names(r, (hb_list_query){.sort = HB_SORT_PINGS}), "- Bob alice carol ");
    assert_string_equal(names(r, (hb_list_query){.limit = 2, .offset = 1}), "Bob alice ");
    assert_string_equal(names(r, (hb_list_query){.limit = 2, .offset = 3}), "carol ");
    assert_string_equal(names(r, (hb_list_query){.limit = 2, .offset = SIZE_MAX}), "");
    assert_string_equal(names(r, (hb_list_query){.text = "BOB"}), "Bob ");
    assert_string_equal(names(r, (hb_list_query){.text = "L"}), "Bob alice carol ");
    assert_string_equal(names(r, (hb_list_query){.text = "ol@"}), "carol ");
    assert_string_equal(names(r, (hb_list_query){.text = "example.org/xx"}), "");
    assert_string_equal(names(r, (hb_list_query){.transports = 1U << HB_BOSH}), "");
    assert_string_equal(names(r, (hb_list_query){.states = 1U << HB_CONNECTED}), "- ");
}

/* A JID longer than what decides its place, and than what is usual. */
static void test_long(void **state)
{
    rig *r = *state;
    static char jid[HB_JID_MAX + 1];
    memset(jid, 'a', HB_JID_MAX);
    memcpy(jid + 100, "@x/", 3);
    for (int i = 0; i < 3; i++) {
        jid[HB_JID_MAX - 1] = (char)('0' + i);
        (void)rig_login(r, jid, false);
    }
    hb_listing *l = list(r, (hb_list_query){0});
    assert_int_equal(l->count, 3);
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(l->rows[i].jid_length, HB_JID_MAX);
        jid[HB_JID_MAX - 1] = (char)('0' + i); /* the same in front: in the order of their slots */
        assert_memory_equal(l->rows[i].jid, jid, HB_JID_MAX);
    }
    hb_listing_free(l);
}

#define MANY 40000u

static int by_name(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Further on than one pass can find, each page is where it belongs, and nobody comes twice. */
static void test_many(void **state)
{
    rig *r = *state;
    static char texts[MANY][24];
    static const char *sorted[MANY];
    dice d = {.state = 42};
    for (size_t i = 0; i < MANY; i++) {
        text_print(texts[i], sizeof texts[i], "u%08x%zu@x/r", dice_below(&d, UINT32_MAX), i % 10);
        sorted[i] = texts[i];
        (void)rig_login(r, texts[i], false);
    }
    qsort((void *)sorted, MANY, sizeof sorted[0], by_name);
    for (int down = 0; down < 2; down++) {
        for (size_t offset = 0; offset < MANY + 2000; offset += 977) {
            hb_listing *l = list(r, (hb_list_query){.offset = offset, .limit = 100, .descending = down});
            size_t expected = offset >= MANY ? 0 : MANY - offset < 100 ? MANY - offset : 100;
            assert_int_equal(l->count, expected);
            assert_int_equal(l->total, MANY);
            for (size_t i = 0; i < l->count; i++) {
                size_t at = down ? MANY - 1 - offset - i : offset + i;
                assert_int_equal(l->rows[i].jid_length, strlen(sorted[at]));
                assert_memory_equal(l->rows[i].jid, sorted[at], l->rows[i].jid_length);
            }
            hb_listing_free(l);
        }
    }
    /* All the same by what they are sorted by: in the order of their names. */
    hb_listing *l = list(r, (hb_list_query){.offset = 20000, .limit = 5, .sort = HB_SORT_STATE, .descending = true});
    assert_int_equal(l->count, 5);
    assert_memory_equal(l->rows[0].jid, sorted[20000], l->rows[0].jid_length);
    hb_listing_free(l);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_nobody), TEST(test_bad_queries), TEST(test_rows), TEST(test_ends),
        TEST(test_order),  TEST(test_long),        TEST(test_many),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
