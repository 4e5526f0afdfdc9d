/* SPDX-License-Identifier: BSD-3-Clause */
/* The public header: what a node does, and its options while it runs. */
#include <errno.h>
#include <string.h>

#include "control/node/library.h"

struct look {
	struct errand errand; /* first: the errand is the look */
	struct snapline_status *status;
};

struct setting {
	struct errand errand; /* first */
	const char *name;
	const char *value;
	struct fault fault;
	int result;
};

static enum snapline_state state_of(const struct executor *executor)
{
	switch (executor->state) {
	case EXECUTOR_SAVING:
	case EXECUTOR_SAVE_COMMITTING:
		return SNAPLINE_SAVING;
	case EXECUTOR_DOWNLOADING:
	case EXECUTOR_CANCELLING:
	case EXECUTOR_COMMITTING:
		return SNAPLINE_DOWNLOADING;
	case EXECUTOR_LOADING:
		return SNAPLINE_LOADING;
	case EXECUTOR_IDLE:
		break;
	}
	return SNAPLINE_IDLE;
}

static void look(struct errand *errand)
{
	struct snapline_status *status = ((struct look *)errand)->status;
	const struct node *node = errand->node->node;
	const struct executor *executor = &node->executor;
	struct transfer_info info = {0};

	status->state = state_of(executor);
	status->is_in_error = executor->inactive != NULL;
	status->term = executor->term;
	status->last_index = executor->last_index;
	status->last_term = executor->last_term;
	status->downloading_index = executor->downloading;
	pins_get_status(&node->pins, &status->convergence);
	if (node->incoming.copier == NULL)
		return;
	copier_describe(node->incoming.copier, &info);
	status->bytes_done = info.bytes_done;
	status->bytes_total = info.bytes_total;
}

void snapline_get_status(struct snapline_node *node, struct snapline_status *status)
{
	struct look errand = {.errand = {.node = node, .run = look}, .status = status};

	memset(status, 0, sizeof(*status));
	(void)library_run(&errand.errand);
}

int64_t snapline_get_pin(struct snapline_node *node)
{
	return atomic_load(&node->node->engine.pin);
}

/* What may change at run time takes effect here. */
static void apply(struct node *node)
{
	struct throttle_limits limits;
	struct storage_options sync;

	snapshot_options_throttle(&node->settings, &limits);
	throttle_braft_set_limits(&node->throttle, &limits);
	tcp_serve_set_throttle(
		node->tcp, node->settings.is_throttled ? &node->throttle.port : NULL);
	storage_options_init(&sync);
	sync.sync = node->settings.syncs;
	sync.sync_meta = node->settings.syncs_meta;
	sync.use_fsync_rather_than_fdatasync = node->settings.uses_fsync;
	storage_set_sync(node->storage, &sync);
	node->executor.min_index_gap = (int64_t)node->settings.min_index_gap;
	node_timer_on_settings(node);
	pins_on_settings(&node->pins);
}

static void set(struct errand *errand)
{
	struct setting *setting = (struct setting *)errand;
	struct node *node = errand->node->node;

	setting->result = snapshot_options_set(
		&node->settings, setting->name, setting->value, true, &setting->fault);
	if (setting->result == 0)
		apply(node);
}

int snapline_set_option(struct snapline_node *node, const char *name, const char *value,
	struct snapline_error *error)
{
	struct setting setting = {
		.errand = {.node = node, .run = set}, .name = name, .value = value};

	if (library_run(&setting.errand) != 0)
		setting.result =
			fault_set(&setting.fault, -EPERM, "the node is being closed");
	if (setting.result != 0)
		library_error(error, &setting.fault);
	return setting.result;
}
