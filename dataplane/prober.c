/* SPDX-License-Identifier: BSD-3-Clause */
#include "dataplane/prober.h"

#include <string.h>

#include "dataplane/base/bitmap.h"

#define SEARCH_AGAIN (1 * SEC) /* nothing came, not even the smallest */

static const uint32_t ladder[] = {8192, 4032, 1408, 1152};

void prober_init(struct prober *prober, uint32_t agreed)
{
	memset(prober, 0, sizeof(*prober));
	prober->sizes[prober->nsizes++] = agreed;
	for (size_t i = 0; i < ARRAY_LEN(ladder); i++) {
		if (ladder[i] < agreed)
			prober->sizes[prober->nsizes++] = ladder[i];
	}
	prober->next = NEVER;
}

static uint32_t bit(uint32_t which)
{
	return 1u << which;
}

/* The bits of sizes from first to before last. */
static uint32_t span(uint32_t first, uint32_t last)
{
	return bit(last) - bit(first);
}

static void use(struct prober *prober, uint32_t which, nsec now)
{
	prober->at = which;
	prober->search = SEARCH_NONE;
	prober->wanted = bit(PROBER_SMALL); /* tells the receiver */
	prober->sent = 0;
	prober->acked = 0;
	prober->is_cleared = false;
	prober->next = which > 0 ? now + PROBER_RAISE : NEVER;
}

void prober_on_data(struct prober *prober)
{
	if (prober->search == SEARCH_SMALLER) {
		prober->search = SEARCH_NONE;
		prober->wanted = 0;
	}
	if (prober->search == SEARCH_NONE)
		prober->acked = 0;
	prober->is_cleared = false;
	prober->search_at = 0;
}

static bool names(const struct wire_ack *ack, uint64_t pn)
{
	uint32_t at = (uint32_t)pn - ack->base_pn;

	return at < ack->nbits && bitmap_test(ack->bits, at);
}

bool prober_on_ack(struct prober *prober, const struct wire_ack *ack)
{
	bool is_new = false;

	for (uint32_t i = 0; i <= PROBER_SMALL && prober->sent != 0; i++) {
		if (!(prober->sent & bit(i)) || !names(ack, prober->pns[i]))
			continue;
		prober->sent &= ~bit(i);
		prober->acked |= bit(i);
		is_new = true;
	}
	return is_new;
}

void prober_ask(struct prober *prober)
{
	prober->wanted |= bit(PROBER_SMALL);
}

/* The largest size of the search that came, or nsizes. */
static uint32_t best(const struct prober *prober)
{
	uint32_t found = prober->acked & span(0, prober->nsizes);

	return found != 0 ? (uint32_t)__builtin_ctz(found) : prober->nsizes;
}

static void begin(struct prober *prober, enum prober_search search, uint32_t sizes)
{
	prober->search = search;
	prober->rounds = 1;
	prober->sent &= bit(PROBER_SMALL);
	prober->acked &= bit(PROBER_SMALL);
	prober->wanted |= sizes;
}

bool prober_on_timeout(struct prober *prober, uint32_t timeouts, nsec now)
{
	uint32_t candidates = span(prober->at, prober->nsizes);
	uint32_t found;

	prober_ask(prober);
	if (prober->search != SEARCH_SMALLER) {
		if (timeouts >= PROBER_SUSPECT && !prober->is_cleared &&
			(prober->acked & bit(PROBER_SMALL)) != 0 &&
			now >= prober->search_at && prober->at + 1 < prober->nsizes)
			begin(prober, SEARCH_SMALLER, candidates);
		return false;
	}
	found = best(prober);
	if (found != prober->at && prober->rounds < PROBER_ROUNDS_DOWN) {
		prober->rounds++;
		prober->wanted |= candidates & ~prober->acked;
		return false;
	}
	prober->search = SEARCH_NONE;
	prober->is_cleared = found == prober->at;
	prober->search_at = now + SEARCH_AGAIN;
	if (found == prober->at || found == prober->nsizes)
		return false;
	use(prober, found, now);
	return true;
}

bool prober_on_time(struct prober *prober, nsec srtt, nsec now)
{
	uint32_t candidates = span(0, prober->at);
	uint32_t found;

	if (prober->search == SEARCH_SMALLER) {
		prober->next = now + PROBER_RAISE;
		return false;
	}
	prober->next = now + nsec_max(PROBER_ROUND, 4 * srtt);
	if (prober->search == SEARCH_NONE) {
		begin(prober, SEARCH_LARGER, candidates);
		return false;
	}
	found = best(prober);
	if (found > 0 && prober->rounds < PROBER_ROUNDS_UP) {
		prober->rounds++;
		prober->wanted |= candidates & ~prober->acked;
		return false;
	}
	prober->search = SEARCH_NONE;
	prober->next = now + PROBER_RAISE;
	if (found >= prober->at)
		return false;
	use(prober, found, now);
	return true;
}

bool prober_poll(const struct prober *prober, uint32_t *which)
{
	if (prober->wanted == 0)
		return false;
	*which = 31 - (uint32_t)__builtin_clz(prober->wanted); /* the shortest first */
	return true;
}

void prober_on_sent(struct prober *prober, uint32_t which, uint64_t pn)
{
	prober->wanted &= ~bit(which);
	prober->sent |= bit(which);
	prober->pns[which] = pn;
}
