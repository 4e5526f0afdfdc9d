/* SPDX-License-Identifier: BSD-3-Clause */
/* Reads one file of a leader's snapshot into memory over braft.FileService.get_file: the
 * table (TABLE_NAME), the manifest. */
#ifndef TCP_READ_H
#define TCP_READ_H

#include "control/node/tcp_copy.h"

struct tcp_read;

struct tcp_read_options {
	struct uv_loop_s *loop;
	const char *address; /* of the leader's control port; copied */
	int64_t reader_id;
	const char *name;           /* copied */
	size_t max;                 /* bytes; a larger file fails with -EFBIG */
	struct fetch_policy policy; /* the throttle is not used for TABLE_NAME */
	/* bytes is malloc'ed and the callee's to free; NULL on failure. tcp_read is gone
	 * afterwards. */
	void (*on_end)(
		void *ctx, const struct tcp_result *result, uint8_t *bytes, size_t len);
	void *ctx;
};

/* Returns 0, -EINVAL (address) or -ENOMEM. */
int tcp_read_start(struct tcp_read **read, const struct tcp_read_options *options,
	struct fault *fault);
/* on_end follows from the loop, with -ECANCELED. */
void tcp_read_cancel(struct tcp_read *read);

#endif
