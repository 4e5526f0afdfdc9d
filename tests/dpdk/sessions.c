/* SPDX-License-Identifier: BSD-3-Clause */
/* Two hundred sessions come and go over a pair of net_ring devices that lose packets,
 * some stopped in the middle: slots, frame buffers, open files and memory are what they
 * were. And the ids of a slot come round after 4096 of them. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <malloc.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <rte_mempool.h>

#include "dataplane/base/log.h"
#include "tests/dpdk/world/job.h"
#include "tests/dpdk/world/ring_pair.h"
#include "tests/dpdk/world/shim.h"
#include "tests/lib/folder.h"

enum {
	SESSIONS = 200,
	WARM = 8, /* until what is kept for ever has been allocated */
	BIG = 6 * JOB_CHUNK,
	SMALL = 5,
	GENERATIONS = 1 << 12,
	PATIENCE_MS = 20000,
	HEAP_SPARE = 256 << 10, /* bytes; a session takes more */
};

struct lab {
	char folder[64];
	struct ring_pair rings;
	struct transfer *transfer;
	struct shim *shims[2];
};

static struct lab lab;

/* A worker that reports something stays here as long as the gate is closed. */
static _Atomic bool gate_is_closed;

static void pass_gate(void *ctx)
{
	const struct timespec moment = {.tv_nsec = 1000 * 1000};

	(void)ctx;
	while (atomic_load(&gate_is_closed))
		(void)nanosleep(&moment, NULL);
}

static int open_lab(void **state)
{
	struct transfer_device devices[] = {
		{.dev = lab.rings.dev[0], .ip = IP_V4(10, 0, 0, 1), .prefix_len = 24},
		{.dev = lab.rings.dev[1], .ip = IP_V4(10, 0, 0, 2), .prefix_len = 24},
	};
	const struct transfer_options options = {
		.devices = devices,
		.ndevices = 2,
		.buffers = 8,
		.buffer_size = JOB_CHUNK,
		.window = 256,
		.stall_timeout = 20 * SEC,
		.wake = pass_gate,
	};
	const struct ring_pair_plan plan = {.entries = 1024};
	struct shim_faults lossy = {.seed = 1, .loss_ppm = 5000};
	struct fault fault = {0};

	(void)state;
	if (!folder_make(lab.folder, sizeof(lab.folder), "dpdk-sessions") ||
		ring_pair_open(&lab.rings, &plan) != 0)
		return -1;
	if (transfer_open(&lab.transfer, &options, &fault) != 0) {
		print_error("%s\n", fault.text);
		return fault.code;
	}
	for (int i = 0; i < 2; i++) {
		if (shim_open(&lab.shims[i], i == 0 ? "net_ring0" : "net_ring1") != 0)
			return -1;
		shim_set(lab.shims[i], &lossy);
	}
	return 0;
}

static int close_lab(void **state)
{
	char command[96];

	(void)state;
	transfer_close(lab.transfer);
	shim_close(lab.shims[0]);
	shim_close(lab.shims[1]);
	ring_pair_close(&lab.rings);
	(void)snprintf(command, sizeof(command), "rm -rf '%s'", lab.folder);
	return system(command);
}

/* ---- what there is ----------------------------------------------------------------- */

struct stock {
	uint32_t frame_buffers; /* free */
	uint32_t files;         /* open */
	size_t heap;            /* bytes in use */
};

static void count_free(struct rte_mempool *pool, void *context)
{
	uint32_t *total = context;

	*total += rte_mempool_avail_count(pool);
}

static struct stock take_stock(void)
{
	struct stock stock = {.heap = mallinfo2().uordblks + mallinfo2().hblkhd};
	DIR *files = opendir("/proc/self/fd");

	assert_non_null(files);
	while (readdir(files) != NULL)
		stock.files++;
	(void)closedir(files);
	rte_mempool_walk(count_free, &stock.frame_buffers);
	return stock;
}

/* Packets of dead sessions may still be on their way. */
static void check_stock(const struct stock *before)
{
	const struct timespec moment = {.tv_nsec = 1000 * 1000};
	struct stock now = take_stock();

	for (int ms = 0; now.frame_buffers != before->frame_buffers; ms++) {
		if (ms == PATIENCE_MS)
			fail_msg("%u frame buffers free, %u before", now.frame_buffers,
				before->frame_buffers);
		(void)nanosleep(&moment, NULL);
		now = take_stock();
	}
	assert_int_equal(now.files, before->files);
	if (now.heap > before->heap + HEAP_SPARE)
		fail_msg("%zu bytes on the heap, %zu before", now.heap, before->heap);
}

/* ---- sessions ---------------------------------------------------------------------- */

static void live(int number)
{
	char name[16];
	const struct job_plan plan = {
		.transfer = lab.transfer,
		.from = (uint32_t)number % 2,
		.to = 1 - (uint32_t)number % 2,
		.folder = lab.folder,
		.name = name,
		.big = BIG,
		.small = SMALL,
	};
	struct job job;

	(void)snprintf(name, sizeof(name), "%d", number);
	job_prepare(&job, &plan);
	job_begin(&job);
	if (number % 5 != 0) {
		(void)job_await(&job, job.receiver, REPORT_DONE);
		job_compare(&job);
	}
	job_end(&job);
	job_finish(&job);
}

static void two_hundred_sessions_leave_nothing_behind(void **state)
{
	struct stock before;

	(void)state;
	for (int i = 0; i < WARM; i++)
		live(i);
	before = take_stock();
	for (int i = WARM; i < SESSIONS; i++)
		live(i);
	check_stock(&before);
}

/* A worker that is held up takes no order for a while. The one that ends a session must
 * not be lost: nobody would ever hear that it has ended. */
static void a_session_is_stopped_however_many_orders_wait(void **state)
{
	const struct job_plan plan = {.transfer = lab.transfer,
		.from = 0,
		.to = 1,
		.folder = lab.folder,
		.name = "busy",
		.big = BIG};
	struct job job;
	int err = 0;

	(void)state;
	job_prepare(&job, &plan);
	atomic_store(&gate_is_closed, true);
	job_begin(&job);
	(void)job_await(&job, job.receiver, REPORT_DONE);
	for (int i = 0; i < 100000 && err == 0; i++)
		err = transfer_pause(lab.transfer, job.receiver, false);
	assert_int_equal(err, -EAGAIN);
	assert_int_equal(transfer_stop(lab.transfer, job.receiver), 0);
	atomic_store(&gate_is_closed, false);
	job_end(&job);
	job_finish(&job);
}

static void the_ids_of_a_slot_come_round_after_4096(void **state)
{
	uint32_t first, id, last;

	(void)state;
	assert_int_equal(transfer_reserve(lab.transfer, &first), 0);
	transfer_release(lab.transfer, first);
	last = first;
	for (int i = 1; i < GENERATIONS; i++) {
		assert_int_equal(transfer_reserve(lab.transfer, &id), 0);
		assert_int_not_equal(id, first);
		assert_int_not_equal(id, last);
		transfer_release(lab.transfer, id);
		last = id;
	}
	assert_int_equal(transfer_reserve(lab.transfer, &id), 0);
	assert_int_equal(id, first);
	transfer_release(lab.transfer, id);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(two_hundred_sessions_leave_nothing_behind),
		cmocka_unit_test(a_session_is_stopped_however_many_orders_wait),
		cmocka_unit_test(the_ids_of_a_slot_come_round_after_4096),
	};

	log_set_level(LOG_WARN);
	return cmocka_run_group_tests(tests, open_lab, close_lab);
}
