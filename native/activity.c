#include "activity.h"

#include <stdlib.h>
#include <string.h>

#include "platform.h"

#define FIRST_CAPACITY 8
#define BLOCK_UNITS (1U << HB_USER_BLOCK_BITS)
#define BLOCK_BYTES ((size_t)BLOCK_UNITS * HB_USER_UNIT)

static uint64_t rotate(uint64_t x, int by)
{
    return x << by | x >> (64 - by);
}

static void sip_round(uint64_t v[4])
{
    v[0] += v[1];
    v[1] = rotate(v[1], 13) ^ v[0];
    v[0] = rotate(v[0], 32);
    v[2] += v[3];
    v[3] = rotate(v[3], 16) ^ v[2];
    v[0] += v[3];
    v[3] = rotate(v[3], 21) ^ v[0];
    v[2] += v[1];
    v[1] = rotate(v[1], 17) ^ v[2];
    v[2] = rotate(v[2], 32);
}

static void sip_word(uint64_t v[4], uint64_t word)
{
    v[3] ^= word;
    sip_round(v);
    sip_round(v);
    v[0] ^= word;
}

/* At most 8 bytes, the first one lowest. */
static uint64_t word_of(const uint8_t *bytes, size_t count)
{
    uint64_t word = 0;

    if (count == 8) {
        memcpy(&word, bytes, 8);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
        word = __builtin_bswap64(word);
#endif
        return word;
    }
    for (size_t k = 0; k < count; k++)
        word |= (uint64_t)bytes[k] << (8 * k);
    return word;
}

uint64_t hb_siphash(const uint64_t seed[2], const void *bytes, size_t length)
{
    const uint8_t *in = bytes;
    uint64_t v[4] = {seed[0] ^ 0x736f6d6570736575u, seed[1] ^ 0x646f72616e646f6du, seed[0] ^ 0x6c7967656e657261u,
                     seed[1] ^ 0x7465646279746573u};

    size_t whole = length & ~(size_t)7;
    for (size_t at = 0; at < whole; at += 8)
        sip_word(v, word_of(in + at, 8));
    sip_word(v, word_of(in + whole, length - whole) | (uint64_t)length << 56);
    v[2] ^= 0xff;
    for (int i = 0; i < 4; i++)
        sip_round(v);
    return v[0] ^ v[1] ^ v[2] ^ v[3];
}

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
    for (size_t i = 0; i < HB_USER_STRIPES; i++) {
        hb_user_stripe *stripe = &users->stripes[i];
        for (size_t k = 0; k < stripe->capacity; k++) {
            if (stripe->places[k].user)
                free(hb_user_at(users, stripe->places[k].user)->status);
        }
        free(stripe->places);
        pthread_mutex_destroy(&stripe->lock);
    }
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
    return hb_siphash(users->seed, name, length);
}

static size_t stripe_of(uint64_t hash)
{
    return (size_t)(hash >> 32) % HB_USER_STRIPES;
}

/* Where this name stands, or the free place where it would. The stripe has at least one free place. */
static hb_user_place *place_of(const hb_users *users, const hb_user_stripe *stripe, uint32_t tag, const char *name,
                               size_t length)
{
    size_t mask = stripe->capacity - 1;
    size_t i = tag & mask;

    while (stripe->places[i].user) {
        if (stripe->places[i].tag == tag) {
            const hb_user *user = hb_user_at(users, stripe->places[i].user);
            if (user->name_length == length && memcmp(user->name, name, length) == 0)
                break;
        }
        i = (i + 1) & mask;
    }
    return &stripe->places[i];
}

static hb_user_ref find(const hb_users *users, uint64_t hash, const char *name, size_t length)
{
    const hb_user_stripe *stripe = &users->stripes[stripe_of(hash)];

    return stripe->capacity ? place_of(users, stripe, (uint32_t)hash, name, length)->user : HB_NO_USER;
}

hb_user *hb_users_find(const hb_users *users, const char *name, size_t length)
{
    hb_user_ref user = find(users, hb_users_hash(users, name, length), name, length);

    return user ? hb_user_at(users, user) : NULL;
}

hb_user_ref hb_users_ref(const hb_users *users, const char *name, size_t length)
{
    return find(users, hb_users_hash(users, name, length), name, length);
}

int hb_users_peek(hb_users *users, const char *name, size_t length, hb_seen *out)
{
    uint64_t hash = hb_users_hash(users, name, length);
    hb_user_stripe *stripe = &users->stripes[stripe_of(hash)];

    pthread_mutex_lock(&stripe->lock);
    hb_user_ref found = find(users, hash, name, length);
    if (found) {
        const hb_user *user = hb_user_at(users, found);
        out->ms = user->seen_ms;
        out->online = user->sessions != HB_NO_SLOT;
        out->stripe = user->stripe;
        out->change = *stripe->changes;
    }
    pthread_mutex_unlock(&stripe->lock);
    return found != HB_NO_USER;
}

void hb_user_lock(hb_users *users, const hb_user *user)
{
    pthread_mutex_lock(&users->stripes[user->stripe].lock);
}

void hb_user_unlock(hb_users *users, const hb_user *user)
{
    hb_user_stripe *stripe = &users->stripes[user->stripe];

    __atomic_store_n(stripe->changes, *stripe->changes + 1, __ATOMIC_RELEASE);
    pthread_mutex_unlock(&stripe->lock);
}

/* Made beside the old index: lookups wait for the change from one to the other only. */
static int grow(hb_users *users, hb_user_stripe *stripe)
{
    uint32_t capacity = stripe->capacity ? stripe->capacity * 2 : FIRST_CAPACITY;
    hb_user_place *places = calloc(capacity, sizeof *places);
    hb_user_place *old = stripe->places;

    if (!places)
        return HB_ENOMEM;
    for (size_t k = 0; k < stripe->capacity; k++) {
        size_t i = old[k].tag & (capacity - 1);
        if (!old[k].user)
            continue;
        while (places[i].user)
            i = (i + 1) & (capacity - 1);
        places[i] = old[k];
    }
    users->bytes += (capacity - stripe->capacity) * sizeof *places;
    pthread_mutex_lock(&stripe->lock);
    stripe->places = places;
    stripe->capacity = capacity;
    pthread_mutex_unlock(&stripe->lock);
    free(old);
    return HB_OK;
}

static uint32_t units_of(size_t name_length)
{
    return (uint32_t)((sizeof(hb_user) + name_length + HB_USER_UNIT - 1) / HB_USER_UNIT);
}

/* Where a block has no more users, one without a name says so, if there is room for it. */
static void end_block(hb_users *users)
{
    if (users->used + units_of(0) <= BLOCK_UNITS)
        *hb_user_at(users, (uint32_t)(users->block_count - 1) << HB_USER_BLOCK_BITS | users->used) = (hb_user){0};
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
        unsigned char *block = hb_block_new(BLOCK_BYTES, users->block_count > 0);
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

hb_user_ref hb_users_get(hb_users *users, uint64_t hash, const char *name, size_t length)
{
    hb_user_stripe *stripe = &users->stripes[stripe_of(hash)];
    hb_user_ref known = find(users, hash, name, length);

    if (known)
        return known;
    if (stripe->count * 4 >= stripe->capacity * 3 && grow(users, stripe) < 0)
        return HB_NO_USER;
    hb_user_ref fresh = room_for(users, length);
    if (!fresh)
        return HB_NO_USER;
    hb_user *user = hb_user_at(users, fresh);
    *user = (hb_user){
        .sessions = HB_NO_SLOT, .name_length = (uint16_t)length, .stripe = (uint8_t)(stripe - users->stripes)};
    memcpy(user->name, name, length);
    hb_user_lock(users, user);
    *place_of(users, stripe, (uint32_t)hash, name, length) = (hb_user_place){.tag = (uint32_t)hash, .user = fresh};
    stripe->count++;
    hb_user_unlock(users, user);
    users->count++;
    return fresh;
}

void hb_users_forget(hb_users *users, hb_user_ref ref)
{
    hb_user *user = hb_user_at(users, ref);
    hb_user_stripe *stripe = &users->stripes[user->stripe];
    uint32_t units = units_of(user->name_length);

    hb_user_lock(users, user);
    size_t mask = stripe->capacity - 1;
    uint32_t tag = (uint32_t)hb_users_hash(users, user->name, user->name_length);
    size_t hole = tag & mask;
    while (stripe->places[hole].user != ref)
        hole = (hole + 1) & mask;
    /* Whoever could not stand nearer to its own place because of this one moves up. */
    for (size_t i = (hole + 1) & mask; stripe->places[i].user; i = (i + 1) & mask) {
        size_t own = stripe->places[i].tag & mask;
        if (((i - own) & mask) >= ((i - hole) & mask)) {
            stripe->places[hole] = stripe->places[i];
            hole = i;
        }
    }
    stripe->places[hole] = (hb_user_place){0};
    stripe->count--;
    hb_user_unlock(users, user);
    (void)hb_user_set_status(users, user, NULL, 0);
    user->marks = HB_USER_DEAD;
    user->sessions = users->free[units];
    users->free[units] = ref;
    users->bytes -= (size_t)units * HB_USER_UNIT;
    users->count--;
}

hb_user_ref hb_users_next(const hb_users *users, hb_user_ref ref)
{
    size_t block = ref >> HB_USER_BLOCK_BITS;
    uint32_t at = ref & (BLOCK_UNITS - 1);

    at += ref ? units_of(hb_user_at(users, ref)->name_length) : 1;
    while (block < users->block_count) {
        uint32_t end = block + 1 == users->block_count ? users->used : BLOCK_UNITS;
        while (at + units_of(0) <= end) {
            hb_user_ref next = (uint32_t)block << HB_USER_BLOCK_BITS | at;
            const hb_user *user = hb_user_at(users, next);
            if (!user->name_length)
                break;
            if (!(user->marks & HB_USER_DEAD))
                return next;
            at += units_of(user->name_length);
        }
        block++;
        at = 0;
    }
    return HB_NO_USER;
}

int hb_user_set_status(hb_users *users, hb_user *user, const char *status, size_t length)
{
    char *copy = NULL;

    if (status) {
        length = hb_utf8_cut(status, strnlen(status, length), HB_STATUS_MAX);
        copy = malloc(length + 1);
        if (!copy)
            return HB_ENOMEM;
        memcpy(copy, status, length);
        copy[length] = '\0';
        users->bytes += length + 1;
    }
    if (user->status)
        users->bytes -= strlen(user->status) + 1;
    free(user->status);
    user->status = copy;
    return HB_OK;
}

void hb_users_set_back(hb_users *users, int64_t wall_ms, int64_t ms)
{
    for (size_t i = 0; i < HB_USER_STRIPES; i++) {
        const hb_user_stripe *stripe = &users->stripes[i];
        for (size_t k = 0; k < stripe->capacity; k++) {
            if (!stripe->places[k].user)
                continue;
            hb_user *user = hb_user_at(users, stripe->places[k].user);
            if (user->seen_ms <= wall_ms && user->offline_ms <= wall_ms)
                continue;
            hb_user_lock(users, user);
            user->seen_ms -= user->seen_ms > wall_ms ? ms : 0;
            user->offline_ms -= user->offline_ms > wall_ms ? ms : 0;
            hb_user_unlock(users, user);
        }
    }
}
