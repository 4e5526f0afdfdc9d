/* SPDX-License-Identifier: BSD-3-Clause */
#include "dataplane/base/options.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#include "dataplane/base/format.h"
#include "dataplane/base/parse.h"

/* What is typed before the command's name. */
static const char *program_of(const struct option_command *command)
{
	return command->is_program ? "" : "snapline ";
}

static const char *const takes[] = {
	[OPTION_SWITCH] = "true or false",
	[OPTION_STRING] = "a text",
	[OPTION_U64] = "a number",
	[OPTION_SIZE] = "a size such as 4096, 64KiB or 1GiB",
	[OPTION_RATE] = "a rate such as 0 (paused), 500Mbit, 10Gbit, 1GiB/s or unlimited",
	[OPTION_LIMIT] = "unlimited, or a rate from 1Mbit to 400Gbit such as 500Mbit or "
			 "1GiB/s",
	[OPTION_AUTO_LIMIT] = "auto, unlimited, or a rate from 1Mbit to 400Gbit such as "
			      "500Mbit or 1GiB/s",
	[OPTION_DURATION] = "a duration such as 500ms, 10s or 2m",
	[OPTION_LIST] = "a text",
	[OPTION_WORD] = "one of",
};

struct parse {
	const struct option_command *command;
	void *target;
	uint64_t seen; /* bit per row of the table */
	struct fault *fault;
};

static void *field_of(const struct option_spec *spec, void *target)
{
	return (char *)target + spec->offset;
}

static const struct option_spec *find_spec(
	const struct option_spec *specs, const char *name, size_t len)
{
	for (; specs->name != NULL; specs++)
		if (strlen(specs->name) == len && memcmp(specs->name, name, len) == 0)
			return specs;
	return NULL;
}

/* A number of the spec's kind, in the field's unit. */
static int parse_number(enum option_kind kind, const char *text, uint64_t *value)
{
	nsec span;
	int rv;

	switch (kind) {
	case OPTION_U64:
		return parse_u64(text, value);
	case OPTION_SIZE:
		return parse_size(text, value);
	case OPTION_RATE:
		return parse_rate(text, value);
	case OPTION_LIMIT:
		rv = parse_limit(text, value);
		return rv == 0 && (*value == 0 || *value == RATE_AUTO) ? -ERANGE : rv;
	case OPTION_AUTO_LIMIT:
		rv = parse_limit(text, value);
		return rv == 0 && *value == 0 ? -ERANGE : rv;
	case OPTION_DURATION:
		rv = parse_duration(text, &span);
		if (rv == 0)
			*value = (uint64_t)span;
		return rv;
	default:
		assert(false);
		return -EINVAL;
	}
}

static void format_number(enum option_kind kind, uint64_t value, char *text)
{
	if (kind == OPTION_SIZE)
		format_bytes(value, text);
	else if (kind == OPTION_RATE)
		format_rate(value, text);
	else if (kind == OPTION_DURATION)
		format_duration((nsec)value, text);
	else
		(void)snprintf(text, FORMAT_MAX, "%llu", (unsigned long long)value);
}

/* Writes " from MIN to MAX", or what of it applies; empty when nothing does. */
static void format_range(const struct option_spec *spec, char text[static 80])
{
	char min[FORMAT_MAX], max[FORMAT_MAX];

	format_number(spec->kind, spec->min, min);
	format_number(spec->kind, spec->max, max);
	text[0] = '\0';
	if (spec->max != 0)
		(void)snprintf(text, 80, " from %s to %s", min, max);
	else if (spec->min != 0)
		(void)snprintf(text, 80, " of at least %s", min);
}

static int set_number(
	const struct parse *parse, const struct option_spec *spec, const char *text)
{
	char range[80];
	uint64_t value;

	if (parse_number(spec->kind, text, &value) == 0 && value >= spec->min &&
		(spec->max == 0 || value <= spec->max)) {
		/* uint64_t and nsec have the same size and, here, the same bytes */
		memcpy(field_of(spec, parse->target), &value, sizeof(value));
		return 0;
	}
	format_range(spec, range);
	return fault_set(parse->fault, -EINVAL,
		"--%s takes %s%s, not '%.60s'; see %s%s --help", spec->name,
		takes[spec->kind], range, text, program_of(parse->command),
		parse->command->name);
}

static int set_switch(
	const struct parse *parse, const struct option_spec *spec, const char *text)
{
	bool is_true = strcmp(text, "true") == 0;

	if (!is_true && strcmp(text, "false") != 0)
		return fault_set(parse->fault, -EINVAL,
			"--%s takes %s, not '%.60s'; see %s%s --help", spec->name,
			takes[spec->kind], text, program_of(parse->command),
			parse->command->name);
	*(bool *)field_of(spec, parse->target) = is_true;
	return 0;
}

static int set_word(
	const struct parse *parse, const struct option_spec *spec, const char *text)
{
	char words[120] = "";

	for (uint64_t i = 0; spec->words[i] != NULL; i++) {
		size_t len = strlen(words);
		uint64_t value = i + 1;

		if (strcmp(spec->words[i], text) == 0) {
			memcpy(field_of(spec, parse->target), &value, sizeof(value));
			return 0;
		}
		(void)snprintf(words + len, sizeof(words) - len, "%s%s",
			i > 0 ? ", " : "", spec->words[i]);
	}
	return fault_set(parse->fault, -EINVAL,
		"--%s takes %s %s, not '%.60s'; see %s%s --help", spec->name,
		takes[spec->kind], words, text, program_of(parse->command),
		parse->command->name);
}

static int set_value(
	struct parse *parse, const struct option_spec *spec, const char *text)
{
	struct option_list *list;

	switch (spec->kind) {
	case OPTION_FLAG:
		*(bool *)field_of(spec, parse->target) = true;
		return 0;
	case OPTION_SWITCH:
		return set_switch(parse, spec, text);
	case OPTION_WORD:
		return set_word(parse, spec, text);
	case OPTION_STRING:
		if (text[0] == '\0')
			return fault_set(parse->fault, -EINVAL,
				"--%s is empty; it takes %s", spec->name, spec->arg);
		*(const char **)field_of(spec, parse->target) = text;
		return 0;
	case OPTION_LIST:
		list = field_of(spec, parse->target);
		if (list->count == OPTION_LIST_MAX)
			return fault_set(parse->fault, -EINVAL,
				"--%s is given more than %d times", spec->name,
				OPTION_LIST_MAX);
		list->items[list->count++] = text;
		return 0;
	default:
		return set_number(parse, spec, text);
	}
}

static void set_defaults(struct parse *parse)
{
	for (const struct option_spec *spec = parse->command->options; spec->name != NULL;
		spec++) {
		assert(spec - parse->command->options < 64);
		if (spec->fallback != NULL) {
			int rv = set_value(parse, spec, spec->fallback);

			assert(rv == 0);
			(void)rv;
		}
	}
}

static int refuse_unknown(const struct parse *parse, const char *word)
{
	const char *names[64];
	const char *near;
	char name[48];
	size_t count = 0;

	for (const struct option_spec *spec = parse->command->options; spec->name != NULL;
		spec++)
		names[count++] = spec->name;
	(void)snprintf(name, sizeof(name), "%.*s", (int)strcspn(word, "="), word);
	near = nearest_word(name + strspn(name, "-"), names, count);
	if (near != NULL)
		return fault_set(parse->fault, -EINVAL,
			"unknown option '%.60s'; did you mean --%s? see %s%s "
			"--help",
			word, near, program_of(parse->command), parse->command->name);
	return fault_set(parse->fault, -EINVAL, "unknown option '%.60s'; see %s%s --help",
		word, program_of(parse->command), parse->command->name);
}

/* Parses the option at argv[0]. Returns how many words it took, or -EINVAL. */
static int parse_option(struct parse *parse, int argc, char *const argv[])
{
	const char *name = argv[0] + 2;
	size_t len = strcspn(name, "=");
	const char *value = name[len] == '=' ? name + len + 1 : NULL;
	const struct option_spec *spec = NULL;
	uint64_t bit;
	int used = 1, rv;

	if (strncmp(argv[0], "--", 2) == 0)
		spec = find_spec(parse->command->options, name, len);
	if (spec == NULL)
		return refuse_unknown(parse, argv[0]);
	if (spec->kind == OPTION_FLAG && value != NULL)
		return fault_set(
			parse->fault, -EINVAL, "--%s takes no value", spec->name);
	if (spec->kind != OPTION_FLAG && value == NULL) {
		if (argc < 2 || strncmp(argv[1], "--", 2) == 0)
			return fault_set(parse->fault, -EINVAL,
				"--%s needs a value: --%s %s", spec->name, spec->name,
				spec->arg);
		value = argv[1];
		used = 2;
	}
	bit = (uint64_t)1 << (spec - parse->command->options);
	if (parse->seen & bit && spec->kind != OPTION_LIST)
		return fault_set(
			parse->fault, -EINVAL, "--%s is given twice", spec->name);
	parse->seen |= bit;
	rv = set_value(parse, spec, value);
	return rv != 0 ? rv : used;
}

static int check_complete(const struct parse *parse, const struct option_list *operands)
{
	const struct option_command *command = parse->command;

	for (size_t i = 0; command->options[i].name != NULL; i++) {
		const struct option_spec *spec = &command->options[i];

		if (spec->required && (parse->seen >> i & 1) == 0)
			return fault_set(parse->fault, -EINVAL,
				"--%s %s is missing; see %s%s --help", spec->name,
				spec->arg, program_of(command), command->name);
	}
	if (operands->count < command->min_operands)
		return fault_set(parse->fault, -EINVAL, "%s is missing; see %s%s --help",
			command->operands, program_of(command), command->name);
	return 0;
}

static int add_operand(
	const struct parse *parse, struct option_list *operands, const char *word)
{
	if (operands->count == parse->command->max_operands)
		return fault_set(parse->fault, -EINVAL,
			"'%.60s' is one argument too many; see %s%s --help", word,
			program_of(parse->command), parse->command->name);
	operands->items[operands->count++] = word;
	return 0;
}

static bool asks_for_help(int argc, char *const argv[])
{
	for (int i = 0; i < argc && strcmp(argv[i], "--") != 0; i++)
		if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0)
			return true;
	return false;
}

int options_parse(const struct option_command *command, int argc, char *const argv[],
	void *target, struct option_list *operands, struct fault *fault)
{
	struct parse parse = {.command = command, .target = target, .fault = fault};
	bool only_operands = false;
	int rv, i = 0;

	assert(command->max_operands <= OPTION_LIST_MAX);
	operands->count = 0;
	if (asks_for_help(argc, argv))
		return OPTIONS_HELP;
	set_defaults(&parse);
	while (i < argc) {
		if (!only_operands && strcmp(argv[i], "--") == 0) {
			only_operands = true;
			i++;
		} else if (!only_operands && argv[i][0] == '-' && argv[i][1] != '\0') {
			rv = parse_option(&parse, argc - i, argv + i);
			if (rv < 0)
				return rv;
			i += rv;
		} else {
			rv = add_operand(&parse, operands, argv[i]);
			if (rv != 0)
				return rv;
			i++;
		}
	}
	return check_complete(&parse, operands);
}

static void help_row(const struct option_spec *spec, FILE *out)
{
	char left[48], range[80] = "";

	(void)snprintf(left, sizeof(left), "--%s%s%s", spec->name,
		spec->arg != NULL ? " " : "", spec->arg != NULL ? spec->arg : "");
	if (strlen(left) > 26)
		(void)fprintf(out, "  %s\n  %-26s %s", left, "", spec->help);
	else
		(void)fprintf(out, "  %-26s %s", left, spec->help);
	if (spec->kind != OPTION_FLAG && spec->kind != OPTION_SWITCH &&
		spec->kind != OPTION_STRING && spec->kind != OPTION_LIST &&
		spec->kind != OPTION_WORD && spec->max != INT64_MAX)
		format_range(spec, range); /* the largest int64 would tell nobody */
	if (range[0] != '\0')
		(void)fprintf(out, ",%s", range);
	if (spec->required)
		(void)fputs(" (required)", out);
	else if (spec->fallback != NULL)
		(void)fprintf(out, " (default %s)", spec->fallback);
	else if (spec->kind == OPTION_LIST)
		(void)fputs(" (may be repeated)", out);
	(void)fputc('\n', out);
}

void options_help(const struct option_command *command, FILE *out)
{
	(void)fprintf(out, "usage: %s%s [options]%s%s\n\n%s\noptions:\n",
		program_of(command), command->name, command->operands != NULL ? " " : "",
		command->operands != NULL ? command->operands : "", command->summary);
	for (const struct option_spec *spec = command->options; spec->name != NULL;
		spec++)
		help_row(spec, out);
	(void)fprintf(out, "  %-26s %s\n", "--help", "this text");
}
