/* The core through its public header: tokens and pages, arguments, what is told of users and of itself. What is decided
 * when is in the transcripts. */
#include "support.h"

#include <stdlib.h>
#include <string.h>

#include <jansson.h>

static int start(void **state)
{
    rig *r = calloc(1, sizeof *r);
    assert_non_null(r);
    rig_init(r, INT64_C(5000) * 1000000);
    rig_policy(r, NULL, 20000, true);
    *state = r;
    return 0;
}

static int finish(void **state)
{
    rig_close(*state);
    free(*state);
    return 0;
}

/* told-once: who was forgotten and came back is here, whatever becomes of the session from before. */
static void test_forgotten_twin(void **state)
{
    rig *r = *state;
    hb_token before = rig_login(r, "bob@example.org/phone", true);
    assert_int_equal(hb_core_forget(r->core, "bob", 3), 1);
    rig_login(r, "bob@example.org/desk", true);
    hb_token twin = rig_login(r, "bob@example.org/phone", false);
    assert_int_equal(hb_core_closed(r->core, before), HB_OK);
    rig_expect(r, 2, before, HB_UNAVAILABLE, HB_WHY_NOT_TOLD);
    rig_begin(r, before, HB_UNAVAILABLE, 0, HB_NOTHING);
    assert_int_equal(hb_core_closed(r->core, twin), HB_OK);
    rig_expect(r, 4, twin, HB_UNAVAILABLE, HB_WHY_NOT_TOLD);
    rig_begin(r, twin, HB_UNAVAILABLE, 0, HB_UNAVAILABLE);
    assert_string_equal(rig_text, "bob@example.org/phone");
}

/* What the client of a session that is over had to say is told of its user, unless that one was forgotten. */
static void test_late_status(void **state)
{
    rig *r = *state;
    for (int forgotten = 0; forgotten < 2; forgotten++) {
        hb_token token = rig_login(r, "bob@example.org/phone", true);
        hb_activity a;
        assert_int_equal(hb_core_closed(r->core, token), HB_OK);
        assert_int_equal(hb_core_last_activity(r->core, "bob", 3, &a), 1);
        assert_int_equal(a.length, 0);
        if (forgotten)
            assert_int_equal(hb_core_forget(r->core, "bob", 3), 1);
        assert_int_equal(hb_core_unavailable(r->core, token, "On the train", 12, false), HB_OK);
        assert_int_equal(hb_core_last_activity(r->core, "bob", 3, &a), !forgotten);
        assert_int_equal(a.length, forgotten ? 0 : 12);
        assert_int_equal(hb_core_unavailable(r->core, token, "On the train", 12, false), HB_ESTALE);
    }
}

/* Contacts of who was forgotten are told all the same, if nobody is there under that name, or from another device. */
static void test_forgotten_is_told(void **state)
{
    rig *r = *state;
    for (int again = 0; again < 2; again++) {
        hb_token phone = rig_login(r, "bob@example.org/phone", true);
        assert_int_equal(hb_core_forget(r->core, "bob", 3), 1);
        if (again)
            rig_login(r, "bob@example.org/desk", true);
        assert_int_equal(hb_core_closed(r->core, phone), HB_OK);
        rig_expect(r, 2 + 2 * again, phone, HB_UNAVAILABLE, HB_WHY_NOT_TOLD);
        rig_begin(r, phone, HB_UNAVAILABLE, 0, HB_UNAVAILABLE);
        assert_string_equal(rig_text, "bob@example.org/phone");
    }
}

static json_t *status_of(rig *r, bool detail)
{
    char *text = NULL;
    size_t length = 0;
    json_error_t error;
    assert_int_equal(hb_core_status(r->core, detail, &text, &length), HB_OK);
    assert_int_equal(strlen(text), length);
    json_t *json = json_loads(text, JSON_REJECT_DUPLICATES, &error);
    if (!json) {
        fail_msg("%s in %s", error.text, text);
    }
    hb_string_free(text);
    return json;
}

static json_int_t number_at(const json_t *json, const char *group, const char *key)
{
    const json_t *from = group ? json_object_get(json, group) : json;
    const json_t *value = json_object_get(from, key);
    if (!json_is_integer(value)) {
        fail_msg("no number %s in %s", key, group ? group : "the status");
    }
    return json_integer_value(value);
}

static json_int_t counted(rig *r, const char *group, const char *key)
{
    json_t *json = status_of(r, false);
    json_int_t value = number_at(json, group, key);
    json_decref(json);
    return value;
}

static hb_activity seen(rig *r, const char *user)
{
    hb_activity activity;
    assert_int_equal(hb_core_last_activity(r->core, user, strlen(user), &activity), 1);
    return activity;
}

static void test_texts(void **state)
{
    (void)state;
#define X(name, value, text) assert_string_equal(hb_strerror(name), text);
    HB_ERRORS(X)
#undef X
    assert_non_null(hb_strerror(-9999));
    assert_non_null(hb_strerror(9999));
    assert_string_equal(hb_version(), HB_VERSION);
}

static void test_new(void **state)
{
    (void)state;
    hb_core *a = NULL;
    hb_core *b = NULL;
    uint32_t *cells = calloc(2 * HB_PAGE_CELLS, HB_CELL_BYTES);
    assert_non_null(cells);
    assert_int_equal(hb_core_new(NULL, 0, RIG_WALL_MS, &a), HB_OK);
    assert_int_equal(hb_core_new(NULL, 0, RIG_WALL_MS, &b), HB_OK);
    assert_int_equal(hb_core_add_page(a, cells), HB_OK);
    assert_int_equal(hb_core_add_page(b, cells + HB_PAGE_CELLS), HB_OK);
    /* Two cores of random keys have nothing in common but what they were told. */
    hb_core *cores[] = {a, b};
    hb_order orders[2];
    for (size_t i = 0; i < 2; i++) {
        hb_token token;
        hb_action action;
        size_t count;
        uint32_t tick;
        assert_int_equal(hb_core_open(cores[i], HB_TCP, 0, 0, 0, &token), HB_OK);
        assert_int_equal(hb_core_bound(cores[i], token, "a@b/c", 5, false), HB_OK);
        /* What a server that was never configured gets: a ping after 180 s. */
        for (int64_t second = 1; second <= 180; second++) {
            int more =
                hb_core_advance(cores[i], second * 1000000, RIG_WALL_MS + second * 1000, &action, 1, &count, &tick);
            assert_true(more >= 0);
            assert_int_equal(count, second == 180);
        }
        assert_int_equal(action.verb, HB_PING);
        assert_int_equal(hb_core_begin(cores[i], token, HB_PING, 0, 180000000, &orders[i]), HB_OK);
        assert_int_equal(orders[i].verb, HB_PING);
    }
    assert_int_equal(orders[0].length, orders[1].length);
    assert_memory_not_equal(orders[0].text, orders[1].text, orders[0].length);
    hb_core_free(a);
    hb_core_free(b);
    hb_core_free(NULL);
    free(cells);
}

static void test_pages(void **state)
{
    (void)state;
    enum { PAGES = 3 };
    hb_core *core = NULL;
    hb_token token = 4711;
    assert_int_equal(hb_core_new(NULL, 0, RIG_WALL_MS, &core), HB_OK);
    assert_int_equal(hb_core_open(core, HB_TCP, 0, 0, 0, &token), HB_EFULL);
    assert_int_equal(token, 4711);
    assert_int_equal(hb_core_add_page(core, NULL), HB_EINVAL);
    uint32_t *cells = calloc(PAGES * HB_PAGE_CELLS + 1, HB_CELL_BYTES);
    uint8_t *known = calloc(PAGES, HB_PAGE_CELLS);
    hb_token *tokens = calloc(PAGES * HB_PAGE_CELLS, sizeof *tokens);
    assert_true(cells && known && tokens);
    assert_int_equal(hb_core_add_page(core, (uint32_t *)(void *)((char *)cells + 1)), HB_EINVAL);
    for (size_t p = 0; p < PAGES; p++) {
        assert_int_equal(hb_core_add_page(core, cells + p * HB_PAGE_CELLS), HB_OK);
        for (size_t i = 0; i < HB_PAGE_CELLS; i++) {
            assert_int_equal(hb_core_open(core, HB_TCP, 0, 0, 0, &token), HB_OK);
            assert_true((int64_t)token > 0);
            uint32_t slot = (uint32_t)token;
            assert_true(slot < (p + 1) * HB_PAGE_CELLS);
            assert_int_equal(known[slot], 0);
            known[slot] = 1;
            tokens[slot] = token;
        }
        assert_int_equal(hb_core_open(core, HB_TCP, 0, 0, 0, &token), HB_EFULL);
    }
    /* A slot that comes back has another token, every time. */
    hb_token old = tokens[5000];
    for (int i = 0; i < 1000; i++) {
        assert_int_equal(hb_core_closed(core, old), HB_OK);
        assert_int_equal(hb_core_closed(core, old), HB_ESTALE);
        assert_int_equal(hb_core_open(core, HB_TCP, 0, 0, 0, &token), HB_OK);
        assert_int_equal((uint32_t)token, 5000);
        assert_true(token != old);
        old = token;
    }
    free(tokens);
    free(known);
    hb_core_free(core);
    free(cells);
}

static void test_arguments(void **state)
{
    rig *r = *state;
    static char jid[HB_JID_MAX + 2];
    hb_action action;
    hb_order order;
    size_t count = 99;
    uint32_t tick;
    hb_token phone = rig_open(r);
    hb_token laptop = rig_open(r);

    rig_begin(r, phone, HB_UNAVAILABLE, 0, HB_NOTHING); /* there is no JID yet, nor room for one */
    assert_int_equal(hb_core_bound(r->core, phone, NULL, 5, false), HB_EINVAL);
    assert_int_equal(hb_core_bound(r->core, phone, "a@b/c", 0, false), HB_EINVAL);
    memset(jid, 'x', sizeof jid);
    assert_int_equal(hb_core_bound(r->core, phone, jid, HB_JID_MAX + 1, false), HB_EINVAL);
    assert_int_equal(hb_core_bound(r->core, phone, jid, SIZE_MAX, false), HB_EINVAL);
    assert_int_equal(hb_core_bound(r->core, phone, "a@b/c", 5, false), HB_OK);
    assert_int_equal(hb_core_bound(r->core, phone, "a@b/c", 5, false), HB_OK);
    assert_int_equal(hb_core_bound(r->core, phone, "a@b/d", 5, false), HB_EINVAL);

    assert_int_equal(hb_core_resumed(r->core, phone, phone), HB_EINVAL);
    assert_int_equal(hb_core_resumed(r->core, laptop, phone), HB_EINVAL); /* there is nothing to go on with */
    assert_int_equal(hb_core_bound(r->core, laptop, "a@b/e", 5, false), HB_OK);
    assert_int_equal(hb_core_resumed(r->core, phone, laptop), HB_EINVAL);

    assert_int_equal(hb_core_advance(r->core, r->now_us, rig_wall_ms(r), &action, 0, &count, &tick), HB_EINVAL);
    assert_int_equal(hb_core_advance(r->core, r->now_us, rig_wall_ms(r), NULL, 1, &count, &tick), HB_EINVAL);
    assert_int_equal(count, 99);
    static const int wrong[] = {HB_NOTHING, HB_CLOSE, HB_CUT, 7, 1000};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        assert_int_equal(hb_core_begin(r->core, phone, (hb_verb)wrong[i], 0, r->now_us, &order), HB_EINVAL);
    }
    /* A verb that was not decided is no order. */
    rig_begin(r, phone, HB_PING, 0, HB_NOTHING);
    rig_begin(r, phone, HB_DISCONNECT, HB_FACT_RESUMABLE, HB_NOTHING);
    rig_begin(r, phone, HB_ABORT, 0, HB_NOTHING);
    rig_begin(r, phone, HB_UNAVAILABLE, 0, HB_NOTHING);
}

/* Tokens that were never given out are as stale as those of sessions that are over. */
static void test_stale_tokens(void **state)
{
    rig *r = *state;
    hb_token over = rig_login(r, "a@b/over", false);
    assert_int_equal(hb_core_closed(r->core, over), HB_OK);
    hb_token good = rig_login(r, "a@b/good", true);
    const hb_token tokens[] = {
        over,
        0,
        UINT64_MAX,
        good + ((hb_token)1 << 32),
        good - ((hb_token)1 << 32),
        good | (hb_token)1 << 63,
        (hb_token)1 << 32 | (HB_PAGE_CELLS - 1),
        (hb_token)1 << 32 | HB_PAGE_CELLS,
        (hb_token)1 << 32 | UINT32_MAX,
    };
    json_int_t before = counted(r, "counts", "stale_events");
    json_int_t events = 0;
    for (size_t i = 0; i < sizeof tokens / sizeof tokens[0]; i++) {
        hb_token t = tokens[i];
        hb_order order = {.verb = HB_PING, .length = 3};
        assert_int_equal(hb_core_bound(r->core, t, "x@y/z", 5, false), HB_ESTALE);
        assert_int_equal(hb_core_available(r->core, t), HB_ESTALE);
        assert_int_equal(hb_core_unavailable(r->core, t, "late", 4, false), HB_ESTALE);
        assert_int_equal(hb_core_idle(r->core, t, r->now_us), HB_ESTALE);
        assert_int_equal(hb_core_pong(r->core, t, "id", 2, r->now_us), HB_ESTALE);
        assert_int_equal(hb_core_detached(r->core, t), HB_ESTALE);
        assert_int_equal(hb_core_resumed(r->core, t, good), HB_ESTALE);
        assert_int_equal(hb_core_resumed(r->core, good, t), HB_ESTALE);
        assert_int_equal(hb_core_closed(r->core, t), HB_ESTALE);
        assert_int_equal(hb_core_begin(r->core, t, HB_PING, 0, r->now_us, &order), HB_ESTALE);
        events += 10;
    }
    assert_int_equal(counted(r, "counts", "stale_events"), before + events);
    assert_int_equal(counted(r, "sessions", "total"), 1);
    assert_int_equal(counted(r, NULL, "users"), 1);
    hb_activity activity = seen(r, "a");
    assert_true(activity.online);
    assert_int_equal(activity.length, 0);
    rig_expect(r, 10, good, HB_PING, HB_WHY_IDLE);
}

static void test_longest_jid(void **state)
{
    rig *r = *state;
    static char jid[HB_JID_MAX + 1];
    memset(jid, 'n', HB_JID_MAX);
    jid[1023] = '@';
    jid[2047] = '/';
    hb_token token = rig_login(r, jid, true);
    jid[1023] = '\0';
    hb_activity activity = seen(r, jid);
    assert_true(activity.online);
    jid[1023] = '@';
    assert_int_equal(hb_core_closed(r->core, token), HB_OK);
    rig_expect(r, 2, token, HB_UNAVAILABLE, HB_WHY_NOT_TOLD);
    rig_begin(r, token, HB_UNAVAILABLE, 0, HB_UNAVAILABLE);
    assert_string_equal(rig_text, jid);
}

static void test_nodes(void **state)
{
    rig *r = *state;
    static const struct {
        const char *jid;
        const char *user;
    } cases[] = {
        {"alice@example.org/phone", "alice"},
        {"bob@example.org/a@b/c", "bob"},
        {"example.org/x@y", NULL},
        {"@example.org/x", NULL},
        {"example.org", NULL},
        {"\xc3\xa4\\40b@example.org/x", "\xc3\xa4\\40b"},
    };
    json_int_t users = 0;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        rig_login(r, cases[i].jid, false);
        users += cases[i].user != NULL;
        assert_int_equal(counted(r, NULL, "users"), users);
        if (cases[i].user) {
            assert_true(seen(r, cases[i].user).online);
        }
    }
    hb_activity activity;
    assert_int_equal(hb_core_last_activity(r->core, "example.org/x", 13, &activity), 0);
    assert_int_equal(hb_core_last_activity(r->core, "", 0, &activity), 0);
    assert_int_equal(hb_core_last_activity(r->core, "alice", 4, &activity), 0);
}

/* However small the buffer is, everything that is due comes, once. */
static void test_small_buffers(void **state)
{
    rig *r = *state;
    enum { COUNT = 5000 };
    static const size_t capacities[] = {1, 7, 64, COUNT - 1, COUNT, COUNT + 1};
    static hb_token tokens[COUNT];
    static hb_action out[COUNT + 1];
    static uint8_t known[2 * HB_PAGE_CELLS];
    rig_policy(r, "{\"pings_per_tick\": 10000}", 20000, true);
    for (size_t i = 0; i < COUNT; i++) {
        char jid[64];
        text_print(jid, sizeof jid, "user%zu@example.org/x", i);
        tokens[i] = rig_login(r, jid, false);
    }
    for (size_t c = 0; c < sizeof capacities / sizeof capacities[0]; c++) {
        rig_quiet(r, rig_second(r) + 9);
        r->now_us += 1000000;
        memset(known, 0, sizeof known);
        size_t total = 0;
        int more;
        do {
            size_t count = 0;
            more = hb_core_advance(r->core, r->now_us, rig_wall_ms(r), out, capacities[c], &count, &r->tick);
            assert_in_range(more, 0, 1);
            assert_true(count <= capacities[c] && (!more || count == capacities[c]));
            for (size_t i = 0; i < count; i++) {
                uint32_t slot = (uint32_t)out[i].token;
                assert_int_equal(out[i].verb, HB_PING);
                assert_int_equal(known[slot], 0);
                known[slot] = 1;
                rig_begin(r, out[i].token, HB_PING, 0, HB_PING);
                rig_read(r, out[i].token); /* what happens between the calls disturbs nothing */
            }
            total += count;
        } while (more == 1);
        assert_int_equal(total, COUNT);
        for (size_t i = 0; i < COUNT; i++) {
            rig_read(r, tokens[i]);
        }
    }
}

static void test_spread(void **state)
{
    rig *r = *state;
    enum { COUNT = 3000, IDLE = 60, SPREAD = 20 };
    rig_policy(r, "{\"idle\": \"60s\", \"spread\": \"20s\", \"ack_timeout\": \"30s\"}", 20000, true);
    static int64_t first[HB_PAGE_CELLS];
    int per_second[SPREAD + 1] = {0};
    for (size_t i = 0; i < COUNT; i++) {
        rig_login(r, "a@b/c", false);
    }
    for (int round = 0; round < 2; round++) {
        rig_due due;
        int64_t start = rig_second(r);
        rig_quiet(r, start + IDLE - SPREAD - 1);
        int pings = 0;
        while (rig_second(r) < start + IDLE) {
            rig_step(r, start + IDLE);
            while (rig_take(r, &due)) {
                int64_t after = due.second - start;
                assert_int_equal(due.action.verb, HB_PING);
                assert_in_range(after, IDLE - SPREAD, IDLE);
                rig_begin(r, due.action.token, HB_PING, 0, HB_PING);
                pings++;
                uint32_t slot = (uint32_t)due.action.token;
                if (round == 0) {
                    first[slot] = after;
                    per_second[after - (IDLE - SPREAD)]++;
                } else {
                    assert_int_equal(first[slot], after); /* a session keeps its place */
                }
            }
        }
        assert_int_equal(pings, COUNT);
        for (uint32_t slot = 0; slot < COUNT; slot++) {
            *rig_cell(r, slot) = r->tick;
        }
    }
    for (int i = 0; i <= SPREAD; i++) { /* 143 each, if they were equal */
        assert_in_range(per_second[i], 90, 200);
    }
}

/* A cell that holds nonsense is a read of now at most. */
static void test_cells(void **state)
{
    rig *r = *state;
    hb_token token = rig_login(r, "alice@example.org/x", false);
    rig_quiet(r, 5);
    *rig_cell(r, token) = UINT32_MAX;
    assert_int_equal(seen(r, "alice").seen_ms, rig_wall_ms(r));
    rig_quiet(r, 500);
    *rig_cell(r, token) = 0;
    rig_step(r, 510);
    assert_int_equal(r->due_count, 1);
    assert_int_equal(r->due[0].action.verb, HB_PING);
    assert_true(seen(r, "alice").seen_ms <= rig_wall_ms(r));
}

static void test_round_trip(void **state)
{
    rig *r = *state;
    hb_token token = rig_login(r, "alice@example.org/x", false);
    rig_expect(r, 10, token, HB_PING, HB_WHY_IDLE);
    r->now_us += 100000;
    rig_begin(r, token, HB_PING, 0, HB_PING);
    int64_t sent_us = r->now_us;
    json_t *json = status_of(r, true);
    assert_true(json_is_null(json_object_get(json_array_get(json_object_get(json, "list"), 0), "rtt_us")));
    assert_true(json_is_null(json_object_get(json_array_get(json_object_get(json, "list"), 0), "answered_us")));
    json_decref(json);
    r->now_us += 123456;
    rig_read(r, token);
    assert_int_equal(hb_core_pong(r->core, token, rig_text, strlen(rig_text), r->now_us), 1);
    r->now_us += 100000;
    assert_int_equal(hb_core_pong(r->core, token, rig_text, strlen(rig_text), r->now_us), 0);
    assert_int_equal(hb_core_pong(r->core, token, "hb-", 3, r->now_us), 0);
    assert_int_equal(hb_core_pong(r->core, token, "", 0, r->now_us), 0);
    json = status_of(r, true);
    json_t *session = json_array_get(json_object_get(json, "list"), 0);
    assert_int_equal(json_integer_value(json_object_get(session, "rtt_us")), 123456);
    assert_int_equal(json_integer_value(json_object_get(session, "answered_us")), sent_us);
    assert_int_equal(number_at(json, "counts", "pings"), 1);
    assert_int_equal(number_at(json, "counts", "pongs"), 1);
    json_decref(json);
    /* A slot that is given away forgets it: by the time that all are taken, this one was. */
    assert_int_equal(hb_core_closed(r->core, token), HB_OK);
    for (size_t i = 0; i < HB_PAGE_CELLS; i++) {
        rig_open(r);
    }
    json = status_of(r, true);
    json_t *list = json_object_get(json, "list");
    assert_int_equal(json_array_size(list), HB_PAGE_CELLS);
    for (size_t i = 0; i < HB_PAGE_CELLS; i++) {
        assert_true(json_is_null(json_object_get(json_array_get(list, i), "rtt_us")));
    }
    json_decref(json);
}

static void test_status(void **state)
{
    rig *r = *state;
    rig_policy(r, "{\"idle\": \"90s\", \"retries\": 2, \"on_dead\": \"cut\"}", 20000, true);
    json_t *json = status_of(r, false);
    assert_string_equal(json_string_value(json_object_get(json, "version")), HB_VERSION);
    assert_int_equal(number_at(json, NULL, "tick"), r->tick);
    assert_true(json_is_false(json_object_get(json, "stopped")));
    json_t *policy = json_object_get(json, "policy");
    assert_string_equal(json_string_value(json_object_get(policy, "idle")), "90s");
    assert_string_equal(json_string_value(json_object_get(policy, "ack_timeout")), "10s");
    assert_string_equal(json_string_value(json_object_get(policy, "spread")), "0s");
    assert_string_equal(json_string_value(json_object_get(policy, "on_dead")), "cut");
    assert_string_equal(json_string_value(json_object_get(policy, "login_within")), "20s");
    assert_int_equal(number_at(json, "policy", "retries"), 2);
    assert_true(json_is_true(json_object_get(policy, "ping")));
    /* What is told of the policy is one. */
    char *text = json_dumps(policy, 0);
    assert_non_null(text);
    rig_policy(r, text, 60000, false);
    free(text);
    json_t *again = status_of(r, false);
    assert_true(json_equal(policy, json_object_get(again, "policy")));
    json_decref(again);
    assert_null(json_object_get(json, "list"));
    assert_null(json_object_get(json, "decisions"));
    json_decref(json);

    hb_token phone = rig_login(r, "alice@example.org/phone", true);
    rig_open(r);
    hb_token gone = rig_login(r, "bob@example.org/x", true);
    assert_int_equal(hb_core_detached(r->core, gone), HB_OK);
    rig_quiet(r, 7);
    json = status_of(r, true);
    assert_int_equal(number_at(json, "sessions", "total"), 3);
    assert_int_equal(number_at(json, "sessions", "connected"), 1);
    assert_int_equal(number_at(json, "sessions", "alive"), 1);
    assert_int_equal(number_at(json, "sessions", "detached"), 1);
    assert_int_equal(number_at(json, "sessions", "pinged"), 0);
    json_t *list = json_object_get(json, "list");
    assert_int_equal(json_array_size(list), 3);
    for (size_t i = 0; i < 3; i++) {
        json_t *session = json_array_get(list, i);
        const char *jid = json_string_value(json_object_get(session, "jid"));
        if (jid && strcmp(jid, "alice@example.org/phone") == 0) {
            assert_string_equal(json_string_value(json_object_get(session, "state")), "alive");
            assert_true(json_is_true(json_object_get(session, "available")));
            assert_int_equal(number_at(session, NULL, "silent_s"), 7);
            assert_int_equal(number_at(session, NULL, "pings"), 0);
            phone = 0;
        }
    }
    assert_int_equal(phone, 0);
    json_decref(json);
    hb_core_stop(r->core);
    json = status_of(r, false);
    assert_true(json_is_true(json_object_get(json, "stopped")));
    json_decref(json);
}

/* The last 256 decisions, oldest first, each with what was done and why. */
static void test_decisions(void **state)
{
    rig *r = *state;
    enum { COUNT = 300 };
    for (int i = 0; i < COUNT; i++) {
        char jid[64];
        text_print(jid, sizeof jid, "user%d@example.org/x", i);
        rig_login(r, jid, false);
    }
    rig_due due;
    rig_step(r, 10);
    size_t begun = 0;
    while (rig_take(r, &due)) {
        rig_begin(r, due.action.token, HB_PING, 0, HB_PING);
        begun++;
        if (begun == 100) {
            json_t *json = status_of(r, true);
            assert_int_equal(json_array_size(json_object_get(json, "decisions")), 100);
            json_decref(json);
        }
    }
    assert_int_equal(begun, COUNT);
    rig_step(r, 13);
    json_t *json = status_of(r, true);
    json_t *list = json_object_get(json, "decisions");
    assert_int_equal(json_array_size(list), 256);
    for (size_t i = 0; i < 256; i++) {
        json_t *decision = json_array_get(list, i);
        assert_int_equal(number_at(decision, NULL, "number"), COUNT - 256 + i);
        assert_int_equal(number_at(decision, NULL, "ago_s"), 3);
        assert_string_equal(json_string_value(json_object_get(decision, "action")), "ping");
        assert_string_equal(json_string_value(json_object_get(decision, "why")), "idle");
        assert_true(json_string_length(json_object_get(decision, "meaning")) > 0);
        assert_non_null(strstr(json_string_value(json_object_get(decision, "jid")), "@example.org/x"));
    }
    json_decref(json);
}

/* Whatever clients call themselves and say, the JSON is JSON. */
static void test_hostile_texts(void **state)
{
    rig *r = *state;
    /* Spelt in bytes, lest this file itself reads from right to left. */
    static const char right_to_left[] = {'\xe2', '\x80', '\xae', '@', 'x', '/', 'y'};
    static const struct {
        const char *text;
        size_t length;
    } texts[] = {
        {"\xff\xfe@x/y", 6},
        {"a\"b\\c@x/\n", 9},
        {"\0@x/\0", 5},
        {"u@\xed\xa0\x80/x", 7},
        {"<script>@x/</y>", 15},
        {"%s%n@x/%d", 9},
        {"\xf4\x90\x80\x80@x/y", 8},
        {right_to_left, sizeof right_to_left},
    };
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        hb_token token = rig_open(r);
        assert_int_equal(hb_core_bound(r->core, token, texts[i].text, texts[i].length, false), HB_OK);
        assert_int_equal(hb_core_available(r->core, token), HB_OK);
        assert_int_equal(hb_core_unavailable(r->core, token, texts[i].text, texts[i].length, false), HB_OK);
        const char *at = memchr(texts[i].text, '@', texts[i].length);
        assert_non_null(at);
        size_t node = (size_t)(at - texts[i].text);
        char *text = NULL;
        size_t length = 0;
        assert_int_equal(hb_core_last_activity_json(r->core, texts[i].text, node, &text, &length), 1);
        assert_int_equal(strlen(text), length);
        json_t *json = json_loads(text, JSON_ALLOW_NUL, NULL);
        if (!json) {
            fail_msg("no JSON: %s", text);
        }
        hb_string_free(text);
        json_decref(json);
    }
    rig_due due;
    rig_step(r, 10);
    while (rig_take(r, &due)) {
        rig_begin(r, due.action.token, HB_PING, 0, HB_PING);
    }
    char *text = NULL;
    size_t length = 0;
    assert_int_equal(hb_core_status(r->core, true, &text, &length), HB_OK);
    json_t *json = json_loads(text, JSON_ALLOW_NUL, NULL);
    assert_non_null(json);
    assert_int_equal(json_array_size(json_object_get(json, "list")), sizeof texts / sizeof texts[0]);
    json_decref(json);
    hb_string_free(text);
}

/* The cheap look says what the whole answer says, and its count tells when that is not so any more. */
static void test_seen(void **state)
{
    rig *r = *state;
    uint32_t changes[HB_USER_STRIPES];
    hb_seen look;
    hb_core_count_changes(r->core, changes);
    assert_int_equal(hb_core_seen(r->core, "erin", 4, &look), 0);
    hb_token token = rig_login(r, "erin@example.org/x", true);
    rig_step(r, rig_second(r) + 2);
    rig_read(r, token);
    rig_step(r, rig_second(r) + 2);
    assert_int_equal(hb_core_seen(r->core, "erin", 4, &look), 1);
    assert_true(look.online);
    assert_int_equal(look.ms, seen(r, "erin").seen_ms);
    assert_int_equal(hb_core_closed(r->core, token), HB_OK);
    int64_t last = seen(r, "erin").seen_ms;
    assert_int_equal(hb_core_seen(r->core, "erin", 4, &look), 1);
    assert_false(look.online);
    assert_int_equal(look.ms, last);
    assert_int_equal(changes[look.stripe], look.change);
    token = rig_login(r, "erin@example.org/y", true);
    assert_int_not_equal(changes[look.stripe], look.change);
    assert_int_equal(hb_core_seen(r->core, "erin", 4, &look), 1);
    assert_true(look.online);
    assert_int_equal(hb_core_closed(r->core, token), HB_OK);
}

static void test_last_activity_json(void **state)
{
    rig *r = *state;
    char *text = NULL;
    size_t length = 99;
    assert_int_equal(hb_core_last_activity_json(r->core, "erin", 4, &text, &length), 0);
    assert_null(text);
    assert_int_equal(length, 99);
    hb_token token = rig_login(r, "erin@example.org/x", true);
    rig_quiet(r, 3);
    rig_read(r, token);
    assert_int_equal(hb_core_unavailable(r->core, token, "Gone \"fishing\"", 14, false), HB_OK);
    assert_int_equal(hb_core_closed(r->core, token), HB_OK);
    rig_quiet(r, 8);
    assert_int_equal(hb_core_last_activity_json(r->core, "erin", 4, &text, &length), 1);
    json_t *json = json_loads(text, 0, NULL);
    assert_non_null(json);
    assert_int_equal(number_at(json, NULL, "seen_ms"), RIG_WALL_MS + 3000);
    assert_int_equal(number_at(json, NULL, "ago_ms"), 5000);
    assert_int_equal(number_at(json, NULL, "last_ms"), number_at(json, NULL, "seen_ms"));
    assert_int_equal(number_at(json, NULL, "offline_ms"), RIG_WALL_MS + 3000);
    assert_true(json_is_false(json_object_get(json, "online")));
    assert_string_equal(json_string_value(json_object_get(json, "why")), "logout");
    assert_string_equal(json_string_value(json_object_get(json, "status")), "Gone \"fishing\"");
    assert_string_equal(json_string_value(json_object_get(json, "user")), "erin");
    json_decref(json);
    hb_string_free(text);
    hb_string_free(NULL);
}

static void test_status_texts(void **state)
{
    rig *r = *state;
    static char text[3 * HB_STATUS_MAX];
    for (size_t i = 0; i < sizeof text; i += 3) {
        memcpy(text + i, "\xe2\x82\xac", 3);
    }
    hb_token token = rig_login(r, "erin@example.org/x", true);
    assert_int_equal(hb_core_unavailable(r->core, token, text, sizeof text, false), HB_OK);
    hb_activity activity = seen(r, "erin");
    assert_int_equal(activity.length, HB_STATUS_MAX / 3 * 3);
    assert_memory_equal(activity.status, text, activity.length);
    assert_int_equal(hb_core_unavailable(r->core, token, "", 0, false), HB_OK);
    assert_int_equal(seen(r, "erin").length, 0);
    assert_int_equal(hb_core_unavailable(r->core, token, "x", 1, false), HB_OK);
    assert_int_equal(seen(r, "erin").length, 1);
    assert_int_equal(hb_core_unavailable(r->core, token, NULL, 0, false), HB_OK);
    assert_int_equal(seen(r, "erin").length, 0);
}

/* Many sessions of one user, ended in any order: online while there is one, and seen is the latest byte of any. */
static void test_many_sessions(void **state)
{
    rig *r = *state;
    enum { COUNT = 200 };
    hb_token tokens[COUNT];
    dice d = {.state = 1};
    rig_policy(r, "{\"idle\": \"off\"}", 20000, true);
    for (int i = 0; i < COUNT; i++) {
        char jid[64];
        text_print(jid, sizeof jid, "alice@example.org/%d", i);
        tokens[i] = rig_login(r, jid, false);
    }
    int64_t latest = RIG_WALL_MS;
    for (int left = COUNT; left > 0; left--) {
        rig_quiet(r, rig_second(r) + 1);
        size_t which = dice_below(&d, (uint32_t)left);
        if (dice_percent(&d, 50)) {
            rig_read(r, tokens[which]);
            latest = rig_wall_ms(r);
        }
        hb_activity activity = seen(r, "alice");
        assert_true(activity.online);
        assert_int_equal(activity.seen_ms, latest);
        which = dice_below(&d, (uint32_t)left);
        assert_int_equal(hb_core_closed(r->core, tokens[which]), HB_OK);
        tokens[which] = tokens[left - 1];
    }
    hb_activity activity = seen(r, "alice");
    assert_false(activity.online);
    assert_int_equal(activity.seen_ms, latest);
    assert_int_equal(counted(r, NULL, "users"), 1);
    assert_int_equal(counted(r, "sessions", "total"), 0);
}

/* Times that do not begin on a whole second are told to the tick, and never in the future. */
static void test_fractions(void **state)
{
    (void)state;
    dice d = {.state = 4};
    for (int round = 0; round < 50; round++) {
        rig r;
        rig_init(&r, INT64_C(77000000) + dice_below(&d, 1000000));
        r.wall_ms += dice_below(&d, 1000);
        rig_policy(&r, NULL, 20000, true);
        hb_token token = rig_login(&r, "alice@example.org/x", false);
        for (int i = 0; i < 20; i++) {
            rig_quiet(&r, rig_second(&r) + 1 + dice_below(&d, 7));
            r.now_us += dice_below(&d, 900000);
            rig_read(&r, token);
            int64_t ago = rig_wall_ms(&r) - seen(&r, "alice").seen_ms;
            assert_in_range(ago, 0, 2000);
        }
        rig_close(&r);
    }
}

/* The caller asks whether the core is in charge: as long as it ticks. */
static void test_in_charge(void **state)
{
    rig *r = *state;
    hb_token token = rig_login(r, "alice@example.org/x", false);
    rig_quiet(r, 3);
    assert_int_equal(hb_core_idle(r->core, token, r->now_us), 1);
    assert_int_equal(hb_core_idle(r->core, token, r->now_us + 5000000), 1);
    /* A tick is missing: for a second it is in doubt, for all sessions alike, then it is not. */
    hb_token other = rig_login(r, "bob@example.org/x", false);
    assert_int_equal(hb_core_idle(r->core, token, r->now_us + 5000001), HB_ASK_AGAIN);
    assert_int_equal(hb_core_idle(r->core, token, r->now_us + 6000000), HB_ASK_AGAIN);
    assert_int_equal(hb_core_in_charge(r->core, r->now_us + 6000000), HB_ASK_AGAIN);
    assert_int_equal(hb_core_in_charge(r->core, r->now_us + 6000001), 0);
    assert_int_equal(hb_core_idle(r->core, other, r->now_us + 6000001), 0);
    assert_int_equal(hb_core_idle(r->core, token, r->now_us + 60000000), 0);
    assert_int_equal(counted(r, "counts", "idle_events"), 6);
    /* It came after all. */
    rig_quiet(r, 1);
    assert_int_equal(hb_core_in_charge(r->core, r->now_us), 1);
    assert_int_equal(hb_core_idle(r->core, token, r->now_us), 1);
    assert_int_equal(hb_core_idle(r->core, token, r->now_us + 5000001), HB_ASK_AGAIN);
    hb_core_stop(r->core);
    assert_int_equal(hb_core_in_charge(r->core, r->now_us), 0);
    assert_int_equal(hb_core_idle(r->core, token, r->now_us), 0);
}

static void test_stopped(void **state)
{
    rig *r = *state;
    hb_token token = rig_login(r, "alice@example.org/x", true);
    hb_token gone = rig_login(r, "bob@example.org/x", true);
    rig_open(r);
    assert_int_equal(hb_core_closed(r->core, gone), HB_OK);
    uint32_t tick = r->tick;
    hb_core_stop(r->core);
    rig_quiet(r, 300);
    assert_int_equal(r->tick, tick + 300);
    rig_read(r, token);
    assert_int_equal(seen(r, "alice").seen_ms, rig_wall_ms(r));
    rig_begin(r, token, HB_PING, 0, HB_NOTHING);
    rig_begin(r, gone, HB_UNAVAILABLE, 0, HB_NOTHING);
    hb_token late = rig_login(r, "carol@example.org/x", true);
    assert_int_equal(hb_core_unavailable(r->core, late, "bye", 3, false), HB_OK);
    assert_int_equal(hb_core_closed(r->core, late), HB_OK);
    assert_int_equal(seen(r, "carol").why, HB_WHY_LOGOUT);
}

/* A configuration that is refused leaves the text where the caller can find it, and may be asked for without. */
static void test_configure(void **state)
{
    rig *r = *state;
    hb_error error = {0};
    assert_int_equal(hb_core_configure(r->core, "{\n \"idle\": 3}", 13, 20000, true, &error), HB_EPOLICY);
    assert_int_equal(error.line, 2);
    assert_int_equal(error.column, 10);
    assert_string_equal(error.path, "idle");
    assert_non_null(strstr(error.text, "3"));
    assert_int_equal(hb_core_configure(r->core, "{", 1, 20000, true, NULL), HB_EPOLICY);
    assert_int_equal(hb_core_configure(r->core, "", 0, 20000, true, NULL), HB_EPOLICY);
    /* spread must fit the idle that follows from the server's setting. */
    assert_int_equal(hb_core_configure(r->core, "{\"spread\": \"10s\"}", 17, 20000, true, &error), HB_EPOLICY);
    assert_string_equal(error.path, "spread");
    assert_int_equal(hb_core_configure(r->core, "{\"spread\": \"10s\"}", 17, 22000, true, &error), HB_OK);
    /* Text that is not NUL-terminated is read no further than its length. */
    char *exact = malloc(2);
    assert_non_null(exact);
    memcpy(exact, "{}", 2);
    assert_int_equal(hb_core_configure(r->core, exact, 2, 20000, true, &error), HB_OK);
    free(exact);
}

int main(void)
{
#define with_core(test) cmocka_unit_test_setup_teardown(test, start, finish)
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_texts),
        cmocka_unit_test(test_new),
        cmocka_unit_test(test_pages),
        with_core(test_arguments),
        with_core(test_stale_tokens),
        with_core(test_longest_jid),
        with_core(test_nodes),
        with_core(test_small_buffers),
        with_core(test_spread),
        with_core(test_cells),
        with_core(test_round_trip),
        with_core(test_status),
        with_core(test_decisions),
        with_core(test_hostile_texts),
        with_core(test_late_status),
        with_core(test_forgotten_twin),
        with_core(test_forgotten_is_told),
        with_core(test_last_activity_json),
        with_core(test_seen),
        with_core(test_status_texts),
        with_core(test_many_sessions),
        cmocka_unit_test(test_fractions),
        with_core(test_in_charge),
        with_core(test_stopped),
        with_core(test_configure),
    };
    return cmocka_run_group_tests_name("core", tests, NULL, NULL);
}
