/* SPDX-License-Identifier: BSD-3-Clause */
#include "dataplane/dpdk/eal.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_lcore.h>
#include <rte_log.h>
#include <rte_memory.h>

#include "dataplane/base/log.h"
#include "dataplane/base/units.h"
#include "hugepages/hugepages.h"

enum {
	EAL_ARGS_MAX = 40,
	EAL_ARG_LEN = 256,
	EAL_OVERHEAD_MIB = 32, /* DPDK's own tables, measured below 20 MiB */
};

struct eal {
	bool hugepages;
	FILE *log;
	pthread_mutex_t lock; /* guards error */
	char error[256];
};

/* DPDK itself is one a process, and so is what its threads may still write to. */
static struct eal *started;

struct eal_args {
	int count;
	char text[EAL_ARGS_MAX][EAL_ARG_LEN];
	char *argv[EAL_ARGS_MAX + 1];
};

static void args_add(struct eal_args *args, const char *format, ...) PRINTF_LIKE(2, 3);

static void args_add(struct eal_args *args, const char *format, ...)
{
	va_list list;

	if (args->count == EAL_ARGS_MAX)
		return;
	va_start(list, format);
	(void)vsnprintf(args->text[args->count], EAL_ARG_LEN, format, list);
	va_end(list);
	args->argv[args->count] = args->text[args->count];
	args->count++;
}

static ssize_t keep_line(void *cookie, const char *line, size_t len)
{
	struct eal *eal = cookie;
	size_t text = len;

	while (text > 0 && (line[text - 1] == '\n' || line[text - 1] == ' '))
		text--;
	if (text == 0)
		return (ssize_t)len;
	if (rte_log_cur_msg_loglevel() <= (int)RTE_LOG_ERR) {
		(void)pthread_mutex_lock(&eal->lock);
		if (eal->error[0] == '\0')
			(void)snprintf(
				eal->error, sizeof(eal->error), "%.*s", (int)text, line);
		(void)pthread_mutex_unlock(&eal->lock);
	}
	log_line(LOG_DEBUG, "dpdk", "event=message text=\"%.*s\"", (int)text, line);
	return (ssize_t)len;
}

void eal_clear_error(struct eal *eal)
{
	(void)pthread_mutex_lock(&eal->lock);
	eal->error[0] = '\0';
	(void)pthread_mutex_unlock(&eal->lock);
}

void eal_get_error(struct eal *eal, char *text, size_t size)
{
	(void)pthread_mutex_lock(&eal->lock);
	(void)snprintf(text, size, "%s", eal->error);
	(void)pthread_mutex_unlock(&eal->lock);
}

bool eal_is_pci(const char *dev)
{
	unsigned int domain, bus, slot, function;
	int end = 0;

	if (sscanf(dev, "%4x:%2x:%2x.%1x%n", &domain, &bus, &slot, &function, &end) ==
			4 ||
		sscanf(dev, "%2x:%2x.%1x%n", &bus, &slot, &function, &end) == 3)
		return dev[end] == '\0' || dev[end] == ',';
	return false;
}

/* One lcore that floats over the CPUs this process may use: "0@(0-3,6)". */
static int add_cpus(struct eal_args *args)
{
	char list[EAL_ARG_LEN - 16] = "";
	size_t used = 0;
	cpu_set_t set;

	if (sched_getaffinity(0, sizeof(set), &set) != 0)
		return -errno;
	for (int cpu = 0; cpu < RTE_MAX_LCORE; cpu++) {
		int first = cpu;

		if (!CPU_ISSET(cpu, &set))
			continue;
		while (cpu + 1 < RTE_MAX_LCORE && CPU_ISSET(cpu + 1, &set))
			cpu++;
		if (used + 10 > sizeof(list))
			break; /* the first few dozen ranges are CPUs enough */
		used += (size_t)snprintf(list + used, sizeof(list) - used, "%s%d-%d",
			used == 0 ? "" : ",", first, cpu);
	}
	if (used == 0)
		return -ENODEV;
	args_add(args, "--lcores");
	args_add(args, "0@(%s)", list);
	return 0;
}

static void add_memory(struct eal_args *args, const struct eal *eal, size_t bytes)
{
	/* No files anywhere: an ordinary user may own no runtime directory, and a killed
	 * process leaves nothing behind. DPDK calls that --in-memory with hugepages and
	 * --no-shconf without. */
	if (eal->hugepages) {
		args_add(args, "--in-memory");
		return;
	}
	args_add(args, "--no-shconf");
	args_add(args, "--no-huge");
	args_add(args, "-m");
	args_add(args, "%zu", bytes / MIB + EAL_OVERHEAD_MIB);
}

static int add_devices(struct eal_args *args, const struct eal *eal,
	const struct eal_options *options, struct fault *fault)
{
	uint32_t npci = 0;

	for (uint32_t i = 0; i < options->ndevices; i++) {
		if (!eal_is_pci(options->devices[i]))
			continue;
		if (strlen(options->devices[i]) >= EAL_ARG_LEN)
			return fault_set(fault, -EINVAL,
				"device '%.40s...': too long, at most %d bytes",
				options->devices[i], EAL_ARG_LEN - 1);
		args_add(args, "-a");
		args_add(args, "%s", options->devices[i]);
		npci++;
	}
	if (npci == 0)
		args_add(args, "--no-pci");
	/* A NIC without an IOMMU needs physical addresses, so with one the choice is
	 * DPDK's; plain memory has none to give. */
	if (npci == 0 || !eal->hugepages)
		args_add(args, "--iova-mode=va");
	return 0;
}

static int build_args(struct eal_args *args, const struct eal *eal,
	const struct eal_options *options, struct fault *fault)
{
	int rc;

	args->count = 0;
	args_add(args, "snapline");
	rc = add_cpus(args);
	if (rc != 0)
		return fault_set(fault, rc, "no CPU to run on: %s", strerror(-rc));
	add_memory(args, eal, options->memory);
	rc = add_devices(args, eal, options, fault);
	if (rc != 0)
		return rc;
	args_add(args, "--no-telemetry");
	args_add(args, "--file-prefix=snapline%d", (int)getpid());
	args_add(args, "--log-level=warning");
	args->argv[args->count] = NULL;
	return 0;
}

static int open_log(struct eal *eal)
{
	static const cookie_io_functions_t functions = {.write = keep_line};

	eal->log = fopencookie(eal, "w", functions);
	if (eal->log == NULL)
		return -ENOMEM;
	(void)rte_openlog_stream(eal->log);
	return 0;
}

static void close_log(struct eal *eal)
{
	(void)rte_openlog_stream(NULL);
	(void)fclose(eal->log);
}

/* What a container may use; SIZE_MAX without a limit. */
static size_t cgroup_limit(void)
{
	FILE *file = fopen("/sys/fs/cgroup/memory.max", "re");
	unsigned long long limit;
	size_t found = SIZE_MAX;

	if (file == NULL)
		return found;
	if (fscanf(file, "%llu", &limit) == 1)
		found = (size_t)limit;
	(void)fclose(file);
	return found;
}

static bool has_plain_memory(size_t bytes)
{
	long free = sysconf(_SC_AVPHYS_PAGES);
	long all = sysconf(_SC_PHYS_PAGES);
	long page = sysconf(_SC_PAGESIZE);

	if (free <= 0 || all <= 0 || page <= 0)
		return true; /* nobody knows; DPDK will find out */
	if (bytes > cgroup_limit())
		return false;
	/* Page cache counts as used here although it can be had: only a want beyond most
	 * of all memory is certain to fail. */
	return bytes <= (size_t)free * (size_t)page ||
	       bytes <= (size_t)all * (size_t)page / 4 * 3;
}

static int choose_memory(struct eal *eal, size_t bytes, struct fault *fault)
{
	size_t wanted = bytes + EAL_OVERHEAD_MIB * MIB;

	eal->hugepages = hugepages_available(wanted);
	if (eal->hugepages)
		return 0;
	if (!has_plain_memory(wanted))
		return fault_set(fault, -ENOMEM,
			"not enough memory: %zu MiB wanted for packets and chunk "
			"buffers; ask for fewer or smaller buffers",
			wanted / (size_t)MIB);
	log_line(LOG_INFO, "eal",
		"event=no-hugepages memory_mib=%zu using=plain-memory remedy=\"run "
		"hugepages/hugepages.sh reserve %zu\"",
		wanted / (size_t)MIB, hugepages_count(wanted));
	return 0;
}

/* Whether the driver uses our memory as this process does. Others have it read and
 * written by a device or by another process, who have learnt where it is. */
static bool keeps_memory(const char *dev)
{
	static const char *const drivers[] = {"net_ring", "eth_ring", "net_null",
		"net_memif", "net_tap", "net_af_packet", "net_af_xdp"};

	for (size_t i = 0; i < ARRAY_LEN(drivers); i++) {
		if (strncmp(dev, drivers[i], strlen(drivers[i])) == 0)
			return strstr(dev, "zero-copy=yes") == NULL;
	}
	return false;
}

static int advise(const struct rte_memseg_list *list, const struct rte_memseg *first,
	size_t len, void *advised)
{
	int file = rte_memseg_get_fd_thread_unsafe(first); /* the walk has the lock */
	size_t offset = 0;

	if (list->external || (file >= 0 && rte_memseg_get_fd_offset_thread_unsafe(
						    first, &offset) != 0))
		return 0;
	*(size_t *)advised += hugepages_advise(first->addr, len, file, offset);
	return 0;
}

/* Plain memory of DPDK is a file in memory, which gets no transparent hugepages unless
 * the administrator has asked for them. Nearly nothing of it is in use yet. */
static void advise_memory(const struct eal_options *options)
{
	size_t advised = 0;

	for (uint32_t i = 0; i < options->ndevices; i++) {
		if (!keeps_memory(options->devices[i]))
			return;
	}
	(void)rte_memseg_contig_walk(advise, &advised);
	log_line(LOG_DEBUG, "eal", "event=transparent-hugepages memory_mib=%zu",
		advised / (size_t)MIB);
}

static int init_fault(struct eal *eal, int error, struct fault *fault)
{
	char text[sizeof(eal->error)];

	eal_get_error(eal, text, sizeof(text));
	if (error == ENOMEM)
		return fault_set(fault, -ENOMEM,
			"DPDK found no memory (%s); ask for fewer buffers or reserve "
			"hugepages with hugepages/hugepages.sh reserve N",
			text);
	return fault_set(fault, error == EINVAL ? -EINVAL : -ENODEV,
		"DPDK did not start: %s; `snapline doctor` shows what is missing",
		text[0] != '\0' ? text : rte_strerror(error));
}

/* DPDK makes itself a directory even when it has nothing to put there. */
static void remove_runtime_dir(void)
{
	const char *folder = rte_eal_get_runtime_dir();

	if (folder != NULL && folder[0] != '\0')
		(void)rmdir(folder);
}

int eal_start(struct eal **eal, const struct eal_options *options, struct fault *fault)
{
	struct eal_args *args;
	struct eal *self;
	int rc = -ENOMEM;

	if (started != NULL)
		return fault_set(fault, -EBUSY,
			"DPDK was started before in this process; it can be started once "
			"only");
	args = calloc(1, sizeof(*args));
	self = calloc(1, sizeof(*self));
	if (args == NULL || self == NULL || open_log(self) != 0) {
		(void)fault_set(fault, rc, "out of memory");
		goto free_self;
	}
	(void)pthread_mutex_init(&self->lock, NULL);
	rc = choose_memory(self, options->memory, fault);
	if (rc != 0)
		goto close_log;
	rc = build_args(args, self, options, fault);
	if (rc != 0)
		goto close_log;
	rc = rte_eal_init(args->count, args->argv) < 0 ? rte_errno : 0;
	remove_runtime_dir();
	if (rc != 0) {
		rc = init_fault(self, rc, fault);
		goto close_log;
	}
	if (!self->hugepages)
		advise_memory(options);
	free(args);
	started = self;
	*eal = self;
	return 0;
close_log:
	close_log(self);
	(void)pthread_mutex_destroy(&self->lock);
free_self:
	free(self);
	free(args);
	return rc;
}

/* Not rte_eal_cleanup: in 22.11 it unmaps the memory where the interrupt thread's list of
 * handles lies, but does not end that thread, and an event on its way crashes it. With
 * the ports closed, what is left are memory and a sleeping thread, no files: they go with
 * the process, and so does the log stream that the thread may still write to. */
void eal_stop(struct eal *eal)
{
	(void)eal;
}

bool eal_has_hugepages(const struct eal *eal)
{
	return eal->hugepages;
}
