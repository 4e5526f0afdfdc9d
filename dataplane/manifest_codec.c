/* SPDX-License-Identifier: BSD-3-Clause */
#include "dataplane/manifest_codec.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>

#include "dataplane/base/bytes.h"
#include "dataplane/crc.h"
#include "proto/snapline.pb-c.h"

enum { MAGIC_LEN = 8, PREFIX_LEN = MAGIC_LEN + 4 + 4, VERSION = 1 };

static const uint8_t magic[MAGIC_LEN] = {'S', 'N', 'P', 'L', 'M', 'A', 'N', '1'};

static int sha256(const uint8_t *bytes, size_t len, uint8_t digest[static 32])
{
	return EVP_Digest(bytes, len, digest, NULL, EVP_sha256(), NULL) == 1 ? 0
									     : -ENOMEM;
}

/* The protobuf view of the file table: it borrows the names. */
struct header {
	Snapline__ManifestHeader message;
	Snapline__ManifestFile *files;
	Snapline__ManifestFile **pointers;
};

static void header_fini(struct header *header)
{
	free(header->files);
	free(header->pointers);
}

static int header_init(struct header *header, const struct manifest *manifest)
{
	size_t count = manifest->nfiles;

	snapline__manifest_header__init(&header->message);
	header->files = calloc(count + 1, sizeof(*header->files));
	header->pointers = calloc(count + 1, sizeof(*header->pointers));
	if (header->files == NULL || header->pointers == NULL) {
		header_fini(header);
		return -ENOMEM;
	}
	for (size_t i = 0; i < count; i++) {
		const struct manifest_file *from = &manifest->files[i];
		Snapline__ManifestFile *file = &header->files[i];

		snapline__manifest_file__init(file);
		file->name = from->name;
		file->size = from->size;
		file->mode = from->mode;
		file->first_chunk = from->first_chunk;
		header->pointers[i] = file;
	}
	header->message.version = VERSION;
	header->message.chunk_size = manifest->chunk_size;
	header->message.chunks = manifest->nchunks;
	header->message.n_files = count;
	header->message.files = header->pointers;
	return 0;
}

static void put_leaf(uint8_t *to, const struct manifest_leaf *leaf)
{
	put_be32(to, leaf->crc32c);
	put_be32(to + 4, leaf->flags);
	put_be64(to + 8, leaf->crc64);
}

int manifest_encode(struct manifest *manifest, uint8_t **bytes, size_t *len)
{
	struct header header;
	size_t header_len, total;
	uint8_t *buf, *at;
	int error;

	error = header_init(&header, manifest);
	if (error != 0)
		return error;
	header_len = snapline__manifest_header__get_packed_size(&header.message);
	total = PREFIX_LEN + header_len + (size_t)manifest->nchunks * MANIFEST_LEAF_LEN +
		MANIFEST_ROOT_LEN;
	error = -ENOMEM;
	if (header_len > UINT32_MAX)
		goto fini_header;
	buf = malloc(total);
	if (buf == NULL)
		goto fini_header;
	memcpy(buf, magic, MAGIC_LEN);
	put_be32(buf + MAGIC_LEN, (uint32_t)header_len);
	put_be32(buf + MAGIC_LEN + 4, manifest->nchunks);
	snapline__manifest_header__pack(&header.message, buf + PREFIX_LEN);
	at = buf + PREFIX_LEN + header_len;
	for (uint32_t i = 0; i < manifest->nchunks; i++, at += MANIFEST_LEAF_LEN)
		put_leaf(at, &manifest->leaves[i]);
	error = sha256(buf, total - MANIFEST_ROOT_LEN, at);
	if (error != 0) {
		free(buf);
		goto fini_header;
	}
	memcpy(manifest->root, at, MANIFEST_ROOT_LEN);
	*bytes = buf;
	*len = total;
fini_header:
	header_fini(&header);
	return error;
}

/* Cuts the bytes into parts. Nothing is believed before the root has been checked. */
static int check_frame(const uint8_t *bytes, size_t len, struct fault *fault)
{
	uint8_t digest[EVP_MAX_MD_SIZE];
	uint64_t expected;

	if (len < PREFIX_LEN + MANIFEST_ROOT_LEN)
		return fault_set(
			fault, -EBADMSG, "manifest is truncated: it has %zu bytes", len);
	if (memcmp(bytes, magic, MAGIC_LEN) != 0)
		return fault_set(fault, -EBADMSG,
			"this is no manifest: it does not start with \"SNPLMAN1\"");
	expected = PREFIX_LEN + (uint64_t)get_be32(bytes + MAGIC_LEN) +
		   (uint64_t)get_be32(bytes + MAGIC_LEN + 4) * MANIFEST_LEAF_LEN +
		   MANIFEST_ROOT_LEN;
	if (len != expected)
		return fault_set(fault, -EBADMSG,
			"manifest is %s: it has %zu bytes, its start says %llu",
			len < expected ? "truncated" : "followed by other bytes", len,
			(unsigned long long)expected);
	if (sha256(bytes, len - MANIFEST_ROOT_LEN, digest) != 0)
		return fault_set(fault, -ENOMEM, "no memory for SHA-256");
	if (memcmp(digest, bytes + len - MANIFEST_ROOT_LEN, MANIFEST_ROOT_LEN) != 0)
		return fault_set(fault, -EBADMSG,
			"manifest is corrupt: its SHA-256 root does not match");
	return 0;
}

/* protobuf-c keeps what it does not know, and would pack it again. */
static bool has_unknown(const Snapline__ManifestHeader *header)
{
	bool unknown = header->base.n_unknown_fields > 0;

	for (size_t i = 0; i < header->n_files && !unknown; i++)
		unknown = header->files[i]->base.n_unknown_fields > 0;
	return unknown;
}

/* One set of values has one encoding. Refuses unknown fields, repeated fields, and a NUL
 * inside a name, which C would not see. */
static int check_canonical(const Snapline__ManifestHeader *header, const uint8_t *bytes,
	size_t len, struct fault *fault)
{
	uint8_t *again;
	bool same = false;

	if (!has_unknown(header) &&
		snapline__manifest_header__get_packed_size(header) == len) {
		again = malloc(len + 1);
		if (again == NULL)
			return fault_set(fault, -ENOMEM, "no memory for a manifest");
		same = snapline__manifest_header__pack(header, again) == len &&
		       memcmp(again, bytes, len) == 0;
		free(again);
	}
	if (!same)
		return fault_set(fault, -EBADMSG,
			"manifest header is not in its one canonical encoding");
	return 0;
}

static int take_files(struct manifest *manifest, const Snapline__ManifestHeader *header,
	struct fault *fault)
{
	for (size_t i = 0; i < header->n_files; i++) {
		const Snapline__ManifestFile *file = header->files[i];
		int error;

		if (file->mode > 07777)
			return fault_set(fault, -EBADMSG,
				"manifest gives file %zu the impossible mode %o", i,
				file->mode);
		if (i > 0 && strcmp(header->files[i - 1]->name, file->name) >= 0)
			return fault_set(fault, -EBADMSG,
				"manifest is not sorted by name at file %zu", i);
		error = manifest_add(manifest, file->name, file->size, file->mode, fault);
		if (error != 0)
			return error;
	}
	/* A layout has less than twice as many chunks as the bytes need: this check
	 * bounds what manifest_layout allocates by what has been received. */
	if (manifest->bytes > (uint64_t)header->chunks * manifest->chunk_size)
		return fault_set(fault, -EBADMSG,
			"manifest has %u chunks, too few for its files", header->chunks);
	return 0;
}

static int check_layout(const struct manifest *manifest,
	const Snapline__ManifestHeader *header, struct fault *fault)
{
	if (manifest->nchunks != header->chunks)
		return fault_set(fault, -EBADMSG,
			"manifest has %u chunks, its files need %u", header->chunks,
			manifest->nchunks);
	for (uint32_t i = 0; i < manifest->nfiles; i++)
		if (manifest->files[i].first_chunk != header->files[i]->first_chunk)
			return fault_set(fault, -EBADMSG,
				"manifest puts file %u at chunk %u, it belongs at %u", i,
				header->files[i]->first_chunk,
				manifest->files[i].first_chunk);
	return 0;
}

/* CRC-32C of len zero bytes: the inverted initial state moved over them. */
static uint32_t crc32c_of_zeros(uint32_t len)
{
	return ~crc32c_multiply(UINT32_MAX, crc32c_power(len));
}

static int take_leaves(
	struct manifest *manifest, const uint8_t *bytes, struct fault *fault)
{
	for (uint32_t i = 0; i < manifest->nchunks; i++, bytes += MANIFEST_LEAF_LEN) {
		struct manifest_leaf *leaf = &manifest->leaves[i];

		leaf->crc32c = get_be32(bytes);
		leaf->flags = get_be32(bytes + 4);
		leaf->crc64 = get_be64(bytes + 8);
		if ((leaf->flags & ~(uint32_t)LEAF_ZERO) != 0)
			return fault_set(fault, -EBADMSG,
				"manifest has unknown flags %#x at chunk %u", leaf->flags,
				i);
		if ((leaf->flags & LEAF_ZERO) != 0 &&
			leaf->crc32c != crc32c_of_zeros(manifest_chunk_len(manifest, i)))
			return fault_set(fault, -EBADMSG,
				"manifest calls chunk %u zero against its checksum", i);
	}
	return 0;
}

static int fill(struct manifest *manifest, const Snapline__ManifestHeader *header,
	const uint8_t *leaves, struct fault *fault)
{
	int error;

	error = take_files(manifest, header, fault);
	if (error == 0)
		error = manifest_layout(manifest, fault);
	if (error == 0)
		error = check_layout(manifest, header, fault);
	if (error == 0)
		error = take_leaves(manifest, leaves, fault);
	return error;
}

static int decode_header(struct manifest *manifest,
	const Snapline__ManifestHeader *header, const uint8_t *leaves,
	struct fault *fault)
{
	struct manifest filled;
	int error;

	if (header->version != VERSION)
		return fault_set(fault, -EBADMSG,
			"manifest has version %u, this program reads version %d",
			header->version, VERSION);
	error = manifest_init(&filled, header->chunk_size, fault);
	if (error != 0)
		return error;
	error = fill(&filled, header, leaves, fault);
	if (error != 0) {
		manifest_fini(&filled);
		return error;
	}
	*manifest = filled;
	return 0;
}

int manifest_decode(
	struct manifest *manifest, const uint8_t *bytes, size_t len, struct fault *fault)
{
	struct fault inner = {0};
	Snapline__ManifestHeader *header;
	size_t header_len;
	int error;

	error = check_frame(bytes, len, fault);
	if (error != 0)
		return error;
	header_len = get_be32(bytes + MAGIC_LEN);
	header = snapline__manifest_header__unpack(NULL, header_len, bytes + PREFIX_LEN);
	if (header == NULL)
		return fault_set(fault, -EBADMSG, "manifest header is malformed");
	error = check_canonical(header, bytes + PREFIX_LEN, header_len, &inner);
	if (error == 0 && header->chunks != get_be32(bytes + MAGIC_LEN + 4))
		error = fault_set(
			&inner, -EBADMSG, "manifest gives two numbers of chunks");
	if (error == 0)
		error = decode_header(
			manifest, header, bytes + PREFIX_LEN + header_len, &inner);
	snapline__manifest_header__free_unpacked(header, NULL);
	if (error != 0) {
		/* What is a caller's mistake elsewhere is bad input here. */
		if (error != -ENOMEM)
			error = -EBADMSG;
		return fault_set(fault, error, "%s", inner.text);
	}
	memcpy(manifest->root, bytes + len - MANIFEST_ROOT_LEN, MANIFEST_ROOT_LEN);
	return 0;
}
