/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/log_size.h"

void log_size_init(struct log_size *size, int64_t last)
{
	size->count = 1;
	size->stride = 1;
	size->marks[0] = (struct log_mark){.index = last};
}

/* Half as many, twice as far apart; the first and the last stay. */
static void thin_out(struct log_size *size)
{
	const struct log_mark last = size->marks[size->count - 1];
	uint32_t kept = 0;

	for (uint32_t i = 0; i < size->count; i += 2)
		size->marks[kept++] = size->marks[i];
	if (size->marks[kept - 1].index < last.index)
		size->marks[kept++] = last;
	size->count = kept;
	size->stride *= 2;
}

void log_size_on_append(struct log_size *size, int64_t last, uint64_t bytes)
{
	struct log_mark *end = &size->marks[size->count - 1];
	const struct log_mark mark = {last, end->bytes + bytes};

	if (last <= end->index)
		return;
	/* the last mark moves on until it is a stride from the one before */
	if (size->count > 1 && end->index - end[-1].index < size->stride) {
		*end = mark;
		return;
	}
	if (size->count == LOG_SIZE_MARKS)
		thin_out(size);
	size->marks[size->count++] = mark;
}

static uint64_t between(
	const struct log_mark *low, const struct log_mark *high, int64_t index)
{
	uint64_t part = (uint64_t)(index - low->index);
	uint64_t whole = (uint64_t)(high->index - low->index);

	return low->bytes + (uint64_t)((double)(high->bytes - low->bytes) * (double)part /
				       (double)whole);
}

/* Of all entries up to that index. */
static uint64_t bytes_to(const struct log_size *size, int64_t index)
{
	uint32_t i = size->count - 1;

	if (index >= size->marks[i].index)
		return size->marks[i].bytes;
	if (index <= size->marks[0].index)
		return size->marks[0].bytes;
	while (size->marks[i].index > index)
		i--;
	return between(&size->marks[i], &size->marks[i + 1], index);
}

void log_size_on_truncate(struct log_size *size, int64_t last)
{
	const struct log_mark end = {last, bytes_to(size, last)};

	if (last >= size->marks[size->count - 1].index)
		return;
	if (last <= size->marks[0].index) {
		log_size_init(size, last);
		return;
	}
	while (size->marks[size->count - 1].index >= last)
		size->count--;
	size->marks[size->count++] = end;
}

uint64_t log_size_from(const struct log_size *size, int64_t first)
{
	return size->marks[size->count - 1].bytes - bytes_to(size, first - 1);
}
