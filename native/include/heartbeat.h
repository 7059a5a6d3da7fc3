/*
 * heartbeat.h - the core of Openfire Heartbeat: decides when a client session is pinged, disconnected and told gone.
 *
 * Events go in by one call each (hb_core_open, _bound, _available, ...). What is due by time comes out of
 * hb_core_advance as actions. Whoever carries an action out asks hb_core_begin first: the core then has its last word,
 * because time passes between the decision and the deed.
 *
 * Time     Monotonic time is int64_t microseconds (`_us`) from an origin of the caller's choice, never negative.
 *          Wall time is int64_t milliseconds since 1970 UTC (`_ms`). Decisions are made on ticks: the core's clock is a
 *          count of seconds that moves in hb_core_advance only, and stands still while nobody calls it. So a stall of
 *          the ticking thread ages nobody. Pings may come up to one tick early, disconnects never do (but for the
 *          tenth of a second by which a tick may be late without being a stall).
 * Memory   The caller owns every buffer it passes in; nothing is kept but copies. Pages of cells (hb_core_add_page)
 *          stay the caller's and must outlive the core.
 * Threads  Every function may be called from any thread, but for hb_core_new/_free, which no other call may overlap,
 *          and hb_core_advance, which one thread at a time calls. A cell is written by whoever reads from the
 *          session's connection, without a call.
 * Errors   0 (HB_OK) or a positive answer is success; negative is one of HB_ERRORS. Outputs come last and are untouched
 *          on failure. A token of a session that is over gives HB_ESTALE and changes nothing.
 */
#ifndef HEARTBEAT_H
#define HEARTBEAT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define HB_ERRORS(X)                                                                                                   \
    X(HB_OK, 0, "no error")                                                                                            \
    X(HB_ENOMEM, -1, "out of memory")                                                                                  \
    X(HB_EPOLICY, -2, "the policy was refused")                                                                        \
    X(HB_EFULL, -3, "no free cell: add a page")                                                                        \
    X(HB_ESTALE, -4, "the session is over")                                                                            \
    X(HB_EINVAL, -5, "an argument is out of its range")                                                                \
    X(HB_ECRYPTO, -6, "OpenSSL failed")                                                                                \
    X(HB_EJOURNAL, -7, "the journal can not be read or written")

enum {
#define X(name, value, text) name = (value),
    HB_ERRORS(X)
#undef X
};

/* The text of an error code, never NULL. */
const char *hb_strerror(int code);

/* The version of the library, as "0.1.0". */
const char *hb_version(void);

/* Where a configuration is wrong. The first error wins. line and column count from 1; 0 where there is no place. */
typedef struct hb_error {
    int line;
    int column;
    char path[128]; /* the key, as "ack_timeout"; "" for the document itself */
    char text[256]; /* what is wrong, with the value as it was found */
} hb_error;

/*
 * Gives back what the library holds for the process and for its threads, before it is unloaded: a thread that was in it
 * may end later. Nothing of the library may be called afterwards, and no core be left.
 */
void hb_unload(void);

typedef struct hb_core hb_core;

/* A session: generation << 32 | slot. Never 0, never negative as an int64_t. */
typedef uint64_t hb_token;

/* Cells per page, and the bytes of one. Slot s has cell s % HB_PAGE_CELLS of page s / HB_PAGE_CELLS. */
#define HB_PAGE_CELLS 4096u
#define HB_CELL_BYTES 4u

/* The longest texts that are taken, in bytes of UTF-8. A JID is longer than RFC 7622 (section 3.1) allows beyond it. */
#define HB_JID_MAX 3071u
#define HB_STATUS_MAX 1023u /* a longer presence status is kept up to here, cut between characters */
#define HB_POLICY_MAX 4000u /* what an Openfire property can hold on HSQLDB */

/* What is to be done, as an action of hb_core_advance or an order of hb_core_begin. */
#define HB_VERBS(X)                                                                                                    \
    X(HB_NOTHING, 0, "nothing")         /* order: the session spoke, ended or changed since; leave it alone */         \
    X(HB_PING, 1, "ping")               /* order: send an XEP-0199 ping; the text is its id */                         \
    X(HB_DISCONNECT, 2, "disconnect")   /* action only; hb_core_begin makes it HB_CLOSE or HB_CUT */                   \
    X(HB_CLOSE, 3, "close")             /* order: stream error, closing tag, end the session for good */               \
    X(HB_CUT, 4, "cut")                 /* order: drop the connection, the session stays resumable (XEP-0198) */       \
    X(HB_ABORT, 5, "abort")             /* drop the connection at once: a close did not come to its end */             \
    X(HB_UNAVAILABLE, 6, "unavailable") /* order: route unavailable presence; the text is the full JID it is from */

typedef enum hb_verb {
#define X(name, value, text) name = (value),
    HB_VERBS(X)
#undef X
} hb_verb;

/* Why something was decided. */
#define HB_REASONS(X)                                                                                                  \
    X(HB_WHY_NONE, 0, "none", "nothing was decided yet")                                                               \
    X(HB_WHY_IDLE, 1, "idle", "nothing was read for idle")                                                             \
    X(HB_WHY_RETRY, 2, "retry", "a ping went unanswered for ack_timeout, retries are left")                            \
    X(HB_WHY_NO_ANSWER, 3, "no-answer", "the last ping went unanswered for ack_timeout")                               \
    X(HB_WHY_SILENT, 4, "silent", "nothing was read for idle and the time of the pings, which are switched off")       \
    X(HB_WHY_NOT_LOGGED_IN, 5, "not-logged-in", "the connection did not log in within login_within")                   \
    X(HB_WHY_STUCK, 6, "stuck", "the connection was to be closed, and still is not")                                   \
    X(HB_WHY_NOT_TOLD, 7, "not-told", "the session is gone, and nobody has told its contacts")                         \
    X(HB_WHY_SPOKE, 8, "spoke", "it spoke before the deed was done: spared")                                           \
    X(HB_WHY_LOGOUT, 9, "logout", "it sent unavailable presence before its connection closed")                         \
    X(HB_WHY_CLOSED, 10, "closed", "its connection closed")                                                            \
    X(HB_WHY_RESUMED, 11, "resumed", "the session goes on over another connection")                                    \
    X(HB_WHY_ADMIN, 12, "admin", "an administrator asked for it")                                                      \
    X(HB_WHY_DETACHED, 13, "detached", "its connection was lost, and its session may be resumed")                      \
    X(HB_WHY_EXPIRED, 14, "expired", "its session ended, and was not resumed")

typedef enum hb_reason {
#define X(name, value, text, meaning) name = (value),
    HB_REASONS(X)
#undef X
} hb_reason;

/* Reasons are the numbers below it. */
#define HB_WHY_ONE(name, value, text, meaning) +1 /* NOLINT(bugprone-macro-parentheses): a term of the sum */
#define HB_WHY_COUNT (0 HB_REASONS(HB_WHY_ONE))

/* What a connection is made of. */
#define HB_TRANSPORTS(X)                                                                                               \
    X(HB_TCP, 0, "tcp")                                                                                                \
    X(HB_WEBSOCKET, 1, "websocket") /* RFC 7395 */                                                                     \
    X(HB_BOSH, 2, "bosh")           /* XEP-0124, XEP-0206 */

typedef enum hb_transport {
#define X(name, value, text) name = (value),
    HB_TRANSPORTS(X)
#undef X
} hb_transport;

/* One action, 16 bytes, in the byte order of the machine. */
typedef struct hb_action {
    hb_token token;
    uint32_t verb; /* HB_PING, HB_DISCONNECT, HB_ABORT or HB_UNAVAILABLE */
    uint32_t why;  /* hb_reason */
} hb_action;

/* The last word before a deed. text is not NUL-terminated. */
typedef struct hb_order {
    hb_verb verb;
    hb_reason why; /* HB_WHY_NONE where nothing was decided */
    size_t length;
    char text[HB_JID_MAX];
} hb_order;

/* What only the caller can know of a session when it begins an action. */
enum {
    HB_FACT_RESUMABLE = 1, /* the session can be resumed over another connection (XEP-0198) */
};

typedef struct hb_core_options {
    const uint8_t *ping_key; /* 32 bytes that ping ids are authenticated with; NULL: random, as it should be */
    uint64_t seed;           /* for `spread` and hash tables; 0: random */
} hb_core_options;

/*
 * A core without sessions, with every policy key at the value of a server that was never configured (idle 180 s,
 * ping, ack_timeout 180 s; see hb_core_configure). options may be NULL.
 */
int hb_core_new(const hb_core_options *options, int64_t now_us, int64_t wall_ms, hb_core **out);
void hb_core_free(hb_core *core); /* NULL is allowed */

/* Gives room for HB_PAGE_CELLS more sessions: cells is HB_PAGE_CELLS * HB_CELL_BYTES bytes, aligned to 4. */
int hb_core_add_page(hb_core *core, uint32_t *cells);

/*
 * Takes a policy: every key that json (length bytes of UTF-8, NULL for none) does not set follows from Openfire's own
 * xmpp.client.idle (idle_ms, milliseconds; 0 or less: never) and xmpp.client.idle.ping. Keys and units: docs/policy.md.
 * It holds for open sessions from the next tick on. Fails with HB_EPOLICY and fills *error (may be NULL), the policy in
 * force stays in force.
 */
int hb_core_configure(hb_core *core, const char *json, size_t length, int64_t idle_ms, bool ping, hb_error *error);

/*
 * What a policy would mean, and what it may be, as JSON (docs/policy.md): nothing is changed. json may be NULL. Fails
 * with HB_ENOMEM only: what is wrong with json is in the document. *out is NUL-terminated and freed with
 * hb_string_free.
 */
int hb_policy_describe(const char *json, size_t length, int64_t idle_ms, bool ping, char **out, size_t *out_length);

/* The longest silence that a server may be said to end by itself: as the policy's durations, 30 days. */
#define HB_OWN_MAX 2592000u

/*
 * A connection was opened at opened_us, and last read from at read_us. own_s is the silence in seconds (at most
 * HB_OWN_MAX) after which the server closes it by a task of its own that can not be taken out; 0: it does not, we are
 * in charge. With own_s the session is observed: reads, presence and last activity are kept and its end is watched, but
 * it is pinged and disconnected only while the policy would have it dead earlier than the server does.
 * HB_EFULL: add a page and call again. HB_ENOMEM.
 */
int hb_core_open(hb_core *core, hb_transport transport, uint32_t own_s, int64_t opened_us, int64_t read_us,
                 hb_token *out);

/* The connection has logged in as this full JID (RFC 6120 section 7). No last activity is kept for the anonymous. */
int hb_core_bound(hb_core *core, hb_token token, const char *jid, size_t length, bool anonymous);

/*
 * The session's presence became available; became unavailable (RFC 6121 section 4), with a status text or NULL. closed:
 * its connection is closed already, so it is the server that said so and not the client: contacts are told, but it is
 * no logout. HB_EINVAL: available before it was bound. HB_ENOMEM: unavailable was taken, but its status is lost.
 */
int hb_core_available(hb_core *core, hb_token token);
int hb_core_unavailable(hb_core *core, hb_token token, const char *status, size_t length, bool closed);

/*
 * Whether the server shall leave silent sessions to the core. Returns 1 if it shall; 0 if the core is not in charge (it
 * is not ticked any more, or stopped): the server's own handling must act. After some seconds without a tick it first
 * returns HB_ASK_AGAIN, for a second: whoever slept, as the whole process may have, is to be given the time to wake up.
 * Ask again within that second then.
 */
#define HB_ASK_AGAIN 2
int hb_core_in_charge(hb_core *core, int64_t now_us);

/* The server's own idle timer found the session silent. Answers as hb_core_in_charge does, or HB_ESTALE. */
int hb_core_idle(hb_core *core, hb_token token, int64_t now_us);

/*
 * An IQ result or error with this id came from the session. Returns 1 if it answers a ping of ours that is still
 * unanswered (its round trip is recorded), 0 if it does not.
 */
int hb_core_pong(hb_core *core, hb_token token, const char *id, size_t length, int64_t now_us);

/* The connection closed, but its session may be resumed; `from`, detached, goes on over the connection `to`. */
int hb_core_detached(hb_core *core, hb_token token);
int hb_core_resumed(hb_core *core, hb_token from, hb_token to);

/* The session is over. The core watches for a moment whether its contacts are told. */
int hb_core_closed(hb_core *core, hb_token token);

/*
 * Moves the clock and writes what is due to out (capacity entries), *count of them. *tick is the value to be written
 * into the cells of sessions that are read from, from now on. Returns 1 if more is due: call again with the same times.
 */
int hb_core_advance(hb_core *core, int64_t now_us, int64_t wall_ms, hb_action *out, size_t capacity, size_t *count,
                    uint32_t *tick);

/* The deed for (token, verb) is about to be done. facts: HB_FACT_* or-ed. Do what *order says, and nothing else. */
int hb_core_begin(hb_core *core, hb_token token, hb_verb verb, unsigned facts, int64_t now_us, hb_order *order);

/*
 * An administrator wants a session pinged (HB_PING) or disconnected (HB_DISCONNECT). 1: *action is to be carried out as
 * one of hb_core_advance. 0: it is not to be: the session has no connection, its end is under way, or it has not logged
 * in and so can not be pinged. HB_EINVAL: another verb. Such a ping measures the round trip and nothing else: left
 * unanswered it counts against nobody. Such a disconnect ends the session for good (HB_CLOSE) though it may speak.
 */
int hb_core_ask(hb_core *core, hb_token token, hb_verb verb, hb_action *action);

/* From now on nobody is pinged, closed or told. Events are still taken, for last activity. */
void hb_core_stop(hb_core *core);

/*
 * Records what the core is given and what it decides (tests/recordings/README.md), from the next tick on, into a buffer
 * of `capacity` bytes; HB_EINVAL if it is on already. It is to be emptied by hb_core_recorded: what finds no room ends
 * the recording. hb_core_recorded takes at most `capacity` bytes of it. HB_EFULL: all was taken, and it is over for
 * lack of room. HB_EINVAL: nothing is recorded. hb_core_record_end throws away what was not taken.
 */
int hb_core_record(hb_core *core, size_t capacity);
int hb_core_recorded(hb_core *core, char *out, size_t capacity, size_t *length);
void hb_core_record_end(hb_core *core);

typedef struct hb_activity {
    int64_t seen_ms;    /* wall time of the last byte read from any of the user's sessions, to the tick */
    int64_t offline_ms; /* wall time of the end of the last session; 0: none ended */
    int64_t last_ms;    /* what is told as last activity (XEP-0012) of who is not online: the policy's choice of both */
    bool online;        /* a session of the user is open or may be resumed */
    hb_reason why;      /* why the last session ended; HB_WHY_NONE while none has */
    size_t length;
    char status[HB_STATUS_MAX]; /* the last unavailable presence's status, not NUL-terminated */
} hb_activity;

/*
 * The last activity of a user, by the node of the JID as the server stores it. 1: found, 0: unknown. The first time
 * after hb_core_journal_open that anything is asked of one of HB_USER_STRIPES parts of the users, and it was not
 * flushed yet, it waits until that part is taken from what was read; HB_ENOMEM: there is no memory for it, and nobody
 * in it is known.
 */
int hb_core_last_activity(hb_core *core, const char *user, size_t length, hb_activity *out);

/* Users are kept in so many parts, each with a lock of its own. */
#define HB_USER_STRIPES 256

typedef struct hb_seen {
    int64_t ms;      /* seen_ms of hb_activity */
    bool online;     /* and of that */
    uint32_t stripe; /* the part that the user is in */
    uint32_t change; /* the count of changes of that part, as of this answer */
} hb_seen;

/*
 * When a user was last seen, as hb_core_last_activity says. 1: found, 0: unknown. Of a user who is not online it waits
 * for nothing but the change of another one in the same part, but for the first time as said there.
 */
int hb_core_seen(hb_core *core, const char *user, size_t length, hb_seen *out);

#define HB_USERS_MAX 1000u /* users of one answer */

typedef enum hb_user_order {
    HB_USERS_BY_NAME, /* byte by byte */
    HB_USERS_BY_SEEN, /* longest ago first; by name where the times are the same */
} hb_user_order;

/* Which users. Everything but order and limit may be 0. */
typedef struct hb_user_query {
    hb_user_order order;
    size_t limit;      /* users of the answer, 1 to HB_USERS_MAX */
    int64_t before_ms; /* only who was last seen before, online or not; 0: whenever */
    const char *part;  /* only whose name has these bytes in it */
    size_t part_length;
    bool prefix;       /* at its beginning */
    const char *after; /* only who comes after this one, the last of the page before; NULL: the first page */
    size_t after_length;
    int64_t after_ms; /* and its seen_ms */
} hb_user_query;

/* A user of an answer: this, then the name, then the status, neither NUL-terminated. 32 bytes, not aligned. */
typedef struct hb_user_row {
    int64_t seen_ms; /* as in hb_activity */
    int64_t offline_ms;
    int64_t last_ms;
    uint16_t name_length;
    uint16_t status_length;
    uint8_t why;    /* hb_reason */
    uint8_t online; /* 0 or 1 */
    uint8_t unused[2];
} hb_user_row;

/*
 * The first users that a query asks for, in its order, one hb_user_row after the other, freed with hb_string_free; NULL
 * with a length of 0 if there are none. It takes one look at everybody, during which events go on: who comes, goes or
 * is seen meanwhile may be missing. HB_EINVAL: a limit or length is out of its range.
 */
int hb_core_users(hb_core *core, const hb_user_query *query, char **out, size_t *length);

/*
 * Everybody, in no order, at most HB_USERS_MAX a call; out as hb_core_users. *at is 0 for the first call, and for the
 * next one what the last left there; 0 then: there are no more. Who comes or goes meanwhile may be missing.
 */
int hb_core_each(hb_core *core, uint32_t *at, char **out, size_t *length);

/*
 * Users whose last session ended since the last call, at most HB_USERS_MAX, each once and as known now (who came back
 * meanwhile is online); out as hb_core_users. The first call takes none, and begins to keep note. 1: no more are left,
 * and of some no note could be kept for want of memory.
 */
int hb_core_gone(hb_core *core, char **out, size_t *length);

/*
 * Counts changes there, HB_USER_STRIPES of them: an answer of hb_core_seen about a user who was not online is true as
 * long as changes[stripe] is what it was. Memory: the caller's, until the core is freed. Called once at most.
 */
void hb_core_count_changes(hb_core *core, uint32_t *changes);

/*
 * Keeps last activity on disk, in this folder (docs/journal.md): reads what is there, and from then on writes what
 * hb_core_journal_flush finds new. When it returns everybody is known, though most of them are only taken from what was
 * read when they are asked for, or flushed. To be called before sessions are opened; if it is called again later, what
 * happened since holds, and what was imported does not where the folder knows of it. key: 32 bytes, or NULL for the
 * folder's own. say is told, in one line each, what was found damaged; it may be NULL. HB_EJOURNAL fills *error: path
 * is the folder, text says what is wrong. Then nothing is kept on disk, and nothing that was is lost: the folder is as
 * it was if a file is not ours to read; if something fails later, what is damaged may be aside already. It may be
 * called again later.
 */
typedef void hb_core_say(void *to, const char *line);
int hb_core_journal_open(hb_core *core, const char *folder, const uint8_t *key, hb_core_say *say, void *to,
                         hb_error *error);

/*
 * What was known when it was called is on disk when it returns HB_OK. HB_EJOURNAL: it is not, *error says why; an empty
 * text means as before. It goes on in memory, and every fifth call tries to write everything anew.
 *
 * If the folder's file `key.new` asks for another key (docs/journal.md) everything is written anew under it first. say,
 * which may be NULL, is told in one line that it was done, or once why not: then the key is the old one, the file stays
 * and is looked at again, and that is no error.
 */
int hb_core_journal_flush(hb_core *core, hb_core_say *say, void *to, hb_error *error);

/*
 * Forgets a user: in memory now; after a crash too once hb_core_journal_flush has returned HB_OK; and the last trace on
 * disk goes with a snapshot, which the next flush makes, or one within a minute if there was one in the last minute.
 * 1: done, or to be done as soon as there is memory to look for them; 0: unknown.
 */
int hb_core_forget(hb_core *core, const char *name, size_t length);

/* Takes over what the server knew of a user who is unknown here, with the status or NULL. 1: done, 0: known here. */
int hb_core_import(hb_core *core, const char *name, size_t length, int64_t offline_ms, const char *status,
                   size_t status_length);

/*
 * Takes over that the server saw a known user go offline later than anything that is known here: nobody told the core.
 * 1: done, 0: unknown, online, or known better here.
 */
int hb_core_catch_up(hb_core *core, const char *name, size_t length, int64_t offline_ms);

/* hb_core_last_activity as JSON (docs/status.md), freed with hb_string_free. 1: found, 0: unknown. */
int hb_core_last_activity_json(hb_core *core, const char *user, size_t length, char **json, size_t *json_length);

/* What sessions can be sorted by. Equal ones are in the order of their JIDs. */
#define HB_SORTS(X)                                                                                                    \
    X(HB_SORT_JID, 0, "jid")       /* byte by byte; those that did not log in have none and come first */              \
    X(HB_SORT_STATE, 1, "state")   /* in the order of docs/status.md */                                                \
    X(HB_SORT_SILENT, 2, "silent") /* how long nothing was read */                                                     \
    X(HB_SORT_RTT, 3, "rtt")       /* last round trip; without one they come last, either way */                       \
    X(HB_SORT_PINGS, 4, "pings")   /* unanswered */                                                                    \
    X(HB_SORT_ENDS, 5, "ends")     /* how soon it is disconnected; those that are not come last, either way */         \
    X(HB_SORT_TRANSPORT, 6, "transport")

typedef enum hb_sort {
#define X(name, value, text) name = (value),
    HB_SORTS(X)
#undef X
} hb_sort;

#define HB_STATES 8        /* numbers of states, of which 0 is that of no session (docs/status.md) */
#define HB_LIST_MAX 1000u  /* rows at one time */
#define HB_LIST_TEXT 1023u /* bytes of a text to look for */

/* Which sessions, and which of them. All zero but for limit: the first by JID. */
typedef struct hb_list_query {
    const char *text;    /* in the JID, whatever the case of its ASCII letters; not NUL-terminated */
    size_t length;       /* of text; 0: any */
    unsigned states;     /* 1 << state, or-ed; 0: any */
    unsigned transports; /* 1 << hb_transport, or-ed; 0: any */
    hb_sort sort;
    bool descending;
    size_t offset; /* rows that are left out before the first */
    size_t limit;  /* 1 to HB_LIST_MAX */
} hb_list_query;

typedef struct hb_row {
    hb_token token;
    int64_t rtt_us;    /* of the last ping that was answered; -1: none was */
    int64_t ends_s;    /* seconds until it is disconnected if nothing is read from it; -1: it is not */
    uint32_t silent_s; /* since anything was read */
    uint8_t state;
    uint8_t transport; /* hb_transport */
    uint8_t pings;     /* sent since anything was read */
    uint8_t why;       /* hb_reason of the last decision */
    bool available;    /* contacts were told that it is */
    uint16_t jid_length;
    const char *jid; /* NULL: it did not log in */
} hb_row;

typedef struct hb_listing {
    size_t total;             /* sessions that the query is about, beyond the limit too */
    size_t counts[HB_STATES]; /* by state: of those that the query is about but for `states` */
    size_t count;
    hb_row rows[];
} hb_listing;

/*
 * Lists open sessions. Cost: one pass over all for the first 16,384 that a query leaves out, another one for each
 * 16,384 more, a page of HB_PAGE_CELLS at a time under the lock. Memory: that of the rows, and 136 bytes for each row
 * up to the last one that is asked for, of 16,384 at most. A session that ends meanwhile may be missing, one that
 * begins may be; nobody is listed twice. JIDs that are the same in their first 112 bytes are in no order. HB_EINVAL: a
 * limit, a text or a sort out of range. *out is freed with hb_listing_free.
 */
int hb_core_list(hb_core *core, const hb_list_query *query, hb_listing **out);
void hb_listing_free(hb_listing *listing); /* NULL is allowed */

/* What the plots are of. */
#define HB_SPANS(X)                                                                                                    \
    X(HB_HOUR, 0, "hour") /* in steps of 10 s */                                                                       \
    X(HB_DAY, 1, "day")   /* of 5 min */                                                                               \
    X(HB_WEEK, 2, "week") /* of 30 min */

typedef enum hb_span {
#define X(name, value, text) name = (value),
    HB_SPANS(X)
#undef X
} hb_span;

/* What happened in the last hour, day or week, as JSON (docs/metrics.md), freed with hb_string_free. HB_EINVAL: no such
 * span. */
int hb_core_series(hb_core *core, hb_span span, char **json, size_t *json_length);

/*
 * Takes over the data of the plots that lie in this folder, which is made if there is none; to be called before the
 * first tick. A damaged file is kept aside, and say (which may be NULL) is told so in one line. HB_EJOURNAL fills
 * *error: nothing could be read. hb_core_series_save writes them there, and waits for the disk: one thread at a time.
 */
int hb_core_series_open(hb_core *core, const char *path, hb_core_say *say, void *to, hb_error *error);
int hb_core_series_save(hb_core *core, const char *path, hb_error *error);

/* Enough for hb_core_metrics. */
#define HB_METRICS_BYTES 16384u

/*
 * Everything that is counted, in the text format of Prometheus (0.0.4), or as OpenMetrics 1.0 (docs/metrics.md).
 * HB_EFULL: there is no room for it. It allocates nothing.
 */
int hb_core_metrics(hb_core *core, bool openmetrics, char *out, size_t capacity, size_t *length);

/*
 * Why something was done, or was not: the open sessions with this full JID, and the last decisions about it, of
 * sessions that are over too, and how these ended, as JSON (docs/status.md). A bare JID is that of all sessions of a
 * user, the empty JID that of all connections which did not log in. It looks at all sessions, a page at a time. 1:
 * found, 0: nothing is known.
 */
int hb_core_why(hb_core *core, const char *jid, size_t length, char **json, size_t *json_length);

/*
 * The state as JSON (docs/status.md), with a list of all sessions and the last decisions if detail is set. *json is
 * NUL-terminated and freed with hb_string_free.
 */
int hb_core_status(hb_core *core, bool detail, char **json, size_t *length);
void hb_string_free(char *text);

#ifdef __cplusplus
}
#endif
#endif
