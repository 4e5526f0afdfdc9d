/* SPDX-License-Identifier: BSD-3-Clause */
#include "dataplane/receiver.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#include "dataplane/base/copy.h"
#include "dataplane/crc.h"
#include "dataplane/receiver_internal.h"
#include "hugepages/pool.h"

static const bool moves[RECEIVER_FAILED + 1][RECEIVER_FAILED + 1] = {
	[RECEIVER_RUNNING] = {[RECEIVER_SUSPENDED] = true,
		[RECEIVER_DONE] = true,
		[RECEIVER_FAILED] = true},
	[RECEIVER_SUSPENDED] = {[RECEIVER_RUNNING] = true,
		[RECEIVER_DONE] = true,
		[RECEIVER_FAILED] = true},
};

void receiver_move(struct receiver *receiver, enum receiver_state to)
{
	assert(moves[receiver->state][to]);
	receiver->state = to;
	receiver->owes_close = receiver_is_over(receiver);
}

static bool is_there(const struct receiver *receiver, uint32_t chunk)
{
	const struct receiver_config *config = &receiver->config;

	return (config->manifest->leaves[chunk].flags & LEAF_ZERO) != 0 ||
	       (config->have != NULL && bitmap_test(config->have, chunk));
}

/* Takes config.slice_size into use. */
static void slice(struct receiver *receiver)
{
	const struct receiver_config *config = &receiver->config;
	uint32_t slice_power = crc32c_power(config->slice_size);

	receiver->powers[0] = crc32c_power(0);
	for (uint32_t i = 1; i < config->manifest->chunk_size / config->slice_size; i++)
		receiver->powers[i] =
			crc32c_multiply(receiver->powers[i - 1], slice_power);
}

void receiver_init(
	struct receiver *receiver, const struct receiver_config *config, nsec now)
{
	const struct manifest *manifest = config->manifest;

	memset(receiver, 0, sizeof(*receiver));
	receiver->config = *config;
	receiver->slice_max = config->slice_size;
	receiver->config.stripes = u32_max(config->stripes, 1);
	receiver->fail_chunk = UINT32_MAX;
	receiver->share = config->max_chunks;
	watch_init(&receiver->watch, now);
	receiver->last_data = now;
	receiver->pull_interval = PULL_INTERVAL_MIN;
	receiver->grant_at = NEVER;
	bucket_init(&receiver->limit, RATE_UNLIMITED, 0, now);
	slice(receiver);
	for (uint32_t chunk = config->stripe; chunk < manifest->nchunks;
		chunk += receiver->config.stripes, receiver->nchunks++) {
		if (is_there(receiver, chunk)) {
			bitmap_set(config->pulled, receiver->nchunks);
			receiver->bytes_reused += manifest_chunk_len(manifest, chunk);
		} else {
			receiver->nleft++;
		}
	}
	receiver->nunpulled = receiver->nleft;
	if (receiver->nleft == 0)
		receiver_move(receiver, RECEIVER_DONE);
}

static void drop(struct receiver *receiver, struct receiver_chunk *chunk)
{
	pool_give(receiver->config.pool, chunk->buf);
	chunk->buf = NULL;
	chunk->state = CHUNK_FREE;
}

void receiver_fini(struct receiver *receiver)
{
	for (size_t i = 0; i < RECEIVER_CHUNKS; i++) {
		assert(receiver->chunks[i].state != CHUNK_WRITING);
		if (receiver->chunks[i].state != CHUNK_FREE)
			drop(receiver, &receiver->chunks[i]);
	}
	receiver->nopen = 0;
	receiver->nwriting = 0;
}

static COLD void fail(struct receiver *receiver, int code, uint32_t chunk)
{
	if (receiver_is_over(receiver))
		return;
	receiver->code = code;
	receiver->fail_chunk = chunk;
	receiver_move(receiver, RECEIVER_FAILED);
}

void receiver_on_stall(struct receiver *receiver)
{
	fail(receiver, -ETIMEDOUT, UINT32_MAX);
}

uint32_t receiver_oldest_request(const struct receiver *receiver)
{
	uint32_t oldest = receiver->next_request;

	for (size_t i = 0; i < receiver->config.max_chunks; i++) {
		const struct receiver_chunk *chunk = &receiver->chunks[i];

		if (chunk->state == CHUNK_OPEN && (int32_t)(chunk->request - oldest) < 0)
			oldest = chunk->request;
	}
	return oldest;
}

static void ask(struct receiver *receiver, struct receiver_chunk *chunk, uint8_t flags)
{
	uint32_t number = receiver->next_request++;

	chunk->state = CHUNK_OPEN;
	chunk->request = number;
	chunk->nslices = (chunk->len + receiver->config.slice_size - 1) /
			 receiver->config.slice_size;
	chunk->ngot = 0;
	chunk->fold = 0;
	bitmap_zero(chunk->got, chunk->nslices);
	receiver->asked[number % RECEIVER_SPAN] = chunk->chunk;
	receiver->asked_flags[number % RECEIVER_SPAN] = flags;
	receiver->missing_units +=
		chunk->nslices * wire_units(receiver->config.slice_size);
	receiver->owes_pull = true;
}

static struct receiver_chunk *find_free(struct receiver *receiver)
{
	for (size_t i = 0; i < receiver->config.max_chunks; i++) {
		if (receiver->chunks[i].state == CHUNK_FREE)
			return &receiver->chunks[i];
	}
	return NULL;
}

static uint8_t *take_buffer(struct receiver *receiver)
{
	uint8_t *buf = pool_take(receiver->config.pool);

	while (buf == NULL && cache_reclaim(receiver->config.cache))
		buf = pool_take(receiver->config.pool);
	return buf;
}

static bool may_open(const struct receiver *receiver)
{
	uint32_t most = receiver->share;

	/* it may say that we had better begin elsewhere */
	if (receiver->config.first_chunks > 0 && !receiver->watch.is_heard)
		most = u32_min(most, receiver->config.first_chunks);
	return receiver->nopen + receiver->nwriting < most;
}

void receiver_set_share(struct receiver *receiver, uint32_t nchunks)
{
	receiver->share = u32_min(nchunks, receiver->config.max_chunks);
}

/* The next chunk that was never pulled, round the stripe; there is one. */
static uint32_t next_chunk(struct receiver *receiver)
{
	const uint64_t *pulled = receiver->config.pulled;
	uint32_t next =
		bitmap_next_clear(pulled, receiver->next_chunk, receiver->nchunks);

	if (next == receiver->nchunks)
		next = bitmap_next_clear(pulled, 0, receiver->nchunks);
	return next;
}

static void pull_next(struct receiver *receiver, struct receiver_chunk *chunk)
{
	uint32_t next = next_chunk(receiver);

	bitmap_set(receiver->config.pulled, next);
	receiver->nunpulled--;
	receiver->next_chunk = next + 1;
	receiver->nopen++;
	chunk->chunk = next * receiver->config.stripes + receiver->config.stripe;
	chunk->len = manifest_chunk_len(receiver->config.manifest, chunk->chunk);
	chunk->attempts = 0;
	ask(receiver, chunk, 0);
}

void receiver_ask_more(struct receiver *receiver)
{
	uint32_t oldest;

	if (receiver->nunpulled == 0 || !may_open(receiver))
		return;
	oldest = receiver_oldest_request(receiver);
	while (receiver->nunpulled > 0 && may_open(receiver) &&
		receiver->next_request - oldest < RECEIVER_SPAN) {
		struct receiver_chunk *chunk = find_free(receiver);

		if (chunk == NULL)
			return;
		chunk->buf = take_buffer(receiver);
		if (chunk->buf == NULL)
			return;
		pull_next(receiver, chunk);
	}
}

static struct receiver_chunk *find_open(struct receiver *receiver, uint32_t number)
{
	struct receiver_chunk *last = &receiver->chunks[receiver->last_slot];

	if (last->state == CHUNK_OPEN && last->chunk == number)
		return last;
	for (uint32_t i = 0; i < receiver->config.max_chunks; i++) {
		struct receiver_chunk *chunk = &receiver->chunks[i];

		if (chunk->state != CHUNK_OPEN || chunk->chunk != number)
			continue;
		receiver->last_slot = i;
		return chunk;
	}
	return NULL;
}

static uint32_t slice_len(const struct receiver *receiver,
	const struct receiver_chunk *chunk, uint32_t slice)
{
	uint32_t size = receiver->config.slice_size;

	return slice + 1 < chunk->nslices ? size : chunk->len - slice * size;
}

static uint32_t chunk_crc(
	const struct receiver *receiver, const struct receiver_chunk *chunk)
{
	uint32_t tail = slice_len(receiver, chunk, chunk->nslices - 1);

	return crc32c_multiply(chunk->fold, crc32c_power(tail)) ^ chunk->last_crc;
}

/* Every slice was right and yet the whole is wrong: the sender's copy differs from its
 * manifest. Ask for a fresh read; give up when that does not help. */
static COLD void retry(struct receiver *receiver, struct receiver_chunk *chunk)
{
	if (++chunk->attempts == RECEIVER_ATTEMPTS) {
		fail(receiver, -EBADMSG, chunk->chunk);
		return;
	}
	ask(receiver, chunk, PULL_REFRESH);
}

static void complete(struct receiver *receiver, struct receiver_chunk *chunk)
{
	const struct manifest *manifest = receiver->config.manifest;

	if (chunk_crc(receiver, chunk) != manifest->leaves[chunk->chunk].crc32c) {
		retry(receiver, chunk);
		return;
	}
	copy_publish(); /* the disk thread reads it */
	chunk->state = CHUNK_QUEUED;
	receiver->nopen--;
	receiver->nwriting++;
}

/* Copies it first: the stores drain while the check reads the same bytes again, now in
 * the cache. Until the slice is marked as got, nothing looks at its place in the chunk,
 * and what is right overwrites it. */
static bool copy_and_check(const struct receiver *receiver, struct receiver_chunk *chunk,
	const struct wire_header *header, const uint8_t *payload)
{
	size_t at = (size_t)header->slice * receiver->config.slice_size;

	copy_past_cache(chunk->buf + at, payload, header->payload_len);
	return crc32c(payload, header->payload_len) == header->payload_crc;
}

static void place(struct receiver *receiver, struct receiver_chunk *chunk,
	const struct wire_header *header)
{
	uint32_t slice = header->slice;

	if (slice + 1 < chunk->nslices)
		chunk->fold ^= crc32c_multiply(header->payload_crc,
			receiver->powers[chunk->nslices - 2 - slice]);
	else
		chunk->last_crc = header->payload_crc;
	receiver->missing_units -= wire_units(receiver->config.slice_size);
	if (++chunk->ngot == chunk->nslices)
		complete(receiver, chunk);
}

/* The sender counts in units of 64 bytes, modulo 2^32; reordering may show an older
 * count. */
static void on_sent_units(struct receiver *receiver, uint32_t low)
{
	int32_t ahead = (int32_t)(low - (uint32_t)receiver->seen_units);

	if (ahead > 0)
		receiver->seen_units += (uint32_t)ahead;
}

enum verdict receiver_on_data(struct receiver *receiver, const struct wire_header *header,
	const uint8_t *payload, nsec now)
{
	struct receiver_chunk *chunk;

	if (header->chunk >= receiver->config.manifest->nchunks)
		return CORRUPT;
	receiver_on_heard(receiver, now);
	on_sent_units(receiver, header->sent_units);
	chunk = find_open(receiver, header->chunk);
	if (receiver_is_over(receiver) || chunk == NULL ||
		(header->slice < chunk->nslices &&
			bitmap_test(chunk->got, header->slice))) {
		receiver->bytes_duplicate += header->payload_len;
		return DUPLICATE;
	}
	if (header->slice >= chunk->nslices ||
		header->payload_len != slice_len(receiver, chunk, header->slice) ||
		!copy_and_check(receiver, chunk, header, payload))
		return CORRUPT;
	receiver->last_data = now;
	receiver->pull_interval = PULL_INTERVAL_MIN;
	bitmap_set(
		chunk->got, header->slice); /* before folding: a duplicate would cancel */
	place(receiver, chunk, header);
	return ACCEPTED;
}

void receiver_on_number(struct receiver *receiver, const struct wire_header *header,
	bool is_next, nsec now)
{
	if (receiver->unacked++ == 0)
		receiver->first_unacked_at = now;
	receiver->echo_time = header->tx_time;
	receiver->newest_at = now;
	receiver->newest_waited = turns_waited(receiver->config.turns, now);
	if (!is_next || (header->flags & WIRE_ACK_NOW))
		receiver->ack_now = true;
}

enum verdict receiver_on_sign(
	struct receiver *receiver, const struct wire_header *header, nsec now)
{
	const struct receiver_config *config = &receiver->config;

	if (header->flags & WIRE_PACK) {
		if (header->chunk >= config->manifest->nchunks ||
			header->chunk % config->stripes != config->stripe)
			return CORRUPT;
		receiver->next_chunk = header->chunk / config->stripes;
	}
	receiver_on_heard(receiver, now);
	on_sent_units(receiver, header->sent_units);
	return ACCEPTED;
}

enum verdict receiver_on_close(
	struct receiver *receiver, const struct wire_close *close, nsec now)
{
	receiver_on_heard(receiver, now);
	if (receiver_is_over(receiver))
		return STALE;
	receiver->by_peer = true;
	fail(receiver, close->code == 0 ? -ECANCELED : wire_close_error(close),
		close->chunk < receiver->config.manifest->nchunks ? close->chunk
								  : UINT32_MAX);
	return ACCEPTED;
}

/* The open chunk with the lowest number that was asked for before request `before`. */
static COLD struct receiver_chunk *find_lowest(struct receiver *receiver, uint32_t before)
{
	struct receiver_chunk *lowest = NULL;

	for (uint32_t i = 0; i < receiver->config.max_chunks; i++) {
		struct receiver_chunk *chunk = &receiver->chunks[i];

		if (chunk->state == CHUNK_OPEN &&
			(int32_t)(chunk->request - before) < 0 &&
			(lowest == NULL || chunk->chunk < lowest->chunk))
			lowest = chunk;
	}
	return lowest;
}

/* What came of open chunks is forgotten, and asked for again under new numbers. */
static COLD void change_slices(struct receiver *receiver, const struct wire_probe *probe)
{
	uint32_t first = receiver->next_request;
	struct receiver_chunk *chunk;

	receiver->epoch = probe->epoch;
	receiver->config.slice_size = probe->slice_size;
	slice(receiver);
	receiver->missing_units = 0;
	while ((chunk = find_lowest(receiver, first)) != NULL)
		ask(receiver, chunk, chunk->attempts > 0 ? PULL_REFRESH : 0);
	receiver->owes_pull = true;
}

static bool is_sane(const struct receiver *receiver, const struct wire_probe *probe)
{
	return probe->slice_size >= CACHE_SLICE_MIN &&
	       probe->slice_size % WIRE_UNIT == 0 &&
	       probe->slice_size <= receiver->slice_max;
}

enum verdict receiver_on_probe(struct receiver *receiver,
	const struct wire_header *header, const struct wire_probe *probe, nsec now)
{
	uint32_t pairs = probe->unanswered / WATCH_CHANGE_AFTER;

	if (probe->epoch != receiver->epoch && probe->epoch != receiver->epoch + 1)
		return STALE;
	if (!is_sane(receiver, probe))
		return CORRUPT;
	receiver_on_heard(receiver, now);
	on_sent_units(receiver, header->sent_units);
	/* it hears nothing of us, though we hear it: the way back is broken */
	if (pairs > receiver->peer_unanswered / WATCH_CHANGE_AFTER)
		receiver->path_changes++;
	receiver->peer_unanswered = probe->unanswered;
	if (probe->epoch != receiver->epoch && !receiver_is_over(receiver))
		change_slices(receiver, probe);
	return ACCEPTED;
}

bool receiver_next_write(
	struct receiver *receiver, struct store_request *request, uint32_t *slot)
{
	if (receiver->nwriting == 0)
		return false;
	for (uint32_t i = 0; i < RECEIVER_CHUNKS; i++) {
		const struct receiver_chunk *chunk = &receiver->chunks[i];

		if (chunk->state != CHUNK_QUEUED)
			continue;
		*slot = i;
		*request = (struct store_request){
			.object = receiver->config.object,
			.op = STORE_WRITE,
			.chunk = chunk->chunk,
			.buf = chunk->buf,
		};
		return true;
	}
	return false;
}

void receiver_mark_writing(struct receiver *receiver, uint32_t slot)
{
	assert(receiver->chunks[slot].state == CHUNK_QUEUED);
	receiver->chunks[slot].state = CHUNK_WRITING;
}

void receiver_on_written(struct receiver *receiver, uint32_t slot, int error, nsec now)
{
	struct receiver_chunk *chunk = &receiver->chunks[slot];

	assert(chunk->state == CHUNK_WRITING);
	receiver->last_data = now;
	receiver->nwriting--;
	drop(receiver, chunk);
	if (error != 0) {
		fail(receiver, error, chunk->chunk);
		return;
	}
	receiver->bytes_written += chunk->len;
	if (--receiver->nleft == 0 && !receiver_is_over(receiver))
		receiver_move(receiver, RECEIVER_DONE);
}
