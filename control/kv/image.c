/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/kv/image.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "dataplane/base/bytes.h"

enum {
	MAGIC_LEN = 8,
	RECORD_HEADER = 8,
	BUFFER = 1 << 20, /* bytes read or written at once */
	FILE_SIZE = 32 << 20,
	PATH_SIZE = 4096,
};

static const char magic[] = "SNAPKV01";

uint32_t image_files(const struct keys *keys)
{
	uint64_t bytes = keys->bytes + keys->count * RECORD_HEADER;
	uint32_t files = 1;

	while (files < KEYS_BUCKETS && bytes / files > FILE_SIZE)
		files *= 2;
	return files;
}

void image_name(uint32_t file, char name[static IMAGE_NAME_MAX])
{
	(void)snprintf(name, IMAGE_NAME_MAX, "keys-%05u", file % KEYS_BUCKETS);
}

/* A short write shows in ferror at the end. */
static void put_bucket(const struct keys_bucket *bucket, FILE *out)
{
	for (uint32_t i = 0; bucket != NULL && i < bucket->count; i++) {
		const struct keys_entry *entry = bucket->entries[i];
		uint8_t header[RECORD_HEADER];

		put_be32(header, entry->key_len);
		put_be32(header + 4, entry->value_len);
		(void)fwrite(header, 1, sizeof(header), out);
		(void)fwrite(
			entry->bytes, 1, (size_t)entry->key_len + entry->value_len, out);
	}
}

static FILE *open_file(const char *dir, const char *name, const char *mode)
{
	char path[PATH_SIZE];
	FILE *file;

	if (snprintf(path, sizeof(path), "%s/%s", dir, name) >= (int)sizeof(path)) {
		errno = ENAMETOOLONG;
		return NULL;
	}
	file = fopen(path, mode);
	if (file != NULL)
		(void)setvbuf(file, NULL, _IOFBF, BUFFER);
	return file;
}

int image_save(const struct keys *keys, uint32_t file, const char *dir)
{
	uint32_t share = KEYS_BUCKETS / image_files(keys);
	char name[IMAGE_NAME_MAX];
	int err = 0;
	FILE *out;

	image_name(file, name);
	out = open_file(dir, name, "w");
	if (out == NULL)
		return -errno;
	/* the manifest records the mode, and no umask may make replicas differ */
	if (fchmod(fileno(out), 0644) != 0)
		err = -errno;
	errno = 0;
	(void)fwrite(magic, 1, MAGIC_LEN, out);
	for (uint32_t i = 0; i < share && ferror(out) == 0; i++)
		put_bucket(keys->buckets[file * share + i], out);
	if (err == 0 && (ferror(out) != 0 || fflush(out) != 0))
		err = errno != 0 ? -errno : -EIO;
	if (fclose(out) != 0 && err == 0)
		err = -errno;
	return err;
}

/* Returns 1, 0 at the end, or a negative errno. */
static int load_record(struct keys *keys, uint8_t *buffer, FILE *in)
{
	struct keys_text key = {.bytes = buffer};
	struct keys_text value;
	uint8_t header[RECORD_HEADER];
	size_t got = fread(header, 1, sizeof(header), in);
	int err;

	if (got == 0 && feof(in) != 0)
		return 0;
	key.len = get_be32(header);
	value = (struct keys_text){buffer + key.len, get_be32(header + 4)};
	if (got != sizeof(header) || key.len > KEYS_KEY_MAX || value.len > KEYS_VALUE_MAX)
		return -EBADMSG;
	if (fread(buffer, 1, (size_t)key.len + value.len, in) !=
		(size_t)key.len + value.len)
		return -EBADMSG;
	err = keys_set(keys, key, value);
	return err != 0 ? err : 1;
}

int image_load(struct keys *keys, const char *dir, const char *name, struct fault *fault)
{
	uint8_t *buffer = malloc(KEYS_KEY_MAX + KEYS_VALUE_MAX);
	char found[MAGIC_LEN] = "";
	int err = -ENOMEM;
	FILE *in = NULL;

	if (buffer == NULL)
		goto say;
	in = open_file(dir, name, "r");
	err = in == NULL ? -errno : 0;
	if (err != 0)
		goto free_buffer;
	if (fread(found, 1, MAGIC_LEN, in) != MAGIC_LEN ||
		memcmp(found, magic, MAGIC_LEN) != 0)
		err = -EBADMSG;
	else
		while ((err = load_record(keys, buffer, in)) > 0)
			;
	if (ferror(in) != 0)
		err = -EIO;
	(void)fclose(in);
free_buffer:
	free(buffer);
say:
	if (err != 0)
		return fault_set(fault, err, "%s/%s: %s", dir, name,
			err == -EBADMSG ? "not a file of keys of this release"
					: strerror(-err));
	return 0;
}
