/* SPDX-License-Identifier: BSD-3-Clause */
#include "dataplane/pn_window.h"

#include <assert.h>

void pn_window_init(struct pn_window *window)
{
	memset(window, 0, sizeof(*window));
}

uint64_t pn_expand(const struct pn_window *window, uint32_t low)
{
	const uint64_t span = (uint64_t)1 << 32;
	uint64_t candidate = (window->next & ~(span - 1)) | low;

	if (candidate + span / 2 <= window->next)
		return candidate + span;
	if (candidate > window->next + span / 2 && candidate >= span)
		return candidate - span;
	return candidate;
}

enum verdict pn_window_check(const struct pn_window *window, uint64_t pn)
{
	if (pn >= window->next)
		return ACCEPTED;
	if (window->next - pn > PN_WINDOW)
		return STALE;
	return bitmap_test(window->bits, pn % PN_WINDOW) ? DUPLICATE : ACCEPTED;
}

void pn_window_add(struct pn_window *window, uint64_t pn)
{
	if (pn >= window->next) {
		uint64_t skipped = pn - window->next;

		if (skipped >= PN_WINDOW)
			bitmap_zero(window->bits, PN_WINDOW);
		else
			for (uint64_t i = window->next; i < pn; i++)
				bitmap_clear(window->bits, i % PN_WINDOW);
		window->next = pn + 1;
	}
	bitmap_set(window->bits, pn % PN_WINDOW);
}

void pn_window_report(const struct pn_window *window, struct wire_ack *ack)
{
	uint64_t base;

	assert(window->next > 0);
	base = window->next > WIRE_ACK_BITS ? window->next - WIRE_ACK_BITS : 0;
	base &= ~(uint64_t)63; /* whole words: no shifting; at most 63 numbers beyond the
				  last */
	if (window->next - base > WIRE_ACK_BITS)
		base += 64;
	ack->largest_pn = (uint32_t)(window->next - 1);
	ack->base_pn = (uint32_t)base;
	ack->nbits = (uint16_t)(window->next - base);
	for (uint32_t i = 0; i < BITMAP_WORDS(ack->nbits); i++)
		ack->bits[i] = window->bits[(base / 64 + i) % (PN_WINDOW / 64)];
	/* the last word also holds numbers of the previous lap: not received yet in this
	 * one */
	if (ack->nbits % 64 != 0)
		ack->bits[ack->nbits / 64] &= ((uint64_t)1 << ack->nbits % 64) - 1;
}
