/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/rpc/address.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/un.h>

static const char unix_prefix[] = "unix:";

static int parse_unix(struct address *address, const char *path, struct fault *fault)
{
	/* the kernel's limit, NUL included; libuv would cut silently */
	size_t room = sizeof(((struct sockaddr_un *)NULL)->sun_path);

	if (*path == '\0')
		return fault_set(fault, -EINVAL, "the address 'unix:' lacks a path");
	if (strlen(path) >= room)
		return fault_set(fault, -EINVAL,
			"socket path '%.120s' is longer than %zu bytes: use a shorter "
			"one",
			path, room - 1);
	(void)snprintf(address->host, sizeof(address->host), "%s", path);
	address->is_unix = true;
	return 0;
}

static bool parse_port(const char *text, bool any_port, uint16_t *port)
{
	uint32_t value = 0;

	if (*text == '\0')
		return false;
	for (; *text != '\0'; text++) {
		if (*text < '0' || *text > '9')
			return false;
		value = value * 10 + (uint32_t)(*text - '0');
		if (value > UINT16_MAX)
			return false;
	}
	*port = (uint16_t)value;
	return value != 0 || any_port;
}

static int parse_tcp(
	struct address *address, const char *text, bool any_port, struct fault *fault)
{
	const char *colon = strrchr(text, ':');
	const char *host = text;
	size_t len = colon != NULL ? (size_t)(colon - text) : 0;
	bool bracketed = len > 2 && text[0] == '[' && text[len - 1] == ']';

	if (bracketed) {
		host++;
		len -= 2;
	}
	if (len == 0 || len >= sizeof(address->host))
		return fault_set(fault, -EINVAL,
			"'%.120s' is not an address: write HOST:PORT or unix:PATH", text);
	if (!bracketed && memchr(host, ':', len) != NULL)
		return fault_set(fault, -EINVAL,
			"'%.120s': put an IPv6 address in brackets: [ADDR]:PORT", text);
	if (!parse_port(colon + 1, any_port, &address->port))
		return fault_set(fault, -EINVAL,
			"'%.120s': the port must be a number from %d to 65535", text,
			any_port ? 0 : 1);
	memcpy(address->host, host, len);
	address->host[len] = '\0';
	return 0;
}

int address_parse(
	struct address *address, const char *text, bool any_port, struct fault *fault)
{
	struct address parsed = {.is_unix = false};
	size_t skip = sizeof(unix_prefix) - 1;
	int err;

	if (strncmp(text, unix_prefix, skip) == 0)
		err = parse_unix(&parsed, text + skip, fault);
	else
		err = parse_tcp(&parsed, text, any_port, fault);
	if (err != 0)
		return err;
	(void)snprintf(parsed.text, sizeof(parsed.text), "%s", text);
	*address = parsed;
	return 0;
}
