#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Several queues and workers a device, between real processes: an install and a pull on two
# queues, peers with fewer, one with more than its memif server, and one that is killed.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
snapline=$(realpath "${1:?usage: stripes.sh SNAPLINE}")
# shellcheck source=lib.sh
. "$here/lib.sh"
# shellcheck source=nodes.sh
. "$here/nodes.sh"
become_user "$0"
choose_addresses leader follower

mkdir "$dir/from"
make_data "$dir/from/large" 64
head -c 5000 "$dir/from/large" >"$dir/from/small"
"$snapline" snapshot create --store "$dir/leader" --index 7 --term 3 "$dir/from" >"$dir/out"
node_options=(--queues 2)
start_leader
start_follower
grep -q 'event=memory .* devices=2 workers=4 ' "$dir/leader.log" ||
	explain leader 'does not count its workers'
grep -q 'event=open dev=net_memif0.* queues=2 steered_by="queue identity"' \
	"$dir/leader.log" || explain leader 'does not say how packets find their queues'

same() { # STORE
	local name=snapshot_00000000000000000007
	diff -r "$dir/leader/$name" "$dir/$1/$name" || fail "$1 differs from the leader"
}
has_stripes() { # NAME COUNT: the newest transfer
	"$snapline" transfer list --admin "$dir/$1.sock" --json >"$dir/list"
	jq -e --argjson n "$2" '.[0] | .path == "dpdk" and .stripes == $n and .code == 0 and
		.strays == 0' "$dir/list" >"$dir/jq" || fail "$1 says $(cat "$dir/list")"
}

# ---- installed on two queues: both sides say so
# shellcheck disable=SC2119 # nodes.sh: its arguments are optional
start_transfer >"$dir/out" 2>&1 || explain follower "install failed: $(cat "$dir/out")"
grep -q ', path dpdk, ' "$dir/out" || fail "install: $(cat "$dir/out")"
same follower
has_stripes leader 2
has_stripes follower 2
jq -e '.[0].steered_by == "queue identity"' "$dir/list" >"$dir/jq" || fail "$(cat "$dir/list")"

# ---- pulled on two queues; with one queue: the other rests
pull "$dir/two" --queues 2 --path dpdk >"$dir/out" 2>&1 || fail "two queues: $(cat "$dir/out")"
same two
has_stripes leader 2
pull "$dir/one" --path dpdk >"$dir/out" 2>&1 || fail "one queue: $(cat "$dir/out")"
same one
has_stripes leader 1

# ---- more queues than the memif server has: the driver's link stays down, and we say why
status=0
"$snapline" pull "$leader" --group g --store "$dir/three" --dev "$(memif 1 client)" \
	--ip 10.78.0.2/24 --queues 3 --path dpdk --stall-timeout 5s >"$dir/out" 2>&1 || status=$?
[ "$status" != 0 ] || fail "three queues: $(cat "$dir/out")"
grep -q 'event=no_link dev=net_memif1 queues=3 .*as many --queues' "$dir/out" ||
	fail "three queues: $(cat "$dir/out")"
grep -Eq 'queue [01] of 2: no packet from the leader' "$dir/out" ||
	fail "three queues: $(cat "$dir/out")"

# ---- a slow peer killed in the middle: its queues rest, the node lives on, the next one is served
(via='exec' && pull "$dir/killed" --queues 2 --path dpdk --rate 500Mbit) >"$dir/begun.out" \
	2>"$dir/begun.err" &
begun=$!
pids+=("$begun")
creep "$begun" leader 5
kill -KILL "$begun"
wait "$begun" 2>/dev/null || true
pull "$dir/again" --path dpdk >"$dir/out" 2>&1 || fail "after a kill: $(cat "$dir/out")"
same again
pull "$dir/again2" --queues 2 --path dpdk >"$dir/out" 2>&1 || fail "and on: $(cat "$dir/out")"
same again2
stop_node follower
stop_node leader
