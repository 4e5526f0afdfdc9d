/* SPDX-License-Identifier: BSD-3-Clause */
#include "dataplane/base/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "dataplane/base/utf8.h"

static const char *const names[] = {
	[LOG_ERROR] = "error",
	[LOG_WARN] = "warn",
	[LOG_INFO] = "info",
	[LOG_DEBUG] = "debug",
};

/* Relaxed: a level change need not order anything else. */
static _Atomic int current_level = LOG_INFO;

void log_set_level(enum log_level level)
{
	atomic_store_explicit(&current_level, (int)level, memory_order_relaxed);
}

int log_parse_level(const char *name, enum log_level *level)
{
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		if (strcmp(name, names[i]) == 0) {
			*level = (enum log_level)i;
			return 0;
		}
	}
	return -EINVAL;
}

void log_line(enum log_level level, const char *module, const char *format, ...)
{
	char line[1024];
	struct timespec now;
	struct tm utc;
	size_t begin, used;
	int added;
	va_list args;

	if ((int)level > atomic_load_explicit(&current_level, memory_order_relaxed))
		return;
	(void)clock_gettime(CLOCK_REALTIME, &now);
	(void)gmtime_r(&now.tv_sec, &utc);
	used = strftime(line, sizeof(line), "%Y-%m-%dT%H:%M:%S", &utc);
	used += (size_t)snprintf(line + used, sizeof(line) - used, ".%06ldZ %s %s ",
		now.tv_nsec / 1000, names[level], module);
	va_start(args, format);
	added = vsnprintf(line + used, sizeof(line) - used - 1, format, args);
	va_end(args);
	begin = used;
	if (added > 0)
		used += (size_t)added;
	if (used > sizeof(line) - 2)
		used = sizeof(line) - 2;
	/* a peer's or a file's words must not look like lines of ours */
	utf8_blank_controls(line + begin, used - begin);
	line[used++] = '\n';
	if (write(STDERR_FILENO, line, used) < 0)
		return; /* nowhere left to complain */
}
