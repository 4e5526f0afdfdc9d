/* SPDX-License-Identifier: BSD-3-Clause */
/* Logfmt lines to stderr: `2026-08-24T05:14:15.001234Z warn nic event=down port=0`.
 *
 * error: a person must act. warn: we handled it. info: at most ten lines a transfer.
 * debug: the trace that tests see. Any thread; a line is written with one write(2). */
#ifndef LOG_H
#define LOG_H

#include "dataplane/base/units.h"

enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG };

/* Lines above `level` are dropped. The default is LOG_INFO. */
void log_set_level(enum log_level level);

/* Parses "error", "warn", "info" or "debug". Returns 0 or -EINVAL. */
int log_parse_level(const char *name, enum log_level *level);

/* `format` starts with the event: "event=lost peer=%s err=%s". */
void log_line(enum log_level level, const char *module, const char *format, ...)
	PRINTF_LIKE(3, 4);

#endif
