/* SPDX-License-Identifier: BSD-3-Clause */
#include "dataplane/dpdk/nic_port.h"

#include <string.h>

#include <rte_cycles.h>
#include <rte_ip.h>

static_assert(offsetof(struct nic_queue, guard) == 0, "the guard is alone on its line");
static_assert(sizeof(struct nic_queue) % 64 == 0, "and so is each queue");

/* Begins a burst; false when none is allowed now. Whoever stops the port changes its
 * state first and looks at the guards then: one of us sees the other. */
static inline bool enter(struct nic_queue *self)
{
	memif_guard_enter(&self->guard);
	/* seq_cst: after the guard; and what the thread that started the port has set up
	 * is visible */
	if (likely(atomic_load(&self->nic->state) == PORT_UP &&
		    (!self->is_optional || nic_link_may_use(self))))
		return true;
	memif_guard_leave(&self->guard);
	return false;
}

/* Two reads of the TSC a burst, none a packet. */
static inline void count_ticks(_Atomic uint64_t *ticks, uint64_t start)
{
	uint64_t sum = atomic_load_explicit(ticks, memory_order_relaxed);

	/* relaxed: a plain count with one writer */
	atomic_store_explicit(ticks, sum + rte_rdtsc() - start, memory_order_relaxed);
}

/* Inside a burst: offers what the device did not take last time. Returns whether nothing
 * is left. */
static bool flush(struct nic_queue *self)
{
	uint16_t sent;

	if (likely(self->npending == 0))
		return true;
	sent = rte_eth_tx_burst(
		self->port, self->id, self->pending, (uint16_t)self->npending);
	/* A link that is down takes nothing, ever: a cable would lose it, so do we.
	 * relaxed: seen a little later it costs nothing */
	if (unlikely(sent == 0 &&
		     (self->stuck > 1 || atomic_load_explicit(&self->nic->is_down,
						 memory_order_relaxed)))) {
		rte_pktmbuf_free_bulk(self->pending, self->npending);
		self->lost += self->npending;
		self->npending = 0;
		return true;
	}
	if (sent > 0) {
		self->has_taken = true;
		self->stuck = 0;
	}
	self->npending -= sent;
	memmove(self->pending, self->pending + sent,
		self->npending * sizeof(self->pending[0]));
	return self->npending == 0;
}

static int take_frames(struct nic_queue *self, struct rte_mbuf *mbufs[], int count,
	struct nic_rx frames[])
{
	int taken = 0;

	for (int i = 0; i < count; i++) {
		struct rte_mbuf *mbuf = mbufs[i];

		/* A buffer holds any frame of our MTU, so more segments than fit are
		 * somebody else's frame. */
		if (unlikely(mbuf->nb_segs > 1 && rte_pktmbuf_linearize(mbuf) != 0)) {
			rte_pktmbuf_free(mbuf);
			self->dropped++;
			continue;
		}
		frames[taken++] = (struct nic_rx){
			.data = rte_pktmbuf_mtod(mbuf, const uint8_t *),
			.len = rte_pktmbuf_data_len(mbuf),
			.handle = mbuf,
			/* also in L4_CKSUM_NONE: intact, with a checksum that was never
			 * finished, as from another guest of the same host */
			.is_sum_good =
				(mbuf->ol_flags & RTE_MBUF_F_RX_L4_CKSUM_GOOD) != 0,
		};
	}
	return taken;
}

static int burst_rx(void *context, struct nic_rx frames[], int max)
{
	struct nic_queue *self = context;
	struct rte_mbuf *mbufs[NIC_BURST];
	uint64_t start;
	uint16_t count;
	int taken;

	if (unlikely(!enter(self)))
		return 0;
	(void)flush(self);
	if (max > NIC_BURST)
		max = NIC_BURST;
	start = rte_rdtsc();
	count = rte_eth_rx_burst(self->port, self->id, mbufs, (uint16_t)max);
	memif_guard_leave(&self->guard);
	taken = take_frames(self, mbufs, count, frames);
	if (count > 0)
		count_ticks(&self->rx_ticks, start);
	return taken;
}

static void burst_release(void *context, struct nic_rx frames[], int count)
{
	struct rte_mbuf *mbufs[NIC_BURST];

	(void)context;
	while (count > 0) {
		int some = count < NIC_BURST ? count : NIC_BURST;

		for (int i = 0; i < some; i++)
			mbufs[i] = frames[i].handle;
		rte_pktmbuf_free_bulk(mbufs, (unsigned int)some);
		frames += some;
		count -= some;
	}
}

/* Over the whole frame, in however many segments it goes. */
static void ask_for_sum(struct rte_mbuf *mbuf, const struct nic_tx *frame)
{
	mbuf->l2_len = frame->link_len;
	mbuf->l3_len = frame->is_ipv6 ? sizeof(struct rte_ipv6_hdr)
				      : sizeof(struct rte_ipv4_hdr);
	mbuf->ol_flags |= RTE_MBUF_F_TX_UDP_CKSUM |
			  (frame->is_ipv6 ? RTE_MBUF_F_TX_IPV6 : RTE_MBUF_F_TX_IPV4);
}

/* Buffers without room, to refer to the payloads of a burst. */
struct tails {
	uint32_t count; /* still unused */
	struct rte_mbuf *mbufs[NIC_BURST];
};

/* For all frames that may want one. */
static void take_tails(const struct nic_queue *self, const struct nic_tx frames[],
	int count, struct tails *tails)
{
	uint32_t wanted = 0;

	for (int i = 0; i < count; i++)
		wanted += frames[i].payload_len != 0 &&
			  nic_gather_covers(&self->gather, frames[i].payload);
	tails->count = 0;
	if (wanted > 0 &&
		rte_pktmbuf_alloc_bulk(self->gather.pool, tails->mbufs, wanted) == 0)
		tails->count = wanted;
}

/* The payload is referred to where the device gathers and knows the memory, and copied
 * otherwise. */
static void fill(struct nic_queue *self, struct rte_mbuf *mbuf,
	const struct nic_tx *frame, struct tails *tails)
{
	uint8_t *to = rte_pktmbuf_mtod(mbuf, uint8_t *);

	memcpy(to, frame->head, frame->head_len);
	mbuf->data_len = (uint16_t)frame->head_len;
	mbuf->pkt_len = frame->head_len;
	if (frame->wants_sum)
		ask_for_sum(mbuf, frame);
	if (frame->payload_len == 0)
		return;
	if (tails->count > 0 && nic_gather_takes(&self->gather, frame->payload)) {
		nic_gather_attach(&self->gather, mbuf, tails->mbufs[--tails->count],
			frame->payload, (uint16_t)frame->payload_len);
		return;
	}
	memcpy(to + frame->head_len, frame->payload, frame->payload_len);
	mbuf->data_len = (uint16_t)(frame->head_len + frame->payload_len);
	mbuf->pkt_len = mbuf->data_len;
}

static bool fits(const struct nic_queue *self, const struct nic_tx *frame)
{
	uint32_t max = self->nic->frame_max;

	return frame->head_len <= NIC_HEAD_MAX && frame->payload_len <= max &&
	       frame->head_len + frame->payload_len <= max;
}

/* A frame is copied at most once. What a full device leaves over stays with us as taken,
 * and goes first next time: copying it again on every attempt would cost more than
 * sending it. */
static int send_frames(struct nic_queue *self, const struct nic_tx frames[], int count)
{
	struct tails tails;
	int filled = 0;

	if (!flush(self))
		return 0;
	if (unlikely(rte_pktmbuf_alloc_bulk(
			     self->tx_pool, self->pending, (unsigned int)count) != 0))
		return 0;
	take_tails(self, frames, count, &tails);
	for (int i = 0; i < count; i++) {
		/* Our own bug, but an overrun would cost more than a lost frame. */
		if (unlikely(!fits(self, &frames[i]))) {
			self->dropped++;
			continue;
		}
		fill(self, self->pending[filled++], &frames[i], &tails);
	}
	if (unlikely(tails.count > 0))
		rte_pktmbuf_free_bulk(tails.mbufs, tails.count);
	if (unlikely(filled < count))
		rte_pktmbuf_free_bulk(
			self->pending + filled, (unsigned int)(count - filled));
	self->npending = (uint32_t)filled;
	(void)flush(self);
	return count;
}

static int burst_tx(void *context, const struct nic_tx frames[], int count)
{
	struct nic_queue *self = context;
	uint64_t start = rte_rdtsc();

	if (count > NIC_BURST)
		count = NIC_BURST;
	if (unlikely(!enter(self))) { /* down: lost, as above */
		self->lost += (uint64_t)count;
		return count;
	}
	count = send_frames(self, frames, count);
	memif_guard_leave(&self->guard);
	if (likely(count > 0))
		count_ticks(&self->tx_ticks, start);
	return count;
}

const struct nic_ops nic_burst_ops = {
	.rx = burst_rx,
	.release = burst_release,
	.tx = burst_tx,
};
