/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/dpdk/world/shim.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <rte_ethdev.h>
#include <rte_mbuf.h>

#include "tests/dpdk/world/sight.h"

#define BURST_MAX (1 * MSEC) /* a pause this long ends a loss burst */
#define ASIDE_MAX (2 * MSEC) /* a frame is overtaken no longer */

enum { ASIDE = 64, FLIP_BITS = 8, MILLION = 1000000 };

struct waiting {
	struct rte_mbuf *mbuf;
	nsec at;
};

struct aside {
	struct rte_mbuf *mbuf; /* NULL: free */
	nsec at;
	uint64_t after; /* this many have arrived */
};

struct shim {
	/* the control thread writes, then publishes by `wanted` */
	struct shim_faults next;
	_Atomic uint32_t wanted;

	/* the worker thread's */
	_Atomic uint32_t seen;
	struct shim_faults faults;
	uint64_t random;
	nsec now;
	nsec last_at; /* of the newest frame */
	nsec free_at; /* when the last queued frame has left */
	bool is_losing;
	uint32_t first; /* of the queue */
	uint32_t count;
	struct waiting queue[SHIM_HOLD_MAX];
	struct aside aside[ASIDE];
	uint32_t naside;

	_Atomic uint64_t counts[sizeof(struct shim_counts) / sizeof(uint64_t)];
};

#define COUNT(field) (offsetof(struct shim_counts, field) / sizeof(uint64_t))

/* single writer: a load and a store */
static void add(struct shim *shim, size_t which, uint64_t amount)
{
	uint64_t value = atomic_load_explicit(&shim->counts[which], memory_order_relaxed);

	atomic_store_explicit(&shim->counts[which], value + amount, memory_order_relaxed);
}

/* xorshift64* */
static uint32_t draw(struct shim *shim, uint32_t below)
{
	shim->random ^= shim->random >> 12;
	shim->random ^= shim->random << 25;
	shim->random ^= shim->random >> 27;
	return (uint32_t)((shim->random * 0x2545f4914f6cdd1dull) >> 32) % below;
}

static bool happens(struct shim *shim, uint32_t ppm)
{
	return ppm != 0 && draw(shim, MILLION) < ppm;
}

/* ---- what a frame is --------------------------------------------------------------- */

static void look(const struct rte_mbuf *mbuf, struct sight *sight)
{
	uint8_t copy[SIGHT_BYTES];
	uint32_t len = u32_min(mbuf->pkt_len, SIGHT_BYTES);
	const uint8_t *bytes = rte_pktmbuf_read(mbuf, 0, len, copy);

	sight_look(sight, bytes, len, mbuf->pkt_len);
}

static bool falls_in(
	const struct shim *shim, const struct rte_mbuf *mbuf, const struct sight *sight)
{
	const struct shim_faults *faults = &shim->faults;

	switch (faults->hole) {
	case SHIM_HOLE_ALL:
		return true;
	case SHIM_HOLE_TYPE:
		return sight->is_ours && sight->type == faults->hole_type;
	case SHIM_HOLE_PORT:
		return sight->is_udp && sight->port == faults->hole_port;
	case SHIM_HOLE_LARGE:
		return mbuf->pkt_len > faults->hole_above;
	default:
		return false;
	}
}

/* Gilbert and Elliott: in the bad state everything is lost. */
static bool is_lost(struct shim *shim)
{
	const struct shim_faults *faults = &shim->faults;
	uint64_t to_bad;

	if (faults->loss_burst <= 1)
		return happens(shim, faults->loss_ppm);
	to_bad = (uint64_t)faults->loss_ppm * MILLION / (MILLION - faults->loss_ppm) /
		 faults->loss_burst;
	if (shim->now - shim->last_at > BURST_MAX)
		shim->is_losing = false;
	shim->last_at = shim->now;
	if (shim->is_losing)
		shim->is_losing = !happens(shim, MILLION / faults->loss_burst);
	else
		shim->is_losing = happens(shim, (uint32_t)to_bad);
	return shim->is_losing;
}

/* ---- damage ------------------------------------------------------------------------ */

static void flip_bit(struct rte_mbuf *mbuf, uint32_t byte, uint32_t bit)
{
	while (byte >= mbuf->data_len) {
		byte -= mbuf->data_len;
		mbuf = mbuf->next;
	}
	*rte_pktmbuf_mtod_offset(mbuf, uint8_t *, byte) ^= (uint8_t)(1u << bit);
}

/* Different bits: two flips of one would undo each other. */
static void flip_bits(
	struct shim *shim, struct rte_mbuf *mbuf, uint32_t from, uint32_t to)
{
	uint32_t most = shim->faults.flip_bits == 0 ? FLIP_BITS : shim->faults.flip_bits;
	uint32_t flips = 1 + draw(shim, most);
	uint32_t stride = (to - from) * 8 / flips;

	for (uint32_t i = 0; i < flips && stride > 0; i++) {
		uint32_t bit = i * stride + draw(shim, stride);

		flip_bit(mbuf, from + bit / 8, bit % 8);
	}
}

/* Returns the damaged copy in the frame's place, or the frame when there is no memory. */
static struct rte_mbuf *damage(
	struct shim *shim, struct rte_mbuf *mbuf, const struct sight *sight)
{
	const struct shim_faults *faults = &shim->faults;
	uint32_t from = faults->flip_part == SHIM_PAYLOAD ? sight->payload : 0;
	uint32_t to = faults->flip_part == SHIM_HEADERS ? sight->payload : mbuf->pkt_len;
	bool is_cut = happens(shim, faults->truncate_ppm);
	struct rte_mbuf *copy;

	if (!is_cut && (!happens(shim, faults->flip_ppm) ||
			       (faults->flip_part == SHIM_PAYLOAD &&
				       (!sight->is_data || from == to))))
		return mbuf;
	copy = rte_pktmbuf_copy(mbuf, mbuf->pool, 0,
		is_cut ? 1 + draw(shim, mbuf->pkt_len - 1) : UINT32_MAX);
	if (copy == NULL)
		return mbuf;
	rte_pktmbuf_free(mbuf);
	if (!is_cut)
		flip_bits(shim, copy, from, to);
	add(shim, is_cut ? COUNT(truncated) : COUNT(flipped), 1);
	return copy;
}

/* ---- waiting ----------------------------------------------------------------------- */

static void queue_up(struct shim *shim, struct rte_mbuf *mbuf)
{
	const struct shim_faults *faults = &shim->faults;
	uint64_t len = mbuf->pkt_len + SIGHT_WIRE_OVERHEAD;
	nsec wait = nsec_max(shim->free_at - shim->now, 0);
	struct waiting *last;

	if (shim->count + shim->naside >=
			(faults->hold == 0 ? (uint32_t)SHIM_HOLD : faults->hold) ||
		(faults->queue != 0 && faults->rate_bps != 0 &&
			(uint64_t)wait * (faults->rate_bps / 1000) / 8000000 + len >
				faults->queue)) {
		rte_pktmbuf_free(mbuf);
		add(shim, COUNT(overflowed), 1);
		return;
	}
	shim->free_at = shim->now + wait;
	if (faults->rate_bps != 0)
		shim->free_at += (nsec)(len * 8000000 / (faults->rate_bps / 1000));
	last = &shim->queue[(shim->first + shim->count++) % SHIM_HOLD_MAX];
	*last = (struct waiting){mbuf, shim->free_at + faults->delay};
}

/* Returns whether the frame was set aside, for others to overtake it. */
static bool set_aside(struct shim *shim, struct rte_mbuf *mbuf)
{
	if (shim->naside == ASIDE || !happens(shim, shim->faults.reorder_ppm))
		return false;
	for (size_t i = 0; i < ASIDE; i++) {
		struct aside *place = &shim->aside[i];

		if (place->mbuf != NULL)
			continue;
		*place = (struct aside){mbuf, shim->now + ASIDE_MAX,
			shim->counts[COUNT(arrived)] + 1 +
				draw(shim, shim->faults.reorder_span + 1)};
		shim->naside++;
		add(shim, COUNT(reordered), 1);
		return true;
	}
	return false;
}

static void bring_back(struct shim *shim)
{
	for (size_t i = 0; i < ASIDE && shim->naside > 0; i++) {
		struct aside *place = &shim->aside[i];
		struct rte_mbuf *mbuf = place->mbuf;

		if (mbuf == NULL || (shim->now < place->at &&
					    shim->counts[COUNT(arrived)] < place->after))
			continue;
		place->mbuf = NULL;
		shim->naside--;
		queue_up(shim, mbuf);
	}
}

static uint16_t deliver(struct shim *shim, struct rte_mbuf *mbufs[], uint16_t max)
{
	uint16_t count = 0;

	while (count < max && shim->count > 0 &&
		shim->queue[shim->first].at <= shim->now) {
		mbufs[count++] = shim->queue[shim->first].mbuf;
		shim->first = (shim->first + 1) % SHIM_HOLD_MAX;
		shim->count--;
	}
	return count;
}

/* ---- the callback ------------------------------------------------------------------ */

static void pass(struct shim *shim, struct rte_mbuf *mbuf, const struct sight *sight)
{
	if (sight->is_ours)
		mbuf = damage(shim, mbuf, sight);
	if (!set_aside(shim, mbuf))
		queue_up(shim, mbuf);
}

static void take(struct shim *shim, struct rte_mbuf *mbuf)
{
	struct rte_mbuf *copy = NULL;
	struct sight sight;

	add(shim, COUNT(arrived), 1);
	look(mbuf, &sight);
	if (falls_in(shim, mbuf, &sight)) {
		rte_pktmbuf_free(mbuf);
		add(shim, COUNT(swallowed), 1);
		return;
	}
	if (is_lost(shim)) {
		rte_pktmbuf_free(mbuf);
		add(shim, COUNT(lost), 1);
		add(shim, COUNT(lost_data), sight.is_data);
		return;
	}
	if (happens(shim, shim->faults.duplicate_ppm))
		copy = rte_pktmbuf_copy(mbuf, mbuf->pool, 0, UINT32_MAX);
	pass(shim, mbuf, &sight);
	if (copy != NULL) {
		add(shim, COUNT(duplicated), 1);
		pass(shim, copy, &sight);
	}
}

static void obey(struct shim *shim)
{
	/* acquire: `next` was written before */
	uint32_t wanted = atomic_load_explicit(&shim->wanted, memory_order_acquire);

	if (wanted == atomic_load_explicit(&shim->seen, memory_order_relaxed))
		return;
	shim->faults = shim->next;
	shim->random = shim->faults.seed * 0x9e3779b97f4a7c15ull + 1;
	shim->is_losing = false;
	/* release: `next` may be written again */
	atomic_store_explicit(&shim->seen, wanted, memory_order_release);
}

static uint16_t on_rx(uint16_t port, uint16_t queue, struct rte_mbuf *mbufs[],
	uint16_t count, uint16_t max, void *context)
{
	struct shim *shim = context;
	struct timespec now;

	(void)port;
	(void)queue;
	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	shim->now = now.tv_sec * SEC + now.tv_nsec;
	obey(shim);
	for (uint16_t i = 0; i < count; i++)
		take(shim, mbufs[i]);
	bring_back(shim);
	count = deliver(shim, mbufs, max);
	add(shim, COUNT(delivered), count);
	atomic_store_explicit(&shim->counts[COUNT(waiting)], shim->count + shim->naside,
		memory_order_relaxed);
	return count;
}

int shim_open(struct shim **out, const char *device)
{
	struct shim *shim;
	uint16_t port;

	if (rte_eth_dev_get_port_by_name(device, &port) != 0)
		return -ENODEV;
	shim = calloc(1, sizeof(*shim));
	if (shim == NULL)
		return -ENOMEM;
	shim->random = 1;
	if (rte_eth_add_rx_callback(port, 0, on_rx, shim) == NULL) {
		free(shim);
		return -ENOMEM;
	}
	*out = shim;
	return 0;
}

void shim_close(struct shim *shim)
{
	free(shim);
}

void shim_order(struct shim *shim, const struct shim_faults *faults)
{
	shim->next = *faults;
	/* release: `next` is written */
	(void)atomic_fetch_add_explicit(&shim->wanted, 1, memory_order_release);
}

void shim_set(struct shim *shim, const struct shim_faults *faults)
{
	const struct timespec moment = {.tv_nsec = 100 * 1000};
	uint32_t wanted;

	shim_order(shim, faults);
	/* relaxed: nobody else writes it */
	wanted = atomic_load_explicit(&shim->wanted, memory_order_relaxed);
	while (atomic_load_explicit(&shim->seen, memory_order_acquire) != wanted)
		(void)nanosleep(&moment, NULL);
}

void shim_get(const struct shim *shim, struct shim_counts *counts)
{
	uint64_t *values = (uint64_t *)counts;

	for (size_t i = 0; i < ARRAY_LEN(shim->counts); i++)
		values[i] = atomic_load_explicit(&shim->counts[i], memory_order_relaxed);
}
