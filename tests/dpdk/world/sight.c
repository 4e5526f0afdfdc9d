/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/dpdk/world/sight.h"

#include <assert.h>
#include <string.h>

#include "dataplane/ether.h"
#include "dataplane/wire.h"

enum { ETHERTYPE = 12, PROTOCOL_V4 = 23, PROTOCOL_V6 = 20, UDP = 17, V6_MORE = 20 };

static_assert((int)SIGHT_WIRE_OVERHEAD == (int)ETHER_WIRE_OVERHEAD, "the same wire");
static_assert((int)SIGHT_BYTES == (int)ETHER_UDP_HEADERS + V6_MORE + WIRE_HEADER_LEN,
	"all the headers");

/* Where the UDP header begins, or 0. Without IP options or extensions: our packets. */
static uint32_t find_udp(const uint8_t *bytes, uint32_t len)
{
	const uint32_t at = ETHER_UDP_HEADERS - ETHER_UDP_LEN;

	if (len < ETHER_UDP_HEADERS + V6_MORE)
		return 0;
	if (bytes[ETHERTYPE] == 0x08 && bytes[ETHERTYPE + 1] == 0x00)
		return bytes[PROTOCOL_V4] == UDP ? at : 0;
	if (bytes[ETHERTYPE] == 0x86 && bytes[ETHERTYPE + 1] == 0xdd)
		return bytes[PROTOCOL_V6] == UDP ? at + V6_MORE : 0;
	return 0;
}

void sight_look(
	struct sight *sight, const uint8_t *bytes, uint32_t len, uint32_t frame_len)
{
	uint32_t udp = find_udp(bytes, len);
	struct wire_header header;

	memset(sight, 0, sizeof(*sight));
	if (udp == 0)
		return;
	sight->is_udp = true;
	sight->port = (uint16_t)(bytes[udp + 2] << 8 | bytes[udp + 3]);
	udp += ETHER_UDP_LEN;
	sight->payload = udp + WIRE_HEADER_LEN;
	if (len < sight->payload ||
		wire_get_header(bytes + udp, frame_len - udp, &header) != ACCEPTED)
		return;
	sight->is_ours = true;
	sight->is_data = header.type == WIRE_DATA;
	sight->type = header.type;
}
