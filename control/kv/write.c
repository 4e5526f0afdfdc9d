/* SPDX-License-Identifier: BSD-3-Clause */
/* Writes: those of one turn of the loop, from whatever client, become one log entry. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "control/kv/client.h"

enum { ENTRY_MAX = 256 << 10 }; /* bytes, then an entry is proposed at once */

/* One request: the ops that its answer sums up. */
struct write {
	struct write *next;
	struct reply *reply;
	uint32_t nops;
	bool is_count; /* the answer is how many keys there were, not OK */
};

struct batch {
	struct raft_apply req; /* first */
	struct write *first;
	struct write **last;
	uint32_t nops;
	uint8_t *bytes; /* raft_malloc: libraft takes it over */
	size_t len;
	size_t room;
};

static void answer(const struct write *write, int status, const uint8_t *results)
{
	unsigned sum = 0;

	if (status == RAFT_LEADERSHIPLOST || status == RAFT_SHUTDOWN ||
		status == RAFT_CANCELED) {
		reply_fill(write->reply, "-TRYAGAIN the leader has changed before the "
					 "write was confirmed: it may have been done");
		return;
	}
	if (status != 0) {
		reply_fill(write->reply, "-ERR the log takes no writes: %s",
			raft_strerror(status));
		return;
	}
	for (uint32_t i = 0; i < write->nops && results != NULL; i++)
		sum += results[i];
	if (write->is_count)
		reply_fill(write->reply, ":%u", sum);
	else
		reply_fill(write->reply, "+OK");
}

static void finish(struct batch *batch, int status, const uint8_t *results)
{
	while (batch->first != NULL) {
		struct write *write = batch->first;

		batch->first = write->next;
		answer(write, status, results);
		if (results != NULL)
			results += write->nops;
		free(write);
	}
	free(batch);
}

static void on_applied(struct raft_apply *req, int status, void *result)
{
	finish((struct batch *)req, status, result);
}

void write_propose(struct kv *kv)
{
	struct batch *batch = kv->batch;
	struct raft_buffer buf;
	int rv;

	if (batch == NULL)
		return;
	kv->batch = NULL;
	buf = (struct raft_buffer){.base = batch->bytes, .len = entry_pad(batch->len)};
	memset(batch->bytes + batch->len, 0, buf.len - batch->len);
	rv = raft_apply(&kv->raft, &batch->req, &buf, 1, on_applied);
	if (rv != 0) {
		raft_free(batch->bytes);
		finish(batch, rv == RAFT_NOTLEADER ? RAFT_LEADERSHIPLOST : rv, NULL);
	}
}

/* Room for that much more, in this turn's entry or in a new one. */
static struct batch *reserve(struct kv *kv, size_t len, uint32_t nops)
{
	struct batch *batch = kv->batch;
	uint8_t *grown;
	size_t room;

	if (batch != NULL &&
		(batch->len + len > ENTRY_MAX || batch->nops + nops > ENTRY_OPS_MAX)) {
		write_propose(kv);
		batch = NULL;
	}
	if (batch == NULL) {
		batch = calloc(1, sizeof(*batch));
		if (batch == NULL)
			return NULL;
		batch->last = &batch->first;
	}
	room = batch->room != 0 ? batch->room : 1024;
	while (room < entry_pad(batch->len + len))
		room *= 2;
	grown = raft_realloc(batch->bytes, room);
	if (grown == NULL) {
		if (batch != kv->batch)
			free(batch);
		return NULL;
	}
	batch->bytes = grown;
	batch->room = room;
	kv->batch = batch;
	return batch;
}

static void add(
	struct client *client, const struct entry_op *ops, uint32_t nops, bool is_count)
{
	struct write *write = calloc(1, sizeof(*write));
	struct batch *batch = NULL;
	size_t len = 0;

	for (uint32_t i = 0; i < nops; i++)
		len += entry_size(&ops[i]);
	if (write != NULL)
		batch = reserve(client->kv, len, nops);
	if (batch != NULL)
		write->reply = client_defer(client);
	if (batch == NULL || write->reply == NULL) {
		free(write);
		client_error(client, "OOM no memory for the write");
		return;
	}
	for (uint32_t i = 0; i < nops; i++) {
		entry_encode(&ops[i], batch->bytes + batch->len);
		batch->len += entry_size(&ops[i]);
	}
	batch->nops += nops;
	write->nops = nops;
	write->is_count = is_count;
	*batch->last = write;
	batch->last = &write->next;
}

static bool take_key(
	struct client *client, const struct resp_word *word, struct keys_text *key)
{
	if (word->len > KEYS_KEY_MAX) {
		client_error(client, "ERR key of %zu bytes: at most %d", word->len,
			KEYS_KEY_MAX);
		return false;
	}
	*key = (struct keys_text){(const uint8_t *)word->bytes, (uint32_t)word->len};
	return true;
}

void write_set(struct client *client, const struct resp_request *request)
{
	const struct resp_word *value = &request->words[2];
	struct entry_op op = {.kind = ENTRY_SET};

	if (request->count > 3) {
		client_error(client, "ERR SET takes no options here: SET key value");
		return;
	}
	if (value->len > KEYS_VALUE_MAX) {
		client_error(client, "ERR value of %zu bytes: at most %d", value->len,
			KEYS_VALUE_MAX);
		return;
	}
	op.value =
		(struct keys_text){(const uint8_t *)value->bytes, (uint32_t)value->len};
	if (take_key(client, &request->words[1], &op.key))
		add(client, &op, 1, false);
}

void write_delete(struct client *client, const struct resp_request *request)
{
	struct entry_op ops[RESP_ARGS_MAX];
	uint32_t nops = (uint32_t)request->count - 1;

	for (uint32_t i = 0; i < nops; i++) {
		ops[i] = (struct entry_op){.kind = ENTRY_DELETE};
		if (!take_key(client, &request->words[i + 1], &ops[i].key))
			return;
	}
	add(client, ops, nops, true);
}
