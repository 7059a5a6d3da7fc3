/* The state machine of one session, step by step: every phase with every event, and times swept over small policies. */
#include "support.h"

#include <string.h>

#include "session.h"

#define NOW 1000u

static const hb_policy plain = {.idle = 10, .ack_timeout = 5, .login_within = 20, .ping = true};

/* A session, the tick of its last byte and the time, so that a test reads like a story. */
typedef struct story {
    hb_session session;
    hb_policy policy;
    uint32_t now;
    uint32_t read;
    uint32_t own;
    uint32_t jitter;
    uint32_t due;
} story;

static hb_step happens(story *s, hb_event event, bool resumable)
{
    hb_moment moment = {.now = s->now, .read = s->read, .own = s->own, .jitter = s->jitter, .resumable = resumable};
    hb_step step = hb_session_step(s->session, event, &moment, &s->policy);
    s->session = step.next;
    s->due = step.due;
    return step;
}

static story logged_in(hb_policy policy)
{
    story s = {.session = hb_session_opened(NOW), .policy = policy, .now = NOW, .read = NOW};
    happens(&s, HB_EV_BOUND, false);
    return s;
}

/* What HB_EV_DUE decides when it comes on each tick up to `until`; HB_NOTHING if it decides nothing. */
static hb_step wait_until(story *s, uint32_t until)
{
    hb_step step = {.verb = HB_NOTHING};
    while (s->now < until && step.verb == HB_NOTHING) {
        s->now++;
        step = happens(s, HB_EV_DUE, false);
    }
    return step;
}

static void expect(story *s, uint32_t tick, hb_verb verb, hb_reason why)
{
    hb_step step = wait_until(s, tick);
    assert_int_equal(s->now, tick);
    assert_int_equal(step.verb, verb);
    assert_int_equal(step.why, why);
}

static void begin(story *s, hb_event event, hb_verb verb)
{
    assert_int_equal(happens(s, event, false).verb, verb);
}

static story pinged(hb_policy policy)
{
    story s = logged_in(policy);
    expect(&s, NOW + policy.idle, HB_PING, HB_WHY_IDLE);
    begin(&s, HB_EV_BEGIN_PING, HB_PING);
    return s;
}

static story dying(hb_policy policy)
{
    story s = pinged(policy);
    expect(&s, s.now + policy.ack_timeout + 1, HB_DISCONNECT, HB_WHY_NO_ANSWER);
    return s;
}

/* Pings and the end of a silent session, over small policies: exactly when the rules say. */
static void test_silent(void **state)
{
    (void)state;
    for (uint32_t idle = 1; idle <= 6; idle++) {
        for (uint32_t ack = 1; ack <= 4; ack++) {
            for (uint32_t retries = 0; retries <= 3; retries++) {
                for (uint32_t jitter = 0; jitter < idle; jitter++) {
                    hb_policy policy = {.idle = idle, .ack_timeout = ack, .retries = retries, .ping = true};
                    story s = logged_in(policy);
                    s.jitter = jitter;
                    uint32_t ping = NOW + idle - jitter;
                    expect(&s, ping, HB_PING, HB_WHY_IDLE);
                    begin(&s, HB_EV_BEGIN_PING, HB_PING);
                    for (uint32_t i = 0; i < retries; i++) {
                        ping += ack;
                        expect(&s, ping, HB_PING, HB_WHY_RETRY);
                        begin(&s, HB_EV_BEGIN_PING, HB_PING);
                    }
                    expect(&s, ping + ack + 1, HB_DISCONNECT, HB_WHY_NO_ANSWER);
                    begin(&s, HB_EV_BEGIN_DISCONNECT, HB_CLOSE);
                }
            }
        }
    }
}

/* A byte in any tick from the ping to the last one before the end saves it, and the next ping is due from that byte. */
static void test_any_byte_saves(void **state)
{
    (void)state;
    for (uint32_t idle = 1; idle <= 8; idle++) {
        for (uint32_t ack = 1; ack <= 8; ack++) {
            for (uint32_t at = 0; at <= ack; at++) {
                hb_policy policy = {.idle = idle, .ack_timeout = ack, .ping = true};
                story s = pinged(policy);
                uint32_t ping = s.now;
                assert_int_equal(wait_until(&s, ping + at).verb, HB_NOTHING);
                s.read = s.now;
                /* It is looked at when the next ping is due, or the end would have been: whichever comes first. */
                expect(&s, ping + at + idle, HB_PING, HB_WHY_IDLE);
            }
        }
    }
}

/* A byte of before the ping is none after it. */
static void test_earlier_byte_saves_not(void **state)
{
    (void)state;
    story s = pinged(plain);
    s.read = s.now - 1;
    expect(&s, s.now + plain.ack_timeout + 1, HB_DISCONNECT, HB_WHY_NO_ANSWER);
}

/* What the server ends by itself is left to it, unless the policy is stricter: not as strict, stricter. */
static void test_left_to_server(void **state)
{
    (void)state;
    for (uint32_t retries = 0; retries <= 2; retries++) {
        hb_policy policy = plain;
        policy.retries = retries;
        uint32_t dead = policy.idle + (retries + 1) * policy.ack_timeout;
        for (uint32_t own = 1; own <= dead + 3; own++) {
            story s = logged_in(policy);
            s.own = own;
            hb_step step = wait_until(&s, NOW + 5 * dead);
            assert_int_equal(step.verb, own <= dead ? HB_NOTHING : HB_PING);
            assert_true(own > dead || s.due == HB_NEVER);
        }
    }
}

/* The policy became as lax as the server: what was under way is called off. */
static void test_left_to_server_since(void **state)
{
    (void)state;
    story s = pinged(plain);
    s.own = plain.idle;
    assert_int_equal(happens(&s, HB_EV_DUE, false).verb, HB_NOTHING);
    assert_int_equal(s.session.phase, HB_ALIVE);
    assert_int_equal(s.due, HB_NEVER);

    s = dying(plain);
    s.own = plain.idle;
    hb_step step = happens(&s, HB_EV_BEGIN_DISCONNECT, false);
    assert_int_equal(step.verb, HB_NOTHING);
    assert_int_equal(s.session.phase, HB_ALIVE);
}

/* It is told gone as any other. */
static void test_left_to_server_tells(void **state)
{
    (void)state;
    story s = logged_in(plain);
    s.own = plain.idle;
    happens(&s, HB_EV_AVAILABLE, false);
    happens(&s, HB_EV_CLOSED, false);
    expect(&s, NOW + HB_TELL_TICKS, HB_UNAVAILABLE, HB_WHY_NOT_TOLD);
}

/* A ping that left when the next tick was overdue: the time for its answer counts from that one. */
static void test_late_ping(void **state)
{
    (void)state;
    story s = logged_in(plain);
    expect(&s, NOW + 10, HB_PING, HB_WHY_IDLE);
    hb_moment moment = {.now = s.now, .read = s.read, .late = true};
    hb_step step = hb_session_step(s.session, HB_EV_BEGIN_PING, &moment, &plain);
    assert_int_equal(step.verb, HB_PING);
    s.session = step.next;
    expect(&s, NOW + 10 + 5 + 2, HB_DISCONNECT, HB_WHY_NO_ANSWER);
    /* It is for that ping only. */
    s.read = s.now;
    begin(&s, HB_EV_BEGIN_DISCONNECT, HB_NOTHING);
    expect(&s, s.now + 10, HB_PING, HB_WHY_IDLE);
    begin(&s, HB_EV_BEGIN_PING, HB_PING);
    expect(&s, s.now + 6, HB_DISCONNECT, HB_WHY_NO_ANSWER);
}

static void test_ping_off(void **state)
{
    (void)state;
    for (uint32_t retries = 0; retries <= 2; retries++) {
        hb_policy policy = plain;
        policy.ping = false;
        policy.retries = retries;
        story s = logged_in(policy);
        s.jitter = 3; /* brings pings forward, not the end */
        expect(&s, NOW + 10 + (retries + 1) * 5 + 1, HB_DISCONNECT, HB_WHY_SILENT);
        begin(&s, HB_EV_BEGIN_DISCONNECT, HB_CLOSE);
    }
}

static void test_idle_off(void **state)
{
    (void)state;
    hb_policy policy = plain;
    policy.idle = 0;
    story s = logged_in(policy);
    assert_int_equal(wait_until(&s, NOW + 5000).verb, HB_NOTHING);
    assert_int_equal(s.due, HB_NEVER);
    policy.ping = false;
    s = logged_in(policy);
    assert_int_equal(wait_until(&s, NOW + 5000).verb, HB_NOTHING);
}

static void test_not_logged_in(void **state)
{
    (void)state;
    story s = {.session = hb_session_opened(NOW), .policy = plain, .now = NOW, .read = NOW};
    for (uint32_t i = 0; i < 20; i++) {
        assert_int_equal(wait_until(&s, s.now + 1).verb, HB_NOTHING);
        s.read = s.now;
    }
    expect(&s, NOW + 21, HB_DISCONNECT, HB_WHY_NOT_LOGGED_IN);
    s.read = s.now;
    s.policy.on_dead = HB_ON_DEAD_CUT;
    assert_int_equal(happens(&s, HB_EV_BEGIN_DISCONNECT, true).verb, HB_CLOSE);

    s = (story){.session = hb_session_opened(NOW), .policy = plain, .now = NOW, .read = NOW};
    s.policy.login_within = 0;
    assert_int_equal(wait_until(&s, NOW + 5000).verb, HB_NOTHING);
    /* Logged in between decision and deed; after the deed it is too late. */
    s = (story){.session = hb_session_opened(NOW), .policy = plain, .now = NOW, .read = NOW};
    expect(&s, NOW + 21, HB_DISCONNECT, HB_WHY_NOT_LOGGED_IN);
    happens(&s, HB_EV_BOUND, false);
    begin(&s, HB_EV_BEGIN_DISCONNECT, HB_NOTHING);
    assert_int_equal(s.session.phase, HB_ALIVE);
    s = (story){.session = hb_session_opened(NOW), .policy = plain, .now = NOW, .read = NOW};
    expect(&s, NOW + 21, HB_DISCONNECT, HB_WHY_NOT_LOGGED_IN);
    begin(&s, HB_EV_BEGIN_DISCONNECT, HB_CLOSE);
    happens(&s, HB_EV_BOUND, false);
    assert_int_equal(s.session.phase, HB_CLOSING);
}

static void test_on_dead(void **state)
{
    (void)state;
    static const struct {
        hb_on_dead on_dead;
        bool resumable;
        hb_verb verb;
    } cases[] = {
        {HB_ON_DEAD_AUTO, false, HB_CLOSE}, {HB_ON_DEAD_AUTO, true, HB_CUT}, {HB_ON_DEAD_CLOSE, false, HB_CLOSE},
        {HB_ON_DEAD_CLOSE, true, HB_CLOSE}, {HB_ON_DEAD_CUT, false, HB_CUT}, {HB_ON_DEAD_CUT, true, HB_CUT},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        hb_policy policy = plain;
        policy.on_dead = cases[i].on_dead;
        story s = dying(policy);
        assert_int_equal(happens(&s, HB_EV_BEGIN_DISCONNECT, cases[i].resumable).verb, cases[i].verb);
        /* Once only. */
        assert_int_equal(happens(&s, HB_EV_BEGIN_DISCONNECT, cases[i].resumable).verb, HB_NOTHING);
    }
}

/* What was said between decision and deed is heard, be it in the tick of the decision. */
static void test_spoke(void **state)
{
    (void)state;
    for (uint32_t late = 0; late < 3; late++) {
        story s = logged_in(plain);
        expect(&s, NOW + 10, HB_PING, HB_WHY_IDLE);
        s.read = s.now + late;
        s.now += late;
        hb_step step = happens(&s, HB_EV_BEGIN_PING, false);
        assert_int_equal(step.verb, HB_NOTHING);
        assert_int_equal(step.why, HB_WHY_SPOKE);
        expect(&s, s.read + 10, HB_PING, HB_WHY_IDLE);

        s = dying(plain);
        s.read = s.now + late;
        s.now += late;
        step = happens(&s, HB_EV_BEGIN_DISCONNECT, false);
        assert_int_equal(step.verb, HB_NOTHING);
        assert_int_equal(step.why, HB_WHY_SPOKE);
        assert_int_equal(s.session.pings, 0);
        expect(&s, s.read + 10, HB_PING, HB_WHY_IDLE);
    }
}

/*
 * The new tick reaches the readers after the decision was taken: what they stamp until then carries the tick before. No
 * byte that old was there when it was decided, so it came since.
 */
static void test_read_of_the_tick_before(void **state)
{
    (void)state;
    for (uint32_t ack = 1; ack < 4; ack++) {
        hb_policy policy = {.idle = 1, .ack_timeout = ack, .ping = true};
        story s = dying(policy);
        s.read = s.now - 1;
        assert_int_equal(happens(&s, HB_EV_BEGIN_DISCONNECT, false).verb, HB_NOTHING);
        assert_int_equal(s.session.phase, HB_ALIVE);
        policy.ping = false;
        s = logged_in(policy);
        expect(&s, NOW + 1 + ack + 1, HB_DISCONNECT, HB_WHY_SILENT);
        s.read = s.now - 1;
        assert_int_equal(happens(&s, HB_EV_BEGIN_DISCONNECT, false).verb, HB_NOTHING);
        assert_int_equal(s.session.phase, HB_ALIVE);
    }
}

/* A ping that nobody sent ages nobody, and comes again; so does a disconnect, unless the session spoke. */
static void test_lost_actions(void **state)
{
    (void)state;
    story s = logged_in(plain);
    expect(&s, NOW + 10, HB_PING, HB_WHY_IDLE);
    expect(&s, NOW + 40, HB_PING, HB_WHY_IDLE);
    expect(&s, NOW + 70, HB_PING, HB_WHY_IDLE);
    begin(&s, HB_EV_BEGIN_PING, HB_PING);
    expect(&s, NOW + 76, HB_DISCONNECT, HB_WHY_NO_ANSWER);
    expect(&s, NOW + 106, HB_DISCONNECT, HB_WHY_NO_ANSWER);
    s.read = NOW + 107;
    hb_step step = wait_until(&s, NOW + 140);
    assert_int_equal(step.verb, HB_PING);
    assert_int_equal(step.why, HB_WHY_IDLE);

    s = (story){.session = hb_session_opened(NOW), .policy = plain, .now = NOW, .read = NOW};
    expect(&s, NOW + 21, HB_DISCONNECT, HB_WHY_NOT_LOGGED_IN);
    s.read = NOW + 25; /* says nothing about a login */
    expect(&s, NOW + 51, HB_DISCONNECT, HB_WHY_NOT_LOGGED_IN);
}

static void test_stuck(void **state)
{
    (void)state;
    story s = dying(plain);
    begin(&s, HB_EV_BEGIN_ABORT, HB_NOTHING); /* nothing was begun that could be stuck */
    begin(&s, HB_EV_BEGIN_DISCONNECT, HB_CLOSE);
    uint32_t begun = s.now;
    s.read = begun + 1; /* too late */
    for (uint32_t i = 1; i <= 3; i++) {
        expect(&s, begun + i * HB_CLOSE_TICKS, HB_ABORT, HB_WHY_STUCK);
        begin(&s, HB_EV_BEGIN_ABORT, HB_ABORT);
    }
    assert_int_equal(s.session.why, HB_WHY_NO_ANSWER);
    happens(&s, HB_EV_CLOSED, false);
    assert_int_equal(s.session.phase, HB_FREE);
}

static void test_told(void **state)
{
    (void)state;
    /* Never available, or not any more: nothing to tell. */
    story s = logged_in(plain);
    happens(&s, HB_EV_CLOSED, false);
    assert_int_equal(s.session.phase, HB_FREE);
    s = logged_in(plain);
    happens(&s, HB_EV_AVAILABLE, false);
    happens(&s, HB_EV_LOGOUT, false);
    assert_true(s.session.flags & HB_S_LOGOUT);
    happens(&s, HB_EV_CLOSED, false);
    assert_int_equal(s.session.phase, HB_FREE);
    /* Told by the server, before and after. */
    s = logged_in(plain);
    happens(&s, HB_EV_AVAILABLE, false);
    happens(&s, HB_EV_TOLD, false);
    assert_false(s.session.flags & HB_S_LOGOUT);
    happens(&s, HB_EV_CLOSED, false);
    assert_int_equal(s.session.phase, HB_FREE);
    for (int logout = 0; logout < 2; logout++) {
        s = logged_in(plain);
        happens(&s, HB_EV_AVAILABLE, false);
        happens(&s, HB_EV_CLOSED, false);
        assert_int_equal(s.session.phase, HB_CLOSED);
        happens(&s, logout ? HB_EV_LOGOUT : HB_EV_TOLD, false);
        assert_int_equal(s.session.phase, HB_FREE);
    }
    /* Available once more after a logout. */
    s = logged_in(plain);
    happens(&s, HB_EV_AVAILABLE, false);
    happens(&s, HB_EV_LOGOUT, false);
    happens(&s, HB_EV_AVAILABLE, false);
    assert_false(s.session.flags & HB_S_LOGOUT);
    happens(&s, HB_EV_CLOSED, false);
    /* Told by nobody. */
    expect(&s, NOW + HB_TELL_TICKS, HB_UNAVAILABLE, HB_WHY_NOT_TOLD);
    expect(&s, NOW + HB_TELL_TICKS + HB_REPEAT_TICKS, HB_UNAVAILABLE, HB_WHY_NOT_TOLD);
    happens(&s, HB_EV_CLOSED, false);
    happens(&s, HB_EV_DETACHED, false);
    happens(&s, HB_EV_AVAILABLE, false);
    assert_int_equal(s.session.phase, HB_CLOSED);
    begin(&s, HB_EV_BEGIN_UNAVAILABLE, HB_UNAVAILABLE);
    assert_int_equal(s.session.phase, HB_FREE);
}

static void test_detached(void **state)
{
    (void)state;
    story s = logged_in(plain);
    happens(&s, HB_EV_AVAILABLE, false);
    happens(&s, HB_EV_DETACHED, false);
    assert_int_equal(s.due, HB_NEVER);
    assert_int_equal(wait_until(&s, NOW + 5000).verb, HB_NOTHING);
    hb_session goes_on = hb_session_resumed(s.session);
    assert_int_equal(goes_on.phase, HB_ALIVE);
    assert_true(goes_on.flags & HB_S_AVAILABLE);
    assert_int_equal(goes_on.pings, 0);
    happens(&s, HB_EV_CLOSED, false);
    assert_int_equal(s.session.phase, HB_CLOSED);
    /* A connection that is not logged in can not be detached. */
    s = (story){.session = hb_session_opened(NOW), .policy = plain, .now = NOW, .read = NOW};
    happens(&s, HB_EV_DETACHED, false);
    assert_int_equal(s.session.phase, HB_FREE);
    /* Its connection closed before ours was. */
    s = dying(plain);
    happens(&s, HB_EV_DETACHED, false);
    begin(&s, HB_EV_BEGIN_DISCONNECT, HB_NOTHING);
    assert_int_equal(s.session.phase, HB_DETACHED);
    s = dying(plain);
    assert_int_equal(happens(&s, HB_EV_BEGIN_DISCONNECT, true).verb, HB_CUT);
    happens(&s, HB_EV_DETACHED, false);
    assert_int_equal(wait_until(&s, s.now + 100).verb, HB_NOTHING);
}

static void test_policy_changes(void **state)
{
    (void)state;
    /* A shorter time counts from the last byte, a longer one too. */
    story s = logged_in(plain);
    assert_int_equal(wait_until(&s, NOW + 5).verb, HB_NOTHING);
    s.policy.idle = 3;
    expect(&s, NOW + 6, HB_PING, HB_WHY_IDLE);
    begin(&s, HB_EV_BEGIN_PING, HB_PING);
    s.policy.ack_timeout = 50;
    expect(&s, NOW + 6 + 51, HB_DISCONNECT, HB_WHY_NO_ANSWER);
    /* Fewer retries than pings were sent. */
    hb_policy policy = plain;
    policy.retries = 5;
    s = pinged(policy);
    expect(&s, s.now + 5, HB_PING, HB_WHY_RETRY);
    begin(&s, HB_EV_BEGIN_PING, HB_PING);
    s.policy.retries = 0;
    expect(&s, s.now + 6, HB_DISCONNECT, HB_WHY_NO_ANSWER);
    /* Switched off while a ping waits, or is out: nobody dies of it. */
    for (int out = 0; out < 2; out++) {
        for (int idle = 0; idle < 2; idle++) {
            s = logged_in(plain);
            expect(&s, NOW + 10, HB_PING, HB_WHY_IDLE);
            if (out) {
                begin(&s, HB_EV_BEGIN_PING, HB_PING);
            }
            if (idle) {
                s.policy.idle = 0;
            } else {
                s.policy.ping = false;
            }
            s.now++;
            assert_int_equal(happens(&s, HB_EV_DUE, false).verb, HB_NOTHING);
            begin(&s, HB_EV_BEGIN_PING, HB_NOTHING);
            if (idle) {
                assert_int_equal(wait_until(&s, NOW + 1000).verb, HB_NOTHING);
            } else {
                expect(&s, NOW + 16, HB_DISCONNECT, HB_WHY_SILENT);
            }
        }
    }
}

/* An answer by its id, even if its bytes were not seen in the cell yet. */
static void test_pong(void **state)
{
    (void)state;
    story s = pinged(plain);
    happens(&s, HB_EV_PONG, false);
    assert_int_equal(s.session.phase, HB_ALIVE);
    assert_int_equal(s.session.pings, 0);
    /* While another ping waits to be sent. */
    hb_policy policy = plain;
    policy.retries = 1;
    s = pinged(policy);
    expect(&s, s.now + 5, HB_PING, HB_WHY_RETRY);
    happens(&s, HB_EV_PONG, false);
    begin(&s, HB_EV_BEGIN_PING, HB_NOTHING);
    /* In no other phase does it change anything. */
    s = logged_in(plain);
    hb_session before = s.session;
    happens(&s, HB_EV_PONG, false);
    assert_memory_equal(&before, &s.session, sizeof before);
}

/* Due names the first tick at which there is something to decide, whatever is read meanwhile: looking only then, or on
 * each tick, gives the same decisions at the same ticks. */
static void test_due_is_never_late(void **state)
{
    (void)state;
    dice d = {.state = 5};
    for (int round = 0; round < 20000; round++) {
        hb_policy policy = {.idle = 1 + dice_below(&d, 12),
                            .ack_timeout = 1 + dice_below(&d, 12),
                            .retries = dice_below(&d, 4),
                            .login_within = dice_below(&d, 10),
                            .ping = dice_percent(&d, 85)};
        story each = logged_in(policy);
        if (dice_percent(&d, 10)) {
            each.session = hb_session_opened(NOW);
        }
        each.jitter = dice_below(&d, policy.idle);
        each.due = hb_session_due(each.session, &(hb_moment){.now = NOW, .read = NOW, .jitter = each.jitter}, &policy);
        story due = each;
        uint32_t delay = dice_below(&d, 4);
        uint32_t begin_at = 0;
        hb_verb waiting = HB_NOTHING;
        for (uint32_t now = NOW + 1; now < NOW + 80; now++) {
            each.now = due.now = now;
            hb_step a = {.verb = HB_NOTHING};
            hb_step b = {.verb = HB_NOTHING};
            if (waiting == HB_NOTHING) { /* what was decided and not begun is asked of no more */
                a = happens(&each, HB_EV_DUE, false);
            }
            if (waiting == HB_NOTHING && due.due <= now) {
                b = happens(&due, HB_EV_DUE, false);
            }
            assert_int_equal(a.verb, b.verb);
            if (a.verb != HB_NOTHING) {
                assert_int_equal(a.why, b.why);
                waiting = a.verb;
                begin_at = now + delay;
            }
            if (dice_percent(&d, 8)) {
                each.read = due.read = now;
            }
            if (waiting != HB_NOTHING && now >= begin_at) {
                hb_event event = waiting == HB_PING         ? HB_EV_BEGIN_PING
                                 : waiting == HB_DISCONNECT ? HB_EV_BEGIN_DISCONNECT
                                                            : HB_EV_BEGIN_ABORT;
                assert_int_equal(happens(&each, event, false).verb, happens(&due, event, false).verb);
                waiting = HB_NOTHING;
            }
        }
    }
}

/* Every phase with every event: orders only where they belong, the dead stay dead, and no time wraps. */
static void test_every_phase_and_event(void **state)
{
    (void)state;
    static const uint32_t ticks[] = {0, 1, 1000, UINT32_MAX - 2};
    for (int phase = HB_CONNECTED; phase <= HB_CLOSED; phase++) {
        for (int event = HB_EV_BOUND; event <= HB_EV_BEGIN_UNAVAILABLE; event++) {
            for (unsigned flags = 0; flags < 64; flags++) {
                for (size_t t = 0; t < sizeof ticks / sizeof ticks[0]; t++) {
                    hb_session session = {.phase = (uint8_t)phase, .flags = (uint8_t)flags, .since = ticks[t]};
                    hb_moment moment = {.now = ticks[t], .read = ticks[t] / 2};
                    hb_step step = hb_session_step(session, (hb_event)event, &moment, &plain);
                    assert_in_range(step.next.phase, HB_FREE, HB_CLOSED);
                    assert_true(step.due == HB_NEVER || step.due >= ticks[t] / 2);
                    bool order = step.verb == HB_CLOSE || step.verb == HB_CUT;
                    assert_true(!order || event == HB_EV_BEGIN_DISCONNECT);
                    bool asked = event == HB_EV_ASK_PING || event == HB_EV_ASK_DISCONNECT;
                    assert_true(step.verb != HB_PING || event == HB_EV_DUE || event == HB_EV_BEGIN_PING || asked);
                    assert_true(step.verb != HB_DISCONNECT || event == HB_EV_DUE || event == HB_EV_ASK_DISCONNECT);
                    assert_true(!asked || step.verb == HB_NOTHING || step.why == HB_WHY_ADMIN);
                    assert_true(!asked || step.verb != HB_PING || phase == HB_ALIVE || step.next.phase == phase);
                    assert_true(event != HB_EV_ASK_PING || (step.next.phase == phase && step.next.since == ticks[t]));
                    assert_true(step.verb != HB_ABORT || (phase == HB_CLOSING && (flags & HB_S_BEGUN)));
                    assert_true(step.verb != HB_UNAVAILABLE || phase == HB_CLOSED);
                    assert_true(step.verb == HB_NOTHING || step.why != HB_WHY_NONE || event == HB_EV_BEGIN_PING ||
                                event == HB_EV_BEGIN_DISCONNECT || event == HB_EV_DUE);
                    if (step.next.phase == HB_FREE) {
                        assert_int_equal(step.due, HB_NEVER);
                        assert_true(phase == HB_CLOSED || !(session.flags & HB_S_AVAILABLE) || phase == HB_CONNECTED);
                    }
                }
            }
        }
    }
}

static void test_names(void **state)
{
    (void)state;
    for (int i = HB_FREE; i <= HB_CLOSED; i++) {
        assert_string_not_equal(hb_phase_name((hb_phase)i), "?");
    }
    for (int i = HB_NOTHING; i <= HB_UNAVAILABLE; i++) {
        assert_string_equal(hb_verb_name((hb_verb)i), verb_name((unsigned)i));
    }
    for (int i = HB_WHY_NONE; i < HB_WHY_COUNT; i++) {
        assert_string_equal(hb_reason_name((hb_reason)i), reason_name((unsigned)i));
        assert_string_not_equal(hb_reason_text((hb_reason)i), "?");
    }
    assert_string_equal(hb_phase_name((hb_phase)99), "?");
    assert_string_equal(hb_verb_name((hb_verb)99), "?");
    assert_string_equal(hb_reason_name((hb_reason)99), "?");
    assert_string_equal(hb_reason_text((hb_reason)99), "?");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_silent),
        cmocka_unit_test(test_any_byte_saves),
        cmocka_unit_test(test_earlier_byte_saves_not),
        cmocka_unit_test(test_left_to_server),
        cmocka_unit_test(test_left_to_server_since),
        cmocka_unit_test(test_left_to_server_tells),
        cmocka_unit_test(test_late_ping),
        cmocka_unit_test(test_ping_off),
        cmocka_unit_test(test_idle_off),
        cmocka_unit_test(test_not_logged_in),
        cmocka_unit_test(test_on_dead),
        cmocka_unit_test(test_spoke),
        cmocka_unit_test(test_read_of_the_tick_before),
        cmocka_unit_test(test_lost_actions),
        cmocka_unit_test(test_stuck),
        cmocka_unit_test(test_told),
        cmocka_unit_test(test_detached),
        cmocka_unit_test(test_policy_changes),
        cmocka_unit_test(test_pong),
        cmocka_unit_test(test_due_is_never_late),
        cmocka_unit_test(test_every_phase_and_event),
        cmocka_unit_test(test_names),
    };
    return cmocka_run_group_tests_name("session", tests, NULL, NULL);
}
