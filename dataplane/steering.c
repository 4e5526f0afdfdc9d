/* SPDX-License-Identifier: BSD-3-Clause */
#include "dataplane/steering.h"

enum {
	HINT_GIVEN = 0x80, /* hint: given:1 | queue:3 | port:4 */
	HINT_QUEUE_SHIFT = 4,
	HINT_PORT_MASK = 0x0f,
};

void steering_init(struct steering *steering, uint32_t wanted, uint16_t port)
{
	*steering = (struct steering){.wanted = (uint8_t)wanted};
	steering_on_port(steering, port);
}

void steering_on_port(struct steering *steering, uint16_t port)
{
	steering->port = port & HINT_PORT_MASK;
	steering->is_settled = false;
	steering->nmisses = 0;
}

bool steering_on_hint(struct steering *steering, uint8_t hint)
{
	uint8_t queue = hint >> HINT_QUEUE_SHIFT & (STEERING_QUEUES_MAX - 1);

	if ((hint & HINT_GIVEN) == 0 || (hint & HINT_PORT_MASK) != steering->port)
		return false;
	if (queue == steering->wanted) {
		steering->is_settled = true;
		steering->nmisses = 0;
		return false;
	}
	/* a queue that is full may let single packets roll over to the next one */
	if (steering->is_settled && ++steering->nmisses < STEERING_PATIENCE)
		return false;
	if (steering->ntries == STEERING_TRIES)
		return false;
	steering->ntries++;
	return true;
}

uint8_t steering_hint(uint32_t queue, uint16_t port)
{
	return (uint8_t)(HINT_GIVEN |
			 (queue & (STEERING_QUEUES_MAX - 1)) << HINT_QUEUE_SHIFT |
			 (port & HINT_PORT_MASK));
}

const char *steering_name(enum steered_by steered_by)
{
	static const char *const names[] = {
		[STEERED_BY_ONE_QUEUE] = "one queue",
		[STEERED_BY_FLOW_RULE] = "flow rule",
		[STEERED_BY_QUEUE_IDENTITY] = "queue identity",
		[STEERED_BY_SOURCE_PORT] = "source port",
		[STEERED_BY_HAND_OFF] = "hand-off",
	};

	return names[steered_by];
}
