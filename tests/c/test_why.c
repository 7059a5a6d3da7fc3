/* Why something was done: the ring of decisions, and what is told of it. */
#include "support.h"

#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "core.h"

#define SECOND INT64_C(1000000)

static json_t *ask(rig *r, const char *jid)
{
    char *text = NULL;
    size_t length = 0;
    assert_int_equal(hb_core_why(r->core, jid, strlen(jid), &text, &length), 1);
    assert_int_equal(strlen(text), length);
    json_t *json = json_loads(text, 0, NULL);
    assert_non_null(json);
    hb_string_free(text);
    return json;
}

static json_t *decision(const json_t *json, size_t i)
{
    return json_array_get(json_object_get(json, "decisions"), i);
}

static void decided(const json_t *json, size_t i, hb_token token, int ago_s, const char *action, const char *why)
{
    const json_t *d = decision(json, i);
    assert_non_null(d);
    assert_true(json_integer_value(json_object_get(d, "session")) == (json_int_t)token);
    assert_int_equal(json_integer_value(json_object_get(d, "ago_s")), ago_s);
    assert_string_equal(json_string_value(json_object_get(d, "action")), action);
    assert_string_equal(json_string_value(json_object_get(d, "why")), why);
    assert_true(strlen(json_string_value(json_object_get(d, "meaning"))) > 10);
}

static size_t open_count(const json_t *json)
{
    return json_array_size(json_object_get(json, "open"));
}

/* One answers, one is dead, one speaks before the deed; and what is asked of one is not told of another. */
static void test_dead_and_living(void **state)
{
    rig *r = *state;
    rig_policy(r, "{\"idle\": \"10s\", \"ack_timeout\": \"5s\", \"retries\": 1}", 20000, true);
    hb_token dead = rig_login(r, "dead@example.org/phone", true);
    hb_token alive = rig_login(r, "alive@example.org/phone", true);
    rig_due due;
    rig_step(r, 10);
    while (rig_take(r, &due)) {
        rig_begin(r, due.action.token, HB_PING, 0, HB_PING);
    }
    rig_stall(r, 11);
    rig_tick(r);
    rig_read(r, alive);
    rig_expect(r, 15, dead, HB_PING, HB_WHY_RETRY);
    rig_begin(r, dead, HB_PING, 0, HB_PING);
    rig_expect(r, 21, dead, HB_DISCONNECT, HB_WHY_NO_ANSWER);
    rig_begin(r, dead, HB_DISCONNECT, 0, HB_CLOSE);
    rig_expect(r, 21, alive, HB_PING, HB_WHY_IDLE);
    rig_read(r, alive);
    rig_begin(r, alive, HB_PING, 0, HB_NOTHING);
    assert_int_equal(hb_core_closed(r->core, dead), HB_OK);
    rig_expect(r, 23, dead, HB_UNAVAILABLE, HB_WHY_NOT_TOLD);
    rig_begin(r, dead, HB_UNAVAILABLE, 0, HB_UNAVAILABLE);

    json_t *json = ask(r, "dead@example.org/phone");
    assert_string_equal(json_string_value(json_object_get(json, "jid")), "dead@example.org/phone");
    assert_true(json_is_true(json_object_get(json, "complete")));
    assert_int_equal(open_count(json), 0);
    decided(json, 0, dead, 13, "ping", "idle");
    decided(json, 1, dead, 8, "ping", "retry");
    decided(json, 2, dead, 2, "close", "no-answer");
    decided(json, 3, dead, 0, "unavailable", "not-told");
    assert_null(decision(json, 4));
    json_decref(json);

    json = ask(r, "alive@example.org/phone");
    assert_int_equal(open_count(json), 1);
    const json_t *open = json_array_get(json_object_get(json, "open"), 0);
    assert_true(json_integer_value(json_object_get(open, "session")) == (json_int_t)alive);
    assert_string_equal(json_string_value(json_object_get(open, "state")), "alive");
    decided(json, 0, alive, 13, "ping", "idle");
    decided(json, 1, alive, 2, "nothing", "spoke");
    assert_null(decision(json, 2));
    json_decref(json);
}

static void on_whom(const json_t *json, size_t i, const char *jid)
{
    assert_string_equal(json_string_value(json_object_get(decision(json, i), "jid")), jid);
}

/* By the bare JID all of a user's sessions are told, with which they were; nobody else's. */
static void test_user(void **state)
{
    rig *r = *state;
    hb_token tablet = rig_login(r, "a@example.org/tab/let", false);
    hb_token phone = rig_login(r, "a@example.org/phone", false);
    rig_login(r, "a@example.organic/x", false);
    rig_login(r, "aa@example.org/x", false);
    rig_due due;
    rig_step(r, 10);
    while (rig_take(r, &due)) {
        rig_begin(r, due.action.token, HB_PING, 0, HB_PING);
    }
    rig_read(r, phone);
    for (rig_step(r, 21); rig_take(r, &due); rig_step(r, 21)) {
        if (due.action.verb == HB_DISCONNECT) {
            rig_begin(r, due.action.token, HB_DISCONNECT, 0, HB_CLOSE);
        }
    }
    assert_int_equal(hb_core_closed(r->core, tablet), HB_OK);
    json_t *json = ask(r, "a@example.org");
    assert_int_equal(open_count(json), 1);
    assert_true(json_is_true(json_object_get(json, "complete")));
    decided(json, 0, tablet, 11, "ping", "idle");
    on_whom(json, 0, "a@example.org/tab/let");
    decided(json, 1, phone, 11, "ping", "idle");
    on_whom(json, 1, "a@example.org/phone");
    decided(json, 2, tablet, 0, "close", "no-answer");
    on_whom(json, 2, "a@example.org/tab/let");
    assert_null(decision(json, 3));
    json_decref(json);
    json = ask(r, "a@example.org/phone");
    assert_true(json_is_null(json_object_get(json_array_get(json_object_get(json, "open"), 0), "answered_us")));
    on_whom(json, 0, "a@example.org/phone");
    assert_null(decision(json, 1));
    json_decref(json);
    char *text = NULL;
    size_t length = 0;
    assert_int_equal(hb_core_why(r->core, "a@example.org/tab", 17, &text, &length), 0);
    assert_int_equal(hb_core_why(r->core, "example.org", 11, &text, &length), 0);
    assert_int_equal(hb_core_why(r->core, "a", 1, &text, &length), 0);
}

/* A user's other device is not meant; two sessions with one JID are told apart. */
static void test_devices(void **state)
{
    rig *r = *state;
    rig_login(r, "a@example.org/tablet", false);
    hb_token first = rig_login(r, "a@example.org/phone", false);
    assert_int_equal(hb_core_detached(r->core, first), HB_OK);
    hb_token second = rig_login(r, "a@example.org/phone", false);
    rig_due due;
    rig_step(r, 10);
    while (rig_take(r, &due)) {
        rig_begin(r, due.action.token, HB_PING, 0, HB_PING);
    }
    json_t *json = ask(r, "a@example.org/phone");
    assert_int_equal(open_count(json), 2);
    decided(json, 0, first, 10, "nothing", "detached");
    decided(json, 1, second, 0, "ping", "idle");
    assert_null(decision(json, 2));
    json_decref(json);
}

static void open_is(rig *r, const char *jid, hb_token token)
{
    json_t *json = ask(r, jid);
    assert_int_equal(open_count(json), 1);
    const json_t *open = json_array_get(json_object_get(json, "open"), 0);
    assert_true(json_integer_value(json_object_get(open, "session")) == (json_int_t)token);
    json_decref(json);
}

/* Sessions on no user's list: anonymous ones, and of a user who was forgotten while they were open. */
static void test_nobodys(void **state)
{
    rig *r = *state;
    char *text = NULL;
    size_t length = 0;
    hb_token anonymous = rig_open(r);
    assert_int_equal(hb_core_bound(r->core, anonymous, "x17@example.org/y", 17, true), HB_OK);
    rig_open(r);
    rig_add_page(r);
    r->core->lanes[0].page = 1;
    hb_token phone = rig_login(r, "bob@example.org/phone", true);
    assert_int_equal(hb_core_forget(r->core, "bob", 3), 1);
    open_is(r, "x17@example.org/y", anonymous);
    open_is(r, "x17@example.org", anonymous);
    open_is(r, "bob@example.org/phone", phone);
    open_is(r, "bob@example.org", phone);
    assert_int_equal(hb_core_why(r->core, "x17@example.org/z", 17, &text, &length), 0);
    assert_int_equal(hb_core_why(r->core, "", 0, &text, &length), 0);
    /* Beside one that is. */
    hb_token desk = rig_login(r, "bob@example.org/desk", true);
    open_is(r, "bob@example.org/phone", phone);
    open_is(r, "bob@example.org/desk", desk);
    json_t *json = ask(r, "bob@example.org");
    assert_int_equal(open_count(json), 2);
    json_decref(json);
    /* It is over, though nobody was told. */
    assert_int_equal(hb_core_closed(r->core, phone), HB_OK);
    json = ask(r, "bob@example.org/phone");
    assert_int_equal(open_count(json), 0);
    json_decref(json);
}

static void test_unknown(void **state)
{
    rig *r = *state;
    char *text = NULL;
    size_t length = 99;
    char longest[HB_JID_MAX + 1];
    memset(longest, 'a', sizeof longest);
    assert_int_equal(hb_core_why(r->core, "nobody@example.org/x", 20, &text, &length), 0);
    assert_int_equal(hb_core_why(r->core, "", 0, &text, &length), 0);
    assert_int_equal(hb_core_why(r->core, NULL, 0, &text, &length), HB_EINVAL);
    assert_int_equal(hb_core_why(r->core, longest, sizeof longest, &text, &length), HB_EINVAL);
    assert_null(text);
    assert_int_equal(length, 99);
}

static void test_not_logged_in(void **state)
{
    rig *r = *state;
    hb_token token = rig_open(r);
    rig_expect(r, 21, token, HB_DISCONNECT, HB_WHY_NOT_LOGGED_IN);
    rig_begin(r, token, HB_DISCONNECT, 0, HB_CLOSE);
    assert_int_equal(hb_core_closed(r->core, token), HB_OK);
    json_t *json = ask(r, "");
    decided(json, 0, token, 0, "close", "not-logged-in");
    json_decref(json);
}

/* No more than the last 64 pings are told, 256 of a user, and it is said that there were others. */
static void test_many(void **state)
{
    rig *r = *state;
    rig_policy(r, "{\"idle\": \"2s\", \"ack_timeout\": \"5s\"}", 20000, true);
    hb_token token = rig_login(r, "a@example.org/x", false);
    for (int n = 1; n <= 257; n++) {
        json_t *json = n > 1 ? ask(r, n <= 65 ? "a@example.org/x" : "a@example.org") : NULL;
        rig_due due;
        assert_true(n == 1 || json_is_true(json_object_get(json, "complete")));
        json_decref(json);
        rig_step(r, rig_second(r) + 3);
        assert_true(rig_take(r, &due));
        rig_begin(r, token, HB_PING, 0, HB_PING);
        rig_step(r, rig_second(r) + 1);
        rig_read(r, token);
    }
    json_t *json = ask(r, "a@example.org/x");
    assert_int_equal(json_array_size(json_object_get(json, "decisions")), 64);
    assert_true(json_is_false(json_object_get(json, "complete")));
    json_decref(json);
    json = ask(r, "a@example.org");
    assert_int_equal(json_array_size(json_object_get(json, "decisions")), 256);
    assert_true(json_is_false(json_object_get(json, "complete")));
    json_decref(json);
}

/* What became of a session without us: a logout, a lost connection that is resumed, and one that is not. */
static void test_ends(void **state)
{
    rig *r = *state;
    hb_token left = rig_login(r, "left@example.org/x", true);
    assert_int_equal(hb_core_unavailable(r->core, left, NULL, 0, false), HB_OK);
    assert_int_equal(hb_core_closed(r->core, left), HB_OK);
    json_t *json = ask(r, "left@example.org/x");
    decided(json, 0, left, 0, "nothing", "logout");
    assert_null(decision(json, 1));
    json_decref(json);

    hb_token lost = rig_login(r, "lost@example.org/x", true);
    assert_int_equal(hb_core_detached(r->core, lost), HB_OK);
    hb_token again = rig_open(r);
    assert_int_equal(hb_core_resumed(r->core, lost, again), HB_OK);
    assert_int_equal(hb_core_detached(r->core, again), HB_OK);
    assert_int_equal(hb_core_detached(r->core, again), HB_OK);
    assert_int_equal(hb_core_closed(r->core, again), HB_OK);
    json = ask(r, "lost@example.org/x");
    decided(json, 0, lost, 0, "nothing", "detached");
    decided(json, 1, again, 0, "nothing", "resumed");
    decided(json, 2, again, 0, "nothing", "detached");
    decided(json, 3, again, 0, "nothing", "expired");
    assert_null(decision(json, 4));
    json_decref(json);

    /* Of connections that never logged in only what we did is kept. */
    hb_token stranger = rig_open(r);
    char *text = NULL;
    size_t length = 0;
    assert_int_equal(hb_core_closed(r->core, stranger), HB_OK);
    assert_int_equal(hb_core_why(r->core, "", 0, &text, &length), 0);
}

/* Ours is told once, and that it was not resumed. */
static void test_end_of_ours(void **state)
{
    rig *r = *state;
    hb_token dead = rig_login(r, "dead@example.org/x", false);
    rig_expect(r, 10, dead, HB_PING, HB_WHY_IDLE);
    rig_begin(r, dead, HB_PING, 0, HB_PING);
    rig_expect(r, 21, dead, HB_DISCONNECT, HB_WHY_NO_ANSWER);
    rig_begin(r, dead, HB_DISCONNECT, HB_FACT_RESUMABLE, HB_CUT);
    assert_int_equal(hb_core_detached(r->core, dead), HB_OK);
    assert_int_equal(hb_core_closed(r->core, dead), HB_OK);
    json_t *json = ask(r, "dead@example.org/x");
    decided(json, 0, dead, 11, "ping", "idle");
    decided(json, 1, dead, 0, "cut", "no-answer");
    decided(json, 2, dead, 0, "nothing", "expired");
    assert_null(decision(json, 3));
    json_decref(json);
}

static void add(hb_traces *traces, hb_verb verb, uint64_t whom, uint32_t tick)
{
    hb_traces_add(traces, &(hb_trace){.token = tick + 1, .whom = whom, .user = 5, .verb = (uint8_t)verb, .tick = tick},
                  "", 0);
}

static void test_ring(void **state)
{
    (void)state;
    hb_traces traces;
    hb_trace out[8];
    bool cut = true;
    assert_int_equal(hb_traces_init(&traces), HB_OK);
    assert_int_equal(hb_traces_find(&traces, 7, out, 4, &cut), 0);
    assert_false(cut);
    for (uint32_t i = 0; i < HB_TRACES; i++) {
        add(&traces, HB_CLOSE, i < 2 ? 7 : 8, i);
    }
    assert_int_equal(hb_traces_find(&traces, 7, out, 4, &cut), 2);
    assert_false(cut);
    assert_int_equal(out[0].tick, 0);
    assert_int_equal(out[1].tick, 1);
    /* The oldest is overwritten, and nobody can tell any more whose it was. */
    add(&traces, HB_CLOSE, 9, HB_TRACES);
    assert_int_equal(hb_traces_find(&traces, 7, out, 4, &cut), 1);
    assert_int_equal(out[0].tick, 1);
    assert_true(cut);
    assert_int_equal(hb_traces_find(&traces, 9, out, 4, &cut), 1);
    assert_int_equal(out[0].tick, HB_TRACES);
    assert_int_equal(hb_traces_find(&traces, 8, out, 4, &cut), 4);
    assert_int_equal(out[0].tick, HB_TRACES - 4);
    assert_int_equal(out[3].tick, HB_TRACES - 1);
    assert_int_equal(hb_traces_find(&traces, 5, out, 4, &cut), 4);
    assert_int_equal(out[3].tick, HB_TRACES);
    hb_traces_close(&traces);
}

/* However many pings there are, why somebody was disconnected is still known; and both are told in their order. */
static void test_pings_push_nothing_out(void **state)
{
    (void)state;
    hb_traces traces;
    hb_trace out[6];
    char resource[5] = "";
    bool cut = false;
    assert_int_equal(hb_traces_init(&traces), HB_OK);
    traces.number = UINT32_MAX - HB_TRACES; /* the numbers go round in the middle */
    hb_traces_add(&traces, &(hb_trace){.whom = 7, .user = 5, .verb = HB_CLOSE}, "phone", 5);
    for (uint32_t i = 1; i <= HB_TRACES; i++) {
        hb_traces_add(&traces, &(hb_trace){.whom = 7, .user = 5, .verb = HB_PING, .tick = i},
                      "a resource that is longer than thirty two bytes", 47);
    }
    hb_traces_add(&traces, &(hb_trace){.whom = 7, .user = 5, .why = HB_WHY_SPOKE, .tick = HB_TRACES + 1}, "", 0);
    add(&traces, HB_CUT, 7, HB_TRACES + 2);
    add(&traces, HB_PING, 7, HB_TRACES + 3);
    assert_int_equal(hb_traces_find(&traces, 7, out, 3, &cut), 5);
    assert_true(cut);
    assert_int_equal(out[0].tick, 0);
    assert_true(hb_traces_resource(&traces, &out[0], resource));
    assert_memory_equal(resource, "phone", 5);
    assert_int_equal(out[1].tick, HB_TRACES);
    assert_int_equal(out[2].tick, HB_TRACES + 1);
    assert_int_equal(out[3].tick, HB_TRACES + 2);
    assert_int_equal(out[4].tick, HB_TRACES + 3);
    hb_traces_close(&traces);
}

/* Resources are told whole, over the end of their ring too, until another one lies where they were. */
static void test_resources(void **state)
{
    (void)state;
    enum { LENGTH = 1000 };
    hb_traces traces;
    hb_trace out[4];
    char text[LENGTH];
    char told[LENGTH];
    bool cut;
    assert_int_equal(hb_traces_init(&traces), HB_OK);
    uint32_t most = HB_TRACE_RESOURCES / LENGTH;
    for (uint32_t i = 0; i < 3 * most; i++) {
        memset(text, (int)('a' + i % 26), sizeof text);
        hb_traces_add(&traces, &(hb_trace){.token = i + 1, .whom = i, .user = UINT64_MAX}, text, sizeof text);
        assert_int_equal(hb_traces_find(&traces, i, out, 1, &cut), 1);
        memset(told, 0, sizeof told);
        assert_true(hb_traces_resource(&traces, &out[0], told));
        assert_memory_equal(told, text, sizeof text);
        uint32_t first = i + 1 > most ? i + 1 - most : 0;
        assert_int_equal(hb_traces_find(&traces, first, out, 2, &cut), 1);
        assert_true(hb_traces_resource(&traces, &out[0], told));
        assert_int_equal(told[0], 'a' + first % 26);
        assert_int_equal(told[LENGTH - 1], 'a' + first % 26);
        if (first > 0) {
            assert_int_equal(hb_traces_find(&traces, first - 1, out, 1, &cut), 1);
            assert_false(hb_traces_resource(&traces, &out[0], told));
        }
    }
    hb_traces_close(&traces);
}

/* Parts gather them: as many as there are, and however long the resources, all are told, and each part's in order. */
static void test_parts(void **state)
{
    enum { EACH = 2 * HB_TRACES_WAITING + 3, LONG = HB_TRACES_WAITING_BYTES - 100 };
    rig *r = *state;
    char text[LONG + 1] = "";
    char jid[64 + LONG];
    hb_token tokens[2][EACH];
    memset(text, 'z', LONG);
    rig_add_page(r);
    for (size_t page = 0; page < 2; page++) {
        r->core->lanes[0].page = page;
        for (size_t i = 0; i < EACH; i++) {
            text_print(jid, sizeof jid, "a@example.org/%s%.*s", page ? "y" : "x", (int)(i % 2 ? LONG : 0), text);
            tokens[page][i] = rig_login(r, jid, false);
            assert_int_equal((uint32_t)tokens[page][i] / HB_PAGE_CELLS, page);
        }
    }
    for (size_t i = 0; i < EACH; i++) {
        assert_int_equal(hb_core_closed(r->core, tokens[1][i]), HB_OK);
        assert_int_equal(hb_core_closed(r->core, tokens[0][i]), HB_OK);
    }
    json_t *json = ask(r, "a@example.org");
    size_t told[2] = {0};
    for (size_t i = 0; i < (size_t)2 * EACH; i++) {
        uint32_t slot = (uint32_t)json_integer_value(json_object_get(decision(json, i), "session"));
        size_t page = slot / HB_PAGE_CELLS;
        assert_true(page < 2 && told[page] < EACH);
        assert_int_equal(slot, (uint32_t)tokens[page][told[page]]);
        assert_int_equal(strlen(json_string_value(json_object_get(decision(json, i), "jid"))),
                         strlen("a@example.org/x") + (told[page] % 2 ? LONG : 0));
        told[page]++;
    }
    assert_null(decision(json, (size_t)2 * EACH));
    json_decref(json);
}

/* What goes on in another part is told after what it goes on from. */
static void test_resumed_in_another_part(void **state)
{
    rig *r = *state;
    rig_add_page(r);
    r->core->lanes[0].page = 1;
    hb_token from = rig_login(r, "a@example.org/x", false);
    r->core->lanes[0].page = 0;
    hb_token to = rig_open(r);
    assert_int_equal((uint32_t)from / HB_PAGE_CELLS, 1);
    assert_int_equal((uint32_t)to / HB_PAGE_CELLS, 0);
    assert_int_equal(hb_core_detached(r->core, from), HB_OK);
    assert_int_equal(hb_core_resumed(r->core, from, to), HB_OK);
    json_t *json = ask(r, "a@example.org/x");
    decided(json, 0, from, 0, "nothing", "detached");
    decided(json, 1, to, 0, "nothing", "resumed");
    assert_null(decision(json, 2));
    json_decref(json);
}

static int start(void **state)
{
    rig *r = calloc(1, sizeof *r);
    assert_non_null(r);
    rig_init(r, 1000 * SECOND);
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_dead_and_living, start, finish),
        cmocka_unit_test_setup_teardown(test_devices, start, finish),
        cmocka_unit_test_setup_teardown(test_user, start, finish),
        cmocka_unit_test_setup_teardown(test_nobodys, start, finish),
        cmocka_unit_test_setup_teardown(test_unknown, start, finish),
        cmocka_unit_test_setup_teardown(test_not_logged_in, start, finish),
        cmocka_unit_test_setup_teardown(test_many, start, finish),
        cmocka_unit_test_setup_teardown(test_ends, start, finish),
        cmocka_unit_test_setup_teardown(test_end_of_ours, start, finish),
        cmocka_unit_test_setup_teardown(test_parts, start, finish),
        cmocka_unit_test_setup_teardown(test_resumed_in_another_part, start, finish),
        cmocka_unit_test(test_ring),
        cmocka_unit_test(test_pings_push_nothing_out),
        cmocka_unit_test(test_resources),
    };
    return cmocka_run_group_tests_name("why", tests, NULL, NULL);
}
