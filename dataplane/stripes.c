/* SPDX-License-Identifier: BSD-3-Clause */
#include "dataplane/stripes.h"

void stripes_init(struct stripes *stripes, uint32_t count)
{
	*stripes = (struct stripes){.count = count};
}

bool stripes_on_report(struct stripes *stripes, const struct transfer_report *report)
{
	uint32_t before = stripes->suspended;
	bool is_first;

	stripes->suspended &= ~(1u << report->stripe);
	switch (report->event) {
	case REPORT_SUSPENDED:
		stripes->suspended |= 1u << report->stripe;
		return before == 0;
	case REPORT_RESUMED:
		return before != 0 && stripes->suspended == 0;
	case REPORT_DONE:
		return ++stripes->ndone == stripes->count && !stripes->has_failed;
	case REPORT_FAILED:
		is_first = !stripes->has_failed;
		stripes->has_failed = true;
		return is_first;
	case REPORT_STOPPED:
		stripes->nstopped++;
		return stripes_have_stopped(stripes);
	}
	return true;
}

bool stripes_have_stopped(const struct stripes *stripes)
{
	return stripes->nstopped == stripes->count;
}
