/* SPDX-License-Identifier: BSD-3-Clause */
#include "dataplane/base/utf8.h"

#include <stdbool.h>

size_t utf8_next(const char *text, uint32_t *code)
{
	static const uint32_t smallest[] = {0, 0, 0x80, 0x800, 0x10000};
	const unsigned char *bytes = (const unsigned char *)text;
	uint32_t value;
	size_t len;

	if (bytes[0] < 0x80) {
		*code = bytes[0];
		return 1;
	}
	if (bytes[0] < 0xc2 || bytes[0] > 0xf4)
		return 0;
	len = bytes[0] >= 0xf0 ? 4 : bytes[0] >= 0xe0 ? 3 : 2;
	value = bytes[0] & (0x7fu >> len);
	for (size_t i = 1; i < len; i++) {
		if ((bytes[i] & 0xc0) != 0x80) /* stops at the final NUL, too */
			return 0;
		value = value << 6 | (bytes[i] & 0x3fu);
	}
	if (value < smallest[len] || value > 0x10ffff ||
		(value >= 0xd800 && value <= 0xdfff))
		return 0;
	*code = value;
	return len;
}

void utf8_blank_controls(char *text, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		unsigned char byte = (unsigned char)text[i];
		/* U+0080 to U+009F */
		bool is_c1 = byte == 0xc2 && i + 1 < len &&
			     ((unsigned char)text[i + 1] & 0xe0) == 0x80;

		if (byte < ' ' || byte == 0x7f || is_c1)
			text[i] = ' ';
		if (is_c1)
			text[++i] = ' ';
	}
}
