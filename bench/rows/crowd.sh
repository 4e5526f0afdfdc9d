#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Several followers at once, real processes: one leader with its store on a disk and its
# cache forgotten, followers that write to memory, all on one bridge by AF_PACKET. What they
# get together, and what the leader reads for it.
#
#   a: leader ── l0 ═ l1 ── bridge ─┬─ q1 ═ p1 ── f1: follower      10.90.0.0/24 snapline's,
#                                   └─ q2 ═ p2 ── f2: follower …    10.71.0.0/24 the kernel's
#
# They open while the leader's port is paused, and begin at the same moment.
set -eu
# shellcheck source=../lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=../shapes.sh
. "$bench/shapes.sh"
# shellcheck source=../ours.sh
. "$bench/ours.sh"
# shellcheck source=../namespaces.sh
. "$bench/namespaces.sh"
# shellcheck source=../disk.sh
. "$bench/disk.sh"
most=$(quick_or 8 4)
shape=16x16777216 # four times what the leader can hold
runs=$(quick_or 3 1)
disk=
trap 'rm -rf "$disk"; remove_namespaces; cleanup' EXIT

add_port() { # OF THE BRIDGE, ITS PEER, NAMESPACE OF THAT
	ip link add "$1" mtu 9000 netns "$ns-a" type veth peer name "$2" mtu 9000 netns "$3"
	ip -n "$ns-a" link set "$1" master bridge up
	ip -n "$3" link set "$2" up
}
make_bridge() {
	local i
	ip -n "$ns-a" link add bridge mtu 9000 type bridge 2>"$dir/err" ||
		skip "no bridge: $(cat "$dir/err")"
	ip -n "$ns-a" addr add 10.71.0.100/24 dev bridge
	ip -n "$ns-a" link set bridge up
	add_port l1 l0 "$ns-a"
	for ((i = 1; i <= most; i++)); do
		# the driver's fanout groups of one namespace may collide
		ip netns add "$ns-f$i"
		add_port "q$i" "p$i" "$ns-f$i"
		ip -n "$ns-f$i" addr add "10.71.0.$i/24" dev "p$i"
	done
}

set_rate() { # RATE
	"$snapline" queue set-rate 0 "$1" --admin "$dir/leader.sock" >"$dir/rate" 2>&1 ||
		fail "$(cat "$dir/rate")"
}
are_open() { # FOLLOWERS
	"$snapline" transfer list --admin "$dir/leader.sock" --json |
		jq -e --argjson n "$1" 'map(select(.stage == "wire")) | length == $n'
}
read_by_leader() { # from the disk, bytes
	awk '/^read_bytes:/ { print $2 }' "/proc/$leader_pid/io"
}
begin_pulls() { # FOLLOWERS
	local i
	pulls=()
	for ((i = 1; i <= $1; i++)); do
		background "$dir/pull$i.log" ip netns exec "$ns-f$i" "$snapline" pull "$leader" \
			--group g --store "$dir/pulled$i" --quiet \
			--dev "net_af_packet0,iface=p$i" --ip "10.90.0.$i/24"
		pulls+=($!)
	done
}
end_pulls() {
	local i
	for i in "${!pulls[@]}"; do
		wait "${pulls[$i]}" || fail "follower $((i + 1)): $(cat "$dir/pull$((i + 1)).log")"
	done
}

measure() { # RUN FOLLOWERS
	local what="$2 followers" before cpu start seconds
	[ "$2" != 1 ] || what='1 follower'
	start_leader_in_a 10.71.0.100:5000 --dev net_af_packet0,iface=l0 --ip 10.90.0.100/24
	forget "$snapshot"
	set_rate 0
	before=$(read_by_leader)
	begin_pulls "$2"
	wait_for 60 are_open "$2" || fail "$what do not all open: $(cat "$dir"/pull*.log)"
	cpu=$(cpu_of "$leader_pid")
	start=$(now)
	set_rate unlimited
	end_pulls
	seconds=$(calc "$(now) - $start")
	if [ "$1" = 0 ]; then
		diff -r -x __raft_snapshot_meta "$source_dir" \
			"$dir/pulled$2/snapshot_00000000000000000007" || fail "$what: a bad copy"
	else
		record "$what" 'all of them' Gb/s "$(gbps "$bytes * $2" "$seconds")"
		record "$what" 'leader reads' 'bytes read/byte' \
			"$(calc "($(read_by_leader) - $before) / $bytes")"
		record "$what" 'leader CPU' core-s/GiB \
			"$(calc "($(cpu_of "$leader_pid") - $cpu) * 2^30 / $bytes / $2")"
	fi
	stop_node leader
	rm -rf "$dir"/pulled*
}

need_mib "$(quick_or 4000 2500)"
make_disk 1000
make_bridge
make_shape "$dir/made" "$shape"
bytes=$(bytes_of "$dir/made")
make_leader_store "$dir/made"
rm -rf "$dir/made"
move_leader_to_disk
measure 0 1 # warms up
for ((run = 1; run <= runs; run++)); do
	for followers in $(quick_or "1 2 4 8" "1 4"); do
		measure "$run" "$followers"
	done
done
