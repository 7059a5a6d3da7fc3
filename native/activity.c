#define _POSIX_C_SOURCE 200809L /* strnlen */

#include "activity.h"

#include <stdlib.h>
#include <string.h>

#define FIRST_CAPACITY 64

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

uint64_t hb_siphash(const uint64_t seed[2], const void *bytes, size_t length)
{
    const uint8_t *in = bytes;
    uint64_t v[4] = {seed[0] ^ 0x736f6d6570736575u, seed[1] ^ 0x646f72616e646f6du, seed[0] ^ 0x6c7967656e657261u,
                     seed[1] ^ 0x7465646279746573u};

    for (size_t at = 0; at <= length; at += 8) {
        uint64_t word = 0;
        size_t left = length - at;
        for (size_t k = 0; k < 8 && k < left; k++)
            word |= (uint64_t)in[at + k] << (8 * k);
        if (left < 8)
            word |= (uint64_t)length << 56;
        v[3] ^= word;
        sip_round(v);
        sip_round(v);
        v[0] ^= word;
    }
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

void hb_users_init(hb_users *users, uint64_t seed0, uint64_t seed1)
{
    memset(users, 0, sizeof *users);
    users->seed[0] = seed0;
    users->seed[1] = seed1;
}

void hb_users_close(hb_users *users)
{
    for (size_t i = 0; i < users->capacity; i++) {
        if (users->slots[i]) {
            free(users->slots[i]->status);
            free(users->slots[i]);
        }
    }
    free(users->slots);
    memset(users, 0, sizeof *users);
}

/* Where this name stands, or the free place where it would. The table has at least one free place. */
static size_t place_of(const hb_users *users, const char *name, size_t length)
{
    size_t mask = users->capacity - 1;
    size_t i = (size_t)hb_siphash(users->seed, name, length) & mask;

    while (users->slots[i]) {
        const hb_user *user = users->slots[i];
        if (user->name_length == length && memcmp(user->name, name, length) == 0)
            break;
        i = (i + 1) & mask;
    }
    return i;
}

hb_user *hb_users_find(const hb_users *users, const char *name, size_t length)
{
    return users->capacity ? users->slots[place_of(users, name, length)] : NULL;
}

static int grow(hb_users *users)
{
    hb_users larger = *users;

    larger.capacity = users->capacity ? users->capacity * 2 : FIRST_CAPACITY;
    larger.slots = calloc(larger.capacity, sizeof(hb_user *));
    if (!larger.slots)
        return HB_ENOMEM;
    for (size_t i = 0; i < users->capacity; i++) {
        hb_user *user = users->slots[i];
        if (user)
            larger.slots[place_of(&larger, user->name, user->name_length)] = user;
    }
    larger.bytes += (larger.capacity - users->capacity) * sizeof(hb_user *);
    free(users->slots);
    *users = larger;
    return HB_OK;
}

hb_user *hb_users_get(hb_users *users, const char *name, size_t length)
{
    hb_user *user = hb_users_find(users, name, length);

    if (user)
        return user;
    if (users->count * 4 >= users->capacity * 3 && grow(users) < 0)
        return NULL;
    user = calloc(1, sizeof *user + length);
    if (!user)
        return NULL;
    user->sessions = HB_NO_SLOT;
    user->name_length = (uint16_t)length;
    memcpy(user->name, name, length);
    users->slots[place_of(users, name, length)] = user;
    users->count++;
    users->bytes += sizeof *user + length;
    return user;
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
    for (size_t i = 0; i < users->capacity; i++) {
        hb_user *user = users->slots[i];
        if (user && user->seen_ms > wall_ms)
            user->seen_ms -= ms;
    }
}
