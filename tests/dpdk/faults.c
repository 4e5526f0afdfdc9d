/* SPDX-License-Identifier: BSD-3-Clause */
/* Snapshots cross bad networks between real DPDK ports: a pair of net_ring with small
 * frames and a pair of net_memif with large ones, both under swift as a NIC would be.
 * What was injected is what the ends count, every file arrives, and no frame buffer is
 * lost. SEED=n draws other faults. */
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

#include <rte_mempool.h>

#include "dataplane/base/log.h"
#include "tests/dpdk/world/job.h"
#include "tests/dpdk/world/ring_pair.h"
#include "tests/dpdk/world/shim.h"
#include "tests/lib/folder.h"

enum {
	MILLION = 1000000,
	BIG = 40 * JOB_CHUNK + 4321,
	SMALL = 20,
	RING = 1024, /* frames */
	PATIENCE_MS = 20000,
	DATA = 0, /* WIRE_DATA */
	ACK = 4,  /* WIRE_ACK */
};

/* Device 2n sends to device 2n + 1. */
static const char *const pairs[] = {"ring", "memif"};
static const char *const names[] = {"net_ring0", "net_ring1", "net_memif0", "net_memif1"};

struct lab {
	char folder[64];
	struct ring_pair rings;
	struct transfer *transfer;
	struct shim *shims[ARRAY_LEN(names)];
	uint64_t seed;
	uint32_t buffers; /* frame buffers free while nothing happens */
	uint32_t stories;
};

static struct lab lab;

static void pause_for(nsec span)
{
	const struct timespec moment = {.tv_sec = span / SEC, .tv_nsec = span % SEC};

	(void)nanosleep(&moment, NULL);
}

/* ---- the lab ----------------------------------------------------------------------- */

static void count_free(struct rte_mempool *pool, void *context)
{
	uint32_t *total = context;

	*total += rte_mempool_avail_count(pool);
}

static uint32_t free_buffers(void)
{
	uint32_t total = 0;

	rte_mempool_walk(count_free, &total);
	return total;
}

static int open_transfer(void)
{
	struct transfer_device devices[] = {
		{.ip = IP_V4(10, 0, 0, 1), .prefix_len = 24},
		{.ip = IP_V4(10, 0, 0, 2), .prefix_len = 24},
		{.ip = IP_V4(10, 0, 1, 1), .prefix_len = 24},
		{.ip = IP_V4(10, 0, 1, 2), .prefix_len = 24},
	};
	const struct transfer_options options = {
		.devices = devices,
		.ndevices = ARRAY_LEN(devices),
		.buffers = 24,
		.buffer_size = JOB_CHUNK,
		.window = 256,
		.cc = CC_SWIFT,
		.stall_timeout = 5 * SEC,
	};
	char args[2][128];
	struct fault fault = {0};

	for (int i = 0; i < 2; i++) {
		(void)snprintf(args[i], sizeof(args[i]),
			"%s,role=%s,socket-abstract=no,socket=%s/sock", names[2 + i],
			i == 0 ? "server" : "client", lab.folder);
		devices[i].dev = lab.rings.dev[i];
		devices[2 + i].dev = args[i];
	}
	if (transfer_open(&lab.transfer, &options, &fault) != 0)
		print_error("%s\n", fault.text);
	return fault.code;
}

static int open_lab(void **state)
{
	const struct ring_pair_plan plan = {.entries = RING};
	const char *seed = getenv("SEED");

	(void)state;
	lab.seed = seed != NULL ? strtoull(seed, NULL, 10) : 1;
	if (!folder_make(lab.folder, sizeof(lab.folder), "dpdk-faults") ||
		ring_pair_open(&lab.rings, &plan) != 0 || open_transfer() != 0)
		return -1;
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		if (shim_open(&lab.shims[i], names[i]) != 0)
			return -1;
	}
	lab.buffers = free_buffers();
	return 0;
}

static int close_lab(void **state)
{
	char command[96];

	(void)state;
	transfer_close(lab.transfer);
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		shim_close(lab.shims[i]);
	ring_pair_close(&lab.rings);
	(void)snprintf(command, sizeof(command), "rm -rf '%s'", lab.folder);
	return system(command);
}

static void set(uint32_t device, const struct shim_faults *faults)
{
	struct shim_faults seeded = *faults;

	seeded.seed = lab.seed * 1000 + lab.stories * 10 + device;
	shim_set(lab.shims[device], &seeded);
}

static void prepare(struct job *job, uint32_t pair, const char *name)
{
	static char unique[64];
	const struct job_plan plan = {
		.transfer = lab.transfer,
		.from = 2 * pair,
		.to = 2 * pair + 1,
		.folder = lab.folder,
		.name = unique,
		.big = BIG,
		.small = SMALL,
	};

	(void)snprintf(unique, sizeof(unique), "%s: %s", pairs[pair], name);
	lab.stories++;
	job_prepare(job, &plan);
}

/* A clean network again, and every frame buffer back in its pool. */
static void tidy(struct job *job)
{
	static const struct shim_faults clean;

	job_end(job);
	set(job->plan.from, &clean);
	set(job->plan.to, &clean);
	for (int ms = 0; free_buffers() != lab.buffers; ms++) {
		if (ms == PATIENCE_MS)
			fail_msg("%s: SEED=%llu: %u frame buffers free, %u before",
				job->plan.name, (unsigned long long)lab.seed,
				free_buffers(), lab.buffers);
		pause_for(1 * MSEC);
	}
	job_finish(job);
}

static struct shim_counts since(uint32_t device, const struct shim_counts *before)
{
	struct shim_counts now;

	shim_get(lab.shims[device], &now);
	now.arrived -= before->arrived;
	now.swallowed -= before->swallowed;
	now.lost -= before->lost;
	now.lost_data -= before->lost_data;
	now.duplicated -= before->duplicated;
	now.flipped -= before->flipped;
	now.truncated -= before->truncated;
	now.reordered -= before->reordered;
	now.overflowed -= before->overflowed;
	return now;
}

/* ---- faults that come and go ------------------------------------------------------- */

/* One way or the other, and what must have happened at least so often. */
struct fault_row {
	const char *name;
	struct shim_faults data; /* on the way to the receiver */
	struct shim_faults acks; /* on the way back */
	size_t injected;         /* of shim_counts; 0: arrived */
	uint64_t least;
};

#define COUNTED(field) offsetof(struct shim_counts, field)
#define GBIT ((uint64_t)1000000000)

static const struct fault_row rows[] = {
	{"clean", {0}, {0}, COUNTED(arrived), 1000},
	{"loss 1 %", {.loss_ppm = 10000}, {.loss_ppm = 10000}, COUNTED(lost), 3},
	{"loss 10 %", {.loss_ppm = 100000}, {.loss_ppm = 100000}, COUNTED(lost), 50},
	{"loss 5 %, bursts of 8", {.loss_ppm = 50000, .loss_burst = 8},
		{.loss_ppm = 10000, .loss_burst = 8}, COUNTED(lost), 8},
	{"duplication 50 %", {.duplicate_ppm = 500000}, {.duplicate_ppm = 500000},
		COUNTED(duplicated), 100},
	{"reordering 5 %, 64 frames", {.reorder_ppm = 50000, .reorder_span = 64},
		{.reorder_ppm = 50000, .reorder_span = 8}, COUNTED(reordered), 10},
	{"bits flipped in 3 % of payloads",
		{.flip_ppm = 30000, .flip_bits = 64, .flip_part = SHIM_PAYLOAD}, {0},
		COUNTED(flipped), 10},
	{"bits flipped in 3 % of headers",
		{.flip_ppm = 30000, .flip_bits = 64, .flip_part = SHIM_HEADERS},
		{.flip_ppm = 30000, .flip_part = SHIM_HEADERS}, COUNTED(flipped), 10},
	{"3 % cut short", {.truncate_ppm = 30000}, {.truncate_ppm = 30000},
		COUNTED(truncated), 10},
	{"3 ms away", {.delay = 3 * MSEC}, {.delay = 3 * MSEC}, COUNTED(arrived), 1000},
	{"a gigabit, queue of 64 KiB", {.rate_bps = GBIT, .queue = 64 * KIB}, {0},
		COUNTED(arrived), 1000},
	{"a little of everything",
		{.loss_ppm = 10000,
			.loss_burst = 4,
			.duplicate_ppm = 20000,
			.reorder_ppm = 20000,
			.reorder_span = 32,
			.flip_ppm = 10000,
			.truncate_ppm = 5000,
			.delay = 200 * USEC},
		{.loss_ppm = 10000,
			.duplicate_ppm = 20000,
			.reorder_ppm = 20000,
			.reorder_span = 8,
			.flip_ppm = 10000,
			.truncate_ppm = 5000,
			.delay = 200 * USEC},
		COUNTED(lost), 3},
};

/* What the ends count of what was injected. */
static void check_counters(
	const struct job *job, const struct fault_row *row, const struct shim_counts *did)
{
	struct transfer_stats sent, got;
	uint64_t twice;

	transfer_get_stats(lab.transfer, job->sender, &sent);
	transfer_get_stats(lab.transfer, job->receiver, &got);
	print_message("%-40s %6llu frames, %5llu lost %5llu flipped %5llu cut %5llu "
		      "twice %5llu overflowed; %5llu bad %5llu missed\n",
		job->plan.name, (unsigned long long)did->arrived,
		(unsigned long long)did->lost, (unsigned long long)did->flipped,
		(unsigned long long)did->truncated, (unsigned long long)did->duplicated,
		(unsigned long long)did->overflowed, (unsigned long long)got.packets_bad,
		(unsigned long long)sent.packets_lost);
	if (*(const uint64_t *)((const char *)did + row->injected) < row->least)
		fail_msg("%s: SEED=%llu: nothing happened", job->plan.name,
			(unsigned long long)lab.seed);
	if (got.packets_bad > did->flipped)
		fail_msg("%s: SEED=%llu: %llu bad packets, %llu were damaged",
			job->plan.name, (unsigned long long)lab.seed,
			(unsigned long long)got.packets_bad,
			(unsigned long long)did->flipped);
	/* a damaged slice that had come before is thrown away without another look, and
	 * one that is lost at the very end is not missed any more */
	twice = got.bytes_resent / 1024 + 8;
	if ((row->data.flip_part == SHIM_PAYLOAD &&
		    got.packets_bad + twice < did->flipped) ||
		sent.packets_lost + twice < did->lost_data)
		fail_msg("%s: SEED=%llu: %llu damaged, %llu noticed; %llu lost, %llu "
			 "missed",
			job->plan.name, (unsigned long long)lab.seed,
			(unsigned long long)did->flipped,
			(unsigned long long)got.packets_bad,
			(unsigned long long)did->lost_data,
			(unsigned long long)sent.packets_lost);
}

static void tell(const struct fault_row *row, uint32_t pair)
{
	struct shim_counts before, did;
	struct job job;

	prepare(&job, pair, row->name);
	shim_get(lab.shims[job.plan.to], &before);
	set(job.plan.to, &row->data);
	set(job.plan.from, &row->acks);
	job_begin(&job);
	(void)job_await(&job, job.receiver, REPORT_DONE);
	did = since(job.plan.to, &before);
	check_counters(&job, row, &did);
	job_compare(&job);
	tidy(&job);
}

static void every_fault_is_survived_and_counted(void **state)
{
	(void)state;
	for (uint32_t pair = 0; pair < ARRAY_LEN(pairs); pair++)
		for (size_t i = 0; i < ARRAY_LEN(rows); i++)
			tell(&rows[i], pair);
}

/* ---- nothing gets through ---------------------------------------------------------- */

struct hole_row {
	const char *name;
	struct shim_faults data, acks;
};

/* Slow enough that the hole opens in the middle. */
#define SLOW .rate_bps = GBIT / 2, .queue = 128 * KIB

static const struct hole_row holes[] = {
	{"nothing", {SLOW, .hole = SHIM_HOLE_ALL}, {.hole = SHIM_HOLE_ALL}},
	{"no data", {SLOW, .hole = SHIM_HOLE_TYPE, .hole_type = DATA}, {0}},
	{"no ACKs", {SLOW}, {.hole = SHIM_HOLE_TYPE, .hole_type = ACK}},
	{"nothing large", {SLOW, .hole = SHIM_HOLE_LARGE, .hole_above = 600}, {0}},
	{"nothing to our port", {SLOW, .hole = SHIM_HOLE_PORT}, {0}},
};

static void wait_for_middle(const struct job *job)
{
	const struct job_plan *plan = &job->plan;
	struct transfer_stats got = {0};

	for (int ms = 0; got.bytes_done < job->manifest.bytes / 4; ms++) {
		if (ms == PATIENCE_MS)
			fail_msg("%s: does not begin", plan->name);
		pause_for(1 * MSEC);
		transfer_get_stats(plan->transfer, job->receiver, &got);
	}
}

static void begin_slowly(struct job *job, uint32_t pair, const char *name)
{
	static const struct shim_faults slow = {SLOW};

	prepare(job, pair, name);
	set(job->plan.to, &slow);
	job_begin(job);
	wait_for_middle(job);
}

static void fall_in(const struct hole_row *row, uint32_t pair)
{
	static const struct shim_faults slow = {SLOW}, clean;
	struct shim_faults data = row->data;
	struct transfer_endpoint end;
	struct transfer_stats stuck, got;
	struct job job;

	begin_slowly(&job, pair, row->name);
	transfer_get_endpoint(lab.transfer, job.plan.to, &end);
	data.hole_port = end.port;
	set(job.plan.to, &data);
	set(job.plan.from, &row->acks);
	pause_for(50 * MSEC); /* what was on its way arrives */
	transfer_get_stats(lab.transfer, job.receiver, &stuck);
	pause_for(150 * MSEC);
	transfer_get_stats(lab.transfer, job.receiver, &got);
	assert_int_equal(got.bytes_done, stuck.bytes_done);
	set(job.plan.to, &slow);
	set(job.plan.from, &clean);
	(void)job_await(&job, job.receiver, REPORT_DONE);
	job_compare(&job);
	tidy(&job);
}

static void a_hole_is_waited_out(void **state)
{
	(void)state;
	for (uint32_t pair = 0; pair < ARRAY_LEN(pairs); pair++)
		for (size_t i = 0; i < ARRAY_LEN(holes); i++)
			fall_in(&holes[i], pair);
}

static void a_hole_for_ever_ends_both_sides(void **state)
{
	static const struct shim_faults hole = {.hole = SHIM_HOLE_ALL};
	struct transfer_report report;
	int ended = 0;
	struct job job;

	(void)state;
	begin_slowly(&job, 0, "nothing for ever");
	set(job.plan.to, &hole);
	set(job.plan.from, &hole);
	for (int ms = 0; ended < 2; ms++) {
		assert_true(ms < PATIENCE_MS);
		while (transfer_next_report(lab.transfer, &report)) {
			if (report.event == REPORT_SUSPENDED)
				continue;
			assert_int_equal(report.event, REPORT_FAILED);
			assert_int_equal(report.code, -ETIMEDOUT);
			assert_false(report.by_peer);
			ended++;
		}
		pause_for(1 * MSEC);
	}
	tidy(&job);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_fault_is_survived_and_counted),
		cmocka_unit_test(a_hole_is_waited_out),
		cmocka_unit_test(a_hole_for_ever_ends_both_sides),
	};

	log_set_level(LOG_WARN);
	return cmocka_run_group_tests(tests, open_lab, close_lab);
}
