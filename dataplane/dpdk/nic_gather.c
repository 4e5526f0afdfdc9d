/* SPDX-License-Identifier: BSD-3-Clause */
#include "dataplane/dpdk/nic_gather.h"

#include <errno.h>
#include <string.h>

#include <rte_malloc.h>

#include "dataplane/dpdk/nic_dpdk.h"

enum { POOL_CACHE = 64 };

/* The last frame of a buffer was freed. */
static void on_zero(void *addr, void *context)
{
	struct nic_gather *gather = context;

	(void)addr;
	gather->nheld--;
}

int nic_gather_open(struct nic_gather *gather, const char *name, uint32_t count,
	const struct nic_dpdk_memory *memory)
{
	gather->counts = rte_calloc("gather", memory->count, sizeof(*gather->counts), 0);
	if (gather->counts == NULL)
		return -ENOMEM;
	for (uint32_t i = 0; i < memory->count; i++) {
		gather->counts[i].free_cb = on_zero;
		gather->counts[i].fcb_opaque = gather;
	}
	gather->base = memory->base;
	gather->step = memory->step;
	gather->size = (size_t)memory->count * memory->step;
	gather->iova = memory->iova;
	gather->nheld = 0;
	gather->max_held = memory->count / 2;
	gather->pool =
		rte_pktmbuf_pool_create(name, count, POOL_CACHE, 0, 0, SOCKET_ID_ANY);
	if (gather->pool != NULL)
		return 0;
	nic_gather_close(gather);
	return -ENOMEM;
}

void nic_gather_close(struct nic_gather *gather)
{
	rte_mempool_free(gather->pool);
	rte_free(gather->counts);
	memset(gather, 0, sizeof(*gather));
}
