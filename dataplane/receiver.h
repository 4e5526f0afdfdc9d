/* SPDX-License-Identifier: BSD-3-Clause */
/* The receiving end of a session: pulls the chunks it lacks, places every slice by its
 * own address, verifies each chunk against the manifest and hands it to the store.
 *
 *   FREE ─pull─► OPEN ─last slice, CRC right─► WRITING ─written─► FREE, chunk done
 *                 └─CRC wrong─► OPEN again under a new request, PULL_REFRESH (3 times)
 *
 * Memory bounds everything: a chunk is pulled only when there is a buffer for it.
 * All-zero chunks and those in `have` are never pulled, nor those of another stripe. */
#ifndef RECEIVER_H
#define RECEIVER_H

#include "dataplane/base/bitmap.h"
#include "dataplane/bucket.h"
#include "dataplane/cache.h"
#include "dataplane/manifest.h"
#include "dataplane/packet.h"
#include "dataplane/pn_window.h"
#include "dataplane/store.h"
#include "dataplane/turns.h"
#include "dataplane/watch.h"

struct pool;

enum {
	RECEIVER_CHUNKS = 128, /* open or being written */
	RECEIVER_SPAN =
		256, /* request numbers between the oldest open one and the next */
	RECEIVER_ATTEMPTS = 3, /* at one chunk before it is given up */
};

enum receiver_state {
	RECEIVER_RUNNING,
	RECEIVER_SUSPENDED, /* the sender is silent: a PULL now and then */
	RECEIVER_DONE,      /* every chunk is written */
	RECEIVER_FAILED,    /* tells the sender with CLOSE */
};

struct receiver_config {
	const struct manifest *manifest;
	struct store_object *object;
	struct pool *pool;
	struct cache *cache; /* gives buffers back to the pool when it is empty */
	const uint64_t *have;
	uint64_t *pulled;      /* a bit a chunk of the stripe; the caller's, all clear */
	uint32_t slice_size;   /* bytes; in the receiver's copy: of this epoch */
	uint32_t stripes;      /* 0: one */
	uint32_t stripe;       /* ours are the chunks with chunk % stripes == stripe */
	uint32_t headers;      /* bytes of a frame before Snapline's header */
	uint32_t max_chunks;   /* open or being written, at most RECEIVER_CHUNKS */
	uint32_t first_chunks; /* the same until the sender is heard; 0: as many */
	nsec stall_timeout;
	const struct turns *turns; /* of the worker; NULL: it is never away */
};

struct receiver_chunk {
	enum { CHUNK_FREE, CHUNK_OPEN, CHUNK_QUEUED, CHUNK_WRITING } state;
	uint32_t chunk;
	uint32_t len; /* bytes */
	uint32_t request;
	uint32_t attempts;
	uint32_t nslices;
	uint32_t ngot;
	uint32_t fold;     /* CRC-32C of all slices but the last, see crc.h */
	uint32_t last_crc; /* CRC-32C of the last slice */
	uint8_t *buf;
	uint64_t got[BITMAP_WORDS(CACHE_SLICES_MAX)];
};

struct receiver {
	struct receiver_config config;
	enum receiver_state state;
	int code;
	bool by_peer;
	uint32_t fail_chunk; /* UINT32_MAX: none */
	uint32_t nchunks;    /* of our stripe: what follows counts them alone */
	uint32_t next_chunk; /* it and those behind it are pulled before others */
	uint32_t nunpulled;  /* neither there nor ever pulled */
	uint32_t nleft;      /* chunks of it not written yet */
	uint32_t nopen;
	uint32_t last_slot; /* whose slice came last: most likely the next one's too */
	uint32_t nwriting;  /* QUEUED or WRITING */
	uint32_t next_request;
	uint32_t
		share; /* of max_chunks: how many may be open while others want buffers */
	bool is_paused;           /* asks for nothing new and grants no more credit */
	bool is_asking;           /* a PULL that wants an answer is out */
	uint32_t slice_max;       /* bytes, as agreed */
	uint32_t epoch;           /* how often the sender changed the slice size */
	uint32_t path_changes;    /* how often another source port was wanted */
	uint32_t peer_unanswered; /* by us, what the sender said last */
	bool owes_pull;
	bool owes_close;
	uint32_t nclose;  /* CLOSEs sent */
	uint32_t unacked; /* data packets since the last ACK */
	bool ack_now;
	bool has_gap;       /* the last packet was not the next in order */
	uint32_t ce_count;  /* data packets that the network marked */
	uint32_t echo_time; /* tx_time of the newest packet */
	nsec newest_at;     /* when it came */
	nsec newest_waited; /* and how long before that at most: its ACK says so */
	nsec acked_at;      /* the last ACK; what that turn took, the next one says */
	nsec first_unacked_at;
	uint64_t next_pn;       /* of packets we send */
	uint64_t seen_units;    /* what the sender says it has sent */
	uint64_t missing_units; /* slices of open chunks not here yet */
	uint64_t credit;        /* the most we ever granted */
	struct bucket limit;    /* how fast it grants */
	bool wants_auto;        /* the sender shall find out how fast it may */
	nsec grant_at;          /* when the limit lets it grant more; NEVER: all is */
	uint64_t bytes_written;
	uint64_t bytes_reused;
	uint64_t bytes_duplicate;
	struct watch watch;
	nsec last_data;
	nsec last_pull;
	nsec asked_at;      /* when is_asking was set, or asked again */
	nsec pull_interval; /* backs off while nothing comes */
	nsec last_close;
	uint32_t asked[RECEIVER_SPAN]; /* chunk of request n, at n % RECEIVER_SPAN */
	uint8_t asked_flags[RECEIVER_SPAN];
	uint32_t powers[CACHE_SLICES_MAX]; /* crc32c_power(k whole slices) */
	struct receiver_chunk chunks[RECEIVER_CHUNKS];
};

void receiver_init(
	struct receiver *receiver, const struct receiver_config *config, nsec now);
/* Gives all buffers back. No write may be under way. */
void receiver_fini(struct receiver *receiver);

/* An authenticated, new packet. Returns ACCEPTED or DUPLICATE when its number should be
 * acknowledged, CORRUPT when not: it will be sent again. */
enum verdict receiver_on_data(struct receiver *receiver, const struct wire_header *header,
	const uint8_t *payload, nsec now);
/* Remembers an acknowledgeable packet; is_next: its number followed the largest before.
 */
void receiver_on_number(struct receiver *receiver, const struct wire_header *header,
	bool is_next, nsec now);
enum verdict receiver_on_sign(
	struct receiver *receiver, const struct wire_header *header, nsec now);
/* Acknowledgeable when ACCEPTED. STALE: of another epoch than this one or the next. */
enum verdict receiver_on_probe(struct receiver *receiver,
	const struct wire_header *header, const struct wire_probe *probe, nsec now);
enum verdict receiver_on_close(
	struct receiver *receiver, const struct wire_close *close, nsec now);

/* How many chunks it may hold at once, at least 1: a share of the worker's buffers. Who
 * holds more asks for nothing new until so many are written. */
void receiver_set_share(struct receiver *receiver, uint32_t nchunks);

/* The next write to submit; slot identifies it. Returns false when there is none. */
bool receiver_next_write(
	struct receiver *receiver, struct store_request *request, uint32_t *slot);
void receiver_mark_writing(struct receiver *receiver, uint32_t slot);
void receiver_on_written(struct receiver *receiver, uint32_t slot, int error, nsec now);

/* The sender has been heard of elsewhere: it is not given up yet. */
void receiver_touch(struct receiver *receiver, nsec now);

/* Paused, it takes what was granted before, and says that it is alive. */
void receiver_set_paused(struct receiver *receiver, bool is_paused);

/* How fast the sender may send, on the wire: it is told, and gets no more credit than
 * that. 0: no more at all; RATE_AUTO: what the sender finds that others leave. */
void receiver_set_rate(struct receiver *receiver, uint64_t rate_bps, nsec now);

/* What shall be sent now. window holds the numbers received. Returns false when nothing.
 */
bool receiver_poll(struct receiver *receiver, const struct pn_window *window,
	struct packet *packet, nsec now);
nsec receiver_deadline(const struct receiver *receiver);

#endif
