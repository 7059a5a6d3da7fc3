#include "places.h"

#include <stdlib.h>
#include <string.h>

#include "platform.h"

#define FIRST_CAPACITY 8
#define CHUNK_BYTES (HB_USER_CHUNK * sizeof(hb_user_place))
#define CHUNKS_OF_BLOCK (HB_USER_BLOCK_BYTES / CHUNK_BYTES)
#define LINE_BYTES 64u

_Static_assert(sizeof(hb_user_place) == 32, "two places make a cache line");
_Static_assert(HB_JID_MAX <= HB_PLACE_LENGTH >> 1, "a length fits its place");

hb_place_key hb_place_key_of(uint64_t hash, const char *name, size_t length)
{
    hb_place_key k = {.name = name, .length = length, .hash = hash};

    if (length <= HB_USER_NAME)
        memcpy(k.stands, name, length);
    else
        memcpy(k.stands, &hash, sizeof hash);
    return k;
}

/* Where a name begins to look. Any capacity will do. */
static size_t home_of(const hb_user_stripe *stripe, uint32_t tag)
{
    return (size_t)((uint64_t)tag * stripe->capacity >> 32);
}

static size_t after(const hb_user_stripe *stripe, size_t i)
{
    return i + 1 < stripe->capacity ? i + 1 : 0;
}

/* How many places further. */
static size_t way(const hb_user_stripe *stripe, size_t from, size_t to)
{
    return to >= from ? to - from : to + stripe->capacity - from;
}

static bool stands_at(const hb_users *users, const hb_user_place *place, const hb_place_key *k)
{
    size_t length;

    if ((place->seen & HB_PLACE_LENGTH) != k->length << 1 || memcmp(place->name, k->stands, HB_USER_NAME) != 0)
        return false;
    return k->length <= HB_USER_NAME ||
           memcmp(hb_user_long_name(hb_user_at(users, place->user), &length), k->name, k->length) == 0;
}

hb_user_place *hb_place_find(const hb_users *users, const hb_user_stripe *stripe, const hb_place_key *k)
{
    size_t i = home_of(stripe, (uint32_t)k->hash);
    hb_user_place *place = hb_place_at(stripe, i);

    __builtin_prefetch((const char *)place + LINE_BYTES); /* every second name is there */
    while (place->user && !stands_at(users, place, k)) {
        i = after(stripe, i);
        place = hb_place_at(stripe, i);
    }
    return place;
}

hb_user_place *hb_place_of_user(const hb_users *users, const hb_user *user)
{
    const hb_user_stripe *stripe = &users->stripes[hb_stripe_of_user(user)];
    size_t i = home_of(stripe, user->tag);

    while (hb_user_at(users, hb_place_at(stripe, i)->user) != user)
        i = after(stripe, i);
    return hb_place_at(stripe, i);
}

static void put_chunk(hb_users *users, hb_user_place *chunk)
{
    memcpy(chunk, &users->free_chunks, sizeof users->free_chunks); /* a free chunk names the next one */
    users->free_chunks = chunk;
}

static bool more_chunks(hb_users *users)
{
    hb_user_place **blocks = realloc(users->chunk_blocks, (users->chunk_block_count + 1) * sizeof(hb_user_place *));

    if (!blocks)
        return false;
    users->chunk_blocks = blocks;
    hb_user_place *block = hb_block_new(HB_USER_BLOCK_BYTES, users->chunk_block_count > 0);
    if (!block)
        return false;
    users->chunk_blocks[users->chunk_block_count++] = block;
    for (size_t i = CHUNKS_OF_BLOCK; i-- > 0;)
        put_chunk(users, block + i * HB_USER_CHUNK);
    return true;
}

/* Free places, less than a chunk or one. */
static hb_user_place *take_chunk(hb_users *users, uint32_t places)
{
    hb_user_place *chunk;

    if (places < HB_USER_CHUNK)
        return calloc(places, sizeof *chunk);
    if (!users->free_chunks && !more_chunks(users))
        return NULL;
    chunk = users->free_chunks;
    memcpy(&users->free_chunks, chunk, sizeof users->free_chunks);
    memset(chunk, 0, places * sizeof *chunk);
    return chunk;
}

static void free_chunks(hb_users *users, hb_user_place **chunks, uint32_t capacity)
{
    for (uint32_t i = 0; i * HB_USER_CHUNK < capacity && chunks[i]; i++) {
        if (capacity < HB_USER_CHUNK)
            free(chunks[i]);
        else
            put_chunk(users, chunks[i]);
    }
    free(chunks);
}

static hb_user_place **new_chunks(hb_users *users, uint32_t capacity)
{
    size_t count = (capacity + HB_USER_CHUNK - 1) / HB_USER_CHUNK;
    hb_user_place **chunks = calloc(count, sizeof(hb_user_place *));

    for (size_t i = 0; chunks && i < count; i++) {
        chunks[i] = take_chunk(users, capacity < HB_USER_CHUNK ? capacity : HB_USER_CHUNK);
        if (!chunks[i]) {
            free_chunks(users, chunks, capacity);
            return NULL;
        }
    }
    return chunks;
}

static uint32_t more_than(uint32_t capacity)
{
    uint32_t eighth = capacity / HB_USER_CHUNK / 8 * HB_USER_CHUNK;

    if (capacity < HB_USER_CHUNK)
        return capacity ? capacity * 2 : FIRST_CAPACITY;
    return capacity + (eighth ? eighth : HB_USER_CHUNK);
}

/* Not as the user has it, who is somewhere else in memory. */
static uint32_t tag_of(const hb_users *users, const hb_user_place *place)
{
    size_t length = (place->seen & HB_PLACE_LENGTH) >> 1;
    uint64_t hash;

    if (length <= HB_USER_NAME)
        return (uint32_t)hb_users_hash(users, place->name, length);
    memcpy(&hash, place->name, sizeof hash);
    return (uint32_t)hash;
}

static int resize(hb_users *users, hb_user_stripe *stripe, uint32_t capacity)
{
    const hb_user_stripe old = {.chunks = stripe->chunks, .capacity = stripe->capacity};
    hb_user_stripe larger = {.capacity = capacity};

    larger.chunks = new_chunks(users, larger.capacity);
    if (!larger.chunks)
        return HB_ENOMEM;
    for (size_t k = 0; k < old.capacity; k++) {
        const hb_user_place *place = hb_place_at(&old, k);
        if (!place->user)
            continue;
        size_t i = home_of(&larger, tag_of(users, place));
        while (hb_place_at(&larger, i)->user)
            i = after(&larger, i);
        *hb_place_at(&larger, i) = *place;
    }
    users->bytes += (larger.capacity - old.capacity) * sizeof(hb_user_place);
    pthread_mutex_lock(&stripe->lock);
    stripe->chunks = larger.chunks;
    stripe->capacity = larger.capacity;
    pthread_mutex_unlock(&stripe->lock);
    if (old.capacity)
        free_chunks(users, old.chunks, old.capacity);
    return HB_OK;
}

int hb_places_grow(hb_users *users, hb_user_stripe *stripe)
{
    return stripe->count * 5 < stripe->capacity * 4 ? HB_OK : resize(users, stripe, more_than(stripe->capacity));
}

int hb_places_reserve(hb_users *users, hb_user_stripe *stripe, uint32_t count)
{
    uint32_t capacity = (count * 5 / 4 + HB_USER_CHUNK) / HB_USER_CHUNK * HB_USER_CHUNK;

    /* Few are quick to move. */
    return count < HB_USER_CHUNK || stripe->capacity >= capacity ? HB_OK : resize(users, stripe, capacity);
}

void hb_places_close(hb_users *users, hb_user_stripe *stripe)
{
    for (size_t k = 0; k < stripe->capacity; k++) {
        if (hb_place_at(stripe, k)->user)
            free(hb_user_at(users, hb_place_at(stripe, k)->user)->status);
    }
    if (stripe->capacity)
        free_chunks(users, stripe->chunks, stripe->capacity);
    pthread_mutex_destroy(&stripe->lock);
}

/* Whoever could not stand nearer to its own place because of this one moves up. */
void hb_places_remove(const hb_users *users, hb_user_stripe *stripe, const hb_user_place *place)
{
    size_t hole = home_of(stripe, tag_of(users, place));

    while (hb_place_at(stripe, hole) != place)
        hole = after(stripe, hole);
    for (size_t i = after(stripe, hole); hb_place_at(stripe, i)->user; i = after(stripe, i)) {
        size_t own = home_of(stripe, tag_of(users, hb_place_at(stripe, i)));
        if (way(stripe, own, i) >= way(stripe, hole, i)) {
            *hb_place_at(stripe, hole) = *hb_place_at(stripe, i);
            hole = i;
        }
    }
    *hb_place_at(stripe, hole) = (hb_user_place){0};
    stripe->count--;
}
