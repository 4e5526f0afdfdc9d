/* SPDX-License-Identifier: BSD-3-Clause */
/* Links that go down and come back: looking after a port, and stopping it while its
 * workers run. */
#include <time.h>

#include <rte_alarm.h>

#include "dataplane/base/log.h"
#include "dataplane/dpdk/nic_port.h"

enum {
	REDIAL = 1,     /* seconds a memif client stays down before it dials */
	WARN_AFTER = 2, /* times it dialled */
};

/* A server that is there hangs up on a client with more queues than it has itself, and
 * nobody says why. */
static void warn(const struct nic_dpdk *self)
{
	char name[RTE_ETH_NAME_MAX_LEN] = "";

	if (self->nqueues == 1 || self->restarts != WARN_AFTER)
		return;
	(void)rte_eth_dev_get_name_by_port(self->port, name);
	log_line(LOG_WARN, "nic",
		"event=no_link dev=%s queues=%u text=\"the memif server is there and the "
		"link does not come up: does it have as many --queues?\"",
		name, self->nqueues);
}

/* Runs on the interrupt thread, as do the driver's own connection handlers: so they never
 * meet in the middle of a handshake. Workers keep away until the state says UP; those
 * that did not see it change are inside a burst, and waited for. */
static void restart(void *context)
{
	struct nic_dpdk *self = context;
	int state = PORT_DOWN;

	for (uint32_t i = 0; i < self->nqueues; i++)
		memif_guard_wait(&self->queues[i].guard);
	(void)rte_eth_dev_stop(self->port);
	if (rte_eth_dev_start(self->port) == 0) {
		state = PORT_UP;
		warn(self);
	}
	/* release: the port is set up before the worker bursts */
	atomic_store_explicit(&self->state, state, memory_order_release);
}

static bool is_link_up(uint16_t port)
{
	struct rte_eth_link link;

	return rte_eth_link_get_nowait(port, &link) == 0 &&
	       link.link_status == RTE_ETH_LINK_UP;
}

/* af_packet calls the link up even when its interface is gone. */
static void look_for_progress(struct nic_queue *queue)
{
	queue->stuck = queue->npending != 0 && !queue->has_taken ? queue->stuck + 1 : 0;
	queue->has_taken = false;
}

static void note_link(struct nic_dpdk *self, bool is_up, nsec now)
{
	if (is_up)
		self->down_since = NEVER;
	else if (self->down_since == NEVER)
		self->down_since = now;
	/* relaxed: a hint to the others that what is sent is lost */
	atomic_store_explicit(&self->is_down, !is_up, memory_order_relaxed);
}

void nic_dpdk_maintain(struct nic_dpdk *self, uint32_t queue, nsec now)
{
	int state = atomic_load_explicit(&self->state, memory_order_acquire);

	if (state == PORT_RESTARTING)
		return;
	look_for_progress(&self->queues[queue]);
	if (queue != 0)
		return;
	note_link(self, state == PORT_UP && is_link_up(self->port), now);
	if (self->down_since == NEVER || !self->memif_client ||
		now - self->down_since < REDIAL * SEC)
		return;
	self->down_since = now;
	self->restarts++;
	/* seq_cst: a worker that enters its guard later sees it */
	atomic_store(&self->state, PORT_RESTARTING);
	if (rte_eal_alarm_set(1, restart, self) != 0)
		atomic_store(&self->state, state);
}

bool nic_link_may_use(struct nic_queue *queue)
{
	if (queue->use == QUEUE_RESTS)
		return false;
	if (is_link_up(queue->port))
		queue->use = QUEUE_RUNS;
	else if (queue->use == QUEUE_RUNS)
		queue->use = QUEUE_RESTS; /* who comes back may have fewer */
	return queue->use == QUEUE_RUNS;
}

void nic_dpdk_use(struct nic_dpdk *self, uint32_t queue, bool is_used)
{
	self->queues[queue].use = is_used ? QUEUE_WAITS : QUEUE_RESTS;
}

static void halt(void *context)
{
	struct nic_dpdk *self = context;

	(void)rte_eth_dev_stop(self->port);
	(void)rte_eth_dev_close(self->port);
	/* release: all is done before nic_dpdk_close goes on */
	atomic_store_explicit(&self->state, PORT_DOWN, memory_order_release);
}

/* memif on the interrupt thread, for the same reason as restart. */
void nic_link_halt(struct nic_dpdk *self)
{
	const struct timespec moment = {.tv_nsec = 100 * 1000};

	(void)rte_eal_alarm_cancel(restart, self);
	atomic_store_explicit(&self->state, PORT_RESTARTING, memory_order_relaxed);
	if (!self->memif || rte_eal_alarm_set(1, halt, self) != 0)
		halt(self);
	while (atomic_load_explicit(&self->state, memory_order_acquire) != PORT_DOWN)
		(void)nanosleep(&moment, NULL);
}
