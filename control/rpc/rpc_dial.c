/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/rpc/rpc_dial.h"

#include <assert.h>
#include <stdio.h>

static const bool moves[CLIENT_STATES][CLIENT_STATES] = {
	[CLIENT_IDLE] = {[CLIENT_RESOLVING] = true,
		[CLIENT_CONNECTING] = true,
		[CLIENT_CLOSED] = true},
	[CLIENT_RESOLVING] = {[CLIENT_IDLE] = true,
		[CLIENT_CONNECTING] = true,
		[CLIENT_CLOSED] = true},
	[CLIENT_CONNECTING] = {[CLIENT_IDLE] = true,
		[CLIENT_CONNECTING] = true,
		[CLIENT_CONNECTED] = true,
		[CLIENT_CLOSED] = true},
	[CLIENT_CONNECTED] = {[CLIENT_IDLE] = true, [CLIENT_CLOSED] = true},
};

void rpc_dial_move(struct rpc_client *client, enum client_state to)
{
	assert(moves[client->state][to]);
	client->state = to;
}

static void try_next_address(struct rpc_client *client, int error);

static void on_connected(uv_connect_t *request, int status)
{
	struct conn *conn = (struct conn *)request->handle->data;
	struct rpc_client *client = conn->owner;

	/* given up meanwhile */
	if (client->conn != conn || conn->closing)
		return;
	(void)uv_timer_stop(&client->dialling);
	if (status != 0) {
		client->conn = NULL;
		conn_close(conn, status);
		try_next_address(client, status);
		return;
	}
	rpc_dial_move(client, CLIENT_CONNECTED);
	client->next = NULL;
	conn_start(conn);
	rpc_client_on_connected(client);
}

/* A host that swallows packets would keep us for minutes. */
static void on_dialled_long(uv_timer_t *timer)
{
	struct rpc_client *client = timer->data;
	struct conn *conn = client->conn;

	client->conn = NULL;
	conn_close(conn, UV_ETIMEDOUT);
	try_next_address(client, UV_ETIMEDOUT);
}

static void bound(struct rpc_client *client)
{
	if (client->connect_timeout_ms < 0)
		return;
	/* the loop's clock stands still during a callback */
	uv_update_time(client->loop);
	(void)uv_timer_start(&client->dialling, on_dialled_long,
		(uint64_t)client->connect_timeout_ms, 0);
}

/* Begins to connect to sockaddr, or to the unix path when it is NULL. */
static int dial(struct rpc_client *client, const struct sockaddr *to)
{
	int err = conn_create(
		&client->conn, client->loop, to == NULL, &rpc_client_conn_ops, client);

	if (err != 0)
		return err;
	client->nhandles++;
	rpc_dial_move(client, CLIENT_CONNECTING);
	if (to == NULL) {
		uv_pipe_connect(&client->conn->connect, &client->conn->uv.pipe,
			client->address.host, on_connected);
		bound(client);
		return 0;
	}
	err = uv_tcp_connect(
		&client->conn->connect, &client->conn->uv.tcp, to, on_connected);
	if (err == 0) {
		bound(client);
	} else {
		struct conn *conn = client->conn;

		client->conn = NULL;
		conn_close(conn, err);
	}
	return err;
}

static void free_addresses(struct rpc_client *client)
{
	uv_freeaddrinfo(client->addresses);
	client->addresses = NULL;
	client->next = NULL;
}

/* error is why the address before did not work. */
static void try_next_address(struct rpc_client *client, int error)
{
	while (client->next != NULL) {
		const struct addrinfo *at = client->next;

		client->next = at->ai_next;
		error = dial(client, at->ai_addr);
		if (error == 0)
			return;
	}
	free_addresses(client);
	rpc_dial_move(client, CLIENT_IDLE);
	rpc_client_fail_calls(client, NULL, error);
}

static void on_resolved(uv_getaddrinfo_t *request, int status, struct addrinfo *found)
{
	struct rpc_client *client = request->data;

	if (client->state == CLIENT_CLOSED) {
		uv_freeaddrinfo(found);
		rpc_client_release(client);
		return;
	}
	client->addresses = status == 0 ? found : NULL;
	client->next = client->addresses;
	try_next_address(client, status);
	/* last: a callback may have closed the client */
	rpc_client_release(client);
}

int rpc_dial_start(struct rpc_client *client)
{
	static const struct addrinfo hints = {
		.ai_family = AF_UNSPEC,
		.ai_socktype = SOCK_STREAM,
		.ai_flags = AI_NUMERICSERV,
	};
	char service[8];
	int err;

	free_addresses(client);
	if (client->address.is_unix)
		return dial(client, NULL);
	(void)snprintf(service, sizeof(service), "%u", client->address.port);
	client->resolve.data = client;
	err = uv_getaddrinfo(client->loop, &client->resolve, on_resolved,
		client->address.host, service, &hints);
	if (err != 0)
		return err;
	client->nhandles++;
	rpc_dial_move(client, CLIENT_RESOLVING);
	return 0;
}

void rpc_dial_stop(struct rpc_client *client)
{
	/* a lookup that has not begun ends at once; one that has is waited for */
	if (client->state == CLIENT_RESOLVING)
		(void)uv_cancel((uv_req_t *)&client->resolve);
	(void)uv_timer_stop(&client->dialling);
	free_addresses(client);
}
