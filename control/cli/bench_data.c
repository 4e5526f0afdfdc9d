/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/cli/bench_data.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "control/storage/build.h"
#include "dataplane/base/format.h"
#include "dataplane/base/units.h"

enum { TMPFS = 0x01021994, BLOCK = 1 << 20, OPEN_MAX_DIRS = 16 };

static const char *choose_parent(void)
{
	const char *tmp = getenv("TMPDIR");
	struct statfs fs;

	if (statfs("/dev/shm", &fs) == 0 && fs.f_type == TMPFS &&
		access("/dev/shm", W_OK) == 0)
		return "/dev/shm";
	return tmp != NULL && tmp[0] != '\0' ? tmp : "/tmp";
}

int bench_data_open(char dir[static PATH_MAX], const char *parent, struct fault *fault)
{
	if (parent == NULL)
		parent = choose_parent();
	(void)snprintf(dir, PATH_MAX, "%s/snapline-bench.XXXXXX", parent);
	if (mkdtemp(dir) == NULL)
		return fault_set(fault, -errno,
			"--dir %.200s: no directory can be made there: %s", parent,
			strerror(errno));
	return 0;
}

/* The snapshot, its source until it is built, and one copy. */
static int check_room(const char *dir, uint64_t bytes, struct fault *fault)
{
	char wanted[FORMAT_MAX], there[FORMAT_MAX];
	struct statvfs fs;
	uint64_t room;

	if (statvfs(dir, &fs) != 0)
		return fault_set(fault, -errno, "%.200s: %s", dir, strerror(errno));
	room = (uint64_t)fs.f_bavail * fs.f_frsize;
	if (bytes <= room / 2)
		return 0;
	return fault_set(fault, -ENOSPC,
		"%.200s has %s free, the bench needs twice %s: give a smaller --size or "
		"another --dir",
		dir, format_bytes(room, there), format_bytes(bytes, wanted));
}

static int write_all(int fd, const uint8_t *bytes, size_t len)
{
	while (len > 0) {
		ssize_t count = write(fd, bytes, len);

		if (count < 0 && errno == EINTR)
			continue;
		if (count <= 0)
			return count == 0 ? -EIO : -errno;
		bytes += count;
		len -= (size_t)count;
	}
	return 0;
}

/* Bytes that depend on *state, eight at a time. */
static void fill(uint64_t *block, size_t words, uint64_t *state)
{
	for (size_t i = 0; i < words; i++) {
		*state = *state * 6364136223846793005u + 1442695040888963407u;
		block[i] = *state;
	}
}

static void signals_that_end_us(sigset_t *set)
{
	(void)sigemptyset(set);
	(void)sigaddset(set, SIGINT);
	(void)sigaddset(set, SIGTERM);
}

void bench_data_hold_signals(bool hold)
{
	sigset_t set;

	signals_that_end_us(&set);
	(void)pthread_sigmask(hold ? SIG_BLOCK : SIG_UNBLOCK, &set, NULL);
}

bool bench_data_is_interrupted(void)
{
	sigset_t waiting;

	return sigpending(&waiting) == 0 && (sigismember(&waiting, SIGINT) == 1 ||
						    sigismember(&waiting, SIGTERM) == 1);
}

static int write_file(const char *path, uint64_t bytes, uint64_t *state)
{
	uint64_t *block = malloc(BLOCK);
	int fd, err = 0;

	if (block == NULL)
		return -ENOMEM;
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	if (fd < 0) {
		err = -errno;
		goto free_block;
	}
	while (err == 0 && bytes > 0) {
		size_t len = (size_t)u64_min(bytes, BLOCK);

		fill(block, BLOCK / sizeof(*block), state);
		err = write_all(fd, (const uint8_t *)block, len);
		bytes -= len;
		if (bench_data_is_interrupted())
			err = -ECANCELED;
	}
	if (close(fd) != 0 && err == 0)
		err = -errno;
free_block:
	free(block);
	return err;
}

static int write_files(
	const char *from, uint64_t bytes, uint64_t files, struct fault *fault)
{
	uint64_t state = 1;
	char path[PATH_MAX];

	if (mkdir(from, 0755) != 0)
		return fault_set(fault, -errno, "%.200s: %s", from, strerror(errno));
	for (uint64_t i = 0; i < files; i++) {
		int err;

		(void)snprintf(path, sizeof(path), "%.4000s/file-%06llu", from,
			(unsigned long long)i);
		err = write_file(path, bytes / files + (i < bytes % files), &state);
		if (err != 0)
			return fault_set(fault, err, "%.200s: %s", path, strerror(-err));
	}
	return 0;
}

/* FROM is ours alone and is never changed: its files may be linked. */
static int build(const char *store, const char *from, struct fault *fault)
{
	const struct build_options options = {
		.from = from, .index = 1, .term = 1, .link = true};
	struct build_result result;
	struct storage *storage;
	int err = storage_open(&storage, store, true, fault);

	if (err != 0)
		return err;
	err = build_snapshot(storage, &options, &result, fault);
	storage_close(storage);
	return err;
}

int bench_data_make(const char *dir, uint64_t bytes, uint64_t files, struct fault *fault)
{
	char from[PATH_MAX], store[PATH_MAX];
	int err = check_room(dir, bytes, fault);

	(void)snprintf(from, sizeof(from), "%.4000s/from", dir);
	(void)snprintf(store, sizeof(store), "%.4000s/leader", dir);
	if (err == 0)
		err = write_files(from, bytes, files, fault);
	if (err == 0)
		err = build(store, from, fault);
	return err;
}

static int remove_entry(
	const char *path, const struct stat *status, int flag, struct FTW *walk)
{
	(void)status;
	(void)flag;
	(void)walk;
	(void)remove(path);
	return 0;
}

void bench_data_remove(const char *dir, const char *name)
{
	char path[PATH_MAX];

	(void)snprintf(path, sizeof(path), "%.2000s%s%.2000s", dir,
		name != NULL ? "/" : "", name != NULL ? name : "");
	(void)nftw(path, remove_entry, OPEN_MAX_DIRS, FTW_DEPTH | FTW_PHYS);
}
