/* SPDX-License-Identifier: BSD-3-Clause */
/* One worker: one nic, one store, the sessions that run over them, and the chunk cache
 * they share. Pure: ports do the I/O and time is an argument; a DPDK thread or a
 * simulated world calls worker_run in a loop.
 *
 *              ┌── frames ──► ARP, ND, echo ─────────┐
 *   nic.rx ────┤                                     ├──► nic.tx
 *              └── UDP ──► session by slot ──────────┤
 *                   └────► another queue's port: to its worker (strays.h)
 *   store.poll ──────────► cache, receivers ─────────┘ */
#ifndef WORKER_H
#define WORKER_H

#include "dataplane/auto_rate.h"
#include "dataplane/cache.h"
#include "dataplane/disk_lease.h"
#include "dataplane/neighbor.h"
#include "dataplane/nic.h"
#include "dataplane/session.h"
#include "dataplane/shaper.h"
#include "dataplane/store.h"
#include "dataplane/strays.h"
#include "dataplane/turns.h"
#include "hugepages/pool.h"

enum { WORKER_SESSIONS = 64 }; /* bits of a mask */

struct worker_config {
	struct nic *nic;     /* outlives the worker */
	struct store *store; /* outlives the worker */
	struct pool *pool;   /* outlives the worker; buffers of at least the chunk size;
				frames that the nic has not taken yet hold theirs */
	uint32_t nbuffers;   /* in the pool */
	struct ip ip;
	uint8_t prefix_len;
	struct ip gateway;  /* all zero: none */
	uint16_t vlan;      /* of every frame; 0: no tag */
	uint16_t port;      /* UDP, of queue 0; the other queues' follow */
	enum ether_sum sum; /* IPv4: ETHER_SUM_ZERO or other; over IPv6 the nic says */
	uint8_t dscp;
	enum cc_kind cc;
	nsec cc_queue;                  /* of the device, see struct cc; 0: CC_QUEUE */
	struct lease_source *port_rate; /* what all workers of a device may send; NULL: no
				      limit; outlives the worker */
	nsec auto_ceiling;              /* see auto_rate.h; 0: the default */
	struct lease_source *disk_rate; /* the same for reads and writes of chunks */
	uint32_t queue;                 /* of the device, which this worker serves */
	struct strays *strays; /* of the device's workers; NULL: it is the only one */
	/* Another worker has got strays: it may be asleep. Once a turn, not a frame. */
	void (*wake)(void *ctx, uint32_t queue);
	void *wake_ctx;
	/* Told what became of sessions; from worker_run only. */
	void (*report)(void *ctx, const struct transfer_report *report);
	void *report_ctx;
};

/* Written by the worker now and then, read by the control thread: plain numbers. What
 * passed and what waited is in struct meter_counters. */
struct worker_counters {
	_Atomic uint64_t backlog;  /* bytes that peers asked for and that are not sent */
	_Atomic uint64_t drops;    /* packets: no MAC of the next hop */
	_Atomic uint64_t auto_bps; /* what the automatic rate is now; 0: there is none */
	_Atomic uint64_t added_ns; /* with it: the delay it saw last, beyond the least */
};

struct worker {
	struct worker_config config;
	struct neighbors neighbors;
	struct cache cache;
	uint32_t nsessions;
	uint64_t members; /* a bit for each slot that has a session */
	uint32_t handed;  /* bit mask: workers that got strays in this turn */
	uint32_t first;   /* which session is polled first: rotates */
	struct session *sessions[WORKER_SESSIONS]; /* by slot */
	struct shaper shaper;                      /* shares by slot */
	struct turns turns;
	struct auto_rate auto_rate; /* of the queue, while is_auto */
	nsec echo_at;               /* when it asks for the next echo */
	bool is_auto;               /* an operator, a session or a receiver asks for it */
	bool is_auto_set;           /* the operator */
	bool is_auto_limited;       /* data waited for it in this round */
	uint64_t fixed_bps;         /* the queue's own limit; holds as well */
	uint64_t fixed_burst;
	struct disk_lease disk;
	struct worker_counters counters;
	nsec counted_at;
	uint64_t unreachable; /* packets dropped: no MAC of the next hop */
	uint64_t frames_lost; /* for another worker, whose ring was full */
	uint64_t frames_bad;  /* for nobody: no session, not for us, wrong checksum */
	uint64_t duplicates;  /* times somebody else said our address is his */
	uint8_t duplicate_mac[ETHER_MAC_LEN];
	uint32_t ntx;      /* frames not yet taken by the nic */
	uint32_t tx_taken; /* of these, how many were */
	struct nic_tx tx[NIC_BURST];
	struct pool_holds device_holds; /* what the nic has taken and reads still */
};

/* Returns 0 or -ENOMEM. */
int worker_init(struct worker *worker, const struct worker_config *config);
/* Sessions still there are dropped; no store request may be under way. */
void worker_fini(struct worker *worker);

/* The MAC of a neighbour, never asked for nor changed by what comes in. Returns 0, or
 * -ENOSPC when there are too many. */
int worker_set_neighbor(struct worker *worker, const struct ip *ip,
	const uint8_t mac[static ETHER_MAC_LEN]);

/* Starts a session in the slot of its id. Ownership stays with the caller, who may
 * destroy it after REPORT_STOPPED. */
void worker_add(struct worker *worker, struct session *session, nsec now);
/* Ends a session: REPORT_STOPPED follows when the store has let go of its buffers. */
void worker_stop(struct worker *worker, uint32_t session_id);
/* Nothing but signs of life moves while it is paused. */
void worker_pause(struct worker *worker, uint32_t session_id, bool is_paused);
/* What this worker may send, see bucket.h for both; RATE_AUTO: what others leave, and
 * burst means nothing. */
void worker_set_rate(struct worker *worker, uint64_t rate_bps, uint64_t burst, nsec now);
/* What an automatic rate may add to the delay of others, see auto_rate.h. */
void worker_set_ceiling(struct worker *worker, nsec ceiling, nsec now);
/* What a session may send or, receiving, lets its peer send; 0: nothing;
 * RATE_AUTO: makes the rate of the queue that sends it automatic. */
void worker_set_session_rate(
	struct worker *worker, uint32_t session_id, uint64_t rate_bps, nsec now);
/* Sending: its part of what this worker may send, see shaper.h. */
void worker_set_session_rank(
	struct worker *worker, uint32_t session_id, const struct rank *rank);
/* The peer is alive though it sends nothing: the stall timeout begins again. */
void worker_touch(struct worker *worker, uint32_t session_id, nsec now);

/* One turn of the loop. Returns whether there was anything to do. */
bool worker_run(struct worker *worker, nsec now);

/* When to call worker_run again if nothing happens before: NEVER when there is no
 * session. */
nsec worker_deadline(const struct worker *worker);

#endif
