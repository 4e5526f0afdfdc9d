/* SPDX-License-Identifier: BSD-3-Clause */
/* The options that describe the data plane, the same for every command that has one. */
#ifndef DEVICE_OPTIONS_H
#define DEVICE_OPTIONS_H

#include "dataplane/base/options.h"
#include "dataplane/transfer.h"

struct device_options {
	struct option_list devs;
	struct option_list ips;
	struct option_list gateways;
	struct option_list vlans;
	struct option_list neighbors;
	struct option_list queues;
	const char *cores; /* CPUs of the workers; NULL: any */
	uint64_t mtu;      /* bytes; 0: what the device says */
	uint64_t rate_bps; /* a device; RATE_UNLIMITED: none */
	uint64_t burst;    /* bytes; 0: the default */
	nsec auto_latency; /* RATE_AUTO: what it may add to others' */
	uint64_t disk_rate_bps;
	uint64_t window;      /* packets in flight a session */
	uint64_t buffers;     /* chunk buffers a worker */
	uint64_t buffer_size; /* bytes */
	const char *cc;       /* congestion control */
	nsec stall_timeout;
	/* filled by resolve */
	struct transfer_device devices[TRANSFER_DEVICES_MAX];
	struct transfer_neighbor neighbor[TRANSFER_NEIGHBORS_MAX];
	uint16_t core[TRANSFER_DEVICES_MAX * TRANSFER_QUEUES_MAX];
};

/* The rows of an option table whose target holds a struct device_options as `device`. */
#define DEVICE_OPTION_ROWS(target)                                                       \
	{.name = "dev",                                                                  \
		.arg = "DEV",                                                            \
		.kind = OPTION_LIST,                                                     \
		.offset = offsetof(target, device.devs),                                 \
		.help = "DPDK device: a PCI address or vdev, net_memif0,role=client"},   \
		{.name = "ip",                                                           \
			.arg = "ADDR/LEN",                                               \
			.kind = OPTION_LIST,                                             \
			.offset = offsetof(target, device.ips),                          \
			.help = "its address and subnet, IPv4 or IPv6; one a --dev, in " \
				"order"},                                                \
		{.name = "gateway",                                                      \
			.arg = "ADDR",                                                   \
			.kind = OPTION_LIST,                                             \
			.offset = offsetof(target, device.gateways),                     \
			.help = "router for other subnets; one a --dev, in order, or "   \
				"none"},                                                 \
		{.name = "vlan",                                                         \
			.arg = "ID",                                                     \
			.kind = OPTION_LIST,                                             \
			.offset = offsetof(target, device.vlans),                        \
			.help = "802.1Q tag, 1 to 4094, 0 for none; one a --dev, in "    \
				"order, or none"},                                       \
		{.name = "neighbor",                                                     \
			.arg = "IP=MAC",                                                 \
			.kind = OPTION_LIST,                                             \
			.offset = offsetof(target, device.neighbors),                    \
			.help = "a host's MAC, which is then never asked for"},          \
		{.name = "queues",                                                       \
			.arg = "N",                                                      \
			.kind = OPTION_LIST,                                             \
			.offset = offsetof(target, device.queues),                       \
			.help = "queues of a --dev, each with a worker that takes a "    \
				"core while it moves data; one for all or one a --dev, " \
				"in order; 1 if not given, at most 8"},                  \
		{.name = "cores",                                                        \
			.arg = "LIST",                                                   \
			.kind = OPTION_STRING,                                           \
			.offset = offsetof(target, device.cores),                        \
			.help = "CPUs that the workers stay on, such as 2,4-7: one a "   \
				"queue, in order; any if not given"},                    \
		{.name = "mtu",                                                          \
			.arg = "BYTES",                                                  \
			.kind = OPTION_U64,                                              \
			.min = 1100,                                                     \
			.max = 9600,                                                     \
			.offset = offsetof(target, device.mtu),                          \
			.help = "of the link; what the device says if not given"},       \
		{.name = "rate",                                                         \
			.arg = "RATE",                                                   \
			.kind = OPTION_AUTO_LIMIT,                                       \
			.fallback = "unlimited",                                         \
			.offset = offsetof(target, device.rate_bps),                     \
			.help = "at most so fast: what a device sends, and what a peer " \
				"may send to it; auto: what others leave"},              \
		{.name = "burst",                                                        \
			.arg = "SIZE",                                                   \
			.kind = OPTION_SIZE,                                             \
			.min = BUCKET_BURST_MIN,                                         \
			.max = BUCKET_BURST_MAX,                                         \
			.offset = offsetof(target, device.burst),                        \
			.help = "with a rate: at most so much at once from a device; "   \
				"500 us of it, within 64 and 512 KiB, if not given"},    \
		{.name = "auto-latency",                                                 \
			.arg = "TIME",                                                   \
			.kind = OPTION_DURATION,                                         \
			.fallback = "500us",                                             \
			.min = 20000,                                                    \
			.max = 1000000000,                                               \
			.offset = offsetof(target, device.auto_latency),                 \
			.help = "with an automatic rate: at most so much longer may "    \
				"packets of others take"},                               \
		{.name = "disk-rate",                                                    \
			.arg = "RATE",                                                   \
			.kind = OPTION_LIMIT,                                            \
			.fallback = "unlimited",                                         \
			.offset = offsetof(target, device.disk_rate_bps),                \
			.help = "reads and writes of snapshots moved over devices"},     \
		{.name = "buffers",                                                      \
			.arg = "N",                                                      \
			.kind = OPTION_U64,                                              \
			.fallback = "64",                                                \
			.min = TRANSFER_BUFFERS_MIN,                                     \
			.max = TRANSFER_BUFFERS_MAX,                                     \
			.offset = offsetof(target, device.buffers),                      \
			.help = "chunk buffers a queue"},                                \
		{.name = "buffer-size",                                                  \
			.arg = "SIZE",                                                   \
			.kind = OPTION_SIZE,                                             \
			.fallback = "1MiB",                                              \
			.min = MANIFEST_CHUNK_MIN,                                       \
			.max = MANIFEST_CHUNK_MAX,                                       \
			.offset = offsetof(target, device.buffer_size),                  \
			.help = "of one buffer: the largest chunk that is taken"},       \
		{.name = "window",                                                       \
			.arg = "N",                                                      \
			.kind = OPTION_U64,                                              \
			.fallback = "2048",                                              \
			.min = TRANSFER_WINDOW_MIN,                                      \
			.max = TRANSFER_WINDOW_MAX,                                      \
			.offset = offsetof(target, device.window),                       \
			.help = "packets that a transfer may have in flight, a queue"},  \
		{.name = "cc",                                                           \
			.arg = "KIND",                                                   \
			.kind = OPTION_STRING,                                           \
			.fallback = "auto",                                              \
			.offset = offsetof(target, device.cc),                           \
			.help = "congestion control: auto, swift, fixed or aimd; auto "  \
				"is fixed on rings and memif, swift elsewhere"},         \
	{                                                                                \
		.name = "stall-timeout", .arg = "TIME", .kind = OPTION_DURATION,         \
		.fallback = "10s", .min = 1000000000, .max = 3600000000000,              \
		.offset = offsetof(target, device.stall_timeout),                        \
		.help = "a peer that sends nothing for so long has gone"                 \
	}

/* No --dev at all is allowed: everything goes over TCP then. Fills *transfer, which
 * refers to options. Returns 0, or -EINVAL: not one --ip a --dev, a value
 * that does not parse, a neighbour that no device reaches. */
int device_options_resolve(struct device_options *options,
	struct transfer_options *transfer, struct fault *fault);

#endif
