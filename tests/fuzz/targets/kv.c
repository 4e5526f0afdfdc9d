/* SPDX-License-Identifier: BSD-3-Clause */
/* What snapline-kv reads from clients and from its log.
 *
 *   requests of the Redis protocol, and at the same time a log entry */
#include "tests/fuzz/targets/fuzz.h"

#include <errno.h>

#include "control/kv/entry.h"
#include "control/kv/resp.h"

/* Requests one after another, as a connection takes them. */
static void take_requests(const char *bytes, size_t len)
{
	static struct resp_request request;
	size_t at = 0;

	while (at < len) {
		const char *error = NULL;
		size_t used;
		enum resp_result result =
			resp_parse(&request, bytes + at, len - at, &error);

		MUST(result != RESP_BAD || error != NULL);
		if (result != RESP_READY)
			return;
		MUST(request.used > 0 && request.used <= len - at);
		MUST(request.count <= RESP_ARGS_MAX);
		for (size_t i = 0; i < request.count; i++) {
			const char *word = request.words[i].bytes;

			MUST(word >= bytes + at);
			MUST(word + request.words[i].len <= bytes + at + request.used);
		}
		used = request.used;
		/* one byte less is not enough */
		MUST(resp_parse(&request, bytes + at, used - 1, &error) != RESP_READY);
		at += used;
	}
}

static void apply_entry(const uint8_t *bytes, size_t len)
{
	static uint8_t results[ENTRY_OPS_MAX];
	struct keys *keys;
	int rv;

	MUST(keys_create(&keys) == 0);
	rv = entry_apply(keys, bytes, len, results);
	MUST(rv >= 0 || rv == -EBADMSG);
	MUST(keys->count <= len / ENTRY_HEADER && keys->bytes <= len);
	keys_destroy(keys);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t *bytes = input_copy(data, size, 0);

	take_requests((const char *)bytes, size);
	apply_entry(bytes, size);
	free(bytes);
	return 0;
}
