/* SPDX-License-Identifier: BSD-3-Clause */
/* The sessions of a worker that send one snapshot, kept together so that a chunk is still
 * in the cache when the last of them comes for it.
 *
 *   blocks in the order they were read:   … 41 42 43 44 45 46 47 48
 *                                            ▲rear          ▲      ▲front: may read 49
 *                                            └──── lead at most ───┘
 *
 * The cache forgets blocks in the order they were read. So a session that needs another
 * one read waits when that would bring a slower one near the end of the cache. Whoever
 * costs another more than two fifths of its time is not waited for, for a while: a dead
 * follower holds the others up for a third of a second, and each time half as often. */
#ifndef PACK_H
#define PACK_H

#include <stdbool.h>
#include <stdint.h>

#include "dataplane/base/units.h"

struct store_object;

enum { PACK_MEMBERS = 64 };

/* One session. */
struct pack_member {
	const struct store_object *object; /* of one pack are those of the same object */
	uint32_t slice_size;               /* and slice size */
	bool is_away;     /* takes nothing, and knows why: not waited for */
	bool is_apart;    /* reads elsewhere, or nobody knows yet */
	bool is_held;     /* has nothing to send for want of a block it must wait for */
	uint32_t alone;   /* blocks read for it while it is */
	uint32_t chunk;   /* of the block it took last */
	uint64_t taken;   /* number of the block it took last */
	nsec patience;    /* that is left for those it waits for */
	nsec looked_at;   /* when patience was */
	nsec waited_from; /* until then nobody waits for it */
	nsec leave;       /* for how long, the next time */
};

struct pack {
	struct pack_member *members[PACK_MEMBERS];
	uint32_t nmembers;
};

/* What a cache has room for. */
struct pack_room {
	uint64_t newest; /* number of the block that was read last; they count up */
	uint32_t blocks; /* how many stay */
};

/* Members are the caller's; beyond PACK_MEMBERS one is not waited for. */
void pack_join(struct pack *pack, struct pack_member *member);
/* Harmless when it is no member. */
void pack_leave(struct pack *pack, const struct pack_member *member);

/* Whether a block may be read for the member. is_idle: it has nothing else to send. */
bool pack_may_read(struct pack *pack, struct pack_member *member,
	const struct pack_room *room, bool is_idle, nsec now);
/* When to ask again though nothing happened; NEVER when it need not. */
nsec pack_deadline(const struct pack_member *member);

/* A block as a member takes it. */
struct pack_block {
	uint64_t number;
	uint32_t chunk;
	bool was_cached; /* or is read for this member */
};

void pack_took(struct pack_member *member, const struct pack_room *room,
	const struct pack_block *block);

/* Whether nobody else is there for what the member takes. */
bool pack_is_alone(const struct pack *pack, const struct pack_member *member);

/* Where a member that is not with its pack finds it: the chunk that the one in front took
 * last. Returns false when it is with it, or there is none. */
bool pack_find(const struct pack *pack, const struct pack_member *member, nsec now,
	uint32_t *chunk);

#endif
