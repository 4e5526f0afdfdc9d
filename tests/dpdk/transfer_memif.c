/* SPDX-License-Identifier: BSD-3-Clause */
/* A whole snapshot crosses from one device of a node to its other one: DPDK, worker
 * threads, disk threads and files, all real. Two memif ports stand for two machines. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "dataplane/base/bitmap.h"
#include "dataplane/base/log.h"
#include "dataplane/file/store_file.h"
#include "tests/dpdk/world/job.h"
#include "tests/lib/folder.h"

enum {
	BIG = 40 * JOB_CHUNK + 4321,
	SMALL = 100,
	PATIENCE_MS = 30000,
	WINDOW = 256,
};

struct node {
	char folder[64];
	struct transfer *transfer;
	_Atomic int wakes;
};

static struct node node;

static void prepare(struct job *job, const char *name)
{
	const struct job_plan plan = {
		.transfer = node.transfer,
		.from = 0,
		.to = 1,
		.folder = node.folder,
		.name = name,
		.big = BIG,
		.small = SMALL,
	};

	job_prepare(job, &plan);
}

static void on_wake(void *context)
{
	struct node *self = context;

	atomic_fetch_add(&self->wakes, 1);
}

static int open_node(void **state)
{
	struct transfer_device devices[2] = {
		{.ip = IP_V4(10, 0, 0, 1), .prefix_len = 24},
		{.ip = IP_V4(10, 0, 0, 2), .prefix_len = 24},
	};
	struct transfer_options options = {
		.devices = devices,
		.ndevices = 2,
		.buffers = 24,
		.buffer_size = JOB_CHUNK,
		.window = WINDOW,
		.stall_timeout = 20 * SEC,
		.wake = on_wake,
		.wake_ctx = &node,
	};
	struct fault fault = {0};
	char server[128], client[128];

	(void)state;
	if (!folder_make(node.folder, sizeof(node.folder), "transfer-memif"))
		return 1;
	(void)snprintf(server, sizeof(server), "net_memif0,role=server,socket=%s/sock",
		node.folder);
	(void)snprintf(client, sizeof(client), "net_memif1,role=client,socket=%s/sock",
		node.folder);
	devices[0].dev = server;
	devices[1].dev = client;
	if (transfer_open(&node.transfer, &options, &fault) != 0)
		print_error("%s\n", fault.text);
	return fault.code;
}

static int close_node(void **state)
{
	char command[96];

	(void)state;
	transfer_close(node.transfer);
	(void)snprintf(command, sizeof(command), "rm -rf %s", node.folder);
	return system(command);
}

static void a_snapshot_arrives_byte_for_byte(void **state)
{
	struct transfer_stats sent, got;
	struct job job;

	(void)state;
	prepare(&job, "whole");
	job_begin(&job);
	(void)job_await(&job, job.receiver, REPORT_DONE);
	assert_true(atomic_load(&node.wakes) > 0);
	job_end(&job);
	job_compare(&job);
	transfer_get_stats(node.transfer, job.receiver, &got);
	transfer_get_stats(node.transfer, job.sender, &sent);
	assert_int_equal(got.bytes_done, job.manifest.bytes - JOB_HOLE);
	assert_int_equal(got.bytes_reused, JOB_HOLE);
	assert_true(sent.wire_bytes > job.manifest.bytes - JOB_HOLE);
	assert_int_equal(got.packets_bad, 0);
	job_finish(&job);
}

static void what_is_there_already_is_not_sent_again(void **state)
{
	uint64_t have[8] = {0};
	struct transfer_stats got;
	struct job job;
	uint32_t half;

	(void)state;
	prepare(&job, "resumed");
	half = job.manifest.nchunks / 2;
	for (uint32_t i = 0; i < half; i++)
		bitmap_set(have, i);
	job.have = have;
	job_begin(&job);
	(void)job_await(&job, job.receiver, REPORT_DONE);
	job_end(&job);
	transfer_get_stats(node.transfer, job.receiver, &got);
	assert_int_equal(got.bytes_done + got.bytes_reused, job.manifest.bytes);
	assert_true(got.bytes_reused >= (uint64_t)(half - 1) * JOB_CHUNK);
	job_finish(&job);
}

/* What a tuner tries on a node that runs, and takes back. */
static void the_least_window_and_buffers_are_enough(void **state)
{
	struct job job;

	(void)state;
	assert_int_equal(
		transfer_set_window(node.transfer, TRANSFER_WINDOW_MIN - 1), -EINVAL);
	assert_int_equal(
		transfer_set_window(node.transfer, TRANSFER_WINDOW_MAX + 1), -EINVAL);
	assert_int_equal(
		transfer_set_buffers(node.transfer, TRANSFER_BUFFERS_MIN - 1), -EINVAL);
	assert_int_equal(transfer_set_window(node.transfer, TRANSFER_WINDOW_MIN), 0);
	assert_int_equal(transfer_set_buffers(node.transfer, TRANSFER_BUFFERS_MIN), 0);
	prepare(&job, "little");
	job_begin(&job);
	(void)job_await(&job, job.receiver, REPORT_DONE);
	/* more than there are: all */
	assert_int_equal(transfer_set_buffers(node.transfer, TRANSFER_BUFFERS_MAX), 0);
	assert_int_equal(transfer_set_window(node.transfer, WINDOW), 0);
	job_end(&job);
	job_compare(&job);
	job_finish(&job);
}

static void two_snapshots_cross_at_once(void **state)
{
	struct job jobs[2];

	(void)state;
	prepare(&jobs[0], "one");
	prepare(&jobs[1], "two");
	job_begin(&jobs[0]);
	job_begin(&jobs[1]);
	for (int done = 0, ms = 0; done < 2; ms++) {
		const struct timespec moment = {.tv_nsec = 1000 * 1000};
		struct transfer_report report;

		assert_true(ms < PATIENCE_MS);
		while (transfer_next_report(node.transfer, &report)) {
			if (report.event == REPORT_SUSPENDED ||
				report.event == REPORT_RESUMED)
				continue; /* a busy machine */
			assert_int_equal(report.event, REPORT_DONE);
			done += report.session_id == jobs[0].receiver ||
				report.session_id == jobs[1].receiver;
		}
		(void)nanosleep(&moment, NULL);
	}
	for (int i = 0; i < 2; i++) {
		job_end(&jobs[i]);
		job_compare(&jobs[i]);
		job_finish(&jobs[i]);
	}
}

static void a_file_that_vanished_at_the_sender_fails_both_ends(void **state)
{
	struct transfer_report report;
	struct fault fault;
	char path[128];
	struct job job;

	(void)state;
	prepare(&job, "vanished");
	(void)snprintf(path, sizeof(path), "%s/big", job.from);
	assert_int_equal(unlink(path), 0);
	job_begin(&job);
	report = job_await(&job, job.receiver, REPORT_FAILED);
	assert_true(report.by_peer);
	job_end(&job);
	store_object_get_fault(job.source, &fault);
	assert_int_equal(fault.code, -ENOENT);
	assert_non_null(strstr(fault.text, "/big"));
	job_finish(&job);
}

static void a_session_is_stopped_in_the_middle(void **state)
{
	struct job job;

	(void)state;
	prepare(&job, "stopped");
	job_begin(&job);
	job_end(&job);
	job_finish(&job);
}

static void slots_run_out_and_come_back(void **state)
{
	uint32_t ids[64], extra;

	(void)state;
	for (int i = 0; i < 64; i++)
		assert_int_equal(transfer_reserve(node.transfer, &ids[i]), 0);
	assert_int_equal(transfer_reserve(node.transfer, &extra), -EBUSY);
	for (int i = 0; i < 64; i++)
		transfer_release(node.transfer, ids[i]);
	assert_int_equal(transfer_reserve(node.transfer, &extra), 0);
	assert_int_not_equal(extra, ids[0]); /* a generation apart */
	assert_int_equal(transfer_stop(node.transfer, extra), -EINVAL);
	transfer_release(node.transfer, extra);
}

static void an_idle_node_sleeps(void **state)
{
	const struct timespec second = {.tv_sec = 1};
	struct timespec before, after;
	nsec spent;

	(void)state;
	(void)nanosleep(&(struct timespec){.tv_nsec = 200 * 1000 * 1000}, NULL);
	(void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &before);
	(void)nanosleep(&second, NULL);
	(void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &after);
	spent = (after.tv_sec - before.tv_sec) * SEC + after.tv_nsec - before.tv_nsec;
	print_message("  %.2f %% of a core\n", (double)spent / (double)SEC * 100);
	/* a spinning thread would show a hundred times as much */
	assert_true(spent < 200 * MSEC);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(slots_run_out_and_come_back),
		cmocka_unit_test(a_snapshot_arrives_byte_for_byte),
		cmocka_unit_test(what_is_there_already_is_not_sent_again),
		cmocka_unit_test(the_least_window_and_buffers_are_enough),
		cmocka_unit_test(two_snapshots_cross_at_once),
		cmocka_unit_test(a_file_that_vanished_at_the_sender_fails_both_ends),
		cmocka_unit_test(a_session_is_stopped_in_the_middle),
		cmocka_unit_test(an_idle_node_sleeps),
	};

	log_set_level(LOG_WARN);
	return cmocka_run_group_tests(tests, open_node, close_node);
}
