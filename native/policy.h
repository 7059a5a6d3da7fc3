/*
 * policy.h - the settings that decide, as a checked struct, and their JSON form (docs/policy.md).
 *
 * Time     Whole seconds, as Openfire itself counts idleness.
 * Errors   HB_EPOLICY with *error filled (line, column, key, text), HB_ENOMEM. On failure *out is untouched.
 */
#ifndef HB_POLICY_H
#define HB_POLICY_H

#include "heartbeat.h"

typedef enum hb_on_dead {
    HB_ON_DEAD_AUTO, /* cut what can be resumed, close the rest */
    HB_ON_DEAD_CLOSE,
    HB_ON_DEAD_CUT,
} hb_on_dead;

/* Which of the two times that are kept is told as a user's last activity. */
typedef enum hb_last_activity {
    HB_LAST_READ,    /* the last byte read from any of the user's sessions */
    HB_LAST_OFFLINE, /* the end of the last session, as the server itself has it */
} hb_last_activity;

typedef struct hb_policy {
    uint32_t idle;           /* silence after which a session is pinged; 0: never */
    uint32_t ack_timeout;    /* time that a ping has to be answered */
    uint32_t retries;        /* further pings before the session is dead */
    uint32_t spread;         /* pings come up to this much earlier, so that not all come at once; less than idle */
    uint32_t login_within;   /* time that a connection has to log in; 0: any */
    uint32_t pings_per_tick; /* at most so many in a second, or a tenth of the open sessions if that is more */
    uint32_t forget_after;   /* who was not here for so long is forgotten; 0: nobody is */
    hb_on_dead on_dead;
    hb_last_activity last_activity;
    bool ping; /* false: no pings, but the same time until the session is dead */
} hb_policy;

/* A key of the policy as JSON. What may stand there is said here, and nowhere else. */
typedef enum hb_policy_kind {
    HB_KEY_DURATION, /* seconds; 0 is "off" where that is a value, else "0s" */
    HB_KEY_NUMBER,
    HB_KEY_SWITCH, /* true or false */
    HB_KEY_CHOICE, /* one of some words, by its place among them */
} hb_policy_kind;

typedef struct hb_policy_key {
    const char *name;
    hb_policy_kind kind;
    bool off;     /* "off" is a value */
    uint32_t min; /* of a duration or number, both included */
    uint32_t max;
    const char *const *words; /* of a choice, with a NULL behind the last */
    size_t at;                /* of its value in hb_policy */
} hb_policy_key;

/* Every key, in the order in which they are told. */
const hb_policy_key *hb_policy_keys(size_t *count);

/* The value of a key: seconds, a number, 0 or 1, or the place of the word. */
uint32_t hb_policy_get(const hb_policy *policy, const hb_policy_key *key);

/* The policy of a server that has these settings and no policy of its own: ping at half of it, dead at the whole. */
void hb_policy_derive(int64_t idle_ms, bool ping, hb_policy *out);

/* Reads json (length bytes); keys that are absent keep the value they have in *defaults. error may be NULL. */
int hb_policy_parse(const char *json, size_t length, const hb_policy *defaults, hb_policy *out, hb_error *error);

/* A duration as the policy writes it, in its largest whole unit: "90s", "3m", "1d", "off" for 0. */
#define HB_DURATION_TEXT 12
void hb_duration_print(uint32_t seconds, char out[HB_DURATION_TEXT]);

#endif
