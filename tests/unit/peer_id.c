/* SPDX-License-Identifier: BSD-3-Clause */
/* IP:PORT[:INDEX[:ROLE]]: two to four fields in, four out, the role no part of the name.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "control/peer_id.h"
#include "dataplane/base/units.h"

static void accepts_old_and_new_spelling(void **state)
{
	static const struct {
		const char *text;
		const char *whole;
		const char *address;
	} examples[] = {
		{"127.0.0.1:18801", "127.0.0.1:18801:0:0", "127.0.0.1:18801"},
		{"127.0.0.1:18801:0", "127.0.0.1:18801:0:0", "127.0.0.1:18801"},
		{"10.1.2.3:80:7:1", "10.1.2.3:80:7:1", "10.1.2.3:80"},
		{"0.0.0.0:0:0:0", "0.0.0.0:0:0:0", "0.0.0.0:0"},
		{"255.255.255.255:65535:2147483647:1",
			"255.255.255.255:65535:2147483647:1", "255.255.255.255:65535"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(examples); i++) {
		struct peer_id peer;
		char text[PEER_ID_TEXT_MAX];

		assert_int_equal(peer_id_parse(&peer, examples[i].text, NULL), 0);
		peer_id_format(&peer, text);
		assert_string_equal(text, examples[i].whole);
		peer_id_format_address(&peer, text);
		assert_string_equal(text, examples[i].address);
	}
}

static void refuses_the_rest_and_says_why(void **state)
{
	static const char *const texts[] = {"", ":", "127.0.0.1",
		"127.0.0.1:", "127.0.0.1:x", "127.0.0.1:65536",
		"127.0.0.1:80:", "127.0.0.1:80:x", "127.0.0.1:80:2147483648",
		"127.0.0.1:80:0:2", "127.0.0.1:80:0:-1", "127.0.0.1:80:0:0:0",
		"127.0.0.1:80:0:0x", "127.0.0.1:80 ", "1.2.3:80", "1.2.3.256:80",
		"host:80", "[::1]:80", " 127.0.0.1:80", "127.0.0.1111111111111111:80",
		"127.0.0.1:99999999999999999999999999999999"};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		struct fault fault = {.code = 0};
		struct peer_id peer = {.index = 4711};

		if (peer_id_parse(&peer, texts[i], &fault) != -EINVAL)
			fail_msg("'%s' is accepted", texts[i]);
		assert_int_equal(fault.code, -EINVAL);
		assert_true(strlen(fault.text) > 20);
		assert_int_equal(peer.index, 4711);
	}
}

static void a_witness_is_the_same_node(void **state)
{
	struct peer_id a;
	struct peer_id b;

	(void)state;
	assert_int_equal(peer_id_parse(&a, "10.0.0.1:80:1:0", NULL), 0);
	assert_int_equal(peer_id_parse(&b, "10.0.0.1:80:1:1", NULL), 0);
	assert_true(peer_id_is_equal(&a, &b));
	assert_int_equal(peer_id_parse(&b, "10.0.0.1:80:2", NULL), 0);
	assert_false(peer_id_is_equal(&a, &b));
	assert_int_equal(peer_id_parse(&b, "10.0.0.1:81:1", NULL), 0);
	assert_false(peer_id_is_equal(&a, &b));
	assert_int_equal(peer_id_parse(&b, "10.0.0.2:80:1", NULL), 0);
	assert_false(peer_id_is_equal(&a, &b));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(accepts_old_and_new_spelling),
		cmocka_unit_test(refuses_the_rest_and_says_why),
		cmocka_unit_test(a_witness_is_the_same_node),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
