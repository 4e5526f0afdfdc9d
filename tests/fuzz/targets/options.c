/* SPDX-License-Identifier: BSD-3-Clause */
/* A command line, one word a line: every value that is taken is within its bounds, every
 * refusal says why, and the same words mean the same again. */
#include "tests/fuzz/targets/fuzz.h"

#include <errno.h>

#include "dataplane/base/options.h"
#include "dataplane/base/parse.h"

enum { WORDS_MAX = 96 };

struct target {
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
		.offset = offsetof(struct target, store)},
	{.name = "index",
		.arg = "N",
		.kind = OPTION_U64,
		.min = 1,
		.max = INT64_MAX,
		.fallback = "1",
		.offset = offsetof(struct target, index)},
	{.name = "chunk-size",
		.arg = "SIZE",
		.kind = OPTION_SIZE,
		.min = 256 * KIB,
		.max = 4 * MIB,
		.fallback = "1MiB",
		.offset = offsetof(struct target, chunk)},
	{.name = "rate",
		.arg = "RATE",
		.kind = OPTION_RATE,
		.fallback = "unlimited",
		.offset = offsetof(struct target, rate_bps)},
	{.name = "stall-timeout",
		.arg = "TIME",
		.kind = OPTION_DURATION,
		.min = (uint64_t)SEC,
		.fallback = "10s",
		.offset = offsetof(struct target, stall)},
	{.name = "peer",
		.arg = "PEER",
		.kind = OPTION_LIST,
		.offset = offsetof(struct target, peers)},
	{.name = "sync",
		.arg = "BOOL",
		.kind = OPTION_SWITCH,
		.fallback = "true",
		.offset = offsetof(struct target, sync)},
	{.name = "json", .kind = OPTION_FLAG, .offset = offsetof(struct target, json)},
	{.name = NULL},
};

static const struct option_command command = {
	.name = "fuzz",
	.operands = "FROM_DIR",
	.summary = "",
	.options = specs,
	.min_operands = 1,
	.max_operands = 2,
};

static void check_fields(const struct target *target, const struct option_list *operands)
{
	MUST(target->store != NULL && target->store[0] != '\0');
	MUST(target->index >= 1 && target->index <= INT64_MAX);
	MUST(target->chunk >= 256 * KIB && target->chunk <= 4 * MIB);
	MUST(target->stall >= SEC && target->stall < NEVER);
	MUST(target->peers.count <= OPTION_LIST_MAX);
	MUST(operands->count >= 1 && operands->count <= 2);
}

static void check_line(int argc, char *argv[])
{
	struct target target;
	struct target again;
	struct option_list operands;
	struct fault fault = {0};
	int rv;

	memset(&target, 0, sizeof(target));
	memset(&again, 0, sizeof(again));
	rv = options_parse(&command, argc, argv, &target, &operands, &fault);
	MUST(rv == OPTIONS_RUN || rv == OPTIONS_HELP || rv == -EINVAL);
	MUST((rv == -EINVAL) == (fault.text[0] != '\0'));
	MUST(fault.code == (rv == -EINVAL ? rv : 0));
	if (rv != OPTIONS_RUN)
		return;
	check_fields(&target, &operands);
	MUST(options_parse(&command, argc, argv, &again, &operands, NULL) == rv);
	MUST(memcmp(&target, &again, sizeof(target)) == 0);
}

/* A number alone, in every unit there is. */
static void check_number(const char *text)
{
	uint64_t plain, bytes, rate;
	nsec span;

	if (parse_u64(text, &plain) == 0)
		MUST(parse_size(text, &bytes) == 0 && bytes == plain);
	if (parse_duration(text, &span) == 0)
		MUST(span >= 0 && span < NEVER);
	if (parse_rate(text, &rate) == 0 && rate != 0 && rate != RATE_UNLIMITED)
		MUST(text[0] >= '0' && text[0] <= '9');
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct input input = {data, size};
	char *text = input_text(&input);
	char *argv[WORDS_MAX];
	int argc = 0;

	for (char *at = text; at != NULL && argc < WORDS_MAX; argc++) {
		argv[argc] = at;
		at = strchr(at, '\n');
		if (at != NULL)
			*at++ = '\0';
		check_number(argv[argc]);
	}
	check_line(argc, argv);
	free(text);
	return 0;
}
