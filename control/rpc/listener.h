/* SPDX-License-Identifier: BSD-3-Clause */
/* Opens a listening socket, explaining what stands in the way. */
#ifndef LISTENER_H
#define LISTENER_H

#include <stdint.h>

#include "dataplane/base/fault.h"

struct address;

/* *fd is bound and listening; *port is the port bound, 0 for unix. A unix socket is made
 * for its owner only (0600); a stale file is replaced, a living server's is not. May
 * block to look a host name up. Returns 0, -EADDRINUSE, -EACCES, -EINVAL … with the
 * remedy. */
int listener_open(
	const struct address *address, int *fd, uint16_t *port, struct fault *fault);

#endif
