/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/rpc/listener.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "control/rpc/address.h"
#include "dataplane/base/units.h"

enum { BACKLOG = 128 };

static const struct {
	int code;
	const char *tcp;
	const char *local;
} remedies[] = {
	{EADDRINUSE, "another process listens there: stop it or choose another port",
		"a running process listens there: stop it or choose another path"},
	{EADDRNOTAVAIL, "no interface of this machine has that address", ""},
	{EACCES, "choose a port of 1024 or more, or run with CAP_NET_BIND_SERVICE",
		"you may not write to its directory: choose another path"},
	{ENOENT, "", "its directory does not exist: create it or choose another path"},
	{ENOTDIR, "", "its directory is a file: choose another path"},
	{EROFS, "", "its file system is read-only: choose another path"},
	{EMFILE, "raise the limit of open files (ulimit -n)",
		"raise the limit of open files (ulimit -n)"},
};

static int explain(const struct address *address, int code, struct fault *fault)
{
	const char *remedy = "";

	for (size_t i = 0; i < ARRAY_LEN(remedies); i++) {
		if (remedies[i].code == code)
			remedy = address->is_unix ? remedies[i].local : remedies[i].tcp;
	}
	return fault_set(fault, -code, "cannot listen on %s: %s", address->text,
		*remedy != '\0' ? remedy : strerror(code));
}

/* A socket file nobody listens on refuses at once; one that is full answers EAGAIN. */
static bool is_stale(const struct sockaddr_un *name)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	bool stale;

	if (fd < 0)
		return false;
	stale = connect(fd, (const struct sockaddr *)name, sizeof(*name)) != 0 &&
		errno == ECONNREFUSED;
	(void)close(fd);
	return stale;
}

static int bind_unix(const struct address *address, int fd, struct fault *fault)
{
	struct sockaddr_un name = {.sun_family = AF_UNIX};
	struct stat info;

	(void)snprintf(name.sun_path, sizeof(name.sun_path), "%.*s",
		(int)sizeof(name.sun_path) - 1, address->host);
	/* before bind, so that the file never exists with more permissions */
	if (fchmod(fd, S_IRUSR | S_IWUSR) != 0)
		return explain(address, errno, fault);
	if (bind(fd, (const struct sockaddr *)&name, sizeof(name)) == 0)
		return 0;
	if (errno != EADDRINUSE)
		return explain(address, errno, fault);
	if (lstat(name.sun_path, &info) == 0 && !S_ISSOCK(info.st_mode))
		return fault_set(fault, -EADDRINUSE,
			"cannot listen on %s: the file there is not a socket: remove it "
			"or choose another path",
			address->text);
	if (!is_stale(&name))
		return explain(address, EADDRINUSE, fault);
	if (unlink(name.sun_path) != 0 ||
		bind(fd, (const struct sockaddr *)&name, sizeof(name)) != 0)
		return explain(address, errno, fault);
	return 0;
}

static int open_unix(const struct address *address, int *fd, struct fault *fault)
{
	int opened = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int err;

	if (opened < 0)
		return explain(address, errno, fault);
	err = bind_unix(address, opened, fault);
	if (err != 0)
		goto close_opened;
	if (listen(opened, BACKLOG) != 0) {
		err = explain(address, errno, fault);
		goto close_opened;
	}
	*fd = opened;
	return 0;

close_opened:
	(void)close(opened);
	return err;
}

static uint16_t port_of(int fd)
{
	struct sockaddr_storage bound = {.ss_family = AF_UNSPEC};
	socklen_t len = sizeof(bound);

	if (getsockname(fd, (struct sockaddr *)&bound, &len) != 0)
		return 0;
	if (bound.ss_family == AF_INET6)
		return ntohs(((const struct sockaddr_in6 *)&bound)->sin6_port);
	return ntohs(((const struct sockaddr_in *)&bound)->sin_port);
}

static int open_tcp(const struct address *address, const struct addrinfo *at, int *fd,
	struct fault *fault)
{
	int type = at->ai_socktype | SOCK_NONBLOCK | SOCK_CLOEXEC;
	int opened = socket(at->ai_family, type, at->ai_protocol);
	int on = 1;
	int err;

	if (opened < 0)
		return explain(address, errno, fault);
	/* connections of an earlier run in TIME_WAIT do not count as a listener */
	if (setsockopt(opened, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) != 0 ||
		bind(opened, at->ai_addr, at->ai_addrlen) != 0 ||
		listen(opened, BACKLOG) != 0) {
		err = explain(address, errno, fault);
		goto close_opened;
	}
	*fd = opened;
	return 0;

close_opened:
	(void)close(opened);
	return err;
}

int listener_open(
	const struct address *address, int *fd, uint16_t *port, struct fault *fault)
{
	static const struct addrinfo hints = {
		.ai_family = AF_UNSPEC,
		.ai_socktype = SOCK_STREAM,
		.ai_flags = AI_PASSIVE | AI_NUMERICSERV,
	};
	struct addrinfo *found;
	char service[8];
	int err;

	*port = 0;
	if (address->is_unix)
		return open_unix(address, fd, fault);
	(void)snprintf(service, sizeof(service), "%u", address->port);
	err = getaddrinfo(address->host, service, &hints, &found);
	if (err != 0)
		return fault_set(fault, -EINVAL,
			"cannot listen on %s: %s: give an address of this machine",
			address->text, gai_strerror(err));
	err = open_tcp(address, found, fd, fault);
	freeaddrinfo(found);
	if (err == 0)
		*port = port_of(*fd);
	return err;
}
