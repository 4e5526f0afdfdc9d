/* SPDX-License-Identifier: BSD-3-Clause */
/* snapline queue set-rate: limits a queue, all queues of a port together, or the disk. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "control/cli/cli.h"
#include "control/cli/queue_view.h"
#include "dataplane/base/parse.h"

struct arguments {
	const char *admin;
	uint64_t burst;
	nsec auto_latency;
	bool json;
};

struct change {
	struct transfer_rate rate;
	bool is_disk; /* not of a port */
};

#define AT(field) .offset = offsetof(struct arguments, field)

static const struct option_spec options[] = {
	ADMIN_OPTION_ROWS(struct arguments, "the node", "the queues"),
	{.name = "burst",
		.arg = "SIZE",
		.kind = OPTION_SIZE,
		.min = BUCKET_BURST_MIN,
		.max = BUCKET_BURST_MAX,
		AT(burst),
		.help = "at most so much at once; 500 us of the rate, within 64 and 512 "
			"KiB, if not given"},
	{.name = "auto-latency",
		.arg = "TIME",
		.kind = OPTION_DURATION,
		.min = AUTO_CEILING_MIN,
		.max = AUTO_CEILING_MAX,
		AT(auto_latency),
		.help = "with auto: at most so much longer may packets of others take; "
			"as it was if not given"},
	{.name = NULL},
};

static const struct option_command command = {
	.name = "queue set-rate",
	.operands = "PORT[:QUEUE]|disk RATE",
	.summary = "Limits what a queue sends from now on, or without :QUEUE what all "
		   "queues\n"
		   "of the port send together; RATE is 0 (paused), 1Mbit to 400Gbit on\n"
		   "the wire, unlimited, or auto: what others leave, queue by queue.\n"
		   "disk: what is read and written for all devices; there is no auto.\n"
		   "Transfers go on.\n",
	.options = options,
	.min_operands = 2,
	.max_operands = 2,
};

static bool parse_number(const char *text, uint32_t *number)
{
	uint64_t value;

	if (parse_u64(text, &value) != 0 || value >= TRANSFER_ALL_QUEUES)
		return false;
	*number = (uint32_t)value;
	return true;
}

static int parse_place(const char *text, struct change *change, struct fault *fault)
{
	struct transfer_rate *rate = &change->rate;
	char port[16];
	const char *colon = strchr(text, ':');
	int len = colon != NULL ? (int)(colon - text) : (int)strlen(text);

	(void)snprintf(port, sizeof(port), "%.*s", len, text);
	rate->queue = TRANSFER_ALL_QUEUES;
	change->is_disk = strcmp(text, "disk") == 0;
	if (change->is_disk)
		return 0;
	if (len < (int)sizeof(port) && parse_number(port, &rate->port) &&
		(colon == NULL || parse_number(colon + 1, &rate->queue)))
		return 0;
	return fault_set(fault, -EINVAL,
		"'%.40s' is no queue: write PORT:QUEUE as 'snapline queue list' shows "
		"them, PORT for all of its queues, or disk",
		text);
}

/* What is for the network only. */
static int check(const struct change *change, struct fault *fault)
{
	if (!change->is_disk)
		return 0;
	if (change->rate.rate_bps == RATE_AUTO)
		return fault_set(fault, -EINVAL,
			"the disk has no rate auto: it is 0 (paused), 1Mbit to 400Gbit, "
			"or unlimited");
	if (change->rate.burst != 0 || change->rate.ceiling != 0)
		return fault_set(fault, -EINVAL,
			"--burst and --auto-latency are for queues: leave them out");
	return 0;
}

static int set(
	struct admin_client *admin, const struct change *change, struct fault *fault)
{
	const char *method = change->is_disk ? "set_disk_rate" : "set_rate";
	struct rpc_bytes answer = {0};
	uint8_t *bytes;
	size_t len;
	int err = change->is_disk
			  ? disk_rate_request_encode(change->rate.rate_bps, &bytes, &len)
			  : set_rate_request_encode(&change->rate, &bytes, &len);

	if (err != 0)
		return fault_set(fault, err, "no memory");
	err = admin_client_call(
		admin, method, (struct rpc_bytes){bytes, len}, &answer, fault);
	free(bytes);
	free((void *)(uintptr_t)answer.data);
	return err;
}

static bool is_about(const struct change *change, const struct transfer_rate *limit)
{
	return !change->is_disk && limit->port == change->rate.port &&
	       (change->rate.queue == TRANSFER_ALL_QUEUES ||
		       limit->queue == change->rate.queue);
}

/* Sets the rate, then shows the rows it is about. */
static int run(struct admin_client *admin, const struct change *change, bool json,
	struct fault *fault)
{
	struct queue_list list;
	size_t count = 0;
	int err = set(admin, change, fault);

	if (err == 0)
		err = queue_view_get(admin, &list, fault);
	if (err != 0)
		return err;
	for (size_t i = 0; i < list.count; i++) {
		if (is_about(change, &list.queues[i].limit))
			list.queues[count++] = list.queues[i];
	}
	list.count = count;
	list.has_disk = list.has_disk && change->is_disk;
	queue_view_print(&list, json);
	queue_list_fini(&list);
	return 0;
}

int queue_set_rate_command(int argc, char *const argv[])
{
	struct arguments arguments = {0};
	struct option_list operands;
	struct change change = {0};
	struct admin_client admin;
	struct fault fault = {0};
	int exit_code;
	int err;

	if (!cli_parse(&command, argc, argv, &arguments, &operands, &exit_code))
		return exit_code;
	change.rate.burst = arguments.burst;
	change.rate.ceiling = arguments.auto_latency;
	if (parse_place(operands.items[0], &change, &fault) != 0 ||
		cli_parse_rate(operands.items[1], &change.rate.rate_bps, &fault) != 0 ||
		check(&change, &fault) != 0 ||
		admin_client_open(&admin, arguments.admin, &fault) != 0)
		return cli_fail(&fault);
	err = run(&admin, &change, arguments.json, &fault);
	admin_client_close(&admin);
	return err != 0 ? cli_fail(&fault) : EX_OK;
}
