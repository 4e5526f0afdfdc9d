/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/node/session_setup.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include <uv.h>

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
		.rank = setup->rank,
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
	info->slice_size = (uint32_t)stats->slice_size;
	info->stripes = stats->stripes;
	info->strays = stats->strays;
	(void)snprintf(
		info->steered_by, sizeof(info->steered_by), "%s", steering_of(stats));
}

void session_describe_silence(uint64_t silent_at, struct transfer_info *info)
{
	if (silent_at == 0 || info->stage != STAGE_WIRE)
		return;
	info->stage = STAGE_SUSPENDED;
	info->silent_ns = uv_hrtime() - silent_at;
}

bool session_on_silence(uint64_t *silent_at, const struct transfer_report *report,
	const char *name, const char *peer)
{
	double seconds = (double)report->silence / (double)SEC;

	switch (report->event) {
	case REPORT_SUSPENDED:
		*silent_at = uv_hrtime() - (uint64_t)report->silence;
		log_line(LOG_INFO, name,
			"event=suspended peer=%s stripe=%u silent_s=%.1f text=\"no "
			"packet "
			"from its device: everything is kept, and goes on with the first "
			"one\"",
			peer, report->stripe, seconds);
		return true;
	case REPORT_RESUMED:
		*silent_at = 0;
		log_line(LOG_INFO, name, "event=resumed peer=%s silent_s=%.1f", peer,
			seconds);
		return true;
	default:
		*silent_at = 0;
		return false;
	}
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
