/* SPDX-License-Identifier: BSD-3-Clause */
/* Snapline as a library: the snapshot subsystem of a Raft node.
 *
 *   Raft engine ── do_snapshot, install_snapshot, step_down ──► node ──► data plane or
 * TCP ▲                                                       │ └── fsm: save, load log:
 * term_at, truncate … ◄──────┘
 *
 * A node owns one store and serves one Raft group. It runs on a thread of its own; every
 * function here may be called from any thread unless it says otherwise. The callbacks of
 * struct snapline_fsm and struct snapline_log are called from Snapline's threads, never
 * two at once, and may block; they must not call snapline_close.
 *
 * Functions return 0 or a negative errno. What braft's peers see on the wire are positive
 * errno values and braft's own codes; they appear in `code` of a done callback. */
#ifndef SNAPLINE_H
#define SNAPLINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define SNAPLINE_API __attribute__((visibility("default")))

struct snapline_node;
struct snapline_writer;
struct snapline_reader;
struct snapline_save;

/* What went wrong, for programs and for people. */
struct snapline_error {
	int code;       /* 0, or a negative errno */
	char text[400]; /* one line that names the remedy */
};

/* Where a snapshot stands in the log (Raft section 7: last included index and term). */
struct snapline_meta {
	int64_t index; /* at least 1 */
	int64_t term;
	const char *const *peers; /* "ip:port:idx:role" of each member at that index */
	size_t npeers;
	const char *const *old_peers; /* during joint consensus only */
	size_t nold_peers;
};

/* braft's LocalFileMeta. Strings are copied. */
struct snapline_file_meta {
	const void *user_meta; /* NULL: none */
	size_t user_meta_len;
	int source;           /* 0 a local file, 1 a reference that is kept elsewhere */
	const char *checksum; /* NULL: Snapline fills in "crc32c:%08x" */
};

struct snapline_fsm {
	void *ctx;
	/* Index of the last applied entry: whether a snapshot would hold anything new. */
	int64_t (*last_applied)(void *ctx);
	/* Save the state as of one log entry: write files below snapline_writer_path, add
	 * each to the writer, set the meta, then call snapline_save_done once, now or
	 * later, from any thread. Entries applied after that one must not be in the
	 * files. */
	void (*on_snapshot_save)(
		void *ctx, struct snapline_writer *writer, struct snapline_save *save);
	/* Replace the state by the snapshot's. Returns 0 or a negative errno: the node is
	 * then in error, since its state is neither the old nor the new. The reader is
	 * valid during the call. */
	int (*on_snapshot_load)(void *ctx, const struct snapline_reader *reader);
	/* The node can no longer take part (disk failed, state machine failed). May be
	 * NULL. */
	void (*on_error)(void *ctx, const struct snapline_error *error);
};

/* The Raft log, as far as snapshots need it. All NULL when Snapline shall not touch it.
 * term_at, truncate_prefix and reset NULL: the engine cuts its log by itself, and asks
 * snapline_get_pin before; the others are then called from any thread at any time, and
 * must not wait for Snapline. */
struct snapline_log {
	void *ctx;
	int64_t (*first_index)(
		void *ctx); /* of the first entry kept; 1 when none ever was */
	int64_t (*last_index)(void *ctx); /* 0: empty */
	/* Bytes of the entries from first on; NULL: not known, then the trigger by bytes
	 * is off. */
	uint64_t (*bytes_from)(void *ctx, int64_t first);
	/* Term of an entry, 0 when it is not in the log. */
	int64_t (*term_at)(void *ctx, int64_t index);
	/* Forget entries below first_kept; beyond the end the log is then empty and goes
	 * on there. Called only after a durable snapshot covers them, and not while a
	 * follower in flight will need them (pin-log-mib and its like). */
	int (*truncate_prefix)(void *ctx, int64_t first_kept);
	/* Forget everything; the next entry is next_index. */
	int (*reset)(void *ctx, int64_t next_index);
};

/* One DPDK device. */
struct snapline_device {
	const char *dev;     /* PCI address or vdev arguments */
	const char *ip;      /* "10.0.0.1/24" or "fd00::1/64" */
	const char *gateway; /* NULL: none */
	uint16_t vlan;       /* 802.1Q tag, 1 to 4094; 0: none */
	uint32_t queues;     /* each with a worker thread of its own, 8 at most; 0: one */
};

struct snapline_options {
	const char *store;   /* directory; made when missing */
	const char *group;   /* id of the Raft group */
	const char *peer_id; /* "IP:PORT:IDX", this node; peers dial IP:PORT */
	const char *listen;  /* "HOST:PORT"; NULL: IP:PORT of peer_id */
	const char *admin;   /* operator's unix socket; NULL: none */
	/* NULL: everything goes over TCP. With devices a node is opened once a process:
	 * DPDK starts once. Closed, it leaves a sleeping thread and memory behind until
	 * the process ends, and no files. */
	const struct snapline_device *devices;
	size_t ndevices;
	uint32_t buffers;          /* chunk buffers of 1 MiB a queue; 0: 64 */
	uint32_t stall_timeout_ms; /* a peer silent for so long has gone; 0: 10000 */
	/* "name=value" of any option `snapline node --help` lists under snapshots, such
	 * as "snapshot-interval-s=600"; ends with NULL; NULL: all defaults. */
	const char *const *settings;
	struct snapline_fsm fsm;
	struct snapline_log log;
};

/* code 0, or a positive errno or braft code with its text. Called once, from Snapline's
 * thread. */
typedef void (*snapline_done)(void *ctx, int code, const char *text);

/* Opens the store, loads the newest snapshot into the state machine, checks it against
 * the log, and starts to serve. Copies options. Returns 0, -EINVAL (an option; text says
 * which), -ENOTEMPTY (the directory is not a store), -EBUSY (in use), -EBADMSG (damaged
 * snapshot), -EIO (the log begins after the snapshot ends: entries are missing), what
 * on_snapshot_load returned, or another errno. */
SNAPLINE_API int snapline_open(struct snapline_node **node,
	const struct snapline_options *options, struct snapline_error *error);

/* Ends what is under way, answers every call, waits for callbacks to return: also for a
 * snapline_save_done that is still owed. Close all readers first. */
SNAPLINE_API void snapline_close(struct snapline_node *node);

/* Takes a snapshot. done gets 0 also when there is nothing new to save
 * (do-snapshot-min-index-gap), EPERM when stopped, EBUSY while another is saved or
 * received, ESTALE when a newer one arrived meanwhile, or what the save ended with. */
SNAPLINE_API void snapline_do_snapshot(
	struct snapline_node *node, snapline_done done, void *ctx);

/* A leader's InstallSnapshot that came over the engine's own transport. */
struct snapline_install {
	int64_t term;          /* the leader's */
	const char *leader_id; /* its peer id */
	int64_t index;         /* last included */
	const char *uri;       /* remote://IP:PORT/ID */
};

/* response_term and success are braft's InstallSnapshotResponse; valid when code is 0. */
typedef void (*snapline_installed)(
	void *ctx, int code, const char *text, int64_t response_term, bool success);

SNAPLINE_API void snapline_install_snapshot(struct snapline_node *node,
	const struct snapline_install *install, snapline_installed done, void *ctx);

/* Sends the newest snapshot to a follower and waits for its answer. done gets ESTALE when
 * it did not converge, and at once for a while after that (10 s, doubling to 320 s). */
SNAPLINE_API void snapline_send_snapshot(
	struct snapline_node *node, const char *peer_id, snapline_done done, void *ctx);

/* Which of the snapshots that a node sends over its devices goes first. */
enum snapline_class {
	SNAPLINE_UNSAID,    /* as the option transfer-class says */
	SNAPLINE_RECOVERY,  /* a follower that its group needs: before all others */
	SNAPLINE_REBALANCE, /* it can wait, as a member that is only added */
};

struct snapline_rank {
	enum snapline_class of_class;
	uint32_t weight; /* among those of its class, 1 to 100; 0: as transfer-weight says
			  */
};

/* The same before or behind others. done gets EINVAL for a rank out of range. */
SNAPLINE_API void snapline_send_snapshot_ranked(struct snapline_node *node,
	const char *peer_id, const struct snapline_rank *rank, snapline_done done,
	void *ctx);

/* The node's term has risen, or it has lost its leader: a snapshot on its way is
 * cancelled unless it is being loaded already. */
SNAPLINE_API void snapline_step_down(struct snapline_node *node, int64_t new_term);

/* Changes a reloadable option. Returns 0, -ENOENT (no such option), -EINVAL (its range is
 * in the text) or -EPERM (only at start). */
SNAPLINE_API int snapline_set_option(struct snapline_node *node, const char *name,
	const char *value, struct snapline_error *error);

/* The first entry that a follower in flight will need and that the log is to keep for it;
 * INT64_MAX: none. Does not wait. */
SNAPLINE_API int64_t snapline_get_pin(struct snapline_node *node);

/* Whether a follower in flight will find the log it needs when its snapshot is there. */
enum snapline_verdict {
	SNAPLINE_NOBODY, /* no follower in flight, or no log to look at */
	SNAPLINE_MEASURING,
	SNAPLINE_CONVERGING,
	SNAPLINE_WILL_NOT_CONVERGE,
	SNAPLINE_LOST, /* given up, or needs another snapshot after this one */
};

#define SNAPLINE_FOR_EVER INT64_MAX

/* Of the follower that is worst off, but for the pin. */
struct snapline_convergence {
	enum snapline_verdict verdict;
	int64_t horizon_ms;      /* until the log kept reaches its limit, or FOR_EVER */
	int64_t need_ms;         /* until the snapshot is there, or FOR_EVER */
	int64_t margin_ms;       /* between them; 0: too late */
	int64_t pinned_from;     /* first entry kept for any of them; 0: none is */
	uint64_t pinned_entries; /* from there on, as last measured */
	uint64_t pinned_bytes;   /* 0 where the log does not know */
	char text[160];          /* "converging (margin 41 s)", … */
};

enum snapline_state {
	SNAPLINE_IDLE,
	SNAPLINE_SAVING,
	SNAPLINE_DOWNLOADING,
	SNAPLINE_LOADING,
};

struct snapline_status {
	enum snapline_state state;
	bool is_in_error;
	int64_t term;
	int64_t last_index; /* of the newest snapshot, 0: none */
	int64_t last_term;
	int64_t downloading_index; /* DOWNLOADING, LOADING */
	uint64_t bytes_done;       /* DOWNLOADING */
	uint64_t bytes_total;
	struct snapline_convergence convergence; /* of followers served by this node */
};

SNAPLINE_API void snapline_get_status(
	struct snapline_node *node, struct snapline_status *status);

/* ---- inside on_snapshot_save, until snapline_save_done; one thread at a time */

/* The directory to write to. */
SNAPLINE_API const char *snapline_writer_path(const struct snapline_writer *writer);
/* Lists a file that has been, or will be, written: a relative path; sub-directories are
 * the caller's to make. meta may be NULL. Returns 0, -EINVAL (name), -EEXIST or -ENOMEM.
 */
SNAPLINE_API int snapline_writer_add_file(struct snapline_writer *writer,
	const char *name, const struct snapline_file_meta *meta);
/* Takes it off the list; the file itself is deleted by the commit. Returns 0 or -ENOENT.
 */
SNAPLINE_API int snapline_writer_remove_file(
	struct snapline_writer *writer, const char *name);
/* The i-th name in byte order, or NULL. */
SNAPLINE_API const char *snapline_writer_file(
	const struct snapline_writer *writer, size_t i);
/* Must be called once before a successful save_done. Returns 0, -EINVAL or -ENOMEM. */
SNAPLINE_API int snapline_writer_set_meta(
	struct snapline_writer *writer, const struct snapline_meta *meta);

/* Ends the save: code 0, or a negative errno that the caller of do_snapshot gets. -EIO
 * puts the node in error, as in braft. Any thread, once. */
SNAPLINE_API void snapline_save_done(
	struct snapline_save *save, int code, const char *text);

/* ---- a snapshot being read */

/* The newest snapshot, kept on disk until closed. Returns 0, -ENOENT, -EBADMSG or an
 * errno. */
SNAPLINE_API int snapline_reader_open(struct snapline_node *node,
	struct snapline_reader **reader, struct snapline_error *error);
SNAPLINE_API void snapline_reader_close(struct snapline_reader *reader);

SNAPLINE_API const char *snapline_reader_path(const struct snapline_reader *reader);
/* Valid while the reader is. */
SNAPLINE_API void snapline_reader_meta(
	const struct snapline_reader *reader, struct snapline_meta *meta);
/* The i-th name in byte order, or NULL. Snapline's own manifest is not among them. */
SNAPLINE_API const char *snapline_reader_file(
	const struct snapline_reader *reader, size_t i);
/* Returns 0 or -ENOENT. Pointers in meta are valid while the reader is. */
SNAPLINE_API int snapline_reader_file_meta(const struct snapline_reader *reader,
	const char *name, struct snapline_file_meta *meta);
/* A uri under which a peer may fetch it while the reader is open. Not for a reader that
 * on_snapshot_load was given: -EPERM. Returns 0 or -ENOSPC. */
SNAPLINE_API int snapline_reader_uri(
	struct snapline_reader *reader, char *text, size_t size);
/* Whether a follower is fetching it under that uri: another one that comes meanwhile is
 * sent away with EAGAIN, so give it a reader of its own. */
SNAPLINE_API bool snapline_reader_is_fetched(struct snapline_reader *reader);

enum { SNAPLINE_ROOT_LEN = 32 };

/* The SHA-256 root of the manifest: equal roots, equal files to the last byte. */
SNAPLINE_API void snapline_reader_root(
	const struct snapline_reader *reader, uint8_t root[SNAPLINE_ROOT_LEN]);

#ifdef __cplusplus
}
#endif

#endif
