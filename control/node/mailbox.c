/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/node/mailbox.h"

static void deliver_all(struct mailbox *mailbox)
{
	struct letter *letter;

	uv_mutex_lock(&mailbox->lock);
	letter = mailbox->first;
	mailbox->first = NULL;
	mailbox->last = &mailbox->first;
	uv_mutex_unlock(&mailbox->lock);
	while (letter != NULL) {
		struct letter *next = letter->next;

		letter->deliver(letter);
		letter = next;
	}
}

static void on_async(uv_async_t *async)
{
	deliver_all(async->data);
}

int mailbox_open(struct mailbox *mailbox, uv_loop_t *loop)
{
	int err = uv_mutex_init(&mailbox->lock);

	if (err != 0)
		return err;
	mailbox->first = NULL;
	mailbox->last = &mailbox->first;
	mailbox->async.data = mailbox;
	err = uv_async_init(loop, &mailbox->async, on_async);
	if (err != 0)
		uv_mutex_destroy(&mailbox->lock);
	else
		mailbox->is_open = true;
	return err;
}

bool mailbox_post(struct mailbox *mailbox, struct letter *letter)
{
	bool is_open;

	uv_mutex_lock(&mailbox->lock);
	is_open = mailbox->is_open;
	if (is_open) {
		letter->next = NULL;
		*mailbox->last = letter;
		mailbox->last = &letter->next;
		/* inside the lock: the handle must not be closed in between */
		(void)uv_async_send(&mailbox->async);
	}
	uv_mutex_unlock(&mailbox->lock);
	return is_open;
}

void mailbox_close(struct mailbox *mailbox)
{
	uv_mutex_lock(&mailbox->lock);
	mailbox->is_open = false;
	uv_mutex_unlock(&mailbox->lock);
	deliver_all(mailbox);
	uv_close((uv_handle_t *)&mailbox->async, NULL);
}

void mailbox_fini(struct mailbox *mailbox)
{
	uv_mutex_destroy(&mailbox->lock);
}
