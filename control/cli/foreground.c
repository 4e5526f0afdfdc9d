/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/cli/foreground.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "control/rpc/address.h"

#define INTERVAL MSEC
#define SPAN_MAX (60 * SEC)

enum { REQUEST = 64, ANSWER = 1000, SAMPLES_MAX = SPAN_MAX / INTERVAL + 1 };

/* What has come of a stream's next answer. */
struct answers {
	char bytes[REQUEST];
	size_t len;
	nsec *samples;
	size_t count;
};

static nsec now(void)
{
	struct timespec time;

	(void)clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec * SEC + time.tv_nsec;
}

static int resolve(
	const char *where, int type, struct addrinfo **found, struct fault *fault)
{
	const struct addrinfo hints = {.ai_socktype = type};
	struct address address;
	char port[8];
	int err = address_parse(&address, where, false, fault);

	if (err == 0 && address.is_unix)
		err = fault_set(fault, -EINVAL, "%.200s: give HOST:PORT", where);
	if (err != 0)
		return err;
	(void)snprintf(port, sizeof(port), "%u", address.port);
	err = getaddrinfo(address.host, port, &hints, found);
	if (err != 0)
		return fault_set(
			fault, -EHOSTUNREACH, "%.200s: %s", where, gai_strerror(err));
	return 0;
}

int foreground_open(struct foreground *foreground, const char *where, struct fault *fault)
{
	bool is_stream = strncmp(where, "tcp:", 4) == 0;
	bool has_scheme = is_stream || strncmp(where, "udp:", 4) == 0;
	int on = 1, type = is_stream ? SOCK_STREAM : SOCK_DGRAM;
	struct addrinfo *found;
	int err = resolve(where + (has_scheme ? 4 : 0), type, &found, fault);
	int fd;

	if (err != 0)
		return err;
	fd = socket(found->ai_family, type | SOCK_CLOEXEC, 0);
	if (fd < 0 || connect(fd, found->ai_addr, found->ai_addrlen) != 0) {
		err = fault_set(fault, -errno, "%.200s: %s", where, strerror(errno));
		if (fd >= 0)
			(void)close(fd);
	} else {
		if (is_stream)
			(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
		*foreground = (struct foreground){.fd = fd, .is_stream = is_stream};
	}
	freeaddrinfo(found);
	return err;
}

void foreground_close(struct foreground *foreground)
{
	(void)close(foreground->fd);
}

static int by_length(const void *a, const void *b)
{
	nsec x = *(const nsec *)a, y = *(const nsec *)b;

	return (x > y) - (x < y);
}

static void note(struct answers *answers, const char *bytes)
{
	nsec sent_at;

	memcpy(&sent_at, bytes, sizeof(sent_at));
	if (answers->count < SAMPLES_MAX)
		answers->samples[answers->count++] = now() - sent_at;
}

/* What has come, each with the time its request was sent. */
static void take(const struct foreground *foreground, struct answers *answers)
{
	char bytes[ANSWER];
	ssize_t got;

	while (!foreground->is_stream) {
		got = recv(foreground->fd, bytes, sizeof(bytes), MSG_DONTWAIT);
		if (got < (ssize_t)sizeof(nsec))
			return;
		note(answers, bytes);
	}
	for (;;) {
		got = recv(foreground->fd, answers->bytes + answers->len,
			REQUEST - answers->len, MSG_DONTWAIT);
		if (got <= 0)
			return;
		answers->len += (size_t)got;
		if (answers->len < REQUEST)
			continue;
		note(answers, answers->bytes);
		answers->len = 0;
	}
}

/* Those without an answer waited for as long as we did. */
static void summarise(
	struct answers *answers, size_t sent, struct foreground_times *times)
{
	size_t lost = sent - answers->count;

	while (answers->count < sent)
		answers->samples[answers->count++] = FOREGROUND_PATIENCE;
	qsort(answers->samples, sent, sizeof(answers->samples[0]), by_length);
	*times = (struct foreground_times){
		.p50_us = (uint64_t)(answers->samples[sent / 2] / USEC),
		.p99_us = (uint64_t)(answers->samples[sent * 99 / 100] / USEC),
		.unanswered = lost,
	};
}

/* Sends and takes until all is over. Returns how many were sent. */
static size_t exchange(struct foreground *foreground, nsec span, struct answers *answers)
{
	nsec next = now(), end = next + nsec_min(span, SPAN_MAX);
	char bytes[REQUEST] = {0};
	size_t sent = 0;

	for (nsec time = next;
		time < end + FOREGROUND_PATIENCE && (time < end || answers->count < sent);
		time = now()) {
		struct pollfd wait = {.fd = foreground->fd, .events = POLLIN};
		struct timespec pause = {.tv_nsec = INTERVAL};

		if (time >= next && time < end && sent < SAMPLES_MAX) {
			memcpy(bytes, &time, sizeof(time));
			sent += send(foreground->fd, bytes, sizeof(bytes),
					MSG_NOSIGNAL) == REQUEST;
			next = nsec_max(next + INTERVAL, time);
		}
		if (time < end)
			pause.tv_nsec = nsec_max(next - now(), 0);
		(void)ppoll(&wait, 1, &pause, NULL);
		take(foreground, answers);
	}
	return sent;
}

int foreground_ask(
	struct foreground *foreground, nsec span, struct foreground_times *times)
{
	struct answers answers = {
		.samples = calloc(SAMPLES_MAX, sizeof(*answers.samples))};
	size_t sent;
	int err = -ENOMEM;

	if (answers.samples == NULL)
		return err;
	sent = exchange(foreground, span, &answers);
	err = answers.count > 0 ? 0 : -ETIMEDOUT;
	if (err == 0)
		summarise(&answers, sent, times);
	free(answers.samples);
	return err;
}

int foreground_serve(const char *where, struct fault *fault)
{
	struct addrinfo *found;
	char bytes[ANSWER] = {0};
	int err = resolve(where, SOCK_DGRAM, &found, fault);
	int fd;

	if (err != 0)
		return err;
	fd = socket(found->ai_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || bind(fd, found->ai_addr, found->ai_addrlen) != 0)
		err = fault_set(fault, -errno, "%.200s, UDP: %s", where, strerror(errno));
	freeaddrinfo(found);
	while (err == 0) {
		struct sockaddr_storage from;
		socklen_t len = sizeof(from);
		ssize_t got =
			recvfrom(fd, bytes, REQUEST, 0, (struct sockaddr *)&from, &len);

		/* an answer that does not go out is a request without one */
		if (got > 0)
			(void)sendto(fd, bytes, ANSWER, 0, (struct sockaddr *)&from, len);
	}
	if (fd >= 0)
		(void)close(fd);
	return err;
}
