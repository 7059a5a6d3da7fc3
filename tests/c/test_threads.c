/*
 * The core under many threads, as a server calls it: four whose connections live and die, one that ticks, one that
 * carries actions out, one that asks, one that records, one that keeps last activity on disk. What matters most here is
 * what the sanitizers say.
 */
#include "support.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "replay.h"

#define WORKERS 4
#define OTHERS 5
#define OWN 64 /* connections of a worker */
#define ROUNDS 200000
#define PAGES 2
#define QUEUE 4096
#define ORIGIN_US INT64_C(1000000000)

static hb_core *core;
static uint32_t *pages[PAGES];
static atomic_uint tick;
static atomic_llong now_us;
static atomic_bool done;
static atomic_int rounds; /* of all workers */
static atomic_int wrong;
static atomic_ullong carried_out[PAGES * HB_PAGE_CELLS]; /* by slot: the last session that was closed by order */

/* cmocka's assertions are for its own thread only. */
#define check(condition)                                                                                               \
    do {                                                                                                               \
        if (!(condition) && atomic_fetch_add(&wrong, 1) < 10) {                                                        \
            fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition);                                            \
        }                                                                                                              \
    } while (0)

/* From the ticking thread to the one that carries out. */
static pthread_mutex_t queue_lock = PTHREAD_MUTEX_INITIALIZER;
static hb_action queue[QUEUE];
static size_t queued;

static void read_from(hb_token token)
{
    uint32_t slot = (uint32_t)token;
    __atomic_store_n(&pages[slot / HB_PAGE_CELLS][slot % HB_PAGE_CELLS], atomic_load(&tick), __ATOMIC_RELAXED);
}

static bool fine(int code)
{
    return code == HB_OK || code == HB_ESTALE;
}

static void one_deed(dice *d, int worker, hb_token *t)
{
    char jid[64];
    int64_t now = atomic_load(&now_us);
    if (!*t) {
        check(hb_core_open(core, HB_TCP, 0, now, now, t) == HB_OK);
        return;
    }
    switch (dice_below(d, 12)) {
    case 0:
        /* Workers share users, and now and then a full JID. */
        text_print(jid, sizeof jid, "user%u@example.org/%u", dice_below(d, 20), dice_below(d, 40) + (uint32_t)worker);
        (void)hb_core_bound(core, *t, jid, strlen(jid), dice_percent(d, 5));
        break;
    case 1:
        check(hb_core_available(core, *t) != HB_ENOMEM);
        break;
    case 2:
        check(fine(hb_core_unavailable(core, *t, "away", 4, false)));
        break;
    case 3:
        check(hb_core_idle(core, *t, now) <= HB_ASK_AGAIN);
        break;
    case 4:
        check(hb_core_pong(core, *t, "hb-", 3, now) <= 0);
        break;
    case 5:
        check(fine(hb_core_detached(core, *t)));
        break;
    case 6: {
        hb_token to = 0;
        check(hb_core_open(core, HB_TCP, 0, now, now, &to) == HB_OK);
        int code = hb_core_resumed(core, *t, to);
        check(code == HB_OK || code == HB_ESTALE || code == HB_EINVAL);
        if (code == HB_OK) {
            *t = to;
        } else {
            /* Over already? Only if it waited so long that it was closed for not logging in. */
            code = hb_core_closed(core, to);
            check(code == HB_OK || (code == HB_ESTALE && atomic_load(&carried_out[(uint32_t)to]) >= to));
        }
        break;
    }
    case 7:
        check(fine(hb_core_closed(core, *t)));
        *t = 0;
        break;
    default:
        read_from(*t);
        break;
    }
}

static void *work(void *argument)
{
    int worker = (int)(intptr_t)argument;
    dice d = {.state = (uint64_t)worker + 1};
    hb_token own[OWN] = {0};
    for (int i = 0; i < ROUNDS; i++) {
        one_deed(&d, worker, &own[dice_below(&d, OWN)]);
        atomic_fetch_add_explicit(&rounds, 1, memory_order_relaxed);
    }
    for (size_t i = 0; i < OWN; i++) {
        if (own[i]) {
            check(fine(hb_core_closed(core, own[i])));
        }
    }
    return NULL;
}

static void one_tick(void)
{
    hb_action out[128];
    int64_t now = atomic_load(&now_us) + 1000000;
    int more;
    do {
        size_t count = 0;
        uint32_t value = 0;
        more = hb_core_advance(core, now, RIG_WALL_MS + (now - ORIGIN_US) / 1000, out, 128, &count, &value);
        check(more >= 0 && count <= 128);
        atomic_store(&tick, value);
        pthread_mutex_lock(&queue_lock);
        for (size_t i = 0; i < count && queued < QUEUE; i++) {
            queue[queued++] = out[i];
        }
        pthread_mutex_unlock(&queue_lock);
    } while (more == 1);
    atomic_store(&now_us, now);
}

static void *ticking(void *argument)
{
    const struct timespec pause = {.tv_nsec = 200000};
    (void)argument;
    while (!atomic_load(&done)) {
        one_tick();
        nanosleep(&pause, NULL);
    }
    return NULL;
}

static void carry_out(const hb_action *action)
{
    static hb_order order; /* of the one thread that carries out */
    /* Of this thread: the last ping that was answered, by slot. Two that are sent at one time have one answer. */
    static struct {
        hb_token token;
        int64_t sent_us;
    } answered[PAGES * HB_PAGE_CELLS];
    int64_t now = atomic_load(&now_us);
    int code = hb_core_begin(core, action->token, (hb_verb)action->verb, 0, now, &order);
    check(fine(code));
    if (code == HB_OK && order.verb == HB_PING && action->token % 3 == 0) {
        read_from(action->token);
        uint32_t slot = (uint32_t)action->token;
        bool again = answered[slot].token == action->token && answered[slot].sent_us == now;
        code = hb_core_pong(core, action->token, order.text, order.length, now);
        check(code == (again ? 0 : 1) || code == HB_ESTALE);
        answered[slot].token = action->token;
        answered[slot].sent_us = now;
    }
    if (code == HB_OK && (order.verb == HB_CLOSE || order.verb == HB_CUT)) {
        atomic_store(&carried_out[(uint32_t)action->token], action->token);
        check(fine(hb_core_unavailable(core, action->token, NULL, 0, true)));
        check(fine(hb_core_closed(core, action->token)));
    }
}

static size_t carry_out_all(void)
{
    static hb_action mine[QUEUE];
    pthread_mutex_lock(&queue_lock);
    size_t count = queued;
    memcpy(mine, queue, count * sizeof mine[0]);
    queued = 0;
    pthread_mutex_unlock(&queue_lock);
    for (size_t i = 0; i < count; i++) {
        carry_out(&mine[i]);
    }
    return count;
}

static void *carrying_out(void *argument)
{
    const struct timespec pause = {.tv_nsec = 100000};
    (void)argument;
    while (!atomic_load(&done)) {
        if (carry_out_all() == 0) {
            nanosleep(&pause, NULL);
        }
    }
    return NULL;
}

/* An administrator looks at a page of sessions, and has something done to one of them. */
static void ask_somebody(int i)
{
    hb_listing *listing = NULL;
    hb_list_query query = {.sort = (hb_sort)(i % 7), .descending = i % 2, .offset = (size_t)i % 5, .limit = 20};
    check(hb_core_list(core, &query, &listing) == HB_OK && listing->count <= 20);
    if (listing->count) {
        hb_action action;
        hb_token token = listing->rows[(size_t)i % listing->count].token;
        int code = hb_core_ask(core, token, i % 16 == 0 ? HB_DISCONNECT : HB_PING, &action);
        check(code == 0 || code == 1 || code == HB_ESTALE);
        pthread_mutex_lock(&queue_lock);
        if (code == 1 && queued < QUEUE) {
            queue[queued++] = action;
        }
        pthread_mutex_unlock(&queue_lock);
    }
    hb_listing_free(listing);
}

static void *asking(void *argument)
{
    static hb_activity activity;
    int64_t told[20] = {0};
    const struct timespec pause = {.tv_nsec = 500000};
    (void)argument;
    for (int i = 0; !atomic_load(&done); i++) {
        char user[32];
        int which = i % 20;
        text_print(user, sizeof user, "user%d", which);
        if (hb_core_last_activity(core, user, strlen(user), &activity) == 1) {
            check(activity.seen_ms >= told[which]); /* seen-is-true: it never goes back */
            told[which] = activity.seen_ms;
        }
        hb_seen seen;
        if (hb_core_seen(core, user, strlen(user), &seen) == 1) {
            check(seen.ms >= told[which] && seen.stripe < HB_USER_STRIPES);
            told[which] = seen.ms;
        }
        char *json = NULL;
        size_t length = 0;
        if (i % 16 == 0) {
            check(hb_core_status(core, i % 64 == 0, &json, &length) == HB_OK);
            check(json && strlen(json) == length);
            hb_string_free(json);
        }
        if (i % 8 == 0) {
            ask_somebody(i / 8);
        }
        if (i % 100 == 0) {
            static const char policy[] = "{\"idle\": \"5s\", \"ack_timeout\": \"3s\", \"retries\": 1}";
            check(hb_core_configure(core, policy, sizeof policy - 1, 20000 + i, true, NULL) == HB_OK);
        }
        nanosleep(&pause, NULL);
    }
    return NULL;
}

/*
 * Switched on and off a few times; the last recording stays on. While nothing is recorded, threads meet each other only
 * where they have to do with the same pages and users: for the first half nothing is.
 */
#define RECORDINGS 5
#define RECORD_BUFFER (64u << 20)
#define RECORD_PIECE 65536

static char *record;
static size_t record_length;

static void take_record(void)
{
    size_t length = 0;
    do {
        char *grown = realloc(record, record_length + RECORD_PIECE);
        check(grown != NULL);
        record = grown;
        check(hb_core_recorded(core, record + record_length, RECORD_PIECE, &length) == HB_OK);
        record_length += length;
    } while (length == RECORD_PIECE);
}

static void *recording(void *argument)
{
    const struct timespec pause = {.tv_nsec = 3000000};
    (void)argument;
    while (!atomic_load(&done) && atomic_load(&rounds) < WORKERS * ROUNDS / 2)
        nanosleep(&pause, NULL);
    for (int i = 0; !atomic_load(&done); i++) {
        if (i < 2 * RECORDINGS && i % 2 == 0) {
            record_length = 0;
            hb_core_record_end(core);
            check(hb_core_record(core, RECORD_BUFFER) == HB_OK);
        }
        take_record();
        nanosleep(&pause, NULL);
    }
    return NULL;
}

static char folder[FOLDER_PATH];
static atomic_int keys;

static void count_key(void *to, const char *line)
{
    (void)to;
    check(strstr(line, "the key was changed") != NULL);
    atomic_fetch_add(&keys, 1);
}

/* Flushes; now and then asks for another key, and has somebody known and forgotten again. */
static void *keeping(void *argument)
{
    const struct timespec pause = {.tv_nsec = 1000000};
    char path[FOLDER_PATH + 16];
    (void)argument;
    text_print(path, sizeof path, "%s/key.new", folder);
    for (int i = 0; !atomic_load(&done) || i < 20; i++) {
        if (i % 4 == 0) {
            FILE *file = fopen(path, "wb");
            check(file && fputs("random", file) >= 0 && fclose(file) == 0);
        }
        check(hb_core_import(core, "guest", 5, RIG_WALL_MS - 1000, "away", 4) >= 0);
        check(hb_core_journal_flush(core, count_key, NULL, NULL) == HB_OK);
        check(i % 3 || hb_core_forget(core, "guest", 5) == 1);
        nanosleep(&pause, NULL);
    }
    return NULL;
}

/* What was known in the end is known afterwards. */
static void check_kept(const int64_t seen_ms[20])
{
    hb_core *after;
    hb_error error;
    hb_activity activity;
    assert_int_equal(hb_core_new(NULL, ORIGIN_US, INT64_MAX / 2, &after), HB_OK);
    assert_int_equal(hb_core_journal_open(after, folder, NULL, NULL, NULL, &error), HB_OK);
    for (int i = 0; i < 20; i++) {
        char user[32];
        text_print(user, sizeof user, "user%d", i);
        assert_int_equal(hb_core_last_activity(after, user, strlen(user), &activity), 1);
        assert_int_equal(activity.seen_ms, seen_ms[i]);
    }
    hb_core_free(after);
    folder_remove(folder);
    assert_true(atomic_load(&keys) >= 3);
    print_message("  the key was changed %d times\n", atomic_load(&keys));
}

/* What all the threads did, in the order in which the core saw it, has one way to come out. */
static void check_record(void)
{
    take_record();
    replay_result r = replay_text(record, record_length, PAGES);
    if (r.end != REPLAY_SAME) {
        fail_msg("line %zu of the recording: %s", r.line, r.said);
    }
    assert_false(r.cut);
    assert_true(r.decisions > 1000);
    print_message("  replayed: %zu events, %zu decisions and answers\n", r.events, r.decisions);
    free(record);
}

static void test_all_at_once(void **state)
{
    (void)state;
    pthread_t workers[WORKERS];
    pthread_t others[OTHERS];
    void *(*const jobs[OTHERS])(void *) = {ticking, carrying_out, asking, recording, keeping};
    atomic_store(&now_us, ORIGIN_US);
    hb_error error;
    folder_new(folder);
    assert_int_equal(hb_core_new(NULL, ORIGIN_US, RIG_WALL_MS, &core), HB_OK);
    assert_int_equal(hb_core_journal_open(core, folder, NULL, NULL, NULL, &error), HB_OK);
    for (size_t p = 0; p < PAGES; p++) {
        pages[p] = calloc(HB_PAGE_CELLS, HB_CELL_BYTES);
        assert_non_null(pages[p]);
        assert_int_equal(hb_core_add_page(core, pages[p]), HB_OK);
    }
    one_tick();
    for (size_t i = 0; i < OTHERS; i++) {
        assert_int_equal(pthread_create(&others[i], NULL, jobs[i], NULL), 0);
    }
    for (size_t i = 0; i < WORKERS; i++) {
        assert_int_equal(pthread_create(&workers[i], NULL, work, (void *)(intptr_t)i), 0);
    }
    for (size_t i = 0; i < WORKERS; i++) {
        assert_int_equal(pthread_join(workers[i], NULL), 0);
    }
    atomic_store(&done, true);
    for (size_t i = 0; i < OTHERS; i++) {
        assert_int_equal(pthread_join(others[i], NULL), 0);
    }
    /* Whoever is left is told of, and then nobody is. */
    for (int i = 0; i < 100; i++) {
        one_tick();
        (void)carry_out_all();
    }
    char *json = NULL;
    size_t length = 0;
    assert_int_equal(hb_core_status(core, false, &json, &length), HB_OK);
    if (!strstr(json, "\"total\":0")) {
        fail_msg("somebody is left: %s", json);
    }
    hb_string_free(json);
    check_record();
    int64_t seen_ms[20];
    for (int i = 0; i < 20; i++) {
        char user[32];
        hb_activity activity;
        text_print(user, sizeof user, "user%d", i);
        assert_int_equal(hb_core_last_activity(core, user, strlen(user), &activity), 1);
        seen_ms[i] = activity.seen_ms;
    }
    hb_core_free(core);
    check_kept(seen_ms);
    for (size_t p = 0; p < PAGES; p++) {
        free(pages[p]);
    }
    assert_int_equal(atomic_load(&wrong), 0);
}

#define KNOWN 3000

static int name_of(int i, char name[16])
{
    return snprintf(name, 16, "user%d", i);
}

/* Each looks everybody up, from somewhere on; every fourth by another way. */
static void *looking_up(void *argument)
{
    int from = (int)(intptr_t)argument * (KNOWN / WORKERS);
    for (int k = 0; k < KNOWN; k++) {
        char name[16];
        int i = (from + k) % KNOWN;
        size_t length = (size_t)name_of(i, name);
        hb_activity activity = {.seen_ms = 0};
        hb_seen seen = {.ms = 0};
        if (i % 4)
            check(hb_core_seen(core, name, length, &seen) == 1 && seen.ms == RIG_WALL_MS - i);
        else
            check(hb_core_last_activity(core, name, length, &activity) == 1 && activity.seen_ms == RIG_WALL_MS - i);
    }
    return NULL;
}

/* All of them are fetched meanwhile. */
static void *fetching(void *argument)
{
    (void)argument;
    check(hb_core_journal_flush(core, NULL, NULL, NULL) == HB_OK);
    return NULL;
}

/* A server that was just started is asked for everybody at once: nobody is unknown, or known as of a time before. */
static void test_fetched_at_once(void **state)
{
    (void)state;
    hb_error error;
    folder_new(folder);
    assert_int_equal(hb_core_new(NULL, ORIGIN_US, RIG_WALL_MS, &core), HB_OK);
    assert_int_equal(hb_core_journal_open(core, folder, NULL, NULL, NULL, &error), HB_OK);
    char name[16];
    for (int i = 0; i < KNOWN; i++)
        assert_int_equal(hb_core_import(core, name, (size_t)name_of(i, name), RIG_WALL_MS - 2 * KNOWN, NULL, 0), 1);
    assert_int_equal(hb_core_import(core, "x", 1, RIG_WALL_MS, NULL, 0), 1);
    assert_int_equal(hb_core_forget(core, "x", 1), 1);
    assert_int_equal(hb_core_journal_flush(core, NULL, NULL, &error), HB_OK); /* with a snapshot */
    for (int i = 0; i < KNOWN; i++)
        assert_int_equal(hb_core_catch_up(core, name, (size_t)name_of(i, name), RIG_WALL_MS - i), 1);
    for (int round = 0; round < 20; round++) {
        pthread_t all[WORKERS + 1];
        hb_core_free(core);
        assert_int_equal(hb_core_new(NULL, ORIGIN_US, RIG_WALL_MS, &core), HB_OK);
        assert_int_equal(hb_core_journal_open(core, folder, NULL, NULL, NULL, &error), HB_OK);
        for (size_t i = 0; i <= WORKERS; i++)
            assert_int_equal(pthread_create(&all[i], NULL, i < WORKERS ? looking_up : fetching, (void *)(intptr_t)i),
                             0);
        for (size_t i = 0; i <= WORKERS; i++)
            assert_int_equal(pthread_join(all[i], NULL), 0);
    }
    hb_core_free(core);
    folder_remove(folder);
    assert_int_equal(atomic_load(&wrong), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_fetched_at_once), cmocka_unit_test(test_all_at_once)};
    return cmocka_run_group_tests_name("threads", tests, NULL, NULL);
}
