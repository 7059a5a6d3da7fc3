/*
 * bench_core.c - what the core alone costs. Rows are told as lines of JSON, see tests/bench/micro.
 *
 * bench_core GROUP full|smoke: events, threads, memory-native, machines, journal. bench_core growth FILE full|smoke: a
 * plot (SVG) to FILE.
 */
#define _POSIX_C_SOURCE 200809L

#include <dirent.h>
#include <malloc.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "heartbeat.h"
#include "series.h"
#include "why.h"

#define SECOND_US INT64_C(1000000)
#define WALL_MS INT64_C(1700000000000)
#define IDLE_S 180
#define READ_EVERY_S 30
#define ACTIONS 65536
#define ROUNDS_MAX 401
#define FLUSH_BYTES ((size_t)128 << 20)

typedef struct fleet {
    hb_core *core;
    uint32_t **pages;
    size_t page_count;
    hb_token *tokens;
    size_t count;
    int64_t now_us;
    uint32_t tick;
    uint64_t dice;
    hb_action *actions;
} fleet;

static bool smoke;

static void must(bool holds, const char *what)
{
    if (!holds) {
        fprintf(stderr, "bench_core: %s\n", what);
        exit(1);
    }
}

static double now_ns(clockid_t clock)
{
    struct timespec t;

    clock_gettime(clock, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

/* xorshift64* */
static uint64_t dice(uint64_t *state)
{
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    return *state * 0x2545f4914f6cdd1du;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a;
    double y = *(const double *)b;

    return (x > y) - (x < y);
}

typedef struct stats {
    double min;
    double median;
    double max;
} stats;

static stats stats_of(double *rounds, size_t count)
{
    qsort(rounds, count, sizeof *rounds, by_value);
    return (stats){.min = rounds[0], .median = rounds[count / 2], .max = rounds[count - 1]};
}

static stats given(double value)
{
    return (stats){.min = value, .median = value, .max = value};
}

static void tell(const char *name, const char *unit, stats ours, stats peer, double bar)
{
    double ratio = ours.median / peer.median;

    printf("{\"name\":\"%s\",\"ours\":%.6g,\"ours_min\":%.6g,\"ours_max\":%.6g,\"peer\":%.6g,\"peer_min\":%.6g,"
           "\"peer_max\":%.6g,\"unit\":\"%s\",\"ratio\":%.6g,\"bar\":%.6g,\"holds\":%s}\n",
           name, ours.median, ours.min, ours.max, peer.median, peer.min, peer.max, unit, ratio, bar,
           ratio <= bar ? "true" : "false");
    fflush(stdout);
}

static void fleet_init(fleet *f)
{
    memset(f, 0, sizeof *f);
    f->now_us = SECOND_US;
    f->dice = 88172645463325252u;
    f->actions = calloc(ACTIONS, sizeof *f->actions);
    must(f->actions && hb_core_new(NULL, f->now_us, WALL_MS, &f->core) == HB_OK, "no core");
    must(hb_core_configure(f->core, NULL, 0, 2 * IDLE_S * INT64_C(1000), true, NULL) == HB_OK, "no policy");
}

static void fleet_close(fleet *f)
{
    hb_core_free(f->core);
    for (size_t i = 0; i < f->page_count; i++)
        free(f->pages[i]);
    free(f->pages);
    free(f->tokens);
    free(f->actions);
}

static void add_page(fleet *f)
{
    uint32_t **pages = realloc(f->pages, (f->page_count + 1) * sizeof *pages);
    uint32_t *cells = calloc(HB_PAGE_CELLS, HB_CELL_BYTES);

    must(pages && cells && hb_core_add_page(f->core, cells) == HB_OK, "no page");
    f->pages = pages;
    f->pages[f->page_count++] = cells;
}

static void read_from(fleet *f, hb_token token)
{
    uint32_t slot = (uint32_t)token;

    __atomic_store_n(&f->pages[slot / HB_PAGE_CELLS][slot % HB_PAGE_CELLS], f->tick, __ATOMIC_RELAXED);
}

static size_t jid_of(char *text, size_t size, size_t number)
{
    return (size_t)snprintf(text, size, "user%08zu@example.org/phone", number);
}

/* Opens sessions up to `count`; each was last read from at a time of its own, so that they are not due together. */
static void fleet_grow(fleet *f, size_t count, bool anonymous)
{
    char jid[64];

    f->tokens = realloc(f->tokens, count * sizeof *f->tokens);
    must(f->tokens, "no memory");
    while (f->count < count) {
        int64_t read_us = f->now_us - (int64_t)(dice(&f->dice) % IDLE_S) * SECOND_US;
        hb_token *token = &f->tokens[f->count];
        if (read_us < 0)
            read_us = 0;
        int code = hb_core_open(f->core, HB_TCP, 0, read_us, read_us, token);
        if (code == HB_EFULL) {
            add_page(f);
            continue;
        }
        must(code == HB_OK, "no session");
        size_t length = jid_of(jid, sizeof jid, f->count);
        must(hb_core_bound(f->core, *token, jid, length, anonymous) == HB_OK, "not bound");
        must(hb_core_available(f->core, *token) == HB_OK, "not available");
        f->count++;
    }
}

/* One second: all that is due. Who is pinged, answers. Returns what the ticking thread was busy for. */
static double fleet_tick(fleet *f)
{
    int more = 1;
    double spent = 0;
    hb_order order;

    f->now_us += SECOND_US;
    while (more) {
        size_t count = 0;
        double start = now_ns(CLOCK_MONOTONIC);
        more = hb_core_advance(f->core, f->now_us, WALL_MS + f->now_us / 1000, f->actions, ACTIONS, &count, &f->tick);
        spent += now_ns(CLOCK_MONOTONIC) - start;
        must(more >= 0, "no tick");
        for (size_t i = 0; i < count; i++) {
            must(hb_core_begin(f->core, f->actions[i].token, (hb_verb)f->actions[i].verb, 0, f->now_us, &order) ==
                     HB_OK,
                 "not begun");
            read_from(f, f->actions[i].token);
        }
    }
    return spent;
}

static void fleet_read_some(fleet *f)
{
    for (size_t i = 0; i < f->count / READ_EVERY_S; i++)
        read_from(f, f->tokens[dice(&f->dice) % f->count]);
}

/* --- events: open + bind + presence + close, with so many others open ------------------------------------------------
 */

/* The life of a session: five calls. */
static void live(fleet *f, const char *jid, size_t length)
{
    hb_token token = 0;

    must(hb_core_open(f->core, HB_TCP, 0, f->now_us, f->now_us, &token) == HB_OK, "not opened");
    must(hb_core_bound(f->core, token, jid, length, false) == HB_OK, "not bound");
    must(hb_core_available(f->core, token) == HB_OK, "not available");
    must(hb_core_unavailable(f->core, token, NULL, 0, false) == HB_OK, "not unavailable");
    must(hb_core_closed(f->core, token) == HB_OK, "not closed");
}

/* One out of all users each time; the slots that are given away go round through all pages. */
static double lives(fleet *f, size_t users, size_t count)
{
    char jid[64];
    uint64_t state = f->dice;
    double start = now_ns(CLOCK_THREAD_CPUTIME_ID);

    for (size_t i = 0; i < count; i++) {
        size_t length = jid_of(jid, sizeof jid, dice(&state) % users);
        live(f, jid, length);
    }
    f->dice = state;
    return (now_ns(CLOCK_THREAD_CPUTIME_ID) - start) / (double)count;
}

static void run_events(void)
{
    static const size_t OPEN[] = {1000, 10000, 100000, 1000000};
    double rounds[ROUNDS_MAX];
    stats all[4];
    size_t sizes = smoke ? 2 : 4;
    size_t count = smoke ? 1000 : 20000;
    char name[128];

    for (size_t s = 0; s < sizes; s++) {
        fleet f;
        fleet_init(&f);
        fleet_grow(&f, OPEN[s], false);
        add_page(&f); /* room for those that come and go */
        (void)lives(&f, OPEN[s], count);
        size_t repeat = smoke ? 3 : 51;
        for (size_t i = 0; i < repeat; i++)
            rounds[i] = lives(&f, OPEN[s], count);
        all[s] = stats_of(rounds, repeat);
        fleet_close(&f);
        snprintf(name, sizeof name, "open + bind + presence + close, %zu open / 500,000 a second", OPEN[s]);
        tell(name, "ns", all[s], given(2000), 1);
    }
    tell("open + bind + presence + close, most open / 1,000 open", "ns", all[sizes - 1], all[0], 2);
}

/* --- threads: the same from several ----------------------------------------------------------------------------------
 */

typedef struct worker {
    pthread_t thread;
    fleet *f;
    size_t first;
    size_t count;
} worker;

static void *work(void *argument)
{
    worker *w = argument;
    char jid[64];

    for (size_t i = 0; i < w->count; i++) {
        size_t length = jid_of(jid, sizeof jid, w->first + i % 1000);
        live(w->f, jid, length);
    }
    return NULL;
}

static double from_threads(fleet *f, size_t threads, size_t count)
{
    worker workers[8];
    double start = now_ns(CLOCK_MONOTONIC);

    for (size_t i = 0; i < threads; i++) {
        workers[i] = (worker){.f = f, .first = i * 1000, .count = count / threads};
        must(pthread_create(&workers[i].thread, NULL, work, &workers[i]) == 0, "no thread");
    }
    for (size_t i = 0; i < threads; i++)
        pthread_join(workers[i].thread, NULL);
    return (now_ns(CLOCK_MONOTONIC) - start) / (double)count;
}

static void run_threads(void)
{
    static const size_t THREADS[] = {1, 2, 4, 8};
    static double rounds[4][ROUNDS_MAX];
    size_t repeat = smoke ? 3 : 51;
    size_t count = smoke ? 4000 : 80000;
    char name[128];
    stats all[4];
    fleet f;

    fleet_init(&f);
    fleet_grow(&f, smoke ? 1000 : 100000, false);
    add_page(&f);
    for (size_t i = 0; i < repeat; i++) {
        for (size_t t = 0; t < 4; t++)
            rounds[t][i] = from_threads(&f, THREADS[t], count);
    }
    fleet_close(&f);
    for (size_t t = 0; t < 4; t++) {
        all[t] = stats_of(rounds[t], repeat);
        snprintf(name, sizeof name, "events from %zu threads / from one", THREADS[t]);
        if (t)
            tell(name, "ns", all[t], all[0], 1);
    }
}

/* --- memory ----------------------------------------------------------------------------------------------------------
 */

static double in_use(void)
{
    struct mallinfo2 info = mallinfo2();

    return (double)(info.uordblks + info.hblkhd);
}

/* What the process has of the machine's memory, whoever asked for it. */
static double resident(void)
{
    FILE *file = fopen("/proc/self/statm", "r");
    unsigned long pages = 0;

    must(file && fscanf(file, "%*s %lu", &pages) == 1, "no /proc/self/statm");
    fclose(file);
    return (double)pages * (double)sysconf(_SC_PAGESIZE);
}

static void run_memory(void)
{
    size_t count = smoke ? 8 * HB_PAGE_CELLS : 256 * HB_PAGE_CELLS;
    char jid[64];
    fleet f;
    double text = (double)jid_of(jid, sizeof jid, 0);

    fleet_init(&f);
    /* As after hours: what is kept of the last sessions that ended is of one size, and full. And a page is there. */
    add_page(&f);
    for (size_t i = 0; i < HB_TRACE_RINGS * (size_t)HB_TRACES; i++)
        live(&f, jid, (size_t)text);
    size_t all = count + HB_PAGE_CELLS;
    f.tokens = malloc(all * sizeof *f.tokens);
    must(f.tokens, "no memory");
    memset(f.tokens, 1, all * sizeof *f.tokens);
    double before = resident();
    fleet_grow(&f, all, true);
    double peak = resident() - before;
    /* The same with the cells, which are the caller's: they are in it. */
    tell("native memory per session, without the text of its JID / 64 bytes", "bytes",
         given(peak / (double)count - text), given(64), 1);
    for (size_t i = 0; i < all; i++)
        must(hb_core_unavailable(f.core, f.tokens[i], NULL, 0, false) == HB_OK &&
                 hb_core_closed(f.core, f.tokens[i]) == HB_OK,
             "not closed");
    /* A page is given back in a tick. */
    for (size_t i = 0; i < all / HB_PAGE_CELLS + 10; i++)
        (void)fleet_tick(&f);
    tell("native memory after all sessions of a peak closed / at the peak", "bytes", given(resident() - before),
         given(peak), 0.1);
    fleet_close(&f);

    fleet_init(&f);
    add_page(&f);
    before = in_use();
    for (size_t i = 0; i < count; i++)
        live(&f, jid, jid_of(jid, sizeof jid, i));
    tell("memory per known user, with a name of 12 letters / 70 bytes", "bytes",
         given((in_use() - before) / (double)count), given(70), 1);
    fleet_close(&f);
}

/* --- growth ----------------------------------------------------------------------------------------------------------
 */

static void flush_caches(void)
{
    static volatile unsigned char *other;

    if (!other)
        other = calloc(1, FLUSH_BYTES);
    must(other != NULL, "no memory");
    for (size_t i = 0; i < FLUSH_BYTES; i += 64)
        other[i]++;
}

static stats tick_of(size_t sessions, size_t repeat)
{
    double rounds[ROUNDS_MAX];
    fleet f;

    fleet_init(&f);
    for (int i = 0; i < 2 * IDLE_S; i++)
        (void)fleet_tick(&f);
    fleet_grow(&f, sessions, true);
    /* Until nothing is left of how it began. */
    for (int i = 0; i < 2 * IDLE_S; i++) {
        fleet_read_some(&f);
        (void)fleet_tick(&f);
    }
    for (size_t i = 0; i < repeat; i++) {
        fleet_read_some(&f);
        flush_caches();
        rounds[i] = fleet_tick(&f) / (double)sessions;
    }
    fleet_close(&f);
    return stats_of(rounds, repeat);
}

/* --- machines: what consoles and machines read ---------------------------------------------------------------------
 */

#define PINGS_A_SECOND 2000 /* 100,000 sessions, each pinged every 50 s: more than a busy policy does */

static double list_of(const fleet *f, hb_list_query query)
{
    hb_listing *listing = NULL;
    double start = now_ns(CLOCK_MONOTONIC);

    must(hb_core_list(f->core, &query, &listing) == HB_OK, "no list");
    double spent = now_ns(CLOCK_MONOTONIC) - start;
    must(listing->count == query.limit || query.text, "too short a list");
    hb_listing_free(listing);
    return spent;
}

static double metrics_of(const fleet *f)
{
    static char text[HB_METRICS_BYTES];
    size_t length = 0;
    double start = now_ns(CLOCK_MONOTONIC);

    must(hb_core_metrics(f->core, true, text, sizeof text, &length) == HB_OK, "no metrics");
    return now_ns(CLOCK_MONOTONIC) - start;
}

/* What a second costs that is kept for the plots: a tick, and a round trip for each ping. */
static double kept(hb_series *series, hb_totals *now, int64_t wall_ms, uint64_t *state)
{
    double start = now_ns(CLOCK_MONOTONIC);

    for (size_t i = 0; i < PINGS_A_SECOND; i++)
        now->rtt[hb_rtt_bucket((uint32_t)(dice(state) % 4000000))]++;
    now->pings += PINGS_A_SECOND;
    hb_series_tick(series, now, wall_ms);
    return now_ns(CLOCK_MONOTONIC) - start;
}

static void remove_folder(const char *folder)
{
    DIR *files = opendir(folder);
    const struct dirent *entry;

    must(files != NULL, "no folder");
    while ((entry = readdir(files))) {
        if (entry->d_name[0] != '.')
            must(unlinkat(dirfd(files), entry->d_name, 0) == 0, "a file can not be removed");
    }
    (void)closedir(files);
    must(rmdir(folder) == 0, "the folder can not be removed");
}

/* The processor's time of the file that is written once a minute. It waits for the disk, and that time is nobody's. */
static double saved(const fleet *f, const char *folder)
{
    hb_error error;
    double start = now_ns(CLOCK_THREAD_CPUTIME_ID);

    must(hb_core_series_save(f->core, folder, &error) == HB_OK, "not saved");
    return now_ns(CLOCK_THREAD_CPUTIME_ID) - start;
}

static void run_machines(void)
{
    static const struct {
        const char *name;
        hb_list_query query;
    } LISTS[] = {{"by JID, the first page", {.limit = 100}},
                 {"by silence, the first page", {.limit = 100, .sort = HB_SORT_SILENT, .descending = true}},
                 {"by state, in the middle", {.limit = 100, .sort = HB_SORT_STATE, .offset = 50000}},
                 {"with a text", {.limit = 100, .text = "99@", .length = 3, .sort = HB_SORT_ENDS}}};
    static hb_series series;
    static hb_totals totals;
    static double rounds[ROUNDS_MAX];
    size_t repeat = smoke ? 3 : 51;
    size_t sessions = smoke ? 60000 : 100000;
    char folder[] = "/tmp/heartbeat-bench-XXXXXX";
    char name[96];
    fleet f;

    must(mkdtemp(folder) != NULL, "no folder");
    fleet_init(&f);
    fleet_grow(&f, sessions, false);
    for (size_t q = 0; q < sizeof LISTS / sizeof LISTS[0]; q++) {
        for (size_t i = 0; i < repeat; i++) {
            flush_caches();
            rounds[i] = list_of(&f, LISTS[q].query);
        }
        snprintf(name, sizeof name, "list of %zu sessions, %s", sessions, LISTS[q].name);
        tell(name, "ns", stats_of(rounds, repeat), given(50e6), 1);
    }
    for (size_t i = 0; i < repeat; i++) {
        flush_caches();
        rounds[i] = metrics_of(&f);
    }
    snprintf(name, sizeof name, "metrics of %zu sessions", sessions);
    tell(name, "ns", stats_of(rounds, repeat), given(20e6), 1);
    for (size_t i = 0; i < repeat; i++) {
        flush_caches();
        rounds[i] = kept(&series, &totals, WALL_MS + (int64_t)i * 1000, &f.dice);
        flush_caches();
        rounds[i] += saved(&f, folder) / 60;
    }
    tell("a second of the plots' data / a second of a core", "ns", stats_of(rounds, repeat), given(1e9), 0.001);
    fleet_close(&f);
    remove_folder(folder);
}

/* --- journal: what keeping last activity on disk costs, each session read from in each second ------------------------
 *
 * The processor's time of the thread that flushes, with the snapshots that fall due on the way, and the bytes that it
 * writes; of a mean second. It waits for the disk as it does in life, and that time is nobody's.
 */

static double written_of(const fleet *f)
{
    static char text[HB_METRICS_BYTES];
    static const char name[] = "\nheartbeat_journal_written_bytes_total ";
    size_t length = 0;

    must(hb_core_metrics(f->core, false, text, sizeof text - 1, &length) == HB_OK, "no metrics");
    text[length] = '\0';
    const char *at = strstr(text, name);
    must(at != NULL, "no such metric");
    return strtod(at + sizeof name - 1, NULL);
}

static void run_journal(void)
{
    static double rounds[ROUNDS_MAX];
    char folder[] = "/tmp/heartbeat-bench-XXXXXX";
    char name[96];
    size_t sessions = smoke ? 1000 : 10000;
    size_t seconds = smoke ? 3 : 120;
    double spent = 0;
    hb_error error;
    fleet f;

    must(mkdtemp(folder) != NULL, "no folder");
    fleet_init(&f);
    must(hb_core_journal_open(f.core, folder, NULL, NULL, NULL, &error) == HB_OK, "no journal");
    fleet_grow(&f, sessions, false);
    (void)fleet_tick(&f);
    must(hb_core_journal_flush(f.core, NULL, NULL, &error) == HB_OK, "not flushed");
    double before = written_of(&f);
    for (size_t s = 0; s < seconds; s++) {
        for (size_t i = 0; i < f.count; i++)
            read_from(&f, f.tokens[i]);
        (void)fleet_tick(&f);
        flush_caches();
        double start = now_ns(CLOCK_THREAD_CPUTIME_ID);
        must(hb_core_journal_flush(f.core, NULL, NULL, &error) == HB_OK, "not flushed");
        rounds[s] = now_ns(CLOCK_THREAD_CPUTIME_ID) - start;
        spent += rounds[s];
    }
    stats all = stats_of(rounds, seconds);
    all.median = spent / (double)seconds;
    snprintf(name, sizeof name, "journal, %zu sessions read every second: time / a second of a core", sessions);
    tell(name, "ns", all, given(1e9), 0.02);
    snprintf(name, sizeof name, "journal, %zu sessions read every second: written a second / 1 MB", sessions);
    tell(name, "bytes", given((written_of(&f) - before) / (double)seconds), given(1e6), 1);
    fleet_close(&f);
    remove_folder(folder);
}

static void draw(const char *file, const size_t *sizes, const stats *all, size_t count)
{
    FILE *out = fopen(file, "w");
    const double left = 70, right = 690, bottom = 340, top = 40;
    double most = 0;

    must(out != NULL, "the plot can not be written");
    for (size_t i = 0; i < count; i++)
        most = all[i].median > most ? all[i].median : most;
    fprintf(out,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 720 400\" font-family=\"sans-serif\" "
            "font-size=\"12\">\n<rect width=\"720\" height=\"400\" fill=\"white\"/>\n"
            "<text x=\"360\" y=\"22\" text-anchor=\"middle\">ns per session per tick, caches flushed before each tick"
            "</text>\n<path d=\"M%.0f %.0fV%.0fH%.0f\" fill=\"none\" stroke=\"black\"/>\n",
            left, top, bottom, right);
    fprintf(out, "<path fill=\"none\" stroke=\"#06c\" stroke-width=\"2\" d=\"");
    for (size_t pass = 0; pass < 2; pass++) {
        for (size_t i = 0; i < count; i++) {
            double x = left + 20 +
                       (right - left - 40) * log10((double)sizes[i] / (double)sizes[0]) /
                           log10((double)sizes[count - 1] / (double)sizes[0]);
            double y = bottom - (bottom - top - 20) * all[i].median / most;
            if (!pass)
                fprintf(out, "%c%.1f %.1f", i ? 'L' : 'M', x, y);
            else
                fprintf(
                    out,
                    "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"3\" fill=\"#06c\"/><text x=\"%.1f\" y=\"%.1f\" "
                    "text-anchor=\"middle\">%.2f</text><text x=\"%.1f\" y=\"%.0f\" text-anchor=\"middle\">%zu</text>\n",
                    x, y, x, y - 8, all[i].median, x, bottom + 18, sizes[i]);
        }
        if (!pass)
            fprintf(out, "\"/>\n");
    }
    fprintf(out, "<text x=\"380\" y=\"385\" text-anchor=\"middle\">sessions, each read from every 30 s on average, "
                 "idle 180 s (make bench-growth)</text>\n</svg>\n");
    must(fclose(out) == 0, "the plot can not be written");
}

static void run_growth(const char *file)
{
    static const size_t SIZES[] = {1000, 4000, 16000, 64000, 250000, 1000000, 2000000, 4000000};
    stats all[8];
    size_t count = smoke ? 2 : 8;

    for (size_t i = 0; i < count; i++) {
        all[i] = tick_of(SIZES[i], smoke ? 3 : 61);
        fprintf(stderr, "%8zu sessions: %.3f ns per session per tick\n", SIZES[i], all[i].median);
    }
    draw(file, SIZES, all, count);
}

int main(int argc, char **argv)
{
    must(argc >= 3, "usage: bench_core GROUP full|smoke, bench_core growth FILE full|smoke");
    smoke = strcmp(argv[argc - 1], "smoke") == 0;
    if (strcmp(argv[1], "events") == 0)
        run_events();
    else if (strcmp(argv[1], "threads") == 0)
        run_threads();
    else if (strcmp(argv[1], "memory-native") == 0)
        run_memory();
    else if (strcmp(argv[1], "machines") == 0)
        run_machines();
    else if (strcmp(argv[1], "journal") == 0)
        run_journal();
    else if (strcmp(argv[1], "growth") == 0)
        run_growth(argv[2]);
    else
        must(false, "there is no such group");
    return 0;
}
