/*
 * siphash.h - SipHash (Aumasson, Bernstein 2012): hashes with a key, of which nobody without it can tell anything.
 *
 * Threads  None: values in, values out.
 */
#ifndef HB_SIPHASH_H
#define HB_SIPHASH_H

#include <stddef.h>
#include <stdint.h>

/* SipHash-2-4 of bytes. */
uint64_t hb_siphash(const uint64_t seed[2], const void *bytes, size_t length);

/* SipHash-1-3, for tables in memory: what it gives is not seen by anybody, only whether names collide. */
uint64_t hb_siphash_fast(const uint64_t seed[2], const void *bytes, size_t length);

#endif
