/* SPDX-License-Identifier: BSD-3-Clause */
/* What stands behind the opaque types of the public header. */
#ifndef HANDLES_H
#define HANDLES_H

#include "control/snapline.h"
#include "control/storage/storage.h"

struct served;
struct snapline_node;

struct snapline_reader {
	const struct storage_reader *reader;
	/* of snapline_reader_open only */
	struct snapline_node *node;
	struct storage_reader *owned; /* NULL once served has it */
	struct served *served;        /* NULL: not offered to anybody */
	int64_t reader_id;            /* under which it is offered; 0: it is not */
};

struct snapline_writer {
	struct storage_writer *writer;
	bool has_meta;
};

#endif
