/* SPDX-License-Identifier: BSD-3-Clause */
/* Rules by which a NIC brings each UDP port to a queue of its own. */
#ifndef NIC_FLOW_H
#define NIC_FLOW_H

#include <stdint.h>

/* UDP to first_port goes to queue 0, to the next port to queue 1, and so on, over IPv4
 * and over IPv6. All of it or nothing. The port is started. Returns 0, or what the driver
 * said: -ENOSYS or -ENOTSUP when it knows no such rules. */
int nic_flow_steer(uint16_t port, uint16_t first_port, uint32_t nqueues);

#endif
