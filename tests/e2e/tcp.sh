#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Without a device: the same snapshots, the same checks and the same resume over TCP, and
# both ends say which path was taken.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
snapline=$(realpath "${1:?usage: tcp.sh SNAPLINE}")
# shellcheck source=lib.sh
. "$here/lib.sh"
# shellcheck source=nodes.sh
. "$here/nodes.sh"
become_user "$0"
choose_addresses leader follower

mkdir -p "$dir/from/a b"
make_data "$dir/from/large" 32
head -c 5000 "$dir/from/large" >"$dir/from/a b/small"
: >"$dir/from/empty"
chmod 640 "$dir/from/large"
create() { # INDEX
	"$snapline" snapshot create --store "$dir/leader" --index "$1" --term 3 \
		"$dir/from" >"$dir/out"
}
tcp_pull() { # STORE ARGUMENT...
	local store=$1
	shift
	${via:-} "$snapline" pull "$leader" --group g --store "$store" "$@"
}
name_of() { # INDEX
	printf 'snapshot_%020d' "$1"
}
same() { # STORE INDEX
	diff -r "$dir/leader/$(name_of "$2")" "$1/$(name_of "$2")" ||
		fail "$1 differs from the leader"
	[ "$(stat -c %a "$1/$(name_of "$2")/large")" = 640 ] || fail "the mode was lost"
	expect_store "$1" "$2"
}
create 7

# ---- installed by a leader without a device; both sides name the path
start_node leader "$leader"
start_node follower "$follower"
start_transfer >"$dir/out" 2>"$dir/err" || explain follower "install failed: $(cat "$dir/err")"
grep -Eq '^index 7, term 3: 3 files, 32\.0 MiB in .*, path tcp, ' "$dir/out" ||
	fail "transfer start says $(cat "$dir/out")"
same "$dir/follower" 7
for name in leader follower; do
	"$snapline" transfer list --admin "$dir/$name.sock" --json >"$dir/list"
	jq -e '.[0].path == "tcp"' "$dir/list" >"$dir/jq" || fail "$name: $(cat "$dir/list")"
	grep -q 'path=tcp' "$dir/$name.log" || explain "$name" 'does not log the path'
done
start_transfer --json >"$dir/out"
jq -e '.bytes_reused == .bytes' "$dir/out" >"$dir/jq" ||
	fail "again: it is there already, but $(cat "$dir/out")"

# ---- pulled: without a word, by name, and not over what is not there
tcp_pull "$dir/pulled" --json >"$dir/out"
jq -e '.path == "tcp" and .index == 7 and .bytes_reused == 0' "$dir/out" >"$dir/jq" ||
	fail "pull --json says $(cat "$dir/out")"
same "$dir/pulled" 7
expect_error 69 'there is no device' 'give --dev and --ip' -- \
	tcp_pull "$dir/other" --path dpdk
expect_error 64 'none of auto, dpdk, tcp' -- tcp_pull "$dir/other" --path udp

# ---- one small file is new: little more than that file moves
echo 'another day' >"$dir/from/a b/small"
stop_node leader
create 8
start_node leader "$leader"
tcp_pull "$dir/pulled" --json >"$dir/out"
jq -e '.index == 8 and .bytes_reused < .bytes and .bytes - .bytes_reused <= 2 * 1048576' \
	"$dir/out" >"$dir/jq" || fail "a small change moves too much: $(cat "$dir/out")"
same "$dir/pulled" 8

# ---- a leader with a device, a pull that has none, or wants none
stop_node leader
start_node leader "$leader" --dev "$(memif 1 server)" --ip 10.78.0.1/24
tcp_pull "$dir/plain" --path tcp --json >"$dir/out"
jq -e '.path == "tcp" and .bytes_reused == 0' "$dir/out" >"$dir/jq" ||
	fail "pull --path tcp says $(cat "$dir/out")"
same "$dir/plain" 8
rm -r "$dir/plain"
pull "$dir/plain" --path tcp --json >"$dir/out"
jq -e '.path == "tcp"' "$dir/out" >"$dir/jq" || fail "--path tcp: $(cat "$dir/out")"
rm -r "$dir/plain"
pull "$dir/plain" --path dpdk --json >"$dir/out"
jq -e '.path == "dpdk"' "$dir/out" >"$dir/jq" || fail "--path dpdk: $(cat "$dir/out")"
stop_node leader

# ---- stopped in the middle, by hand and by force: the same command goes on
# slow enough that the middle lasts
start_node leader "$leader" --snapshot-throttle-rate 8MiB/s
has_none_moving() { # the leader has noticed that the one before was killed
	"$snapline" transfer list --admin "$dir/leader.sock" --json |
		jq -e 'all(.stage == "done" or .stage == "failed")'
}
begin() { # COMMAND...
	wait_for 20 has_none_moving || fail 'the leader still serves whom it cannot'
	(via='exec' && "$@") </dev/null >"$dir/begun" 2>"$dir/begun.err" &
	begun=$!
	pids+=("$begun")
	wait_for 20 is_moving leader 30 || fail "not in mid-transfer: $(cat "$dir/begun.err")"
}
for signal in INT KILL; do
	rm -rf "$dir/resumed"
	begin tcp_pull "$dir/resumed" --quiet
	kill -"$signal" "$begun"
	status=0
	wait "$begun" 2>/dev/null || status=$?
	if [ "$signal" = INT ]; then
		[ "$status" = 75 ] || fail "exit $status after SIGINT, not 75"
		expect_line "$dir/begun.err" 'interrupted' 'same command'
	fi
	expect_kept "$dir/resumed"
	tcp_pull "$dir/resumed" --json >"$dir/out" 2>"$dir/err" ||
		fail "after SIG$signal: $(cat "$dir/err")"
	jq -e '.bytes_reused > 4 * 1048576 and .bytes_reused < .bytes' "$dir/out" \
		>"$dir/jq" || fail "after SIG$signal nothing was kept: $(cat "$dir/out")"
	echo "after SIG$signal, bytes reused and all: $(jq -c '[.bytes_reused, .bytes]' "$dir/out")"
	same "$dir/resumed" 8
done

# ---- the leader dies in the middle
rm -rf "$dir/resumed"
begin tcp_pull "$dir/resumed" --quiet
kill_node leader
status=0
wait_for 30 is_gone "$begun" || fail 'a pull outlives its leader'
wait "$begun" || status=$?
[ "$status" = 75 ] || fail "exit $status when the leader died, not 75: $(cat "$dir/begun.err")"
expect_line "$dir/begun.err" 'the leader is gone' "$leader" 'nothing comes from it:'
cat "$dir/begun.err"
expect_kept "$dir/resumed"
start_node leader "$leader"
tcp_pull "$dir/resumed" --json >"$dir/out"
jq -e '.bytes_reused > 0' "$dir/out" >"$dir/jq" || fail "nothing was kept: $(cat "$dir/out")"
same "$dir/resumed" 8

# ---- a byte of the leader's file has rotted
at=$dir/leader/$(name_of 8)/large
printf '\001' | dd of="$at" bs=1 seek=20000001 conv=notrunc status=none
cmp -s "$at" "$dir/resumed/$(name_of 8)/large" && printf '\002' |
	dd of="$at" bs=1 seek=20000001 conv=notrunc status=none
expect_error 65 'large' -- tcp_pull "$dir/rotten" --quiet
cat "$dir/stderr"
expect_kept "$dir/rotten"

# ---- what can be set is listed
"$snapline" node --help >"$dir/help"
for option in snapshot-interval-s do-snapshot-min-index-gap filter-before-copy-remote \
	max-byte-count-per-rpc-bytes snapshot-throttle-rate max-install-snapshot-tasks-num \
	rpc-channel-connect-timeout-ms; do
	grep -q -- "--$option " "$dir/help" || fail "node --help does not list --$option"
done

stop_node follower
stop_node leader
