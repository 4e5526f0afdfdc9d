/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/peer_id.h"

#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* Reads ":NUMBER" at *at and moves past it. A role and an index are small, so nothing
 * above max is read. */
static bool take_field(const char **at, int64_t max, int64_t *value)
{
	const char *digit = *at + 1;
	int64_t parsed = 0;

	if (**at != ':' || *digit < '0' || *digit > '9')
		return false;
	for (; *digit >= '0' && *digit <= '9'; digit++) {
		parsed = parsed * 10 + (*digit - '0');
		if (parsed > max)
			return false;
	}
	*value = parsed;
	*at = digit;
	return true;
}

static bool take_ip(const char **at, uint8_t ip[static 4])
{
	char text[INET_ADDRSTRLEN];
	size_t len = strcspn(*at, ":");

	if (len >= sizeof(text))
		return false;
	memcpy(text, *at, len);
	text[len] = '\0';
	*at += len;
	return inet_pton(AF_INET, text, ip) == 1;
}

int peer_id_parse(struct peer_id *peer, const char *text, struct fault *fault)
{
	struct peer_id parsed = {.role = PEER_REPLICA};
	const char *at = text;
	int64_t port;
	int64_t index = 0;
	int64_t role = PEER_REPLICA;

	if (!take_ip(&at, parsed.ip))
		return fault_set(fault, -EINVAL,
			"peer '%.60s' must start with an IPv4 address: IP:PORT[:INDEX]",
			text);
	if (!take_field(&at, UINT16_MAX, &port))
		return fault_set(fault, -EINVAL,
			"peer '%.60s' needs a port from 0 to 65535: IP:PORT[:INDEX]",
			text);
	if (*at != '\0' && !take_field(&at, INT32_MAX, &index))
		return fault_set(fault, -EINVAL,
			"peer '%.60s': the index after the port must be a number", text);
	if (*at != '\0' && (!take_field(&at, PEER_WITNESS, &role) || *at != '\0'))
		return fault_set(fault, -EINVAL,
			"peer '%.60s': the role must be 0 (replica) or 1 (witness), and "
			"the last field",
			text);
	parsed.port = (uint16_t)port;
	parsed.index = (int32_t)index;
	parsed.role = (enum peer_role)role;
	*peer = parsed;
	return 0;
}

void peer_id_format(const struct peer_id *peer, char text[static PEER_ID_TEXT_MAX])
{
	(void)snprintf(text, PEER_ID_TEXT_MAX, "%u.%u.%u.%u:%u:%" PRId32 ":%d",
		peer->ip[0], peer->ip[1], peer->ip[2], peer->ip[3], peer->port,
		peer->index, (int)peer->role);
}

void peer_id_format_address(
	const struct peer_id *peer, char text[static PEER_ID_TEXT_MAX])
{
	(void)snprintf(text, PEER_ID_TEXT_MAX, "%u.%u.%u.%u:%u", peer->ip[0], peer->ip[1],
		peer->ip[2], peer->ip[3], peer->port);
}

bool peer_id_is_equal(const struct peer_id *a, const struct peer_id *b)
{
	return memcmp(a->ip, b->ip, sizeof(a->ip)) == 0 && a->port == b->port &&
	       a->index == b->index;
}
