/* SPDX-License-Identifier: BSD-3-Clause */
#include "dataplane/pack.h"

#include <stddef.h>

#define PATIENCE (200 * MSEC)
#define LEAVE_MIN (1 * SEC)
#define LEAVE_MAX (64 * SEC)

enum { ALONE = 16 /* blocks read for itself */ };

static void part(struct pack_member *member)
{
	member->is_apart = true;
	member->alone = 0;
}

void pack_join(struct pack *pack, struct pack_member *member)
{
	member->is_apart = true;
	member->patience = PATIENCE;
	member->leave = LEAVE_MIN;
	if (pack->nmembers < PACK_MEMBERS)
		pack->members[pack->nmembers++] = member;
}

void pack_leave(struct pack *pack, const struct pack_member *member)
{
	for (uint32_t i = 0; i < pack->nmembers; i++) {
		if (pack->members[i] != member)
			continue;
		pack->members[i] = pack->members[--pack->nmembers];
		return;
	}
}

static bool is_of_pack(const struct pack_member *member, const struct pack_member *other)
{
	return other->object == member->object && other->slice_size == member->slice_size;
}

/* The other half is behind the rear: sent, and not yet acknowledged. */
static uint64_t lead(const struct pack_room *room)
{
	return room->blocks / 2;
}

static bool is_outside(const struct pack_member *member, nsec now)
{
	return member->is_apart || now < member->waited_from;
}

/* Whether the member waits for the other one. Who is outside does for all of the pack; in
 * it the one in front does, so somebody always goes on. */
static bool waits_for(const struct pack_member *member, const struct pack_member *other,
	const struct pack_room *room, nsec now)
{
	return other != member && is_of_pack(member, other) && !other->is_away &&
	       !is_outside(other, now) && room->newest - other->taken >= lead(room) &&
	       (is_outside(member, now) || other->taken < member->taken);
}

/* Time spent waiting is taken from the patience, and two fifths of all time added. */
static void look(struct pack_member *member, bool is_held, nsec now)
{
	nsec elapsed = now - member->looked_at;

	member->looked_at = now;
	if (member->is_held)
		member->patience -= elapsed;
	member->patience = nsec_min(member->patience + elapsed / 5 * 2, PATIENCE);
	member->is_held = is_held;
}

/* Nobody waits for those that the member waits for. */
static void give_leave(struct pack *pack, struct pack_member *member,
	const struct pack_room *room, nsec now)
{
	for (uint32_t i = 0; i < pack->nmembers; i++) {
		struct pack_member *other = pack->members[i];

		if (!waits_for(member, other, room, now))
			continue;
		other->waited_from = now + other->leave;
		other->leave = nsec_min(2 * other->leave, LEAVE_MAX);
	}
	member->patience = PATIENCE;
}

void pack_took(struct pack_member *member, const struct pack_room *room,
	const struct pack_block *block)
{
	member->taken = block->number;
	member->chunk = block->chunk;
	member->is_held = false;
	if (block->was_cached ? room->newest - block->number < lead(room)
			      : ++member->alone >= ALONE)
		member->is_apart = false;
}

bool pack_may_read(struct pack *pack, struct pack_member *member,
	const struct pack_room *room, bool is_idle, nsec now)
{
	bool waits = false;

	for (uint32_t i = 0; i < pack->nmembers; i++) {
		if (room->newest - pack->members[i]->taken >= room->blocks)
			part(pack->members[i]); /* what it wants next is gone */
	}
	for (uint32_t i = 0; i < pack->nmembers && !waits; i++)
		waits = waits_for(member, pack->members[i], room, now);
	look(member, waits && is_idle, now);
	if (waits && member->patience < 0) {
		give_leave(pack, member, room, now);
		member->is_held = false;
		return true;
	}
	return !waits;
}

bool pack_is_alone(const struct pack *pack, const struct pack_member *member)
{
	for (uint32_t i = 0; i < pack->nmembers; i++) {
		if (pack->members[i] != member && is_of_pack(member, pack->members[i]))
			return false;
	}
	return true;
}

bool pack_find(const struct pack *pack, const struct pack_member *member, nsec now,
	uint32_t *chunk)
{
	const struct pack_member *front = NULL;

	for (uint32_t i = 0; i < pack->nmembers && is_outside(member, now); i++) {
		const struct pack_member *other = pack->members[i];

		if (other != member && is_of_pack(member, other) && !other->is_away &&
			!is_outside(other, now) &&
			(front == NULL || other->taken > front->taken))
			front = other;
	}
	if (front == NULL)
		return false;
	*chunk = front->chunk;
	return true;
}

nsec pack_deadline(const struct pack_member *member)
{
	return member->is_held ? member->looked_at + PATIENCE / 2 : NEVER;
}
