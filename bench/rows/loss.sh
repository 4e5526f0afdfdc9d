#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Loss, both ways, independent of each other: what goes over the wire for one byte. In the
# simulator, and behind DPDK ports in real time, as in rtt.sh.
set -eu
# shellcheck source=../lib.sh
. "$(dirname "$0")/../lib.sh"
for percent in $(quick_or "0 1 5 20" "1 5 20"); do
	collect "$build/bench/network" loss "$percent" 256 "$(quick_or 9 3)"
	collect "${at_once[@]}" "$build/bench/far" loss "$percent" "$(quick_or 512 256)" \
		"$(quick_or 3 1)"
done
