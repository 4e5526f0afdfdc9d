/* SPDX-License-Identifier: BSD-3-Clause */
/* Snapshot addresses and peers as text: what is taken is written again and reads the
 * same; what is refused is refused with a reason. */
#include "tests/fuzz/targets/fuzz.h"

#include <errno.h>

#include "control/peer_id.h"
#include "control/uri.h"

static void check_uri(const char *text)
{
	struct fault fault = {0};
	struct uri uri, again;
	char written[URI_TEXT_MAX];
	const char *colon;
	int err = uri_parse(&uri, text, &fault);

	MUST(err == fault.code && (err == 0) == (fault.text[0] == '\0'));
	MUST(err == 0 || err == -EINVAL);
	if (err != 0)
		return;
	colon = strrchr(uri.address, ':');
	MUST(colon != NULL && colon > uri.address && atoi(colon + 1) > 0);
	MUST(strchr(uri.address, '/') == NULL);
	MUST(uri_format(&uri, written, sizeof(written)) == 0);
	MUST(uri_parse(&again, written, NULL) == 0);
	MUST(strcmp(again.address, uri.address) == 0);
	MUST(again.reader_id == uri.reader_id);
	/* the address stands as it was given, only the number has other spellings */
	MUST(strncmp(text, written, strlen("remote://") + strlen(uri.address)) == 0);
	MUST(uri_format(&uri, written, strlen(written)) == -ENOSPC);
}

static void check_peer(const char *text)
{
	struct fault fault = {0};
	struct peer_id peer, again;
	char written[PEER_ID_TEXT_MAX];
	char address[PEER_ID_TEXT_MAX];
	int err = peer_id_parse(&peer, text, &fault);

	MUST(err == fault.code && (err == 0) == (fault.text[0] == '\0'));
	MUST(err == 0 || err == -EINVAL);
	if (err != 0)
		return;
	MUST(peer.index >= 0);
	MUST(peer.role == PEER_REPLICA || peer.role == PEER_WITNESS);
	peer_id_format(&peer, written);
	MUST(peer_id_parse(&again, written, NULL) == 0);
	MUST(peer_id_is_equal(&peer, &again) && again.role == peer.role);
	peer_id_format_address(&peer, address);
	MUST(strncmp(written, address, strlen(address)) == 0);
	MUST(written[strlen(address)] == ':');
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct input input = {data, size};
	char *text = input_text(&input);

	check_uri(text);
	check_peer(text);
	free(text);
	return 0;
}
