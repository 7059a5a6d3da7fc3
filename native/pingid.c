#include "pingid.h"

#include "seal.h"

#include <limits.h>
#include <string.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>

#define PREFIX "hb-"
#define PREFIX_LENGTH 3
#define BODY 16 /* token and send time */
#define TAG 16  /* of the HMAC's 32 bytes */

static const char HEX[] = "0123456789abcdef";

void hb_unload(void)
{
    OPENSSL_cleanup();
}

int hb_pingid_random(void *bytes, size_t length)
{
    if (OPENSSL_init_crypto(HB_OPENSSL, NULL) != 1)
        return HB_ECRYPTO;
    if (length > INT_MAX || RAND_bytes(bytes, (int)length) != 1)
        return HB_ECRYPTO;
    return HB_OK;
}

static void put_u64(uint8_t *out, uint64_t value)
{
    for (int i = 0; i < 8; i++)
        out[i] = (uint8_t)(value >> (56 - 8 * i));
}

static uint64_t get_u64(const uint8_t *in)
{
    uint64_t value = 0;

    for (int i = 0; i < 8; i++)
        value = value << 8 | in[i];
    return value;
}

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return -1;
}

static int authenticate(const uint8_t key[HB_PINGID_KEY], const uint8_t body[BODY], uint8_t tag[EVP_MAX_MD_SIZE])
{
    unsigned length = 0;

    if (!HMAC(EVP_sha256(), key, HB_PINGID_KEY, body, BODY, tag, &length) || length < TAG)
        return HB_ECRYPTO;
    return HB_OK;
}

int hb_pingid_make(const uint8_t key[HB_PINGID_KEY], hb_token token, int64_t sent_us, char out[HB_PINGID_LENGTH + 1])
{
    uint8_t bytes[BODY + EVP_MAX_MD_SIZE];

    put_u64(bytes, token);
    put_u64(bytes + 8, (uint64_t)sent_us);
    int code = authenticate(key, bytes, bytes + BODY);
    if (code < 0)
        return code;
    memcpy(out, PREFIX, PREFIX_LENGTH);
    for (size_t i = 0; i < BODY + TAG; i++) {
        out[PREFIX_LENGTH + 2 * i] = HEX[bytes[i] >> 4];
        out[PREFIX_LENGTH + 2 * i + 1] = HEX[bytes[i] & 15];
    }
    out[HB_PINGID_LENGTH] = '\0';
    return HB_OK;
}

int hb_pingid_check(const uint8_t key[HB_PINGID_KEY], const char *id, size_t length, hb_token *token, int64_t *sent_us)
{
    uint8_t bytes[BODY + TAG];
    uint8_t tag[EVP_MAX_MD_SIZE];

    if (length != HB_PINGID_LENGTH || memcmp(id, PREFIX, PREFIX_LENGTH) != 0)
        return 0;
    for (size_t i = 0; i < BODY + TAG; i++) {
        int high = hex_value(id[PREFIX_LENGTH + 2 * i]);
        int low = hex_value(id[PREFIX_LENGTH + 2 * i + 1]);
        if (high < 0 || low < 0)
            return 0;
        bytes[i] = (uint8_t)(high << 4 | low);
    }
    int code = authenticate(key, bytes, tag);
    if (code < 0)
        return code;
    if (CRYPTO_memcmp(tag, bytes + BODY, TAG) != 0)
        return 0;
    *token = get_u64(bytes);
    *sent_us = (int64_t)get_u64(bytes + 8);
    return 1;
}
