#define _DEFAULT_SOURCE /* mkdtemp */
#include "support.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#ifdef _WIN32
#include <direct.h>
#endif

char rig_text[HB_JID_MAX + 1];

static const uint8_t key[32] = "a key for tests, known to all..";

void rig_init(rig *r, int64_t origin_us)
{
    memset(r, 0, sizeof *r);
    r->origin_us = origin_us;
    r->now_us = origin_us;
    r->wall_ms = RIG_WALL_MS;
    r->due = calloc(RIG_ACTIONS, sizeof *r->due);
    assert_non_null(r->due);
    const hb_core_options options = {.ping_key = key, .seed = 42};
    assert_int_equal(hb_core_new(&options, r->now_us, rig_wall_ms(r), &r->core), HB_OK);
    rig_add_page(r);
    rig_tick(r);
}

void rig_close(rig *r)
{
    hb_core_free(r->core);
    for (size_t i = 0; i < r->page_count; i++) {
        free(r->pages[i]);
    }
    free(r->due);
    memset(r, 0, sizeof *r);
}

int64_t rig_wall_ms(const rig *r)
{
    return r->wall_ms + (r->now_us - r->origin_us) / 1000;
}

int64_t rig_second(const rig *r)
{
    return (r->now_us - r->origin_us) / 1000000;
}

void rig_policy(rig *r, const char *json, int64_t idle_ms, bool ping)
{
    hb_error error = {0};
    int code = hb_core_configure(r->core, json, json ? strlen(json) : 0, idle_ms, ping, &error);
    if (code != HB_OK) {
        fail_msg("policy %s: %s at %d:%d: %s: %s", json ? json : "(none)", hb_strerror(code), error.line, error.column,
                 error.path, error.text);
    }
}

void rig_add_page(rig *r)
{
    assert_true(r->page_count < RIG_PAGES);
    uint32_t *page = calloc(HB_PAGE_CELLS, HB_CELL_BYTES);
    assert_non_null(page);
    r->pages[r->page_count++] = page;
    assert_int_equal(hb_core_add_page(r->core, page), HB_OK);
}

hb_token rig_open(rig *r)
{
    hb_token token = 0;
    int code = hb_core_open(r->core, HB_TCP, 0, r->now_us, r->now_us, &token);
    if (code == HB_EFULL) {
        rig_add_page(r);
        code = hb_core_open(r->core, HB_TCP, 0, r->now_us, r->now_us, &token);
    }
    assert_int_equal(code, HB_OK);
    assert_true((int64_t)token > 0);
    return token;
}

hb_token rig_login(rig *r, const char *jid, bool available)
{
    hb_token token = rig_open(r);
    assert_int_equal(hb_core_bound(r->core, token, jid, strlen(jid), false), HB_OK);
    if (available) {
        assert_int_equal(hb_core_available(r->core, token), HB_OK);
    }
    return token;
}

uint32_t *rig_cell(const rig *r, hb_token token)
{
    uint32_t slot = (uint32_t)token;
    assert_true(slot / HB_PAGE_CELLS < r->page_count);
    return &r->pages[slot / HB_PAGE_CELLS][slot % HB_PAGE_CELLS];
}

void rig_read(rig *r, hb_token token)
{
    __atomic_store_n(rig_cell(r, token), r->tick, __ATOMIC_RELAXED);
}

void rig_tick(rig *r)
{
    hb_action out[64];
    int more;
    do {
        size_t count = 0;
        more = hb_core_advance(r->core, r->now_us, rig_wall_ms(r), out, sizeof out / sizeof out[0], &count, &r->tick);
        assert_in_range(more, 0, 1);
        assert_true(count <= sizeof out / sizeof out[0]);
        assert_true(more == 0 || count == sizeof out / sizeof out[0]);
        for (size_t i = 0; i < count; i++) {
            assert_true(r->due_count < RIG_ACTIONS);
            r->due[r->due_count].action = out[i];
            r->due[r->due_count].second = rig_second(r);
            r->due_count++;
        }
    } while (more == 1);
}

void rig_step(rig *r, int64_t second)
{
    while (r->due_count == 0 && rig_second(r) < second) {
        r->now_us = r->origin_us + (rig_second(r) + 1) * 1000000;
        rig_tick(r);
    }
}

void rig_stall(rig *r, int64_t second)
{
    assert_true(second >= rig_second(r));
    r->now_us = r->origin_us + second * 1000000;
}

bool rig_take(rig *r, rig_due *out)
{
    if (r->due_count == 0) {
        return false;
    }
    *out = r->due[0];
    r->due_count--;
    memmove(r->due, r->due + 1, r->due_count * sizeof *r->due);
    return true;
}

void rig_quiet_at(rig *r, int64_t second, const char *file, int line)
{
    rig_step(r, second);
    if (r->due_count > 0) {
        const rig_due *due = &r->due[0];
        print_error("expected nothing up to %lld, got %s (%s) for %llx at %lld\n", (long long)second,
                    verb_name(due->action.verb), reason_name(due->action.why), (unsigned long long)due->action.token,
                    (long long)due->second);
        _fail(file, line);
    }
}

void rig_expect_at(rig *r, int64_t second, hb_token token, hb_verb verb, hb_reason why, const char *file, int line)
{
    rig_due due;
    rig_step(r, second);
    if (!rig_take(r, &due)) {
        print_error("expected %s (%s) for %llx at %lld, got nothing\n", verb_name(verb), reason_name(why),
                    (unsigned long long)token, (long long)second);
        _fail(file, line);
        return;
    }
    if (due.second != second || due.action.token != token || due.action.verb != (uint32_t)verb ||
        due.action.why != (uint32_t)why) {
        print_error("expected %s (%s) for %llx at %lld, got %s (%s) for %llx at %lld\n", verb_name(verb),
                    reason_name(why), (unsigned long long)token, (long long)second, verb_name(due.action.verb),
                    reason_name(due.action.why), (unsigned long long)due.action.token, (long long)due.second);
        _fail(file, line);
    }
}

void rig_begin_at(rig *r, hb_token token, hb_verb verb, unsigned facts, hb_verb expected, const char *file, int line)
{
    hb_order order = {.verb = HB_NOTHING};
    int code = hb_core_begin(r->core, token, verb, facts, r->now_us, &order);
    if (code != HB_OK || order.verb != expected || order.length > sizeof order.text) {
        print_error("begin(%s): expected %s, got %s (%s)\n", verb_name(verb), verb_name(expected),
                    verb_name(order.verb), hb_strerror(code));
        _fail(file, line);
        return;
    }
    memcpy(rig_text, order.text, order.length);
    rig_text[order.length] = '\0';
}

#ifdef _WIN32
void folder_new(char path[FOLDER_PATH])
{
    const char *parent = getenv("TEMP");
    unsigned i = 0;
    assert_non_null(parent);
    do {
        text_print(path, FOLDER_PATH, "%s/heartbeat-%d-%u", parent, getpid(), i++);
        assert_in_range(i, 1, 1000);
    } while (_mkdir(path) != 0);
}
#else
void folder_new(char path[FOLDER_PATH])
{
    text_print(path, FOLDER_PATH, "/tmp/heartbeat-XXXXXX");
    assert_non_null(mkdtemp(path));
}
#endif

void folder_each(const char *path, void (*visit)(void *to, const char *file, const char *name), void *to)
{
    DIR *files = opendir(path);
    const struct dirent *entry;
    assert_non_null(files);
    while ((entry = readdir(files))) {
        char file[FOLDER_PATH + 256];
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        text_print(file, sizeof file, "%s/%s", path, entry->d_name);
        visit(to, file, entry->d_name);
    }
    closedir(files);
}

static void remove_file(void *to, const char *file, const char *name)
{
    (void)to;
    (void)name;
    assert_int_equal(remove(file), 0);
}

void folder_empty(const char *path)
{
    folder_each(path, remove_file, NULL);
}

static void copy_file(void *to, const char *file, const char *name)
{
    static char bytes[1 << 20];
    char path[FOLDER_PATH + 64];
    /* Nobody else can read it on Windows, and nothing is in it. */
    if (strcmp(name, "lock") == 0)
        return;
    text_print(path, sizeof path, "%s/%s", (const char *)to, name);
    FILE *in = fopen(file, "rb");
    FILE *out = fopen(path, "wb");
    assert_true(in && out);
    size_t length = fread(bytes, 1, sizeof bytes, in);
    assert_int_equal(fwrite(bytes, 1, length, out), length);
    fclose(in);
    fclose(out);
}

void folder_copy(const char *from, char *to)
{
    folder_each(from, copy_file, to);
}

struct of_kind {
    const char *prefix;
    int count;
};

static void count_kind(void *to, const char *file, const char *name)
{
    struct of_kind *files = to;
    (void)file;
    files->count += strncmp(name, files->prefix, strlen(files->prefix)) == 0;
}

int folder_count(const char *path, const char *prefix)
{
    struct of_kind files = {.prefix = prefix};
    folder_each(path, count_kind, &files);
    return files.count;
}

void folder_remove(const char *path)
{
    folder_empty(path);
    assert_int_equal(rmdir(path), 0);
}

void text_print(char *out, size_t size, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(out, size, format, arguments);
    va_end(arguments);
    assert_true(length >= 0 && (size_t)length < size);
}

const char *verb_name(unsigned verb)
{
    static const char *const names[] = {
#define X(name, value, text) [value] = (text),
        HB_VERBS(X)
#undef X
    };
    return verb < sizeof names / sizeof names[0] ? names[verb] : "?";
}

const char *reason_name(unsigned why)
{
    static const char *const names[] = {
#define X(name, value, text, meaning) [value] = (text),
        HB_REASONS(X)
#undef X
    };
    return why < sizeof names / sizeof names[0] ? names[why] : "?";
}

uint64_t dice_next(dice *d)
{
    d->state ^= d->state >> 12;
    d->state ^= d->state << 25;
    d->state ^= d->state >> 27;
    return d->state * UINT64_C(0x2545F4914F6CDD1D);
}

uint32_t dice_below(dice *d, uint32_t limit)
{
    return (uint32_t)((dice_next(d) >> 33) % limit);
}

bool dice_percent(dice *d, uint32_t chance)
{
    return dice_below(d, 100) < chance;
}
