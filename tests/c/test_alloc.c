/*
 * Out of memory, at every allocation in turn: no crash, no leak (under the address sanitizer), the right code, nothing
 * half done, and the same call succeeds once there is memory again. And memory is bounded.
 *
 * The linker puts the __wrap_ functions in the place of the allocators, for the libraries that are linked in too.
 */
#include "support.h"

#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <jansson.h>

#include "core.h"

#ifdef __SANITIZE_ADDRESS__
#define COUNTS_BYTES 0 /* the sanitizer's allocator does not */
#elif defined __SANITIZE_THREAD__
#define COUNTS_BYTES 0
#elif !defined __GLIBC__ || __GLIBC__ * 100 + __GLIBC_MINOR__ < 233
#define COUNTS_BYTES 0 /* mallinfo2 is not there */
#else
#define COUNTS_BYTES 1
#endif

void *__real_malloc(size_t size);
void __real_free(void *memory);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *old, size_t size);
void *__real_aligned_alloc(size_t alignment, size_t size);
void *__real_mmap(void *at, size_t size, int may, int how, int file, off_t offset);
void *__wrap_malloc(size_t size);
void __wrap_free(void *memory);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *old, size_t size);
void *__wrap_aligned_alloc(size_t alignment, size_t size);
void *__wrap_mmap(void *at, size_t size, int may, int how, int file, off_t offset);
int __wrap_fsync(int fd);

/* Disks are slow, and nobody here could tell. */
int __wrap_fsync(int fd)
{
    (void)fd;
    return 0;
}

static long fail_at; /* fails when it counts down to 0; negative: never */
static long allocations;
static bool failed;

static bool fails(void)
{
    allocations++;
    if (fail_at > 0 && --fail_at == 0) {
        failed = true;
        fail_at = -1;
        return true;
    }
    return false;
}

static size_t watched_size; /* of blocks that are noticed */
static void (*on_free)(const void *memory);
static void *watched;

void *__wrap_malloc(size_t size)
{
    void *memory = fails() ? NULL : __real_malloc(size);
    if (memory && size == watched_size)
        watched = memory;
    return memory;
}

void __wrap_free(void *memory)
{
    if (memory && memory == watched) {
        on_free(memory);
        watched = NULL;
    }
    __real_free(memory);
}

void *__wrap_calloc(size_t count, size_t size)
{
    return fails() ? NULL : __real_calloc(count, size);
}

void *__wrap_realloc(void *old, size_t size)
{
    return fails() ? NULL : __real_realloc(old, size);
}

void *__wrap_aligned_alloc(size_t alignment, size_t size)
{
    return fails() ? NULL : __real_aligned_alloc(alignment, size);
}

void *__wrap_mmap(void *at, size_t size, int may, int how, int file, off_t offset)
{
    return fails() ? MAP_FAILED : __real_mmap(at, size, may, how, file, offset);
}

/* A core in the middle of things: alice pinged, bob about to be, carol not logged in. */
typedef struct stage {
    rig rig;
    hb_token alice;
    hb_token bob;
    hb_token carol;
    char id[HB_JID_MAX + 1]; /* of alice's ping */
    char *json;              /* what an act made */
} stage;

static void stage_open(stage *s)
{
    memset(s, 0, sizeof *s);
    rig_init(&s->rig, INT64_C(1000) * 1000000);
    rig_policy(&s->rig, "{\"login_within\": \"off\"}", 20000, true);
    s->alice = rig_login(&s->rig, "alice@example.org/phone", true);
    s->carol = rig_open(&s->rig);
    rig_expect(&s->rig, 10, s->alice, HB_PING, HB_WHY_IDLE);
    rig_begin(&s->rig, s->alice, HB_PING, 0, HB_PING);
    memcpy(s->id, rig_text, sizeof s->id);
    s->bob = rig_login(&s->rig, "bob@example.org/phone", true);
    rig_expect(&s->rig, 20, s->bob, HB_PING, HB_WHY_IDLE);
    rig_read(&s->rig, s->alice);
}

static void stage_close(stage *s)
{
    free(s->json);
    rig_close(&s->rig);
}

/* Everything that can be asked of the core, as text; freed by the caller. */
static char *state_of(stage *s)
{
    char *status;
    size_t length;
    assert_int_equal(hb_core_status(s->rig.core, true, &status, &length), HB_OK);
    static const char *const users[] = {"alice", "bob", "carol"};
    size_t size = length + 4096;
    char *text = calloc(1, size);
    assert_non_null(text);
    strcpy(text, status);
    free(status);
    for (size_t i = 0; i < sizeof users / sizeof users[0]; i++) {
        hb_activity a;
        if (hb_core_last_activity(s->rig.core, users[i], strlen(users[i]), &a) == 1) {
            size_t at = strlen(text);
            text_print(text + at, size - at, " %s %lld %d %s %.*s", users[i], (long long)a.seen_ms, a.online,
                       reason_name(a.why), (int)a.length, a.status);
        }
    }
    return text;
}

/* Does this state say that contacts see the session of this JID available? */
static bool available(const char *state, const char *jid)
{
    json_t *json = json_loads(state, JSON_DISABLE_EOF_CHECK, NULL);
    json_t *list = json_object_get(json, "list");
    bool found = false;
    assert_true(json_array_size(list) > 0);
    for (size_t i = 0; i < json_array_size(list); i++) {
        json_t *session = json_array_get(list, i);
        const char *its = json_string_value(json_object_get(session, "jid"));
        found |= its && strcmp(its, jid) == 0 && json_is_true(json_object_get(session, "available"));
    }
    json_decref(json);
    return found;
}

static int act_add_page(stage *s)
{
    uint32_t *cells = s->rig.pages[0]; /* never used twice: no session gets there */
    return hb_core_add_page(s->rig.core, cells);
}

static int act_configure(stage *s)
{
    static const char json[] = "{\"idle\": \"2m\", \"ping\": false, \"ack_timeout\": \"45s\", \"retries\": 2,"
                               " \"spread\": \"119s\", \"on_dead\": \"cut\", \"login_within\": \"1h\","
                               " \"last_activity\": \"offline\", \"forget_after\": \"90d\"}";
    hb_error error = {.line = -1};
    int code = hb_core_configure(s->rig.core, json, sizeof json - 1, 20000, true, &error);
    assert_true(code != HB_EPOLICY || (error.line == 1 && error.text[0] != '\0'));
    return code;
}

static int act_bound(stage *s)
{
    return hb_core_bound(s->rig.core, s->carol, "carol@example.org/phone", 23, false);
}

static int act_bound_known(stage *s)
{
    return hb_core_bound(s->rig.core, s->carol, "alice@example.org/phone", 23, false);
}

static int act_bound_anonymous(stage *s)
{
    return hb_core_bound(s->rig.core, s->carol, "carol@example.org/phone", 23, true);
}

static int act_unavailable(stage *s)
{
    return hb_core_unavailable(s->rig.core, s->alice, "Gone fishing", 12, false);
}

static int act_begin(stage *s)
{
    hb_order order;
    int code = hb_core_begin(s->rig.core, s->bob, HB_PING, 0, s->rig.now_us, &order);
    assert_true(code < 0 ? order.verb == HB_NOTHING : order.verb == HB_PING);
    return code;
}

static int act_pong(stage *s)
{
    int code = hb_core_pong(s->rig.core, s->alice, s->id, strlen(s->id), s->rig.now_us);
    assert_true(code == 1 || code < 0);
    return code < 0 ? code : HB_OK;
}

static int made_json(stage *s, int code, char *json, size_t length)
{
    if (code < 0) {
        assert_null(json);
        assert_int_equal(length, 12345);
        return code;
    }
    assert_int_equal(strlen(json), length);
    free(s->json);
    s->json = json;
    return HB_OK;
}

static int act_status(stage *s)
{
    char *json = NULL;
    size_t length = 12345;
    int code = hb_core_status(s->rig.core, false, &json, &length);
    return made_json(s, code, json, length);
}

static int act_status_detail(stage *s)
{
    char *json = NULL;
    size_t length = 12345;
    int code = hb_core_status(s->rig.core, true, &json, &length);
    return made_json(s, code, json, length);
}

static int act_last_activity(stage *s)
{
    char *json = NULL;
    size_t length = 12345;
    int code = hb_core_last_activity_json(s->rig.core, "alice", 5, &json, &length);
    return made_json(s, code, json, length);
}

static int act_series(stage *s)
{
    char *json = NULL;
    size_t length = 12345;
    int code = hb_core_series(s->rig.core, HB_HOUR, &json, &length);
    return made_json(s, code, json, length);
}

static int act_why(stage *s)
{
    char *json = NULL;
    size_t length = 12345;
    int code = hb_core_why(s->rig.core, "alice@example.org/phone", 23, &json, &length);
    return made_json(s, code, json, length);
}

static int act_why_user(stage *s)
{
    char *json = NULL;
    size_t length = 12345;
    int code = hb_core_why(s->rig.core, "alice@example.org", 17, &json, &length);
    return made_json(s, code, json, length);
}

static int act_describe(stage *s)
{
    static const char text[] = "{\"idle\": \"2m\", \"on_dead\": \"cut\"}";
    char *json = NULL;
    size_t length = 12345;
    int code = hb_policy_describe(text, sizeof text - 1, 20000, true, &json, &length);
    if (code == HB_OK && failed && strstr(json, "\"error\"")) {
        hb_string_free(json);
        return HB_EPOLICY;
    }
    return made_json(s, code, json, length);
}

static int act_list(stage *s)
{
    const hb_list_query query = {.limit = 10};
    hb_listing *listing = NULL;
    int code = hb_core_list(s->rig.core, &query, &listing);
    assert_true(code == HB_OK ? listing->count == listing->total && listing->count > 0 : listing == NULL);
    hb_listing_free(listing);
    return code;
}

/* As text: an answer is no string. */
static int made_users(stage *s, int code, char *bytes, size_t length)
{
    if (code < 0) {
        return made_json(s, code, bytes, length);
    }
    for (size_t i = 0; i < length; i++) {
        bytes[i] = (char)(bytes[i] ? bytes[i] : '0');
    }
    char *text = __real_realloc(bytes, length + 1);
    assert_non_null(text);
    text[length] = '\0';
    return made_json(s, code, text, length);
}

static int act_users(stage *s)
{
    char *bytes = NULL;
    size_t length = 12345;
    hb_user_query query = {.order = HB_USERS_BY_SEEN, .limit = 2};
    int code = hb_core_users(s->rig.core, &query, &bytes, &length);
    return made_users(s, code, bytes, length);
}

static int act_each(stage *s)
{
    char *bytes = NULL;
    size_t length = 12345;
    uint32_t at = 0;
    int code = hb_core_each(s->rig.core, &at, &bytes, &length);
    assert_int_equal(at, 0);
    return made_users(s, code, bytes, length);
}

/* The copies of the cells are made by the next tick: without memory for them it goes on, and nothing is recorded. */
static int act_record(stage *s)
{
    char text[16];
    size_t length = 0;
    int code = hb_core_record(s->rig.core, 65536);
    if (code == HB_OK) {
        rig_tick(&s->rig);
        assert_int_equal(hb_core_recorded(s->rig.core, text, sizeof text, &length), HB_OK);
        assert_int_equal(length, sizeof text);
        hb_core_record_end(s->rig.core);
    }
    return code;
}

static const struct act {
    const char *name;
    int (*run)(stage *s);
    int other; /* a code beside HB_ENOMEM: OpenSSL may go on without, jansson calls some failures a wrong syntax */
} acts[] = {
    {"add_page", act_add_page, HB_ENOMEM},
    {"configure", act_configure, HB_EPOLICY},
    {"bound", act_bound, HB_ENOMEM},
    {"bound, known user", act_bound_known, HB_ENOMEM},
    {"bound, anonymous", act_bound_anonymous, HB_ENOMEM},
    {"unavailable", act_unavailable, HB_ENOMEM},
    {"begin a ping", act_begin, HB_ECRYPTO},
    {"pong", act_pong, HB_ECRYPTO},
    {"status", act_status, HB_ENOMEM},
    {"status with detail", act_status_detail, HB_ENOMEM},
    {"last activity", act_last_activity, HB_ENOMEM},
    {"series", act_series, HB_ENOMEM},
    {"why", act_why, HB_ENOMEM},
    {"why of a user", act_why_user, HB_ENOMEM},
    {"describe a policy", act_describe, HB_EPOLICY},
    {"list", act_list, HB_ENOMEM},
    {"users", act_users, HB_ENOMEM},
    {"each", act_each, HB_ENOMEM},
    {"record", act_record, HB_ECRYPTO},
};

/* What the act leaves when nothing fails. */
static char *expected_of(const struct act *act, char **json)
{
    stage s;
    stage_open(&s);
    assert_int_equal(act->run(&s), HB_OK);
    char *state = state_of(&s);
    *json = s.json;
    s.json = NULL;
    stage_close(&s);
    return state;
}

static void test_acts(void **state)
{
    (void)state;
    for (size_t a = 0; a < sizeof acts / sizeof acts[0]; a++) {
        const struct act *act = &acts[a];
        char *json;
        char *expected = expected_of(act, &json);
        long which = 0;
        do {
            stage s;
            stage_open(&s);
            char *before = state_of(&s);
            failed = false;
            fail_at = ++which;
            int code = act->run(&s);
            fail_at = -1;
            if (failed) {
                /* HB_OK: it did without, as OpenSSL and jansson can; what came out is compared below. */
                if (code != HB_ENOMEM && code != act->other && code != HB_OK) {
                    fail_msg("%s, allocation %ld fails: %s", act->name, which, hb_strerror(code));
                }
                char *after = state_of(&s);
                /* Contacts were told, be there memory for the status or not. */
                bool partly = act->run == act_unavailable && !available(after, "alice@example.org/phone");
                if (code < 0 && !partly && strcmp(before, after) != 0) {
                    fail_msg("%s, allocation %ld fails:\n%s\nbecame\n%s", act->name, which, before, after);
                }
                free(after);
                if (code < 0) {
                    assert_int_equal(act->run(&s), HB_OK);
                }
            } else {
                assert_int_equal(code, HB_OK);
            }
            char *final = state_of(&s);
            if (strcmp(final, expected) != 0 || (json && strcmp(json, s.json) != 0)) {
                fail_msg("%s, allocation %ld failed, then\n%s\nin place of\n%s", act->name, which, final, expected);
            }
            free(final);
            free(before);
            stage_close(&s);
        } while (failed);
        print_message("  %s: %ld allocations\n", act->name, which - 1);
        /* An OpenSSL that looks its algorithms up anew for each ping makes hundreds. */
        if (act->other == HB_ECRYPTO)
            assert_in_range(which - 1, 1, 50);
        free(expected);
        free(json);
    }
}

static void test_new(void **state)
{
    (void)state;
    long which = 0;
    do {
        hb_core *core = (hb_core *)(uintptr_t)1;
        failed = false;
        fail_at = ++which;
        int code = hb_core_new(NULL, 0, RIG_WALL_MS, &core);
        fail_at = -1;
        if (code == HB_OK) {
            hb_core_free(core);
        } else {
            assert_true(code == HB_ENOMEM || code == HB_ECRYPTO);
            assert_true(failed);
            assert_ptr_equal(core, (void *)(uintptr_t)1);
        }
    } while (failed);
}

/* A policy that is wrong is refused, or there is no memory to find that out; it is never taken. */
static void test_refused_policy(void **state)
{
    (void)state;
    static const char *const wrong[] = {"{\"idle\": 5}",
                                        "{\"idel\": \"5s\"}",
                                        "{\"idle\": \"5s\" 1}",
                                        "[[[[1]]]]",
                                        "{\"idle\": \"5s\", \"idle\": \"6s\"}",
                                        "{\"spread\": \"20d\"}"};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        long which = 0;
        do {
            stage s;
            stage_open(&s);
            char *before = state_of(&s);
            hb_error error = {.line = -1};
            failed = false;
            fail_at = ++which;
            int code = hb_core_configure(s.rig.core, wrong[i], strlen(wrong[i]), 20000, true, &error);
            fail_at = -1;
            assert_true(code == HB_EPOLICY || (failed && code == HB_ENOMEM));
            if (code == HB_EPOLICY) {
                if (error.line < 1 || error.text[0] == '\0') {
                    fail_msg("%s, allocation %ld fails: refused without a reason", wrong[i], which);
                }
            }
            char *after = state_of(&s);
            assert_string_equal(before, after);
            free(after);
            free(before);
            stage_close(&s);
        } while (failed);
    }
}

/* The table of users grows in the middle of a login. */
static void test_growing(void **state)
{
    (void)state;
    rig r;
    rig_init(&r, 0);
    for (int i = 0; i < 2000; i++) {
        char jid[64];
        hb_token token = rig_open(&r);
        text_print(jid, sizeof jid, "user%d@example.org/x", i);
        long which = 0;
        int code;
        do {
            failed = false;
            fail_at = ++which;
            code = hb_core_bound(r.core, token, jid, strlen(jid), false);
            fail_at = -1;
            assert_int_equal(code, failed ? HB_ENOMEM : HB_OK);
            jid[strlen(jid) - 1] = 'x';
        } while (failed);
    }
    for (int i = 0; i < 2000; i++) {
        char user[32];
        hb_activity a;
        text_print(user, sizeof user, "user%d", i);
        assert_int_equal(hb_core_last_activity(r.core, user, strlen(user), &a), 1);
        assert_true(a.online);
    }
    rig_close(&r);
}

/* A page that was given back is wanted again, and a session goes over to it. */
static void test_waking(void **state)
{
    (void)state;
    enum { PAGES = 4, ALL = PAGES * HB_PAGE_CELLS };
    static hb_token tokens[ALL];
    rig r;
    rig_init(&r, 0);
    rig_policy(&r, "{\"login_within\": \"off\"}", 0, true);
    for (size_t i = 0; i < ALL; i++)
        tokens[i] = rig_open(&r);
    for (size_t i = 0; i < ALL; i++)
        assert_int_equal(hb_core_closed(r.core, tokens[i]), HB_OK);
    rig_step(&r, 30);
    for (size_t i = 0; i < 2 * HB_PAGE_CELLS; i++)
        tokens[i] = rig_open(&r);
    hb_token alice = tokens[0];
    assert_int_equal(hb_core_bound(r.core, alice, "alice@example.org/x", 19, false), HB_OK);
    assert_int_equal(hb_core_detached(r.core, alice), HB_OK);
    hb_token again = 4711;
    fail_at = 1;
    assert_int_equal(hb_core_open(r.core, HB_TCP, 0, r.now_us, r.now_us, &again), HB_ENOMEM);
    assert_int_equal(fail_at, -1);
    assert_int_equal(again, 4711);
    assert_int_equal(hb_core_open(r.core, HB_TCP, 0, r.now_us, r.now_us, &again), HB_OK);
    fail_at = 1;
    assert_int_equal(hb_core_resumed(r.core, alice, again), HB_ENOMEM);
    assert_int_equal(fail_at, -1);
    assert_int_equal(hb_core_resumed(r.core, alice, again), HB_OK);
    hb_activity a;
    assert_int_equal(hb_core_last_activity(r.core, "alice", 5, &a), 1);
    assert_true(a.online);
    assert_int_equal(hb_core_closed(r.core, again), HB_OK);
    rig_close(&r);
}

/* Whose end finds no room is missing, and that is said; whoever finds none in an answer is in the next one. */
static void test_gone(void **state)
{
    (void)state;
    char *bytes = NULL;
    size_t length = 0;
    rig r;
    rig_init(&r, 0);
    assert_int_equal(hb_core_gone(r.core, &bytes, &length), 0);
    hb_token alice = rig_login(&r, "alice@example.org/x", true);
    hb_token bob = rig_login(&r, "bob@example.org/x", true);
    fail_at = 1;
    assert_int_equal(hb_core_closed(r.core, alice), HB_OK);
    assert_int_equal(fail_at, -1);
    assert_int_equal(hb_core_closed(r.core, bob), HB_OK);
    fail_at = 1;
    assert_int_equal(hb_core_gone(r.core, &bytes, &length), HB_ENOMEM);
    assert_int_equal(fail_at, -1);
    assert_null(bytes);
    assert_int_equal(hb_core_gone(r.core, &bytes, &length), 1);
    assert_int_equal(length, sizeof(hb_user_row) + strlen("bob"));
    hb_string_free(bytes);
    assert_int_equal(hb_core_gone(r.core, &bytes, &length), 0);
    assert_int_equal(length, 0);
    rig_close(&r);
}

/* Calls that have no code for it, or are too hot for it, allocate nothing. */
static void test_no_allocations(void **state)
{
    (void)state;
    stage s;
    hb_action out[16];
    size_t count;
    hb_activity a;
    hb_seen seen;
    hb_order order;
    hb_token dave;
    stage_open(&s);
    hb_core *core = s.rig.core;
    allocations = 0;
    assert_int_equal(hb_core_open(core, HB_TCP, 0, s.rig.now_us, s.rig.now_us, &dave), HB_OK);
    assert_int_equal(hb_core_available(core, s.alice), HB_OK);
    assert_int_equal(hb_core_unavailable(core, s.bob, NULL, 0, true), HB_OK);
    assert_int_equal(hb_core_idle(core, s.alice, s.rig.now_us), 1);
    assert_int_equal(hb_core_pong(core, s.alice, "1", 1, s.rig.now_us), 0);
    assert_int_equal(hb_core_detached(core, s.alice), HB_OK);
    assert_int_equal(hb_core_resumed(core, s.alice, s.carol), HB_OK);
    assert_int_equal(hb_core_last_activity(core, "alice", 5, &a), 1);
    assert_int_equal(hb_core_seen(core, "alice", 5, &seen), 1);
    assert_int_equal(hb_core_configure(core, NULL, 0, 20000, false, NULL), HB_OK);
    for (int i = 0; i < 60; i++) {
        s.rig.now_us += 1000000;
        assert_int_equal(hb_core_advance(core, s.rig.now_us, rig_wall_ms(&s.rig), out, 16, &count, &s.rig.tick), 0);
    }
    assert_int_equal(hb_core_begin(core, s.carol, HB_DISCONNECT, 0, s.rig.now_us, &order), HB_OK);
    assert_int_equal(order.verb, HB_CLOSE);
    assert_int_equal(hb_core_begin(core, s.carol, HB_ABORT, 0, s.rig.now_us, &order), HB_OK);
    assert_int_equal(hb_core_closed(core, s.carol), HB_OK);
    assert_int_equal(hb_core_begin(core, s.carol, HB_UNAVAILABLE, 0, s.rig.now_us, &order), HB_OK);
    assert_int_equal(order.verb, HB_UNAVAILABLE);
    hb_action action;
    assert_int_equal(hb_core_ask(core, dave, HB_DISCONNECT, &action), 1);
    hb_core_stop(core);
    assert_int_equal(allocations, 0);
    stage_close(&s);
}

static void *freed_now_and_then(rig *r, dice *d)
{
    char *json = NULL;
    size_t length;
    if (dice_percent(d, 50)) {
        (void)hb_core_status(r->core, true, &json, &length);
    } else {
        (void)hb_core_last_activity_json(r->core, "user1", 5, &json, &length);
    }
    return json;
}

/* A long life with little memory: whatever fails on the way, everything comes out right in the end. */
static void test_hard_times(void **state)
{
    (void)state;
    enum { SESSIONS = 64 };
    dice d = {.state = 17};
    rig r;
    rig_init(&r, 0);
    hb_token tokens[SESSIONS] = {0};
    for (int i = 0; i < 60000; i++) {
        hb_token *t = &tokens[dice_below(&d, SESSIONS)];
        char jid[64];
        hb_order order;
        fail_at = dice_percent(&d, 30) ? 1 + (long)dice_below(&d, 12) : -1;
        switch (dice_below(&d, 8)) {
        case 0:
            (void)hb_core_open(r.core, HB_TCP, 0, r.now_us, r.now_us, t);
            break;
        case 1:
            text_print(jid, sizeof jid, "user%u@example.org/x", dice_below(&d, 500));
            (void)hb_core_bound(r.core, *t, jid, strlen(jid), dice_percent(&d, 10));
            break;
        case 2:
            (void)hb_core_available(r.core, *t);
            break;
        case 3:
            (void)hb_core_unavailable(r.core, *t, "some status", 11, dice_percent(&d, 50));
            break;
        case 4:
            (void)hb_core_closed(r.core, *t);
            break;
        case 5:
            free(freed_now_and_then(&r, &d));
            break;
        case 6:
            (void)hb_core_begin(r.core, *t, (hb_verb)dice_below(&d, 7), 0, r.now_us, &order);
            break;
        default:
            fail_at = -1;
            rig_step(&r, rig_second(&r) + 1);
            r.due_count = 0;
            break;
        }
        fail_at = -1;
    }
    for (size_t i = 0; i < SESSIONS; i++) {
        (void)hb_core_closed(r.core, tokens[i]);
    }
    for (int i = 0; i < 40; i++) {
        rig_due due;
        rig_step(&r, rig_second(&r) + 1);
        while (rig_take(&r, &due)) {
            hb_order order;
            assert_int_equal(hb_core_begin(r.core, due.action.token, (hb_verb)due.action.verb, 0, r.now_us, &order),
                             HB_OK);
            if (due.action.verb == HB_DISCONNECT) {
                assert_int_equal(hb_core_closed(r.core, due.action.token), HB_OK);
            }
        }
    }
    rig_close(&r);
}

static long long told_bytes(rig *r)
{
    char *json;
    size_t length;
    assert_int_equal(hb_core_status(r->core, false, &json, &length), HB_OK);
    const char *at = strstr(json, "\"memory_bytes\":");
    assert_non_null(at);
    long long bytes = strtoll(at + strlen("\"memory_bytes\":"), NULL, 10);
    free(json);
    return bytes;
}

/* Of the whole program; 0 where that is not counted. */
static size_t used_bytes(void)
{
#if COUNTS_BYTES
    return mallinfo2().uordblks;
#else
    return 0;
#endif
}

/* bounded: memory is a function of open sessions and known users, whatever they have been through. */
static void test_bounded(void **state)
{
    (void)state;
    rig r;
    rig_init(&r, 0);
    long long told = 0;
    size_t used = 0;
    for (int round = 0; round < 40; round++) {
        for (int i = 0; i < 1000; i++) {
            char jid[64];
            text_print(jid, sizeof jid, "user%d@example.org/%d", i % 100, i);
            hb_token token = rig_login(&r, jid, true);
            hb_token other = rig_open(&r);
            if (i % 3 == 0) {
                assert_int_equal(hb_core_detached(r.core, token), HB_OK);
                assert_int_equal(hb_core_resumed(r.core, token, other), HB_OK);
                token = other;
            } else {
                assert_int_equal(hb_core_closed(r.core, other), HB_OK);
            }
            assert_int_equal(hb_core_unavailable(r.core, token, "a status of some length", 23, false), HB_OK);
            assert_int_equal(hb_core_available(r.core, token), HB_OK);
            assert_int_equal(hb_core_closed(r.core, token), HB_OK);
        }
        rig_step(&r, rig_second(&r) + 2);
        rig_due due;
        while (rig_take(&r, &due)) {
            rig_begin(&r, due.action.token, HB_UNAVAILABLE, 0, HB_UNAVAILABLE);
        }
        long long now_told = told_bytes(&r);
        size_t now_used = used_bytes();
        if (round == 1) {
            told = now_told;
            used = now_used;
        } else if (round > 1) {
            assert_int_equal(now_told, told);
            assert_in_range(now_used, used > 4096 ? used - 4096 : 0, used + 4096);
        }
    }
    assert_int_equal(r.page_count, 1);
    rig_close(&r);
}

static void put_file(const char *folder, const char *name, const char *text)
{
    char path[512];
    text_print(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    fclose(file);
}

/* Last activity on disk: opened, flushed and written anew under another key. What was acknowledged is found again. */
static void test_journal(void **state)
{
    (void)state;
    char folder[FOLDER_PATH];
    folder_new(folder);
    char path[512];
    text_print(path, sizeof path, "%s/key.new", folder);
    long which = 0;
    bool again = true;
    while (again) {
        hb_error error;
        rig r;
        rig_init(&r, 0);
        assert_int_equal(hb_core_import(r.core, "carol", 5, RIG_WALL_MS - 2000, "away", 4), 1);
        failed = false;
        fail_at = ++which;
        int erased = hb_core_forget(r.core, "erin", 4);
        int opened = hb_core_journal_open(r.core, folder, NULL, NULL, NULL, &error);
        int imported = hb_core_import(r.core, "alice", 5, RIG_WALL_MS - 1000, "Gone fishing", 12);
        int flushed = opened == HB_OK ? hb_core_journal_flush(r.core, NULL, NULL, &error) : HB_OK;
        put_file(folder, "key.new", "random");
        int rekeyed = opened == HB_OK ? hb_core_journal_flush(r.core, NULL, NULL, &error) : HB_OK;
        again = failed;
        fail_at = -1;
        const int codes[] = {erased, opened, imported, flushed, rekeyed};
        for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++)
            assert_true(codes[i] >= 0 ||
                        (failed && (codes[i] == HB_ENOMEM || codes[i] == HB_ECRYPTO || codes[i] == HB_EJOURNAL)));
        if (opened < 0)
            assert_int_equal(folder_count(folder, "journal-"), 0);
        /* There is memory again. */
        if (opened < 0)
            assert_int_equal(hb_core_journal_open(r.core, folder, NULL, NULL, NULL, &error), HB_OK);
        bool lost = imported < 0 && hb_core_import(r.core, "alice", 5, RIG_WALL_MS - 1000, "Gone fishing", 12) == 0;
        rig_step(&r, 61); /* when it may try the key again */
        int code = HB_EJOURNAL;
        for (int i = 0; i < 6 && (code < 0 || access(path, F_OK) == 0); i++)
            code = hb_core_journal_flush(r.core, NULL, NULL, &error);
        assert_int_equal(code, HB_OK);
        assert_int_not_equal(access(path, F_OK), 0);
        rig_close(&r);
        rig_init(&r, 0);
        hb_activity a;
        assert_int_equal(hb_core_journal_open(r.core, folder, NULL, NULL, NULL, &error), HB_OK);
        assert_int_equal(hb_core_last_activity(r.core, "alice", 5, &a), 1);
        assert_int_equal(a.seen_ms, RIG_WALL_MS - 1000);
        assert_int_equal(a.length, lost ? 0 : 12); /* without its status, for want of memory */
        assert_int_equal(hb_core_last_activity(r.core, "carol", 5, &a), 1);
        rig_close(&r);
        folder_empty(folder);
    }
    print_message("  journal: %ld allocations\n", which - 1);
    assert_in_range(which, 30, 10000);
    folder_remove(folder);
}

/* What was read can not be taken, as somebody is known already: nothing is left of the attempt. */
static void test_journal_known(void **state)
{
    (void)state;
    char folder[FOLDER_PATH];
    hb_error error;
    rig r;
    folder_new(folder);
    rig_init(&r, 0);
    assert_int_equal(hb_core_journal_open(r.core, folder, NULL, NULL, NULL, &error), HB_OK);
    assert_int_equal(hb_core_import(r.core, "alice", 5, RIG_WALL_MS - 1000, "Gone fishing", 12), 1);
    rig_close(&r);
    int before = folder_count(folder, "journal-");
    long which = 0;
    bool again = true;
    while (again) {
        rig_init(&r, 0);
        assert_int_equal(hb_core_import(r.core, "bob", 3, RIG_WALL_MS - 2000, NULL, 0), 1);
        failed = false;
        fail_at = ++which;
        int opened = hb_core_journal_open(r.core, folder, NULL, NULL, NULL, &error);
        again = failed;
        fail_at = -1;
        assert_int_equal(folder_count(folder, "journal-"), opened < 0 ? before : before + 1);
        if (opened == HB_OK)
            assert_int_equal(hb_core_last_activity(r.core, "alice", 5, &(hb_activity){0}), 1);
        rig_close(&r);
        before = folder_count(folder, "journal-");
    }
    print_message("  journal, known: %ld allocations\n", which - 1);
    assert_in_range(which, 5, 10000);
    folder_remove(folder);
}

/* Who is gone from memory is gone for good when a flush has said so, whatever there was no memory for. */
static void test_forget(void **state)
{
    (void)state;
    long which = 0;
    bool again = true;
    while (again) {
        char folder[FOLDER_PATH];
        char copy[FOLDER_PATH];
        hb_error error;
        hb_activity a;
        rig r;
        folder_new(folder);
        folder_new(copy);
        rig_init(&r, 0);
        assert_int_equal(hb_core_journal_open(r.core, folder, NULL, NULL, NULL, &error), HB_OK);
        assert_int_equal(hb_core_import(r.core, "alice", 5, RIG_WALL_MS - 1000, NULL, 0), 1);
        assert_int_equal(hb_core_import(r.core, "bob", 3, RIG_WALL_MS - 1000, NULL, 0), 1);
        assert_int_equal(hb_core_journal_flush(r.core, NULL, NULL, &error), HB_OK);
        assert_int_equal(hb_core_forget(r.core, "bob", 3), 1);
        assert_int_equal(hb_core_journal_flush(r.core, NULL, NULL, &error),
                         HB_OK); /* a new journal, with little room */
        failed = false;
        fail_at = ++which;
        assert_int_equal(hb_core_forget(r.core, "alice", 5), 1);
        int flushed = hb_core_journal_flush(r.core, NULL, NULL, &error);
        again = failed;
        fail_at = -1;
        for (int i = 0; i < 6 && flushed < 0; i++)
            flushed = hb_core_journal_flush(r.core, NULL, NULL, &error);
        assert_int_equal(flushed, HB_OK);
        folder_copy(folder, copy);
        rig_close(&r);
        rig_init(&r, 0);
        assert_int_equal(hb_core_journal_open(r.core, copy, NULL, NULL, NULL, &error), HB_OK);
        assert_int_equal(hb_core_last_activity(r.core, "alice", 5, &a), 0);
        rig_close(&r);
        folder_remove(folder);
        folder_remove(copy);
    }
    print_message("  forget: %ld allocations\n", which - 1);
    assert_in_range(which, 2, 10000);
}

/* Who is needed for the first time after the start, and can not be fetched: that is said, and they are there later. */
static void test_fetched(void **state)
{
    (void)state;
    char folder[FOLDER_PATH];
    hb_error error;
    long which = 0;
    bool again = true;
    rig r;
    folder_new(folder);
    rig_init(&r, 0);
    assert_int_equal(hb_core_journal_open(r.core, folder, NULL, NULL, NULL, &error), HB_OK);
    for (int round = 2; round > 0; round--) {
        assert_true(hb_core_import(r.core, "alice", 5, RIG_WALL_MS - 2000 * round, "Gone fishing", 12) >= 0);
        assert_true(hb_core_catch_up(r.core, "alice", 5, RIG_WALL_MS - 1000 * round) >= 0);
        assert_int_equal(hb_core_forget(r.core, "nobody", 6), 0);
        assert_int_equal(hb_core_journal_flush(r.core, NULL, NULL, &error), HB_OK);
    }
    assert_int_equal(hb_core_import(r.core, "bob", 3, RIG_WALL_MS - 3000, "away", 4), 1);
    assert_int_equal(hb_core_import(r.core, "dave", 4, RIG_WALL_MS - 4000, "away", 4), 1);
    while (again) {
        hb_activity a;
        hb_seen seen;
        char *list = NULL;
        size_t length = 0;
        const hb_user_query query = {.order = HB_USERS_BY_NAME, .limit = 10};
        rig_close(&r);
        rig_init(&r, 0);
        rig_step(&r, 1);
        assert_int_equal(hb_core_journal_open(r.core, folder, NULL, NULL, NULL, &error), HB_OK);
        failed = false;
        fail_at = ++which;
        int found = hb_core_last_activity(r.core, "alice", 5, &a);
        assert_true(found == 1 ? a.seen_ms == RIG_WALL_MS - 1000 : found == HB_ENOMEM);
        found = hb_core_seen(r.core, "bob", 3, &seen);
        assert_true(found == 1 ? seen.ms == RIG_WALL_MS - 3000 : found == HB_ENOMEM);
        int logged_in = hb_core_import(r.core, "bob", 3, RIG_WALL_MS - 9000, NULL, 0);
        assert_true(logged_in == 0 || logged_in == HB_ENOMEM);
        int forgotten = hb_core_forget(r.core, "carol", 5);
        assert_true(forgotten == 0 || forgotten == 1 || forgotten == HB_ENOMEM);
        int erased = hb_core_forget(r.core, "dave", 4);
        assert_true(erased == 1 || erased == HB_ENOMEM);
        int listed = hb_core_users(r.core, &query, &list, &length);
        assert_true(listed == HB_OK || listed == HB_ENOMEM);
        int flushed = hb_core_journal_flush(r.core, NULL, NULL, &error);
        assert_true(flushed == HB_OK || flushed == HB_ENOMEM || flushed == HB_ECRYPTO || flushed == HB_EJOURNAL);
        again = failed;
        fail_at = -1;
        if (listed == HB_OK)
            hb_string_free(list);
        assert_int_equal(hb_core_last_activity(r.core, "alice", 5, &a), 1);
        assert_int_equal(a.seen_ms, RIG_WALL_MS - 1000);
        assert_int_equal(hb_core_last_activity(r.core, "bob", 3, &a), 1);
        assert_int_equal(a.seen_ms, RIG_WALL_MS - 3000);
        assert_int_equal(a.length, 4);
        if (erased == 1)
            assert_int_equal(hb_core_last_activity(r.core, "dave", 4, &a), 0);
        assert_true(hb_core_import(r.core, "dave", 4, RIG_WALL_MS - 4000, "away", 4) >= 0);
        rig_step(&r, 61); /* when it may make a snapshot again */
        int code = HB_EJOURNAL;
        for (int i = 0; i < 6 && code < 0; i++)
            code = hb_core_journal_flush(r.core, NULL, NULL, &error);
        assert_int_equal(code, HB_OK);
    }
    print_message("  fetched: %ld allocations\n", which - 1);
    assert_in_range(which, 5, 10000);
    rig_close(&r);
    folder_remove(folder);
}

/* As long as a user can not be fetched: what others did is written, and who is erased stays so. */
static void test_fetched_later(void **state)
{
    (void)state;
    char folder[FOLDER_PATH];
    hb_error error;
    hb_activity a;
    rig r;
    folder_new(folder);
    rig_init(&r, 0);
    assert_int_equal(hb_core_journal_open(r.core, folder, NULL, NULL, NULL, &error), HB_OK);
    assert_int_equal(hb_core_import(r.core, "alice", 5, RIG_WALL_MS - 1000, "away", 4), 1);
    assert_int_equal(hb_core_import(r.core, "bob", 3, RIG_WALL_MS - 1000, "away", 4), 1);
    rig_close(&r);
    for (int round = 0; round < 2; round++) {
        rig_init(&r, 0);
        assert_int_equal(hb_core_journal_open(r.core, folder, NULL, NULL, NULL, &error), HB_OK);
        if (round == 0) {
            assert_int_equal(hb_core_catch_up(r.core, "bob", 3, RIG_WALL_MS - 500), 1);
            fail_at = 1; /* the copy of alice's status */
            failed = false;
            assert_int_equal(hb_core_forget(r.core, "alice", 5), 1);
            assert_true(failed);
            for (int i = 0; i < 3; i++) {
                fail_at = 1;
                assert_int_equal(hb_core_journal_flush(r.core, NULL, NULL, &error), HB_ENOMEM);
            }
            fail_at = -1;
        }
        assert_int_equal(hb_core_last_activity(r.core, "alice", 5, &a), 0);
        assert_int_equal(hb_core_last_activity(r.core, "bob", 3, &a), 1);
        assert_int_equal(a.seen_ms, RIG_WALL_MS - 500);
        rig_close(&r);
    }
    folder_remove(folder);
}

static bool holds(const char *folder, const char *name, const char *text)
{
    char path[512];
    char there[256] = "";
    text_print(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "rb");
    if (!file)
        return false;
    size_t length = fread(there, 1, sizeof there - 1, file);
    fclose(file);
    return length == strlen(text) && memcmp(there, text, length) == 0;
}

/* A journal with a damaged end, for the second time: what was kept stays, and what is damaged is kept, at the latest
 * when there is memory again. */
static void test_damaged_journal(void **state)
{
    (void)state;
    static const char first[] = "damaged-journal-0000000000000001";
    static const char second[] = "damaged-journal-0000000000000001-2";
    static const char third[] = "damaged-journal-0000000000000001-3";
    static const char end[] = "what the disk made of it";
    char folder[FOLDER_PATH];
    char path[512];
    folder_new(folder);
    text_print(path, sizeof path, "%s/journal-0000000000000001", folder);
    long which = 0;
    bool again = true;
    while (again) {
        hb_error error;
        hb_activity a;
        rig r;
        rig_init(&r, 0);
        assert_int_equal(hb_core_journal_open(r.core, folder, NULL, NULL, NULL, &error), HB_OK);
        assert_int_equal(hb_core_import(r.core, "alice", 5, RIG_WALL_MS - 1000, NULL, 0), 1);
        rig_close(&r);
        FILE *file = fopen(path, "ab");
        assert_non_null(file);
        assert_true(fputs(end, file) >= 0);
        fclose(file);
        put_file(folder, first, "from another time");
        rig_init(&r, 0);
        failed = false;
        fail_at = ++which;
        int opened = hb_core_journal_open(r.core, folder, NULL, NULL, NULL, &error);
        again = failed;
        fail_at = -1;
        assert_true(opened == HB_OK ||
                    (failed && (opened == HB_ENOMEM || opened == HB_ECRYPTO || opened == HB_EJOURNAL)));
        if (opened < 0)
            assert_int_equal(hb_core_journal_open(r.core, folder, NULL, NULL, NULL, &error), HB_OK);
        assert_int_equal(hb_core_last_activity(r.core, "alice", 5, &a), 1);
        rig_close(&r);
        assert_true(holds(folder, first, "from another time"));
        assert_true(holds(folder, second, end));
        assert_false(holds(folder, third, end));
        folder_empty(folder);
    }
    print_message("  damaged journal: %ld allocations\n", which - 1);
    assert_in_range(which, 10, 10000);
    folder_remove(folder);
}

static int wiped;

static void see_key(const void *memory)
{
    static const uint64_t nothing[2] = {0};
    const hb_recorder *recorder = memory;
    assert_memory_equal(recorder->key, nothing, sizeof recorder->key);
    wiped++;
}

/* The key that names were hashed with is in no memory that was given back, however the recording ends. */
static void test_key_of_recording(void **state)
{
    (void)state;
    static const uint64_t nothing[2] = {0};
    enum { CAPACITY = 54321 };
    rig r;
    rig_init(&r, 0);
    on_free = see_key;
    watched_size = sizeof(hb_recorder) + CAPACITY;
    wiped = 0;
    /* Before it begins, and once it has. */
    assert_int_equal(hb_core_record(r.core, CAPACITY), HB_OK);
    assert_memory_not_equal(((hb_recorder *)watched)->key, nothing, sizeof nothing);
    hb_core_record_end(r.core);
    assert_int_equal(wiped, 1);
    assert_int_equal(hb_core_record(r.core, CAPACITY), HB_OK);
    rig_quiet(&r, 2);
    assert_ptr_equal(r.core->recorder, watched);
    hb_core_record_end(r.core);
    assert_int_equal(wiped, 2);
    /* A second one, which is refused. */
    assert_int_equal(hb_core_record(r.core, CAPACITY + 1), HB_OK);
    assert_int_equal(hb_core_record(r.core, CAPACITY), HB_EINVAL);
    assert_int_equal(wiped, 3);
    hb_core_record_end(r.core);
    /* With the core. */
    assert_int_equal(hb_core_record(r.core, CAPACITY), HB_OK);
    rig_quiet(&r, 4);
    rig_close(&r);
    assert_int_equal(wiped, 4);
    watched_size = 0;
}

int main(void)
{
    fail_at = -1;
    /* OpenSSL sets itself up once and for all: that is not to be the allocation that fails. */
    stage s;
    stage_open(&s);
    stage_close(&s);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_acts),
        cmocka_unit_test(test_new),
        cmocka_unit_test(test_refused_policy),
        cmocka_unit_test(test_growing),
        cmocka_unit_test(test_no_allocations),
        cmocka_unit_test(test_hard_times),
        cmocka_unit_test(test_bounded),
        cmocka_unit_test(test_gone),
        cmocka_unit_test(test_waking),
        cmocka_unit_test(test_journal),
        cmocka_unit_test(test_journal_known),
        cmocka_unit_test(test_forget),
        cmocka_unit_test(test_fetched),
        cmocka_unit_test(test_fetched_later),
        cmocka_unit_test(test_damaged_journal),
        cmocka_unit_test(test_key_of_recording),
    };
    return cmocka_run_group_tests_name("alloc", tests, NULL, NULL);
}
