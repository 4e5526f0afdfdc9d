/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/kv/resp.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

struct cursor {
	const char *bytes;
	size_t len;
	size_t at;
};

/* The line at the cursor without its end. */
static enum resp_result take_line(struct cursor *cursor, struct resp_word *line)
{
	const char *from = cursor->bytes + cursor->at;
	size_t left = cursor->len - cursor->at;
	const char *end = left > 0 ? memchr(from, '\n', left) : NULL;

	if (end == NULL)
		return left > RESP_INLINE_MAX ? RESP_BAD : RESP_MORE;
	line->bytes = from;
	line->len = (size_t)(end - from);
	cursor->at += line->len + 1;
	if (line->len > 0 && end[-1] == '\r')
		line->len--;
	return line->len > RESP_INLINE_MAX ? RESP_BAD : RESP_READY;
}

int resp_number(const struct resp_word *word, uint64_t max, uint64_t *value)
{
	uint64_t parsed = 0;

	if (word->len == 0)
		return -EINVAL;
	for (size_t i = 0; i < word->len; i++) {
		char digit = word->bytes[i];

		if (digit < '0' || digit > '9' ||
			__builtin_mul_overflow(parsed, 10, &parsed) ||
			__builtin_add_overflow(parsed, (uint64_t)(digit - '0'), &parsed))
			return -EINVAL;
	}
	if (parsed > max)
		return -EINVAL;
	*value = parsed;
	return 0;
}

/* "*3" or "$12": the sign, then a length. */
static enum resp_result take_length(
	struct cursor *cursor, char sign, uint64_t max, uint64_t *value)
{
	struct resp_word line;
	enum resp_result result = take_line(cursor, &line);

	if (result != RESP_READY)
		return result;
	if (line.len == 0 || line.bytes[0] != sign)
		return RESP_BAD;
	line.bytes++;
	line.len--;
	return resp_number(&line, max, value) == 0 ? RESP_READY : RESP_BAD;
}

static enum resp_result take_bulk(
	struct cursor *cursor, struct resp_word *word, const char **error)
{
	uint64_t len;
	enum resp_result result = take_length(cursor, '$', RESP_BULK_MAX, &len);

	if (result != RESP_READY) {
		*error = "ERR Protocol error: invalid bulk length";
		return result;
	}
	if (cursor->len - cursor->at < len + 2)
		return RESP_MORE;
	word->bytes = cursor->bytes + cursor->at;
	word->len = len;
	cursor->at += len + 2;
	if (memcmp(word->bytes + len, "\r\n", 2) == 0)
		return RESP_READY;
	*error = "ERR Protocol error: a bulk string does not end where it said";
	return RESP_BAD;
}

static enum resp_result parse_array(
	struct resp_request *request, struct cursor *cursor, const char **error)
{
	uint64_t count;
	enum resp_result result = take_length(cursor, '*', RESP_ARGS_MAX, &count);

	*error = "ERR Protocol error: invalid multibulk length";
	for (uint64_t i = 0; i < count && result == RESP_READY; i++)
		result = take_bulk(cursor, &request->words[i], error);
	if (result == RESP_READY)
		request->count = count;
	return result;
}

static enum resp_result parse_inline(
	struct resp_request *request, struct cursor *cursor, const char **error)
{
	struct resp_word line;
	enum resp_result result = take_line(cursor, &line);

	*error = "ERR Protocol error: too big inline request";
	if (result != RESP_READY)
		return result;
	for (size_t at = 0; at < line.len;) {
		size_t end = at;

		while (end < line.len && line.bytes[end] != ' ')
			end++;
		if (end > at && request->count == RESP_ARGS_MAX)
			return RESP_BAD;
		if (end > at)
			request->words[request->count++] =
				(struct resp_word){line.bytes + at, end - at};
		at = end + 1;
	}
	return RESP_READY;
}

enum resp_result resp_parse(
	struct resp_request *request, const char *bytes, size_t len, const char **error)
{
	struct cursor cursor = {.bytes = bytes, .len = len};
	enum resp_result result;

	request->count = 0;
	if (len == 0)
		return RESP_MORE;
	if (bytes[0] == '*')
		result = parse_array(request, &cursor, error);
	else
		result = parse_inline(request, &cursor, error);
	if (result == RESP_MORE && len > RESP_REQUEST_MAX) {
		*error = "ERR Protocol error: too big request";
		return RESP_BAD;
	}
	request->used = cursor.at;
	return result;
}

bool resp_is(const struct resp_word *word, const char *text)
{
	return word->len == strlen(text) &&
	       strncasecmp(word->bytes, text, word->len) == 0;
}
