/* SPDX-License-Identifier: BSD-3-Clause */
#include "dataplane/dpdk/memif_socket.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "dataplane/base/log.h"

/* Nobody listens: the kernel refuses at once. */
static bool is_stale(const char *path)
{
	struct sockaddr_un name = {.sun_family = AF_UNIX};
	bool refused;
	int fd;

	if (strlen(path) >= sizeof(name.sun_path))
		return false;
	(void)snprintf(name.sun_path, sizeof(name.sun_path), "%s", path);
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return false;
	refused = connect(fd, (const struct sockaddr *)&name, sizeof(name)) != 0 &&
		  errno == ECONNREFUSED;
	(void)close(fd);
	return refused;
}

void memif_socket_reclaim(const char *path)
{
	struct stat info;

	if (lstat(path, &info) != 0 || !S_ISSOCK(info.st_mode) || !is_stale(path))
		return;
	if (unlink(path) == 0)
		log_line(LOG_INFO, "memif", "event=stale-socket-removed path=%s", path);
}
