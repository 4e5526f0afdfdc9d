/* SPDX-License-Identifier: BSD-3-Clause */
/* The framing of the metadata table's file: one file, one message, nothing behind it. */
#include "tests/fuzz/targets/fuzz.h"

#include <errno.h>

#include "control/pb_frame.h"

/* Whatever the message is, what we write is what we read. */
static void check_written(const uint8_t *message, size_t len)
{
	uint8_t *file = malloc(len + PB_FRAME_PREFIX + 1);

	MUST(file != NULL);
	pb_frame_put(file, (uint32_t)len);
	if (len > 0)
		memcpy(file + PB_FRAME_PREFIX, message, len);
	file[PB_FRAME_PREFIX + len] = 0;
	MUST(pb_frame_check("written", file, len + PB_FRAME_PREFIX, NULL) == 0);
	MUST(pb_frame_check("long", file, len + PB_FRAME_PREFIX + 1, NULL) == -EBADMSG);
	MUST(pb_frame_check("cut", file, len + PB_FRAME_PREFIX - 1, NULL) == -EBADMSG);
	free(file);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fault fault = {0};
	uint8_t *file = input_copy(data, size, 0);
	uint8_t prefix[PB_FRAME_PREFIX];
	int err = pb_frame_check("file", file, size, &fault);

	MUST(err == fault.code && (err == 0) == (fault.text[0] == '\0'));
	MUST(err == 0 || err == -EBADMSG);
	if (err == 0) {
		pb_frame_put(prefix, (uint32_t)(size - PB_FRAME_PREFIX));
		MUST(memcmp(prefix, file, sizeof(prefix)) == 0);
	}
	check_written(file, size);
	free(file);
	return 0;
}
