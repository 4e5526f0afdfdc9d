/* SPDX-License-Identifier: BSD-3-Clause */
/* The control plane's only door to the data plane: orders down, reports up.
 *
 *   transfer_open ─► transfer_reserve ─► transfer_start ─► (reports) ─► transfer_stop
 *
 * All functions are called from one thread, the control thread. Orders and reports travel
 * over SPSC rings; `wake` is called from worker threads when a report is waiting. What a
 * session refers to (manifest, store object) belongs to the caller and must outlive the
 * REPORT_STOPPED that answers transfer_stop. */
#ifndef TRANSFER_H
#define TRANSFER_H

#include <stdbool.h>
#include <stdint.h>

#include "dataplane/auto_rate.h"
#include "dataplane/base/fault.h"
#include "dataplane/base/ip.h"
#include "dataplane/cc.h"
#include "dataplane/manifest.h"
#include "dataplane/rank.h"
#include "dataplane/steering.h"
#include "dataplane/store.h"

struct transfer;

enum {
	TRANSFER_DEVICES_MAX = 8,
	TRANSFER_QUEUES_MAX = STEERING_QUEUES_MAX, /* a device */
	TRANSFER_NEIGHBORS_MAX = 32,               /* set by an operator */
	TRANSFER_KEY_LEN = 16,
	TRANSFER_NONCE_LEN = 32,
	TRANSFER_WINDOW_MIN = 16, /* packets in flight a session */
	TRANSFER_WINDOW_MAX = 2048,
	TRANSFER_BUFFERS_MIN = 4, /* a worker */
	TRANSFER_BUFFERS_MAX = 65535,
};

/* A neighbour whose MAC an operator has set. */
struct transfer_neighbor {
	struct ip ip;
	uint8_t mac[6];
};

struct transfer_device {
	const char *dev; /* PCI address or DPDK vdev arguments */
	struct ip ip;
	uint8_t prefix_len; /* 0 to 32 or 128 */
	struct ip gateway;  /* all zero: none */
	uint16_t vlan;      /* 802.1Q, 1 to 4094; 0: no tag */
	uint32_t mtu;       /* bytes; 0: what the device says */
	uint32_t queues;    /* each with a worker of its own; 0: one */
	uint64_t rate_bps;  /* what all its queues may send; 0: no limit; RATE_AUTO: each
			       what others leave */
	uint64_t burst;     /* with a rate: bytes at once; 0: the default, see bucket.h */
};

struct transfer_options {
	const struct transfer_device *devices;
	uint32_t ndevices;
	uint32_t buffers;       /* chunk buffers a worker, shared by all its sessions */
	uint32_t buffer_size;   /* bytes; a snapshot with larger chunks is refused */
	uint32_t window;        /* packets in flight a session */
	enum cc_kind cc;        /* auto: fixed on rings and memif, swift elsewhere */
	uint64_t disk_rate_bps; /* chunks read and written at first; 0, RATE_UNLIMITED: no
				   limit */
	nsec auto_ceiling; /* what an automatic rate may add to the delay of others; 0:
			      the default, see auto_rate.h */
	struct lease_source *disk_rate; /* transfer_open's own */
	nsec stall_timeout;    /* no packet from the peer for so long: -ETIMEDOUT */
	const uint16_t *cores; /* CPUs the workers stay on, device by device and queue by
				  queue; those beyond ncores move freely */
	uint32_t ncores;
	/* set on those devices whose subnet holds them; not needed after transfer_open */
	const struct transfer_neighbor *neighbors;
	uint32_t nneighbors; /* at most TRANSFER_NEIGHBORS_MAX */
	void (*wake)(void *ctx);
	void *wake_ctx;
};

struct transfer_endpoint {
	struct ip ip;
	uint8_t prefix_len;
	bool has_gateway; /* reaches addresses outside its subnet */
	uint16_t port;    /* UDP, host byte order; of queue 0, the other queues' follow */
	uint32_t queues;  /* workers, one at each port */
	uint32_t slice_size;
};

#define TRANSFER_ALL_QUEUES UINT32_MAX

/* What a queue may send, or all queues of a port together; on the wire. */
struct transfer_rate {
	uint32_t port;     /* number of the device */
	uint32_t queue;    /* TRANSFER_ALL_QUEUES: the port's own limit */
	uint64_t rate_bps; /* 0 (paused), RATE_MIN to RATE_MAX, RATE_UNLIMITED, or
			      RATE_AUTO: of each queue */
	uint64_t burst;    /* bytes; 0: the default, see bucket.h */
	nsec ceiling;      /* RATE_AUTO: as auto_ceiling; 0: as it was */
};

/* A queue's limit, and what became of it. Numbers as in struct transfer_stats. */
struct transfer_queue {
	struct transfer_rate limit;
	uint64_t port_rate_bps; /* what it shares with the port's other queues */
	uint64_t auto_bps;      /* an automatic rate is this now; 0: there is none */
	nsec added;             /* with it: delay seen last, beyond the shortest */
	bool is_hardware;       /* the device keeps the limit as well, at 105 % */
	uint64_t rate_now_bps;  /* sent, over the last tenth of a second */
	uint64_t bytes;         /* sent in all */
	uint64_t packets;       /* the same */
	uint64_t backlog;       /* bytes that were asked for and not sent yet */
	uint64_t throttled_ns;  /* data could have been sent, and no limit let it */
	uint64_t drops;         /* packets: the next hop did not answer ARP */
	uint64_t read_at;       /* ns of a clock that never goes back */
};

/* What all workers together may read and write, and what became of it. */
struct transfer_disk {
	uint64_t limit_bps;    /* of chunks; 0 (paused), RATE_MIN to RATE_MAX, or
				  RATE_UNLIMITED */
	uint64_t burst;        /* bytes; of the limit */
	uint64_t rate_now_bps; /* moved, over the last tenth of a second */
	uint64_t bytes;        /* moved in all */
	uint64_t throttled_ns; /* a chunk could have been moved, and the limit did not let
				  it; of the worker that waited longest */
	uint64_t read_at;      /* ns of a clock that never goes back */
};

enum transfer_role { TRANSFER_SEND, TRANSFER_RECEIVE };

struct transfer_session {
	enum transfer_role role;
	uint32_t device;     /* which of the node's devices */
	uint32_t session_id; /* ours, from transfer_reserve */
	uint32_t peer_session_id;
	struct ip peer_ip;
	uint16_t peer_port;  /* of the first stripe; the others' follow */
	uint32_t stripes;    /* how many workers share it; 0: one */
	uint32_t stripe;     /* which of them a session is; transfer_start sets it */
	uint32_t slice_size; /* bytes, a multiple of 64 */
	uint8_t tx_key[TRANSFER_KEY_LEN]; /* for packets we send */
	uint8_t rx_key[TRANSFER_KEY_LEN]; /* for packets we receive */
	struct rank rank;  /* send: before or beside others; not said: recovery, and the
			      default weight */
	uint64_t rate_bps; /* at most, on the wire; 0: no limit; RATE_AUTO: makes the
			      sending queue's rate automatic */
	const struct manifest *manifest;
	struct store_object *object;
	const uint64_t *have; /* receive: bitmap of chunks already there; NULL: none */
};

enum transfer_event {
	REPORT_DONE,      /* receive: every chunk is written (not yet synced) */
	REPORT_FAILED,    /* code says why; the session stays until transfer_stop */
	REPORT_SUSPENDED, /* the peer is silent: kept, and asked for now and then */
	REPORT_RESUMED,   /* it is back */
	REPORT_STOPPED, /* the session is gone, nothing refers to its objects any more */
};

struct transfer_report {
	enum transfer_event event;
	uint32_t session_id;
	int code; /* REPORT_FAILED: -ETIMEDOUT peer silent, -EBADMSG corrupt chunk, or
		     a store_completion error */
	uint32_t stripe; /* FAILED, SUSPENDED: which one, which is the worker's queue, too
			  */
	uint32_t stripes; /* FAILED, SUSPENDED: of so many */
	bool by_peer;     /* the peer said so in a CLOSE */
	nsec silence;     /* SUSPENDED, RESUMED: how long no packet had come */
	uint32_t chunk;   /* the chunk it happened on; UINT32_MAX: none */
};

/* A snapshot of single-writer counters; each is exact, together they may be a packet
 * apart. */
struct transfer_stats {
	uint64_t bytes_done;   /* receive: written; send: acknowledged */
	uint64_t bytes_resent; /* send: payload sent more than once; receive: payload
				  dropped as duplicate */
	uint64_t bytes_reused; /* receive: already there or known to be zero */
	uint64_t wire_bytes;   /* frames sent and received, with Ethernet overhead */
	uint64_t packets_lost; /* send: declared lost */
	uint64_t packets_bad;  /* dropped: MAC, CRC, bounds, of another epoch */
	uint64_t strays; /* packets that came to another worker, and were passed on */
	uint32_t stripes;
	enum steered_by steered_by; /* what brings packets to our workers */
	uint64_t slice_size;        /* bytes, in use now; the smallest of the stripes' */
	uint64_t path_changes;      /* how often we took another source port */
};

/* What the worker threads have done since transfer_open, all of them together, ns. busy,
 * rx and tx are read off the time-stamp counter: on a machine with more threads than
 * cores they include the time another thread had the core. */
struct transfer_work {
	uint64_t cpu;  /* CPU time, idle polling included */
	uint64_t busy; /* turns of the loop that found something to do */
	uint64_t rx;   /* of these, in the driver: receiving */
	uint64_t tx;   /* of these, filling packets and in the driver: sending */
};

/* Starts the EAL, the ports and one worker thread a queue. Once a process: DPDK cannot
 * be started again. Returns 0, -ENODEV (a device does not exist or won't start), -ENOMEM,
 * or -EINVAL, with the remedy in fault. */
int transfer_open(struct transfer **transfer, const struct transfer_options *options,
	struct fault *fault);

/* Stops the workers and releases everything. Sessions still open end without a report. */
void transfer_close(struct transfer *transfer);

uint32_t transfer_count_devices(const struct transfer *transfer);
void transfer_get_endpoint(const struct transfer *transfer, uint32_t device,
	struct transfer_endpoint *endpoint);

/* Takes a free session slot. Returns 0, or -EBUSY when all are in use. */
int transfer_reserve(struct transfer *transfer, uint32_t *session_id);
/* Gives back a reserved slot that was never started. */
void transfer_release(struct transfer *transfer, uint32_t session_id);

/* Starts all stripes of a session, each in a worker of its own. Returns 0; -EAGAIN when a
 * worker's order ring is full; -EINVAL: not reserved, slices or chunks too large, or more
 * stripes than the device has queues; or -ENOMEM. */
int transfer_start(struct transfer *transfer, const struct transfer_session *session);
/* REPORT_STOPPED follows, however many orders wait. Returns 0, or -EINVAL for a session
 * that does not run. */
int transfer_stop(struct transfer *transfer, uint32_t session_id);
/* The peer is known to be alive though it sends no packets: its stall timeout begins
 * again. A hint: dropped when the order ring is full. */
void transfer_touch(struct transfer *transfer, uint32_t session_id);

/* Paused, nothing but signs of life moves, and what was moved is kept. Returns 0, -EAGAIN
 * when the worker's order ring is full, or -EINVAL for a session that does not run. */
int transfer_pause(struct transfer *transfer, uint32_t session_id, bool is_paused);

/* Live: they hold within a turn of the worker, and begin without a jump. Return 0,
 * -EAGAIN when a worker's order ring is full, or -EINVAL: no such port, queue or running
 * session, or a rate out of range. */
int transfer_set_rate(struct transfer *transfer, const struct transfer_rate *rate);
/* Sending: what may be sent, all stripes together; receiving: what the peer may send. */
int transfer_set_session_rate(
	struct transfer *transfer, uint32_t session_id, uint64_t rate_bps);
/* As these: 0 (paused), RATE_MIN to RATE_MAX, or RATE_UNLIMITED. Chunks that the disk
 * works on are moved to their end. Never -EAGAIN. */
int transfer_set_disk_rate(struct transfer *transfer, uint64_t rate_bps);
/* To measure what they are worth. Of its buffers each worker uses so many from now on, at
 * most all; a window is for sessions that send and start later. Return 0, or -EINVAL: out
 * of range; the buffers' also -EAGAIN, as above. */
int transfer_set_window(struct transfer *transfer, uint32_t window);
int transfer_set_buffers(struct transfer *transfer, uint32_t buffers);
/* Sending: before which other sessions it goes, and its part among those of its class.
 * What rank does not say stays. */
int transfer_set_session_rank(
	struct transfer *transfer, uint32_t session_id, const struct rank *rank);
void transfer_get_disk(const struct transfer *transfer, struct transfer_disk *disk);
/* Returns false when there is no such port or queue. */
bool transfer_get_queue(const struct transfer *transfer, uint32_t port, uint32_t queue,
	struct transfer_queue *stats);

/* Takes the next report. Returns false when there is none. */
bool transfer_next_report(struct transfer *transfer, struct transfer_report *report);

void transfer_get_stats(const struct transfer *transfer, uint32_t session_id,
	struct transfer_stats *stats);
void transfer_get_work(const struct transfer *transfer, struct transfer_work *work);

#endif
