/* SPDX-License-Identifier: BSD-3-Clause */
/* Several workers move one snapshot; the control plane hears of one session. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "dataplane/stripes.h"

static bool hear(struct stripes *stripes, enum transfer_event event)
{
	const struct transfer_report report = {
		.event = event, .code = event == REPORT_FAILED ? -EIO : 0};

	return stripes_on_report(stripes, &report);
}

static void one_stripe_speaks_for_itself(void **state)
{
	struct stripes stripes;

	(void)state;
	stripes_init(&stripes, 1);
	assert_true(hear(&stripes, REPORT_DONE));
	assert_false(stripes_have_stopped(&stripes));
	assert_true(hear(&stripes, REPORT_STOPPED));
	assert_true(stripes_have_stopped(&stripes));
}

/* While any stripe hears nothing the transfer is suspended, said once. */
static void it_is_suspended_with_the_first_and_resumed_with_the_last(void **state)
{
	struct transfer_report report = {.event = REPORT_SUSPENDED, .stripe = 1};
	struct stripes stripes;

	(void)state;
	stripes_init(&stripes, 3);
	assert_true(stripes_on_report(&stripes, &report));
	report.stripe = 2;
	assert_false(stripes_on_report(&stripes, &report));
	report.event = REPORT_RESUMED;
	assert_false(stripes_on_report(&stripes, &report));
	report.stripe = 1;
	assert_true(stripes_on_report(&stripes, &report));
}

static void it_is_done_when_all_are(void **state)
{
	struct stripes stripes;

	(void)state;
	stripes_init(&stripes, 3);
	assert_false(hear(&stripes, REPORT_DONE));
	assert_false(hear(&stripes, REPORT_DONE));
	assert_true(hear(&stripes, REPORT_DONE));
}

static void the_first_failure_is_the_sessions(void **state)
{
	struct stripes stripes;

	(void)state;
	stripes_init(&stripes, 4);
	assert_false(hear(&stripes, REPORT_DONE));
	assert_true(hear(&stripes, REPORT_FAILED));
	assert_false(hear(&stripes, REPORT_FAILED));
	/* and what is done after it does not make it good again */
	assert_false(hear(&stripes, REPORT_DONE));
}

static void it_has_stopped_when_all_have(void **state)
{
	struct stripes stripes;

	(void)state;
	stripes_init(&stripes, 2);
	assert_true(hear(&stripes, REPORT_FAILED));
	assert_false(hear(&stripes, REPORT_STOPPED));
	assert_false(stripes_have_stopped(&stripes));
	assert_true(hear(&stripes, REPORT_STOPPED));
	assert_true(stripes_have_stopped(&stripes));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_stripe_speaks_for_itself),
		cmocka_unit_test(
			it_is_suspended_with_the_first_and_resumed_with_the_last),
		cmocka_unit_test(it_is_done_when_all_are),
		cmocka_unit_test(the_first_failure_is_the_sessions),
		cmocka_unit_test(it_has_stopped_when_all_have),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
