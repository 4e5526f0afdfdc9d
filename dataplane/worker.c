/* SPDX-License-Identifier: BSD-3-Clause */
#include "dataplane/worker_internal.h"

#include <assert.h>
#include <string.h>

/* A store cookie: a cache block, or a receiver's chunk slot. */
#define COOKIE_WRITE ((uint64_t)1 << 63)
#define ABSENCE (500 * MSEC) /* a turn is so late: nobody ran us */

enum {
	COMPLETIONS = 16,
	CHUNKS_MIN = 32,  /* open in a session, however few buffers there are */
	CHUNKS_FIRST = 2, /* until it is known where the others are */
};

static_assert(NIC_HEAD_MAX >= ETHER_UDP_HEADERS_MAX + WIRE_HEADER_LEN + WIRE_BODY_MAX,
	"a control packet fits");

/* A session may give a chunk back (a pause, an acknowledgement that comes late) while a
 * full nic has not taken its frames yet: they point into the buffer. */
static bool is_held(void *ctx, const uint8_t *buffer)
{
	const struct worker *worker = ctx;
	const struct pool *pool = worker->config.pool;
	uintptr_t start = (uintptr_t)buffer;

	for (uint32_t i = worker->tx_taken; i < worker->ntx; i++) {
		/* wraps around for what lies below */
		if ((uintptr_t)worker->tx[i].payload - start < pool->step)
			return true;
	}
	return worker->device_holds.is_held != NULL &&
	       worker->device_holds.is_held(worker->device_holds.ctx, buffer);
}

int worker_init(struct worker *worker, const struct worker_config *config)
{
	int err;

	memset(worker, 0, sizeof(*worker));
	worker->config = *config;
	if (!ip_is_v4(&config->ip))
		worker->config.sum = config->nic->sums ? ETHER_SUM_NIC : ETHER_SUM_SOFT;
	neighbors_init(&worker->neighbors);
	shaper_init(&worker->shaper, config->port_rate, 0);
	worker->fixed_bps = RATE_UNLIMITED;
	disk_lease_init(&worker->disk, config->disk_rate, 0);
	err = cache_init(&worker->cache, config->pool, config->nbuffers,
		worker->config.sum == ETHER_SUM_SOFT);
	if (err != 0)
		return err;
	worker->device_holds = config->pool->holds;
	config->pool->holds = (struct pool_holds){is_held, worker};
	return 0;
}

int worker_set_neighbor(struct worker *worker, const struct ip *ip,
	const uint8_t mac[static ETHER_MAC_LEN])
{
	return neighbors_set(&worker->neighbors, ip, mac);
}

void worker_fini(struct worker *worker)
{
	worker->config.pool->holds = worker->device_holds;
	cache_fini(&worker->cache);
}

static bool flush(struct worker *worker)
{
	struct nic *nic = worker->config.nic;
	uint32_t left = worker->ntx - worker->tx_taken;
	int taken;

	if (left == 0)
		return true;
	taken = nic->ops->tx(nic->self, &worker->tx[worker->tx_taken], (int)left);
	worker->tx_taken += (uint32_t)taken;
	if (worker->tx_taken < worker->ntx)
		return false;
	worker->ntx = 0;
	worker->tx_taken = 0;
	return true;
}

struct nic_tx *worker_next_frame(struct worker *worker)
{
	struct nic_tx *frame;

	if (worker->ntx == NIC_BURST && !flush(worker))
		return NULL;
	frame = &worker->tx[worker->ntx];
	frame->payload = NULL;
	frame->payload_len = 0;
	frame->wants_sum = false;
	return frame;
}

static void on_written(
	struct worker *worker, const struct store_completion *completion, nsec now)
{
	uint32_t session_at =
		(uint32_t)(completion->cookie >> 32) & (WORKER_SESSIONS - 1);
	struct session *session = worker->sessions[session_at];

	assert(session != NULL && session->writes > 0);
	session->writes--;
	receiver_on_written(&session->machine.receiver, (uint32_t)completion->cookie,
		completion->error, now);
}

static bool poll_store(struct worker *worker, nsec now)
{
	struct store *store = worker->config.store;
	struct store_completion done[COMPLETIONS];
	int count = store->ops->poll(store->self, done, COMPLETIONS);

	for (int i = 0; i < count; i++) {
		if (done[i].cookie & COOKIE_WRITE)
			on_written(worker, &done[i], now);
		else
			cache_on_loaded(&worker->cache, &done[i]);
	}
	return count > 0;
}

/* Whoever wants the chunk knows its length. */
static uint32_t len_of(const struct worker *worker, const struct store_request *request)
{
	for (size_t i = 0; i < WORKER_SESSIONS; i++) {
		const struct session *session = worker->sessions[i];

		if (session != NULL && session->params.object == request->object)
			return manifest_chunk_len(
				session->params.manifest, request->chunk);
	}
	return 0;
}

static void submit_reads(struct worker *worker, nsec now)
{
	struct store *store = worker->config.store;
	struct store_request request;

	while (cache_next_load(&worker->cache, &request)) {
		uint32_t len = len_of(worker, &request);

		if (!disk_lease_may_move(&worker->disk, len, now) ||
			!store->ops->submit(store->self, &request))
			return;
		disk_lease_moved(&worker->disk, len);
		cache_mark_loading(&worker->cache, &request);
	}
}

static void submit_writes(struct worker *worker, struct session *session, nsec now)
{
	struct store *store = worker->config.store;
	struct store_request request;
	uint32_t slot;

	if (session->params.role != TRANSFER_RECEIVE || session->is_stopping)
		return;
	while (receiver_next_write(&session->machine.receiver, &request, &slot)) {
		uint32_t len = session->machine.receiver.chunks[slot].len;

		request.cookie =
			COOKIE_WRITE |
			(uint64_t)session_slot(session->params.session_id) << 32 | slot;
		if (!disk_lease_may_move(&worker->disk, len, now) ||
			!store->ops->submit(store->self, &request))
			return;
		disk_lease_moved(&worker->disk, len);
		receiver_mark_writing(&session->machine.receiver, slot);
		session->writes++;
	}
}

/* Whoever came first would take all the buffers, and the others wait for what it lets
 * go. */
static void share_buffers(struct worker *worker)
{
	uint32_t receivers = 0;

	for (size_t i = 0; i < WORKER_SESSIONS; i++) {
		const struct session *session = worker->sessions[i];

		receivers += session != NULL && session->params.role == TRANSFER_RECEIVE;
	}
	for (size_t i = 0; i < WORKER_SESSIONS; i++) {
		struct session *session = worker->sessions[i];

		if (session != NULL && session->params.role == TRANSFER_RECEIVE)
			receiver_set_share(&session->machine.receiver,
				u32_max(worker->config.nbuffers / receivers, 1));
	}
}

static void begin_sender(
	struct worker *worker, struct session *session, uint32_t at, nsec now)
{
	const struct transfer_session *params = &session->params;
	const struct sender_config config = {
		.manifest = params->manifest,
		.object = params->object,
		.cache = &worker->cache,
		.slice_size = params->slice_size,
		.stripes = params->stripes,
		.stripe = params->stripe,
		.window = session->window,
		.cc = worker->config.cc,
		.cc_queue = worker->config.cc_queue,
		.stall_timeout = session->stall_timeout,
		.turns = &worker->turns,
	};
	const struct shaper_terms terms = {
		.class = params->rank.class,
		.weight = params->rank.weight,
		.frame = params->slice_size + WIRE_HEADER_LEN + session->headers +
			 ETHER_WIRE_OVERHEAD,
	};

	sender_init(&session->machine.sender, &config, now);
	shaper_add(&worker->shaper, at, &terms, now);
}

static void begin_receiver(struct worker *worker, struct session *session, nsec now)
{
	const struct transfer_session *params = &session->params;
	const struct receiver_config config = {
		.manifest = params->manifest,
		.object = params->object,
		.pool = worker->config.pool,
		.cache = &worker->cache,
		.have = params->have,
		.pulled = session->pulled,
		.slice_size = params->slice_size,
		.stripes = params->stripes,
		.stripe = params->stripe,
		.headers = session->headers,
		.max_chunks = u32_min(RECEIVER_CHUNKS,
			u32_max(worker->config.nbuffers / 2, CHUNKS_MIN)),
		.first_chunks = CHUNKS_FIRST,
		.stall_timeout = session->stall_timeout,
		.turns = &worker->turns,
	};

	receiver_init(&session->machine.receiver, &config, now);
}

void worker_add(struct worker *worker, struct session *session, nsec now)
{
	const struct transfer_session *params = &session->params;
	uint32_t at = session_slot(params->session_id);

	assert(at < WORKER_SESSIONS && worker->sessions[at] == NULL);
	session->self.ip = worker->config.ip;
	session->self.port = worker_port(worker);
	worker_find_path(worker, session, now);
	steering_init(&session->steering, params->stripe, session->path.src_port);
	if (params->role == TRANSFER_SEND)
		begin_sender(worker, session, at, now);
	else
		begin_receiver(worker, session, now);
	worker->sessions[at] = session;
	worker->members |= (uint64_t)1 << at;
	worker->nsessions++;
	share_buffers(worker);
	worker_limit(worker, session, now);
}

static struct session *find(const struct worker *worker, uint32_t session_id)
{
	uint32_t at = session_slot(session_id);
	struct session *session = at < WORKER_SESSIONS ? worker->sessions[at] : NULL;

	return session != NULL && session->params.session_id == session_id ? session
									   : NULL;
}

void worker_stop(struct worker *worker, uint32_t session_id)
{
	struct session *session = find(worker, session_id);

	if (session != NULL)
		session->is_stopping = true;
}

void worker_pause(struct worker *worker, uint32_t session_id, bool is_paused)
{
	struct session *session = find(worker, session_id);

	if (session != NULL)
		session_set_paused(session, is_paused);
}

void worker_set_session_rate(
	struct worker *worker, uint32_t session_id, uint64_t rate_bps, nsec now)
{
	struct session *session = find(worker, session_id);

	if (session == NULL)
		return;
	session->rate_bps = rate_bps;
	worker_limit(worker, session, now);
}

void worker_set_session_rank(
	struct worker *worker, uint32_t session_id, const struct rank *rank)
{
	const struct session *session = find(worker, session_id);
	uint32_t at = session_slot(session_id);

	if (session == NULL || session->params.role != TRANSFER_SEND)
		return;
	if (rank->weight != 0)
		shaper_weigh(&worker->shaper, at, rank->weight);
	if (rank->has_class)
		shaper_classify(&worker->shaper, at, rank->class);
}

void worker_touch(struct worker *worker, uint32_t session_id, nsec now)
{
	struct session *session = find(worker, session_id);

	if (session != NULL)
		session_touch(session, now);
}

static bool is_shared(const struct worker *worker, const struct session *session)
{
	for (size_t i = 0; i < WORKER_SESSIONS; i++) {
		const struct session *other = worker->sessions[i];

		if (other != NULL && other != session &&
			other->params.object == session->params.object &&
			other->params.role == TRANSFER_SEND)
			return true;
	}
	return false;
}

/* Whether nothing refers to the session's objects any more. */
static bool let_go(struct worker *worker, struct session *session)
{
	if (session->params.role == TRANSFER_RECEIVE) {
		if (session->writes > 0)
			return false;
		receiver_fini(&session->machine.receiver);
		return true;
	}
	sender_fini(&session->machine.sender);
	return is_shared(worker, session) ||
	       cache_forget(&worker->cache, session->params.object);
}

static void tell(struct worker *worker, const struct transfer_report *report)
{
	worker->config.report(worker->config.report_ctx, report);
}

static void look_after(struct worker *worker, struct session *session, nsec now)
{
	uint32_t id = session->params.session_id;
	struct transfer_report report;

	submit_writes(worker, session, now);
	session_count(session);
	if (!session->is_stopping && session_next_report(session, &report))
		tell(worker, &report);
	if (!session->is_stopping || worker->tx_taken < worker->ntx ||
		!let_go(worker, session))
		return;
	if (session->params.role == TRANSFER_SEND)
		shaper_remove(&worker->shaper, session_slot(id));
	worker->sessions[session_slot(id)] = NULL;
	worker->members &= ~((uint64_t)1 << session_slot(id));
	worker->nsessions--;
	worker_choose_auto(worker, now);
	share_buffers(worker);
	report = (struct transfer_report){
		.event = REPORT_STOPPED, .session_id = id, .chunk = UINT32_MAX};
	tell(worker, &report);
}

/* Who was away himself, stopped or starved or on a machine that slept, cannot know
 * whether the others were silent: he waits for them as if they had just been heard. */
static void excuse_absence(struct worker *worker, nsec now)
{
	nsec due = nsec_max(worker->turns.began, worker_deadline(worker));

	for (size_t i = 0; i < WORKER_SESSIONS && now - due > ABSENCE; i++) {
		if (worker->sessions[i] != NULL)
			session_touch(worker->sessions[i], now);
	}
}

bool worker_run(struct worker *worker, nsec now)
{
	bool has_rest = worker->ntx > 0;
	bool busy;

	if (now - worker->turns.began > ABSENCE)
		excuse_absence(worker, now);
	turns_begin(&worker->turns, now);
	/* first, while now is true: a nic may take its time over sending */
	busy = worker_receive(worker, now);
	busy |= flush(worker) && has_rest; /* a nic that stays full is no work */
	busy |= poll_store(worker, now);
	if (worker->nsessions > 0) /* else nobody wants them */
		busy |= worker_poll_neighbors(worker, now);
	busy |= worker_send(worker, now);
	disk_lease_begin(&worker->disk, now);
	submit_reads(worker, now);
	(void)flush(worker);
	for (uint64_t left = worker->members; left != 0; left &= left - 1)
		look_after(worker, worker->sessions[__builtin_ctzll(left)], now);
	disk_lease_end(&worker->disk, now);
	worker->turns.was_busy = busy;
	return busy;
}

nsec worker_deadline(const struct worker *worker)
{
	nsec deadline = neighbors_deadline(&worker->neighbors);

	if (worker->nsessions == 0)
		return NEVER; /* nobody wants the neighbours either */
	deadline = nsec_min(deadline, shaper_deadline(&worker->shaper));
	deadline = nsec_min(deadline, disk_lease_deadline(&worker->disk));
	deadline = nsec_min(deadline, worker_look_deadline(worker));
	for (size_t i = 0; i < WORKER_SESSIONS; i++) {
		const struct session *session = worker->sessions[i];

		if (session != NULL && !session->is_stopping)
			deadline = nsec_min(deadline, session_deadline(session));
	}
	return deadline;
}
