/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/pb_frame.h"

#include <errno.h>

#include "dataplane/base/bytes.h"

int pb_frame_check(
	const char *name, const uint8_t *bytes, size_t len, struct fault *fault)
{
	const char *what;

	if (len < PB_FRAME_PREFIX)
		what = "is truncated";
	else if (get_be32(bytes) > len - PB_FRAME_PREFIX)
		what = "is truncated or its length is damaged";
	else if (get_be32(bytes) < len - PB_FRAME_PREFIX)
		what = "has bytes behind its message or its length is damaged";
	else
		return 0;
	return fault_set(fault, -EBADMSG,
		"%s %s (%zu bytes); remove this snapshot and fetch it again", name, what,
		len);
}

void pb_frame_put(uint8_t prefix[static PB_FRAME_PREFIX], uint32_t len)
{
	put_be32(prefix, len);
}
