/* SPDX-License-Identifier: BSD-3-Clause */
#include "dataplane/dpdk/nic_dpdk.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <rte_dev.h>
#include <rte_errno.h>
#include <rte_malloc.h>

#include "dataplane/base/log.h"
#include "dataplane/dpdk/memif_socket.h"
#include "dataplane/dpdk/nic_flow.h"
#include "dataplane/dpdk/nic_plan.h"
#include "dataplane/dpdk/nic_port.h"

enum {
	DESCRIPTORS = 1024,
	POOL_CACHE = 64,
	BUFFER_OVERHEAD = 320, /* mbuf, mempool header, headroom: bytes a buffer */
	QUEUE_OVERHEAD =
		3 << 20, /* bytes: two pools with a cache a possible thread, rings */
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
	const struct nic_queue *queue, const char *way, uint32_t count, uint32_t room)
{
	char name[RTE_MEMPOOL_NAMESIZE];

	(void)snprintf(name, sizeof(name), "%s%u.%u", way, queue->port, queue->id);
	return rte_pktmbuf_pool_create(name, count, POOL_CACHE, 0,
		(uint16_t)(room + RTE_PKTMBUF_HEADROOM),
		rte_eth_dev_socket_id(queue->port));
}

static int create_pools(
	struct nic_queue *queue, const struct nic_plan *plan, struct fault *fault)
{
	queue->rx_pool = create_pool(queue, "rx", plan->rx_buffers, plan->rx_room);
	queue->tx_pool = create_pool(queue, "tx", plan->tx_buffers, plan->tx_room);
	if (queue->rx_pool != NULL && queue->tx_pool != NULL)
		return 0;
	return fault_set(fault, -ENOMEM,
		"device '%s', queue %u: no memory for %u frame buffers of %u bytes; "
		"reserve hugepages with hugepages/hugepages.sh reserve N",
		plan->name, queue->id, plan->rx_buffers + plan->tx_buffers,
		plan->rx_room);
}

static void free_queues(struct nic_dpdk *self)
{
	for (uint32_t i = 0; i < self->nqueues; i++) {
		memif_guard_remove(&self->queues[i].guard);
		nic_gather_close(&self->queues[i].gather);
		rte_mempool_free(self->queues[i].tx_pool);
		rte_mempool_free(self->queues[i].rx_pool);
	}
}

/* Default queue settings, and so no FAST_FREE. */
static int open_queue(const struct nic_queue *queue, uint16_t nrx, uint16_t ntx)
{
	int rc = rte_eth_rx_queue_setup(queue->port, queue->id, nrx,
		rte_eth_dev_socket_id(queue->port), NULL, queue->rx_pool);

	if (rc != 0)
		return rc;
	return rte_eth_tx_queue_setup(
		queue->port, queue->id, ntx, rte_eth_dev_socket_id(queue->port), NULL);
}

static int open_queues(struct nic_dpdk *self, struct eal *eal,
	const struct nic_plan *plan, struct fault *fault)
{
	uint16_t nrx = DESCRIPTORS, ntx = DESCRIPTORS;
	int rc = rte_eth_dev_adjust_nb_rx_tx_desc(self->port, &nrx, &ntx);
	char what[48];

	if (rc != 0)
		return device_fault(eal, plan, -ENODEV, "cannot be configured", fault);
	for (uint32_t i = 0; i < self->nqueues; i++) {
		struct nic_queue *queue = &self->queues[i];

		rc = create_pools(queue, plan, fault);
		if (rc != 0)
			return rc;
		if (open_queue(queue, nrx, ntx) != 0) {
			(void)snprintf(what, sizeof(what), "cannot set up queue %u", i);
			return device_fault(eal, plan, -ENODEV, what, fault);
		}
		if (self->memif && memif_guard_add(&queue->guard) != 0)
			return fault_set(fault, -ENOSPC,
				"device '%s': too many memif queues", plan->name);
	}
	return 0;
}

static int count_queues(struct eal *eal, const struct nic_plan *plan, uint16_t port,
	struct rte_eth_conf *conf, struct fault *fault)
{
	struct rte_eth_dev_info info;
	uint32_t most;

	if (rte_eth_dev_info_get(port, &info) != 0)
		return device_fault(
			eal, plan, -ENODEV, "does not tell its queues", fault);
	/* net_ring hands our buffers to whoever reads the other end */
	if ((info.tx_offload_capa & RTE_ETH_TX_OFFLOAD_MULTI_SEGS) != 0 &&
		strncmp(plan->name, "net_ring", 8) != 0)
		conf->txmode.offloads |= RTE_ETH_TX_OFFLOAD_MULTI_SEGS;
	most = u32_min(info.max_rx_queues, info.max_tx_queues);
	if (most < plan->queues)
		return fault_set(fault, -EINVAL,
			"device '%s' has %u queue%s, not %u: give --queues %u, or give "
			"the device more",
			plan->name, most, most == 1 ? "" : "s", plan->queues, most);
	/* where no rule steers, the ports' hash spreads */
	conf->rx_adv_conf.rss_conf.rss_hf =
		info.flow_type_rss_offloads & (RTE_ETH_RSS_IP | RTE_ETH_RSS_UDP);
	if (plan->queues > 1 && conf->rx_adv_conf.rss_conf.rss_hf != 0)
		conf->rxmode.mq_mode = RTE_ETH_MQ_RX_RSS;
	return 0;
}

/* A checksum that the device makes or finds right is one less for us. What it finds wrong
 * we look at ourselves: some take a UDP checksum of 0 for one. */
static void choose_offloads(struct nic_dpdk *self, struct rte_eth_conf *conf)
{
	struct rte_eth_dev_info info;

	if (!self->is_ipv6 || rte_eth_dev_info_get(self->port, &info) != 0)
		return;
	conf->txmode.offloads |= info.tx_offload_capa & RTE_ETH_TX_OFFLOAD_UDP_CKSUM;
	conf->rxmode.offloads |= info.rx_offload_capa & RTE_ETH_RX_OFFLOAD_UDP_CKSUM;
	self->sums = (conf->txmode.offloads & RTE_ETH_TX_OFFLOAD_UDP_CKSUM) != 0;
}

static int configure(struct nic_dpdk *self, struct eal *eal, struct nic_plan *plan,
	uint32_t *mtu, struct fault *fault)
{
	struct rte_eth_conf conf = {0};
	int rc = count_queues(eal, plan, self->port, &conf, fault);

	if (rc != 0)
		return rc;
	choose_offloads(self, &conf);
	rc = rte_eth_dev_configure(
		self->port, (uint16_t)plan->queues, (uint16_t)plan->queues, &conf);
	if (rc != 0)
		return device_fault(eal, plan, -ENODEV, "cannot be configured", fault);
	/* In plain memory a slice lies on several pages, which QEMU's e1000e and vmxnet3
	 * do not put together. */
	self->can_gather = (conf.txmode.offloads & RTE_ETH_TX_OFFLOAD_MULTI_SEGS) != 0 &&
			   (plan->kind != NIC_HARDWARE || rte_eal_has_hugepages());
	rc = settle_mtu(eal, plan, self->port, mtu, fault);
	if (rc != 0)
		return rc;
	nic_plan_settle(plan, *mtu);
	self->frame_max = *mtu + NIC_PLAN_L2_MAX;
	return open_queues(self, eal, plan, fault);
}

static int start(struct nic_dpdk *self, struct eal *eal, const struct nic_plan *plan,
	struct fault *fault)
{
	self->down_since = NEVER;
	eal_clear_error(eal);
	if (rte_eth_dev_start(self->port) == 0) {
		/* those without a filter have no need of it and refuse */
		if (self->is_ipv6)
			(void)rte_eth_allmulticast_enable(self->port);
		atomic_store_explicit(&self->state, PORT_UP, memory_order_relaxed);
		return 0;
	}
	if (!self->memif_client)
		return device_fault(eal, plan, -ENODEV, "does not start", fault);
	atomic_store_explicit(&self->state, PORT_DOWN, memory_order_relaxed);
	log_line(LOG_INFO, "nic", "event=waiting dev=%s for=\"memif server\" retry_s=1",
		plan->name);
	return 0;
}

static void fill_nics(struct nic_dpdk *self, struct nic nics[], uint32_t mtu)
{
	struct rte_ether_addr mac = {0};

	(void)rte_eth_macaddr_get(self->port, &mac);
	if (rte_is_zero_ether_addr(&mac)) /* net_ring has none */
		rte_eth_random_addr(mac.addr_bytes);
	for (uint32_t i = 0; i < self->nqueues; i++) {
		nics[i] = (struct nic){.ops = &nic_burst_ops,
			.self = &self->queues[i],
			.mtu = mtu,
			.sums = self->sums};
		memcpy(nics[i].mac, mac.addr_bytes, sizeof(nics[i].mac));
	}
}

/* Rings end where they began; elsewhere rules are tried before hope. */
static enum steered_by steer(
	const struct nic_dpdk *self, const struct nic_plan *plan, uint16_t first_port)
{
	if (self->nqueues == 1)
		return STEERED_BY_ONE_QUEUE;
	if (plan->keeps_queue)
		return STEERED_BY_QUEUE_IDENTITY;
	if (first_port != 0 && nic_flow_steer(self->port, first_port, self->nqueues) == 0)
		return STEERED_BY_FLOW_RULE;
	return STEERED_BY_SOURCE_PORT;
}

static struct nic_dpdk *create(const struct nic_plan *plan)
{
	struct nic_dpdk *self =
		rte_zmalloc("nic", sizeof(*self), alignof(struct nic_dpdk));

	if (self == NULL)
		return NULL;
	self->memif = plan->kind == NIC_MEMIF;
	self->memif_client = plan->client;
	self->nqueues = plan->queues;
	return self;
}

static void number_queues(struct nic_dpdk *self)
{
	for (uint32_t i = 0; i < self->nqueues; i++) {
		self->queues[i].nic = self;
		self->queues[i].port = self->port;
		self->queues[i].id = (uint16_t)i;
		self->queues[i].is_optional = self->memif && i > 0;
	}
}

int nic_dpdk_open(struct nic_dpdk **out, struct nic nics[], struct eal *eal,
	const struct nic_dpdk_options *options, struct fault *fault)
{
	struct nic_dpdk *self;
	struct nic_plan plan;
	uint32_t mtu = 0;
	int rc;

	rc = nic_plan_make(&plan, options->dev, options->mtu, options->queues, fault);
	if (rc != 0)
		return rc;
	self = create(&plan);
	if (self == NULL)
		return fault_set(fault, -ENOMEM, "device '%s': no memory", plan.name);
	rc = find_port(eal, &plan, &self->port, fault);
	if (rc != 0)
		goto free_self;
	number_queues(self);
	self->is_ipv6 = options->is_ipv6;
	rc = configure(self, eal, &plan, &mtu, fault);
	if (rc == 0)
		rc = start(self, eal, &plan, fault);
	if (rc != 0)
		goto close_port;
	self->steered_by = steer(self, &plan, options->first_port);
	fill_nics(self, nics, mtu);
	*out = self;
	return 0;
close_port:
	(void)rte_eth_dev_close(self->port);
	free_queues(self);
free_self:
	rte_free(self);
	return rc;
}

int nic_dpdk_share(struct nic_dpdk *self, uint32_t queue,
	const struct nic_dpdk_memory *memory, struct fault *fault)
{
	struct nic_queue *at = &self->queues[queue];
	char name[RTE_MEMPOOL_NAMESIZE];

	if (!self->can_gather || memory->iova == RTE_BAD_IOVA)
		return 0;
	(void)snprintf(name, sizeof(name), "gather%u.%u", at->port, at->id);
	if (nic_gather_open(&at->gather, name, at->tx_pool->size, memory) == 0)
		return 0;
	return fault_set(fault, -ENOMEM,
		"queue %u: no memory for %u frame headers; reserve hugepages with "
		"hugepages/hugepages.sh reserve N",
		queue, at->tx_pool->size);
}

bool nic_dpdk_holds(const struct nic_dpdk *self, uint32_t queue, const uint8_t *buffer)
{
	const struct nic_gather *gather = &self->queues[queue].gather;

	return gather->pool != NULL &&
	       rte_mbuf_ext_refcnt_read(nic_gather_count(gather, buffer)) > 0;
}

enum steered_by nic_dpdk_steered_by(const struct nic_dpdk *self)
{
	return self->steered_by;
}

void nic_dpdk_get_stats(const struct nic_dpdk *self, struct nic_dpdk_stats *stats)
{
	*stats = (struct nic_dpdk_stats){.restarts = self->restarts};
	for (uint32_t i = 0; i < self->nqueues; i++) {
		stats->dropped += self->queues[i].dropped;
		stats->lost += self->queues[i].lost;
	}
}

int nic_dpdk_set_rate(struct nic_dpdk *self, uint32_t queue, uint64_t rate_bps)
{
	uint64_t mbps = (rate_bps * 105 / 100 + 999999) / 1000000;
	int rc =
		rte_eth_set_queue_rate_limit(self->port, (uint16_t)queue, (uint32_t)mbps);

	return rc == 0 ? 0 : -ENOTSUP;
}

void nic_dpdk_get_ticks(const struct nic_dpdk *self, uint64_t *rx, uint64_t *tx)
{
	*rx = 0;
	*tx = 0;
	for (uint32_t i = 0; i < self->nqueues; i++) {
		const struct nic_queue *queue = &self->queues[i];

		/* relaxed: plain counts, they order nothing */
		*rx += atomic_load_explicit(&queue->rx_ticks, memory_order_relaxed);
		*tx += atomic_load_explicit(&queue->tx_ticks, memory_order_relaxed);
	}
}

/* Bytes a buffer takes in plain memory: DPDK lets none lie across small pages that could
 * lie within one. With hugepages it is less. */
static size_t buffer_memory(uint32_t room)
{
	enum { PAGE = 4096 };
	size_t size = room + BUFFER_OVERHEAD;

	if (size > PAGE)
		return (size + PAGE - 1) / PAGE * PAGE;
	return PAGE / (PAGE / size);
}

size_t nic_dpdk_memory(const struct nic_dpdk_options *options)
{
	struct nic_plan plan;

	if (nic_plan_make(&plan, options->dev, options->mtu, options->queues, NULL) != 0)
		return 0; /* nic_dpdk_open will say what is wrong */
	nic_plan_settle(&plan, plan.mtu);
	return plan.queues * (plan.rx_buffers * buffer_memory(plan.rx_room) +
				     plan.tx_buffers * (buffer_memory(plan.tx_room) +
							       buffer_memory(0)) +
				     QUEUE_OVERHEAD);
}

uint32_t nic_dpdk_frame_max(const struct nic_dpdk_options *options)
{
	struct nic_plan plan;

	if (nic_plan_make(&plan, options->dev, options->mtu, options->queues, NULL) != 0)
		return 0;
	nic_plan_settle(&plan, plan.mtu);
	return plan.rx_room;
}

size_t nic_dpdk_shared_memory(const struct nic_dpdk_options *options)
{
	struct nic_plan plan;

	if (nic_plan_make(&plan, options->dev, options->mtu, options->queues, NULL) != 0)
		return 0;
	return plan.shared;
}

void nic_dpdk_close(struct nic_dpdk *self)
{
	for (uint32_t i = 0; i < self->nqueues; i++) {
		struct nic_queue *queue = &self->queues[i];

		if (queue->npending != 0)
			rte_pktmbuf_free_bulk(queue->pending, queue->npending);
	}
	nic_link_halt(self);
	free_queues(self);
	rte_free(self);
}
