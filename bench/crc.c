/* SPDX-License-Identifier: BSD-3-Clause */
/* crc [RUNS]: bytes a cycle of CRC-32C by ISA-L, of its portable base version and of
 * memcpy, by slice size; over bytes in the cache, and over 256 MiB that are not. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <x86intrin.h>

#include "bench/sample.h"
#include "dataplane/crc.h"
#include "dataplane/wire.h"

enum { COLD_BYTES = 256 << 20, WARM_SLICES = 8, WARM_BYTES = 64 << 20, BASE_PART = 16 };

typedef uint32_t (*checksum_function)(uint32_t crc, const uint8_t *bytes, size_t len);

struct kernel {
	const char *name;
	checksum_function checksum; /* NULL: memcpy */
	uint32_t part;              /* of the bytes; the slow one gets fewer */
};

static const struct kernel kernels[] = {
	{"isal", crc32c_extend, 1},
	{"base", crc32c_extend_base, BASE_PART},
	{"memcpy", NULL, 1},
};

/* Over `bytes` bytes, coming round after `span` of them. */
static double speed(const struct kernel *kernel, const uint8_t *content, uint32_t slice,
	uint32_t span, uint32_t bytes)
{
	static uint8_t copy[WIRE_SLICE_MAX];
	uint32_t sink = 0, at = 0, done = 0;
	uint64_t start = __rdtsc();

	for (; done < bytes; done += slice) {
		if (kernel->checksum != NULL)
			sink ^= kernel->checksum(0, content + at, slice);
		else
			memcpy(copy, content + at, slice);
		/* the results are used, as far as the compiler knows */
		__asm__ volatile("" : : "r"(copy), "r"(sink) : "memory");
		at = at + 2 * slice > span ? 0 : at + slice;
	}
	return (double)done / (double)(__rdtsc() - start);
}

static void measure(const uint8_t *content, uint32_t slice)
{
	char name[24];

	for (size_t i = 0; i < ARRAY_LEN(kernels); i++) {
		const struct kernel *kernel = &kernels[i];

		(void)snprintf(name, sizeof(name), "%u warm", slice);
		sample(name, kernel->name, "bytes/cycle",
			speed(kernel, content, slice, WARM_SLICES * slice,
				WARM_BYTES / kernel->part));
		(void)snprintf(name, sizeof(name), "%u cold", slice);
		sample(name, kernel->name, "bytes/cycle",
			speed(kernel, content, slice, COLD_BYTES,
				COLD_BYTES / kernel->part));
	}
}

int main(int argc, char *argv[])
{
	static const uint32_t slices[] = {1408, 4032, 8192};
	uint32_t runs = sample_number(argc, argv, 1, 5);
	uint8_t *content = malloc(COLD_BYTES);

	if (content == NULL) {
		(void)fprintf(stderr, "crc: no memory for %d MiB\n", COLD_BYTES >> 20);
		return EX_OSERR;
	}
	for (uint32_t i = 0; i < COLD_BYTES; i++)
		content[i] = (uint8_t)(i * 2654435761u >> 13);
	for (uint32_t run = 0; run < runs; run++) {
		for (size_t i = 0; i < ARRAY_LEN(slices); i++)
			measure(content, slices[i]);
	}
	free(content);
	return EX_OK;
}
