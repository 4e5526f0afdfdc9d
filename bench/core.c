/* SPDX-License-Identifier: BSD-3-Clause */
/* Cycles a packet of the pure core: two workers, a link in memory, no NIC, no disk.
 *
 *   sender's worker ─► [frames in memory] ─► receiver's worker
 *
 * What the link and the disk cost is measured and taken off, so that what remains is
 * ours: the sender's protocol, framing and MAC; the receiver's parsing, MAC, CRC and
 * copy. Idle turns are not counted. CRC-32C and memcpy over the same bytes stand beside
 * it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <x86intrin.h>

#include "dataplane/crc.h"
#include "dataplane/worker.h"
#include "hugepages/arena.h"
#include "hugepages/pool.h"

enum {
	CHUNKS = 512,
	BUFFERS = 64,
	LINK_FRAMES = 512,
	FRAME_MAX = 9216,
	REQUESTS = 128,
	REPEATS = 5,
};

struct frame {
	uint32_t len;
	uint8_t bytes[FRAME_MAX];
};

struct link {
	uint32_t head;
	uint32_t tail;
	struct frame frames[LINK_FRAMES];
};

struct end {
	struct worker worker;
	struct nic nic;
	struct store store;
	struct arena arena;
	struct pool pool;
	void *memory;
	struct link *out;
	struct link *in;
	struct session *session;
	struct store_completion done[REQUESTS];
	uint32_t ndone;
	bool has_ended;
	uint64_t foreign; /* cycles spent in link and disk */
	uint64_t cycles;  /* of busy turns, foreign ones taken off */
	uint64_t packets; /* data packets */
};

static const uint8_t *content; /* one chunk: every chunk is the same */
static struct manifest manifest;

static int link_tx(void *self, const struct nic_tx frames[], int count)
{
	uint64_t start = __rdtsc();
	struct end *end = self;
	struct link *link = end->out;
	int taken = 0;

	for (; taken < count && link->head - link->tail < LINK_FRAMES; taken++) {
		struct frame *frame = &link->frames[link->head++ % LINK_FRAMES];
		const struct nic_tx *tx = &frames[taken];

		frame->len = tx->head_len + tx->payload_len;
		memcpy(frame->bytes, tx->head, tx->head_len);
		memcpy(frame->bytes + tx->head_len, tx->payload, tx->payload_len);
		end->packets += tx->payload_len != 0;
	}
	end->foreign += __rdtsc() - start;
	return taken;
}

static int link_rx(void *self, struct nic_rx frames[], int max)
{
	struct end *end = self;
	struct link *link = end->in;
	int count = 0;

	for (; count < max && link->tail + (uint32_t)count != link->head; count++) {
		struct frame *frame =
			&link->frames[(link->tail + (uint32_t)count) % LINK_FRAMES];

		frames[count] = (struct nic_rx){frame->bytes, frame->len, frame};
	}
	return count;
}

static void link_release(void *self, struct nic_rx frames[], int count)
{
	struct end *end = self;

	(void)frames;
	end->in->tail += (uint32_t)count;
}

static const struct nic_ops link_ops = {link_rx, link_release, link_tx};

static bool disk_submit(void *self, const struct store_request *request)
{
	uint64_t start = __rdtsc();
	struct end *end = self;
	uint32_t len = manifest_chunk_len(&manifest, request->chunk);

	if (end->ndone == REQUESTS)
		return false;
	if (request->op == STORE_READ) {
		memcpy(request->buf, content, len);
		for (uint32_t at = 0, i = 0; at < len; at += request->slice_size, i++)
			request->slice_crc[i] = crc32c(request->buf + at,
				u32_min(request->slice_size, len - at));
	}
	end->done[end->ndone++] = (struct store_completion){request->cookie, 0};
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

	(void)report;
	end->has_ended = true;
}

static void open_end(struct end *end, int number, uint32_t slice_size)
{
	size_t memory = pool_memory(BUFFERS, manifest.chunk_size);
	struct worker_config config = {
		.nic = &end->nic,
		.store = &end->store,
		.pool = &end->pool,
		.nbuffers = BUFFERS,
		.ip = IP_V4(10, 0, 0, (uint8_t)(1 + number)),
		.prefix_len = 24,
		.port = 4791,
		.report = on_report,
		.report_ctx = end,
	};
	struct transfer_session params = {
		.role = number == 0 ? TRANSFER_SEND : TRANSFER_RECEIVE,
		.session_id = session_make_id((uint32_t)number, 1),
		.peer_session_id = session_make_id((uint32_t)(1 - number), 1),
		.peer_ip = IP_V4(10, 0, 0, (uint8_t)(2 - number)),
		.peer_port = 4791,
		.slice_size = slice_size,
		.manifest = &manifest,
		.object = (struct store_object *)end, /* a name, never followed */
	};

	end->nic = (struct nic){&link_ops, end, {2, 0, 0, 0, 0, (uint8_t)number}, 9000};
	end->store = (struct store){&disk_ops, end};
	end->memory = malloc(memory);
	arena_init(&end->arena, end->memory, memory);
	if (pool_init(&end->pool, &end->arena, BUFFERS, manifest.chunk_size) != 0 ||
		worker_init(&end->worker, &config) != 0 ||
		session_create(&end->session, &params, WIRE_ACK_BITS, 10 * SEC) != 0)
		exit(1);
}

static nsec clock_now(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (nsec)now.tv_sec * SEC + now.tv_nsec;
}

static void turn(struct end *end)
{
	nsec now = clock_now();
	uint64_t start = __rdtsc();
	uint64_t foreign = end->foreign;

	if (worker_run(&end->worker, now))
		end->cycles += __rdtsc() - start - (end->foreign - foreign);
}

struct result {
	double sender;
	double receiver;
};

static struct result run(uint32_t slice_size)
{
	struct end *ends = calloc(2, sizeof(*ends));
	struct link *links = calloc(2, sizeof(*links));
	struct result result;

	for (int i = 0; i < 2; i++) {
		open_end(&ends[i], i, slice_size);
		ends[i].out = &links[i];
		ends[i].in = &links[1 - i];
		worker_add(&ends[i].worker, ends[i].session, clock_now());
	}
	while (!ends[1].has_ended) {
		turn(&ends[0]);
		turn(&ends[1]);
	}
	result.sender = (double)ends[0].cycles / (double)ends[0].packets;
	result.receiver = (double)ends[1].cycles / (double)ends[0].packets;
	for (int i = 0; i < 2; i++) {
		worker_fini(&ends[i].worker);
		session_destroy(ends[i].session);
		free(ends[i].memory);
	}
	free(links);
	free(ends);
	return result;
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a;
	double y = *(const double *)b;

	return (x > y) - (x < y);
}

static double median(double values[static REPEATS])
{
	qsort(values, REPEATS, sizeof(values[0]), compare);
	return values[REPEATS / 2];
}

static void print_core(uint32_t slice_size)
{
	double sender[REPEATS];
	double receiver[REPEATS];

	(void)run(slice_size); /* warm up */
	for (int i = 0; i < REPEATS; i++) {
		struct result result = run(slice_size);

		sender[i] = result.sender;
		receiver[i] = result.receiver;
	}
	(void)printf("%8u %18.0f %20.0f\n", slice_size, median(sender), median(receiver));
}

/* Bytes a cycle over a chunk in slices: the data is warm, as it is behind a NIC. */
static double speed(
	uint32_t slice_size, uint32_t (*checksum)(uint32_t, const uint8_t *, size_t))
{
	static uint8_t copy[WIRE_SLICE_MAX];
	volatile uint32_t sink = 0;
	uint64_t start = __rdtsc();
	uint64_t bytes = 0;

	for (int round = 0; round < 20000; round++) {
		const uint8_t *slice = content + (size_t)(round % 8) * slice_size;

		if (checksum != NULL)
			sink ^= checksum(0, slice, slice_size);
		else
			memcpy(copy, slice, slice_size);
		__asm__ volatile("" : : "r"(copy) : "memory");
		bytes += slice_size;
	}
	return (double)bytes / (double)(__rdtsc() - start);
}

int main(void)
{
	static const uint32_t slices[] = {1408, 4032, 8192};
	uint8_t *bytes = malloc(MANIFEST_CHUNK_DEFAULT);

	if (bytes == NULL ||
		manifest_init(&manifest, MANIFEST_CHUNK_DEFAULT, NULL) != 0 ||
		manifest_add(&manifest, "file", (uint64_t)CHUNKS * MANIFEST_CHUNK_DEFAULT,
			0644, NULL) != 0 ||
		manifest_layout(&manifest, NULL) != 0)
		return 1;
	for (uint32_t i = 0; i < MANIFEST_CHUNK_DEFAULT; i++)
		bytes[i] = (uint8_t)(i * 2654435761u >> 13);
	content = bytes;
	for (uint32_t i = 0; i < CHUNKS; i++)
		manifest.leaves[i] = manifest_leaf_of(bytes, MANIFEST_CHUNK_DEFAULT);
	(void)printf("cycles a packet, busy turns only, link and disk taken off\n"
		     "%8s %18s %20s\n",
		"slice", "sender", "receiver (CRC+copy)");
	for (size_t i = 0; i < ARRAY_LEN(slices); i++)
		print_core(slices[i]);
	(void)printf("\nbytes a cycle, warm\n%8s %18s %20s %10s\n", "slice",
		"CRC-32C ISA-L", "CRC-32C base", "memcpy");
	for (size_t i = 0; i < ARRAY_LEN(slices); i++)
		(void)printf("%8u %18.2f %20.2f %10.2f\n", slices[i],
			speed(slices[i], crc32c_extend),
			speed(slices[i], crc32c_extend_base), speed(slices[i], NULL));
	manifest_fini(&manifest);
	free(bytes);
	return 0;
}
