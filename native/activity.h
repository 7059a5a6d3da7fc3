/*
 * activity.h - last activity per user: when a byte was last read from any of their sessions that is over, and how the
 * last one ended. Live sessions hang on their user as a list, which core.c walks.
 *
 * Memory   The table owns its users and their texts; a user stays where it is until the table is closed.
 * Threads  The caller locks.
 */
#ifndef HB_ACTIVITY_H
#define HB_ACTIVITY_H

#include "heartbeat.h"

#define HB_NO_SLOT UINT32_MAX

typedef struct hb_user {
    int64_t seen_ms;      /* wall time; 0: never */
    char *status;         /* of the last unavailable presence, NUL-terminated, or NULL */
    uint32_t sessions;    /* slot of the first session that is open or detached, HB_NO_SLOT if none */
    uint16_t name_length; /* of name */
    uint8_t why;          /* hb_reason of the last session's end */
    char name[];          /* not NUL-terminated */
} hb_user;

typedef struct hb_users {
    hb_user **slots; /* open addressing; capacity is a power of 2 */
    size_t capacity;
    size_t count;
    size_t bytes;     /* allocated for all of it */
    uint64_t seed[2]; /* keyed hashing: nobody can register names that collide */
} hb_users;

void hb_users_init(hb_users *users, uint64_t seed0, uint64_t seed1);
void hb_users_close(hb_users *users);

/* The user of that name, or NULL. */
hb_user *hb_users_find(const hb_users *users, const char *name, size_t length);

/* The user of that name, made if unknown. NULL: out of memory. length is at most HB_JID_MAX. */
hb_user *hb_users_get(hb_users *users, const char *name, size_t length);

/* Keeps a copy of a status, cut to HB_STATUS_MAX; NULL forgets it. On HB_ENOMEM the old one stays. */
int hb_user_set_status(hb_users *users, hb_user *user, const char *status, size_t length);

/* The wall clock was set back by `ms` and is `wall_ms` now: times that lie in its future are taken back by as much. */
void hb_users_set_back(hb_users *users, int64_t wall_ms, int64_t ms);

/* SipHash-2-4 (Aumasson, Bernstein 2012) of bytes. */
uint64_t hb_siphash(const uint64_t seed[2], const void *bytes, size_t length);

/* The length of the longest prefix of at most `max` bytes that does not end within a UTF-8 character. */
size_t hb_utf8_cut(const char *text, size_t length, size_t max);

#endif
