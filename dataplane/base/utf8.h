/* SPDX-License-Identifier: BSD-3-Clause */
/* UTF-8, one character at a time. */
#ifndef UTF8_H
#define UTF8_H

#include <stddef.h>
#include <stdint.h>

/* Bytes of the character at text, 0 when it is malformed, overlong, a surrogate or beyond
 * Unicode. Never reads behind a NUL. *code receives the character. */
size_t utf8_next(const char *text, uint32_t *code);

/* Makes blanks of what would move a terminal's cursor or begin another line: C0, DEL and
 * C1. All else stays, well formed or not. */
void utf8_blank_controls(char *text, size_t len);

#endif
