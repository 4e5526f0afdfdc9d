#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# What a limit achieves: a pull over memif, the leader's device set to one rate after the
# other while it runs. Bytes are those of the wire, by the node's own counter and clock, a
# tenth of a second after the change; CPU is the leader's.
set -eu
# shellcheck source=../lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=../shapes.sh
. "$bench/shapes.sh"
# shellcheck source=../ours.sh
. "$bench/ours.sh"
seconds=$(quick_or 2 0.6)
runs=$(quick_or 3 1)

queue() { # FILTER
	"$snapline" queue list --admin "$dir/leader.sock" --json | jq -r ".[0] | $1"
}
is_moving_fast() {
	[ "$(queue .bytes)" -gt 20000000 ]
}
measure() { # NAME RATE BITS
	local before after cpu achieved
	"$snapline" queue set-rate 0 "$2" --admin "$dir/leader.sock" >"$dir/out" ||
		fail "set-rate: $(cat "$dir/out")"
	sleep 0.1
	cpu=$(cpu_of "$leader_pid")
	read -r -a before < <(queue '"\(.bytes) \(.read_at_ns)"')
	sleep "$seconds"
	read -r -a after < <(queue '"\(.bytes) \(.read_at_ns) \(.burst)"')
	cpu=$(calc "$(cpu_of "$leader_pid") - $cpu")
	is_running "$puller" || fail "$1: the snapshot was too short: $(cat "$dir/pull.log")"
	achieved=$(calc "(${after[0]} - ${before[0]}) * 8 / (${after[1]} - ${before[1]})")
	record "$1" achieved Gb/s "$achieved"
	record "$1" error % "$(calc "($achieved * 1e9 / $3 - 1) * 100")"
	record "$1" burst KiB "$(calc "${after[2]} / 1024")"
	record "$1" 'leader CPU' '% of a core' \
		"$(calc "$cpu * 1e11 / (${after[1]} - ${before[1]})")"
}

need_mib "$(quick_or 9000 3000)"
make_shape "$dir/made" "$(quick_or 64x67108864 16x67108864)"
make_leader_store "$dir/made"
rm -rf "$dir/made" "$source_dir"
leader=127.0.0.1:$(free_port)
for ((run = 0; run < runs; run++)); do
	start_node leader "$leader" --dev "$(memif 0 server)" --ip 10.77.0.1/24 --rate 1Gbit
	background "$dir/pull.log" "$snapline" pull "$leader" --group g --store "$pulled" \
		--quiet --dev "$(memif 0 client)" --ip 10.77.0.2/24
	puller=$!
	wait_for 20 is_moving_fast || fail "nothing moves: $(cat "$dir/pull.log")"
	measure '100 Mbit/s' 100Mbit 1e8
	measure '1 Gbit/s' 1Gbit 1e9
	measure '5 Gbit/s' 5Gbit 5e9
	stop "$puller" 10 >"$dir/out" || true
	stop_node leader
	rm -rf "$pulled"
done
