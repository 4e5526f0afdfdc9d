/* SPDX-License-Identifier: BSD-3-Clause */
/* Reads past the page cache, several at once, by io_uring. One thread, a store's.
 *
 * A disk is fastest with some requests waiting for it; the page cache arranges that by
 * reading ahead, at the price of a copy and of the pages it takes from others. */
#ifndef DIRECT_H
#define DIRECT_H

#include <stdbool.h>

#include "dataplane/store.h"

struct direct;

/* Returns 0, -ENOMEM, or what io_uring says where it is not to be had: -ENOSYS, -EPERM.
 */
int direct_open(struct direct **direct);
/* No read may be under way. */
void direct_close(struct direct *direct);

/* Returns false when the request is not for this way: an ordinary read is never wrong.
 * Not while it is full. */
bool direct_start(struct direct *direct, const struct store_request *request);
bool direct_is_full(const struct direct *direct);

/* A read that has ended, whose request is to be done in the ordinary way when it did not
 * work; that finds the reason, too. */
struct direct_end {
	struct store_request request;
	bool worked;
	uint64_t ns; /* it was waited for */
};

/* Waits for one, unless none is under way. Returns whether there is one. */
bool direct_wait(struct direct *direct, struct direct_end *end);

#endif
