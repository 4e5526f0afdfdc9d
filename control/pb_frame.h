/* SPDX-License-Identifier: BSD-3-Clause */
/* The framing of braft's ProtoBufFile: u32 big-endian length, so many bytes, the end. */
#ifndef PB_FRAME_H
#define PB_FRAME_H

#include <stddef.h>
#include <stdint.h>

#include "dataplane/base/fault.h"

enum { PB_FRAME_PREFIX = 4 }; /* bytes before the message */

/* Checks the whole file `name` of len bytes: its message is then bytes + PB_FRAME_PREFIX
 * to the end. Returns 0 or -EBADMSG (truncated, length beyond the file, bytes behind the
 * message). */
int pb_frame_check(
	const char *name, const uint8_t *bytes, size_t len, struct fault *fault);

/* Writes the prefix of a message of len bytes, which the caller puts behind it. */
void pb_frame_put(uint8_t prefix[static PB_FRAME_PREFIX], uint32_t len);

#endif
