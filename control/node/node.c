/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/node/node.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/node/machine.h"
#include "control/node/node_state.h"
#include "dataplane/base/log.h"

enum {
	WATCH_MS = 1000,
	STOP_POLL_MS = 20,
	STOP_POLLS = 500, /* ten seconds, then it ends whatever is still open */
};

static const struct rpc_method methods[] = {
	{"braft.RaftService", "install_snapshot", install_on_request},
	{"braft.FileService", "get_file", serve_get_file},
	{"snapline.TransferService", "open", serve_open},
	{"snapline.TransferService", "progress", serve_progress},
	{"snapline.TransferService", "close", serve_close},
	{"snapline.BenchService", "set", tuning_serve_set},
	{NULL, NULL, NULL},
};

struct fetch_policy node_fetch_policy(struct node *node)
{
	const struct snapshot_options *settings = &node->settings;
	struct fetch_policy policy = fetch_policy_default();

	policy.throttle = settings->is_throttled ? &node->throttle.port : NULL;
	policy.max_count = (uint32_t)settings->rpc_bytes;
	policy.read_partly = settings->reads_partly;
	policy.max_retry = (uint32_t)settings->copy_max_retry;
	policy.retry_interval = (nsec)settings->copy_retry_interval_ms * MSEC;
	policy.timeout = (nsec)settings->copy_timeout_ms * MSEC;
	policy.connect_timeout = (nsec)settings->connect_timeout_ms * MSEC;
	return policy;
}

void node_on_settled(struct node *node)
{
	node_timer_on_settled(node);
}

static bool is_busy(const struct node *node)
{
	return !machine_is_done(node) || outgoing_is_busy(&node->outgoing) ||
	       node->served.njobs > 0;
}

static void close_handles(struct node *node)
{
	rpc_server_close(node->server);
	if (node->admin != NULL)
		rpc_server_close(node->admin);
	if (node->plane != NULL)
		plane_close(node->plane);
	tcp_serve_close(node->tcp);
	mailbox_close(&node->mailbox);
	uv_close((uv_handle_t *)&node->timer_handle, NULL);
	uv_close((uv_handle_t *)&node->watcher, NULL);
	uv_close((uv_handle_t *)&node->stopper, NULL);
	pins_close(&node->pins);
}

static void on_stop_poll(uv_timer_t *timer)
{
	struct node *node = timer->data;

	if (is_busy(node)) {
		if (++node->stop_polls % STOP_POLLS == 0)
			log_line(LOG_WARN, "node",
				"event=stop_waits text=\"a save, load or transfer has "
				"not "
				"ended yet\"");
		return;
	}
	(void)uv_timer_stop(timer);
	close_handles(node);
}

void node_stop(struct node *node)
{
	struct fault fault = {0};

	if (node->is_stopping)
		return;
	node->is_stopping = true;
	(void)fault_set(&fault, -ECANCELED, "the leader was stopped; run it again later");
	node_timer_stop(node);
	pins_stop(&node->pins);
	machine_stop(node);
	for (struct outgoing *it = node->outgoing.first; it != NULL; it = it->next) {
		it->is_held = false;
		outgoing_end(it, &fault);
	}
	(void)uv_timer_start(&node->stopper, on_stop_poll, 0, STOP_POLL_MS);
}

static void on_watch(uv_timer_t *timer)
{
	struct node *node = timer->data;

	outgoing_watch(&node->outgoing);
}

static void start_timers(struct node *node)
{
	(void)uv_timer_init(node->loop, &node->stopper);
	(void)uv_timer_init(node->loop, &node->watcher);
	node->stopper.data = node;
	node->watcher.data = node;
	(void)uv_timer_start(&node->watcher, on_watch, WATCH_MS, WATCH_MS);
	node_timer_start(node);
}

static int open_servers(struct node *node, struct fault *fault)
{
	char address[512];
	int err;

	err = rpc_server_open(
		&node->server, node->loop, node->listen, methods, node, fault);
	if (err != 0 || node->admin_path == NULL)
		return err;
	(void)snprintf(address, sizeof(address), "unix:%s", node->admin_path);
	err = rpc_server_open(
		&node->admin, node->loop, address, admin_methods, node, fault);
	if (err != 0)
		rpc_server_close(node->server);
	return err;
}

static char *copy(const char *text)
{
	return text != NULL ? strdup(text) : NULL;
}

static int copy_options(
	struct node *node, const struct node_options *options, struct fault *fault)
{
	node->settings = options->settings;
	node->group = copy(options->group);
	node->peer_id = copy(options->peer_id);
	node->listen = copy(options->listen);
	node->admin_path = copy(options->admin);
	engine_init(&node->engine, &options->fsm, &options->log);
	if (node->group == NULL || node->peer_id == NULL || node->listen == NULL)
		return fault_set(fault, -ENOMEM, "no memory for a node");
	return 0;
}

static int open_store(struct node *node, const char *path, struct fault *fault)
{
	const struct snapshot_options *settings = &node->settings;
	struct storage_options options;
	int err;

	storage_options_init(&options);
	options.create = true;
	options.create_parent_directories = settings->creates_parents;
	options.filter_before_copy_remote =
		settings->filters_before_copy || settings->keeps_on_error;
	options.sync = settings->syncs;
	options.sync_meta = settings->syncs_meta;
	options.use_fsync_rather_than_fdatasync = settings->uses_fsync;
	err = storage_open_options(&node->storage, path, &options, fault);
	if (err != 0)
		return err;
	err = engine_start(&node->engine, node->storage, fault);
	if (err == 0)
		err = machine_init(node, fault);
	if (err != 0)
		storage_close(node->storage);
	return err;
}

static int open_tcp(struct node *node, struct fault *fault)
{
	struct throttle_limits limits;
	struct tcp_serve_options options = {
		.loop = node->loop,
		.throttle = node->settings.is_throttled ? &node->throttle.port : NULL,
		.check_hole = node->settings.checks_holes,
	};

	snapshot_options_throttle(&node->settings, &limits);
	throttle_braft_init(&node->throttle, &limits, (nsec)uv_hrtime());
	return tcp_serve_open(&node->tcp, &options, fault);
}

static void free_node(struct node *node)
{
	free(node->group);
	free(node->peer_id);
	free(node->listen);
	free(node->admin_path);
	free(node);
}

/* What cannot fail, once everything is open. */
static void start(struct node *node, const struct node_options *options,
	const struct transfer_options *transfer)
{
	const struct outgoing_list outgoing = {.plane = node->plane,
		.settings = &node->settings,
		.tcp = node->tcp,
		.pins = &node->pins,
		.group_id = node->group,
		.stall_timeout = transfer->stall_timeout};

	engine_queue_init(&node->queue, node->loop, &node->engine);
	served_init(&node->served, node->loop, node->storage);
	outgoing_init(&node->outgoing, &outgoing);
	tuning_init(&node->tuning, node->plane, options->is_bench, transfer);
	pins_start(&node->pins, node);
	start_timers(node);
}

int node_open(struct node **node, struct uv_loop_s *loop,
	const struct node_options *options, struct fault *fault)
{
	struct node *made = calloc(1, sizeof(*made));
	struct transfer_options transfer = options->transfer;
	int err;

	if (made == NULL)
		return fault_set(fault, -ENOMEM, "no memory for a node");
	made->loop = loop;
	err = copy_options(made, options, fault);
	if (err == 0)
		err = open_store(made, options->store, fault);
	if (err != 0)
		goto free_node;
	err = mailbox_open(&made->mailbox, loop);
	if (err != 0) {
		(void)fault_set(fault, err, "cannot watch for calls");
		goto close_store;
	}
	err = open_tcp(made, fault);
	if (err != 0)
		goto close_mailbox;
	err = open_servers(made, fault);
	if (err != 0)
		goto close_tcp;
	if (transfer.ndevices > 0)
		err = plane_open(&made->plane, loop, &transfer, fault);
	if (err != 0)
		goto close_servers;
	start(made, options, &transfer);
	log_line(LOG_INFO, "node",
		"event=ready listen=%s group=%s peer_id=%s store=%s index=%lld "
		"devices=%u",
		made->listen, made->group, made->peer_id, options->store,
		(long long)made->executor.last_index, transfer.ndevices);
	*node = made;
	return 0;
close_servers:
	rpc_server_close(made->server);
	if (made->admin != NULL)
		rpc_server_close(made->admin);
close_tcp:
	tcp_serve_close(made->tcp);
close_mailbox:
	mailbox_close(&made->mailbox);
	(void)uv_run(loop, UV_RUN_DEFAULT);
	mailbox_fini(&made->mailbox);
close_store:
	storage_close(made->storage);
free_node:
	free_node(made);
	return err;
}

void node_free(struct node *node)
{
	outgoing_fini(&node->outgoing);
	mailbox_fini(&node->mailbox);
	storage_close(node->storage);
	free_node(node);
}
