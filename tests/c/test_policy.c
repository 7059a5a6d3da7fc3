/* The policy: what follows from Openfire's settings, what JSON may say, and where each wrong text is wrong. */
#include "support.h"

#include <stdio.h>
#include <string.h>

#include <jansson.h>

#include "policy.h"

#define HOUR 3600u
#define DAY 86400u

static const hb_policy defaults = {.idle = 180,
                                   .ack_timeout = 180,
                                   .login_within = 360,
                                   .on_dead = HB_ON_DEAD_AUTO,
                                   .pings_per_tick = 1000,
                                   .last_activity = HB_LAST_READ,
                                   .forget_after = 730 * DAY,
                                   .ping = true};

static hb_policy parse(const char *json)
{
    hb_policy policy;
    hb_error error;
    int code = hb_policy_parse(json, strlen(json), &defaults, &policy, &error);
    if (code != HB_OK) {
        fail_msg("%s: %d:%d %s: %s", json, error.line, error.column, error.path, error.text);
    }
    return policy;
}

/* Asserts that json is refused at this place. found, if not NULL, must be in the text. */
#define refused(json, line, column, path, found) refused_at(json, strlen(json), line, column, path, found, __LINE__)
static void refused_at(const char *json, size_t length, int line, int column, const char *path, const char *found,
                       int at)
{
    hb_policy policy;
    hb_policy before;
    hb_error error;
    memset(&policy, 0x5a, sizeof policy);
    memset(&error, 0x5a, sizeof error);
    before = policy;
    int code = hb_policy_parse(json, length, &defaults, &policy, &error);
    if (code != HB_EPOLICY) {
        print_error("%.80s: expected to be refused, got %d\n", json, code);
        _fail(__FILE__, at);
        return;
    }
    if (error.line != line || error.column != column || strcmp(error.path, path) != 0 || error.text[0] == '\0' ||
        (found && !strstr(error.text, found))) {
        print_error("%.80s:\n  expected %d:%d \"%s\" with \"%s\",\n  got      %d:%d \"%s\" \"%s\"\n", json, line,
                    column, path, found ? found : "", error.line, error.column, error.path, error.text);
        _fail(__FILE__, at);
    }
    assert_memory_equal(&policy, &before, sizeof policy);
    assert_int_equal(hb_policy_parse(json, length, &defaults, &policy, NULL), HB_EPOLICY);
}

static void derive(int64_t idle_ms, uint32_t idle, uint32_t ack, uint32_t login)
{
    hb_policy policy;
    hb_policy_derive(idle_ms, true, &policy);
    assert_int_equal(policy.idle, idle);
    assert_int_equal(policy.login_within, login);
    if (idle) {
        assert_int_equal(policy.ack_timeout, ack);
    }
    assert_int_equal(policy.retries, 0);
    assert_int_equal(policy.spread, 0);
    assert_int_equal(policy.on_dead, HB_ON_DEAD_AUTO);
    assert_int_equal(policy.last_activity, HB_LAST_READ);
    assert_int_equal(policy.forget_after, 730 * DAY);
    assert_true(policy.ping);
}

static void test_derived(void **state)
{
    (void)state;
    derive(360000, 180, 180, 360);
    derive(20000, 10, 10, 20);
    derive(20999, 10, 10, 20);
    derive(5000, 2, 3, 5);
    derive(3000, 1, 2, 3);
    derive(2000, 1, 1, 2);
    derive(1999, 1, 1, 1);
    derive(1000, 1, 1, 1);
    derive(0, 0, 0, 0);
    derive(-1, 0, 0, 0);
    derive(-1000, 0, 0, 0);
    derive(INT64_MIN, 0, 0, 0);
    hb_policy policy;
    hb_policy_derive(20000, false, &policy);
    assert_false(policy.ping);
    assert_int_equal(policy.idle, 10);
    /* No setting may make a time overflow. */
    hb_policy_derive(INT64_MAX, true, &policy);
    assert_true(policy.idle > 0 && policy.idle <= 30 * DAY);
    assert_true(policy.ack_timeout > 0 && policy.ack_timeout <= 30 * DAY);
    assert_true(policy.login_within > 0);
}

/* Less than a second is not "never": the server has a limit, if a strange one. */
static void test_derived_below_a_second(void **state)
{
    (void)state;
    hb_policy policy;
    for (int64_t ms = 1; ms < 1000; ms += 499) {
        hb_policy_derive(ms, true, &policy);
        assert_int_equal(policy.idle, 1);
        assert_int_equal(policy.ack_timeout, 1);
        assert_in_range(policy.login_within, 1, 2);
    }
}

static void test_absent_keys(void **state)
{
    (void)state;
    hb_policy policy = parse("{}");
    assert_int_equal(policy.idle, 180);
    assert_int_equal(policy.ack_timeout, 180);
    assert_int_equal(policy.login_within, 360);
    assert_int_equal(policy.retries, 0);
    assert_int_equal(policy.spread, 0);
    assert_true(policy.ping);
    policy = parse(" \t\r\n{\n}\n ");
    assert_int_equal(policy.idle, 180);
    policy = parse("{\"retries\": 3}");
    assert_int_equal(policy.retries, 3);
    assert_int_equal(policy.idle, 180);
}

static void test_every_key(void **state)
{
    (void)state;
    hb_policy policy =
        parse("{\"idle\": \"2m\", \"ping\": false, \"ack_timeout\": \"45s\", \"retries\": 2,"
              " \"spread\": \"119s\", \"on_dead\": \"cut\", \"login_within\": \"1h\", \"pings_per_tick\": 7,"
              " \"last_activity\": \"offline\", \"forget_after\": \"90d\"}");
    assert_int_equal(policy.pings_per_tick, 7);
    assert_int_equal(policy.last_activity, HB_LAST_OFFLINE);
    assert_int_equal(policy.forget_after, 90 * DAY);
    assert_int_equal(parse("{\"last_activity\": \"last_read\"}").last_activity, HB_LAST_READ);
    assert_int_equal(parse("{\"forget_after\": \"off\"}").forget_after, 0);
    assert_int_equal(policy.idle, 120);
    assert_false(policy.ping);
    assert_int_equal(policy.ack_timeout, 45);
    assert_int_equal(policy.retries, 2);
    assert_int_equal(policy.spread, 119);
    assert_int_equal(policy.on_dead, HB_ON_DEAD_CUT);
    assert_int_equal(policy.login_within, HOUR);
    assert_int_equal(parse("{\"on_dead\": \"close\"}").on_dead, HB_ON_DEAD_CLOSE);
    assert_int_equal(parse("{\"on_dead\": \"auto\"}").on_dead, HB_ON_DEAD_AUTO);
    assert_int_equal(parse("{\"idle\": \"off\"}").idle, 0);
    assert_int_equal(parse("{\"login_within\": \"off\"}").login_within, 0);
    /* The order of keys means nothing: spread is compared with the idle that holds in the end. */
    assert_int_equal(parse("{\"spread\": \"500s\", \"idle\": \"501s\"}").spread, 500);
    assert_int_equal(parse("{\"spread\": \"10s\", \"idle\": \"off\"}").idle, 0);
    assert_int_equal(parse("{\"\\u0069dle\": \"7s\"}").idle, 7);
}

static void test_limits(void **state)
{
    (void)state;
    assert_int_equal(parse("{\"idle\": \"1s\"}").idle, 1);
    assert_int_equal(parse("{\"idle\": \"30d\"}").idle, 30 * DAY);
    assert_int_equal(parse("{\"idle\": \"2592000s\"}").idle, 30 * DAY);
    assert_int_equal(parse("{\"idle\": \"720h\"}").idle, 30 * DAY);
    assert_int_equal(parse("{\"idle\": \"090s\"}").idle, 90);
    assert_int_equal(parse("{\"ack_timeout\": \"1s\"}").ack_timeout, 1);
    assert_int_equal(parse("{\"ack_timeout\": \"1d\"}").ack_timeout, DAY);
    assert_int_equal(parse("{\"ack_timeout\": \"24h\"}").ack_timeout, DAY);
    assert_int_equal(parse("{\"login_within\": \"1s\"}").login_within, 1);
    assert_int_equal(parse("{\"login_within\": \"1440m\"}").login_within, DAY);
    assert_int_equal(parse("{\"retries\": 0}").retries, 0);
    assert_int_equal(parse("{\"retries\": 10}").retries, 10);
    assert_int_equal(parse("{\"spread\": \"0s\"}").spread, 0);
    assert_int_equal(parse("{\"spread\": \"179s\"}").spread, 179);

    refused("{\"idle\": \"0s\"}", 1, 10, "idle", "\"0s\"");
    refused("{\"idle\": \"31d\"}", 1, 10, "idle", "\"31d\"");
    refused("{\"idle\": \"2592001s\"}", 1, 10, "idle", "\"2592001s\"");
    refused("{\"ack_timeout\": \"0s\"}", 1, 17, "ack_timeout", "\"0s\"");
    refused("{\"ack_timeout\": \"86401s\"}", 1, 17, "ack_timeout", "\"86401s\"");
    refused("{\"ack_timeout\": \"off\"}", 1, 17, "ack_timeout", "\"off\"");
    refused("{\"login_within\": \"0s\"}", 1, 18, "login_within", "\"0s\"");
    refused("{\"login_within\": \"25h\"}", 1, 18, "login_within", "\"25h\"");
    refused("{\"retries\": 11}", 1, 13, "retries", "11");
    assert_int_equal(parse("{\"pings_per_tick\": 1}").pings_per_tick, 1);
    assert_int_equal(parse("{\"pings_per_tick\": 1000000}").pings_per_tick, 1000000);
    assert_int_equal(parse("{\"forget_after\": \"24h\"}").forget_after, DAY);
    assert_int_equal(parse("{\"forget_after\": \"36500d\"}").forget_after, 36500 * DAY);
    assert_int_equal(parse("{\"forget_after\": \"876000h\"}").forget_after, 36500 * DAY);
    refused("{\"forget_after\": \"23h\"}", 1, 18, "forget_after", "from \"1d\" to \"36500d\" or \"off\"");
    refused("{\"forget_after\": \"36501d\"}", 1, 18, "forget_after", "\"36501d\"");
    refused("{\"forget_after\": \"0s\"}", 1, 18, "forget_after", "\"0s\"");
    refused("{\"pings_per_tick\": 0}", 1, 20, "pings_per_tick", "0");
    refused("{\"pings_per_tick\": 1000001}", 1, 20, "pings_per_tick", "1000001");
    refused("{\"pings_per_tick\": \"9\"}", 1, 20, "pings_per_tick", "from 1 to 1000000");
    refused("{\"retries\": -1}", 1, 13, "retries", "-1");
    refused("{\"spread\": \"180s\"}", 1, 12, "spread", "\"180s\"");
    refused("{\"spread\": \"off\"}", 1, 12, "spread", "\"off\"");
    refused("{\"spread\": \"10s\", \"idle\": \"10s\"}", 1, 12, "spread", "\"10s\"");
    refused("{\"idle\": \"10s\", \"spread\": \"10s\"}", 1, 27, "spread", "\"10s\"");
}

static void test_durations(void **state)
{
    (void)state;
    static const char *const wrong[] = {
        "\"\"",
        "\"s\"",
        "\"90\"",
        "\"90 s\"",
        "\" 90s\"",
        "\"90s \"",
        "\"-90s\"",
        "\"+90s\"",
        "\"1.5m\"",
        "\"1e2s\"",
        "\"90S\"",
        "\"90ms\"",
        "\"1m30s\"",
        "\"OFF\"",
        "\"never\"",
        "\"0x10s\"",
        "\"99999999999999999999s\"",
        "\"4294967297s\"",
        "\"\\u0661s\"",
        "90",
        "90.0",
        "null",
        "true",
        "[]",
        "{}",
        "[\"90s\"]",
        "{\"s\": 90}",
        "\"18446744073709551617s\"",
        "\"213503982334602d\"",
    };
    static const char *const keys[] = {"idle", "ack_timeout", "spread", "login_within", "forget_after"};
    for (size_t k = 0; k < sizeof keys / sizeof keys[0]; k++) {
        for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
            char json[128];
            text_print(json, sizeof json, "{\"%s\": %s}", keys[k], wrong[i]);
            refused(json, 1, (int)strlen(keys[k]) + 6, keys[k], strchr(wrong[i], '\\') ? NULL : wrong[i]);
        }
    }
}

static void test_types(void **state)
{
    (void)state;
    refused("{\"ping\": \"true\"}", 1, 10, "ping", "\"true\"");
    refused("{\"ping\": 1}", 1, 10, "ping", "1");
    refused("{\"ping\": null}", 1, 10, "ping", "null");
    refused("{\"retries\": \"2\"}", 1, 13, "retries", "\"2\"");
    refused("{\"retries\": 2.0}", 1, 13, "retries", "2.0");
    refused("{\"retries\": true}", 1, 13, "retries", "true");
    refused("{\"retries\": 9223372036854775807}", 1, 13, "retries", "9223372036854775807");
    refused("{\"on_dead\": \"kill\"}", 1, 13, "on_dead", "\"kill\"");
    refused("{\"on_dead\": \"Close\"}", 1, 13, "on_dead", "\"Close\"");
    refused("{\"on_dead\": \"\"}", 1, 13, "on_dead", "\"\"");
    refused("{\"on_dead\": true}", 1, 13, "on_dead", "true");
    refused("{\"last_activity\": \"online\"}", 1, 19, "last_activity", "\"last_read\" or \"offline\" expected");
    refused("{\"idle\": \"1s\",\n  \"last_activity\": \"Offline\"}", 2, 20, "last_activity", "\"Offline\"");
    refused("{\"last_activity\": 0}", 1, 19, "last_activity", "found 0");
    refused("[]", 1, 1, "", NULL);
    refused("  \n [\"idle\"]", 2, 2, "", NULL);
    refused("\"idle\"", 1, 1, "", NULL);
    refused("42", 1, 1, "", NULL);
    refused("null", 1, 1, "", NULL);
    refused("true", 1, 1, "", NULL);
}

/* What is allowed is told with what was found. */
static void test_texts(void **state)
{
    (void)state;
    hb_policy policy;
    hb_error error;
    static const struct {
        const char *json;
        const char *allowed;
    } cases[] = {
        {"{\"idle\": 5}", "1s"},
        {"{\"idle\": 5}", "30d"},
        {"{\"idle\": 5}", "off"},
        {"{\"ack_timeout\": 5}", "1d"},
        {"{\"login_within\": 5}", "1d"},
        {"{\"login_within\": 5}", "off"},
        {"{\"retries\": 99}", "10"},
        {"{\"on_dead\": \"x\"}", "close"},
        {"{\"on_dead\": \"x\"}", "cut"},
        {"{\"on_dead\": \"x\"}", "auto"},
        {"{\"ping\": 0}", "true"},
        {"{\"ping\": 0}", "false"},
        {"{\"spread\": \"400s\"}", "idle"},
        {"{\"x\": 0}", "idle"},
        {"{\"x\": 0}", "login_within"},
        {"{\"x\": 0}", "pings_per_tick, last_activity and forget_after"},
        {"[]", "object"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_int_equal(hb_policy_parse(cases[i].json, strlen(cases[i].json), &defaults, &policy, &error), HB_EPOLICY);
        if (!strstr(error.text, cases[i].allowed)) {
            fail_msg("%s: \"%s\" does not tell of %s", cases[i].json, error.text, cases[i].allowed);
        }
    }
    const char *close = "{\"ack_timeout\": \"off\"}";
    assert_int_equal(hb_policy_parse(close, strlen(close), &defaults, &policy, &error), HB_EPOLICY);
    assert_null(strstr(error.text, "or \"off\""));
}

static void test_unknown_keys(void **state)
{
    (void)state;
    refused("{\"idel\": \"90s\"}", 1, 2, "idel", NULL);
    refused("{\"Idle\": \"90s\"}", 1, 2, "Idle", NULL);
    refused("{\"\": 1}", 1, 2, "", NULL);
    refused("{\"idle\": \"90s\",\n  \"acktimeout\": \"10s\"}", 2, 3, "acktimeout", NULL);
    refused("{\"ping\": true, \"a\": {\"idle\": \"}\"}}", 1, 16, "a", NULL);
    refused("{\"idle \": \"90s\"}", 1, 2, "idle ", NULL);
}

/* Columns count characters, lines count line feeds, and text within values misleads nobody. */
static void test_places(void **state)
{
    (void)state;
    refused("{\n\n\t\"retries\":\n\n   99\n}", 5, 4, "retries", "99");
    refused("{\"idle\":\r\n\"nix\"}", 2, 1, "idle", "nix");
    refused("{\"idle\":\"1s\",\"retries\":[\"]}\",{\"a\":[]}],\"ping\":1}", 1, 24, "retries", NULL);
    refused("{\"on_dead\": \"\xc3\xa4\xe2\x82\xac\xf0\x9f\x92\xa9\"}", 1, 13, "on_dead", "\xe2\x82\xac");
    refused("{\"\xc3\xa4\xe2\x82\xac\": 1}", 1, 2, "\xc3\xa4\xe2\x82\xac", NULL);
    refused("{\"idle\": \"1s\", \"on_dead\"  :   \"\\\"\\\\\", \"x\": 1}", 1, 31, "on_dead", NULL);
    refused("{\"idle\":\"1s\" , \"ping\": true , \"retries\" : -5 }", 1, 43, "retries", "-5");
    refused("{\"retries\": 1, \"on_dead\": \"\xc3\xa4\", \"x\": 1}", 1, 27, "on_dead", NULL);
    refused("{\"idle\": \"\\u00e4\", \"x\": 1}", 1, 10, "idle", NULL);
    /* The first error wins. */
    refused("{\"retries\": 99, \"idle\": \"x\"}", 1, 13, "retries", "99");
}

static void test_syntax(void **state)
{
    (void)state;
    hb_policy policy;
    hb_error error;
    static const struct {
        const char *json;
        int line;
        int from; /* the column is at the culprit or just behind it */
        int to;
    } cases[] = {
        {"", 1, 1, 1},
        {"   ", 1, 1, 4},
        {"{", 1, 1, 2},
        {"{\"idle\"", 1, 2, 8},
        {"{\"idle\": \"90s\"", 1, 10, 15},
        {"{\"idle\": \"90s\"}}", 1, 16, 17},
        {"{\"idle\": \"90s\"} x", 1, 17, 18},
        {"{\"idle\" \"90s\"}", 1, 9, 14},
        {"{\"idle\": \"90s\",}", 1, 15, 17},
        {"{\"idle\": \"90s\" \"ping\": true}", 1, 16, 22},
        {"{idle: \"90s\"}", 1, 2, 6},
        {"{'idle': '90s'}", 1, 2, 3},
        {"{\n\"idle\": 90s\n}", 2, 9, 13},
        {"{\"ping\": tru}", 1, 10, 13},
        {"{\"ping\": True}", 1, 10, 14},
        {"{\"retries\": 01}", 1, 13, 15},
        {"{\"retries\": .5}", 1, 13, 15},
        {"{\"retries\": 99999999999999999999}", 1, 13, 33},
        {"{\"retries\": 1e999}", 1, 13, 18},
        {"{\"idle\": \"90s}", 1, 10, 15},
        {"{\"idle\": \"90\ns\"}", 1, 10, 13},
        {"{\"idle\": \"\\x\"}", 1, 10, 13},
        {"{\"idle\": \"\\ud800\"}", 1, 10, 18},
        {"{\"idle\": \"\\u0000\"}", 1, 10, 18},
        {"{\"idle\": \"1s\", \"idle\": \"2s\"}", 1, 16, 23},
        {"{\"idle\": \"1s\",\n \"ping\": true,\n \"idle\": \"2s\"}", 3, 2, 9},
        {"{\"ping\": true,\n // no comments\n \"retries\": 1}", 2, 2, 4},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        memset(&error, 0x5a, sizeof error);
        int code = hb_policy_parse(cases[i].json, strlen(cases[i].json), &defaults, &policy, &error);
        if (code != HB_EPOLICY || error.line != cases[i].line || error.column < cases[i].from ||
            error.column > cases[i].to || error.text[0] == '\0' || error.path[0] != '\0') {
            fail_msg("%s: %d, at %d:%d \"%s\": %s; expected line %d, column %d to %d", cases[i].json, code, error.line,
                     error.column, error.path, error.text, cases[i].line, cases[i].from, cases[i].to);
        }
    }
}

static void test_bytes(void **state)
{
    (void)state;
    refused_at("{\"idle\": \"9\0s\"}", 15, 1, 11, "", NULL, __LINE__);
    refused_at("{}\0", 3, 1, 3, "", NULL, __LINE__);
    hb_policy policy;
    hb_error error;
    static const char *const broken[] = {
        "{\"idle\": \"\xff\"}",     "{\"idle\": \"\xc0\xaf\"}",
        "{\"\xed\xa0\x80\": 1}",    "{\"idle\": \"\xf5\x80\x80\x80\"}",
        "{\"idle\": \"\xe2\x82\"}", "\xff\xfe{}",
        "\xef\xbb\xbf{}",
    };
    for (size_t i = 0; i < sizeof broken / sizeof broken[0]; i++) {
        assert_int_equal(hb_policy_parse(broken[i], strlen(broken[i]), &defaults, &policy, &error), HB_EPOLICY);
        assert_int_equal(error.line, 1);
        assert_in_range(error.column, 1, 15);
        assert_true(error.text[0] != '\0');
    }
}

static void test_size(void **state)
{
    (void)state;
    static char json[10 * 1024 * 1024];
    hb_policy policy;
    hb_error error;
    memset(json, ' ', sizeof json);
    memcpy(json, "{}", 2);
    assert_int_equal(hb_policy_parse(json, HB_POLICY_MAX, &defaults, &policy, &error), HB_OK);
    assert_int_equal(hb_policy_parse(json, HB_POLICY_MAX + 1, &defaults, &policy, &error), HB_EPOLICY);
    assert_non_null(strstr(error.text, "4000"));
    assert_non_null(strstr(error.text, "4001"));
    assert_int_equal(error.line, 0);
    assert_int_equal(error.column, 0);
    assert_string_equal(error.path, "");
    /* Nesting: without end, and as deep as what is read at all can be. */
    memset(json, '[', sizeof json);
    assert_int_equal(hb_policy_parse(json, sizeof json, &defaults, &policy, &error), HB_EPOLICY);
    assert_int_equal(hb_policy_parse(json, HB_POLICY_MAX, &defaults, &policy, &error), HB_EPOLICY);
    memset(json + HB_POLICY_MAX / 2, ']', HB_POLICY_MAX / 2);
    assert_int_equal(hb_policy_parse(json, HB_POLICY_MAX, &defaults, &policy, &error), HB_EPOLICY);
    memcpy(json, "{\"retries\":", 11);
    memset(json + 11, '[', 1900);
    memset(json + 11 + 1900, ']', 1900);
    json[11 + 3800] = '}';
    refused_at(json, 11 + 3801, 1, 12, "retries", NULL, __LINE__);
}

/* Long keys and values are cut between characters, never overflow, and are always terminated. */
static void test_long_texts(void **state)
{
    (void)state;
    static char json[HB_POLICY_MAX + 1];
    for (size_t shift = 0; shift < 4; shift++) {
        for (size_t where = 0; where < 2; where++) {
            text_print(json, sizeof json, where ? "{\"on_dead\": \"" : "{\"");
            size_t at = strlen(json);
            memset(json + at, 'x', shift);
            at += shift;
            for (; at < 3000; at += 4) {
                memcpy(json + at, "\xf0\x9f\x92\xa9", 4);
            }
            text_print(json + at, sizeof json - at, where ? "\"}" : "\": 1}");
            at += strlen(json + at);
            hb_policy policy;
            hb_error error;
            memset(&error, 0x5a, sizeof error);
            assert_int_equal(hb_policy_parse(json, at, &defaults, &policy, &error), HB_EPOLICY);
            const char *texts[] = {error.path, error.text};
            const size_t sizes[] = {sizeof error.path, sizeof error.text};
            for (size_t t = 0; t < 2; t++) {
                size_t length = strnlen(texts[t], sizes[t]);
                assert_true(length < sizes[t]);
                /* No half character at the end, or before what was put behind the cut. */
                size_t run = 0;
                for (size_t i = 0; i < length; i++) {
                    unsigned char c = (unsigned char)texts[t][i];
                    run = c == 0xf0 ? 1 : (c & 0xc0) == 0x80 ? run + 1 : 0;
                    bool ends = i + 1 == length || ((unsigned char)texts[t][i + 1] & 0xc0) != 0x80;
                    assert_true(c < 0x80 || !ends || run == 4);
                }
            }
        }
    }
}

static void test_print(void **state)
{
    (void)state;
    static const struct {
        uint32_t seconds;
        const char *text;
    } cases[] = {
        {0, "off"},
        {1, "1s"},
        {59, "59s"},
        {60, "1m"},
        {61, "61s"},
        {90, "90s"},
        {180, "3m"},
        {3600, "1h"},
        {3660, "61m"},
        {86400, "1d"},
        {90000, "25h"},
        {2592000, "30d"},
        {UINT32_MAX, "4294967295s"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char text[HB_DURATION_TEXT];
        hb_duration_print(cases[i].seconds, text);
        assert_string_equal(text, cases[i].text);
    }
}

static json_t *described(const char *text)
{
    char *json = NULL;
    size_t length = 0;
    assert_int_equal(hb_policy_describe(text, text ? strlen(text) : 0, 20000, true, &json, &length), HB_OK);
    json_t *document = json_loadb(json, length, 0, NULL);
    assert_non_null(document);
    hb_string_free(json);
    return document;
}

static json_t *key_of(json_t *document, const char *name)
{
    json_t *list = json_object_get(document, "keys");
    for (size_t i = 0; i < json_array_size(list); i++) {
        json_t *key = json_array_get(list, i);
        if (strcmp(json_string_value(json_object_get(key, "key")), name) == 0)
            return key;
    }
    fail_msg("no key %s", name);
    return NULL;
}

/* All that a form needs: what may stand there, what stands there, and what would if it did not. */
static void test_described(void **state)
{
    (void)state;
    static const struct {
        const char *key;
        const char *json;
    } cases[] = {
        {"idle", "{\"key\":\"idle\",\"kind\":\"duration\",\"named\":true,\"min\":1,\"max\":2592000,\"off\":true,"
                 "\"default\":\"10s\",\"value\":\"2m\",\"seconds\":120}"},
        {"spread", "{\"key\":\"spread\",\"kind\":\"duration\",\"named\":false,\"min\":0,\"max\":2592000,\"off\":false,"
                   "\"default\":\"0s\",\"value\":\"0s\",\"seconds\":0}"},
        {"login_within", "{\"key\":\"login_within\",\"kind\":\"duration\",\"named\":true,\"min\":1,\"max\":86400,"
                         "\"off\":true,\"default\":\"20s\",\"value\":\"off\",\"seconds\":0}"},
        {"retries", "{\"key\":\"retries\",\"kind\":\"number\",\"named\":false,\"min\":0,\"max\":10,\"off\":false,"
                    "\"default\":0,\"value\":0}"},
        {"ping", "{\"key\":\"ping\",\"kind\":\"switch\",\"named\":true,\"default\":true,\"value\":false}"},
        {"on_dead", "{\"key\":\"on_dead\",\"kind\":\"choice\",\"named\":true,\"words\":[\"auto\",\"close\",\"cut\"],"
                    "\"default\":\"auto\",\"value\":\"cut\"}"},
        {"last_activity", "{\"key\":\"last_activity\",\"kind\":\"choice\",\"named\":false,\"words\":[\"last_read\","
                          "\"offline\"],\"default\":\"last_read\",\"value\":\"last_read\"}"},
        {"forget_after",
         "{\"key\":\"forget_after\",\"kind\":\"duration\",\"named\":false,\"min\":86400,"
         "\"max\":3153600000,\"off\":true,\"default\":\"730d\",\"value\":\"730d\",\"seconds\":63072000}"},
    };
    json_t *document =
        described("{\"idle\": \"2m\", \"ping\": false, \"on_dead\": \"cut\", \"login_within\": \"off\"}");
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char *text = json_dumps(key_of(document, cases[i].key), JSON_COMPACT);
        assert_string_equal(text, cases[i].json);
        free(text);
    }
    assert_string_equal(json_string_value(json_object_get(json_object_get(document, "policy"), "idle")), "2m");
    assert_null(json_object_get(document, "error"));
    json_decref(document);

    document = described(NULL);
    assert_string_equal(json_string_value(json_object_get(key_of(document, "idle"), "value")), "10s");
    json_decref(document);
}

static void test_described_wrong(void **state)
{
    (void)state;
    json_t *document = described("{\n \"idle\": 5}");
    char *error = json_dumps(json_object_get(document, "error"), JSON_COMPACT);
    assert_string_equal(error, "{\"line\":2,\"column\":10,\"key\":\"idle\",\"text\":\"a duration from \\\"1s\\\" to "
                               "\\\"30d\\\" or \\\"off\\\" expected, found 5\"}");
    free(error);
    assert_null(json_object_get(document, "policy"));
    assert_null(json_object_get(key_of(document, "idle"), "value"));
    assert_string_equal(json_string_value(json_object_get(key_of(document, "idle"), "default")), "10s");
    json_decref(document);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_derived),
        cmocka_unit_test(test_derived_below_a_second),
        cmocka_unit_test(test_absent_keys),
        cmocka_unit_test(test_every_key),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_durations),
        cmocka_unit_test(test_types),
        cmocka_unit_test(test_texts),
        cmocka_unit_test(test_unknown_keys),
        cmocka_unit_test(test_places),
        cmocka_unit_test(test_syntax),
        cmocka_unit_test(test_bytes),
        cmocka_unit_test(test_size),
        cmocka_unit_test(test_long_texts),
        cmocka_unit_test(test_print),
        cmocka_unit_test(test_described),
        cmocka_unit_test(test_described_wrong),
    };
    return cmocka_run_group_tests_name("policy", tests, NULL, NULL);
}
