#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# An operator holds a transfer up, lets it go on, gives it up: from the leader's socket and
# from the follower's, over memif and over TCP. The other node shows it, nobody takes the
# silence for a stall, and what came before a cancel is used by the next transfer.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
snapline=$(realpath "${1:?usage: pause.sh SNAPLINE}")
# shellcheck source=lib.sh
. "$here/lib.sh"
# shellcheck source=nodes.sh
. "$here/nodes.sh"
become_user "$0"
choose_addresses leader follower
# shellcheck disable=SC2034 # nodes.sh reads it
node_options=(--stall-timeout 2s)

[ "$(df --output=avail -B 1M "$dir" | tail -n 1)" -ge 2560 ] ||
	skip "needs 2.5 GiB in $(dirname "$dir"): set TMPDIR to a larger place"
mkdir "$dir/from" "$dir/small"
make_data "$dir/from/large" 512
echo old >"$dir/small/file"
"$snapline" snapshot create --store "$dir/leader" --index 2 --term 1 "$dir/from" >"$dir/out"
rm "$dir/from/large"
"$snapline" snapshot create --store "$dir/first" --index 1 --term 1 "$dir/small" >"$dir/out"
cp -r "$dir/first" "$dir/follower"

order() { # VERB ID NAME ARGUMENT...
	local verb=$1 id=$2 name=$3
	shift 3
	"$snapline" transfer "$verb" "$id" --admin "$dir/$name.sock" "$@"
}
field() { # NAME FIELD: of the newest transfer that has not ended
	"$snapline" transfer list --admin "$dir/$1.sock" --json |
		jq -r "map(select(.stage != \"failed\" and .stage != \"done\")) | .[0].$2"
}
# A transfer in the background. In its middle the other node is frozen, so that the order
# to this one falls there, however fast or slow the machine; thaw follows the order.
begin() { # NAME ARGUMENT...
	local pid
	pid=$(other "$1")_pid
	frozen=${!pid}
	: >"$dir/begun.err"
	kill -STOP "$frozen"
	(via='exec' && start_transfer --json "${@:2}") </dev/null >"$dir/begun" 2>"$dir/begun.err" &
	begun=$!
	pids+=("$begun")
	creep "$frozen" "$1" 5
	id=$(field "$1" id)
}
thaw() {
	kill -CONT "$frozen"
}
has_stage() { # NAME STAGE
	[ "$(field "$1" stage)" = "$2" ]
}
# Nothing moves for longer than the stall timeout, and everybody still waits.
expect_still() {
	local before after
	sleep 0.4 # what was on its way has come
	before=$(field follower bytes_done)
	sleep 3
	wait_for 8 grep -q '^paused: ' "$dir/begun.err" || fail 'whoever waits does not see it'
	after=$(field follower bytes_done)
	[ "$before" = "$after" ] || fail "paused, and $before bytes became $after"
	[ "$before" -gt 0 ] || fail 'nothing had moved before the pause'
	[ "$before" -lt $((512 << 20)) ] || fail 'all had moved before the pause'
	is_running "$begun" || fail "nobody waits any more: $(cat "$dir/begun.err")"
	echo "$before bytes stood still"
}
expect_done() { # PATH
	local status=0
	wait_for 60 is_gone "$begun" || fail 'it does not go on'
	wait "$begun" || status=$?
	[ "$status" = 0 ] || fail "exit $status: $(cat "$dir/begun.err")"
	jq -e --arg path "$1" '.path == $path' "$dir/begun" >"$dir/jq" ||
		fail "not over $1: $(cat "$dir/begun")"
	expect_store "$dir/follower" 2
}
expect_cancelled() { # NAME TEXT: by whose operator, and what became of the bytes
	local status=0 node
	wait_for 8 is_gone "$begun" || fail "still running: $(cat "$dir/begun.err")"
	wait "$begun" || status=$?
	[ "$status" = 75 ] || fail "exit $status, not 75: $(cat "$dir/begun.err")"
	cat "$dir/begun.err"
	expect_line "$dir/begun.err" "cancelled by the operator of the $1 ${!1}" \
		'nothing was committed' "$2"
	for node in leader follower; do
		wait_for 5 grep -q "event=failed .*cancelled by the operator of the $1" \
			"$dir/$node.log" || explain "$node" 'does not say who cancelled'
	done
	expect_kept "$dir/follower" 1
}
other() { # NAME
	[ "$1" = leader ] && echo follower || echo leader
}
forget() { # OPTION...: the follower begins again with its old snapshot
	stop_node follower
	rm -rf "$dir/follower"
	cp -r "$dir/first" "$dir/follower"
	begin_follower "$@"
}

begin_leader() {
	if [ "$path" = dpdk ]; then
		start_leader
	else
		start_node leader "$leader"
	fi
}
begin_follower() { # OPTION...
	local device=()
	[ "$path" != dpdk ] || device=(--dev "$(memif 0 client)" --ip 10.77.0.2/24)
	start_node follower "$follower" "${device[@]}" "$@"
}

story() { # PATH
	local name
	path=$1
	echo "---- over $path"
	begin_leader
	begin_follower
	for name in leader follower; do
		begin "$name"
		order pause "$id" "$name" >"$dir/out" || fail "cannot pause at the $name"
		thaw
		cat "$dir/out"
		grep -q "^transfer $id paused: .* of 512.0 MiB$" "$dir/out" ||
			fail 'pause does not say what was moved'
		wait_for 2 has_stage leader paused || fail 'the leader does not show it'
		wait_for 2 has_stage follower paused || fail 'the follower does not show it'
		expect_still
		# the other one may not undo it, and is told who can
		expect_error 75 "the operator of the $name" 'resume it there' -- \
			order resume "$(field "$(other "$name")" id)" "$(other "$name")"
		order pause "$id" "$name" --json | jq -e '.stage == "paused"' >"$dir/jq" ||
			fail 'a second pause is none'
		order resume "$id" "$name" --json >"$dir/out" || fail "cannot resume at the $name"
		jq -e --argjson id "$id" '.id == $id and .stage != "paused"' "$dir/out" \
			>"$dir/jq" || fail "resumed: $(cat "$dir/out")"
		expect_done "$path"
		expect_error 66 "transfer $id has ended" 'snapline transfer list' -- \
			order pause "$id" "$name"
		forget
	done

	# ---- cancelled at either side; what came is kept
	for name in leader follower; do
		forget
		begin "$name" --quiet
		order cancel "$id" "$name" >"$dir/out" 2>&1 </dev/null &
		canceller=$!
		wait_for 2 grep -q "event=cancel id=$id" "$dir/$name.log" ||
			fail "the $name takes no order"
		thaw
		wait "$canceller" || explain follower "is not cancelled at the $name: $(cat "$dir/out")"
		grep -q "^transfer $id cancelled: " "$dir/out" || fail 'cancel says nothing'
		expect_cancelled "$name" 'what came is kept'

		forget --filter-before-copy-remote true
		begin "$name" --quiet
		# paused, it can be cancelled all the same
		order pause "$id" "$name" >"$dir/out"
		thaw
		order cancel "$id" "$name" --json >"$dir/out" || fail "cannot cancel at the $name"
		jq -e '.stage == "failed"' "$dir/out" >"$dir/jq" ||
			fail "cancelled: $(cat "$dir/out")"
		expect_cancelled "$name" 'what came is kept'
		start_transfer --json --quiet >"$dir/begun" 2>"$dir/begun.err" ||
			fail "cannot go on: $(cat "$dir/begun.err")"
		jq -e '.bytes_reused > 0' "$dir/begun" >"$dir/jq" ||
			fail "nothing is reused: $(cat "$dir/begun")"
		expect_store "$dir/follower" 2
	done
	stop_node follower
	stop_node leader
	rm -rf "$dir/follower"
	cp -r "$dir/first" "$dir/follower"
}

story dpdk

# ---- a pull, which has no operator of its own
begin_leader
pull_in_background() {
	rm -rf "$dir/pulled"
	: >"$dir/begun.err"
	(via='exec' && pull "$dir/pulled" --json) </dev/null >"$dir/begun" 2>"$dir/begun.err" &
	begun=$!
	pids+=("$begun")
	frozen=$begun
	creep "$frozen" leader 5
	id=$(field leader id)
}
pull_in_background
order pause "$id" leader >"$dir/out"
thaw
wait_for 8 grep '^paused: ' "$dir/begun.err" || fail 'the pull does not say that it is paused'
is_running "$begun" || fail "the pull does not wait: $(cat "$dir/begun.err")"
order resume "$id" leader >"$dir/out"
wait_for 60 is_gone "$begun" || fail 'the pull does not go on'
wait "$begun" || fail "pull: $(cat "$dir/begun.err")"
expect_store "$dir/pulled" 2
pull_in_background
order pause "$id" leader >"$dir/out"
thaw
order cancel "$id" leader >"$dir/out" || fail "cannot cancel the pull: $(cat "$dir/out")"
status=0
wait "$begun" || status=$?
[ "$status" = 75 ] || fail "exit $status, not 75: $(cat "$dir/begun.err")"
grep -F "cancelled by the operator of the leader" "$dir/begun.err" ||
	fail "the pull says: $(cat "$dir/begun.err")"

# ---- a follower that does not answer: the leader's end comes all the same, and the
# follower hears of it when it can hear again
begin_follower
begin leader --quiet
expect 0 "transfer $id cancelled" order cancel "$id" leader
status=0
wait "$begun" || status=$?
[ "$status" = 75 ] || fail "exit $status, not 75: $(cat "$dir/begun.err")"
cat "$dir/begun.err"
expect_line "$dir/begun.err" 'cancelled by the operator of the leader' 'has not answered'
thaw
wait_for 5 grep -q 'event=failed .*cancelled by the operator of the leader' \
	"$dir/follower.log" || explain follower 'does not say who cancelled'

# ---- once the follower commits it is too late, and the snapshot is installed
forget
for name in follower leader; do
	start_transfer --quiet >"$dir/begun" 2>"$dir/begun.err" </dev/null &
	begun=$!
	pids+=("$begun")
	is_committing_or_ended() {
		has_stage "$name" fsync || is_gone "$begun"
	}
	wait_for 20 is_committing_or_ended || fail 'it does not commit'
	id=$("$snapline" transfer list --admin "$dir/$name.sock" --json | jq 'map(.id) | max')
	status=0
	order cancel "$id" "$name" >"$dir/out" 2>&1 || status=$?
	cat "$dir/out"
	if [ "$status" = 75 ]; then
		grep -q 'too late' "$dir/out" || fail 'it does not say that it is too late'
	else
		[ "$status" = 66 ] || fail "exit $status, neither 75 nor 66"
	fi
	wait "$begun" || fail "cancelled while it was committed: $(cat "$dir/begun.err")"
	expect_store "$dir/follower" 2
	forget
done
stop_node follower
stop_node leader

story tcp

# ---- orders that make no sense
begin_leader
expect_error 66 'no transfer 99' 'snapline transfer list' -- order cancel 99 leader
expect_error 64 "'x' is no transfer's id" -- order pause x leader
expect_error 64 'ID' -- "$snapline" transfer pause --admin "$dir/leader.sock"
stop_node leader
