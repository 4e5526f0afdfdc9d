/* SPDX-License-Identifier: BSD-3-Clause */
/* An address where connecting gets no answer at all. */
#ifndef WALL_H
#define WALL_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <arpa/inet.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

enum { CROWD_MAX = 64 };

/* A listener whose queue is full: the system drops every further SYN, as a firewall
 * would. */
struct wall {
	int listener;
	int crowd[CROWD_MAX];
	int ncrowd;
	char address[32];
};

static inline bool is_connected(int fd)
{
	struct pollfd wanted = {.fd = fd, .events = POLLOUT};

	return poll(&wanted, 1, 50) == 1;
}

static inline void build_wall(struct wall *wall)
{
	struct sockaddr_in at = {
		.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(at);
	bool is_full = false;

	*wall = (struct wall){.listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
	assert_true(wall->listener >= 0);
	assert_int_equal(bind(wall->listener, (struct sockaddr *)&at, sizeof(at)), 0);
	assert_int_equal(listen(wall->listener, 0), 0);
	assert_int_equal(getsockname(wall->listener, (struct sockaddr *)&at, &len), 0);
	while (!is_full) {
		int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

		assert_true(fd >= 0 && wall->ncrowd < CROWD_MAX);
		(void)connect(fd, (struct sockaddr *)&at, sizeof(at));
		wall->crowd[wall->ncrowd++] = fd;
		is_full = !is_connected(fd);
	}
	(void)snprintf(
		wall->address, sizeof(wall->address), "127.0.0.1:%u", ntohs(at.sin_port));
}

static inline void pull_down(struct wall *wall)
{
	for (int i = 0; i < wall->ncrowd; i++)
		(void)close(wall->crowd[i]);
	(void)close(wall->listener);
}

#endif
