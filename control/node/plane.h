/* SPDX-License-Identifier: BSD-3-Clause */
/* The data plane on the control loop: reports become callbacks, one handler a session. */
#ifndef PLANE_H
#define PLANE_H

#include "dataplane/transfer.h"

struct uv_loop_s;
struct plane;

typedef void (*plane_handler)(void *ctx, const struct transfer_report *report);

/* Starts the data plane; options->wake is set here. Once a process. Returns what
 * transfer_open does. */
int plane_open(struct plane **plane, struct uv_loop_s *loop,
	struct transfer_options *options, struct fault *fault);
/* Stops the workers; no handler is called any more. Freed by the loop's next turns. */
void plane_close(struct plane *plane);

struct transfer *plane_transfer(struct plane *plane);
uint32_t plane_buffer_size(const struct plane *plane);
/* What a peer may send to a device of ours; 0: no limit. */
uint64_t plane_rate(const struct plane *plane, uint32_t device);
void plane_set_rate(struct plane *plane, uint32_t device, uint64_t rate_bps);
/* Our endpoints, TRANSFER_DEVICES_MAX at most; returns how many. */
uint32_t plane_endpoints(const struct plane *plane, struct transfer_endpoint *endpoints);

/* Takes a session id and names who hears of it. Returns 0 or -EBUSY. */
int plane_reserve(
	struct plane *plane, plane_handler handler, void *ctx, uint32_t *session_id);
/* Gives back an id that was never started. */
void plane_release(struct plane *plane, uint32_t session_id);

#endif
