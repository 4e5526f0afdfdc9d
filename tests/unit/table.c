/* SPDX-License-Identifier: BSD-3-Clause */
/* braft's metadata table: the bytes of a real file, the sorting, and what is refused. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "control/table.h"
#include "dataplane/manifest.h"

/* __raft_snapshot_meta of a stock node without its 4-byte length: index 37, term 3, one
 * peer, one file "data" whose empty meta is there nevertheless (12 00). */
static const char stock[] = "\x0a\x19\x08\x25\x10\x03\x1a\x13"
			    "127.0.0.1:18801:0:0"
			    "\x12\x08\x0a\x04"
			    "data\x12\x00";
enum { STOCK_LEN = sizeof(stock) - 1 };

static int decode(struct table *table, const char *bytes, size_t len, struct fault *fault)
{
	/* in a block of its own, so that a sanitizer sees a byte too far */
	uint8_t *copy = malloc(len > 0 ? len : 1);
	int err;

	assert_non_null(copy);
	memcpy(copy, bytes, len);
	err = table_decode(table, copy, len, fault);
	free(copy);
	return err;
}

static void reads_a_stock_table(void **state)
{
	struct table table;

	(void)state;
	assert_int_equal(STOCK_LEN, 37);
	assert_int_equal(decode(&table, stock, STOCK_LEN, NULL), 0);
	assert_true(table.has_meta);
	assert_int_equal(table.meta.index, 37);
	assert_int_equal(table.meta.term, 3);
	assert_int_equal(table.meta.npeers, 1);
	assert_string_equal(table.meta.peers[0], "127.0.0.1:18801:0:0");
	assert_int_equal(table.meta.nold_peers, 0);
	assert_int_equal(table.nfiles, 1);
	assert_string_equal(table.files[0].name, "data");
	assert_null(table.files[0].checksum);
	table_fini(&table);
}

static void writes_a_stock_table(void **state)
{
	struct table table;
	uint8_t *bytes;
	size_t len;

	(void)state;
	table_init(&table);
	table.has_meta = true;
	table.meta.index = 37;
	table.meta.term = 3;
	assert_int_equal(table_add_peer(&table, "127.0.0.1:18801:0:0"), 0);
	assert_int_equal(table_add_file(&table, "data", NULL), 0);
	assert_int_equal(table_encode(&table, false, &bytes, &len), 0);
	assert_int_equal(len, STOCK_LEN);
	assert_memory_equal(bytes, stock, len);
	free(bytes);
	table_fini(&table);
}

static void files_are_sorted_byte_wise_and_found(void **state)
{
	static const char *const names[] = {"b", "a", "B", "a/b", "\xc3\xa9", "ab", "z"};
	static const char *const sorted[] = {"B", "a", "a/b", "ab", "b", "z", "\xc3\xa9"};
	struct table table;

	(void)state;
	table_init(&table);
	for (size_t i = 0; i < 7; i++)
		assert_int_equal(table_add_file(&table, names[i], "crc32c:00000000"), 0);
	for (size_t i = 0; i < 7; i++) {
		assert_string_equal(table.files[i].name, sorted[i]);
		assert_ptr_equal(table_find(&table, sorted[i]), &table.files[i]);
	}
	assert_int_equal(table_add_file(&table, "ab", NULL), -EEXIST);
	assert_int_equal(table.nfiles, 7);
	assert_null(table_find(&table, "aa"));
	assert_null(table_find(&table, "\xff"));
	table_fini(&table);
}

static void add_rich_file(struct table *table)
{
	struct table_file *file;

	assert_int_equal(table_add_file(table, "rich", "crc32c:0badcafe"), 0);
	file = (struct table_file *)table_find(table, "rich");
	file->has_source = true;
	file->source = 1;
	file->has_user_meta = true;
	file->user_meta = malloc(3);
	assert_non_null(file->user_meta);
	memcpy(file->user_meta, "a\0b", 3);
	file->user_meta_len = 3;
}

static void a_peer_is_not_told_the_source(void **state)
{
	struct table table;
	struct table again;
	uint8_t *bytes;
	size_t len;

	(void)state;
	table_init(&table);
	table.has_meta = true;
	add_rich_file(&table);
	assert_int_equal(table_encode(&table, true, &bytes, &len), 0);
	assert_int_equal(table_decode(&again, bytes, len, NULL), 0);
	assert_false(again.files[0].has_source);
	assert_string_equal(again.files[0].checksum, "crc32c:0badcafe");
	assert_int_equal(again.files[0].user_meta_len, 3);
	assert_memory_equal(again.files[0].user_meta, "a\0b", 3);
	table_fini(&again);
	free(bytes);
	assert_int_equal(table_encode(&table, false, &bytes, &len), 0);
	assert_int_equal(table_decode(&again, bytes, len, NULL), 0);
	assert_true(again.files[0].has_source);
	assert_int_equal(again.files[0].source, 1);
	table_fini(&again);
	free(bytes);
	table_fini(&table);
}

static void a_joint_configuration_and_many_files_survive(void **state)
{
	struct table table;
	struct table again;
	char name[32];
	uint8_t *bytes;
	size_t len;

	(void)state;
	table_init(&table);
	table.has_meta = true;
	table.meta.index = INT64_MAX;
	table.meta.term = INT64_MAX;
	for (int i = 0; i < 5; i++) {
		(void)snprintf(name, sizeof(name), "10.0.0.%d:1:0:0", i);
		assert_int_equal(table_add_peer(&table, name), 0);
	}
	for (int i = 2999; i >= 0; i--) {
		(void)snprintf(name, sizeof(name), "dir/%05d", i);
		assert_int_equal(table_add_file(&table, name, NULL), 0);
	}
	assert_int_equal(table_add_file(&table, MANIFEST_NAME, NULL), 0);
	assert_int_equal(table_encode(&table, false, &bytes, &len), 0);
	assert_int_equal(table_decode(&again, bytes, len, NULL), 0);
	free(bytes);
	assert_int_equal(again.nfiles, 3001);
	assert_int_equal(again.meta.npeers, 5);
	assert_true(again.meta.index == INT64_MAX);
	assert_non_null(table_find(&again, "dir/01234"));
	assert_non_null(table_find(&again, MANIFEST_NAME));
	/* a decoded table can be added to */
	assert_int_equal(table_add_file(&again, "late", NULL), 0);
	assert_int_equal(table_add_peer(&again, "10.0.0.9:1:0:0"), 0);
	table_fini(&again);
	table_fini(&table);
}

#define META "\x0a\x04\x08\x01\x10\x01"

static void strange_tables_are_refused_by_name(void **state)
{
	static const struct {
		const char *bytes;
		size_t len;
		const char *says;
	} examples[] = {
		{"", 0, "index"},
		{"\x12\x05\x0a\x01"
		 "a\x12\x00",
			7, "index"},
		{"\x0a\x02\x08\x01", 4, "not a metadata table"},
		{META "\x12\x02\x12\x00", 10, "not a metadata table"},
		{META "\x12\x03\x0a\x01"
		      "a"
		      "\x12\x03\x0a\x01"
		      "a",
			16, "'a' twice"},
		{META "\x12\x04\x0a\x02"
		      "..",
			12, ".."},
		{META "\x12\x04\x0a\x02/a", 12, "/a"},
		{META "\x12\x02\x0a\x00", 10, "bad file"},
		{META "\x12\x16\x0a\x14__raft_snapshot_meta", 30, "__raft_snapshot_meta"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(examples) / sizeof(examples[0]); i++) {
		struct fault fault = {.code = 0};
		struct table table;

		assert_int_equal(
			decode(&table, examples[i].bytes, examples[i].len, &fault),
			-EBADMSG);
		assert_int_equal(fault.code, -EBADMSG);
		if (strstr(fault.text, examples[i].says) == NULL)
			fail_msg("%zu: '%s'", i, fault.text);
	}
}

static void a_strangers_order_is_put_right(void **state)
{
	static const char bytes[] = META "\x12\x03\x0a\x01z"
					 "\x12\x07\x0a\x01"
					 "a\x12\x02\x1a\x00";
	struct table table;

	(void)state;
	assert_int_equal(decode(&table, bytes, sizeof(bytes) - 1, NULL), 0);
	assert_int_equal(table.nfiles, 2);
	assert_string_equal(table.files[0].name, "a");
	assert_string_equal(table.files[0].checksum, "");
	assert_string_equal(table.files[1].name, "z");
	table_fini(&table);
}

static void cut_at_any_byte_it_is_refused_or_shorter(void **state)
{
	(void)state;
	for (size_t len = 0; len < STOCK_LEN; len++) {
		struct table table;
		int err = decode(&table, stock, len, NULL);

		/* 27: the end of meta, a table without files */
		assert_int_equal(err, len == 27 ? 0 : -EBADMSG);
		if (err == 0) {
			assert_int_equal(table.nfiles, 0);
			table_fini(&table);
		}
	}
}

static void noise_never_breaks_the_decoder(void **state)
{
	unsigned int seed = 37;

	(void)state;
	for (int round = 0; round < 20000; round++) {
		char noisy[STOCK_LEN];
		struct table table;
		int err;

		memcpy(noisy, stock, STOCK_LEN);
		for (int i = rand_r(&seed) % 4; i >= 0; i--)
			noisy[rand_r(&seed) % STOCK_LEN] = (char)rand_r(&seed);
		err = decode(&table, noisy, STOCK_LEN, NULL);
		if (err != 0 && err != -EBADMSG)
			fail_msg("seed 37 round %d: %d", round, err);
		if (err == 0)
			table_fini(&table);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_a_stock_table),
		cmocka_unit_test(writes_a_stock_table),
		cmocka_unit_test(files_are_sorted_byte_wise_and_found),
		cmocka_unit_test(a_peer_is_not_told_the_source),
		cmocka_unit_test(a_joint_configuration_and_many_files_survive),
		cmocka_unit_test(strange_tables_are_refused_by_name),
		cmocka_unit_test(a_strangers_order_is_put_right),
		cmocka_unit_test(cut_at_any_byte_it_is_refused_or_shorter),
		cmocka_unit_test(noise_never_breaks_the_decoder),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
