/* SPDX-License-Identifier: BSD-3-Clause */
/* Other people's requests on a link, by kernel sockets: how long they take.
 *
 *   foreground serve IP:PORT            answers each datagram
 *   foreground ask IP:PORT SECONDS      one request a millisecond; prints p50 and p99 in
 *                                       microseconds, and how many had no answer */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include "control/cli/foreground.h"
#include "dataplane/base/parse.h"

static int fail(const struct fault *fault)
{
	(void)fprintf(stderr, "foreground: %s\n", fault->text);
	return EX_OSERR;
}

static int ask(const char *where, uint64_t seconds, struct fault *fault)
{
	struct foreground_times times;
	struct foreground foreground;
	int err = foreground_open(&foreground, where, fault);

	if (err != 0)
		return err;
	err = foreground_ask(&foreground, (nsec)seconds * SEC, &times);
	foreground_close(&foreground);
	if (err != 0)
		return fault_set(fault, err, "%.200s: not one answer", where);
	(void)printf("%llu\t%llu\t%llu\n", (unsigned long long)times.p50_us,
		(unsigned long long)times.p99_us, (unsigned long long)times.unanswered);
	return 0;
}

int main(int argc, char *argv[])
{
	struct fault fault = {0};
	uint64_t seconds = 1;

	if (argc < 3 ||
		(argc > 3 && (parse_u64(argv[3], &seconds) != 0 || seconds > 60))) {
		(void)fputs("usage: foreground serve IP:PORT | ask IP:PORT SECONDS\n",
			stderr);
		return EX_USAGE;
	}
	if (strcmp(argv[1], "serve") == 0)
		(void)foreground_serve(argv[2], &fault);
	else
		(void)ask(argv[2], seconds, &fault);
	return fault.code != 0 ? fail(&fault) : EX_OK;
}
