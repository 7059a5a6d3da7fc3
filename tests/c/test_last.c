/* Last activity over the end of a core: by the clean one, and by none at all. */
#include "support.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#ifndef _WIN32
#include <signal.h>
#include <sys/resource.h>
#endif

#include <jansson.h>

#include "core.h"

#define ORIGIN_US (INT64_C(1000) * 1000000)

static char folder[FOLDER_PATH];
static rig life;
static char said[512];
static int lines;

static void hear(void *to, const char *line)
{
    (void)to;
    lines++;
    text_print(said, sizeof said, "%s", line);
}

static void open_journal(void)
{
    hb_error error = {0};
    if (hb_core_journal_open(life.core, folder, NULL, hear, NULL, &error) < 0)
        fail_msg("%s: %s", error.path, error.text);
}

static int setup(void **state)
{
    (void)state;
    folder_new(folder);
    lines = 0;
    rig_init(&life, ORIGIN_US);
    open_journal();
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    rig_close(&life);
    folder_remove(folder);
    return 0;
}

/* The core ends without a word: what is on disk at this moment is all that the next one has. */
static void crash(void)
{
    char copy[FOLDER_PATH];
    folder_new(copy);
    folder_copy(folder, copy);
    int64_t wall_ms = life.wall_ms;
    int64_t passed = life.now_us - life.origin_us;
    rig_close(&life);
    folder_remove(folder);
    memcpy(folder, copy, sizeof folder);
    rig_init(&life, ORIGIN_US);
    life.wall_ms = wall_ms + passed / 1000 + 60000; /* a minute later */
    rig_tick(&life);
    open_journal();
}

static hb_activity activity_of(const char *user)
{
    hb_activity a = {.seen_ms = -1};
    (void)hb_core_last_activity(life.core, user, strlen(user), &a);
    return a;
}

static void import(const char *user, int64_t offline_ms)
{
    assert_int_equal(hb_core_import(life.core, user, strlen(user), offline_ms, NULL, 0), 1);
}

static void flush(void)
{
    hb_error error;
    assert_int_equal(hb_core_journal_flush(life.core, hear, NULL, &error), HB_OK);
}

static void test_crash(void **state)
{
    (void)state;
    hb_token alice = rig_login(&life, "alice@example.org/phone", true);
    hb_token desk = rig_login(&life, "alice@example.org/desk", true);
    hb_token bob = rig_login(&life, "bob@example.org/desk", true);
    rig_step(&life, 5);
    rig_read(&life, alice);
    rig_step(&life, 7);
    rig_read(&life, desk); /* the younger of two: the other one must not take its place */
    assert_int_equal(hb_core_unavailable(life.core, bob, "Gone fishing", 12, false), HB_OK);
    assert_int_equal(hb_core_closed(life.core, bob), HB_OK);
    flush();
    int64_t seen_alice = activity_of("alice").seen_ms;
    int64_t seen_bob = activity_of("bob").seen_ms;
    assert_int_equal(seen_alice, RIG_WALL_MS + 7000);
    rig_step(&life, 9);
    rig_read(&life, alice); /* not on disk yet */
    crash();
    hb_activity a = activity_of("alice");
    assert_int_equal(a.seen_ms, seen_alice);
    assert_false(a.online);
    a = activity_of("bob");
    assert_int_equal(a.seen_ms, seen_bob);
    assert_int_equal(a.why, HB_WHY_LOGOUT);
    assert_int_equal(a.length, 12);
    assert_memory_equal(a.status, "Gone fishing", 12);
    assert_int_equal(lines, 0);
    /* Back again, the status goes. */
    rig_login(&life, "bob@example.org/desk", true);
    flush();
    crash();
    assert_int_equal(activity_of("bob").length, 0);
    assert_true(activity_of("bob").seen_ms > seen_bob);
    assert_int_equal(activity_of("carol").seen_ms, -1);
}

/* A recording keeps nothing from the disk, though nothing was decided about who was read from. */
static void test_recorded(void **state)
{
    (void)state;
    hb_token alice = rig_login(&life, "alice@example.org/phone", true);
    flush();
    assert_int_equal(hb_core_record(life.core, 1 << 16), HB_OK);
    rig_step(&life, 5);
    rig_read(&life, alice);
    flush();
    crash();
    assert_int_equal(activity_of("alice").seen_ms, RIG_WALL_MS + 5000);
}

/* Both times are kept; the policy says which of them is told, also of who went before. */
static void test_which_time(void **state)
{
    (void)state;
    static const char offline[] = "{\"last_activity\": \"offline\"}";
    hb_token alice = rig_login(&life, "alice@example.org/phone", true);
    rig_step(&life, 5);
    rig_read(&life, alice);
    rig_step(&life, 20);
    assert_int_equal(hb_core_closed(life.core, alice), HB_OK);
    for (int crashed = 0; crashed < 2; crashed++) {
        hb_activity a = activity_of("alice");
        assert_int_equal(a.seen_ms, RIG_WALL_MS + 5000);
        assert_int_equal(a.offline_ms, RIG_WALL_MS + 20000);
        assert_int_equal(a.last_ms, a.seen_ms);
        rig_policy(&life, offline, 20000, true);
        a = activity_of("alice");
        assert_int_equal(a.seen_ms, RIG_WALL_MS + 5000);
        assert_int_equal(a.last_ms, RIG_WALL_MS + 20000);
        rig_policy(&life, NULL, 20000, true);
        assert_int_equal(activity_of("alice").last_ms, a.seen_ms);
        flush();
        crash();
    }
    /* Nobody saw the end of her next session: what was read in it is younger than the end of the one before. */
    int64_t ended_ms = activity_of("alice").offline_ms;
    rig_login(&life, "alice@example.org/phone", true);
    flush();
    crash();
    rig_policy(&life, offline, 20000, true);
    hb_activity a = activity_of("alice");
    assert_int_equal(a.offline_ms, ended_ms);
    assert_true(a.seen_ms > ended_ms);
    assert_int_equal(a.last_ms, a.seen_ms);
    /* Nor may it be told as of the future. */
    assert_int_equal(hb_core_import(life.core, "bob", 3, INT64_MAX, NULL, 0), 1);
    a = activity_of("bob");
    assert_int_equal(a.last_ms, a.seen_ms);
}

/* What was read before anybody knew whose session it is, and written before that too. */
static void test_read_before_bound(void **state)
{
    (void)state;
    hb_token old;
    hb_token first = rig_login(&life, "carol@example.org/phone", true);
    rig_step(&life, 5);
    hb_token bob = rig_open(&life);
    hb_token next = rig_open(&life);
    rig_step(&life, 8);
    flush();
    flush();
    /* Of a connection that was there before us, and has been silent since. */
    assert_int_equal(hb_core_open(life.core, HB_TCP, 0, life.now_us - 60000000, life.now_us - 4000000, &old), HB_OK);
    assert_int_equal(hb_core_bound(life.core, old, "alice@example.org/phone", 23, false), HB_OK);
    assert_int_equal(hb_core_bound(life.core, bob, "bob@example.org/phone", 21, false), HB_OK);
    assert_int_equal(hb_core_resumed(life.core, first, next), HB_OK);
    flush();
    crash();
    assert_int_equal(activity_of("alice").seen_ms, RIG_WALL_MS + 4000);
    assert_int_equal(activity_of("bob").seen_ms, RIG_WALL_MS + 5000);
    assert_int_equal(activity_of("carol").seen_ms, RIG_WALL_MS + 5000);
    /* They are known now. */
    bob = rig_open(&life);
    rig_step(&life, rig_second(&life) + 3);
    flush();
    flush();
    assert_int_equal(hb_core_bound(life.core, bob, "bob@example.org/phone", 21, false), HB_OK);
    int64_t seen_ms = activity_of("bob").seen_ms;
    assert_true(seen_ms > RIG_WALL_MS + 5000);
    flush();
    crash();
    assert_int_equal(activity_of("bob").seen_ms, seen_ms);
}

/* Who reads knew the tick before, and writes it into the cell when the next one has been looked at. */
static void test_read_late(void **state)
{
    (void)state;
    hb_token alice = rig_login(&life, "alice@example.org/phone", true);
    rig_step(&life, 5);
    uint32_t tick = life.tick;
    rig_step(&life, 6);
    flush();
    __atomic_store_n(rig_cell(&life, alice), tick, __ATOMIC_RELAXED);
    rig_step(&life, 7);
    flush();
    crash();
    assert_int_equal(activity_of("alice").seen_ms, RIG_WALL_MS + 5000);
}

/* Only who was read from since is written again. */
static void test_quiet(void **state)
{
    (void)state;
    hb_token alice = rig_login(&life, "alice@example.org/phone", true);
    flush();
    rig_step(&life, 2);
    flush();
    struct stat before;
    struct stat after;
    char path[FOLDER_PATH + 64];
    text_print(path, sizeof path, "%s/journal-0000000000000001", folder);
    assert_int_equal(stat(path, &before), 0);
    rig_step(&life, 4);
    flush();
    assert_int_equal(stat(path, &after), 0);
    assert_int_equal(before.st_size, after.st_size);
    rig_read(&life, alice);
    flush();
    assert_int_equal(stat(path, &after), 0);
    assert_true(after.st_size > before.st_size);
}

static void test_forget(void **state)
{
    (void)state;
    hb_token alice = rig_login(&life, "alice@example.org/phone", true);
    rig_login(&life, "bob@example.org/phone", true);
    flush();
    assert_int_equal(hb_core_forget(life.core, "alice", 5), 1);
    assert_int_equal(hb_core_forget(life.core, "alice", 5), 0);
    assert_int_equal(hb_core_forget(life.core, "", 0), HB_EINVAL);
    assert_int_equal(hb_core_forget(life.core, "a\0b", 3), HB_EINVAL); /* two names, to who keeps them for later */
    assert_int_equal(activity_of("alice").seen_ms, -1);
    /* Her session goes on as nobody's, and ends so. */
    rig_read(&life, alice);
    assert_int_equal(hb_core_unavailable(life.core, alice, "x", 1, false), HB_OK);
    assert_int_equal(hb_core_closed(life.core, alice), HB_OK);
    flush();
    crash();
    assert_int_equal(activity_of("alice").seen_ms, -1);
    assert_true(activity_of("bob").seen_ms > 0);
}

static void test_import(void **state)
{
    (void)state;
    rig_login(&life, "alice@example.org/phone", true);
    assert_int_equal(hb_core_import(life.core, "alice", 5, 1000, NULL, 0), 0);
    assert_int_equal(hb_core_import(life.core, "bob", 3, RIG_WALL_MS - 1000, "away", 4), 1);
    assert_int_equal(hb_core_import(life.core, "carol", 5, INT64_MAX, NULL, 0), 1);
    assert_int_equal(hb_core_import(life.core, "dave", 4, 0, NULL, 0), HB_EINVAL);
    flush();
    crash();
    assert_int_equal(activity_of("bob").seen_ms, RIG_WALL_MS - 1000);
    assert_int_equal(activity_of("bob").length, 4);
    assert_int_equal(activity_of("carol").seen_ms, RIG_WALL_MS); /* never in the future */
    assert_true(activity_of("alice").seen_ms > 1000);
}

/* The server saw somebody later than we did, as while the plugin was not there. */
static void test_catch_up(void **state)
{
    (void)state;
    hb_token alice = rig_login(&life, "alice@example.org/phone", true);
    assert_int_equal(hb_core_import(life.core, "bob", 3, RIG_WALL_MS - 5000, "away", 4), 1);
    rig_step(&life, 10);
    assert_int_equal(hb_core_catch_up(life.core, "bob", 3, 0), HB_EINVAL);
    assert_int_equal(hb_core_catch_up(life.core, "", 0, 1), HB_EINVAL);
    assert_int_equal(hb_core_catch_up(life.core, "carol", 5, RIG_WALL_MS), 0);
    assert_int_equal(activity_of("carol").seen_ms, -1);
    assert_int_equal(hb_core_catch_up(life.core, "alice", 5, RIG_WALL_MS + 5000), 0);
    assert_int_equal(hb_core_catch_up(life.core, "bob", 3, RIG_WALL_MS - 5000), 0);
    assert_int_equal(activity_of("bob").length, 4);
    assert_int_equal(hb_core_catch_up(life.core, "bob", 3, RIG_WALL_MS + 4000), 1);
    assert_int_equal(activity_of("bob").length, 0);
    /* Seen last, and offline later: that the server has the latter does not make the former another one. */
    assert_int_equal(hb_core_unavailable(life.core, alice, NULL, 0, false), HB_OK);
    assert_int_equal(hb_core_closed(life.core, alice), HB_OK);
    assert_int_equal(hb_core_catch_up(life.core, "alice", 5, RIG_WALL_MS + 9000), 0);
    flush();
    crash();
    assert_int_equal(activity_of("alice").seen_ms, RIG_WALL_MS);
    assert_int_equal(activity_of("alice").offline_ms, RIG_WALL_MS + 10000);
    hb_activity bob = activity_of("bob");
    assert_int_equal(bob.seen_ms, RIG_WALL_MS + 4000);
    assert_int_equal(bob.offline_ms, RIG_WALL_MS + 4000);
    assert_int_equal(hb_core_catch_up(life.core, "bob", 3, INT64_MAX), 1);
    assert_int_equal(activity_of("bob").seen_ms, RIG_WALL_MS + 70000); /* never in the future */
}

/* As if the last write had not come to its end. */
static void tear_tail(void)
{
    char path[FOLDER_PATH + 64];
    text_print(path, sizeof path, "%s/journal-0000000000000001", folder);
    FILE *file = fopen(path, "ab");
    assert_non_null(file);
    assert_int_equal(fwrite("torn", 1, 4, file), 4);
    fclose(file);
}

static void visit(const char *jid)
{
    hb_token token = rig_login(&life, jid, true);
    assert_int_equal(hb_core_unavailable(life.core, token, NULL, 0, false), HB_OK);
    assert_int_equal(hb_core_closed(life.core, token), HB_OK);
}

static void forget_meanwhile(void *to, const char *line)
{
    assert_int_equal(hb_core_forget(life.core, to, strlen(to)), 0); /* known or not, nobody is here yet */
    hear(NULL, line);
}

static void visit_meanwhile(void *to, const char *line)
{
    visit(to);
    hear(NULL, line);
}

/* Who comes and goes just while it is opened is no worse off than others afterwards. */
static void test_meanwhile(void **state)
{
    (void)state;
    static char bob[] = "bob@example.org/phone";
    hb_error error;
    flush();
    tear_tail();
    rig_close(&life);
    rig_init(&life, ORIGIN_US);
    assert_int_equal(hb_core_journal_open(life.core, folder, NULL, visit_meanwhile, bob, &error), HB_OK);
    assert_int_equal(lines, 1);
    flush();
    rig_step(&life, 10);
    visit(bob);
    flush();
    crash();
    assert_int_equal(activity_of("bob").seen_ms, RIG_WALL_MS + 10000);
}

/* It could not be opened at first: what was learnt meanwhile is written then. */
static void test_late(void **state)
{
    (void)state;
    rig_close(&life);
    rig_init(&life, ORIGIN_US);
    assert_int_equal(hb_core_import(life.core, "bob", 3, RIG_WALL_MS - 1000, NULL, 0), 1);
    open_journal();
    flush();
    crash();
    assert_int_equal(activity_of("bob").seen_ms, RIG_WALL_MS - 1000);
}

/* The same, and there is something in it: what happened to users since holds, what was imported does not. */
static void test_late_and_known(void **state)
{
    (void)state;
    static const char *const names[] = {"alice", "bob", "carol", "dave", "erin", "frank"};
    for (size_t i = 0; i < 6; i++)
        assert_int_equal(hb_core_import(life.core, names[i], strlen(names[i]), RIG_WALL_MS - 9000, "old", 3), 1);
    assert_int_equal(hb_core_forget(life.core, "frank", 5), 1); /* as a record, too */
    assert_int_equal(hb_core_import(life.core, "frank", 5, RIG_WALL_MS - 8000, NULL, 0), 1);
    flush();
    assert_int_equal(hb_core_forget(life.core, "dave", 4), 1);
    flush();
    rig_close(&life);
    rig_init(&life, ORIGIN_US);
    rig_step(&life, 3);
    hb_token alice = rig_login(&life, "alice@example.org/phone", true);
    hb_token dave = rig_login(&life, "dave@example.org/phone", true);
    hb_token erin = rig_login(&life, "erin@example.org/phone", true);
    assert_int_equal(hb_core_import(life.core, "bob", 3, RIG_WALL_MS, NULL, 0), 1);
    assert_int_equal(hb_core_import(life.core, "frank", 5, RIG_WALL_MS - 9500, NULL, 0), 1);
    assert_int_equal(hb_core_catch_up(life.core, "frank", 5, RIG_WALL_MS), 1);
    assert_int_equal(hb_core_forget(life.core, "carol", 5), 0);
    assert_int_equal(hb_core_forget(life.core, "erin", 4), 1);
    assert_int_equal(hb_core_unavailable(life.core, alice, "new", 3, false), HB_OK);
    assert_int_equal(hb_core_closed(life.core, alice), HB_OK);
    assert_int_equal(hb_core_unavailable(life.core, dave, NULL, 0, false), HB_OK);
    assert_int_equal(hb_core_closed(life.core, dave), HB_OK);
    assert_int_equal(hb_core_closed(life.core, erin), HB_OK);
    open_journal();
    for (int again = 0; again < 2; again++) {
        assert_int_equal(activity_of("alice").seen_ms, RIG_WALL_MS + 3000);
        assert_int_equal(activity_of("alice").length, 3);
        assert_memory_equal(activity_of("alice").status, "new", 3);
        assert_int_equal(activity_of("bob").seen_ms, RIG_WALL_MS - 9000);
        assert_memory_equal(activity_of("bob").status, "old", 3);
        assert_int_equal(activity_of("carol").seen_ms, -1);
        assert_int_equal(activity_of("dave").seen_ms, RIG_WALL_MS + 3000);
        assert_int_equal(activity_of("erin").seen_ms, -1);
        assert_int_equal(activity_of("frank").seen_ms, RIG_WALL_MS - 8000);
        if (!again) {
            flush();
            crash();
        }
    }
    /* What is marked from then on is to be written. */
    alice = rig_login(&life, "alice@example.org/phone", true);
    rig_step(&life, 2);
    rig_read(&life, alice);
    rig_step(&life, 1);
    assert_int_equal(hb_core_closed(life.core, alice), HB_OK);
    int64_t seen_ms = activity_of("alice").seen_ms;
    assert_true(seen_ms > RIG_WALL_MS + 3000);
    flush();
    crash();
    assert_int_equal(activity_of("alice").seen_ms, seen_ms);
}

/* Who is forgotten when already taken from the folder, which is opened late, is gone from it as well. */
static void test_forget_while_opened(void **state)
{
    (void)state;
    assert_int_equal(hb_core_import(life.core, "alice", 5, RIG_WALL_MS - 9000, NULL, 0), 1);
    assert_int_equal(hb_core_import(life.core, "bob", 3, RIG_WALL_MS - 9000, NULL, 0), 1);
    flush();
    rig_close(&life);
    tear_tail();
    rig_init(&life, ORIGIN_US);
    hb_error error = {0};
    char bob[] = "bob";
    assert_int_equal(hb_core_journal_open(life.core, folder, NULL, forget_meanwhile, bob, &error), HB_OK);
    assert_int_equal(lines, 1);
    assert_int_equal(activity_of("bob").seen_ms, -1);
    flush();
    crash();
    assert_int_equal(activity_of("alice").seen_ms, RIG_WALL_MS - 9000);
    assert_int_equal(activity_of("bob").seen_ms, -1);
}

/* Whoever changed before it was opened, changes after it and is written then. */
static void test_late_and_changed(void **state)
{
    (void)state;
    rig_close(&life);
    rig_init(&life, ORIGIN_US);
    hb_token alice = rig_login(&life, "alice@example.org/phone", true);
    assert_int_equal(hb_core_unavailable(life.core, alice, "one", 3, false), HB_OK);
    open_journal();
    flush();
    rig_step(&life, 5); /* nothing is read */
    flush();
    assert_int_equal(hb_core_available(life.core, alice), HB_OK);
    assert_int_equal(hb_core_unavailable(life.core, alice, "two", 3, false), HB_OK);
    flush();
    crash();
    assert_memory_equal(activity_of("alice").status, "two", 3);
}

static void add_users(int count)
{
    for (int i = 0; i < count; i++) {
        char name[32];
        text_print(name, sizeof name, "user%d", i);
        assert_int_equal(hb_core_import(life.core, name, strlen(name), RIG_WALL_MS - 1000 + i, NULL, 0), 1);
    }
}

static const char KEY[] = "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb\n";

static void put_file(const char *name, const char *text)
{
    char path[FOLDER_PATH + 64];
    text_print(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(text, 1, strlen(text), file), strlen(text));
    fclose(file);
}

/* What the status says of it, freed by the next call. */
static json_t *told_json(void)
{
    static json_t *status;
    char *text = NULL;
    size_t length;
    json_decref(status);
    status = NULL;
    if (!life.core)
        return NULL;
    assert_int_equal(hb_core_status(life.core, false, &text, &length), HB_OK);
    status = json_loads(text, 0, NULL);
    hb_string_free(text);
    json_t *journal = json_object_get(status, "journal");
    assert_true(json_is_object(journal));
    return journal;
}

static const char *told_text(const char *key)
{
    json_t *value = json_object_get(told_json(), key);
    assert_non_null(value);
    return json_is_null(value) ? "null" : json_string_value(value);
}

static json_int_t told_number(const char *key)
{
    json_t *value = json_object_get(told_json(), key);
    assert_true(json_is_integer(value));
    return json_integer_value(value);
}

/* The value of a metric. */
static double metric(const char *name)
{
    static char text[HB_METRICS_BYTES];
    char line[128];
    size_t length;
    assert_int_equal(hb_core_metrics(life.core, false, text, sizeof text - 1, &length), HB_OK);
    text[length] = '\0';
    text_print(line, sizeof line, "\n%s ", name);
    const char *at = strstr(text, line);
    assert_non_null(at);
    return strtod(at + strlen(line), NULL);
}

static void test_told(void **state)
{
    (void)state;
    rig other;
    rig_init(&other, ORIGIN_US);
    rig mine = life;
    life = other;
    assert_string_equal(told_text("state"), "off");
    assert_string_equal(told_text("folder"), "null");
    hb_error error;
    assert_int_equal(hb_core_journal_open(life.core, folder, NULL, NULL, NULL, &error), HB_EJOURNAL);
    assert_string_equal(told_text("state"), "memory only");
    assert_string_equal(told_text("reason"), "another server uses the folder");
    assert_string_equal(told_text("folder"), folder);
    assert_int_equal(metric("heartbeat_journal_on_disk"), 0);
    rig_close(&life);
    life = mine;
    assert_string_equal(told_text("state"), "on disk");
    assert_string_equal(told_text("reason"), "null");
    assert_string_equal(told_text("key"), "null");
    assert_int_equal(told_number("format"), 1);
    assert_int_equal(told_number("entries"), 0);
    add_users(10);
    rig_step(&life, 5);
    flush();
    assert_int_equal(told_number("entries"), 10);
    assert_int_equal(told_number("flushed_ms"), RIG_WALL_MS + 5000);
    struct stat about;
    char path[FOLDER_PATH + 64];
    text_print(path, sizeof path, "%s/journal-0000000000000001", folder);
    assert_int_equal(stat(path, &about), 0);
    assert_int_equal(told_number("bytes"), about.st_size);
    assert_int_equal(told_number("written_bytes"), about.st_size);
    put_file("key.new", "x");
    flush();
    flush();
    assert_non_null(strstr(told_text("key"), "key.new is neither"));
    put_file("key.new", KEY);
    flush();
    assert_string_equal(told_text("key"), "null");
    assert_int_equal(told_number("entries"), 10);
    json_int_t bytes = told_number("bytes");
    crash();
    assert_int_equal(told_number("entries"), 10);
    assert_int_equal(told_number("bytes"), bytes + 84); /* the journal that was begun */
    assert_int_equal(metric("heartbeat_journal_on_disk"), 1);
    assert_int_equal(metric("heartbeat_journal_entries"), 10);
    assert_int_equal(metric("heartbeat_journal_bytes"), bytes + 84);
    assert_true(metric("heartbeat_journal_flushed_timestamp_seconds") * 1000 > RIG_WALL_MS + 60000 - 1);
    hb_core *core = life.core;
    life.core = NULL;
    told_json();
    life.core = core;
}

static void take_youngest(void *to, const char *file, const char *name)
{
    unsigned long *youngest = to;
    unsigned long its = strncmp(name, "journal-", 8) == 0 ? strtoul(name + 8, NULL, 16) : 0;
    (void)file;
    *youngest = its > *youngest ? its : *youngest;
}

/* The generation of the youngest journal. */
static unsigned long generation(void)
{
    unsigned long youngest = 0;
    folder_each(folder, take_youngest, &youngest);
    return youngest;
}

#define DAY_MS (INT64_C(24) * 3600 * 1000)

/* Two years are the most, from the start on. */
static void test_retention(void **state)
{
    (void)state;
    import("young", RIG_WALL_MS - 730 * DAY_MS + 60000);
    import("old", RIG_WALL_MS - 730 * DAY_MS - 60000);
    assert_true(activity_of("old").seen_ms > 0);
    unsigned long before = generation();
    flush();
    assert_int_equal(generation(), before + 1);
    assert_int_equal(activity_of("old").seen_ms, -1);
    assert_true(activity_of("young").seen_ms > 0);
    flush();
    assert_int_equal(generation(), before + 1);
    crash();
    assert_int_equal(activity_of("old").seen_ms, -1);
    assert_true(activity_of("young").seen_ms > 0);
}

/* A look once a day, while somebody is online for longer than anybody is kept. */
static void test_retention_once_a_day(void **state)
{
    (void)state;
    rig_policy(&life, "{\"idle\": \"off\", \"login_within\": \"off\", \"forget_after\": \"1d\"}", 20000, true);
    hb_token alice = rig_login(&life, "alice@example.org/phone", true);
    import("bob", RIG_WALL_MS - 23 * 3600 * 1000);
    flush();
    unsigned long before = generation();
    rig_step(&life, 2 * 3600); /* a day since he was here */
    flush();
    assert_true(activity_of("bob").seen_ms > 0);
    assert_int_equal(generation(), before);
    rig_step(&life, 24 * 3600 + 2);
    flush();
    assert_int_equal(activity_of("bob").seen_ms, -1);
    assert_true(activity_of("alice").online);
    assert_int_equal(generation(), before + 1);
    /* Her session ends long after its last byte: she was here until then. */
    rig_step(&life, 25 * 3600);
    assert_int_equal(hb_core_unavailable(life.core, alice, NULL, 0, false), HB_OK);
    assert_int_equal(hb_core_closed(life.core, alice), HB_OK);
    rig_step(&life, 47 * 3600);
    import("carol", RIG_WALL_MS - DAY_MS);
    rig_step(&life, 48 * 3600 + 4);
    flush();
    assert_int_equal(activity_of("carol").seen_ms, -1);
    assert_true(activity_of("alice").seen_ms > 0);
}

/* Where nobody was here for so long the clock is ahead, or the server was away: nobody is forgotten for that. */
static void test_retention_clock(void **state)
{
    (void)state;
    rig_policy(&life, "{\"idle\": \"off\", \"login_within\": \"off\", \"forget_after\": \"1d\"}", 20000, true);
    import("bob", RIG_WALL_MS - 30 * DAY_MS);
    import("carol", RIG_WALL_MS - 40 * DAY_MS);
    unsigned long before = generation();
    flush();
    assert_int_equal(generation(), before);
    assert_true(activity_of("carol").seen_ms > 0);
    /* Nor with a snapshot that is made for another reason. */
    assert_int_equal(hb_core_forget(life.core, "bob", 3), 1);
    flush();
    assert_int_equal(generation(), before + 1);
    assert_true(activity_of("carol").seen_ms > 0);
    (void)rig_login(&life, "alice@example.org/phone", true);
    rig_step(&life, 24 * 3600 + 2);
    flush();
    assert_int_equal(activity_of("carol").seen_ms, -1);
}

/* There may have been a snapshot a moment ago. */
static void flush_for_a_minute(void)
{
    for (int i = 0; i < 61; i++) {
        rig_step(&life, rig_second(&life) + 1);
        flush();
    }
}

/* A clock that is ahead for the time of a look costs nobody what is known of them, whoever is online. */
static void test_retention_clock_ahead(void **state)
{
    (void)state;
    rig_policy(&life, "{\"idle\": \"off\", \"forget_after\": \"730d\"}", 20000, true);
    import("bob", RIG_WALL_MS - 5 * DAY_MS);
    import("ancient", 1);
    (void)rig_login(&life, "alice@example.org/phone", true);
    rig_step(&life, 1);
    flush();
    assert_int_equal(activity_of("ancient").seen_ms, -1);
    import("ancient", 1);
    life.wall_ms += 3 * 365 * DAY_MS;
    rig_step(&life, 24 * 3600 + 10);
    flush();
    rig_policy(&life, "{\"idle\": \"off\", \"forget_after\": \"720d\"}", 20000, true);
    rig_step(&life, 24 * 3600 + 15);
    flush();
    life.wall_ms -= 3 * 365 * DAY_MS;
    rig_step(&life, 24 * 3600 + 20);
    flush_for_a_minute();
    assert_int_equal(activity_of("bob").seen_ms, RIG_WALL_MS - 5 * DAY_MS);
    assert_int_equal(activity_of("ancient").seen_ms, 1);
    /* It was set back, and stays so: the look of the second day after that counts. */
    rig_step(&life, 2 * 24 * 3600 + 30);
    flush_for_a_minute();
    assert_int_equal(activity_of("ancient").seen_ms, 1);
    rig_step(&life, 3 * 24 * 3600 + 40);
    flush_for_a_minute();
    assert_int_equal(activity_of("ancient").seen_ms, -1);
    assert_int_equal(activity_of("bob").seen_ms, RIG_WALL_MS - 5 * DAY_MS);
}

/* The machine begins in 1970, until the network tells it the time; or falls back to it. */
static void test_clock_not_set(void **state)
{
    (void)state;
    const int64_t bob_ms = RIG_WALL_MS - 5 * DAY_MS;
    rig_policy(&life, "{\"idle\": \"off\", \"forget_after\": \"730d\"}", 20000, true);
    import("bob", bob_ms);
    flush();
    life.wall_ms = 100000 - 60000;
    crash();
    rig_policy(&life, "{\"idle\": \"off\", \"forget_after\": \"730d\"}", 20000, true);
    (void)rig_login(&life, "alice@example.org/phone", true);
    for (int round = 0; round < 2; round++) {
        assert_in_range(activity_of("bob").seen_ms, 100000, 200000); /* never in the future */
        flush_for_a_minute();
        life.wall_ms = RIG_WALL_MS;
        flush_for_a_minute();
        assert_int_equal(activity_of("bob").seen_ms, bob_ms);
        life.wall_ms = 100000 - 2 * 60 * 1000;
        rig_step(&life, rig_second(&life) + 1);
    }
    life.wall_ms = RIG_WALL_MS;
    crash();
    assert_int_equal(activity_of("bob").seen_ms, bob_ms);
    (void)rig_login(&life, "alice@example.org/phone", true);
    rig_policy(&life, "{\"idle\": \"off\", \"forget_after\": \"730d\"}", 20000, true);
    rig_step(&life, 24 * 3600 + 100);
    flush_for_a_minute();
    assert_int_equal(activity_of("bob").seen_ms, bob_ms);
}

/* A new policy holds within a minute, and "off" keeps everybody. */
static void test_retention_by_policy(void **state)
{
    (void)state;
    rig_policy(&life, "{\"idle\": \"off\", \"forget_after\": \"off\"}", 20000, true);
    (void)rig_login(&life, "alice@example.org/phone", true);
    import("ancient", 1);
    import("old", RIG_WALL_MS - 31 * DAY_MS);
    import("young", RIG_WALL_MS - 29 * DAY_MS);
    flush();
    assert_int_equal(activity_of("ancient").seen_ms, 1);
    rig_policy(&life, "{\"idle\": \"off\", \"forget_after\": \"3650d\"}", 20000, true);
    flush_for_a_minute();
    assert_int_equal(activity_of("ancient").seen_ms, -1);
    assert_true(activity_of("old").seen_ms > 0);
    rig_policy(&life, "{\"idle\": \"off\", \"forget_after\": \"30d\"}", 20000, true);
    flush_for_a_minute();
    assert_int_equal(activity_of("old").seen_ms, -1);
    assert_true(activity_of("young").seen_ms > 0);
    crash();
    assert_int_equal(activity_of("old").seen_ms, -1);
    assert_true(activity_of("young").seen_ms > 0);
}

static void test_set_back(void **state)
{
    (void)state;
    hb_token alice = rig_login(&life, "alice@example.org/phone", true);
    rig_step(&life, 10);
    rig_read(&life, alice);
    assert_int_equal(hb_core_closed(life.core, alice), HB_OK);
    flush();
    life.wall_ms -= 3600 * 1000;
    rig_step(&life, 12);
    flush();
    int64_t seen = activity_of("alice").seen_ms;
    assert_int_equal(seen, RIG_WALL_MS + 10000 - 3600 * 1000);
    crash();
    assert_int_equal(activity_of("alice").seen_ms, seen);
}

/* The same before anybody asked for them. */
static void test_fetched_after_set_back(void **state)
{
    (void)state;
    import("alice", RIG_WALL_MS - 1000);
    flush();
    crash();
    life.wall_ms -= 3600 * 1000;
    rig_step(&life, 12);
    assert_int_equal(activity_of("alice").seen_ms, RIG_WALL_MS - 1000 - 3600 * 1000);
    flush();
    crash();
    assert_int_equal(activity_of("alice").seen_ms, RIG_WALL_MS - 1000 - 3600 * 1000);
}

/* Many users of more than a chunk, over a snapshot. */
static void test_many(void **state)
{
    (void)state;
    enum { COUNT = 3000 };
    char name[64];
    for (int i = 0; i < COUNT; i++) {
        text_print(name, sizeof name, "user%d@example.org/x", i);
        rig_login(&life, name, true);
    }
    flush();
    assert_int_equal(hb_core_forget(life.core, "user7", 5), 1);
    flush(); /* a snapshot */
    crash();
    for (int i = 0; i < COUNT; i++) {
        text_print(name, sizeof name, "user%d", i);
        assert_int_equal(activity_of(name).seen_ms, i == 7 ? -1 : RIG_WALL_MS);
    }
}

static void forget_user(int i)
{
    char name[32];
    text_print(name, sizeof name, "user%d", i);
    assert_int_equal(hb_core_forget(life.core, name, strlen(name)), 1);
}

/* A thousand who are forgotten within a minute cost two snapshots: the first of them at once. */
static void test_forget_many(void **state)
{
    (void)state;
    add_users(1000);
    flush();
    unsigned long before = generation();
    for (int i = 0; i < 1000; i++) {
        forget_user(i);
        if (i % 20 == 0) {
            rig_step(&life, rig_second(&life) + 1);
            flush();
            assert_int_equal(generation(), before + 1);
        }
    }
    flush();
    for (int i = 0; i < 15; i++) {
        rig_step(&life, rig_second(&life) + 1);
        flush();
    }
    assert_int_equal(generation(), before + 2);
    assert_int_equal(folder_count(folder, "journal-"), 1);
    crash();
    assert_int_equal(activity_of("user999").seen_ms, -1);
    flush();
    assert_int_equal(folder_count(folder, "journal-"), 2); /* nobody is left to be wiped out */
}

/* After a crash the forgotten stay so, and what is left of them on disk goes with the first flush. */
static void test_forget_and_crash(void **state)
{
    (void)state;
    add_users(10);
    forget_user(1);
    flush();
    forget_user(2);
    flush();
    assert_int_equal(folder_count(folder, "journal-"), 1);
    crash();
    assert_int_equal(activity_of("user2").seen_ms, -1);
    assert_int_equal(activity_of("user3").seen_ms, RIG_WALL_MS - 997);
    assert_int_equal(folder_count(folder, "journal-"), 2);
    flush();
    assert_int_equal(folder_count(folder, "journal-"), 1);
}

/* The server died when the snapshot had its name, and what it takes the place of was still there. */
static void test_forget_and_die(void **state)
{
    (void)state;
    char before[FOLDER_PATH];
    add_users(3);
    flush();
    folder_new(before);
    folder_copy(folder, before);
    forget_user(1);
    flush();
    assert_int_equal(folder_count(folder, "journal-0000000000000001"), 0);
    folder_copy(before, folder);
    folder_remove(before);
    assert_int_equal(folder_count(folder, "journal-0000000000000001"), 1);
    crash();
    assert_int_equal(activity_of("user1").seen_ms, -1);
    assert_int_equal(activity_of("user2").seen_ms, RIG_WALL_MS - 998);
    assert_int_equal(folder_count(folder, "journal-0000000000000001"), 0);
}

/* Nothing of them is left after a clean end. */
static void test_forget_and_end(void **state)
{
    (void)state;
    add_users(3);
    forget_user(0);
    flush();
    unsigned long before = generation();
    forget_user(1);
    flush();
    assert_int_equal(generation(), before);
    int64_t now_us = life.now_us;
    rig_close(&life);
    assert_int_equal(generation(), before + 1);
    assert_int_equal(folder_count(folder, "journal-"), 1);
    rig_init(&life, now_us);
    open_journal();
    assert_int_equal(activity_of("user1").seen_ms, -1);
    assert_int_equal(activity_of("user2").seen_ms, RIG_WALL_MS - 998);
}

#ifndef _WIN32
static struct rlimit as_ever;

/* No file may have more: so a disk is full. */
static void fill_disk(rlim_t bytes)
{
    assert_true(signal(SIGXFSZ, SIG_IGN) != SIG_ERR);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &as_ever), 0);
    const struct rlimit little = {.rlim_cur = bytes, .rlim_max = as_ever.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &little), 0);
}

static void make_room(void)
{
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &as_ever), 0);
}

/* What is told of a disk that is full. */
static void test_told_disk_full(void **state)
{
    (void)state;
    hb_error error;
    rig_login(&life, "bob@example.org/phone", true);
    fill_disk(100);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(hb_core_journal_flush(life.core, NULL, NULL, &error), HB_EJOURNAL);
        assert_string_equal(told_text("state"), "memory only");
        assert_string_equal(told_text("reason"), "the journal can not be written: File too large");
    }
    make_room();
    for (int i = 0; i < 3; i++)
        (void)hb_core_journal_flush(life.core, NULL, NULL, &error);
    assert_string_equal(told_text("state"), "on disk");
    assert_string_equal(told_text("reason"), "null");
}

/* The disk is full: it goes on in memory, says so once, and writes everything when there is room again. */
static void test_disk_full(void **state)
{
    (void)state;
    hb_error error;
    hb_token alice = rig_login(&life, "alice@example.org/phone", true);
    flush();
    fill_disk(150);
    rig_login(&life, "bob@example.org/phone", true);
    assert_int_equal(hb_core_journal_flush(life.core, hear, NULL, &error), HB_EJOURNAL);
    assert_string_equal(error.text, "the journal can not be written: File too large");
    assert_string_equal(error.path, folder);
    rig_step(&life, 3);
    rig_read(&life, alice);
    for (int i = 1; i <= 9; i++) {
        assert_int_equal(hb_core_journal_flush(life.core, hear, NULL, &error), HB_EJOURNAL);
        /* Every fifth time it tries, and says why not. */
        assert_int_equal(error.text[0] != '\0', i == 5);
    }
    assert_int_equal(activity_of("alice").seen_ms, RIG_WALL_MS + 3000);
    make_room();
    flush();
    crash();
    assert_int_equal(activity_of("alice").seen_ms, RIG_WALL_MS + 3000);
    assert_int_equal(activity_of("bob").seen_ms, RIG_WALL_MS);
    assert_int_equal(lines, 0);
}

/* There is room for what happens, and none for a snapshot: it is tried every fifth time, and leaves nothing behind. */
static void test_no_room_for_snapshot(void **state)
{
    (void)state;
    hb_error error;
    add_users(200);
    hb_token alice = rig_login(&life, "alice@example.org/phone", true);
    flush();
    forget_user(0);
    flush(); /* a snapshot: what comes is in a file of its own */
    unsigned long before = generation();
    fill_disk(2000);
    life.wall_ms -= 10000; /* everybody is to be written */
    for (int i = 0; i < 11; i++) {
        rig_step(&life, rig_second(&life) + 2);
        rig_read(&life, alice);
        assert_int_equal(hb_core_journal_flush(life.core, hear, NULL, &error), HB_EJOURNAL);
        assert_string_equal(error.text, i % 5 == 0 ? "the snapshot can not be written: File too large" : "");
    }
    assert_int_equal(generation(), before + 1);
    assert_int_equal(folder_count(folder, "journal-"), 2);
    assert_int_equal(folder_count(folder, "snapshot-"), 1);
    int64_t seen_ms = activity_of("alice").seen_ms;
    make_room();
    crash();
    assert_int_equal(activity_of("alice").seen_ms, seen_ms);
    assert_int_equal(activity_of("user199").seen_ms, RIG_WALL_MS - 801);
}

static int flush_when(bool with_room)
{
    hb_error error;
    int code = HB_EJOURNAL;
    for (int i = 0; i < 6 && code != HB_OK; i++) {
        rig_step(&life, rig_second(&life) + 1);
        code = hb_core_journal_flush(life.core, hear, NULL, &error);
        assert_true(code == HB_EJOURNAL || with_room);
    }
    return code;
}

/* What is left on disk of who was forgotten goes when there is room again, not a minute later. */
static void test_forget_and_room_again(void **state)
{
    (void)state;
    hb_error error;
    add_users(200);
    flush();
    forget_user(0);
    flush();
    rig_step(&life, rig_second(&life) + 61);
    forget_user(1);
    fill_disk(2000);
    assert_int_equal(hb_core_journal_flush(life.core, hear, NULL, &error), HB_EJOURNAL);
    make_room();
    assert_int_equal(flush_when(true), HB_OK);
    assert_int_equal(folder_count(folder, "journal-"), 1);
    assert_int_equal(folder_count(folder, "snapshot-"), 1);
}

/*
 * Who was written while there was no room for a snapshot, and changed or was forgotten before there was, is as in the
 * snapshot, and nothing older of them stays.
 */
static void test_room_again(void **state)
{
    (void)state;
    add_users(200);
    hb_token alice = rig_login(&life, "alice@example.org/phone", true);
    hb_token bob = rig_login(&life, "bob@example.org/phone", true);
    flush();
    forget_user(0);
    flush();
    unsigned long before = generation();
    fill_disk(2000);
    life.wall_ms -= 10000; /* everybody is to be written */
    assert_int_equal(flush_when(false), HB_EJOURNAL);
    rig_read(&life, alice);
    rig_read(&life, bob);
    assert_int_equal(flush_when(false), HB_EJOURNAL);
    assert_int_equal(hb_core_closed(life.core, alice), HB_OK);
    assert_int_equal(hb_core_closed(life.core, bob), HB_OK);
    assert_int_equal(hb_core_forget(life.core, "bob", 3), 1);
    hb_activity left = activity_of("alice");
    assert_int_equal(left.why, HB_WHY_CLOSED);
    make_room();
    assert_int_equal(flush_when(true), HB_OK);
    assert_int_equal(generation(), before + 2);
    assert_int_equal(folder_count(folder, "journal-"), 1);
    assert_int_equal(folder_count(folder, "snapshot-"), 1);
    crash();
    assert_int_equal(activity_of("alice").seen_ms, left.seen_ms);
    assert_int_equal(activity_of("alice").offline_ms, left.offline_ms);
    assert_int_equal(activity_of("alice").why, HB_WHY_CLOSED);
    assert_int_equal(activity_of("bob").seen_ms, -1);
}

/* Nobody has to wait for a snapshot: who leaves while there is no room for one is in the journal. */
static void test_leaves_without_room(void **state)
{
    (void)state;
    add_users(200);
    hb_token alice = rig_login(&life, "alice@example.org/phone", true);
    flush();
    forget_user(0);
    flush(); /* a snapshot: what comes is in a file of its own */
    fill_disk(2000);
    life.wall_ms -= 10000;
    assert_int_equal(flush_when(false), HB_EJOURNAL);
    assert_int_equal(hb_core_closed(life.core, alice), HB_OK);
    hb_activity left = activity_of("alice");
    assert_int_equal(flush_when(false), HB_EJOURNAL);
    make_room();
    crash();
    assert_int_equal(activity_of("alice").offline_ms, left.offline_ms);
    assert_int_equal(activity_of("alice").why, HB_WHY_CLOSED);
}

/* It is told as not on disk until a snapshot succeeds, and why: between two tries too, and where none is due for long.
 */
static void test_without_room_for_long(void **state)
{
    (void)state;
    char *json = NULL;
    size_t length;
    hb_error error;
    add_users(200);
    flush();
    forget_user(0);
    flush();
    fill_disk(2000);
    forget_user(1); /* a snapshot for its sake, within a minute */
    bool failed = false;
    for (int i = 0; i < 150; i++) {
        rig_step(&life, rig_second(&life) + 1);
        int code = hb_core_journal_flush(life.core, hear, NULL, &error);
        failed = failed || code == HB_EJOURNAL;
        assert_int_equal(code, failed ? HB_EJOURNAL : HB_OK);
    }
    assert_true(failed);
    assert_int_equal(hb_core_status(life.core, false, &json, &length), HB_OK);
    assert_non_null(strstr(json, "the snapshot can not be written: File too large"));
    free(json);
    make_room();
    for (int i = 0; i < 70; i++) {
        rig_step(&life, rig_second(&life) + 1);
        (void)hb_core_journal_flush(life.core, hear, NULL, &error);
    }
    flush();
    crash();
    assert_int_equal(activity_of("user1").seen_ms, -1);
}

/* There was none, and there is at a clean end: then all is written. */
static void test_room_at_the_end(void **state)
{
    (void)state;
    hb_error error;
    flush();
    fill_disk(100);
    rig_login(&life, "bob@example.org/phone", true);
    assert_int_equal(hb_core_journal_flush(life.core, hear, NULL, &error), HB_EJOURNAL);
    make_room();
    int64_t now_us = life.now_us;
    rig_close(&life);
    rig_init(&life, now_us);
    open_journal();
    assert_int_equal(activity_of("bob").seen_ms, RIG_WALL_MS);
}
#endif

/* What was torn is said by whoever opens, and forgotten users stay so. */
static void test_torn(void **state)
{
    (void)state;
    rig_login(&life, "alice@example.org/phone", true);
    import("bob", RIG_WALL_MS - 1000);
    flush();
    assert_int_equal(hb_core_forget(life.core, "bob", 3), 1);
    tear_tail();
    crash();
    assert_int_equal(lines, 1);
    assert_non_null(strstr(said, "the last 4 bytes are kept in damaged-journal-0000000000000001"));
    assert_int_equal(activity_of("alice").seen_ms, RIG_WALL_MS);
}

static bool key_is(const char *key)
{
    char path[FOLDER_PATH + 64];
    char text[80] = "";
    text_print(path, sizeof path, "%s/key", folder);
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    assert_in_range(fread(text, 1, sizeof text - 1, file), 64, 66);
    fclose(file);
    return strcmp(text, key) == 0;
}

/* While it runs: everybody is written anew under the new key, and what comes after it too. */
static void test_new_key(void **state)
{
    (void)state;
    hb_token alice = rig_login(&life, "alice@example.org/phone", true);
    add_users(200);
    flush();
    assert_int_equal(lines, 0);
    put_file("key.new", KEY);
    rig_login(&life, "bob@example.org/phone", true);
    flush();
    assert_int_equal(lines, 1);
    assert_ptr_equal(strstr(said, folder), said);
    assert_non_null(strstr(said, ": the key was changed, everything is written under the new one"));
    assert_true(key_is(KEY));
    assert_int_equal(folder_count(folder, "key.new"), 0);
    assert_int_equal(folder_count(folder, "journal-"), 1);
    rig_step(&life, 4);
    rig_read(&life, alice);
    flush();
    assert_int_equal(lines, 1);
    int64_t bob = activity_of("bob").seen_ms;
    crash();
    assert_int_equal(lines, 1);
    assert_int_equal(activity_of("alice").seen_ms, RIG_WALL_MS + 4000);
    assert_int_equal(activity_of("bob").seen_ms, bob);
    assert_int_equal(activity_of("user7").seen_ms, RIG_WALL_MS - 993);
}

/* Before the start, and one that is made. */
static void test_new_key_at_start(void **state)
{
    (void)state;
    rig_login(&life, "alice@example.org/phone", true);
    flush();
    put_file("key.new", "random\r\n");
    char path[FOLDER_PATH + 64];
    char before[80] = "";
    text_print(path, sizeof path, "%s/key", folder);
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    assert_int_equal(fread(before, 1, sizeof before - 1, file), 65);
    fclose(file);
    assert_true(key_is(before));
    crash();
    assert_int_equal(lines, 0);
    assert_int_equal(activity_of("alice").seen_ms, RIG_WALL_MS);
    flush();
    assert_int_equal(lines, 1);
    assert_int_equal(folder_count(folder, "key.new"), 0);
    assert_false(key_is(before));
    crash();
    assert_int_equal(activity_of("alice").seen_ms, RIG_WALL_MS);
}

/* A change that was begun is ended, and another wish that came meanwhile has its turn after it. */
static void test_another_wish(void **state)
{
    (void)state;
    static const char begun[] = "cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc\n";
    rig_login(&life, "alice@example.org/phone", true);
    flush();
    put_file("key.next", begun);
    put_file("key.new", KEY);
    flush();
    assert_true(key_is(begun));
    assert_int_equal(folder_count(folder, "key.next"), 0);
    assert_int_equal(folder_count(folder, "key.new"), 1);
    flush();
    assert_true(key_is(KEY));
    assert_int_equal(folder_count(folder, "key.new"), 0);
    crash();
    assert_int_equal(activity_of("alice").seen_ms, RIG_WALL_MS);
}

/* What is no key is said when it still is none a moment later, once, and keeps nothing from being written. */
static void test_bad_key(void **state)
{
    (void)state;
    hb_token alice = rig_login(&life, "alice@example.org/phone", true);
    flush();
    put_file("key.new", "");
    flush();
    assert_int_equal(lines, 0);
    put_file("key.new", "1234");
    flush();
    assert_int_equal(lines, 1); /* for the same reason */
    assert_non_null(
        strstr(said, ": the key is not changed: key.new is neither 64 hexadecimal digits nor the word random"));
    flush();
    assert_int_equal(lines, 1);
    rig_step(&life, 4);
    rig_read(&life, alice);
    flush();
    crash();
    assert_int_equal(activity_of("alice").seen_ms, RIG_WALL_MS + 4000);
    flush();
    assert_int_equal(lines, 1);
    flush();
    assert_int_equal(lines, 2);
    put_file("key.new", KEY);
    flush();
    assert_int_equal(lines, 3);
    assert_true(key_is(KEY));
}

#ifndef _WIN32
/* No room for all that is known under the new key: the old one holds, and it is tried again a minute later. */
static void test_key_and_disk_full(void **state)
{
    (void)state;
    hb_error error;
    add_users(200);
    flush();
    assert_int_equal(hb_core_forget(life.core, "user0", 5), 1);
    flush();
    put_file("key.new", KEY);
    rig_login(&life, "bob@example.org/phone", true);
    fill_disk(2000);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(hb_core_journal_flush(life.core, hear, NULL, &error), HB_OK);
        assert_int_equal(lines, 1);
    }
    assert_non_null(strstr(said, ": the key is not changed: the snapshot can not be written: File too large"));
    assert_false(key_is(KEY));
    make_room();
    flush();
    assert_false(key_is(KEY));
    rig_step(&life, rig_second(&life) + 30);
    flush();
    assert_false(key_is(KEY));
    rig_step(&life, rig_second(&life) + 31);
    flush();
    assert_true(key_is(KEY));
    assert_int_equal(lines, 2);
    int64_t bob = activity_of("bob").seen_ms;
    crash();
    assert_int_equal(activity_of("bob").seen_ms, bob);
    assert_int_equal(activity_of("user199").seen_ms, RIG_WALL_MS - 801);
    assert_int_equal(activity_of("user0").seen_ms, -1);
}
#endif

enum { PEOPLE = 1000 };

static const char *person(int i)
{
    static char name[48];
    text_print(name, sizeof name, i % 10 ? "user%d" : "someone with a long name, number %d", i);
    return name;
}

/* Each is in a snapshot, one in three in two journals too, with a younger time; one in seven was forgotten since. */
static void make_people(void)
{
    for (int i = 0; i < PEOPLE; i++)
        assert_int_equal(hb_core_import(life.core, person(i), strlen(person(i)), RIG_WALL_MS - 90000, "away", 4), 1);
    assert_int_equal(hb_core_import(life.core, "x", 1, RIG_WALL_MS, NULL, 0), 1);
    assert_int_equal(hb_core_forget(life.core, "x", 1), 1);
    flush(); /* so there is a snapshot */
    for (int64_t ago_ms = 60000; ago_ms >= 30000; ago_ms -= 30000) {
        for (int i = 0; i < PEOPLE; i += 3)
            assert_int_equal(hb_core_catch_up(life.core, person(i), strlen(person(i)), RIG_WALL_MS - ago_ms), 1);
        flush();
    }
    for (int i = 0; i < PEOPLE; i += 7)
        assert_int_equal(hb_core_forget(life.core, person(i), strlen(person(i))), 1);
    flush();
}

static int64_t seen_of_person(int i)
{
    return i % 7 == 0 ? -1 : i % 3 == 0 ? RIG_WALL_MS - 30000 : RIG_WALL_MS - 90000;
}

/* As if the last server had died, and this one had just been started: nobody asked for anybody yet. */
static void start_again(void)
{
    crash();
    assert_true(hb_last_waits(life.core));
    assert_int_equal(life.core->users.count, 0);
}

static void check_people(void)
{
    for (int i = 0; i < PEOPLE; i++) {
        hb_activity a = activity_of(person(i));
        assert_int_equal(a.seen_ms, seen_of_person(i));
        assert_int_equal(a.length, i % 7 && i % 3 ? 4 : 0);
    }
}

/* Users are there when they are needed, whoever needs them, and all that was known of them. */
static void test_fetched(void **state)
{
    (void)state;
    make_people();
    start_again();
    hb_seen seen;
    assert_int_equal(activity_of(person(9)).seen_ms, seen_of_person(9));
    assert_in_range(life.core->users.count, 1, PEOPLE / 10);
    assert_int_equal(hb_core_seen(life.core, person(10), strlen(person(10)), &seen), 1);
    assert_int_equal(seen.ms, seen_of_person(10));
    assert_int_equal(hb_core_seen(life.core, person(14), strlen(person(14)), &seen), 0);
    assert_int_equal(hb_core_seen(life.core, "nobody", 6, &seen), 0);
    assert_int_equal(activity_of(person(21)).seen_ms, -1);
    char *json = NULL;
    size_t length = 0;
    assert_int_equal(hb_core_last_activity_json(life.core, person(12), strlen(person(12)), &json, &length), 1);
    hb_string_free(json);
    assert_int_equal(hb_core_import(life.core, person(11), strlen(person(11)), RIG_WALL_MS, NULL, 0), 0);
    assert_int_equal(hb_core_catch_up(life.core, person(12), strlen(person(12)), RIG_WALL_MS - 40000), 0);
    assert_true(hb_last_waits(life.core));
    check_people();
    assert_int_equal(life.core->users.count, PEOPLE - (PEOPLE + 6) / 7);
    flush();
    assert_false(hb_last_waits(life.core));
    start_again();
    check_people();
}

/* Who comes before anybody asked for them is who they were, and what they do holds. */
static void test_fetched_by_login(void **state)
{
    (void)state;
    make_people();
    start_again();
    hb_token user = rig_login(&life, "user9@example.org/phone", true);
    hb_activity a = activity_of("user9");
    assert_true(a.online);
    assert_int_equal(a.offline_ms, seen_of_person(9));
    rig_step(&life, 5);
    assert_int_equal(hb_core_unavailable(life.core, user, "bye", 3, false), HB_OK);
    assert_int_equal(hb_core_closed(life.core, user), HB_OK);
    a = activity_of("user9");
    assert_false(a.online);
    flush();
    assert_int_equal(activity_of("user9").offline_ms, a.offline_ms);
    start_again();
    assert_int_equal(activity_of("user9").offline_ms, a.offline_ms);
    assert_int_equal(activity_of("user9").length, 3);
}

/* Erased before anybody asked for them. */
static void test_fetched_to_forget(void **state)
{
    (void)state;
    make_people();
    start_again();
    assert_int_equal(hb_core_forget(life.core, person(9), strlen(person(9))), 1);
    assert_int_equal(hb_core_forget(life.core, person(7), strlen(person(7))), 0);
    assert_int_equal(hb_core_forget(life.core, "nobody", 6), 0);
    assert_int_equal(activity_of(person(9)).seen_ms, -1);
    flush();
    start_again();
    assert_int_equal(activity_of(person(9)).seen_ms, -1);
    assert_int_equal(activity_of(person(8)).seen_ms, seen_of_person(8));
}

/* Nobody is lost though nobody was needed: with a list, a count, and a core that just ends. */
static void test_not_fetched(void **state)
{
    (void)state;
    const size_t known = PEOPLE - (PEOPLE + 6) / 7;
    hb_user_query query = {.order = HB_USERS_BY_NAME, .limit = HB_USERS_MAX};
    char *bytes = NULL;
    size_t length = 0;
    uint32_t at = 0;
    make_people();
    start_again();
    assert_int_equal(hb_core_users(life.core, &query, &bytes, &length), HB_OK);
    hb_string_free(bytes);
    assert_int_equal(life.core->users.count, known);
    start_again();
    assert_int_equal(hb_core_each(life.core, &at, &bytes, &length), HB_OK);
    hb_string_free(bytes);
    assert_int_equal(life.core->users.count, known);
    start_again();
    assert_int_equal(hb_core_status(life.core, false, &bytes, &length), HB_OK);
    assert_non_null(strstr(bytes, "\"users\":857,"));
    hb_string_free(bytes);
    start_again();
    rig_close(&life);
    rig_init(&life, ORIGIN_US);
    open_journal();
    check_people();
}

/* Many records of the same users do not make the index larger. */
static void test_fetched_memory(void **state)
{
    (void)state;
    enum { MANY = 200000 };
    char name[16];
    for (int i = 0; i < MANY; i++) {
        text_print(name, sizeof name, "user%08d", i);
        assert_int_equal(hb_core_import(life.core, name, 12, RIG_WALL_MS - 90000, NULL, 0), 1);
    }
    (void)hb_core_import(life.core, "x", 1, RIG_WALL_MS, NULL, 0);
    assert_int_equal(hb_core_forget(life.core, "x", 1), 1);
    flush(); /* so there is a snapshot */
    for (int i = 0; i < MANY; i++) {
        text_print(name, sizeof name, "user%08d", i);
        assert_int_equal(hb_core_catch_up(life.core, name, 12, RIG_WALL_MS - 30000), 1);
    }
    rig_close(&life);
    rig_init(&life, ORIGIN_US);
    open_journal();
    flush();
    assert_int_equal(life.core->users.count, MANY);
    assert_in_range(life.core->users.bytes, MANY, MANY * 70);
    assert_int_equal(activity_of(name).seen_ms, RIG_WALL_MS - 30000);
}

/* A core of any seed finds them, and what it writes is found by the next one. */
static void test_fetched_by_others(void **state)
{
    (void)state;
    make_people();
    rig_close(&life);
    for (int round = 0; round < 3; round++) {
        hb_core *core;
        hb_error error;
        hb_activity a;
        assert_int_equal(hb_core_new(NULL, ORIGIN_US, RIG_WALL_MS, &core), HB_OK);
        if (round == 1) /* who is here first hears of it by a seed of their own */
            assert_int_equal(hb_core_import(core, "early", 5, RIG_WALL_MS, NULL, 0), 1);
        assert_int_equal(hb_core_journal_open(core, folder, NULL, NULL, NULL, &error), HB_OK);
        for (int i = 0; i < PEOPLE; i++) {
            int found = hb_core_last_activity(core, person(i), strlen(person(i)), &a);
            assert_int_equal(found ? a.seen_ms : -1, seen_of_person(i));
        }
        assert_int_equal(hb_core_last_activity(core, "early", 5, &a), round > 0);
        assert_int_equal(hb_core_forget(core, "nobody", 6), 0);
        hb_core_free(core);
    }
    rig_init(&life, ORIGIN_US);
}

static void test_misuse(void **state)
{
    (void)state;
    hb_error error;
    assert_int_equal(hb_core_journal_open(life.core, folder, NULL, NULL, NULL, &error), HB_EINVAL);
    rig other;
    rig_init(&other, ORIGIN_US);
    assert_int_equal(hb_core_journal_flush(other.core, hear, NULL, &error), HB_EINVAL);
    assert_int_equal(hb_core_journal_open(other.core, folder, NULL, NULL, NULL, &error), HB_EJOURNAL);
    assert_string_equal(error.text, "another server uses the folder");
    assert_int_equal(hb_core_import(other.core, "alice", 5, 1, NULL, 0), 1);
    assert_int_equal(hb_core_forget(other.core, "alice", 5), 1);
    rig_close(&other);
}

#define with_journal(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        with_journal(test_crash),
        with_journal(test_recorded),
        with_journal(test_quiet),
        with_journal(test_read_before_bound),
        with_journal(test_read_late),
        with_journal(test_forget),
        with_journal(test_which_time),
        with_journal(test_catch_up),
        with_journal(test_retention_once_a_day),
        with_journal(test_retention_clock),
        with_journal(test_retention_clock_ahead),
        with_journal(test_clock_not_set),
        with_journal(test_retention_by_policy),
        with_journal(test_import),
        with_journal(test_retention),
        with_journal(test_set_back),
        with_journal(test_fetched_after_set_back),
        with_journal(test_forget_while_opened),
        with_journal(test_many),
        with_journal(test_fetched),
        with_journal(test_fetched_by_login),
        with_journal(test_fetched_to_forget),
        with_journal(test_not_fetched),
        with_journal(test_fetched_by_others),
        with_journal(test_fetched_memory),
        with_journal(test_misuse),
        with_journal(test_torn),
        with_journal(test_forget_many),
        with_journal(test_forget_and_crash),
        with_journal(test_forget_and_die),
        with_journal(test_forget_and_end),
        with_journal(test_new_key),
        with_journal(test_another_wish),
        with_journal(test_late),
        with_journal(test_late_and_known),
        with_journal(test_meanwhile),
        with_journal(test_late_and_changed),
        with_journal(test_told),
        with_journal(test_new_key_at_start),
        with_journal(test_bad_key),
#ifndef _WIN32
        with_journal(test_disk_full),
        with_journal(test_no_room_for_snapshot),
        with_journal(test_room_again),
        with_journal(test_forget_and_room_again),
        with_journal(test_leaves_without_room),
        with_journal(test_without_room_for_long),
        with_journal(test_room_at_the_end),
        with_journal(test_told_disk_full),
        with_journal(test_key_and_disk_full),
#endif
    };
    return cmocka_run_group_tests_name("last", tests, NULL, NULL);
}
