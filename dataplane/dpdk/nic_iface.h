/* SPDX-License-Identifier: BSD-3-Clause */
/* The kernel interface behind a device such as net_af_packet0,iface=eth1. */
#ifndef NIC_IFACE_H
#define NIC_IFACE_H

#include <stddef.h>
#include <stdint.h>

/* The MTU in bytes; 0 when there is no such interface in this network namespace. name is
 * len characters long. */
uint32_t nic_iface_mtu(const char *name, size_t len);

#endif
