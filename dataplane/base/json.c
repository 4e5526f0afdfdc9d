/* SPDX-License-Identifier: BSD-3-Clause */
#include "dataplane/base/json.h"

#include <assert.h>
#include <inttypes.h>

#include "dataplane/base/utf8.h"

void json_init(struct json *json, FILE *out)
{
	*json = (struct json){.out = out};
}

static void put_text(FILE *out, const char *text)
{
	(void)fputc('"', out);
	while (*text != '\0') {
		uint32_t code;
		size_t len = utf8_next(text, &code);
		unsigned char c = (unsigned char)*text;

		if (len == 0)
			(void)fputs("\\ufffd", out);
		else if (c == '"' || c == '\\')
			(void)fprintf(out, "\\%c", c);
		else if (c == '\n')
			(void)fputs("\\n", out);
		else if (c == '\t')
			(void)fputs("\\t", out);
		else if (c < 0x20 || c == 0x7f)
			(void)fprintf(out, "\\u%04x", c);
		else
			(void)fwrite(text, 1, len, out);
		text += len != 0 ? len : 1;
	}
	(void)fputc('"', out);
}

/* What goes before every value: a comma after its elder sibling, and its key. */
static void begin(struct json *json, const char *key)
{
	uint32_t bit = (uint32_t)1 << json->depth;

	assert((key != NULL) == (json->depth > 0 && (json->is_array & bit) == 0));
	if (json->is_begun & bit)
		(void)fputc(',', json->out);
	json->is_begun |= bit;
	if (key != NULL) {
		put_text(json->out, key);
		(void)fputc(':', json->out);
	}
}

static void open_value(struct json *json, const char *key, bool is_array)
{
	uint32_t bit;

	begin(json, key);
	assert(json->depth < 31);
	json->depth++;
	bit = (uint32_t)1 << json->depth;
	json->is_begun &= ~bit;
	json->is_array = is_array ? json->is_array | bit : json->is_array & ~bit;
	(void)fputc(is_array ? '[' : '{', json->out);
}

void json_open_object(struct json *json, const char *key)
{
	open_value(json, key, false);
}

void json_open_array(struct json *json, const char *key)
{
	open_value(json, key, true);
}

void json_close(struct json *json)
{
	assert(json->depth > 0);
	(void)fputc(json->is_array >> json->depth & 1 ? ']' : '}', json->out);
	json->depth--;
	if (json->depth == 0)
		(void)fputc('\n', json->out);
}

void json_string(struct json *json, const char *key, const char *text)
{
	begin(json, key);
	if (text == NULL)
		(void)fputs("null", json->out);
	else
		put_text(json->out, text);
}

void json_u64(struct json *json, const char *key, uint64_t value)
{
	begin(json, key);
	(void)fprintf(json->out, "%" PRIu64, value);
}

void json_i64(struct json *json, const char *key, int64_t value)
{
	begin(json, key);
	(void)fprintf(json->out, "%" PRId64, value);
}

void json_bool(struct json *json, const char *key, bool value)
{
	begin(json, key);
	(void)fputs(value ? "true" : "false", json->out);
}

void json_thousandths(struct json *json, const char *key, uint64_t value)
{
	begin(json, key);
	(void)fprintf(json->out, "%" PRIu64 ".%03" PRIu64, value / 1000, value % 1000);
}
