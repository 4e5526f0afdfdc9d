/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/kv/entry.h"

#include <errno.h>
#include <string.h>

#include "dataplane/base/bytes.h"

size_t entry_size(const struct entry_op *op)
{
	return ENTRY_HEADER + (size_t)op->key.len + op->value.len;
}

void entry_encode(const struct entry_op *op, uint8_t *to)
{
	to[0] = (uint8_t)op->kind;
	put_be32(to + 1, op->key.len);
	put_be32(to + 5, op->value.len);
	memcpy(to + ENTRY_HEADER, op->key.bytes, op->key.len);
	if (op->value.len > 0)
		memcpy(to + ENTRY_HEADER + op->key.len, op->value.bytes, op->value.len);
}

int entry_next(const uint8_t *bytes, size_t len, size_t *at, struct entry_op *op)
{
	const uint8_t *from = bytes + *at;
	size_t left = len - *at;

	if (left == 0 || (left < 8 && from[0] == 0))
		return 0;
	if (left < ENTRY_HEADER)
		return -EBADMSG;
	op->kind = (enum entry_kind)from[0];
	op->key = (struct keys_text){from + ENTRY_HEADER, get_be32(from + 1)};
	if ((from[0] != ENTRY_SET && from[0] != ENTRY_DELETE) ||
		op->key.len > KEYS_KEY_MAX || op->key.len > left - ENTRY_HEADER)
		return -EBADMSG;
	op->value =
		(struct keys_text){from + ENTRY_HEADER + op->key.len, get_be32(from + 5)};
	if (op->value.len > KEYS_VALUE_MAX ||
		op->value.len > left - ENTRY_HEADER - op->key.len)
		return -EBADMSG;
	*at += entry_size(op);
	return 1;
}

static int apply(struct keys *keys, const struct entry_op *op, uint8_t *result)
{
	int rv;

	if (op->kind == ENTRY_DELETE) {
		rv = keys_delete(keys, op->key);
		*result = rv > 0;
		return rv < 0 ? rv : 0;
	}
	*result = keys_get(keys, op->key) != NULL;
	return keys_set(keys, op->key, op->value);
}

int entry_apply(struct keys *keys, const uint8_t *bytes, size_t len,
	uint8_t results[static ENTRY_OPS_MAX])
{
	struct entry_op op;
	size_t at = 0;
	int n = 0;
	int rv;

	while ((rv = entry_next(bytes, len, &at, &op)) > 0) {
		if (n == ENTRY_OPS_MAX)
			return -EBADMSG;
		rv = apply(keys, &op, &results[n++]);
		if (rv != 0)
			return rv;
	}
	return rv < 0 ? rv : n;
}
