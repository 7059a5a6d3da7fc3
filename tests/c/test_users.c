/* Lists of users in an order, page by page, against a plain sort of everybody; and whose last session ended. */
#include "core.h"
#include "support.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define ORIGIN_US (INT64_C(1000) * 1000000)
#define USERS 700

static rig life;

typedef struct entry {
    char name[32];
    char status[32];
    hb_user_row is;
} entry;

static entry answer[HB_USERS_MAX];

static int setup(void **state)
{
    (void)state;
    rig_init(&life, ORIGIN_US);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    rig_close(&life);
    return 0;
}

/* Reads an answer; returns how many users it is of. */
static size_t read_answer(char *bytes, size_t length)
{
    size_t count = 0;
    for (size_t at = 0; at < length; count++) {
        entry *e = &answer[count];
        assert_true(count < HB_USERS_MAX && length - at >= sizeof e->is);
        memset(e, 0, sizeof *e);
        memcpy(&e->is, bytes + at, sizeof e->is);
        at += sizeof e->is;
        assert_true(e->is.name_length < sizeof e->name && e->is.status_length < sizeof e->status);
        assert_true(length - at >= (size_t)e->is.name_length + e->is.status_length);
        memcpy(e->name, bytes + at, e->is.name_length);
        at += e->is.name_length;
        memcpy(e->status, bytes + at, e->is.status_length);
        at += e->is.status_length;
    }
    hb_string_free(bytes);
    return count;
}

static size_t list(const hb_user_query *query)
{
    char *bytes = NULL;
    size_t length = 1;
    assert_int_equal(hb_core_users(life.core, query, &bytes, &length), HB_OK);
    return read_answer(bytes, length);
}

static size_t gone(int expected)
{
    char *bytes = NULL;
    size_t length = 1;
    assert_int_equal(hb_core_gone(life.core, &bytes, &length), expected);
    return read_answer(bytes, length);
}

/* Names of one to three letters, times of which many are the same. */
static entry people[USERS];
static size_t people_count;

static void import_people(dice *d)
{
    people_count = 0;
    for (size_t i = 0; i < USERS; i++) {
        entry *p = &people[people_count];
        memset(p, 0, sizeof *p);
        size_t letters = 1 + dice_below(d, 3);
        for (size_t k = 0; k < letters; k++)
            p->name[k] = (char)('a' + dice_below(d, 12));
        p->is.seen_ms = 1000 + dice_below(d, 50);
        int code = hb_core_import(life.core, p->name, letters, p->is.seen_ms, NULL, 0);
        assert_true(code >= 0);
        people_count += code == 1;
    }
    assert_true(people_count > 100);
}

static hb_user_order order_of; /* of qsort */

static int by_order(const void *left, const void *right)
{
    const entry *a = left;
    const entry *b = right;
    if (order_of == HB_USERS_BY_SEEN && a->is.seen_ms != b->is.seen_ms)
        return a->is.seen_ms < b->is.seen_ms ? -1 : 1;
    return strcmp(a->name, b->name);
}

static bool asked_for(const hb_user_query *q, const entry *p)
{
    char part[8] = "";
    memcpy(part, q->part ? q->part : "", q->part_length);
    const char *found = strstr(p->name, part);
    return (!q->before_ms || p->is.seen_ms < q->before_ms) && found && (!q->prefix || found == p->name);
}

/* All pages of a query, one behind the other, are what a plain sort says. */
static void check_pages(hb_user_query q)
{
    size_t at = 0;
    size_t count;
    entry last;
    order_of = q.order;
    qsort(people, people_count, sizeof *people, by_order);
    do {
        count = list(&q);
        assert_true(count <= q.limit);
        for (size_t i = 0; i < count; i++, at++) {
            while (at < people_count && !asked_for(&q, &people[at]))
                at++;
            assert_true(at < people_count);
            assert_string_equal(answer[i].name, people[at].name);
            assert_int_equal(answer[i].is.seen_ms, people[at].is.seen_ms);
            assert_int_equal(answer[i].is.offline_ms, people[at].is.seen_ms);
            assert_false(answer[i].is.online);
        }
        if (count) {
            last = answer[count - 1];
            q.after = last.name;
            q.after_length = last.is.name_length;
            q.after_ms = last.is.seen_ms;
        }
    } while (count == q.limit);
    while (at < people_count && !asked_for(&q, &people[at]))
        at++;
    assert_int_equal(at, people_count);
}

static void test_pages(void **state)
{
    (void)state;
    dice d = {.state = 5};
    import_people(&d);
    static const char *const parts[] = {"", "a", "ab", "c", "abc", "zz"};
    static const size_t limits[] = {1, 2, 7, 64, HB_USERS_MAX};
    for (size_t i = 0; i < 120; i++) {
        const char *part = parts[dice_below(&d, 6)];
        check_pages((hb_user_query){.order = dice_percent(&d, 50) ? HB_USERS_BY_NAME : HB_USERS_BY_SEEN,
                                    .limit = limits[dice_below(&d, 5)],
                                    .before_ms = dice_percent(&d, 50) ? 1000 + (int64_t)dice_below(&d, 52) : 0,
                                    .part = part,
                                    .part_length = strlen(part),
                                    .prefix = dice_percent(&d, 50)});
    }
}

/* Who is online is in it with the last read, which is the present; and what is known of the others is in it too. */
static void test_who_is_here(void **state)
{
    (void)state;
    hb_token alice = rig_login(&life, "alice@example.org/phone", true);
    hb_token bob = rig_login(&life, "bob@example.org/phone", true);
    rig_step(&life, 5);
    rig_read(&life, alice);
    assert_int_equal(hb_core_unavailable(life.core, bob, "On the train", 12, false), HB_OK);
    rig_step(&life, 7);
    assert_int_equal(hb_core_closed(life.core, bob), HB_OK);
    hb_user_query all = {.order = HB_USERS_BY_SEEN, .limit = 10};
    assert_int_equal(list(&all), 2);
    assert_string_equal(answer[0].name, "bob");
    assert_string_equal(answer[0].status, "On the train");
    assert_int_equal(answer[0].is.why, HB_WHY_LOGOUT);
    assert_int_equal(answer[0].is.seen_ms, RIG_WALL_MS);
    assert_int_equal(answer[0].is.offline_ms, RIG_WALL_MS + 7000);
    assert_false(answer[0].is.online);
    assert_string_equal(answer[1].name, "alice");
    assert_int_equal(answer[1].is.seen_ms, RIG_WALL_MS + 5000);
    assert_true(answer[1].is.online);
    /* Not seen since: whoever was silent, online or not. */
    all.before_ms = RIG_WALL_MS + 5000;
    assert_int_equal(list(&all), 1);
    all.before_ms = RIG_WALL_MS + 5001;
    assert_int_equal(list(&all), 2);
    assert_int_equal(hb_core_forget(life.core, "bob", 3), 1);
    assert_int_equal(list(&all), 1);
}

/* What was read while it is recorded is known, though nothing was decided since. */
static void test_recorded(void **state)
{
    (void)state;
    hb_token alice = rig_login(&life, "alice@example.org/phone", true);
    assert_int_equal(hb_core_record(life.core, 1 << 16), HB_OK);
    rig_step(&life, 5);
    rig_read(&life, alice);
    hb_user_query silent = {.limit = 10, .before_ms = RIG_WALL_MS + 5000};
    assert_int_equal(list(&silent), 0);
    silent.before_ms++;
    assert_int_equal(list(&silent), 1);
    assert_int_equal(answer[0].is.seen_ms, RIG_WALL_MS + 5000);
}

typedef struct asked {
    hb_core *of;
    hb_seen seen;
    int found;
} asked;

static void *ask_for_guest(void *argument)
{
    asked *it = argument;
    it->found = hb_core_seen(it->of, "guest", 5, &it->seen);
    return NULL;
}

/* One who is online is found, and forgotten before it can be looked at their sessions: of them nothing is told. */
static void test_forgotten_in_between(void **state)
{
    (void)state;
    const struct timespec pause = {.tv_nsec = 20000000};
    pthread_t thread;
    asked it = {.found = -1, .seen = {.ms = RIG_WALL_MS - 1000, .online = true}};
    it.of = life.core;
    assert_int_equal(hb_core_import(life.core, "guest", 5, RIG_WALL_MS - 1000, NULL, 0), 1);
    rig_login(&life, "guest@example.org/x", true);
    hb_core_lock(life.core);
    assert_int_equal(pthread_create(&thread, NULL, ask_for_guest, &it), 0);
    nanosleep(&pause, NULL); /* it waits for a part; should it not have come so far, it finds nobody */
    hb_slots_forget(life.core, hb_users_ref(&life.core->users, "guest", 5));
    hb_core_unlock(life.core);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(it.found, 0);
    assert_true(it.seen.ms == RIG_WALL_MS - 1000 && it.seen.online); /* and not what lay on the stack */
}

static void test_bad_queries(void **state)
{
    (void)state;
    char *bytes = NULL;
    size_t length = 7;
    hb_user_query q = {.limit = 0};
    assert_int_equal(hb_core_users(life.core, &q, &bytes, &length), HB_EINVAL);
    q.limit = HB_USERS_MAX + 1;
    assert_int_equal(hb_core_users(life.core, &q, &bytes, &length), HB_EINVAL);
    q = (hb_user_query){.limit = 1, .part = "x", .part_length = HB_JID_MAX + 1};
    assert_int_equal(hb_core_users(life.core, &q, &bytes, &length), HB_EINVAL);
    q = (hb_user_query){.limit = 1, .after = "x", .after_length = HB_JID_MAX + 1};
    assert_int_equal(hb_core_users(life.core, &q, &bytes, &length), HB_EINVAL);
    assert_int_equal(length, 7);
    q = (hb_user_query){.limit = 1};
    assert_int_equal(list(&q), 0);
}

static void test_gone(void **state)
{
    (void)state;
    hb_token early = rig_login(&life, "early@example.org/x", false);
    assert_int_equal(hb_core_closed(life.core, early), HB_OK);
    assert_int_equal(gone(0), 0); /* nobody had asked */
    hb_token phone = rig_login(&life, "alice@example.org/phone", true);
    hb_token desk = rig_login(&life, "alice@example.org/desk", true);
    hb_token bob = rig_login(&life, "bob@example.org/x", true);
    hb_token carol = rig_login(&life, "carol@example.org/x", true);
    assert_int_equal(gone(0), 0);
    rig_step(&life, 3);
    assert_int_equal(hb_core_closed(life.core, phone), HB_OK);
    assert_int_equal(gone(0), 0); /* she is here at her desk */
    assert_int_equal(hb_core_closed(life.core, desk), HB_OK);
    assert_int_equal(hb_core_closed(life.core, bob), HB_OK);
    bob = rig_login(&life, "bob@example.org/x", true);
    assert_int_equal(hb_core_closed(life.core, bob), HB_OK);
    assert_int_equal(life.core->gone.count, 2); /* who comes and goes takes no more room */
    assert_int_equal(hb_core_closed(life.core, carol), HB_OK);
    assert_int_equal(hb_core_forget(life.core, "carol", 5), 1);
    rig_login(&life, "carla@example.org/x", true); /* where carol was */
    assert_int_equal(gone(0), 2);
    order_of = HB_USERS_BY_NAME;
    qsort(answer, 2, sizeof *answer, by_order);
    assert_string_equal(answer[0].name, "alice");
    assert_int_equal(answer[0].is.seen_ms, RIG_WALL_MS);
    assert_int_equal(answer[0].is.offline_ms, RIG_WALL_MS + 3000);
    assert_string_equal(answer[1].name, "bob");
    assert_int_equal(gone(0), 0);
    /* Who came back meanwhile is told so. */
    hb_token back = rig_login(&life, "alice@example.org/phone", true);
    assert_int_equal(hb_core_closed(life.core, back), HB_OK);
    rig_login(&life, "alice@example.org/phone", true);
    assert_int_equal(gone(0), 1);
    assert_true(answer[0].is.online);
}

/* More than one answer holds: each once. */
static void test_many_gone(void **state)
{
    (void)state;
    enum { COUNT = 2500 };
    static bool seen[COUNT];
    memset(seen, 0, sizeof seen);
    assert_int_equal(gone(0), 0);
    for (int i = 0; i < COUNT; i++) {
        char jid[64];
        text_print(jid, sizeof jid, "user%d@example.org/x", i);
        assert_int_equal(hb_core_closed(life.core, rig_login(&life, jid, true)), HB_OK);
    }
    size_t total = 0;
    for (size_t count = gone(0); count; count = gone(0)) {
        for (size_t i = 0; i < count; i++) {
            long which = strtol(answer[i].name + 4, NULL, 10);
            assert_in_range(which, 0, COUNT - 1);
            assert_false(seen[which]);
            seen[which] = true;
        }
        total += count;
    }
    assert_int_equal(total, COUNT);
}

/* Everybody once, while some come, go and are forgotten in between. */
static void test_each(void **state)
{
    (void)state;
    enum { COUNT = 2500 };
    static int seen[COUNT];
    memset(seen, 0, sizeof seen);
    char name[64];
    uint32_t at = 0;
    char *bytes = NULL;
    size_t length = 1;
    assert_int_equal(hb_core_each(life.core, &at, &bytes, &length), HB_OK);
    assert_int_equal(length, 0);
    assert_int_equal(at, 0);
    for (int i = 0; i < COUNT; i++) {
        text_print(name, sizeof name, i % 5 ? "user%d" : "a-user-with-a-long-name%d", i);
        assert_int_equal(hb_core_import(life.core, name, strlen(name), RIG_WALL_MS - 5000 - i, "away", 4), 1);
    }
    rig_login(&life, "user1@example.org/x", true);
    int round = 0;
    do {
        assert_int_equal(hb_core_each(life.core, &at, &bytes, &length), HB_OK);
        size_t count = read_answer(bytes, length);
        assert_true(count <= HB_USERS_MAX && (count == HB_USERS_MAX || !at));
        for (size_t i = 0; i < count; i++) {
            long which = strtol(answer[i].name + strcspn(answer[i].name, "0123456789"), NULL, 10);
            assert_in_range(which, 0, COUNT - 1);
            seen[which]++;
            assert_int_equal(answer[i].is.online, which == 1);
            assert_int_equal(answer[i].is.seen_ms, which == 1 ? RIG_WALL_MS : RIG_WALL_MS - 5000 - which);
            assert_string_equal(answer[i].status, which == 1 ? "" : "away");
        }
        if (round++ == 0) {
            assert_int_equal(hb_core_forget(life.core, answer[count - 1].name, strlen(answer[count - 1].name)), 1);
            assert_int_equal(hb_core_forget(life.core, "user2499", 8), 1);
        }
    } while (at);
    assert_int_equal(round, 3);
    for (int i = 0; i < COUNT; i++)
        assert_int_equal(seen[i], i != 2499);
}

#define with_core(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        with_core(test_pages),       with_core(test_who_is_here),
        with_core(test_recorded),    with_core(test_forgotten_in_between),
        with_core(test_bad_queries), with_core(test_gone),
        with_core(test_many_gone),   with_core(test_each),
    };
    return cmocka_run_group_tests_name("users", tests, NULL, NULL);
}
