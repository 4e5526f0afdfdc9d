/* SPDX-License-Identifier: BSD-3-Clause */
#include "dataplane/neighbor.h"

#include <string.h>

#define RETRY_MIN (20 * MSEC)
#define RETRY_MAX (1 * SEC)
#define REFRESH (30 * SEC)

void neighbors_init(struct neighbors *neighbors)
{
	memset(neighbors, 0, sizeof(*neighbors));
}

static struct neighbor *find(struct neighbors *neighbors, const struct ip *ip)
{
	for (size_t i = 0; i < NEIGHBORS_MAX; i++) {
		struct neighbor *entry = &neighbors->table[i];

		if (entry->used && ip_is_equal(&entry->ip, ip))
			return entry;
	}
	return NULL;
}

/* A free slot, else the entry whose next question was due first: the least recently
 * useful.
 */
static struct neighbor *take_slot(struct neighbors *neighbors)
{
	struct neighbor *victim = &neighbors->table[0];

	for (size_t i = 0; i < NEIGHBORS_MAX; i++) {
		struct neighbor *entry = &neighbors->table[i];

		if (!entry->used)
			return entry;
		if (entry->ask_at < victim->ask_at)
			victim = entry;
	}
	return victim;
}

bool neighbors_resolve(struct neighbors *neighbors, const struct ip *ip,
	uint8_t mac[static ETHER_MAC_LEN], nsec now)
{
	struct neighbor *entry = find(neighbors, ip);

	if (entry == NULL) {
		entry = take_slot(neighbors);
		memset(entry, 0, sizeof(*entry));
		entry->used = true;
		entry->ip = *ip;
		entry->ask_at = now;
		entry->retry = RETRY_MIN;
	}
	entry->is_asking = true;
	if (entry->is_known)
		memcpy(mac, entry->mac, ETHER_MAC_LEN);
	return entry->is_known;
}

void neighbors_refresh(struct neighbors *neighbors, const struct ip *ip, nsec now)
{
	struct neighbor *entry = find(neighbors, ip);

	if (entry == NULL)
		return;
	entry->is_asking = true;
	entry->ask_at = now;
	entry->retry = RETRY_MIN;
}

void neighbors_on_arp(
	struct neighbors *neighbors, const struct ether_frame *frame, nsec now)
{
	struct neighbor *entry = find(neighbors, &frame->src_ip);

	if (entry == NULL || (frame->src_mac[0] & 1) != 0)
		return;
	if (entry->is_known && !entry->was_asked)
		return; /* nobody asked: an old entry is not overwritten */
	memcpy(entry->mac, frame->src_mac, ETHER_MAC_LEN);
	entry->is_known = true;
	entry->was_asked = false;
	entry->is_asking = false;
	entry->ask_at = now + REFRESH;
	entry->retry = RETRY_MIN;
}

bool neighbors_poll(struct neighbors *neighbors, struct ip *ip, nsec now)
{
	for (size_t i = 0; i < NEIGHBORS_MAX; i++) {
		struct neighbor *entry = &neighbors->table[i];

		if (!entry->used || !entry->is_asking || entry->ask_at > now)
			continue;
		entry->is_asking = false; /* until somebody wants it again */
		entry->was_asked = true;
		entry->ask_at = now + entry->retry;
		entry->retry = nsec_min(2 * entry->retry, RETRY_MAX);
		*ip = entry->ip;
		return true;
	}
	return false;
}

nsec neighbors_deadline(const struct neighbors *neighbors)
{
	nsec deadline = NEVER;

	for (size_t i = 0; i < NEIGHBORS_MAX; i++) {
		const struct neighbor *entry = &neighbors->table[i];

		if (entry->used && entry->is_asking)
			deadline = nsec_min(deadline, entry->ask_at);
	}
	return deadline;
}
