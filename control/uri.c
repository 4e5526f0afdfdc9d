/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/uri.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

static const char prefix[] = "remote://";

/* No blanks, no '+', no overflow: strtoll would let all of them pass. */
static bool parse_int64(const char *text, int64_t *value)
{
	bool negative = *text == '-';
	int64_t parsed = 0;

	text += negative;
	if (*text == '\0')
		return false;
	for (; *text != '\0'; text++) {
		int digit = *text - '0';

		if (digit < 0 || digit > 9)
			return false;
		/* built downwards, so that INT64_MIN fits */
		if (__builtin_mul_overflow(parsed, 10, &parsed) ||
			__builtin_sub_overflow(parsed, digit, &parsed))
			return false;
	}
	if (!negative && __builtin_sub_overflow(0, parsed, &parsed))
		return false;
	*value = parsed;
	return true;
}

static bool is_port(const char *text)
{
	int64_t port;

	return *text != '-' && parse_int64(text, &port) && port > 0 && port <= UINT16_MAX;
}

int uri_parse(struct uri *uri, const char *text, struct fault *fault)
{
	struct uri parsed;
	const char *address;
	const char *slash;
	const char *colon;
	size_t len;

	if (strncmp(text, prefix, sizeof(prefix) - 1) != 0)
		return fault_set(fault, -EINVAL,
			"'%.100s' is not a snapshot address: it must start with %s", text,
			prefix);
	address = text + sizeof(prefix) - 1;
	slash = strchr(address, '/');
	len = slash != NULL ? (size_t)(slash - address) : 0;
	if (len == 0 || len >= sizeof(parsed.address))
		return fault_set(fault, -EINVAL,
			"'%.100s' is not of the form remote://HOST:PORT/ID", text);
	memcpy(parsed.address, address, len);
	parsed.address[len] = '\0';
	colon = strrchr(parsed.address, ':');
	if (colon == NULL || colon == parsed.address || !is_port(colon + 1))
		return fault_set(fault, -EINVAL,
			"'%.100s': the address needs a host and a port from 1 to 65535",
			text);
	if (!parse_int64(slash + 1, &parsed.reader_id))
		return fault_set(fault, -EINVAL,
			"'%.100s': the reader id after the last '/' must be a decimal "
			"64-bit number",
			text);
	*uri = parsed;
	return 0;
}

int uri_format(const struct uri *uri, char *text, size_t size)
{
	int len = snprintf(
		text, size, "%s%s/%" PRId64, prefix, uri->address, uri->reader_id);

	return len < 0 || (size_t)len >= size ? -ENOSPC : 0;
}
