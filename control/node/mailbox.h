/* SPDX-License-Identifier: BSD-3-Clause */
/* Letters from any thread to the loop, delivered in order. */
#ifndef MAILBOX_H
#define MAILBOX_H

#include <stdbool.h>

#include <uv.h>

struct letter {
	struct letter *next;
	/* Called on the loop's thread; owns the letter from then on. */
	void (*deliver)(struct letter *letter);
};

struct mailbox {
	uv_async_t async;
	uv_mutex_t lock;
	struct letter *first;
	struct letter **last;
	bool is_open;
};

/* Returns 0 or a negative errno. */
int mailbox_open(struct mailbox *mailbox, uv_loop_t *loop);

/* Any thread. Returns false when the mailbox is closed: the letter stays the caller's. */
bool mailbox_post(struct mailbox *mailbox, struct letter *letter);

/* Takes no more letters, delivers those that came, closes the handle. Loop thread. */
void mailbox_close(struct mailbox *mailbox);
/* Nobody can post any more. */
void mailbox_fini(struct mailbox *mailbox);

#endif
