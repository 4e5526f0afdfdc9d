/* SPDX-License-Identifier: BSD-3-Clause */
/* The table of commands, and those that need no log. */
#include <stdio.h>
#include <string.h>

#include "control/kv/client.h"
#include "dataplane/base/units.h"

/* Who may answer. */
enum where {
	ANYWHERE,
	LEADER_READ, /* the leader, or any node after READONLY */
	LEADER_ONLY,
};

struct command {
	const char *name;
	size_t min; /* words, with the name */
	size_t max;
	enum where where;
	void (*run)(struct client *client, const struct resp_request *request);
};

static void ping(struct client *client, const struct resp_request *request)
{
	if (request->count > 1)
		client_bulk(client, request->words[1].bytes, request->words[1].len);
	else
		client_status(client, "PONG");
}

static void get(struct client *client, const struct resp_request *request)
{
	const struct resp_word *word = &request->words[1];
	const struct keys_text key = {(const uint8_t *)word->bytes, (uint32_t)word->len};
	const struct keys_entry *entry = keys_get(client->kv->keys, key);

	if (entry == NULL)
		client_nil(client);
	else
		client_bulk(client, entry->bytes + entry->key_len, entry->value_len);
}

static void exists(struct client *client, const struct resp_request *request)
{
	uint64_t count = 0;

	for (size_t i = 1; i < request->count; i++) {
		const struct resp_word *word = &request->words[i];
		const struct keys_text key = {
			(const uint8_t *)word->bytes, (uint32_t)word->len};

		count += keys_get(client->kv->keys, key) != NULL;
	}
	client_number(client, count);
}

static void dbsize(struct client *client, const struct resp_request *request)
{
	(void)request;
	client_number(client, client->kv->keys->count);
}

static void read_only(struct client *client, const struct resp_request *request)
{
	client->is_read_only = resp_is(&request->words[0], "readonly");
	client_status(client, "OK");
}

static void quit(struct client *client, const struct resp_request *request)
{
	(void)request;
	client_status(client, "OK");
	client->is_ending = true;
}

static void say_ok(struct client *client, const struct resp_request *request)
{
	(void)request;
	client_status(client, "OK");
}

/* redis-cli and redis-benchmark ask what there is, and take nothing for an answer. */
static void say_nothing(struct client *client, const struct resp_request *request)
{
	(void)request;
	client_answer(client, "*0\r\n", 4);
}

/* What an operator may change while the node runs. */
static void set_config(struct client *client, const struct resp_request *request)
{
	struct raft *raft = &client->kv->raft;
	uint64_t value;

	if (request->count != 4 ||
		resp_number(&request->words[3], UINT32_MAX, &value) != 0 || value == 0) {
		client_error(client, "ERR CONFIG SET name value: a number from 1 to %u",
			UINT32_MAX);
		return;
	}
	if (resp_is(&request->words[2], "snapshot-threshold")) {
		raft_set_snapshot_threshold(raft, (unsigned)value);
	} else if (resp_is(&request->words[2], "snapshot-trailing")) {
		raft_set_snapshot_trailing(raft, (unsigned)value);
	} else {
		client_error(client, "ERR CONFIG SET knows snapshot-threshold and "
				     "snapshot-trailing");
		return;
	}
	client_status(client, "OK");
}

/* redis-benchmark wants a pair; there is nothing to tell. */
static void get_config(struct client *client, const struct resp_request *request)
{
	client_answer(client, "*2\r\n", 4);
	client_bulk(client, request->words[2].bytes, request->words[2].len);
	client_bulk(client, "", 0);
}

static void config(struct client *client, const struct resp_request *request)
{
	if (resp_is(&request->words[1], "set"))
		set_config(client, request);
	else if (resp_is(&request->words[1], "get") && request->count > 2)
		get_config(client, request);
	else
		say_nothing(client, request);
}

static const struct command commands[] = {
	{"ping", 1, 2, ANYWHERE, ping},
	{"echo", 2, 2, ANYWHERE, ping},
	{"get", 2, 2, LEADER_READ, get},
	{"exists", 2, RESP_ARGS_MAX, LEADER_READ, exists},
	{"dbsize", 1, 1, LEADER_READ, dbsize},
	{"set", 3, RESP_ARGS_MAX, LEADER_ONLY, write_set},
	{"del", 2, RESP_ARGS_MAX, LEADER_ONLY, write_delete},
	{"info", 1, RESP_ARGS_MAX, ANYWHERE, info_run},
	{"snapline", 2, 4, LEADER_ONLY, member_run},
	{"config", 2, RESP_ARGS_MAX, ANYWHERE, config},
	{"command", 1, RESP_ARGS_MAX, ANYWHERE, say_nothing},
	{"client", 1, RESP_ARGS_MAX, ANYWHERE, say_ok},
	{"select", 2, 2, ANYWHERE, say_ok},
	{"readonly", 1, 1, ANYWHERE, read_only},
	{"readwrite", 1, 1, ANYWHERE, read_only},
	{"quit", 1, 1, ANYWHERE, quit},
};

/* Says where the leader is, as Redis Cluster does: redis-cli -c follows. */
static void redirect(struct client *client)
{
	char address[KV_ADDRESS_MAX];
	const char *leader = NULL;
	raft_id id;

	raft_leader(&client->kv->raft, &id, &leader);
	if (id == 0 || leader == NULL || kv_address(leader, -1, address, NULL) != 0)
		client_error(client, "CLUSTERDOWN no leader is known: try again, or see "
				     "INFO of the other nodes");
	else
		client_error(client, "MOVED 0 %s", address);
}

static bool may_run(const struct client *client, const struct command *command)
{
	if (command->where == ANYWHERE ||
		(command->where == LEADER_READ && client->is_read_only))
		return true;
	return raft_state((struct raft *)&client->kv->raft) == RAFT_LEADER;
}

static const struct command *find(const struct resp_word *name)
{
	for (size_t i = 0; i < ARRAY_LEN(commands); i++) {
		if (resp_is(name, commands[i].name))
			return &commands[i];
	}
	return NULL;
}

void command_run(struct client *client, const struct resp_request *request)
{
	const struct resp_word *name = &request->words[0];
	const struct command *command = find(name);
	int shown = name->len < 40 ? (int)name->len : 40;

	if (command == NULL)
		client_error(client, "ERR unknown command '%.*s'", shown, name->bytes);
	else if (request->count < command->min || request->count > command->max)
		client_error(client, "ERR wrong number of arguments for '%.*s' command",
			shown, name->bytes);
	else if (!may_run(client, command))
		redirect(client);
	else
		command->run(client, request);
}
