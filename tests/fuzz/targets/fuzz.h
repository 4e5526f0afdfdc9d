/* SPDX-License-Identifier: BSD-3-Clause */
/* What every fuzz target is made of: libFuzzer's entry, and its input read piece by
 * piece.
 *
 * A target says with MUST what holds for any input. It keeps nothing from one input to
 * the next, so that a file replays what the fuzzer saw. corpus.c links all of them into
 * one program: there the Makefile renames the entry to fuzz_NAME. */
#ifndef FUZZ_H
#define FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Always returns 0. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* An assert that is never compiled out, so that what it checks may be a call. */
#define MUST(condition) must((condition), #condition, __FILE__, __LINE__)

static inline void must(bool holds, const char *condition, const char *file, int line)
{
	if (holds)
		return;
	(void)fprintf(stderr, "%s:%d: ERROR: not so: %s\n", file, line, condition);
	abort();
}

struct input {
	const uint8_t *at;
	size_t left; /* bytes */
};

/* The next bytes as a big-endian number, up to 8 of them; behind the end come zeros. */
static inline uint64_t input_take(struct input *input, unsigned int bytes)
{
	uint64_t value = 0;

	for (; bytes > 0; bytes--) {
		value = value << 8 | (input->left > 0 ? *input->at : 0);
		input->at += input->left > 0;
		input->left -= input->left > 0;
	}
	return value;
}

/* A copy whose end ASan guards, with a NUL behind it when asked for. The caller frees. */
static inline uint8_t *input_copy(const uint8_t *bytes, size_t len, size_t nul)
{
	uint8_t *copy = malloc(len + nul > 0 ? len + nul : 1);

	MUST(copy != NULL);
	if (len > 0)
		memcpy(copy, bytes, len);
	if (nul > 0)
		copy[len] = '\0';
	return copy;
}

/* The rest of the input as a text; it ends at the first NUL. The caller frees. */
static inline char *input_text(const struct input *input)
{
	return (char *)input_copy(input->at, input->left, 1);
}

#endif
