/* SPDX-License-Identifier: BSD-3-Clause */
/* A leader's answer to open: taken as one, or refused before a byte is asked for. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "control/offer.h"
#include "dataplane/manifest_codec.h"

/* What a leader sends; the tests spoil it in one place. */
struct answer {
	struct open_response response;
	uint8_t *attachment;
	size_t attachment_len;
};

/* Names, one letter each, of the table's files and of the manifest's. 'M' is the manifest
 * itself. */
static struct answer make_answer(const char *in_table, const char *in_manifest)
{
	struct answer answer = {.response = {.transfer_id = 1,
					.index = 42,
					.term = 3,
					.endpoint = {.ip = IP_V4(10, 0, 0, 1),
						.prefix_len = 24,
						.port = 4791,
						.slice_size = 8192},
					.slice_size = 1408,
					.session_id = 4711}};
	struct manifest manifest;
	struct table table;
	uint8_t *table_bytes, *manifest_bytes;
	size_t table_len, manifest_len;

	table_init(&table);
	table.has_meta = true;
	table.meta.index = 42;
	table.meta.term = 3;
	for (const char *c = in_table; *c != '\0'; c++)
		assert_int_equal(
			table_add_file(&table,
				*c == 'M' ? MANIFEST_NAME : (char[]){*c, '\0'}, NULL),
			0);
	assert_int_equal(table_encode(&table, true, &table_bytes, &table_len), 0);
	table_fini(&table);
	assert_int_equal(manifest_init(&manifest, MANIFEST_CHUNK_MIN, NULL), 0);
	for (const char *c = in_manifest; *c != '\0'; c++)
		assert_int_equal(
			manifest_add(&manifest, (char[]){*c, '\0'}, 1000, 0644, NULL), 0);
	assert_int_equal(manifest_layout(&manifest, NULL), 0);
	assert_int_equal(manifest_encode(&manifest, &manifest_bytes, &manifest_len), 0);
	manifest_fini(&manifest);
	answer.attachment_len = table_len + manifest_len;
	answer.attachment = malloc(answer.attachment_len);
	memcpy(answer.attachment, table_bytes, table_len);
	memcpy(answer.attachment + table_len, manifest_bytes, manifest_len);
	answer.response.table_size = (uint32_t)table_len;
	answer.response.manifest_size = (uint32_t)manifest_len;
	free(table_bytes);
	free(manifest_bytes);
	return answer;
}

static int parse(struct offer *offer, const struct answer *answer, struct fault *fault)
{
	uint8_t *message;
	size_t len;
	int err;

	*fault = (struct fault){0};
	assert_int_equal(open_response_encode(&answer->response, &message, &len), 0);
	err = offer_parse(
		offer, message, len, answer->attachment, answer->attachment_len, fault);
	free(message);
	return err;
}

static void check_refused(const struct answer *answer, const char *text)
{
	struct offer offer;
	struct fault fault;

	assert_int_equal(parse(&offer, answer, &fault), -EBADMSG);
	assert_int_equal(fault.code, -EBADMSG);
	assert_non_null(strstr(fault.text, text));
}

static void table_and_manifest_are_taken_together(void **state)
{
	struct answer answer = make_answer("Mab", "ab");
	struct offer offer;
	struct fault fault;

	(void)state;
	assert_int_equal(parse(&offer, &answer, &fault), 0);
	memset(answer.attachment, 0, answer.attachment_len); /* it has its own copy */
	assert_int_equal(offer.table.nfiles, 3);
	assert_int_equal(offer.manifest.nfiles, 2);
	assert_memory_equal(offer.manifest_bytes, "SNPLMAN1", 8);
	assert_int_equal(offer.response.session_id, 4711);
	offer_fini(&offer);
	free(answer.attachment);
}

/* A snapshot made by stock braft has no manifest file; the leader computed one. */
static void a_stock_snapshot_has_no_manifest_file(void **state)
{
	struct answer answer = make_answer("ab", "ab");
	struct offer offer;
	struct fault fault;

	(void)state;
	assert_int_equal(parse(&offer, &answer, &fault), 0);
	assert_int_equal(offer.table.nfiles, 2);
	assert_int_equal(offer.manifest.nfiles, 2);
	offer_fini(&offer);
	free(answer.attachment);
}

static void an_empty_snapshot_is_a_snapshot(void **state)
{
	struct answer answer = make_answer("", "");
	struct offer offer;
	struct fault fault;

	(void)state;
	assert_int_equal(parse(&offer, &answer, &fault), 0);
	offer_fini(&offer);
	free(answer.attachment);
}

static void lists_that_differ_are_refused_by_name(void **state)
{
	static const struct {
		const char *in_table, *in_manifest, *text;
	} cases[] = {
		{"abc", "ab", "differ at 'c'"},
		{"ac", "abc", "differ at 'c'"},
		{"ab", "abc", "manifest has 'c'"},
		{"M", "a", "manifest has 'a'"},
		{"a", "", "differ at 'a'"},
		{"ab", "ac", "differ at 'b'"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct answer answer =
			make_answer(cases[i].in_table, cases[i].in_manifest);

		check_refused(&answer, cases[i].text);
		free(answer.attachment);
	}
}

static void another_index_or_term_than_the_tables_is_refused(void **state)
{
	struct answer answer = make_answer("ab", "ab");

	(void)state;
	answer.response.index++;
	check_refused(&answer, "announces index 43, its table says 42");
	answer.response.index--;
	answer.response.term++;
	check_refused(&answer, "announces index 42");
	free(answer.attachment);
}

static void slices_that_are_not_whole_units_are_refused(void **state)
{
	struct answer answer = make_answer("ab", "ab");

	(void)state;
	answer.response.slice_size = 0;
	check_refused(&answer, "slices of 0 bytes");
	answer.response.slice_size = 1400;
	check_refused(&answer, "slices of 1400 bytes");
	free(answer.attachment);
}

static void an_attachment_cut_anywhere_is_refused(void **state)
{
	struct answer answer = make_answer("Mab", "ab");
	struct answer cut = answer;

	(void)state;
	for (size_t len = 0; len < answer.attachment_len; len++) {
		uint32_t size = (uint32_t)len;
		uint32_t table_size = u32_min(answer.response.table_size, size);

		/* in a block of its own, so that a sanitizer sees a byte too far */
		cut.attachment = malloc(len > 0 ? len : 1);
		memcpy(cut.attachment, answer.attachment, len);
		cut.attachment_len = len;
		cut.response = answer.response;
		check_refused(&cut, "it announces");
		/* and when it announces the shorter one */
		cut.response.table_size = table_size;
		cut.response.manifest_size = size - table_size;
		check_refused(&cut, "");
		free(cut.attachment);
	}
	free(answer.attachment);
}

static void sizes_that_overflow_are_refused(void **state)
{
	struct answer answer = make_answer("ab", "ab");

	(void)state;
	answer.response.table_size += 16;
	answer.response.manifest_size = (uint32_t)answer.attachment_len -
					answer.response.table_size; /* may wrap below */
	check_refused(&answer, "");
	answer.response.table_size = UINT32_MAX;
	answer.response.manifest_size = (uint32_t)answer.attachment_len + 1;
	check_refused(&answer, "it announces");
	free(answer.attachment);
}

static void no_attachment_at_all_is_refused(void **state)
{
	struct answer answer = make_answer("ab", "ab");

	(void)state;
	free(answer.attachment);
	answer.attachment = NULL;
	answer.attachment_len = 0;
	check_refused(&answer, "it announces");
	answer.response.table_size = 0;
	answer.response.manifest_size = 0;
	check_refused(&answer, "");
}

static void a_malformed_message_is_refused(void **state)
{
	struct answer answer = make_answer("ab", "ab");
	struct offer offer;
	struct fault fault;
	uint8_t *message;
	size_t len;

	(void)state;
	assert_int_equal(open_response_encode(&answer.response, &message, &len), 0);
	for (size_t cut = 0; cut < len; cut++) {
		fault = (struct fault){0};
		assert_int_equal(offer_parse(&offer, message, cut, answer.attachment,
					 answer.attachment_len, &fault),
			-EBADMSG);
		assert_string_equal(
			fault.text, "the leader's answer to open is malformed");
	}
	free(message);
	free(answer.attachment);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(table_and_manifest_are_taken_together),
		cmocka_unit_test(a_stock_snapshot_has_no_manifest_file),
		cmocka_unit_test(an_empty_snapshot_is_a_snapshot),
		cmocka_unit_test(lists_that_differ_are_refused_by_name),
		cmocka_unit_test(another_index_or_term_than_the_tables_is_refused),
		cmocka_unit_test(slices_that_are_not_whole_units_are_refused),
		cmocka_unit_test(an_attachment_cut_anywhere_is_refused),
		cmocka_unit_test(sizes_that_overflow_are_refused),
		cmocka_unit_test(no_attachment_at_all_is_refused),
		cmocka_unit_test(a_malformed_message_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
