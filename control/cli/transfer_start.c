/* SPDX-License-Identifier: BSD-3-Clause */
/* snapline transfer start: a node sends its newest snapshot to a peer. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sysexits.h>

#include "control/cli/admin_client.h"
#include "control/cli/cli.h"
#include "control/cli/transfer_view.h"
#include "control/rpc/rpc.h"
#include "dataplane/base/json.h"

enum { POLL_MS = 50 };

struct arguments {
	const char *admin;
	struct rank_options rank;
	bool detach;
	bool json;
	bool quiet;
};

#define AT(field) .offset = offsetof(struct arguments, field)

static const struct option_spec options[] = {
	ADMIN_OPTION_ROWS(struct arguments, "the leader node", "the result"),
	RANK_OPTION_ROWS(struct arguments),
	{.name = "detach",
		.kind = OPTION_FLAG,
		AT(detach),
		.help = "print the transfer's id and return at once"},
	{.name = "quiet", .kind = OPTION_FLAG, AT(quiet), .help = "show no progress"},
	{.name = NULL},
};

static const struct option_command command = {
	.name = "transfer start",
	.operands = "PEER",
	.summary = "Makes the node send InstallSnapshot for its newest snapshot to PEER\n"
		   "(IP:PORT[:IDX]), as a Raft leader would, and waits for the end.\n"
		   "Ctrl-C leaves the transfer running.\n",
	.options = options,
	.min_operands = 1,
	.max_operands = 1,
};

static int start(struct admin_client *admin, struct start_request *request, int64_t *id,
	struct fault *fault)
{
	struct start_response response;
	struct rpc_bytes answer = {0};
	uint8_t *bytes;
	size_t len;
	int err;

	err = start_request_encode(request, &bytes, &len);
	if (err != 0)
		return fault_set(fault, err, "no memory");
	err = admin_client_call(
		admin, "start", (struct rpc_bytes){bytes, len}, &answer, fault);
	free(bytes);
	if (err != 0)
		return err;
	err = start_response_decode(&response, answer.data, answer.len);
	free((void *)(uintptr_t)answer.data);
	if (err != 0)
		return fault_set(fault, err, "the node's answer is malformed");
	*id = response.id;
	return 0;
}

static int lose_node(const char *path, int64_t id, const struct fault *fault)
{
	struct fault lost = {0};

	if (fault->code != -RPC_EFAILEDSOCKET && fault->code != -EHOSTDOWN)
		return cli_fail(fault);
	(void)fault_set(&lost, -ECONNRESET,
		"the node behind %s ended, and transfer %" PRId64
		" with it: start it again when the node is back",
		path, id);
	return cli_fail(&lost);
}

static int follow(
	struct admin_client *admin, int64_t id, const struct arguments *arguments)
{
	struct transfer_view view;
	struct transfer_info info;
	struct fault fault = {0};

	transfer_view_init(&view, arguments->quiet);
	for (;;) {
		if (admin_client_find(admin, id, &info, &fault) != 0) {
			terminal_clear(&view.terminal);
			return lose_node(arguments->admin, id, &fault);
		}
		if (info.stage == STAGE_DONE || info.stage == STAGE_FAILED)
			return transfer_view_end(&view, &info, arguments->json);
		transfer_view_show(&view, &info);
		admin_client_sleep(POLL_MS);
	}
}

static void print_id(int64_t id, bool json)
{
	struct json object;

	if (!json) {
		(void)printf("transfer %" PRId64 " started\n", id);
		return;
	}
	json_init(&object, stdout);
	json_open_object(&object, NULL);
	json_i64(&object, "id", id);
	json_close(&object);
}

int transfer_start_command(int argc, char *const argv[])
{
	struct arguments arguments = {0};
	struct option_list operands;
	struct start_request request;
	struct admin_client admin;
	struct fault fault = {0};
	int exit_code;
	int64_t id = 0;

	if (!cli_parse(&command, argc, argv, &arguments, &operands, &exit_code))
		return exit_code;
	if (admin_client_open(&admin, arguments.admin, &fault) != 0)
		return cli_fail(&fault);
	(void)snprintf(request.peer, sizeof(request.peer), "%s", operands.items[0]);
	request.rank = rank_of(arguments.rank.class, arguments.rank.weight);
	if (start(&admin, &request, &id, &fault) != 0) {
		exit_code = cli_fail(&fault);
	} else if (arguments.detach) {
		print_id(id, arguments.json);
		exit_code = EX_OK;
	} else {
		exit_code = follow(&admin, id, &arguments);
	}
	admin_client_close(&admin);
	return exit_code;
}
