/* SPDX-License-Identifier: BSD-3-Clause */
/* Keeps a process alive when its memif peer dies in the middle of a burst, or hangs up
 * before it was served (memif_guard.c, sendmsg).
 *
 * DPDK 22.11's memif driver notices the death in its interrupt thread: it clears the
 * port's "connected" flag, then unmaps the shared rings, without asking whether a worker
 * is still copying from them:
 *
 *      interrupt thread                     worker
 *      flags &= ~CONNECTED                  enter: seq becomes odd
 *      munmap(rings)  ◄── waits here ───    rx/tx burst looks at the flag, then at rings
 *                                           leave: seq becomes even
 *
 * The driver's calls of munmap() come to us (imports.h), and of nobody else's: a program
 * that uses our library keeps its own. We wait, when it is the interrupt thread that
 * calls, for every worker that is inside a burst at that moment. A burst
 * that begins later sees the cleared flag and returns before it touches a ring: either
 * the worker's "odd" comes before our look at it, or our cleared flag before its look.
 * That takes a full fence on both sides, hence seq_cst at enter. */
#ifndef MEMIF_GUARD_H
#define MEMIF_GUARD_H

#include <stdatomic.h>
#include <stdint.h>

#include "dataplane/base/fault.h"

/* One a worker. Written by the worker only; the interrupt thread reads it. */
struct memif_guard {
	_Alignas(64) _Atomic uint32_t seq; /* odd while inside a burst */
};

/* Learns which thread is the interrupt thread. After rte_eal_init, before any memif port
 * starts. Returns 0 or -ETIMEDOUT (the interrupt thread does not answer). */
int memif_guard_start(struct fault *fault);

/* From now on munmap waits for this worker; at most 64 at a time. Returns 0 or
 * -ENOSPC. Start-up thread. */
int memif_guard_add(struct memif_guard *guard);
/* No burst may be under way. */
void memif_guard_remove(struct memif_guard *guard);

/* Returns when the burst under way, if any, is over. */
void memif_guard_wait(const struct memif_guard *guard);

static inline void memif_guard_enter(struct memif_guard *guard)
{
	uint32_t seq = atomic_load_explicit(&guard->seq, memory_order_relaxed);

	/* seq_cst: the store is visible before the burst reads the "connected" flag */
	atomic_store_explicit(&guard->seq, seq + 1, memory_order_seq_cst);
}

static inline void memif_guard_leave(struct memif_guard *guard)
{
	uint32_t seq = atomic_load_explicit(&guard->seq, memory_order_relaxed);

	/* release: the burst's accesses to the rings come before it */
	atomic_store_explicit(&guard->seq, seq + 1, memory_order_release);
}

#endif
