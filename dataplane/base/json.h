/* SPDX-License-Identifier: BSD-3-Clause */
/* Writes one JSON value, piece by piece, on one line.
 *
 *   json_init(&json, stdout);
 *   json_open_object(&json, NULL);
 *   json_u64(&json, "index", 4711);
 *   json_open_array(&json, "peers");  json_string(&json, NULL, peer);  json_close(&json);
 *   json_close(&json); {"index":4711,"peers":[…]}
 *
 * key is NULL inside arrays and at the top. Closing the top value ends the line. */
#ifndef JSON_H
#define JSON_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

struct json {
	FILE *out;
	uint32_t depth;    /* open objects and arrays, at most 31 */
	uint32_t is_array; /* bit per depth: the value open there is an array */
	uint32_t is_begun; /* bit per depth: it holds something already */
};

void json_init(struct json *json, FILE *out);

void json_open_object(struct json *json, const char *key);
void json_open_array(struct json *json, const char *key);
void json_close(struct json *json);

/* Any bytes: what is not UTF-8 becomes U+FFFD. NULL becomes null. */
void json_string(struct json *json, const char *key, const char *text);
void json_u64(struct json *json, const char *key, uint64_t value);
void json_i64(struct json *json, const char *key, int64_t value);
void json_bool(struct json *json, const char *key, bool value);
/* value / 1000 with three decimals, for seconds and Gb/s. */
void json_thousandths(struct json *json, const char *key, uint64_t value);

#endif
