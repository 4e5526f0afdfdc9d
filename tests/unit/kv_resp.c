/* SPDX-License-Identifier: BSD-3-Clause */
/* Requests of Redis clients, whole, in pieces, and broken. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "control/kv/resp.h"
#include "dataplane/base/units.h"

static enum resp_result parse(
	struct resp_request *request, const char *text, const char **error)
{
	return resp_parse(request, text, strlen(text), error);
}

static void assert_word(const struct resp_request *request, size_t i, const char *text)
{
	assert_int_equal(request->words[i].len, strlen(text));
	assert_memory_equal(request->words[i].bytes, text, strlen(text));
}

static void arrays_and_inline_lines_are_requests(void **state)
{
	static const char pipelined[] =
		"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$4\r\na\r\nb\r\nPING  twice\r\n\r\n";
	struct resp_request request;
	const char *error;
	size_t at;

	(void)state;
	assert_int_equal(parse(&request, pipelined, &error), RESP_READY);
	assert_int_equal(request.count, 3);
	assert_true(resp_is(&request.words[0], "set"));
	assert_word(&request, 2, "a\r\nb");
	at = request.used;
	assert_int_equal(parse(&request, pipelined + at, &error), RESP_READY);
	assert_int_equal(request.count, 2);
	assert_word(&request, 1, "twice");
	at += request.used;
	assert_int_equal(parse(&request, pipelined + at, &error), RESP_READY);
	assert_int_equal(request.count, 0); /* an empty line */
	assert_int_equal(at + request.used, sizeof(pipelined) - 1);
}

static void a_piece_of_a_request_waits_for_the_rest(void **state)
{
	static const char whole[] = "*2\r\n$3\r\nGET\r\n$5\r\nabcde\r\n";
	struct resp_request request;
	const char *error;

	(void)state;
	for (size_t len = 0; len < sizeof(whole) - 1; len++)
		assert_int_equal(resp_parse(&request, whole, len, &error), RESP_MORE);
	assert_int_equal(parse(&request, whole, &error), RESP_READY);
	assert_int_equal(request.used, sizeof(whole) - 1);
}

static void nonsense_is_answered_with_why(void **state)
{
	static const struct {
		const char *text;
		const char *why;
	} examples[] = {
		{"*1025\r\n", "invalid multibulk length"},
		{"*-1\r\n", "invalid multibulk length"},
		{"*99999999999999999999\r\n", "invalid multibulk length"},
		{"*1\r\n$2097153\r\n", "invalid bulk length"},
		{"*1\r\n$-1\r\n", "invalid bulk length"},
		{"*1\r\n:1\r\n", "invalid bulk length"},
		{"*1\r\n$1\r\nab\r\n", "does not end where it said"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(examples); i++) {
		struct resp_request request;
		const char *error = NULL;

		assert_int_equal(parse(&request, examples[i].text, &error), RESP_BAD);
		assert_non_null(strstr(error, examples[i].why));
	}
}

static void endless_requests_are_cut_off(void **state)
{
	char *bytes = malloc(RESP_REQUEST_MAX + 1);
	struct resp_request request;
	const char *error = NULL;

	(void)state;
	memset(bytes, 'x', RESP_REQUEST_MAX + 1);
	assert_int_equal(
		resp_parse(&request, bytes, RESP_INLINE_MAX + 2, &error), RESP_BAD);
	for (size_t at = 0; at < RESP_REQUEST_MAX;) {
		static const char word[] = "$1048576\r\n";

		if (at == 0) {
			memcpy(bytes, "*9\r\n", 4);
			at = 4;
		}
		memcpy(bytes + at, word, sizeof(word) - 1);
		at += sizeof(word) - 1 + (1 << 20);
		if (at < RESP_REQUEST_MAX)
			memcpy(bytes + at, "\r\n", 2);
		at += 2;
	}
	assert_int_equal(
		resp_parse(&request, bytes, RESP_REQUEST_MAX + 1, &error), RESP_BAD);
	assert_non_null(strstr(error, "too big request"));
	free(bytes);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(arrays_and_inline_lines_are_requests),
		cmocka_unit_test(a_piece_of_a_request_waits_for_the_rest),
		cmocka_unit_test(nonsense_is_answered_with_why),
		cmocka_unit_test(endless_requests_are_cut_off),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
