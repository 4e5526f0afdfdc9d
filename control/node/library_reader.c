/* SPDX-License-Identifier: BSD-3-Clause */
/* The public header: reading a snapshot, and offering it to peers. */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "control/node/library.h"
#include "control/uri.h"

struct offering {
	struct errand errand; /* first: the errand is the offering */
	struct snapline_reader *reader;
	int result;
};

struct looking {
	struct errand errand; /* first */
	int64_t reader_id;
	bool is_fetched;
};

struct closing {
	struct letter letter; /* first: the letter is the closing */
	struct snapline_reader *reader;
};

int snapline_reader_open(struct snapline_node *node, struct snapline_reader **reader,
	struct snapline_error *error)
{
	struct snapline_reader *made = calloc(1, sizeof(*made));
	struct fault fault = {0};
	int err;

	if (made == NULL)
		err = fault_set(&fault, -ENOMEM, "no memory for a reader");
	else
		err = storage_open_newest(node->node->storage, &made->owned, &fault);
	if (err != 0) {
		library_error(error, &fault);
		free(made);
		return err;
	}
	made->node = node;
	made->reader = made->owned;
	*reader = made;
	return 0;
}

static void withdraw(struct letter *letter)
{
	struct closing *closing = (struct closing *)letter;
	struct snapline_reader *reader = closing->reader;

	outgoing_withdraw(&reader->node->node->outgoing, reader->reader_id);
	served_release(reader->served);
	free(reader);
	free(closing);
}

void snapline_reader_close(struct snapline_reader *reader)
{
	struct closing *closing;

	if (reader->served == NULL) {
		storage_reader_close(reader->node->node->storage, reader->owned);
		free(reader);
		return;
	}
	closing = calloc(1, sizeof(*closing));
	if (closing == NULL)
		return; /* it stays offered until the node is closed */
	closing->letter.deliver = withdraw;
	closing->reader = reader;
	if (!mailbox_post(&reader->node->node->mailbox, &closing->letter))
		withdraw(&closing->letter);
}

const char *snapline_reader_path(const struct snapline_reader *reader)
{
	return reader->reader->path;
}

void snapline_reader_meta(
	const struct snapline_reader *reader, struct snapline_meta *meta)
{
	const struct snapshot_meta *stored = &reader->reader->table.meta;

	*meta = (struct snapline_meta){
		.index = stored->index,
		.term = stored->term,
		.peers = (const char *const *)stored->peers,
		.npeers = stored->npeers,
		.old_peers = (const char *const *)stored->old_peers,
		.nold_peers = stored->nold_peers,
	};
}

const char *snapline_reader_file(const struct snapline_reader *reader, size_t i)
{
	const struct table *table = &reader->reader->table;

	for (size_t at = 0; at < table->nfiles; at++) {
		if (strcmp(table->files[at].name, MANIFEST_NAME) == 0)
			continue;
		if (i-- == 0)
			return table->files[at].name;
	}
	return NULL;
}

int snapline_reader_file_meta(const struct snapline_reader *reader, const char *name,
	struct snapline_file_meta *meta)
{
	const struct table_file *file = table_find(&reader->reader->table, name);

	if (file == NULL || strcmp(name, MANIFEST_NAME) == 0)
		return -ENOENT;
	*meta = (struct snapline_file_meta){
		.user_meta = file->has_user_meta ? file->user_meta : NULL,
		.user_meta_len = file->user_meta_len,
		.source = file->source,
		.checksum = file->checksum,
	};
	return 0;
}

static void offer(struct errand *errand)
{
	struct offering *offering = (struct offering *)errand;
	struct snapline_reader *reader = offering->reader;
	struct node *node = errand->node->node;

	if (reader->served == NULL) {
		offering->result =
			served_adopt(&node->served, reader->owned, &reader->served);
		if (offering->result != 0)
			return;
		reader->owned = NULL; /* served closes it, or has it open already */
		reader->reader = reader->served->reader;
	}
	offering->result =
		outgoing_offer(&node->outgoing, reader->served, &reader->reader_id);
}

int snapline_reader_uri(struct snapline_reader *reader, char *text, size_t size)
{
	struct offering offering = {.reader = reader};
	struct uri uri = {0};
	int err;

	if (reader->node == NULL)
		return -EPERM;
	offering.errand = (struct errand){.node = reader->node, .run = offer};
	if (reader->reader_id == 0) {
		err = library_run(&offering.errand);
		if (err == 0)
			err = offering.result;
		if (err != 0)
			return err;
	}
	uri.reader_id = reader->reader_id;
	peer_id_format_address(&reader->node->node->executor.self, uri.address);
	return uri_format(&uri, text, size);
}

static void look(struct errand *errand)
{
	struct looking *looking = (struct looking *)errand;
	const struct outgoing *outgoing =
		outgoing_find_reader(&errand->node->node->outgoing, looking->reader_id);

	looking->is_fetched = outgoing != NULL &&
			      (outgoing->session != SESSION_NONE || outgoing->is_tcp);
}

bool snapline_reader_is_fetched(struct snapline_reader *reader)
{
	struct looking looking = {.reader_id = reader->reader_id};

	if (reader->node == NULL || reader->reader_id == 0)
		return false;
	looking.errand = (struct errand){.node = reader->node, .run = look};
	return library_run(&looking.errand) == 0 && looking.is_fetched;
}

static_assert((int)SNAPLINE_ROOT_LEN == (int)MANIFEST_ROOT_LEN,
	"the public length is the real one");

void snapline_reader_root(
	const struct snapline_reader *reader, uint8_t root[SNAPLINE_ROOT_LEN])
{
	memcpy(root, reader->reader->manifest.root, SNAPLINE_ROOT_LEN);
}
