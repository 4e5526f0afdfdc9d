/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/node/served.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <uv.h>

#include "dataplane/base/log.h"
#include "dataplane/file/store_file.h"
#include "dataplane/manifest_codec.h"

struct job {
	uv_work_t work;
	struct served_list *list;
	struct served *served;
	struct fault fault;
	void (*ready)(void *ctx, struct served *served, const struct fault *fault);
	void *ctx;
};

void served_init(
	struct served_list *list, struct uv_loop_s *loop, struct storage *storage)
{
	*list = (struct served_list){.loop = loop, .storage = storage};
}

static void destroy(struct served *served)
{
	if (served->object != NULL)
		store_object_close(served->object);
	if (served->reader != NULL)
		storage_reader_close(served->list->storage, served->reader);
	free(served->table);
	free(served->offered);
	free(served);
}

/* One block, so that nobody needs another to put them together: of a snapshot of 1 TiB
 * the manifest has 16 MiB. */
static int encode_offered(struct served *served)
{
	struct storage_reader *reader = served->reader;
	uint8_t *table = NULL;
	uint8_t *manifest, *both;
	int err = table_encode(&reader->table, false, &table, &served->own_table_len);

	if (err != 0)
		return err;
	err = manifest_encode(&reader->manifest, &manifest, &served->manifest_len);
	if (err != 0)
		goto free_table;
	both = realloc(table, served->own_table_len + served->manifest_len);
	if (both == NULL) {
		err = -ENOMEM;
		goto free_manifest;
	}
	memcpy(both + served->own_table_len, manifest, served->manifest_len);
	served->offered = both;
	table = NULL;
free_manifest:
	free(manifest);
free_table:
	free(table);
	return err;
}

/* Encodes what is sent of a snapshot, and opens its directory. */
static int prepare(struct served *served, struct fault *fault)
{
	struct storage_reader *reader = served->reader;
	int err = table_encode(&reader->table, true, &served->table, &served->table_len);

	if (err == 0)
		err = encode_offered(served);
	if (err != 0)
		return fault_set(
			fault, err, "no memory for the manifest of %s", reader->path);
	return store_object_open(&served->object, reader->path, &reader->manifest, fault);
}

/* Thread pool: a snapshot without a manifest is read from end to end here. */
static void load(uv_work_t *work)
{
	struct job *job = work->data;

	if (storage_open_newest(job->list->storage, &job->served->reader, &job->fault) ==
		0)
		(void)prepare(job->served, &job->fault);
}

static struct served *find(const struct served_list *list, int64_t index)
{
	for (struct served *served = list->first; served != NULL; served = served->next) {
		if (served->reader->index == index)
			return served;
	}
	return NULL;
}

static void after_load(uv_work_t *work, int status)
{
	struct job *job = work->data;
	struct served_list *list = job->list;
	struct served *served = job->served;
	struct served *known = NULL;

	(void)status;
	list->njobs--;
	if (job->fault.code == 0)
		known = find(list, served->reader->index); /* another job was faster */
	if (job->fault.code != 0 || known != NULL) {
		destroy(served);
		served = known;
	} else {
		served->next = list->first;
		list->first = served;
	}
	if (served != NULL)
		served->refs++;
	job->ready(job->ctx, served, &job->fault);
	free(job);
}

void served_acquire(struct served_list *list,
	void (*ready)(void *ctx, struct served *served, const struct fault *fault),
	void *ctx)
{
	struct served *served = calloc(1, sizeof(*served));
	struct job *job = calloc(1, sizeof(*job));
	struct fault fault = {0};

	if (served == NULL || job == NULL) {
		free(served);
		free(job);
		(void)fault_set(&fault, -ENOMEM, "no memory to open a snapshot");
		ready(ctx, NULL, &fault);
		return;
	}
	served->list = list;
	job->list = list;
	job->served = served;
	job->ready = ready;
	job->ctx = ctx;
	job->work.data = job;
	list->njobs++;
	/* fails only for a NULL callback */
	(void)uv_queue_work(list->loop, &job->work, load, after_load);
}

int served_adopt(
	struct served_list *list, struct storage_reader *reader, struct served **served)
{
	struct served *made = calloc(1, sizeof(*made));
	struct served *known = find(list, reader->index);
	int err = -ENOMEM;

	if (known != NULL) {
		free(made);
		storage_reader_close(list->storage, reader);
		known->refs++;
		*served = known;
		return 0;
	}
	if (made == NULL)
		return err;
	made->list = list;
	made->reader = reader;
	err = prepare(made, NULL);
	if (err != 0) {
		made->reader = NULL; /* the caller's */
		destroy(made);
		return err;
	}
	made->refs = 1;
	made->next = list->first;
	list->first = made;
	*served = made;
	return 0;
}

void served_ref(struct served *served)
{
	served->refs++;
}

/* Thread pool: closing the last reader of a superseded snapshot deletes it. */
static void unload(uv_work_t *work)
{
	struct job *job = work->data;

	destroy(job->served);
}

static void after_unload(uv_work_t *work, int status)
{
	struct job *job = work->data;

	(void)status;
	job->list->njobs--;
	free(job);
}

void served_release(struct served *served)
{
	struct served_list *list = served->list;
	struct served **link = &list->first;
	struct job *job;

	if (--served->refs > 0)
		return;
	while (*link != served)
		link = &(*link)->next;
	*link = served->next;
	job = calloc(1, sizeof(*job));
	if (job == NULL) {
		destroy(served);
		return;
	}
	job->list = list;
	job->served = served;
	job->work.data = job;
	list->njobs++;
	(void)uv_queue_work(list->loop, &job->work, unload, after_unload);
}
