/* SPDX-License-Identifier: BSD-3-Clause */
/* A frame refers to its slice in a chunk buffer, and the buffer is not handed out again
 * while a frame does. No root, no hugepages. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdalign.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include <rte_mbuf.h>

#include "dataplane/base/log.h"
#include "dataplane/base/units.h"
#include "dataplane/dpdk/eal.h"
#include "dataplane/dpdk/nic_dpdk.h"
#include "dataplane/dpdk/nic_gather.h"

enum { BUFFERS = 4, SIZE = 16384, FRAMES = 255, HEAD = 82, SLICE = 8192 };

static alignas(4096) uint8_t buffers[BUFFERS * SIZE];
static struct eal *eal;
static struct nic_gather gather;
static struct rte_mempool *heads;

static int start(void **state)
{
	const char *dev = "net_null0";
	struct eal_options options = {.devices = &dev, .ndevices = 1, .memory = 32 * MIB};
	const struct nic_dpdk_memory memory = {.base = buffers,
		.iova = (uintptr_t)buffers,
		.count = BUFFERS,
		.step = SIZE};
	struct fault fault = {0};

	(void)state;
	for (size_t i = 0; i < sizeof(buffers); i++)
		buffers[i] = (uint8_t)(i * 7 + i / 256);
	if (eal_start(&eal, &options, &fault) != 0) {
		print_error("%s\n", fault.text);
		return -1;
	}
	heads = rte_pktmbuf_pool_create("heads", FRAMES, 0, 0, 512, SOCKET_ID_ANY);
	return heads == NULL ? -1 : nic_gather_open(&gather, "tails", FRAMES, &memory);
}

static int stop(void **state)
{
	(void)state;
	nic_gather_close(&gather);
	rte_mempool_free(heads);
	eal_stop(eal);
	return 0;
}

static struct rte_mbuf *make_frame(const uint8_t *payload)
{
	struct rte_mbuf *head = rte_pktmbuf_alloc(heads);
	struct rte_mbuf *tail = rte_pktmbuf_alloc(gather.pool);

	assert_non_null(head);
	assert_non_null(tail);
	memset(rte_pktmbuf_append(head, HEAD), 0xaa, HEAD);
	nic_gather_attach(&gather, head, tail, payload, SLICE);
	return head;
}

static uint16_t count_of(uint32_t buffer)
{
	return rte_mbuf_ext_refcnt_read(
		nic_gather_count(&gather, buffers + (size_t)buffer * SIZE));
}

static void a_frame_is_headers_and_a_slice_that_was_not_copied(void **state)
{
	const uint8_t *slice = buffers + SIZE + SLICE;
	struct rte_mbuf *frame = make_frame(slice);
	static uint8_t bytes[HEAD + SLICE];

	(void)state;
	assert_int_equal(rte_pktmbuf_pkt_len(frame), HEAD + SLICE);
	assert_ptr_equal(rte_pktmbuf_mtod(frame->next, const uint8_t *), slice);
	assert_int_equal(rte_pktmbuf_iova(frame->next), (uintptr_t)slice);
	assert_non_null(rte_pktmbuf_read(frame, 0, HEAD + SLICE, bytes));
	assert_memory_equal(bytes + HEAD, slice, SLICE);
	rte_pktmbuf_free(frame);
}

static void a_buffer_is_held_until_its_last_frame_is_gone(void **state)
{
	struct rte_mbuf *first = make_frame(buffers + SIZE);
	struct rte_mbuf *second = make_frame(buffers + SIZE + SLICE);

	(void)state;
	assert_int_equal(count_of(0), 0);
	assert_int_equal(count_of(1), 2);
	rte_pktmbuf_free(first);
	assert_int_equal(count_of(1), 1);
	rte_pktmbuf_free(second);
	assert_int_equal(count_of(1), 0);
}

/* A NIC that was given nothing since keeps its last frames: half of the buffers stay
 * ours, or none would be left to read the next chunk into. */
static void frames_refer_to_half_of_the_buffers_at_a_time(void **state)
{
	const uint8_t *third = buffers + (size_t)2 * SIZE;
	struct rte_mbuf *frames[] = {make_frame(buffers), make_frame(buffers + SIZE)};

	(void)state;
	assert_false(nic_gather_takes(&gather, third));
	assert_true(nic_gather_takes(&gather, buffers + SLICE));
	rte_pktmbuf_free(frames[0]);
	assert_true(nic_gather_takes(&gather, third));
	rte_pktmbuf_free(frames[1]);
}

static void frames_give_back_what_they_are_made_of(void **state)
{
	(void)state;
	for (int i = 0; i < 4 * FRAMES; i++)
		rte_pktmbuf_free(make_frame(buffers + (size_t)(i % BUFFERS) * SIZE));
	assert_int_equal(rte_mempool_avail_count(heads), FRAMES);
	assert_int_equal(rte_mempool_avail_count(gather.pool), FRAMES);
}

static void only_chunk_buffers_are_referred_to(void **state)
{
	const struct nic_gather none = {0};
	uint8_t body[16];

	(void)state;
	assert_true(nic_gather_covers(&gather, buffers));
	assert_true(nic_gather_covers(&gather, buffers + sizeof(buffers) - 1));
	assert_false(nic_gather_covers(&gather, buffers + sizeof(buffers)));
	assert_false(nic_gather_covers(&gather, body));
	assert_false(nic_gather_covers(&none, buffers));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_frame_is_headers_and_a_slice_that_was_not_copied),
		cmocka_unit_test(a_buffer_is_held_until_its_last_frame_is_gone),
		cmocka_unit_test(frames_refer_to_half_of_the_buffers_at_a_time),
		cmocka_unit_test(frames_give_back_what_they_are_made_of),
		cmocka_unit_test(only_chunk_buffers_are_referred_to),
	};

	log_set_level(LOG_ERROR);
	return cmocka_run_group_tests(tests, start, stop);
}
