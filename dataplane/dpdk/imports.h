/* SPDX-License-Identifier: BSD-3-Clause */
/* What a shared library of this process calls in others: its import slots, which the
 * dynamic linker has filled, one a function.
 *
 *   driver ── call munmap ──► slot ──► libc          before
 *                               └────► replacement   after */
#ifndef IMPORTS_H
#define IMPORTS_H

#include <stdbool.h>
#include <stddef.h>

struct import {
	const char *symbol;
	void (*to)(void); /* called in its place */
	bool was_replaced;
};

/* Replaces functions in the slots of one library and of no other, whatever the program is
 * linked or loaded with. library: how the name of its file begins. Returns whether it is
 * loaded; was_replaced says of each function whether it had a slot that could be
 * written. */
bool imports_replace(const char *library, struct import imports[], size_t count);

#endif
