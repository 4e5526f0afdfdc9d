/* SPDX-License-Identifier: BSD-3-Clause */
/* pair SOCKET [CHUNKS [SLICE]]: goodput over net_memif from a sender to a receiver that
 * throws away what it has checked, one process and one thread each, no disk.
 *
 *   child: sender ══ net_memif, SOCKET ══► receiver: parent
 *
 * The first tenth is warm-up: the clock runs over the rest. */
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#include "bench/end.h"
#include "bench/ports.h"
#include "bench/sample.h"

struct seat {
	struct end *end;
	struct ports ports;
	nsec next_maintain;
};

static void sit_down(struct seat *seat, const struct end_plan *plan, int number,
	uint32_t slice, const char *socket)
{
	char dev[256];
	const char *devices[] = {dev};

	(void)snprintf(dev, sizeof(dev),
		"net_memif0,role=%s,socket=%s,socket-abstract=no",
		number == 0 ? "server" : "client", socket);
	seat->end = end_open(plan, number, slice);
	ports_open(&seat->ports, devices, 1);
	ports_share(&seat->ports, seat->end); /* as a node does */
	seat->end->nic = seat->ports.nics[0];
	end_start(seat->end);
}

/* There may be fewer cores than threads: who has nothing to do makes room. Returns
 * whether there was anything to do. */
static bool turn(struct seat *seat)
{
	nsec now = sample_clock();

	if (now >= seat->next_maintain) {
		nic_dpdk_maintain(seat->ports.dpdk[0], 0, now);
		seat->next_maintain = now + SEC;
	}
	if (end_turn(seat->end))
		return true;
	(void)sched_yield();
	return false;
}

static void stand_up(struct seat *seat)
{
	ports_close(&seat->ports);
	end_close(seat->end);
}

/* What an end did, ticks. */
struct effort {
	uint64_t busy;
	uint64_t rx; /* of these, in the driver */
	uint64_t tx; /* and filling packets, too */
};

static struct effort effort_of(const struct seat *seat)
{
	struct effort effort = {.busy = seat->end->busy};

	nic_dpdk_get_ticks(seat->ports.dpdk[0], &effort.rx, &effort.tx);
	return effort;
}

/* Sends until it is told to end, then tells what it did. */
static int send_all(const struct end_plan *plan, uint32_t slice, const char *socket,
	const int orders[2], int answers)
{
	struct seat seat = {0};
	struct effort effort;
	char order;

	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	(void)close(orders[1]); /* its end is the order to end */
	sit_down(&seat, plan, 0, slice, socket);
	while (turn(&seat) || read(orders[0], &order, 1) != 0)
		;
	effort = effort_of(&seat);
	stand_up(&seat);
	return write(answers, &effort, sizeof(effort)) == sizeof(effort) ? EX_OK
									 : EX_IOERR;
}

static double receive_all(struct seat *seat, const struct end_plan *plan)
{
	uint64_t tenth = plan->manifest.bytes / 10, from = 0;
	nsec start = 0;

	while (!seat->end->has_ended) {
		(void)turn(seat);
		if (start == 0 && end_bytes_done(seat->end) >= tenth) {
			start = sample_clock();
			from = end_bytes_done(seat->end);
		}
	}
	return (double)(plan->manifest.bytes - from) * 8 /
	       (double)(sample_clock() - start);
}

/* one: as many ticks as make one core-second a GiB. */
static void tell_stage(uint32_t slice, const char *subject, uint64_t ticks, double one)
{
	char name[16];

	(void)snprintf(name, sizeof(name), "%u", slice);
	sample(name, subject, "core-s/GiB", (double)ticks / one);
}

static void tell(uint32_t slice, uint64_t bytes, const struct effort *sender,
	const struct effort *receiver)
{
	double one = sample_tsc_hz() * (double)bytes / (double)(1 << 30);

	tell_stage(slice, "both busy", sender->busy + receiver->busy, one);
	tell_stage(slice, "sender busy", sender->busy, one);
	tell_stage(
		slice, "sender: protocol", sender->busy - sender->rx - sender->tx, one);
	tell_stage(slice, "sender: tx", sender->tx, one);
	tell_stage(slice, "sender: rx", sender->rx, one);
	tell_stage(slice, "receiver busy", receiver->busy, one);
	tell_stage(slice, "receiver: checks and copy",
		receiver->busy - receiver->rx - receiver->tx, one);
	tell_stage(slice, "receiver: rx", receiver->rx, one);
	tell_stage(slice, "receiver: tx", receiver->tx, one);
}

int main(int argc, char *argv[])
{
	uint32_t slice = sample_number(argc, argv, 3, 8192);
	int orders[2], answers[2];
	struct end_plan plan;
	struct seat seat = {0};
	struct effort sender, receiver;
	char name[16];
	double gbps;
	pid_t child;

	if (argc < 2) {
		(void)fputs("usage: pair SOCKET [CHUNKS [SLICE]]\n", stderr);
		return EX_USAGE;
	}
	end_plan_init(&plan, sample_number(argc, argv, 2, 1024));
	if (pipe2(orders, O_NONBLOCK) != 0 || pipe(answers) != 0)
		return EX_OSERR;
	child = fork();
	if (child == 0) {
		int status = send_all(&plan, slice, argv[1], orders, answers[1]);

		end_plan_fini(&plan);
		return status;
	}
	(void)close(orders[0]);
	(void)close(answers[1]);
	sit_down(&seat, &plan, 1, slice, argv[1]);
	gbps = receive_all(&seat, &plan);
	(void)close(orders[1]);
	if (seat.end->code != 0 ||
		read(answers[0], &sender, sizeof(sender)) != sizeof(sender)) {
		(void)fprintf(stderr, "pair: %s\n", strerror(-seat.end->code));
		return EX_UNAVAILABLE;
	}
	receiver = effort_of(&seat);
	(void)snprintf(name, sizeof(name), "%u", slice);
	sample(name, "snapline", "Gb/s", gbps);
	tell(slice, plan.manifest.bytes, &sender, &receiver);
	stand_up(&seat);
	(void)waitpid(child, NULL, 0);
	end_plan_fini(&plan);
	return EX_OK;
}
