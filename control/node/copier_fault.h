/* SPDX-License-Identifier: BSD-3-Clause */
/* Puts what the data plane reports into words: which file, whose fault, what to do. */
#ifndef COPIER_FAULT_H
#define COPIER_FAULT_H

#include "dataplane/transfer.h"

/* The follower's view. object is its own; peer the leader's endpoint. */
void copier_fault_of_report(struct fault *fault, const struct transfer_report *report,
	const struct manifest *manifest, struct store_object *object,
	const struct transfer_endpoint *peer);

/* The leader's view. */
void server_fault_of_report(struct fault *fault, const struct transfer_report *report,
	const struct manifest *manifest, struct store_object *object,
	const struct transfer_endpoint *peer);

#endif
