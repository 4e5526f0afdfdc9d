/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/lib/scratch.h"

#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/lib/folder.h"

void scratch_open(struct scratch *scratch)
{
	assert_true(folder_make(scratch->path, sizeof(scratch->path), "snapline-test"));
	scratch->fd = open(scratch->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(scratch->fd >= 0);
}

static int remove_one(
	const char *path, const struct stat *st, int type, struct FTW *position)
{
	(void)st;
	(void)type;
	(void)position;
	return remove(path);
}

void scratch_close(struct scratch *scratch)
{
	close(scratch->fd);
	assert_int_equal(nftw(scratch->path, remove_one, 16, FTW_DEPTH | FTW_PHYS), 0);
}

const char *scratch_path(const struct scratch *scratch, const char *name)
{
	static char paths[4][PATH_MAX];
	static unsigned next;
	char *path = paths[next++ % 4];

	(void)snprintf(path, PATH_MAX, "%s/%s", scratch->path, name);
	return path;
}

void scratch_mkdir(const struct scratch *scratch, const char *name)
{
	assert_int_equal(mkdirat(scratch->fd, name, 0755), 0);
}

void scratch_write(
	const struct scratch *scratch, const char *name, const void *bytes, size_t len)
{
	char parent[PATH_MAX];
	int fd;

	for (const char *slash = strchr(name, '/'); slash != NULL;
		slash = strchr(slash + 1, '/')) {
		(void)snprintf(parent, sizeof(parent), "%.*s", (int)(slash - name), name);
		(void)mkdirat(scratch->fd, parent, 0755);
	}
	fd = openat(scratch->fd, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, bytes, len), len);
	assert_int_equal(close(fd), 0);
}

uint8_t *scratch_read(const struct scratch *scratch, const char *name, size_t *len)
{
	int fd = openat(scratch->fd, name, O_RDONLY | O_CLOEXEC);
	struct stat st;
	uint8_t *bytes;

	assert_true(fd >= 0);
	assert_int_equal(fstat(fd, &st), 0);
	bytes = malloc((size_t)st.st_size + 1);
	assert_non_null(bytes);
	assert_int_equal(read(fd, bytes, (size_t)st.st_size), st.st_size);
	close(fd);
	*len = (size_t)st.st_size;
	return bytes;
}

bool scratch_exists(const struct scratch *scratch, const char *name)
{
	struct stat st;

	return fstatat(scratch->fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

uint8_t *scratch_noise(size_t len, uint64_t seed)
{
	uint8_t *bytes = malloc(len + 1);
	uint64_t state = seed * 0x9e3779b97f4a7c15u + 1;

	assert_non_null(bytes);
	for (size_t i = 0; i < len; i++) {
		state ^= state << 13;
		state ^= state >> 7;
		state ^= state << 17;
		bytes[i] = (uint8_t)(state >> 32);
	}
	return bytes;
}
