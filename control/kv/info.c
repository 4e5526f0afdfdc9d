/* SPDX-License-Identifier: BSD-3-Clause */
/* INFO: one line a fact, for operators and tests. */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "control/kv/client.h"

static const char *role_name(int state)
{
	switch (state) {
	case RAFT_LEADER:
		return "leader";
	case RAFT_FOLLOWER:
		return "follower";
	case RAFT_CANDIDATE:
		return "candidate";
	default:
		return "unavailable";
	}
}

static const char *member_role(int role)
{
	return role == RAFT_VOTER ? "voter" : role == RAFT_STANDBY ? "standby" : "spare";
}

static void print_raft(FILE *out, struct kv *kv)
{
	const struct raft_configuration *members = &kv->raft.configuration;
	const char *leader = NULL;
	raft_id id = 0;

	raft_leader(&kv->raft, &id, &leader);
	(void)fprintf(out,
		"# Raft\r\nid:%llu\r\nrole:%s\r\nleader_id:%llu\r\nterm:%llu\r\n"
		"commit_index:%llu\r\napplied_index:%llu\r\nmembers:%u\r\n",
		kv->id, role_name(raft_state(&kv->raft)), id, kv->raft.current_term,
		kv->raft.commit_index, raft_last_applied(&kv->raft), members->n);
	for (unsigned i = 0; i < members->n; i++) {
		const struct raft_server *server = &members->servers[i];
		char address[KV_ADDRESS_MAX] = "?";

		(void)kv_address(server->address, -1, address, NULL);
		(void)fprintf(out, "member_%llu:address=%s,role=%s\r\n", server->id,
			address, member_role(server->role));
	}
}

/* The log kept for followers in flight, and whether it will last. */
static void print_convergence(FILE *out, const struct snapline_convergence *convergence)
{
	(void)fprintf(out,
		"log_pinned_from:%" PRId64 "\r\nlog_pinned_entries:%" PRIu64 "\r\n"
		"log_pinned_bytes:%" PRIu64 "\r\nconvergence:%s\r\n",
		convergence->pinned_from, convergence->pinned_entries,
		convergence->pinned_bytes, convergence->text);
}

static void print_snapshot(FILE *out, struct kv *kv)
{
	static const char *const states[] = {
		[SNAPLINE_IDLE] = "idle",
		[SNAPLINE_SAVING] = "saving",
		[SNAPLINE_DOWNLOADING] = "downloading",
		[SNAPLINE_LOADING] = "loading",
	};
	struct snapline_raft_status status;
	struct snapline_status node;

	snapline_raft_get_status(kv->snapline, &status);
	snapline_get_status(snapline_raft_node(kv->snapline), &node);
	(void)fprintf(out,
		"\r\n# Log\r\nlog_first_index:%llu\r\nlog_last_index:%llu\r\n"
		"snapshot_threshold:%u\r\nsnapshot_trailing:%u\r\n"
		"\r\n# Snapshot\r\nsnapshot_index:%llu\r\nstore_index:%lld\r\n"
		"snapshot_state:%s\r\nsnapshot_is_in_error:%d\r\n"
		"transfer_index:%lld\r\ntransfer_bytes:%" PRIu64 "\r\n"
		"transfer_total:%" PRIu64 "\r\ninstalls:%" PRIu64 "\r\n"
		"install_repeats:%" PRIu64 "\r\ninstall_failures:%" PRIu64 "\r\n"
		"offers:%u\r\n",
		status.first_index, status.last_index, kv->raft.snapshot.threshold,
		kv->raft.snapshot.trailing, status.snapshot_index,
		(long long)node.last_index, states[node.state], node.is_in_error,
		(long long)node.downloading_index, node.bytes_done, node.bytes_total,
		status.installs, status.joins, status.failures, status.offers);
	print_convergence(out, &node.convergence);
}

void info_run(struct client *client, const struct resp_request *request)
{
	struct kv *kv = client->kv;
	char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);

	(void)request;
	if (out == NULL) {
		client_error(client, "OOM no memory for the answer");
		return;
	}
	(void)fprintf(out, "# Server\r\nsnapline_kv_version:%s\r\naddress:%s\r\n\r\n",
		SNAPLINE_VERSION, kv->address);
	print_raft(out, kv);
	print_snapshot(out, kv);
	(void)fprintf(out,
		"\r\n# Keyspace\r\nkeys:%" PRIu64 "\r\nbytes:%" PRIu64
		"\r\ndigest:%016" PRIx64 "@%llu\r\n",
		kv->keys->count, kv->keys->bytes, kv->keys->digest,
		raft_last_applied(&kv->raft));
	(void)fclose(out);
	client_bulk(client, text, len);
	free(text);
}
