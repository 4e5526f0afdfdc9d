/* SPDX-License-Identifier: BSD-3-Clause */
/* Two workers on a simulated link with a virtual clock: one seed, one story.
 *
 *   end 0 (sender) ──► pipe[1] ──► end 1 (receiver)
 *          ▲                          │
 *          └───────── pipe[0] ◄───────┘
 *
 * There may be more senders to one receiver, or more receivers of one sender: these are
 * the ends from 2 on. A pipe belongs to the end it leads to, and so does its queue; with
 * `uplink`, all that end 0 sends shares one queue instead.
 *
 * Disks are simulated too: reads take their time and come back in any order, and the
 * bytes of a chunk are a function of the seed, so that a gigabyte needs no gigabyte. */
#ifndef WORLD_H
#define WORLD_H

#include "dataplane/worker.h"
#include "hugepages/arena.h"
#include "hugepages/pool.h"
#include "tests/sim/world/link.h"

enum { WORLD_REQUESTS = 128, WORLD_SESSIONS = 8, WORLD_ENDS = WORLD_SESSIONS + 1 };

struct world_options {
	uint64_t seed;
	struct world_link link; /* both directions */
	uint32_t slice_size;    /* bytes */
	uint32_t chunk_size;    /* bytes */
	uint32_t buffers;       /* chunk buffers at each end */
	const uint64_t *sizes;  /* of the snapshot's files */
	size_t nfiles;
	nsec stall_timeout;
	nsec disk_delay;     /* up to this for each read or write */
	uint32_t nsessions;  /* each moves the whole snapshot; 0: one */
	uint32_t nsenders;   /* each with a session of its own; 0: one for all sessions */
	uint32_t nreceivers; /* the same; one of both is one */
	bool uplink;         /* end 0 is the bottleneck */
	bool discards; /* the receivers' disks keep no bytes: nothing can be compared */
	bool starts_later;   /* world_start begins the sessions */
	uint64_t write_rate; /* bytes a second that the disk takes; 0: no limit */
	uint64_t space;      /* bytes on the receivers' disks; 0: no limit */
	enum cc_kind cc;
	uint32_t window;                  /* packets; 0: 1024 */
	uint32_t weights[WORLD_SESSIONS]; /* 0: the default */
	uint32_t mtu;                     /* bytes; 0: 9000 */
	bool is_ipv6;
	uint16_t vlan;      /* 0: no tag */
	enum ether_sum sum; /* of UDP over IPv4; over IPv6 the NIC's or ours */
	nsec start;         /* the clock's first value; 0: one second */
	/* A part of the time an end has no CPU, 1 to 5 ms at once: in the middle of a
	 * turn, whose frames go out when it is back, or at the beginning of one, when it
	 * has just read the clock. */
	uint32_t absence_percent[WORLD_ENDS];
	nsec absence_most; /* instead of 1 to 5 ms: up to this; 0: as it says */
	/* Who has nothing to do sleeps, as worker threads do, and finds what comes
	 * meanwhile when it wakes up: 50 us, 200 while it waits for tokens, or until its
	 * deadline. */
	bool sleeps;
};

struct world_disk_request {
	bool used;
	nsec done_at;
	struct store_request request;
};

struct world;

struct world_end {
	struct world *world;
	int number;
	struct lease_source port_rate; /* unlimited at first */
	struct lease_source disk_rate;
	struct worker worker;
	struct nic nic;
	struct store store;
	struct arena arena;
	struct pool pool;
	void *memory;
	struct session *session;                  /* the first of them */
	struct session *sessions[WORLD_SESSIONS]; /* NULL: of another end */
	struct world_disk_request disk[WORLD_REQUESTS];
	nsec disk_free_at;     /* when it has written what was asked for */
	uint64_t written;      /* bytes */
	int disk_error;        /* every request fails with it */
	uint32_t rotten_chunk; /* this chunk reads with a flipped bit; UINT32_MAX: none */
	bool rot_heals;        /* only the first read is wrong */
	bool is_cut;           /* its frames go nowhere */
	bool is_leaving;       /* its CPU is taken in this turn: nothing goes out */
	bool has_old_clock;    /* it will be taken before the next turn has begun */
	nsec left_at;
	nsec absent_until;
	nsec leaves_at;    /* the next time */
	nsec asleep_until; /* where it sleeps */
	struct transfer_report last;
	uint32_t nreports[REPORT_STOPPED + 1]; /* by event */
	uint64_t frames_sent;
	uint64_t bytes_sent; /* on the wire, overhead included */
};

/* What the receiver's disk holds of one session. */
struct world_copy {
	uint8_t *image;   /* the chunks, one after another; NULL: discarded */
	uint32_t *writes; /* how often each chunk was written */
	uint8_t *sends;   /* how often each slice was sent, chunk after chunk */
	uint64_t *have;   /* what was there when the session began */
};

struct world {
	struct world_options options;
	uint64_t random;
	nsec now;
	struct world_end ends[WORLD_ENDS];
	uint32_t nends;
	struct ether_path path; /* of any session: how long headers are here */
	uint32_t life;          /* of the next session: its generation and its keys */
	struct manifest manifest;
	struct world_copy copies[WORLD_SESSIONS];
	struct link_pipe pipes[WORLD_ENDS]; /* by the end they lead to */
	struct link_pipe uplink;
	uint64_t launched; /* frames */
	uint32_t longest;  /* of them, bytes */
	uint32_t nspare;
	struct link_frame *spare[WORLD_ENDS * (LINK_FRAMES + NIC_BURST)];
};

struct world *world_create(const struct world_options *options);
void world_destroy(struct world *world);

/* Begins a session at both of its ends; it takes over what is in its copy. */
void world_start(struct world *world, uint32_t which);
/* Ends it at both ends, and runs on until they let go of it. */
void world_stop(struct world *world, uint32_t which);
/* As if nothing had ever been copied. Its session is stopped. */
void world_forget(struct world *world, uint32_t which);
/* Where a session sends from, and where to. */
struct world_end *world_sender(struct world *world, uint32_t which);
struct world_end *world_receiver(struct world *world, uint32_t which);

/* Slices of a whole chunk. */
uint32_t world_slices(const struct world *world);

uint32_t world_random(struct world *world, uint32_t below);

/* One turn of both workers, then the clock moves on: a little when something happened,
 * else to the next event. */
void world_step(struct world *world);

/* Steps until the receiver has ended and the sender knows, or the virtual deadline
 * passed. Returns whether both ended. */
bool world_run_until_end(struct world *world, nsec deadline);

/* Whether every chunk on the receiver's disk is what the manifest says, written once, by
 * every session. */
bool world_is_identical(const struct world *world);
/* Of one session: whether what was written is right, each chunk once, and how many there
 * are. */
bool world_is_sound(const struct world *world, uint32_t which, uint32_t *nchunks);

#endif
