/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/rpc/conn.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/frame.h"
#include "dataplane/base/log.h"
#include "dataplane/base/units.h"

enum {
	READ_MIN = 64 << 10,    /* bytes offered to each read */
	KEEP_ROOM = 1 << 20,    /* an idle buffer larger than this is given back */
	KEEPALIVE_SECONDS = 30, /* a call may wait for hours: notice a dead machine */
};

struct conn_write {
	uv_write_t request;
	uint8_t *bytes;
};

static void on_closed(uv_handle_t *handle)
{
	struct conn *conn = handle->data;

	conn->ops->closed(conn);
	free(conn->bytes);
	free(conn);
}

void conn_close(struct conn *conn, int error)
{
	if (conn->closing)
		return;
	conn->closing = true;
	conn->error = error;
	uv_close(&conn->uv.handle, on_closed);
}

int conn_create(struct conn **conn, uv_loop_t *loop, bool is_unix,
	const struct conn_ops *ops, void *owner)
{
	struct conn *created = calloc(1, sizeof(*created));
	int err;

	if (created == NULL)
		return -ENOMEM;
	created->ops = ops;
	created->owner = owner;
	created->is_unix = is_unix;
	(void)snprintf(created->peer, sizeof(created->peer), "%s", "unix");
	if (is_unix)
		err = uv_pipe_init(loop, &created->uv.pipe, 0);
	else
		err = uv_tcp_init(loop, &created->uv.tcp);
	if (err != 0) {
		free(created);
		return err;
	}
	created->uv.handle.data = created;
	*conn = created;
	return 0;
}

/* Doubles up to the size of the arriving frame: copying stays linear, and a peer that
 * only claims a large frame gets no memory for it. */
static bool make_room(struct conn *conn)
{
	size_t room = conn->room;
	uint8_t *grown;

	if (room - conn->len >= READ_MIN || (room >= conn->wanted && room > conn->len))
		return true;
	room = u64_min(room * 2, conn->wanted);
	if (room < conn->len + READ_MIN)
		room = conn->len + READ_MIN;
	grown = realloc(conn->bytes, room);
	if (grown == NULL)
		return false;
	conn->bytes = grown;
	conn->room = room;
	return true;
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
	struct conn *conn = handle->data;

	(void)suggested;
	/* an empty buffer makes libuv report UV_ENOBUFS to on_read */
	*buf = uv_buf_init(NULL, 0);
	if (make_room(conn))
		*buf = uv_buf_init((char *)conn->bytes + conn->len,
			(unsigned int)(conn->room - conn->len));
}

/* Hands over all complete frames. The bytes of one that is still arriving move to the
 * front, once a frame. */
static void cut_frames(struct conn *conn)
{
	size_t used = 0;
	struct frame frame;
	size_t size = 0;
	int err;

	for (;;) {
		err = frame_parse(&frame, conn->bytes + used, conn->len - used, &size);
		if (err != 0)
			break;
		conn->ops->frame(conn, &frame);
		used += size;
		if (conn->closing)
			return;
	}
	if (err != -EAGAIN) {
		if (err == -EBADMSG)
			conn->ops->malformed(conn);
		conn_close(conn, err == -EBADMSG ? UV_EPROTO : UV_ENOMEM);
		return;
	}
	conn->wanted = size;
	conn->len -= used;
	if (used > 0 && conn->len > 0)
		memmove(conn->bytes, conn->bytes + used, conn->len);
	if (conn->len == 0 && conn->room > KEEP_ROOM) {
		free(conn->bytes);
		conn->bytes = NULL;
		conn->room = 0;
	}
}

static void on_read(uv_stream_t *stream, ssize_t nread, const uv_buf_t *buf)
{
	struct conn *conn = stream->data;

	(void)buf;
	if (nread < 0) {
		conn_close(conn, (int)nread);
		return;
	}
	conn->len += (size_t)nread;
	if (nread > 0 && conn->len >= conn->wanted)
		cut_frames(conn);
}

static void name_peer(struct conn *conn)
{
	struct sockaddr_storage from;
	char host[INET6_ADDRSTRLEN];
	int len = sizeof(from);

	(void)snprintf(conn->peer, sizeof(conn->peer), "%s", "?");
	if (uv_tcp_getpeername(&conn->uv.tcp, (struct sockaddr *)&from, &len) != 0)
		return;
	if (from.ss_family == AF_INET) {
		const struct sockaddr_in *in = (const struct sockaddr_in *)&from;

		if (uv_ip4_name(in, host, sizeof(host)) == 0)
			(void)snprintf(conn->peer, sizeof(conn->peer), "%s:%u", host,
				ntohs(in->sin_port));
	} else if (from.ss_family == AF_INET6) {
		const struct sockaddr_in6 *in = (const struct sockaddr_in6 *)&from;

		if (uv_ip6_name(in, host, sizeof(host)) == 0)
			(void)snprintf(conn->peer, sizeof(conn->peer), "[%s]:%u", host,
				ntohs(in->sin6_port));
	}
}

void conn_start(struct conn *conn)
{
	int err;

	if (!conn->is_unix) {
		name_peer(conn);
		/* both are improvements only: a socket that lacks them still works */
		(void)uv_tcp_nodelay(&conn->uv.tcp, 1);
		(void)uv_tcp_keepalive(&conn->uv.tcp, 1, KEEPALIVE_SECONDS);
	}
	err = uv_read_start(&conn->uv.stream, on_alloc, on_read);
	if (err != 0)
		conn_close(conn, err);
}

static void on_written(uv_write_t *request, int status)
{
	struct conn_write *write = request->data;
	struct conn *conn = request->handle->data;

	free(write->bytes);
	free(write);
	if (status != 0)
		conn_close(conn, status);
}

void conn_send(struct conn *conn, uint8_t *bytes, size_t len)
{
	struct conn_write *write;
	uv_buf_t buf = uv_buf_init((char *)bytes, (unsigned int)len);
	size_t queued = uv_stream_get_write_queue_size(&conn->uv.stream);
	int err;

	if (conn->closing)
		goto free_bytes;
	if (queued + len > CONN_QUEUE_MAX) {
		log_line(LOG_WARN, "rpc",
			"event=peer_not_reading peer=%s queued_bytes=%zu", conn->peer,
			queued);
		conn_close(conn, UV_ENOBUFS);
		goto free_bytes;
	}
	write = malloc(sizeof(*write));
	if (write == NULL) {
		conn_close(conn, UV_ENOMEM);
		goto free_bytes;
	}
	write->request.data = write;
	write->bytes = bytes;
	err = uv_write(&write->request, &conn->uv.stream, &buf, 1, on_written);
	if (err == 0)
		return;
	conn_close(conn, err);
	free(write);
free_bytes:
	free(bytes);
}

void conn_ignore_sigpipe(void)
{
	struct sigaction action;

	if (sigaction(SIGPIPE, NULL, &action) != 0 || action.sa_handler != SIG_DFL)
		return;
	action.sa_handler = SIG_IGN;
	(void)sigaction(SIGPIPE, &action, NULL);
}
