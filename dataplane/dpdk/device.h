/* SPDX-License-Identifier: BSD-3-Clause */
/* One device of the node with all that serves it: nic, disk thread, chunk buffers, and
 * the thread that runs its worker.
 *
 *      control thread ── orders ring ──► worker thread ── reports ring ──► control thread
 *
 * The worker thread spins while packets flow and sleeps ever longer when none do; an
 * order wakes it. */
#ifndef DEVICE_H
#define DEVICE_H

#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>

#include "dataplane/base/ring.h"
#include "dataplane/dpdk/eal.h"
#include "dataplane/dpdk/nic_dpdk.h"
#include "dataplane/transfer.h"
#include "dataplane/worker.h"
#include "hugepages/arena.h"
#include "hugepages/pool.h"

struct device_order {
	enum { ORDER_START, ORDER_STOP, ORDER_TOUCH, ORDER_PAUSE, ORDER_RESUME } what;
	uint32_t session_id;
	struct session *session; /* START */
};

struct rte_memzone;

struct device {
	/* constant while the thread runs */
	const struct transfer_options *options;
	struct nic_dpdk *port;
	struct nic nic;
	struct store store;
	const struct rte_memzone *memory;
	struct arena arena;
	struct pool pool; /* contents: the worker's */
	pthread_t thread;

	/* shared */
	struct ring orders;  /* struct device_order */
	struct ring reports; /* struct transfer_report */
	sem_t wake;
	sem_t started;
	int start_code; /* written before `started` is posted */
	_Atomic bool asleep;
	_Atomic bool stop;

	/* the worker thread's */
	alignas(64) struct worker worker;
	nsec next_maintain;
	nsec idle_since;             /* NEVER: not idle */
	_Atomic uint64_t busy_ticks; /* TSC, of turns that found something to do; read by
					the control thread */
	nsec sleep;                  /* how long the last sleep without sessions was */
};

/* Bytes of EAL memory a device takes. */
size_t device_memory(
	const struct transfer_options *options, const struct transfer_device *config);

/* index numbers the device. options must outlive it. Returns what transfer_open does. */
int device_open(struct device *device, struct eal *eal,
	const struct transfer_options *options, uint32_t index, struct fault *fault);
void device_close(struct device *device);

/* Control thread: adds what this device's thread has done so far. */
void device_add_work(const struct device *device, struct transfer_work *work);

/* Control thread. Returns 0, or -EAGAIN when the ring is full. */
int device_order(struct device *device, const struct device_order *order);

#endif
