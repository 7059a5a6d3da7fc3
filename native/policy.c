#include "policy.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <jansson.h>

#include "activity.h" /* hb_utf8_cut */

#define MINUTE 60u
#define HOUR 3600u
#define DAY 86400u

#define IDLE_MAX (30u * DAY)
#define RETRIES_MAX 10
#define PINGS_PER_TICK_MAX 1000000
#define PINGS_PER_TICK_DEFAULT 1000u
#define FORGET_AFTER_MAX (36500u * DAY)
#define FORGET_AFTER_DEFAULT (730u * DAY)
#define FOUND_MAX 60 /* bytes of an offending value that an error shows */

/* What a session is given to answer when the server itself has no idle limit to derive it from. */
#define ACK_TIMEOUT_DEFAULT 30u

void hb_policy_derive(int64_t idle_ms, bool ping, hb_policy *out)
{
    int64_t seconds = idle_ms / 1000;
    uint32_t limit = seconds > (int64_t)IDLE_MAX ? IDLE_MAX : (uint32_t)(seconds > 0 ? seconds : 0);
    hb_policy policy = {.ping = ping,
                        .on_dead = HB_ON_DEAD_AUTO,
                        .ack_timeout = ACK_TIMEOUT_DEFAULT,
                        .pings_per_tick = PINGS_PER_TICK_DEFAULT,
                        .last_activity = HB_LAST_READ,
                        .forget_after = FORGET_AFTER_DEFAULT};

    if (idle_ms > 0) {
        policy.idle = limit >= 2 ? limit / 2 : 1;
        policy.ack_timeout = limit > policy.idle ? limit - policy.idle : 1;
        policy.login_within = limit ? limit : 1;
    }
    *out = policy;
}

/* In the order of hb_on_dead. */
static const char *const on_dead_words[] = {"auto", "close", "cut", NULL};

/* In the order of hb_last_activity. */
static const char *const last_activity_words[] = {"last_read", "offline", NULL};

#define AT(field) .at = offsetof(hb_policy, field)

static const hb_policy_key keys[] = {
    {"idle", HB_KEY_DURATION, .off = true, .min = 1, .max = IDLE_MAX, AT(idle)},
    {"ping", HB_KEY_SWITCH, AT(ping)},
    {"ack_timeout", HB_KEY_DURATION, .min = 1, .max = DAY, AT(ack_timeout)},
    {"retries", HB_KEY_NUMBER, .max = RETRIES_MAX, AT(retries)},
    {"spread", HB_KEY_DURATION, .max = IDLE_MAX, AT(spread)},
    {"on_dead", HB_KEY_CHOICE, .words = on_dead_words, AT(on_dead)},
    {"login_within", HB_KEY_DURATION, .off = true, .min = 1, .max = DAY, AT(login_within)},
    {"pings_per_tick", HB_KEY_NUMBER, .min = 1, .max = PINGS_PER_TICK_MAX, AT(pings_per_tick)},
    {"last_activity", HB_KEY_CHOICE, .words = last_activity_words, AT(last_activity)},
    {"forget_after", HB_KEY_DURATION, .off = true, .min = DAY, .max = FORGET_AFTER_MAX, AT(forget_after)},
};

#define KEYS (sizeof keys / sizeof *keys)

const hb_policy_key *hb_policy_keys(size_t *count)
{
    *count = KEYS;
    return keys;
}

/* Enumerations of several types are read and written as what they are made of. */
_Static_assert(sizeof(hb_on_dead) == sizeof(uint32_t) && sizeof(hb_last_activity) == sizeof(uint32_t), "choices");

uint32_t hb_policy_get(const hb_policy *policy, const hb_policy_key *key)
{
    const void *at = (const char *)policy + key->at;
    uint32_t value;

    if (key->kind == HB_KEY_SWITCH)
        return *(const bool *)at ? 1 : 0;
    memcpy(&value, at, sizeof value);
    return value;
}

static void set(hb_policy *policy, const hb_policy_key *key, uint32_t value)
{
    void *at = (char *)policy + key->at;

    if (key->kind == HB_KEY_SWITCH)
        *(bool *)at = value != 0;
    else
        memcpy(at, &value, sizeof value);
}

void hb_duration_print(uint32_t seconds, char out[HB_DURATION_TEXT])
{
    static const struct {
        uint32_t length;
        char unit;
    } units[] = {{DAY, 'd'}, {HOUR, 'h'}, {MINUTE, 'm'}, {1, 's'}};
    size_t i = 0;

    if (!seconds) {
        snprintf(out, HB_DURATION_TEXT, "off");
        return;
    }
    while (seconds % units[i].length)
        i++;
    snprintf(out, HB_DURATION_TEXT, "%u%c", seconds / units[i].length, units[i].unit);
}

/* The text that is read, and where an error goes. */
typedef struct source {
    const char *text;
    size_t length;
    hb_error *error;
} source;

/* A member of the policy object: its key and where key and value stand. */
typedef struct member {
    const char *key;
    json_t *value;
    size_t key_at;
    size_t value_at;
    size_t value_end;
} member;

static void place(const source *src, size_t at, int *line, int *column)
{
    *line = 1;
    *column = 1;
    for (size_t i = 0; i < at && i < src->length; i++) {
        if (src->text[i] == '\n') {
            ++*line;
            *column = 1;
        } else if (((unsigned char)src->text[i] & 0xc0) != 0x80) {
            ++*column;
        }
    }
}

/* Errors go to a log, one line each: what was found must not break that. */
static void one_line(char *text)
{
    for (; *text; text++) {
        if ((unsigned char)*text < ' ' || *text == 0x7f)
            *text = ' ';
    }
}

__attribute__((format(printf, 4, 5))) static int refuse(const source *src, size_t at, const char *path,
                                                        const char *format, ...)
{
    hb_error *error = src->error;
    va_list arguments;

    if (error) {
        place(src, at, &error->line, &error->column);
        size_t cut = hb_utf8_cut(path, strlen(path), sizeof error->path - 1);
        memcpy(error->path, path, cut);
        error->path[cut] = '\0';
        va_start(arguments, format);
        vsnprintf(error->text, sizeof error->text, format, arguments);
        va_end(arguments);
        /* vsnprintf cuts between bytes; take back the half of a character. */
        size_t length = strlen(error->text);
        if (length == sizeof error->text - 1)
            error->text[hb_utf8_cut(error->text, length, length - 4)] = '\0';
        one_line(error->path);
        one_line(error->text);
    }
    return HB_EPOLICY;
}

static size_t skip_space(const source *src, size_t at)
{
    while (at < src->length && strchr(" \t\r\n", src->text[at]) && src->text[at])
        at++;
    return at;
}

static size_t skip_string(const source *src, size_t at)
{
    for (at++; at < src->length && src->text[at] != '"'; at++) {
        if (src->text[at] == '\\')
            at++;
    }
    return at + 1;
}

/* The end of the value that begins at `at`. The text is known to be valid JSON. */
static size_t skip_value(const source *src, size_t at)
{
    int depth = 0;

    while (at < src->length) {
        char c = src->text[at];
        if (c == '"') {
            at = skip_string(src, at);
            if (!depth)
                return at;
            continue;
        }
        if (c == '{' || c == '[') {
            depth++;
        } else if (c == '}' || c == ']') {
            if (!depth)
                return at;
            if (--depth == 0)
                return at + 1;
        } else if (!depth && strchr(", \t\r\n", c)) {
            return at;
        }
        at++;
    }
    return at;
}

/*
 * Jansson tells no places of values, so the text is walked along: it is valid, and members come in their order. `at` is
 * behind the opening brace or behind the last value.
 */
static size_t locate(const source *src, size_t at, member *found)
{
    at = skip_space(src, at);
    if (at < src->length && src->text[at] == ',')
        at = skip_space(src, at + 1);
    found->key_at = at;
    at = skip_space(src, skip_string(src, at));
    at = skip_space(src, at + 1); /* the colon */
    found->value_at = at;
    found->value_end = skip_value(src, at);
    return found->value_end;
}

static int refuse_value(const source *src, const member *m, const char *expected)
{
    size_t length = m->value_end - m->value_at;
    size_t shown = hb_utf8_cut(src->text + m->value_at, length, FOUND_MAX);

    return refuse(src, m->value_at, m->key, "%s expected, found %.*s%s", expected, (int)shown, src->text + m->value_at,
                  shown < length ? "..." : "");
}

static bool duration_value(const char *text, size_t length, uint32_t *out)
{
    uint64_t value = 0;

    if (length < 2 || length > 10)
        return false;
    for (size_t i = 0; i < length - 1; i++) {
        if (text[i] < '0' || text[i] > '9')
            return false;
        value = value * 10 + (uint64_t)(text[i] - '0');
    }
    switch (text[length - 1]) {
    case 's':
        break;
    case 'm':
        value *= MINUTE;
        break;
    case 'h':
        value *= HOUR;
        break;
    case 'd':
        value *= DAY;
        break;
    default:
        return false;
    }
    if (value > UINT32_MAX)
        return false;
    *out = (uint32_t)value;
    return true;
}

/* What may stand there, in words. */
static void expected_duration(const hb_policy_key *key, char *out, size_t size)
{
    char lowest[HB_DURATION_TEXT] = "0s";
    char highest[HB_DURATION_TEXT];

    if (key->min)
        hb_duration_print(key->min, lowest);
    hb_duration_print(key->max, highest);
    snprintf(out, size, "a duration from \"%s\" to \"%s\"%s", lowest, highest, key->off ? " or \"off\"" : "");
}

/* Puts text behind what is in `out`, as far as there is room. */
static void append(char *out, size_t size, const char *text)
{
    size_t at = strlen(out);
    size_t length = hb_utf8_cut(text, strlen(text), size - at - 1);

    memcpy(out + at, text, length);
    out[at + length] = '\0';
}

static void expected_words(const hb_policy_key *key, char *out, size_t size)
{
    out[0] = '\0';
    for (size_t i = 0; key->words[i]; i++) {
        if (i)
            append(out, size, key->words[i + 1] ? ", " : " or ");
        append(out, size, "\"");
        append(out, size, key->words[i]);
        append(out, size, "\"");
    }
}

static bool read_duration(const json_t *json, const hb_policy_key *key, uint32_t *out)
{
    const char *text = json_string_value(json);
    uint32_t value = 0;

    if (!text)
        return false;
    if (key->off && strcmp(text, "off") == 0) {
        *out = 0;
        return true;
    }
    if (!duration_value(text, json_string_length(json), &value) || value < key->min || value > key->max)
        return false;
    *out = value;
    return true;
}

static bool read_number(const json_t *json, const hb_policy_key *key, uint32_t *out)
{
    json_int_t value = json_integer_value(json);

    if (!json_is_integer(json) || value < (json_int_t)key->min || value > (json_int_t)key->max)
        return false;
    *out = (uint32_t)value;
    return true;
}

static bool read_word(const json_t *json, const hb_policy_key *key, uint32_t *out)
{
    const char *text = json_string_value(json);

    for (uint32_t i = 0; text && key->words[i]; i++) {
        if (strcmp(text, key->words[i]) == 0) {
            *out = i;
            return true;
        }
    }
    return false;
}

static int take_value(const source *src, const member *m, const hb_policy_key *key, hb_policy *policy)
{
    char expected[96] = "true or false";
    uint32_t value = 0;
    bool good = false;

    switch (key->kind) {
    case HB_KEY_DURATION:
        good = read_duration(m->value, key, &value);
        expected_duration(key, expected, sizeof expected);
        break;
    case HB_KEY_NUMBER:
        good = read_number(m->value, key, &value);
        snprintf(expected, sizeof expected, "a whole number from %u to %u", key->min, key->max);
        break;
    case HB_KEY_SWITCH:
        good = json_is_boolean(m->value);
        value = json_is_true(m->value);
        break;
    case HB_KEY_CHOICE:
        good = read_word(m->value, key, &value);
        expected_words(key, expected, sizeof expected);
        break;
    }
    if (!good)
        return refuse_value(src, m, expected);
    set(policy, key, value);
    return HB_OK;
}

static int refuse_key(const source *src, const member *m)
{
    char known[160] = "";

    for (size_t i = 0; i < KEYS; i++) {
        if (i)
            append(known, sizeof known, i + 1 < KEYS ? ", " : " and ");
        append(known, sizeof known, keys[i].name);
    }
    return refuse(src, m->key_at, m->key, "unknown key; known are %s", known);
}

static int take_member(const source *src, const member *m, hb_policy *policy)
{
    for (size_t i = 0; i < KEYS; i++) {
        if (strcmp(m->key, keys[i].name) == 0)
            return take_value(src, m, &keys[i], policy);
    }
    return refuse_key(src, m);
}

static int take_object(const source *src, json_t *root, hb_policy *policy)
{
    size_t at = skip_space(src, 0);
    member m = {0};
    member spread = {0};

    if (!json_is_object(root))
        return refuse(src, at, "", "an object expected, as {\"idle\": \"90s\"}");
    at++;
    json_object_foreach (root, m.key, m.value) {
        at = locate(src, at, &m);
        int code = take_member(src, &m, policy);
        if (code < 0)
            return code;
        if (strcmp(m.key, "spread") == 0)
            spread = m;
    }
    if (spread.key && policy->idle && policy->spread >= policy->idle)
        return refuse_value(src, &spread, "a duration shorter than idle");
    return HB_OK;
}

int hb_policy_parse(const char *json, size_t length, const hb_policy *defaults, hb_policy *out, hb_error *error)
{
    source src = {.text = json, .length = length, .error = error};
    hb_policy policy = *defaults;
    json_error_t syntax = {.text = ""}; /* jansson leaves parts of it untouched */

    /* Before anything reads it: no text is too long or too deep for us. */
    if (length > HB_POLICY_MAX) {
        int code = refuse(&src, 0, "", "%zu bytes long, at most %u are allowed", length, HB_POLICY_MAX);
        if (error)
            error->line = error->column = 0;
        return code;
    }
    json_t *root = json_loadb(json, length, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &syntax);
    if (!root) {
        /* Out of memory at its very first step, jansson leaves the error empty. */
        enum json_error_code why = json_error_code(&syntax);
        if (why == json_error_out_of_memory || why == json_error_unknown)
            return HB_ENOMEM;
        /* Jansson counts what it has read, so the offending byte is the last of it. */
        size_t at = syntax.position > 0 ? (size_t)syntax.position - 1 : 0;
        return refuse(&src, at, "", "%s", syntax.text);
    }
    int code = take_object(&src, root, &policy);
    json_decref(root);
    if (code == HB_OK)
        *out = policy;
    return code;
}
