/*
 * support.h - what the tests of the core share: a core with pages of cells and a clock that only the test moves.
 *
 * Time     rig.now_us is monotonic; rig_step moves it second by second and calls hb_core_advance on each whole second
 *          (counted from the origin), as the ticking thread does. rig_stall moves it without a tick.
 * Errors   What can not do its work fails the running cmocka test.
 */
#ifndef HEARTBEAT_TESTS_SUPPORT_H
#define HEARTBEAT_TESTS_SUPPORT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "heartbeat.h"

#define RIG_PAGES 64
#define RIG_ACTIONS 16384
#define RIG_WALL_MS INT64_C(1700000000000) /* the wall time of the origin */

typedef struct rig_due {
    hb_action action;
    int64_t second; /* since the origin */
} rig_due;

typedef struct rig {
    hb_core *core;
    uint32_t *pages[RIG_PAGES];
    size_t page_count;
    int64_t origin_us;
    int64_t now_us;
    int64_t wall_ms; /* the wall time of the origin; tests move it to make the wall clock jump */
    uint32_t tick;   /* what advance told to write into cells */
    rig_due *due;    /* actions that nobody has taken yet, oldest first */
    size_t due_count;
} rig;

/* A core with a fixed key and seed at origin_us, ticked once, with one page. */
void rig_init(rig *r, int64_t origin_us);
void rig_close(rig *r);
void rig_add_page(rig *r);

/* The wall time of now. */
int64_t rig_wall_ms(const rig *r);

/* Whole seconds since the origin. */
int64_t rig_second(const rig *r);

/* Takes a policy that must be right. json may be NULL. */
void rig_policy(rig *r, const char *json, int64_t idle_ms, bool ping);

/* A connection opened and read from now; pages are added as they are needed. */
hb_token rig_open(rig *r);

/* rig_open, then bound as jid and available if so wished. */
hb_token rig_login(rig *r, const char *jid, bool available);

/* A byte comes in over the session's connection. */
void rig_read(rig *r, hb_token token);
uint32_t *rig_cell(const rig *r, hb_token token);

/* Calls advance with the present time until nothing more is due. */
void rig_tick(rig *r);

/* Moves to `second` (since the origin) with a tick each second; returns at the first one that something is due at. */
void rig_step(rig *r, int64_t second);

/* Moves the time without a tick; the tick after it is rig_tick's. */
void rig_stall(rig *r, int64_t second);

/* Takes the oldest action that is due; false if there is none. */
bool rig_take(rig *r, rig_due *out);

/* Asserts that nothing comes up to `second` and moves there. */
#define rig_quiet(r, second) rig_quiet_at(r, second, __FILE__, __LINE__)
void rig_quiet_at(rig *r, int64_t second, const char *file, int line);

/* Asserts that the next action comes exactly at `second`, and is this one; moves there. */
#define rig_expect(r, second, token, verb, why) rig_expect_at(r, second, token, verb, why, __FILE__, __LINE__)
void rig_expect_at(rig *r, int64_t second, hb_token token, hb_verb verb, hb_reason why, const char *file, int line);

/* hb_core_begin, asserting the order's verb. The order's text is NUL-terminated in rig_text. */
#define rig_begin(r, token, verb, facts, expected) rig_begin_at(r, token, verb, facts, expected, __FILE__, __LINE__)
void rig_begin_at(rig *r, hb_token token, hb_verb verb, unsigned facts, hb_verb expected, const char *file, int line);
extern char rig_text[HB_JID_MAX + 1];

/* A new, empty folder, and its path. */
#define FOLDER_PATH 256
void folder_new(char path[FOLDER_PATH]);

/* Calls for each file. */
void folder_each(const char *path, void (*visit)(void *to, const char *file, const char *name), void *to);
void folder_empty(const char *path);

/* Its files as they are now, to another folder, in which the others stay. Not the lock, which a core may hold. */
void folder_copy(const char *from, char *to);

/* Files whose name begins so. */
int folder_count(const char *path, const char *prefix);

/* With the files in it. */
void folder_remove(const char *path);

/* snprintf that fails the test when the text does not fit. */
__attribute__((format(printf, 3, 4))) void text_print(char *out, size_t size, const char *format, ...);

const char *verb_name(unsigned verb);
const char *reason_name(unsigned why);

/* xorshift64*: the same sequence everywhere for one seed. */
typedef struct dice {
    uint64_t state;
} dice;
uint64_t dice_next(dice *d);
uint32_t dice_below(dice *d, uint32_t limit);
bool dice_percent(dice *d, uint32_t chance);

#endif
