/* SPDX-License-Identifier: BSD-3-Clause */
/* Frames go through a DPDK device unharmed, and a device that cannot be had is refused
 * with a line that helps. net_ring loops back: what is sent is received. No root, no
 * hugepages. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <rte_ethdev.h>
#include <rte_mbuf.h>

#include "dataplane/base/log.h"
#include "dataplane/dpdk/eal.h"
#include "dataplane/dpdk/memif_guard.h"
#include "dataplane/dpdk/nic_dpdk.h"

enum {
	FRAME_MIN = 14,
	FRAME_MAX = 8274,
	MTU = FRAME_MAX - 14,
	HEAD = 82,
	LOOP = 100000, /* far more frames than any ring holds */
};

struct bench {
	struct eal *eal;
	struct nic_dpdk *port;
	struct nic nic;
	struct nic_tx tx[NIC_BURST];
	uint8_t payload[FRAME_MAX];
};

static const struct nic_dpdk_options loop_options = {.dev = "net_ring0", .mtu = MTU};

static int open_bench(void **state)
{
	const char *dev = loop_options.dev;
	struct eal_options options = {.devices = &dev, .ndevices = 1};
	struct bench *bench = calloc(1, sizeof(*bench));
	struct fault fault = {0};

	*state = bench;
	for (size_t i = 0; i < sizeof(bench->payload); i++)
		bench->payload[i] = (uint8_t)(i * 31 + i / 256);
	/* more than there is: refused before DPDK tries, so that it can still start */
	options.memory = (size_t)1 << 50;
	if (eal_start(&bench->eal, &options, &fault) != -ENOMEM ||
		strstr(fault.text, "ask for fewer or smaller buffers") == NULL)
		return -1;
	memset(&fault, 0, sizeof(fault));
	options.memory = nic_dpdk_memory(&loop_options) + 32 * MIB;
	if (eal_start(&bench->eal, &options, &fault) != 0 ||
		memif_guard_start(&fault) != 0 ||
		nic_dpdk_open(&bench->port, &bench->nic, bench->eal, &loop_options,
			&fault) != 0)
		print_error("%s\n", fault.text);
	return fault.code;
}

static int close_bench(void **state)
{
	struct bench *bench = *state;

	nic_dpdk_close(bench->port);
	eal_stop(bench->eal);
	free(bench);
	return 0;
}

/* A frame of len bytes, its first ones telling the length. */
static void make_frame(struct bench *bench, struct nic_tx *frame, uint32_t len)
{
	frame->head_len = len < HEAD ? len : HEAD;
	memset(frame->head, (int)len & 0xff, frame->head_len);
	memcpy(frame->head, &len, sizeof(len));
	frame->payload = len > HEAD ? bench->payload : NULL;
	frame->payload_len = len - frame->head_len;
}

static void check_frame(struct bench *bench, const struct nic_rx *frame, uint32_t len)
{
	struct nic_tx expected;

	make_frame(bench, &expected, len);
	assert_int_equal(frame->len, len);
	assert_memory_equal(frame->data, expected.head, expected.head_len);
	if (expected.payload_len > 0)
		assert_memory_equal(frame->data + expected.head_len, expected.payload,
			expected.payload_len);
}

static void every_length_goes_through_unharmed(void **state)
{
	struct bench *bench = *state;
	struct nic_rx rx[NIC_BURST];
	uint32_t len = FRAME_MIN;

	while (len <= FRAME_MAX) {
		int count = 0;

		while (count < NIC_BURST && len + (uint32_t)count <= FRAME_MAX) {
			make_frame(bench, &bench->tx[count], len + (uint32_t)count);
			count++;
		}
		assert_int_equal(
			bench->nic.ops->tx(bench->nic.self, bench->tx, count), count);
		assert_int_equal(
			bench->nic.ops->rx(bench->nic.self, rx, NIC_BURST), count);
		for (int i = 0; i < count; i++)
			check_frame(bench, &rx[i], len++);
		bench->nic.ops->release(bench->nic.self, rx, count);
	}
}

static int drain(struct bench *bench)
{
	struct nic_rx rx[NIC_BURST];
	int total = 0;
	int count;

	while ((count = bench->nic.ops->rx(bench->nic.self, rx, NIC_BURST)) > 0) {
		bench->nic.ops->release(bench->nic.self, rx, count);
		total += count;
	}
	return total;
}

static void a_full_device_takes_no_more_and_loses_nothing(void **state)
{
	struct bench *bench = *state;
	int taken = 0;
	int count;

	for (int i = 0; i < NIC_BURST; i++)
		make_frame(bench, &bench->tx[i], 1000);
	do {
		count = bench->nic.ops->tx(bench->nic.self, bench->tx, NIC_BURST);
		taken += count;
	} while (count > 0 && taken < LOOP);
	assert_true(taken < LOOP);
	assert_int_equal(drain(bench), taken);
	/* and then it takes again */
	assert_int_equal(
		bench->nic.ops->tx(bench->nic.self, bench->tx, NIC_BURST), NIC_BURST);
	assert_int_equal(drain(bench), NIC_BURST);
}

/* A session could never end otherwise: it waits until the device has its frames. */
static void a_device_that_takes_nothing_for_seconds_loses_frames(void **state)
{
	struct bench *bench = *state;
	const struct nic_ops *ops = bench->nic.ops;
	struct nic_dpdk_stats before, after;
	nsec now = 1000 * SEC;

	for (int i = 0; i < NIC_BURST; i++)
		make_frame(bench, &bench->tx[i], 1000);
	while (ops->tx(bench->nic.self, bench->tx, NIC_BURST) > 0)
		;
	nic_dpdk_get_stats(bench->port, &before);
	for (int i = 0; i < 3; i++) { /* it may be busy just now */
		assert_int_equal(ops->tx(bench->nic.self, bench->tx, NIC_BURST), 0);
		nic_dpdk_maintain(bench->port, 0, now += SEC);
	}
	assert_int_equal(ops->tx(bench->nic.self, bench->tx, NIC_BURST), NIC_BURST);
	nic_dpdk_get_stats(bench->port, &after);
	assert_true(after.lost > before.lost);
	(void)drain(bench);
	nic_dpdk_get_stats(bench->port, &before);
	assert_int_equal(ops->tx(bench->nic.self, bench->tx, NIC_BURST), NIC_BURST);
	assert_int_equal(drain(bench), NIC_BURST);
	nic_dpdk_get_stats(bench->port, &after);
	assert_int_equal(after.lost, before.lost);
}

/* The number of free packet buffers is what it was: none leaks in 30 times a pool. */
static void buffers_come_back(void **state)
{
	struct bench *bench = *state;

	for (int i = 0; i < NIC_BURST; i++)
		make_frame(bench, &bench->tx[i], FRAME_MAX);
	for (int i = 0; i < LOOP; i += NIC_BURST) {
		assert_int_equal(
			bench->nic.ops->tx(bench->nic.self, bench->tx, NIC_BURST),
			NIC_BURST);
		assert_int_equal(drain(bench), NIC_BURST);
	}
}

static void a_frame_above_the_mtu_is_dropped_not_overrun(void **state)
{
	struct bench *bench = *state;
	struct nic_dpdk_stats before, after;

	make_frame(bench, &bench->tx[0], 100);
	make_frame(bench, &bench->tx[1], 100);
	bench->tx[1].payload_len = FRAME_MAX;
	make_frame(bench, &bench->tx[2], 101);
	nic_dpdk_get_stats(bench->port, &before);
	assert_int_equal(bench->nic.ops->tx(bench->nic.self, bench->tx, 3), 3);
	nic_dpdk_get_stats(bench->port, &after);
	assert_int_equal(after.dropped, before.dropped + 1);
	assert_int_equal(drain(bench), 2);
}

/* A peer may hand us a frame in pieces; the worker sees one. */
static void a_frame_in_pieces_is_joined(void **state)
{
	struct bench *bench = *state;
	struct rte_mempool *pool = rte_mempool_lookup("rx0.0");
	struct nic_rx rx[NIC_BURST];
	struct rte_mbuf *first, *second;
	uint16_t port;

	assert_int_equal(rte_eth_dev_get_port_by_name("net_ring0", &port), 0);
	assert_non_null(pool);
	first = rte_pktmbuf_alloc(pool);
	second = rte_pktmbuf_alloc(pool);
	memcpy(rte_pktmbuf_append(first, 40), bench->payload, 40);
	memcpy(rte_pktmbuf_append(second, 1400), bench->payload + 40, 1400);
	assert_int_equal(rte_pktmbuf_chain(first, second), 0);
	assert_int_equal(rte_eth_tx_burst(port, 0, &first, 1), 1);
	assert_int_equal(bench->nic.ops->rx(bench->nic.self, rx, NIC_BURST), 1);
	assert_int_equal(rx[0].len, 1440);
	assert_memory_equal(rx[0].data, bench->payload, 1440);
	bench->nic.ops->release(bench->nic.self, rx, 1);
}

/* Frames from another guest of the same host are intact, and their checksums were never
 * finished: virtio says so. */
static void a_checksum_never_finished_counts_as_good(void **state)
{
	const struct {
		uint64_t flags;
		bool is_good;
	} cases[] = {
		{RTE_MBUF_F_RX_L4_CKSUM_GOOD, true},
		{RTE_MBUF_F_RX_L4_CKSUM_NONE, true},
		{RTE_MBUF_F_RX_L4_CKSUM_BAD, false},
		{RTE_MBUF_F_RX_L4_CKSUM_UNKNOWN, false},
	};
	struct bench *bench = *state;
	struct rte_mempool *pool = rte_mempool_lookup("rx0.0");
	struct nic_rx rx[NIC_BURST];
	uint16_t port;

	assert_int_equal(rte_eth_dev_get_port_by_name("net_ring0", &port), 0);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct rte_mbuf *mbuf = rte_pktmbuf_alloc(pool);

		memcpy(rte_pktmbuf_append(mbuf, 100), bench->payload, 100);
		mbuf->ol_flags = cases[i].flags;
		assert_int_equal(rte_eth_tx_burst(port, 0, &mbuf, 1), 1);
		assert_int_equal(bench->nic.ops->rx(bench->nic.self, rx, NIC_BURST), 1);
		assert_int_equal(rx[0].is_sum_good, cases[i].is_good);
		bench->nic.ops->release(bench->nic.self, rx, 1);
	}
}

static void the_nic_has_an_address_and_the_mtu_asked_for(void **state)
{
	struct bench *bench = *state;
	const uint8_t none[6] = {0};

	assert_int_equal(bench->nic.mtu, MTU);
	assert_memory_not_equal(bench->nic.mac, none, 6);
}

static void a_device_that_cannot_be_had_is_refused_with_a_remedy(void **state)
{
	static const struct {
		struct nic_dpdk_options options;
		int code;
		const char *says;
	} cases[] = {
		{{.dev = "net_nonsense0"}, -ENODEV, "net_nonsense0"},
		{{.dev = "net_ring0"}, -EINVAL, "used twice"},
		{{.dev = "0000:99:1f.7"}, -ENODEV, "dpdk-devbind.py"},
		{{.dev = "net_memif0,role=boss"}, -ENODEV, "Unknown role"},
		{{.dev = "net_memif0,bsize=100"}, -EINVAL, "bsize=100"},
		{{.dev = "net_af_packet0,iface=lo,framesz=2048", .mtu = 9000}, -EINVAL,
			"framesz=2048"},
		{{.dev = "net_af_packet0,iface=nonesuch0"}, -ENODEV, "net_af_packet0"},
		{{.dev = "net_null0", .mtu = 100}, -EINVAL, "MTU 100"},
		{{.dev = ""}, -EINVAL, "empty"},
	};
	struct bench *bench = *state;

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct fault fault = {0};
		struct nic_dpdk *port;
		struct nic nic;

		assert_int_equal(
			nic_dpdk_open(&port, &nic, bench->eal, &cases[i].options, &fault),
			cases[i].code);
		if (strstr(fault.text, cases[i].says) == NULL)
			fail_msg("'%s' is not in: %s", cases[i].says, fault.text);
		print_message("  %s\n", fault.text);
	}
}

static void dpdk_starts_once_a_process(void **state)
{
	const struct eal_options options = {.memory = MIB};
	struct fault fault = {0};
	struct eal *eal;

	(void)state;
	assert_int_equal(eal_start(&eal, &options, &fault), -EBUSY);
	assert_non_null(strstr(fault.text, "once only"));
}

static void pci_addresses_are_told_from_vdevs(void **state)
{
	(void)state;
	assert_true(eal_is_pci("0000:03:00.0"));
	assert_true(eal_is_pci("03:00.1"));
	assert_true(eal_is_pci("0000:03:00.0,arg=1"));
	assert_false(eal_is_pci("net_ring0"));
	assert_false(eal_is_pci("eth_ring0"));
	assert_false(eal_is_pci("03:00.0x"));
	assert_false(eal_is_pci(""));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pci_addresses_are_told_from_vdevs),
		cmocka_unit_test(a_checksum_never_finished_counts_as_good),
		cmocka_unit_test(the_nic_has_an_address_and_the_mtu_asked_for),
		cmocka_unit_test(every_length_goes_through_unharmed),
		cmocka_unit_test(a_full_device_takes_no_more_and_loses_nothing),
		cmocka_unit_test(a_device_that_takes_nothing_for_seconds_loses_frames),
		cmocka_unit_test(buffers_come_back),
		cmocka_unit_test(a_frame_above_the_mtu_is_dropped_not_overrun),
		cmocka_unit_test(a_frame_in_pieces_is_joined),
		cmocka_unit_test(a_device_that_cannot_be_had_is_refused_with_a_remedy),
		cmocka_unit_test(dpdk_starts_once_a_process),
	};

	log_set_level(LOG_WARN);
	return cmocka_run_group_tests(tests, open_bench, close_bench);
}
