#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# What a limit achieves over memif.
set -eu
# shellcheck source=../lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=../shapes.sh
. "$bench/shapes.sh"
# shellcheck source=../ours.sh
. "$bench/ours.sh"
# shellcheck source=../limits.sh
. "$bench/limits.sh"

client_in=() # no namespace
leader=127.0.0.1:$(free_port)
for ((run = 0; run < runs; run++)); do
	start_node leader "$leader" --dev "$(memif 0 server)" --ip 10.77.0.1/24 --rate 1Gbit
	measure_limits --dev "$(memif 0 client)" --ip 10.77.0.2/24
done
