/* SPDX-License-Identifier: BSD-3-Clause */
/* snapline-kv: a replicated key-value server whose followers catch up through Snapline.
 */
#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "control/kv/arguments.h"
#include "control/kv/kv.h"
#include "control/peer_id.h"
#include "dataplane/base/log.h"

enum { PATH_SIZE = 4096 };

/* libraft's codes are its own: what they say goes into the text. */
static int raft_fault(struct fault *fault, int rv, struct kv *kv, const char *what)
{
	const char *why = raft_errmsg(&kv->raft);

	return fault_set(
		fault, -EIO, "%s: %s", what, why[0] != '\0' ? why : raft_strerror(rv));
}

int kv_address(const char *text, int offset, char out[static KV_ADDRESS_MAX],
	struct fault *fault)
{
	struct peer_id peer;
	int err = peer_id_parse(&peer, text, fault);

	if (err != 0)
		return err;
	if (peer.port + offset < 1 || peer.port + offset + 1 > UINT16_MAX)
		return fault_set(fault, -EINVAL,
			"'%.60s': the port needs two more after it, and may not be 0",
			text);
	peer.port = (uint16_t)(peer.port + offset);
	peer_id_format_address(&peer, out);
	return 0;
}

static int make_dir(const char *dir, const char *name, char path[static PATH_SIZE],
	struct fault *fault)
{
	if (snprintf(path, PATH_SIZE, "%s/%s", dir, name) >= PATH_SIZE)
		return fault_set(fault, -ENAMETOOLONG, "--dir %.100s: too long", dir);
	if ((mkdir(dir, 0755) != 0 && errno != EEXIST) ||
		(mkdir(path, 0755) != 0 && errno != EEXIST))
		return fault_set(fault, -errno, "--dir %s: cannot make %s: %s", dir, path,
			strerror(errno));
	return 0;
}

static bool is_new(const char *log)
{
	char path[PATH_SIZE + 16];

	(void)snprintf(path, sizeof(path), "%s/metadata1", log);
	return access(path, F_OK) != 0;
}

/* "ID=IP:PORT" */
static int add_member(
	struct raft_configuration *members, const char *text, struct fault *fault)
{
	char address[KV_ADDRESS_MAX];
	char *end;
	unsigned long long id = strtoull(text, &end, 10);
	int rv;

	if (end == text || *end != '=' || id == 0)
		return fault_set(fault, -EINVAL, "--member %.80s: not ID=IP:PORT", text);
	if (kv_address(end + 1, 1, address, fault) != 0) {
		fault_prefix(fault, "--member");
		return -EINVAL;
	}
	rv = raft_configuration_add(members, id, address, RAFT_VOTER);
	if (rv != 0)
		return fault_set(
			fault, -EINVAL, "--member %.80s: %s", text, raft_strerror(rv));
	return 0;
}

static int bootstrap(
	struct kv *kv, const struct arguments *arguments, struct fault *fault)
{
	struct raft_configuration members;
	int err = 0;
	int rv;

	raft_configuration_init(&members);
	for (size_t i = 0; i < arguments->members.count && err == 0; i++)
		err = add_member(&members, arguments->members.items[i], fault);
	if (err == 0) {
		rv = raft_bootstrap(&kv->raft, &members);
		if (rv != 0)
			err = raft_fault(fault, rv, kv, "cannot found the group");
	}
	raft_configuration_close(&members);
	return err;
}

static int check_new(
	const struct arguments *arguments, bool is_empty, struct fault *fault)
{
	if (!is_empty || arguments->members.count > 0 || arguments->joins)
		return 0;
	return fault_set(fault, -EINVAL,
		"--dir %s is empty: give --member for each server of a new group, or "
		"--join for a group that exists",
		arguments->dir);
}

static int open_snapline(struct kv *kv, const struct arguments *arguments,
	const char *store, struct fault *fault)
{
	struct snapline_device devices[ARGUMENTS_DEVICES_MAX];
	const char *settings[OPTION_LIST_MAX + 1] = {NULL};
	char peer_id[KV_ADDRESS_MAX];
	struct snapline_error error = {0};
	struct snapline_raft_options wanted = {
		.raft = &kv->raft,
		.io = &kv->uv,
		.loop = &kv->loop,
		.node = {.store = store,
			.group = arguments->group,
			.peer_id = peer_id,
			.admin = arguments->admin,
			.devices = devices,
			.ndevices = arguments->devs.count,
			.buffers = (uint32_t)arguments->buffers,
			.stall_timeout_ms = (uint32_t)(arguments->stall_timeout / MSEC),
			.settings = settings},
	};

	for (size_t i = 0; i < arguments->devs.count; i++)
		devices[i] = (struct snapline_device){
			.dev = arguments->devs.items[i],
			.ip = arguments->ips.items[i],
			.gateway = arguments->gateways.count > 0
					   ? arguments->gateways.items[i]
					   : NULL,
		};
	for (size_t i = 0; i < arguments->settings.count; i++)
		settings[i] = arguments->settings.items[i];
	if (kv_address(arguments->address, 2, peer_id, fault) != 0)
		return -EINVAL;
	machine_fill(&wanted.fsm, kv);
	if (snapline_raft_open(&kv->snapline, &wanted, &error) != 0)
		return fault_set(fault, error.code, "%s", error.text);
	return 0;
}

static int start_raft(struct kv *kv, const struct arguments *arguments, bool founds,
	struct fault *fault)
{
	int rv = raft_init(&kv->raft, snapline_raft_io(kv->snapline),
		snapline_raft_fsm(kv->snapline), kv->id, kv->raft_address);
	int err = 0;

	if (rv != 0)
		return raft_fault(fault, rv, kv, "libraft does not start");
	kv->has_raft = true;
	snapline_raft_tune(kv->snapline);
	raft_set_election_timeout(
		&kv->raft, (unsigned)(arguments->election_timeout / MSEC));
	raft_set_heartbeat_timeout(
		&kv->raft, (unsigned)(arguments->election_timeout / MSEC / 10));
	raft_set_snapshot_threshold(&kv->raft, (unsigned)arguments->threshold);
	raft_set_snapshot_trailing(&kv->raft, (unsigned)arguments->trailing);
	if (founds)
		err = bootstrap(kv, arguments, fault);
	rv = err == 0 ? raft_start(&kv->raft) : 0;
	if (rv != 0)
		err = raft_fault(fault, rv, kv, "libraft does not start");
	return err;
}

static void on_inner_done(struct kv *kv)
{
	snapline_raft_close(kv->snapline);
	raft_uv_close(&kv->uv);
	raft_uv_tcp_close(&kv->transport);
}

static void on_raft_closed(struct raft *raft)
{
	on_inner_done(raft->data);
}

/* The listener may never have been opened. */
static void close_handle(uv_handle_t *handle)
{
	if (handle->type != UV_UNKNOWN_HANDLE)
		uv_close(handle, NULL);
}

void kv_stop(struct kv *kv, int exit_code)
{
	if (kv->is_closing)
		return;
	kv->is_closing = true;
	kv->exit_code = exit_code;
	write_propose(kv);
	client_close_all(kv);
	close_handle((uv_handle_t *)&kv->listener);
	close_handle((uv_handle_t *)&kv->prepare);
	close_handle((uv_handle_t *)&kv->sigterm);
	close_handle((uv_handle_t *)&kv->sigint);
	kv->raft.data = kv;
	raft_close(&kv->raft, on_raft_closed);
}

static void on_signal(uv_signal_t *handle, int number)
{
	(void)number;
	kv_stop(handle->data, EX_OK);
}

static void on_prepare(uv_prepare_t *prepare)
{
	struct kv *kv = prepare->data;

	write_propose(kv);
	client_flush_all(kv);
	if (raft_state(&kv->raft) != RAFT_UNAVAILABLE)
		return;
	log_line(LOG_ERROR, "kv",
		"event=engine_stopped text=\"%s; see the lines above, then restart "
		"this server\"",
		raft_errmsg(&kv->raft));
	kv_stop(kv, EX_IOERR);
}

static void start_handles(struct kv *kv)
{
	(void)uv_prepare_init(&kv->loop, &kv->prepare);
	(void)uv_signal_init(&kv->loop, &kv->sigterm);
	(void)uv_signal_init(&kv->loop, &kv->sigint);
	kv->prepare.data = kv;
	kv->sigterm.data = kv;
	kv->sigint.data = kv;
	(void)uv_prepare_start(&kv->prepare, on_prepare);
	(void)uv_signal_start(&kv->sigterm, on_signal, SIGTERM);
	(void)uv_signal_start(&kv->sigint, on_signal, SIGINT);
}

/* Whatever has been opened is closed by the loop's last turns. */
static int open_all(struct kv *kv, const struct arguments *arguments, struct fault *fault)
{
	char log[PATH_SIZE];
	char store[PATH_SIZE];
	bool founds;
	int err = make_dir(arguments->dir, "log", log, fault);
	int rv;

	if (err == 0)
		err = make_dir(arguments->dir, "store", store, fault);
	if (err == 0)
		err = check_new(arguments, is_new(log), fault);
	if (err != 0)
		return err;
	founds = is_new(log) && !arguments->joins;
	if (keys_create(&kv->keys) != 0)
		return fault_set(fault, -ENOMEM, "no memory for keys");
	rv = raft_uv_tcp_init(&kv->transport, &kv->loop);
	if (rv != 0)
		return fault_set(fault, -EIO, "libraft: %s", raft_strerror(rv));
	rv = raft_uv_init(&kv->uv, &kv->loop, log, &kv->transport);
	if (rv != 0) {
		err = fault_set(fault, -EIO, "%s: %s", log, kv->uv.errmsg);
		goto close_tcp;
	}
	raft_uv_set_connect_retry_delay(&kv->uv, 250);
	err = open_snapline(kv, arguments, store, fault);
	if (err != 0)
		goto close_uv;
	err = start_raft(kv, arguments, founds, fault);
	if (!kv->has_raft) {
		snapline_raft_close(kv->snapline);
		goto close_uv;
	}
	start_handles(kv);
	if (err == 0)
		err = client_listen(kv, fault);
	if (err != 0)
		kv_stop(kv, EX_OK);
	return err;
close_uv:
	raft_uv_close(&kv->uv);
close_tcp:
	raft_uv_tcp_close(&kv->transport);
	return err;
}

static int exit_code_of(int error)
{
	switch (-error) {
	case EINVAL:
		return EX_USAGE;
	case ENODEV:
	case EADDRINUSE:
	case EADDRNOTAVAIL:
		return EX_UNAVAILABLE;
	case EBADMSG:
		return EX_DATAERR;
	case EBUSY:
		return EX_TEMPFAIL;
	case EACCES:
	case EPERM:
		return EX_NOPERM;
	case ENOTEMPTY:
		return EX_CONFIG;
	case ENOSPC:
		return EX_CANTCREAT;
	case EIO:
		return EX_IOERR;
	default:
		return EX_OSERR;
	}
}

static int fail(const struct fault *fault)
{
	(void)fprintf(stderr, "snapline-kv: %s\n", fault->text);
	return exit_code_of(fault->code);
}

static int run(const struct arguments *arguments)
{
	struct kv *kv = calloc(1, sizeof(*kv));
	struct fault fault = {0};
	int exit_code;

	if (kv == NULL || uv_loop_init(&kv->loop) != 0) {
		free(kv);
		(void)fault_set(&fault, -ENOMEM, "no memory for a server");
		return fail(&fault);
	}
	kv->id = arguments->id;
	if (kv_address(arguments->address, 0, kv->address, &fault) == 0 &&
		kv_address(arguments->address, 1, kv->raft_address, &fault) == 0 &&
		open_all(kv, arguments, &fault) == 0)
		log_line(LOG_INFO, "kv", "event=ready id=%llu address=%s keys=%llu",
			kv->id, kv->address, (unsigned long long)kv->keys->count);
	(void)uv_run(&kv->loop, UV_RUN_DEFAULT);
	(void)uv_loop_close(&kv->loop);
	exit_code = fault.code != 0 ? fail(&fault) : kv->exit_code;
	keys_destroy(kv->keys);
	free(kv);
	return exit_code;
}

int main(int argc, char *argv[])
{
	struct arguments arguments = {0};
	struct fault fault = {0};

	switch (arguments_parse(argc - 1, argv + 1, &arguments, &fault)) {
	case OPTIONS_RUN:
		break;
	case OPTIONS_HELP:
		return EX_OK;
	default:
		return fail(&fault);
	}
	(void)signal(SIGPIPE, SIG_IGN);
	return run(&arguments);
}
