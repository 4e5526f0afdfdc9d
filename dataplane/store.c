/* SPDX-License-Identifier: BSD-3-Clause */
#include "dataplane/store.h"

#include "dataplane/base/units.h"
#include "dataplane/crc.h"
#include "dataplane/sum16.h"

void store_sum_slices(const struct store_request *request, uint32_t len)
{
	uint32_t slice = 0;

	if (request->slice_size == 0)
		return;
	for (uint32_t at = 0; at < len; at += request->slice_size, slice++) {
		const uint8_t *bytes = request->buf + at;
		uint32_t slice_len = u32_min(request->slice_size, len - at);

		if (request->slice_crc != NULL)
			request->slice_crc[slice] = crc32c(bytes, slice_len);
		if (request->slice_sum != NULL)
			request->slice_sum[slice] = sum16(bytes, slice_len);
	}
}
