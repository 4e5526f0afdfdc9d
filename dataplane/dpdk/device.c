/* SPDX-License-Identifier: BSD-3-Clause */
#include "dataplane/dpdk/device.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <time.h>

#include <rte_cycles.h>
#include <rte_errno.h>
#include <rte_lcore.h>
#include <rte_memzone.h>
#include <rte_pause.h>

#include "dataplane/dpdk/transfer_port.h"
#include "dataplane/file/store_file.h"

enum {
	ORDERS = 2 * WORKER_SESSIONS,
	REPORTS = 4 * WORKER_SESSIONS, /* two a session until its slot is free again */
	TIMER_SLACK = 1000, /* nsec; 50 us by default, as long as our shortest sleep */
};

static nsec clock_now(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * SEC + now.tv_nsec;
}

static void on_report(void *context, const struct transfer_report *report)
{
	struct device *device = context;

	(void)ring_put(&device->reports, report); /* REPORTS: never full */
	if (device->options->wake != NULL)
		device->options->wake(device->options->wake_ctx);
}

static bool take_orders(struct device *device, nsec now)
{
	struct device_order order;
	bool busy = false;

	while (ring_take(&device->orders, &order)) {
		if (order.what == ORDER_START)
			worker_add(&device->worker, order.session, now);
		else if (order.what == ORDER_STOP)
			worker_stop(&device->worker, order.session_id);
		else if (order.what == ORDER_TOUCH)
			worker_touch(&device->worker, order.session_id, now);
		else
			worker_pause(&device->worker, order.session_id,
				order.what == ORDER_PAUSE);
		busy = true;
	}
	return busy;
}

/* Sleeps until an order comes, at most so long. */
static void doze(struct device *device, nsec now, nsec span)
{
	struct timespec until = {
		.tv_sec = (now + span) / SEC,
		.tv_nsec = (now + span) % SEC,
	};

	/* seq_cst, as the order's put and its look at asleep: one of us sees the other */
	atomic_store(&device->asleep, true);
	if (ring_is_empty(&device->orders) && !atomic_load(&device->stop))
		(void)sem_clockwait(&device->wake, CLOCK_MONOTONIC, &until);
	atomic_store(&device->asleep, false);
}

/* Without a session nothing is urgent: 1, 2, 4 ... 20 ms. */
static void idle_empty(struct device *device, nsec now)
{
	enum { SHORTEST_MS = 1, LONGEST_MS = 20 };

	device->sleep = nsec_min(
		nsec_max(2 * device->sleep, SHORTEST_MS * MSEC), LONGEST_MS * MSEC);
	doze(device, now, device->sleep);
}

/* spin ─20 us─► yield ─100 us─► sleep 50 us ─10 ms─► 200 us ─1 s─► 1 ms */
static void idle(struct device *device, nsec now)
{
	nsec span, idle_for;

	if (device->idle_since == NEVER)
		device->idle_since = now;
	idle_for = now - device->idle_since;
	if (device->worker.nsessions == 0) {
		idle_empty(device, now);
		return;
	}
	if (idle_for < 20 * USEC) {
		rte_pause();
		return;
	}
	if (idle_for < 100 * USEC) {
		(void)sched_yield();
		return;
	}
	span = idle_for < 10 * MSEC ? 50 * USEC : idle_for < SEC ? 200 * USEC : MSEC;
	span = nsec_min(span, worker_deadline(&device->worker) - now);
	if (span > 0)
		doze(device, now, span);
}

static void count_busy(struct device *device, uint64_t start)
{
	uint64_t sum = atomic_load_explicit(&device->busy_ticks, memory_order_relaxed);

	/* relaxed: a plain count with one writer */
	atomic_store_explicit(
		&device->busy_ticks, sum + rte_rdtsc() - start, memory_order_relaxed);
}

static void turn(struct device *device)
{
	nsec now = clock_now();
	uint64_t start = rte_rdtsc();
	bool busy = take_orders(device, now);

	busy |= worker_run(&device->worker, now);
	if (now >= device->next_maintain) {
		nic_dpdk_maintain(device->port, now);
		device->next_maintain = now + SEC;
	}
	if (busy) {
		count_busy(device, start);
		device->idle_since = NEVER;
		device->sleep = 0;
		return;
	}
	idle(device, now);
}

static void *run(void *context)
{
	struct device *device = context;

	(void)pthread_setname_np(pthread_self(), "snapline-nic");
	(void)prctl(PR_SET_TIMERSLACK, TIMER_SLACK, 0, 0, 0);
	device->start_code = rte_thread_register() == 0 ? 0 : -rte_errno;
	(void)sem_post(&device->started);
	if (device->start_code != 0)
		return NULL;
	while (!atomic_load_explicit(&device->stop, memory_order_relaxed))
		turn(device);
	rte_thread_unregister();
	return NULL;
}

size_t device_memory(
	const struct transfer_options *options, const struct transfer_device *config)
{
	const struct nic_dpdk_options nic = {.dev = config->dev, .mtu = config->mtu};

	return nic_dpdk_memory(&nic) +
	       pool_memory(options->buffers, options->buffer_size);
}

static int take_memory(struct device *device, uint32_t index, struct fault *fault)
{
	const struct transfer_options *options = device->options;
	size_t size = pool_memory(options->buffers, options->buffer_size);
	char name[RTE_MEMZONE_NAMESIZE];

	(void)snprintf(name, sizeof(name), "chunks%u", index);
	device->memory = rte_memzone_reserve_aligned(
		name, size, SOCKET_ID_ANY, RTE_MEMZONE_IOVA_CONTIG, POOL_ALIGN);
	if (device->memory == NULL)
		device->memory = rte_memzone_reserve_aligned(
			name, size, SOCKET_ID_ANY, 0, POOL_ALIGN);
	if (device->memory == NULL)
		return fault_set(fault, -ENOMEM,
			"no memory for %u chunk buffers of %u KiB; ask for fewer, or "
			"reserve hugepages with hugepages/hugepages.sh reserve N",
			options->buffers, options->buffer_size / 1024);
	arena_init(&device->arena, device->memory->addr, size);
	return pool_init(
		&device->pool, &device->arena, options->buffers, options->buffer_size);
}

/* Rings and memif push back when they are full: there is no queue to be kept short. */
static enum cc_kind choose_cc(const struct device *device, const char *dev)
{
	static const char *const rings[] = {"net_memif", "net_ring", "net_null"};

	if (device->options->cc != CC_AUTO)
		return device->options->cc;
	for (size_t i = 0; i < ARRAY_LEN(rings); i++) {
		if (strncmp(dev, rings[i], strlen(rings[i])) == 0)
			return CC_FIXED;
	}
	return CC_SWIFT;
}

static int make_worker(
	struct device *device, const struct transfer_device *config, struct fault *fault)
{
	struct worker_config worker = {
		.nic = &device->nic,
		.store = &device->store,
		.pool = &device->pool,
		.nbuffers = device->options->buffers,
		.ip = config->ip,
		.prefix_len = config->prefix_len,
		.gateway = config->gateway,
		.port = TRANSFER_PORT,
		.dscp = TRANSFER_DSCP,
		.cc = choose_cc(device, config->dev),
		.report = on_report,
		.report_ctx = device,
	};

	if (worker_init(&device->worker, &worker) != 0)
		return fault_set(fault, -ENOMEM, "no memory for the chunk cache");
	return 0;
}

static int make_rings(struct device *device, struct fault *fault)
{
	if (ring_init(&device->orders, ORDERS, sizeof(struct device_order)) != 0)
		return fault_set(fault, -ENOMEM, "no memory for the order ring");
	if (ring_init(&device->reports, REPORTS, sizeof(struct transfer_report)) != 0) {
		ring_fini(&device->orders);
		return fault_set(fault, -ENOMEM, "no memory for the report ring");
	}
	(void)sem_init(&device->wake, 0, 0);
	(void)sem_init(&device->started, 0, 0);
	return 0;
}

static void free_rings(struct device *device)
{
	(void)sem_destroy(&device->started);
	(void)sem_destroy(&device->wake);
	ring_fini(&device->reports);
	ring_fini(&device->orders);
}

/* Signals belong to the control thread. */
static int start_thread(struct device *device, struct fault *fault)
{
	sigset_t all, old;
	int rc;

	device->idle_since = NEVER;
	(void)sigfillset(&all);
	(void)pthread_sigmask(SIG_SETMASK, &all, &old);
	rc = pthread_create(&device->thread, NULL, run, device);
	(void)pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (rc != 0)
		return fault_set(fault, -rc, "the network thread does not start: %s",
			strerror(rc));
	while (sem_wait(&device->started) != 0 && errno == EINTR)
		;
	if (device->start_code == 0)
		return 0;
	(void)pthread_join(device->thread, NULL);
	return fault_set(fault, device->start_code,
		"DPDK has no room for another thread: %s; use fewer devices",
		strerror(-device->start_code));
}

int device_open(struct device *device, struct eal *eal,
	const struct transfer_options *options, uint32_t index, struct fault *fault)
{
	const struct transfer_device *config = &options->devices[index];
	const struct nic_dpdk_options nic = {.dev = config->dev, .mtu = config->mtu};
	int rc;

	memset(device, 0, sizeof(*device));
	device->options = options;
	rc = nic_dpdk_open(&device->port, &device->nic, eal, &nic, fault);
	if (rc != 0)
		return rc;
	rc = take_memory(device, index, fault);
	if (rc != 0)
		goto close_nic;
	rc = store_file_open(&device->store, fault);
	if (rc != 0)
		goto free_memory;
	rc = make_rings(device, fault);
	if (rc != 0)
		goto close_store;
	rc = make_worker(device, config, fault);
	if (rc != 0)
		goto free_rings;
	rc = start_thread(device, fault);
	if (rc != 0)
		goto fini_worker;
	return 0;
fini_worker:
	worker_fini(&device->worker);
free_rings:
	free_rings(device);
close_store:
	store_file_close(&device->store);
free_memory:
	(void)rte_memzone_free(device->memory);
close_nic:
	nic_dpdk_close(device->port);
	return rc;
}

static uint64_t ticks_to_ns(uint64_t ticks)
{
	return (uint64_t)((double)ticks * (double)SEC / (double)rte_get_tsc_hz());
}

void device_add_work(const struct device *device, struct transfer_work *work)
{
	struct timespec cpu = {0};
	uint64_t rx, tx;
	clockid_t clock;

	if (pthread_getcpuclockid(device->thread, &clock) == 0)
		(void)clock_gettime(clock, &cpu);
	nic_dpdk_get_ticks(device->port, &rx, &tx);
	work->cpu += (uint64_t)cpu.tv_sec * SEC + (uint64_t)cpu.tv_nsec;
	work->busy += ticks_to_ns(
		atomic_load_explicit(&device->busy_ticks, memory_order_relaxed));
	work->rx += ticks_to_ns(rx);
	work->tx += ticks_to_ns(tx);
}

static void wake(struct device *device)
{
	/* full fence: what was written is visible before we look whether it sleeps */
	atomic_thread_fence(memory_order_seq_cst);
	if (atomic_load(&device->asleep) && atomic_exchange(&device->asleep, false))
		(void)sem_post(&device->wake);
}

int device_order(struct device *device, const struct device_order *order)
{
	if (!ring_put(&device->orders, order))
		return -EAGAIN;
	wake(device);
	return 0;
}

void device_close(struct device *device)
{
	atomic_store(&device->stop, true);
	wake(device);
	(void)pthread_join(device->thread, NULL);
	/* the disk thread first: it may be filling a buffer */
	store_file_close(&device->store);
	worker_fini(&device->worker);
	free_rings(device);
	nic_dpdk_close(device->port);
	(void)rte_memzone_free(device->memory);
}
