/* SPDX-License-Identifier: BSD-3-Clause */
/* What verify has loaded and what it has found so far; for verify's own files only. */
#ifndef FINDINGS_H
#define FINDINGS_H

#include <stdbool.h>
#include <stdint.h>

#include "control/storage/verify.h"
#include "control/table.h"
#include "dataplane/base/fault.h"
#include "dataplane/manifest.h"

struct findings {
	const struct verify_options *options;
	struct verify_result *result;
	struct fault *fault; /* receives the first problem */
	int storefd;
	int dirfd;
	int64_t index;
	bool has_table;
	struct table table; /* empty without has_table */
	/* Without result->has_manifest it holds the table's files, and its leaves mean
	 * nothing. */
	struct manifest manifest;
};

/* Records a problem. chunk counts within the file; -1: the whole file. */
void findings_add(struct findings *findings, const char *file, int64_t chunk,
	const char *format, ...) PRINTF_LIKE(4, 5);

/* Reads and compares all files of the manifest. Returns 0 however many problems it found,
 * or -ENOMEM. */
int verify_files(struct findings *findings, struct fault *fault);

#endif
