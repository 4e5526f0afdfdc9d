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
#define NUMBERS ((uint64_t)0x51a9 << 48) /* and a request's number: its first 8 bytes */

enum { REQUEST = 64, ANSWER = 1000, REQUESTS_MAX = SPAN_MAX / INTERVAL + 1 };
enum { CONNECT_SECONDS = 5 };

struct request {
	nsec sent_at;
	nsec took; /* 0: no answer yet */
};

struct exchange {
	struct request *requests;
	size_t sent;
	size_t answered;
	char bytes[REQUEST]; /* what has come of a stream's next answer */
	size_t len;
	bool is_over; /* a stream's other end has closed it, or takes nothing */
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
	const struct timeval patience = {.tv_sec = CONNECT_SECONDS};
	int on = 1, type = is_stream ? SOCK_STREAM : SOCK_DGRAM;
	struct addrinfo *found;
	int err = resolve(where + (has_scheme ? 4 : 0), type, &found, fault);
	int fd;

	if (err != 0)
		return err;
	fd = socket(found->ai_family, type | SOCK_CLOEXEC, 0);
	if (fd >= 0) /* or a host that swallows packets would keep us for minutes */
		(void)setsockopt(
			fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
	if (fd < 0 || connect(fd, found->ai_addr, found->ai_addrlen) != 0) {
		/* what the timeout of a connect is called */
		err = errno == EINPROGRESS ? ETIMEDOUT : errno;
		err = fault_set(fault, -err, "%.200s: %s", where, strerror(err));
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
	const struct request *x = a, *y = b;

	return (x->took > y->took) - (x->took < y->took);
}

/* What is no answer to a request of ours, or a second one, tells nothing. */
static void note(struct exchange *exchange, const char *bytes)
{
	uint64_t number;
	struct request *request;

	memcpy(&number, bytes, sizeof(number));
	number ^= NUMBERS;
	if (number >= exchange->sent || exchange->requests[number].took != 0)
		return;
	request = &exchange->requests[number];
	request->took = nsec_max(now() - request->sent_at, 1);
	exchange->answered++;
}

static void take_datagrams(int fd, struct exchange *exchange)
{
	char bytes[ANSWER];
	ssize_t got;

	while ((got = recv(fd, bytes, sizeof(bytes), MSG_DONTWAIT)) >= 0) {
		if (got >= (ssize_t)sizeof(uint64_t))
			note(exchange, bytes);
	}
}

static void take_stream(int fd, struct exchange *exchange)
{
	ssize_t got;

	while ((got = recv(fd, exchange->bytes + exchange->len, REQUEST - exchange->len,
			MSG_DONTWAIT)) > 0) {
		exchange->len += (size_t)got;
		if (exchange->len < REQUEST)
			continue;
		note(exchange, exchange->bytes);
		exchange->len = 0;
	}
	if (got == 0 || (errno != EAGAIN && errno != EINTR))
		exchange->is_over = true;
}

static void take(const struct foreground *foreground, struct exchange *exchange)
{
	if (foreground->is_stream)
		take_stream(foreground->fd, exchange);
	else
		take_datagrams(foreground->fd, exchange);
}

/* What a datagram waits for here counts, too. A stream that takes no more has asked
 * enough already, and half a request would spoil all that follow. */
static void ask(const struct foreground *foreground, struct exchange *exchange)
{
	uint64_t bytes[REQUEST / sizeof(uint64_t)] = {NUMBERS ^ exchange->sent};
	ssize_t sent;

	exchange->requests[exchange->sent] = (struct request){.sent_at = now()};
	sent = send(foreground->fd, bytes, sizeof(bytes),
		MSG_NOSIGNAL | (foreground->is_stream ? MSG_DONTWAIT : 0));
	if (sent == REQUEST)
		exchange->sent++;
	else if (sent > 0)
		exchange->is_over = true;
}

/* Those without an answer waited for as long as we did. */
static void summarise(struct exchange *exchange, struct foreground_times *times)
{
	size_t sent = exchange->sent;

	for (size_t i = 0; i < sent; i++) {
		if (exchange->requests[i].took == 0)
			exchange->requests[i].took = FOREGROUND_PATIENCE;
	}
	qsort(exchange->requests, sent, sizeof(exchange->requests[0]), by_length);
	*times = (struct foreground_times){
		.p50_us = (uint64_t)(exchange->requests[sent / 2].took / USEC),
		.p99_us = (uint64_t)(exchange->requests[sent * 99 / 100].took / USEC),
		.unanswered = sent - exchange->answered,
	};
}

/* Sends and takes until all is over. */
static void run(const struct foreground *foreground, nsec span, struct exchange *exchange)
{
	nsec next = now(), end = next + nsec_min(span, SPAN_MAX);

	for (nsec time = next; !exchange->is_over && time < end + FOREGROUND_PATIENCE &&
			       (time < end || exchange->answered < exchange->sent);
		time = now()) {
		struct pollfd wait = {.fd = foreground->fd, .events = POLLIN};
		struct timespec pause = {.tv_nsec = INTERVAL};

		if (time >= next && time < end && exchange->sent < REQUESTS_MAX) {
			ask(foreground, exchange);
			next = nsec_max(next + INTERVAL, time);
		}
		if (time < end)
			pause.tv_nsec = nsec_max(next - now(), 0);
		(void)ppoll(&wait, 1, &pause, NULL);
		take(foreground, exchange);
	}
}

int foreground_ask(
	struct foreground *foreground, nsec span, struct foreground_times *times)
{
	struct exchange exchange = {
		.requests = calloc(REQUESTS_MAX, sizeof(*exchange.requests))};
	int err = -ENOMEM;

	if (exchange.requests == NULL)
		return err;
	run(foreground, span, &exchange);
	err = exchange.answered > 0 ? 0 : -ETIMEDOUT;
	if (err == 0)
		summarise(&exchange, times);
	free(exchange.requests);
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
		if (got == REQUEST)
			(void)sendto(fd, bytes, ANSWER, 0, (struct sockaddr *)&from, len);
	}
	if (fd >= 0)
		(void)close(fd);
	return err;
}
