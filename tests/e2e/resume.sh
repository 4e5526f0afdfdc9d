#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# A pull that was interrupted says what it has when it goes on, sends the rest only, and
# does not care who the leader is now, how large its packets are or which path they take.
# What rotted meanwhile is found and sent again.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
snapline=$(realpath "${1:?usage: resume.sh SNAPLINE}")
# shellcheck source=lib.sh
. "$here/lib.sh"
# shellcheck source=nodes.sh
. "$here/nodes.sh"
become_user "$0"
choose_addresses leader second
[ "$(df --output=avail -B 1M "$dir" | tail -n 1)" -ge 1024 ] ||
	skip "needs 1 GiB in $(dirname "$dir"): set TMPDIR to a larger place"

TOTAL=$((128 << 20))
OPEN=$((64 << 20)) # bytes that may be under way, whichever the path
mkdir "$dir/from"
make_data "$dir/from/large" 128
"$snapline" snapshot create --store "$dir/leader" --index 2 --term 1 "$dir/from" >"$dir/out"
cp -r "$dir/leader" "$dir/second"
# shellcheck disable=SC2034 # nodes.sh reads it
node_options=(--stall-timeout 5s)
start_leader
# another leader of the same snapshot, with small packets and without the first device
# shellcheck disable=SC2154 # choose_addresses sets it
start_node second "$second" --dev "$(memif 2 server)" --ip 10.79.0.1/24 --mtu 1500

pull_again() { # ARGUMENT...: from the second one
	"$snapline" pull "$second" --group g --store "$dir/pulled" "$@"
}
over_memif=(--dev "$(memif 2 client)" --ip 10.79.0.2/24)

# Interrupted in the middle; $came is what the leader knows of. Unlimited, all of it may
# come in one slice of creep's.
interrupt() { # OPTION...
	rm -rf "$dir/pulled"
	(via='exec' && pull "$dir/pulled" --quiet --rate 2Gbit "$@") </dev/null >"$dir/begun" \
		2>"$dir/begun.err" &
	begun=$!
	pids+=("$begun")
	creep "$begun" leader 40
	came=$(jq 'map(select(.stage == "wire")) | .[0].bytes_done' "$dir/moving.json")
	kill -INT "$begun"
	kill -CONT "$begun"
	wait "$begun" && fail 'not interrupted'
	expect_line "$dir/begun.err" 'interrupted' 'kept' 'same command'
	[ -s "$dir/pulled/temp/__snapline_journal" ] || fail 'there is no journal'
}
# The closing line, kept in $dir/out, and what was said at the start.
expect_resumed() { # PATH MISSING
	local reused
	reused=$(jq .bytes_reused "$dir/out")
	jq -e --arg path "$1" '.path == $path' "$dir/out" >"$dir/jq" || fail "path: $(cat "$dir/out")"
	[ "$reused" -gt 0 ] || fail 'nothing is reused'
	[ "$reused" -ge $((came - OPEN - $2)) ] ||
		fail "$reused of $came bytes are reused"
	grep -q '^going on: .* of 128.0 MiB are here already, .* of it is checked meanwhile$' \
		"$dir/err" || fail "does not say what is here: $(cat "$dir/err")"
	echo "$1: of $came bytes that had come $reused are reused, $((TOTAL - reused)) sent"
	expect_store "$dir/pulled" 2
	cmp "$dir/from/large" "$dir/pulled/snapshot_00000000000000000002/large"
}

# ---- by the same leader
for path in dpdk tcp; do
	interrupt --path "$path"
	pull "$dir/pulled" --path "$path" --json >"$dir/out" 2>"$dir/err" ||
		fail "does not go on: $(cat "$dir/err")"
	expect_resumed "$path" 0
done

# ---- by another one
interrupt
pull_again "${over_memif[@]}" --mtu 1500 --json >"$dir/out" 2>"$dir/err" ||
	fail "does not go on elsewhere: $(cat "$dir/err")"
expect_resumed dpdk 0

# ---- rot in what the journal is sure of; the last byte of the fourth chunk
for path in dpdk tcp; do
	interrupt
	printf 'x' | dd of="$dir/pulled/temp/large" bs=1 seek=$(((4 << 20) - 1)) conv=notrunc \
		status=none
	pull "$dir/pulled" --path "$path" --json >"$dir/out" 2>"$dir/err" ||
		fail "does not recover: $(cat "$dir/err")"
	expect_resumed "$path" $((1 << 20))
	grep -q ' warn resume event=wrong chunk=3 ' "$dir/err" ||
		fail "the rot is not named: $(cat "$dir/err")"
	grep -q ' warn copier event=again bytes=1048576 path=tcp ' "$dir/err" ||
		fail "does not say what is sent again: $(cat "$dir/err")"
	[ "$(grep -c ' event=wrong ' "$dir/err")" = 1 ] || fail 'more than that is wrong'
done
stop_node second
stop_node leader
