/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/node/plane.h"

#include <errno.h>
#include <stdlib.h>

#include <uv.h>

enum { SLOTS = 64, SLOT_SHIFT = 12 };

struct plane {
	struct transfer *transfer;
	uint32_t buffer_size;
	uint64_t rates_bps[TRANSFER_DEVICES_MAX];
	uv_async_t wake;
	struct {
		plane_handler handler;
		void *ctx;
		uint32_t session_id;
	} slots[SLOTS];
};

static void on_wake(uv_async_t *wake)
{
	struct plane *plane = wake->data;
	struct transfer_report report;

	while (transfer_next_report(plane->transfer, &report)) {
		uint32_t slot = report.session_id >> SLOT_SHIFT;

		if (slot < SLOTS && plane->slots[slot].handler != NULL &&
			plane->slots[slot].session_id == report.session_id)
			plane->slots[slot].handler(plane->slots[slot].ctx, &report);
	}
}

/* Any worker thread. */
static void wake_loop(void *ctx)
{
	struct plane *plane = ctx;

	(void)uv_async_send(&plane->wake);
}

static void on_closed(uv_handle_t *handle)
{
	free(handle->data);
}

int plane_open(struct plane **plane, struct uv_loop_s *loop,
	struct transfer_options *options, struct fault *fault)
{
	struct plane *made = calloc(1, sizeof(*made));
	int err;

	if (made == NULL)
		return fault_set(fault, -ENOMEM, "no memory for the data plane");
	made->buffer_size = options->buffer_size;
	for (uint32_t i = 0; i < options->ndevices && i < TRANSFER_DEVICES_MAX; i++)
		made->rates_bps[i] = options->devices[i].rate_bps;
	made->wake.data = made;
	err = uv_async_init(loop, &made->wake, on_wake);
	if (err != 0) {
		free(made);
		return fault_set(
			fault, err, "cannot watch the data plane: %s", uv_strerror(err));
	}
	uv_unref((uv_handle_t *)&made->wake);
	options->wake = wake_loop;
	options->wake_ctx = made;
	err = transfer_open(&made->transfer, options, fault);
	if (err != 0) {
		uv_close((uv_handle_t *)&made->wake, on_closed);
		return err;
	}
	*plane = made;
	return 0;
}

void plane_close(struct plane *plane)
{
	transfer_close(plane->transfer);
	uv_close((uv_handle_t *)&plane->wake, on_closed);
}

struct transfer *plane_transfer(struct plane *plane)
{
	return plane->transfer;
}

uint32_t plane_buffer_size(const struct plane *plane)
{
	return plane->buffer_size;
}

uint64_t plane_rate(const struct plane *plane, uint32_t device)
{
	return plane->rates_bps[device];
}

void plane_set_rate(struct plane *plane, uint32_t device, uint64_t rate_bps)
{
	plane->rates_bps[device] = rate_bps;
}

uint32_t plane_endpoints(const struct plane *plane, struct transfer_endpoint *endpoints)
{
	uint32_t count = transfer_count_devices(plane->transfer);

	for (uint32_t i = 0; i < count; i++)
		transfer_get_endpoint(plane->transfer, i, &endpoints[i]);
	return count;
}

int plane_reserve(
	struct plane *plane, plane_handler handler, void *ctx, uint32_t *session_id)
{
	int err = transfer_reserve(plane->transfer, session_id);
	uint32_t slot;

	if (err != 0)
		return err;
	slot = *session_id >> SLOT_SHIFT;
	if (slot >= SLOTS) {
		transfer_release(plane->transfer, *session_id);
		return -EBUSY;
	}
	plane->slots[slot].handler = handler;
	plane->slots[slot].ctx = ctx;
	plane->slots[slot].session_id = *session_id;
	return 0;
}

void plane_release(struct plane *plane, uint32_t session_id)
{
	plane->slots[session_id >> SLOT_SHIFT].handler = NULL;
	transfer_release(plane->transfer, session_id);
}
