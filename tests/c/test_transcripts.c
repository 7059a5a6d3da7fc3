/*
 * Plays every transcript (tests/transcripts/README.md says how they are written) and compares what the core does with
 * what is written there. A transcript that differs is printed as a diff: '-' was written but did not happen, '+'
 * happened but was not written.
 */
#include "support.h"

#include <ctype.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_WORDS 12
#define MAX_SESSIONS 128
#define MAX_PINGS 32
#define MAX_LINES 1000
#define LINE_BYTES 1024
#define CONTEXT 3

/* Where the core's clock starts; a transcript's 0 is each of these in turn, so nothing may hang on the origin. */
static const int64_t origins_us[] = {INT64_C(1000) * 1000000, INT64_C(9000000) * 1000000};

typedef struct session {
    char name[32];
    hb_token token;
    int pings;
    char ids[MAX_PINGS][256];
} session;

typedef struct line {
    char mark; /* ' ', '-' or '+' */
    int number;
    char text[2 * LINE_BYTES];
} line;

typedef struct play {
    rig rig;
    session sessions[MAX_SESSIONS];
    int session_count;
    char policy[HB_POLICY_MAX + 1];
    bool has_policy;
    int64_t idle_ms;
    bool ping;
    int64_t stalled_until; /* second of the first tick after a stall */
    const char *file;
    int number; /* of the line at work */
    bool differs;
    const char *broken; /* what is wrong with the line itself */
    line lines[MAX_LINES];
    int line_count;
} play;

static void put(play *p, char mark, int number, const char *text)
{
    if (p->line_count == MAX_LINES) {
        p->broken = "too long a transcript";
        return;
    }
    line *l = &p->lines[p->line_count++];
    l->mark = mark;
    l->number = number;
    text_print(l->text, sizeof l->text, "%s", text);
    p->differs |= mark != ' ';
}

static session *session_of(play *p, const char *name)
{
    for (int i = 0; i < p->session_count; i++) {
        if (strcmp(p->sessions[i].name, name) == 0) {
            return &p->sessions[i];
        }
    }
    p->broken = "no session of that name was opened";
    return NULL;
}

static const char *name_of(const play *p, hb_token token)
{
    for (int i = 0; i < p->session_count; i++) {
        if (p->sessions[i].token == token) {
            return p->sessions[i].name;
        }
    }
    return "(unknown token)";
}

static void put_due(play *p, const rig_due *due)
{
    char text[LINE_BYTES];
    text_print(text, sizeof text, "=> %lld %s %s %s", (long long)due->second, verb_name(due->action.verb),
               name_of(p, due->action.token), reason_name(due->action.why));
    put(p, '+', 0, text);
}

/* Moves to `second`; what comes on the way was not written. Actions of `keep` stay in the queue. */
static void move_to(play *p, int64_t second, int64_t keep)
{
    if (second < p->stalled_until) {
        return;
    }
    if (rig_second(&p->rig) < p->stalled_until) {
        rig_stall(&p->rig, p->stalled_until);
        rig_tick(&p->rig);
    }
    do {
        rig_step(&p->rig, second);
        while (p->rig.due_count > 0 && p->rig.due[0].second != keep) {
            rig_due due;
            rig_take(&p->rig, &due);
            put_due(p, &due);
        }
    } while (p->rig.due_count == 0 && rig_second(&p->rig) < second);
}

/* "12.5" in microseconds. */
static bool parse_time(const char *text, int64_t *out)
{
    char *end;
    double seconds = strtod(text, &end);
    if (end == text || *end != '\0') {
        return false;
    }
    *out = (int64_t)(seconds * 1000 + (seconds < 0 ? -0.5 : 0.5)) * 1000;
    return true;
}

/* Cuts text into words at blanks; "..." and {...} are one word each, without the quotes. */
static int split(char *text, char **words)
{
    int count = 0;
    char *s = text;
    while (count < MAX_WORDS) {
        while (isspace((unsigned char)*s)) {
            s++;
        }
        if (*s == '\0' || *s == '#') {
            break;
        }
        if (*s == '{') {
            words[count++] = s;
            char *end = strrchr(s, '}');
            s = end ? end + 1 : s + strlen(s);
        } else if (*s == '"') {
            words[count++] = ++s;
            s = s + strcspn(s, "\"");
        } else {
            words[count++] = s;
            s = s + strcspn(s, " \t");
        }
        if (*s != '\0') {
            *s++ = '\0';
        }
    }
    return count;
}

static const char *code_text(int code)
{
    static char number[16];
    switch (code) {
    case HB_ESTALE:
        return "stale";
    case HB_EINVAL:
        return "invalid";
    case HB_EPOLICY:
        return "refused";
    default:
        text_print(number, sizeof number, "%d", code);
        return number;
    }
}

/* The commands. Each writes what came of it into `result`. words[0] is the command. */

static int configure(play *p)
{
    return hb_core_configure(p->rig.core, p->has_policy ? p->policy : NULL, p->has_policy ? strlen(p->policy) : 0,
                             p->idle_ms, p->ping, NULL);
}

static void do_openfire(play *p, char **words, int count, char *result)
{
    for (int i = 1; i < count; i++) {
        char *end = NULL;
        if (strncmp(words[i], "idle=", 5) == 0) {
            p->idle_ms = (int64_t)(strtod(words[i] + 5, &end) * 1000);
            if (strcmp(end, "s") != 0) {
                p->broken = "idle is given in seconds, as idle=20s";
            }
        } else if (strncmp(words[i], "ping=", 5) == 0) {
            p->ping = strcmp(words[i] + 5, "true") == 0;
        } else {
            p->broken = "openfire takes idle= and ping=";
        }
    }
    strcpy(result, code_text(configure(p)));
}

static void do_policy(play *p, char **words, int count, char *result)
{
    (void)count;
    char before[sizeof p->policy];
    bool had = p->has_policy;
    strcpy(before, p->policy);
    p->has_policy = strcmp(words[1], "none") != 0;
    text_print(p->policy, sizeof p->policy, "%s", words[1]);
    int code = configure(p);
    if (code != HB_OK) {
        p->has_policy = had;
        strcpy(p->policy, before);
    }
    strcpy(result, code_text(code));
}

static bool parse_transport(const char *text, hb_transport *out)
{
#define X(name, value, title)                                                                                          \
    if (strcmp(text, title) == 0) {                                                                                    \
        *out = name;                                                                                                   \
        return true;                                                                                                   \
    }
    HB_TRANSPORTS(X)
#undef X
    return false;
}

static void do_open(play *p, char **words, int count, char *result)
{
    if (p->session_count == MAX_SESSIONS) {
        p->broken = "too many sessions";
        return;
    }
    session *s = &p->sessions[p->session_count];
    memset(s, 0, sizeof *s);
    text_print(s->name, sizeof s->name, "%s", words[1]);
    for (int i = 0; i < p->session_count; i++) {
        if (strcmp(p->sessions[i].name, s->name) == 0) {
            p->broken = "a session of that name was opened before";
            return;
        }
    }
    int64_t opened_us = p->rig.now_us;
    int64_t read_us = p->rig.now_us;
    hb_transport transport = HB_TCP;
    uint32_t own_s = 0;
    int next = 2;
    if (next < count && parse_transport(words[next], &transport)) {
        next++;
    }
    if (next < count && strncmp(words[next], "own=", 4) == 0) {
        char *end = NULL;
        own_s = (uint32_t)strtoul(words[next] + 4, &end, 10);
        if (strcmp(end, "s") != 0) {
            p->broken = "own is given in seconds, as own=20s";
            return;
        }
        next++;
    }
    if (next < count) {
        if (count != next + 2 || !parse_time(words[next], &opened_us) || !parse_time(words[next + 1], &read_us)) {
            p->broken = "open takes the times of opening and of the last read";
            return;
        }
        opened_us += p->rig.origin_us;
        read_us += p->rig.origin_us;
    }
    int code = hb_core_open(p->rig.core, transport, own_s, opened_us, read_us, &s->token);
    if (code == HB_OK) {
        p->session_count++;
    }
    strcpy(result, code_text(code));
}

static void do_bound(play *p, char **words, int count, char *result)
{
    session *s = session_of(p, words[1]);
    bool anonymous = count > 3 && strcmp(words[3], "anonymous") == 0;
    if (s) {
        strcpy(result, code_text(hb_core_bound(p->rig.core, s->token, words[2], strlen(words[2]), anonymous)));
    }
}

static void do_read(play *p, char **words, int count, char *result)
{
    session *s = session_of(p, words[1]);
    bool late = count > 2 && strcmp(words[2], "(late)") == 0;
    if (s) {
        __atomic_store_n(rig_cell(&p->rig, s->token), p->rig.tick - late, __ATOMIC_RELAXED);
        strcpy(result, "0");
    }
}

static void do_available(play *p, char **words, int count, char *result)
{
    (void)count;
    session *s = session_of(p, words[1]);
    if (s) {
        strcpy(result, code_text(hb_core_available(p->rig.core, s->token)));
    }
}

static void do_unavailable(play *p, char **words, int count, char *result)
{
    session *s = session_of(p, words[1]);
    bool server = count > 2 && strcmp(words[2], "(server)") == 0;
    const char *status = count > 2 && !server ? words[2] : NULL;
    if (s) {
        strcpy(result,
               code_text(hb_core_unavailable(p->rig.core, s->token, status, status ? strlen(status) : 0, server)));
    }
}

static void do_idle(play *p, char **words, int count, char *result)
{
    (void)count;
    session *s = session_of(p, words[1]);
    if (s) {
        strcpy(result, code_text(hb_core_idle(p->rig.core, s->token, p->rig.now_us)));
    }
}

/* phone#2 is the id of the second ping of phone; anything else is taken as it is written. */
static void do_pong(play *p, char **words, int count, char *result)
{
    (void)count;
    session *s = session_of(p, words[1]);
    const char *id = words[2];
    char *hash = strchr(words[2], '#');
    if (hash) {
        *hash = '\0';
        session *of = session_of(p, words[2]);
        int number = atoi(hash + 1);
        if (!of || number < 1 || number > of->pings) {
            p->broken = "no such ping was sent";
            return;
        }
        id = of->ids[number - 1];
    }
    if (s) {
        strcpy(result, code_text(hb_core_pong(p->rig.core, s->token, id, strlen(id), p->rig.now_us)));
    }
}

static void do_detached(play *p, char **words, int count, char *result)
{
    (void)count;
    session *s = session_of(p, words[1]);
    if (s) {
        strcpy(result, code_text(hb_core_detached(p->rig.core, s->token)));
    }
}

static void do_resumed(play *p, char **words, int count, char *result)
{
    (void)count;
    session *from = session_of(p, words[1]);
    session *to = session_of(p, words[2]);
    if (from && to) {
        strcpy(result, code_text(hb_core_resumed(p->rig.core, from->token, to->token)));
    }
}

static void do_closed(play *p, char **words, int count, char *result)
{
    (void)count;
    session *s = session_of(p, words[1]);
    if (s) {
        strcpy(result, code_text(hb_core_closed(p->rig.core, s->token)));
    }
}

static void do_begin(play *p, char **words, int count, char *result)
{
    session *s = session_of(p, words[1]);
    hb_verb verb = HB_NOTHING;
    for (unsigned v = HB_NOTHING; v <= HB_UNAVAILABLE; v++) {
        if (strcmp(words[2], verb_name(v)) == 0) {
            verb = (hb_verb)v;
        }
    }
    if (!s || verb == HB_NOTHING) {
        p->broken = p->broken ? p->broken : "no such verb";
        return;
    }
    unsigned facts = count > 3 && strcmp(words[3], "resumable") == 0 ? HB_FACT_RESUMABLE : 0;
    hb_order order = {.verb = HB_NOTHING};
    int code = hb_core_begin(p->rig.core, s->token, verb, facts, p->rig.now_us, &order);
    if (code != HB_OK) {
        strcpy(result, code_text(code));
        return;
    }
    int length = (int)order.length;
    if (order.verb == HB_UNAVAILABLE) {
        text_print(result, LINE_BYTES, "%s %.*s", verb_name(order.verb), length, order.text);
    } else {
        strcpy(result, verb_name(order.verb));
    }
    if (order.verb == HB_PING && s->pings < MAX_PINGS) {
        text_print(s->ids[s->pings++], sizeof s->ids[0], "%.*s", length, order.text);
    }
}

static void do_ask(play *p, char **words, int count, char *result)
{
    (void)count;
    session *s = session_of(p, words[1]);
    hb_verb verb = strcmp(words[2], "ping") == 0         ? HB_PING
                   : strcmp(words[2], "disconnect") == 0 ? HB_DISCONNECT
                                                         : HB_CUT;
    hb_action action = {.verb = HB_NOTHING};
    if (s) {
        int code = hb_core_ask(p->rig.core, s->token, verb, &action);
        bool right = code != 1 || (action.token == s->token && action.verb == verb && action.why == HB_WHY_ADMIN);
        strcpy(result, right ? code_text(code) : "another action");
    }
}

static void do_seen(play *p, char **words, int count, char *result)
{
    (void)count;
    hb_activity a;
    int code = hb_core_last_activity(p->rig.core, words[1], strlen(words[1]), &a);
    if (code != 1) {
        strcpy(result, code == 0 ? "unknown" : code_text(code));
        return;
    }
    text_print(result, LINE_BYTES, "%.3f %s %s%s%.*s%s", (double)(a.seen_ms - RIG_WALL_MS) / 1000,
               a.online ? "online" : "offline", reason_name(a.why), a.length ? " \"" : "", (int)a.length, a.status,
               a.length ? "\"" : "");
    /* Whole seconds, the usual case, are written without a fraction. */
    char *fraction = strstr(result, ".000 ");
    if (fraction) {
        memmove(fraction, fraction + 4, strlen(fraction + 4) + 1);
    }
}

static void do_wall(play *p, char **words, int count, char *result)
{
    (void)count;
    int64_t jump_us;
    if (!parse_time(words[1], &jump_us)) {
        p->broken = "wall takes the seconds that the wall clock jumps by";
        return;
    }
    p->rig.wall_ms += jump_us / 1000;
    strcpy(result, "0");
}

static void do_stall(play *p, char **words, int count, char *result)
{
    (void)count;
    int64_t until_us;
    if (!parse_time(words[1], &until_us)) {
        p->broken = "stall takes the second of the next tick";
        return;
    }
    p->stalled_until = until_us / 1000000;
    strcpy(result, "0");
}

static void do_stop(play *p, char **words, int count, char *result)
{
    (void)words;
    (void)count;
    hb_core_stop(p->rig.core);
    strcpy(result, "0");
}

static void do_quiet(play *p, char **words, int count, char *result)
{
    (void)p;
    (void)words;
    (void)count;
    strcpy(result, "0");
}

static const struct command {
    const char *name;
    int words; /* at least, itself included */
    void (*run)(play *p, char **words, int count, char *result);
} commands[] = {
    {"openfire", 2, do_openfire},
    {"policy", 2, do_policy},
    {"open", 2, do_open},
    {"bound", 3, do_bound},
    {"read", 2, do_read},
    {"available", 2, do_available},
    {"unavailable", 2, do_unavailable},
    {"idle", 2, do_idle},
    {"pong", 3, do_pong},
    {"detached", 2, do_detached},
    {"resumed", 3, do_resumed},
    {"closed", 2, do_closed},
    {"begin", 3, do_begin},
    {"ask", 3, do_ask},
    {"seen", 2, do_seen},
    {"wall", 2, do_wall},
    {"stall", 2, do_stall},
    {"stop", 1, do_stop},
    {"quiet", 1, do_quiet},
};

/* "=> SECOND VERB NAME WHY": the core decides this at that tick. */
static void expect_action(play *p, const char *text, char **words, int count)
{
    int64_t at_us;
    if (count != 4 || !parse_time(words[0], &at_us)) {
        p->broken = "an action is written as: => SECOND VERB NAME WHY";
        return;
    }
    int64_t second = at_us / 1000000;
    move_to(p, second, second);
    for (size_t i = 0; i < p->rig.due_count; i++) {
        const rig_due *due = &p->rig.due[i];
        if (due->second == second && strcmp(words[1], verb_name(due->action.verb)) == 0 &&
            strcmp(words[2], name_of(p, due->action.token)) == 0 &&
            strcmp(words[3], reason_name(due->action.why)) == 0) {
            memmove(&p->rig.due[i], &p->rig.due[i + 1], (p->rig.due_count - i - 1) * sizeof *due);
            p->rig.due_count--;
            put(p, ' ', p->number, text);
            return;
        }
    }
    put(p, '-', p->number, text);
}

/* "TIME COMMAND ... [=> RESULT]". */
static void run_command(play *p, const char *text, char *copy)
{
    char *words[MAX_WORDS];
    char wanted[LINE_BYTES] = "0";
    char result[LINE_BYTES] = "";
    char *arrow = strstr(copy, "=>");
    if (arrow) {
        *arrow = '\0';
        char *w = arrow + 2;
        w += strspn(w, " \t");
        size_t length = strlen(w);
        while (length > 0 && isspace((unsigned char)w[length - 1])) {
            length--;
        }
        text_print(wanted, sizeof wanted, "%.*s", (int)length, w);
    }
    int count = split(copy, words);
    int64_t at_us = 0;
    if (count < 2 || !parse_time(words[0], &at_us) || at_us < p->rig.now_us - p->rig.origin_us) {
        p->broken = "a line starts with a time, not before the one of the line above, and a command";
        return;
    }
    move_to(p, at_us / 1000000, -1);
    p->rig.now_us = p->rig.origin_us + at_us;
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++) {
        if (strcmp(words[1], commands[i].name) == 0) {
            if (count - 1 < commands[i].words) {
                p->broken = "words are missing";
                return;
            }
            if (!arrow && strcmp(words[1], "begin") == 0) { /* the order is the verb itself */
                text_print(wanted, sizeof wanted, "%s", words[3]);
            }
            commands[i].run(p, words + 1, count - 1, result);
            if (p->broken) {
                return;
            }
            bool same = strcmp(wanted, result) == 0;
            put(p, same ? ' ' : '-', p->number, text);
            if (!same) {
                char line_text[2 * LINE_BYTES];
                const char *end = strstr(text, "=>");
                size_t length = end ? (size_t)(end - text) : strlen(text);
                while (length > 0 && isspace((unsigned char)text[length - 1])) {
                    length--;
                }
                text_print(line_text, sizeof line_text, "%.*s => %s", (int)length, text, result);
                put(p, '+', 0, line_text);
            }
            return;
        }
    }
    p->broken = "no such command";
}

static void run_line(play *p, char *text)
{
    text[strcspn(text, "\r\n")] = '\0';
    char copy[LINE_BYTES];
    text_print(copy, sizeof copy, "%s", text);
    char *start = copy + strspn(copy, " \t");
    if (*start == '\0' || *start == '#') {
        put(p, ' ', p->number, text);
    } else if (strncmp(start, "=>", 2) == 0) {
        char *words[MAX_WORDS];
        int count = split(start + 2, words);
        expect_action(p, text, words, count);
    } else {
        run_command(p, text, start);
    }
    if (p->broken) {
        put(p, '-', p->number, text);
    }
}

static void print_diff(const play *p)
{
    for (int i = 0; i < p->line_count; i++) {
        bool near = false;
        for (int j = i - CONTEXT; j <= i + CONTEXT; j++) {
            near |= j >= 0 && j < p->line_count && p->lines[j].mark != ' ';
        }
        if (!near) {
            continue;
        }
        if (p->lines[i].number > 0) {
            print_error("%s:%-4d %c %s\n", p->file, p->lines[i].number, p->lines[i].mark, p->lines[i].text);
        } else {
            print_error("%s      %c %s\n", p->file, p->lines[i].mark, p->lines[i].text);
        }
    }
    if (p->broken) {
        print_error("%s:%d: %s\n", p->file, p->number, p->broken);
    }
}

static void play_file(const char *file, int64_t origin_us)
{
    play *p = calloc(1, sizeof *p);
    assert_non_null(p);
    p->file = file;
    p->idle_ms = 20000;
    p->ping = true;
    rig_init(&p->rig, origin_us);
    assert_int_equal(configure(p), HB_OK);
    FILE *in = fopen(file, "r");
    assert_non_null(in);
    char text[LINE_BYTES];
    while (!p->broken && fgets(text, sizeof text, in)) {
        p->number++;
        run_line(p, text);
    }
    fclose(in);
    move_to(p, rig_second(&p->rig), -1);
    bool right = !p->differs && !p->broken;
    if (!right) {
        print_diff(p);
    }
    rig_close(&p->rig);
    free(p);
    assert_true(right);
}

static void test_file(void **state)
{
    for (size_t i = 0; i < sizeof origins_us / sizeof origins_us[0]; i++) {
        play_file(*state, origins_us[i]);
    }
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct CMUnitTest *)a)->name, ((const struct CMUnitTest *)b)->name);
}

/* The folder may be given as argument; without one the programs run at the root of the tree. */
int main(int argc, char **argv)
{
    static struct CMUnitTest tests[256];
    const char *folder = argc > 1 ? argv[1] : "tests/transcripts";
    size_t count = 0;
    DIR *dir = opendir(folder);
    if (!dir) {
        perror(folder);
        return 1;
    }
    for (struct dirent *entry; (entry = readdir(dir)) && count < sizeof tests / sizeof tests[0];) {
        size_t length = strlen(entry->d_name);
        if (length < 5 || strcmp(entry->d_name + length - 4, ".txt") != 0) {
            continue;
        }
        size_t size = strlen(folder) + length + 2;
        char *file = malloc(size);
        if (!file) {
            return 1;
        }
        text_print(file, size, "%s/%s", folder, entry->d_name);
        tests[count].name = file;
        tests[count].test_func = test_file;
        tests[count].initial_state = file;
        count++;
    }
    closedir(dir);
    if (count == 0) {
        fprintf(stderr, "%s holds no transcript\n", folder);
        return 1;
    }
    qsort(tests, count, sizeof tests[0], by_name);
    int failed = _cmocka_run_group_tests("transcripts", tests, count, NULL, NULL);
    for (size_t i = 0; i < count; i++) {
        free((char *)(uintptr_t)tests[i].name);
    }
    return failed;
}
