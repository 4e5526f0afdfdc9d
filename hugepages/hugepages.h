/* SPDX-License-Identifier: BSD-3-Clause */
/* What the kernel has of hugepages. */
#ifndef HUGEPAGES_H
#define HUGEPAGES_H

#include <stdbool.h>
#include <stddef.h>

/* Whether so many bytes of hugepages could be mapped just now. */
bool hugepages_available(size_t bytes);

/* How many hugepages of the default size hold so many bytes: the N of
 * hugepages.sh reserve N. */
size_t hugepages_count(size_t bytes);

/* Lets transparent hugepages stand behind memory, where the kernel's setting is `madvise`
 * or `always`. file is what the region maps, from offset on, or -1 for private memory.
 * What is shared gets none by default: whole hugepages of the region whose part of the
 * file has no data yet are mapped anew as private memory, which others who map the file
 * do not see. The rest stays as it is. No other thread may use the region meanwhile.
 * Returns the bytes that may get them. */
size_t hugepages_advise(void *base, size_t size, int file, size_t offset);

#endif
