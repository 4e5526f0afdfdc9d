/* SPDX-License-Identifier: BSD-3-Clause */
/* Manifests made of input: no fuzzer finds a SHA-256, so it is put right here. */
#ifndef MANIFEST_INPUT_H
#define MANIFEST_INPUT_H

#include <openssl/evp.h>

#include "dataplane/base/bytes.h"
#include "dataplane/manifest_codec.h"
#include "tests/fuzz/targets/fuzz.h"

/* The bytes with their root behind them: *len grows by it. The caller frees. */
static inline uint8_t *manifest_seal(const uint8_t *bytes, size_t *len)
{
	uint8_t *sealed = malloc(*len + MANIFEST_ROOT_LEN);

	MUST(sealed != NULL);
	if (*len > 0)
		memcpy(sealed, bytes, *len);
	MUST(EVP_Digest(sealed, *len, sealed + *len, NULL, EVP_sha256(), NULL) == 1);
	*len += MANIFEST_ROOT_LEN;
	return sealed;
}

/* A manifest with the input's rest as header and leaves: the next byte says how many
 * leaves. The caller frees. */
static inline uint8_t *manifest_frame(struct input *input, size_t *len)
{
	uint64_t leaves = input_take(input, 1);
	size_t tail = (size_t)leaves * MANIFEST_LEAF_LEN;
	uint8_t *framed = malloc(16 + input->left);
	uint8_t *sealed;

	MUST(framed != NULL);
	if (tail > input->left) {
		leaves = input->left / MANIFEST_LEAF_LEN;
		tail = (size_t)leaves * MANIFEST_LEAF_LEN;
	}
	memcpy(framed, "SNPLMAN1", 8);
	put_be32(framed + 8, (uint32_t)(input->left - tail));
	put_be32(framed + 12, (uint32_t)leaves);
	if (input->left > 0)
		memcpy(framed + 16, input->at, input->left);
	*len = 16 + input->left;
	sealed = manifest_seal(framed, len);
	free(framed);
	return sealed;
}

#endif
