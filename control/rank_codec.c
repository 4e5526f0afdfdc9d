/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/rank_codec.h"

#include <errno.h>
#include <stddef.h>

#include "proto/snapline.pb-c.h"

struct Snapline__Rank *rank_to_message(
	const struct rank *rank, struct Snapline__Rank *message)
{
	snapline__rank__init(message);
	message->has_class_ = rank->has_class;
	message->class_ = rank->class + 1;
	message->has_weight = rank->weight != 0;
	message->weight = rank->weight;
	return rank_is_empty(rank) ? NULL : message;
}

int rank_from_message(struct rank *rank, const struct Snapline__Rank *message)
{
	*rank = (struct rank){.has_class = false};
	if (message == NULL)
		return 0;
	if (message->has_class_ &&
		(message->class_ < 1 || message->class_ > SHAPER_CLASSES))
		return -EBADMSG;
	if (message->has_weight &&
		(message->weight < 1 || message->weight > SHAPER_WEIGHT_MAX))
		return -EBADMSG;
	*rank = rank_of(message->has_class_ ? message->class_ : 0,
		message->has_weight ? message->weight : 0);
	return 0;
}
