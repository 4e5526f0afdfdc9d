/* SPDX-License-Identifier: BSD-3-Clause */
/* JSON that every parser takes, whatever bytes a file name holds. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "dataplane/base/json.h"

struct paper {
	struct json json;
	char *text;
	size_t len;
};

static void begin(struct paper *paper)
{
	FILE *out = open_memstream(&paper->text, &paper->len);

	assert_non_null(out);
	json_init(&paper->json, out);
}

static void expect(struct paper *paper, const char *text)
{
	assert_int_equal(fclose(paper->json.out), 0);
	assert_string_equal(paper->text, text);
	free(paper->text);
}

static void values_nest_and_commas_fall_in_place(void **state)
{
	struct paper paper;

	(void)state;
	begin(&paper);
	json_open_object(&paper.json, NULL);
	json_u64(&paper.json, "index", UINT64_MAX);
	json_i64(&paper.json, "code", -5);
	json_open_array(&paper.json, "peers");
	json_string(&paper.json, NULL, "a:1");
	json_string(&paper.json, NULL, "b:2");
	json_open_object(&paper.json, NULL);
	json_close(&paper.json);
	json_close(&paper.json);
	json_bool(&paper.json, "sound", true);
	json_thousandths(&paper.json, "seconds", 12034);
	json_string(&paper.json, "error", NULL);
	json_close(&paper.json);
	expect(&paper, "{\"index\":18446744073709551615,\"code\":-5,\"peers\":[\"a:1\","
		       "\"b:2\",{}],\"sound\":true,\"seconds\":12.034,\"error\":null}\n");
}

static void a_string_may_hold_any_bytes(void **state)
{
	struct paper paper;

	(void)state;
	begin(&paper);
	json_open_array(&paper.json, NULL);
	json_string(&paper.json, NULL, "say \"hi\"\\\n\t\x01\x7f");
	json_string(&paper.json, NULL, "gr\xc3\xbc\xc3\x9f \xf0\x9f\x98\x80");
	/* overlong, surrogate, cut short, stray continuation */
	json_string(&paper.json, NULL, "\xc0\xaf");
	json_string(&paper.json, NULL, "\xed\xa0\x80");
	json_string(&paper.json, NULL, "x\xe2\x82");
	json_string(&paper.json, NULL, "\x80y");
	json_close(&paper.json);
	expect(&paper, "[\"say \\\"hi\\\"\\\\\\n\\t\\u0001\\u007f\","
		       "\"gr\xc3\xbc\xc3\x9f \xf0\x9f\x98\x80\","
		       "\"\\ufffd\\ufffd\","
		       "\"\\ufffd\\ufffd\\ufffd\","
		       "\"x\\ufffd\\ufffd\","
		       "\"\\ufffdy\"]\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(values_nest_and_commas_fall_in_place),
		cmocka_unit_test(a_string_may_hold_any_bytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
