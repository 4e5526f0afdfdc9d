#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# snapline bench: with a peer of its own, between two processes over memif and over TCP,
# with options that do not fit together, and interrupted. Whatever happens, its files and
# its peer are gone afterwards.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
snapline=$(realpath "${1:?usage: bench.sh SNAPLINE}")
# shellcheck source=lib.sh
. "$here/lib.sh"
# shellcheck source=nodes.sh
. "$here/nodes.sh"
become_user "$0"
server=127.0.0.1:$(free_port)
mkdir "$dir/files"

nothing_is_left() {
	[ -z "$(ls -A "$dir/files")" ] || fail "left behind: $(ls -A "$dir/files")"
}
bench() { # ARGUMENT...
	${via:-} "$snapline" bench --dir "$dir/files" --size "${size:-8MiB}" --files 10 \
		--quiet "$@"
}
expect_result() { # PATH
	jq -e --arg path "$1" '.runs == 2 and .files == 10 and .bytes == 8 * 1048576
		and .path == $path and .gbit_per_s.p10 <= .gbit_per_s.median
		and .gbit_per_s.median <= .gbit_per_s.p90 and .gbit_per_s.p10 > 0
		and .stages_ms.wire > 0 and .bottleneck != ""' "$dir/out" >"$dir/jq" ||
		fail "bench --json says $(cat "$dir/out")"
}

# ---- alone: the peer is its own, and tells what it did
expect 0 '"path":"dpdk"' bench --runs 2 --json
expect_result dpdk
jq -e '.stages_ms.leader_read > 0 and .stages_ms.follower_write > 0
	and .core_s_per_gib.median > 0' "$dir/out" >"$dir/jq" || fail "$(cat "$dir/out")"
nothing_is_left
expect 0 'bottleneck' bench --runs 1

# ---- one serves, the other pulls
background "$dir/server.log" "$snapline" bench --serve --listen "$server" --dir "$dir/files" \
	--size 8MiB --files 10 --dev "$(memif 0 server)" --ip 10.77.0.1/24
serving=$!
wait_for 30 grep -q event=ready "$dir/server.log" || explain server 'does not start'
expect 0 '"path":"dpdk"' bench --to "$server" --runs 2 --json \
	--dev "$(memif 0 client)" --ip 10.77.0.2/24
expect_result dpdk
expect 0 '"path":"tcp"' bench --to "$server" --runs 2 --json
expect_result tcp
expect 66 "this node serves 'bench'" bench --to "$server" --group other --runs 1
stop "$serving" 8 || explain server "does not end: $?"
nothing_is_left

# ---- what does not fit together
expect_error 64 '--listen' -- bench --serve
expect_error 64 '--to' -- bench --serve --listen "$server" --to "$server"
expect_error 64 '--dev' -- bench --dev net_ring0 --ip 10.0.0.1/24
expect_error 73 'free' '--size' -- "$snapline" bench --dir "$dir/files" --size 1000000TiB
expect_error 66 "$dir/nowhere" -- "$snapline" bench --dir "$dir/nowhere"
expect_error 69 "$server" -- bench --to "$server" --runs 1
nothing_is_left

# ---- interrupted: while the snapshot is made up, and while it is pulled
interrupt() { # SIZE CONDITION...
	local size=$1 pid status=0
	shift
	(via='exec' && bench --runs 1000) >"$dir/out" 2>&1 &
	pid=$!
	pids+=("$pid")
	wait_for 30 "$@" || fail "it does not begin: $(cat "$dir/out")"
	kill -TERM "$pid"
	wait "$pid" || status=$?
	if [ "$status" = 0 ] || [ "$status" -ge 128 ]; then
		fail "exit $status: $(cat "$dir/out")"
	fi
	nothing_is_left
	wait_for 5 peers_are_gone || fail 'the peer outlived it'
}
made_up() {
	ls "$dir"/files/*/from
}
pulled() {
	ls "$dir"/files/*/pulled
}
peers_are_gone() {
	! pgrep -f "snapline bench --dir $dir/files"
}
interrupt 1GiB made_up
interrupt 8MiB pulled
