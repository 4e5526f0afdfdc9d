/* SPDX-License-Identifier: BSD-3-Clause */
/* What went wrong, as a code for programs and one line for a person.
 *
 * The function that knows the detail fills it in once, naming the object and the remedy;
 * everyone above passes it on unchanged, to a log line, an RPC's error_text or a
 * terminal. The first fault wins: a later one on the same object is a consequence and is
 * dropped. */
#ifndef FAULT_H
#define FAULT_H

#include "dataplane/base/units.h"

struct fault {
	int code;       /* 0, or a negative errno */
	char text[400]; /* one line, no newline, no "; empty while code is 0 */
};

/* Records code and text, with ' for each ", unless a fault is recorded already. A NULL
 * fault is allowed: the caller wants the code only. Returns code, so that it can be
 * returned on the same line.
 */
int fault_set(struct fault *fault, int code, const char *format, ...) PRINTF_LIKE(3, 4);

/* Puts "text: " before the recorded text. Does nothing when no fault is recorded. */
void fault_prefix(struct fault *fault, const char *format, ...) PRINTF_LIKE(2, 3);

#endif
