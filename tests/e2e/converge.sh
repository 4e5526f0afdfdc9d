#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# A follower of a real Raft group races the log: writes go on and the leader saves and cuts
# its log all the time. On a link that is fast enough it arrives with its first snapshot,
# since the log it needs is kept; on one that is too slow that is said within seconds, and
# ends with the reason, not in a loop. STORIES="race slow", SEED=n and ROUNDS=n for more of
# it.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
snapline=${1:?usage: converge.sh build/snapline}
kv=$(dirname "$snapline")/snapline-kv
# shellcheck source=lib.sh
. "$here/lib.sh"
# shellcheck source=kv.sh
. "$here/kv.sh"
become_user "$0" "$(dirname "$snapline")"

rounds=${ROUNDS:-1}
seed=${SEED:-$((RANDOM * 32768 + RANDOM))}
echo "SEED=$seed ROUNDS=$rounds"
kv_options=(--snapshot-threshold 100 --snapshot-trailing 20)

start_writes() { # CLIENTS
	redis-benchmark -h 127.0.0.1 -p "${port[$leader]}" -t set -n 100000000 -r 5000 -d 200 \
		-c "$1" -q </dev/null >"$dir/writes" 2>&1 &
	writer=$!
	pids+=("$writer")
}
# At most 250 a second, an entry each, however fast the machine is.
start_slow_writes() {
	perl -e '$| = 1; $SIG{PIPE} = "DEFAULT"; while (1) {
		printf "SET key:%012d %s\r\n", rand(5000), rand();
		select(undef, undef, undef, 0.004);
	}' | redis-cli -h 127.0.0.1 -p "${port[$leader]}" >"$dir/writes" 2>&1 &
	writer=$!
	pids+=("$writer")
}
stop_writes() {
	kill -KILL "$writer" 2>/dev/null || true
	wait "$writer" 2>/dev/null || true
}
transfers() {
	"$snapline" transfer list --admin "$dir/$leader.sock" --json
}
has() { # JQ: at the leader
	transfers | jq -e "$1" >"$dir/jq"
}

found_cluster 3
fill 0 4000 4 first
expect_equal 1 2 3
RANDOM=$((seed % 32768)) # ports are no part of the story

# ---- compaction never outruns it: the leader saves and cuts while one is on its way
race() {
	local one percent before saved
	need_leader
	one=$(follower $((1 + RANDOM % 2)))
	kill_server "$one"
	wipe_server "$one"
	percent=$((20 + RANDOM % 60))
	set_rate "$((20 + RANDOM % 30))Mbit"
	start_writes $((2 + RANDOM % 7))
	launch_server "$one" --join
	wait_for 30 has 'any(.stage == "wire" and .convergence.pinned_entries > 0)' ||
		explain 'nothing is pinned'
	before=$(info "$leader" snapshot_index)
	[ "$(info "$leader" log_pinned_from)" -gt 0 ] || explain 'INFO shows no pin'
	wait_for 60 has_installed "$one" || explain 'it never arrives'
	saved=$(($(info "$leader" snapshot_index) - before))
	sleep "0.$percent" # it is to follow the log under writes, too
	stop_writes
	expect_equal 1 2 3
	echo "round $1: $saved entries in saves meanwhile, $(installs "$one") snapshot(s) needed"
	[ "$(installs "$one")" = 1 ] ||
		explain "server $one needed $(installs "$one") snapshots to catch up"
	! grep -q 'event=pin_dropped' "$dir/$leader.log" || explain 'the pin was dropped'
	set_rate unlimited
}
has_installed() { # ID
	[ "$(installs "$1")" -ge 1 ]
}

knows() { # ID
	"$snapline" transfer list --admin "$dir/$1.sock" | grep 'will not converge: '
}

# ---- too slow a link
slow() {
	local one seen began
	need_leader
	one=$(follower 1)
	kill_server "$one"
	wipe_server "$one"
	set_rate 3Mbit # a chunk takes three seconds, all of it a minute
	start_slow_writes
	launch_server "$one" --join
	wait_for 30 has 'any(.stage == "wire")' || explain 'nothing moves'
	began=$SECONDS
	wait_for 30 has 'any(.convergence.verdict == "will-not-converge")' ||
		explain 'it is not said that it will not converge'
	echo "said after $((SECONDS - began)) s: $(jq -r '.[0].convergence.text' <<<"$(transfers)")"
	[ $((SECONDS - began)) -le 5 ] || echo '   (late: a busy machine?)'
	knows "$leader" || explain 'people are not told'
	grep -q 'warn convergence event=convergence .* verdict=will-not-converge' "$dir/$leader.log" ||
		explain 'the log does not say it'
	wait_for 5 knows "$one" || explain 'the follower does not know'
	wait_for 60 has 'any(.error | startswith("did not converge: "))' || explain 'it never ends'
	transfers | jq -r '.[0].error'
	seen=$(grep -c 'event=pin_dropped' "$dir/$leader.log")
	[ "$seen" = 1 ] || explain "the pin was dropped $seen times"
	# no loop: it is left alone for ten seconds, and the follower knows why
	wait_for 20 grep -q 'did not converge: .*raise its rate or pin-log-max-entries' "$dir/$one.log" ||
		explain 'the follower does not say why'
	wait_for 20 grep -q 'Not served again for' "$dir/$one.log" || explain 'it is tried again'
	stop_writes
	[ "$rounds" != 1 ] || return 0 # ten seconds are long for one round
	set_rate unlimited
	wait_for 60 has_installed "$one" || explain 'it never arrives'
	expect_equal 1 2 3
}

for story in ${STORIES:-race slow}; do
	case $story in
	race) for ((round = 1; round <= rounds; round++)); do race "$round"; done ;;
	slow)
		for id in 1 2 3; do
			stop_server "$id"
		done
		kv_options+=(--set pin-log-entries=200 --set pin-log-max-entries=1500)
		for id in 1 2 3; do
			launch_server "$id"
		done
		slow
		;;
	esac
done
