#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# The most memory either end held, by the size of the snapshot. All move the same bytes, the
# rest is holes: what may grow is what is known about them.
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
noise=256 # MiB that really move, more than there are buffers for

peak_of() { # PID: MiB
	awk '/^VmHWM/ { print $2 / 1024 }' "/proc/$1/status"
}

measure_memory() { # NAME BYTES
	local most=0 peak pid
	mkdir -p "$dir/made"
	make_data "$dir/made/sparse" "$noise"
	truncate -s "$2" "$dir/made/sparse"
	rm -rf "$dir/leader" "$dir/pulled"
	"$snapline" snapshot create --store "$dir/leader" --index 7 --term 3 "$dir/made" \
		>"$dir/create" 2>&1 || fail "$(cat "$dir/create")"
	start_node leader "$leader" --dev "$(memif 0 server)" --ip 10.77.0.1/24
	background "$dir/pull.log" "$snapline" pull "$leader" --group g --store "$dir/pulled" \
		--dev "$(memif 0 client)" --ip 10.77.0.2/24
	pid=$!
	while is_running "$pid"; do
		peak=$(peak_of "$pid" || true)
		[ -z "$peak" ] || most=$peak
		sleep 0.02
	done
	wait "$pid" || fail "$(cat "$dir/pull.log")"
	record "$1" follower MiB "$most"
	record "$1" leader MiB "$(peak_of "$leader_pid")"
	leader_most=$(peak_of "$leader_pid")
	follower_most=$most
	stop_node leader
	rm -rf "$dir/made"
}

measure_memory "$noise MiB" $((noise << 20))
base=$(calc "$leader_most > $follower_most ? $leader_most : $follower_most")
# shellcheck disable=SC2046 # words
for gib in $(quick_or "1 16 1024" 16); do
	measure_memory "$gib GiB" $((gib << 30))
	record "$gib GiB" 'beyond buffers' MiB \
		"$(calc "($leader_most > $follower_most ? $leader_most : $follower_most) - $base")"
done
