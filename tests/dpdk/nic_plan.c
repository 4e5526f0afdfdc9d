/* SPDX-License-Identifier: BSD-3-Clause */
/* What a --dev argument means before the device exists: what is appended for the driver,
 * how large buffers are, and what is refused. "lo" is the interface every machine has. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "dataplane/dpdk/nic_iface.h"
#include "dataplane/dpdk/nic_plan.h"

static void memif_slots_hold_a_jumbo_frame(void **state)
{
	struct nic_plan plan;

	(void)state;
	assert_int_equal(nic_plan_make(&plan, "net_memif0,role=server", 0, 1, NULL), 0);
	assert_string_equal(plan.args, "net_memif0,role=server,bsize=9216,rsize=7");
	assert_true(plan.rx_room < 9216 && plan.tx_room > 9216);
	assert_true(plan.mtu >= 9000);
	/* less than they hold is what the operator wants */
	assert_int_equal(
		nic_plan_make(&plan, "net_memif0,role=server", 1500, 1, NULL), 0);
	assert_int_equal(plan.mtu, 1500);
}

static void the_mtu_is_the_interfaces(void **state)
{
	uint32_t mtu = nic_iface_mtu("lo,x", 2);
	struct nic_plan plan;

	(void)state;
	assert_true(mtu >= 1500);
	assert_int_equal(nic_iface_mtu("no-such-iface", 13), 0);
	assert_int_equal(nic_iface_mtu("longer-than-any-interface-name", 30), 0);
	assert_int_equal(nic_plan_make(&plan, "net_af_packet0,iface=lo", 0, 1, NULL), 0);
	assert_int_equal(plan.mtu, mtu < NIC_PLAN_MTU_MAX ? mtu : NIC_PLAN_MTU_MAX);
}

/* The driver copies framesz bytes into a buffer without looking at its size; and the more
 * a slot holds the fewer there are, so that what is copied stays in the caches. */
static void af_packet_gets_slots_that_hold_the_mtu(void **state)
{
	static const struct {
		uint32_t mtu;
		const char *dev, *args;
		uint32_t room;
	} cases[] = {
		{1500, "net_af_packet0,iface=lo",
			"net_af_packet0,iface=lo,framesz=2048,blocksz=4096,framecnt=1024",
			2048},
		{3498, "net_af_packet0,iface=lo",
			"net_af_packet0,iface=lo,framesz=4096,blocksz=8192,"
			"framecnt=1024",
			4096},
		{9000, "net_af_packet0,iface=lo",
			"net_af_packet0,iface=lo,framesz=10240,blocksz=20480,"
			"framecnt=512",
			10240},
		{9000, "net_af_packet0,iface=lo,framesz=16384",
			"net_af_packet0,iface=lo,framesz=16384,blocksz=32768,"
			"framecnt=512",
			16384},
		{1500, "net_af_packet0,iface=lo,framecnt=64,blocksz=65536",
			"net_af_packet0,iface=lo,framecnt=64,blocksz=65536,framesz=2048",
			2048},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct nic_plan plan;

		assert_int_equal(
			nic_plan_make(&plan, cases[i].dev, cases[i].mtu, 1, NULL), 0);
		assert_string_equal(plan.args, cases[i].args);
		nic_plan_settle(&plan, plan.mtu);
		assert_int_equal(plan.rx_room, cases[i].room);
		assert_true(plan.tx_room >= cases[i].mtu + NIC_PLAN_L2_MAX);
	}
}

static void af_xdp_gets_a_ring_full_of_buffers_below_a_page(void **state)
{
	struct nic_plan plan;

	(void)state;
	assert_int_equal(nic_plan_make(&plan, "net_af_xdp0,iface=lo", 1500, 1, NULL), 0);
	assert_string_equal(plan.args, "net_af_xdp0,iface=lo,busy_budget=0");
	assert_true(plan.rx_buffers > 2 * 2048);
	assert_true(plan.rx_room >= 1500 + NIC_PLAN_L2_MAX + 256);
	assert_int_equal(nic_plan_make(&plan, "net_af_xdp0,iface=lo", 3438, 1, NULL), 0);
	assert_true(plan.rx_room <= 3712);
	assert_int_equal(nic_plan_make(&plan, "net_af_xdp0,iface=lo", 1100, 1, NULL), 0);
	assert_true(plan.rx_room >= 2048);
}

/* e1000 uses of a buffer what is a multiple of 1 KiB, and virtio wants its own header in
 * it: a frame that does not fit comes in two parts, or the queue does not open. */
static void a_nics_buffer_holds_a_frame_in_whole_kilobytes(void **state)
{
	const uint32_t mtus[] = {1100, 1500, 9000, 9198, 9600};

	(void)state;
	for (size_t i = 0; i < sizeof(mtus) / sizeof(mtus[0]); i++) {
		struct nic_plan plan;

		assert_int_equal(
			nic_plan_make(&plan, "0000:3b:00.0", mtus[i], 1, NULL), 0);
		nic_plan_settle(&plan, plan.mtu);
		assert_int_equal(plan.rx_room % 1024, 0);
		assert_true(plan.rx_room >= mtus[i] + NIC_PLAN_L2_MAX + 12);
	}
}

static void what_cannot_work_is_refused_with_a_remedy(void **state)
{
	static const struct {
		const char *dev;
		uint32_t mtu;
		const char *text;
	} cases[] = {
		{"", 0, "give a PCI address"},
		{"net_memif0,bsize=100", 0, "bsize=100 is out of range"},
		{"net_ring0", 100, "MTU 100 is not in"},
		{"net_af_packet0,iface=lo,framesz=2048", 9000, "leave it out"},
		{"net_af_packet0,iface=lo,framesz=131072", 1500, "leave it out"},
		{"net_af_xdp0,iface=lo", 9000, "use net_af_packet"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct fault fault = {0};
		struct nic_plan plan;

		assert_int_equal(
			nic_plan_make(&plan, cases[i].dev, cases[i].mtu, 1, &fault),
			-EINVAL);
		assert_non_null(strstr(fault.text, cases[i].text));
	}
}

/* Each driver has its own word for it; memif and rings take what is configured. */
static void queues_are_asked_of_the_driver(void **state)
{
	static const struct {
		const char *dev, *wants;
		bool keeps;
	} cases[] = {
		{"net_af_packet0,iface=lo", ",qpairs=4", false},
		{"net_af_xdp0,iface=lo", ",queue_count=4", false},
		{"net_memif0,role=server", ",rsize=7", true},
		{"net_ring0", "net_ring0", true},
	};
	struct nic_plan plan, one;
	struct fault fault = {0};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_int_equal(nic_plan_make(&plan, cases[i].dev, 1500, 4, NULL), 0);
		assert_non_null(strstr(plan.args, cases[i].wants));
		assert_int_equal(plan.keeps_queue, cases[i].keeps);
		assert_int_equal(plan.queues, 4);
		assert_int_equal(nic_plan_make(&one, cases[i].dev, 1500, 0, NULL), 0);
		assert_null(strstr(one.args, "q"));
		assert_int_equal(one.queues, 1);
		assert_int_equal(plan.shared, 4 * one.shared);
	}
	assert_int_equal(nic_plan_make(&plan, "net_ring0", 0, 9, &fault), -EINVAL);
	assert_non_null(strstr(fault.text, "1 to 8"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(memif_slots_hold_a_jumbo_frame),
		cmocka_unit_test(the_mtu_is_the_interfaces),
		cmocka_unit_test(af_packet_gets_slots_that_hold_the_mtu),
		cmocka_unit_test(af_xdp_gets_a_ring_full_of_buffers_below_a_page),
		cmocka_unit_test(a_nics_buffer_holds_a_frame_in_whole_kilobytes),
		cmocka_unit_test(what_cannot_work_is_refused_with_a_remedy),
		cmocka_unit_test(queues_are_asked_of_the_driver),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
