/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/storage/state.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "control/storage/file_io.h"
#include "control/storage/layout.h"
#include "control/storage/tree.h"
#include "dataplane/base/log.h"

static struct state_ref *find_ref(struct storage *storage, int64_t index)
{
	struct state_ref *ref = storage->refs;

	while (ref != NULL && ref->index != index)
		ref = ref->next;
	return ref;
}

int state_ref_newest(struct storage *storage, int64_t *index)
{
	struct state_ref *ref;
	int error = 0;

	pthread_mutex_lock(&storage->lock);
	if (storage->newest == 0) {
		error = -ENOENT;
		goto unlock;
	}
	ref = find_ref(storage, storage->newest);
	if (ref == NULL) {
		ref = malloc(sizeof(*ref));
		if (ref == NULL) {
			error = -ENOMEM;
			goto unlock;
		}
		*ref = (struct state_ref){
			.index = storage->newest, .next = storage->refs};
		storage->refs = ref;
	}
	ref->count++;
	*index = ref->index;
unlock:
	pthread_mutex_unlock(&storage->lock);
	return error;
}

/* A snapshot that nobody can open any more is only a waste of space: failing to delete it
 * now is no reason to fail, the next start tries again. */
static void remove_superseded(struct storage *storage, int64_t index)
{
	struct fault fault = {0};

	if (state_remove(storage, index, &fault) != 0)
		log_line(LOG_WARN, "storage",
			"event=keep_superseded index=%lld err=\"%s\"", (long long)index,
			fault.text);
}

void state_unref(struct storage *storage, int64_t index)
{
	struct state_ref **at = &storage->refs;
	struct state_ref *last = NULL;
	bool superseded;

	pthread_mutex_lock(&storage->lock);
	while ((*at)->index != index)
		at = &(*at)->next;
	if (--(*at)->count == 0) {
		last = *at;
		*at = last->next;
	}
	superseded = last != NULL && index != storage->newest;
	pthread_mutex_unlock(&storage->lock);
	free(last);
	if (superseded)
		remove_superseded(storage, index);
}

static bool is_held(struct storage *storage, int64_t index)
{
	bool held;

	pthread_mutex_lock(&storage->lock);
	held = find_ref(storage, index) != NULL;
	pthread_mutex_unlock(&storage->lock);
	return held;
}

/* Nobody can take a new reference on any but the newest. Also what could not be removed
 * when its time came goes now. */
void state_supersede(struct storage *storage, int64_t index)
{
	struct layout_list list;

	pthread_mutex_lock(&storage->lock);
	storage->newest = index;
	pthread_mutex_unlock(&storage->lock);
	if (layout_list(storage->fd, &list, NULL) != 0)
		return;
	for (size_t i = 0; i < list.nsnapshots; i++)
		if (list.snapshots[i] < index && !is_held(storage, list.snapshots[i]))
			remove_superseded(storage, list.snapshots[i]);
	layout_list_fini(&list);
}

struct storage_options state_options(struct storage *storage)
{
	struct storage_options options;

	pthread_mutex_lock(&storage->lock);
	options = storage->options;
	pthread_mutex_unlock(&storage->lock);
	return options;
}

int state_remove(struct storage *storage, int64_t index, struct fault *fault)
{
	char name[LAYOUT_NAME];
	int error;

	error = tree_remove(storage->fd, layout_dir(name, index), fault);
	if (error == 0)
		error = tree_remove(storage->fd, layout_manifest(name, index), fault);
	if (error != 0)
		fault_prefix(fault, "%s", storage->path);
	return error;
}
