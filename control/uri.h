/* SPDX-License-Identifier: BSD-3-Clause */
/* Where a snapshot can be fetched: "remote://HOST:PORT/READER_ID". */
#ifndef URI_H
#define URI_H

#include <stddef.h>
#include <stdint.h>

#include "dataplane/base/fault.h"

enum {
	URI_ADDRESS_MAX = 262, /* bytes with the NUL: a host name, ':' and a port */
	URI_TEXT_MAX = 300,    /* bytes with the NUL of a whole uri */
};

struct uri {
	char address[URI_ADDRESS_MAX]; /* "HOST:PORT", an IPv6 host in brackets */
	int64_t reader_id;             /* opaque, often negative */
};

/* Strict, as braft: exact prefix, then an address, '/' and nothing but a decimal int64.
 * Returns 0, or -EINVAL with what is wrong. */
int uri_parse(struct uri *uri, const char *text, struct fault *fault);

/* Writes the text form. Returns 0, or -ENOSPC. */
int uri_format(const struct uri *uri, char *text, size_t size);

#endif
