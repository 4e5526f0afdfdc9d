/* SPDX-License-Identifier: BSD-3-Clause */
/* A leader on a virtual clock for the tests of the get_file client: a few files in
 * memory, served by the real rules of control/file_service.h after a round trip's time.
 */
#ifndef FILE_WORLD_H
#define FILE_WORLD_H

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "control/fetch_call.h"
#include "control/file_service.h"
#include "control/throttle_braft.h"
#include "tests/lib/scratch.h"

enum { FLIGHTS_MAX = 64 };

/* A call on its way, and what it will be answered. */
struct flight {
	bool is_used;
	nsec due;
	struct fetch_request request;
	struct file_service_plan plan;
};

struct leader {
	struct table table;
	uint8_t **contents; /* of the table's files */
	uint64_t *sizes;    /* bytes */
	struct file_service service;
	struct throttle *throttle;
	bool check_hole; /* leaves zero blocks out */
	bool is_old;     /* knows neither read_size nor read_partly */
	nsec rtt;
	struct flight flights[FLIGHTS_MAX];
	nsec now;
	uint64_t answered; /* calls */
	uint64_t bytes;    /* of file, in answers */
	uint32_t most;     /* calls in flight at once */
	/* May change an answer before it arrives. */
	void (*meddle)(struct leader *leader, const struct fetch_request *request,
		struct fetch_reply *reply);
	int meddled;         /* for meddle to count */
	uint8_t *attachment; /* of the answer being delivered */
};

static inline void leader_add(
	struct leader *leader, const char *name, const uint8_t *bytes, uint64_t size)
{
	size_t at;

	assert_int_equal(table_add_file(&leader->table, name, NULL), 0);
	at = (size_t)(table_find(&leader->table, name) - leader->table.files);
	leader->contents =
		realloc(leader->contents, leader->table.nfiles * sizeof(uint8_t *));
	leader->sizes = realloc(leader->sizes, leader->table.nfiles * sizeof(uint64_t));
	assert_non_null(leader->contents);
	assert_non_null(leader->sizes);
	for (size_t i = leader->table.nfiles - 1; i > at; i--) {
		leader->contents[i] = leader->contents[i - 1];
		leader->sizes[i] = leader->sizes[i - 1];
	}
	leader->contents[at] = malloc(size + 1);
	assert_non_null(leader->contents[at]);
	memcpy(leader->contents[at], bytes, size);
	leader->sizes[at] = size;
}

static inline void leader_add_noise(
	struct leader *leader, const char *name, uint64_t size, uint64_t seed)
{
	uint8_t *bytes = scratch_noise(size, seed);

	leader_add(leader, name, bytes, size);
	free(bytes);
}

static inline uint32_t leader_file(const struct leader *leader, const char *name)
{
	const struct table_file *file = table_find(&leader->table, name);

	assert_non_null(file);
	return (uint32_t)(file - leader->table.files);
}

static inline void leader_open(struct leader *leader)
{
	memset(leader, 0, sizeof(*leader));
	table_init(&leader->table);
	file_service_init(&leader->service, &leader->table);
	leader->now = SEC;
	leader->rtt = MSEC;
}

static inline void leader_close(struct leader *leader)
{
	for (size_t i = 0; i < leader->table.nfiles; i++)
		free(leader->contents[i]);
	free(leader->contents);
	free(leader->sizes);
	free(leader->attachment);
	table_fini(&leader->table);
}

static inline void leader_ask(struct leader *leader, const struct fetch_request *wanted)
{
	struct get_file_request request = {
		.offset = (int64_t)wanted->offset,
		.count = (int64_t)wanted->count,
		.has_read_partly = true,
		.read_partly = wanted->read_partly && !leader->is_old,
	};
	struct flight *flight = NULL;
	uint32_t used = 1;

	for (int i = 0; i < FLIGHTS_MAX; i++) {
		if (leader->flights[i].is_used)
			used++;
		else
			flight = &leader->flights[i];
	}
	assert_non_null(flight);
	leader->most = used > leader->most ? used : leader->most;
	(void)snprintf(request.filename, sizeof(request.filename), "%s", wanted->name);
	*flight = (struct flight){
		.is_used = true,
		.due = leader->now + leader->rtt,
		.request = *wanted,
	};
	file_service_on_request(
		&leader->service, &request, leader->throttle, leader->now, &flight->plan);
}

/* The bytes of an answer, as a leader sends them. */
static inline void leader_read(
	struct leader *leader, const struct flight *flight, struct fetch_reply *reply)
{
	uint32_t file = leader_file(leader, flight->request.name);
	struct file_service_read read = {.size = leader->sizes[file]};
	struct get_file_response response = {0};
	const uint8_t *from = leader->contents[file] + flight->plan.offset;
	uint32_t len;

	read.error = file_service_clamp(&flight->plan, read.size, &read.bytes);
	reply->code = file_service_on_read(
		&leader->service, &flight->plan, &read, leader->now, &response);
	if (reply->code != 0)
		return;
	len = (uint32_t)read.bytes;
	leader->attachment = realloc(
		leader->attachment, FILE_SEGMENT_HEADER + file_segment_bound(len));
	assert_non_null(leader->attachment);
	reply->attachment.at = leader->attachment;
	if (len > 0 && leader->check_hole) {
		reply->attachment.left = file_segment_pack(
			leader->attachment, flight->plan.offset, from, len);
	} else if (len > 0) {
		file_segment_put_header(leader->attachment, flight->plan.offset, len);
		memcpy(leader->attachment + FILE_SEGMENT_HEADER, from, len);
		reply->attachment.left = FILE_SEGMENT_HEADER + (size_t)len;
	}
	reply->eof = response.eof;
	reply->has_read_size = !leader->is_old;
	reply->read_size = leader->is_old ? 0 : response.read_size;
	leader->bytes += len;
}

/* When the next answer arrives; NEVER: nothing is on its way. */
static inline nsec leader_deadline(const struct leader *leader)
{
	nsec due = NEVER;

	for (int i = 0; i < FLIGHTS_MAX; i++)
		if (leader->flights[i].is_used)
			due = nsec_min(due, leader->flights[i].due);
	return due;
}

/* Takes an answer that has arrived. Returns whether there was one. */
static inline bool leader_answer(
	struct leader *leader, uint32_t *call, struct fetch_reply *reply)
{
	struct flight *flight = NULL;

	for (int i = 0; i < FLIGHTS_MAX && flight == NULL; i++)
		if (leader->flights[i].is_used && leader->flights[i].due <= leader->now)
			flight = &leader->flights[i];
	if (flight == NULL)
		return false;
	flight->is_used = false;
	leader->answered++;
	*reply = (struct fetch_reply){.code = flight->plan.code};
	if (flight->plan.verdict == FILE_SERVICE_READ)
		leader_read(leader, flight, reply);
	if (leader->meddle != NULL)
		leader->meddle(leader, &flight->request, reply);
	reply->text = reply->code == 0 ? "" : flight->plan.text;
	*call = flight->request.call;
	return true;
}

static inline void leader_sleep_until(struct leader *leader, nsec deadline)
{
	if (deadline == NEVER)
		fail_msg("nothing will ever happen");
	if (deadline > leader->now)
		leader->now = deadline;
}

#endif
