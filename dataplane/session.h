/* SPDX-License-Identifier: BSD-3-Clause */
/* One snapshot moving between one sender and one receiver, as one end sees it: identity,
 * keys, packet numbers, and the sender or receiver machine.
 *
 * Made and destroyed by the control thread; everything in between belongs to the worker.
 */
#ifndef SESSION_H
#define SESSION_H

#include <stdatomic.h>

#include "dataplane/ether.h"
#include "dataplane/nic.h"
#include "dataplane/pn_window.h"
#include "dataplane/receiver.h"
#include "dataplane/sender.h"
#include "dataplane/steering.h"
#include "dataplane/transfer.h"

/* session_id = slot:20 | generation:12. The slot finds the session, the generation tells
 * a dead session's packets from those of the next one in its slot. */
static inline uint32_t session_slot(uint32_t session_id)
{
	return session_id >> 12;
}

static inline uint32_t session_make_id(uint32_t slot, uint32_t generation)
{
	return slot << 12 | (generation & 0xfff);
}

enum { SESSION_PORT_MIN = 49152 }; /* source ports beyond the first are from here on */

/* Written by the worker, read by the control thread: relaxed, each is a plain count. */
struct session_counters {
	_Atomic uint64_t bytes_done;
	_Atomic uint64_t bytes_resent;
	_Atomic uint64_t bytes_reused;
	_Atomic uint64_t wire_bytes;
	_Atomic uint64_t packets_lost;
	_Atomic uint64_t packets_bad;
	_Atomic uint64_t strays; /* came to another queue than the stripe's */
	_Atomic bool is_astray;  /* the last one did */
	_Atomic uint64_t slice_size;
	_Atomic uint64_t path_changes;
};

struct session {
	struct transfer_session params;
	struct wire_address self;
	struct wire_address peer;
	struct ether_path path;
	struct steering steering;
	uint32_t nports; /* source ports had beyond the first */
	uint8_t hint;    /* what we tell the peer of its source port */
	bool is_path_known;
	bool is_path_set;  /* by an operator: packets from elsewhere do not change it */
	nsec path_at;      /* when something last came from path.dst_mac */
	uint32_t headers;  /* bytes of a frame before Snapline's header */
	bool is_reported;  /* DONE or FAILED went up */
	bool is_suspended; /* SUSPENDED went up, RESUMED has not */
	uint32_t path_changes; /* made, of those the machine wanted */
	bool is_stopping;      /* waits for the store to let go */
	uint32_t writes;       /* under way in the store */
	nsec stall_timeout;
	uint32_t window;
	uint64_t rate_bps; /* of all stripes: what may be sent, or asked to be sent */
	uint64_t peer_rate_bps; /* sending: what the receiver asked for */
	bool has_new_limit;     /* it asked for another */
	struct pn_window received;
	uint64_t *pulled; /* receiving: see receiver.h */
	struct session_counters counters;
	union {
		struct sender sender;
		struct receiver receiver;
	} machine; /* by params.role */
};

/* Copies params, of which stripe says which of their stripes this is. window in packets,
 * at most INFLIGHT_WINDOW_MAX. Returns 0 or -ENOMEM. */
int session_create(struct session **session, const struct transfer_session *params,
	uint32_t window, nsec stall_timeout);
void session_destroy(struct session *session);

/* An incoming packet with this session's id. frame is the UDP datagram. Returns what
 * became of it; anything but ACCEPTED changed nothing but a counter, except that a
 * DUPLICATE is acknowledged again when its number was new. */
enum verdict session_on_packet(
	struct session *session, const struct ether_frame *frame, nsec now);

/* The next packet to send, unsealed; of data only when that may go. */
bool session_poll(
	struct session *session, struct packet *packet, bool may_send_data, nsec now);

/* Seals a packet and makes it a frame on the session's path; returns its length, bytes.
 */
uint32_t session_frame(
	const struct session *session, const struct packet *packet, struct nic_tx *frame);

/* Sends from another UDP source port from now on, which may take another way and come to
 * another queue. The peer takes packets from any. */
void session_change_port(struct session *session);

/* Nothing but signs of life, until told to go on. */
void session_set_paused(struct session *session, bool is_paused);
/* The peer has been heard of elsewhere. */
void session_touch(struct session *session, nsec now);
nsec session_deadline(const struct session *session);
/* Bytes the peer asked for that were not sent yet. Looks at every request. */
uint64_t session_backlog(const struct session *session);

/* Copies the machine's numbers to the counters. */
void session_count(struct session *session);
/* Any thread: adds what the counters say. */
void session_add_stats(const struct session *session, struct transfer_stats *stats);

/* What the machine has come to that was not reported yet: an end, a suspension or that
 * one's end. Returns false when nothing. */
bool session_next_report(struct session *session, struct transfer_report *report);

#endif
