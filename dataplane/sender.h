/* SPDX-License-Identifier: BSD-3-Clause */
/* The sending end of a session: serves the chunks its receiver pulls, slice by slice.
 *
 *   PULL ─► WANTED ─cache_get─► LOADING ─► SENDING ─every slice acknowledged─► FREE
 *
 * Requests are numbered by the receiver; request n lives in slot n % SENDER_REQUESTS, and
 * is served once however often its PULL arrives. On an error the sender is FAILED and
 * answers every PULL with CLOSE, so losing a CLOSE is harmless. */
#ifndef SENDER_H
#define SENDER_H

#include "dataplane/base/bitmap.h"
#include "dataplane/cache.h"
#include "dataplane/cc.h"
#include "dataplane/delay.h"
#include "dataplane/inflight.h"
#include "dataplane/manifest.h"
#include "dataplane/packet.h"
#include "dataplane/prober.h"
#include "dataplane/turns.h"
#include "dataplane/watch.h"

enum {
	SENDER_REQUESTS = 256,
	SENDER_STUCK = 1, /* probe timeouts in a row: only probes go out */
	SENDER_READAHEAD =
		16, /* blocks a session may hold beyond what its window fills */
	SENDER_AHEAD_WARM = 3, /* not entirely sent, where they are copied from memory */
};

enum sender_state {
	SENDER_RUNNING,
	SENDER_SUSPENDED, /* the receiver is silent: small PROBEs, and nothing held */
	SENDER_FAILED,    /* told the control plane; waits to be stopped */
	SENDER_CLOSED,    /* the receiver said it needs nothing more */
};

struct sender_config {
	const struct manifest *manifest;
	struct store_object *object;
	struct cache *cache;
	uint32_t slice_size; /* bytes; in the sender's copy: of this epoch */
	uint32_t stripes;    /* 0: one */
	uint32_t stripe;     /* serves the chunks with chunk % stripes == stripe */
	uint32_t window;     /* packets in flight, at most INFLIGHT_WINDOW_MAX */
	enum cc_kind cc;     /* which part of the window it uses */
	nsec cc_queue;       /* see struct cc; 0: CC_QUEUE */
	nsec stall_timeout;
	const struct turns *turns; /* of the worker; NULL: it is never away */
};

struct sender_request {
	enum { REQUEST_FREE, REQUEST_WANTED, REQUEST_LOADING, REQUEST_SENDING } state;
	uint32_t number;
	uint32_t chunk;
	uint32_t len;  /* bytes of the chunk */
	uint8_t flags; /* PULL_REFRESH */
	uint32_t nslices;
	uint32_t next_slice; /* never sent yet */
	uint32_t nacked;
	struct block *block;
	uint64_t acked[BITMAP_WORDS(CACHE_SLICES_MAX)];
};

struct sender {
	struct sender_config config;
	enum sender_state state;
	int code;            /* FAILED, CLOSED: negative errno or 0 */
	bool by_peer;        /* the peer closed */
	uint32_t fail_chunk; /* UINT32_MAX: none */
	bool owes_close;
	bool owes_sign;    /* a PULL asked for an answer and there is nothing to send */
	bool may_probe;    /* one packet may pass window and credit */
	bool is_held;      /* may send no data this time */
	bool is_paused;    /* sends no data, only signs of life */
	bool owes_place;   /* the receiver shall go where its pack is */
	bool is_waiting;   /* for slower ones of its pack */
	bool is_switching; /* no PULL of this epoch has come yet */
	uint32_t epoch;    /* how often the slice size was changed */
	uint32_t path_changes;   /* how often another source port was wanted */
	uint32_t unacked_probes; /* timeouts since anything was acknowledged */
	uint32_t next_request;   /* lowest number not seen yet */
	uint32_t oldest_request; /* no lower number is unfinished */
	uint32_t first_unsent;   /* no lower number has a slice never sent */
	uint32_t nblocks;        /* blocks held */
	uint32_t nahead;         /* of these, not entirely sent; scratch */
	uint32_t slices_shift;   /* log2 of a chunk's slices, rounded down */
	uint32_t unasked;        /* packets since an ACK was asked for */
	uint32_t ce_count;       /* of the newest ACK */
	bool is_limited;         /* the window held a packet back since the last ACK */
	uint64_t credit;         /* units, absolute */
	uint64_t sent_units;
	uint64_t bytes_acked;
	uint64_t bytes_resent;
	nsec last_sent;
	nsec timed_at;      /* when no timer was due; NEVER: look again */
	nsec prepared_at;   /* when the requests were */
	nsec next_question; /* while SUSPENDED */
	nsec stuck_at;      /* when the first of nstuck was sent */
	uint32_t nstuck;    /* data sent as probes since data was acknowledged */
	uint32_t nresend;   /* entries in resend */
	uint32_t resend_head;
	struct inflight_slice resend[INFLIGHT_RING];
	struct pack_member member;
	uint32_t pack_chunk; /* where the pack is */
	nsec place_told;     /* when the receiver was told last */
	struct watch watch;
	struct prober prober;
	struct cc cc;
	struct delay delay;
	struct inflight inflight;
	struct inflight_outcome outcome; /* scratch */
	struct sender_request requests[SENDER_REQUESTS];
};

void sender_init(struct sender *sender, const struct sender_config *config, nsec now);
/* Gives all blocks back, and is of no pack any more. */
void sender_fini(struct sender *sender);

/* Authenticated packets of the receiver. Return ACCEPTED, STALE for what no longer
 * matters, or CORRUPT for values out of range: nothing is changed then. */
enum verdict sender_on_pull(
	struct sender *sender, const struct wire_pull *pull, uint8_t flags, nsec now);
enum verdict sender_on_ack(struct sender *sender, const struct wire_ack *ack, nsec now);
enum verdict sender_on_close(
	struct sender *sender, const struct wire_close *close, nsec now);

/* The receiver has been heard of elsewhere: it is not given up yet. */
void sender_touch(struct sender *sender, nsec now);

/* Paused, it answers PULLs as ever and sends no data; it holds no block, so that others
 * find room in the cache. */
void sender_set_paused(struct sender *sender, bool is_paused);

/* What shall be sent now. Returns false when nothing. The payload stays valid until the
 * next call of any function on this sender. */
bool sender_poll(struct sender *sender, struct packet *packet, nsec now);

nsec sender_deadline(const struct sender *sender);

/* Asks the receiver for an ACK at once while it has something to get: by a small PROBE,
 * whose round trip tells how long others wait. */
void sender_ask_echo(struct sender *sender);

/* Bytes asked for and not sent yet, to the slice. */
uint64_t sender_backlog(const struct sender *sender);

#endif
