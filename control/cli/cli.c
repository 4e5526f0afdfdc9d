/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/cli/cli.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "control/rpc/rpc.h"
#include "dataplane/base/parse.h"

enum { WIRE_CODES = 1001 }; /* brpc's and braft's own codes start here */

static const struct {
	int error;
	int exit_code;
} exits[] = {
	{0, EX_OK},
	{EINVAL, EX_USAGE},
	{EBADMSG, EX_DATAERR},
	{ENOENT, EX_NOINPUT},
	{ENOTDIR, EX_NOINPUT},
	{ENODEV, EX_UNAVAILABLE},
	{ECONNREFUSED, EX_UNAVAILABLE},
	{EHOSTDOWN, EX_UNAVAILABLE},
	{EHOSTUNREACH, EX_UNAVAILABLE},
	{EADDRINUSE, EX_UNAVAILABLE},
	{EADDRNOTAVAIL, EX_UNAVAILABLE},
	{ENOMEM, EX_OSERR},
	{ENOSPC, EX_CANTCREAT},
	{EDQUOT, EX_CANTCREAT},
	{EEXIST, EX_CANTCREAT},
	{EROFS, EX_CANTCREAT},
	{EIO, EX_IOERR},
	{EBUSY, EX_TEMPFAIL},
	{EAGAIN, EX_TEMPFAIL},
	{ETIMEDOUT, EX_TEMPFAIL},
	{ECONNRESET, EX_TEMPFAIL},
	{ECANCELED, EX_TEMPFAIL},
	{EINTR, EX_TEMPFAIL},
	{ESTALE, EX_TEMPFAIL},
	{EPROTO, EX_PROTOCOL},
	{EACCES, EX_NOPERM},
	{EPERM, EX_NOPERM},
	{ENOTEMPTY, EX_CONFIG},
	{RPC_ERPCTIMEDOUT, EX_TEMPFAIL},
	{RPC_EFAILEDSOCKET, EX_TEMPFAIL},
};

int cli_exit_code(int error)
{
	int code = abs(error);

	for (size_t i = 0; i < ARRAY_LEN(exits); i++)
		if (exits[i].error == code)
			return exits[i].exit_code;
	return code >= WIRE_CODES ? EX_PROTOCOL : EX_OSERR;
}

int cli_fail(const struct fault *fault)
{
	(void)fprintf(stderr, "snapline: %s\n",
		fault->text[0] != '\0' ? fault->text : strerror(abs(fault->code)));
	return cli_exit_code(fault->code);
}

int cli_parse_rate(const char *text, uint64_t *rate_bps, struct fault *fault)
{
	int err = parse_limit(text, rate_bps);

	if (err == -ERANGE)
		return fault_set(fault, -EINVAL,
			"a rate of '%.40s' is out of range: it is 0 (paused), 1Mbit to "
			"400Gbit, auto or unlimited",
			text);
	if (err != 0)
		return fault_set(fault, -EINVAL,
			"'%.40s' is no rate: write 0 (paused), 500Mbit, 10Gbit, 1GiB/s, "
			"auto or unlimited",
			text);
	return 0;
}

bool cli_parse(const struct option_command *command, int argc, char *const argv[],
	void *target, struct option_list *operands, int *exit_code)
{
	struct fault fault = {0};
	struct option_list none;

	switch (options_parse(command, argc, argv, target,
		operands != NULL ? operands : &none, &fault)) {
	case OPTIONS_RUN:
		return true;
	case OPTIONS_HELP:
		options_help(command, stdout);
		*exit_code = EX_OK;
		return false;
	default:
		*exit_code = cli_fail(&fault);
		return false;
	}
}
