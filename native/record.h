/*
 * record.h - writes down every event that the core is given, every read that it sees and every decision, so that they
 * can be replayed elsewhere (tests/recordings/README.md says what the lines are).
 *
 * While it is on the core looks at copies of the cells, which move only when it is about to look and are written down
 * then: what it saw is exactly what the recording says. Nobody is named: of a JID only keyed hashes are written, whose
 * key is overwritten at the end.
 *
 * Time     In the recording: seconds with six digits after the point, or ticks.
 * Memory   A buffer of one size, and the copies: four bytes for each slot.
 * Threads  The caller holds the core's lock.
 * Errors   What finds no room any more ends the recording with a line that says so.
 */
#ifndef HB_RECORD_H
#define HB_RECORD_H

#include "heartbeat.h"
#include "policy.h"

#define HB_RECORD_NAME 32 /* bytes of a name that stands for a JID */

typedef struct hb_recorder {
    size_t capacity;
    size_t length;
    uint64_t key[2]; /* of the hashes */
    size_t scans;    /* parts that a tick looked at, not yet written down */
    bool full;       /* nothing more is written */
    char text[];
} hb_recorder;

/* HB_ENOMEM, HB_ECRYPTO. It begins with the next tick. */
int hb_recorder_new(size_t capacity, hb_recorder **out);

/* The core looks at the cells themselves again. */
void hb_recorder_end(hb_core *core);

/* Goes over to core->recorder_next, and writes down everything that decides as it is now. */
void hb_record_begin(hb_core *core);

/* The core is about to look at a session, or at the block of 64 that begins with this slot. */
void hb_record_see(hb_core *core, uint32_t slot);
void hb_record_see_block(hb_core *core, uint32_t first);

/* A line of an event; hb_record_answer goes on with a line that has no end yet. */
__attribute__((format(printf, 2, 3))) void hb_record(hb_core *core, const char *format, ...);
void hb_record_event(hb_core *core, uint32_t slot, const char *event);
void hb_record_timed(hb_core *core, int64_t now_us, uint32_t slot, const char *event); /* HB_NO_SLOT: of nobody */
void hb_record_word(hb_core *core, const char *word);
void hb_record_answer(hb_core *core, int code);

void hb_record_open(hb_core *core, uint32_t slot, int64_t opened_us, int64_t read_us);
void hb_record_bound(hb_core *core, uint32_t slot);
void hb_record_pong(hb_core *core, uint32_t slot, const char *id, size_t length, int64_t now_us);
void hb_record_begun(hb_core *core, int64_t now_us, uint32_t slot, hb_verb verb, unsigned facts);
void hb_record_order(hb_core *core, int code, const hb_order *order);
void hb_record_policy(hb_core *core);
void hb_record_page(hb_core *core);
void hb_record_tick(hb_core *core, int64_t now_us, size_t capacity);
void hb_record_actions(hb_core *core, const hb_action *out, size_t count, bool more);

#endif
