#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# A node that has nothing to do: CPU over some seconds, in per cent of a core.
set -eu
# shellcheck source=../lib.sh
. "$(dirname "$0")/../lib.sh"
leader=127.0.0.1:$(free_port)
start_node leader "$leader" --dev "$(memif 0 server)" --ip 10.77.0.1/24
sleep 1 # what it does at its start is not idle
for ((run = 0; run < $(quick_or 3 1); run++)); do
	cpu=$(cpu_of "${leader_pid:?}")
	start=$(now)
	sleep "$(quick_or 5 3)"
	record memif node '% of a core' \
		"$(calc "($(cpu_of "$leader_pid") - $cpu) * 100 / ($(now) - $start)")"
done
stop_node leader
