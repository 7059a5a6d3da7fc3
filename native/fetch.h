/*
 * fetch.h - memory that is looked at next, all at once. Once a second nothing of it is in the caches, not even what
 * translates its addresses, and to wait for one after the other would be most of the time.
 */
#ifndef HB_FETCH_H
#define HB_FETCH_H

#include <stddef.h>

#define HB_FETCH_LINE 64u /* bytes; a larger one is fetched twice, no more */

/* By reading it, whoever may write it meanwhile: of many prefetches at once, processors drop some. */
static inline void hb_fetch(const void *begin, size_t bytes)
{
    const volatile char *at = begin;

    for (size_t i = 0; i < bytes; i += HB_FETCH_LINE)
        (void)__atomic_load_n(at + i, __ATOMIC_RELAXED);
    (void)__atomic_load_n(at + bytes - 1, __ATOMIC_RELAXED);
}

#endif
