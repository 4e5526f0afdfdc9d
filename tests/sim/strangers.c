/* SPDX-License-Identifier: BSD-3-Clause */
/* Who does not have the session's keys, or has them from another life, changes nothing
 * and hears nothing. The attacker sees every frame and may send any: forged, repeated,
 * sent back, sent elsewhere. SEED=n replays one seed. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/sim/world/world.h"

enum {
	CAUGHT = 64, /* frames each way */
	GENERATIONS = 1 << 12,
	SETTLE = 1000, /* turns */
};

static const uint64_t sizes[] = {3 * MIB + 99, 700};

struct frame {
	uint32_t len;
	nsec at;
	uint8_t bytes[LINK_FRAME_MAX];
};

/* What the attacker has seen of the traffic to each end. */
struct catch
{
	uint32_t count[2];
	struct frame frames[2][CAUGHT];
};

static struct world *open_world(uint64_t seed)
{
	static const uint32_t slices[] = {1408, 8192, 4032};
	const struct world_options options = {
		.seed = seed,
		.link = {.delay = 20 * USEC, .jitter = 5 * USEC},
		.slice_size = slices[seed % ARRAY_LEN(slices)],
		.chunk_size = MANIFEST_CHUNK_MIN,
		.buffers = 8,
		.sizes = sizes,
		.nfiles = ARRAY_LEN(sizes),
		.stall_timeout = 5 * SEC,
		.disk_delay = 100 * USEC,
		.window = 64,
	};

	return world_create(&options);
}

static void expect(const struct world *world, bool holds, const char *what)
{
	if (!holds)
		fail_msg("SEED=%llu at %lld ns: %s",
			(unsigned long long)world->options.seed, (long long)world->now,
			what);
}

/* Keeps a copy of what is on its way now; the newest few. */
static void eavesdrop(struct world *world, struct catch *caught)
{
	for (int to = 0; to < 2; to++) {
		const struct link_pipe *pipe = &world->pipes[to];
		const struct link_frame *seen = pipe->frames[0];
		struct frame *kept = &caught->frames[to][caught->count[to] % CAUGHT];

		if (pipe->nframes == 0 || seen->len < ETHER_UDP_HEADERS + WIRE_HEADER_LEN)
			continue;
		kept->len = seen->len;
		kept->at = seen->at;
		memcpy(kept->bytes, seen->bytes, seen->len);
		caught->count[to]++;
	}
}

static const struct frame *any_caught(
	struct world *world, const struct catch *caught, int to)
{
	uint32_t count = u32_min(caught->count[to], CAUGHT);

	return &caught->frames[to][world_random(world, count)];
}

/* ---- what an attacker may send ----------------------------------------------------- */

enum attack {
	REPLAY,        /* a frame that has arrived, as it was */
	REFLECTION,    /* what the victim sent itself */
	WRONG_KEY,     /* fresh number, made-up key */
	OLD_KEY,       /* the key of the life before */
	OLD_LIFE,      /* the right key, another generation's id */
	OTHER_ADDRESS, /* sealed for somebody else */
	OTHER_PORT,    /* sent to another port */
	ATTACKS,
};

struct forgery {
	struct wire_header header;
	struct wire_address destination;
	uint8_t key[WIRE_KEY_LEN];
	uint64_t pn;
};

static void disguise(
	struct world *world, enum attack attack, struct forgery *forgery, uint8_t *frame)
{
	uint32_t life;

	switch (attack) {
	case WRONG_KEY:
		forgery->key[world_random(world, WIRE_KEY_LEN)] ^= 1;
		break;
	case OLD_KEY:
		life = world->life - 2;
		memcpy(forgery->key, &life, sizeof(life));
		break;
	case OLD_LIFE:
		forgery->header.session_id = session_make_id(
			session_slot(forgery->header.session_id), world->life - 2);
		break;
	case OTHER_ADDRESS:
		forgery->destination.ip.bytes[IP_LEN - 1] ^= 7;
		break;
	default: /* OTHER_PORT */
		frame[ETHER_UDP_HEADERS - ETHER_UDP_LEN + 3] ^= 1;
		break;
	}
}

/* A frame to the victim that would be taken if it were not for its disguise. */
static void forge(
	struct world *world, enum attack attack, int victim, struct frame *frame)
{
	const struct session *session = world->ends[victim].session;
	uint8_t *packet = frame->bytes + ETHER_UDP_HEADERS;
	struct forgery forgery = {
		.destination = session->self,
		.pn = session->received.next + world_random(world, 3),
	};

	assert_int_equal(
		wire_get_header(packet, frame->len - ETHER_UDP_HEADERS, &forgery.header),
		ACCEPTED);
	memcpy(forgery.key, session->params.rx_key, WIRE_KEY_LEN);
	forgery.header.session_id = session->params.session_id;
	disguise(world, attack, &forgery, frame->bytes);
	wire_put_header(
		packet, &forgery.header, forgery.key, &forgery.destination, forgery.pn);
}

static struct frame choose(
	struct world *world, const struct catch *caught, enum attack attack, int victim)
{
	struct frame frame = *any_caught(world, caught, victim);

	if (attack == REFLECTION)
		frame = *any_caught(world, caught, 1 - victim);
	else if (attack != REPLAY)
		forge(world, attack, victim, &frame);
	if (attack == REFLECTION) /* addressed to the victim: otherwise nobody looks */
		memcpy(frame.bytes + ETHER_HEADER_LEN,
			caught->frames[victim][0].bytes + ETHER_HEADER_LEN,
			ETHER_IPV4_LEN);
	return frame;
}

/* ---- and what comes of it ---------------------------------------------------------- */

/* Until nothing more happens at this moment. */
static void settle(struct world *world)
{
	bool busy = true;

	for (int turn = 0; busy; turn++) {
		assert_true(turn < SETTLE);
		busy = worker_run(&world->ends[0].worker, world->now);
		busy |= worker_run(&world->ends[1].worker, world->now);
	}
}

/* A session as the attacker left it; what it counts may change. */
static struct session *photograph(const struct session *session)
{
	struct session *copy = malloc(sizeof(*copy));

	memcpy(copy, session, sizeof(*copy));
	memset(&copy->counters, 0, sizeof(copy->counters));
	return copy;
}

/* Puts a frame right before the victim, and nothing else happens meanwhile. */
static void send(
	struct world *world, int victim, const struct frame *frame, const char *what)
{
	struct world_end *end = &world->ends[victim];
	struct world_link link = world->options.link;
	struct session *before, *after;
	uint64_t sent;

	settle(world);
	before = photograph(end->session);
	sent = end->frames_sent;
	world->options.link = (struct world_link){0}; /* it is there at once */
	link_inject(world, victim, frame->bytes, frame->len);
	world->options.link = link;
	expect(world, worker_run(&end->worker, world->now), "the frame did not arrive");
	after = photograph(end->session);
	expect(world, memcmp(before, after, sizeof(*before)) == 0, what);
	expect(world, end->frames_sent == sent, "an attacker was answered");
	free(before);
	free(after);
}

static bool attack(
	struct world *world, const struct catch *caught, enum attack kind, int victim)
{
	static const char *const names[ATTACKS] = {"a replay", "a reflection",
		"a wrong key", "an old key", "an old life", "another's address",
		"another port"};
	struct frame frame = choose(world, caught, kind, victim);

	if (kind == REPLAY && frame.at > world->now)
		return false; /* the true one is still on its way */
	send(world, victim, &frame, names[kind]);
	return true;
}

static void attack_everything(uint64_t seed)
{
	struct world *world = open_world(seed);
	struct catch *caught = calloc(1, sizeof(*caught));
	uint32_t attacks = 0, turn = 0;

	while (!world->ends[1].session->is_reported) {
		world_step(world);
		eavesdrop(world, caught);
		if (caught->count[0] < 4 || caught->count[1] < 4)
			continue;
		turn++;
		attacks += attack(world, caught, (enum attack)(turn % ATTACKS),
			(int)(turn / ATTACKS % 2));
	}
	expect(world, attacks > 10 * ATTACKS, "too few attacks");
	expect(world, world_is_identical(world), "the copy is wrong");
	world_destroy(world);
	free(caught);
}

static void for_seeds(void (*story)(uint64_t seed), uint64_t share)
{
	const char *only = getenv("SEED");
	const char *many = getenv("SEEDS");
	uint64_t first = only != NULL ? strtoull(only, NULL, 10) : 1;
	uint64_t count = many != NULL ? strtoull(many, NULL, 10) * share / 100 : share;

	for (uint64_t seed = first; seed <= (only != NULL ? first : count); seed++)
		story(seed);
}

static void without_the_key_nothing_changes_and_nobody_answers(void **state)
{
	(void)state;
	for_seeds(attack_everything, 6);
}

/* ---- an id that comes again -------------------------------------------------------- */

/* After 4096 lives a slot's ids begin anew: the keys do not. */
static void come_again(uint64_t seed)
{
	struct world *world = open_world(seed);
	struct catch *caught = calloc(1, sizeof(*caught));
	uint32_t id = world->ends[1].session->params.session_id;
	uint64_t sent = 0, bad;

	while (!world->ends[1].session->is_reported) {
		world_step(world);
		eavesdrop(world, caught);
	}
	world_stop(world, 0);
	world_forget(world, 0);
	world->life += GENERATIONS - 1;
	world_start(world, 0);
	expect(world, world->ends[1].session->params.session_id == id, "another id");
	while (!world->ends[1].session->is_reported) {
		const struct frame *old = &caught->frames[1][sent % CAUGHT];

		for (int i = 0; i < 4; i++)
			world_step(world);
		send(world, 1, old, "a packet of an earlier life");
		sent++;
	}
	bad = atomic_load(&world->ends[1].session->counters.packets_bad);
	expect(world, sent > CAUGHT / 4 && bad == sent, "not every one is counted");
	expect(world, world_is_identical(world), "the copy is wrong");
	world_destroy(world);
	free(caught);
}

static void packets_of_an_earlier_lap_of_ids_are_dropped(void **state)
{
	(void)state;
	for_seeds(come_again, 6);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(without_the_key_nothing_changes_and_nobody_answers),
		cmocka_unit_test(packets_of_an_earlier_lap_of_ids_are_dropped),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
