/* SPDX-License-Identifier: BSD-3-Clause */
/* A snapshot crosses on several queues at once, each with a worker of its own: between
 * memif ports of which one has more queues than the other, between ring ports, and
 * between ring ports whose queues are joined crosswise, so that everything comes to the
 * wrong worker. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "dataplane/base/log.h"
#include "dataplane/file/store_file.h"
#include "tests/dpdk/world/job.h"
#include "tests/dpdk/world/ring_pair.h"
#include "tests/lib/folder.h"

enum {
	BIG = 50 * JOB_CHUNK + 4321,
	SMALL = 20,
	SERVER = 0, /* devices */
	CLIENT = 1,
	RING_A = 2,
	RING_B = 3,
	TWIST_A = 4,
	TWIST_B = 5,
	NDEVICES = 6,
};

/* In order of the devices. */
static const uint32_t queues[NDEVICES] = {3, 2, 4, 4, 2, 2};

struct node {
	char folder[64];
	struct transfer *transfer;
	struct ring_pair rings;
	struct ring_pair twisted;
};

static struct node node;

static int open_node(void **state)
{
	struct transfer_device devices[NDEVICES] = {
		{.ip = IP_V4(10, 0, 0, 1), .prefix_len = 24},
		{.ip = IP_V4(10, 0, 0, 2), .prefix_len = 24},
		{.ip = IP_V4(10, 1, 0, 1), .prefix_len = 24},
		{.ip = IP_V4(10, 1, 0, 2), .prefix_len = 24},
		{.ip = IP_V4(10, 2, 0, 1), .prefix_len = 24},
		{.ip = IP_V4(10, 2, 0, 2), .prefix_len = 24},
	};
	const uint16_t cores[] = {0, 0};
	struct transfer_options options = {
		.devices = devices,
		.ndevices = NDEVICES,
		.buffers = 12,
		.buffer_size = JOB_CHUNK,
		.window = 256,
		.stall_timeout = 20 * SEC,
		.cores = cores,
		.ncores = 2, /* fewer than workers: the others move freely */
	};
	const struct ring_pair_plan plan = {.entries = 1024, .queues = 4};
	const struct ring_pair_plan twist = {
		.entries = 1024, .queues = 2, .twist = 1, .first = 2};
	struct fault fault = {0};
	char server[128], client[128];

	(void)state;
	if (!folder_make(node.folder, sizeof(node.folder), "transfer-stripes"))
		return 1;
	(void)snprintf(server, sizeof(server), "net_memif0,role=server,socket=%s/sock",
		node.folder);
	(void)snprintf(client, sizeof(client), "net_memif1,role=client,socket=%s/sock",
		node.folder);
	if (ring_pair_open(&node.rings, &plan) != 0 ||
		ring_pair_open(&node.twisted, &twist) != 0)
		return 1;
	devices[SERVER].dev = server;
	devices[CLIENT].dev = client;
	for (int i = 0; i < 2; i++) {
		devices[RING_A + i].dev = node.rings.dev[i];
		devices[TWIST_A + i].dev = node.twisted.dev[i];
	}
	for (int i = 0; i < NDEVICES; i++)
		devices[i].queues = queues[i];
	if (transfer_open(&node.transfer, &options, &fault) != 0)
		print_error("%s\n", fault.text);
	return fault.code;
}

static int close_node(void **state)
{
	char command[96];

	(void)state;
	if (node.transfer != NULL)
		transfer_close(node.transfer);
	ring_pair_close(&node.rings);
	ring_pair_close(&node.twisted);
	(void)snprintf(command, sizeof(command), "rm -rf %s", node.folder);
	return system(command);
}

static void prepare(struct job *job, const char *name, uint32_t from, uint32_t to)
{
	const struct job_plan plan = {
		.transfer = node.transfer,
		.from = from,
		.to = to,
		.stripes = u32_min(queues[from], queues[to]),
		.folder = node.folder,
		.name = name,
		.big = BIG,
		.small = SMALL,
	};

	job_prepare(job, &plan);
}

static void cross(const char *name, uint32_t from, uint32_t to)
{
	struct transfer_stats got;
	struct job job;

	prepare(&job, name, from, to);
	job_begin(&job);
	(void)job_await(&job, job.receiver, REPORT_DONE);
	transfer_get_stats(node.transfer, job.receiver, &got);
	job_end(&job);
	job_compare(&job);
	assert_int_equal(got.bytes_done, job.manifest.bytes - JOB_HOLE);
	assert_int_equal(got.bytes_reused, JOB_HOLE);
	assert_int_equal(got.stripes, job.plan.stripes);
	assert_int_equal(got.steered_by, STEERED_BY_QUEUE_IDENTITY);
	assert_true(got.strays == 0);
	job_finish(&job);
	/* what remains of an ended session is the sum, too */
	transfer_get_stats(node.transfer, job.receiver, &got);
	assert_int_equal(got.stripes, job.plan.stripes);
}

static void a_device_says_how_many_queues_it_has(void **state)
{
	(void)state;
	for (uint32_t i = 0; i < NDEVICES; i++) {
		struct transfer_endpoint endpoint;

		transfer_get_endpoint(node.transfer, i, &endpoint);
		assert_int_equal(endpoint.queues, queues[i]);
	}
}

/* The server's third queue has nobody at its other end, and rests. */
static void two_queues_of_memif_carry_two_stripes(void **state)
{
	(void)state;
	cross("there", SERVER, CLIENT);
	cross("back", CLIENT, SERVER);
}

static void four_queues_of_a_ring_carry_four_stripes(void **state)
{
	(void)state;
	cross("ring", RING_A, RING_B);
}

/* What is sent on one queue arrives on the other: every packet is passed on. */
static void what_comes_to_the_wrong_worker_arrives_all_the_same(void **state)
{
	struct transfer_stats got;
	struct job job;

	(void)state;
	prepare(&job, "twisted", TWIST_A, TWIST_B);
	job_begin(&job);
	(void)job_await(&job, job.receiver, REPORT_DONE);
	job_end(&job);
	job_compare(&job);
	transfer_get_stats(node.transfer, job.receiver, &got);
	assert_int_equal(got.steered_by, STEERED_BY_HAND_OFF);
	assert_true(got.strays * JOB_CHUNK > got.bytes_done);
	job_finish(&job);
}

static void one_stripe_is_enough_for_devices_with_more(void **state)
{
	struct job job;

	(void)state;
	prepare(&job, "one", SERVER, CLIENT);
	job.plan.stripes = 1;
	job_begin(&job);
	(void)job_await(&job, job.receiver, REPORT_DONE);
	job_end(&job);
	job_compare(&job);
	job_finish(&job);
}

static void all_stripes_are_paused_and_go_on(void **state)
{
	const struct timespec moment = {.tv_nsec = 50 * 1000 * 1000};
	struct transfer_stats before, after;
	struct job job;

	(void)state;
	prepare(&job, "paused", SERVER, CLIENT);
	job_begin(&job);
	assert_int_equal(transfer_pause(node.transfer, job.sender, true), 0);
	assert_int_equal(transfer_pause(node.transfer, job.receiver, true), 0);
	do { /* until what was under way has arrived */
		transfer_get_stats(node.transfer, job.receiver, &before);
		(void)nanosleep(&moment, NULL);
		transfer_get_stats(node.transfer, job.receiver, &after);
	} while (before.bytes_done != after.bytes_done);
	assert_int_equal(transfer_pause(node.transfer, job.sender, false), 0);
	assert_int_equal(transfer_pause(node.transfer, job.receiver, false), 0);
	(void)job_await(&job, job.receiver, REPORT_DONE);
	job_end(&job);
	job_compare(&job);
	job_finish(&job);
}

/* The chunks of a lost file lie in all stripes, and each of them fails: told once. */
static void a_failure_is_told_once(void **state)
{
	const struct timespec moment = {.tv_nsec = 10 * 1000 * 1000};
	struct transfer_report report;
	uint32_t nfailed = 1;
	char path[128];
	struct job job;

	(void)state;
	prepare(&job, "vanished", SERVER, CLIENT);
	(void)snprintf(path, sizeof(path), "%s/big", job.from);
	assert_int_equal(unlink(path), 0);
	job_begin(&job);
	report = job_await(&job, job.receiver, REPORT_FAILED);
	assert_true(report.by_peer);
	for (int i = 0; i < 20; i++) {
		while (transfer_next_report(node.transfer, &report))
			nfailed += report.session_id == job.receiver;
		(void)nanosleep(&moment, NULL);
	}
	assert_int_equal(nfailed, 1);
	job_end(&job);
	job_finish(&job);
}

static void stripes_are_stopped_in_the_middle(void **state)
{
	struct job job;

	(void)state;
	prepare(&job, "stopped", RING_A, RING_B);
	job_begin(&job);
	job_end(&job);
	job_finish(&job);
}

static void more_stripes_than_queues_are_refused(void **state)
{
	struct transfer_session session = {.device = CLIENT, .stripes = 3};

	(void)state;
	assert_int_equal(transfer_reserve(node.transfer, &session.session_id), 0);
	assert_int_equal(transfer_start(node.transfer, &session), -EINVAL);
	transfer_release(node.transfer, session.session_id);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_device_says_how_many_queues_it_has),
		cmocka_unit_test(two_queues_of_memif_carry_two_stripes),
		cmocka_unit_test(four_queues_of_a_ring_carry_four_stripes),
		cmocka_unit_test(what_comes_to_the_wrong_worker_arrives_all_the_same),
		cmocka_unit_test(one_stripe_is_enough_for_devices_with_more),
		cmocka_unit_test(all_stripes_are_paused_and_go_on),
		cmocka_unit_test(a_failure_is_told_once),
		cmocka_unit_test(stripes_are_stopped_in_the_middle),
		cmocka_unit_test(more_stripes_than_queues_are_refused),
	};

	log_set_level(LOG_WARN);
	return cmocka_run_group_tests(tests, open_node, close_node);
}
