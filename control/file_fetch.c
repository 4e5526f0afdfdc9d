/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/file_fetch.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "dataplane/base/bitmap.h"

enum {
	ERESPONSE = 2002,  /* brpc's: an answer that makes no sense */
	WRITE_BUFFERS = 3, /* chunks being written, beside those being filled */
};

/* Notes what need not be fetched. */
static void note_there(struct file_fetch *fetch)
{
	const struct manifest *manifest = fetch->options.manifest;
	const uint64_t *have = fetch->options.have;

	for (uint32_t i = 0; i < manifest->nchunks; i++) {
		bool zero = (manifest->leaves[i].flags & LEAF_ZERO) != 0;

		if (!zero && (have == NULL || !bitmap_test(have, i))) {
			fetch->left++;
			continue;
		}
		bitmap_set(fetch->there, i);
		fetch->stats.bytes_reused += manifest_chunk_len(manifest, i);
	}
}

int file_fetch_init(struct file_fetch *fetch, const struct file_fetch_options *options,
	const struct fetch_policy *policy)
{
	const struct manifest *manifest = options->manifest;
	uint64_t ahead;

	assert(options->depth <= FILE_FETCH_DEPTH_MAX && policy->max_count > 0);
	memset(fetch, 0, sizeof(*fetch));
	fetch->options = *options;
	fetch->policy = *policy;
	fetch->ncalls = options->depth > 0 ? options->depth : 1;
	ahead = (uint64_t)fetch->ncalls *
		u64_min(policy->max_count, manifest->chunk_size);
	fetch->nchunks = (uint32_t)(ahead / manifest->chunk_size) + WRITE_BUFFERS;
	fetch->nchunks = u32_min(fetch->nchunks, manifest->nchunks + 1);
	fetch->chunks = calloc(fetch->nchunks, sizeof(*fetch->chunks));
	fetch->calls = calloc(fetch->ncalls, sizeof(*fetch->calls));
	fetch->there = calloc(BITMAP_WORDS(manifest->nchunks) + 1, sizeof(*fetch->there));
	fetch->memory = malloc((size_t)fetch->nchunks * manifest->chunk_size);
	if (fetch->chunks == NULL || fetch->calls == NULL || fetch->there == NULL ||
		fetch->memory == NULL) {
		file_fetch_fini(fetch, 0);
		return -ENOMEM;
	}
	for (uint32_t i = 0; i < fetch->nchunks; i++)
		fetch->chunks[i].buf = fetch->memory + (size_t)i * manifest->chunk_size;
	note_there(fetch);
	fetch->state = fetch->left == 0 ? FETCH_DONE : FETCH_RUNNING;
	return 0;
}

void file_fetch_fini(struct file_fetch *fetch, nsec now)
{
	for (uint32_t i = 0; fetch->calls != NULL && i < fetch->ncalls; i++)
		fetch_call_abandon(&fetch->calls[i].call, now);
	free(fetch->memory);
	free(fetch->there);
	free(fetch->calls);
	free(fetch->chunks);
	memset(fetch, 0, sizeof(*fetch));
}

/* ---- what to ask for next -----------------------------------------------------------
 */

/* Makes the next extent the one to ask for. Returns whether there is one. */
static bool advance(struct file_fetch *fetch, struct file_fetch_chunk *slot)
{
	if (slot->extent.len > 0)
		return true;
	if (manifest_next_extent(fetch->options.manifest, &slot->cursor, &slot->extent))
		return true;
	slot->extent.len = 0;
	return false;
}

static void begin_chunk(struct file_fetch *fetch, struct file_fetch_chunk *slot)
{
	slot->state = FILE_FETCH_FILLING;
	slot->filled = 0;
	slot->extent.len = 0;
	manifest_extents(fetch->options.manifest, slot->chunk, &slot->cursor);
}

/* The chunk to ask from: the first one that is not asked for in full, else a new one.
 * NULL when there is none, or no buffer for it. */
static struct file_fetch_chunk *pick_chunk(struct file_fetch *fetch)
{
	const struct manifest *manifest = fetch->options.manifest;
	struct file_fetch_chunk *first = NULL;
	struct file_fetch_chunk *room = NULL;

	for (uint32_t i = 0; i < fetch->nchunks; i++) {
		struct file_fetch_chunk *slot = &fetch->chunks[i];

		if (slot->state == FILE_FETCH_FREE)
			room = slot;
		else if (slot->state == FILE_FETCH_FILLING && advance(fetch, slot) &&
			 (first == NULL || slot->chunk < first->chunk))
			first = slot;
	}
	fetch->next_chunk =
		bitmap_next_clear(fetch->there, fetch->next_chunk, manifest->nchunks);
	if (first != NULL || room == NULL || fetch->next_chunk == manifest->nchunks)
		return first;
	room->chunk = fetch->next_chunk++;
	room->len = manifest_chunk_len(manifest, room->chunk);
	room->tries = 0;
	begin_chunk(fetch, room);
	return advance(fetch, room) ? room : NULL;
}

/* What a stock leader must be asked before it gives bytes of the extent. Returns whether
 * there is such a thing. */
static bool cut_detour(struct file_fetch *fetch, struct file_fetch_call *call,
	const struct manifest_extent *extent)
{
	struct manifest_extent piece = {.len = 1};

	if (fetch->options.depth > 0 ||
		(fetch->is_entered && fetch->entered == extent->file))
		return false;
	if (fetch->is_entered && !fetch->is_at_end) {
		call->kind = FILE_FETCH_LEAVE;
		piece.file = fetch->entered;
		piece.file_offset = fetch->options.manifest->files[piece.file].size;
	} else if (extent->file_offset != 0) {
		call->kind = FILE_FETCH_ENTER;
		piece.file = extent->file;
	} else {
		return false;
	}
	call->piece = piece;
	return true;
}

/* Gives an idle call something to do. */
static bool cut(struct file_fetch *fetch, struct file_fetch_call *call)
{
	struct file_fetch_chunk *slot = pick_chunk(fetch);
	uint32_t len;

	if (slot == NULL)
		return false;
	if (cut_detour(fetch, call, &slot->extent))
		return true;
	len = u32_min(slot->extent.len, fetch->policy.max_count);
	call->kind = FILE_FETCH_DATA;
	call->chunk = slot;
	call->piece = slot->extent;
	call->piece.len = len;
	slot->extent.len -= len;
	slot->extent.chunk_offset += len;
	slot->extent.file_offset += len;
	return true;
}

bool file_fetch_poll(struct file_fetch *fetch, nsec now, struct fetch_request *request)
{
	const struct manifest *manifest = fetch->options.manifest;

	for (uint32_t i = 0; fetch->state == FETCH_RUNNING && i < fetch->ncalls; i++) {
		struct file_fetch_call *call = &fetch->calls[i];
		uint64_t count;

		if (call->call.state == FETCH_CALL_SENT)
			continue;
		/* another call may be due, though there is nothing new to ask for */
		if (call->kind == FILE_FETCH_IDLE && !cut(fetch, call))
			continue;
		count = fetch_call_begin(&call->call, &fetch->policy,
			u32_min(call->piece.len, fetch->policy.max_count), now);
		if (count == 0)
			continue;
		call->request = (struct fetch_request){
			.call = i,
			.name = manifest->files[call->piece.file].name,
			.offset = call->piece.file_offset,
			.count = count,
			.read_partly = fetch->policy.read_partly,
			.timeout = fetch->policy.timeout,
		};
		*request = call->request;
		return true;
	}
	return false;
}

nsec file_fetch_deadline(const struct file_fetch *fetch)
{
	nsec deadline = NEVER;

	for (uint32_t i = 0; fetch->state == FETCH_RUNNING && i < fetch->ncalls; i++)
		deadline = nsec_min(deadline, fetch_call_deadline(&fetch->calls[i].call));
	return deadline;
}

/* ---- answers ------------------------------------------------------------------------
 */

static void fail(struct file_fetch *fetch, const struct fetch_request *request, int code,
	const char *why)
{
	char quoted[NAME_QUOTED];

	fetch->state = FETCH_FAILED;
	(void)fault_set(&fetch->fault, code,
		"the leader does not serve \"%s\" at offset %llu: %s",
		name_quote(quoted, sizeof(quoted), request->name),
		(unsigned long long)request->offset, why);
}

/* Bytes land in the chunk, holes become zeros. */
static void place(const struct file_fetch_call *call,
	const struct file_segment_cursor *attachment, uint64_t len)
{
	struct file_segment_cursor cursor = *attachment;
	uint8_t *to = call->chunk->buf + call->piece.chunk_offset;
	struct file_segment segment;
	uint64_t at = 0;

	while (file_segment_next(&cursor, &segment) == 0) {
		uint64_t from = segment.offset - call->piece.file_offset;

		memset(to + at, 0, from - at);
		memcpy(to + from, segment.bytes, segment.len);
		at = from + segment.len;
	}
	memset(to + at, 0, len - at);
}

static void check_chunk(struct file_fetch *fetch, struct file_fetch_chunk *slot)
{
	const struct manifest *manifest = fetch->options.manifest;
	const struct manifest_leaf *leaf = &manifest->leaves[slot->chunk];
	struct manifest_leaf got = manifest_leaf_of(slot->buf, slot->len);
	struct manifest_cursor cursor;
	struct manifest_extent extent = {0};
	char quoted[NAME_QUOTED];

	if (got.crc32c == leaf->crc32c && got.crc64 == leaf->crc64) {
		slot->state = FILE_FETCH_SOUND;
		return;
	}
	fetch->stats.bytes_resent += slot->len;
	if (++slot->tries < FILE_FETCH_TRIES) {
		begin_chunk(fetch, slot);
		return;
	}
	manifest_extents(manifest, slot->chunk, &cursor);
	(void)manifest_next_extent(manifest, &cursor, &extent);
	fetch->state = FETCH_FAILED;
	(void)fault_set(&fetch->fault, -EBADMSG,
		"chunk %u (\"%s\" at offset %llu) came %d times with a wrong checksum: "
		"the leader's snapshot is damaged; check it with `snapline snapshot "
		"verify` and make a new one",
		slot->chunk,
		name_quote(quoted, sizeof(quoted), manifest->files[extent.file].name),
		(unsigned long long)extent.file_offset, FILE_FETCH_TRIES);
}

/* The leader's file ends where the manifest says. */
static bool check_end(struct file_fetch *fetch, const struct file_fetch_call *call,
	const struct fetch_reply *reply, uint64_t end)
{
	uint64_t size = fetch->options.manifest->files[call->piece.file].size;

	if (reply->eof ? end < size : end >= size) {
		fail(fetch, &call->request, -EBADMSG,
			reply->eof ? "the file is shorter than its manifest says; make a "
				     "new snapshot"
				   : "the file is longer than its manifest says; make a "
				     "new snapshot");
		return false;
	}
	fetch->is_entered = true;
	fetch->entered = call->piece.file;
	fetch->is_at_end = reply->eof;
	return true;
}

static void take(struct file_fetch *fetch, struct file_fetch_call *call,
	const struct fetch_reply *reply, uint64_t len)
{
	struct manifest_extent *piece = &call->piece;

	/* an old peer that skips holes does not say how long the last one is */
	if (reply->eof && !reply->has_read_size)
		len = call->request.count;
	if (!check_end(fetch, call, reply, piece->file_offset + len))
		return;
	if (call->kind != FILE_FETCH_DATA) {
		call->kind = FILE_FETCH_IDLE;
		return;
	}
	place(call, &reply->attachment, len);
	piece->file_offset += len;
	piece->chunk_offset += (uint32_t)len;
	piece->len -= (uint32_t)len;
	call->chunk->filled += (uint32_t)len;
	if (piece->len > 0)
		return;
	call->kind = FILE_FETCH_IDLE;
	if (call->chunk->filled == call->chunk->len)
		check_chunk(fetch, call->chunk);
}

void file_fetch_on_reply(struct file_fetch *fetch, uint32_t index,
	const struct fetch_reply *reply, nsec now)
{
	struct file_fetch_call *call = &fetch->calls[index];
	const char *why = reply->text;
	int code = reply->code;
	uint64_t len = 0;
	int rc;

	assert(index < fetch->ncalls);
	if (fetch->state != FETCH_RUNNING) {
		fetch_call_abandon(&call->call, now);
		return;
	}
	if (code == 0 && fetch_reply_len(reply, &call->request, &len) != 0) {
		code = ERESPONSE;
		why = "its answer makes no sense";
	}
	fetch->stats.refusals += code == EAGAIN;
	rc = fetch_call_end(&call->call, &fetch->pace, &fetch->policy, code,
		reply->attachment.left, now);
	if (rc == -EAGAIN)
		return;
	if (rc != 0) {
		fail(fetch, &call->request, rc, why);
		return;
	}
	fetch->stats.calls++;
	take(fetch, call, reply, len);
}

/* ---- writing ------------------------------------------------------------------------
 */

bool file_fetch_next_write(struct file_fetch *fetch, struct file_fetch_write *write)
{
	for (uint32_t i = 0; fetch->state == FETCH_RUNNING && i < fetch->nchunks; i++) {
		struct file_fetch_chunk *slot = &fetch->chunks[i];

		if (slot->state != FILE_FETCH_SOUND)
			continue;
		slot->state = FILE_FETCH_WRITING;
		*write = (struct file_fetch_write){
			.slot = slot,
			.chunk = slot->chunk,
			.buf = slot->buf,
		};
		return true;
	}
	return false;
}

void file_fetch_on_written(struct file_fetch *fetch, struct file_fetch_chunk *slot)
{
	assert(slot->state == FILE_FETCH_WRITING);
	slot->state = FILE_FETCH_FREE;
	fetch->stats.bytes_done += slot->len;
	if (--fetch->left == 0 && fetch->state == FETCH_RUNNING)
		fetch->state = FETCH_DONE;
}
