#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# cluster.sh build/snapline: three servers under writes while faults strike, drawn from SEED,
# for ROUNDS rounds. After every round all replicas hold the same keys, and each key the
# value that was confirmed last, or one that was tried after it.
set -eu
here=$(cd "$(dirname "$0")/../e2e" && pwd)
snapline=$(realpath "${1:?usage: cluster.sh build/snapline}")
kv=$(dirname "$snapline")/snapline-kv
seed=${SEED:-$((RANDOM * 32768 + RANDOM))}
rounds=${ROUNDS:-10}
# shellcheck source=../e2e/lib.sh
. "$here/lib.sh"
# shellcheck source=../e2e/kv.sh
. "$here/kv.sh"
echo "SEED=$seed ROUNDS=$rounds"

kv_options=(--snapshot-threshold 100 --snapshot-trailing 20 --set pin-log-linger-s=1)
KEYS=50
choose_ports 3 # before the seed counts: ports are no part of the story
RANDOM=$((seed % 32768))

# One client that waits for each answer. Its record: "key value tried", and when it was
# confirmed "key value yes".
write_on() {
	local i=0 key id answer
	while :; do
		i=$((i + 1))
		key=$((i * 7919 % KEYS))
		echo "$key $i tried"
		for id in 1 2 3; do
			answer=$(timeout 3 redis-cli -h 127.0.0.1 -p "${port[$id]}" \
				set "watched:$key" "$i" 2>&1 </dev/null) || true
			case $answer in
			OK) echo "$key $i yes" && break ;;
			TRYAGAIN* | '') break ;; # perhaps it was
			esac
		done
	done
}
# The leader's answer is what counts; the others are equal to it.
check_writes() {
	local key got confirmed
	need_leader
	for ((key = 0; key < KEYS; key++)); do
		got=$(cli "$leader" get "watched:$key")
		confirmed=$(awk -v key="$key" '$1 == key && $3 == "yes" { n = $2 } END { print n + 0 }' \
			"$dir/writes")
		[ "${got:-0}" = "$confirmed" ] || awk -v key="$key" -v got="${got:-0}" -v n="$confirmed" \
			'$1 == key && $2 == got && $3 == "tried" && $2 > n { ok = 1 } END { exit !ok }' \
			"$dir/writes" ||
			explain "watched:$key is '$got', confirmed was $confirmed"
	done
}

fall_behind() { # ID
	kill_server "$1"
	[ $((RANDOM % 3)) = 0 ] || wipe_server "$1"
	fill $((10000 + RANDOM % 3000)) 13100 1 "round$round"
	cut_log
	cut_log
	if [ -d "$dir/$1" ]; then
		launch_server "$1"
	else
		launch_server "$1" --join
	fi
}
nap() {
	sleep "0.$((RANDOM % 10))"
}
freeze() { # ID: for up to four seconds
	kill -STOP "${server[$1]}"
	sleep $((RANDOM % 4)).5
	kill -CONT "${server[$1]}"
}
disturb() { # BEHIND OTHER: prints what it does
	nap
	case $((RANDOM % 7)) in
	0) echo 'nothing else' ;;
	1) echo "$1 is killed" && kill_server "$1" && launch_server "$1" --join ;;
	2) echo "$1 is frozen" && freeze "$1" ;;
	3) echo "leader $leader is frozen" && freeze "$leader" ;;
	4) echo "$leader hands over to $2" && cli "$leader" snapline transfer "$2" >"$dir/out" 2>&1 ;;
	5) echo "leader $leader is killed" && kill_server "$leader" && launch_server "$leader" ;;
	6) echo "$2 is frozen" && freeze "$2" ;;
	esac
	return 0
}

found_cluster 3
fill 0 4000 4 first
write_on >"$dir/writes" &
pids+=($!)
writer=$!
disown "$writer" # or bash tells of its end
for ((round = 1; round <= rounds; round++)); do
	need_leader
	behind=$(follower $((1 + RANDOM % 2)))
	other=$((6 - leader - behind))
	fall_behind "$behind"
	printf '%s s, round %s: %s falls behind, ' "$SECONDS" "$round" "$behind"
	disturb "$behind" "$other"
	[ $((RANDOM % 3)) != 0 ] || { printf '   and then ' && disturb "$behind" "$other"; }
	wait_for 60 answers_or_ended "$behind" || explain "server $behind does not answer"
	need_leader
	kill -STOP "$writer" # or nobody is ever equal
	sleep 1
	expect_equal 1 2 3
	kill -CONT "$writer"
done
kill -KILL "$writer"
sleep 3 # what it tried last is decided
expect_equal 1 2 3
check_writes
echo "$(grep -c tried "$dir/writes") writes tried, $(grep -c yes "$dir/writes") confirmed, none lost"
