/* SPDX-License-Identifier: BSD-3-Clause */
#include "dataplane/base/parse.h"

#include <errno.h>
#include <string.h>

struct unit {
	const char *name;
	uint64_t factor;
};

static const struct unit sizes[] = {
	{"", 1},
	{"B", 1},
	{"KiB", KIB},
	{"MiB", MIB},
	{"GiB", GIB},
	{"TiB", 1024 * GIB},
	{"KB", 1000},
	{"MB", 1000000},
	{"GB", 1000000000},
	{"TB", 1000000000000},
};

/* Bits are decimal, as network people count them. */
static const struct unit rates[] = {
	{"bit", 1},
	{"Kbit", 1000},
	{"Mbit", 1000000},
	{"Gbit", 1000000000},
	{"Tbit", 1000000000000},
	{"B/s", 8},
	{"KB/s", 8 * 1000},
	{"MB/s", 8 * 1000000},
	{"GB/s", 8 * (uint64_t)1000000000},
	{"KiB/s", 8 * KIB},
	{"MiB/s", 8 * MIB},
	{"GiB/s", 8 * GIB},
};

static const struct unit durations[] = {
	{"ns", 1},
	{"us", (uint64_t)USEC},
	{"ms", (uint64_t)MSEC},
	{"s", (uint64_t)SEC},
	{"m", 60 * (uint64_t)SEC},
	{"h", 3600 * (uint64_t)SEC},
};

/* Reads decimal digits at *text and moves it behind them. Returns 0, or -EINVAL when
 * there are none or too many. */
static int take_digits(const char **text, uint64_t *value)
{
	uint64_t total = 0;

	if (**text < '0' || **text > '9')
		return -EINVAL;
	for (; **text >= '0' && **text <= '9'; (*text)++)
		if (__builtin_mul_overflow(total, (uint64_t)10, &total) ||
			__builtin_add_overflow(total, (uint64_t)(**text - '0'), &total))
			return -EINVAL;
	*value = total;
	return 0;
}

/* Reads up to three decimals behind a point, as thousandths. */
static int take_thousandths(const char **text, uint64_t *value)
{
	uint64_t weight = 100;

	*value = 0;
	if (**text != '.')
		return 0;
	(*text)++;
	if (**text < '0' || **text > '9')
		return -EINVAL;
	for (; **text >= '0' && **text <= '9'; (*text)++, weight /= 10) {
		if (weight == 0)
			return -EINVAL;
		*value += weight * (uint64_t)(**text - '0');
	}
	return 0;
}

/* NUMBER[.DECIMALS]UNIT */
static int parse_with_unit(
	const char *text, const struct unit *units, size_t count, uint64_t *value)
{
	uint64_t whole, thousandths, part;

	if (take_digits(&text, &whole) != 0 || take_thousandths(&text, &thousandths) != 0)
		return -EINVAL;
	for (size_t i = 0; i < count; i++) {
		if (strcmp(text, units[i].name) != 0)
			continue;
		/* thousandths * factor stays far below 2^64 for every unit above */
		part = thousandths * units[i].factor / 1000;
		if (__builtin_mul_overflow(whole, units[i].factor, &whole) ||
			__builtin_add_overflow(whole, part, &whole))
			return -EINVAL;
		*value = whole;
		return 0;
	}
	return -EINVAL;
}

int parse_u64(const char *text, uint64_t *value)
{
	uint64_t number;

	if (take_digits(&text, &number) != 0 || *text != '\0')
		return -EINVAL;
	*value = number;
	return 0;
}

int parse_size(const char *text, uint64_t *bytes)
{
	return parse_with_unit(text, sizes, ARRAY_LEN(sizes), bytes);
}

int parse_rate(const char *text, uint64_t *rate_bps)
{
	if (strcmp(text, "unlimited") == 0 || strcmp(text, "0") == 0) {
		*rate_bps = text[0] == '0' ? 0 : RATE_UNLIMITED;
		return 0;
	}
	return parse_with_unit(text, rates, ARRAY_LEN(rates), rate_bps);
}

int parse_limit(const char *text, uint64_t *rate_bps)
{
	uint64_t value;

	if (strcmp(text, "auto") == 0) {
		*rate_bps = RATE_AUTO;
		return 0;
	}
	if (parse_rate(text, &value) != 0)
		return -EINVAL;
	if (value != 0 && value != RATE_UNLIMITED &&
		(value < RATE_MIN || value > RATE_MAX))
		return -ERANGE;
	*rate_bps = value;
	return 0;
}

int parse_duration(const char *text, nsec *span)
{
	uint64_t value;

	if (parse_with_unit(text, durations, ARRAY_LEN(durations), &value) != 0 ||
		value >= (uint64_t)NEVER)
		return -EINVAL;
	*span = (nsec)value;
	return 0;
}

/* Levenshtein's distance, one row at a time; words of 32 letters or more are not near. */
static size_t distance(const char *a, const char *b)
{
	size_t len_a = strlen(a), len_b = strlen(b), row[33];

	if (len_a > 32 || len_b > 32)
		return 33;
	for (size_t j = 0; j <= len_b; j++)
		row[j] = j;
	for (size_t i = 1; i <= len_a; i++) {
		size_t diagonal = row[0];

		row[0] = i;
		for (size_t j = 1; j <= len_b; j++) {
			size_t change = diagonal + (a[i - 1] != b[j - 1]);

			diagonal = row[j];
			if (row[j - 1] + 1 < change)
				change = row[j - 1] + 1;
			row[j] = row[j] + 1 < change ? row[j] + 1 : change;
		}
	}
	return row[len_b];
}

const char *nearest_word(const char *word, const char *const candidates[], size_t count)
{
	const char *nearest = NULL;
	size_t best = 3;

	for (size_t i = 0; i < count; i++) {
		size_t far = distance(word, candidates[i]);

		/* more than half the word changed is another word */
		if (far < best && 2 * far <= strlen(candidates[i])) {
			best = far;
			nearest = candidates[i];
		}
	}
	return nearest;
}
