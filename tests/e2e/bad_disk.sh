#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# A leader's disk that lies: a flipped bit, a file that shrank, grew or went, before a
# transfer and in the middle of one, a manifest or table that is cut. Both sides say which
# file it is and what to do, and the follower keeps its old snapshot.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
snapline=$(realpath "${1:?usage: bad_disk.sh SNAPLINE}")
# shellcheck source=lib.sh
. "$here/lib.sh"
# shellcheck source=nodes.sh
. "$here/nodes.sh"
become_user "$0"
choose_addresses leader follower
# shellcheck disable=SC2034 # nodes.sh reads it
node_options=(--stall-timeout 2s)

# The large file is large enough for "in the middle": the cache holds 64 MiB of it.
mkdir "$dir/from" "$dir/small"
make_data "$dir/from/a" 6
make_data "$dir/from/large" 512
echo old >"$dir/small/file"
"$snapline" snapshot create --store "$dir/leader" --index 2 --term 1 "$dir/from" >"$dir/out"
"$snapline" snapshot create --store "$dir/follower" --index 1 --term 1 "$dir/small" >"$dir/out"
rm -r "$dir/from"
snapshot=$dir/leader/snapshot_00000000000000000002
start_leader
start_follower

flip() { # FILE OFFSET
	local byte
	byte=$(od -An -tu1 -j "$2" -N 1 "$1")
	# shellcheck disable=SC2059 # the format is the byte
	printf "\\x$(printf %02x $((byte ^ 16)))" |
		dd of="$1" bs=1 seek="$2" conv=notrunc status=none
}
declare -A marks
mark() { # what the logs say from here on is new
	marks[leader]=$(wc -l <"$dir/leader.log")
	marks[follower]=$(wc -l <"$dir/follower.log")
}
warnings() { # NAME: since the mark
	tail -n +$((marks[$1] + 1)) "$dir/$1.log" | grep -E ' (warn|error) '
}
# Both nodes warned exactly once since the marks, with all the texts. The one that finds out
# first answers the operator; the other may log a moment later.
expect_logs() { # TEXT...
	local name text
	for name in leader follower; do
		wait_for 5 warnings "$name" || true
		warnings "$name" >"$dir/said" || true
		cat "$dir/said"
		[ "$(wc -l <"$dir/said")" = 1 ] || explain "$name" 'does not warn exactly once'
		for text; do
			grep -qF -- "$text" "$dir/said" || explain "$name" "does not say '$text'"
		done
	done
}
# What came of an attempt is kept, and the leader's disk is not asked for it again: each
# story begins with a follower that has nothing.
forget() {
	rm -rf "$dir/follower/temp"
}
# The transfer fails; everybody names the file and the remedy; nothing is lost.
expect_refusal() { # CODE TEXT...
	local code=$1
	shift
	forget
	mark
	expect_error "$code" "$@" -- start_transfer --quiet
	cat "$dir/stderr"
	expect_kept "$dir/follower" 1
	expect_logs "$@"
}

# ---- one flipped bit
flip "$snapshot/large" 3145728
expect_refusal 65 "chunk 9 " "'large'" 'snapline snapshot verify'
flip "$snapshot/large" 3145728

# ---- a file that shrank, grew, went
cp "$snapshot/a" "$dir/kept"
truncate -s -1 "$snapshot/a"
expect_refusal 65 'a' 'snapshot verify'
cp "$dir/kept" "$snapshot/a"
echo more >>"$snapshot/a"
expect_refusal 65 'a' 'snapshot verify'
rm "$snapshot/a"
expect_refusal 66 'a' 'No such file'
cp "$dir/kept" "$snapshot/a"

# ---- the same in the middle of a transfer
begin() { # returns in mid-transfer, with the follower frozen until thaw
	forget
	start_transfer --quiet >"$dir/begun" 2>"$dir/begun.err" </dev/null &
	begun=$!
	pids+=("$begun")
	creep "${follower_pid:?}" leader 10
}
thaw() {
	kill -CONT "$follower_pid"
}
expect_end() { # CODE TEXT...
	local want=$1 status=0
	shift
	wait_for 10 is_gone "$begun" || fail 'still running'
	wait "$begun" || status=$?
	[ "$status" = "$want" ] || fail "exit $status, not $want: $(cat "$dir/begun.err")"
	cat "$dir/begun.err"
	expect_line "$dir/begun.err" "$@"
	expect_kept "$dir/follower" 1
}
cp "$snapshot/large" "$dir/kept"
begin
truncate -s 70M "$snapshot/large"
thaw
expect_end 65 'large' 'snapshot verify'
cp "$dir/kept" "$snapshot/large"
begin
for ((i = 511; i >= 504; i--)); do
	flip "$snapshot/large" $((i << 20))
done
thaw
expect_end 65 'large' 'snapshot verify'
cp "$dir/kept" "$snapshot/large"
# An open file lives on after its name: whichever of the two, it is the whole or nothing.
begin
rm "$snapshot/large"
thaw
wait "$begun" || true
expect 0 'sound' "$snapline" snapshot verify --store "$dir/follower"
cp "$dir/kept" "$snapshot/large"
rm "$dir/kept"
stop_node follower
rm -r "$dir/follower"
"$snapline" snapshot create --store "$dir/follower" --index 1 --term 1 "$dir/small" >"$dir/out"
start_follower

# ---- repaired, the same nodes succeed
start_transfer --quiet >"$dir/out" || fail 'cannot transfer what is sound again'
expect_store "$dir/follower" 2
stop_node follower
stop_node leader

# ---- a manifest or table that is cut: never guessed at, never deleted
for name in __snapline_manifest __raft_snapshot_meta; do
	cp "$snapshot/$name" "$dir/kept"
	for size in 0 3 $(($(stat -c %s "$dir/kept") - 1)); do
		truncate -s "$size" "$snapshot/$name"
		status=0
		timeout 20 "$snapline" node --store "$dir/leader" --listen "$leader" \
			--group g --peer-id "$leader:0" --dev net_ring0 --ip 10.77.0.1/24 \
			>"$dir/stdout" 2>"$dir/stderr" </dev/null || status=$?
		[ "$status" = 65 ] || fail "exit $status with a cut $name: $(cat "$dir/stderr")"
		cat "$dir/stderr"
		expect_line "$dir/stderr" "$name"
		[ -f "$snapshot/large" ] || fail 'a damaged snapshot was removed'
		cp "$dir/kept" "$snapshot/$name"
	done
done
