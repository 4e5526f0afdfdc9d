/* SPDX-License-Identifier: BSD-3-Clause */
#include "dataplane/dpdk/nic_plan.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dataplane/base/units.h"
#include "dataplane/dpdk/eal.h"
#include "dataplane/dpdk/nic_iface.h"
#include "dataplane/steering.h"

enum {
	MEMIF_BSIZE = 9216, /* bytes; a whole jumbo frame in one memif slot: the driver
			       chains badly (a stale NEXT flag after the ring wraps) */
	MEMIF_BSIZE_MAX = 16384,
	MEMIF_RSIZE_LOG2 = 7, /* slots; both ends go round a ring that fits their caches
				 with what they copy to and from */
	MEMIF_SPARE = 64,
	COPY_BUFFERS = 511,    /* a driver that copies in and out holds few buffers */
	BUFFERS = 2047,        /* a descriptor ring of 1024, bursts and caches */
	AF_PACKET_UNIT = 2048, /* bytes; frames come in multiples, blocks hold two */
	AF_PACKET_FRAME_MAX = 32768,
	AF_PACKET_OVERHEAD = 80,     /* bytes of the kernel's header before each frame */
	AF_PACKET_FRAMES_MAX = 1024, /* each way, for some ms away from the CPU */
	AF_PACKET_FRAMES_MIN = 512,
	AF_PACKET_RING = 5 << 20, /* bytes, each way: the driver and the kernel copy into
				     every slot in turn, so they have to fit a cache */
	AF_XDP_BUFFERS = 8191, /* 2048 in the fill ring, 2048 on their way out, caches */
	AF_XDP_HEADROOM = 256, /* bytes the kernel keeps of each buffer */
	AF_XDP_MTU_MAX = 3438, /* buffer, headrooms and mbuf share a page of at
				  most 63 lines: DPDK makes their number odd */
	MTU_DEFAULT = 1500,
	ROOM_MIN = 2048,  /* bytes: NICs take buffers of 2 KiB at least, */
	ROOM_STEP = 1024, /* in steps of 1 KiB: the rest would be of no use to them */
	VIRTIO_HEAD = 12, /* bytes that virtio wants room for, beyond the frame */
};

/* The value of key in "name,key=value,...", or NULL. */
static const char *find_value(const char *args, const char *key)
{
	size_t len = strlen(key);

	for (const char *at = strchr(args, ','); at != NULL; at = strchr(at + 1, ',')) {
		if (strncmp(at + 1, key, len) == 0 && at[1 + len] == '=')
			return at + 1 + len + 1;
	}
	return NULL;
}

static uint32_t find_number(const char *args, const char *key, uint32_t otherwise)
{
	const char *value = find_value(args, key);
	unsigned long number;

	if (value == NULL)
		return otherwise;
	number = strtoul(value, NULL, 10);
	return number > UINT16_MAX ? UINT16_MAX : (uint32_t)number;
}

static bool starts_with(const char *text, const char *start)
{
	return strncmp(text, start, strlen(start)) == 0;
}

static enum nic_kind find_kind(const char *name)
{
	static const char *const soft[] = {
		"net_ring", "net_null", "net_tap", "net_pcap", "eth_"};

	if (starts_with(name, "net_memif"))
		return NIC_MEMIF;
	for (size_t i = 0; i < ARRAY_LEN(soft); i++) {
		if (starts_with(name, soft[i]))
			return NIC_SOFT;
	}
	return NIC_HARDWARE;
}

static int append(struct nic_plan *plan, const char *key, int value)
{
	size_t used = strlen(plan->args);
	int added;

	if (find_value(plan->args, key) != NULL)
		return 0;
	added = snprintf(
		plan->args + used, sizeof(plan->args) - used, ",%s=%d", key, value);
	return (size_t)added < sizeof(plan->args) - used ? 0 : -EINVAL;
}

/* An abstract socket, the driver's default, has no file. */
static void plan_socket(struct nic_plan *plan)
{
	const char *abstract = find_value(plan->args, "socket-abstract");
	const char *path = find_value(plan->args, "socket");
	size_t len;

	if (plan->client || path == NULL || abstract == NULL ||
		!starts_with(abstract, "no"))
		return;
	len = strcspn(path, ",");
	if (len < sizeof(plan->socket))
		memcpy(plan->socket, path, len); /* zeroed before */
}

static int plan_memif(struct nic_plan *plan, struct fault *fault)
{
	const char *role = find_value(plan->args, "role");
	uint32_t bsize, room;

	if (append(plan, "bsize", MEMIF_BSIZE) != 0 ||
		append(plan, "rsize", MEMIF_RSIZE_LOG2) != 0)
		return fault_set(fault, -EINVAL, "device '%s': arguments are too long",
			plan->name);
	bsize = find_number(plan->args, "bsize", MEMIF_BSIZE);
	if (bsize < NIC_PLAN_MTU_MIN + NIC_PLAN_L2_MAX + MEMIF_SPARE ||
		bsize > MEMIF_BSIZE_MAX)
		return fault_set(fault, -EINVAL,
			"device '%s': bsize=%u is out of range; use 2048 to %d, or leave "
			"it "
			"out for %d",
			plan->name, bsize, MEMIF_BSIZE_MAX, MEMIF_BSIZE);
	plan->client = role == NULL || !starts_with(role, "server");
	plan_socket(plan);
	/* DPDK 22.11 looks at the peer's sizes on every copy. From 23.03 on it skips that
	 * when a received frame's buffer is as large as our slots, or a sent one's no
	 * larger, and a peer with another bsize makes it overrun. Ours are just below and
	 * just above, so that either version looks. */
	plan->rx_room = bsize - MEMIF_SPARE;
	plan->tx_room = bsize + MEMIF_SPARE;
	room = u32_min(plan->rx_room - NIC_PLAN_L2_MAX, NIC_PLAN_MTU_MAX);
	if (plan->mtu == 0 || plan->mtu > room)
		plan->mtu = room;
	plan->rx_buffers = COPY_BUFFERS;
	plan->tx_buffers = COPY_BUFFERS;
	plan->keeps_queue = true;
	plan->shared =
		(size_t)2 * plan->queues *
		((size_t)bsize << find_number(plan->args, "rsize", MEMIF_RSIZE_LOG2));
	return 0;
}

/* The kernel drops what is larger than the interface's MTU without a word. */
static int plan_iface_mtu(struct nic_plan *plan, struct fault *fault)
{
	const char *iface = find_value(plan->args, "iface");
	size_t len = iface == NULL ? 0 : strcspn(iface, ",");
	uint32_t mtu = nic_iface_mtu(iface, len);

	if (mtu == 0) /* the driver will say what is wrong */
		mtu = MTU_DEFAULT;
	else if (plan->mtu > mtu)
		return fault_set(fault, -EINVAL,
			"device '%s': interface '%.*s' has MTU %u, not %u; run ip link "
			"set dev %.*s mtu %u",
			plan->name, (int)len, iface, mtu, plan->mtu, (int)len, iface,
			plan->mtu);
	if (plan->mtu == 0)
		plan->mtu = u32_min(mtu, NIC_PLAN_MTU_MAX);
	return 0;
}

static uint32_t af_packet_frames(uint32_t framesz)
{
	uint32_t frames = AF_PACKET_FRAMES_MAX;

	while (frames > AF_PACKET_FRAMES_MIN && frames * framesz > AF_PACKET_RING)
		frames /= 2;
	return frames;
}

/* The driver copies a whole kernel frame into one buffer without looking at its size, and
 * drops what does not fit into framesz. */
static int plan_af_packet(struct nic_plan *plan, struct fault *fault)
{
	uint32_t framesz, frames;

	plan->kind = NIC_IFACE;
	if (plan_iface_mtu(plan, fault) != 0)
		return -EINVAL;
	framesz = plan->mtu + NIC_PLAN_L2_MAX + AF_PACKET_OVERHEAD;
	framesz = (framesz + AF_PACKET_UNIT - 1) / AF_PACKET_UNIT * AF_PACKET_UNIT;
	framesz = find_number(plan->args, "framesz", framesz);
	frames = af_packet_frames(framesz);
	if (append(plan, "framesz", (int)framesz) != 0 ||
		append(plan, "blocksz", (int)(2 * framesz + 4095) / 4096 * 4096) != 0 ||
		append(plan, "framecnt", (int)frames) != 0 ||
		(plan->queues > 1 && append(plan, "qpairs", (int)plan->queues) != 0))
		return fault_set(fault, -EINVAL, "device '%s': arguments are too long",
			plan->name);
	if (plan->mtu + NIC_PLAN_L2_MAX + AF_PACKET_OVERHEAD > framesz ||
		framesz > AF_PACKET_FRAME_MAX)
		return fault_set(fault, -EINVAL,
			"device '%s': framesz=%u is too large or cannot hold frames of "
			"MTU %u; leave it out",
			plan->name, framesz, plan->mtu);
	plan->rx_room = framesz;
	plan->shared = (size_t)2 * plan->queues * framesz *
		       find_number(plan->args, "framecnt", frames);
	plan->rx_buffers = COPY_BUFFERS;
	plan->tx_buffers = COPY_BUFFERS;
	return 0;
}

static int plan_af_xdp(struct nic_plan *plan, struct fault *fault)
{
	plan->kind = NIC_IFACE;
	if (plan_iface_mtu(plan, fault) != 0)
		return -EINVAL;
	if (plan->mtu > AF_XDP_MTU_MAX)
		return fault_set(fault, -EINVAL,
			"device '%s': AF_XDP takes frames of MTU %d at most, not %u; "
			"lower the interface's MTU or use net_af_packet",
			plan->name, AF_XDP_MTU_MAX, plan->mtu);
	if (append(plan, "busy_budget", 0) != 0 ||
		(plan->queues > 1 && append(plan, "queue_count", (int)plan->queues) != 0))
		return fault_set(fault, -EINVAL, "device '%s': arguments are too long",
			plan->name);
	plan->rx_room = plan->mtu + NIC_PLAN_L2_MAX + AF_XDP_HEADROOM;
	if (plan->rx_room < ROOM_MIN) /* the kernel refuses smaller ones, too */
		plan->rx_room = ROOM_MIN;
	plan->rx_room = (plan->rx_room + 63) / 64 * 64;
	plan->rx_buffers = AF_XDP_BUFFERS;
	return 0;
}

int nic_plan_make(struct nic_plan *plan, const char *dev, uint32_t mtu, uint32_t queues,
	struct fault *fault)
{
	size_t name = strcspn(dev, ",");

	memset(plan, 0, sizeof(*plan));
	if (name == 0 || name >= sizeof(plan->name) || strlen(dev) >= sizeof(plan->args))
		return fault_set(fault, -EINVAL,
			"device '%.40s': empty or too long; give a PCI address or a DPDK "
			"vdev such as net_memif0,role=server",
			dev);
	if (mtu != 0 && (mtu < NIC_PLAN_MTU_MIN || mtu > NIC_PLAN_MTU_MAX))
		return fault_set(fault, -EINVAL, "device '%s': MTU %u is not in %d..%d",
			dev, mtu, NIC_PLAN_MTU_MIN, NIC_PLAN_MTU_MAX);
	if (queues > STEERING_QUEUES_MAX)
		return fault_set(fault, -EINVAL,
			"device '%s': %u queues: 1 to %d are possible", dev, queues,
			STEERING_QUEUES_MAX);
	(void)snprintf(plan->args, sizeof(plan->args), "%s", dev);
	(void)snprintf(plan->name, sizeof(plan->name), "%.*s", (int)name, dev);
	plan->kind = eal_is_pci(dev) ? NIC_HARDWARE : find_kind(plan->name);
	plan->mtu = mtu;
	plan->queues = u32_max(queues, 1);
	plan->keeps_queue = starts_with(plan->name, "net_ring") ||
			    starts_with(plan->name, "net_null");
	plan->rx_buffers = BUFFERS;
	plan->tx_buffers = BUFFERS;
	if (plan->kind == NIC_MEMIF)
		return plan_memif(plan, fault);
	if (starts_with(plan->name, "net_af_packet") ||
		starts_with(plan->name, "eth_af_packet"))
		return plan_af_packet(plan, fault);
	if (starts_with(plan->name, "net_af_xdp"))
		return plan_af_xdp(plan, fault);
	return 0;
}

void nic_plan_settle(struct nic_plan *plan, uint32_t mtu)
{
	uint32_t room = (mtu == 0 ? MTU_DEFAULT : mtu) + NIC_PLAN_L2_MAX + VIRTIO_HEAD;

	room = (u32_max(room, ROOM_MIN) + ROOM_STEP - 1) / ROOM_STEP * ROOM_STEP;
	if (plan->rx_room == 0)
		plan->rx_room = room;
	if (plan->tx_room == 0)
		plan->tx_room = room;
}
