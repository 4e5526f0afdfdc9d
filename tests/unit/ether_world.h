/* SPDX-License-Identifier: BSD-3-Clause */
/* What is asked of known frames, whichever IP they carry: for ether.c and ether6.c. */
#ifndef ETHER_WORLD_H
#define ETHER_WORLD_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "dataplane/ether.h"

static const uint8_t mac1[6] = {2, 0, 0, 0, 0, 1};
static const uint8_t mac2[6] = {2, 0, 0, 0, 0, 2};

/* What a frame is after a byte of it was changed, and mended if somebody can. */
static inline enum ether_kind kind_after(const uint8_t *frame, size_t len, size_t at,
	uint8_t value, void (*mend)(uint8_t *frame, size_t len))
{
	uint8_t *copy = malloc(len);
	struct ether_frame out;

	memcpy(copy, frame, len);
	copy[at] = value;
	if (mend != NULL)
		mend(copy, len);
	ether_parse(copy, (uint32_t)len, &out);
	free(copy);
	return out.kind;
}

/* "hello" from port 5000 to port 4791. */
static inline void check_datagram(
	const uint8_t *frame, size_t len, const struct ip *from, const struct ip *to)
{
	struct ether_frame out;

	ether_parse(frame, (uint32_t)len, &out);
	assert_int_equal(out.kind, ETHER_UDP);
	assert_memory_equal(out.src_mac, mac1, 6);
	assert_true(ip_is_equal(&out.src_ip, from));
	assert_true(ip_is_equal(&out.dst_ip, to));
	assert_int_equal(out.src_port, 5000);
	assert_int_equal(out.dst_port, 4791);
	assert_false(out.is_ce);
	assert_int_equal(out.payload_len, 5);
	assert_memory_equal(out.payload, "hello", 5);
}

static inline void check_cuts(const uint8_t *frame, size_t len, enum ether_kind kind)
{
	for (size_t cut = 0; cut <= len; cut++) {
		/* in a block of its own, so that a sanitizer sees a byte too far */
		uint8_t *copy = malloc(cut > 0 ? cut : 1);
		struct ether_frame out;

		memcpy(copy, frame, cut);
		ether_parse(copy, (uint32_t)cut, &out);
		assert_int_equal(out.kind, cut == len ? kind : ETHER_OTHER);
		free(copy);
	}
}

/* Both frames have len bytes. */
static inline void check_pong(const struct ether_path *path, const uint8_t *ping,
	const uint8_t *pong, size_t len)
{
	struct ether_frame parsed;
	uint8_t out[128];

	assert_true(len <= sizeof(out));
	ether_parse(ping, (uint32_t)len, &parsed);
	assert_int_equal(parsed.kind, ETHER_ECHO);
	assert_int_equal(ether_put_echo(out, (uint32_t)len, path, &parsed), len);
	assert_memory_equal(out, pong, len);
	/* a pong that does not fit is none */
	assert_int_equal(ether_put_echo(out, (uint32_t)len - 1, path, &parsed), 0);
	/* and a pong is no ping */
	ether_parse(pong, (uint32_t)len, &parsed);
	assert_int_equal(parsed.kind, ETHER_OTHER);
}

#endif
