#include "session.h"

#include "timers.h"

/* Silence from the last byte to the disconnect, without a tick for what "in tick r" leaves open. */
static uint32_t patience(const hb_policy *policy)
{
    return policy->idle + (policy->retries + 1) * policy->ack_timeout;
}

/* Does the server itself end the session's silence, and no later than we would? Then nothing is decided for it. */
static bool left_to_server(const hb_moment *moment, const hb_policy *policy)
{
    return moment->own && moment->own <= patience(policy);
}

/* Is a silent session nobody's business, or not ours? */
static bool may_be_silent(const hb_moment *moment, const hb_policy *policy)
{
    return !policy->idle || left_to_server(moment, policy);
}

/* Is a ping out, the last one, and not to be followed by another? */
static bool last_ping(hb_session session, const hb_policy *policy)
{
    return session.pings > policy->retries;
}

/* Is there nothing to wait for any more? A byte came since, which no event tells of, or pings do not count any more. */
static bool waits_in_vain(hb_session session, const hb_moment *moment, const hb_policy *policy)
{
    if (session.phase != HB_PINGED && session.phase != HB_PINGING)
        return false;
    return moment->read >= session.since || may_be_silent(moment, policy) || !policy->ping;
}

/* Is it disconnected whatever it says? */
static bool is_merciless(hb_session session)
{
    return session.why == HB_WHY_NOT_LOGGED_IN || session.why == HB_WHY_ADMIN;
}

/*
 * Has it spoken since its disconnect was decided? What is read while a tick is being made still carries the tick
 * before; an older read can not be meant, as the session had been silent for longer.
 */
static bool spoke_since(hb_session session, const hb_moment *moment)
{
    return !is_merciless(session) && moment->read + 1 >= session.since;
}

/*
 * Pings may come a tick early, disconnects never: a byte of tick r may have come at its end, so one more tick must
 * pass. So a session is gone at most one tick after idle + (retries + 1) * ack_timeout, and never before.
 */
uint32_t hb_session_due(hb_session session, const hb_moment *moment, const hb_policy *policy)
{
    if (waits_in_vain(session, moment, policy)) {
        if (may_be_silent(moment, policy) || !policy->ping)
            return hb_timers_later(moment->now, 1); /* the next look forgets the ping */
        session.phase = HB_ALIVE;
    }
    switch ((hb_phase)session.phase) {
    case HB_FREE:
    case HB_DETACHED:
        return HB_NEVER;
    case HB_CONNECTED:
        return policy->login_within ? hb_timers_later(session.since, policy->login_within + 1) : HB_NEVER;
    case HB_ALIVE:
        if (may_be_silent(moment, policy))
            return HB_NEVER;
        if (!policy->ping)
            return hb_timers_later(moment->read, patience(policy) + 1);
        return hb_timers_later(moment->read, policy->idle - moment->jitter);
    case HB_PINGED: {
        /* An answer may be a byte that no event tells of: look as often as such a byte could make a ping due. */
        uint32_t from = session.since > moment->now ? session.since : moment->now;
        uint32_t answered = hb_timers_later(from, policy->idle > moment->jitter ? policy->idle - moment->jitter : 1);
        uint32_t late = session.flags & HB_S_LATE ? 1 : 0;
        uint32_t unanswered =
            hb_timers_later(session.since, policy->ack_timeout + late + (last_ping(session, policy) ? 1 : 0));
        return answered < unanswered ? answered : unanswered;
    }
    case HB_CLOSING:
        if (!(session.flags & HB_S_BEGUN) && spoke_since(session, moment))
            return hb_timers_later(moment->now, 1);
        return hb_timers_later(session.since, session.flags & HB_S_BEGUN ? HB_CLOSE_TICKS : HB_REPEAT_TICKS);
    case HB_PINGING:
        return hb_timers_later(session.since, HB_REPEAT_TICKS);
    case HB_CLOSED:
        return hb_timers_later(session.since, session.flags & HB_S_BEGUN ? HB_REPEAT_TICKS : HB_TELL_TICKS);
    }
    return HB_NEVER;
}

static void enter(hb_session *session, hb_phase phase, uint32_t since)
{
    session->phase = (uint8_t)phase;
    session->since = since;
    session->flags = (uint8_t)(session->flags & ~(unsigned)(HB_S_BEGUN | HB_S_LATE));
    if (phase == HB_ALIVE)
        session->pings = 0;
}

static void decide(hb_step *step, hb_verb verb, hb_reason why)
{
    step->verb = verb;
    step->why = why;
    step->next.why = (uint8_t)why;
}

static void decide_ping(hb_step *step, const hb_moment *moment, hb_reason why)
{
    enter(&step->next, HB_PINGING, moment->now);
    decide(step, HB_PING, why);
}

static void decide_disconnect(hb_step *step, const hb_moment *moment, hb_reason why)
{
    enter(&step->next, HB_CLOSING, moment->now);
    decide(step, HB_DISCONNECT, why);
}

/* A tick was due. What was due may have moved meanwhile: reads are stored without a word to us. */
static void step_due(hb_step *step, const hb_moment *moment, const hb_policy *policy)
{
    hb_session *next = &step->next;

    if (waits_in_vain(*next, moment, policy))
        enter(next, HB_ALIVE, moment->now);
    if (next->phase == HB_CLOSING && !(next->flags & HB_S_BEGUN) && spoke_since(*next, moment))
        enter(next, HB_ALIVE, moment->now);
    if (moment->now < hb_session_due(*next, moment, policy))
        return;

    switch ((hb_phase)next->phase) {
    case HB_FREE:
    case HB_DETACHED:
        break;
    case HB_CONNECTED:
        decide_disconnect(step, moment, HB_WHY_NOT_LOGGED_IN);
        break;
    case HB_ALIVE:
        if (policy->ping)
            decide_ping(step, moment, HB_WHY_IDLE);
        else
            decide_disconnect(step, moment, HB_WHY_SILENT);
        break;
    case HB_PINGED:
        if (last_ping(*next, policy))
            decide_disconnect(step, moment, HB_WHY_NO_ANSWER);
        else
            decide_ping(step, moment, HB_WHY_RETRY);
        break;
    case HB_PINGING:
        decide_ping(step, moment, (hb_reason)next->why);
        break;
    case HB_CLOSING:
        if (next->flags & HB_S_BEGUN) {
            next->since = moment->now;
            step->verb = HB_ABORT;
            step->why = HB_WHY_STUCK; /* next->why stays: it is why the session ends */
        } else {
            decide_disconnect(step, moment, (hb_reason)next->why);
        }
        break;
    case HB_CLOSED:
        next->since = moment->now;
        next->flags |= HB_S_BEGUN;
        step->verb = HB_UNAVAILABLE;
        step->why = HB_WHY_NOT_TOLD;
        break;
    }
}

static void spare(hb_step *step, const hb_moment *moment)
{
    enter(&step->next, HB_ALIVE, moment->now);
    decide(step, HB_NOTHING, HB_WHY_SPOKE);
}

static void begin_ping(hb_step *step, const hb_moment *moment)
{
    hb_session *next = &step->next;

    if (next->phase != HB_PINGING) {
        if (next->flags & HB_S_ASKED && (next->phase == HB_ALIVE || next->phase == HB_PINGED)) {
            next->flags = (uint8_t)(next->flags & ~(unsigned)HB_S_ASKED);
            decide(step, HB_PING, HB_WHY_ADMIN); /* nothing is due for it: it stays what it is */
        }
        return;
    }
    if (moment->read >= next->since) {
        spare(step, moment);
        return;
    }
    enter(next, HB_PINGED, moment->now);
    if (moment->late)
        next->flags |= HB_S_LATE;
    next->pings++;
    decide(step, HB_PING, (hb_reason)next->why);
}

static void begin_disconnect(hb_step *step, const hb_moment *moment, const hb_policy *policy)
{
    hb_session *next = &step->next;
    hb_reason why = (hb_reason)next->why;
    hb_verb verb = HB_CLOSE;

    if (next->phase != HB_CLOSING || next->flags & HB_S_BEGUN)
        return;
    if (!is_merciless(*next)) {
        if (spoke_since(*next, moment) || may_be_silent(moment, policy)) {
            spare(step, moment);
            return;
        }
        if (policy->on_dead == HB_ON_DEAD_CUT || (policy->on_dead == HB_ON_DEAD_AUTO && moment->resumable))
            verb = HB_CUT;
    }
    next->since = moment->now;
    next->flags |= HB_S_BEGUN;
    decide(step, verb, why);
}

static void ask_ping(hb_step *step)
{
    hb_session *next = &step->next;

    if (next->phase != HB_ALIVE && next->phase != HB_PINGING && next->phase != HB_PINGED)
        return;
    next->flags |= HB_S_ASKED;
    step->verb = HB_PING;
    step->why = HB_WHY_ADMIN;
}

static void ask_disconnect(hb_step *step, const hb_moment *moment)
{
    const hb_session *next = &step->next;

    if (next->phase == HB_FREE || next->phase == HB_DETACHED || next->phase == HB_CLOSED)
        return;
    if (!(next->phase == HB_CLOSING && next->flags & HB_S_BEGUN))
        decide_disconnect(step, moment, HB_WHY_ADMIN);
}

static void step_unavailable(hb_step *step, bool logout)
{
    hb_session *next = &step->next;

    if (next->phase == HB_CONNECTED)
        return;
    next->flags = (uint8_t)(next->flags & ~(unsigned)HB_S_AVAILABLE);
    if (logout && next->phase != HB_CLOSED)
        next->flags |= HB_S_LOGOUT;
    if (next->phase == HB_CLOSED)
        enter(next, HB_FREE, 0);
}

static void step_bound(hb_session *next, const hb_moment *moment)
{
    bool late = next->phase == HB_CLOSING && next->why == HB_WHY_NOT_LOGGED_IN && !(next->flags & HB_S_BEGUN);

    if (next->phase == HB_CONNECTED || late)
        enter(next, HB_ALIVE, moment->now);
}

static void step_closed(hb_step *step, const hb_moment *moment)
{
    if (step->next.phase == HB_CLOSED)
        return;
    if (step->next.flags & HB_S_AVAILABLE)
        enter(&step->next, HB_CLOSED, moment->now);
    else
        enter(&step->next, HB_FREE, 0);
}

static void step_detached(hb_step *step, const hb_moment *moment)
{
    hb_session *next = &step->next;
    bool ours = next->phase == HB_CLOSING;

    if (next->phase == HB_CONNECTED)
        step_closed(step, moment); /* nobody has logged in, nothing can be resumed */
    if (next->phase == HB_FREE || next->phase == HB_CLOSED || next->phase == HB_DETACHED)
        return;
    enter(next, HB_DETACHED, moment->now);
    if (ours)
        next->flags |= HB_S_CUT;
}

hb_step hb_session_step(hb_session session, hb_event event, const hb_moment *moment, const hb_policy *policy)
{
    hb_step step = {.next = session, .due = HB_NEVER, .verb = HB_NOTHING, .why = HB_WHY_NONE};
    hb_session *next = &step.next;

    switch (event) {
    case HB_EV_BOUND:
        step_bound(next, moment);
        break;
    case HB_EV_AVAILABLE:
        if (next->phase != HB_CLOSED && next->phase != HB_CONNECTED) {
            next->flags |= HB_S_AVAILABLE;
            next->flags = (uint8_t)(next->flags & ~(unsigned)HB_S_LOGOUT);
        }
        break;
    case HB_EV_LOGOUT:
    case HB_EV_TOLD:
        step_unavailable(&step, event == HB_EV_LOGOUT);
        break;
    case HB_EV_PONG:
        if (next->phase == HB_PINGED || next->phase == HB_PINGING)
            enter(next, HB_ALIVE, moment->now);
        break;
    case HB_EV_DETACHED:
        step_detached(&step, moment);
        break;
    case HB_EV_CLOSED:
        step_closed(&step, moment);
        break;
    case HB_EV_DUE:
        step_due(&step, moment, policy);
        break;
    case HB_EV_ASK_PING:
        ask_ping(&step);
        break;
    case HB_EV_ASK_DISCONNECT:
        ask_disconnect(&step, moment);
        break;
    case HB_EV_BEGIN_PING:
        begin_ping(&step, moment);
        break;
    case HB_EV_BEGIN_DISCONNECT:
        begin_disconnect(&step, moment, policy);
        break;
    case HB_EV_BEGIN_ABORT:
        if (next->phase == HB_CLOSING && next->flags & HB_S_BEGUN) {
            step.verb = HB_ABORT;
            step.why = HB_WHY_STUCK;
        }
        break;
    case HB_EV_BEGIN_UNAVAILABLE:
        if (next->phase == HB_CLOSED) {
            step.verb = HB_UNAVAILABLE;
            step.why = HB_WHY_NOT_TOLD;
            enter(next, HB_FREE, 0);
        }
        break;
    }
    step.due = hb_session_due(*next, moment, policy);
    return step;
}

uint32_t hb_session_ends(hb_session session, const hb_moment *moment, const hb_policy *policy)
{
    session = hb_session_seen(session, moment);
    uint32_t pings = session.pings < policy->retries + 1 ? policy->retries + 1 - session.pings : 0; /* to come */
    uint32_t late = session.flags & HB_S_LATE ? 1 : 0;
    bool ours = !may_be_silent(moment, policy);

    switch ((hb_phase)session.phase) {
    case HB_CONNECTED:
        return hb_session_due(session, moment, policy);
    case HB_ALIVE:
        if (!ours)
            return moment->own ? hb_timers_later(moment->read, moment->own) : HB_NEVER; /* by the server itself */
        return hb_timers_later(moment->read, patience(policy) - (policy->ping ? moment->jitter : 0) + 1);
    case HB_PINGING:
        return ours ? hb_timers_later(session.since, pings * policy->ack_timeout + 1) : HB_NEVER;
    case HB_PINGED:
        return ours ? hb_timers_later(session.since, (pings + 1) * policy->ack_timeout + late + 1) : HB_NEVER;
    case HB_CLOSING:
        return moment->now;
    case HB_FREE:
    case HB_DETACHED:
    case HB_CLOSED:
        break;
    }
    return HB_NEVER;
}

hb_session hb_session_seen(hb_session session, const hb_moment *moment)
{
    if (session.phase == HB_PINGED && moment->read >= session.since) {
        session.phase = HB_ALIVE;
        session.pings = 0;
    }
    return session;
}

hb_session hb_session_opened(uint32_t opened)
{
    hb_session session = {.since = opened, .phase = HB_CONNECTED};
    return session;
}

hb_session hb_session_resumed(hb_session from)
{
    hb_session session = {.phase = HB_ALIVE, .flags = from.flags & (HB_S_AVAILABLE | HB_S_LOGOUT)};
    session.why = HB_WHY_RESUMED;
    return session;
}

const char *hb_transport_name(hb_transport transport)
{
    switch (transport) {
#define X(name, value, text)                                                                                           \
    case name:                                                                                                         \
        return text;
        HB_TRANSPORTS(X)
#undef X
    }
    return "?";
}

const char *hb_phase_name(hb_phase phase)
{
    switch (phase) {
#define X(name, value, text)                                                                                           \
    case name:                                                                                                         \
        return text;
        HB_PHASES(X)
#undef X
    }
    return "?";
}

const char *hb_verb_name(hb_verb verb)
{
    switch (verb) {
#define X(name, value, text)                                                                                           \
    case name:                                                                                                         \
        return text;
        HB_VERBS(X)
#undef X
    }
    return "?";
}

const char *hb_reason_name(hb_reason why)
{
    switch (why) {
#define X(name, value, text, meaning)                                                                                  \
    case name:                                                                                                         \
        return text;
        HB_REASONS(X)
#undef X
    }
    return "?";
}

const char *hb_reason_text(hb_reason why)
{
    switch (why) {
#define X(name, value, text, meaning)                                                                                  \
    case name:                                                                                                         \
        return meaning;
        HB_REASONS(X)
#undef X
    }
    return "?";
}
