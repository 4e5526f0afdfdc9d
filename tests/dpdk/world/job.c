/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/dpdk/world/job.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "dataplane/file/store_file.h"

enum { PATIENCE_MS = 30000 }; /* without any progress */

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

static void read_part(
	const char *folder, const char *name, uint8_t *bytes, uint64_t at, uint64_t len)
{
	char path[160];
	int fd;

	(void)snprintf(path, sizeof(path), "%s/%s", folder, name);
	fd = open(path, O_RDONLY);
	assert_true(fd >= 0);
	assert_int_equal(pread(fd, bytes, len, (off_t)at), len);
	(void)close(fd);
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
	uint8_t *chunk = malloc(JOB_CHUNK);

	for (uint32_t i = 0; i < job->manifest.nchunks; i++) {
		struct manifest_cursor cursor;
		struct manifest_extent extent;

		manifest_extents(&job->manifest, i, &cursor);
		while (manifest_next_extent(&job->manifest, &cursor, &extent))
			read_part(job->from, job->manifest.files[extent.file].name,
				chunk + extent.chunk_offset, extent.file_offset,
				extent.len);
		job->manifest.leaves[i] =
			manifest_leaf_of(chunk, manifest_chunk_len(&job->manifest, i));
	}
	free(chunk);
}

void job_prepare(struct job *job, const struct job_plan *plan)
{
	char file[32];

	memset(job, 0, sizeof(*job));
	job->plan = *plan;
	(void)snprintf(
		job->from, sizeof(job->from), "%s/%s-from", plan->folder, plan->name);
	(void)snprintf(job->to, sizeof(job->to), "%s/%s-to", plan->folder, plan->name);
	assert_int_equal(mkdir(job->from, 0700), 0);
	assert_int_equal(mkdir(job->to, 0700), 0);
	assert_int_equal(manifest_init(&job->manifest, JOB_CHUNK, NULL), 0);
	add_file(job, "big", plan->big, JOB_HOLE);
	for (uint32_t i = 0; i < plan->small; i++) {
		(void)snprintf(file, sizeof(file), "small-%u", i);
		add_file(job, file, 1 + (uint64_t)i * 97, 0);
	}
	assert_int_equal(manifest_layout(&job->manifest, NULL), 0);
	add_leaves(job);
	assert_int_equal(
		store_object_open(&job->source, job->from, &job->manifest, NULL), 0);
	assert_int_equal(
		store_object_open(&job->target, job->to, &job->manifest, NULL), 0);
}

void job_compare(const struct job *job)
{
	for (uint32_t i = 0; i < job->manifest.nfiles; i++) {
		const struct manifest_file *file = &job->manifest.files[i];
		uint8_t *from = malloc(file->size + 1);
		uint8_t *to = malloc(file->size + 1);

		read_part(job->from, file->name, from, 0, file->size);
		read_part(job->to, file->name, to, 0, file->size);
		assert_memory_equal(from, to, file->size);
		free(from);
		free(to);
	}
}

static void remove_folder(const char *folder)
{
	char command[128];

	(void)snprintf(command, sizeof(command), "rm -rf '%s'", folder);
	assert_int_equal(system(command), 0);
}

void job_finish(struct job *job)
{
	store_object_close(job->source);
	store_object_close(job->target);
	manifest_fini(&job->manifest);
	remove_folder(job->from);
	remove_folder(job->to);
}

static struct transfer_session describe(const struct job *job, enum transfer_role role)
{
	struct transfer_endpoint end[2];
	uint32_t us = role == TRANSFER_SEND ? 0 : 1;
	struct transfer_session session = {
		.role = role,
		.device = us == 0 ? job->plan.from : job->plan.to,
		.session_id = us == 0 ? job->sender : job->receiver,
		.stripes = job->plan.stripes,
		.peer_session_id = us == 0 ? job->receiver : job->sender,
		.manifest = &job->manifest,
		.object = us == 0 ? job->source : job->target,
		.have = us == 0 ? NULL : job->have,
	};

	transfer_get_endpoint(job->plan.transfer, job->plan.from, &end[0]);
	transfer_get_endpoint(job->plan.transfer, job->plan.to, &end[1]);
	session.peer_ip = end[1 - us].ip;
	session.peer_port = end[1 - us].port;
	session.slice_size = u32_min(end[0].slice_size, end[1].slice_size);
	memset(session.tx_key, 1 + (int)us, sizeof(session.tx_key));
	memset(session.rx_key, 2 - (int)us, sizeof(session.rx_key));
	return session;
}

void job_begin(struct job *job)
{
	struct transfer *transfer = job->plan.transfer;
	struct transfer_session send, receive;

	assert_int_equal(transfer_reserve(transfer, &job->sender), 0);
	assert_int_equal(transfer_reserve(transfer, &job->receiver), 0);
	send = describe(job, TRANSFER_SEND);
	receive = describe(job, TRANSFER_RECEIVE);
	assert_int_equal(transfer_start(transfer, &send), 0);
	assert_int_equal(transfer_start(transfer, &receive), 0);
}

static uint64_t progress(const struct job *job)
{
	struct transfer_stats sent, got;

	transfer_get_stats(job->plan.transfer, job->sender, &sent);
	transfer_get_stats(job->plan.transfer, job->receiver, &got);
	return sent.wire_bytes + got.wire_bytes + got.bytes_done;
}

struct transfer_report job_await(
	struct job *job, uint32_t session_id, enum transfer_event event)
{
	const struct timespec moment = {.tv_nsec = 1000 * 1000};
	struct transfer_report report = {0};
	uint64_t before = 0;

	for (int ms = 0; ms < PATIENCE_MS; ms++) {
		uint64_t after = progress(job);

		while (transfer_next_report(job->plan.transfer, &report)) {
			/* a sender may hear the end while it is told to stop */
			bool passes =
				report.event == REPORT_SUSPENDED ||
				report.event == REPORT_RESUMED ||
				(event == REPORT_STOPPED && report.event == REPORT_DONE);

			if (report.session_id != session_id || passes)
				continue;
			if (report.event != event)
				fail_msg("%s: event %d, code %d", job->plan.name,
					(int)report.event, report.code);
			return report;
		}
		ms = after != before ? 0 : ms;
		before = after;
		(void)nanosleep(&moment, NULL);
	}
	fail_msg("%s: no report in %d ms", job->plan.name, PATIENCE_MS);
	return report;
}

void job_end(struct job *job)
{
	assert_int_equal(transfer_stop(job->plan.transfer, job->receiver), 0);
	(void)job_await(job, job->receiver, REPORT_STOPPED);
	assert_int_equal(transfer_stop(job->plan.transfer, job->sender), 0);
	(void)job_await(job, job->sender, REPORT_STOPPED);
}
