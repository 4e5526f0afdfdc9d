/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/node/copier_fault.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "control/route.h"
#include "dataplane/file/store_file.h"

/* "chunk 7 ('a/b')", or "" when the report names no chunk. */
static const char *place(char text[static 256], const struct transfer_report *report,
	const struct manifest *manifest)
{
	struct manifest_cursor cursor;
	struct manifest_extent extent;

	text[0] = '\0';
	if (report->chunk >= manifest->nchunks)
		return text;
	manifest_extents(manifest, report->chunk, &cursor);
	if (!manifest_next_extent(manifest, &cursor, &extent))
		return text;
	(void)snprintf(text, 256, "chunk %u of the snapshot, in '%.180s'", report->chunk,
		manifest->files[extent.file].name);
	return text;
}

/* One way of several may be broken where the others are not. */
static void name_queue(struct fault *fault, const struct transfer_report *report)
{
	if (report->stripes > 1)
		fault_prefix(fault, "queue %u of %u", report->stripe, report->stripes);
}

static void silent(struct fault *fault, const struct transfer_report *report,
	const char *who, const struct transfer_endpoint *peer)
{
	char ip[IP_TEXT_MAX];

	(void)fault_set(fault, -ETIMEDOUT,
		"no packet from the %s's device %s for the stall timeout: check that it "
		"runs "
		"and that both devices are on one network, then try again",
		who, ip_format(ip, &peer->ip));
	name_queue(fault, report);
}

/* Small packets come and go, and those of the data do not: which is its size, mostly. */
static int too_large(struct fault *fault, const char *from, const char *to)
{
	return fault_set(fault, -EMSGSIZE,
		"data packets from %s to %s do not arrive, though small packets do: set "
		"the MTU of both devices to what the network between them carries, then "
		"try again",
		from, to);
}

void copier_fault_of_report(struct fault *fault, const struct transfer_report *report,
	const struct manifest *manifest, struct store_object *object,
	const struct transfer_endpoint *peer)
{
	struct fault local = {0};
	char where[256];

	(void)place(where, report, manifest);
	store_object_get_fault(object, &local);
	if (report->code == -EMSGSIZE)
		(void)too_large(fault, "the leader", "this node");
	else if (report->by_peer && report->code == -ECANCELED)
		(void)fault_set(fault, report->code, "the leader ended the transfer");
	else if (report->by_peer && report->code == -EBADMSG)
		(void)fault_set(fault, report->code,
			"the leader's disk is corrupt: %s does not match the manifest; "
			"run 'snapline snapshot verify' on its store, then take a new "
			"snapshot there",
			where[0] != '\0' ? where : "the snapshot");
	else if (report->by_peer && report->code == -ETIMEDOUT)
		(void)fault_set(fault, report->code,
			"the leader heard nothing from this node's device for its stall "
			"timeout: check the way from here to there, then try again");
	else if (report->by_peer)
		(void)fault_set(fault, report->code,
			"the leader cannot read %s: %s; run 'snapline snapshot verify' "
			"on its "
			"store, then take a new snapshot there",
			where[0] != '\0' ? where : "its snapshot",
			strerror(-report->code));
	else if (report->code == -ETIMEDOUT)
		silent(fault, report, "leader", peer);
	else if (report->code == -EBADMSG)
		(void)fault_set(fault, report->code,
			"%s does not match the manifest, however often it is read: the "
			"leader's disk is corrupt; run 'snapline snapshot verify' there, "
			"then "
			"take a new snapshot",
			where);
	else if (local.code != 0)
		(void)fault_set(fault, local.code, "%s", local.text);
	else
		(void)fault_set(fault, report->code, "cannot write %s: %s", where,
			strerror(-report->code));
}

void server_fault_of_report(struct fault *fault, const struct transfer_report *report,
	const struct manifest *manifest, struct store_object *object,
	const struct transfer_endpoint *peer)
{
	struct fault local = {0};
	char where[256];

	(void)place(where, report, manifest);
	store_object_get_fault(object, &local);
	if (report->code == -EMSGSIZE)
		(void)too_large(fault, "this node", "the follower");
	else if (report->by_peer)
		(void)fault_set(fault, report->code, "the follower gave up%s%s: %s",
			where[0] != '\0' ? " at " : "", where, strerror(-report->code));
	else if (report->code == -ETIMEDOUT)
		silent(fault, report, "follower", peer);
	else if (local.code != 0)
		(void)fault_set(fault, local.code, "%s", local.text);
	else
		(void)fault_set(fault, report->code,
			"%s does not match the manifest: the disk is corrupt; run "
			"'snapline "
			"snapshot verify', then take a new snapshot",
			where);
}
