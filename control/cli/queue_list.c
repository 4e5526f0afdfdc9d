/* SPDX-License-Identifier: BSD-3-Clause */
/* snapline queue list: what each queue of a node may send, and what it does. */
#include <stdio.h>
#include <sysexits.h>
#include <unistd.h>

#include "control/cli/cli.h"
#include "control/cli/queue_view.h"

enum { WATCH_MS = 1000 };

struct arguments {
	const char *admin;
	bool watch;
	bool json;
};

#define AT(field) .offset = offsetof(struct arguments, field)

static const struct option_spec options[] = {
	ADMIN_OPTION_ROWS(struct arguments, "the node", "the queues"),
	{.name = "watch",
		.kind = OPTION_FLAG,
		AT(watch),
		.help = "again every second, until Ctrl-C"},
	{.name = NULL},
};

static const struct option_command command = {
	.name = "queue list",
	.summary = "Lists the queues of the node's devices (ports): their limits, what "
		   "they\n"
		   "send now on the wire, what waits, and for how long it had to; and at "
		   "last\n"
		   "what is read from and written to the disk for all of them.\n",
	.options = options,
};

static int show(struct admin_client *admin, const struct arguments *arguments,
	struct fault *fault)
{
	struct queue_list list;
	int err = queue_view_get(admin, &list, fault);

	if (err != 0)
		return err;
	if (arguments->watch && !arguments->json && isatty(STDOUT_FILENO))
		(void)fputs("\033[H\033[J", stdout); /* the page is drawn anew */
	queue_view_print(&list, arguments->json);
	queue_list_fini(&list);
	(void)fflush(stdout);
	return 0;
}

int queue_list_command(int argc, char *const argv[])
{
	struct arguments arguments = {0};
	struct admin_client admin;
	struct fault fault = {0};
	int exit_code;
	int err;

	if (!cli_parse(&command, argc, argv, &arguments, NULL, &exit_code))
		return exit_code;
	if (admin_client_open(&admin, arguments.admin, &fault) != 0)
		return cli_fail(&fault);
	err = show(&admin, &arguments, &fault);
	while (err == 0 && arguments.watch && !ferror(stdout)) {
		admin_client_sleep(WATCH_MS);
		err = show(&admin, &arguments, &fault);
	}
	admin_client_close(&admin);
	return err != 0 ? cli_fail(&fault) : EX_OK;
}
