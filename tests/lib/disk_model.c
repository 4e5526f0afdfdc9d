/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/lib/disk_model.h"

#include <dirent.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "dataplane/crc.h"

enum { NAMES_MAX = 64, NODES_MAX = 1024 };

struct bytes {
	uint8_t *at;
	size_t len;
};

struct name {
	char text[NAME_MAX + 1];
	int node;
};

struct names {
	struct name list[NAMES_MAX];
	int count;
};

/* A file or a directory; never freed, since a durable name may outlive a live one. */
struct node {
	ino_t ino; /* 0: the number belongs to a later node by now */
	bool is_dir;
	struct bytes live;
	struct bytes durable;
	struct names *live_names;
	struct names *durable_names;
	char *written; /* where disk_model_write has put it */
};

struct disk_model {
	struct node nodes[NODES_MAX]; /* 0 is the root */
	int count;
};

static int add_node(struct disk_model *model, ino_t ino, bool is_dir)
{
	struct node *node = &model->nodes[model->count];

	assert_true(model->count < NODES_MAX);
	for (int i = 0; i < model->count; i++)
		if (model->nodes[i].ino == ino)
			model->nodes[i].ino = 0;
	node->ino = ino;
	node->is_dir = is_dir;
	if (is_dir) {
		node->live_names = calloc(1, sizeof(struct names));
		node->durable_names = calloc(1, sizeof(struct names));
	}
	return model->count++;
}

static int find_node(const struct disk_model *model, ino_t ino)
{
	for (int i = 0; i < model->count; i++)
		if (model->nodes[i].ino == ino)
			return i;
	fail_msg("operation on an unknown inode %lu", (unsigned long)ino);
	return -1;
}

static struct names *names_of(struct disk_model *model, ino_t dir)
{
	struct node *node = &model->nodes[find_node(model, dir)];

	assert_true(node->is_dir);
	return node->live_names;
}

static int find_name(const struct names *names, const char *text)
{
	for (int i = 0; i < names->count; i++)
		if (strcmp(names->list[i].text, text) == 0)
			return i;
	return -1;
}

/* Kept sorted, so that equal directories hash equal. */
static void put_name(struct names *names, const char *text, int node)
{
	int at = find_name(names, text);

	if (at >= 0) {
		names->list[at].node = node;
		return;
	}
	assert_true(names->count < NAMES_MAX);
	for (at = names->count; at > 0; at--) {
		if (strcmp(names->list[at - 1].text, text) < 0)
			break;
		names->list[at] = names->list[at - 1];
	}
	(void)snprintf(names->list[at].text, NAME_MAX + 1, "%s", text);
	names->list[at].node = node;
	names->count++;
}

static int take_name(struct names *names, const char *text)
{
	int at = find_name(names, text);
	int node;

	assert_true(at >= 0);
	node = names->list[at].node;
	names->count--;
	memmove(&names->list[at], &names->list[at + 1],
		(size_t)(names->count - at) * sizeof(names->list[0]));
	return node;
}

static void resize(struct bytes *bytes, size_t len)
{
	uint8_t *grown = realloc(bytes->at, len + 1);

	assert_non_null(grown);
	if (len > bytes->len)
		memset(grown + bytes->len, 0, len - bytes->len);
	*bytes = (struct bytes){grown, len};
}

static void sync_node(struct node *node)
{
	if (node->is_dir) {
		*node->durable_names = *node->live_names;
		return;
	}
	resize(&node->durable, node->live.len);
	if (node->live.len > 0)
		memcpy(node->durable.at, node->live.at, node->live.len);
}

void disk_model_apply(struct disk_model *model, const struct disk_op *op)
{
	struct node *file;

	switch (op->kind) {
	case DISK_CREATE:
	case DISK_MKDIR:
		put_name(names_of(model, op->parent), op->name,
			add_node(model, op->file, op->kind == DISK_MKDIR));
		break;
	case DISK_LINK:
		put_name(names_of(model, op->parent), op->name,
			find_node(model, op->file));
		break;
	case DISK_UNLINK:
		(void)take_name(names_of(model, op->parent), op->name);
		break;
	case DISK_RENAME:
		put_name(names_of(model, op->to_parent), op->to_name,
			take_name(names_of(model, op->parent), op->name));
		break;
	case DISK_WRITE:
		file = &model->nodes[find_node(model, op->file)];
		if (op->offset + op->len > file->live.len)
			resize(&file->live, op->offset + op->len);
		memcpy(file->live.at + op->offset, op->bytes, op->len);
		break;
	case DISK_TRUNCATE:
		resize(&model->nodes[find_node(model, op->file)].live, op->len);
		break;
	case DISK_SYNC:
		sync_node(&model->nodes[find_node(model, op->file)]);
		break;
	case DISK_SYNC_ALL:
		for (int i = 0; i < model->count; i++)
			sync_node(&model->nodes[i]);
		break;
	case DISK_DONE:
		break;
	}
}

static int load_entry(struct disk_model *model, int dirfd, const char *name);

/* Closes fd. */
static void load_dir(struct disk_model *model, int node, int fd)
{
	DIR *dir = fdopendir(fd);
	const struct dirent *entry;

	assert_non_null(dir);
	while ((entry = readdir(dir)) != NULL) {
		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		put_name(model->nodes[node].live_names, entry->d_name,
			load_entry(model, fd, entry->d_name));
	}
	closedir(dir);
}

static int load_entry(struct disk_model *model, int dirfd, const char *name)
{
	int fd = openat(dirfd, name, O_RDONLY | O_CLOEXEC);
	struct stat st;
	int node;

	assert_true(fd >= 0);
	assert_int_equal(fstat(fd, &st), 0);
	for (node = 0; node < model->count; node++)
		if (model->nodes[node].ino == st.st_ino)
			break;
	if (node < model->count) { /* a second name */
		close(fd);
		return node;
	}
	node = add_node(model, st.st_ino, S_ISDIR(st.st_mode));
	if (S_ISDIR(st.st_mode)) {
		load_dir(model, node, fd);
	} else {
		struct bytes *live = &model->nodes[node].live;

		resize(live, (size_t)st.st_size);
		assert_int_equal(read(fd, live->at, live->len), st.st_size);
		close(fd);
	}
	sync_node(&model->nodes[node]);
	return node;
}

struct disk_model *disk_model_load(const char *path)
{
	struct disk_model *model = calloc(1, sizeof(*model));

	assert_non_null(model);
	(void)load_entry(model, AT_FDCWD, path);
	return model;
}

void disk_model_free(struct disk_model *model)
{
	for (int i = 0; i < model->count; i++) {
		free(model->nodes[i].live.at);
		free(model->nodes[i].durable.at);
		free(model->nodes[i].live_names);
		free(model->nodes[i].durable_names);
	}
	free(model);
}

static const struct names *surviving_names(
	const struct disk_model *model, int node, const struct disk_crash *crash)
{
	bool live = node == 0 ? crash->root : crash->below;

	return live ? model->nodes[node].live_names : model->nodes[node].durable_names;
}

/* Bytes that survive: the first `len` of *from, then zeros up to *size. */
static void surviving_bytes(const struct node *node, const struct disk_crash *crash,
	struct bytes *from, size_t *size)
{
	bool same = node->live.len == node->durable.len &&
		    (node->live.len == 0 ||
			    memcmp(node->live.at, node->durable.at, node->live.len) == 0);

	*from = crash->data == DISK_LOST ? node->durable : node->live;
	*size = from->len;
	if (crash->data == DISK_TORN && !same)
		from->len /= 2;
}

static uint64_t hash_node(
	const struct disk_model *model, int at, const struct disk_crash *crash)
{
	const struct node *node = &model->nodes[at];
	uint64_t hash = node->is_dir ? 3 : 5;
	const struct names *names;
	struct bytes bytes;
	size_t size;

	if (!node->is_dir) {
		surviving_bytes(node, crash, &bytes, &size);
		return hash + size * 31 + bytes.len * 7 +
		       (bytes.len > 0 ? crc64(bytes.at, bytes.len) : 0);
	}
	names = surviving_names(model, at, crash);
	for (int i = 0; i < names->count; i++) {
		const struct name *name = &names->list[i];

		hash = hash * 0x9e3779b97f4a7c15u +
		       crc64((const uint8_t *)name->text, strlen(name->text));
		hash = hash * 0x9e3779b97f4a7c15u + hash_node(model, name->node, crash);
	}
	return hash;
}

uint64_t disk_model_hash(const struct disk_model *model, const struct disk_crash *crash)
{
	return hash_node(model, 0, crash);
}

static void write_node(struct disk_model *model, int at, const struct disk_crash *crash,
	const char *path)
{
	struct node *node = &model->nodes[at];
	struct bytes bytes;
	size_t size;
	int fd;

	if (node->is_dir) {
		const struct names *names = surviving_names(model, at, crash);

		assert_int_equal(mkdir(path, 0755), 0);
		for (int i = 0; i < names->count; i++) {
			char below[PATH_MAX];

			(void)snprintf(
				below, sizeof(below), "%s/%s", path, names->list[i].text);
			write_node(model, names->list[i].node, crash, below);
		}
		return;
	}
	if (node->written != NULL) {
		assert_int_equal(link(node->written, path), 0);
		return;
	}
	surviving_bytes(node, crash, &bytes, &size);
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, bytes.at, bytes.len), bytes.len);
	assert_int_equal(ftruncate(fd, (off_t)size), 0);
	close(fd);
	node->written = strdup(path);
}

void disk_model_write(
	struct disk_model *model, const struct disk_crash *crash, const char *path)
{
	write_node(model, 0, crash, path);
	for (int i = 0; i < model->count; i++) {
		free(model->nodes[i].written);
		model->nodes[i].written = NULL;
	}
}
