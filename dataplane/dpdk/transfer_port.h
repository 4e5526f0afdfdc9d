/* SPDX-License-Identifier: BSD-3-Clause */
/* Numbers of the data plane's UDP packets that an administrator may want to filter by. */
#ifndef TRANSFER_PORT_H
#define TRANSFER_PORT_H

enum {
	TRANSFER_PORT = 49217, /* UDP, dynamic range */
	TRANSFER_DSCP = 8,     /* CS1: bulk, below best effort */
};

#endif
