/* SPDX-License-Identifier: BSD-3-Clause */
/* Configuration files: what they say is what the command line would, and what is wrong
 * with them is one line that names file and key. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "control/cli/config.h"
#include "tests/lib/scratch.h"

struct target {
	const char *store;
	struct option_list devs;
	uint64_t rate_bps;
	uint64_t buffers;
	bool check;
	struct option_list configs;
};

#define AT(field) .offset = offsetof(struct target, field)

static const struct option_spec options[] = {
	{.name = "store",
		.arg = "DIR",
		.kind = OPTION_STRING,
		.required = true,
		AT(store),
		.help = ""},
	{.name = "dev", .arg = "DEV", .kind = OPTION_LIST, AT(devs), .help = ""},
	{.name = "rate",
		.arg = "RATE",
		.kind = OPTION_AUTO_LIMIT,
		.fallback = "unlimited",
		AT(rate_bps),
		.help = ""},
	{.name = "buffers",
		.arg = "N",
		.kind = OPTION_U64,
		.fallback = "64",
		.min = 4,
		.max = 100,
		AT(buffers),
		.help = ""},
	{.name = "check", .kind = OPTION_FLAG, AT(check), .help = ""},
	{.name = "config", .arg = "FILE", .kind = OPTION_LIST, AT(configs), .help = ""},
	{.name = NULL},
};

static const struct option_command command = {
	.name = "node", .summary = "", .options = options};

static struct scratch scratch;

static int start(void **state)
{
	(void)state;
	scratch_open(&scratch);
	return 0;
}

static int end(void **state)
{
	(void)state;
	scratch_close(&scratch);
	return 0;
}

struct outcome {
	struct config config;
	struct target target;
	struct fault fault;
};

static char words[8][300];

static int read_words(int argc, char *const argv[], struct outcome *outcome)
{
	const struct config_source source = {.command = &command,
		.target_size = sizeof(outcome->target),
		.argc = argc,
		.argv = argv};
	struct option_list operands;
	int err;

	*outcome = (struct outcome){.target = {.store = NULL}};
	err = config_read(&outcome->config, &source, &outcome->fault);
	if (err != 0)
		return err;
	return options_parse(&command, outcome->config.count, outcome->config.words,
		&outcome->target, &operands, &outcome->fault);
}

/* Writes a file and returns the word that names it. */
static char *name_file(int i, const char *text)
{
	char name[20];

	(void)snprintf(name, sizeof(name), i == 0 ? "node.yaml" : "node%d.yaml", i);
	scratch_write(&scratch, name, text, strlen(text));
	(void)snprintf(
		words[i], sizeof(words[i]), "--config=%s", scratch_path(&scratch, name));
	return words[i];
}

/* Writes the file, reads it before these words, and parses both. */
static int read_it(
	const char *text, int argc, char *const argv[], struct outcome *outcome)
{
	char *all[8] = {name_file(0, text)};

	for (int i = 0; i < argc; i++)
		all[i + 1] = argv[i];
	return read_words(argc + 1, all, outcome);
}

static void a_file_says_what_the_command_line_would(void **state)
{
	struct outcome outcome;

	(void)state;
	assert_int_equal(read_it("# ours\nstore: /srv/x y\nrate: auto\n"
				 "dev: [net_memif0, \"0000:01:00.0\"]\nbuffers: 8\n",
				 0, NULL, &outcome),
		0);
	assert_string_equal(outcome.target.store, "/srv/x y");
	assert_true(outcome.target.rate_bps == RATE_AUTO);
	assert_int_equal(outcome.target.devs.count, 2);
	assert_string_equal(outcome.target.devs.items[1], "0000:01:00.0");
	assert_int_equal(outcome.target.buffers, 8);
	config_free(&outcome.config);
	/* an empty one says nothing */
	assert_int_equal(read_it("", 0, NULL, &outcome), -EINVAL);
	assert_non_null(strstr(outcome.fault.text, "--store DIR is missing"));
	config_free(&outcome.config);
}

static void the_command_line_counts_for_more(void **state)
{
	char *const argv[] = {"--rate", "1Gbit", "--dev=mine", "--check"};
	struct outcome outcome;

	(void)state;
	assert_int_equal(
		read_it("store: s\nrate: auto\ndev: [a, b]\n", 4, argv, &outcome), 0);
	assert_true(outcome.target.rate_bps == 1000000000);
	assert_int_equal(outcome.target.devs.count, 1);
	assert_string_equal(outcome.target.devs.items[0], "mine");
	assert_true(outcome.target.check);
	config_free(&outcome.config);
}

/* What a node is, and what was found to suit it. */
static void a_later_file_counts_for_more(void **state)
{
	char *const argv[] = {
		name_file(0, "store: s\nrate: auto\ndev: [a, b]\nbuffers: 8\n"),
		name_file(1, "rate: 1Gbit\ndev: [c]\nbuffers: 16\n"),
		name_file(2, "buffers: 32\nrate: 2Gbit\n"), "--rate=3Gbit"};
	char *const wrong[] = {name_file(3, "store: s\n"), name_file(4, "rate: fast\n")};
	char *const twice[] = {argv[0], argv[1], argv[0]};
	struct outcome outcome;

	(void)state;
	assert_int_equal(read_words(4, argv, &outcome), 0);
	assert_string_equal(outcome.target.store, "s");
	assert_true(outcome.target.rate_bps == 3000000000);
	assert_int_equal(outcome.target.buffers, 32);
	assert_int_equal(outcome.target.devs.count, 1);
	assert_string_equal(outcome.target.devs.items[0], "c");
	assert_int_equal(outcome.target.configs.count, 3);
	config_free(&outcome.config);
	assert_int_equal(read_words(3, twice, &outcome), 0);
	assert_int_equal(outcome.target.devs.count, 2);
	config_free(&outcome.config);
	assert_int_equal(read_words(2, wrong, &outcome), -EINVAL);
	assert_non_null(strstr(outcome.fault.text, "node4.yaml: --rate takes"));
}

static void too_many_files_are_refused(void **state)
{
	char *argv[CONFIG_FILES_MAX + 2];
	struct outcome outcome;

	(void)state;
	for (int i = 0; i <= CONFIG_FILES_MAX + 1; i++)
		argv[i] = name_file(0, "store: s\n");
	assert_int_equal(read_words(CONFIG_FILES_MAX, argv, &outcome), 0);
	config_free(&outcome.config);
	assert_int_equal(read_words(CONFIG_FILES_MAX + 1, argv, &outcome), -EINVAL);
	assert_int_equal(read_words(CONFIG_FILES_MAX + 2, argv, &outcome), -EINVAL);
	assert_non_null(strstr(outcome.fault.text, "at most 16 files"));
}

static void what_is_wrong_is_named(void **state)
{
	static const struct {
		const char *text;
		const char *says;
	} rows[] = {
		{"rat: auto\n", "node.yaml: unknown key 'rat'; did you mean 'rate'?"},
		{"frobnicate: 1\n", "node.yaml: unknown key 'frobnicate'; keys are"},
		{"config: other\n", "unknown key 'config'"},
		{"check: true\n", "unknown key 'check'"},
		{"rate: fast\n", "node.yaml: --rate takes auto, unlimited, or"},
		{"buffers: 3\n", "node.yaml: --buffers takes a number from 4 to 100"},
		{"store: \"\"\n", "node.yaml: --store is empty"},
		{"dev: a\n", "field 'dev' (line: 1, column: 6): a list is wanted"},
		{"rate: [a, b]\n", "node.yaml: mapping field 'rate' (line: 1"},
		{"rate: 1Gbit\nrate: 2Gbit\n", "already seen: rate"},
		{"rate: [\n", "node.yaml: "},
		{"- rate\n", "node.yaml: "},
		{"&a rate: *a\n", "node.yaml: "},
		{"rate: 1\x01\n", "node.yaml: "},
	};
	struct outcome outcome;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		assert_int_equal(read_it(rows[i].text, 0, NULL, &outcome), -EINVAL);
		if (strstr(outcome.fault.text, rows[i].says) == NULL)
			fail_msg("%s: %s", rows[i].text, outcome.fault.text);
		assert_null(strchr(outcome.fault.text, '\n'));
	}
}

static void a_file_that_is_not_there_is_said_to_be(void **state)
{
	char *const argv[] = {"--config", "/nonexistent/node.yaml"};
	struct outcome outcome;

	(void)state;
	assert_int_equal(read_words(2, argv, &outcome), -ENOENT);
	assert_string_equal(
		outcome.fault.text, "/nonexistent/node.yaml: No such file or directory");
}

static void files_are_found_on_the_command_line(void **state)
{
	const char *paths[CONFIG_FILES_MAX + 1];
	char *const apart[] = {"--store", "s", "--config", "x"};
	char *const together[] = {"--config=y", "--config", "z"};
	char *const behind[] = {"--", "--config=y"};

	(void)state;
	assert_int_equal(config_find(4, apart, paths), 1);
	assert_string_equal(paths[0], "x");
	assert_int_equal(config_find(3, apart, paths), 0);
	assert_int_equal(config_find(3, together, paths), 2);
	assert_string_equal(paths[0], "y");
	assert_string_equal(paths[1], "z");
	assert_int_equal(config_find(2, behind, paths), 0);
}

#define STORY(name) cmocka_unit_test_setup_teardown(name, start, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		STORY(a_file_says_what_the_command_line_would),
		STORY(the_command_line_counts_for_more),
		STORY(a_later_file_counts_for_more),
		STORY(too_many_files_are_refused),
		STORY(what_is_wrong_is_named),
		STORY(a_file_that_is_not_there_is_said_to_be),
		STORY(files_are_found_on_the_command_line),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
