/* SPDX-License-Identifier: BSD-3-Clause */
#include "dataplane/cc.h"

static void on_ack(struct cc *cc, const struct cc_ack *ack)
{
	(void)cc;
	(void)ack;
}

static void on_probe_timeout(struct cc *cc, uint32_t probes)
{
	(void)cc;
	(void)probes;
}

const struct cc_ops cc_fixed_ops = {
	.name = "fixed",
	.on_ack = on_ack,
	.on_probe_timeout = on_probe_timeout,
};
