/* Ids of pings: they name what they were made with, and nothing else passes for one. */
#include "support.h"

#include <string.h>

#include "pingid.h"

static const uint8_t key[HB_PINGID_KEY] = {1, 2, 3};
static const uint8_t other_key[HB_PINGID_KEY] = {1, 2, 4};

static void made(hb_token token, int64_t sent_us, char id[HB_PINGID_LENGTH + 1])
{
    memset(id, 0x5a, HB_PINGID_LENGTH + 1);
    assert_int_equal(hb_pingid_make(key, token, sent_us, id), HB_OK);
    assert_int_equal(strlen(id), HB_PINGID_LENGTH);
    assert_memory_equal(id, "hb-", 3);
    assert_int_equal(strspn(id + 3, "0123456789abcdef"), HB_PINGID_LENGTH - 3);
}

/* Asserts that an id is refused and leaves the outputs alone. */
static void refused(const uint8_t *with, const char *id, size_t length)
{
    hb_token token = 77;
    int64_t sent_us = 88;
    assert_int_equal(hb_pingid_check(with, id, length, &token, &sent_us), 0);
    assert_int_equal(token, 77);
    assert_int_equal(sent_us, 88);
}

static void test_round_trip(void **state)
{
    (void)state;
    static const hb_token tokens[] = {1, (hb_token)1 << 32, ((hb_token)7 << 32) | 4095, INT64_MAX};
    static const int64_t times[] = {0, 1, 999999, INT64_C(1234567890123456), INT64_MAX};
    for (size_t t = 0; t < sizeof tokens / sizeof tokens[0]; t++) {
        for (size_t i = 0; i < sizeof times / sizeof times[0]; i++) {
            char id[HB_PINGID_LENGTH + 1];
            hb_token token;
            int64_t sent_us;
            made(tokens[t], times[i], id);
            assert_int_equal(hb_pingid_check(key, id, HB_PINGID_LENGTH, &token, &sent_us), 1);
            assert_true(token == tokens[t]);
            assert_true(sent_us == times[i]);
        }
    }
}

static void test_one_input_one_id(void **state)
{
    (void)state;
    char a[HB_PINGID_LENGTH + 1];
    char b[HB_PINGID_LENGTH + 1];
    made(5, 6, a);
    made(5, 6, b);
    assert_string_equal(a, b);
    made(5, 7, b);
    assert_string_not_equal(a, b);
    /* The end is what no one can know: it differs everywhere, not in the changed digits alone. */
    assert_memory_not_equal(a + HB_PINGID_LENGTH - 32, b + HB_PINGID_LENGTH - 32, 32);
    made(6, 6, b);
    assert_memory_not_equal(a + HB_PINGID_LENGTH - 32, b + HB_PINGID_LENGTH - 32, 32);
    assert_int_equal(hb_pingid_make(other_key, 5, 6, b), HB_OK);
    assert_memory_not_equal(a + HB_PINGID_LENGTH - 32, b + HB_PINGID_LENGTH - 32, 32);
    refused(key, b, HB_PINGID_LENGTH);
}

/* An HMAC computed apart from this code: python3 -c "import hmac; ..." over token and time, big-endian. */
static void test_known_id(void **state)
{
    (void)state;
    char id[HB_PINGID_LENGTH + 1];
    made(((hb_token)3 << 32) | 9, 1500000, id);
    assert_string_equal(id, "hb-0000000300000009000000000016e360d52700b15fa271cb5f48898e893a1575");
}

static void test_every_change_is_seen(void **state)
{
    (void)state;
    char id[HB_PINGID_LENGTH + 1];
    made(((hb_token)3 << 32) | 9, 1500000, id);
    for (size_t i = 0; i < HB_PINGID_LENGTH; i++) {
        char original = id[i];
        for (int c = 0; c < 256; c++) {
            if ((char)c != original) {
                id[i] = (char)c;
                refused(key, id, HB_PINGID_LENGTH);
            }
        }
        id[i] = original;
    }
}

static void test_lengths(void **state)
{
    (void)state;
    char id[HB_PINGID_LENGTH + 2] = "";
    made(1, 1, id);
    for (size_t length = 0; length < HB_PINGID_LENGTH; length++) {
        refused(key, id, length);
    }
    refused(key, id, HB_PINGID_LENGTH + 1);
    id[HB_PINGID_LENGTH] = '0';
    refused(key, id, HB_PINGID_LENGTH + 1);
}

static void test_random(void **state)
{
    (void)state;
    uint8_t a[64] = {0};
    uint8_t b[64] = {0};
    assert_int_equal(hb_pingid_random(a, sizeof a), HB_OK);
    assert_int_equal(hb_pingid_random(b, sizeof b), HB_OK);
    assert_memory_not_equal(a, b, sizeof a);
    assert_int_equal(hb_pingid_random(a, 0), HB_OK);
    assert_int_equal(hb_pingid_random(a, SIZE_MAX), HB_ECRYPTO);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip), cmocka_unit_test(test_one_input_one_id),
        cmocka_unit_test(test_known_id),   cmocka_unit_test(test_every_change_is_seen),
        cmocka_unit_test(test_lengths),    cmocka_unit_test(test_random),
    };
    return cmocka_run_group_tests_name("pingid", tests, NULL, NULL);
}
