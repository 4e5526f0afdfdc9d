/* SPDX-License-Identifier: BSD-3-Clause */
/* File names from outside: one that passes stays inside the snapshot and on its line of
 * the terminal; one that does not is shown harmlessly. */
#include "tests/fuzz/targets/fuzz.h"

#include <errno.h>

#include "dataplane/base/utf8.h"
#include "dataplane/manifest.h"

/* Valid UTF-8 without control characters. */
static bool is_harmless(const char *text)
{
	uint32_t code;

	while (*text != '\0') {
		size_t len = utf8_next(text, &code);

		if (len == 0 || code < 0x20 || (code >= 0x7f && code < 0xa0))
			return false;
		text += len;
	}
	return true;
}

/* Resolves the path as a kernel would: how far below the snapshot it ends, or -1. */
static int depth(const char *name)
{
	int below = 0;

	if (*name == '/')
		return -1;
	while (*name != '\0') {
		size_t len = strcspn(name, "/");

		if (len == 2 && memcmp(name, "..", 2) == 0)
			below--;
		else if (len > 0 && !(len == 1 && *name == '.'))
			below++;
		if (below < 0)
			return -1;
		name += len;
		name += *name == '/';
	}
	return below;
}

static void check_quote(const char *name, size_t size, bool is_fine)
{
	char text[NAME_QUOTED + 1];

	memset(text, 0x55, sizeof(text));
	MUST(name_quote(text, size, name) == text);
	MUST(text[size] == 0x55); /* nothing was written behind */
	MUST(memchr(text, '\0', size) != NULL);
	MUST(is_harmless(text));
	if (is_fine && strlen(name) + 8 <= size)
		MUST(strcmp(text, name) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input input = {data, size};
	size_t room = 12 + (size_t)input_take(&input, 1) % (NAME_QUOTED - 12 + 1);
	char *name = input_text(&input);
	struct fault fault = {0};
	int err = name_check(name, &fault);

	MUST(err == fault.code && (err == 0) == (fault.text[0] == '\0'));
	MUST(err == 0 || err == -EINVAL);
	MUST(is_harmless(fault.text));
	if (err == 0) {
		size_t len = strlen(name);

		MUST(len > 0 && len <= 4095 && name[len - 1] != '/');
		MUST(is_harmless(name));
		MUST(depth(name) > 0 && depth(name) <= NAME_DEPTH_MAX);
		MUST(strcmp(name, "__raft_snapshot_meta") != 0);
		MUST(strcmp(name, MANIFEST_NAME) != 0);
	}
	check_quote(name, room, err == 0);
	free(name);
	return 0;
}
