/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/progress.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "dataplane/base/format.h"
#include "dataplane/base/json.h"

#define BAR_PERIOD (100 * MSEC)
#define LINE_PERIOD (5 * SEC)

enum {
	BAR_WIDTH_MAX = 400,
	BAR_CELLS_MAX = 40,
	BAR_CELLS_MIN = 8,
	STAGE_WIDTH = 7, /* the longest stage name and a blank */
	TAIL_WIDTH = 55, /* the longest numbers: fixed, so that the bar does not jump */
};

static const char *const stage_names[] = {
	[PROGRESS_OPEN] = "open",
	[PROGRESS_READ] = "read",
	[PROGRESS_WIRE] = "wire",
	[PROGRESS_VERIFY] = "verify",
	[PROGRESS_WRITE] = "write",
	[PROGRESS_FSYNC] = "fsync",
	[PROGRESS_LOAD] = "load",
	[PROGRESS_PAUSED] = "paused",
	[PROGRESS_SUSPENDED] = "suspended",
};

void progress_init(struct progress *progress, enum progress_mode mode, nsec now)
{
	progress->mode = mode;
	/* A bar is drawn at once; work that ends within five seconds needs no line. */
	progress->next = mode == PROGRESS_LINES ? now + LINE_PERIOD : now;
}

bool progress_poll(struct progress *progress, const struct progress_view *view,
	unsigned width, nsec now, char line[static PROGRESS_LINE_MAX])
{
	if (progress->mode == PROGRESS_QUIET || now < progress->next)
		return false;
	if (progress->mode == PROGRESS_BAR)
		progress_bar(view, width, line);
	else
		progress_line(view, line);
	progress->next =
		now + (progress->mode == PROGRESS_BAR ? BAR_PERIOD : LINE_PERIOD);
	return true;
}

/* 0 to 100; a sender's counters may run ahead of what is needed. */
static unsigned percent_of(const struct progress_view *view)
{
	if (view->bytes_total == 0)
		return 0;
	if (view->bytes_done >= view->bytes_total)
		return 100;
	return (unsigned)(100.0 * (double)view->bytes_done / (double)view->bytes_total);
}

/* Time left at the rate of late, or empty when it cannot be told. */
static void format_eta(const struct progress_view *view, char text[static FORMAT_MAX])
{
	double left;

	text[0] = '\0';
	if (view->rate_bps == 0 || view->bytes_done >= view->bytes_total)
		return;
	left = 8.0 * (double)(view->bytes_total - view->bytes_done) /
	       (double)view->rate_bps;
	if (left < 1)
		(void)snprintf(text, FORMAT_MAX, "<1 s");
	else if (left < 60)
		(void)snprintf(text, FORMAT_MAX, "%.0f s", left);
	else if (left < 100 * 3600.0)
		format_duration((nsec)(left + 0.5) * SEC, text);
}

static char *format_amount(const struct progress_view *view, char *text, size_t size)
{
	char done[FORMAT_MAX], total[FORMAT_MAX];

	if (view->bytes_total == 0)
		(void)snprintf(text, size, "%s", format_bytes(view->bytes_done, done));
	else
		(void)snprintf(text, size, "%s / %s",
			format_bytes(view->bytes_done, done),
			format_bytes(view->bytes_total, total));
	return text;
}

/* "[####    ] " */
static void draw_cells(char *bar, size_t cells, unsigned percent)
{
	bar[0] = '[';
	memset(bar + 1, ' ', cells);
	memset(bar + 1, '#', cells * percent / 100);
	memcpy(bar + 1 + cells, "] ", 3);
}

/* Instead of a bar, which would not move. */
static char *show_silence(const struct progress_view *view, char *line, size_t size)
{
	char amount[2 * FORMAT_MAX + 4];

	(void)snprintf(line, size,
		"suspended: no packet from the peer for %lld s; %u%%, %s",
		(long long)(view->silence / SEC), percent_of(view),
		format_amount(view, amount, sizeof(amount)));
	return line;
}

char *progress_bar(const struct progress_view *view, unsigned width,
	char line[static PROGRESS_LINE_MAX])
{
	char tail[160], amount[2 * FORMAT_MAX + 4], rate[FORMAT_MAX], eta[FORMAT_MAX];
	char bar[BAR_CELLS_MAX + 4] = "";
	unsigned percent = percent_of(view);
	unsigned columns = width < 2 ? 1 : u32_min(width - 1, BAR_WIDTH_MAX);
	int cells;

	if (view->stage == PROGRESS_SUSPENDED) {
		(void)snprintf(line, columns + 1, "%-*s", (int)columns,
			show_silence(view, tail, sizeof(tail)));
		return line;
	}
	format_eta(view, eta);
	(void)snprintf(tail, sizeof(tail), "%3u%%  %s  %s%s%s", percent,
		format_amount(view, amount, sizeof(amount)),
		format_rate(view->rate_bps, rate), eta[0] != '\0' ? "  ETA " : "", eta);
	cells = (int)columns - STAGE_WIDTH - TAIL_WIDTH - 3;
	if (cells > BAR_CELLS_MAX)
		cells = BAR_CELLS_MAX;
	if (cells >= BAR_CELLS_MIN)
		draw_cells(bar, (size_t)cells, percent);
	(void)snprintf(line, columns + 1, "%-*s%s%-*s", STAGE_WIDTH,
		stage_names[view->stage], bar, (int)columns, tail);
	return line;
}

char *progress_line(const struct progress_view *view, char line[static PROGRESS_LINE_MAX])
{
	char amount[2 * FORMAT_MAX + 4], rate[FORMAT_MAX], eta[FORMAT_MAX];
	char elapsed[FORMAT_MAX], files[FORMAT_MAX] = "";

	if (view->stage == PROGRESS_SUSPENDED)
		return show_silence(view, line, PROGRESS_LINE_MAX);
	format_eta(view, eta);
	if (view->files != 0)
		(void)snprintf(
			files, sizeof(files), " in %" PRIu64 " files", view->files);
	(void)snprintf(line, PROGRESS_LINE_MAX, "%s: %u%%, %s%s, %s, after %s%s%s",
		stage_names[view->stage], percent_of(view),
		format_amount(view, amount, sizeof(amount)), files,
		format_rate(view->rate_bps, rate),
		format_duration(view->elapsed, elapsed), eta[0] != '\0' ? ", ETA " : "",
		eta);
	return line;
}

/* Of what was moved: bytes that were here already took no time. */
static uint64_t rate_moved(const struct progress_summary *summary)
{
	return rate_of(summary->bytes - u64_min(summary->bytes_reused, summary->bytes),
		summary->elapsed);
}

char *progress_summary_text(
	const struct progress_summary *summary, char line[static PROGRESS_LINE_MAX])
{
	char bytes[FORMAT_MAX], elapsed[FORMAT_MAX], rate[FORMAT_MAX];
	char resent[FORMAT_MAX], reused[FORMAT_MAX];

	(void)snprintf(line, PROGRESS_LINE_MAX,
		"index %" PRId64 ", term %" PRId64 ": %" PRIu64
		" files, %s in %s, %s, path %s, %s re-sent, %s reused",
		summary->index, summary->term, summary->files,
		format_bytes(summary->bytes, bytes),
		format_duration(summary->elapsed, elapsed),
		format_rate(rate_moved(summary), rate), summary->path,
		format_bytes(summary->bytes_resent, resent),
		format_bytes(summary->bytes_reused, reused));
	return line;
}

void progress_summary_json(const struct progress_summary *summary, struct json *json)
{
	nsec elapsed = summary->elapsed > 0 ? summary->elapsed : 0;

	json_i64(json, "index", summary->index);
	json_i64(json, "term", summary->term);
	json_u64(json, "files", summary->files);
	json_u64(json, "bytes", summary->bytes);
	json_thousandths(json, "seconds", (uint64_t)(elapsed / MSEC));
	json_thousandths(json, "gbit_per_s", rate_moved(summary) / 1000000);
	json_string(json, "path", summary->path);
	json_u64(json, "bytes_resent", summary->bytes_resent);
	json_u64(json, "bytes_reused", summary->bytes_reused);
}
