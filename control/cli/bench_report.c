/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/cli/bench_report.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "dataplane/base/format.h"
#include "dataplane/base/json.h"

/* Of sorted values. */
struct spread {
	double median, p10, p90;
};

static int compare_info(const void *a, const void *b)
{
	const struct transfer_info *x = a;
	const struct transfer_info *y = b;

	return (x->elapsed_ns > y->elapsed_ns) - (x->elapsed_ns < y->elapsed_ns);
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a;
	double y = *(const double *)b;

	return (x > y) - (x < y);
}

/* Between two values in proportion. */
static double percentile(const double values[], size_t count, double percent)
{
	double at = (double)(count - 1) * percent / 100;
	size_t low = (size_t)at;
	size_t high = low + 1 < count ? low + 1 : low;

	return values[low] + (values[high] - values[low]) * (at - (double)low);
}

static double gbps(const struct transfer_info *info)
{
	return (double)info->bytes_total * 8 / (double)info->elapsed_ns;
}

/* Of both ends, without idle polling. */
static double core_seconds(const struct transfer_info *info)
{
	uint64_t cpu = info->report.leader.cpu + info->report.follower.cpu;
	double gib = (double)info->bytes_total / (double)((uint64_t)1 << 30);

	return (double)cpu / (double)SEC / gib;
}

static int measure(const struct transfer_info infos[], size_t count,
	double (*value)(const struct transfer_info *info), struct spread *spread)
{
	double *values = calloc(count, sizeof(*values));

	if (values == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++)
		values[i] = value(&infos[i]);
	qsort(values, count, sizeof(values[0]), compare);
	*spread = (struct spread){percentile(values, count, 50),
		percentile(values, count, 10), percentile(values, count, 90)};
	free(values);
	return 0;
}

static void put_spread(struct json *json, const char *key, const struct spread *spread)
{
	json_open_object(json, key);
	json_thousandths(json, "median", (uint64_t)(spread->median * 1000));
	json_thousandths(json, "p10", (uint64_t)(spread->p10 * 1000));
	json_thousandths(json, "p90", (uint64_t)(spread->p90 * 1000));
	json_close(json);
}

static void print_json(const struct transfer_info *middle, size_t runs,
	const struct spread *rate, const struct spread *cpu)
{
	struct json json;

	json_init(&json, stdout);
	json_open_object(&json, NULL);
	json_u64(&json, "runs", runs);
	json_u64(&json, "files", middle->files);
	json_u64(&json, "bytes", middle->bytes_total);
	json_string(&json, "path", middle->path);
	put_spread(&json, "gbit_per_s", rate);
	if (middle->report.has_leader)
		put_spread(&json, "core_s_per_gib", cpu);
	effort_json(&middle->report, &json);
	json_close(&json);
}

static double ms(uint64_t ns)
{
	return (double)ns / (double)MSEC;
}

static void print_end(const char *name, const struct effort *effort)
{
	uint64_t driver = effort->rx + effort->tx;
	uint64_t rest = effort->worker > driver ? effort->worker - driver : 0;

	(void)printf("%-10s disk: read %.1f ms, checksum %.1f ms, write %.1f ms; worker: "
		     "rx %.1f ms, tx %.1f ms, %s %.1f ms\n",
		name, ms(effort->read), ms(effort->checksum), ms(effort->write),
		ms(effort->rx), ms(effort->tx),
		effort->write > effort->read ? "checks and copy" : "protocol", ms(rest));
}

static void print_text(const struct transfer_info *middle, size_t runs,
	const struct spread *rate, const struct spread *cpu)
{
	const struct effort_steps *steps = &middle->report.steps;
	char bytes[FORMAT_MAX];

	(void)printf("%" PRIu64 " files, %s, %zu runs after one to warm up, path %s\n",
		middle->files, format_bytes(middle->bytes_total, bytes), runs,
		middle->path);
	(void)printf("%-10s %.2f Gb/s (p10 %.2f, p90 %.2f)\n", "goodput", rate->median,
		rate->p10, rate->p90);
	if (middle->report.has_leader)
		(void)printf("%-10s %.2f core-seconds a GiB, both ends, idle polling "
			     "left out (p10 %.2f, p90 %.2f)\n",
			"CPU", cpu->median, cpu->p10, cpu->p90);
	(void)printf("%-10s open %.1f ms, prepare %.1f ms, wire %.1f ms, fsync %.1f ms\n",
		"steps", ms(steps->open), ms(steps->prepare), ms(steps->wire),
		ms(steps->fsync));
	if (middle->report.has_leader)
		print_end("leader", &middle->report.leader);
	print_end("follower", &middle->report.follower);
	(void)printf("%-10s %s\n", "bottleneck", effort_bottleneck(&middle->report));
}

int bench_report(struct transfer_info infos[], size_t count, bool json)
{
	const struct transfer_info *middle = &infos[count / 2];
	struct spread rate, cpu;

	qsort(infos, count, sizeof(infos[0]), compare_info);
	if (measure(infos, count, gbps, &rate) != 0 ||
		measure(infos, count, core_seconds, &cpu) != 0)
		return -ENOMEM;
	if (json)
		print_json(middle, count, &rate, &cpu);
	else
		print_text(middle, count, &rate, &cpu);
	return 0;
}
