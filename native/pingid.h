/*
 * pingid.h - ids of pings: "hb-", then slot, generation and send time, then an HMAC-SHA256 of them (cut to 128 bits),
 * all as hex. So an answer names its session and its send time by itself, and nobody can make one up.
 *
 * Errors   HB_ECRYPTO if OpenSSL fails.
 * Threads  Any.
 */
#ifndef HB_PINGID_H
#define HB_PINGID_H

#include "heartbeat.h"

#define HB_PINGID_KEY 32
#define HB_PINGID_LENGTH 67

/* Fills key with random bytes. */
int hb_pingid_random(void *bytes, size_t length);

/* Writes the id of a ping to out, HB_PINGID_LENGTH characters and a NUL. */
int hb_pingid_make(const uint8_t key[HB_PINGID_KEY], hb_token token, int64_t sent_us, char out[HB_PINGID_LENGTH + 1]);

/* Reads an id. 1: made with this key; 0: not one of ours. */
int hb_pingid_check(const uint8_t key[HB_PINGID_KEY], const char *id, size_t length, hb_token *token, int64_t *sent_us);

#endif
