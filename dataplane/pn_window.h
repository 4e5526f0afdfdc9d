/* SPDX-License-Identifier: BSD-3-Clause */
/* The packet numbers one side has received: replay protection and the source of SACK.
 *
 * Packet numbers are 64 bits, from 0, never reused; the wire carries the low 32. The last
 * PN_WINDOW numbers are remembered; anything older is STALE. */
#ifndef PN_WINDOW_H
#define PN_WINDOW_H

#include "dataplane/base/bitmap.h"
#include "dataplane/wire.h"

enum { PN_WINDOW = 4096 };

struct pn_window {
	uint64_t next; /* one above the largest number received */
	uint64_t bits[PN_WINDOW /
		      64]; /* bit pn % PN_WINDOW, for [next - PN_WINDOW, next) */
};

void pn_window_init(struct pn_window *window);

/* The full number nearest to what is expected next (RFC 9000 A.3). */
uint64_t pn_expand(const struct pn_window *window, uint32_t low);

/* ACCEPTED when new, DUPLICATE, or STALE. Changes nothing. */
enum verdict pn_window_check(const struct pn_window *window, uint64_t pn);

/* Remembers a number that pn_window_check accepted. */
void pn_window_add(struct pn_window *window, uint64_t pn);

/* The newest numbers as a SACK: sets largest_pn, base_pn, nbits, bits. At least one
 * number has been received. */
void pn_window_report(const struct pn_window *window, struct wire_ack *ack);

#endif
