#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Files to files over one memif pair by one, two and four workers a side, each with a queue
# of its own: what more cores give. Fewer cores than workers and they take turns.
set -eu
# shellcheck source=../lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=../shapes.sh
. "$bench/shapes.sh"
# shellcheck source=../rivals.sh
. "$bench/rivals.sh"
# shellcheck source=../ours.sh
. "$bench/ours.sh"
leader=127.0.0.1:$(free_port)
shape=$(quick_or 16x67108864 16x16777216)

need_mib "$(quick_or 5000 1500)"
make_shape "$dir/made" "$shape"
bytes=$(bytes_of "$dir/made")
make_leader_store "$dir/made"
rm -rf "$dir/made"
for ((run = 0; run <= $(quick_or 5 1); run++)); do
	for workers in 1 2 $(quick_or 4 ""); do
		start_node leader "$leader" --dev "$(memif 0 server)" --ip 10.77.0.1/24 \
			--queues "$workers"
		measure_pull "$run" "$workers of $(nproc) cores" snapline "$bytes" \
			--dev "$(memif 0 client)" --ip 10.77.0.2/24 --queues "$workers"
		stop_node leader
	done
done
