/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <openssl/evp.h>

#include "dataplane/base/bytes.h"
#include "dataplane/base/units.h"
#include "dataplane/crc.h"
#include "dataplane/manifest.h"
#include "dataplane/manifest_codec.h"

enum { CHUNK = MANIFEST_CHUNK_MIN };

static void start(struct manifest *manifest)
{
	assert_int_equal(manifest_init(manifest, CHUNK, NULL), 0);
}

static void add(struct manifest *manifest, const char *name, uint64_t size)
{
	assert_int_equal(manifest_add(manifest, name, size, 0644, NULL), 0);
}

/* The picture of manifest.h: a and c share a chunk, b begins a new one. */
static void make_picture(struct manifest *manifest)
{
	start(manifest);
	add(manifest, "d", 0);
	add(manifest, "c", 1024);
	add(manifest, "b", 3 * CHUNK + 5);
	add(manifest, "a", 6 * 1024);
	assert_int_equal(manifest_layout(manifest, NULL), 0);
}

static void small_files_share_chunks_and_large_ones_do_not(void **state)
{
	struct manifest manifest;

	(void)state;
	make_picture(&manifest);
	assert_int_equal(manifest.nchunks, 5);
	assert_true(manifest.bytes == 3 * CHUNK + 5 + 7 * 1024);
	assert_string_equal(manifest.files[0].name, "a");
	assert_string_equal(manifest.files[3].name, "d");
	assert_int_equal(manifest.files[0].first_chunk, 0);
	assert_int_equal(manifest.files[2].first_chunk, 0);
	assert_int_equal(manifest.files[2].offset, 6 * 1024);
	assert_int_equal(manifest.files[1].first_chunk, 1);
	assert_int_equal(manifest_chunk_len(&manifest, 0), 7 * 1024);
	assert_int_equal(manifest_chunk_len(&manifest, 1), CHUNK);
	assert_int_equal(manifest_chunk_len(&manifest, 4), 5);
	manifest_fini(&manifest);
}

static void ten_thousand_small_files_cost_few_chunks(void **state)
{
	struct manifest manifest;
	char name[16];

	(void)state;
	start(&manifest);
	for (int i = 0; i < 10000; i++) {
		(void)snprintf(name, sizeof(name), "f%05d", i * 7919 % 10000);
		add(&manifest, name, 6656);
	}
	assert_int_equal(manifest_layout(&manifest, NULL), 0);
	assert_int_equal(manifest.nchunks, 10000 / (CHUNK / 6656) + 1);
	manifest_fini(&manifest);
}

/* Every byte of every file lies in exactly one extent, in order, and the extents fill the
 * chunks without a gap. */
static void extents_cover_every_byte_once(void **state)
{
	static const uint64_t sizes[] = {0, 1, 100, CHUNK - 1, CHUNK, CHUNK + 1,
		2 * CHUNK, CHUNK / 2, CHUNK / 2, CHUNK / 2 + 1, 5 * CHUNK - 1, 0, 17};
	struct manifest manifest;
	uint64_t seen[ARRAY_LEN(sizes)] = {0};
	uint64_t total = 0;

	(void)state;
	start(&manifest);
	for (size_t i = 0; i < ARRAY_LEN(sizes); i++)
		add(&manifest, (char[]){(char)('a' + i), '\0'}, sizes[i]);
	assert_int_equal(manifest_layout(&manifest, NULL), 0);
	for (uint32_t chunk = 0; chunk < manifest.nchunks; chunk++) {
		struct manifest_cursor cursor;
		struct manifest_extent extent;
		uint32_t filled = 0;

		manifest_extents(&manifest, chunk, &cursor);
		while (manifest_next_extent(&manifest, &cursor, &extent)) {
			assert_int_equal(extent.chunk_offset, filled);
			assert_true(extent.len > 0);
			assert_true(extent.file_offset == seen[extent.file]);
			seen[extent.file] += extent.len;
			filled += extent.len;
		}
		assert_int_equal(filled, manifest_chunk_len(&manifest, chunk));
		total += filled;
	}
	assert_true(total == manifest.bytes);
	for (size_t i = 0; i < ARRAY_LEN(sizes); i++)
		assert_true(seen[i] == manifest.files[i].size);
	manifest_fini(&manifest);
}

static void the_order_of_adding_does_not_matter(void **state)
{
	struct manifest forth, back;
	uint8_t *a, *b;
	size_t a_len, b_len;

	(void)state;
	start(&forth);
	start(&back);
	for (char c = 'a'; c <= 'z'; c++)
		add(&forth, (char[]){c, '\0'}, (uint64_t)c * 3000);
	for (char c = 'z'; c >= 'a'; c--)
		add(&back, (char[]){c, '\0'}, (uint64_t)c * 3000);
	assert_int_equal(manifest_layout(&forth, NULL), 0);
	assert_int_equal(manifest_layout(&back, NULL), 0);
	assert_int_equal(manifest_encode(&forth, &a, &a_len), 0);
	assert_int_equal(manifest_encode(&back, &b, &b_len), 0);
	assert_int_equal(a_len, b_len);
	assert_memory_equal(a, b, a_len);
	free(a);
	free(b);
	manifest_fini(&forth);
	manifest_fini(&back);
}

static void a_snapshot_may_be_empty(void **state)
{
	struct manifest manifest, again;
	uint8_t *bytes;
	size_t len;

	(void)state;
	start(&manifest);
	assert_int_equal(manifest_layout(&manifest, NULL), 0);
	assert_int_equal(manifest.nchunks, 0);
	assert_int_equal(manifest_encode(&manifest, &bytes, &len), 0);
	assert_int_equal(manifest_decode(&again, bytes, len, NULL), 0);
	assert_int_equal(again.nfiles, 0);
	free(bytes);
	manifest_fini(&again);
	manifest_fini(&manifest);
}

static void bad_sizes_are_refused(void **state)
{
	static const uint32_t bad[] = {0, 1, CHUNK / 2, CHUNK + 1, 3 * CHUNK, 8 << 20};
	struct manifest manifest;
	struct fault fault = {0};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_int_equal(manifest_init(&manifest, bad[i], NULL), -EINVAL);
	start(&manifest);
	add(&manifest, "a", INT64_MAX);
	assert_int_equal(manifest_add(&manifest, "b", 1, 0644, NULL), -EFBIG);
	assert_int_equal(manifest_layout(&manifest, &fault), -EFBIG);
	assert_non_null(strstr(fault.text, "2^31 chunks"));
	manifest_fini(&manifest);
}

static void one_name_is_one_file(void **state)
{
	struct manifest manifest;
	struct fault fault = {0};

	(void)state;
	start(&manifest);
	add(&manifest, "a", 1);
	add(&manifest, "b", 1);
	add(&manifest, "a", 2);
	assert_int_equal(manifest_layout(&manifest, &fault), -EINVAL);
	assert_non_null(strstr(fault.text, "'a' is listed twice"));
	manifest_fini(&manifest);

	start(&manifest);
	add(&manifest, "a", 1);
	add(&manifest, "a-b", 1); /* sorts between */
	add(&manifest, "a/b", 1);
	assert_int_equal(manifest_layout(&manifest, NULL), -EINVAL);
	manifest_fini(&manifest);
}

static void make_encoded(struct manifest *manifest, uint8_t **bytes, size_t *len)
{
	make_picture(manifest);
	for (uint32_t i = 0; i < manifest->nchunks; i++)
		manifest->leaves[i] =
			(struct manifest_leaf){.crc32c = i + 1, .crc64 = ~i};
	assert_int_equal(manifest_encode(manifest, bytes, len), 0);
}

static void what_is_encoded_is_decoded(void **state)
{
	struct manifest manifest, again;
	uint8_t *bytes, *second;
	size_t len, second_len;

	(void)state;
	make_encoded(&manifest, &bytes, &len);
	assert_int_equal(manifest_decode(&again, bytes, len, NULL), 0);
	assert_int_equal(again.nfiles, 4);
	assert_string_equal(again.files[1].name, "b");
	assert_int_equal(again.files[1].mode, 0644);
	assert_memory_equal(again.leaves, manifest.leaves, 5 * sizeof(*again.leaves));
	assert_memory_equal(again.root, manifest.root, MANIFEST_ROOT_LEN);
	assert_int_equal(manifest_encode(&again, &second, &second_len), 0);
	assert_int_equal(second_len, len);
	assert_memory_equal(second, bytes, len);
	free(second);
	free(bytes);
	manifest_fini(&again);
	manifest_fini(&manifest);
}

/* The format of manifest_codec.h, byte by byte. */
static void the_bytes_are_as_documented(void **state)
{
	static const uint8_t head[] = {'S', 'N', 'P', 'L', 'M', 'A', 'N', '1', 0, 0, 0,
		20, 0, 0, 0, 1, 0x08, 1, 0x10, 0x80, 0x80, 0x10, 0x18, 1, 0x22, 10, 0x0a,
		1, 'f', 0x10, 3, 0x18, 0xa4, 0x03, 0x20, 0};
	static const uint8_t leaf[] = {1, 2, 3, 4, 0, 0, 0, 0, 5, 6, 7, 8, 9, 10, 11, 12};
	struct manifest manifest;
	uint8_t digest[32];
	uint8_t *bytes;
	size_t len;

	(void)state;
	start(&manifest);
	add(&manifest, "f", 3);
	assert_int_equal(manifest_layout(&manifest, NULL), 0);
	manifest.leaves[0] =
		(struct manifest_leaf){.crc32c = 0x01020304, .crc64 = 0x05060708090a0b0c};
	assert_int_equal(manifest_encode(&manifest, &bytes, &len), 0);
	assert_int_equal(len, sizeof(head) + sizeof(leaf) + 32);
	assert_memory_equal(bytes, head, sizeof(head));
	assert_memory_equal(bytes + sizeof(head), leaf, sizeof(leaf));
	EVP_Digest(bytes, len - 32, digest, NULL, EVP_sha256(), NULL);
	assert_memory_equal(bytes + len - 32, digest, 32);
	assert_memory_equal(manifest.root, digest, 32);
	free(bytes);
	manifest_fini(&manifest);
}

static void every_truncation_and_every_flipped_bit_is_refused(void **state)
{
	struct manifest manifest, again;
	uint8_t *bytes, *copy;
	size_t len;

	(void)state;
	make_encoded(&manifest, &bytes, &len);
	for (size_t cut = 0; cut < len; cut++) {
		/* a buffer of its own, so that the sanitizer sees a read beyond */
		copy = malloc(cut);
		memcpy(copy, bytes, cut);
		assert_int_equal(manifest_decode(&again, copy, cut, NULL), -EBADMSG);
		free(copy);
	}
	for (size_t bit = 0; bit < len * 8; bit++) {
		bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
		assert_int_equal(manifest_decode(&again, bytes, len, NULL), -EBADMSG);
		bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	copy = calloc(1, len + 1);
	memcpy(copy, bytes, len);
	assert_int_equal(manifest_decode(&again, copy, len + 1, NULL), -EBADMSG);
	free(copy);
	free(bytes);
	manifest_fini(&manifest);
}

/* Makes the root fit whatever the bytes are: a liar, not an accident. */
static void forge(uint8_t *bytes, size_t len)
{
	EVP_Digest(bytes, len - 32, bytes + len - 32, NULL, EVP_sha256(), NULL);
}

/* With the root right, each flipped bit is either refused or gives another manifest that
 * encodes to these very bytes: nothing is read but what it says. */
static void a_forged_manifest_is_refused_or_consistent(void **state)
{
	struct manifest manifest, again;
	uint8_t *bytes, *second;
	size_t len, second_len;

	(void)state;
	make_encoded(&manifest, &bytes, &len);
	for (size_t bit = 0; bit < (len - 32) * 8; bit++) {
		int error;

		bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
		forge(bytes, len);
		error = manifest_decode(&again, bytes, len, NULL);
		assert_true(error == 0 || error == -EBADMSG);
		if (error == 0) {
			assert_int_equal(
				manifest_encode(&again, &second, &second_len), 0);
			assert_int_equal(second_len, len);
			assert_memory_equal(second, bytes, len);
			free(second);
			manifest_fini(&again);
		}
		bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	free(bytes);
	manifest_fini(&manifest);
}

static void expect_refused(const struct manifest *changed, const char *reason)
{
	struct manifest copy = *changed;
	struct manifest again;
	struct fault fault = {0};
	uint8_t *bytes;
	size_t len;

	assert_int_equal(manifest_encode(&copy, &bytes, &len), 0);
	assert_int_equal(manifest_decode(&again, bytes, len, &fault), -EBADMSG);
	if (strstr(fault.text, reason) == NULL)
		fail_msg("\"%s\" does not say \"%s\"", fault.text, reason);
	free(bytes);
}

static void a_liar_is_told_what_is_wrong(void **state)
{
	struct manifest manifest;
	struct manifest_file swapped;

	(void)state;
	make_picture(&manifest);
	manifest.files[1].first_chunk = 0;
	expect_refused(&manifest, "it belongs at 1");
	manifest.files[1].first_chunk = 1;

	manifest.files[0].name[0] = '/';
	expect_refused(&manifest, "absolute path");
	manifest.files[0].name[0] = '\0';
	expect_refused(&manifest, "is empty");
	manifest.files[0].name[0] = 'b';
	expect_refused(&manifest, "not sorted");
	manifest.files[0].name[0] = 'a';

	swapped = manifest.files[0];
	manifest.files[0] = manifest.files[3];
	manifest.files[3] = swapped;
	expect_refused(&manifest, "not sorted");
	manifest.files[3] = manifest.files[0];
	manifest.files[0] = swapped;

	manifest.files[1].size = UINT64_MAX;
	expect_refused(&manifest, "too large");
	manifest.files[1].size = INT64_MAX / 2;
	expect_refused(&manifest, "too few");
	manifest.files[1].size = 2 * CHUNK;
	expect_refused(&manifest, "its files need 3");
	manifest.files[1].size = 3 * CHUNK + 5;

	manifest.files[2].mode = 010000;
	expect_refused(&manifest, "impossible mode");
	manifest.files[2].mode = 0644;

	manifest.leaves[2].flags = 2;
	expect_refused(&manifest, "unknown flags");
	manifest.leaves[2].flags = LEAF_ZERO;
	expect_refused(&manifest, "calls chunk 2 zero");
	manifest.leaves[2].flags = 0;

	manifest.chunk_size = CHUNK + 1;
	expect_refused(&manifest, "power of two");
	manifest.chunk_size = CHUNK;
	manifest_fini(&manifest);
}

static void a_zero_chunk_is_known_as_such(void **state)
{
	uint8_t *bytes = calloc(1, CHUNK);
	struct manifest manifest, again;
	uint8_t *encoded;
	size_t len;

	(void)state;
	assert_int_equal(manifest_leaf_of(bytes, CHUNK).flags, LEAF_ZERO);
	assert_int_equal(manifest_leaf_of(bytes, 1).flags, LEAF_ZERO);
	start(&manifest);
	add(&manifest, "holes", 2 * CHUNK + 77);
	assert_int_equal(manifest_layout(&manifest, NULL), 0);
	for (uint32_t i = 0; i < 3; i++)
		manifest.leaves[i] =
			manifest_leaf_of(bytes, manifest_chunk_len(&manifest, i));
	assert_int_equal(manifest_encode(&manifest, &encoded, &len), 0);
	assert_int_equal(manifest_decode(&again, encoded, len, NULL), 0);
	bytes[CHUNK - 1] = 1;
	assert_int_equal(manifest_leaf_of(bytes, CHUNK).flags, 0);
	assert_int_equal(manifest_leaf_of(bytes, CHUNK).crc32c, crc32c(bytes, CHUNK));
	assert_true(manifest_leaf_of(bytes, CHUNK).crc64 == crc64(bytes, CHUNK));
	free(encoded);
	free(bytes);
	manifest_fini(&again);
	manifest_fini(&manifest);
}

/* Lengths that lie must not make the reader allocate or read what is not there. */
static void absurd_lengths_are_refused_first(void **state)
{
	uint8_t bytes[64] = "SNPLMAN1";
	struct manifest manifest;

	(void)state;
	put_be32(bytes + 8, UINT32_MAX);
	put_be32(bytes + 12, UINT32_MAX);
	assert_int_equal(
		manifest_decode(&manifest, bytes, sizeof(bytes), NULL), -EBADMSG);
	put_be32(bytes + 8, 0);
	put_be32(bytes + 12, 1);
	forge(bytes, sizeof(bytes));
	assert_int_equal(
		manifest_decode(&manifest, bytes, sizeof(bytes), NULL), -EBADMSG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(small_files_share_chunks_and_large_ones_do_not),
		cmocka_unit_test(ten_thousand_small_files_cost_few_chunks),
		cmocka_unit_test(extents_cover_every_byte_once),
		cmocka_unit_test(the_order_of_adding_does_not_matter),
		cmocka_unit_test(a_snapshot_may_be_empty),
		cmocka_unit_test(bad_sizes_are_refused),
		cmocka_unit_test(one_name_is_one_file),
		cmocka_unit_test(what_is_encoded_is_decoded),
		cmocka_unit_test(the_bytes_are_as_documented),
		cmocka_unit_test(every_truncation_and_every_flipped_bit_is_refused),
		cmocka_unit_test(a_forged_manifest_is_refused_or_consistent),
		cmocka_unit_test(a_liar_is_told_what_is_wrong),
		cmocka_unit_test(a_zero_chunk_is_known_as_such),
		cmocka_unit_test(absurd_lengths_are_refused_first),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
