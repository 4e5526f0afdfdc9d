/* SPDX-License-Identifier: BSD-3-Clause */
/* The public header on top of a node that runs on a thread of its own. */
#include "control/node/library.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/node/machine.h"
#include "control/peer_id.h"
#include "control/route.h"
#include "control/uri.h"

enum {
	BUFFERS = 64,  /* chunk buffers a device */
	WINDOW = 2048, /* packets in flight a session */
};

#define STALL_TIMEOUT (10 * SEC)

/* A call that is answered later. */
struct request {
	struct letter letter; /* first: the letter is the request */
	struct node *node;
	struct ask ask;
	int64_t term;
	int64_t index;
	struct rank rank;
	char peer[URI_TEXT_MAX]; /* or leader id */
	char uri[URI_TEXT_MAX];
};

void library_error(struct snapline_error *error, const struct fault *fault)
{
	if (error == NULL)
		return;
	error->code = fault->code;
	(void)snprintf(error->text, sizeof(error->text), "%s", fault->text);
}

static void on_errand(struct letter *letter)
{
	struct errand *errand = (struct errand *)letter;

	errand->run(errand);
	uv_sem_post(&errand->done);
}

int library_run(struct errand *errand)
{
	uv_thread_t self = uv_thread_self();

	if (uv_thread_equal(&self, &errand->node->thread)) {
		errand->run(errand);
		return 0;
	}
	if (uv_sem_init(&errand->done, 0) != 0)
		return -ENOMEM;
	errand->letter.deliver = on_errand;
	if (!mailbox_post(&errand->node->node->mailbox, &errand->letter)) {
		uv_sem_destroy(&errand->done);
		return -EPERM;
	}
	uv_sem_wait(&errand->done);
	uv_sem_destroy(&errand->done);
	return 0;
}

static int resolve_devices(const struct snapline_options *options,
	struct transfer_device *devices, struct fault *fault)
{
	if (options->ndevices > TRANSFER_DEVICES_MAX)
		return fault_set(fault, -EINVAL, "%zu devices: at most %d",
			options->ndevices, TRANSFER_DEVICES_MAX);
	for (size_t i = 0; i < options->ndevices; i++) {
		const struct snapline_device *from = &options->devices[i];
		struct transfer_device *to = &devices[i];
		int err;

		*to = (struct transfer_device){
			.dev = from->dev, .vlan = from->vlan, .queues = from->queues};
		err = route_parse_ip(from->ip, &to->ip, &to->prefix_len, fault);
		if (err == 0 && from->gateway != NULL)
			err = route_parse_gateway(from->gateway, to, fault);
		if (err != 0)
			return err;
	}
	return 0;
}

/* "name=value" */
static int apply_settings(const char *const *settings, struct snapshot_options *options,
	struct fault *fault)
{
	snapshot_options_default(options);
	for (; settings != NULL && *settings != NULL; settings++) {
		const char *value = strchr(*settings, '=');
		char name[64];
		int err;

		if (value == NULL || value - *settings >= (ptrdiff_t)sizeof(name))
			return fault_set(fault, -EINVAL,
				"setting '%.60s' is not name=value", *settings);
		memcpy(name, *settings, (size_t)(value - *settings));
		name[value - *settings] = '\0';
		err = snapshot_options_set(options, name, value + 1, false, fault);
		if (err != 0)
			return err;
	}
	return 0;
}

static int check_callbacks(const struct snapline_options *options, struct fault *fault)
{
	const struct snapline_fsm *fsm = &options->fsm;
	const struct snapline_log *log = &options->log;
	bool has_fsm = fsm->on_snapshot_save != NULL;
	bool has_log = log->first_index != NULL;
	bool cuts = log->truncate_prefix != NULL;

	if (options->store == NULL || options->group == NULL || options->peer_id == NULL)
		return fault_set(
			fault, -EINVAL, "store, group and peer_id must be given");
	if (has_fsm != (fsm->on_snapshot_load != NULL) ||
		has_fsm != (fsm->last_applied != NULL))
		return fault_set(fault, -EINVAL,
			"fsm: give last_applied, on_snapshot_save and on_snapshot_load, "
			"or "
			"none of them");
	if (has_log != (log->last_index != NULL) ||
		(!has_log && (cuts || log->bytes_from != NULL)) ||
		cuts != (log->term_at != NULL) || cuts != (log->reset != NULL))
		return fault_set(fault, -EINVAL,
			"log: give all functions (bytes_from may be NULL), or none, or "
			"neither term_at, truncate_prefix nor reset");
	return 0;
}

static int open_node(struct snapline_node *node, const struct snapline_options *options,
	struct fault *fault)
{
	struct transfer_device devices[TRANSFER_DEVICES_MAX];
	char address[PEER_ID_TEXT_MAX];
	struct peer_id self;
	struct node_options wanted = {
		.store = options->store,
		.listen = options->listen,
		.group = options->group,
		.peer_id = options->peer_id,
		.admin = options->admin,
		.transfer = {.devices = devices,
			.ndevices = (uint32_t)options->ndevices,
			.buffers = options->buffers != 0 ? options->buffers : BUFFERS,
			.buffer_size = MANIFEST_CHUNK_DEFAULT,
			.window = WINDOW,
			.stall_timeout = options->stall_timeout_ms != 0
						 ? (nsec)options->stall_timeout_ms * MSEC
						 : STALL_TIMEOUT},
		.fsm = options->fsm,
		.log = options->log,
	};
	int err = check_callbacks(options, fault);

	if (err == 0)
		err = resolve_devices(options, devices, fault);
	if (err == 0)
		err = apply_settings(options->settings, &wanted.settings, fault);
	if (err == 0)
		err = peer_id_parse(&self, options->peer_id, fault);
	if (err != 0)
		return err;
	if (wanted.listen == NULL) {
		peer_id_format_address(&self, address);
		wanted.listen = address;
	}
	return node_open(&node->node, &node->loop, &wanted, fault);
}

static void run_loop(void *arg)
{
	struct snapline_node *node = arg;

	(void)uv_run(&node->loop, UV_RUN_DEFAULT);
}

static void stop_here(struct errand *errand)
{
	node_stop(errand->node->node);
}

static void close_loop(struct snapline_node *node)
{
	(void)uv_run(&node->loop, UV_RUN_DEFAULT);
	(void)uv_loop_close(&node->loop);
	free(node);
}

int snapline_open(struct snapline_node **node, const struct snapline_options *options,
	struct snapline_error *error)
{
	struct snapline_node *made = calloc(1, sizeof(*made));
	struct fault fault = {0};
	int err;

	if (made == NULL || uv_loop_init(&made->loop) != 0) {
		free(made);
		err = fault_set(&fault, -ENOMEM, "no memory for a node");
		library_error(error, &fault);
		return err;
	}
	err = open_node(made, options, &fault);
	if (err == 0) {
		err = uv_thread_create(&made->thread, run_loop, made);
		if (err != 0) {
			(void)fault_set(&fault, err, "no thread to be had for a node");
			node_stop(made->node);
			(void)uv_run(&made->loop, UV_RUN_DEFAULT);
			node_free(made->node);
		}
	}
	if (err != 0) {
		library_error(error, &fault);
		close_loop(made);
		return err;
	}
	*node = made;
	return 0;
}

void snapline_close(struct snapline_node *node)
{
	struct errand errand = {.node = node, .run = stop_here};

	(void)library_run(&errand);
	(void)uv_thread_join(&node->thread);
	node_free(node->node);
	close_loop(node);
}

static void give_up(struct request *request, int code, const char *text)
{
	struct executor_answer answer = {.code = code};
	struct ask *ask = ask_create(&request->ask);

	(void)snprintf(answer.text, sizeof(answer.text), "%s", text);
	if (ask != NULL)
		ask_answer(ask, &answer);
	free(request);
}

static struct request *request_create(
	struct snapline_node *node, void (*deliver)(struct letter *letter))
{
	struct request *request = calloc(1, sizeof(*request));

	if (request != NULL) {
		request->node = node->node;
		request->letter.deliver = deliver;
	}
	return request;
}

static void post(struct request *request)
{
	if (!mailbox_post(&request->node->mailbox, &request->letter))
		give_up(request, EPERM, "Is stopped");
}

static void do_save(struct letter *letter)
{
	struct request *request = (struct request *)letter;
	struct ask *ask = ask_create(&request->ask);

	if (ask == NULL) {
		give_up(request, ENOMEM, "no memory to remember the call");
		return;
	}
	machine_save(request->node, ask);
	free(request);
}

void snapline_do_snapshot(struct snapline_node *node, snapline_done done, void *ctx)
{
	struct request *request = request_create(node, do_save);

	if (request == NULL) {
		if (done != NULL)
			done(ctx, ENOMEM, "no memory to remember the call");
		return;
	}
	request->ask = (struct ask){.kind = ASK_DONE, .done = done, .ctx = ctx};
	post(request);
}

static void do_install(struct letter *letter)
{
	struct request *request = (struct request *)letter;
	char self[PEER_ID_TEXT_MAX];
	const struct executor_request asked = {
		.group_id = request->node->group,
		.server_id = request->peer,
		.peer_id = self,
		.term = request->term,
		.index = request->index,
		.uri = request->uri,
	};
	struct ask *ask = ask_create(&request->ask);

	peer_id_format(&request->node->executor.self, self);
	if (ask == NULL) {
		give_up(request, ENOMEM, "no memory to remember the call");
		return;
	}
	machine_install(request->node, &asked, ask);
	free(request);
}

void snapline_install_snapshot(struct snapline_node *node,
	const struct snapline_install *install, snapline_installed done, void *ctx)
{
	struct request *request = request_create(node, do_install);

	if (request == NULL) {
		if (done != NULL)
			done(ctx, ENOMEM, "no memory to remember the call", 0, false);
		return;
	}
	request->ask = (struct ask){.kind = ASK_INSTALLED, .installed = done, .ctx = ctx};
	request->term = install->term;
	request->index = install->index;
	(void)snprintf(request->peer, sizeof(request->peer), "%s", install->leader_id);
	(void)snprintf(request->uri, sizeof(request->uri), "%s", install->uri);
	post(request);
}

static void on_sent(void *ctx, const struct fault *fault)
{
	give_up(ctx, -fault->code, fault->text);
}

static void on_started(void *ctx, int64_t id, const struct fault *fault)
{
	(void)id;
	if (fault != NULL)
		on_sent(ctx, fault);
}

static void do_send(struct letter *letter)
{
	struct request *request = (struct request *)letter;
	const struct install_starter starter = {.started = on_started,
		.ended = on_sent,
		.ctx = request,
		.rank = request->rank};

	install_start(request->node, request->peer, &starter);
}

void snapline_send_snapshot(
	struct snapline_node *node, const char *peer_id, snapline_done done, void *ctx)
{
	const struct snapline_rank rank = {SNAPLINE_UNSAID, 0};

	snapline_send_snapshot_ranked(node, peer_id, &rank, done, ctx);
}

void snapline_send_snapshot_ranked(struct snapline_node *node, const char *peer_id,
	const struct snapline_rank *rank, snapline_done done, void *ctx)
{
	bool is_right = (unsigned int)rank->of_class <= SNAPLINE_REBALANCE &&
			rank->weight <= SHAPER_WEIGHT_MAX;
	struct request *request = is_right ? request_create(node, do_send) : NULL;

	if (request == NULL) {
		if (done != NULL && is_right)
			done(ctx, ENOMEM, "no memory to remember the call");
		else if (done != NULL)
			done(ctx, EINVAL,
				"a rank is of class recovery or rebalance, with a weight "
				"from 1 to 100");
		return;
	}
	request->ask = (struct ask){.kind = ASK_DONE, .done = done, .ctx = ctx};
	request->rank = rank_of(rank->of_class, rank->weight);
	(void)snprintf(request->peer, sizeof(request->peer), "%s", peer_id);
	post(request);
}

static void do_step_down(struct letter *letter)
{
	struct request *request = (struct request *)letter;

	machine_step_down(request->node, request->term);
	free(request);
}

void snapline_step_down(struct snapline_node *node, int64_t new_term)
{
	struct request *request = request_create(node, do_step_down);

	if (request == NULL)
		return; /* the download ends by itself, only later */
	request->term = new_term;
	if (!mailbox_post(&request->node->mailbox, &request->letter))
		free(request);
}
