/* SPDX-License-Identifier: BSD-3-Clause */
/* The requests of a sender: numbered by the receiver's PULLs, filled from the cache. */
#include <assert.h>
#include <errno.h>

#include "dataplane/crc.h"
#include "dataplane/sender.h"
#include "dataplane/sender_internal.h"

#define PLACE_INTERVAL (5 * MSEC)

void sender_finish_request(struct sender *sender, struct sender_request *request)
{
	struct cache *cache = sender->config.cache;

	if (request->block != NULL) {
		if (pack_is_alone(&cache->pack, &sender->member))
			cache_put_last(cache, request->block);
		else
			cache_put(cache, request->block);
		sender->nblocks--;
	}
	request->block = NULL;
	request->state = REQUEST_FREE;
	while (sender->oldest_request != sender->next_request &&
		sender_find_request(sender, sender->oldest_request) == NULL)
		sender->oldest_request++;
}

static void want(struct sender *sender, uint32_t chunk, uint8_t flags)
{
	uint32_t number = sender->next_request++;
	struct sender_request *request = &sender->requests[number % SENDER_REQUESTS];
	uint32_t slice_size = sender->config.slice_size;

	assert(request->state == REQUEST_FREE);
	request->state = REQUEST_WANTED;
	request->number = number;
	request->chunk = chunk;
	request->flags = flags;
	request->len = manifest_chunk_len(sender->config.manifest, chunk);
	request->nslices = (request->len + slice_size - 1) / slice_size;
	request->next_slice = 0;
	request->nacked = 0;
	bitmap_zero(request->acked, request->nslices);
}

static bool is_sane(const struct sender *sender, const struct wire_pull *pull)
{
	uint64_t stripes = sender->config.stripes;
	uint64_t total = 0;

	for (uint32_t i = 0; i < pull->nruns; i++) {
		const struct wire_run *run = &pull->runs[i];
		uint64_t beyond = run->count == 0 ? 0 : (run->count - 1) * stripes + 1;

		if (run->first + beyond > sender->config.manifest->nchunks ||
			run->first % stripes != sender->config.stripe)
			return false;
		total += run->count;
	}
	/* a receiver never has more open than there are slots, and repeats all that are
	 * open */
	return total <= SENDER_REQUESTS &&
	       (sender->is_switching ||
		       (int32_t)(pull->first_request - sender->next_request) <= 0);
}

/* The receiver has taken the new slice size, and asks anew for all that is open. */
static COLD void begin_epoch(struct sender *sender, const struct wire_pull *pull)
{
	sender->is_switching = false;
	sender->inflight.probes = 0;
	sender->next_request = pull->first_request;
	sender->oldest_request = pull->first_request;
	sender->first_unsent = pull->first_request;
}

enum verdict sender_on_pull(
	struct sender *sender, const struct wire_pull *pull, uint8_t flags, nsec now)
{
	uint32_t number = pull->first_request;

	if (!is_sane(sender, pull))
		return CORRUPT;
	sender_on_heard(sender, now);
	if (pull->credit > sender->credit)
		sender->credit = pull->credit;
	if (sender_is_over(sender)) {
		sender->owes_close = sender->state == SENDER_FAILED;
		return STALE;
	}
	if (sender->is_switching)
		begin_epoch(sender, pull);
	for (uint32_t i = 0; i < pull->nruns; i++) {
		const struct wire_run *run = &pull->runs[i];

		for (uint32_t k = 0; k < run->count; k++, number++) {
			if (number != sender->next_request)
				continue;
			if (number - sender->oldest_request >= SENDER_REQUESTS)
				return ACCEPTED; /* the rest comes again with the next
						    PULL */
			want(sender, run->first + k * sender->config.stripes, run->flags);
		}
	}
	if (flags & WIRE_ACK_NOW)
		sender->owes_sign = true;
	return ACCEPTED;
}

/* A chunk that did not verify at the receiver was read again: if it is the disk that is
 * wrong, say so instead of sending the same bytes once more. */
static COLD bool is_rotten(
	const struct sender *sender, const struct sender_request *request)
{
	const struct manifest *manifest = sender->config.manifest;
	uint32_t len = manifest_chunk_len(manifest, request->chunk);

	return crc32c(request->block->buf, len) !=
	       manifest->leaves[request->chunk].crc32c;
}

static bool has_cached(const struct sender *sender, const struct sender_request *request)
{
	const struct sender_config *config = &sender->config;

	return cache_has(
		config->cache, config->object, request->chunk, config->slice_size);
}

/* A receiver may take the chunks in any order: one that comes later, or was left behind,
 * shall go on where others are, and take at the end what it has missed. */
static void tell_place(struct sender *sender, nsec now)
{
	if (sender->place_told != 0 && now - sender->place_told < PLACE_INTERVAL)
		return;
	sender->owes_place = pack_find(
		&sender->config.cache->pack, &sender->member, now, &sender->pack_chunk);
	if (sender->owes_place)
		sender->place_told = now;
}

/* One who waits for a disk keeps it busy with many reads. Copies are made one at a time
 * whatever we ask for, and of a few only is the last one still in the CPU's cache when it
 * is sent. */
static bool may_hold_more(const struct sender *sender)
{
	if (sender->config.cache->is_warm && sender->nahead >= SENDER_AHEAD_WARM)
		return false;
	return sender->nblocks <
	       SENDER_READAHEAD + (sender_window(sender) >> sender->slices_shift);
}

/* Others may have to be waited for. */
static bool may_read(
	struct sender *sender, const struct sender_request *request, nsec now)
{
	struct cache *cache = sender->config.cache;
	const struct pack_room room = cache_room(cache);

	sender->is_waiting = !pack_may_read(&cache->pack, &sender->member, &room,
		request->number == sender->first_unsent, now);
	return !sender->is_waiting;
}

/* What is cached is free to take. */
static void take(struct sender *sender, struct sender_request *request, nsec now)
{
	const struct sender_config *config = &sender->config;
	struct pack_block taken = {
		.chunk = request->chunk, .was_cached = has_cached(sender, request)};
	struct pack_room room;

	if (!taken.was_cached && !may_read(sender, request, now))
		return;
	request->block = cache_get(config->cache, config->object, request->chunk,
		config->slice_size, request->flags & PULL_REFRESH);
	if (request->block == NULL)
		return;
	sender->nblocks++;
	request->state = REQUEST_LOADING;
	room = cache_room(config->cache);
	taken.number = request->block->number;
	pack_took(&sender->member, &room, &taken);
	tell_place(sender, now);
}

/* Moves a request towards SENDING. Returns false when the sender failed over it. */
static bool prepare(struct sender *sender, struct sender_request *request, nsec now)
{
	if (request->state == REQUEST_WANTED && !sender->is_waiting &&
		may_hold_more(sender))
		take(sender, request, now);
	if (request->state != REQUEST_LOADING)
		return true;
	if (request->block->state == BLOCK_FAILED) {
		sender_fail(sender, request->block->error, request->chunk);
		return false;
	}
	if (request->block->state == BLOCK_READY) {
		if ((request->flags & PULL_REFRESH) && is_rotten(sender, request)) {
			sender_fail(sender, -EBADMSG, request->chunk);
			return false;
		}
		request->state = REQUEST_SENDING;
	}
	return true;
}

/* Requests before it are free, or entirely out. */
static void advance(struct sender *sender)
{
	if ((int32_t)(sender->first_unsent - sender->oldest_request) < 0)
		sender->first_unsent = sender->oldest_request;
	for (; sender->first_unsent != sender->next_request; sender->first_unsent++) {
		const struct sender_request *request =
			sender_find_request(sender, sender->first_unsent);

		if (request != NULL && (request->state != REQUEST_SENDING ||
					       request->next_slice < request->nslices))
			return;
	}
}

void sender_prepare_requests(struct sender *sender, nsec now)
{
	advance(sender);
	sender->is_waiting = false;
	sender->nahead = 0;
	for (uint32_t n = sender->first_unsent; n != sender->next_request; n++) {
		struct sender_request *request = sender_find_request(sender, n);

		if (request != NULL && request->state < REQUEST_SENDING &&
			!prepare(sender, request, now))
			return;
		if (request != NULL && request->block != NULL)
			sender->nahead++;
	}
}

COLD void sender_rewind(struct sender *sender)
{
	sender->nresend = 0; /* what is not acknowledged goes out anew */
	sender->first_unsent = sender->oldest_request;
	for (size_t i = 0; i < SENDER_REQUESTS; i++) {
		struct sender_request *request = &sender->requests[i];

		if (request->block == NULL)
			continue;
		cache_put(sender->config.cache, request->block);
		sender->nblocks--;
		request->block = NULL;
		request->state = REQUEST_WANTED;
		request->next_slice = 0;
	}
}

COLD void sender_set_paused(struct sender *sender, bool is_paused)
{
	if (sender->is_paused == is_paused)
		return;
	sender->is_paused = is_paused;
	sender->member.is_away = is_paused || sender->state == SENDER_SUSPENDED;
	sender->nstuck = 0;
	sender_rewind(sender);
}
