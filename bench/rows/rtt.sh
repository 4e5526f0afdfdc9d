#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Distance: a link of 10 Gb/s in the simulator, in virtual time; and behind DPDK ports, by a
# shim that delays, in real time. A delay of a scheduler is no distance: root gives that one
# a core while it runs.
set -eu
# shellcheck source=../lib.sh
. "$(dirname "$0")/../lib.sh"
for ms in 0 $(quick_or "2 10 50" 10); do
	collect "$build/bench/network" rtt "$ms" 1024 "$(quick_or 5 1)"
	collect "${at_once[@]}" "$build/bench/far" rtt "$ms" 1024 "$(quick_or 3 1)"
done
