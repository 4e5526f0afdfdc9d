/* SPDX-License-Identifier: BSD-3-Clause */
/* A node as a process: a loop of its own, and signals that end it. */
#include <signal.h>

#include "control/node/node_state.h"
#include "dataplane/base/format.h"
#include "dataplane/base/log.h"

struct process {
	struct node *node;
	uv_loop_t loop;
	uv_signal_t on_sigterm;
	uv_signal_t on_sigint;
	uv_signal_t on_sighup;
	const struct node_options *options;
};

static void on_signal(uv_signal_t *handle, int number)
{
	struct process *process = handle->data;

	log_line(LOG_INFO, "node", "event=stop signal=%s",
		number == SIGTERM ? "SIGTERM" : "SIGINT");
	node_stop(process->node);
}

/* What is wrong in the file changes nothing. */
static void on_sighup(uv_signal_t *handle, int number)
{
	const struct process *process = handle->data;
	const struct node_options *options = process->options;
	struct node_rates rates = {0};
	struct fault fault = {0};
	char text[FORMAT_MAX], disk[FORMAT_MAX];

	(void)number;
	if (options->reload == NULL) {
		log_line(LOG_WARN, "node",
			"event=reload text=\"there is no --config to read again\"");
		return;
	}
	if (options->reload(options->reload_ctx, &rates, &fault) != 0 ||
		node_set_rates(process->node, &rates, &fault) != 0)
		log_line(
			LOG_ERROR, "node", "event=reload_failed text=\"%s\"", fault.text);
	else
		log_line(LOG_INFO, "node", "event=reload rate=\"%s\" disk_rate=\"%s\"",
			format_rate(rates.rate_bps, text),
			format_rate(rates.disk_rate_bps, disk));
}

static void watch(struct process *process, uv_signal_t *handle, int number)
{
	/* neither fails after a valid loop was given */
	(void)uv_signal_init(&process->loop, handle);
	handle->data = process;
	(void)uv_signal_start(handle, number == SIGHUP ? on_sighup : on_signal, number);
	uv_unref((uv_handle_t *)handle); /* the node keeps the loop alive */
}

/* SIGHUP ends a process that does not watch for it yet, and whoever has just written the
 * file does not know that. It waits. */
static void hold_sighup(bool is_held)
{
	sigset_t set;

	(void)sigemptyset(&set);
	(void)sigaddset(&set, SIGHUP);
	(void)pthread_sigmask(is_held ? SIG_BLOCK : SIG_UNBLOCK, &set, NULL);
}

static void close_signals(struct process *process)
{
	uv_close((uv_handle_t *)&process->on_sigterm, NULL);
	uv_close((uv_handle_t *)&process->on_sigint, NULL);
	uv_close((uv_handle_t *)&process->on_sighup, NULL);
	(void)uv_run(&process->loop, UV_RUN_DEFAULT);
}

int node_run(const struct node_options *options, struct fault *fault)
{
	struct process process = {.options = options};
	int err;

	(void)uv_loop_init(&process.loop);
	hold_sighup(true);
	err = node_open(&process.node, &process.loop, options, fault);
	if (err == 0) {
		watch(&process, &process.on_sigterm, SIGTERM);
		watch(&process, &process.on_sigint, SIGINT);
		watch(&process, &process.on_sighup, SIGHUP);
		hold_sighup(false);
		(void)uv_run(&process.loop, UV_RUN_DEFAULT);
		close_signals(&process);
		node_free(process.node);
	} else {
		(void)uv_run(&process.loop, UV_RUN_DEFAULT);
	}
	if (uv_loop_close(&process.loop) != 0)
		log_line(LOG_ERROR, "node", "event=loop_left_open");
	return err;
}
