#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Cycles a packet of the pure core: no NIC, no disk.
set -eu
# shellcheck source=../lib.sh
. "$(dirname "$0")/../lib.sh"
for slice in 1408 4032 8192; do
	collect "$build/bench/core" "$slice" "$(quick_or 9 3)"
done
