/*
 * timers.h - who is due, among the sessions of one page. A table of ticks and a scan: it runs at the speed of memory,
 * which no cleverer structure was measured to beat at the rate of one pass per second.
 */
#ifndef HB_TIMERS_H
#define HB_TIMERS_H

#include <stddef.h>
#include <stdint.h>

/* The index of the first of due[from] .. due[count - 1] that is at most now; count if there is none. */
size_t hb_timers_next(const uint32_t *due, size_t from, size_t count, uint32_t now);

#endif
