/* SPDX-License-Identifier: BSD-3-Clause */
/* A log entry of the key-value store: the writes that came in together.
 *
 *   op (1 byte) │ key length (4, big-endian) │ value length (4) │ key │ value │ op …
 *
 * libraft wants a multiple of eight bytes: the rest is zeroes. */
#ifndef KV_ENTRY_H
#define KV_ENTRY_H

#include "control/kv/keys.h"

enum {
	ENTRY_HEADER = 9, /* bytes before the key */
	ENTRY_OPS_MAX = 1 << 16,
};

enum entry_kind { ENTRY_SET = 1, ENTRY_DELETE = 2 };

struct entry_op {
	enum entry_kind kind;
	struct keys_text key;
	struct keys_text value; /* empty for ENTRY_DELETE */
};

/* A whole entry of these bytes of ops is so long. */
static inline size_t entry_pad(size_t len)
{
	return (len + 7) / 8 * 8;
}

/* Bytes the op takes in an entry. */
size_t entry_size(const struct entry_op *op);
/* Writes entry_size bytes. */
void entry_encode(const struct entry_op *op, uint8_t *to);

/* Reads the op at *at and moves *at behind it. Returns 1, 0 at the end, or -EBADMSG. */
int entry_next(const uint8_t *bytes, size_t len, size_t *at, struct entry_op *op);

/* Carries out the whole entry; results[i] is 1 when op i changed a key that was there, 0
 * when it was not. Returns how many ops there were, -EBADMSG or -ENOMEM: the state is
 * then not to be used any more. */
int entry_apply(struct keys *keys, const uint8_t *bytes, size_t len,
	uint8_t results[static ENTRY_OPS_MAX]);

#endif
