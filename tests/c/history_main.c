/*
 * history FOLDER NOW_MS: a week of a small fleet in virtual time, as the core would have kept it for the plots, for
 * pictures of the overview. It ends at NOW_MS, with as many sessions as the clients that the pictures are taken with.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "support.h"

#define SECONDS (7 * 86400)
#define LEAST 14
#define MOST 62
#define TAU 6.283185307179586

typedef struct person {
    hb_token token;
    char jid[64];
    bool mute;          /* it is dead, and nobody knows yet */
    int64_t lost_since; /* second that its session was detached at; 0: it was not */
} person;

static rig r;
static person people[MOST];
static size_t count;
static dice die = {7};

static double share(void)
{
    return dice_below(&die, 1000000) / 1e6;
}

/* More by day than by night; the end is in the middle of a day. */
static size_t wanted(int64_t second)
{
    double day = (double)(second - SECONDS) / 86400;
    double sun = 0.5 + 0.5 * cos(TAU * day);

    return LEAST + (size_t)((MOST - LEAST) * pow(sun, 0.7) * (0.93 + 0.07 * cos(TAU * day * 5.3)));
}

static void leave(size_t i)
{
    if (!people[i].lost_since)
        (void)hb_core_unavailable(r.core, people[i].token, NULL, 0, false);
    (void)hb_core_closed(r.core, people[i].token);
    people[i] = people[--count];
}

static void come(void)
{
    static unsigned number;
    person *p = &people[count++];

    *p = (person){0};
    text_print(p->jid, sizeof p->jid, "user%u@example.org/device", ++number);
    p->token = rig_login(&r, p->jid, true);
}

static person *owner(hb_token token)
{
    for (size_t i = 0; i < count; i++) {
        if (people[i].token == token)
            return &people[i];
    }
    return NULL;
}

/* Milliseconds that a ping takes: mostly a few dozen, at times of a phone in a tunnel a second. */
static double round_trip_ms(void)
{
    double slow = share();

    return 8 + 40 * share() * share() + (slow < 0.08 ? 200 * share() : 0) + (slow < 0.003 ? 900 * share() : 0);
}

static void do_due(rig_due due)
{
    static hb_order order;
    person *p = owner(due.action.token);
    unsigned facts = dice_percent(&die, 60) ? HB_FACT_RESUMABLE : 0;

    (void)hb_core_begin(r.core, due.action.token, (hb_verb)due.action.verb, facts, r.now_us, &order);
    if (!p) {
        if (order.verb == HB_CLOSE || order.verb == HB_ABORT)
            (void)hb_core_closed(r.core, due.action.token); /* it never logged in */
        return;
    }
    if (order.verb == HB_PING && !p->mute) {
        (void)hb_core_pong(r.core, p->token, order.text, order.length, r.now_us + (int64_t)(1000 * round_trip_ms()));
        rig_read(&r, p->token);
    } else if (order.verb == HB_CUT) {
        (void)hb_core_detached(r.core, p->token);
        p->lost_since = rig_second(&r);
    } else if (order.verb == HB_CLOSE) {
        leave((size_t)(p - people));
    }
}

/* Some talk, some die, some come back on another connection, some never do. */
static void live(int64_t second)
{
    for (size_t i = 0; i < 1 + count / 100; i++) {
        person *p = &people[dice_below(&die, (uint32_t)count)];
        if (!p->mute && !p->lost_since)
            rig_read(&r, p->token);
    }
    if (dice_below(&die, 1500) == 0)
        people[dice_below(&die, (uint32_t)count)].mute = true;
    for (size_t i = 0; i < count; i++) {
        person *p = &people[i];
        if (p->lost_since && second - p->lost_since > 20 && dice_below(&die, 300) == 0) {
            hb_token again = rig_open(&r);
            (void)hb_core_resumed(r.core, p->token, again);
            p->token = again;
            p->lost_since = 0;
            p->mute = false;
        } else if (p->lost_since && second - p->lost_since > 600) {
            leave(i--);
        }
    }
    if (dice_below(&die, 2500) == 0)
        (void)rig_open(&r); /* somebody who never logs in */
}

int main(int argc, char **argv)
{
    hb_error error = {0};

    if (argc != 3) {
        fprintf(stderr, "history FOLDER NOW_MS\n");
        return 1;
    }
    rig_init(&r, 0);
    r.wall_ms = strtoll(argv[2], NULL, 10) - SECONDS * INT64_C(1000);
    rig_policy(&r, "{\"idle\": \"1m\", \"ack_timeout\": \"30s\", \"retries\": 1}", 360000, true);
    for (int64_t second = 1; second <= SECONDS; second++) {
        rig_due due;
        while (rig_second(&r) < second) {
            rig_step(&r, second);
            while (rig_take(&r, &due))
                do_due(due);
        }
        while (count < wanted(second))
            come();
        if (count > wanted(second))
            leave(dice_below(&die, (uint32_t)count));
        live(second);
    }
    int code = hb_core_series_open(r.core, argv[1], NULL, NULL, &error);
    if (code == HB_OK)
        code = hb_core_series_save(r.core, argv[1], &error);
    if (code < 0)
        fprintf(stderr, "history: %s %s\n", hb_strerror(code), error.text);
    rig_close(&r);
    return code < 0;
}
