/* SPDX-License-Identifier: BSD-3-Clause */
/* What the two ways of a TCP copy share: by chunk (tcp_copy_chunks.c) and by file
 * (tcp_copy_files.c). */
#ifndef TCP_COPY_STATE_H
#define TCP_COPY_STATE_H

#include "control/file_fetch.h"
#include "control/file_stream.h"
#include "control/node/tcp_copy.h"
#include "control/node/tcp_fetch.h"

struct file_job;

struct tcp_copy {
	struct tcp_copy_options options;
	struct tcp_fetch fetch;
	struct tcp_result result; /* decided once; NONE: not yet */
	bool is_paused;
	uint32_t nwrites; /* on the thread pool, or queued for it */
	/* by chunk */
	struct file_fetch chunks;
	/* by file */
	struct file_stream files;
	int dirfd;
	int fd;                 /* of the file being written; -1: none */
	struct file_job *first; /* writes in their order; the first is under way */
	struct file_job **last;
};

/* Ends the copy with this fault unless its end is decided already. */
void tcp_copy_fail(
	struct tcp_copy *copy, enum tcp_origin origin, const struct fault *fault);
/* The end of both machines. */
void tcp_copy_end(void *copy);

/* Each starts one way, before the first call. Return 0, -ENOMEM or an errno. */
int tcp_copy_chunks_init(struct tcp_copy *copy, struct fault *fault);
int tcp_copy_files_init(struct tcp_copy *copy, struct fault *fault);
void tcp_copy_chunks_fini(struct tcp_copy *copy);
void tcp_copy_files_fini(struct tcp_copy *copy);

#endif
