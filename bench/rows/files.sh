#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Files to files, both in memory: snapline over net_memif, against get_file, rsync, and
# nginx with curl over the loopback. cp is the ceiling: no network at all.
set -eu
# shellcheck source=../lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=../shapes.sh
. "$bench/shapes.sh"
# shellcheck source=../rivals.sh
. "$bench/rivals.sh"
# shellcheck source=../ours.sh
. "$bench/ours.sh"
server_ip=127.0.0.1
leader=127.0.0.1:$(free_port)

copy_cp() { # TO
	cp -r "$source_dir/." "$1"
}

measure_shape() { # SHAPE RUNS
	local name bytes run
	name=$(human "$1")
	make_shape "$dir/made" "$1"
	bytes=$(bytes_of "$dir/made")
	make_leader_store "$dir/made"
	rm -rf "$dir/made"
	start_node leader "$leader" --dev "$(memif 0 server)" --ip 10.77.0.1/24
	start_rsync
	start_nginx
	for ((run = 0; run <= $2; run++)); do
		measure_pull "$run" "$name" snapline "$bytes" --dev "$(memif 0 client)" \
			--ip 10.77.0.2/24
		measure_copy "$run" "$name" get_file "$bytes" "$leader_pid" copy_getfile
		measure_copy "$run" "$name" rsync "$bytes" "$rsync_pid" copy_rsync
		measure_copy "$run" "$name" nginx+curl "$bytes" "$nginx_pid" copy_curl
		measure_copy "$run" "$name" cp "$bytes" - copy_cp
	done
	stop_rivals
	stop_node leader
}

if [ -n "$quick" ]; then
	need_mib 1500
	measure_shape 16x16777216 2
	measure_shape 10000x6656 1
else
	need_mib 5000
	measure_shape 16x33554432 7 # fits what warm_memory can keep
	measure_shape 1x1073741824 3
	measure_shape 10000x6656 3
	measure_shape 1055x124928 3
	measure_shape sparse:4294967296 3
fi
