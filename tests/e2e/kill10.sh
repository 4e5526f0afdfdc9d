#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Ten times kill -9 in one transfer of 1 GiB, of the follower and of the leader by turns,
# each at a random moment (SEED=n for the same ones again). Each time the next attempt sends
# what was missing and the chunks that were open, and no more; at the end both are the same.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
snapline=$(realpath "${1:?usage: kill10.sh SNAPLINE}")
# In memory, where there is enough: the disk is not what is tested.
free_mib() { # DIR
	df --output=avail -B 1M "$1" 2>/dev/null | tail -n 1
}
# What runs that were killed themselves have left would stay in memory.
find /dev/shm -maxdepth 1 -name 'snapline-e2e.*' -mmin +60 -exec rm -rf {} + 2>/dev/null || true
memory=$(awk '/^MemAvailable/ { print int($2 / 1024) }' /proc/meminfo)
if [ -z "${TMPDIR:-}" ] && [ "$memory" -ge 5120 ] && [ "$(free_mib /dev/shm || echo 0)" -ge 3072 ]; then
	export TMPDIR=/dev/shm
fi
# shellcheck source=lib.sh
. "$here/lib.sh"
# shellcheck source=nodes.sh
. "$here/nodes.sh"
become_user "$0"
choose_addresses leader follower
[ "$(free_mib "$dir")" -ge 2560 ] ||
	skip "needs 2.5 GiB in $(dirname "$dir"): set TMPDIR to a larger place"

ROUNDS=10
OPEN=$((32 << 20)) # bytes in chunks that are open or being written: half the buffers
# shellcheck disable=SC2034 # nodes.sh reads it
node_options=(--stall-timeout 2s --buffers 64)
SEED=${SEED:-$(($(date +%s%N) / 1000 % 100000))}
echo "SEED=$SEED"

mkdir "$dir/from"
make_data "$dir/from/large" 1000
make_data "$dir/from/other" 23
for ((i = 0; i < 200; i++)); do
	head -c $((5000 + i)) "$dir/from/other" >"$dir/from/small$i"
done
"$snapline" snapshot create --store "$dir/leader" --index 2 --term 1 --link "$dir/from" \
	>"$dir/out"
cat "$dir/out"
RANDOM=$SEED # after the last use of free_port
start_leader
start_follower

list() { # FIELD: of the leader's newest transfer
	jq -er "sort_by(.id) | last.$1" "$dir/list"
}
# Whether the attempt, of which the leader knows what is reused, has come so far.
has_moved() { # PERCENT
	"$snapline" transfer list --admin "$dir/leader.sock" --json >"$dir/list" &&
		jq -e --argjson percent "$1" --argjson round "$round" 'sort_by(.id) | last |
			.stage == "wire" and .bytes_done * 100 > .bytes * $percent and
			($round == 1 or .bytes_reused > 0)' "$dir/list"
}
# The follower runs in short slices until then, and is left frozen.
creep_to() { # PERCENT
	local deadline=$((SECONDS + 30))
	# shellcheck disable=SC2154 # nodes.sh sets it
	until has_moved "$1" >"$dir/jq"; do
		if [ "$SECONDS" -ge "$deadline" ] || is_gone "$begun"; then
			fail "not in mid-transfer: $(cat "$dir/list" "$dir/begun.err")"
		fi
		kill -CONT "$follower_pid"
		sleep 0.01
		kill -STOP "$follower_pid"
	done
}
# What had come when the blow fell need not come again, but for open chunks.
came=0
expect_resumed() { # BYTES REUSED
	local sent=$(($1 - $2)) missing=$(($1 - came))
	[ "$sent" -le $((missing + OPEN)) ] ||
		fail "$sent bytes are sent where $missing were missing and $OPEN in open chunks"
}
failures() {
	grep -c ' install event=failed ' "$dir/follower.log" || true
}
has_failed() { # since there were so many
	[ "$(failures)" -gt "$1" ]
}

for ((round = 1; round <= ROUNDS; round++)); do
	(via='exec' && start_transfer --quiet) </dev/null >"$dir/begun" 2>"$dir/begun.err" &
	begun=$!
	pids+=("$begun")
	creep_to $((came / ((1 << 30) / 100) + RANDOM % 6 + 1))
	expect_resumed "$(list bytes)" "$(list bytes_reused)"
	echo "round $round: $came had come, $(list bytes_reused) reused, $(list bytes_done) now"
	came=$(list bytes_done)
	failed=$(failures)
	if ((round % 2 == 1)); then
		kill_node follower
		wait_for 30 is_gone "$begun" || explain leader 'does not miss its follower'
		start_follower
	else
		kill_node leader
		kill -CONT "$follower_pid"
		wait_for 30 has_failed "$failed" || explain follower 'does not miss its leader'
		start_leader
	fi
	! wait "$begun" 2>/dev/null || fail 'the blow came too late'
	[ ! -e "$dir/follower/snapshot_00000000000000000002" ] || fail 'a half is committed'
done

start_transfer --json >"$dir/out" 2>"$dir/err" || explain leader "fails: $(cat "$dir/err")"
cat "$dir/out"
# what was sent more than once counts as sent
expect_resumed "$(jq '.bytes + .bytes_resent' "$dir/out")" "$(jq .bytes_reused "$dir/out")"
expect_store "$dir/follower" 2
diff -r "$dir/leader/snapshot_00000000000000000002" \
	"$dir/follower/snapshot_00000000000000000002" || fail 'it is not the same'
stop_node follower
stop_node leader
