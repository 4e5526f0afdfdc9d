/* SPDX-License-Identifier: BSD-3-Clause */
/* The inside of struct storage, for the files of this folder only. */
#ifndef STATE_H
#define STATE_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "control/storage/storage.h"

#define TEMP_NAME "temp"

struct state_ref {
	int64_t index;
	uint32_t count; /* readers; the newest snapshot needs none to live */
	struct state_ref *next;
};

struct storage {
	char *path;
	int fd; /* of path; carries the flock */
	pthread_mutex_t lock;
	struct state_ref *refs;         /* under lock, as are the next three */
	int64_t newest;                 /* 0: no snapshot */
	bool writing;                   /* a writer exists */
	struct storage_options options; /* the sync fields under lock, the others fixed */
	pthread_mutex_t computing; /* one thread at a time makes a missing manifest */
};

/* Takes a reference on the newest snapshot. Returns 0, -ENOENT when there is none, or
 * -ENOMEM. */
int state_ref_newest(struct storage *storage, int64_t *index);
/* Drops a reference; deletes the snapshot when it was the last one and it is superseded.
 */
void state_unref(struct storage *storage, int64_t index);
/* Makes index the newest and deletes older ones unless a reader holds them. */
void state_supersede(struct storage *storage, int64_t index);

/* The options as they are now. */
struct storage_options state_options(struct storage *storage);

/* Deletes a snapshot and the manifest beside it. */
int state_remove(struct storage *storage, int64_t index, struct fault *fault);

#endif
