#include "policy.h"

#include <stdarg.h>
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
                        .pings_per_tick = PINGS_PER_TICK_DEFAULT};

    if (idle_ms > 0) {
        policy.idle = limit >= 2 ? limit / 2 : 1;
        policy.ack_timeout = limit > policy.idle ? limit - policy.idle : 1;
        policy.login_within = limit ? limit : 1;
    }
    *out = policy;
}

const char *hb_on_dead_name(hb_on_dead value)
{
    switch (value) {
    case HB_ON_DEAD_AUTO:
        return "auto";
    case HB_ON_DEAD_CLOSE:
        return "close";
    case HB_ON_DEAD_CUT:
        return "cut";
    }
    return "?";
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

static int take_duration(const source *src, const member *m, uint32_t min, uint32_t max, bool off, uint32_t *out)
{
    char expected[96];
    char lowest[HB_DURATION_TEXT];
    char highest[HB_DURATION_TEXT];
    uint32_t value = 0;

    if (json_is_string(m->value)) {
        const char *text = json_string_value(m->value);
        size_t length = json_string_length(m->value);
        if (off && strcmp(text, "off") == 0) {
            *out = 0;
            return HB_OK;
        }
        if (duration_value(text, length, &value) && value >= min && value <= max) {
            *out = value;
            return HB_OK;
        }
    }
    hb_duration_print(max, highest);
    if (min)
        hb_duration_print(min, lowest);
    else
        snprintf(lowest, sizeof lowest, "0s");
    snprintf(expected, sizeof expected, "a duration from \"%s\" to \"%s\"%s", lowest, highest,
             off ? " or \"off\"" : "");
    return refuse_value(src, m, expected);
}

static int take_number(const source *src, const member *m, uint32_t min, uint32_t max, uint32_t *out)
{
    json_int_t value = json_integer_value(m->value);
    char expected[64];

    if (!json_is_integer(m->value) || value < (json_int_t)min || value > (json_int_t)max) {
        snprintf(expected, sizeof expected, "a whole number from %u to %u", min, max);
        return refuse_value(src, m, expected);
    }
    *out = (uint32_t)value;
    return HB_OK;
}

static int take_on_dead(const source *src, const member *m, hb_policy *policy)
{
    const char *text = json_string_value(m->value);

    for (int value = HB_ON_DEAD_AUTO; text && value <= HB_ON_DEAD_CUT; value++) {
        if (strcmp(text, hb_on_dead_name((hb_on_dead)value)) == 0) {
            policy->on_dead = (hb_on_dead)value;
            return HB_OK;
        }
    }
    return refuse_value(src, m, "\"auto\", \"close\" or \"cut\"");
}

static int take_member(const source *src, const member *m, hb_policy *policy)
{
    if (strcmp(m->key, "idle") == 0)
        return take_duration(src, m, 1, IDLE_MAX, true, &policy->idle);
    if (strcmp(m->key, "ack_timeout") == 0)
        return take_duration(src, m, 1, DAY, false, &policy->ack_timeout);
    if (strcmp(m->key, "login_within") == 0)
        return take_duration(src, m, 1, DAY, true, &policy->login_within);
    if (strcmp(m->key, "spread") == 0)
        return take_duration(src, m, 0, IDLE_MAX, false, &policy->spread);
    if (strcmp(m->key, "retries") == 0)
        return take_number(src, m, 0, RETRIES_MAX, &policy->retries);
    if (strcmp(m->key, "pings_per_tick") == 0)
        return take_number(src, m, 1, PINGS_PER_TICK_MAX, &policy->pings_per_tick);
    if (strcmp(m->key, "on_dead") == 0)
        return take_on_dead(src, m, policy);
    if (strcmp(m->key, "ping") == 0) {
        if (!json_is_boolean(m->value))
            return refuse_value(src, m, "true or false");
        policy->ping = json_is_true(m->value);
        return HB_OK;
    }
    return refuse(
        src, m->key_at, m->key,
        "unknown key; known are idle, ping, ack_timeout, retries, spread, on_dead, login_within and pings_per_tick");
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
