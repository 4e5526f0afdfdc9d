/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/offer.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "dataplane/manifest_codec.h"

/* Its bytes may be elsewhere, and then no transfer brings them. */
static bool is_reference(const struct table_file *file)
{
	return file->has_source && file->source == 1;
}

/* Both lists are sorted by name: they must be the same, but for the manifest itself and
 * for references. */
static int compare(const struct offer *offer, struct fault *fault)
{
	const struct table *table = &offer->table;
	const struct manifest *manifest = &offer->manifest;
	size_t known = 0;

	for (size_t i = 0; i < table->nfiles; i++) {
		const char *name = table->files[i].name;

		if (strcmp(name, MANIFEST_NAME) == 0)
			continue;
		if (known == manifest->nfiles ||
			strcmp(name, manifest->files[known].name) != 0) {
			if (is_reference(&table->files[i]))
				continue;
			return fault_set(fault, -EBADMSG,
				"the leader's table and manifest differ at '%.100s': run "
				"'snapline snapshot verify' on the leader's store",
				name);
		}
		known++;
	}
	if (known != manifest->nfiles)
		return fault_set(fault, -EBADMSG,
			"the leader's manifest has '%.100s', its table has not: run "
			"'snapline snapshot verify' on the leader's store",
			manifest->files[known].name);
	return 0;
}

static int check_response(
	const struct open_response *response, size_t attachment_len, struct fault *fault)
{
	if ((uint64_t)response->table_size + response->manifest_size != attachment_len)
		return fault_set(fault, -EBADMSG,
			"the leader's answer to open has an attachment of %zu bytes, it "
			"announces %llu: is it a Snapline node of this version?",
			attachment_len,
			(unsigned long long)response->table_size +
				response->manifest_size);
	if (!response->is_tcp &&
		(response->slice_size == 0 || response->slice_size % 64 != 0))
		return fault_set(fault, -EBADMSG,
			"the leader asks for slices of %u bytes", response->slice_size);
	return 0;
}

int offer_parse(struct offer *offer, const uint8_t *message, size_t len,
	const uint8_t *attachment, size_t attachment_len, struct fault *fault)
{
	const struct open_response *response = &offer->response;
	int err;

	memset(offer, 0, sizeof(*offer));
	err = open_response_decode(&offer->response, message, len);
	if (err != 0)
		return fault_set(fault, err, "the leader's answer to open is malformed");
	err = check_response(response, attachment_len, fault);
	if (err != 0)
		return err;
	offer->attachment = malloc(attachment_len + 1);
	if (offer->attachment == NULL)
		return fault_set(fault, -ENOMEM, "no memory for a manifest of %u bytes",
			response->manifest_size);
	if (attachment_len > 0) /* without one, attachment is NULL */
		memcpy(offer->attachment, attachment, attachment_len);
	offer->manifest_bytes = offer->attachment + response->table_size;
	err = table_decode(&offer->table, offer->attachment, response->table_size, fault);
	if (err != 0)
		goto free_attachment;
	err = manifest_decode(
		&offer->manifest, offer->manifest_bytes, response->manifest_size, fault);
	if (err != 0)
		goto fini_table;
	err = compare(offer, fault);
	if (err == 0 && (offer->table.meta.index != response->index ||
				offer->table.meta.term != response->term))
		err = fault_set(fault, -EBADMSG,
			"the leader announces index %lld, its table says %lld",
			(long long)response->index, (long long)offer->table.meta.index);
	if (err == 0)
		return 0;
	manifest_fini(&offer->manifest);
fini_table:
	table_fini(&offer->table);
free_attachment:
	free(offer->attachment);
	return err;
}

int offer_parse_table(
	struct offer *offer, const uint8_t *table, size_t len, struct fault *fault)
{
	int err;

	memset(offer, 0, sizeof(*offer));
	err = manifest_init(&offer->manifest, MANIFEST_CHUNK_DEFAULT, fault);
	if (err != 0)
		return err;
	err = table_decode(&offer->table, table, len, fault);
	if (err != 0) {
		manifest_fini(&offer->manifest);
		return err;
	}
	offer->response.is_tcp = true;
	offer->response.index = offer->table.meta.index;
	offer->response.term = offer->table.meta.term;
	return 0;
}

void offer_fini(struct offer *offer)
{
	manifest_fini(&offer->manifest);
	table_fini(&offer->table);
	free(offer->attachment);
}
