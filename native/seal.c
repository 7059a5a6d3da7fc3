#include "seal.h"

#include <string.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "heartbeat.h"

#define NONCE 12

static const char KEY_ID[] = "openfire-heartbeat key id";

static int hmac(const uint8_t key[HB_SEAL_KEY], const void *bytes, size_t length, uint8_t out[EVP_MAX_MD_SIZE])
{
    unsigned made = 0;

    if (OPENSSL_init_crypto(HB_OPENSSL, NULL) != 1)
        return HB_ECRYPTO;
    if (!HMAC(EVP_sha256(), key, HB_SEAL_KEY, bytes, length, out, &made) || made < HB_SEAL_KEY)
        return HB_ECRYPTO;
    return HB_OK;
}

int hb_seal_key_id(const uint8_t key[HB_SEAL_KEY], uint8_t out[HB_SEAL_KEY_ID])
{
    uint8_t digest[EVP_MAX_MD_SIZE];
    int code = hmac(key, KEY_ID, sizeof KEY_ID - 1, digest);

    if (code == HB_OK)
        memcpy(out, digest, HB_SEAL_KEY_ID);
    return code;
}

int hb_seal_init(hb_seal *seal, const uint8_t key[HB_SEAL_KEY], const void *header, size_t length)
{
    uint8_t own[EVP_MAX_MD_SIZE];
    int code = hmac(key, header, length, own);

    memset(seal, 0, sizeof *seal);
    if (code < 0)
        return code;
    EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
    code = !context                                                                 ? HB_ENOMEM
           : EVP_CipherInit_ex(context, EVP_aes_256_gcm(), NULL, own, NULL, 1) == 1 ? HB_OK
                                                                                    : HB_ECRYPTO;
    OPENSSL_cleanse(own, sizeof own);
    if (code < 0) {
        EVP_CIPHER_CTX_free(context);
        return code;
    }
    seal->context = context;
    return HB_OK;
}

void hb_seal_close(hb_seal *seal)
{
    EVP_CIPHER_CTX_free(seal->context);
    memset(seal, 0, sizeof *seal);
}

/* The nonce is the frame's number, and its length is authenticated too. */
static bool begin(hb_seal *seal, uint32_t length, int encrypt)
{
    uint8_t nonce[NONCE] = {0};
    uint8_t extra[4];
    int done = 0;

    for (size_t i = 0; i < 8; i++)
        nonce[i] = (uint8_t)(seal->number >> (8 * i));
    for (size_t i = 0; i < sizeof extra; i++)
        extra[i] = (uint8_t)(length >> (8 * i));
    return EVP_CipherInit_ex(seal->context, NULL, NULL, NULL, nonce, encrypt) == 1 &&
           EVP_CipherUpdate(seal->context, NULL, &done, extra, sizeof extra) == 1;
}

int hb_seal_put(hb_seal *seal, uint8_t *bytes, uint32_t length, uint8_t tag[HB_SEAL_TAG])
{
    int done = 0;

    if (length > INT32_MAX || !begin(seal, length, 1) ||
        (length && EVP_CipherUpdate(seal->context, bytes, &done, bytes, (int)length) != 1) ||
        EVP_CipherFinal_ex(seal->context, bytes + length, &done) != 1 ||
        EVP_CIPHER_CTX_ctrl(seal->context, EVP_CTRL_AEAD_GET_TAG, HB_SEAL_TAG, tag) != 1)
        return HB_ECRYPTO;
    seal->number++;
    return HB_OK;
}

int hb_seal_get(hb_seal *seal, uint8_t *bytes, uint32_t length, const uint8_t tag[HB_SEAL_TAG])
{
    uint8_t expected[HB_SEAL_TAG];
    int done = 0;

    memcpy(expected, tag, HB_SEAL_TAG);
    if (length > INT32_MAX || !begin(seal, length, 0) ||
        (length && EVP_CipherUpdate(seal->context, bytes, &done, bytes, (int)length) != 1) ||
        EVP_CIPHER_CTX_ctrl(seal->context, EVP_CTRL_AEAD_SET_TAG, HB_SEAL_TAG, expected) != 1)
        return HB_ECRYPTO;
    if (EVP_CipherFinal_ex(seal->context, bytes + length, &done) != 1)
        return 0;
    seal->number++;
    return 1;
}

void hb_seal_wipe(void *secret, size_t length)
{
    OPENSSL_cleanse(secret, length);
}
