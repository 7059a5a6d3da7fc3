#include "replay.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core.h"

#define LINE_BYTES 400
#define MAX_WORDS 18
#define MAX_ACTIONS 65536
#define MAX_US (INT64_C(1) << 53)
#define WALL_MS INT64_C(1700000000000) /* decides nothing */

typedef struct play {
    hb_core *core;
    uint32_t **cells; /* of each page */
    size_t max_pages;
    int64_t now_us;
    bool begun;
    size_t stalls;
    hb_action *actions; /* of the tick that is under way */
    size_t capacity;
    size_t count;
    size_t compared;
    bool more;
    bool ticking;
    char words_text[LINE_BYTES];
    char *words[MAX_WORDS];
    size_t word_count;
    const char *answer; /* what is behind the arrow, or NULL */
    replay_result *result;
} play;

__attribute__((format(printf, 3, 4))) static void end(play *p, replay_end how, const char *format, ...)
{
    va_list arguments;
    if (p->result->end != REPLAY_SAME) {
        return; /* the first counts */
    }
    p->result->end = how;
    va_start(arguments, format);
    (void)vsnprintf(p->result->said, sizeof p->result->said, format, arguments);
    va_end(arguments);
}

static bool over(const play *p)
{
    return p->result->end != REPLAY_SAME;
}

/* Words of a line. Whatever is missing or out of its range breaks it. */

static uint64_t number(play *p, size_t i, uint64_t max)
{
    char *rest = NULL;
    uint64_t value = 0;
    if (i < p->word_count && p->words[i][0] >= '0' && p->words[i][0] <= '9' && strlen(p->words[i]) <= 20) {
        value = strtoull(p->words[i], &rest, 10);
    }
    if (!rest || *rest || value > max) {
        end(p, REPLAY_BROKEN, "word %zu is no number up to %" PRIu64, i + 1, max);
        return 0;
    }
    return value;
}

static uint32_t number32(play *p, size_t i, uint32_t max)
{
    return (uint32_t)number(p, i, max);
}

static int64_t time_us(play *p, size_t i)
{
    return (int64_t)number(p, i, MAX_US);
}

/* s12.3: slot 12, for the third time. */
static hb_token token(play *p, size_t i)
{
    unsigned slot = 0;
    unsigned generation = 0;
    char rest = 0;
    if (i >= p->word_count || strlen(p->words[i]) > 22 ||
        sscanf(p->words[i], "s%10u.%10u%c", &slot, &generation, &rest) != 2 || generation == 0 ||
        generation > INT32_MAX || slot / HB_PAGE_CELLS >= p->core->page_count) {
        end(p, REPLAY_BROKEN, "word %zu is no session", i + 1);
        return 0;
    }
    return (hb_token)generation << 32 | slot;
}

static bool is(const play *p, size_t i, const char *word)
{
    return i < p->word_count && strcmp(p->words[i], word) == 0;
}

/* Answers. */

static void compare(play *p, const char *replayed)
{
    p->result->decisions++;
    if (!p->answer) {
        end(p, REPLAY_BROKEN, "an answer is missing");
    } else if (strcmp(p->answer, replayed) != 0) {
        end(p, REPLAY_DIFFERS, "recorded %s, replayed %s", p->answer, replayed);
    }
}

static void compare_code(play *p, int code)
{
    char text[16];
    (void)snprintf(text, sizeof text, "%d", code);
    compare(p, text);
}

/* Fails a line that has no answer in the recording. */
static void expect_ok(play *p, int code)
{
    if (code != HB_OK) {
        end(p, REPLAY_DIFFERS, "recorded 0, replayed %d", code);
    }
}

/* What it was before the recording began. */

static void do_clock(play *p)
{
    hb_clock *clock = &p->core->clock;
    clock->tick = number32(p, 1, INT32_MAX);
    clock->tick_us = time_us(p, 2);
    clock->slept_us = time_us(p, 3);
    clock->wall_base = WALL_MS;
}

static void do_stall(play *p)
{
    hb_clock *clock = &p->core->clock;
    uint32_t tick = number32(p, 1, clock->tick ? clock->tick - 1 : 0);
    int64_t before_us = time_us(p, 2);
    if (p->stalls == HB_CLOCK_STALLS || (p->stalls && tick <= clock->stalls[p->stalls - 1].tick)) {
        end(p, REPLAY_BROKEN, "too many stalls, or in a wrong order");
        return;
    }
    clock->stalls[p->stalls++] = (hb_stall){.tick = tick, .before_us = before_us};
    clock->stall_count = p->stalls;
}

static void do_core(play *p)
{
    hb_core *core = p->core;
    size_t slots = p->max_pages * HB_PAGE_CELLS;
    core->seed = number(p, 1, UINT64_MAX);
    core->cursor = (size_t)number(p, 2, slots);
    core->first = (size_t)number(p, 3, slots);
    core->wrapped = number(p, 4, 1);
    core->held = number32(p, 5, UINT32_MAX);
    core->pinged = number32(p, 6, UINT32_MAX);
    core->stopped = number(p, 7, 1);
    core->advanced_us = time_us(p, 8);
    core->doubted_us = time_us(p, 9);
}

static void do_policy(play *p)
{
    const uint32_t longest = HB_OWN_MAX;
    hb_policy policy = {.idle = number32(p, 1, longest),
                        .ack_timeout = number32(p, 2, longest),
                        .retries = number32(p, 3, 10),
                        .spread = number32(p, 4, longest),
                        .login_within = number32(p, 5, longest),
                        .pings_per_tick = number32(p, 6, 1000000),
                        .on_dead = (hb_on_dead)number32(p, 7, HB_ON_DEAD_CUT),
                        .ping = number(p, 8, 1)};
    if (policy.spread && policy.spread >= policy.idle) {
        end(p, REPLAY_BROKEN, "spread is less than idle");
    } else if (!over(p)) {
        hb_core_set_policy(p->core, &policy);
    }
}

static void do_page(play *p)
{
    size_t count = p->core->page_count;
    uint32_t **grown = count < p->max_pages ? realloc(p->cells, (count + 1) * sizeof *grown) : NULL;
    if (!grown) {
        end(p, REPLAY_BROKEN, "more sessions than can be replayed");
        return;
    }
    p->cells = grown;
    p->cells[count] = calloc(HB_PAGE_CELLS, HB_CELL_BYTES);
    int code = p->cells[count] ? hb_core_add_page(p->core, p->cells[count]) : HB_ENOMEM;
    if (code != HB_OK) {
        free(p->cells[count]);
        end(p, REPLAY_BROKEN, "%s", hb_strerror(code));
    }
}

/* Slots are given away in the recording's order: takes this one out of the middle of the free ones. */
static bool make_free_slot(play *p, uint32_t slot)
{
    hb_core *core = p->core;
    size_t at_page = slot / HB_PAGE_CELLS;
    int code = hb_slots_wake(core, at_page);
    if (code < 0) {
        end(p, REPLAY_BROKEN, "%s", hb_strerror(code));
        return false;
    }
    if (hb_slot_at(core, slot)->session.phase != HB_FREE) {
        end(p, REPLAY_DIFFERS, "the slot is not free");
        return false;
    }
    hb_shelf *shelf = &core->shelves[at_page];
    hb_slot *slots = core->pages[at_page]->slots;
    uint16_t wanted = (uint16_t)hb_index_of(slot);
    if (shelf->first != wanted) {
        uint16_t before = shelf->first;
        while (slots[before].next != wanted) {
            before = (uint16_t)slots[before].next;
        }
        slots[before].next = slots[wanted].next;
        if (shelf->last == wanted) {
            shelf->last = before;
        }
        slots[wanted].next = shelf->first;
        shelf->first = wanted;
    }
    shelf->since = core->clock.tick - HB_REST_TICKS;
    hb_lane_of(core)->page = at_page;
    return true;
}

static hb_token open_slot(play *p, hb_token wanted, hb_transport transport, uint32_t own, int64_t opened, int64_t read)
{
    uint32_t slot = (uint32_t)wanted;
    hb_token opened_as = 0;
    if (over(p) || !make_free_slot(p, slot)) {
        return 0;
    }
    hb_slot_at(p->core, slot)->generation = (uint32_t)(wanted >> 32);
    expect_ok(p, hb_core_open(p->core, transport, own, opened, read, &opened_as));
    return opened_as;
}

static bool state_is_possible(const hb_session *session, bool named)
{
    bool needs_name = session->phase != HB_CONNECTED && session->phase != HB_CLOSING;
    return session->phase != HB_FREE && (named || (!needs_name && !(session->flags & HB_S_AVAILABLE))) &&
           !(named && session->phase == HB_CONNECTED);
}

static void do_session(play *p)
{
    hb_token t = token(p, 1);
    uint32_t own = number32(p, 2, UINT32_MAX);
    uint32_t slot = (uint32_t)t;
    size_t i = hb_index_of(slot);
    hb_session session = {.phase = (uint8_t)number(p, 3, HB_CLOSED),
                          .since = number32(p, 4, UINT32_MAX),
                          .flags = (uint8_t)number(p, 5, 63),
                          .pings = (uint8_t)number(p, 6, UINT8_MAX),
                          .why = (uint8_t)number(p, 7, HB_WHY_COUNT - 1)};
    uint32_t due = number32(p, 8, UINT32_MAX);
    bool follows = number(p, 9, 1);
    uint32_t read = number32(p, 10, UINT32_MAX);
    int64_t answered_us = time_us(p, 11);
    bool named = p->word_count > 12 && !is(p, 12, "-");
    bool anonymous = is(p, 13, "anonymous");
    if (over(p) || !state_is_possible(&session, named)) {
        end(p, REPLAY_BROKEN, "no such state of a session");
        return;
    }
    uint32_t silence = own & ((1u << HB_OWN_BITS) - 1);
    if (own >> HB_OWN_BITS > HB_BOSH || silence > HB_OWN_MAX) {
        end(p, REPLAY_BROKEN, "no such transport");
        return;
    }
    if (!open_slot(p, t, (hb_transport)(own >> HB_OWN_BITS), silence, 0, 0)) {
        return;
    }
    if (named) {
        expect_ok(p, hb_core_bound(p->core, t, p->words[12], strlen(p->words[12]), anonymous));
    }
    if (over(p)) {
        return;
    }
    hb_page *page = hb_page_of(p->core, slot);
    if (session.phase == HB_CLOSED) {
        hb_slot_unlink(p->core, slot);
    }
    hb_slot_set(p->core, slot, session, 0); /* the block is looked at by the next tick */
    page->slots[i].due = due;
    p->core->blocks[slot / HB_TIMERS_BLOCK].follows |= (uint64_t)follows << i % HB_TIMERS_BLOCK;
    page->slots[i].answered_us = answered_us;
    *hb_cell_of(p->core, slot) = read;
}

static void do_begin_recording(play *p)
{
    const hb_core *core = p->core;
    size_t slots = core->page_count * HB_PAGE_CELLS;
    p->begun = true;
    if (core->cursor > slots || core->first > slots || (core->held != HB_NO_SLOT && core->held >= slots)) {
        end(p, REPLAY_BROKEN, "there is no such slot to begin with");
    }
}

/* What happened. */

static bool parse_transport(const char *text, hb_transport *out)
{
    for (hb_transport t = HB_TCP; t <= HB_BOSH; t++) {
        if (strcmp(text, hb_transport_name(t)) == 0) {
            *out = t;
            return true;
        }
    }
    return false;
}

static void do_open(play *p)
{
    hb_transport transport = HB_TCP;
    hb_token t = token(p, 1);
    if (p->word_count < 6 || !parse_transport(p->words[2], &transport)) {
        end(p, REPLAY_BROKEN, "no such transport");
        return;
    }
    uint32_t own = number32(p, 3, HB_OWN_MAX);
    int64_t opened_us = time_us(p, 4);
    int64_t read_us = time_us(p, 5);
    (void)open_slot(p, t, transport, own, opened_us, read_us);
}

static void do_bound(play *p)
{
    hb_token t = token(p, 1);
    if (p->word_count < 3) {
        end(p, REPLAY_BROKEN, "nobody is named");
    } else if (!over(p)) {
        expect_ok(p, hb_core_bound(p->core, t, p->words[2], strlen(p->words[2]), is(p, 3, "anonymous")));
    }
}

static void do_read(play *p)
{
    hb_token t = token(p, 1);
    uint32_t tick = number32(p, 2, UINT32_MAX);
    if (!over(p)) {
        p->cells[(uint32_t)t / HB_PAGE_CELLS][(uint32_t)t % HB_PAGE_CELLS] = tick;
    }
}

static void do_available(play *p)
{
    hb_token t = token(p, 1);
    compare_code(p, hb_core_available(p->core, t));
}

static void do_unavailable(play *p)
{
    hb_token t = token(p, 1);
    compare_code(p, hb_core_unavailable(p->core, t, NULL, 0, is(p, 0, "told")));
}

static void do_idle(play *p)
{
    hb_token t = token(p, 1);
    compare_code(p, hb_core_idle(p->core, t, p->now_us));
}

static void do_charge(play *p)
{
    compare_code(p, hb_core_in_charge(p->core, p->now_us));
}

static void do_pong(play *p)
{
    char id[HB_PINGID_LENGTH + 1] = "-";
    hb_token t = token(p, 1);
    if (!is(p, 2, "-")) {
        hb_token of = token(p, 2);
        int64_t sent_us = time_us(p, 3);
        if (!over(p)) {
            expect_ok(p, hb_pingid_make(p->core->ping_key, of, sent_us, id));
        }
    }
    compare_code(p, hb_core_pong(p->core, t, id, strlen(id), p->now_us));
}

static void do_detached(play *p)
{
    hb_token t = token(p, 1);
    compare_code(p, hb_core_detached(p->core, t));
}

static void do_closed(play *p)
{
    hb_token t = token(p, 1);
    compare_code(p, hb_core_closed(p->core, t));
}

static void do_resumed(play *p)
{
    hb_token from = token(p, 1);
    hb_token to = token(p, 2);
    compare_code(p, hb_core_resumed(p->core, from, to));
}

static void do_begin(play *p)
{
    hb_order order = {.verb = HB_NOTHING};
    hb_token t = token(p, 1);
    hb_verb verb = HB_NOTHING;
    for (hb_verb v = HB_NOTHING; v <= HB_UNAVAILABLE; v++) {
        verb = is(p, 2, hb_verb_name(v)) ? v : verb;
    }
    int code = hb_core_begin(p->core, t, verb, is(p, 3, "resumable") ? HB_FACT_RESUMABLE : 0, p->now_us, &order);
    if (code < 0) {
        compare_code(p, code);
    } else {
        compare(p, hb_verb_name(order.verb));
    }
}

static void do_ask(play *p)
{
    hb_action action;
    hb_token t = token(p, 1);
    compare_code(p, hb_core_ask(p->core, t, is(p, 2, "ping") ? HB_PING : HB_DISCONNECT, &action));
}

static void do_stop(play *p)
{
    hb_core_stop(p->core);
}

static void do_tick(play *p)
{
    p->capacity = (size_t)number(p, 1, MAX_ACTIONS);
    if (!p->capacity || p->ticking) {
        end(p, REPLAY_BROKEN, "a tick without room, or within another one");
        return;
    }
    p->ticking = true;
    p->count = p->compared = 0;
    p->more = false;
    hb_advance_begin(p->core, p->now_us, WALL_MS + p->now_us / 1000);
}

static void do_scan(play *p)
{
    uint64_t pages = number(p, 1, UINT32_MAX);
    if (!p->ticking) {
        end(p, REPLAY_BROKEN, "a scan without a tick");
    }
    for (uint64_t i = 0; !over(p) && i < pages; i++) {
        if (!hb_advance_part(p->core, p->actions, p->capacity, &p->count, &p->more)) {
            end(p, REPLAY_DIFFERS, "recorded %" PRIu64 " pages, replayed %" PRIu64, pages, i);
        }
    }
}

/* "=> VERB SESSION WHY", "=> more", "=> end". */
static void compare_action(play *p)
{
    char replayed[96];
    if (!p->ticking) {
        end(p, REPLAY_BROKEN, "an action without a tick");
        return;
    }
    p->result->decisions++;
    if (p->compared == p->count) {
        size_t looked = p->count;
        bool rest = hb_advance_part(p->core, p->actions, p->capacity, &looked, &p->more);
        (void)snprintf(replayed, sizeof replayed, "%s", rest ? "pages" : p->more ? "more" : "end");
        p->ticking = false;
    } else {
        const hb_action *a = &p->actions[p->compared++];
        (void)snprintf(replayed, sizeof replayed, "%s s%u.%u %s", hb_verb_name((hb_verb)a->verb), (uint32_t)a->token,
                       (uint32_t)(a->token >> 32), hb_reason_name((hb_reason)a->why));
    }
    if (strcmp(p->answer, replayed) != 0) {
        end(p, REPLAY_DIFFERS, "recorded %s, replayed %s", p->answer, replayed);
    }
}

static void do_full(play *p)
{
    p->result->cut = true;
}

static const struct command {
    const char *name;
    bool timed;
    bool before; /* a line of what was before the recording began */
    bool after;
    void (*run)(play *p);
} commands[] = {
    {"clock", false, true, false, do_clock},
    {"stall", false, true, false, do_stall},
    {"core", false, true, false, do_core},
    {"policy", false, true, true, do_policy},
    {"page", false, true, true, do_page},
    {"session", false, true, false, do_session},
    {"begin", false, true, false, do_begin_recording},
    {"open", false, false, true, do_open},
    {"bound", false, false, true, do_bound},
    {"read", false, false, true, do_read},
    {"available", false, false, true, do_available},
    {"unavailable", false, false, true, do_unavailable},
    {"told", false, false, true, do_unavailable},
    {"idle", true, false, true, do_idle},
    {"charge", true, false, true, do_charge},
    {"pong", true, false, true, do_pong},
    {"detached", false, false, true, do_detached},
    {"closed", false, false, true, do_closed},
    {"resumed", false, false, true, do_resumed},
    {"begin", true, false, true, do_begin},
    {"ask", false, false, true, do_ask},
    {"stop", false, false, true, do_stop},
    {"tick", true, false, true, do_tick},
    {"scan", false, false, true, do_scan},
    {"full", false, true, true, do_full},
};

/* "12.345678" in microseconds; -1: it is none. */
static int64_t parse_time(const char *text)
{
    size_t whole = strspn(text, "0123456789");
    if (whole == 0 || whole > 9 || text[whole] != '.' || strspn(text + whole + 1, "0123456789") != 6 ||
        strlen(text) != whole + 7) {
        return -1;
    }
    return strtoll(text, NULL, 10) * 1000000 + strtoll(text + whole + 1, NULL, 10);
}

static void split(play *p)
{
    char *rest = NULL;
    char *arrow = strstr(p->words_text, "=> ");
    p->answer = arrow ? arrow + 3 : NULL;
    p->word_count = 0;
    if (arrow) {
        *arrow = '\0';
    }
    for (char *word = strtok_r(p->words_text, " ", &rest); word && p->word_count < MAX_WORDS;
         word = strtok_r(NULL, " ", &rest)) {
        p->words[p->word_count++] = word;
    }
}

static void play_line(play *p)
{
    split(p);
    if (!p->word_count) {
        if (p->answer && p->begun) {
            compare_action(p);
        } else {
            end(p, REPLAY_BROKEN, "an empty line");
        }
        return;
    }
    bool timed = p->words[0][0] >= '0' && p->words[0][0] <= '9';
    if (timed) {
        p->now_us = parse_time(p->words[0]);
        memmove(p->words, p->words + 1, --p->word_count * sizeof p->words[0]);
    }
    for (size_t i = 0; p->now_us >= 0 && i < sizeof commands / sizeof commands[0]; i++) {
        const struct command *c = &commands[i];
        if (is(p, 0, c->name) && c->timed == timed && (p->begun ? c->after : c->before)) {
            p->result->events += p->begun && c->run != do_read && c->run != do_scan;
            c->run(p);
            return;
        }
    }
    end(p, REPLAY_BROKEN, "no such line here");
}

static void play_text(play *p, const char *text, size_t length)
{
    const char *stop = text + length;
    while (text < stop && !over(p) && !p->result->cut) {
        const char *newline = memchr(text, '\n', (size_t)(stop - text));
        if (!newline) {
            break; /* cut off while it was written: what is whole counts */
        }
        size_t size = (size_t)(newline - text);
        p->result->line++;
        if (size >= LINE_BYTES || memchr(text, '\0', size)) {
            end(p, REPLAY_BROKEN, "too long a line");
            break;
        }
        memcpy(p->words_text, text, size);
        p->words_text[size] = '\0';
        if (p->result->line == 1) {
            if (strcmp(p->words_text, "heartbeat-recording 1") != 0) {
                end(p, REPLAY_BROKEN, "this is no recording");
            }
        } else {
            play_line(p);
        }
        text = newline + 1;
    }
    if (!p->begun) {
        end(p, REPLAY_BROKEN, "it ends before it begins");
    }
}

replay_result replay_text(const char *text, size_t length, size_t max_pages)
{
    replay_result result = {.end = REPLAY_SAME};
    play p = {.result = &result, .max_pages = max_pages};
    const hb_core_options options = {.seed = 1};
    p.actions = calloc(MAX_ACTIONS, sizeof *p.actions);
    if (!p.actions || hb_core_new(&options, 0, WALL_MS, &p.core) < 0) {
        end(&p, REPLAY_BROKEN, "out of memory");
    } else {
        play_text(&p, text, length);
        size_t pages = p.core->page_count;
        hb_core_free(p.core);
        for (size_t i = 0; i < pages; i++) {
            free(p.cells[i]);
        }
    }
    free((void *)p.cells);
    free(p.actions);
    return result;
}
