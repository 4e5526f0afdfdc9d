/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "control/storage/entry.h"
#include "control/storage/file_io.h"
#include "control/storage/storage.h"
#include "control/storage/tree.h"
#include "control/storage/writer.h"
#include "dataplane/base/bitmap.h"
#include "dataplane/base/units.h"

static bool is_zero(const struct manifest *manifest, uint32_t chunk)
{
	return (manifest->leaves[chunk].flags & LEAF_ZERO) != 0;
}

/* What the files will take at most: their chunks but those that are zero or here (have
 * may be NULL), and for each file a block cut short and a block of metadata. */
static uint64_t space_needed(
	const struct manifest *manifest, const uint64_t *have, uint64_t block)
{
	uint64_t need = 2 * (uint64_t)manifest->nfiles * block;

	for (uint32_t i = 0; i < manifest->nchunks; i++)
		if (!is_zero(manifest, i) && (have == NULL || !bitmap_test(have, i)))
			need += manifest_chunk_len(manifest, i);
	return need;
}

/* What of that a file has its place for already, from an earlier attempt. */
static uint64_t space_reserved(int dirfd, const struct manifest *manifest,
	const uint64_t *have, const struct manifest_file *file)
{
	uint64_t here = 0, missing = 0, blocks = 0;
	struct stat st;
	int fd;

	if (file->size < manifest->chunk_size ||
		tree_open(dirfd, file->name, O_RDONLY | O_NONBLOCK, 0, &fd, NULL) != 0)
		return 0;
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_nlink == 1)
		blocks = (uint64_t)st.st_blocks * 512;
	close(fd);
	for (uint32_t i = 0; i < manifest_file_chunks(manifest, file); i++) {
		uint32_t chunk = file->first_chunk + i;

		if (bitmap_test(have, chunk))
			here += manifest_chunk_len(manifest, chunk);
		else if (!is_zero(manifest, chunk))
			missing += manifest_chunk_len(manifest, chunk);
	}
	return blocks > here ? u64_min(blocks - here, missing) : 0;
}

static int check_space(int dirfd, const struct manifest *manifest, const uint64_t *have,
	struct fault *fault)
{
	struct statvfs fs;
	uint64_t need, available;

	if (fstatvfs(dirfd, &fs) != 0)
		return file_fault(fault, -errno, "ask for free space in", "temp");
	need = space_needed(manifest, have, fs.f_frsize);
	for (uint32_t i = 0; have != NULL && i < manifest->nfiles; i++)
		need -= space_reserved(dirfd, manifest, have, &manifest->files[i]);
	if (__builtin_mul_overflow(
		    (uint64_t)fs.f_bavail, (uint64_t)fs.f_frsize, &available))
		available = UINT64_MAX;
	if (need > available)
		return fault_set(fault, -ENOSPC,
			"the snapshot needs %llu bytes, the file system has %llu free; "
			"free "
			"space and try again",
			(unsigned long long)need, (unsigned long long)available);
	/* File systems without a fixed number of inodes say 0. */
	if (fs.f_files != 0 && manifest->nfiles > fs.f_favail)
		return fault_set(fault, -ENOSPC,
			"the snapshot has %u files, the file system has %llu inodes "
			"free; "
			"remove files and try again",
			manifest->nfiles, (unsigned long long)fs.f_favail);
	return 0;
}

/* Whether a place is made of pages, all of them now: as long as a third of what it takes
 * to write them, and nobody has anything else to do meanwhile. */
static bool is_memory(int fd)
{
	struct statfs fs;

	return fstatfs(fd, &fs) == 0 && fs.f_type == TMPFS_MAGIC;
}

/* Allocates the runs of chunks that will be written, so that the file lies in few pieces
 * and a full disk shows now. Small files are left to delayed allocation. In memory there
 * are no pieces, and what it lacked check_space has said. */
static int allocate(
	int fd, const struct manifest *manifest, const struct manifest_file *file)
{
	uint32_t count = manifest_file_chunks(manifest, file);
	uint32_t from = 0;

	if (file->size < manifest->chunk_size || is_memory(fd))
		return 0;
	while (from < count) {
		uint32_t to = from;
		uint64_t start, end;

		while (to < count && !is_zero(manifest, file->first_chunk + to))
			to++;
		start = (uint64_t)from * manifest->chunk_size;
		end = (uint64_t)to * manifest->chunk_size;
		if (end > file->size)
			end = file->size;
		if (to > from &&
			fallocate(fd, 0, (off_t)start, (off_t)(end - start)) != 0)
			return errno == EOPNOTSUPP ? 0 : -errno;
		from = to + 1;
	}
	return 0;
}

/* The owner may read and write until commit sets the final mode. */
static int create_file(int dirfd, const struct manifest *manifest,
	const struct manifest_file *file, struct fault *fault)
{
	int error;
	int fd;

	error = tree_open(
		dirfd, file->name, O_WRONLY | O_CREAT | O_EXCL, 0600, &fd, fault);
	if (error != 0)
		return error;
	if (fchmod(fd, (file->mode & 0777) | 0600) != 0 ||
		ftruncate(fd, (off_t)file->size) != 0)
		error = -errno;
	if (error == 0)
		error = allocate(fd, manifest, file);
	if (close(fd) != 0 && error == 0)
		error = -errno;
	return error != 0 ? file_fault(fault, error, "create", file->name) : 0;
}

/* Whether storage_filter has kept the file. One that is ours alone may lack chunks, and
 * becomes writable. */
static int is_kept(const struct storage_writer *writer, int dirfd,
	const struct manifest_file *file, bool *kept)
{
	const struct table_file *entry = table_find(&writer->table, file->name);
	struct stat st;
	int error = 0;
	int fd;

	*kept = writer->filtered && entry != NULL && entry_is_reference(entry);
	if (!writer->filtered || *kept)
		return 0;
	error = tree_open(dirfd, file->name, O_RDONLY | O_NONBLOCK, 0, &fd, NULL);
	if (error != 0)
		return error == -ENOENT ? 0 : error;
	if (fstat(fd, &st) != 0 ||
		(st.st_nlink == 1 && fchmod(fd, (file->mode & 0777) | 0600) != 0))
		error = -errno;
	close(fd);
	*kept = error == 0;
	return error;
}

/* A small file is made by who writes its chunk; unless nobody will, as it is of zeros. */
static bool comes_whole(const struct manifest *manifest, const struct manifest_file *file,
	const uint64_t *have)
{
	return file->size > 0 && file->size < manifest->chunk_size &&
	       !is_zero(manifest, file->first_chunk) &&
	       (have == NULL || !bitmap_test(have, file->first_chunk));
}

static bool is_beside(const char *name, const char *other)
{
	const char *slash = strrchr(name, '/');
	size_t len = slash != NULL ? (size_t)(slash - name) : 0;
	const char *others = strrchr(other, '/');

	return len == (others != NULL ? (size_t)(others - other) : 0) &&
	       memcmp(name, other, len) == 0;
}

static int make_file(const struct storage_writer *writer, int dirfd,
	const struct manifest *manifest, const struct manifest_file *file,
	struct fault *fault)
{
	bool is_first = file == manifest->files;
	bool kept;
	int error = 0;

	/* files are sorted by name: those of a directory follow one another */
	if (is_first ? strchr(file->name, '/') != NULL
		     : !is_beside(file->name, file[-1].name))
		error = tree_make_parents(dirfd, file->name, fault);
	if (error != 0 || comes_whole(manifest, file, writer->have))
		return error;
	error = is_kept(writer, dirfd, file, &kept);
	if (error != 0)
		return file_fault(fault, error, "look at", file->name);
	return kept ? 0 : create_file(dirfd, manifest, file, fault);
}

int storage_prepare(struct storage_writer *writer, const struct manifest *manifest,
	struct fault *fault)
{
	int dirfd;
	int error;

	/* What an earlier attempt left, and nobody has asked storage_filter about. */
	if (!writer->filtered) {
		error = writer_empty_temp(writer, fault);
		if (error != 0)
			return error;
	}
	error = writer_open_temp(writer, &dirfd, fault);
	if (error != 0)
		return error;
	error = check_space(dirfd, manifest, writer->have, fault);
	for (uint32_t i = 0; i < manifest->nfiles && error == 0; i++)
		error = make_file(writer, dirfd, manifest, &manifest->files[i], fault);
	close(dirfd);
	if (error != 0)
		fault_prefix(fault, "%s", writer->path);
	return error;
}
