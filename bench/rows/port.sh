#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Cycles a packet through real ports: both ends over net_ring, the sender copying or
# gathering, and the nic alone over net_null, which is what no protocol on top can beat.
set -eu
# shellcheck source=../lib.sh
. "$(dirname "$0")/../lib.sh"
for slice in 1408 4032 8192; do
	collect "$build/bench/port" null "$slice" "$(quick_or 9 3)"
	collect "$build/bench/port" ring "$slice" "$(quick_or 9 3)"
	collect "$build/bench/port" gather "$slice" "$(quick_or 9 3)"
done
