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

/* Sends until it is told to end, then tells how many ticks it was busy. */
static int send_all(const struct end_plan *plan, uint32_t slice, const char *socket,
	const int orders[2], int answers)
{
	struct seat seat = {0};
	uint64_t busy;
	char order;

	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	(void)close(orders[1]); /* its end is the order to end */
	sit_down(&seat, plan, 0, slice, socket);
	while (turn(&seat) || read(orders[0], &order, 1) != 0)
		;
	busy = seat.end->busy;
	stand_up(&seat);
	return write(answers, &busy, sizeof(busy)) == sizeof(busy) ? EX_OK : EX_IOERR;
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

static void tell(const struct end_plan *plan, uint32_t slice, double gbps,
	uint64_t sender, uint64_t receiver)
{
	double gib = (double)plan->manifest.bytes / (double)(1 << 30);
	char name[16];

	(void)snprintf(name, sizeof(name), "%u", slice);
	sample(name, "snapline", "Gb/s", gbps);
	sample(name, "sender busy", "core-s/GiB", (double)sender / sample_tsc_hz() / gib);
	sample(name, "receiver busy", "core-s/GiB",
		(double)receiver / sample_tsc_hz() / gib);
	sample(name, "both busy", "core-s/GiB",
		(double)(sender + receiver) / sample_tsc_hz() / gib);
}

int main(int argc, char *argv[])
{
	uint32_t slice = sample_number(argc, argv, 3, 8192);
	int orders[2], answers[2];
	struct end_plan plan;
	struct seat seat = {0};
	uint64_t sender;
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
	tell(&plan, slice, gbps, sender, seat.end->busy);
	stand_up(&seat);
	(void)waitpid(child, NULL, 0);
	end_plan_fini(&plan);
	return EX_OK;
}
