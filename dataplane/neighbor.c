/* SPDX-License-Identifier: BSD-3-Clause */
#include "dataplane/neighbor.h"

#include <errno.h>
#include <string.h>

#define RETRY_MIN (20 * MSEC)
#define RETRY_MAX (1 * SEC)

void neighbors_init(struct neighbors *neighbors)
{
	memset(neighbors, 0, sizeof(*neighbors));
}

static const struct neighbor *look_up(
	const struct neighbors *neighbors, const struct ip *ip)
{
	for (size_t i = 0; i < NEIGHBORS_MAX; i++) {
		const struct neighbor *entry = &neighbors->table[i];

		if (entry->used && ip_is_equal(&entry->ip, ip))
			return entry;
	}
	return NULL;
}

static struct neighbor *find(struct neighbors *neighbors, const struct ip *ip)
{
	const struct neighbor *entry = look_up(neighbors, ip);

	return entry == NULL ? NULL : &neighbors->table[entry - neighbors->table];
}

/* A free slot, else the entry that was asked for the longest ago: the least recently
 * useful. */
static struct neighbor *take_slot(struct neighbors *neighbors)
{
	struct neighbor *victim = NULL;

	for (size_t i = 0; i < NEIGHBORS_MAX; i++) {
		struct neighbor *entry = &neighbors->table[i];

		if (!entry->used)
			return entry;
		if (!entry->is_set && (victim == NULL || entry->ask_at < victim->ask_at))
			victim = entry;
	}
	return victim; /* half of the table is not set */
}

int neighbors_set(struct neighbors *neighbors, const struct ip *ip,
	const uint8_t mac[static ETHER_MAC_LEN])
{
	struct neighbor *entry = find(neighbors, ip);
	size_t nset = 0;

	for (size_t i = 0; i < NEIGHBORS_MAX; i++)
		nset += neighbors->table[i].is_set;
	if (entry == NULL && nset >= NEIGHBORS_MAX / 2)
		return -ENOSPC;
	if (entry == NULL)
		entry = take_slot(neighbors);
	*entry = (struct neighbor){
		.used = true, .is_set = true, .is_known = true, .ip = *ip};
	memcpy(entry->mac, mac, ETHER_MAC_LEN);
	return 0;
}

bool neighbors_is_set(const struct neighbors *neighbors, const struct ip *ip)
{
	const struct neighbor *entry = look_up(neighbors, ip);

	return entry != NULL && entry->is_set;
}

bool neighbors_recall(const struct neighbors *neighbors, const struct ip *ip,
	uint8_t mac[static ETHER_MAC_LEN])
{
	const struct neighbor *entry = look_up(neighbors, ip);

	if (entry == NULL || !entry->is_known)
		return false;
	memcpy(mac, entry->mac, ETHER_MAC_LEN);
	return true;
}

bool neighbors_resolve(struct neighbors *neighbors, const struct ip *ip, nsec since,
	uint8_t mac[static ETHER_MAC_LEN], nsec now)
{
	struct neighbor *entry = find(neighbors, ip);

	if (entry == NULL) {
		entry = take_slot(neighbors);
		*entry = (struct neighbor){
			.used = true, .ip = *ip, .ask_at = now, .retry = RETRY_MIN};
	}
	if (entry->is_known && (entry->is_set || entry->known_at >= since)) {
		memcpy(mac, entry->mac, ETHER_MAC_LEN);
		return true;
	}
	entry->is_asking = true;
	neighbors->quiet_until = nsec_min(neighbors->quiet_until, entry->ask_at);
	return false;
}

void neighbors_on_frame(
	struct neighbors *neighbors, const struct ether_frame *frame, nsec now)
{
	struct neighbor *entry = find(neighbors, &frame->src_ip);

	if (entry == NULL || entry->is_set || (frame->src_mac[0] & 1) != 0)
		return;
	if (entry->is_known && !entry->was_asked)
		return; /* nobody asked: an old entry is not overwritten */
	memcpy(entry->mac, frame->src_mac, ETHER_MAC_LEN);
	entry->is_known = true;
	entry->known_at = now;
	entry->was_asked = false;
	entry->is_asking = false;
	entry->ask_at = now;
	entry->retry = RETRY_MIN;
}

bool neighbors_poll(struct neighbors *neighbors, struct ip *ip, nsec now)
{
	if (now < neighbors->quiet_until)
		return false;
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
	neighbors->quiet_until = neighbors_deadline(neighbors);
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
