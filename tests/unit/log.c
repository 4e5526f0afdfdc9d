/* SPDX-License-Identifier: BSD-3-Clause */
/* A log line is one line, whatever strangers put into it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "dataplane/base/log.h"

/* What log_line writes of this text, without time and newline. */
static const char *line_of(const char *text)
{
	static char line[2048];
	int ends[2], stderr_was;
	ssize_t len;

	assert_int_equal(pipe(ends), 0);
	stderr_was = dup(STDERR_FILENO);
	assert_true(dup2(ends[1], STDERR_FILENO) >= 0);
	log_line(LOG_ERROR, "test", "event=x text=\"%s\"", text);
	assert_true(dup2(stderr_was, STDERR_FILENO) >= 0);
	len = read(ends[0], line, sizeof(line) - 1);
	assert_true(len > 0 && line[len - 1] == '\n');
	line[len - 1] = '\0';
	(void)close(stderr_was);
	(void)close(ends[0]);
	(void)close(ends[1]);
	return strstr(line, " error test ") + strlen(" error test ");
}

static void control_characters_become_blanks(void **state)
{
	(void)state;
	assert_string_equal(line_of("gr\xc3\xbc\xc3\x9f"
				    "e"), /* a name of a file */
		"event=x text=\"gr\xc3\xbc\xc3\x9f"
		"e\"");
	assert_string_equal(line_of("a\nb\r\tc\x7f"), "event=x text=\"a b  c \"");
	assert_string_equal(line_of("\x1b[2J"), "event=x text=\" [2J\"");
	assert_string_equal(line_of("\xc2\x9b"
				    "2J"),
		"event=x text=\"  2J\"");
	assert_string_equal(line_of("\xc2"), "event=x text=\"\xc2\"");
}

static void a_long_line_is_cut_and_still_ends(void **state)
{
	char text[3000];
	const char *line;

	(void)state;
	memset(text, '\n', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	line = line_of(text);
	assert_null(strchr(line, '\n'));
	assert_true(strlen(line) > 900 && strlen(line) < 1024);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(control_characters_become_blanks),
		cmocka_unit_test(a_long_line_is_cut_and_still_ends),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
