/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/node/pins.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "control/node/machine.h"
#include "control/node/node_state.h"
#include "dataplane/base/log.h"

enum { TICK_MS = 100 };

static void on_tick(uv_timer_t *timer);

/* ---- what is kept */

static void cut(struct engine_job *job, struct engine *engine)
{
	struct pins *pins = (struct pins *)((char *)job - offsetof(struct pins, cutting));
	struct snapline_error error = {0};

	if (engine_on_pin(engine, &pins->cut_fault) == 0)
		return;
	error.code = pins->cut_fault.code;
	(void)snprintf(error.text, sizeof(error.text), "%s", pins->cut_fault.text);
	if (engine->fsm.on_error != NULL)
		engine->fsm.on_error(engine->fsm.ctx, &error);
}

static void after_cut(struct engine_job *job);

static void start_cut(struct pins *pins)
{
	if (pins->is_cutting || engine_cuts_itself(&pins->node->engine))
		return;
	pins->is_cutting = true;
	pins->first_cut = pins->first;
	pins->cut_fault = (struct fault){0};
	pins->cutting.work = cut;
	pins->cutting.done = after_cut;
	engine_queue_add(&pins->node->queue, &pins->cutting);
}

static void after_cut(struct engine_job *job)
{
	struct pins *pins = (struct pins *)((char *)job - offsetof(struct pins, cutting));

	pins->is_cutting = false;
	if (pins->cut_fault.code != 0)
		machine_on_log_fault(pins->node, &pins->cut_fault);
	else if (pins->first > pins->first_cut)
		start_cut(pins);
}

static int64_t lowest(const struct outgoing_list *list)
{
	int64_t first = LOG_NO_PIN;

	for (const struct outgoing *it = list->first; it != NULL; it = it->next) {
		if (it->pin.state != PIN_NONE && it->index < first)
			first = it->index + 1;
	}
	return first;
}

/* The engine learns at once what it may cut, and the timer runs while there is a pin. */
static void apply(struct pins *pins)
{
	int64_t before = pins->first;

	pins->first = lowest(&pins->node->outgoing);
	engine_set_pin(&pins->node->engine, pins->first);
	if (pins->first > before)
		start_cut(pins);
	if (pins->first == LOG_NO_PIN) {
		(void)uv_timer_stop(&pins->timer);
		pins->is_ticking = false;
	} else if (!pins->is_ticking) {
		(void)uv_timer_start(&pins->timer, on_tick, TICK_MS, TICK_MS);
		pins->is_ticking = true;
	}
}

static void move(struct pins *pins, struct outgoing *outgoing, enum pin_state to)
{
	outgoing->pin.state = to;
	apply(pins);
}

void pins_on_offered(struct pins *pins, struct outgoing *outgoing)
{
	if (!engine_has_log(&pins->node->engine) || pins->node->is_stopping)
		return;
	outgoing->pin.until = uv_hrtime() + (uint64_t)pins->node->outgoing.stall_timeout;
	move(pins, outgoing, PIN_OFFERED);
}

void pins_on_served(struct pins *pins, struct outgoing *outgoing)
{
	struct convergence_config config;

	if (!engine_has_log(&pins->node->engine) || pins->node->is_stopping ||
		outgoing->pin.state == PIN_SERVED)
		return;
	snapshot_options_pin(&pins->node->settings, &config);
	convergence_init(&outgoing->pin.convergence, &config);
	outgoing->pin.is_judged = true;
	move(pins, outgoing, PIN_SERVED);
}

void pins_on_ended(struct pins *pins, struct outgoing *outgoing)
{
	uint64_t linger = pins->node->settings.pin_linger_s * (uint64_t)SEC;

	if (outgoing->pin.state == PIN_NONE)
		return;
	if (outgoing->fault.code != 0 || outgoing->pin.state != PIN_SERVED ||
		pins->node->is_stopping || linger == 0) {
		move(pins, outgoing, PIN_NONE);
		return;
	}
	outgoing->pin.until = uv_hrtime() + linger;
	move(pins, outgoing, PIN_LINGERING);
}

void pins_on_settings(struct pins *pins)
{
	struct convergence_config config;

	snapshot_options_pin(&pins->node->settings, &config);
	for (struct outgoing *it = pins->node->outgoing.first; it != NULL; it = it->next)
		convergence_set_config(&it->pin.convergence, &config);
}

/* ---- whether it will last */

static void format_seconds(nsec time, char text[static 32])
{
	if (time == NEVER)
		(void)snprintf(text, 32, "never");
	else
		(void)snprintf(text, 32, "%" PRId64 ".%03" PRId64, time / SEC,
			time % SEC / MSEC);
}

static void log_verdict(
	enum log_level level, const char *event, const struct outgoing *outgoing)
{
	const struct convergence *convergence = &outgoing->pin.convergence;
	char horizon[32], need[32], text[CONVERGENCE_TEXT_MAX];

	format_seconds(convergence_horizon(convergence), horizon);
	format_seconds(convergence_need(convergence), need);
	log_line(level, "convergence",
		"event=%s id=%lld peer=%s verdict=%s horizon_s=%s need_s=%s "
		"pinned_from=%lld pinned_entries=%llu pinned_bytes=%llu text=\"%s\"",
		event, (long long)outgoing->id, outgoing->peer,
		convergence_name(convergence->verdict), horizon, need,
		(long long)outgoing->index + 1,
		(unsigned long long)convergence->kept.entries,
		(unsigned long long)convergence->kept.bytes,
		convergence_describe(convergence, text));
}

static void give_up(struct pins *pins, struct outgoing *outgoing)
{
	char reason[CONVERGENCE_REASON_MAX];
	struct fault fault = {0};

	log_verdict(LOG_WARN, "pin_dropped", outgoing);
	(void)fault_set(&fault, -ESTALE, "%s",
		convergence_reason(&outgoing->pin.convergence, reason));
	move(pins, outgoing, PIN_NONE);
	outgoing_fail(outgoing, &fault);
}

static void act(struct pins *pins, struct outgoing *outgoing)
{
	const struct convergence *convergence = &outgoing->pin.convergence;

	/* FAIL may end it */
	while (outgoing->pin.state == PIN_SERVED) {
		switch (convergence_poll(&outgoing->pin.convergence, (nsec)uv_hrtime())) {
		case CONVERGENCE_NOTHING:
			return;
		case CONVERGENCE_SAY:
			log_verdict(convergence->verdict == CONVERGENCE_YES ? LOG_INFO
									    : LOG_WARN,
				"convergence", outgoing);
			break;
		case CONVERGENCE_RAISE:
			outgoing_raise(outgoing);
			log_verdict(LOG_INFO, "raised", outgoing);
			break;
		case CONVERGENCE_PIN:
			log_verdict(LOG_WARN, "pin_stretched", outgoing);
			break;
		case CONVERGENCE_FAIL:
			give_up(pins, outgoing);
			return;
		}
	}
}

static bool is_past(const struct convergence_limit *limit, const struct engine_log *kept)
{
	return kept->bytes >= limit->bytes || kept->entries >= limit->entries;
}

static void judge(struct pins *pins, const struct pin_measure *measure, nsec now)
{
	struct outgoing *outgoing = outgoing_find(&pins->node->outgoing, measure->id);
	struct pin *pin = outgoing != NULL ? &outgoing->pin : NULL;
	const struct engine_log *log = &measure->log;

	if (pin == NULL || pin->state == PIN_NONE || pin->state == PIN_OFFERED)
		return;
	if (pin->state == PIN_LINGERING) {
		convergence_on_log(&pin->convergence, log->bytes, log->entries, now);
		if (!is_past(&pin->convergence.config.hard, log))
			return;
		log_verdict(LOG_WARN, "pin_dropped", outgoing);
		move(pins, outgoing, PIN_NONE);
		return;
	}
	if (log->first_index > measure->first) {
		convergence_on_missing(&pin->convergence);
		act(pins, outgoing);
		move(pins, outgoing, PIN_NONE); /* nothing to be kept any more */
		return;
	}
	convergence_on_log(&pin->convergence, log->bytes, log->entries, now);
	outgoing_measure(outgoing, now);
	act(pins, outgoing);
}

static void judge_all(struct pins *pins)
{
	for (uint32_t i = 0; i < pins->count; i++)
		judge(pins, &pins->measures[i], (nsec)uv_hrtime());
}

/* ---- measuring */

/* Followers of one snapshot share a look. */
static void measure_all(struct pins *pins, const struct engine *engine)
{
	for (uint32_t i = 0; i < pins->count; i++) {
		struct pin_measure *it = &pins->measures[i];

		if (i > 0 && it->first == it[-1].first)
			it->log = it[-1].log;
		else
			engine_measure_from(engine, it->first, &it->log);
	}
}

static void measure(struct engine_job *job, struct engine *engine)
{
	measure_all(
		(struct pins *)((char *)job - offsetof(struct pins, measuring)), engine);
}

static void after_measure(struct engine_job *job)
{
	struct pins *pins =
		(struct pins *)((char *)job - offsetof(struct pins, measuring));

	pins->is_measuring = false;
	judge_all(pins);
}

/* Drops the pins whose time is over, and notes the others. */
static void collect(struct pins *pins)
{
	uint64_t now = uv_hrtime();

	pins->count = 0;
	for (struct outgoing *it = pins->node->outgoing.first; it != NULL;
		it = it->next) {
		struct pin *pin = &it->pin;

		if ((pin->state == PIN_OFFERED || pin->state == PIN_LINGERING) &&
			now >= pin->until)
			pin->state = PIN_NONE;
		if (pin->state == PIN_NONE || pins->count == PINS_MAX)
			continue;
		pins->measures[pins->count++] =
			(struct pin_measure){.id = it->id, .first = it->index + 1};
	}
	apply(pins);
}

static void on_tick(uv_timer_t *timer)
{
	struct pins *pins = timer->data;
	struct engine *engine = &pins->node->engine;

	if (pins->is_measuring)
		return;
	collect(pins);
	if (engine_cuts_itself(engine)) {
		measure_all(pins, engine);
		judge_all(pins);
	} else {
		pins->is_measuring = true;
		pins->measuring.work = measure;
		pins->measuring.done = after_measure;
		engine_queue_add(&pins->node->queue, &pins->measuring);
	}
}

bool pin_describe(const struct pin *pin, struct transfer_convergence *view)
{
	const struct convergence *convergence = &pin->convergence;

	if (!pin->is_judged)
		return false;
	*view = (struct transfer_convergence){
		.verdict = convergence->verdict,
		.horizon = convergence_horizon(convergence),
		.need = convergence_need(convergence),
		.margin = convergence_margin(convergence),
		.pinned_bytes = pin->state == PIN_NONE ? 0 : convergence->kept.bytes,
		.pinned_entries = pin->state == PIN_NONE ? 0 : convergence->kept.entries,
	};
	(void)convergence_describe(convergence, view->text);
	return true;
}

static int64_t to_ms(nsec time)
{
	return time == NEVER ? SNAPLINE_FOR_EVER : time / MSEC;
}

/* A greater verdict is a worse one, then a smaller margin is. */
static bool is_worse(const struct convergence *a, const struct convergence *b)
{
	if (a->verdict != b->verdict)
		return a->verdict > b->verdict;
	return convergence_margin(a) < convergence_margin(b);
}

void pins_get_status(const struct pins *pins, struct snapline_convergence *status)
{
	static const enum snapline_verdict verdicts[] = {
		[CONVERGENCE_MEASURING] = SNAPLINE_MEASURING,
		[CONVERGENCE_YES] = SNAPLINE_CONVERGING,
		[CONVERGENCE_NO] = SNAPLINE_WILL_NOT_CONVERGE,
		[CONVERGENCE_LOST] = SNAPLINE_LOST,
	};
	const struct convergence *worst = NULL;

	memset(status, 0, sizeof(*status));
	status->pinned_from = pins->first == LOG_NO_PIN ? 0 : pins->first;
	for (const struct outgoing *it = pins->node->outgoing.first; it != NULL;
		it = it->next) {
		const struct convergence *convergence = &it->pin.convergence;

		if (it->pin.state != PIN_NONE) {
			status->pinned_entries = u64_max(
				status->pinned_entries, convergence->kept.entries);
			status->pinned_bytes =
				u64_max(status->pinned_bytes, convergence->kept.bytes);
		}
		if (!it->is_ended && it->pin.is_judged &&
			(worst == NULL || is_worse(convergence, worst)))
			worst = convergence;
	}
	if (worst == NULL)
		return;
	status->verdict = verdicts[worst->verdict];
	status->horizon_ms = to_ms(convergence_horizon(worst));
	status->need_ms = to_ms(convergence_need(worst));
	status->margin_ms = to_ms(convergence_margin(worst));
	(void)convergence_describe(worst, status->text);
}

void pins_start(struct pins *pins, struct node *node)
{
	*pins = (struct pins){.node = node, .first = LOG_NO_PIN};
	(void)uv_timer_init(node->loop, &pins->timer);
	pins->timer.data = pins;
}

void pins_stop(struct pins *pins)
{
	(void)uv_timer_stop(&pins->timer);
}

void pins_close(struct pins *pins)
{
	uv_close((uv_handle_t *)&pins->timer, NULL);
}
