#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Either side killed, interrupted or stopped in the middle of a transfer: the other one
# lives and says so in one line, no store holds half a snapshot, and the next transfer
# succeeds without a restart of the survivor.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
snapline=$(realpath "${1:?usage: kill.sh SNAPLINE}")
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
mv "$dir/from/large" "$dir/large"
"$snapline" snapshot create --store "$dir/follower" --index 1 --term 1 "$dir/small" >"$dir/out"
cp -r "$dir/follower" "$dir/pulled"
rm "$dir/large"
start_leader
start_follower

# Starts a transfer in the background and returns when it is in its middle, with the leader
# frozen, so that the blow falls there however slow this machine is. thaw follows the blow.
begin() { # PERCENT COMMAND...
	local percent=$1 slow
	shift
	# or the next one would have little left to do
	rm -rf "$dir/follower/temp" "$dir/pulled/temp"
	: >"$dir/begun.err"
	(via='exec' && "$@") </dev/null >"$dir/begun" 2>"$dir/begun.err" &
	begun=$!
	pids+=("$begun")
	# shellcheck disable=SC2154 # nodes.sh sets it
	[ "$1" = pull ] && slow=$begun || slow=$follower_pid
	creep "$slow" leader "$percent"
	# shellcheck disable=SC2154 # nodes.sh sets it
	kill -STOP "$leader_pid"
	kill -CONT "$slow"
}
thaw() {
	kill -CONT "$leader_pid" 2>/dev/null || true
}
# What was begun ends within seconds, with the code, and says one line with the texts.
expect_end() { # CODE TEXT...
	local want=$1 status=0
	shift
	wait_for 8 is_gone "$begun" || fail "still running: $(cat "$dir/begun.err")"
	wait "$begun" || status=$?
	[ "$status" = "$want" ] ||
		fail "exit $status, not $want: $(cat "$dir/begun" "$dir/begun.err")"
	cat "$dir/begun.err"
	expect_line "$dir/begun.err" "$@"
}
expect_alive() { # NAME
	local pid=${1}_pid
	is_running "${!pid}" || explain "$1" 'did not survive'
}
# The node's log has exactly one warning or error since the mark, with the text.
mark() { # NAME
	marked=$(wc -l <"$dir/$1.log")
}
logs_once() { # NAME TEXT: the end; that there was silence before is another thing
	tail -n +$((marked + 1)) "$dir/$1.log" | grep -E '^[^ ]+ (warn|error) ' |
		grep -vF ' event=suspended ' >"$dir/said"
	[ "$(wc -l <"$dir/said")" = 1 ] && grep -F -- "$2" "$dir/said"
}
expect_log() { # NAME TEXT
	wait_for 5 logs_once "$1" "$2" || explain "$1" "does not say '$2', once"
	cat "$dir/said"
}
# The follower is brought up to date and forgets it again.
succeed() {
	start_transfer --quiet >"$dir/out" 2>&1 || {
		cat "$dir/out" >&2
		explain leader 'cannot transfer afterwards'
	}
	[ -d "$dir/follower/snapshot_00000000000000000002" ] || fail 'nothing was committed'
}
has_old_only() { # STORE
	[ "$(ls "$1")" = snapshot_00000000000000000001 ] ||
		[ "$(ls "$1")" = $'snapshot_00000000000000000001\ntemp' ]
}
forget() { # the follower begins again with its old snapshot
	stop_node follower
	rm -r "$dir/follower"
	cp -r "$dir/pulled" "$dir/follower"
	start_follower
}

for percent in 0 20 50; do
	# ---- kill -9 of the follower
	mark leader
	begin "$percent" start_transfer --quiet
	kill_node follower
	thaw
	expect_end 75 "the follower $follower went away" 'start the transfer again'
	expect_alive leader
	expect_log leader 'event=failed'
	start_follower
	has_old_only "$dir/follower" || fail "a half is left: $(ls -A "$dir/follower")"

	# ---- kill -9 of the leader
	mark follower
	begin "$percent" start_transfer --quiet
	kill_node leader
	expect_end 75 "$dir/leader.sock"
	expect_log follower "$leader"
	expect_alive follower
	has_old_only "$dir/follower" || fail "a half is left: $(ls -A "$dir/follower")"
	start_leader

	# ---- kill -9 of a pull
	mark leader
	begin "$percent" pull "$dir/pulled" --quiet
	kill -KILL "$begun"
	thaw
	wait "$begun" 2>/dev/null || true
	expect_log leader 'event=failed'
	expect_alive leader
	expect 0 '1' "$snapline" snapshot list --store "$dir/pulled"

	# ---- Ctrl-C of a pull
	mark leader
	begin "$percent" pull "$dir/pulled" --quiet
	kill -INT "$begun"
	thaw
	expect_end 75 'interrupted' 'kept' 'same command'
	expect_log leader 'interrupted'
	expect_kept "$dir/pulled" 1

	# ---- SIGTERM of the follower, then of the leader
	begin "$percent" start_transfer --quiet
	mark leader
	# shellcheck disable=SC2154 # nodes.sh sets it
	kill -TERM "$follower_pid"
	thaw
	stop_node follower
	expect_end 75 "$follower" 'stopped'
	expect_log leader 'stopped'
	expect_kept "$dir/follower" 1
	start_follower
	begin "$percent" start_transfer --quiet
	mark follower
	kill -TERM "$leader_pid" # waits for it when it thaws
	thaw
	stop_node leader
	expect_end 75
	expect_log follower 'the leader'
	has_old_only "$dir/follower" || fail "a half is left: $(ls -A "$dir/follower")"
	start_leader
done
succeed
expect_store "$dir/follower" 2
expect 0 'sound' "$snapline" snapshot verify --store "$dir/leader"
begin 20 pull "$dir/pulled" --quiet
kill -INT "$begun"
thaw
expect_end 75 'interrupted'
# What a pull had received when it was interrupted is checked and used; that takes longer
# than the stall timeout on a slow machine, and the leader waits.
pull "$dir/pulled" --json >"$dir/out" 2>"$dir/err" ||
	fail "cannot pull afterwards: $(cat "$dir/err")"
jq -e '.bytes_reused > 0' "$dir/out" >"$dir/jq" || fail "nothing is reused: $(cat "$dir/out")"
expect_store "$dir/pulled" 2
stop_node follower
stop_node leader
