#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# One end on a disk, the other in memory, over net_memif: the leader's files forgotten by
# the kernel (cold) or in its page cache (warm), then the follower's, synced. BENCH_DISK is
# a directory on the disk, /var/tmp if not given.
set -eu
# shellcheck source=../lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=../shapes.sh
. "$bench/shapes.sh"
# shellcheck source=../rivals.sh
. "$bench/rivals.sh"
# shellcheck source=../ours.sh
. "$bench/ours.sh"
# shellcheck source=../disk.sh
. "$bench/disk.sh"
leader=127.0.0.1:$(free_port)
shape=$(quick_or 16x67108864 16x16777216)
runs=$(quick_or 5 2)
need=$(quick_or 4000 1000)

disk=
trap 'rm -rf "$disk"; cleanup' EXIT
make_disk "$need"
need_mib "$need"

copy_cp() { # TO
	cp -r "$snapshot/." "$1"
}

make_shape "$dir/made" "$shape"
bytes=$(bytes_of "$dir/made")
make_leader_store "$dir/made"
rm -rf "$dir/made"
move_leader_to_disk
start_node leader "$leader" --dev "$(memif 0 server)" --ip 10.77.0.1/24
for ((run = 0; run <= runs; run++)); do
	for state in cold warm; do
		prepare=forget
		[ $state = cold ] || prepare=remember
		$prepare "$snapshot"
		measure_pull "$run" "$state, from $kind" snapline "$bytes" \
			--dev "$(memif 0 client)" --ip 10.77.0.2/24
		$prepare "$snapshot"
		measure_copy "$run" "$state, from $kind" get_file "$bytes" "$leader_pid" copy_getfile
		$prepare "$snapshot"
		measure_copy "$run" "$state, from $kind" cp "$bytes" - copy_cp
	done
	pulled=$disk/pulled
	measure_pull "$run" "onto $kind" snapline "$bytes" --dev "$(memif 0 client)" \
		--ip 10.77.0.2/24
	pulled=$dir/pulled
done
stop_node leader
