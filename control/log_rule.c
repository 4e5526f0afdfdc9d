/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/log_rule.h"

#include <errno.h>

const char *log_action_name(enum log_action action)
{
	static const char *const names[] = {
		[LOG_KEEP] = "keep",
		[LOG_TRUNCATE_PREFIX] = "truncate-prefix",
		[LOG_VIRTUAL_FIRST] = "virtual-first",
		[LOG_RESET] = "reset",
	};

	return names[action];
}

void log_rule_init(struct log_rule *rule)
{
	*rule = (struct log_rule){.wanted = 0};
}

/* An index from outside may be the largest there is. */
static int64_t next_of(int64_t index)
{
	return index < INT64_MAX ? index + 1 : index;
}

static struct log_update keep(void)
{
	return (struct log_update){.action = LOG_KEEP};
}

static struct log_update truncate_to(int64_t covered, struct log_range log)
{
	if (covered < log.first_index)
		return keep(); /* nothing to drop, or no snapshot at all */
	return (struct log_update){LOG_TRUNCATE_PREFIX, next_of(covered)};
}

struct log_update log_rule_on_snapshot(struct log_rule *rule, struct log_id snapshot,
	struct log_range log, int64_t term_in_log)
{
	if (snapshot.index <= rule->newest.index)
		return keep();
	rule->before = rule->newest;
	rule->newest = snapshot;
	if (term_in_log == 0 || snapshot.index < log.first_index ||
		snapshot.index > log.last_index)
		return (struct log_update){LOG_VIRTUAL_FIRST, next_of(snapshot.index)};
	if (term_in_log != snapshot.term)
		return (struct log_update){LOG_RESET, next_of(snapshot.index)};
	return truncate_to(rule->before.index, log);
}

struct log_update log_rule_on_idle(const struct log_rule *rule, struct log_range log)
{
	return truncate_to(rule->newest.index, log);
}

struct log_update log_rule_hold(struct log_rule *rule, struct log_update update,
	struct log_range log, int64_t pin)
{
	if (update.action == LOG_KEEP)
		return update;
	rule->wanted = 0;
	if (update.action != LOG_TRUNCATE_PREFIX || update.index <= pin)
		return update;
	rule->wanted = update.index;
	return truncate_to(pin - 1, log);
}

struct log_update log_rule_on_pin(
	struct log_rule *rule, struct log_range log, int64_t pin)
{
	struct log_update update;

	if (rule->wanted == 0)
		return keep();
	update = truncate_to((rule->wanted < pin ? rule->wanted : pin) - 1, log);
	if (rule->wanted <= pin)
		rule->wanted = 0;
	return update;
}

int log_rule_check_start(
	int64_t snapshot_index, struct log_range log, struct fault *fault)
{
	if (log.first_index <= next_of(snapshot_index))
		return 0;
	if (snapshot_index == 0)
		return fault_set(fault, -EIO,
			"the log begins at index %lld and there is no snapshot: entries "
			"1 to %lld are missing; restore a snapshot of at least index "
			"%lld, or wipe this node and let the leader install one",
			(long long)log.first_index, (long long)log.first_index - 1,
			(long long)log.first_index - 1);
	return fault_set(fault, -EIO,
		"the log begins at index %lld but the newest snapshot ends at %lld: "
		"entries %lld to %lld are missing; restore a newer snapshot, or wipe "
		"this node and let the leader install one",
		(long long)log.first_index, (long long)snapshot_index,
		(long long)snapshot_index + 1, (long long)log.first_index - 1);
}

int log_rule_check(const struct log_rule *rule, struct log_range log, struct fault *fault)
{
	int rv = log_rule_check_start(rule->newest.index, log, fault);

	if (rv != 0 || rule->newest.index <= log.last_index || rule->newest.index == 0)
		return rv;
	return fault_set(fault, -EIO,
		"the log ends at index %lld, before the newest snapshot at %lld: it was "
		"not told of the snapshot; wipe the log, the snapshot holds its entries",
		(long long)log.last_index, (long long)rule->newest.index);
}
