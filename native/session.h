/*
 * session.h - the state machine of one session: when it is pinged, disconnected and told gone. Pure: no clock, no
 * memory, no I/O. Whoever reads session.c knows everything that is decided.
 *
 * Time     Ticks (seconds of the core's clock). A byte "read in tick r" came in [r, r + 1).
 * Threads  None: values in, values out.
 */
#ifndef HB_SESSION_H
#define HB_SESSION_H

#include "heartbeat.h"
#include "policy.h"

#define HB_NEVER UINT32_MAX

/* Ticks that a close may take until the connection is dropped without waiting. */
#define HB_CLOSE_TICKS 5u
/* Ticks that the server has to tell the contacts of a closed session, before the core has it done. */
#define HB_TELL_TICKS 2u
/* Ticks after which an action that nobody began is given out again, lest one that got lost is forgotten. */
#define HB_REPEAT_TICKS 30u

#define HB_PHASES(X)                                                                                                   \
    X(HB_FREE, 0, "free")           /* no session in this slot */                                                      \
    X(HB_CONNECTED, 1, "connected") /* not logged in; since: opened */                                                 \
    X(HB_ALIVE, 2, "alive")         /* logged in and heard of */                                                       \
    X(HB_PINGING, 3, "pinging")     /* a ping was decided, and waits to be sent; since: decided */                     \
    X(HB_PINGED, 4, "pinged")       /* a ping is out; since: sent */                                                   \
    X(HB_CLOSING, 5, "closing")     /* to be disconnected; since: decided, or begun if HB_S_BEGUN */                   \
    X(HB_DETACHED, 6, "detached")   /* no connection, may be resumed (XEP-0198) */                                     \
    X(HB_CLOSED, 7, "closed")       /* over, but its contacts still believe in it; since: closed */

typedef enum hb_phase {
#define X(name, value, text) name = (value),
    HB_PHASES(X)
#undef X
} hb_phase;

enum {
    HB_S_AVAILABLE = 1, /* contacts were told available, and not yet unavailable */
    HB_S_BEGUN = 2,     /* the deed of the phase is under way */
    HB_S_LOGOUT = 4,    /* the client itself sent unavailable last */
    HB_S_CUT = 8,       /* detached by us: `why` says why */
    HB_S_LATE = 16,     /* the ping was sent when the next tick was overdue: it counts from that one */
    HB_S_ASKED = 32,    /* an administrator's ping waits to be sent */
};

typedef struct hb_session {
    uint32_t since; /* tick, see HB_PHASES */
    uint8_t phase;  /* hb_phase */
    uint8_t flags;  /* HB_S_* */
    uint8_t pings;  /* sent since the last byte was read */
    uint8_t why;    /* hb_reason of the last decision */
} hb_session;

typedef enum hb_event {
    HB_EV_BOUND,
    HB_EV_AVAILABLE,
    HB_EV_LOGOUT, /* unavailable presence, sent by the client */
    HB_EV_TOLD,   /* unavailable presence, sent by the server for a closed connection */
    HB_EV_PONG,
    HB_EV_DETACHED,
    HB_EV_CLOSED,
    HB_EV_DUE,              /* the tick has come that hb_session_due named, or the policy changed */
    HB_EV_ASK_PING,         /* an administrator wants it pinged */
    HB_EV_ASK_DISCONNECT,   /* and that */
    HB_EV_BEGIN_PING,       /* the ping is about to be sent */
    HB_EV_BEGIN_DISCONNECT, /* the connection is about to be closed */
    HB_EV_BEGIN_ABORT,
    HB_EV_BEGIN_UNAVAILABLE,
} hb_event;

/* What a step looks at, beside the session's own state. */
typedef struct hb_moment {
    uint32_t now;    /* the current tick */
    uint32_t read;   /* the tick of the last byte read, at most now */
    uint32_t own;    /* ticks of silence after which the server itself ends the session; 0: it does not */
    uint32_t jitter; /* ticks that its pings are brought forward, at most policy->spread */
    bool resumable;  /* for HB_EV_BEGIN_DISCONNECT: the session can be resumed (XEP-0198) */
    bool late;       /* for HB_EV_BEGIN_PING: the next tick is overdue */
} hb_moment;

typedef struct hb_step {
    hb_session next; /* in phase HB_FREE: the session is over, its slot may be given away */
    uint32_t due;    /* the tick at which HB_EV_DUE is to come, HB_NEVER if none */
    hb_verb verb;    /* what is to be done: an action after HB_EV_DUE, an order after HB_EV_BEGIN_* */
    hb_reason why;   /* of verb, or of an action that was called off */
} hb_step;

/* A new session: connected in tick `opened`. */
hb_session hb_session_opened(uint32_t opened);

/* A session that takes over from a detached one, on a connection that is alive. */
hb_session hb_session_resumed(hb_session from);

hb_step hb_session_step(hb_session session, hb_event event, const hb_moment *moment, const hb_policy *policy);

/* The tick at which this session must be looked at. */
uint32_t hb_session_due(hb_session session, const hb_moment *moment, const hb_policy *policy);

/* The tick at which it is disconnected if nothing is read from it any more, HB_NEVER if it is not. */
uint32_t hb_session_ends(hb_session session, const hb_moment *moment, const hb_policy *policy);

/* The session as it is: reads come without a word, so one that was pinged and read from since has answered. */
hb_session hb_session_seen(hb_session session, const hb_moment *moment);

const char *hb_transport_name(hb_transport transport);
const char *hb_phase_name(hb_phase phase);
const char *hb_verb_name(hb_verb verb);
const char *hb_reason_name(hb_reason why);
const char *hb_reason_text(hb_reason why);

#endif
