/* SPDX-License-Identifier: BSD-3-Clause */
/* Frames that refer to their payload in a chunk buffer instead of copying it.
 *
 *   mbuf: headers ──► mbuf without room ──► slice in a chunk buffer
 *                                            (one count a buffer: its frames under way)
 *
 * A buffer whose count is not zero is still read by the device; the pool asks before it
 * hands a buffer out again. A NIC lets go of its last frames only when it is given more:
 * a ring of them may hold on to several buffers for good. So only half of all buffers are
 * referred to at a time, and what lies in the others is copied. */
#ifndef NIC_GATHER_H
#define NIC_GATHER_H

#include <stdbool.h>
#include <stdint.h>

#include <rte_mbuf.h>

struct nic_dpdk_memory;
struct fault;

struct nic_gather {
	struct rte_mempool *pool; /* mbufs without room; NULL: everything is copied */
	struct rte_mbuf_ext_shared_info *counts; /* one a buffer */
	const uint8_t *base;
	size_t size;     /* bytes, all buffers */
	uint32_t step;   /* bytes from one buffer to the next */
	rte_iova_t iova; /* of base */
	uint32_t nheld;  /* buffers that frames under way refer to */
	uint32_t max_held;
};

/* Returns 0 or -ENOMEM. name is of the mempool. Frames are attached and freed by one
 * thread; it stays where it is until it is closed. */
int nic_gather_open(struct nic_gather *gather, const char *name, uint32_t count,
	const struct nic_dpdk_memory *memory);
/* No frame of it may be under way. */
void nic_gather_close(struct nic_gather *gather);

static inline struct rte_mbuf_ext_shared_info *nic_gather_count(
	const struct nic_gather *gather, const uint8_t *at)
{
	return &gather->counts[(size_t)(at - gather->base) / gather->step];
}

/* Whether it lies in the buffers: nothing else may be referred to. */
static inline bool nic_gather_covers(const struct nic_gather *gather, const uint8_t *at)
{
	return (size_t)(at - gather->base) < gather->size;
}

/* Whether a frame may refer to it. */
static inline bool nic_gather_takes(const struct nic_gather *gather, const uint8_t *at)
{
	return nic_gather_covers(gather, at) &&
	       (gather->nheld < gather->max_held ||
		       rte_mbuf_ext_refcnt_read(nic_gather_count(gather, at)) != 0);
}

/* Hangs the payload on the headers. tail is a fresh mbuf of the pool. */
static inline void nic_gather_attach(struct nic_gather *gather, struct rte_mbuf *head,
	struct rte_mbuf *tail, const uint8_t *payload, uint16_t len)
{
	struct rte_mbuf_ext_shared_info *count = nic_gather_count(gather, payload);
	uint16_t frames = rte_mbuf_ext_refcnt_read(count);

	/* a locked addition would be for frames that other threads free */
	rte_mbuf_ext_refcnt_set(count, (uint16_t)(frames + 1));
	gather->nheld += frames == 0;
	rte_pktmbuf_attach_extbuf(tail, (void *)(uintptr_t)payload,
		gather->iova + (size_t)(payload - gather->base), len, count);
	tail->data_off = 0;
	tail->data_len = len;
	head->next = tail;
	head->nb_segs = 2;
	head->pkt_len += len;
}

#endif
