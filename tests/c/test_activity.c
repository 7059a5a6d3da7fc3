/* The table of users: names, statuses, times. */
#include "support.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "places.h"

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
    /* SipHash-1-3: openssl mac -macopt c-rounds:1 -macopt d-rounds:3 -macopt size:8 ... SIPHASH */
    assert_true(hb_siphash_fast(seed, in, 0) == UINT64_C(0xabac0158050fc4dc));
    assert_true(hb_siphash_fast(seed, in, 7) == UINT64_C(0xd3927d989bb11140));
    assert_true(hb_siphash_fast(seed, in, 8) == UINT64_C(0x369095118d299a8e));
    assert_true(hb_siphash_fast(seed, in, 63) == UINT64_C(0x9d199062b7bbb3a8));
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

static int64_t seen_ms(const hb_user *user)
{
    return hb_user_seen_ms(&users, user);
}

static hb_user *seen_at(hb_user *user, int64_t ms)
{
    hb_user_set_seen_ms(&users, user, ms);
    return user;
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
    size_t length = 0;
    assert_int_equal(seen_ms(alice), 0);
    assert_int_equal(hb_user_offline_ms(alice), 0);
    assert_null(alice->status);
    assert_int_equal(alice->sessions, HB_NO_SLOT);
    assert_int_equal(hb_user_why(alice), HB_WHY_NONE);
    assert_memory_equal(hb_user_name(&users, alice, &length), "alice", 5);
    assert_int_equal(length, 5);
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
    assert_memory_equal(hb_user_name(&users, large, &length), longest, sizeof longest);
    assert_int_equal(length, sizeof longest);
    assert_ptr_equal(find(longest, sizeof longest), large);
    assert_null(find(longest, sizeof longest - 1));
    longest[sizeof longest - 1] = 'y';
    assert_null(find(longest, sizeof longest));
}

/* On both sides of what stands in the index. */
static void test_every_length(void **state)
{
    (void)state;
    char name[64];
    memset(name, 0, sizeof name); /* as places are filled up */
    for (size_t length = 1; length < sizeof name; length++) {
        hb_user *user = seen_at(get(name, length), (int64_t)length);
        hb_user_set_offline_ms(user, -(int64_t)length);
        hb_user_set_why(user, HB_WHY_LOGOUT);
    }
    assert_int_equal(users.count, sizeof name - 1);
    for (size_t length = 1; length < sizeof name; length++) {
        size_t its = 0;
        hb_user *user = find(name, length);
        assert_non_null(user);
        assert_memory_equal(hb_user_name(&users, user, &its), name, length);
        assert_int_equal(its, length);
        assert_int_equal(seen_ms(user), length);
        assert_int_equal(hb_user_offline_ms(user), -(int64_t)length);
        assert_int_equal(hb_user_why(user), HB_WHY_LOGOUT);
        assert_int_equal(user->sessions, HB_NO_SLOT);
    }
    for (size_t length = 1; length < sizeof name; length += 2)
        hb_users_forget(&users, hb_users_ref(&users, name, length));
    for (size_t length = 1; length < sizeof name; length++)
        assert_int_equal(find(name, length) != NULL, length % 2 == 0);
}

/* Whoever knows the key could make them: hashes decide nothing alone. */
static void test_same_hash(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        size_t length;
    } names[] = {{"alice", 5},
                 {"alice\0", 6},
                 {"bob", 3},
                 {"a name that is too long for its place", 37},
                 {"a name that is too long for its plaza", 37},
                 {"a name that is too long for its pla", 35}};
    hb_user_ref refs[sizeof names / sizeof names[0]];
    size_t count = sizeof names / sizeof names[0];
    for (size_t i = 0; i < count; i++)
        refs[i] = hb_users_get(&users, 7, names[i].name, names[i].length);
    for (size_t i = 0; i < count; i++) {
        for (size_t k = 0; k < i; k++)
            assert_int_not_equal(refs[i], refs[k]);
        assert_int_equal(hb_users_get(&users, 7, names[i].name, names[i].length), refs[i]);
    }
    assert_int_equal(users.count, count);
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
        (void)seen_at(known[i], i + 1);
    }
    assert_int_equal(users.count, COUNT);
    assert_true(users.block_count > 2);
    for (int i = 0; i < COUNT; i++) {
        hb_seen seen;
        text_print(name, sizeof name, "user%08d", i);
        assert_ptr_equal(find(name, 12), known[i]);
        assert_int_equal(seen_ms(known[i]), i + 1);
        assert_int_equal(hb_users_peek(&users, name, 12, &seen), 1);
        assert_int_equal(seen.ms, i + 1);
        assert_int_equal(seen.stripe, known[i]->end >> 8 & 0xff);
        assert_false(seen.online);
    }
    assert_null(find("user-1", 6));
    assert_in_range(users.bytes, COUNT * (sizeof(hb_user) + sizeof(hb_user_place)), COUNT * 70);
}

/* As many as were expected find their room: it hardly grows for them, and there is not too much of it. */
static void test_reserve(void **state)
{
    (void)state;
    enum { COUNT = 200000 };
    static size_t counts[HB_USER_STRIPES];
    char name[32];
    for (int i = 0; i < COUNT; i++) {
        text_print(name, sizeof name, "user%08d", i);
        counts[hb_stripe_of(hb_users_hash(&users, name, 12))]++;
    }
    hb_users_reserve(&users, 0, 100); /* so few are left to grow */
    assert_int_equal(users.bytes, 0);
    hb_users_reserve(&users, 0, SIZE_MAX); /* nobody has so many */
    assert_int_equal(users.bytes, 0);
    for (int i = 0; i < 100; i++) {
        text_print(name, sizeof name, "user%08d", i);
        (void)seen_at(get(name, 12), i + 1);
    }
    for (size_t i = 0; i < HB_USER_STRIPES; i++)
        hb_users_reserve(&users, i, counts[i]);
    size_t places = users.bytes - 100 * sizeof(hb_user);
    assert_in_range(places, COUNT * sizeof(hb_user_place) * 5 / 4, COUNT * 70 - COUNT * sizeof(hb_user));
    for (int i = 100; i < COUNT; i++) {
        text_print(name, sizeof name, "user%08d", i);
        (void)seen_at(get(name, 12), i + 1);
    }
    assert_int_equal(users.bytes, places + COUNT * sizeof(hb_user)); /* it did not grow */
    assert_in_range(users.bytes, 0, COUNT * 70);
    for (int i = 0; i < COUNT; i++) {
        text_print(name, sizeof name, "user%08d", i);
        assert_int_equal(seen_ms(find(name, 12)), i + 1);
    }
    size_t bytes = users.bytes;
    for (size_t i = 0; i < HB_USER_STRIPES; i++)
        hb_users_reserve(&users, i, counts[i] / 2);
    assert_int_equal(users.bytes, bytes);
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
    (void)seen_at(past, 1000);
    (void)seen_at(now, 5000);
    (void)seen_at(future, 8600);
    hb_user_set_offline_ms(future, 8601);
    hb_users_set_back(&users, 5000, 3600);
    assert_int_equal(seen_ms(past), 1000);
    assert_int_equal(seen_ms(now), 5000);
    assert_int_equal(seen_ms(future), 5000);
    assert_int_equal(hb_user_offline_ms(future), 5001);
    assert_int_equal(seen_ms(never), 0);
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
    size_t stripe = seen.stripe;
    assert_int_equal(counts[stripe], before);
    hb_user_lock(&users, alice);
    (void)seen_at(alice, 7);
    hb_user_set_sessions(&users, alice, 3);
    hb_user_unlock(&users, alice);
    assert_int_equal(counts[stripe], before + 1);
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
        (void)seen_at(get(name, 12), i);
    }
    size_t bytes = users.bytes;
    for (int i = 0; i < COUNT; i += 3) {
        text_print(name, sizeof name, "user%08d", i);
        hb_users_forget(&users, hb_users_ref(&users, name, 12));
    }
    size_t left = 0;
    for (hb_user_ref at = hb_users_next(&users, HB_NO_USER); at; at = hb_users_next(&users, at)) {
        const hb_user *user = hb_user_at(&users, at);
        assert_int_not_equal(seen_ms(user) % 3, 0);
        left++;
    }
    assert_int_equal(left, users.count);
    assert_int_equal(left, COUNT - (COUNT + 2) / 3);
    assert_true(users.bytes < bytes);
    for (int i = 0; i < COUNT; i++) {
        text_print(name, sizeof name, "user%08d", i);
        const hb_user *user = find(name, 12);
        assert_int_equal(user != NULL, i % 3 != 0);
        assert_true(!user || seen_ms(user) == i);
    }
    uint32_t used = users.used;
    for (int i = 0; i < COUNT; i += 3) {
        text_print(name, sizeof name, "user%08d", i);
        assert_int_equal(seen_ms(get(name, 12)), 0);
    }
    assert_int_equal(users.used, used);
    assert_int_equal(users.bytes, bytes);
}

/* Each of many blocks is gone through to its end. */
static void test_next(void **state)
{
    (void)state;
    enum { COUNT = 90000 };
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
        with_users(test_names),         with_users(test_every_length),   with_users(test_same_hash),
        with_users(test_many),          with_users(test_reserve),        with_users(test_status),
        with_users(test_long_status),   with_users(test_set_back),       with_users(test_changes),
        with_users(test_forget),        with_users(test_next),
    };
    return cmocka_run_group_tests_name("activity", tests, NULL, NULL);
}
