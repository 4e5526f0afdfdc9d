/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/node/session_setup.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include "dataplane/base/log.h"
#include "dataplane/session_key.h"

int session_setup_nonce(uint8_t nonce[static TRANSFER_NONCE_LEN], struct fault *fault)
{
	if (getrandom(nonce, TRANSFER_NONCE_LEN, 0) != TRANSFER_NONCE_LEN)
		return fault_set(fault, -EIO, "the kernel gives no random bytes: %s",
			strerror(errno));
	return 0;
}

int session_setup_start(
	struct transfer *transfer, const struct session_setup *setup, struct fault *fault)
{
	struct session_secret secret = {
		.group_id = setup->group_id,
		.index = setup->index,
		.term = setup->term,
	};
	struct transfer_session session = {
		.role = setup->role,
		.device = setup->device,
		.session_id = setup->session_id,
		.peer_session_id = setup->peer_session_id,
		.peer_ip = setup->peer->ip,
		.peer_port = setup->peer->port,
		.slice_size = setup->slice_size,
		.stripes = setup->stripes,
		.manifest = setup->manifest,
		.object = setup->object,
		.rate_bps = setup->rate_bps,
		.have = setup->have,
	};
	bool sends = setup->role == TRANSFER_SEND;
	struct session_keys keys;
	int err;

	memcpy(secret.sender_nonce, setup->sender_nonce, SESSION_NONCE_LEN);
	memcpy(secret.receiver_nonce, setup->receiver_nonce, SESSION_NONCE_LEN);
	err = session_key_derive(&keys, &secret);
	if (err != 0)
		return fault_set(fault, err, "cannot derive the session's keys");
	memcpy(session.tx_key, sends ? keys.to_receiver : keys.to_sender,
		TRANSFER_KEY_LEN);
	memcpy(session.rx_key, sends ? keys.to_sender : keys.to_receiver,
		TRANSFER_KEY_LEN);
	err = transfer_start(transfer, &session);
	if (err != 0)
		return fault_set(fault, err,
			"the data plane takes no orders now: try again in a moment");
	return 0;
}

static const char *steering_of(const struct transfer_stats *stats)
{
	return stats->stripes > 1 || stats->strays > 0 ? steering_name(stats->steered_by)
						       : "";
}

void session_describe(const struct transfer_stats *stats, struct transfer_info *info)
{
	info->stripes = stats->stripes;
	info->strays = stats->strays;
	(void)snprintf(
		info->steered_by, sizeof(info->steered_by), "%s", steering_of(stats));
}

void session_log_stripes(
	const char *name, const char *peer, const struct transfer_stats *stats)
{
	if (stats->stripes > 1 || stats->strays > 0)
		log_line(LOG_INFO, name,
			"event=stripes peer=%s stripes=%u steered_by=\"%s\" strays=%llu",
			peer, stats->stripes, steering_of(stats),
			(unsigned long long)stats->strays);
}
