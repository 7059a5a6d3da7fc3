/* The store of sessions: which slot is given away, pages that are given back and had again, and the JIDs of a page. */
#include "support.h"

#include <stdlib.h>
#include <string.h>

#include "core.h"

static void close_session(rig *r, hb_token token)
{
    assert_int_equal(hb_core_closed(r->core, token), HB_OK);
}

static void ticks(rig *r, int count)
{
    while (count--) {
        rig_step(r, rig_second(r) + 1);
        r->due_count = 0;
    }
}

static void test_a_slot_rests(void **state)
{
    (void)state;
    rig r;
    static hb_token tokens[HB_PAGE_CELLS];
    rig_init(&r, 0);
    rig_policy(&r, "{\"login_within\": \"off\"}", 0, true);
    for (size_t i = 0; i < HB_PAGE_CELLS; i++)
        tokens[i] = rig_open(&r);
    close_session(&r, tokens[7]);
    ticks(&r, HB_REST_TICKS - 1);
    close_session(&r, tokens[3]);
    close_session(&r, tokens[5]);
    /* All are young: what there is has to do, the oldest first. */
    assert_int_equal((uint32_t)rig_open(&r), 7);
    rig_add_page(&r);
    /* Those of the new page are not. */
    assert_int_equal((uint32_t)rig_open(&r) / HB_PAGE_CELLS, 1);
    ticks(&r, HB_REST_TICKS - 1);
    assert_int_equal((uint32_t)rig_open(&r) / HB_PAGE_CELLS, 1);
    ticks(&r, 1);
    assert_int_equal((uint32_t)rig_open(&r), 3);
    assert_int_equal((uint32_t)rig_open(&r), 5);
    assert_int_equal((uint32_t)rig_open(&r) / HB_PAGE_CELLS, 1);
    rig_close(&r);
}

/* However young, of the page that has most. */
static void test_young_slots(void **state)
{
    (void)state;
    enum { ALL = 3 * HB_PAGE_CELLS };
    rig r;
    static hb_token tokens[ALL];
    rig_init(&r, 0);
    rig_policy(&r, "{\"login_within\": \"off\"}", 0, true);
    for (size_t i = 0; i < ALL; i++)
        tokens[i] = rig_open(&r);
    ticks(&r, 10);
    close_session(&r, tokens[0]);
    close_session(&r, tokens[2 * HB_PAGE_CELLS]);
    for (size_t i = 0; i < 10; i++)
        close_session(&r, tokens[HB_PAGE_CELLS + i]);
    assert_int_equal((uint32_t)rig_open(&r), HB_PAGE_CELLS);
    assert_int_equal((uint32_t)rig_open(&r), HB_PAGE_CELLS + 1);
    rig_close(&r);
}

/* Where processors met in one page, each opens sessions in one of its own, as low as can be, if there are enough. */
static void test_lanes(void **state)
{
    (void)state;
    rig r;
    rig_init(&r, 0);
    rig_policy(&r, "{\"login_within\": \"off\"}", 0, true);
    for (size_t p = 1; p < 3; p++)
        rig_add_page(&r);
    assert_int_equal((uint32_t)rig_open(&r), 0);
    hb_lane *own = hb_lane_of(r.core);
    assert_ptr_equal(own, &r.core->lanes[0]); /* nobody has met anybody */
    own->page = HB_NO_PAGE;
    r.core->lanes[7].page = 0;
    assert_int_equal((uint32_t)rig_open(&r), HB_PAGE_CELLS);
    assert_int_equal(own->page, 1);
    own->page = HB_NO_PAGE;
    r.core->lanes[8].page = 1;
    r.core->lanes[9].page = 2;
    assert_int_equal((uint32_t)rig_open(&r), 1);
    own->page = HB_NO_PAGE;
    r.core->lanes[10].page = 0;
    assert_int_equal((uint32_t)rig_open(&r), HB_PAGE_CELLS + 1);
    /* Each tick begins at the lowest page. */
    r.core->crowded = true;
    ticks(&r, 1);
    assert_false(r.core->crowded);
    assert_int_equal((uint32_t)rig_open(&r), 2);
    rig_close(&r);
}

#define MANY 60

/* The sessions of a user, the last one first, as they are to be. */
static void check_list(const rig *r, const hb_user *user, const uint32_t *slots, size_t count)
{
    uint32_t slot = user->sessions;
    for (size_t i = count; i-- > 0; slot = hb_slot_at(r->core, slot)->next)
        assert_int_equal(slot, slots[i]);
    assert_int_equal(slot, HB_NO_SLOT);
}

static void check_all_know(const rig *r, const uint32_t *slots, size_t count)
{
    for (size_t i = 0; i + 1 < count; i++)
        assert_int_equal(hb_slot_at(r->core, slots[i])->prev, slots[i + 1]);
}

/* Whoever comes and goes in whatever order: the list is right, and is gone through once for many who leave. */
static void test_list_of_a_user(void **state)
{
    (void)state;
    rig r;
    dice d = {.state = 7};
    hb_token tokens[MANY];
    uint32_t slots[MANY];
    size_t count = 0;
    rig_init(&r, 0);
    hb_token first = rig_login(&r, "a@example.org/first", false);
    const hb_user *user = hb_users_find(&r.core->users, "a", 1);
    assert_non_null(user);
    close_session(&r, first);
    for (int i = 0; i < 20000; i++) {
        uint32_t often = i / 200 % 2 ? 70 : 30; /* more come than go, and the other way round */
        if (count < MANY && (!count || dice_percent(&d, often))) {
            tokens[count] = rig_login(&r, "a@example.org/x", false);
            slots[count] = (uint32_t)tokens[count];
            count++;
        } else {
            size_t at = dice_percent(&d, 30) ? count - 1 : dice_below(&d, (uint32_t)count);
            bool behind = at + 1 < count;
            close_session(&r, tokens[at]);
            memmove(tokens + at, tokens + at + 1, (count - at - 1) * sizeof *tokens);
            memmove(slots + at, slots + at + 1, (count - at - 1) * sizeof *slots);
            count--;
            if (behind)
                check_all_know(&r, slots, at + 1);
        }
        check_list(&r, user, slots, count);
    }
    hb_slots_relink(r.core, user);
    check_list(&r, user, slots, count);
    check_all_know(&r, slots, count);
    rig_close(&r);
}

enum { CROWD = 300, CROWD_USERS = 20, CROWD_PAGES = 18 };

/* Everybody who is here, or was: by token, with a number for each time that a user is known; 0: nobody's. */
typedef struct crowd {
    rig rig;
    hb_token tokens[CROWD];
    unsigned whose[CROWD];
    unsigned times[CROWD_USERS];
} crowd;

static const char *crowd_name(unsigned time)
{
    static char name[32];
    text_print(name, sizeof name, "user%u", time % CROWD_USERS);
    return name;
}

/* A session names its user, and is on their list, until it is over or they are forgotten; nobody else is named. */
static void check_crowd(crowd *c)
{
    const hb_core *core = c->rig.core;
    size_t named = 0;
    for (size_t i = 0; i < CROWD; i++) {
        const hb_slot *it = hb_slot_at(core, (uint32_t)c->tokens[i]);
        if (it->generation != c->tokens[i] >> 32 || it->session.phase == HB_FREE) {
            c->tokens[i] = 0;
            continue;
        }
        bool forgotten = c->whose[i] != c->times[c->whose[i] % CROWD_USERS];
        if (!c->whose[i] || forgotten || it->session.phase == HB_CLOSED) {
            assert_int_equal(it->user, HB_NO_USER);
            continue;
        }
        const char *name = crowd_name(c->whose[i]);
        assert_int_equal(it->user, hb_users_ref(&core->users, name, strlen(name)));
        uint32_t at = hb_user_at(&core->users, it->user)->sessions;
        while (at != (uint32_t)c->tokens[i]) {
            assert_int_not_equal(at, HB_NO_SLOT);
            at = hb_slot_at(core, at)->next;
        }
        named++;
    }
    for (uint32_t slot = 0; slot < core->page_count * HB_PAGE_CELLS; slot++)
        named -= hb_slot_at(core, slot)->user != HB_NO_USER;
    assert_int_equal(named, 0);
}

static void crowd_deed(crowd *c, dice *d)
{
    hb_core *core = c->rig.core;
    size_t i = dice_below(d, CROWD);
    unsigned time = c->times[dice_below(d, CROWD_USERS)];
    char jid[64];
    switch (c->tokens[i] ? dice_below(d, 8) : 0) {
    case 0:
        if (c->tokens[i])
            break;
        core->lanes[0].page = dice_below(d, CROWD_PAGES);
        c->tokens[i] = rig_open(&c->rig);
        c->whose[i] = dice_percent(d, 90) ? time : 0;
        text_print(jid, sizeof jid, "%s@example.org/%zu", crowd_name(time), i);
        assert_int_equal(hb_core_bound(core, c->tokens[i], jid, strlen(jid), !c->whose[i]), HB_OK);
        break;
    case 1:
    case 2:
        (void)hb_core_available(core, c->tokens[i]);
        break;
    case 3:
        (void)hb_core_unavailable(core, c->tokens[i], "x", 1, dice_percent(d, 50));
        break;
    case 4: {
        hb_token to = rig_open(&c->rig);
        if (hb_core_resumed(core, c->tokens[i], to) == HB_OK)
            c->tokens[i] = to;
        else
            close_session(&c->rig, to);
        break;
    }
    case 5:
        (void)hb_core_detached(core, c->tokens[i]);
        break;
    case 6:
        (void)hb_core_closed(core, c->tokens[i]);
        break;
    default:
        if (hb_core_forget(core, crowd_name(time), strlen(crowd_name(time))) == 1)
            c->times[time % CROWD_USERS] += CROWD_USERS;
        break;
    }
}

/* Users are forgotten while sessions of theirs are open, are being told of, or are resumed. */
static void test_forgotten(void **state)
{
    (void)state;
    static crowd c;
    dice d = {.state = 31};
    rig_init(&c.rig, 0);
    rig_policy(&c.rig, "{\"login_within\": \"off\", \"idle\": \"off\"}", 0, true);
    while (c.rig.page_count < CROWD_PAGES)
        rig_add_page(&c.rig);
    for (unsigned i = 0; i < CROWD_USERS; i++)
        c.times[i] = CROWD_USERS + i;
    size_t closed = 0;
    for (int i = 0; i < 20000; i++) {
        crowd_deed(&c, &d);
        closed += hb_core_phase(c.rig.core, HB_CLOSED) > 0;
        if (i % 16 == 0)
            check_crowd(&c);
        if (i % 100 == 0)
            ticks(&c.rig, 1);
    }
    assert_true(closed > 10000);
    rig_close(&c.rig);
}

static size_t open_count(const rig *r)
{
    return r->core->page_count * HB_PAGE_CELLS - hb_core_phase(r->core, HB_FREE);
}

static void test_given_back(void **state)
{
    (void)state;
    enum { PAGES = 12, ALL = PAGES * HB_PAGE_CELLS };
    rig r;
    hb_token *tokens = calloc(ALL, sizeof *tokens);
    assert_non_null(tokens);
    rig_init(&r, 0);
    rig_policy(&r, "{\"login_within\": \"off\"}", 0, true);
    size_t empty = hb_core_bytes(r.core);
    char jid[64];
    for (size_t i = 0; i < ALL; i++) {
        text_print(jid, sizeof jid, "user%zu@example.org/phone", i);
        tokens[i] = rig_open(&r);
        assert_int_equal(hb_core_bound(r.core, tokens[i], jid, strlen(jid), true), HB_OK);
    }
    size_t peak = hb_core_bytes(r.core);
    assert_true((peak - empty) / ALL < 64 + strlen(jid));
    for (size_t i = 0; i < ALL; i++) {
        if (i != 5)
            close_session(&r, tokens[i]);
    }
    assert_int_equal(r.core->vacancies, 0);
    ticks(&r, HB_REST_TICKS - 1);
    assert_int_equal(r.core->vacancies, 0); /* they rest */
    ticks(&r, 2 * PAGES + 1);
    /* Kept is what is in use, and room for two pages of sessions. */
    assert_int_equal(r.core->vacancies, PAGES - 2);
    assert_true(hb_core_bytes(r.core) < empty + 2 * sizeof(hb_page));
    assert_int_equal(open_count(&r), 1);
    for (size_t i = 0; i < ALL; i++) {
        if (i != 5)
            assert_int_equal(hb_core_closed(r.core, tokens[i]), HB_ESTALE);
    }

    /* And they come again, before the caller is asked for another one; no token is an old one. */
    size_t pages = r.page_count;
    for (size_t i = 0; i < ALL; i++) {
        if (i == 5)
            continue;
        hb_token token = rig_open(&r);
        assert_int_equal(hb_core_closed(r.core, tokens[(uint32_t)token]), HB_ESTALE);
        assert_true(token >> 32 > tokens[(uint32_t)token] >> 32);
        rig_read(&r, token);
        assert_int_equal(*rig_cell(&r, token), r.tick);
    }
    assert_int_equal(r.page_count, pages);
    assert_int_equal(r.core->vacancies, 0);
    assert_int_equal(open_count(&r), ALL);
    close_session(&r, tokens[5]);
    free(tokens);
    rig_close(&r);
}

/* Where few of many are left, they keep their pages; whoever comes then is put into the first ones. */
static void test_pages_become_empty(void **state)
{
    (void)state;
    enum { PAGES = 12, ALL = PAGES * HB_PAGE_CELLS, STAY = 64 };
    rig r;
    static hb_token tokens[ALL];
    rig_init(&r, 0);
    rig_policy(&r, "{\"login_within\": \"off\"}", 0, true);
    for (size_t i = 0; i < ALL; i++)
        tokens[i] = rig_open(&r);
    for (size_t i = 0; i < ALL; i++) {
        if (i % STAY)
            close_session(&r, tokens[i]);
    }
    ticks(&r, 3 * PAGES);
    assert_int_equal(r.core->vacancies, 0);
    for (size_t i = ALL / STAY; i-- > 0;) {
        close_session(&r, tokens[i * STAY]);
        assert_int_equal((uint32_t)rig_open(&r) / HB_PAGE_CELLS, 0);
        if (i % 8 == 0)
            ticks(&r, 1);
    }
    ticks(&r, 3 * PAGES);
    assert_int_equal(r.core->vacancies, PAGES - 2);
    rig_close(&r);
}

static size_t text_of(char *out, size_t length, uint32_t salt)
{
    for (size_t i = 0; i < length; i++)
        out[i] = (char)('a' + (salt + i * 7) % 26);
    return length;
}

/* JIDs come and go, of all lengths and then of others, against a plain list of them. */
static void test_jids(void **state)
{
    (void)state;
    enum { COUNT = 1500, STEPS = 60000 };
    static uint32_t lengths[COUNT];
    static uint32_t salts[COUNT];
    static char text[HB_JID_MAX];
    dice d = {.state = 29};
    rig r;
    rig_init(&r, 0);
    hb_page *page = r.core->pages[0];
    for (int step = 0; step < STEPS; step++) {
        size_t i = dice_below(&d, COUNT);
        const hb_jid *jid = hb_jid_of(page, i);
        if (lengths[i]) {
            assert_non_null(jid);
            assert_int_equal(jid->length, lengths[i]);
            assert_memory_equal(jid->text, text, text_of(text, lengths[i], salts[i]));
            hb_jid_drop(page, i);
            lengths[i] = 0;
            assert_null(hb_jid_of(page, i));
            continue;
        }
        assert_null(jid);
        uint32_t longest = step < STEPS / 3 ? 40 : step < 2 * STEPS / 3 ? 90 : dice_percent(&d, 1) ? HB_JID_MAX : 30;
        lengths[i] = 1 + dice_below(&d, longest);
        salts[i] = dice_below(&d, 26);
        assert_int_equal(hb_jid_keep(r.core, page, i, text, text_of(text, lengths[i], salts[i])), HB_OK);
        if (step % 1000 == 0)
            hb_jids_tidy(r.core, page);
        size_t live = 0;
        for (size_t k = 0; step % 1000 == 0 && k < COUNT; k++)
            live += lengths[k] ? (sizeof(hb_jid) + lengths[k] + HB_JID_UNIT - 1) / HB_JID_UNIT * HB_JID_UNIT : 0;
        /* At most half of it is free, and an eighth is to spare. */
        if (step % 1000 == 0)
            assert_true(r.core->jid_bytes <= 2 * (live + live / 4) + 16384);
    }
    for (size_t i = 0; i < COUNT; i++)
        hb_jid_drop(page, i);
    hb_jids_tidy(r.core, page);
    assert_true(r.core->jid_bytes <= 4096);
    rig_close(&r);
}

/* The same many times over takes no more memory. */
static void test_jids_are_bounded(void **state)
{
    (void)state;
    char text[64];
    rig r;
    rig_init(&r, 0);
    hb_page *page = r.core->pages[0];
    size_t bytes = 0;
    for (uint32_t round = 0; round < 200; round++) {
        for (size_t i = 0; i < 1000; i++)
            assert_int_equal(hb_jid_keep(r.core, page, i, text, text_of(text, 10 + (i + round) % 50, round)), HB_OK);
        if (round == 50)
            bytes = r.core->jid_bytes;
        assert_true(round < 50 || r.core->jid_bytes <= bytes);
        for (size_t i = 0; i < 1000; i++)
            hb_jid_drop(page, i);
    }
    rig_close(&r);
}

/* A JID goes with its session to another page. */
static void test_resumed_in_another_page(void **state)
{
    (void)state;
    rig r;
    rig_init(&r, 0);
    rig_policy(&r, "{\"login_within\": \"off\"}", 0, true);
    hb_token alice = rig_login(&r, "alice@example.org/phone", true);
    for (size_t i = 1; i < HB_PAGE_CELLS; i++)
        (void)rig_open(&r);
    hb_token again = rig_open(&r);
    assert_int_equal((uint32_t)again / HB_PAGE_CELLS, 1);
    assert_int_equal(hb_core_detached(r.core, alice), HB_OK);
    assert_int_equal(hb_core_resumed(r.core, alice, again), HB_OK);
    const hb_jid *jid = hb_jid_of(r.core->pages[1], 0);
    assert_true(jid && jid->length == 23 && memcmp(jid->text, "alice@example.org/phone", 23) == 0);
    assert_null(hb_jid_of(r.core->pages[0], 0));
    rig_close(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_slot_rests),
        cmocka_unit_test(test_young_slots),
        cmocka_unit_test(test_lanes),
        cmocka_unit_test(test_list_of_a_user),
        cmocka_unit_test(test_forgotten),
        cmocka_unit_test(test_given_back),
        cmocka_unit_test(test_pages_become_empty),
        cmocka_unit_test(test_jids),
        cmocka_unit_test(test_jids_are_bounded),
        cmocka_unit_test(test_resumed_in_another_page),
    };
    return cmocka_run_group_tests_name("slots", tests, NULL, NULL);
}
