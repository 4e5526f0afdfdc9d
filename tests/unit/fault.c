/* SPDX-License-Identifier: BSD-3-Clause */
/* One line of what went wrong: the first cause wins and is only ever put in context. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "dataplane/base/fault.h"

static void the_first_fault_wins(void **state)
{
	struct fault fault = {0};

	(void)state;
	assert_int_equal(fault_set(&fault, -ENOSPC, "%s is full", "/data"), -ENOSPC);
	assert_int_equal(fault_set(&fault, -EIO, "cannot close"), -EIO);
	assert_int_equal(fault.code, -ENOSPC);
	assert_string_equal(fault.text, "/data is full");
}

static void who_wants_the_code_only_gets_it(void **state)
{
	(void)state;
	assert_int_equal(fault_set(NULL, -EINVAL, "no matter"), -EINVAL);
	fault_prefix(NULL, "no matter");
}

static void context_goes_in_front(void **state)
{
	struct fault fault = {0};

	(void)state;
	fault_prefix(&fault, "nothing yet");
	assert_string_equal(fault.text, "");
	(void)fault_set(&fault, -ENOENT, "no such file");
	fault_prefix(&fault, "file %d", 7);
	fault_prefix(&fault, "store");
	assert_string_equal(fault.text, "store: file 7: no such file");
	assert_int_equal(fault.code, -ENOENT);
}

/* Log lines are read by programs: text="…" must end where it seems to. */
static void no_text_ends_the_quotes_of_a_log_line(void **state)
{
	struct fault fault = {0};

	(void)state;
	(void)fault_set(&fault, -EIO, "cannot read \"%s\"", "a \"b\"");
	fault_prefix(&fault, "store \"%s\"", "s");
	assert_string_equal(fault.text, "store 's': cannot read 'a 'b''");
}

static void too_long_a_text_is_cut_never_overrun(void **state)
{
	struct fault fault = {0};
	char text[600];

	(void)state;
	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	(void)fault_set(&fault, -EINVAL, "%s", text);
	assert_int_equal(strlen(fault.text), sizeof(fault.text) - 1);
	fault_prefix(&fault, "here");
	assert_int_equal(strlen(fault.text), sizeof(fault.text) - 1);
	assert_memory_equal(fault.text, "here: xxx", 9);
	fault_prefix(&fault, "%s", text);
	assert_int_equal(strlen(fault.text), sizeof(fault.text) - 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_first_fault_wins),
		cmocka_unit_test(who_wants_the_code_only_gets_it),
		cmocka_unit_test(context_goes_in_front),
		cmocka_unit_test(no_text_ends_the_quotes_of_a_log_line),
		cmocka_unit_test(too_long_a_text_is_cut_never_overrun),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
