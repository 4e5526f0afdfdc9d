/* SPDX-License-Identifier: BSD-3-Clause */
#include "dataplane/dpdk/worker_thread.h"

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
#include <rte_memory.h>
#include <rte_memzone.h>
#include <rte_pause.h>

#include "dataplane/base/log.h"
#include "dataplane/file/store_file.h"

#define DUPLICATE_INTERVAL (60 * SEC)

enum {
	ORDERS = 4 * WORKER_SESSIONS,
	REPORTS = 4 * WORKER_SESSIONS, /* two a session until its slot is free again */
	TIMER_SLACK = 1000, /* nsec; 50 us by default, as long as our shortest sleep */
	HUGEPAGE = 2 << 20, /* bytes; the smallest there is */
};

static nsec clock_now(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * SEC + now.tv_nsec;
}

static void on_report(void *context, const struct transfer_report *report)
{
	struct worker_thread *self = context;

	(void)ring_put(&self->reports, report); /* REPORTS: never full */
	if (self->options->wake != NULL)
		self->options->wake(self->options->wake_ctx);
}

/* Both sides have agreed on this queue. */
static void begin(struct worker_thread *self, struct session *session, nsec now)
{
	nic_dpdk_use(self->port, self->queue, true);
	worker_add(&self->worker, session, now);
}

static void obey(struct worker_thread *self, const struct worker_order *order, nsec now)
{
	struct worker *worker = &self->worker;

	switch (order->what) {
	case ORDER_START:
		begin(self, order->session, now);
		break;
	case ORDER_STOP:
		worker_stop(worker, order->session_id);
		break;
	case ORDER_TOUCH:
		worker_touch(worker, order->session_id, now);
		break;
	case ORDER_PAUSE:
	case ORDER_RESUME:
		worker_pause(worker, order->session_id, order->what == ORDER_PAUSE);
		break;
	case ORDER_RATE:
		if (order->ceiling != 0)
			worker_set_ceiling(worker, order->ceiling, now);
		worker_set_rate(worker, order->rate_bps, order->burst, now);
		break;
	case ORDER_SESSION_RATE:
		worker_set_session_rate(worker, order->session_id, order->rate_bps, now);
		break;
	case ORDER_SESSION_RANK:
		worker_set_session_rank(worker, order->session_id, &order->rank);
		break;
	case ORDER_BUFFERS:
		pool_limit(&self->pool, order->buffers);
		break;
	case ORDER_LOOK:
		break; /* it does, in this turn */
	}
}

static bool take_orders(struct worker_thread *self, nsec now)
{
	struct worker_order order;
	bool busy = false;

	while (ring_take(&self->orders, &order)) {
		obey(self, &order, now);
		busy = true;
	}
	return busy;
}

static bool has_mail(const struct worker_thread *self)
{
	return !ring_is_empty(&self->orders) ||
	       (self->strays != NULL && !strays_are_none(self->strays, self->queue));
}

/* Sleeps until an order or a stray comes, at most so long. */
static void doze(struct worker_thread *self, nsec now, nsec span)
{
	struct timespec until = {
		.tv_sec = (now + span) / SEC,
		.tv_nsec = (now + span) % SEC,
	};

	/* seq_cst, as the fence between what was put and the look at asleep: one of us
	 * sees the other */
	atomic_store(&self->asleep, true);
	if (!has_mail(self) && !atomic_load(&self->stop))
		(void)sem_clockwait(&self->wake, CLOCK_MONOTONIC, &until);
	atomic_store(&self->asleep, false);
}

/* Without a session nothing is urgent: 1, 2, 4 ... 20 ms. */
static void idle_empty(struct worker_thread *self, nsec now)
{
	enum { SHORTEST_MS = 1, LONGEST_MS = 20 };

	self->sleep = nsec_min(
		nsec_max(2 * self->sleep, SHORTEST_MS * MSEC), LONGEST_MS * MSEC);
	doze(self, now, self->sleep);
}

/* Throttled: sleep at once, and to the moment that tokens are back.
 * With a core of our own: spin ─20 us─► yield ─100 us─► sleep 50 us ─10 ms─► 200 us ─1
 * s─► 1 ms */
static void idle(struct worker_thread *self, nsec now)
{
	nsec span, idle_for;
	bool is_throttled;

	if (self->idle_since == NEVER)
		self->idle_since = now;
	idle_for = now - self->idle_since;
	if (self->worker.nsessions == 0) {
		idle_empty(self, now);
		return;
	}
	/* where a limit makes us wait, yielding would only make us late */
	is_throttled = shaper_is_waiting(&self->worker.shaper);
	if (!self->is_crowded && !is_throttled && idle_for < 20 * USEC) {
		rte_pause();
		return;
	}
	if (!is_throttled && idle_for < 100 * USEC) {
		(void)sched_yield();
		return;
	}
	span = idle_for < 10 * MSEC && !is_throttled ? 50 * USEC
	       : idle_for < SEC                      ? 200 * USEC
						     : MSEC;
	span = nsec_min(span, worker_deadline(&self->worker) - now);
	if (span > 0)
		doze(self, now, span);
}

static void count_busy(struct worker_thread *self, uint64_t start)
{
	uint64_t sum = atomic_load_explicit(&self->busy_ticks, memory_order_relaxed);

	/* relaxed: a plain count with one writer */
	atomic_store_explicit(
		&self->busy_ticks, sum + rte_rdtsc() - start, memory_order_relaxed);
}

/* The worker goes on with its address: two hosts that give way would both be gone. */
static void warn_of_duplicate(struct worker_thread *self, nsec now)
{
	const struct worker *worker = &self->worker;
	const uint8_t *mac = worker->duplicate_mac;
	char ip[IP_TEXT_MAX];

	if (worker->duplicates == self->duplicates || now < self->next_warning)
		return;
	log_line(LOG_WARN, "device",
		"event=duplicate_address ip=%s mac=%02x:%02x:%02x:%02x:%02x:%02x "
		"times=%llu text=\"another host has this address: give one of them "
		"another\"",
		ip_format(ip, &worker->config.ip), mac[0], mac[1], mac[2], mac[3], mac[4],
		mac[5], (unsigned long long)(worker->duplicates - self->duplicates));
	self->duplicates = worker->duplicates;
	self->next_warning = now + DUPLICATE_INTERVAL;
}

static void turn(struct worker_thread *self)
{
	nsec now = clock_now();
	uint64_t start = rte_rdtsc();
	bool busy = take_orders(self, now);

	busy |= worker_run(&self->worker, now);
	if (self->worker.nsessions == 0)
		nic_dpdk_use(self->port, self->queue, false);
	if (now >= self->next_maintain) {
		nic_dpdk_maintain(self->port, self->queue, now);
		warn_of_duplicate(self, now);
		self->next_maintain = now + SEC;
	}
	if (busy) {
		count_busy(self, start);
		self->idle_since = NEVER;
		self->sleep = 0;
		return;
	}
	idle(self, now);
}

static void *run(void *context)
{
	struct worker_thread *self = context;

	(void)pthread_setname_np(pthread_self(), "snapline-nic");
	(void)prctl(PR_SET_TIMERSLACK, TIMER_SLACK, 0, 0, 0);
	self->start_code = rte_thread_register() == 0 ? 0 : -rte_errno;
	(void)sem_post(&self->started);
	if (self->start_code != 0)
		return NULL;
	while (!atomic_load_explicit(&self->stop, memory_order_relaxed))
		turn(self);
	rte_thread_unregister();
	return NULL;
}

/* No chunk buffer lies across two large pages that could lie within one: contiguous as
 * they are for a NIC behind an IOMMU, QEMU's e1000e and vmxnet3 drop frames that are not
 * so in memory. */
static uint32_t alignment(const struct transfer_options *options)
{
	uint32_t lowest_bit = options->buffer_size & -options->buffer_size;

	return u32_max(u32_min(lowest_bit, HUGEPAGE), POOL_ALIGN);
}

size_t worker_thread_memory(const struct transfer_options *options)
{
	return pool_memory(options->buffers, options->buffer_size) + alignment(options);
}

size_t worker_thread_heap(const struct transfer_options *options)
{
	return sizeof(struct worker_thread) + cache_memory(options->buffers) +
	       ORDERS * sizeof(struct worker_order) +
	       REPORTS * sizeof(struct transfer_report);
}

static int take_memory(struct worker_thread *self, struct fault *fault)
{
	const struct transfer_options *options = self->options;
	size_t size = pool_memory(options->buffers, options->buffer_size);
	uint32_t align = alignment(options);
	char name[RTE_MEMZONE_NAMESIZE];

	(void)snprintf(name, sizeof(name), "chunks%u.%u", self->device, self->queue);
	self->memory = rte_memzone_reserve_aligned(
		name, size, SOCKET_ID_ANY, RTE_MEMZONE_IOVA_CONTIG, align);
	self->is_contiguous = self->memory != NULL || rte_eal_iova_mode() == RTE_IOVA_VA;
	if (self->memory == NULL)
		self->memory =
			rte_memzone_reserve_aligned(name, size, SOCKET_ID_ANY, 0, align);
	if (self->memory == NULL)
		return fault_set(fault, -ENOMEM,
			"no memory for %u chunk buffers of %u KiB; ask for fewer, or "
			"reserve hugepages with hugepages/hugepages.sh reserve N",
			options->buffers, options->buffer_size / 1024);
	arena_init(&self->arena, self->memory->addr, size);
	return pool_init(
		&self->pool, &self->arena, options->buffers, options->buffer_size);
}

static bool is_held(void *context, const uint8_t *buffer)
{
	const struct worker_thread *self = context;

	return nic_dpdk_holds(self->port, self->queue, buffer);
}

/* Chunk buffers go to the device without a copy, if it gathers. */
static int share_memory(struct worker_thread *self, struct fault *fault)
{
	const struct pool *pool = &self->pool;
	const struct nic_dpdk_memory memory = {
		.base = pool->buffers,
		.iova = self->is_contiguous ? rte_mem_virt2iova(pool->buffers)
					    : RTE_BAD_IOVA,
		.count = pool->count,
		.step = pool->step,
	};

	self->pool.holds = (struct pool_holds){is_held, self};
	return nic_dpdk_share(self->port, self->queue, &memory, fault);
}

static int make_rings(struct worker_thread *self, struct fault *fault)
{
	if (ring_init(&self->orders, ORDERS, sizeof(struct worker_order)) != 0)
		return fault_set(fault, -ENOMEM, "no memory for the order ring");
	if (ring_init(&self->reports, REPORTS, sizeof(struct transfer_report)) != 0) {
		ring_fini(&self->orders);
		return fault_set(fault, -ENOMEM, "no memory for the report ring");
	}
	(void)sem_init(&self->wake, 0, 0);
	(void)sem_init(&self->started, 0, 0);
	return 0;
}

static void free_rings(struct worker_thread *self)
{
	(void)sem_destroy(&self->started);
	(void)sem_destroy(&self->wake);
	ring_fini(&self->reports);
	ring_fini(&self->orders);
}

int worker_thread_open(struct worker_thread *self, const struct worker_config *config,
	struct fault *fault)
{
	struct worker_config worker = *config;
	int rc = take_memory(self, fault);

	if (rc != 0)
		return rc;
	rc = share_memory(self, fault);
	if (rc != 0)
		goto free_memory;
	rc = store_file_open(&self->store, fault);
	if (rc != 0)
		goto free_memory;
	rc = make_rings(self, fault);
	if (rc != 0)
		goto close_store;
	worker.nic = &self->nic;
	worker.store = &self->store;
	worker.pool = &self->pool;
	worker.nbuffers = self->options->buffers;
	worker.queue = self->queue;
	worker.strays = self->strays;
	worker.report = on_report;
	worker.report_ctx = self;
	rc = worker_init(&self->worker, &worker);
	if (rc == 0)
		return 0;
	(void)fault_set(fault, rc, "no memory for the chunk cache");
	free_rings(self);
close_store:
	store_file_close(&self->store);
free_memory:
	(void)rte_memzone_free(self->memory);
	return rc;
}

/* Signals belong to the control thread. */
static int create_thread(struct worker_thread *self, const pthread_attr_t *attr)
{
	sigset_t all, old;
	int rc;

	(void)sigfillset(&all);
	(void)pthread_sigmask(SIG_SETMASK, &all, &old);
	rc = pthread_create(&self->thread, attr, run, self);
	(void)pthread_sigmask(SIG_SETMASK, &old, NULL);
	return -rc;
}

static int create_on(struct worker_thread *self, int core)
{
	pthread_attr_t attr;
	cpu_set_t set;
	int rc;

	(void)pthread_attr_init(&attr);
	CPU_ZERO(&set);
	if (core >= 0) {
		CPU_SET(core, &set);
		(void)pthread_attr_setaffinity_np(&attr, sizeof(set), &set);
	}
	rc = create_thread(self, &attr);
	(void)pthread_attr_destroy(&attr);
	return rc;
}

int worker_thread_start(struct worker_thread *self, int core, struct fault *fault)
{
	int rc;

	self->idle_since = NEVER;
	rc = create_on(self, core);
	if (rc == -EINVAL && core >= 0)
		return fault_set(fault, rc,
			"--cores: core %d is not there, or not for this process; "
			"`taskset "
			"-cp $$` shows those that are",
			core);
	if (rc != 0)
		return fault_set(fault, rc, "the network thread does not start: %s",
			strerror(-rc));
	while (sem_wait(&self->started) != 0 && errno == EINTR)
		;
	if (self->start_code == 0)
		return 0;
	(void)pthread_join(self->thread, NULL);
	return fault_set(fault, self->start_code,
		"DPDK has no room for another thread: %s; use fewer devices or queues",
		strerror(-self->start_code));
}

void worker_thread_wake(struct worker_thread *self)
{
	/* full fence: what was written is visible before we look whether it sleeps */
	atomic_thread_fence(memory_order_seq_cst);
	if (atomic_load(&self->asleep) && atomic_exchange(&self->asleep, false))
		(void)sem_post(&self->wake);
}

/* Nobody could tell what becomes of a session that cannot be stopped: as many orders are
 * kept for that as there are sessions, each of which is stopped once. */
bool worker_thread_has_room(const struct worker_thread *self)
{
	return ring_room(&self->orders) > WORKER_SESSIONS;
}

int worker_thread_order(struct worker_thread *self, const struct worker_order *order)
{
	if (order->what != ORDER_STOP && !worker_thread_has_room(self))
		return -EAGAIN;
	(void)ring_put(&self->orders, order);
	worker_thread_wake(self);
	return 0;
}

static uint64_t ticks_to_ns(uint64_t ticks)
{
	return (uint64_t)((double)ticks * (double)SEC / (double)rte_get_tsc_hz());
}

void worker_thread_add_work(const struct worker_thread *self, struct transfer_work *work)
{
	struct timespec cpu = {0};
	clockid_t clock;

	if (pthread_getcpuclockid(self->thread, &clock) == 0)
		(void)clock_gettime(clock, &cpu);
	work->cpu += (uint64_t)cpu.tv_sec * SEC + (uint64_t)cpu.tv_nsec;
	work->busy += ticks_to_ns(
		atomic_load_explicit(&self->busy_ticks, memory_order_relaxed));
}

void worker_thread_stop(struct worker_thread *self)
{
	atomic_store(&self->stop, true);
	worker_thread_wake(self);
	(void)pthread_join(self->thread, NULL);
}

void worker_thread_close(struct worker_thread *self)
{
	/* the disk thread first: it may be filling a buffer */
	store_file_close(&self->store);
	worker_fini(&self->worker);
	free_rings(self);
	(void)rte_memzone_free(self->memory);
}
