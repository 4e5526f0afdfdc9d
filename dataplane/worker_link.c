/* SPDX-License-Identifier: BSD-3-Clause */
/* The worker as a host on its link: it asks for MACs, tells its own, answers ping, and
 * notices who else has its address. */
#include <string.h>

#include "dataplane/worker_internal.h"

/* Some probe timeouts: a peer from which nothing has come for so long is asked for. */
#define SILENCE (500 * MSEC)

struct ether_path worker_own_path(const struct worker *worker)
{
	const struct worker_config *config = &worker->config;
	struct ether_path path = {
		.src_ip = config->ip, .vlan = config->vlan, .sum = config->sum};

	memcpy(path.src_mac, config->nic->mac, ETHER_MAC_LEN);
	return path;
}

static const struct ip *next_hop(
	const struct worker *worker, const struct session *session)
{
	const struct worker_config *config = &worker->config;
	const struct ip *peer = &session->params.peer_ip;

	if (ip_is_on_link(peer, &config->ip, config->prefix_len) ||
		ip_is_none(&config->gateway))
		return peer;
	return &config->gateway;
}

void worker_find_path(struct worker *worker, struct session *session, nsec now)
{
	const struct ip *hop = next_hop(worker, session);

	session->path = worker_own_path(worker);
	session->path.dst_ip = session->params.peer_ip;
	session->path.src_port = worker_port(worker);
	session->path.dst_port = session->params.peer_port;
	session->path.dscp = worker->config.dscp;
	session->headers = ether_udp_headers(&session->path);
	session->is_path_set = neighbors_is_set(&worker->neighbors, hop);
	session->is_path_known =
		neighbors_recall(&worker->neighbors, hop, session->path.dst_mac);
	/* it may have come back elsewhere since it was learnt: ask all the same */
	session->path_at = now - SILENCE;
}

bool worker_has_path(struct worker *worker, struct session *session, nsec now)
{
	nsec since = session->is_path_known ? session->path_at + 1 : 0;

	if (session->is_path_known && now - session->path_at < SILENCE)
		return true;
	if (neighbors_resolve(&worker->neighbors, next_hop(worker, session), since,
		    session->path.dst_mac, now)) {
		session->is_path_known = true;
		session->path_at = now;
	}
	return session->is_path_known;
}

bool worker_poll_neighbors(struct worker *worker, nsec now)
{
	struct ether_path path = worker_own_path(worker);
	bool busy = false;

	while (neighbors_poll(&worker->neighbors, &path.dst_ip, now)) {
		struct nic_tx *frame = worker_next_frame(worker);

		if (frame == NULL)
			return true; /* asked again when the retry is due */
		frame->head_len = ether_put_question(frame->head, &path);
		worker->ntx++;
		busy = true;
	}
	return busy;
}

static void answer(struct worker *worker, const struct ether_frame *question)
{
	struct nic_tx *frame = worker_next_frame(worker);
	struct ether_path path = worker_own_path(worker);

	if (frame == NULL)
		return;
	memcpy(path.dst_mac, question->src_mac, ETHER_MAC_LEN);
	path.dst_ip = question->src_ip;
	if (question->kind == ETHER_QUESTION)
		frame->head_len = ether_put_answer(frame->head, &path);
	else
		frame->head_len =
			ether_put_echo(frame->head, NIC_HEAD_MAX, &path, question);
	worker->ntx += frame->head_len != 0;
}

/* Somebody else says that our address is his. We keep it, and let it be known. */
static bool is_duplicate(struct worker *worker, const struct ether_frame *frame)
{
	if (frame->kind == ETHER_ECHO ||
		!ip_is_equal(&frame->src_ip, &worker->config.ip) ||
		memcmp(frame->src_mac, worker->config.nic->mac, ETHER_MAC_LEN) == 0)
		return false;
	memcpy(worker->duplicate_mac, frame->src_mac, ETHER_MAC_LEN);
	worker->duplicates++;
	return true;
}

void worker_on_neighbor(struct worker *worker, const struct ether_frame *frame, nsec now)
{
	if (is_duplicate(worker, frame))
		return;
	if (!ip_is_equal(&frame->dst_ip, &worker->config.ip)) {
		worker->frames_bad++;
		return;
	}
	if (frame->kind == ETHER_ECHO) {
		if (ip_is_unicast(&frame->src_ip))
			answer(worker, frame);
		return;
	}
	neighbors_on_frame(&worker->neighbors, frame, now);
	if (frame->kind == ETHER_QUESTION)
		answer(worker, frame);
}
