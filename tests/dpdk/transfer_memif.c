/* SPDX-License-Identifier: BSD-3-Clause */
/* A whole snapshot crosses from one device of a node to its other one: DPDK, worker
 * threads, disk threads and files, all real. Two memif ports stand for two machines. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "dataplane/base/bitmap.h"
#include "dataplane/base/log.h"
#include "dataplane/file/store_file.h"
#include "dataplane/transfer.h"

enum {
	CHUNK = MANIFEST_CHUNK_MIN,
	BIG = 40 * CHUNK + 4321,
	HOLE = 4 * CHUNK, /* zeros at the start of big: never sent */
	SMALL = 100,
	PATIENCE_MS = 30000,
};

struct node {
	char folder[64];
	struct transfer *transfer;
	_Atomic int wakes;
};

/* One snapshot on its way. */
struct job {
	char from[96], to[96];
	struct manifest manifest;
	struct store_object *source, *target;
	uint32_t sender, receiver; /* session ids */
	const uint64_t *have;
};

static struct node node;

static void fill(uint8_t *bytes, uint64_t size, uint32_t seed)
{
	for (uint64_t i = 0; i < size; i++) {
		seed = seed * 1664525 + 1013904223;
		bytes[i] = (uint8_t)(seed >> 24);
	}
}

static void write_file(
	const char *folder, const char *name, const uint8_t *bytes, uint64_t size)
{
	char path[160];
	int fd;

	(void)snprintf(path, sizeof(path), "%s/%s", folder, name);
	fd = open(path, O_CREAT | O_WRONLY | O_TRUNC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, (off_t)size), 0);
	if (bytes != NULL)
		assert_int_equal(write(fd, bytes, size), size);
	(void)close(fd);
}

static uint8_t *read_file(const char *folder, const char *name, uint64_t size)
{
	uint8_t *bytes = malloc(size);
	char path[160];
	int fd;

	(void)snprintf(path, sizeof(path), "%s/%s", folder, name);
	fd = open(path, O_RDONLY);
	assert_true(fd >= 0);
	assert_int_equal(read(fd, bytes, size), size);
	(void)close(fd);
	return bytes;
}

/* The source gets contents, the target files of the same size without any. */
static void add_file(struct job *job, const char *name, uint64_t size, uint64_t hole)
{
	uint8_t *bytes = calloc(1, size);

	fill(bytes + hole, size - hole, (uint32_t)size);
	write_file(job->from, name, bytes, size);
	write_file(job->to, name, NULL, size);
	assert_int_equal(manifest_add(&job->manifest, name, size, 0600, NULL), 0);
	free(bytes);
}

static void add_leaves(struct job *job)
{
	uint8_t *chunk = malloc(CHUNK);

	for (uint32_t i = 0; i < job->manifest.nchunks; i++) {
		struct manifest_cursor cursor;
		struct manifest_extent extent;

		manifest_extents(&job->manifest, i, &cursor);
		while (manifest_next_extent(&job->manifest, &cursor, &extent)) {
			const struct manifest_file *file =
				&job->manifest.files[extent.file];
			uint8_t *bytes = read_file(job->from, file->name, file->size);

			memcpy(chunk + extent.chunk_offset, bytes + extent.file_offset,
				extent.len);
			free(bytes);
		}
		job->manifest.leaves[i] =
			manifest_leaf_of(chunk, manifest_chunk_len(&job->manifest, i));
	}
	free(chunk);
}

static void prepare(struct job *job, const char *name)
{
	char file[32];

	memset(job, 0, sizeof(*job));
	(void)snprintf(job->from, sizeof(job->from), "%s/%s-from", node.folder, name);
	(void)snprintf(job->to, sizeof(job->to), "%s/%s-to", node.folder, name);
	assert_int_equal(mkdir(job->from, 0700), 0);
	assert_int_equal(mkdir(job->to, 0700), 0);
	assert_int_equal(manifest_init(&job->manifest, CHUNK, NULL), 0);
	add_file(job, "big", BIG, HOLE);
	for (int i = 0; i < SMALL; i++) {
		(void)snprintf(file, sizeof(file), "small-%d", i);
		add_file(job, file, 1 + (uint64_t)i * 97, 0);
	}
	assert_int_equal(manifest_layout(&job->manifest, NULL), 0);
	add_leaves(job);
	assert_int_equal(
		store_object_open(&job->source, job->from, &job->manifest, NULL), 0);
	assert_int_equal(
		store_object_open(&job->target, job->to, &job->manifest, NULL), 0);
}

static void compare(const struct job *job)
{
	for (uint32_t i = 0; i < job->manifest.nfiles; i++) {
		const struct manifest_file *file = &job->manifest.files[i];
		uint8_t *from = read_file(job->from, file->name, file->size);
		uint8_t *to = read_file(job->to, file->name, file->size);

		assert_memory_equal(from, to, file->size);
		free(from);
		free(to);
	}
}

static void finish(struct job *job)
{
	store_object_close(job->source);
	store_object_close(job->target);
	manifest_fini(&job->manifest);
}

static struct transfer_session describe(const struct job *job, enum transfer_role role)
{
	struct transfer_endpoint end[2];
	uint32_t us = role == TRANSFER_SEND ? 0 : 1;
	struct transfer_session session = {
		.role = role,
		.device = us,
		.session_id = us == 0 ? job->sender : job->receiver,
		.peer_session_id = us == 0 ? job->receiver : job->sender,
		.manifest = &job->manifest,
		.object = us == 0 ? job->source : job->target,
		.have = us == 0 ? NULL : job->have,
	};

	transfer_get_endpoint(node.transfer, 0, &end[0]);
	transfer_get_endpoint(node.transfer, 1, &end[1]);
	session.peer_ip = end[1 - us].ip;
	session.peer_port = end[1 - us].port;
	session.slice_size = u32_min(end[0].slice_size, end[1].slice_size);
	memset(session.tx_key, 1 + (int)us, sizeof(session.tx_key));
	memset(session.rx_key, 2 - (int)us, sizeof(session.rx_key));
	return session;
}

static void begin(struct job *job)
{
	struct transfer_session send, receive;

	assert_int_equal(transfer_reserve(node.transfer, &job->sender), 0);
	assert_int_equal(transfer_reserve(node.transfer, &job->receiver), 0);
	send = describe(job, TRANSFER_SEND);
	receive = describe(job, TRANSFER_RECEIVE);
	assert_int_equal(transfer_start(node.transfer, &send), 0);
	assert_int_equal(transfer_start(node.transfer, &receive), 0);
}

/* Waits for a report of this session; others are not of interest. */
static struct transfer_report await(uint32_t session_id, enum transfer_event event)
{
	const struct timespec moment = {.tv_nsec = 1000 * 1000};
	struct transfer_report report;

	for (int ms = 0; ms < PATIENCE_MS; ms++) {
		while (transfer_next_report(node.transfer, &report)) {
			if (report.session_id != session_id)
				continue;
			if (report.event != event)
				fail_msg("event %d, code %d", (int)report.event,
					report.code);
			return report;
		}
		(void)nanosleep(&moment, NULL);
	}
	fail_msg("no report in %d ms", PATIENCE_MS);
	return report;
}

static void end(struct job *job)
{
	assert_int_equal(transfer_stop(node.transfer, job->receiver), 0);
	(void)await(job->receiver, REPORT_STOPPED);
	assert_int_equal(transfer_stop(node.transfer, job->sender), 0);
	(void)await(job->sender, REPORT_STOPPED);
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
		.buffer_size = CHUNK,
		.window = 256,
		.stall_timeout = 20 * SEC,
		.wake = on_wake,
		.wake_ctx = &node,
	};
	struct fault fault = {0};
	char server[128], client[128];

	(void)state;
	(void)snprintf(node.folder, sizeof(node.folder), "/tmp/transfer-memif-XXXXXX");
	if (mkdtemp(node.folder) == NULL)
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
	begin(&job);
	(void)await(job.receiver, REPORT_DONE);
	assert_true(atomic_load(&node.wakes) > 0);
	end(&job);
	compare(&job);
	transfer_get_stats(node.transfer, job.receiver, &got);
	transfer_get_stats(node.transfer, job.sender, &sent);
	assert_int_equal(got.bytes_done, job.manifest.bytes - HOLE);
	assert_int_equal(got.bytes_reused, HOLE);
	assert_true(sent.wire_bytes > job.manifest.bytes - HOLE);
	assert_int_equal(got.packets_bad, 0);
	finish(&job);
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
	begin(&job);
	(void)await(job.receiver, REPORT_DONE);
	end(&job);
	transfer_get_stats(node.transfer, job.receiver, &got);
	assert_int_equal(got.bytes_done + got.bytes_reused, job.manifest.bytes);
	assert_true(got.bytes_reused >= (uint64_t)(half - 1) * CHUNK);
	finish(&job);
}

static void two_snapshots_cross_at_once(void **state)
{
	struct job jobs[2];

	(void)state;
	prepare(&jobs[0], "one");
	prepare(&jobs[1], "two");
	begin(&jobs[0]);
	begin(&jobs[1]);
	for (int done = 0, ms = 0; done < 2; ms++) {
		const struct timespec moment = {.tv_nsec = 1000 * 1000};
		struct transfer_report report;

		assert_true(ms < PATIENCE_MS);
		while (transfer_next_report(node.transfer, &report)) {
			assert_int_equal(report.event, REPORT_DONE);
			done += report.session_id == jobs[0].receiver ||
				report.session_id == jobs[1].receiver;
		}
		(void)nanosleep(&moment, NULL);
	}
	for (int i = 0; i < 2; i++) {
		end(&jobs[i]);
		compare(&jobs[i]);
		finish(&jobs[i]);
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
	begin(&job);
	report = await(job.receiver, REPORT_FAILED);
	assert_true(report.by_peer);
	end(&job);
	store_object_get_fault(job.source, &fault);
	assert_int_equal(fault.code, -ENOENT);
	assert_non_null(strstr(fault.text, "/big"));
	finish(&job);
}

static void a_session_is_stopped_in_the_middle(void **state)
{
	struct job job;

	(void)state;
	prepare(&job, "stopped");
	begin(&job);
	end(&job);
	finish(&job);
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
		cmocka_unit_test(two_snapshots_cross_at_once),
		cmocka_unit_test(a_file_that_vanished_at_the_sender_fails_both_ends),
		cmocka_unit_test(a_session_is_stopped_in_the_middle),
		cmocka_unit_test(an_idle_node_sleeps),
	};

	log_set_level(LOG_WARN);
	return cmocka_run_group_tests(tests, open_node, close_node);
}
