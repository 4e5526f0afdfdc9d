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

#endif
