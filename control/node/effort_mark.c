/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/node/effort_mark.h"

#include <string.h>
#include <time.h>

#include "dataplane/base/units.h"

static uint64_t process_cpu(void)
{
	struct timespec cpu = {0};

	(void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &cpu);
	return (uint64_t)cpu.tv_sec * SEC + (uint64_t)cpu.tv_nsec;
}

void effort_mark_set(
	struct effort_mark *mark, struct plane *plane, const struct store_object *object)
{
	memset(mark, 0, sizeof(*mark));
	mark->cpu = process_cpu();
	if (plane != NULL)
		transfer_get_work(plane_transfer(plane), &mark->work);
	if (object != NULL)
		store_object_get_times(object, &mark->times);
}

void effort_mark_measure(const struct effort_mark *mark, struct plane *plane,
	const struct store_object *object, struct effort *effort)
{
	struct transfer_work work = {0};
	struct store_times times;
	uint64_t polling;

	effort->cpu = process_cpu() - mark->cpu;
	if (plane != NULL) {
		transfer_get_work(plane_transfer(plane), &work);
		effort->worker = work.busy - mark->work.busy;
		effort->rx = work.rx - mark->work.rx;
		effort->tx = work.tx - mark->work.tx;
		/* a worker that had to wait for its core was busy for longer than it ran
		 */
		polling = work.cpu - mark->work.cpu;
		polling -= u64_min(polling, effort->worker);
		effort->cpu -= u64_min(effort->cpu, polling);
	}
	if (object != NULL) {
		store_object_get_times(object, &times);
		effort->read = times.read - mark->times.read;
		effort->checksum = times.checksum - mark->times.checksum;
		effort->write = times.write - mark->times.write;
	}
}
