/* SPDX-License-Identifier: BSD-3-Clause */
/* RESP2, the protocol of Redis clients: one request, as an array of bulk strings or as an
 * inline line of words. */
#ifndef RESP_H
#define RESP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	RESP_ARGS_MAX = 1024,       /* words of a request */
	RESP_BULK_MAX = 2 << 20,    /* bytes of a word; more than any value may have */
	RESP_INLINE_MAX = 8 << 10,  /* bytes of an inline request, and of a length line */
	RESP_REQUEST_MAX = 4 << 20, /* bytes of a request */
};

struct resp_word {
	const char *bytes; /* into what was parsed, no NUL */
	size_t len;
};

struct resp_request {
	size_t count; /* 0: an empty line, nothing to answer */
	struct resp_word words[RESP_ARGS_MAX];
	size_t used; /* bytes the request took */
};

enum resp_result { RESP_READY, RESP_MORE, RESP_BAD };

/* Reads the request at the start of bytes. RESP_BAD: *error is a line for the client,
 * after which the connection cannot go on. */
enum resp_result resp_parse(
	struct resp_request *request, const char *bytes, size_t len, const char **error);

/* Whether the word is that text, in any case. */
bool resp_is(const struct resp_word *word, const char *text);

/* A decimal number within the bounds. Returns 0 or -EINVAL. */
int resp_number(const struct resp_word *word, uint64_t max, uint64_t *value);

#endif
