/* SPDX-License-Identifier: BSD-3-Clause */
/* A worker with all that serves it: disk thread, chunk buffers, and the thread that runs
 * its loop.
 *
 *      control thread ── orders ring ──► worker thread ── reports ring ──► control thread
 *
 * The worker thread spins while packets flow and sleeps ever longer when none do; an
 * order or a stray wakes it. */
#ifndef WORKER_THREAD_H
#define WORKER_THREAD_H

#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>

#include "dataplane/base/ring.h"
#include "dataplane/dpdk/nic_dpdk.h"
#include "dataplane/transfer.h"
#include "dataplane/worker.h"
#include "hugepages/arena.h"
#include "hugepages/pool.h"

struct worker_order {
	enum {
		ORDER_START,
		ORDER_STOP,
		ORDER_TOUCH,
		ORDER_PAUSE,
		ORDER_RESUME,
		ORDER_RATE, /* of the queue */
		ORDER_SESSION_RATE,
		ORDER_SESSION_RANK,
		ORDER_BUFFERS,
		ORDER_LOOK, /* the port has another rate */
	} what;
	uint32_t session_id;
	struct session *session; /* START */
	uint64_t rate_bps;       /* RATE, SESSION_RATE */
	uint64_t burst;          /* RATE: bytes */
	nsec ceiling;            /* RATE: of an automatic one; 0: as it was */
	uint32_t buffers;        /* BUFFERS: at most so many */
	struct rank rank;        /* SESSION_RANK */
};

struct rte_memzone;

struct worker_thread {
	/* constant while the thread runs */
	const struct transfer_options *options;
	struct nic_dpdk *port;
	struct nic nic;
	uint32_t device;
	uint32_t queue;
	bool is_crowded; /* there are more workers than cores: no spinning */
	struct strays *strays;
	struct store store;
	const struct rte_memzone *memory;
	bool is_contiguous; /* the memory, for a device */
	struct arena arena;
	struct pool pool; /* contents: the worker's */
	pthread_t thread;

	/* the control thread's */
	struct transfer_rate limit;
	bool is_hardware; /* the device keeps the limit, too */

	/* shared */
	struct ring orders;  /* struct worker_order */
	struct ring reports; /* struct transfer_report */
	sem_t wake;
	sem_t started;
	int start_code; /* written before `started` is posted */
	_Atomic bool asleep;
	_Atomic bool stop;

	/* the worker thread's */
	alignas(64) struct worker worker;
	nsec next_maintain;
	nsec next_warning;           /* of a duplicate address */
	uint64_t duplicates;         /* that were warned of */
	nsec idle_since;             /* NEVER: not idle */
	_Atomic uint64_t busy_ticks; /* TSC, of turns that found something to do; read by
					the control thread */
	nsec sleep;                  /* how long the last sleep without sessions was */
};

/* Bytes of EAL memory a worker takes, and of the heap. */
size_t worker_thread_memory(const struct transfer_options *options);
size_t worker_thread_heap(const struct transfer_options *options);

/* Everything but the thread. The caller has set options, port, nic, device, queue and
 * strays; config gets what is ours. Returns 0, -ENOMEM or -EAGAIN. */
int worker_thread_open(struct worker_thread *self, const struct worker_config *config,
	struct fault *fault);
/* core: the CPU it stays on; -1: any. Returns 0, -EAGAIN, -EINVAL (no such core), or what
 * DPDK says. */
int worker_thread_start(struct worker_thread *self, int core, struct fault *fault);
/* Ends the thread; no burst is under way any more. */
void worker_thread_stop(struct worker_thread *self);
/* After all threads of the device were stopped. */
void worker_thread_close(struct worker_thread *self);

/* Any thread: there is something to look at. */
void worker_thread_wake(struct worker_thread *self);

/* Control thread: whether it takes an order now. */
bool worker_thread_has_room(const struct worker_thread *self);
/* Control thread. Returns 0, or -EAGAIN when there is no room; ORDER_STOP always has. */
int worker_thread_order(struct worker_thread *self, const struct worker_order *order);

/* Control thread: adds the time its thread has taken so far. */
void worker_thread_add_work(const struct worker_thread *self, struct transfer_work *work);

#endif
