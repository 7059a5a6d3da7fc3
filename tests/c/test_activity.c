/* The table of users: names, statuses, times. */
#include "support.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "activity.h"

static const uint64_t seed[2] = {UINT64_C(0x0706050403020100), UINT64_C(0x0f0e0d0c0b0a0908)};

/* Vectors of the reference implementation (Aumasson, Bernstein): key 00..0f, input 00, 01, 02, ... */
static void test_siphash(void **state)
{
    (void)state;
    uint8_t in[64];
    for (size_t i = 0; i < sizeof in; i++) {
        in[i] = (uint8_t)i;
    }
    assert_true(hb_siphash(seed, in, 0) == UINT64_C(0x726fdb47dd0e0e31));
    assert_true(hb_siphash(seed, in, 1) == UINT64_C(0x74f839c593dc67fd));
    assert_true(hb_siphash(seed, in, 2) == UINT64_C(0x0d6c8009d9a94f5a));
    assert_true(hb_siphash(seed, in, 7) == UINT64_C(0xab0200f58b01d137));
    assert_true(hb_siphash(seed, in, 8) == UINT64_C(0x93f5f5799a932462));
    assert_true(hb_siphash(seed, in, 15) == UINT64_C(0xa129ca6149be45e5));
    assert_true(hb_siphash(seed, in, 16) == UINT64_C(0x3f2acc7f57c29bdb));
    assert_true(hb_siphash(seed, in, 63) == UINT64_C(0x958a324ceb064572));
}

static void test_utf8_cut(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        size_t max;
        size_t length;
    } cases[] = {
        {"", 0, 0},
        {"abc", 5, 3},
        {"abc", 3, 3},
        {"abc", 2, 2},
        {"abc", 0, 0},
        {"a\xc3\xa4", 2, 1},
        {"a\xc3\xa4", 3, 3},
        {"\xc3\xa4", 1, 0},
        {"\xe2\x82\xac\xe2\x82\xac", 5, 3},
        {"\xe2\x82\xac\xe2\x82\xac", 4, 3},
        {"\xe2\x82\xac\xe2\x82\xac", 3, 3},
        {"\xe2\x82\xac\xe2\x82\xac", 2, 0},
        {"x\xf0\x9f\x92\xa9", 4, 1},
        {"x\xf0\x9f\x92\xa9", 5, 5},
        {"\x80\x80\x80\x80", 2, 0}, /* no UTF-8 at all: no harm */
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_int_equal(hb_utf8_cut(cases[i].text, strlen(cases[i].text), cases[i].max), cases[i].length);
    }
}

static hb_users users;

static hb_user *get(const char *name, size_t length)
{
    hb_user_ref user = hb_users_get(&users, hb_users_hash(&users, name, length), name, length);

    assert_int_not_equal(user, HB_NO_USER);
    return hb_user_at(&users, user);
}

static hb_user *find(const char *name, size_t length)
{
    return hb_users_find(&users, name, length);
}

static int setup(void **state)
{
    (void)state;
    return hb_users_init(&users, seed[0], seed[1]);
}

static int teardown(void **state)
{
    (void)state;
    hb_users_close(&users);
    return 0;
}

static void test_empty(void **state)
{
    (void)state;
    hb_seen seen;
    assert_null(find("alice", 5));
    assert_null(find("", 0));
    assert_int_equal(hb_users_peek(&users, "alice", 5, &seen), 0);
    hb_users_set_back(&users, 0, 1000);
    assert_int_equal(users.count, 0);
    hb_users_close(&users);
    assert_null(find("alice", 5));
}

static void test_names(void **state)
{
    (void)state;
    hb_user *alice = get("alice", 5);
    assert_int_equal(alice->seen_ms, 0);
    assert_null(alice->status);
    assert_int_equal(alice->sessions, HB_NO_SLOT);
    assert_int_equal(hb_user_why(alice), HB_WHY_NONE);
    assert_int_equal(alice->name_length, 5);
    assert_memory_equal(alice->name, "alice", 5);
    assert_ptr_equal(get("alice", 5), alice);
    assert_ptr_equal(find("alicexyz", 5), alice);
    /* Names are bytes: no case, no prefix, no NUL is special. */
    assert_null(find("Alice", 5));
    assert_null(find("alic", 4));
    assert_null(find("alice\0", 6));
    hb_user *with_nul = get("alice\0", 6);
    assert_ptr_not_equal(with_nul, alice);
    assert_int_equal(users.count, 2);
    char longest[HB_JID_MAX];
    memset(longest, 'x', sizeof longest);
    hb_user *large = get(longest, sizeof longest);
    assert_int_equal(large->name_length, sizeof longest);
    assert_ptr_equal(find(longest, sizeof longest), large);
    assert_null(find(longest, sizeof longest - 1));
}

/* Users stay where they are while the table grows, over many blocks. */
static void test_many(void **state)
{
    (void)state;
    enum { COUNT = 200000 };
    static hb_user *known[COUNT];
    char name[32];
    for (int i = 0; i < COUNT; i++) {
        text_print(name, sizeof name, "user%08d", i);
        known[i] = get(name, 12);
        known[i]->seen_ms = i + 1;
    }
    assert_int_equal(users.count, COUNT);
    assert_true(users.block_count > 2);
    for (int i = 0; i < COUNT; i++) {
        hb_seen seen;
        text_print(name, sizeof name, "user%08d", i);
        assert_ptr_equal(find(name, 12), known[i]);
        assert_int_equal(known[i]->seen_ms, i + 1);
        assert_int_equal(hb_users_peek(&users, name, 12, &seen), 1);
        assert_int_equal(seen.ms, i + 1);
        assert_int_equal(seen.stripe, known[i]->stripe);
        assert_false(seen.online);
    }
    assert_null(find("user-1", 6));
    assert_in_range(users.bytes, COUNT * (sizeof(hb_user) + 12), COUNT * 70);
}

static void test_status(void **state)
{
    (void)state;
    hb_user *user = get("erin", 4);
    size_t bytes = users.bytes;
    assert_int_equal(hb_user_set_status(&users, user, "Gone fishing", 12), HB_OK);
    assert_string_equal(user->status, "Gone fishing");
    assert_true(users.bytes > bytes);
    assert_int_equal(hb_user_set_status(&users, user, "Gone fishing", 4), HB_OK);
    assert_string_equal(user->status, "Gone");
    assert_int_equal(hb_user_set_status(&users, user, "x", 0), HB_OK);
    assert_true(!user->status || user->status[0] == '\0');
    assert_int_equal(hb_user_set_status(&users, user, NULL, 0), HB_OK);
    assert_null(user->status);
    assert_int_equal(users.bytes, bytes);
}

static void test_long_status(void **state)
{
    (void)state;
    hb_user *user = get("erin", 4);
    static char text[1 << 20];
    memset(text, 'x', sizeof text);
    assert_int_equal(hb_user_set_status(&users, user, text, HB_STATUS_MAX), HB_OK);
    assert_int_equal(strlen(user->status), HB_STATUS_MAX);
    assert_int_equal(hb_user_set_status(&users, user, text, HB_STATUS_MAX + 1), HB_OK);
    assert_int_equal(strlen(user->status), HB_STATUS_MAX);
    assert_int_equal(hb_user_set_status(&users, user, text, sizeof text), HB_OK);
    assert_int_equal(strlen(user->status), HB_STATUS_MAX);
    for (size_t at = 0; at + 4 <= sizeof text; at += 4) {
        memcpy(text + at, "\xf0\x9f\x92\xa9", 4);
    }
    assert_int_equal(hb_user_set_status(&users, user, text, sizeof text), HB_OK);
    assert_int_equal(strlen(user->status), HB_STATUS_MAX / 4 * 4);
}

static void test_set_back(void **state)
{
    (void)state;
    hb_user *past = get("past", 4);
    hb_user *now = get("now", 3);
    hb_user *future = get("future", 6);
    hb_user *never = get("never", 5);
    past->seen_ms = 1000;
    now->seen_ms = 5000;
    future->seen_ms = 8600;
    future->offline_ms = 8601;
    hb_users_set_back(&users, 5000, 3600);
    assert_int_equal(past->seen_ms, 1000);
    assert_int_equal(now->seen_ms, 5000);
    assert_int_equal(future->seen_ms, 5000);
    assert_int_equal(future->offline_ms, 5001);
    assert_int_equal(never->seen_ms, 0);
}

/* Each change is counted, where the caller wants it. */
static void test_changes(void **state)
{
    (void)state;
    uint32_t counts[HB_USER_STRIPES];
    hb_seen seen;
    hb_user *alice = get("alice", 5);
    assert_int_equal(hb_users_peek(&users, "alice", 5, &seen), 1);
    uint32_t before = seen.change;
    hb_users_count_in(&users, counts);
    assert_int_equal(counts[alice->stripe], before);
    hb_user_lock(&users, alice);
    alice->seen_ms = 7;
    alice->sessions = 3;
    hb_user_unlock(&users, alice);
    assert_int_equal(counts[alice->stripe], before + 1);
    assert_int_equal(hb_users_peek(&users, "alice", 5, &seen), 1);
    assert_int_equal(seen.change, before + 1);
    assert_int_equal(seen.ms, 7);
    assert_true(seen.online);
    hb_users_close(&users); /* counts outlive it */
}

/* Forgotten users are not found, their room is used again, and the others are still found. */
static void test_forget(void **state)
{
    (void)state;
    enum { COUNT = 5000 };
    char name[32];
    for (int i = 0; i < COUNT; i++) {
        text_print(name, sizeof name, "user%08d", i);
        get(name, 12)->seen_ms = i;
    }
    size_t bytes = users.bytes;
    for (int i = 0; i < COUNT; i += 3) {
        text_print(name, sizeof name, "user%08d", i);
        hb_users_forget(&users, hb_users_ref(&users, name, 12));
    }
    size_t left = 0;
    for (hb_user_ref at = hb_users_next(&users, HB_NO_USER); at; at = hb_users_next(&users, at)) {
        const hb_user *user = hb_user_at(&users, at);
        assert_int_not_equal(user->seen_ms % 3, 0);
        left++;
    }
    assert_int_equal(left, users.count);
    assert_int_equal(left, COUNT - (COUNT + 2) / 3);
    assert_true(users.bytes < bytes);
    for (int i = 0; i < COUNT; i++) {
        text_print(name, sizeof name, "user%08d", i);
        const hb_user *user = find(name, 12);
        assert_int_equal(user != NULL, i % 3 != 0);
        assert_true(!user || user->seen_ms == i);
    }
    uint32_t used = users.used;
    for (int i = 0; i < COUNT; i += 3) {
        text_print(name, sizeof name, "user%08d", i);
        assert_int_equal(get(name, 12)->seen_ms, 0);
    }
    assert_int_equal(users.used, used);
    assert_int_equal(users.bytes, bytes);
}

/* Each of many blocks is gone through to its end. */
static void test_next(void **state)
{
    (void)state;
    enum { COUNT = 120000 };
    char name[HB_JID_MAX];
    size_t found = 0;
    memset(name, 'x', sizeof name);
    assert_int_equal(hb_users_next(&users, HB_NO_USER), HB_NO_USER);
    for (int i = 0; i < COUNT; i++) {
        int length = snprintf(name, sizeof name, "%d", i);
        name[length] = 'x';
        get(name, 40 + (size_t)i % 90);
    }
    assert_true(users.block_count > 3);
    for (hb_user_ref at = hb_users_next(&users, HB_NO_USER); at; at = hb_users_next(&users, at))
        found++;
    assert_int_equal(found, COUNT);
}

#define with_users(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_siphash), cmocka_unit_test(test_utf8_cut), with_users(test_empty),
        with_users(test_names),         with_users(test_many),           with_users(test_status),
        with_users(test_long_status),   with_users(test_set_back),       with_users(test_changes),
        with_users(test_forget),        with_users(test_next),
    };
    return cmocka_run_group_tests_name("activity", tests, NULL, NULL);
}
