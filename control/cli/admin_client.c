/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/cli/admin_client.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TIMEOUT_MS = 600000 }; /* `start` may have to read a snapshot of braft's first */

struct waiting {
	bool is_done;
	struct rpc_bytes *answer;
	struct fault *fault;
	int code;
};

int admin_client_open(struct admin_client *admin, const char *path, struct fault *fault)
{
	char address[512];
	int err;

	if (snprintf(address, sizeof(address), "unix:%s", path) >= (int)sizeof(address))
		return fault_set(fault, -EINVAL, "--admin: the path is too long");
	(void)uv_loop_init(&admin->loop);
	err = rpc_client_open(&admin->client, &admin->loop, address, fault);
	if (err != 0)
		(void)uv_loop_close(&admin->loop);
	return err;
}

void admin_client_close(struct admin_client *admin)
{
	rpc_client_close(admin->client);
	(void)uv_run(&admin->loop, UV_RUN_DEFAULT);
	(void)uv_loop_close(&admin->loop);
}

static void on_answered(void *ctx, const struct rpc_result *result)
{
	struct waiting *waiting = ctx;
	uint8_t *copy;

	waiting->is_done = true;
	if (result->code != 0) {
		waiting->code =
			fault_set(waiting->fault, -result->code, "%s", result->text);
		return;
	}
	copy = malloc(result->message.len + 1);
	if (copy == NULL) {
		waiting->code = fault_set(waiting->fault, -ENOMEM, "no memory");
		return;
	}
	if (result->message.len > 0)
		memcpy(copy, result->message.data, result->message.len);
	waiting->answer->data = copy;
	waiting->answer->len = result->message.len;
}

int admin_client_call(struct admin_client *admin, const char *method,
	struct rpc_bytes message, struct rpc_bytes *answer, struct fault *fault)
{
	struct waiting waiting = {.answer = answer, .fault = fault};

	rpc_client_call(admin->client, "snapline.AdminService", method, message,
		TIMEOUT_MS, on_answered, &waiting);
	while (!waiting.is_done)
		(void)uv_run(&admin->loop, UV_RUN_ONCE);
	return waiting.code;
}

int admin_client_list(struct admin_client *admin, const struct list_request *request,
	struct transfer_list *list, struct fault *fault)
{
	struct rpc_bytes answer = {0};
	uint8_t *bytes;
	size_t len;
	int err = list_request_encode(request, &bytes, &len);

	if (err != 0)
		return fault_set(fault, err, "no memory");
	err = admin_client_call(
		admin, "list", (struct rpc_bytes){bytes, len}, &answer, fault);
	free(bytes);
	if (err != 0)
		return err;
	err = transfer_list_decode(list, answer.data, answer.len);
	free((void *)(uintptr_t)answer.data);
	if (err != 0)
		return fault_set(fault, err, "the node's answer is malformed");
	return 0;
}

int admin_client_find(struct admin_client *admin, int64_t id, struct transfer_info *info,
	struct fault *fault)
{
	const struct list_request request = {.has_id = true, .id = id};
	struct transfer_list list;
	int err = admin_client_list(admin, &request, &list, fault);

	if (err != 0)
		return err;
	if (list.count == 1)
		*info = list.transfers[0];
	else
		err = fault_set(
			fault, -ENOENT, "the node has forgotten transfer %" PRId64, id);
	transfer_list_fini(&list);
	return err;
}

void admin_client_sleep(unsigned int ms)
{
	uv_sleep(ms);
}
