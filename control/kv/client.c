/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/kv/client.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/kv/resp.h"
#include "dataplane/base/log.h"

enum {
	BACKLOG = 128,
	READ_SIZE = 64 << 10,
	WAITING_MAX = 4096,  /* answers, then the client is not read from */
	OUT_MAX = 256 << 20, /* bytes a client may leave unread */
	LINE_MAX_LEN = 600,
};

struct sending {
	uv_write_t req; /* first */
	char *bytes;
};

static void buffer_free(struct buffer *buffer)
{
	free(buffer->bytes);
	*buffer = (struct buffer){.len = 0};
}

static bool buffer_reserve(struct buffer *buffer, size_t more)
{
	size_t room = buffer->room != 0 ? buffer->room : READ_SIZE;
	char *grown;

	while (room - buffer->len < more)
		room *= 2;
	if (room == buffer->room)
		return true;
	grown = realloc(buffer->bytes, room);
	if (grown == NULL)
		return false;
	buffer->bytes = grown;
	buffer->room = room;
	return true;
}

/* Replies refer to their client: it goes with the last of them. */
static void free_when_done(struct client *client)
{
	if (!client->is_closed || client->nwaiting > 0)
		return;
	buffer_free(&client->in);
	buffer_free(&client->out);
	free(client);
}

static void on_closed(uv_handle_t *handle)
{
	struct client *client = (struct client *)handle;

	client->is_closed = true;
	free_when_done(client);
}

static void client_close(struct client *client)
{
	struct client **link = &client->kv->clients;

	if (client->is_closing)
		return;
	client->is_closing = true;
	while (*link != client)
		link = &(*link)->next;
	*link = client->next;
	uv_close((uv_handle_t *)&client->handle, on_closed);
}

static void put(struct client *client, const char *bytes, size_t len)
{
	if (client->is_closing)
		return;
	if (client->out.len + len > OUT_MAX || !buffer_reserve(&client->out, len)) {
		client_close(client);
		return;
	}
	memcpy(client->out.bytes + client->out.len, bytes, len);
	client->out.len += len;
}

static void on_written(uv_write_t *req, int status)
{
	struct sending *sending = (struct sending *)req;
	struct client *client = req->data;

	free(sending->bytes);
	free(sending);
	if (status != 0 && !client->is_closing)
		client_close(client);
}

static void flush(struct client *client)
{
	struct sending *sending;
	uv_buf_t buf;

	if (client->is_closing || client->out.len == 0)
		return;
	sending = calloc(1, sizeof(*sending));
	if (sending == NULL || client->handle.write_queue_size > OUT_MAX) {
		free(sending);
		client_close(client);
		return;
	}
	sending->bytes = client->out.bytes;
	sending->req.data = client;
	buf = uv_buf_init(client->out.bytes, (unsigned)client->out.len);
	client->out = (struct buffer){.len = 0};
	if (uv_write(&sending->req, (uv_stream_t *)&client->handle, &buf, 1,
		    on_written) != 0) {
		free(sending->bytes);
		free(sending);
		client_close(client);
	}
}

static void on_read(uv_stream_t *stream, ssize_t nread, const uv_buf_t *buf);

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
	struct client *client = (struct client *)handle;

	(void)suggested;
	if (!buffer_reserve(&client->in, READ_SIZE)) {
		*buf = uv_buf_init(NULL, 0); /* on_read gets ENOBUFS */
		return;
	}
	*buf = uv_buf_init(client->in.bytes + client->in.len,
		(unsigned)(client->in.room - client->in.len));
}

/* Carries out what has come in whole. */
static void run_requests(struct client *client)
{
	struct resp_request request;
	const char *error = NULL;
	size_t at = 0;

	while (!client->is_closing && !client->is_ending &&
		client->nwaiting < WAITING_MAX) {
		enum resp_result result = resp_parse(
			&request, client->in.bytes + at, client->in.len - at, &error);

		if (result == RESP_MORE)
			break;
		if (result == RESP_BAD) {
			client_error(client, "%s", error);
			client->is_ending = true;
			break;
		}
		at += request.used;
		if (request.count > 0)
			command_run(client, &request);
	}
	if (at > 0) {
		client->in.len -= at;
		memmove(client->in.bytes, client->in.bytes + at, client->in.len);
	}
}

static void set_paused(struct client *client, bool is_paused)
{
	if (client->is_closing || client->is_paused == is_paused)
		return;
	client->is_paused = is_paused;
	if (is_paused)
		(void)uv_read_stop((uv_stream_t *)&client->handle);
	else
		(void)uv_read_start((uv_stream_t *)&client->handle, on_alloc, on_read);
}

static void on_read(uv_stream_t *stream, ssize_t nread, const uv_buf_t *buf)
{
	struct client *client = (struct client *)stream;

	(void)buf;
	if (nread < 0) {
		client_close(client);
		return;
	}
	client->in.len += (size_t)nread;
	run_requests(client);
	set_paused(client, client->nwaiting >= WAITING_MAX || client->is_ending);
}

static void on_connection(uv_stream_t *listener, int status)
{
	struct kv *kv = listener->data;
	struct client *client;

	if (status != 0)
		return;
	client = calloc(1, sizeof(*client));
	if (client == NULL)
		return;
	client->kv = kv;
	client->last = &client->first;
	client->next = kv->clients;
	kv->clients = client;
	(void)uv_tcp_init(&kv->loop, &client->handle);
	if (uv_accept(listener, (uv_stream_t *)&client->handle) != 0 ||
		uv_read_start((uv_stream_t *)&client->handle, on_alloc, on_read) != 0) {
		client_close(client);
		return;
	}
	(void)uv_tcp_nodelay(&client->handle, 1);
}

int client_listen(struct kv *kv, struct fault *fault)
{
	struct sockaddr_in address;
	char ip[KV_ADDRESS_MAX];
	char *colon;
	int err;

	(void)snprintf(ip, sizeof(ip), "%s", kv->address);
	colon = strrchr(ip, ':'); /* kv_address has checked it */
	*colon = '\0';
	err = uv_ip4_addr(ip, (int)strtol(colon + 1, NULL, 10), &address);
	(void)uv_tcp_init(&kv->loop, &kv->listener);
	kv->listener.data = kv;
	if (err == 0)
		err = uv_tcp_bind(&kv->listener, (struct sockaddr *)&address, 0);
	if (err == 0)
		err = uv_listen((uv_stream_t *)&kv->listener, BACKLOG, on_connection);
	if (err != 0)
		return fault_set(fault, err, "--address %s: cannot listen there: %s",
			kv->address, uv_strerror(err));
	return 0;
}

/* Answers that are known leave, up to the first that is not. */
static void drain(struct client *client)
{
	while (client->first != NULL && client->first->text != NULL) {
		struct reply *reply = client->first;

		client->first = reply->next;
		if (client->first == NULL)
			client->last = &client->first;
		put(client, reply->text, reply->len);
		free(reply->text);
		free(reply);
		client->nwaiting--;
	}
}

void client_flush_all(struct kv *kv)
{
	struct client *next;

	for (struct client *client = kv->clients; client != NULL; client = next) {
		next = client->next;
		if (client->is_paused && client->nwaiting < WAITING_MAX / 2 &&
			!client->is_ending) {
			set_paused(client, false);
			run_requests(client);
		}
		flush(client);
		if (client->is_ending && client->nwaiting == 0 &&
			client->handle.write_queue_size == 0)
			client_close(client);
	}
}

void client_close_all(struct kv *kv)
{
	while (kv->clients != NULL)
		client_close(kv->clients);
}

struct reply *client_defer(struct client *client)
{
	struct reply *reply = calloc(1, sizeof(*reply));

	if (reply == NULL) {
		client_close(client);
		return NULL;
	}
	reply->client = client;
	*client->last = reply;
	client->last = &reply->next;
	client->nwaiting++;
	return reply;
}

void reply_fill(struct reply *reply, const char *format, ...)
{
	struct client *client = reply->client;
	char line[LINE_MAX_LEN];
	va_list args;
	int len;

	va_start(args, format);
	len = vsnprintf(line, sizeof(line) - 2, format, args);
	va_end(args);
	if (len > (int)sizeof(line) - 3)
		len = (int)sizeof(line) - 3;
	memcpy(line + len, "\r\n", 2);
	reply->len = (size_t)len + 2;
	reply->text = strndup(line, reply->len);
	if (reply->text == NULL) {
		client_close(client);
		reply->text = calloc(1, 1);
		reply->len = 0;
	}
	drain(client);
	free_when_done(client);
}

void client_answer(struct client *client, const char *bytes, size_t len)
{
	struct reply *reply;

	if (client->first == NULL) {
		put(client, bytes, len);
		return;
	}
	reply = client_defer(client);
	if (reply == NULL)
		return;
	reply->text = malloc(len + 1);
	if (reply->text == NULL) {
		client_close(client);
		reply->text = calloc(1, 1);
		return;
	}
	memcpy(reply->text, bytes, len);
	reply->len = len;
}

void client_status(struct client *client, const char *text)
{
	char line[LINE_MAX_LEN];
	int len = snprintf(line, sizeof(line), "+%.500s\r\n", text);

	client_answer(client, line, (size_t)len);
}

void client_error(struct client *client, const char *format, ...)
{
	char text[LINE_MAX_LEN - 10];
	char line[LINE_MAX_LEN];
	va_list args;
	int len;

	va_start(args, format);
	(void)vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	len = snprintf(line, sizeof(line), "-%s\r\n", text);
	client_answer(client, line, (size_t)len);
}

void client_number(struct client *client, uint64_t number)
{
	char line[32];
	int len = snprintf(line, sizeof(line), ":%" PRIu64 "\r\n", number);

	client_answer(client, line, (size_t)len);
}

void client_bulk(struct client *client, const void *bytes, size_t len)
{
	char head[32];
	int head_len = snprintf(head, sizeof(head), "$%zu\r\n", len);
	char *whole = malloc((size_t)head_len + len + 2);

	if (whole == NULL) {
		client_close(client);
		return;
	}
	memcpy(whole, head, (size_t)head_len);
	memcpy(whole + head_len, bytes, len);
	memcpy(whole + head_len + len, "\r\n", 2);
	client_answer(client, whole, (size_t)head_len + len + 2);
	free(whole);
}

void client_nil(struct client *client)
{
	client_answer(client, "$-1\r\n", 5);
}
