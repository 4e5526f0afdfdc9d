/* SPDX-License-Identifier: BSD-3-Clause */
/* Small calls to a member, as an engine's heartbeats are, while a snapshot goes over the
 * same loop and the same kind of connection as fast as it can: they keep their period. */
#include <arpa/inet.h>
#include <sys/socket.h>

#include "api_world.h"

enum {
	PERIOD_MS = 50, /* of heartbeats */
	QUIET = 20,     /* beats before the transfer */
	BEATS_MAX = 4096,
};

/* How long each answer took, us. */
struct beats {
	uint32_t count;
	uint32_t us[BEATS_MAX];
};

static int64_t now_us(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static int connect_to(const struct member *member)
{
	struct sockaddr_in at = {.sin_family = AF_INET};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	char ip[64];
	unsigned int port;

	assert_true(fd >= 0);
	assert_int_equal(sscanf(member->peer_id, "%63[0-9.]:%u", ip, &port), 2);
	at.sin_port = htons((uint16_t)port);
	assert_int_equal(inet_pton(AF_INET, ip, &at.sin_addr), 1);
	assert_int_equal(connect(fd, (struct sockaddr *)&at, sizeof(at)), 0);
	return fd;
}

/* A PRPC frame: its size, that of its meta, then the meta: request{service, method},
 * correlation_id. Without an engine the member has no such method, and says so. */
static void beat_once(int fd)
{
	static const char call[] = "PRPC\0\0\0\x27\0\0\0\x27"
				   "\x0a\x23\x0a\x11"
				   "braft.RaftService"
				   "\x12\x0e"
				   "append_entries"
				   "\x20\x07";
	uint8_t answer[512];
	uint32_t len;

	assert_int_equal(
		send(fd, call, sizeof(call) - 1, MSG_NOSIGNAL), sizeof(call) - 1);
	assert_int_equal(recv(fd, answer, 12, MSG_WAITALL), 12);
	assert_memory_equal(answer, "PRPC", 4);
	memcpy(&len, answer + 4, sizeof(len));
	len = ntohl(len);
	assert_in_range(len, 1, sizeof(answer));
	assert_int_equal(recv(fd, answer, len, MSG_WAITALL), len);
}

static int compare(const void *a, const void *b)
{
	uint32_t left = *(const uint32_t *)a, right = *(const uint32_t *)b;

	return left < right ? -1 : left > right;
}

/* Until the outcome is there, or for QUIET beats. */
static void beat(
	struct beats *beats, const struct member *member, const struct outcome *until)
{
	int fd = connect_to(member);
	bool goes_on = true;

	beats->count = 0;
	while (goes_on) {
		int64_t start = now_us();
		int64_t took;

		beat_once(fd);
		took = now_us() - start;
		beats->us[beats->count++] = (uint32_t)took;
		if (took < PERIOD_MS * 1000)
			(void)usleep((useconds_t)(PERIOD_MS * 1000 - took));
		goes_on = until == NULL ? beats->count < QUIET
					: atomic_load(&until->times) == 0;
		goes_on = goes_on && beats->count < BEATS_MAX;
	}
	(void)close(fd);
	qsort(beats->us, beats->count, sizeof(beats->us[0]), compare);
}

/* What nine of ten answers took at most. */
static uint32_t most(const struct beats *beats)
{
	return beats->us[beats->count * 9 / 10];
}

/* The leader's loop reads and sends the bytes, the follower's receives them. On a busy
 * machine answers are late without any transfer, too. */
static void heartbeats_keep_their_period_during_a_transfer(void **state)
{
	struct world *world = *state;
	struct member *leader = &world->members[0];

	leader->ballast = 256 << 20;
	start(leader, NULL);
	append_to(leader, 10, 1);
	save(leader);
	for (int i = 1; i < MEMBERS; i++) {
		struct member *follower = &world->members[i];
		const struct member *watched = i == 1 ? leader : follower;
		struct outcome outcome = {0};
		struct beats quiet, busy;

		start(follower, NULL);
		beat(&quiet, watched, NULL);
		snapline_send_snapshot(
			leader->node, follower->peer_id, on_done, &outcome);
		beat(&busy, watched, &outcome);
		expect(&outcome, 0, "");
		expect_same_state(leader, follower);
		print_message("the %s's answers take %u us at most, nine of ten of %u; "
			      "%u us without a transfer\n",
			i == 1 ? "leader" : "follower", most(&busy), busy.count,
			most(&quiet));
		assert_true(busy.count >= 3);
		if (most(&busy) > PERIOD_MS * 1000 && most(&busy) > 4 * most(&quiet))
			fail_msg("heartbeats lose their period");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		STORY(heartbeats_keep_their_period_during_a_transfer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
