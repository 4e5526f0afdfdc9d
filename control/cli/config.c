/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/cli/config.h"

#include <cyaml/cyaml.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "dataplane/base/parse.h"

enum { ROWS_MAX = 64, VALUE_MAX = 4096, TEXT_MAX = 200 };

/* What libcyaml writes, a row of the option table each. */
struct value {
	char **items; /* of a list */
	uint32_t count;
	char *scalar;
};

struct reading {
	const struct config_source *source;
	const char *path;
	int begin; /* its words */
	cyaml_schema_field_t fields[ROWS_MAX + 1];
	cyaml_schema_value_t schema;
	char what[TEXT_MAX];  /* the first that libcyaml complains of */
	char where[TEXT_MAX]; /* and the place */
};

static const cyaml_schema_value_t item = {
	CYAML_VALUE_STRING(CYAML_FLAG_POINTER, char, 0, VALUE_MAX)};

/* libcyaml's complaint, then "Load: Backtrace:", then places from the inside out. */
static void note(cyaml_log_t level, void *ctx, const char *format, va_list args)
{
	struct reading *reading = ctx;
	char text[TEXT_MAX];
	const char *start = text;

	(void)level;
	(void)vsnprintf(text, sizeof(text), format, args);
	text[strcspn(text, "\n")] = '\0';
	if (strncmp(start, "Load: ", strlen("Load: ")) == 0)
		start += strlen("Load: ");
	if (reading->what[0] == '\0')
		(void)snprintf(reading->what, TEXT_MAX, "%s", start);
	else if (reading->where[0] == '\0' && strncmp(start, "  in ", 5) == 0)
		(void)snprintf(reading->where, TEXT_MAX, "%s", start + 5);
}

/* What a file may not say: it is the file, or it is about one start. */
static bool is_key(const struct option_spec *spec)
{
	return spec->kind != OPTION_FLAG && strcmp(spec->name, "config") != 0;
}

static void make_schema(struct reading *reading)
{
	const struct option_spec *spec = reading->source->command->options;
	cyaml_schema_field_t *field = reading->fields;

	for (size_t i = 0; i < ROWS_MAX && spec[i].name != NULL; i++) {
		uint32_t at = (uint32_t)(i * sizeof(struct value));

		if (!is_key(&spec[i]))
			continue;
		*field = (cyaml_schema_field_t){.key = spec[i].name,
			.data_offset = at + (uint32_t)offsetof(struct value, scalar)};
		field->value.type = CYAML_STRING;
		field->value.flags = CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL;
		field->value.data_size = 1;
		field->value.string.max = VALUE_MAX;
		if (spec[i].kind == OPTION_LIST) {
			field->data_offset = at;
			field->count_offset =
				at + (uint32_t)offsetof(struct value, count);
			field->count_size = sizeof(uint32_t);
			field->value.type = CYAML_SEQUENCE;
			field->value.data_size = sizeof(char *);
			field->value.sequence.entry = &item;
			field->value.sequence.max = OPTION_LIST_MAX;
		}
		field++;
	}
	reading->schema.type = CYAML_MAPPING;
	reading->schema.flags = CYAML_FLAG_POINTER;
	reading->schema.data_size = ROWS_MAX * sizeof(struct value);
	reading->schema.mapping.fields = reading->fields;
}

static int refuse_key(const struct reading *reading, const char *key, struct fault *fault)
{
	const char *names[ROWS_MAX];
	const char *near;
	size_t count = 0;

	for (const cyaml_schema_field_t *it = reading->fields; it->key != NULL; it++)
		names[count++] = it->key;
	near = nearest_word(key, names, count);
	if (near != NULL)
		return fault_set(fault, -EINVAL,
			"%.200s: unknown key '%.60s'; did you mean '%s'?", reading->path,
			key, near);
	return fault_set(fault, -EINVAL,
		"%.200s: unknown key '%.60s'; keys are the options of snapline %s, see "
		"its --help",
		reading->path, key, reading->source->command->name);
}

static int explain(const struct reading *reading, cyaml_err_t code, struct fault *fault)
{
	static const char unknown[] = "Unexpected key: ";
	static const char no_list[] = "Expecting SEQUENCE";

	if (code == CYAML_ERR_OOM)
		return fault_set(fault, -ENOMEM, "no memory for %.200s", reading->path);
	if (strncmp(reading->what, unknown, strlen(unknown)) == 0)
		return refuse_key(reading, reading->what + strlen(unknown), fault);
	if (strncmp(reading->what, no_list, strlen(no_list)) == 0)
		return fault_set(fault, -EINVAL,
			"%.160s: %.80s: a list is wanted; write [VALUE]", reading->path,
			reading->where);
	return fault_set(fault, -EINVAL, "%.160s: %.80s: %.100s", reading->path,
		reading->where[0] != '\0' ? reading->where : "no YAML mapping",
		reading->what[0] != '\0' ? reading->what : cyaml_strerror(code));
}

static int add_word(struct config *config, const char *name, const char *text)
{
	size_t len = strlen(name) + strlen(text) + sizeof("--=");
	char *word = malloc(len);

	if (word == NULL)
		return -ENOMEM;
	(void)snprintf(word, len, "--%s=%s", name, text);
	config->words[config->nowned++] = word;
	return 0;
}

static bool is_given(int count, char *const words[], const char *name)
{
	size_t len = strlen(name);

	for (int i = 0; i < count && strcmp(words[i], "--") != 0; i++) {
		const char *word = words[i];

		if (strncmp(word, "--", 2) == 0 && strncmp(word + 2, name, len) == 0 &&
			(word[2 + len] == '\0' || word[2 + len] == '='))
			return true;
	}
	return false;
}

static int add_value(struct config *config, const char *name, const struct value *value)
{
	int err = value->scalar != NULL ? add_word(config, name, value->scalar) : 0;

	for (uint32_t i = 0; i < value->count && err == 0; i++)
		err = add_word(config, name, value->items[i]);
	return err;
}

/* The same words are parsed once more with those of the command line; here, alone, so
 * that what is wrong with them is blamed on the file. */
static int check(
	const struct reading *reading, const struct config *config, struct fault *fault)
{
	struct option_command command = *reading->source->command;
	struct option_spec rows[ROWS_MAX] = {{.name = NULL}};
	struct option_list operands;
	void *target = calloc(1, reading->source->target_size);
	int err;

	if (target == NULL)
		return fault_set(fault, -ENOMEM, "no memory for %.200s", reading->path);
	for (size_t i = 0; i + 1 < ROWS_MAX && command.options[i].name != NULL; i++) {
		rows[i] = command.options[i];
		rows[i].required = false;
	}
	command.options = rows;
	command.min_operands = 0;
	err = options_parse(&command, config->nowned - reading->begin,
		config->words + reading->begin, target, &operands, fault);
	free(target);
	fault_prefix(fault, "%.200s", reading->path);
	return err;
}

/* What neither the command line nor a later file says. */
static int take(
	const struct reading *reading, struct config *config, const struct value *values)
{
	const struct config_source *source = reading->source;
	const struct option_spec *spec = source->command->options;
	int err = 0;

	for (size_t i = 0; spec[i].name != NULL && values != NULL && err == 0; i++) {
		if (is_key(&spec[i]) &&
			!is_given(source->argc, source->argv, spec[i].name) &&
			!is_given(reading->begin, config->words, spec[i].name))
			err = add_value(config, spec[i].name, &values[i]);
	}
	return err;
}

static int load(struct reading *reading, struct value **values, struct fault *fault)
{
	const cyaml_config_t settings = {.log_fn = note,
		.log_ctx = reading,
		.mem_fn = cyaml_mem,
		.log_level = CYAML_LOG_ERROR,
		.flags = CYAML_CFG_NO_ALIAS};
	cyaml_err_t code;

	if (access(reading->path, R_OK) != 0)
		return fault_set(
			fault, -errno, "%.200s: %s", reading->path, strerror(errno));
	code = cyaml_load_file(reading->path, &settings, &reading->schema,
		(cyaml_data_t **)values, NULL);
	return code == CYAML_OK ? 0 : explain(reading, code, fault);
}

static int read_file(struct config *config, const struct config_source *source,
	const char *path, struct fault *fault)
{
	const cyaml_config_t settings = {.mem_fn = cyaml_mem};
	struct reading reading = {
		.source = source, .path = path, .begin = config->nowned};
	struct value *values = NULL;
	int err;

	make_schema(&reading);
	err = load(&reading, &values, fault);
	if (err != 0)
		return err;
	if (take(&reading, config, values) != 0)
		err = fault_set(fault, -ENOMEM, "no memory for %.200s", path);
	(void)cyaml_free(&settings, &reading.schema, values, 0);
	return err == 0 ? check(&reading, config, fault) : err;
}

int config_read(
	struct config *config, const struct config_source *source, struct fault *fault)
{
	const char *paths[CONFIG_FILES_MAX + 1];
	int npaths = config_find(source->argc, source->argv, paths);
	int err = 0;

	*config = (struct config){.count = 0};
	if (npaths > CONFIG_FILES_MAX)
		return fault_set(fault, -EINVAL,
			"--config: at most %d files; put some of them into one",
			CONFIG_FILES_MAX);
	config->words = calloc(
		(size_t)npaths * ROWS_MAX * OPTION_LIST_MAX + (size_t)source->argc + 1,
		sizeof(char *));
	if (config->words == NULL)
		return fault_set(fault, -ENOMEM, "no memory for the options");
	for (int i = npaths - 1; i >= 0 && err == 0; i--)
		err = read_file(config, source, paths[i], fault);
	if (err != 0) {
		config_free(config);
		return err;
	}
	config->count = config->nowned;
	for (int i = 0; i < source->argc; i++)
		config->words[config->count++] = source->argv[i];
	return 0;
}

void config_free(struct config *config)
{
	for (int i = 0; i < config->nowned; i++)
		free(config->words[i]);
	free(config->words);
	*config = (struct config){.count = 0};
}

int config_find(int argc, char *const argv[], const char *paths[CONFIG_FILES_MAX + 1])
{
	int count = 0;

	for (int i = 0; i < argc && strcmp(argv[i], "--") != 0; i++) {
		if (count > CONFIG_FILES_MAX)
			break;
		if (strncmp(argv[i], "--config=", strlen("--config=")) == 0)
			paths[count++] = argv[i] + strlen("--config=");
		else if (strcmp(argv[i], "--config") == 0 && i + 1 < argc)
			paths[count++] = argv[++i];
	}
	return count;
}
