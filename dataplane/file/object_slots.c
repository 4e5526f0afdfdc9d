/* SPDX-License-Identifier: BSD-3-Clause */
/* The files that are kept open. */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "dataplane/file/object_state.h"

static bool suits(enum slot_use has, enum slot_use wanted)
{
	return has == wanted || (has == SLOT_WRITE && wanted == SLOT_READ);
}

static struct slot *find_slot(
	struct store_object *object, uint32_t file, enum slot_use use)
{
	for (int i = 0; i < OBJECT_FDS; i++) {
		struct slot *slot = &object->slots[i];

		if (slot->fd >= 0 && slot->file == file && suits(slot->use, use))
			return slot;
	}
	return NULL;
}

/* An empty slot, else the one longest unused; NULL when requests hold all of them. */
static struct slot *find_room(struct store_object *object)
{
	struct slot *oldest = NULL;

	for (int i = 0; i < OBJECT_FDS; i++) {
		struct slot *slot = &object->slots[i];

		if (slot->fd < 0)
			return slot;
		if (slot->users == 0 && (oldest == NULL || slot->last < oldest->last))
			oldest = slot;
	}
	if (oldest != NULL) {
		(void)close(oldest->fd);
		oldest->fd = -1;
	}
	return oldest;
}

static int open_slot(
	struct store_object *object, uint32_t file, enum slot_use use, struct slot **slot)
{
	static const int flags[] = {
		[SLOT_READ] = O_RDONLY,
		[SLOT_WRITE] = O_RDWR,
		[SLOT_DIRECT] = O_RDONLY | O_DIRECT,
	};
	const char *name = object->manifest->files[file].name;
	struct slot *room = find_room(object);

	if (room == NULL)
		return -EMFILE;
	/* O_NONBLOCK: should a FIFO have taken the file's place, we do not hang on it */
	room->fd = openat(
		object->folder, name, flags[use] | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
	if (room->fd < 0)
		return -errno;
	room->file = file;
	room->use = use;
	room->users = 0;
	*slot = room;
	return 0;
}

int object_acquire(
	struct store_object *object, uint32_t file, enum slot_use use, struct slot **slot)
{
	int rc = 0;

	(void)pthread_mutex_lock(&object->lock);
	*slot = find_slot(object, file, use);
	if (*slot == NULL)
		rc = open_slot(object, file, use, slot);
	if (rc == 0) {
		(*slot)->users++;
		(*slot)->last = ++object->tick;
	}
	(void)pthread_mutex_unlock(&object->lock);
	return rc;
}

void object_release(struct store_object *object, struct slot *slot)
{
	(void)pthread_mutex_lock(&object->lock);
	slot->users--;
	(void)pthread_mutex_unlock(&object->lock);
}
