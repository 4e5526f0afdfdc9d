/* SPDX-License-Identifier: BSD-3-Clause */
/* The state machine: keys, as struct snapline_raft_fsm wants them. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "control/kv/image.h"
#include "control/kv/kv.h"
#include "dataplane/base/log.h"

static int apply(void *ctx, const struct raft_buffer *entry, void **result)
{
	struct kv *kv = ctx;
	int rv = entry_apply(kv->keys, entry->base, entry->len, kv->results);

	if (rv < 0) {
		log_line(LOG_ERROR, "kv",
			"event=apply_failed index=%llu text=\"%s; restart this node\"",
			kv->raft.last_applied + 1, strerror(-rv));
		return RAFT_INVALID;
	}
	*result = kv->results;
	return 0;
}

static int freeze(void *ctx, void **frozen)
{
	struct kv *kv = ctx;
	struct keys *keys;
	int err = keys_freeze(kv->keys, &keys);

	if (err == 0)
		*frozen = keys;
	return err;
}

static int save(void *ctx, void *frozen, struct snapline_writer *writer)
{
	uint32_t files = image_files(frozen);
	int err = 0;

	(void)ctx;
	for (uint32_t i = 0; i < files && err == 0; i++) {
		char name[IMAGE_NAME_MAX];

		image_name(i, name);
		err = image_save(frozen, i, snapline_writer_path(writer));
		if (err == 0)
			err = snapline_writer_add_file(writer, name, NULL);
	}
	return err;
}

static void thaw(void *ctx, void *frozen)
{
	(void)ctx;
	keys_destroy(frozen);
}

static int load(void *ctx, const struct snapline_reader *reader, void **loaded)
{
	struct fault fault = {0};
	struct keys *keys;
	const char *name;
	int err = keys_create(&keys);

	(void)ctx;
	if (err != 0)
		return err;
	for (size_t i = 0; (name = snapline_reader_file(reader, i)) != NULL; i++) {
		err = image_load(keys, snapline_reader_path(reader), name, &fault);
		if (err != 0) {
			log_line(LOG_ERROR, "kv", "event=load_failed text=\"%s\"",
				fault.text);
			keys_destroy(keys);
			return err;
		}
	}
	*loaded = keys;
	return 0;
}

static void discard(void *ctx, void *loaded)
{
	(void)ctx;
	keys_destroy(loaded);
}

static void destroy_work(uv_work_t *work)
{
	keys_destroy(work->data);
}

static void after_destroy(uv_work_t *work, int status)
{
	(void)status;
	free(work);
}

/* The old keys may be millions: a thread of the pool frees them. */
static void adopt(void *ctx, void *loaded)
{
	struct kv *kv = ctx;
	struct keys *old = kv->keys;
	uv_work_t *work = calloc(1, sizeof(*work));

	kv->keys = loaded;
	if (work == NULL) {
		keys_destroy(old);
		return;
	}
	work->data = old;
	/* fails only for a NULL callback */
	(void)uv_queue_work(&kv->loop, work, destroy_work, after_destroy);
}

void machine_fill(struct snapline_raft_fsm *fsm, struct kv *kv)
{
	*fsm = (struct snapline_raft_fsm){
		.ctx = kv,
		.apply = apply,
		.freeze = freeze,
		.save = save,
		.thaw = thaw,
		.load = load,
		.adopt = adopt,
		.discard = discard,
	};
}
