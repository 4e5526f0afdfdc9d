/* SPDX-License-Identifier: BSD-3-Clause */
/* One snapshot on its way from this node to a follower, from the first reference to the
 * line an operator reads about it afterwards.
 *
 * It is begun by `transfer start` (which sends InstallSnapshot) or by a follower's
 * `open`; it has ended when the follower closed it, answered the install, or fell silent.
 */
#ifndef OUTGOING_H
#define OUTGOING_H

#include "control/node/effort_mark.h"
#include "control/node/pin.h"
#include "control/node/plane.h"
#include "control/node/served.h"
#include "control/node/tcp_serve.h"
#include "control/transfer_codec.h"

struct outgoing;
struct pins;
struct rpc_client;
struct snapshot_options;
struct throttle_request;

enum {
	OUTGOING_KEPT = 32,  /* ended ones kept for `transfer list` */
	OUTGOING_LIVE = 256, /* at once; whoever dials in may begin one */
};

struct outgoing_list {
	struct plane *plane; /* NULL: no device */
	struct tcp_serve *tcp;
	struct pins *pins;
	const char *group_id;                    /* the node's */
	const struct snapshot_options *settings; /* the node's */
	nsec stall_timeout;
	struct outgoing *first; /* newest first */
	int64_t next_id;
};

struct outgoing {
	struct outgoing *next;
	struct outgoing_list *list;
	int64_t id;
	int64_t reader_id;
	struct served *served; /* NULL once the session has gone */
	char peer[TRANSFER_PEER_MAX];
	char group_id[TRANSFER_GROUP_MAX];
	int64_t index;
	int64_t term;
	uint64_t files;
	uint64_t bytes;
	enum { SESSION_NONE, SESSION_RUNNING, SESSION_STOPPING } session;
	uint32_t session_id;
	bool is_tcp;       /* the follower was told to use get_file */
	bool is_offered;   /* get_file knows reader_id and refers to served */
	uint64_t heard_at; /* over TCP: its last progress */
	struct transfer_endpoint follower;
	bool is_held; /* offered by a reader of the engine's: goes on under the same id */
	bool is_offer;   /* began as an offer: no transfer until somebody comes */
	bool is_install; /* InstallSnapshot was sent for it */
	bool is_ended;
	bool is_opened;         /* by one of ours, who tells of its progress */
	bool is_paused;         /* by this node's operator; the follower's: stage */
	bool has_rate;          /* this node's operator has limited it */
	uint64_t rate_bps;      /* 0: nothing may go */
	struct rank rank;       /* in full */
	struct rank ordered;    /* of it, what was said on this side: it holds */
	bool is_session_paused; /* what the worker was told last */
	struct pin pin;
	struct fault cancelled; /* the follower is told to give up; code 0: it is not */
	uint64_t cancelled_at;
	struct fault fault;
	enum transfer_stage stage; /* what the follower says */
	uint64_t follower_done;    /* bytes, what the follower says */
	uint64_t bytes_reused;
	struct transfer_stats stats;
	uint64_t silent_at; /* suspended: when a packet came last; 0: it is not */
	uint64_t began;
	uint64_t ended;
	struct effort_mark mark;                              /* of its session */
	void (*on_end)(void *ctx, const struct fault *fault); /* NULL: nobody waits */
	void *on_end_ctx;
	struct rpc_client *client; /* InstallSnapshot is under way; NULL for a pull */
};

/* Takes plane, tcp, pins, group_id, settings and stall_timeout of `with`. */
void outgoing_init(struct outgoing_list *list, const struct outgoing_list *with);
/* Everything has been stopped. */
void outgoing_fini(struct outgoing_list *list);

/* Takes over the reference on served, and offers its files to get_file under a random
 * reader_id. Returns 0, or -EBUSY (OUTGOING_LIVE) or -ENOMEM: the reference stays. */
int outgoing_create(struct outgoing **outgoing, struct outgoing_list *list,
	struct served *served, const char *peer, struct fault *fault);

/* Offers a snapshot for as long as a reader is open, however often followers come for it:
 * a new reader_id, until outgoing_withdraw. Takes a reference of its own. Returns 0 or
 * -ENOMEM. */
int outgoing_offer(struct outgoing_list *list, struct served *served, int64_t *reader_id);
void outgoing_withdraw(struct outgoing_list *list, int64_t reader_id);

/* Of those that have not ended. */
struct outgoing *outgoing_find_reader(struct outgoing_list *list, int64_t reader_id);

/* What plane_reserve needs. */
void outgoing_on_report(void *ctx, const struct transfer_report *report);

/* Ends it, once: fault NULL or code 0 means the follower committed. */
void outgoing_end(struct outgoing *outgoing, const struct fault *fault);

/* What an operator may order. Return 0, -EBUSY: too late, or the follower's operator
 * holds it up. who is this node. */
struct outgoing *outgoing_find(struct outgoing_list *list, int64_t id);
int outgoing_pause(struct outgoing *outgoing, bool is_paused, struct fault *fault);
/* How fast it may go, and before whom. Returns 0, -EBUSY, or -ENODEV: it goes over TCP.
 */
int outgoing_throttle(struct outgoing *outgoing, const struct throttle_request *request,
	struct fault *fault);
/* Goes before what a follower that comes for it asks for. */
void outgoing_order_rank(struct outgoing *outgoing, const struct rank *rank);
/* What was ordered before holds for the session. Returns what transfer_set_session_rate
 * does. */
int outgoing_apply_rate(struct outgoing *outgoing);
/* It ends when the follower has obeyed, or does not answer. */
int outgoing_cancel(struct outgoing *outgoing, const char *who, struct fault *fault);
/* Gives it all that its limits allow: it goes before others of this node. */
void outgoing_raise(struct outgoing *outgoing);
/* It cannot succeed: the follower is told why, unless it is committing already. */
void outgoing_fail(struct outgoing *outgoing, const struct fault *why);
/* One that did not converge is not served again for a while, which doubles each time.
 * Returns 0, or -ESTALE with the reason. */
int outgoing_check_barred(
	const struct outgoing_list *list, const char *peer, struct fault *fault);
/* How far it is, for its pin. */
void outgoing_measure(struct outgoing *outgoing, nsec now);
/* A follower has come for it. */
void outgoing_on_served(struct outgoing *outgoing);
/* The wire follows what both operators want. */
void outgoing_apply_pause(struct outgoing *outgoing);
/* The follower's progress, brought into its bounds. Returns 0, or -ECANCELED with what to
 * tell it. */
int outgoing_on_progress(
	struct outgoing *outgoing, struct progress_request *request, struct fault *fault);
/* One that has failed or was cancelled, of which the follower may not have heard; or
 * NULL. */
const struct outgoing *outgoing_find_failed(
	const struct outgoing_list *list, int64_t reader_id);
/* Ends it when the follower it was taken from does not answer. */
void outgoing_watch_cancelled(struct outgoing *outgoing);

/* Once a second: ends a pull over TCP whose follower has gone. */
void outgoing_watch(struct outgoing_list *list);

/* An offer that nobody has come for: nothing an operator needs to see. */
bool outgoing_is_unused(const struct outgoing *outgoing);

void outgoing_describe(struct outgoing *outgoing, struct transfer_info *info);

/* Whether sessions or references are still held. */
bool outgoing_is_busy(const struct outgoing_list *list);

#endif
