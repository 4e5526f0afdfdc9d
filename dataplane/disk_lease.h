/* SPDX-License-Identifier: BSD-3-Clause */
/* A worker's part of what the node may read from and write to its disk.
 *
 *   disk_lease_begin ─► disk_lease_may_move ─► disk_lease_moved … ─► disk_lease_end
 *
 * Once a turn, from one thread; the counters may be read by any. */
#ifndef DISK_LEASE_H
#define DISK_LEASE_H

#include "dataplane/lease.h"
#include "dataplane/meter.h"

struct disk_lease {
	struct lease lease;
	struct meter meter; /* bytes handed to the store */
	bool is_waiting;    /* a chunk was held back in this turn */
};

/* source may be NULL: unlimited. */
static inline void disk_lease_init(
	struct disk_lease *disk, struct lease_source *source, nsec now)
{
	lease_init(&disk->lease, source);
	meter_init(&disk->meter, now);
	disk->is_waiting = false;
}

/* Learns of a new rate. */
static inline void disk_lease_begin(struct disk_lease *disk, nsec now)
{
	lease_begin(&disk->lease, now);
	disk->is_waiting = false;
}

/* Whether a chunk of so many bytes may be read or written now. */
static inline bool disk_lease_may_move(struct disk_lease *disk, uint32_t len, nsec now)
{
	bool may = lease_has(&disk->lease, len, now);

	disk->is_waiting |= !may;
	return may;
}

/* The store has taken it. */
static inline void disk_lease_moved(struct disk_lease *disk, uint32_t len)
{
	disk->meter.bytes += len;
	lease_charge(&disk->lease, len);
}

static inline void disk_lease_end(struct disk_lease *disk, nsec now)
{
	meter_end(&disk->meter, disk->is_waiting, now);
}

/* When what was held back may pass: NEVER when nothing was, and while paused. */
static inline nsec disk_lease_deadline(const struct disk_lease *disk)
{
	return disk->is_waiting ? lease_deadline(&disk->lease) : NEVER;
}

#endif
