/* Recording, and its replay. */
#include "support.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "replay.h"

#define SECOND INT64_C(1000000)
#define TEXT_BYTES (1 << 20)
#define BUFFER (1 << 20)

typedef struct stage {
    rig rig;
    char *text;
    size_t length;
    hb_token reader; /* one that is read from now and then */
} stage;

/* In small pieces, as a caller with little room takes it. */
static int take(stage *s)
{
    size_t length = 0;
    int code;
    do {
        assert_true(s->length + 100 < TEXT_BYTES);
        code = hb_core_recorded(s->rig.core, s->text + s->length, 100, &length);
        s->length += code == HB_OK ? length : 0;
    } while (code == HB_OK && length > 0);
    s->text[s->length] = '\0';
    return code;
}

static replay_result replay(const stage *s)
{
    return replay_text(s->text, s->length, 4);
}

static void same(const stage *s)
{
    replay_result r = replay(s);
    if (r.end != REPLAY_SAME) {
        fail_msg("line %zu: %s\n%s", r.line, r.said, s->text);
    }
    assert_true(r.events > 0 && r.decisions > 0);
}

/* Everything that can be open when a recording begins. */
static void crowd(stage *s)
{
    rig *r = &s->rig;
    rig_policy(r, "{\"idle\": \"10s\", \"ack_timeout\": \"5s\", \"retries\": 1, \"pings_per_tick\": 2}", 20000, true);
    rig_open(r);
    hb_token gone = rig_login(r, "gone@example.org/a", true);
    for (int i = 0; i < 5; i++) {
        s->reader = rig_login(r, i % 2 ? "alice@example.org/phone" : "alice@example.org/desk", i != 3);
    }
    hb_token detached = rig_login(r, "bob@example.org/phone", true);
    hb_token anonymous = rig_open(r);
    assert_int_equal(hb_core_bound(r->core, anonymous, "x17@example.org/y", 17, true), HB_OK);
    assert_int_equal(hb_core_detached(r->core, detached), HB_OK);
    rig_stall(r, 3);
    rig_tick(r);
    rig_quiet(r, 5);
    assert_int_equal(hb_core_closed(r->core, gone), HB_OK);
}

static void begin_all(rig *r)
{
    rig_due due;
    while (rig_take(r, &due)) {
        hb_order order;
        unsigned facts = (uint32_t)due.action.token % 2 ? HB_FACT_RESUMABLE : 0;
        assert_int_equal(hb_core_begin(r->core, due.action.token, (hb_verb)due.action.verb, facts, r->now_us, &order),
                         HB_OK);
    }
}

/* Forty seconds, with a byte, a stall, a new policy and a page more on the way. */
static void live(stage *s)
{
    rig *r = &s->rig;
    int64_t end = rig_second(r) + 40;
    for (int64_t second = rig_second(r) + 1; second <= end; second++) {
        rig_step(r, second);
        begin_all(r);
        if (second % 5 == 0) {
            rig_read(r, s->reader);
        }
        if (second % 7 == 0) {
            hb_token token = rig_login(r, "carol@example.org/phone", true);
            rig_read(r, token);
            assert_int_equal(hb_core_idle(r->core, token, r->now_us), 1);
            assert_int_equal(hb_core_unavailable(r->core, token, "secret", 6, false), HB_OK);
            assert_int_equal(hb_core_pong(r->core, token, "secret", 6, r->now_us), 0);
            assert_int_equal(hb_core_closed(r->core, token), HB_OK);
        }
        if (second == 20) {
            rig_add_page(r);
            rig_policy(r, "{\"idle\": \"4s\", \"spread\": \"3s\", \"ack_timeout\": \"2s\"}", 20000, true);
            rig_stall(r, second += 4);
            assert_int_equal(hb_core_in_charge(r->core, r->now_us), 1);
            rig_tick(r);
        }
        (void)take(s);
    }
}

static void test_same(void **state)
{
    stage *s = *state;
    crowd(s);
    assert_int_equal(take(s), HB_EINVAL);
    assert_int_equal(hb_core_record(s->rig.core, BUFFER), HB_OK);
    assert_int_equal(hb_core_record(s->rig.core, BUFFER), HB_EINVAL);
    assert_int_equal(take(s), HB_OK);
    assert_int_equal(s->length, 0); /* it begins with a tick */
    live(s);
    assert_int_equal(hb_core_record(s->rig.core, BUFFER), HB_EINVAL);
    same(s);
    const char *const wanted[] = {"\n=> ping ",  "\n=> disconnect ",  "\nread ",   "\nstall ",
                                  " => cut\n",   "\npage\n",          "\ntold ",   " => close\n",
                                  "anonymous\n", "\n=> unavailable ", " => ping\n"};
    for (size_t i = 0; i < sizeof wanted / sizeof wanted[0]; i++) {
        if (!strstr(s->text, wanted[i]) && strcmp(wanted[i], "\ntold ") != 0) {
            fail_msg("no '%s' in the recording", wanted[i]);
        }
    }
    const char *const private[] = {"alice", "bob", "carol", "example", "phone", "secret", "x17"};
    for (size_t i = 0; i < sizeof private / sizeof private[0]; i++) {
        assert_null(strstr(s->text, private[i]));
    }
}

/* A second recording begins where the first ended; the core sees what is read in between and after. */
static void test_again(void **state)
{
    stage *s = *state;
    hb_token token = rig_login(&s->rig, "alice@example.org/phone", true);
    assert_int_equal(hb_core_record(s->rig.core, BUFFER), HB_OK);
    rig_quiet(&s->rig, 9);
    rig_read(&s->rig, token);
    rig_quiet(&s->rig, 15);
    hb_core_record_end(s->rig.core);
    assert_int_equal(take(s), HB_EINVAL);
    rig_read(&s->rig, token);
    rig_quiet(&s->rig, 24);
    assert_int_equal(hb_core_record(s->rig.core, BUFFER), HB_OK);
    rig_expect(&s->rig, 25, token, HB_PING, HB_WHY_IDLE);
    rig_read(&s->rig, token);
    rig_begin(&s->rig, token, HB_PING, 0, HB_NOTHING);
    assert_int_equal(take(s), HB_OK);
    same(s);
}

/* Who waits for a ping when it begins is still the first. */
static void test_waiting(void **state)
{
    stage *s = *state;
    rig *r = &s->rig;
    hb_token tokens[4];
    rig_policy(r, "{\"idle\": \"3s\", \"ack_timeout\": \"30s\", \"pings_per_tick\": 1}", 20000, true);
    for (size_t i = 0; i < 4; i++) {
        tokens[i] = rig_login(r, "alice@example.org/phone", false);
    }
    for (size_t i = 0; i < 3; i++) {
        rig_expect(r, 3 + (int64_t)i, tokens[i], HB_PING, HB_WHY_IDLE);
        rig_begin(r, tokens[i], HB_PING, 0, HB_PING);
        if (i == 0) {
            rig_read(r, tokens[0]);
        }
    }
    assert_int_equal(hb_core_record(r->core, BUFFER), HB_OK);
    rig_expect(r, 6, tokens[3], HB_PING, HB_WHY_IDLE);
    rig_begin(r, tokens[3], HB_PING, 0, HB_PING);
    rig_expect(r, 7, tokens[0], HB_PING, HB_WHY_IDLE);
    assert_int_equal(take(s), HB_OK);
    same(s);
}

/* That a user is forgotten is not in it, and decides nothing: not before it begins, and not while it is on. */
static void test_forgotten(void **state)
{
    stage *s = *state;
    rig *r = &s->rig;
    hb_token before[2] = {0};
    for (size_t i = 0; i < 2; i++) {
        const char *jid = i ? "bob@example.org/phone" : "alice@example.org/phone";
        before[i] = rig_login(r, jid, true);
        if (i == 1)
            assert_int_equal(hb_core_record(r->core, BUFFER), HB_OK);
        rig_quiet(r, 1 + (int64_t)i);
        assert_int_equal(hb_core_forget(r->core, jid, strcspn(jid, "@")), 1);
        rig_login(r, jid, true);
    }
    for (size_t i = 0; i < 2; i++)
        assert_int_equal(hb_core_closed(r->core, before[i]), HB_OK);
    for (size_t i = 0; i < 2; i++)
        rig_expect(r, 4, before[i], HB_UNAVAILABLE, HB_WHY_NOT_TOLD);
    for (size_t i = 0; i < 2; i++)
        rig_begin(r, before[i], HB_UNAVAILABLE, 0, HB_NOTHING);
    assert_int_equal(take(s), HB_OK);
    same(s);
}

static void test_pong(void **state)
{
    stage *s = *state;
    hb_token token = rig_login(&s->rig, "alice@example.org/phone", true);
    char id[sizeof rig_text];
    for (int i = 0; i < 3; i++) {
        if (i == 1) {
            assert_int_equal(hb_core_record(s->rig.core, BUFFER), HB_OK);
        }
        rig_expect(&s->rig, 10 * (i + 1), token, HB_PING, HB_WHY_IDLE);
        rig_begin(&s->rig, token, HB_PING, 0, HB_PING);
        strcpy(id, rig_text);
        rig_read(&s->rig, token);
        assert_int_equal(hb_core_pong(s->rig.core, token, id, strlen(id), s->rig.now_us + 5000), 1);
        assert_int_equal(hb_core_pong(s->rig.core, token, id, strlen(id), s->rig.now_us + 6000), 0);
    }
    assert_int_equal(take(s), HB_OK);
    assert_null(strstr(s->text, id));
    assert_non_null(strstr(s->text, " => 1\n"));
    same(s);
}

/* What was decided otherwise is found, at its line. */
static void test_differs(void **state)
{
    stage *s = *state;
    crowd(s);
    assert_int_equal(hb_core_record(s->rig.core, BUFFER), HB_OK);
    live(s);
    const struct {
        const char *was;
        const char *is;
    } changes[] = {{"\n=> ping ", "\n=> abort"},       {" => ping\n", " => pong\n"}, {" idle\n", " dead\n"},
                   {"\npolicy 10 5", "\npolicy 11 5"}, {"\n=> end\n", "\n=> mor\n"}, {"\nscan 1\n", "\nscan 2\n"}};
    for (size_t i = 0; i < sizeof changes / sizeof changes[0]; i++) {
        char *at = strstr(s->text, changes[i].was);
        assert_non_null(at);
        memcpy(at, changes[i].is, strlen(changes[i].is));
        replay_result r = replay(s);
        assert_int_equal(r.end, REPLAY_DIFFERS);
        assert_true(r.line > 1 && strlen(r.said) > 10);
        memcpy(at, changes[i].was, strlen(changes[i].was));
    }
    same(s);
}

static void test_broken(void **state)
{
    (void)state;
    const char *const texts[] = {"",
                                 "heartbeat-recording 2\nbegin\n",
                                 "heartbeat-recording 1\n",
                                 "heartbeat-recording 1\nbegin\n=> ping s0.1 idle\n",
                                 "heartbeat-recording 1\nbegin\nclosed s0.1 => 0\n",
                                 "heartbeat-recording 1\npage\nbegin\nclosed s0.1\n",
                                 "heartbeat-recording 1\nbegin\nnothing\n",
                                 "heartbeat-recording 1\nbegin\n1.5 tick 9\n",
                                 "heartbeat-recording 1\nbegin\n1.500000 tick 0\n",
                                 "heartbeat-recording 1\nbegin\nscan 1\n",
                                 "heartbeat-recording 1\ncore 1 1 0 0 0 0 0 0 0\nbegin\n",
                                 "heartbeat-recording 1\npage\npage\npage\npage\npage\nbegin\n",
                                 "heartbeat-recording 1\npage\nsession s0.1 0 7 0 0 0 0 0 0 0 0 -\nbegin\n",
                                 "heartbeat-recording 1\npage\nsession s0.1 90000000 1 0 0 0 0 0 0 0 0 -\nbegin\n",
                                 "heartbeat-recording 1\npolicy 1 1 1 1 1 1 1 1\nbegin\n",
                                 "heartbeat-recording 1\nclock 5 1 1\nstall 5 1\nbegin\n"};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        replay_result r = replay_text(texts[i], strlen(texts[i]), 4);
        if (r.end != REPLAY_BROKEN && i != 4) {
            fail_msg("taken for a recording: %s", texts[i]);
        }
        assert_true(strlen(r.said) > 5);
    }
}

/* Lack of room ends it with a whole line, and says so; what is there can be replayed. */
static void test_full(void **state)
{
    stage *s = *state;
    size_t length = 0;
    crowd(s);
    assert_int_equal(hb_core_record(s->rig.core, 1), HB_EINVAL);
    assert_int_equal(hb_core_record(s->rig.core, 1500), HB_OK);
    rig_step(&s->rig, 6);
    for (int64_t second = 6; second < 60; second++) {
        rig_step(&s->rig, second);
        begin_all(&s->rig);
    }
    assert_int_equal(hb_core_recorded(s->rig.core, s->text, TEXT_BYTES, &length), HB_OK);
    assert_in_range(length, 1300, 1500);
    s->length = length;
    s->text[length] = '\0';
    assert_string_equal(s->text + length - 5, "full\n");
    assert_int_equal(hb_core_recorded(s->rig.core, s->text + length, 1, &length), HB_EFULL);
    same(s);
    assert_true(replay(s).cut);
    hb_core_record_end(s->rig.core);
    assert_int_equal(hb_core_recorded(s->rig.core, s->text, 1, &length), HB_EINVAL);
}

static void test_stopped(void **state)
{
    stage *s = *state;
    rig_login(&s->rig, "alice@example.org/phone", true);
    assert_int_equal(hb_core_record(s->rig.core, BUFFER), HB_OK);
    rig_quiet(&s->rig, 9);
    hb_core_stop(s->rig.core);
    assert_int_equal(hb_core_in_charge(s->rig.core, s->rig.now_us), 0);
    rig_quiet(&s->rig, 15);
    assert_int_equal(take(s), HB_OK);
    same(s);
    assert_non_null(strstr(s->text, "\nstop\n"));
    assert_non_null(strstr(s->text, " charge => 0\n"));
}

/* Recordings of servers: what was decided there is decided still. */
static void test_files(void **state)
{
    (void)state;
    static const char *const files[] = {"tests/recordings/server.txt"};
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        FILE *in = fopen(files[i], "rb");
        char *text = malloc(TEXT_BYTES);
        assert_true(in && text);
        size_t length = fread(text, 1, TEXT_BYTES, in);
        (void)fclose(in);
        replay_result r = replay_text(text, length, 4);
        if (r.end != REPLAY_SAME) {
            fail_msg("%s:%zu: %s", files[i], r.line, r.said);
        }
        assert_true(r.decisions > 20);
        free(text);
    }
}

static int start(void **state)
{
    stage *s = calloc(1, sizeof *s);
    assert_non_null(s);
    rig_init(&s->rig, 1000 * SECOND);
    rig_policy(&s->rig, NULL, 20000, true);
    s->text = malloc(TEXT_BYTES);
    assert_non_null(s->text);
    *state = s;
    return 0;
}

static int finish(void **state)
{
    stage *s = *state;
    rig_close(&s->rig);
    free(s->text);
    free(s);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_same, start, finish),
        cmocka_unit_test_setup_teardown(test_again, start, finish),
        cmocka_unit_test_setup_teardown(test_waiting, start, finish),
        cmocka_unit_test_setup_teardown(test_forgotten, start, finish),
        cmocka_unit_test_setup_teardown(test_pong, start, finish),
        cmocka_unit_test_setup_teardown(test_differs, start, finish),
        cmocka_unit_test(test_broken),
        cmocka_unit_test(test_files),
        cmocka_unit_test_setup_teardown(test_full, start, finish),
        cmocka_unit_test_setup_teardown(test_stopped, start, finish),
    };
    return cmocka_run_group_tests_name("record", tests, NULL, NULL);
}
