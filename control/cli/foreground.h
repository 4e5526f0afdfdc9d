/* SPDX-License-Identifier: BSD-3-Clause */
/* Requests of others beside a transfer: small ones, one a millisecond, by kernel sockets,
 * and how long their answers take. Whatever answers with the first 8 bytes of a request
 * will do: a UDP echo, a TCP echo, or foreground_serve, whose answers are larger. */
#ifndef FOREGROUND_H
#define FOREGROUND_H

#include <stdbool.h>
#include <stdint.h>

#include "dataplane/base/fault.h"

struct foreground {
	int fd;
	bool is_stream; /* TCP: answers are as long as requests */
};

struct foreground_times {
	uint64_t p50_us;
	uint64_t p99_us; /* one without an answer counts as FOREGROUND_PATIENCE */
	uint64_t unanswered;
};

#define FOREGROUND_PATIENCE (500 * MSEC) /* for the answers to the last requests */

/* where: [udp:|tcp:]HOST:PORT. Returns 0, -EINVAL, or what resolving or connecting says.
 */
int foreground_open(
	struct foreground *foreground, const char *where, struct fault *fault);
void foreground_close(struct foreground *foreground);

/* Asks for so long, 60 s at most. Blocks. Returns 0, or -ETIMEDOUT: not one answer. */
int foreground_ask(
	struct foreground *foreground, nsec span, struct foreground_times *times);

/* Answers each datagram at HOST:PORT until it is killed. Returns an errno only. */
int foreground_serve(const char *where, struct fault *fault);

#endif
