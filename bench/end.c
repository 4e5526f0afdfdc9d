/* SPDX-License-Identifier: BSD-3-Clause */
#include "bench/end.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <x86intrin.h>

#include "bench/sample.h"
#include "dataplane/crc.h"
#include "hugepages/hugepages.h"

#define TURN_MAX (200 * USEC) /* two bursts take a fifth of it */

static void give_up(const char *what)
{
	(void)fprintf(stderr, "bench: %s\n", what);
	exit(EX_OSERR);
}

void end_plan_init(struct end_plan *plan, uint32_t chunks)
{
	uint64_t size = (uint64_t)chunks * MANIFEST_CHUNK_DEFAULT;
	struct manifest *manifest = &plan->manifest;
	size_t memory = pool_memory(END_BUFFERS, MANIFEST_CHUNK_DEFAULT);

	*plan = (struct end_plan){.cc = CC_FIXED,
		.window = WIRE_ACK_BITS,
		.generation = 1,
		.memory = {malloc(memory), malloc(memory)}};
	if (plan->memory[0] == NULL || plan->memory[1] == NULL)
		give_up("no memory for chunk buffers");
	for (int i = 0; i < 2; i++) /* as eal.c does */
		(void)hugepages_advise(plan->memory[i], memory, -1, 0);
	plan->content = malloc(MANIFEST_CHUNK_DEFAULT);
	if (plan->content == NULL ||
		manifest_init(manifest, MANIFEST_CHUNK_DEFAULT, NULL) != 0 ||
		manifest_add(manifest, "file", size, 0644, NULL) != 0 ||
		manifest_layout(manifest, NULL) != 0)
		give_up("no memory for the manifest");
	for (uint32_t i = 0; i < MANIFEST_CHUNK_DEFAULT; i++)
		plan->content[i] = (uint8_t)(i * 2654435761u >> 13);
	for (uint32_t i = 0; i < chunks; i++)
		manifest->leaves[i] =
			manifest_leaf_of(plan->content, MANIFEST_CHUNK_DEFAULT);
}

void end_plan_fini(struct end_plan *plan)
{
	manifest_fini(&plan->manifest);
	free(plan->content);
	free(plan->memory[0]);
	free(plan->memory[1]);
}

/* The CRCs of the first read serve all: the bytes are the same. */
static void read_chunk(struct end *end, const struct store_request *request)
{
	size_t at = (size_t)(request->buf - end->pool.buffers) / end->pool.step;
	uint32_t slice = request->slice_size;
	uint32_t count = (MANIFEST_CHUNK_DEFAULT + slice - 1) / slice;

	if (!end->is_filled[at])
		memcpy(request->buf, end->plan->content, MANIFEST_CHUNK_DEFAULT);
	end->is_filled[at] = true;
	memcpy(request->slice_crc, end->slice_crc, count * sizeof(end->slice_crc[0]));
}

static bool disk_submit(void *self, const struct store_request *request)
{
	uint64_t start = __rdtsc();
	struct end *end = self;

	if (end->ndone == END_REQUESTS)
		return false;
	if (request->op == STORE_READ)
		read_chunk(end, request);
	end->done[end->ndone++] = (struct store_completion){.cookie = request->cookie};
	end->foreign += __rdtsc() - start;
	return true;
}

static int disk_poll(void *self, struct store_completion completions[], int max)
{
	struct end *end = self;
	int count = 0;

	while (count < max && end->ndone > 0)
		completions[count++] = end->done[--end->ndone];
	return count;
}

static const struct store_ops disk_ops = {disk_submit, disk_poll};

static void on_report(void *ctx, const struct transfer_report *report)
{
	struct end *end = ctx;

	if (report->event == REPORT_DONE || report->event == REPORT_FAILED)
		end->has_ended = true;
	if (report->event == REPORT_FAILED)
		end->code = report->code;
}

static void open_worker(struct end *end, int number)
{
	struct worker_config config = {
		.nic = &end->nic,
		.store = &end->store,
		.pool = &end->pool,
		.nbuffers = END_BUFFERS,
		.ip = IP_V4(10, 0, 0, (uint8_t)(1 + number)),
		.prefix_len = 24,
		.port = END_PORT,
		.cc = end->plan->cc,
		.report = on_report,
		.report_ctx = end,
	};

	if (worker_init(&end->worker, &config) != 0)
		give_up("no memory for a worker");
}

static void open_session(struct end *end, int number, uint32_t slice_size)
{
	struct transfer_session params = {
		.role = number == 0 ? TRANSFER_SEND : TRANSFER_RECEIVE,
		.session_id = session_make_id((uint32_t)number, end->plan->generation),
		.peer_session_id =
			session_make_id((uint32_t)(1 - number), end->plan->generation),
		.peer_ip = IP_V4(10, 0, 0, (uint8_t)(2 - number)),
		.peer_port = END_PORT,
		.slice_size = slice_size,
		.manifest = &end->plan->manifest,
		.object = (struct store_object *)end, /* a name, never followed */
	};

	if (session_create(&end->session, &params, end->plan->window, 10 * SEC) != 0)
		give_up("no memory for a session");
}

static void sum_slices(struct end *end, uint32_t slice_size)
{
	uint32_t at = 0;

	if (slice_size < CACHE_SLICE_MIN || slice_size > WIRE_SLICE_MAX ||
		slice_size % WIRE_UNIT != 0)
		give_up("a slice has 1024 to 8192 bytes, a multiple of 64");
	for (size_t i = 0; i < ARRAY_LEN(end->slice_crc) && at < MANIFEST_CHUNK_DEFAULT;
		i++) {
		end->slice_crc[i] = crc32c(end->plan->content + at,
			u32_min(slice_size, MANIFEST_CHUNK_DEFAULT - at));
		at += slice_size;
	}
}

struct end *end_open(const struct end_plan *plan, int number, uint32_t slice_size)
{
	struct end *end = aligned_alloc(64, (sizeof(*end) + 63) / 64 * 64);
	size_t memory = pool_memory(END_BUFFERS, MANIFEST_CHUNK_DEFAULT);

	if (end == NULL)
		give_up("no memory for an end");
	memset(end, 0, sizeof(*end));
	end->plan = plan;
	end->too_long = (uint64_t)(sample_tsc_hz() * TURN_MAX / SEC);
	end->store = (struct store){&disk_ops, end};
	/* its pages are there before the clock starts */
	memset(plan->memory[number], 0, memory);
	arena_init(&end->arena, plan->memory[number], memory);
	if (pool_init(&end->pool, &end->arena, END_BUFFERS, MANIFEST_CHUNK_DEFAULT) != 0)
		give_up("no room for chunk buffers");
	sum_slices(end, slice_size);
	open_worker(end, number);
	open_session(end, number, slice_size);
	return end;
}

void end_start(struct end *end)
{
	worker_add(&end->worker, end->session, sample_clock());
}

bool end_turn(struct end *end)
{
	nsec now = sample_clock();
	uint64_t start = __rdtsc();
	uint64_t foreign = end->foreign;
	uint64_t ticks;

	if (!worker_run(&end->worker, now))
		return false;
	ticks = __rdtsc() - start - (end->foreign - foreign);
	end->busy += ticks;
	end->turns++;
	if (ticks > end->too_long) {
		end->taken += ticks;
		end->ntaken++;
	}
	return true;
}

double end_ticks(const struct end *end)
{
	double own = (double)(end->busy - end->taken);

	if (end->turns == end->ntaken)
		return (double)end->busy;
	return own * (double)end->turns / (double)(end->turns - end->ntaken);
}

uint64_t end_data(const struct nic_tx frames[], int count)
{
	uint64_t packets = 0;

	for (int i = 0; i < count; i++)
		packets += frames[i].payload_len != 0;
	return packets;
}

uint64_t end_bytes_done(const struct end *end)
{
	return atomic_load(&end->session->counters.bytes_done);
}

void end_close(struct end *end)
{
	worker_fini(&end->worker);
	session_destroy(end->session);
	free(end);
}
