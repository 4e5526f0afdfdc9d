/* SPDX-License-Identifier: BSD-3-Clause */
/* Requests of others beside a transfer, and what a network, strangers and a transfer that
 * never begins do to them. */
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "control/cli/asker.h"

#define SPAN (50 * MSEC)

enum { REQUEST = 64, ANSWER = 1000, PATIENCE_S = 60 };

struct place {
	int fd; /* where requests go */
	char where[64];
	pid_t child; /* who answers */
};

static int set_up(void **state)
{
	static struct place place;
	struct sockaddr_in address = {
		.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(address);

	place = (struct place){.fd = socket(AF_INET, SOCK_DGRAM, 0)};
	assert_int_equal(bind(place.fd, (struct sockaddr *)&address, len), 0);
	assert_int_equal(getsockname(place.fd, (struct sockaddr *)&address, &len), 0);
	(void)snprintf(place.where, sizeof(place.where), "127.0.0.1:%u",
		ntohs(address.sin_port));
	(void)alarm(PATIENCE_S); /* a hang is a failure */
	*state = &place;
	return 0;
}

static int tear_down(void **state)
{
	struct place *place = *state;

	if (place->child > 0) {
		(void)kill(place->child, SIGKILL);
		(void)waitpid(place->child, NULL, 0);
	}
	(void)close(place->fd);
	(void)alarm(0);
	return 0;
}

/* From now on each request has so many answers: its own bytes, or a stranger's. */
static void answer_all(struct place *place, int times, const void *instead)
{
	place->child = fork();
	if (place->child != 0)
		return;
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (;;) {
		struct sockaddr_in from;
		socklen_t len = sizeof(from);
		char bytes[REQUEST];

		(void)recvfrom(place->fd, bytes, sizeof(bytes), 0,
			(struct sockaddr *)&from, &len);
		for (int i = 0; i < times; i++)
			(void)sendto(place->fd, instead != NULL ? instead : bytes,
				sizeof(nsec), 0, (struct sockaddr *)&from, len);
	}
}

static int ask(const struct place *place, struct foreground_times *times)
{
	struct foreground foreground;
	int err;

	assert_int_equal(foreground_open(&foreground, place->where, NULL), 0);
	err = foreground_ask(&foreground, SPAN, times);
	foreground_close(&foreground);
	return err;
}

static void an_answer_that_comes_twice_is_one(void **state)
{
	struct place *place = *state;
	struct foreground_times times;

	answer_all(place, 2, NULL);
	assert_int_equal(ask(place, &times), 0);
	assert_int_equal(times.unanswered, 0);
	assert_true(times.p50_us <= times.p99_us);
	assert_true(times.p99_us < PATIENCE_S * (uint64_t)(SEC / USEC));
}

static void bytes_of_strangers_are_no_answers(void **state)
{
	static const nsec never_sent[] = {INT64_MIN, -1, 1, INT64_MAX};
	struct foreground_times times;

	for (size_t i = 0; i < ARRAY_LEN(never_sent); i++) {
		struct place *place = *state;

		answer_all(place, 1, &never_sent[i]);
		assert_int_equal(ask(place, &times), -ETIMEDOUT);
		(void)tear_down(state);
		(void)set_up(state);
	}
}

/* The transfer it was to ask beside has failed before it began. */
static void whoever_is_never_told_to_ask_ends_at_once(void **state)
{
	const struct place *place = *state;
	struct foreground_times times;
	struct asker asker;

	assert_int_equal(asker_start(&asker, place->where, SPAN, NULL), 0);
	assert_false(asker_end(&asker, &times));
}

static void who_is_told_hands_over_the_times(void **state)
{
	struct place *place = *state;
	struct foreground_times times;
	struct asker asker;

	answer_all(place, 1, NULL);
	assert_int_equal(asker_start(&asker, place->where, SPAN, NULL), 0);
	asker_go(&asker);
	assert_true(asker_end(&asker, &times));
	assert_true(times.p50_us <= times.p99_us);
}

static void without_an_asker_nothing_happens(void **state)
{
	struct foreground_times times;
	struct asker none = {0};

	(void)state;
	asker_go(&none);
	assert_false(asker_end(&none, &times));
}

/* The next answer's first byte, which is its request's. */
static char hear(int fd)
{
	char bytes[ANSWER + 1];

	assert_int_equal(recv(fd, bytes, sizeof(bytes), 0), ANSWER);
	return bytes[0];
}

static void say(int fd, char what, size_t len)
{
	char bytes[REQUEST];

	memset(bytes, what, sizeof(bytes));
	(void)send(fd, bytes, len, 0); /* refused until somebody listens */
}

/* Its answers are larger than requests: a forged byte must not have one sent. */
static void who_answers_answers_requests_only(void **state)
{
	struct place *place = *state;
	struct foreground foreground;
	struct pollfd wait = {.events = POLLIN};

	assert_int_equal(foreground_open(&foreground, place->where, NULL), 0);
	(void)close(place->fd);
	place->fd = wait.fd = foreground.fd;
	place->child = fork();
	if (place->child == 0) {
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		(void)foreground_serve(place->where, NULL);
		_exit(1);
	}
	do
		say(place->fd, 'a', REQUEST);
	while (poll(&wait, 1, 5) < 1 || (wait.revents & POLLIN) == 0);
	say(place->fd, 'b', REQUEST);
	while (hear(place->fd) != 'b')
		;
	say(place->fd, 'x', 1);
	say(place->fd, 'c', REQUEST);
	assert_int_equal(hear(place->fd), 'c');
}

#define STORY(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		STORY(an_answer_that_comes_twice_is_one),
		STORY(bytes_of_strangers_are_no_answers),
		STORY(whoever_is_never_told_to_ask_ends_at_once),
		STORY(who_is_told_hands_over_the_times),
		STORY(without_an_asker_nothing_happens),
		STORY(who_answers_answers_requests_only),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
