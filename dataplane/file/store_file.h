/* SPDX-License-Identifier: BSD-3-Clause */
/* The store port on ordinary files: one thread does the blocking reads and writes.
 *
 * The worker thread submits and polls; the store's own thread opens files, preads,
 * pwrites. It sleeps when there is nothing to do. */
#ifndef STORE_FILE_H
#define STORE_FILE_H

#include "dataplane/base/fault.h"
#include "dataplane/manifest.h"
#include "dataplane/store.h"

/* Starts the thread. Fills *store. Returns 0, -ENOMEM or -EAGAIN (no thread to be had).
 */
int store_file_open(struct store *store, struct fault *fault);
/* Ends the thread after the requests under way. No request may be submitted after. */
void store_file_close(struct store *store);

/* Opens a snapshot directory for reading or writing of ranges. Files are opened at first
 * use and a bounded number is kept open. When writing, directories exist already, and
 * files of at least a chunk with their final size (storage creates them); smaller ones
 * are made by the write, in place of what has their name. The manifest belongs to the
 * caller and must outlive the object. Returns 0, or the errno of open(2). */
int store_object_open(struct store_object **object, const char *path,
	const struct manifest *manifest, struct fault *fault);
/* Does one request on the calling thread; cookie is not used. Any thread, several at
 * once. Returns 0 or the errors of struct store_completion. */
int store_object_run(const struct store_request *request);
/* No request may refer to it any more. */
void store_object_close(struct store_object *object);

/* The first error that a request on this object met, naming file and remedy; code 0 when
 * there was none. Any thread. */
void store_object_get_fault(struct store_object *object, struct fault *fault);

/* What the requests on an object have taken so far, ns. */
struct store_times {
	uint64_t read;
	uint64_t checksum; /* of the slices that were read */
	uint64_t write;
};

/* Any thread. */
void store_object_get_times(const struct store_object *object, struct store_times *times);

#endif
