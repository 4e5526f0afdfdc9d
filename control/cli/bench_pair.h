/* SPDX-License-Identifier: BSD-3-Clause */
/* Two ends of a bench: a peer of our own, joined by net_memif, or another node. */
#ifndef BENCH_PAIR_H
#define BENCH_PAIR_H

#include "control/cli/bench_pull.h"
#include "control/cli/device_options.h"

struct bench_pair {
	const char *dir;    /* of bench_data_open; with a snapshot, if we lead */
	const char *to;     /* the node to pull from; NULL: a peer of our own */
	const char *listen; /* bench_pair_serve: HOST:PORT */
	const char *group;
	enum copier_path path; /* as in struct bench_pull */
	uint32_t runs;
	nsec window;                  /* as in struct bench_pull */
	nsec settle;                  /* the same */
	struct device_options device; /* --dev and --ip of our own pair are set here */
	void (*on_run)(void *ctx, uint32_t run, const struct transfer_info *info);
	void *ctx;
};

/* As bench_pull, once in a process. The peer is another process, which ends with us. */
int bench_pair_pull(
	struct bench_pair *pair, struct transfer_info infos[], struct fault *fault);
/* Is the node that others pull from, until SIGTERM. */
int bench_pair_serve(struct bench_pair *pair, struct fault *fault);

#endif
