#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# CRC-32C by slice size, warm and cold, against the portable version and memcpy.
set -eu
# shellcheck source=../lib.sh
. "$(dirname "$0")/../lib.sh"
collect "$build/bench/crc" "$(quick_or 9 3)"
