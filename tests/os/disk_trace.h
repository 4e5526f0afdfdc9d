/* SPDX-License-Identifier: BSD-3-Clause */
/* The libc calls by which a store changes the disk, replaced by the test's own: they
 * record what was done, and fail on demand. For one test program only: it defines them.
 */
#ifndef DISK_TRACE_H
#define DISK_TRACE_H

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/lib/disk_model.h"

static struct {
	struct disk_op *ops;
	size_t count;
	bool recording;
	bool injecting; /* calls are counted, and one or more of them fail */
	int calls;
	int fail_at;    /* the first that fails; -1: none */
	bool fail_on;   /* and all after it */
	int error;      /* with this errno */
	int failed;     /* how many have */
	bool fake_sync; /* syncing does nothing: the test is in a hurry */
} trace;

/* Whether this call shall fail; errno is set then. */
static inline bool trace_fails(void)
{
	int call;

	if (!trace.injecting)
		return false;
	call = trace.calls++;
	if (trace.fail_at < 0 || call < trace.fail_at ||
		(call > trace.fail_at && !trace.fail_on))
		return false;
	trace.failed++;
	errno = trace.error;
	return true;
}

/* Threads of the program under test may come here at the same time. */
static pthread_mutex_t trace_lock = PTHREAD_MUTEX_INITIALIZER;

static inline void trace_add(const struct disk_op *op)
{
	if (!trace.recording)
		return;
	(void)pthread_mutex_lock(&trace_lock);
	trace.ops = reallocarray(trace.ops, trace.count + 1, sizeof(*op));
	assert_non_null(trace.ops);
	trace.ops[trace.count++] = *op;
	(void)pthread_mutex_unlock(&trace_lock);
}

static inline void trace_clear(void)
{
	for (size_t i = 0; i < trace.count; i++)
		free(trace.ops[i].bytes);
	free(trace.ops);
	trace.ops = NULL;
	trace.count = 0;
}

static inline ino_t trace_inode(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 ? st.st_ino : 0;
}

/* The directory that holds path, and its last part. */
static inline ino_t trace_parent(
	int dirfd, const char *path, char last[static NAME_MAX + 1])
{
	const char *slash = strrchr(path, '/');
	char above[PATH_MAX];
	struct stat st;

	if (slash == NULL) {
		(void)snprintf(last, NAME_MAX + 1, "%s", path);
		return trace_inode(dirfd);
	}
	(void)snprintf(last, NAME_MAX + 1, "%s", slash + 1);
	(void)snprintf(above, sizeof(above), "%.*s", (int)(slash - path), path);
	return fstatat(dirfd, above, &st, 0) == 0 ? st.st_ino : 0;
}

static inline void trace_entry(
	enum disk_kind kind, int dirfd, const char *path, ino_t file)
{
	struct disk_op op = {.kind = kind, .file = file};

	if (!trace.recording)
		return;
	op.parent = trace_parent(dirfd, path, op.name);
	trace_add(&op);
}

static inline void trace_file(enum disk_kind kind, int fd, size_t len)
{
	const struct disk_op op = {.kind = kind, .file = trace_inode(fd), .len = len};

	trace_add(&op);
}

static inline void trace_write(int fd, const void *bytes, ssize_t done, off_t offset)
{
	struct disk_op op = {.kind = DISK_WRITE, .offset = (uint64_t)offset};

	if (!trace.recording || done <= 0)
		return;
	op.file = trace_inode(fd);
	op.len = (size_t)done;
	op.bytes = malloc(op.len);
	assert_non_null(op.bytes);
	memcpy(op.bytes, bytes, op.len);
	trace_add(&op);
}

int openat(int dirfd, const char *path, int flags, ...)
{
	struct stat st;
	mode_t mode = 0;
	va_list args;
	bool is_new;
	int fd;

	va_start(args, flags);
	if ((flags & O_CREAT) != 0)
		mode = va_arg(args, mode_t);
	va_end(args);
	if ((flags & O_CREAT) != 0 && trace_fails())
		return -1;
	is_new = (flags & O_CREAT) != 0 && fstatat(dirfd, path, &st, 0) != 0;
	fd = (int)syscall(SYS_openat, dirfd, path, flags, mode);
	if (fd >= 0 && is_new)
		trace_entry(DISK_CREATE, dirfd, path, trace_inode(fd));
	else if (fd >= 0 && (flags & O_TRUNC) != 0)
		trace_file(DISK_TRUNCATE, fd, 0);
	return fd;
}

int mkdirat(int dirfd, const char *path, mode_t mode)
{
	struct stat st;
	int rv;

	if (trace_fails())
		return -1;
	rv = (int)syscall(SYS_mkdirat, dirfd, path, mode);
	if (rv == 0 && trace.recording && fstatat(dirfd, path, &st, 0) == 0)
		trace_entry(DISK_MKDIR, dirfd, path, st.st_ino);
	return rv;
}

ssize_t write(int fd, const void *bytes, size_t len)
{
	off_t offset = trace.recording ? lseek(fd, 0, SEEK_CUR) : 0;
	ssize_t done;

	if (trace_fails())
		return -1;
	done = syscall(SYS_write, fd, bytes, len);
	trace_write(fd, bytes, done, offset);
	return done;
}

ssize_t pwrite(int fd, const void *bytes, size_t len, off_t offset)
{
	ssize_t done;

	if (trace_fails())
		return -1;
	done = syscall(SYS_pwrite64, fd, bytes, len, offset);
	trace_write(fd, bytes, done, offset);
	return done;
}

int ftruncate(int fd, off_t len)
{
	int rv;

	if (trace_fails())
		return -1;
	rv = (int)syscall(SYS_ftruncate, fd, len);
	if (rv == 0)
		trace_file(DISK_TRUNCATE, fd, (size_t)len);
	return rv;
}

/* Changes no byte that anyone can read: the size is set before. */
int fallocate(int fd, int mode, off_t offset, off_t len)
{
	if (trace_fails())
		return -1;
	return (int)syscall(SYS_fallocate, fd, mode, offset, len);
}

int fchmod(int fd, mode_t mode)
{
	if (trace_fails())
		return -1;
	return (int)syscall(SYS_fchmod, fd, mode);
}

int linkat(int from_dir, const char *from, int to_dir, const char *to, int flags)
{
	struct stat st;
	int rv;

	if (trace_fails())
		return -1;
	rv = (int)syscall(SYS_linkat, from_dir, from, to_dir, to, flags);
	if (rv == 0 && fstatat(to_dir, to, &st, AT_SYMLINK_NOFOLLOW) == 0)
		trace_entry(DISK_LINK, to_dir, to, st.st_ino);
	return rv;
}

int unlinkat(int dirfd, const char *path, int flags)
{
	int rv;

	if (trace_fails())
		return -1;
	rv = (int)syscall(SYS_unlinkat, dirfd, path, flags);
	if (rv == 0)
		trace_entry(DISK_UNLINK, dirfd, path, 0);
	return rv;
}

int renameat(int from_dir, const char *from, int to_dir, const char *to)
{
	struct disk_op op = {.kind = DISK_RENAME};
	int rv;

	if (trace_fails())
		return -1;
	rv = (int)syscall(SYS_renameat, from_dir, from, to_dir, to);
	if (rv != 0 || !trace.recording)
		return rv;
	op.parent = trace_parent(from_dir, from, op.name);
	op.to_parent = trace_parent(to_dir, to, op.to_name);
	trace_add(&op);
	return rv;
}

static inline int trace_sync(int fd, long number)
{
	int rv = 0;

	if (trace_fails())
		return -1;
	if (!trace.fake_sync)
		rv = (int)syscall(number, fd);
	if (rv == 0)
		trace_file(number == SYS_syncfs ? DISK_SYNC_ALL : DISK_SYNC, fd, 0);
	return rv;
}

int fsync(int fd)
{
	return trace_sync(fd, SYS_fsync);
}

int fdatasync(int fd)
{
	return trace_sync(fd, SYS_fdatasync);
}

int syncfs(int fd)
{
	return trace_sync(fd, SYS_syncfs);
}

/* The descriptor is gone in any case, as on Linux. Only of one that was written to does
 * the answer mean anything. */
int close(int fd)
{
	int flags = trace.injecting ? fcntl(fd, F_GETFL) : O_RDONLY;
	bool fails = (flags & O_ACCMODE) != O_RDONLY && trace_fails();
	int rv = (int)syscall(SYS_close, fd);

	if (!fails)
		return rv;
	errno = trace.error;
	return -1;
}

#endif
