/* SPDX-License-Identifier: BSD-3-Clause */
/* A client's connection: requests come in order, answers leave in that order, although a
 * write is answered only when it is committed. */
#ifndef CLIENT_H
#define CLIENT_H

#include "control/kv/kv.h"
#include "control/kv/resp.h"

struct reply;

struct buffer {
	char *bytes;
	size_t len;
	size_t room;
};

struct client {
	uv_tcp_t handle; /* first: the handle is the client */
	struct kv *kv;
	struct client *next;
	struct buffer in;
	struct buffer out;
	struct reply *first; /* answers that wait, oldest first */
	struct reply **last;
	uint32_t nwaiting;
	bool is_paused;    /* not read from: too many answers wait */
	bool is_read_only; /* READONLY: reads are answered here, leader or not */
	bool is_ending;    /* closes once all answers have left */
	bool is_closing;
	bool is_closed;
};

/* An answer that comes later. */
struct reply {
	struct reply *next;
	struct client *client; /* kept as long as this is */
	char *text;            /* NULL: not known yet */
	size_t len;
};

/* Answers now, or behind those that wait. */
void client_answer(struct client *client, const char *bytes, size_t len);
void client_status(struct client *client, const char *text); /* "+text" */
void client_error(struct client *client, const char *format, ...) PRINTF_LIKE(2, 3);
void client_number(struct client *client, uint64_t number); /* ":number" */
void client_bulk(struct client *client, const void *bytes, size_t len);
/* "$-1": no such key. */
void client_nil(struct client *client);

/* Returns NULL without memory: the client is being closed then. */
struct reply *client_defer(struct client *client);
/* Once a reply. The line without its end, as "+OK" or ":1" or "-ERR why". */
void reply_fill(struct reply *reply, const char *format, ...) PRINTF_LIKE(2, 3);

/* command.c: carries one request out */
void command_run(struct client *client, const struct resp_request *request);

/* write.c: SET and DEL of a leader */
void write_set(struct client *client, const struct resp_request *request);
void write_delete(struct client *client, const struct resp_request *request);

/* info.c */
void info_run(struct client *client, const struct resp_request *request);

/* member.c: SNAPLINE ADD, PROMOTE, REMOVE, TRANSFER */
void member_run(struct client *client, const struct resp_request *request);

#endif
