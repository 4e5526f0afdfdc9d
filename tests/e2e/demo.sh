#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# demo.sh SNAPLINE: a Raft group whose follower has fallen behind. Three snapline-kv servers
# on libraft take writes all the time; one is killed, the log is cut beyond it, it comes
# back, and catches up by a snapshot over DPDK. At the end all three hold the same keys.
#
# As root each server has a network namespace of its own, and all are on one bridge. An
# ordinary user's servers are joined by net_memif, a device of shared memory, pair by pair.
# On real hosts only --dev and --ip change; hugepages are not needed.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
snapline=$(realpath "${1:?usage: demo.sh build/snapline}")
kv=$(dirname "$snapline")/snapline-kv
# shellcheck source=lib.sh
. "$here/lib.sh"
# shellcheck source=kv.sh
. "$here/kv.sh"
# shellcheck source=bridge.sh
. "$here/bridge.sh"

say() {
	printf '%s\n' "$*"
}
seconds() { # MS
	printf '%d.%01d s' $(($1 / 1000)) $(($1 % 1000 / 100))
}
# Without $dir, as the user would type it.
show() { # WORD...
	local words=("${@//$dir\//}")
	printf '  $ %s\n' "${words[*]}"
}

free=$(df --output=avail -B 1M "$dir" | tail -n 1)
if [ "$free" -lt 4096 ]; then
	fail "the demo needs 4 GiB in $(dirname "$dir"), $free MiB are free;" \
		"set TMPDIR to a larger place"
fi

if make_bridge 3; then
	say '1. Three servers found a group, in namespaces on a bridge'
else
	say '1. Three servers found a group, joined by shared memory'
	choose_ports 3
fi
kv_options=(--snapshot-threshold 400 --snapshot-trailing 100)
set_devices 1
show snapline-kv --id 1 --dir 1 --address "$(address 1)" '--member 1=… --member 2=… --member 3=…' \
	"${devices[@]:0:4}" '…'
found_cluster 3
say "   server $leader leads, term $(info "$leader" term)"
fill 0 20000 4 old
say "   $(info "$leader" keys) keys, $(($(info "$leader" bytes) >> 20)) MiB in each of them"

say
say '2. Clients write all the time'
show redis-benchmark -h "${host[$leader]:-127.0.0.1}" -p "${port[$leader]}" -t set -r 2000 -d 512 -c 4
background "$dir/writes" "${clients[@]}" redis-benchmark -h "${host[$leader]:-127.0.0.1}" \
	-p "${port[$leader]}" -t set -n 1000000000 -r 2000 -d 512 -c 4 -q
writer=$!
writes() { # entries so far
	info "$leader" applied_index
}
before=$(writes)
sleep 1
say "   the log grows by some $(($(writes) - before)) entries a second"

say
one=$(follower 1)
say "3. Follower $one is killed, and the log is cut beyond it"
kill_server "$one"
killed=$(now_ms)
missed=$(writes)
fill 10000 50000 4 new
cut_log
say "   40000 keys were written meanwhile; the log begins at entry" \
	"$(info "$leader" log_first_index), the follower ends near $missed"

say
say '4. It comes back; its snapshot may have half a gigabit a second, for the sake of others'
set_devices "$leader"
for ((device = 0; device < ${#devices[@]} / 4; device++)); do
	show snapline queue set-rate "$device" 500Mbit --admin "$dir/$leader.sock"
	"$snapline" queue set-rate "$device" 500Mbit --admin "$dir/$leader.sock" >"$dir/out" 2>&1 ||
		explain "no limit: $(cat "$dir/out")"
done
back=$(now_ms)
launch_server "$one"
verdict='' spoken=$SECONDS
watch_transfer() { # a line a second
	local line
	"$snapline" transfer list --admin "$dir/$leader.sock" --json >"$dir/moving.json" 2>&1 ||
		return 0
	line=$(jq -r 'map(select(.stage != "done" and .stage != "failed")) | .[0] // empty |
		"\(.stage): \(.bytes_done / 1048576 | floor) of \(.bytes / 1048576 | floor) MiB" +
		(if .convergence then ", \(.convergence.verdict)" else "" end) +
		(if .convergence.margin_s then " (margin \(.convergence.margin_s | floor) s)"
			else "" end)' "$dir/moving.json")
	[ -n "$line" ] || return 0
	verdict=$line
	[ "$((SECONDS - spoken))" -ge 1 ] || return 0
	spoken=$SECONDS
	say "   $(seconds $(($(now_ms) - back))): $line"
}
has_caught_up() {
	local mine theirs
	mine=$(info "$one" applied_index)
	theirs=$(info "$leader" applied_index)
	[ -n "$mine" ] && [ -n "$theirs" ] && [ "$(installs "$one")" -ge 1 ] &&
		[ $((theirs - mine)) -lt 200 ]
}
deadline=$((SECONDS + 90))
until has_caught_up 2>/dev/null; do
	[ "$SECONDS" -lt "$deadline" ] || explain 'the follower does not catch up'
	is_running "${server[$one]}" || explain 'the follower ended'
	watch_transfer
	sleep 0.2
done
caught=$(now_ms)
is_running "$writer" || explain "the writes ended: $(tail -n 1 "$dir/writes")"
expect_installed "$one"
say "   caught up $(seconds $((caught - back))) after it came back," \
	"$(seconds $((caught - killed))) after it was killed; the writes went on"
say "   last verdict: ${verdict##* MiB, }"
sed -n 's/.* install event=done /   its own word: /p' "$dir/$one.log" | tail -n 1

say
say '5. Do all three hold the same keys?'
kill "$writer" 2>/dev/null || true
wait "$writer" 2>/dev/null || true
expect_equal 1 2 3
for id in 1 2 3; do
	say "   server $id: $(info "$id" role), $(info "$id" keys) keys," \
		"digest $(info "$id" digest)"
done
for id in 1 2 3; do
	stop_server "$id"
done

say
say 'Done: the follower is back, and nobody waited for it.'
