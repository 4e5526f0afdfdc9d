/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/cli/terminal.h"

#include <stdio.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "dataplane/base/format.h"

nsec terminal_now(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (nsec)now.tv_sec * SEC + now.tv_nsec;
}

static unsigned columns(void)
{
	struct winsize size;

	if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0)
		return 80;
	return size.ws_col;
}

void terminal_init(struct terminal *terminal, bool quiet)
{
	enum progress_mode mode = PROGRESS_LINES;

	if (quiet)
		mode = PROGRESS_QUIET;
	else if (isatty(STDERR_FILENO))
		mode = PROGRESS_BAR;
	*terminal = (struct terminal){.begun = terminal_now(), .width = columns()};
	progress_init(&terminal->progress, mode, terminal->begun);
}

void terminal_show(struct terminal *terminal, const struct progress_view *view)
{
	char line[PROGRESS_LINE_MAX];

	if (!progress_poll(
		    &terminal->progress, view, terminal->width, terminal_now(), line))
		return;
	if (terminal->progress.mode == PROGRESS_BAR) {
		(void)fprintf(stderr, "\r%s", line);
		terminal->drawn = true;
		terminal->width = columns(); /* it may be resized meanwhile */
	} else {
		(void)fprintf(stderr, "%s\n", line);
	}
	(void)fflush(stderr);
}

void terminal_show_work(struct terminal *terminal, enum progress_stage stage,
	uint64_t done, uint64_t total)
{
	nsec now = terminal_now();
	struct progress_view view = {
		.stage = stage, .bytes_done = done, .bytes_total = total};

	if (stage != terminal->stage) {
		terminal->stage = stage;
		terminal->begun = now;
	}
	view.elapsed = now - terminal->begun;
	view.rate_bps = rate_of(done, view.elapsed);
	terminal_show(terminal, &view);
}

void terminal_clear(struct terminal *terminal)
{
	if (!terminal->drawn)
		return;
	(void)fputs("\r\033[K", stderr);
	(void)fflush(stderr);
	terminal->drawn = false;
}
