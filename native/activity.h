/*
 * activity.h - last activity per user: when a byte was last read from any of their sessions that is over, and how the
 * last one ended. Live sessions hang on their user as a list, which core.c walks.
 *
 * A user is in two places. What a lookup wants stands in the index, name and all, so that it costs one miss of the
 * caches: 32 bytes each, open addressing. The rest lies in blocks that are never moved, and is what others refer to.
 * The index is cut into stripes by the name's hash, each with a lock of its own, so that a lookup waits for a change of
 * one user at most. A stripe grows by about an eighth, out of chunks of one size, which the next one that grows uses
 * again.
 *
 * Memory   The table owns its users and their texts; a user stays where it is until it is forgotten.
 * Threads  hb_users_peek may be called by any. Who makes, forgets or goes through users holds all parts of the core
 *          (core.h), and the user's stripe while what hb_users_peek looks at changes: when the user was seen, and
 *          sessions. Who holds one part takes the stripe too, and may find and change one user.
 */
#ifndef HB_ACTIVITY_H
#define HB_ACTIVITY_H

#include <pthread.h>

#include "heartbeat.h"
#include "siphash.h"

#define HB_NO_SLOT UINT32_MAX

/* What one thread writes to while others write to what lies beside it shares no line of the caches with that. */
#define HB_APART _Alignas(64)

/* Which user, in 4 bytes. */
typedef uint32_t hb_user_ref;
#define HB_NO_USER 0

#define HB_USER_UNIT 8        /* what a hb_user_ref counts, in bytes */
#define HB_USER_BLOCK_BITS 18 /* units of a block: 2 MB */
#define HB_USER_BLOCK_BYTES ((size_t)HB_USER_UNIT << HB_USER_BLOCK_BITS)
#define HB_USER_BLOCKS_MAX 16384
#define HB_USER_UNITS_MAX ((sizeof(hb_user) + sizeof(uint16_t) + HB_JID_MAX + HB_USER_UNIT - 1) / HB_USER_UNIT)
#define HB_USER_NAME 20    /* bytes of a name that stand in the index */
#define HB_USER_CHUNK 128u /* places of a chunk: 4 KB */

typedef struct hb_user {
    uint64_t end; /* wall time in ms of the end of the last session (0: none ended) << 16 | stripe << 8 | marks */
    char *status; /* of the last unavailable presence, NUL-terminated, or NULL */
    uint32_t
        sessions; /* slot of the first session that is open or detached, HB_NO_SLOT if none: hb_user_set_sessions */
    uint32_t tag; /* of the name's hash: where to look for its place in the index */
    char name[];  /* of more than HB_USER_NAME bytes: its length in 2, then the whole of it */
} hb_user;

#define HB_USER_WHY 0x0fu     /* hb_reason of the last session's end */
#define HB_USER_GONE 0x10u    /* of hb_core_gone: it is to be told of */
#define HB_USER_TOUCHED 0x20u /* it is to be written to the journal; while there is none: it is ours */
#define HB_USER_DEAD 0x40u    /* forgotten: its room is free, `sessions` is the next such room of that size */
#define HB_USER_LONG 0x80u    /* the name is here */
#define HB_USER_MARKS 0xffu

/*
 * While what was read from the journal is taken: whether somebody is, or was, here since we are, of whom it can tell
 * nothing new. Of those who are HB_COMING nobody is.
 */
static inline bool hb_user_is_ours(const hb_user *user)
{
    return user->sessions != HB_NO_SLOT || user->end & HB_USER_TOUCHED;
}

static inline hb_reason hb_user_why(const hb_user *user)
{
    return (hb_reason)(user->end & HB_USER_WHY);
}

/* Other threads may look at the stripe meanwhile, which never changes. */
static inline void hb_user_set_end(hb_user *user, uint64_t end)
{
    __atomic_store_n(&user->end, end, __ATOMIC_RELAXED);
}

static inline void hb_user_mark(hb_user *user, uint64_t mark)
{
    hb_user_set_end(user, user->end | mark);
}

static inline void hb_user_unmark(hb_user *user, uint64_t mark)
{
    hb_user_set_end(user, user->end & ~mark);
}

static inline void hb_user_set_why(hb_user *user, hb_reason why)
{
    hb_user_set_end(user, (user->end & ~(uint64_t)HB_USER_WHY) | ((unsigned)why & HB_USER_WHY));
}

static inline int64_t hb_user_offline_ms(const hb_user *user)
{
    return (int64_t)user->end >> 16;
}

static inline void hb_user_set_offline_ms(hb_user *user, int64_t ms)
{
    hb_user_set_end(user, (uint64_t)ms << 16 | (user->end & 0xffff));
}

/* Also for who does not hold the lock of the stripe: it may be another one at once. */
static inline bool hb_user_has_status(const hb_user *user)
{
    return __atomic_load_n(&user->status, __ATOMIC_RELAXED) != NULL;
}

/* 32 bytes, so that none lies in two cache lines. */
typedef struct hb_user_place {
    uint64_t seen;           /* wall time in ms (0: never) << 16 | length of the name << 1 | online */
    hb_user_ref user;        /* HB_NO_USER: nobody stands here */
    char name[HB_USER_NAME]; /* filled up with zeros; of a longer one its hash */
} hb_user_place;

/* Whether the users of a stripe are here. */
typedef enum hb_arrival {
    HB_HERE,
    HB_COMING,  /* who holds all parts makes them; for all others it is as below */
    HB_AWAITED, /* nobody is known, and nobody can be made */
} hb_arrival;

typedef struct hb_user_stripe {
    HB_APART pthread_mutex_t lock;
    hb_user_place **chunks;
    hb_arrival arrival; /* changed by who holds all parts and the stripe */
    uint32_t capacity;  /* places: less than a chunk, or whole ones */
    uint32_t count;
    uint32_t *changes; /* counted by hb_user_unlock */
} hb_user_stripe;

typedef struct hb_users {
    uint64_t seed[2]; /* keyed hashing: nobody can register names that collide */
    unsigned char **blocks;
    size_t block_count;
    uint32_t used;     /* units of the last block */
    hb_user_ref *free; /* the first free room of so many units, HB_USER_UNITS_MAX + 1 of them */
    void *free_chunks; /* the first of them, which begins with the next */
    hb_user_place **chunk_blocks;
    size_t chunk_block_count;
    size_t count;
    size_t bytes; /* of users, their texts and the index */
    uint32_t own_changes[HB_USER_STRIPES];
    hb_user_stripe stripes[HB_USER_STRIPES];
} hb_users;

/* HB_ENOMEM: nothing was made. */
int hb_users_init(hb_users *users, uint64_t seed0, uint64_t seed1);
void hb_users_close(hb_users *users);

/* From now on changes are counted there, HB_USER_STRIPES of them, which outlive the table. */
void hb_users_count_in(hb_users *users, uint32_t *changes);

/* Not of HB_NO_USER. */
static inline hb_user *hb_user_at(const hb_users *users, hb_user_ref user)
{
    size_t in_block = user & ((1U << HB_USER_BLOCK_BITS) - 1);

    return (hb_user *)(void *)(users->blocks[user >> HB_USER_BLOCK_BITS] + in_block * HB_USER_UNIT);
}

/* The user of that name, or NULL. */
hb_user *hb_users_find(const hb_users *users, const char *name, size_t length);

/* The same as what it is referred to by, or HB_NO_USER. */
hb_user_ref hb_users_ref(const hb_users *users, const char *name, size_t length);

/* The same by its hash, with the lock of its stripe for who holds one part only. */
hb_user_ref hb_users_known(const hb_users *users, uint64_t hash, const char *name, size_t length);

/* The lock of the stripe that a hash belongs to. Where its user is changed, hb_user_unlock is its end. */
void hb_users_lock(hb_users *users, uint64_t hash);
void hb_users_unlock(hb_users *users, uint64_t hash);

/*
 * While there is nobody: from now on names are hashed with this seed. Who hashed a name before finds nobody, and hashes
 * it anew before a user is made.
 */
void hb_users_reseed(hb_users *users, const uint64_t seed[2]);

void hb_users_set_arrival(hb_users *users, size_t stripe, hb_arrival arrival);

/* What hb_users_get wants to know of a name. May be called by any thread. */
uint64_t hb_users_hash(const hb_users *users, const char *name, size_t length);

/* The user of that name, made if unknown, in a stripe that is not HB_AWAITED. HB_NO_USER: out of memory. length is at
 * most HB_JID_MAX. */
hb_user_ref hb_users_get(hb_users *users, uint64_t hash, const char *name, size_t length);

/* How the last session of a user ended, and when it was seen. */
typedef struct hb_user_past {
    int64_t seen_ms;
    int64_t offline_ms;
    hb_reason why;
} hb_user_past;

/* The same, and writes it down unless hb_user_is_ours. */
hb_user_ref hb_users_put(hb_users *users, uint64_t hash, const char *name, size_t length, const hb_user_past *past);

/* So many users are to come to the stripe: makes room for them at once. Without memory it grows on the way. */
void hb_users_reserve(hb_users *users, size_t stripe, size_t count);

/* What is known of a user without the sessions that are open. 1: found, 0: unknown, or not HB_HERE. */
int hb_users_peek(hb_users *users, const char *name, size_t length, hb_seen *out);

/* Forgets a user whom nobody refers to. Its room is used again. */
void hb_users_forget(hb_users *users, hb_user_ref ref);

/* Those of a stripe, as many as its count says. */
void hb_users_of(const hb_users *users, size_t stripe, hb_user_ref *out);

/* The user after this one, of HB_NO_USER the first, in no order; HB_NO_USER: there is none. Those made meanwhile may
 * come. */
hb_user_ref hb_users_next(const hb_users *users, hb_user_ref ref);

/* Around each change. */
void hb_user_lock(hb_users *users, const hb_user *user);
void hb_user_unlock(hb_users *users, const hb_user *user);

/* The same where what hb_users_peek tells is as it was. */
void hb_user_leave(hb_users *users, const hb_user *user);

/* When a byte was last read from a session of the user's that is over; wall time in ms, 0: never. */
int64_t hb_user_seen_ms(const hb_users *users, const hb_user *user);
void hb_user_set_seen_ms(hb_users *users, const hb_user *user, int64_t ms);

void hb_user_set_sessions(hb_users *users, hb_user *user, uint32_t slot);

/* Not NUL-terminated; it is good until a user is made or forgotten. */
const char *hb_user_name(const hb_users *users, const hb_user *user, size_t *length);

/* A copy of a status, cut to HB_STATUS_MAX, to be freed. NULL: out of memory. */
char *hb_status_copy(const char *status, size_t length);

/* The user has this one, which may be NULL, and owns it. Returns what it had, to be freed. */
char *hb_user_swap_status(hb_users *users, hb_user *user, char *status);

/* Keeps a copy of a status; NULL forgets it. On HB_ENOMEM the old one stays. */
int hb_user_set_status(hb_users *users, hb_user *user, const char *status, size_t length);

/* The wall clock was set back by `ms` and is `wall_ms` now: times that lie in its future are taken back by as much. */
void hb_users_set_back(hb_users *users, int64_t wall_ms, int64_t ms);

/* The length of the longest prefix of at most `max` bytes that does not end within a UTF-8 character. */
size_t hb_utf8_cut(const char *text, size_t length, size_t max);

#endif
