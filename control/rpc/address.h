/* SPDX-License-Identifier: BSD-3-Clause */
/* Where a server listens or a client dials: "HOST:PORT", "[IPV6]:PORT" or "unix:PATH". */
#ifndef ADDRESS_H
#define ADDRESS_H

#include <stdbool.h>
#include <stdint.h>

#include "dataplane/base/fault.h"

enum { ADDRESS_HOST_MAX = 256, ADDRESS_TEXT_MAX = 272 };

struct address {
	bool is_unix;
	char host[ADDRESS_HOST_MAX]; /* name or number without brackets; or the path */
	uint16_t port;
	char text[ADDRESS_TEXT_MAX]; /* as given, for messages */
};

/* Port 0 is allowed only with any_port. Returns 0, or -EINVAL with the remedy. */
int address_parse(
	struct address *address, const char *text, bool any_port, struct fault *fault);

#endif
