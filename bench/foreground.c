/* SPDX-License-Identifier: BSD-3-Clause */
/* Other people's requests on a link, by kernel sockets: how long they take.
 *
 *   foreground serve IP PORT            answers each datagram with ANSWER bytes
 *   foreground ask IP PORT SECONDS      one request a millisecond; prints p50 and p99 in
 *                                       microseconds, and how many had no answer */
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include "dataplane/base/parse.h"
#include "dataplane/base/units.h"

#define INTERVAL MSEC
#define PATIENCE (500 * MSEC) /* for the answers to the last requests */

enum { REQUEST = 64, ANSWER = 1000, SAMPLES_MAX = 100000 };

static nsec now(void)
{
	struct timespec time;

	(void)clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec * SEC + time.tv_nsec;
}

static int fail(const char *what)
{
	(void)fprintf(stderr, "foreground: %s: %s\n", what, strerror(errno));
	return EX_OSERR;
}

static int serve(int fd, const struct sockaddr_in *address)
{
	char bytes[ANSWER] = {0};

	if (bind(fd, (const struct sockaddr *)address, sizeof(*address)) != 0)
		return fail("bind");
	for (;;) {
		struct sockaddr_in from;
		socklen_t len = sizeof(from);
		ssize_t got =
			recvfrom(fd, bytes, REQUEST, 0, (struct sockaddr *)&from, &len);

		/* an answer that does not go out is a request without one */
		if (got > 0)
			(void)sendto(fd, bytes, ANSWER, 0, (struct sockaddr *)&from, len);
	}
}

static int by_length(const void *a, const void *b)
{
	nsec x = *(const nsec *)a, y = *(const nsec *)b;

	return (x > y) - (x < y);
}

static void report(nsec samples[], size_t count, size_t sent)
{
	qsort(samples, count, sizeof(samples[0]), by_length);
	(void)printf("%lld\t%lld\t%zu\n",
		count > 0 ? (long long)(samples[count / 2] / USEC) : 0,
		count > 0 ? (long long)(samples[count * 99 / 100] / USEC) : 0,
		sent - count);
}

/* What has come, each with the time its request was sent. */
static size_t take(int fd, nsec samples[], size_t count)
{
	char bytes[ANSWER];
	nsec sent_at;

	while (recv(fd, bytes, sizeof(bytes), MSG_DONTWAIT) >= (ssize_t)sizeof(sent_at)) {
		memcpy(&sent_at, bytes, sizeof(sent_at));
		if (count < SAMPLES_MAX)
			samples[count++] = now() - sent_at;
	}
	return count;
}

static int ask(int fd, const struct sockaddr_in *address, uint64_t seconds)
{
	static nsec samples[SAMPLES_MAX];
	nsec next = now(), end = next + (nsec)seconds * SEC;
	size_t sent = 0, count = 0;
	char bytes[REQUEST] = {0};

	if (connect(fd, (const struct sockaddr *)address, sizeof(*address)) != 0)
		return fail("connect");
	for (nsec time = next; time < end + PATIENCE && (time < end || count < sent);
		time = now()) {
		struct pollfd wait = {.fd = fd, .events = POLLIN};
		struct timespec span = {.tv_nsec = INTERVAL};

		if (time >= next && time < end) {
			memcpy(bytes, &time, sizeof(time));
			sent += send(fd, bytes, sizeof(bytes), 0) > 0;
			next = nsec_max(next + INTERVAL, time);
		}
		if (time < end)
			span.tv_nsec = nsec_max(next - now(), 0);
		(void)ppoll(&wait, 1, &span, NULL);
		count = take(fd, samples, count);
	}
	report(samples, count, sent);
	return count > 0 ? EX_OK : EX_UNAVAILABLE;
}

int main(int argc, char *argv[])
{
	struct sockaddr_in address = {.sin_family = AF_INET};
	uint64_t port = 0, seconds = 1;
	int fd;

	if (argc < 4 || inet_pton(AF_INET, argv[2], &address.sin_addr) != 1 ||
		parse_u64(argv[3], &port) != 0 || port > UINT16_MAX ||
		(argc > 4 && (parse_u64(argv[4], &seconds) != 0 || seconds > 3600))) {
		(void)fputs("usage: foreground serve IP PORT | ask IP PORT SECONDS\n",
			stderr);
		return EX_USAGE;
	}
	address.sin_port = htons((uint16_t)port);
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return fail("socket");
	return strcmp(argv[1], "serve") == 0 ? serve(fd, &address)
					     : ask(fd, &address, seconds);
}
