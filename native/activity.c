#include "places.h"

#include <stdlib.h>
#include <string.h>

#include "platform.h"

#define BLOCK_UNITS (1U << HB_USER_BLOCK_BITS)
#define MANY ((size_t)1 << 28) /* more than there is room for */

size_t hb_utf8_cut(const char *text, size_t length, size_t max)
{
    size_t end = max;

    if (length <= max)
        return length;
    /* Bytes 10xxxxxx continue a character: go back to where one begins. */
    while (end > 0 && ((unsigned char)text[end] & 0xc0) == 0x80)
        end--;
    return end;
}

int hb_users_init(hb_users *users, uint64_t seed0, uint64_t seed1)
{
    memset(users, 0, sizeof *users);
    users->blocks = calloc(HB_USER_BLOCKS_MAX, sizeof *users->blocks);
    users->free = calloc(HB_USER_UNITS_MAX + 1, sizeof *users->free);
    if (!users->blocks || !users->free) {
        free(users->blocks);
        free(users->free);
        memset(users, 0, sizeof *users);
        return HB_ENOMEM;
    }
    users->seed[0] = seed0;
    users->seed[1] = seed1;
    for (size_t i = 0; i < HB_USER_STRIPES; i++) {
        pthread_mutex_init(&users->stripes[i].lock, NULL);
        users->stripes[i].changes = &users->own_changes[i];
    }
    return HB_OK;
}

void hb_users_close(hb_users *users)
{
    if (!users->blocks)
        return;
    for (size_t i = 0; i < HB_USER_STRIPES; i++)
        hb_places_close(users, &users->stripes[i]);
    for (size_t i = 0; i < users->chunk_block_count; i++)
        hb_block_free(users->chunk_blocks[i]);
    free(users->chunk_blocks);
    for (size_t i = 0; i < users->block_count; i++)
        hb_block_free(users->blocks[i]);
    free(users->blocks);
    free(users->free);
    memset(users, 0, sizeof *users);
}

void hb_users_count_in(hb_users *users, uint32_t *changes)
{
    for (size_t i = 0; i < HB_USER_STRIPES; i++) {
        hb_user_stripe *stripe = &users->stripes[i];
        pthread_mutex_lock(&stripe->lock);
        changes[i] = *stripe->changes;
        stripe->changes = &changes[i];
        pthread_mutex_unlock(&stripe->lock);
    }
}

uint64_t hb_users_hash(const hb_users *users, const char *name, size_t length)
{
    const uint64_t seed[2] = {__atomic_load_n(&users->seed[0], __ATOMIC_RELAXED),
                              __atomic_load_n(&users->seed[1], __ATOMIC_RELAXED)};

    return hb_siphash_fast(seed, name, length);
}

void hb_users_reseed(hb_users *users, const uint64_t seed[2])
{
    for (size_t i = 0; i < 2; i++)
        __atomic_store_n(&users->seed[i], seed[i], __ATOMIC_RELAXED);
}

void hb_users_set_arrival(hb_users *users, size_t stripe, hb_arrival arrival)
{
    pthread_mutex_lock(&users->stripes[stripe].lock);
    users->stripes[stripe].arrival = arrival;
    pthread_mutex_unlock(&users->stripes[stripe].lock);
}

hb_user_ref hb_users_known(const hb_users *users, uint64_t hash, const char *name, size_t length)
{
    const hb_user_stripe *stripe = &users->stripes[hb_stripe_of(hash)];
    hb_place_key k = hb_place_key_of(hash, name, length);

    return stripe->capacity && stripe->arrival != HB_AWAITED ? hb_place_find(users, stripe, &k)->user : HB_NO_USER;
}

hb_user *hb_users_find(const hb_users *users, const char *name, size_t length)
{
    hb_user_ref user = hb_users_ref(users, name, length);

    return user ? hb_user_at(users, user) : NULL;
}

hb_user_ref hb_users_ref(const hb_users *users, const char *name, size_t length)
{
    return hb_users_known(users, hb_users_hash(users, name, length), name, length);
}

int hb_users_peek(hb_users *users, const char *name, size_t length, hb_seen *out)
{
    uint64_t hash = hb_users_hash(users, name, length);
    hb_user_stripe *stripe = &users->stripes[hb_stripe_of(hash)];
    hb_place_key k = hb_place_key_of(hash, name, length);
    int found = 0;

    pthread_mutex_lock(&stripe->lock);
    const hb_user_place *place =
        stripe->capacity && stripe->arrival == HB_HERE ? hb_place_find(users, stripe, &k) : NULL;
    if (place && place->user) {
        out->ms = (int64_t)place->seen >> 16;
        out->online = place->seen & HB_PLACE_ONLINE;
        out->stripe = (uint32_t)hb_stripe_of(hash);
        out->change = *stripe->changes;
        found = 1;
    }
    pthread_mutex_unlock(&stripe->lock);
    return found;
}

int64_t hb_user_seen_ms(const hb_users *users, const hb_user *user)
{
    return (int64_t)hb_place_of_user(users, user)->seen >> 16;
}

void hb_user_set_seen_ms(hb_users *users, const hb_user *user, int64_t ms)
{
    hb_user_place *place = hb_place_of_user(users, user);

    place->seen = (uint64_t)ms << 16 | (place->seen & 0xffff);
}

void hb_user_set_sessions(hb_users *users, hb_user *user, uint32_t slot)
{
    hb_user_place *place = hb_place_of_user(users, user);

    user->sessions = slot;
    place->seen = (place->seen & ~(uint64_t)HB_PLACE_ONLINE) | (slot != HB_NO_SLOT);
}

const char *hb_user_name(const hb_users *users, const hb_user *user, size_t *length)
{
    if (user->end & HB_USER_LONG)
        return hb_user_long_name(user, length);
    const hb_user_place *place = hb_place_of_user(users, user);
    *length = (place->seen & HB_PLACE_LENGTH) >> 1;
    return place->name;
}

void hb_users_lock(hb_users *users, uint64_t hash)
{
    pthread_mutex_lock(&users->stripes[hb_stripe_of(hash)].lock);
}

void hb_users_unlock(hb_users *users, uint64_t hash)
{
    pthread_mutex_unlock(&users->stripes[hb_stripe_of(hash)].lock);
}

void hb_user_lock(hb_users *users, const hb_user *user)
{
    pthread_mutex_lock(&users->stripes[hb_stripe_of_user(user)].lock);
}

void hb_user_unlock(hb_users *users, const hb_user *user)
{
    hb_user_stripe *stripe = &users->stripes[hb_stripe_of_user(user)];

    __atomic_store_n(stripe->changes, *stripe->changes + 1, __ATOMIC_RELEASE);
    pthread_mutex_unlock(&stripe->lock);
}

void hb_user_leave(hb_users *users, const hb_user *user)
{
    pthread_mutex_unlock(&users->stripes[hb_stripe_of_user(user)].lock);
}

static uint32_t units_of(size_t name_length)
{
    size_t here = name_length > HB_USER_NAME ? sizeof(uint16_t) + name_length : 0;

    return (uint32_t)((sizeof(hb_user) + here + HB_USER_UNIT - 1) / HB_USER_UNIT);
}

static uint32_t units_of_user(const hb_user *user)
{
    size_t length = 0;

    if (user->end & HB_USER_LONG)
        (void)hb_user_long_name(user, &length);
    return units_of(length);
}

/* Where a block has no more users, one says so that can not be, if there is room for it. */
static void end_block(hb_users *users)
{
    if (users->used + units_of(0) <= BLOCK_UNITS)
        *hb_user_at(users, (uint32_t)(users->block_count - 1) << HB_USER_BLOCK_BITS | users->used) =
            (hb_user){.end = HB_USER_DEAD | HB_USER_TOUCHED};
}

/* Room for a user. 0: there is none. */
static hb_user_ref room_for(hb_users *users, size_t name_length)
{
    uint32_t units = units_of(name_length);
    hb_user_ref again = users->free[units];

    if (again) {
        users->free[units] = hb_user_at(users, again)->sessions;
        users->bytes += (size_t)units * HB_USER_UNIT;
        return again;
    }
    if (!users->block_count || users->used + units > BLOCK_UNITS) {
        if (users->block_count == HB_USER_BLOCKS_MAX)
            return HB_NO_USER;
        /* The first one takes memory as it is used; of more, fewer and larger pages are faster to look up in. */
        unsigned char *block = hb_block_new(HB_USER_BLOCK_BYTES, users->block_count > 0);
        if (!block)
            return HB_NO_USER;
        if (users->block_count)
            end_block(users);
        users->blocks[users->block_count++] = block;
        users->used = users->block_count == 1 ? 1 : 0; /* HB_NO_USER is nobody */
    }
    hb_user_ref user = (uint32_t)(users->block_count - 1) << HB_USER_BLOCK_BITS | users->used;
    users->used += units;
    users->bytes += (size_t)units * HB_USER_UNIT;
    return user;
}

/* One who stands nowhere yet. HB_NO_USER: out of memory. */
static hb_user_ref new_user(hb_users *users, const hb_place_key *k)
{
    hb_user_ref fresh = room_for(users, k->length);

    if (!fresh)
        return HB_NO_USER;
    hb_user *user = hb_user_at(users, fresh);
    *user = (hb_user){.end = (uint64_t)hb_stripe_of(k->hash) << 8, .sessions = HB_NO_SLOT, .tag = (uint32_t)k->hash};
    if (k->length > HB_USER_NAME) {
        uint16_t bytes = (uint16_t)k->length;
        user->end |= HB_USER_LONG;
        memcpy(user->name, &bytes, sizeof bytes);
        memcpy(user->name + sizeof bytes, k->name, k->length);
    }
    return fresh;
}

hb_user_ref hb_users_put(hb_users *users, uint64_t hash, const char *name, size_t length, const hb_user_past *past)
{
    hb_user_stripe *stripe = &users->stripes[hb_stripe_of(hash)];
    bool room = hb_places_grow(users, stripe) == HB_OK;
    hb_place_key k = hb_place_key_of(hash, name, length);
    hb_user_place *place = stripe->capacity ? hb_place_find(users, stripe, &k) : NULL;

    if (!place || (!place->user && !room))
        return HB_NO_USER;
    hb_user_ref known = place->user;
    if (known && !past)
        return known;
    hb_user_ref ref = known ? known : new_user(users, &k);
    if (!ref)
        return HB_NO_USER;
    hb_user *user = hb_user_at(users, ref);
    hb_user_lock(users, user);
    if (!known) {
        place->seen = length << 1;
        place->user = ref;
        memcpy(place->name, k.stands, HB_USER_NAME);
        stripe->count++;
        users->count++;
    }
    if (past && !hb_user_is_ours(user)) {
        place->seen = (uint64_t)past->seen_ms << 16 | (place->seen & 0xffff);
        hb_user_set_offline_ms(user, past->offline_ms);
        hb_user_set_why(user, past->why);
    }
    hb_user_unlock(users, user);
    return ref;
}

hb_user_ref hb_users_get(hb_users *users, uint64_t hash, const char *name, size_t length)
{
    return hb_users_put(users, hash, name, length, NULL);
}

void hb_users_reserve(hb_users *users, size_t stripe, size_t count)
{
    if (count <= MANY)
        (void)hb_places_reserve(users, &users->stripes[stripe], (uint32_t)count);
}

void hb_users_forget(hb_users *users, hb_user_ref ref)
{
    hb_user *user = hb_user_at(users, ref);
    hb_user_stripe *stripe = &users->stripes[hb_stripe_of_user(user)];
    uint32_t units = units_of_user(user);

    hb_user_lock(users, user);
    hb_places_remove(users, stripe, hb_place_of_user(users, user));
    hb_user_unlock(users, user);
    (void)hb_user_set_status(users, user, NULL, 0);
    user->end = HB_USER_DEAD | (user->end & HB_USER_LONG);
    user->sessions = users->free[units];
    users->free[units] = ref;
    users->bytes -= (size_t)units * HB_USER_UNIT;
    users->count--;
}

void hb_users_of(const hb_users *users, size_t stripe, hb_user_ref *out)
{
    const hb_user_stripe *it = &users->stripes[stripe];

    for (size_t k = 0; k < it->capacity; k++) {
        if (hb_place_at(it, k)->user)
            *out++ = hb_place_at(it, k)->user;
    }
}

hb_user_ref hb_users_next(const hb_users *users, hb_user_ref ref)
{
    size_t block = ref >> HB_USER_BLOCK_BITS;
    uint32_t at = ref & (BLOCK_UNITS - 1);

    at += ref ? units_of_user(hb_user_at(users, ref)) : 1;
    while (block < users->block_count) {
        uint32_t end = block + 1 == users->block_count ? users->used : BLOCK_UNITS;
        while (at + units_of(0) <= end) {
            hb_user_ref next = (uint32_t)block << HB_USER_BLOCK_BITS | at;
            const hb_user *user = hb_user_at(users, next);
            if ((user->end & HB_USER_MARKS) == (HB_USER_DEAD | HB_USER_TOUCHED))
                break;
            if (!(user->end & HB_USER_DEAD))
                return next;
            at += units_of_user(user);
        }
        block++;
        at = 0;
    }
    return HB_NO_USER;
}

char *hb_status_copy(const char *status, size_t length)
{
    size_t cut = hb_utf8_cut(status, strnlen(status, length), HB_STATUS_MAX);
    char *copy = malloc(cut + 1);

    if (copy) {
        memcpy(copy, status, cut);
        copy[cut] = '\0';
    }
    return copy;
}

static size_t bytes_of(const char *status)
{
    return status ? strlen(status) + 1 : 0;
}

char *hb_user_swap_status(hb_users *users, hb_user *user, char *status)
{
    char *old = user->status;

    if (status || old)
        __atomic_add_fetch(&users->bytes, bytes_of(status) - bytes_of(old), __ATOMIC_RELAXED);
    __atomic_store_n(&user->status, status, __ATOMIC_RELAXED);
    return old;
}

int hb_user_set_status(hb_users *users, hb_user *user, const char *status, size_t length)
{
    char *copy = status ? hb_status_copy(status, length) : NULL;

    if (status && !copy)
        return HB_ENOMEM;
    free(hb_user_swap_status(users, user, copy));
    return HB_OK;
}

/* Of one user, who stands there. */
static void set_back(hb_users *users, hb_user_place *place, int64_t wall_ms, int64_t ms)
{
    hb_user *user = hb_user_at(users, place->user);
    int64_t seen_ms = (int64_t)place->seen >> 16;
    int64_t offline_ms = hb_user_offline_ms(user);

    if (seen_ms <= wall_ms && offline_ms <= wall_ms)
        return;
    hb_user_lock(users, user);
    if (seen_ms > wall_ms)
        place->seen -= (uint64_t)ms << 16;
    if (offline_ms > wall_ms)
        hb_user_set_offline_ms(user, offline_ms - ms);
    hb_user_unlock(users, user);
}

void hb_users_set_back(hb_users *users, int64_t wall_ms, int64_t ms)
{
    for (size_t i = 0; i < HB_USER_STRIPES; i++) {
        const hb_user_stripe *stripe = &users->stripes[i];
        for (size_t k = 0; k < stripe->capacity; k++) {
            if (hb_place_at(stripe, k)->user)
                set_back(users, hb_place_at(stripe, k), wall_ms, ms);
        }
    }
}
