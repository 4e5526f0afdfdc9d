/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/effort.h"

#include <stddef.h>

#include "dataplane/base/json.h"
#include "dataplane/base/units.h"

struct named {
	const char *name;
	uint64_t ns;
};

static struct named largest(const struct named rows[], size_t count)
{
	struct named most = rows[0];

	for (size_t i = 1; i < count; i++) {
		if (rows[i].ns > most.ns)
			most = rows[i];
	}
	return most;
}

static const char *slowest_thread(const struct effort_report *report)
{
	const struct named threads[] = {
		{"leader's disk", report->leader.read + report->leader.checksum},
		{"leader's worker", report->leader.worker},
		{"follower's worker", report->follower.worker},
		{"follower's disk", report->follower.write},
	};
	struct named most = largest(threads, ARRAY_LEN(threads));
	uint64_t each = most.ns / u32_max(report->stripes, 1);

	return each >= report->steps.wire / 2 ? most.name : "the wire";
}

const char *effort_bottleneck(const struct effort_report *report)
{
	const struct named steps[] = {
		{"wire", report->steps.wire},
		{"open", report->steps.open},
		{"prepare", report->steps.prepare},
		{"fsync", report->steps.fsync},
	};
	struct named most = largest(steps, ARRAY_LEN(steps));

	return most.ns == report->steps.wire ? slowest_thread(report) : most.name;
}

/* What is left of a worker's busy time: protocol, MAC, checks, the copy. */
static uint64_t rest(const struct effort *effort)
{
	uint64_t driver = effort->rx + effort->tx;

	return effort->worker > driver ? effort->worker - driver : 0;
}

/* Milliseconds with three decimals. */
static void put(struct json *json, const char *key, uint64_t ns)
{
	json_thousandths(json, key, ns / 1000);
}

void effort_json(const struct effort_report *report, struct json *json)
{
	const struct effort *leader = &report->leader;
	const struct effort *follower = &report->follower;

	json_open_object(json, "stages_ms");
	put(json, "open", report->steps.open);
	put(json, "prepare", report->steps.prepare);
	put(json, "wire", report->steps.wire);
	put(json, "fsync", report->steps.fsync);
	if (report->has_leader) {
		put(json, "leader_read", leader->read);
		put(json, "leader_checksum", leader->checksum);
		put(json, "leader_send", rest(leader));
		put(json, "leader_tx", leader->tx);
		put(json, "leader_rx", leader->rx);
		put(json, "leader_cpu", leader->cpu);
	}
	put(json, "follower_rx", follower->rx);
	put(json, "follower_copy", rest(follower));
	put(json, "follower_tx", follower->tx);
	put(json, "follower_write", follower->write);
	put(json, "follower_cpu", follower->cpu);
	json_close(json);
	json_string(json, "bottleneck", effort_bottleneck(report));
}
