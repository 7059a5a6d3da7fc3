/*
 * places.h - the index of users (activity.h): who stands where in a stripe. For activity.c.
 *
 * Memory   Stripes own their chunks; those that a stripe no longer needs are the table's, for the next one.
 * Threads  The caller holds the core's lock for everything but hb_place_find, and the stripe's for that and for what
 *          changes a place. hb_places_grow takes the stripe's itself.
 */
#ifndef HB_PLACES_H
#define HB_PLACES_H

#include <string.h>

#include "activity.h"

#define HB_PLACE_ONLINE 1u
#define HB_PLACE_LENGTH 0xfffeu /* of a place's `seen` */

/* A name as its place has it. */
typedef struct hb_place_key {
    const char *name;
    size_t length;
    uint64_t hash;
    char stands[HB_USER_NAME];
} hb_place_key;

static inline size_t hb_stripe_of(uint64_t hash)
{
    return (size_t)(hash >> 32) % HB_USER_STRIPES;
}

static inline hb_user_place *hb_place_at(const hb_user_stripe *stripe, size_t i)
{
    return &stripe->chunks[i / HB_USER_CHUNK][i % HB_USER_CHUNK];
}

/* The name of one that has it itself (HB_USER_LONG). */
static inline const char *hb_user_long_name(const hb_user *user, size_t *length)
{
    uint16_t bytes;

    memcpy(&bytes, user->name, sizeof bytes);
    *length = bytes;
    return user->name + sizeof bytes;
}

static inline size_t hb_stripe_of_user(const hb_user *user)
{
    return __atomic_load_n(&user->end, __ATOMIC_RELAXED) >> 8 & 0xff;
}

hb_place_key hb_place_key_of(uint64_t hash, const char *name, size_t length);

/* Where this name stands, or the free place where it would. The stripe has at least one free place. */
hb_user_place *hb_place_find(const hb_users *users, const hb_user_stripe *stripe, const hb_place_key *key);

/* The place of a user, which moves when others come and go. */
hb_user_place *hb_place_of_user(const hb_users *users, const hb_user *user);

/* Makes room for one more, if there is little: beside the old index, so that lookups wait for the change only. */
int hb_places_grow(hb_users *users, hb_user_stripe *stripe);

/* Makes room for so many at once, so that it need not grow on the way there. */
int hb_places_reserve(hb_users *users, hb_user_stripe *stripe, uint32_t count);

/* Frees a place. With the stripe's lock. */
void hb_places_remove(const hb_users *users, hb_user_stripe *stripe, const hb_user_place *place);

void hb_places_close(hb_users *users, hb_user_stripe *stripe);

#endif
