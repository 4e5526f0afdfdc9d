/* SPDX-License-Identifier: BSD-3-Clause */
/* A leader's answer to open: the message, the table and the manifest are taken only when
 * all three agree.
 *
 *   how u8 | message_len u16 | table_len u16 | message, table, manifest
 *
 * how 0: as it comes; 1: the manifest's root is put right and the message is ours, with
 * sizes that fit; 2: the manifest's lengths, too */
#include <errno.h>

#include "control/offer.h"
#include "dataplane/base/units.h"
#include "tests/fuzz/targets/manifest_input.h"

struct answer {
	uint8_t *message;
	size_t message_len;
	uint8_t *attachment;
	size_t attachment_len;
};

static struct input cut(struct input *input, uint64_t len)
{
	struct input part = {input->at, (size_t)u64_min(len, input->left)};

	input->at += part.left;
	input->left -= part.left;
	return part;
}

static void read_answer(struct answer *answer, struct input input)
{
	uint64_t how = input_take(&input, 1);
	uint64_t message_len = input_take(&input, 2);
	uint64_t table_len = input_take(&input, 2);
	struct input message = cut(&input, message_len);
	struct input table;
	struct open_response response;
	uint8_t *manifest;
	size_t len;

	if (how == 0 || open_response_decode(&response, message.at, message.left) != 0) {
		answer->message = input_copy(message.at, message.left, 0);
		answer->message_len = message.left;
		answer->attachment = input_copy(input.at, input.left, 0);
		answer->attachment_len = input.left;
		return;
	}
	table = cut(&input, table_len);
	len = input.left;
	manifest =
		how == 1 ? manifest_seal(input.at, &len) : manifest_frame(&input, &len);
	response.table_size = (uint32_t)table.left;
	response.manifest_size = (uint32_t)len;
	MUST(open_response_encode(&response, &answer->message, &answer->message_len) ==
		0);
	answer->attachment_len = table.left + len;
	answer->attachment = malloc(answer->attachment_len);
	MUST(answer->attachment != NULL);
	if (table.left > 0)
		memcpy(answer->attachment, table.at, table.left);
	memcpy(answer->attachment + table.left, manifest, len);
	free(manifest);
}

static void check(const struct offer *offer, const struct answer *answer)
{
	const struct open_response *response = &offer->response;
	uint32_t known = 0;

	MUST((uint64_t)response->table_size + response->manifest_size ==
		answer->attachment_len);
	MUST(offer->manifest_bytes == offer->attachment + response->table_size);
	MUST(memcmp(offer->attachment, answer->attachment, answer->attachment_len) == 0);
	MUST(offer->table.meta.index == response->index);
	MUST(offer->table.meta.term == response->term);
	MUST(response->is_tcp ||
		(response->slice_size > 0 && response->slice_size % 64 == 0));
	for (size_t i = 0; i < offer->table.nfiles; i++) {
		const char *name = offer->table.files[i].name;

		if (strcmp(name, MANIFEST_NAME) == 0)
			continue;
		MUST(manifest_find(&offer->manifest, name) != NULL);
		known++;
	}
	MUST(known == offer->manifest.nfiles);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fault fault = {0};
	struct answer answer;
	struct offer offer;
	int err;

	read_answer(&answer, (struct input){data, size});
	err = offer_parse(&offer, answer.message, answer.message_len, answer.attachment,
		answer.attachment_len, &fault);
	MUST(err == fault.code && (err == 0) == (fault.text[0] == '\0'));
	MUST(err == 0 || err == -EBADMSG);
	if (err == 0) {
		check(&offer, &answer);
		offer_fini(&offer);
	}
	err = offer_parse_table(&offer, answer.attachment, answer.attachment_len, NULL);
	MUST(err == 0 || err == -EBADMSG);
	if (err == 0) {
		MUST(offer.response.is_tcp && offer.manifest.nfiles == 0);
		MUST(offer.response.index == offer.table.meta.index);
		offer_fini(&offer);
	}
	free(answer.attachment);
	free(answer.message);
	return 0;
}
