/* SPDX-License-Identifier: BSD-3-Clause */
/* When this node saves by itself: the timer on the loop, fed with the log's length. */
#include "control/node/machine.h"
#include "control/node/node_state.h"
#include "dataplane/base/log.h"

enum { MEASURE_MS = 1000 };

static nsec now(void)
{
	return (nsec)uv_hrtime();
}

static void on_timer(uv_timer_t *handle);

/* Sleeps until the timer's deadline, or until the log is to be measured again. */
static void arm(struct node *node)
{
	bool measures = node->settings.log_entries != 0 || node->settings.log_bytes != 0;
	nsec deadline = snapshot_timer_deadline(&node->timer);
	uint64_t ms = MEASURE_MS;

	if (node->is_stopping)
		return;
	if (!measures && deadline == NEVER) {
		(void)uv_timer_stop(&node->timer_handle);
		return;
	}
	if (deadline != NEVER) {
		nsec left = nsec_max(deadline - now(), 0);
		uint64_t until = (uint64_t)((left + MSEC - 1) / MSEC);

		ms = measures ? u64_min(ms, until) : until;
	}
	(void)uv_timer_start(&node->timer_handle, on_timer, ms, 0);
}

static void measure(struct engine_job *job, struct engine *engine)
{
	struct node *node = (struct node *)((char *)job - offsetof(struct node, log_job));

	engine_log_length(engine, &node->log_entries, &node->log_bytes);
}

static void poll(struct node *node)
{
	static const char *const reasons[] = {
		[SNAPSHOT_TRIGGER_TIME] = "time",
		[SNAPSHOT_TRIGGER_ENTRIES] = "entries",
		[SNAPSHOT_TRIGGER_BYTES] = "bytes",
	};
	enum snapshot_trigger trigger = snapshot_timer_poll(&node->timer, now());

	if (trigger != SNAPSHOT_TRIGGER_NONE) {
		log_line(LOG_DEBUG, "timer", "event=save trigger=%s", reasons[trigger]);
		machine_save(node, NULL);
	}
	arm(node);
}

static void after_measure(struct engine_job *job)
{
	struct node *node = (struct node *)((char *)job - offsetof(struct node, log_job));

	node->is_measuring = false;
	snapshot_timer_on_log(&node->timer, node->log_entries, node->log_bytes);
	poll(node);
}

static void on_timer(uv_timer_t *handle)
{
	struct node *node = handle->data;

	if (node->settings.log_entries == 0 && node->settings.log_bytes == 0) {
		poll(node);
		return;
	}
	if (node->is_measuring)
		return;
	node->is_measuring = true;
	node->log_job.work = measure;
	node->log_job.done = after_measure;
	engine_queue_add(&node->queue, &node->log_job);
}

void node_timer_start(struct node *node)
{
	struct snapshot_timer_limits limits;
	uint64_t random = 0;

	(void)uv_timer_init(node->loop, &node->timer_handle);
	node->timer_handle.data = node;
	(void)uv_random(NULL, NULL, &random, sizeof(random), 0, NULL);
	snapshot_options_timer(&node->settings, &limits);
	snapshot_timer_init(&node->timer, &limits, random);
	if (!engine_can_save(&node->engine))
		return;
	snapshot_timer_on_start(&node->timer, now());
	arm(node);
}

void node_timer_on_settled(struct node *node)
{
	if (!node->timer.is_running || node->executor.state != EXECUTOR_IDLE)
		return;
	snapshot_timer_on_run_end(&node->timer, now());
	arm(node);
}

void node_timer_on_settings(struct node *node)
{
	struct snapshot_timer_limits limits;

	snapshot_options_timer(&node->settings, &limits);
	snapshot_timer_on_limits(&node->timer, &limits, now());
	if (engine_can_save(&node->engine))
		arm(node);
}

void node_timer_stop(struct node *node)
{
	snapshot_timer_on_close(&node->timer);
	(void)uv_timer_stop(&node->timer_handle);
}
