/* The table of users: names, statuses, times. */
#include "support.h"

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

static void test_empty(void **state)
{
    (void)state;
    hb_users users;
    hb_users_init(&users, seed[0], seed[1]);
    assert_null(hb_users_find(&users, "alice", 5));
    assert_null(hb_users_find(&users, "", 0));
    hb_users_set_back(&users, 0, 1000);
    assert_int_equal(users.count, 0);
    hb_users_close(&users);
    assert_null(hb_users_find(&users, "alice", 5));
    hb_users_close(&users);
}

static void test_names(void **state)
{
    (void)state;
    hb_users users;
    hb_users_init(&users, seed[0], seed[1]);
    hb_user *alice = hb_users_get(&users, "alice", 5);
    assert_non_null(alice);
    assert_int_equal(alice->seen_ms, 0);
    assert_null(alice->status);
    assert_int_equal(alice->sessions, HB_NO_SLOT);
    assert_int_equal(alice->why, HB_WHY_NONE);
    assert_int_equal(alice->name_length, 5);
    assert_memory_equal(alice->name, "alice", 5);
    assert_ptr_equal(hb_users_get(&users, "alice", 5), alice);
    assert_ptr_equal(hb_users_find(&users, "alicexyz", 5), alice);
    /* Names are bytes: no case, no prefix, no NUL is special. */
    assert_null(hb_users_find(&users, "Alice", 5));
    assert_null(hb_users_find(&users, "alic", 4));
    assert_null(hb_users_find(&users, "alice\0", 6));
    hb_user *with_nul = hb_users_get(&users, "alice\0", 6);
    assert_non_null(with_nul);
    assert_ptr_not_equal(with_nul, alice);
    assert_int_equal(users.count, 2);
    char longest[HB_JID_MAX];
    memset(longest, 'x', sizeof longest);
    hb_user *large = hb_users_get(&users, longest, sizeof longest);
    assert_non_null(large);
    assert_int_equal(large->name_length, sizeof longest);
    assert_ptr_equal(hb_users_find(&users, longest, sizeof longest), large);
    assert_null(hb_users_find(&users, longest, sizeof longest - 1));
    hb_users_close(&users);
}

/* Users stay where they are while the table grows. */
static void test_many(void **state)
{
    (void)state;
    enum { COUNT = 20000 };
    static hb_user *known[COUNT];
    hb_users users;
    char name[32];
    hb_users_init(&users, seed[0], seed[1]);
    for (int i = 0; i < COUNT; i++) {
        text_print(name, sizeof name, "user%d", i);
        known[i] = hb_users_get(&users, name, strlen(name));
        assert_non_null(known[i]);
        known[i]->seen_ms = i + 1;
    }
    assert_int_equal(users.count, COUNT);
    assert_true(users.count < users.capacity);
    for (int i = 0; i < COUNT; i++) {
        text_print(name, sizeof name, "user%d", i);
        assert_ptr_equal(hb_users_find(&users, name, strlen(name)), known[i]);
        assert_int_equal(known[i]->seen_ms, i + 1);
    }
    assert_null(hb_users_find(&users, "user-1", 6));
    /* What it says that it holds is about what it holds. */
    assert_in_range(users.bytes, COUNT * sizeof(hb_user), COUNT * (sizeof(hb_user) + 16 + 8 * sizeof(hb_user *)));
    hb_users_close(&users);
}

static void test_status(void **state)
{
    (void)state;
    hb_users users;
    hb_users_init(&users, seed[0], seed[1]);
    hb_user *user = hb_users_get(&users, "erin", 4);
    assert_non_null(user);
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
    hb_users_close(&users);
}

static void test_long_status(void **state)
{
    (void)state;
    hb_users users;
    hb_users_init(&users, seed[0], seed[1]);
    hb_user *user = hb_users_get(&users, "erin", 4);
    assert_non_null(user);
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
    hb_users_close(&users);
}

static void test_set_back(void **state)
{
    (void)state;
    hb_users users;
    hb_users_init(&users, seed[0], seed[1]);
    hb_user *past = hb_users_get(&users, "past", 4);
    hb_user *now = hb_users_get(&users, "now", 3);
    hb_user *future = hb_users_get(&users, "future", 6);
    hb_user *never = hb_users_get(&users, "never", 5);
    assert_true(past && now && future && never);
    past->seen_ms = 1000;
    now->seen_ms = 5000;
    future->seen_ms = 8600;
    hb_users_set_back(&users, 5000, 3600);
    assert_int_equal(past->seen_ms, 1000);
    assert_int_equal(now->seen_ms, 5000);
    assert_int_equal(future->seen_ms, 5000);
    assert_int_equal(never->seen_ms, 0);
    hb_users_close(&users);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_siphash),     cmocka_unit_test(test_utf8_cut), cmocka_unit_test(test_empty),
        cmocka_unit_test(test_names),       cmocka_unit_test(test_many),     cmocka_unit_test(test_status),
        cmocka_unit_test(test_long_status), cmocka_unit_test(test_set_back),
    };
    return cmocka_run_group_tests_name("activity", tests, NULL, NULL);
}
