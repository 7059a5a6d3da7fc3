#include "siphash.h"

#include <string.h>

static inline uint64_t rotate(uint64_t x, int by)
{
    return x << by | x >> (64 - by);
}

static inline void rounds(uint64_t v[4], int count)
{
    for (int i = 0; i < count; i++) {
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
}

static inline uint64_t word_at(const uint8_t *bytes)
{
    uint64_t word;

    memcpy(&word, bytes, 8);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    word = __builtin_bswap64(word);
#endif
    return word;
}

/* The last bytes, less than 8, the first one lowest. */
static inline uint64_t rest_at(const uint8_t *bytes, size_t count)
{
    uint64_t word = 0;

    for (size_t k = 0; k < count; k++)
        word |= (uint64_t)bytes[k] << (8 * k);
    return word;
}

static inline uint64_t hash(const uint64_t seed[2], const uint8_t *in, size_t length, int each, int last)
{
    uint64_t v[4] = {seed[0] ^ 0x736f6d6570736575u, seed[1] ^ 0x646f72616e646f6du, seed[0] ^ 0x6c7967656e657261u,
                     seed[1] ^ 0x7465646279746573u};
    size_t whole = length & ~(size_t)7;

    for (size_t at = 0; at <= whole; at += 8) {
        uint64_t word = at < whole ? word_at(in + at) : rest_at(in + at, length - whole) | (uint64_t)length << 56;
        v[3] ^= word;
        rounds(v, each);
        v[0] ^= word;
    }
    v[2] ^= 0xff;
    rounds(v, last);
    return v[0] ^ v[1] ^ v[2] ^ v[3];
}

uint64_t hb_siphash(const uint64_t seed[2], const void *bytes, size_t length)
{
    return hash(seed, bytes, length, 2, 4);
}

uint64_t hb_siphash_fast(const uint64_t seed[2], const void *bytes, size_t length)
{
    return hash(seed, bytes, length, 1, 3);
}
