/* SPDX-License-Identifier: BSD-3-Clause */
#include "dataplane/base/fault.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* Log lines put a text between such quotes. */
static void spare_quotes(struct fault *fault)
{
	for (char *at = fault->text; (at = strchr(at, '"')) != NULL; at++)
		*at = '\'';
}

int fault_set(struct fault *fault, int code, const char *format, ...)
{
	va_list args;

	if (fault == NULL || fault->code != 0)
		return code;
	fault->code = code;
	va_start(args, format);
	(void)vsnprintf(fault->text, sizeof(fault->text), format, args);
	va_end(args);
	spare_quotes(fault);
	return code;
}

void fault_prefix(struct fault *fault, const char *format, ...)
{
	char old[sizeof((struct fault){0}.text)];
	va_list args;
	int used;

	if (fault == NULL || fault->code == 0)
		return;
	memcpy(old, fault->text, sizeof(old));
	va_start(args, format);
	used = vsnprintf(fault->text, sizeof(fault->text), format, args);
	va_end(args);
	if (used < 0 || (size_t)used >= sizeof(fault->text))
		return;
	(void)snprintf(
		fault->text + used, sizeof(fault->text) - (size_t)used, ": %s", old);
	spare_quotes(fault);
}
