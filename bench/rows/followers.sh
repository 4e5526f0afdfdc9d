#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Several followers at once, each with buffers of its own: what the leader reads.
set -eu
# shellcheck source=../lib.sh
. "$(dirname "$0")/../lib.sh"
for followers in $(quick_or "1 2 4 8" "2 8"); do
	collect "$build/bench/network" followers "$followers" "$(quick_or 256 128)" "$(quick_or 5 1)"
done
