/* SPDX-License-Identifier: BSD-3-Clause */
#include "dataplane/dpdk/memif_guard.h"

#include <errno.h>
#include <sched.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <rte_alarm.h>

#include "dataplane/base/log.h"
#include "dataplane/dpdk/imports.h"

enum { GUARDS_MAX = 64 };

/* munmap has no context argument, so this is the one place where the data plane keeps
 * state of the process. */
static struct {
	_Atomic pid_t interrupt_tid; /* 0: not known yet, nobody waits */
	_Atomic(struct memif_guard *) guards[GUARDS_MAX];
} state;

static void learn_tid(void *unused)
{
	(void)unused;
	/* release: nothing to publish but the number itself, memif_guard_start waits */
	atomic_store_explicit(
		&state.interrupt_tid, (pid_t)syscall(SYS_gettid), memory_order_release);
}

int memif_guard_add(struct memif_guard *guard)
{
	atomic_store_explicit(&guard->seq, 0, memory_order_relaxed);
	for (int i = 0; i < GUARDS_MAX; i++) {
		struct memif_guard *none = NULL;

		/* seq_cst: the guard counts before its worker's first burst */
		if (atomic_compare_exchange_strong(&state.guards[i], &none, guard))
			return 0;
	}
	return -ENOSPC;
}

void memif_guard_remove(struct memif_guard *guard)
{
	for (int i = 0; i < GUARDS_MAX; i++) {
		struct memif_guard *found = guard;

		if (atomic_compare_exchange_strong(&state.guards[i], &found, NULL))
			return;
	}
}

void memif_guard_wait(const struct memif_guard *guard)
{
	uint32_t seq = atomic_load(&guard->seq);

	if (seq % 2 == 0)
		return;
	/* acquire: pairs with the release in memif_guard_leave. The burst may have been
	 * preempted, so give way to it. */
	while (atomic_load_explicit(&guard->seq, memory_order_acquire) == seq)
		(void)sched_yield();
}

static void wait_for_bursts(void)
{
	/* full fence: the flag cleared by the driver is visible before we look whether
	 * a worker is inside a burst */
	atomic_thread_fence(memory_order_seq_cst);
	for (int i = 0; i < GUARDS_MAX; i++) {
		struct memif_guard *guard = atomic_load(&state.guards[i]);

		if (guard != NULL)
			memif_guard_wait(guard);
	}
}

static bool is_interrupt_thread(void)
{
	pid_t tid = atomic_load_explicit(&state.interrupt_tid, memory_order_acquire);

	return tid != 0 && (pid_t)syscall(SYS_gettid) == tid;
}

static int guarded_munmap(void *addr, size_t len)
{
	if (is_interrupt_thread())
		wait_for_bursts();
	return munmap(addr, len);
}

/* A caller that has hung up before it was served counts as served: its end of file comes
 * next and is handled well. Else the driver closes the connection and leaves it with the
 * interrupt thread, which panics over the closed descriptor. */
static ssize_t guarded_sendmsg(int fd, const struct msghdr *message, int flags)
{
	ssize_t sent = sendmsg(fd, message, flags);

	if (sent >= 0 || (errno != EPIPE && errno != ECONNRESET) ||
		!is_interrupt_thread())
		return sent;
	sent = 0;
	for (size_t i = 0; i < message->msg_iovlen; i++)
		sent += (ssize_t)message->msg_iov[i].iov_len;
	return sent;
}

/* DPDK's libraries are shared ones wherever DPDK is a package; a driver linked in has no
 * slots of its own. */
static void replace_calls(void)
{
	struct import imports[] = {
		{.symbol = "munmap", .to = (void (*)(void))guarded_munmap},
		{.symbol = "sendmsg", .to = (void (*)(void))guarded_sendmsg},
	};

	if (!imports_replace("librte_net_memif.so", imports, ARRAY_LEN(imports)))
		return; /* and no memif device either */
	for (size_t i = 0; i < ARRAY_LEN(imports); i++) {
		if (!imports[i].was_replaced)
			log_line(LOG_WARN, "memif",
				"event=guard-off call=%s text=\"a memif peer that is "
				"killed may take this process with it\"",
				imports[i].symbol);
	}
}

int memif_guard_start(struct fault *fault)
{
	const struct timespec pause = {.tv_nsec = 1000 * 1000};

	replace_calls();
	if (rte_eal_alarm_set(1, learn_tid, NULL) != 0)
		return fault_set(fault, -ETIMEDOUT, "DPDK's alarm cannot be set");
	for (int i = 0; i < 5000; i++) {
		if (atomic_load_explicit(&state.interrupt_tid, memory_order_acquire) != 0)
			return 0;
		(void)nanosleep(&pause, NULL);
	}
	return fault_set(
		fault, -ETIMEDOUT, "DPDK's interrupt thread did not answer in 5 s");
}
