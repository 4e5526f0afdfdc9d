/* SPDX-License-Identifier: BSD-3-Clause */
/* A memif peer is killed in the middle of heavy traffic, again and again: the other side
 * lives, and goes on as soon as the peer is back. Both sides are this program again, run
 * as a child, because DPDK can be started once a process only. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "dataplane/dpdk/eal.h"
#include "dataplane/dpdk/memif_guard.h"
#include "dataplane/dpdk/nic_dpdk.h"
#include "tests/lib/folder.h"

enum {
	FRAME = 8274, /* bytes: an 8 KiB slice with its headers */
	FRAME_LARGE = 15000,
	HEAD = 64,
	KILLS_OF_CLIENT = 12,
	KILLS_OF_SERVER = 4, /* each costs the second until the client dials */
	PATIENCE_MS = 15000,
};

/* What a child tells the test, in a file mapped by both. */
struct progress {
	_Atomic uint64_t received;
	_Atomic uint64_t bad;
};

extern char **environ;

static nsec clock_now(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * SEC + now.tv_nsec;
}

static uint8_t payload[FRAME_LARGE - HEAD];

static void count_frames(struct progress *progress, struct nic_rx frames[], int count)
{
	for (int i = 0; i < count; i++) {
		if (frames[i].len != FRAME ||
			memcmp(frames[i].data + HEAD, payload, FRAME - HEAD) != 0)
			atomic_fetch_add(&progress->bad, 1);
	}
	atomic_fetch_add(&progress->received, (uint64_t)count);
}

static void exchange(struct nic_dpdk *port, struct nic *nic, struct progress *progress)
{
	static struct nic_tx frames[NIC_BURST];
	struct nic_rx received[NIC_BURST];

	for (int i = 0; i < NIC_BURST; i++) {
		frames[i].head_len = HEAD;
		frames[i].payload = payload;
		/* as large as the port allows: a peer with another bsize gets what it
		 * has no room for */
		frames[i].payload_len = nic->mtu > FRAME_LARGE
						? FRAME_LARGE - HEAD
						: u32_min(nic->mtu, FRAME) - HEAD;
	}
	for (;;) {
		int taken = nic->ops->tx(nic->self, frames, NIC_BURST);
		int count = nic->ops->rx(nic->self, received, NIC_BURST);

		count_frames(progress, received, count);
		nic->ops->release(nic->self, received, count);
		nic_dpdk_maintain(port, 0, clock_now());
		if (taken == 0 && count == 0)
			(void)sched_yield();
	}
}

static int child_main(const char *dev, const char *file)
{
	struct nic_dpdk_options options = {.dev = dev};
	struct eal_options eal_options = {.devices = &dev, .ndevices = 1};
	struct progress *progress;
	struct fault fault = {0};
	struct nic_dpdk *port;
	struct eal *eal;
	struct nic nic;
	int fd = open(file, O_RDWR);

	if (fd < 0)
		return 1;
	progress =
		mmap(NULL, sizeof(*progress), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	(void)close(fd);
	if (progress == MAP_FAILED)
		return 1;
	memset(payload, 0xa5, sizeof(payload));
	eal_options.memory = nic_dpdk_memory(&options);
	if (eal_start(&eal, &eal_options, &fault) != 0 ||
		memif_guard_start(&fault) != 0 ||
		nic_dpdk_open(&port, &nic, eal, &options, &fault) != 0) {
		(void)fprintf(stderr, "child: %s\n", fault.text);
		return 1;
	}
	exchange(port, &nic, progress);
	return 0;
}

struct child {
	pid_t pid;
	struct progress *progress;
};

struct scene {
	char folder[64];
	struct child survivor;
	struct child victim;
};

static void start_child(
	struct scene *scene, struct child *child, const char *role, const char *more)
{
	char dev[160], file[96];
	char *argv[] = {(char *)"memif_survivor", dev, file, NULL};
	int fd;

	(void)snprintf(file, sizeof(file), "%s/%s", scene->folder, role);
	(void)snprintf(dev, sizeof(dev), "net_memif0,role=%s,socket=%s/sock%s", role,
		scene->folder, more);
	if (child->progress == NULL) {
		fd = open(file, O_RDWR | O_CREAT, 0600);
		assert_true(fd >= 0);
		assert_int_equal(ftruncate(fd, sizeof(struct progress)), 0);
		child->progress = mmap(NULL, sizeof(struct progress),
			PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
		assert_true(child->progress != MAP_FAILED);
		(void)close(fd);
	}
	assert_int_equal(
		posix_spawn(&child->pid, "/proc/self/exe", NULL, NULL, argv, environ), 0);
}

static void kill_child(struct child *child)
{
	if (child->pid == 0)
		return;
	(void)kill(child->pid, SIGKILL);
	(void)waitpid(child->pid, NULL, 0);
	child->pid = 0;
}

static void assert_alive(const struct child *child)
{
	int status = 0;
	pid_t ended = waitpid(child->pid, &status, WNOHANG);

	if (ended != 0 && WIFSIGNALED(status))
		fail_msg("died of signal %d", WTERMSIG(status));
	assert_int_equal(ended, 0);
}

/* Waits until the child has received `more` frames beyond what it had. */
static void await_traffic(const struct child *child, uint64_t more)
{
	uint64_t start = atomic_load(&child->progress->received);

	for (int ms = 0; ms < PATIENCE_MS; ms++) {
		if (atomic_load(&child->progress->received) - start >= more)
			return;
		assert_alive(child);
		(void)usleep(1000);
	}
	fail_msg("no traffic for %d ms", PATIENCE_MS);
}

static int set_up(void **state)
{
	struct scene *scene = calloc(1, sizeof(*scene));

	*state = scene;
	return !folder_make(scene->folder, sizeof(scene->folder), "memif-survivor");
}

static int tear_down(void **state)
{
	static const char *const names[] = {"client", "server", "sock"};
	struct scene *scene = *state;
	char file[96];

	kill_child(&scene->survivor);
	kill_child(&scene->victim);
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		(void)snprintf(file, sizeof(file), "%s/%s", scene->folder, names[i]);
		(void)unlink(file);
	}
	(void)rmdir(scene->folder);
	free(scene);
	return 0;
}

static void survive(
	struct scene *scene, const char *survivor, const char *victim, int kills)
{
	start_child(scene, &scene->survivor, survivor, "");
	for (int i = 0; i < kills; i++) {
		start_child(scene, &scene->victim, victim, "");
		await_traffic(&scene->survivor, 2000);
		await_traffic(&scene->victim, 100);
		kill_child(&scene->victim);
		assert_alive(&scene->survivor);
	}
	assert_int_equal(atomic_load(&scene->survivor.progress->bad), 0);
}

static void server_survives_killed_client(void **state)
{
	survive(*state, "server", "client", KILLS_OF_CLIENT);
}

static void client_survives_killed_server_and_dials_again(void **state)
{
	survive(*state, "client", "server", KILLS_OF_SERVER);
}

/* Two ends with different bsize are a mistake; frames get lost, nobody crashes. What is
 * too long for the other end may all be lost, so the one that is sent short ones tells
 * that there is traffic. */
static void peers_with_different_buffer_sizes_do_each_other_no_harm(void **state)
{
	struct scene *scene = *state;
	const struct {
		const char *size; /* of the client */
		const struct child *hears;
	} cases[] = {
		{",bsize=2048", &scene->survivor},
		{",bsize=16384", &scene->victim},
	};

	start_child(scene, &scene->survivor, "server", "");
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		start_child(scene, &scene->victim, "client", cases[i].size);
		await_traffic(cases[i].hears, 200);
		(void)usleep(200 * 1000);
		assert_alive(&scene->survivor);
		assert_alive(&scene->victim);
		kill_child(&scene->victim);
	}
}

/* As a client does that gives up on a server that is frozen. */
static void call_and_hang_up(const struct scene *scene)
{
	struct sockaddr_un name = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_SEQPACKET, 0);

	(void)snprintf(name.sun_path, sizeof(name.sun_path), "%s/sock", scene->folder);
	assert_int_equal(connect(fd, (const struct sockaddr *)&name, sizeof(name)), 0);
	(void)close(fd);
}

static void server_survives_callers_that_hang_up(void **state)
{
	struct scene *scene = *state;

	start_child(scene, &scene->survivor, "server", ",socket-abstract=no");
	start_child(scene, &scene->victim, "client", ",socket-abstract=no");
	for (int i = 0; i < 3; i++) {
		await_traffic(&scene->survivor, 2000);
		(void)kill(scene->survivor.pid, SIGSTOP);
		call_and_hang_up(scene);
		call_and_hang_up(scene);
		(void)kill(scene->survivor.pid, SIGCONT);
	}
	await_traffic(&scene->survivor, 2000);
	await_traffic(&scene->victim, 100);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			server_survives_killed_client, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			client_survives_killed_server_and_dials_again, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			server_survives_callers_that_hang_up, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			peers_with_different_buffer_sizes_do_each_other_no_harm, set_up,
			tear_down),
	};

	if (argc == 3)
		return child_main(argv[1], argv[2]);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
