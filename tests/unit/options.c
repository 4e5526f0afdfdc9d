/* SPDX-License-Identifier: BSD-3-Clause */
/* A command line becomes a struct, or one line that says what to change. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "dataplane/base/options.h"
#include "dataplane/base/parse.h"

struct ferry {
	const char *store;
	uint64_t index;
	uint64_t chunk;
	uint64_t rate_bps;
	nsec stall;
	bool json;
	bool sync;
	struct option_list peers;
};

static const struct option_spec specs[] = {
	{.name = "store",
		.arg = "DIR",
		.kind = OPTION_STRING,
		.required = true,
		.offset = offsetof(struct ferry, store),
		.help = "where snapshots live"},
	{.name = "index",
		.arg = "N",
		.kind = OPTION_U64,
		.min = 1,
		.max = INT64_MAX,
		.offset = offsetof(struct ferry, index),
		.help = "last included index"},
	{.name = "chunk-size",
		.arg = "SIZE",
		.kind = OPTION_SIZE,
		.min = 256 * KIB,
		.max = 4 * MIB,
		.fallback = "1MiB",
		.offset = offsetof(struct ferry, chunk),
		.help = "bytes checked at once"},
	{.name = "rate",
		.arg = "RATE",
		.kind = OPTION_RATE,
		.fallback = "unlimited",
		.offset = offsetof(struct ferry, rate_bps),
		.help = "at most so fast"},
	{.name = "stall-timeout",
		.arg = "TIME",
		.kind = OPTION_DURATION,
		.min = (uint64_t)SEC,
		.fallback = "10s",
		.offset = offsetof(struct ferry, stall),
		.help = "give up after silence"},
	{.name = "peer",
		.arg = "PEER",
		.kind = OPTION_LIST,
		.offset = offsetof(struct ferry, peers),
		.help = "a member of the group"},
	{.name = "sync",
		.arg = "BOOL",
		.kind = OPTION_SWITCH,
		.fallback = "true",
		.offset = offsetof(struct ferry, sync),
		.help = "wait for the disk"},
	{.name = "json",
		.kind = OPTION_FLAG,
		.offset = offsetof(struct ferry, json),
		.help = "JSON on standard output"},
	{.name = NULL},
};

static const struct option_command command = {
	.name = "ferry",
	.operands = "FROM_DIR",
	.summary = "Carries a directory across.\n",
	.options = specs,
	.min_operands = 1,
	.max_operands = 1,
};

static struct ferry ferry;
static struct option_list operands;
static struct fault fault;

/* Parses up to 8 words; NULL ends them. */
static int parse(const char *const words[])
{
	char *argv[8];
	int argc = 0;

	while (words[argc] != NULL) {
		argv[argc] = (char *)(uintptr_t)words[argc];
		argc++;
	}
	ferry = (struct ferry){0};
	fault = (struct fault){0};
	return options_parse(&command, argc, argv, &ferry, &operands, &fault);
}

#define WORDS(...) ((const char *const[]){__VA_ARGS__, NULL})

static void refused(const char *const words[], const char *text)
{
	assert_int_equal(parse(words), -EINVAL);
	assert_int_equal(fault.code, -EINVAL);
	assert_string_equal(fault.text, text);
}

static void options_and_operands_come_in_any_order(void **state)
{
	(void)state;
	assert_int_equal(parse(WORDS("--store", "/a", "from", "--index=7", "--json")),
		OPTIONS_RUN);
	assert_string_equal(ferry.store, "/a");
	assert_int_equal(ferry.index, 7);
	assert_true(ferry.json);
	assert_int_equal(operands.count, 1);
	assert_string_equal(operands.items[0], "from");
}

static void absent_options_take_the_default_that_help_shows(void **state)
{
	(void)state;
	assert_int_equal(parse(WORDS("--store=/a", "from")), OPTIONS_RUN);
	assert_int_equal(ferry.chunk, MIB);
	assert_true(ferry.rate_bps == RATE_UNLIMITED);
	assert_int_equal(ferry.stall, 10 * SEC);
	assert_int_equal(ferry.index, 0);
	assert_false(ferry.json);
}

static void a_switch_that_is_on_can_be_turned_off(void **state)
{
	(void)state;
	assert_int_equal(parse(WORDS("--store=/a", "from")), OPTIONS_RUN);
	assert_true(ferry.sync);
	assert_int_equal(parse(WORDS("--store=/a", "--sync=false", "from")), OPTIONS_RUN);
	assert_false(ferry.sync);
	assert_int_equal(parse(WORDS("--store=/a", "--sync", "true", "f")), OPTIONS_RUN);
	assert_true(ferry.sync);
}

static void a_list_keeps_the_order_it_was_given_in(void **state)
{
	(void)state;
	assert_int_equal(parse(WORDS("--store=/a", "--peer", "b:1", "--peer=a:1", "f")),
		OPTIONS_RUN);
	assert_int_equal(ferry.peers.count, 2);
	assert_string_equal(ferry.peers.items[0], "b:1");
	assert_string_equal(ferry.peers.items[1], "a:1");
}

static void two_dashes_end_the_options(void **state)
{
	(void)state;
	assert_int_equal(parse(WORDS("--store=/a", "--", "--help")), OPTIONS_RUN);
	assert_string_equal(operands.items[0], "--help");
	assert_int_equal(parse(WORDS("--store=/a", "-")), OPTIONS_RUN);
	assert_string_equal(operands.items[0], "-");
}

static void each_mistake_is_named_with_its_remedy(void **state)
{
	(void)state;
	refused(WORDS("from"), "--store DIR is missing; see snapline ferry --help");
	refused(WORDS("--store=/a"), "FROM_DIR is missing; see snapline ferry --help");
	refused(WORDS("--store=/a", "b", "c"),
		"'c' is one argument too many; see snapline ferry --help");
	refused(WORDS("--store"), "--store needs a value: --store DIR");
	refused(WORDS("--store", "--json", "f"), "--store needs a value: --store DIR");
	refused(WORDS("--store=", "f"), "--store is empty; it takes DIR");
	refused(WORDS("--json=yes", "f"), "--json takes no value");
	refused(WORDS("--sync=yes", "f"),
		"--sync takes true or false, not 'yes'; see snapline ferry --help");
	refused(WORDS("--store=/a", "--store=/b"), "--store is given twice");
	refused(WORDS("--stroe=/a"),
		"unknown option '--stroe=/a'; did you mean --store? see "
		"snapline ferry --help");
	refused(WORDS("-x"), "unknown option '-x'; see snapline ferry --help");
	refused(WORDS("--store=/a", "--index=0"),
		"--index takes a number from 1 to 9223372036854775807, not '0'; see "
		"snapline ferry --help");
	refused(WORDS("--store=/a", "--chunk-size=5MiB"),
		"--chunk-size takes a size such as 4096, 64KiB or 1GiB from 256.0 KiB to "
		"4.0 MiB, not '5MiB'; see snapline ferry --help");
	refused(WORDS("--store=/a", "--stall-timeout=10"),
		"--stall-timeout takes a duration such as 500ms, 10s or 2m of at least "
		"1.00 s, not '10'; see snapline ferry --help");
}

static void too_many_of_a_list_is_an_error(void **state)
{
	char *argv[OPTION_LIST_MAX + 1];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(argv); i++)
		argv[i] = (char *)(uintptr_t) "--peer=x";
	fault = (struct fault){0};
	ferry = (struct ferry){0};
	assert_int_equal(
		options_parse(&command, ARRAY_LEN(argv), argv, &ferry, &operands, &fault),
		-EINVAL);
	assert_string_equal(fault.text, "--peer is given more than 64 times");
}

static void help_wins_over_mistakes_and_shows_the_table(void **state)
{
	char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);

	(void)state;
	assert_non_null(out);
	assert_int_equal(parse(WORDS("--nonsense", "--help")), OPTIONS_HELP);
	options_help(&command, out);
	assert_int_equal(fclose(out), 0);
	assert_string_equal(text,
		"usage: snapline ferry [options] FROM_DIR\n"
		"\n"
		"Carries a directory across.\n"
		"\n"
		"options:\n"
		"  --store DIR                where snapshots live (required)\n"
		"  --index N                  last included index\n"
		"  --chunk-size SIZE          bytes checked at once, from 256.0 KiB to "
		"4.0 "
		"MiB (default 1MiB)\n"
		"  --rate RATE                at most so fast (default unlimited)\n"
		"  --stall-timeout TIME       give up after silence, of at least 1.00 s "
		"(default 10s)\n"
		"  --peer PEER                a member of the group (may be repeated)\n"
		"  --sync BOOL                wait for the disk (default true)\n"
		"  --json                     JSON on standard output\n"
		"  --help                     this text\n");
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(options_and_operands_come_in_any_order),
		cmocka_unit_test(absent_options_take_the_default_that_help_shows),
		cmocka_unit_test(a_switch_that_is_on_can_be_turned_off),
		cmocka_unit_test(a_list_keeps_the_order_it_was_given_in),
		cmocka_unit_test(two_dashes_end_the_options),
		cmocka_unit_test(each_mistake_is_named_with_its_remedy),
		cmocka_unit_test(too_many_of_a_list_is_an_error),
		cmocka_unit_test(help_wins_over_mistakes_and_shows_the_table),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
