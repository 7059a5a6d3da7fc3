/*
 * seal.h - encrypted and authenticated frames, one after the other: AES-256-GCM (NIST SP 800-38D).
 *
 * A file has a key of its own, HMAC-SHA-256 of the master key and the file's header, and the nonce is the number of the
 * frame. So no nonce is used twice as long as no two headers are the same, and a frame that was changed, moved, left
 * out or taken from another file is not authentic.
 *
 * Memory   A seal owns OpenSSL's context until hb_seal_close.
 * Threads  One at a time per seal.
 * Errors   HB_ECRYPTO, HB_ENOMEM.
 */
#ifndef HB_SEAL_H
#define HB_SEAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * How OpenSSL is begun, by whoever needs it first. Not with the machine's openssl.cnf: our copy must not load what
 * another one was set up with. And nothing of it is left for the end of the process: the library may be gone by then,
 * and not every linker has it taken back when a library is unloaded. hb_unload does it.
 */
#define HB_OPENSSL (OPENSSL_INIT_NO_LOAD_CONFIG | OPENSSL_INIT_NO_ATEXIT)

#define HB_SEAL_KEY 32
#define HB_SEAL_TAG 16
#define HB_SEAL_KEY_ID 8

typedef struct hb_seal {
    void *context;
    uint64_t number; /* of the next frame */
} hb_seal;

/* What tells a key from another and tells nothing about it. */
int hb_seal_key_id(const uint8_t key[HB_SEAL_KEY], uint8_t out[HB_SEAL_KEY_ID]);

/* For the file with this header. */
int hb_seal_init(hb_seal *seal, const uint8_t key[HB_SEAL_KEY], const void *header, size_t length);
void hb_seal_close(hb_seal *seal);

/* Encrypts length bytes in place and writes their tag. */
int hb_seal_put(hb_seal *seal, uint8_t *bytes, uint32_t length, uint8_t tag[HB_SEAL_TAG]);

/* Decrypts in place. 1: authentic, 0: not, and bytes are worth nothing. */
int hb_seal_get(hb_seal *seal, uint8_t *bytes, uint32_t length, const uint8_t tag[HB_SEAL_TAG]);

/* Overwrites a secret, also where nobody reads it afterwards. */
void hb_seal_wipe(void *secret, size_t length);

#endif
