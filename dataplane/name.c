/* SPDX-License-Identifier: BSD-3-Clause */
#include "dataplane/manifest.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "dataplane/base/units.h"
#include "dataplane/base/utf8.h"

enum { NAME_MAX_LEN = 4095 };

/* The table and what Snapline itself puts beside the user's files. */
static bool name_is_reserved(const char *name)
{
	static const char *const tables[] = {
		"__raft_snapshot_meta", "__raft_snapshot_meta.tmp"};
	static const char ours[] = "__snapline_";
	size_t len = strcspn(name, "/");

	for (size_t i = 0; i < ARRAY_LEN(tables); i++)
		if (strlen(tables[i]) == len && memcmp(tables[i], name, len) == 0)
			return true;
	return strncmp(name, ours, sizeof(ours) - 1) == 0;
}

/* C0, DEL and C1: they would move an operator's terminal. */
static bool is_control(uint32_t code)
{
	return code < 0x20 || (code >= 0x7f && code < 0xa0);
}

static const char *bad_text(const char *name)
{
	const char *at = name;
	uint32_t code;

	while (*at != '\0') {
		size_t len = utf8_next(at, &code);

		if (len == 0)
			return "is not valid UTF-8";
		if (is_control(code))
			return "has a control character";
		at += len;
	}
	return NULL;
}

static const char *bad_path(const char *name)
{
	int depth = 0;

	if (name[0] == '\0')
		return "is empty";
	if (name[0] == '/')
		return "is an absolute path";
	for (const char *at = name; at != NULL; depth++) {
		size_t len = strcspn(at, "/");

		if (len == 0)
			return "has an empty component";
		if ((len == 1 && at[0] == '.') || (len == 2 && memcmp(at, "..", 2) == 0))
			return "has a component \".\" or \"..\"";
		at = at[len] == '/' ? at + len + 1 : NULL;
	}
	return depth > NAME_DEPTH_MAX ? "is nested too deeply" : NULL;
}

const char *name_quote(char *text, size_t size, const char *name)
{
	const char *at = name;
	size_t used = 0;
	uint32_t code;

	/* Room for the widest step, "\xNN" or four bytes, and "...". */
	while (*at != '\0' && used + 8 < size) {
		size_t len = utf8_next(at, &code);

		if (len == 0 || is_control(code)) {
			used += (size_t)snprintf(text + used, size - used, "\\x%02x",
				(unsigned char)*at++);
			continue;
		}
		memcpy(text + used, at, len);
		used += len;
		at += len;
	}
	(void)snprintf(text + used, size - used, "%s", *at != '\0' ? "..." : "");
	return text;
}

int name_check(const char *name, struct fault *fault)
{
	const char *reason = NULL;
	char quoted[NAME_QUOTED];

	if (strnlen(name, NAME_MAX_LEN + 1) > NAME_MAX_LEN)
		reason = "is longer than 4095 bytes";
	if (reason == NULL)
		reason = bad_path(name);
	if (reason == NULL)
		reason = bad_text(name);
	if (reason == NULL && name_is_reserved(name))
		reason = "is reserved for the snapshot's own files";
	if (reason == NULL)
		return 0;
	return fault_set(fault, -EINVAL, "file name \"%s\" %s; rename the file",
		name_quote(quoted, sizeof(quoted), name), reason);
}
