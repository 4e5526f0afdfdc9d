/* SPDX-License-Identifier: BSD-3-Clause */
/* Copies what nobody on this core will read again.
 *
 * A store that goes past the caches spares reading the destination's lines first, which
 * is a third of the traffic of a copy into cold memory. A whole line a store, where the
 * processor has such, spares it collecting the line's parts as well. */
#ifndef COPY_H
#define COPY_H

#include <stddef.h>
#include <stdint.h>

enum { COPY_ALIGN = 64 }; /* bytes; a line */

/* to is COPY_ALIGN-aligned, from and len are free. Another thread may read the bytes
 * after copy_publish. */
void copy_past_cache(uint8_t *to, const uint8_t *from, size_t len);

/* Such stores are ordered with others by nothing but this. */
void copy_publish(void);

#endif
