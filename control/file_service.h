/* SPDX-License-Identifier: BSD-3-Clause */
/* What a leader answers to get_file: braft's rules, in braft's order, with braft's codes.
 *
 *   on_request ─► REFUSE: code and text
 *              ─► TABLE:  the whole table, eof
 *              ─► READ:   the caller opens and reads the file ─► on_read: the answer
 *
 * One struct a reader_id. A read that was begun is ended by on_read in every case, so
 * that a reader is never left busy. The table must outlive the struct. Pure. */
#ifndef FILE_SERVICE_H
#define FILE_SERVICE_H

#include <stdbool.h>
#include <stdint.h>

#include "control/braft_codec.h"
#include "control/table.h"
#include "control/throttle.h"
#include "dataplane/base/units.h"

enum {
	FILE_SERVICE_READ_MAX = 16 << 20,  /* bytes a call, when it may be read partly */
	FILE_SERVICE_COUNT_MAX = 63 << 20, /* bytes a call; a frame holds 64 MiB */
	FILE_SERVICE_TEXT = 256,
};

struct file_service {
	const struct table *table;
	const struct table_file *current; /* the file being read; NULL: none yet */
	bool is_at_end;     /* the last read of current reached eof; true at first */
	uint32_t nreads;    /* under way */
	uint32_t max_reads; /* at once; braft: 1 */
	bool is_any_order;  /* any file at any offset; braft: false */
};

enum file_service_verdict {
	FILE_SERVICE_REFUSE,
	FILE_SERVICE_TABLE,
	FILE_SERVICE_READ,
};

struct file_service_plan {
	enum file_service_verdict verdict;
	int code;                      /* of a refusal, as on the wire */
	char text[FILE_SERVICE_TEXT];  /* of a refusal */
	const struct table_file *file; /* to read */
	uint64_t offset;
	uint64_t count;            /* bytes to read at most */
	bool is_partly;            /* fewer are welcome */
	bool is_switched;          /* file was not the current one before */
	struct throttle *throttle; /* that granted; NULL: none */
	uint64_t granted;          /* bytes */
	nsec granted_at;
};

/* How a read went. */
struct file_service_read {
	int error; /* 0 or a negative errno */
	enum { FILE_SERVICE_AT_OPEN, FILE_SERVICE_AT_READ } step; /* that failed */
	uint64_t bytes;                                           /* read */
	uint64_t size;                                            /* of the file */
};

void file_service_init(struct file_service *service, const struct table *table);

/* Decides on a request. service NULL: nobody knows this reader_id. throttle may be NULL.
 * The plan must go to file_service_on_read when it says READ. */
void file_service_on_request(struct file_service *service,
	const struct get_file_request *request, struct throttle *throttle, nsec now,
	struct file_service_plan *plan);

/* How many bytes to read of a file of this size. Returns 0 with *bytes, or -EMSGSIZE:
 * more than an answer can carry were asked for and not partly. */
int file_service_clamp(
	const struct file_service_plan *plan, uint64_t size, uint64_t *bytes);

/* Ends a read. Returns 0 with the answer, or the wire code to fail with. */
int file_service_on_read(struct file_service *service,
	const struct file_service_plan *plan, const struct file_service_read *read,
	nsec now, struct get_file_response *response);

#endif
