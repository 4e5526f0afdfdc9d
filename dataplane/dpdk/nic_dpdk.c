/* SPDX-License-Identifier: BSD-3-Clause */
#include "dataplane/dpdk/nic_dpdk.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <rte_alarm.h>
#include <rte_dev.h>
#include <rte_errno.h>
#include <rte_malloc.h>

#include "dataplane/base/log.h"
#include "dataplane/dpdk/memif_socket.h"
#include "dataplane/dpdk/nic_plan.h"
#include "dataplane/dpdk/nic_port.h"

enum {
	DESCRIPTORS = 1024,
	POOL_CACHE = 64,
	BUFFER_OVERHEAD = 320,   /* mbuf, mempool header, headroom: bytes a buffer */
	PORT_OVERHEAD = 2 << 20, /* queues, descriptor rings, tables: bytes */
	REDIAL = 1,              /* seconds a memif client stays down before it dials */
};

static int device_fault(struct eal *eal, const struct nic_plan *plan, int rc,
	const char *what, struct fault *fault)
{
	char text[200];

	eal_get_error(eal, text, sizeof(text));
	return fault_set(fault, rc, "device '%s' %s: %s", plan->name, what,
		text[0] != '\0' ? text : rte_strerror(-rc));
}

static int probe(struct eal *eal, const struct nic_plan *plan, struct fault *fault)
{
	uint16_t port;
	int rc;

	if (eal_is_pci(plan->name)) /* probed by eal_start already */
		return 0;
	if (rte_eth_dev_get_port_by_name(plan->name, &port) == 0)
		return fault_set(fault, -EINVAL,
			"device name '%s' is used twice; number them, as in net_memif0 "
			"and "
			"net_memif1",
			plan->name);
	if (plan->socket[0] != '\0')
		memif_socket_reclaim(plan->socket);
	rc = rte_dev_probe(plan->args);
	if (rc == 0)
		return 0;
	(void)device_fault(eal, plan, -ENODEV, "cannot be opened", fault);
	if (fault != NULL && fault->code == -ENODEV) {
		size_t used = strlen(fault->text);

		(void)snprintf(fault->text + used, sizeof(fault->text) - used,
			"; give a PCI address bound to vfio-pci or a DPDK vdev such as "
			"net_memif0,role=server,socket=/run/x.sock, and see that no "
			"other "
			"process serves its socket");
	}
	return -ENODEV;
}

static int find_port(
	struct eal *eal, const struct nic_plan *plan, uint16_t *port, struct fault *fault)
{
	char with_domain[NIC_PLAN_NAME_MAX + 8];
	int rc;

	eal_clear_error(eal);
	rc = probe(eal, plan, fault);
	if (rc != 0)
		return rc;
	if (rte_eth_dev_get_port_by_name(plan->name, port) == 0)
		return 0;
	(void)snprintf(with_domain, sizeof(with_domain), "0000:%s", plan->name);
	if (rte_eth_dev_get_port_by_name(with_domain, port) == 0)
		return 0;
	return fault_set(fault, -ENODEV,
		"device '%s' is not there for DPDK; bind it with dpdk-devbind.py -b "
		"vfio-pci "
		"%s, and check that this user may open /dev/vfio",
		plan->name, plan->name);
}

static int settle_mtu(struct eal *eal, const struct nic_plan *plan, uint16_t port,
	uint32_t *mtu, struct fault *fault)
{
	uint16_t device = 0;
	int rc;

	/* The memif driver reports 1518 bytes and refuses more, yet carries bsize. A
	 * kernel interface's MTU is its owner's: the drivers would change it. */
	if (plan->kind == NIC_MEMIF || plan->kind == NIC_IFACE) {
		*mtu = plan->mtu;
		return 0;
	}
	if (plan->mtu != 0) {
		rc = rte_eth_dev_set_mtu(port, (uint16_t)plan->mtu);
		if (rc != 0 && plan->kind == NIC_HARDWARE)
			return device_fault(
				eal, plan, -EINVAL, "does not take the MTU", fault);
		*mtu = plan->mtu;
		return 0;
	}
	rc = rte_eth_dev_get_mtu(port, &device);
	if (rc != 0)
		return device_fault(eal, plan, -ENODEV, "does not tell its MTU", fault);
	*mtu = u32_min(device, NIC_PLAN_MTU_MAX);
	return 0;
}

static struct rte_mempool *create_pool(
	uint16_t port, const char *way, uint32_t count, uint32_t room)
{
	char name[RTE_MEMPOOL_NAMESIZE];

	(void)snprintf(name, sizeof(name), "%s%u", way, port);
	return rte_pktmbuf_pool_create(name, count, POOL_CACHE, 0,
		(uint16_t)(room + RTE_PKTMBUF_HEADROOM), rte_eth_dev_socket_id(port));
}

static int create_pools(
	struct nic_dpdk *self, struct nic_plan *plan, uint32_t mtu, struct fault *fault)
{
	nic_plan_settle(plan, mtu);
	self->frame_max = mtu + NIC_PLAN_L2_MAX;
	self->rx_pool = create_pool(self->port, "rx", plan->rx_buffers, plan->rx_room);
	if (self->rx_pool == NULL)
		goto no_memory;
	self->tx_pool = create_pool(self->port, "tx", plan->tx_buffers, plan->tx_room);
	if (self->tx_pool == NULL)
		goto free_rx;
	return 0;
free_rx:
	rte_mempool_free(self->rx_pool);
no_memory:
	return fault_set(fault, -ENOMEM,
		"device '%s': no memory for %u frame buffers of %u bytes; reserve "
		"hugepages with hugepages/hugepages.sh reserve N",
		plan->name, plan->rx_buffers + plan->tx_buffers, plan->rx_room);
}

static void free_pools(struct nic_dpdk *self)
{
	rte_mempool_free(self->tx_pool);
	rte_mempool_free(self->rx_pool);
}

static int configure(struct nic_dpdk *self, struct eal *eal, struct nic_plan *plan,
	uint32_t *mtu, struct fault *fault)
{
	const struct rte_eth_conf conf = {0};
	uint16_t nrx = DESCRIPTORS, ntx = DESCRIPTORS;
	int rc;

	rc = rte_eth_dev_configure(self->port, 1, 1, &conf);
	if (rc == 0)
		rc = rte_eth_dev_adjust_nb_rx_tx_desc(self->port, &nrx, &ntx);
	if (rc != 0)
		return device_fault(eal, plan, -ENODEV, "cannot be configured", fault);
	rc = settle_mtu(eal, plan, self->port, mtu, fault);
	if (rc != 0)
		return rc;
	rc = create_pools(self, plan, *mtu, fault);
	if (rc != 0)
		return rc;
	/* Default queue settings, and so no FAST_FREE. */
	rc = rte_eth_rx_queue_setup(self->port, 0, nrx, rte_eth_dev_socket_id(self->port),
		NULL, self->rx_pool);
	if (rc == 0)
		rc = rte_eth_tx_queue_setup(
			self->port, 0, ntx, rte_eth_dev_socket_id(self->port), NULL);
	if (rc == 0)
		return 0;
	free_pools(self);
	return device_fault(eal, plan, -ENODEV, "cannot set up its queues", fault);
}

static int start(struct nic_dpdk *self, struct eal *eal, const struct nic_plan *plan,
	struct fault *fault)
{
	self->down_since = NEVER;
	eal_clear_error(eal);
	if (rte_eth_dev_start(self->port) == 0) {
		atomic_store_explicit(&self->state, PORT_UP, memory_order_relaxed);
		return 0;
	}
	if (!self->memif_client)
		return device_fault(eal, plan, -ENODEV, "does not start", fault);
	atomic_store_explicit(&self->state, PORT_DOWN, memory_order_relaxed);
	log_line(LOG_INFO, "nic", "event=waiting dev=%s for=\"memif server\" retry_s=%d",
		plan->name, REDIAL);
	return 0;
}

static void fill_nic(struct nic_dpdk *self, struct nic *nic, uint32_t mtu)
{
	struct rte_ether_addr mac = {0};

	(void)rte_eth_macaddr_get(self->port, &mac);
	if (rte_is_zero_ether_addr(&mac)) /* net_ring has none */
		rte_eth_random_addr(mac.addr_bytes);
	nic->ops = &nic_burst_ops;
	nic->self = self;
	memcpy(nic->mac, mac.addr_bytes, sizeof(nic->mac));
	nic->mtu = mtu;
}

int nic_dpdk_open(struct nic_dpdk **out, struct nic *nic, struct eal *eal,
	const struct nic_dpdk_options *options, struct fault *fault)
{
	struct nic_dpdk *self;
	struct nic_plan plan;
	uint32_t mtu = 0;
	int rc;

	rc = nic_plan_make(&plan, options->dev, options->mtu, fault);
	if (rc != 0)
		return rc;
	self = rte_zmalloc("nic", sizeof(*self), alignof(struct nic_dpdk));
	if (self == NULL)
		return fault_set(fault, -ENOMEM, "device '%s': no memory", plan.name);
	self->memif = plan.kind == NIC_MEMIF;
	self->memif_client = plan.client;
	rc = find_port(eal, &plan, &self->port, fault);
	if (rc != 0)
		goto free_self;
	rc = configure(self, eal, &plan, &mtu, fault);
	if (rc != 0)
		goto close_port;
	if (self->memif && memif_guard_add(&self->guard) != 0) {
		rc = fault_set(
			fault, -ENOSPC, "device '%s': too many memif ports", plan.name);
		goto free_pools;
	}
	rc = start(self, eal, &plan, fault);
	if (rc != 0)
		goto remove_guard;
	fill_nic(self, nic, mtu);
	*out = self;
	return 0;
remove_guard:
	memif_guard_remove(&self->guard);
free_pools:
	free_pools(self);
close_port:
	(void)rte_eth_dev_close(self->port);
free_self:
	rte_free(self);
	return rc;
}

/* Runs on the interrupt thread, as do the driver's own connection handlers: so they never
 * meet in the middle of a handshake. The worker keeps away until the state says UP. */
static void restart(void *context)
{
	struct nic_dpdk *self = context;
	int state = PORT_DOWN;

	(void)rte_eth_dev_stop(self->port);
	if (rte_eth_dev_start(self->port) == 0)
		state = PORT_UP;
	/* release: the port is set up before the worker bursts */
	atomic_store_explicit(&self->state, state, memory_order_release);
}

static bool is_link_up(const struct nic_dpdk *self)
{
	struct rte_eth_link link;

	return rte_eth_link_get_nowait(self->port, &link) == 0 &&
	       link.link_status == RTE_ETH_LINK_UP;
}

/* af_packet calls the link up even when its interface is gone. */
static void look_for_progress(struct nic_dpdk *self)
{
	self->stuck = self->npending != 0 && !self->has_taken ? self->stuck + 1 : 0;
	self->has_taken = false;
}

void nic_dpdk_maintain(struct nic_dpdk *self, nsec now)
{
	int state = atomic_load_explicit(&self->state, memory_order_acquire);

	if (state == PORT_RESTARTING)
		return;
	look_for_progress(self);
	if (state == PORT_UP && is_link_up(self)) {
		self->down_since = NEVER;
		return;
	}
	if (self->down_since == NEVER)
		self->down_since = now;
	if (!self->memif_client || now - self->down_since < REDIAL * SEC)
		return;
	self->down_since = now;
	self->restarts++;
	atomic_store_explicit(&self->state, PORT_RESTARTING, memory_order_relaxed);
	if (rte_eal_alarm_set(1, restart, self) != 0)
		atomic_store_explicit(&self->state, state, memory_order_relaxed);
}

void nic_dpdk_get_stats(const struct nic_dpdk *self, struct nic_dpdk_stats *stats)
{
	stats->dropped = self->dropped;
	stats->lost = self->lost;
	stats->restarts = self->restarts;
}

void nic_dpdk_get_ticks(const struct nic_dpdk *self, uint64_t *rx, uint64_t *tx)
{
	/* relaxed: plain counts, they order nothing */
	*rx = atomic_load_explicit(&self->rx_ticks, memory_order_relaxed);
	*tx = atomic_load_explicit(&self->tx_ticks, memory_order_relaxed);
}

size_t nic_dpdk_memory(const struct nic_dpdk_options *options)
{
	struct nic_plan plan;

	if (nic_plan_make(&plan, options->dev, options->mtu, NULL) != 0)
		return 0; /* nic_dpdk_open will say what is wrong */
	nic_plan_settle(&plan, plan.mtu);
	return (size_t)plan.rx_buffers * (plan.rx_room + BUFFER_OVERHEAD) +
	       (size_t)plan.tx_buffers * (plan.tx_room + BUFFER_OVERHEAD) + PORT_OVERHEAD;
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
static void halt_port(struct nic_dpdk *self)
{
	const struct timespec moment = {.tv_nsec = 100 * 1000};

	(void)rte_eal_alarm_cancel(restart, self);
	atomic_store_explicit(&self->state, PORT_RESTARTING, memory_order_relaxed);
	if (!self->memif || rte_eal_alarm_set(1, halt, self) != 0)
		halt(self);
	while (atomic_load_explicit(&self->state, memory_order_acquire) != PORT_DOWN)
		(void)nanosleep(&moment, NULL);
}

void nic_dpdk_close(struct nic_dpdk *self)
{
	if (self->npending != 0)
		rte_pktmbuf_free_bulk(self->pending, self->npending);
	halt_port(self);
	memif_guard_remove(&self->guard);
	free_pools(self);
	rte_free(self);
}
