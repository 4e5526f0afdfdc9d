/* SPDX-License-Identifier: BSD-3-Clause */
/* remote://HOST:PORT/ID: as strict as braft's parser. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "control/uri.h"
#include "dataplane/base/units.h"

static void accepts_what_braft_writes(void **state)
{
	static const struct {
		const char *text;
		const char *address;
		int64_t id;
	} examples[] = {
		{"remote://127.0.0.1:18802/77", "127.0.0.1:18802", 77},
		{"remote://10.0.0.1:1/-34172750639672", "10.0.0.1:1", -34172750639672},
		{"remote://leader.example:8100/0", "leader.example:8100", 0},
		{"remote://[::1]:65535/1", "[::1]:65535", 1},
		{"remote://a:1/9223372036854775807", "a:1", INT64_MAX},
		{"remote://a:1/-9223372036854775808", "a:1", INT64_MIN},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(examples); i++) {
		struct fault fault = {.code = 0};
		struct uri uri;
		char text[URI_TEXT_MAX];

		assert_int_equal(uri_parse(&uri, examples[i].text, &fault), 0);
		assert_string_equal(uri.address, examples[i].address);
		assert_true(uri.reader_id == examples[i].id);
		assert_int_equal(uri_format(&uri, text, sizeof(text)), 0);
		assert_string_equal(text, examples[i].text);
	}
}

static void refuses_the_rest_and_says_why(void **state)
{
	static const char *const texts[] = {
		"",
		"r",
		"remote:/",
		"remote://",
		"remote:///1",
		"remote://127.0.0.1:80",
		"remote://127.0.0.1:80/",
		"remote://127.0.0.1:80/-",
		"remote://127.0.0.1:80//1",
		"remote://127.0.0.1:80/1/2",
		"remote://127.0.0.1:80/+1",
		"remote://127.0.0.1:80/ 1",
		"remote://127.0.0.1:80/1 ",
		"remote://127.0.0.1:80/0x1",
		"remote://127.0.0.1:80/9223372036854775808",
		"remote://127.0.0.1:80/-9223372036854775809",
		"remote://127.0.0.1:80/99999999999999999999999",
		"remote://127.0.0.1/1",
		"remote://127.0.0.1:/1",
		"remote://127.0.0.1:0/1",
		"remote://127.0.0.1:65536/1",
		"remote://127.0.0.1:-1/1",
		"remote://:80/1",
		"local://127.0.0.1:80/1",
		"REMOTE://127.0.0.1:80/1",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		struct fault fault = {.code = 0};
		struct uri uri = {.reader_id = 4711};

		if (uri_parse(&uri, texts[i], &fault) != -EINVAL)
			fail_msg("'%s' is accepted", texts[i]);
		assert_int_equal(fault.code, -EINVAL);
		assert_true(strlen(fault.text) > 20);
		assert_int_equal(uri.reader_id, 4711);
	}
}

static void a_long_address_does_not_overflow(void **state)
{
	char text[1000];
	char small[20];
	struct uri uri;

	(void)state;
	memset(text, 'a', sizeof(text));
	memcpy(text, "remote://", 9);
	memcpy(text + sizeof(text) - 6, ":80/1", 6);
	assert_int_equal(uri_parse(&uri, text, NULL), -EINVAL);
	assert_int_equal(uri_parse(&uri, "remote://127.0.0.1:80/1", NULL), 0);
	assert_int_equal(uri_format(&uri, small, sizeof(small)), -ENOSPC);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(accepts_what_braft_writes),
		cmocka_unit_test(refuses_the_rest_and_says_why),
		cmocka_unit_test(a_long_address_does_not_overflow),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
