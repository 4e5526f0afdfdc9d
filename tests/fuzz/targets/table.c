/* SPDX-License-Identifier: BSD-3-Clause */
/* A metadata table from a stranger: what is taken is sorted and safe, and is written
 * again as it was read. */
#include "tests/fuzz/targets/fuzz.h"

#include <errno.h>

#include "control/table.h"
#include "dataplane/manifest.h"

static void check_files(const struct table *table)
{
	MUST(table->has_meta);
	for (size_t i = 0; i < table->nfiles; i++) {
		const struct table_file *file = &table->files[i];

		MUST(strcmp(file->name, MANIFEST_NAME) == 0 ||
			name_check(file->name, NULL) == 0);
		MUST(i == 0 || strcmp(table->files[i - 1].name, file->name) < 0);
		MUST(table_find(table, file->name) == file);
		MUST(!file->has_source || file->source == 0 || file->source == 1);
		MUST(file->has_user_meta || file->user_meta_len == 0);
	}
}

/* Encodes, decodes, encodes: both encodings are the same bytes. */
static void check_round_trip(const struct table *table, bool as_remote)
{
	struct table again;
	uint8_t *first, *second;
	size_t first_len, second_len;

	MUST(table_encode(table, as_remote, &first, &first_len) == 0);
	MUST(table_decode(&again, first, first_len, NULL) == 0);
	MUST(again.nfiles == table->nfiles);
	check_files(&again);
	for (size_t i = 0; i < again.nfiles; i++)
		MUST(!as_remote || !again.files[i].has_source);
	MUST(table_encode(&again, false, &second, &second_len) == 0);
	MUST(second_len == first_len && memcmp(first, second, first_len) == 0);
	free(second);
	free(first);
	table_fini(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fault fault = {0};
	uint8_t *bytes = input_copy(data, size, 0);
	struct table table;
	int err = table_decode(&table, bytes, size, &fault);

	free(bytes);
	MUST(err == fault.code && (err == 0) == (fault.text[0] == '\0'));
	if (err != 0) {
		MUST(err == -EBADMSG);
		return 0;
	}
	check_files(&table);
	check_round_trip(&table, false);
	check_round_trip(&table, true);
	table_fini(&table);
	return 0;
}
