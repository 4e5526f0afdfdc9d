/* SPDX-License-Identifier: BSD-3-Clause */
/* snapline transfer pause, resume, throttle, cancel: one order each, for one transfer of
 * a node. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "control/cli/admin_client.h"
#include "control/cli/cli.h"
#include "control/cli/transfer_view.h"
#include "control/queue_codec.h"
#include "dataplane/base/format.h"
#include "dataplane/base/json.h"
#include "dataplane/base/parse.h"

enum { POLL_MS = 50, PATIENCE_MS = 60000 };

struct arguments {
	const char *admin;
	struct rank_options rank; /* of throttle */
	bool json;
};

static const struct option_spec options[] = {
	ADMIN_OPTION_ROWS(struct arguments, "either node", "the transfer"),
	{.name = NULL},
};

static const struct option_spec throttle_options[] = {
	ADMIN_OPTION_ROWS(struct arguments, "either node, for CLASS and N the leader's",
		"the transfer"),
	RANK_OPTION_ROWS(struct arguments),
	{.name = NULL},
};

static const struct option_command pause_command = {
	.name = "transfer pause",
	.operands = "ID",
	.summary =
		"Takes a transfer off the wire at once and keeps what was moved, until\n"
		"'snapline transfer resume' at the same node. Whoever waits for it waits "
		"on.\n",
	.options = options,
	.min_operands = 1,
	.max_operands = 1,
};

static const struct option_command resume_command = {
	.name = "transfer resume",
	.operands = "ID",
	.summary = "Lets a paused transfer go on from where it was.\n",
	.options = options,
	.min_operands = 1,
	.max_operands = 1,
};

static const struct option_command throttle_command = {
	.name = "transfer throttle",
	.operands = "ID [RATE]",
	.summary = "Limits a transfer from now on: 0 holds it up, unlimited lifts the "
		   "limit.\n"
		   "At the leader it is what is sent, at the follower what is asked for, "
		   "on\n"
		   "the wire; the smaller of both holds. Or puts it before or behind "
		   "others\n"
		   "that the leader sends over the same queue, where its limits leave "
		   "room.\n",
	.options = throttle_options,
	.min_operands = 1,
	.max_operands = 2,
};

static const struct option_command cancel_command = {
	.name = "transfer cancel",
	.operands = "ID",
	.summary =
		"Gives a transfer up on both nodes and waits until it has ended. The\n"
		"follower keeps what came, and the next transfer of the same snapshot\n"
		"goes on from there.\n",
	.options = options,
	.min_operands = 1,
	.max_operands = 1,
};

static int parse_id(const char *text, int64_t *id, struct fault *fault)
{
	uint64_t value;

	if (parse_u64(text, &value) != 0 || value > INT64_MAX)
		return fault_set(fault, -EINVAL,
			"'%.40s' is no transfer's id: see them with 'snapline transfer "
			"list'",
			text);
	*id = (int64_t)value;
	return 0;
}

/* But for the id, what is of throttle. */
static int order(struct admin_client *admin, const char *method,
	const struct throttle_request *what, struct fault *fault)
{
	const struct order_request request = {.id = what->id};
	struct rpc_bytes answer = {0};
	uint8_t *bytes;
	size_t len;
	int err = strcmp(method, "throttle") == 0
			  ? throttle_request_encode(what, &bytes, &len)
			  : order_request_encode(&request, &bytes, &len);

	if (err != 0)
		return fault_set(fault, err, "no memory");
	err = admin_client_call(
		admin, method, (struct rpc_bytes){bytes, len}, &answer, fault);
	free(bytes);
	free((void *)(uintptr_t)answer.data);
	return err;
}

static void print_json(const struct transfer_info *info)
{
	struct json json;

	json_init(&json, stdout);
	json_open_object(&json, NULL);
	json_i64(&json, "id", info->id);
	json_string(&json, "role", info->sending ? "leader" : "follower");
	json_string(&json, "peer", info->peer);
	json_string(&json, "stage", transfer_stage_name(info->stage));
	json_u64(&json, "bytes", info->bytes_total);
	json_u64(&json, "bytes_done", info->bytes_done);
	transfer_view_rank_json(&info->rank, &json);
	json_close(&json);
}

static void print(const struct transfer_info *info, const char *what, bool json)
{
	char done[FORMAT_MAX], total[FORMAT_MAX];

	if (json)
		print_json(info);
	else
		(void)printf("transfer %" PRId64 " %s: %s of %s\n", info->id, what,
			format_bytes(info->bytes_done, done),
			format_bytes(info->bytes_total, total));
}

static bool is_over(enum transfer_stage stage)
{
	return stage != STAGE_OPEN && stage != STAGE_WIRE && stage != STAGE_VERIFY &&
	       stage != STAGE_PAUSED && stage != STAGE_SUSPENDED;
}

/* The other node obeys in its own time, and may have committed before it heard. */
static int wait_for_end(struct admin_client *admin, int64_t id,
	struct transfer_info *info, struct fault *fault)
{
	for (int waited = 0; waited <= PATIENCE_MS; waited += POLL_MS) {
		int err = admin_client_find(admin, id, info, fault);

		if (err != 0)
			return err;
		if (info->stage == STAGE_FAILED)
			return 0;
		if (is_over(info->stage))
			return fault_set(fault, -EBUSY,
				"transfer %" PRId64 ": too late, the follower has all "
				"and commits the snapshot",
				id);
		admin_client_sleep(POLL_MS);
	}
	return fault_set(fault, -ETIMEDOUT,
		"transfer %" PRId64 " is being given up and has not ended yet: see "
		"'snapline transfer list'",
		id);
}

/* What shall be ordered, from the command line. */
static int parse(const struct arguments *arguments, const struct option_list *operands,
	struct throttle_request *what, struct fault *fault)
{
	int err = parse_id(operands->items[0], &what->id, fault);

	what->has_rate = operands->count > 1;
	what->rank = rank_of(arguments->rank.class, arguments->rank.weight);
	if (err == 0 && what->has_rate)
		err = cli_parse_rate(operands->items[1], &what->rate_bps, fault);
	return err;
}

static const char *result_of(
	const struct option_command *command, const struct throttle_request *what)
{
	if (command == &cancel_command)
		return "cancelled";
	if (command == &pause_command)
		return "paused";
	if (command == &resume_command)
		return "goes on";
	return what->has_rate ? "is limited" : "has another rank";
}

static int run(const struct option_command *command, const char *method, int argc,
	char *const argv[])
{
	bool cancels = command == &cancel_command;
	struct arguments arguments = {0};
	struct throttle_request what = {0};
	struct option_list operands;
	struct transfer_info info;
	struct admin_client admin;
	struct fault fault = {0};
	int exit_code;

	if (!cli_parse(command, argc, argv, &arguments, &operands, &exit_code))
		return exit_code;
	if (parse(&arguments, &operands, &what, &fault) == 0 &&
		command == &throttle_command && !what.has_rate &&
		rank_is_empty(&what.rank))
		(void)fault_set(&fault, -EINVAL,
			"transfer throttle changes nothing: give a RATE, --class or "
			"--weight");
	if (fault.code != 0 || admin_client_open(&admin, arguments.admin, &fault) != 0)
		return cli_fail(&fault);
	if (order(&admin, method, &what, &fault) != 0 ||
		(cancels && wait_for_end(&admin, what.id, &info, &fault) != 0) ||
		(!cancels && admin_client_find(&admin, what.id, &info, &fault) != 0))
		exit_code = cli_fail(&fault);
	else
		exit_code = EX_OK;
	admin_client_close(&admin);
	if (exit_code == EX_OK)
		print(&info, result_of(command, &what), arguments.json);
	return exit_code;
}

int transfer_pause_command(int argc, char *const argv[])
{
	return run(&pause_command, "pause", argc, argv);
}

int transfer_resume_command(int argc, char *const argv[])
{
	return run(&resume_command, "resume", argc, argv);
}

int transfer_throttle_command(int argc, char *const argv[])
{
	return run(&throttle_command, "throttle", argc, argv);
}

int transfer_cancel_command(int argc, char *const argv[])
{
	return run(&cancel_command, "cancel", argc, argv);
}
