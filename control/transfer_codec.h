/* SPDX-License-Identifier: BSD-3-Clause */
/* Snapline's own calls as plain structs: TransferService between two nodes, AdminService
 * on the operator's socket.
 *
 * Encoders give malloc'ed bytes and return 0 or -ENOMEM. Decoders overwrite their struct
 * and return 0, -EBADMSG (not this message, a required field missing, or a value out of
 * its range), or -ENOMEM. Only struct transfer_list owns memory. */
#ifndef TRANSFER_CODEC_H
#define TRANSFER_CODEC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "control/convergence.h"
#include "control/effort.h"
#include "dataplane/transfer.h"

enum {
	OPEN_VERSION = 1,
	TRANSFER_GROUP_MAX = 256, /* all: bytes with the NUL */
	TRANSFER_PEER_MAX = 256,
	TRANSFER_PATH_MAX = 16,
	TRANSFER_TEXT_MAX = 512,
};

/* Numbers as on the wire. */
enum transfer_stage {
	STAGE_OPEN,
	STAGE_WIRE,
	STAGE_VERIFY,
	STAGE_FSYNC,
	STAGE_LOAD,
	STAGE_DONE,
	STAGE_FAILED,
	STAGE_PAUSED,
	STAGE_SUSPENDED,
};

struct open_request {
	uint32_t version;
	char group_id[TRANSFER_GROUP_MAX];
	bool has_reader_id;
	int64_t reader_id;               /* absent: the newest snapshot */
	char peer_id[TRANSFER_PEER_MAX]; /* empty: not said */
	struct transfer_endpoint endpoints[TRANSFER_DEVICES_MAX];
	uint32_t nendpoints;
	uint8_t nonce[TRANSFER_NONCE_LEN];
	uint32_t session_id;
	struct rank rank; /* what the follower asks for */
};

struct open_response {
	int64_t transfer_id;
	int64_t index;
	int64_t term;
	uint32_t table_size;    /* bytes of the attachment */
	uint32_t manifest_size; /* bytes of the attachment, behind the table */
	bool is_tcp;            /* no device: endpoint to session_id mean nothing */
	struct transfer_endpoint endpoint;
	/* index into the request's endpoints; the caller checks */
	uint32_t peer_endpoint;
	uint32_t slice_size; /* bytes */
	uint32_t stripes;    /* the caller checks */
	uint8_t nonce[TRANSFER_NONCE_LEN];
	uint32_t session_id;
	char reason[TRANSFER_TEXT_MAX]; /* of is_tcp; empty: none; cut when longer */
};

struct progress_request {
	int64_t transfer_id;
	enum transfer_stage stage;
	uint64_t bytes_done;
	uint64_t bytes_reused;
};

/* Whether the follower will find the log it needs, as its leader sees it. */
struct transfer_convergence {
	enum convergence_verdict verdict;
	nsec horizon; /* NEVER: no limit in sight */
	nsec need;    /* NEVER: it does not move */
	nsec margin;  /* NEVER: without end; 0: too late */
	uint64_t pinned_bytes;
	uint64_t pinned_entries;
	char text[CONVERGENCE_TEXT_MAX];
};

struct progress_response {
	bool is_paused; /* by the leader's operator */
	bool has_convergence;
	struct transfer_convergence convergence;
};

struct close_request {
	int64_t transfer_id;
	int32_t error_code;                 /* 0: committed; otherwise an errno value */
	char error_text[TRANSFER_TEXT_MAX]; /* empty: none; cut when longer */
};

struct close_response {
	bool has_effort;
	struct effort effort; /* the leader's */
};

struct transfer_info {
	int64_t id;
	bool sending;
	char peer[TRANSFER_PEER_MAX];
	char group_id[TRANSFER_GROUP_MAX];
	int64_t index;
	int64_t term;
	enum transfer_stage stage;
	char path[TRANSFER_PATH_MAX]; /* "dpdk" or "tcp"; empty until it is chosen */
	uint64_t files;
	uint64_t bytes_total;
	uint64_t bytes_done;
	uint64_t bytes_resent;
	uint64_t bytes_reused;
	uint64_t elapsed_ns;
	uint64_t silent_ns;  /* SUSPENDED: since the peer's last packet */
	uint32_t slice_size; /* over dpdk: bytes of data a packet carries; else 0 */
	uint32_t stripes;    /* over dpdk: workers that share it; else 0 */
	char steered_by[TRANSFER_PATH_MAX]; /* of several: what brings packets to them */
	uint64_t strays;      /* packets that one of them passed to another */
	bool has_convergence; /* it runs, and its leader has a log */
	struct transfer_convergence convergence;
	struct rank rank; /* over dpdk, of one that is sent; else empty */
	int32_t error_code;
	char error_text[TRANSFER_TEXT_MAX]; /* empty: none; cut when longer */
	/* never over the operator's socket: */
	bool has_report;
	struct effort_report report; /* once it has ended */
	uint32_t leader_queues;      /* over dpdk: of its device; else 0 */
	uint32_t leader_slice_size;  /* over dpdk: the most its device takes; else 0 */
};

struct start_request {
	char peer[TRANSFER_PEER_MAX]; /* ADDR:PORT[:IDX] */
	struct rank rank;
};

struct start_response {
	int64_t id;
};

/* pause, resume, cancel; the answer has no fields. */
struct order_request {
	int64_t id;
};

struct list_request {
	bool has_id; /* false: all */
	int64_t id;
};

struct transfer_list {
	struct transfer_info *transfers; /* owned after decoding */
	size_t count;
};

/* "open", "wire", … as printed to people and scripts. */
const char *transfer_stage_name(enum transfer_stage stage);

int open_request_encode(const struct open_request *request, uint8_t **bytes, size_t *len);
int open_request_decode(struct open_request *request, const uint8_t *bytes, size_t len);
int open_response_encode(
	const struct open_response *response, uint8_t **bytes, size_t *len);
int open_response_decode(
	struct open_response *response, const uint8_t *bytes, size_t len);

int progress_request_encode(
	const struct progress_request *request, uint8_t **bytes, size_t *len);
int progress_request_decode(
	struct progress_request *request, const uint8_t *bytes, size_t len);
/* What a follower of a snapshot of so many bytes may say: no more than there is. */
void progress_request_clamp(struct progress_request *request, uint64_t bytes);
int progress_response_encode(
	const struct progress_response *response, uint8_t **bytes, size_t *len);
int progress_response_decode(
	struct progress_response *response, const uint8_t *bytes, size_t len);
int close_request_encode(
	const struct close_request *request, uint8_t **bytes, size_t *len);
int close_request_decode(struct close_request *request, const uint8_t *bytes, size_t len);
int close_response_encode(
	const struct close_response *response, uint8_t **bytes, size_t *len);
int close_response_decode(
	struct close_response *response, const uint8_t *bytes, size_t len);

int start_request_encode(
	const struct start_request *request, uint8_t **bytes, size_t *len);
int start_request_decode(struct start_request *request, const uint8_t *bytes, size_t len);
int start_response_encode(
	const struct start_response *response, uint8_t **bytes, size_t *len);
int start_response_decode(
	struct start_response *response, const uint8_t *bytes, size_t len);

int order_request_encode(
	const struct order_request *request, uint8_t **bytes, size_t *len);
int order_request_decode(struct order_request *request, const uint8_t *bytes, size_t len);

int list_request_encode(const struct list_request *request, uint8_t **bytes, size_t *len);
int list_request_decode(struct list_request *request, const uint8_t *bytes, size_t len);
int transfer_list_encode(const struct transfer_list *list, uint8_t **bytes, size_t *len);
int transfer_list_decode(struct transfer_list *list, const uint8_t *bytes, size_t len);
void transfer_list_fini(struct transfer_list *list);

#endif
