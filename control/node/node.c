/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/node/node.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "control/node/node_state.h"
#include "dataplane/base/log.h"

enum {
	STOP_POLL_MS = 20,
	STOP_POLLS = 500, /* ten seconds, then it ends whatever is still open */
};

static const struct rpc_method methods[] = {
	{"braft.RaftService", "install_snapshot", install_on_request},
	{"snapline.TransferService", "open", serve_open},
	{"snapline.TransferService", "progress", serve_progress},
	{"snapline.TransferService", "close", serve_close},
	{NULL, NULL, NULL},
};

static void close_handles(struct node *node)
{
	rpc_server_close(node->server);
	if (node->admin != NULL)
		rpc_server_close(node->admin);
	plane_close(node->plane);
	uv_close((uv_handle_t *)&node->on_sigterm, NULL);
	uv_close((uv_handle_t *)&node->on_sigint, NULL);
	uv_close((uv_handle_t *)&node->stopper, NULL);
}

static void on_stop_poll(uv_timer_t *timer)
{
	struct node *node = timer->data;

	if (node->incoming.copier != NULL || outgoing_is_busy(&node->outgoing) ||
		node->served.njobs > 0) {
		if (++node->stop_polls < STOP_POLLS)
			return;
		log_line(LOG_ERROR, "node",
			"event=stop_forced text=\"a transfer did not end in 10 s\"");
	}
	(void)uv_timer_stop(timer);
	close_handles(node);
}

static void on_signal(uv_signal_t *handle, int number)
{
	struct node *node = handle->data;
	struct fault fault = {0};

	if (node->is_stopping)
		return;
	node->is_stopping = true;
	log_line(LOG_INFO, "node", "event=stop signal=%s",
		number == SIGTERM ? "SIGTERM" : "SIGINT");
	(void)fault_set(&fault, -ECANCELED, "the leader was stopped; run it again later");
	install_on_stop(node);
	for (struct outgoing *it = node->outgoing.first; it != NULL; it = it->next)
		outgoing_end(it, &fault);
	(void)uv_timer_start(&node->stopper, on_stop_poll, 0, STOP_POLL_MS);
}

static void watch_signals(struct node *node)
{
	/* none of these fails after a valid loop was given */
	(void)uv_signal_init(&node->loop, &node->on_sigterm);
	(void)uv_signal_init(&node->loop, &node->on_sigint);
	(void)uv_timer_init(&node->loop, &node->stopper);
	node->on_sigterm.data = node;
	node->on_sigint.data = node;
	node->stopper.data = node;
	(void)uv_signal_start(&node->on_sigterm, on_signal, SIGTERM);
	(void)uv_signal_start(&node->on_sigint, on_signal, SIGINT);
}

/* Runs the loop until every handle has been closed. */
static void drain(struct node *node)
{
	(void)uv_run(&node->loop, UV_RUN_DEFAULT);
	if (uv_loop_close(&node->loop) != 0)
		log_line(LOG_ERROR, "node", "event=loop_left_open");
}

static int open_servers(struct node *node, struct fault *fault)
{
	const struct node_options *options = node->options;
	char address[512];
	int err;

	err = rpc_server_open(
		&node->server, &node->loop, options->listen, methods, node, fault);
	if (err != 0 || options->admin == NULL)
		return err;
	(void)snprintf(address, sizeof(address), "unix:%s", options->admin);
	err = rpc_server_open(
		&node->admin, &node->loop, address, admin_methods, node, fault);
	if (err != 0)
		rpc_server_close(node->server);
	return err;
}

int node_run(const struct node_options *options, struct fault *fault)
{
	struct node *node = calloc(1, sizeof(*node));
	struct transfer_options transfer = options->transfer;
	int err;

	if (node == NULL)
		return fault_set(fault, -ENOMEM, "no memory for a node");
	node->options = options;
	err = executor_init(&node->executor, options->group, options->peer_id, 0, fault);
	if (err != 0)
		goto free_node;
	err = storage_open(&node->storage, options->store, true, fault);
	if (err != 0)
		goto free_node;
	node->executor.last_index = storage_newest_index(node->storage);
	(void)uv_loop_init(&node->loop);
	err = open_servers(node, fault);
	if (err != 0)
		goto close_storage;
	err = plane_open(&node->plane, &node->loop, &transfer, fault);
	if (err != 0)
		goto close_servers;
	served_init(&node->served, &node->loop, node->storage);
	outgoing_init(&node->outgoing, node->plane);
	watch_signals(node);
	log_line(LOG_INFO, "node",
		"event=ready listen=%s group=%s peer_id=%s store=%s index=%lld",
		options->listen, options->group, options->peer_id, options->store,
		(long long)node->executor.last_index);
	drain(node);
	outgoing_fini(&node->outgoing);
	storage_close(node->storage);
	free(node);
	return 0;
close_servers:
	rpc_server_close(node->server);
	if (node->admin != NULL)
		rpc_server_close(node->admin);
close_storage:
	drain(node);
	storage_close(node->storage);
free_node:
	free(node);
	return err;
}
