#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Distance: a link of 10 Gb/s in the simulator, virtual time.
set -eu
# shellcheck source=../lib.sh
. "$(dirname "$0")/../lib.sh"
for ms in 0 $(quick_or "2 10 50" 10); do
	collect "$build/bench/network" rtt "$ms" 1024 "$(quick_or 5 1)"
done
