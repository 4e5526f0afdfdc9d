/* SPDX-License-Identifier: BSD-3-Clause */
/* Starts DPDK's environment from our own options, for root and for ordinary users.
 *
 * With hugepages free it uses them; without, it takes plain memory and says so in one
 * log line. DPDK's own messages do not reach the terminal: an error is kept for the fault
 * of whoever met it. The environment is one a process, and can be started
 * once. */
#ifndef EAL_H
#define EAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dataplane/base/fault.h"

struct eal;

struct eal_options {
	const char *const *devices; /* the --dev arguments; PCI addresses among them are
				       allowed to the PCI bus, nothing else is */
	uint32_t ndevices;
	size_t memory; /* bytes that packet pools and chunk buffers will take */
};

/* Returns 0, -ENOMEM (neither hugepages nor plain memory suffice), -EINVAL, -EBUSY (the
 * process started it before) or -ENODEV, with the remedy in fault. */
int eal_start(struct eal **eal, const struct eal_options *options, struct fault *fault);
/* After the last port was closed. Its memory goes with the process. */
void eal_stop(struct eal *eal);

/* Whether memory comes from hugepages. */
bool eal_has_hugepages(const struct eal *eal);

/* Forgets DPDK's error, so that a later one belongs to what follows. */
void eal_clear_error(struct eal *eal);
/* Copies the first line DPDK has logged at error level since (those that follow say ever
 * less); empty when there was none. Any thread. */
void eal_get_error(struct eal *eal, char *text, size_t size);

/* A device argument is a PCI address (domain optional) and not a vdev. */
bool eal_is_pci(const char *dev);

#endif
