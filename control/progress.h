/* SPDX-License-Identifier: BSD-3-Clause */
/* What long work shows: a bar that redraws itself on a terminal, a line every five
 * seconds elsewhere, nothing when quiet, and one closing line.
 *
 *   progress_init ─► progress_poll(view, now) … ─► progress_summary_text |
 * progress_summary_json
 *
 * Pure: the caller owns the terminal and the clock. */
#ifndef PROGRESS_H
#define PROGRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dataplane/base/units.h"

struct json;

enum progress_stage {
	PROGRESS_OPEN,
	PROGRESS_READ,
	PROGRESS_WIRE,
	PROGRESS_VERIFY,
	PROGRESS_WRITE,
	PROGRESS_FSYNC,
	PROGRESS_LOAD,
	PROGRESS_PAUSED,
	PROGRESS_SUSPENDED,
};

enum progress_mode { PROGRESS_QUIET, PROGRESS_LINES, PROGRESS_BAR };

enum { PROGRESS_LINE_MAX = 512 }; /* bytes that hold any line made here */

struct progress_view {
	enum progress_stage stage;
	uint64_t bytes_done;
	uint64_t bytes_total; /* 0: not known yet */
	uint64_t files;       /* 0: not known yet */
	uint64_t rate_bps;    /* of late */
	nsec elapsed;
	nsec silence; /* SUSPENDED: since the peer's last packet */
};

struct progress {
	enum progress_mode mode;
	nsec next; /* when the next line is due */
};

void progress_init(struct progress *progress, enum progress_mode mode, nsec now);

/* Fills line (PROGRESS_LINE_MAX bytes, no newline) when one is due. A bar is exactly
 * width - 1 columns, so that drawing it over the last one erases that. Returns whether
 * there is something to show. */
bool progress_poll(struct progress *progress, const struct progress_view *view,
	unsigned width, nsec now, char line[static PROGRESS_LINE_MAX]);

/* The two looks by themselves; both return line. */
char *progress_bar(const struct progress_view *view, unsigned width,
	char line[static PROGRESS_LINE_MAX]);
char *progress_line(
	const struct progress_view *view, char line[static PROGRESS_LINE_MAX]);

/* A finished transfer. */
struct progress_summary {
	int64_t index;
	int64_t term;
	uint64_t files;
	uint64_t bytes;
	nsec elapsed;
	const char *path; /* "dpdk", "tcp" */
	uint64_t bytes_resent;
	uint64_t bytes_reused;
};

/* One line, no newline; returns line. */
char *progress_summary_text(
	const struct progress_summary *summary, char line[static PROGRESS_LINE_MAX]);
/* The same as members of the object that is open in json. */
void progress_summary_json(const struct progress_summary *summary, struct json *json);

#endif
