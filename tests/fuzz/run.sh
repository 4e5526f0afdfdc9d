#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# run.sh BUILD SECONDS: runs every fuzz target built under BUILD for so many seconds, two
# at a time, and prints one line a target. New inputs are kept in BUILD/found/TARGET and
# are where the next run begins. Exits 1 on a finding and says where its input lies.
set -eu
cd "$(dirname "$0")/../.."

if [ $# != 2 ]; then
	echo "usage: tests/fuzz/run.sh BUILD SECONDS" >&2
	exit 64
fi
build=$1
seconds=$2

# Freed memory is kept back for a while to catch its use; not so much that it costs time.
export ASAN_OPTIONS=quarantine_size_mb=8${ASAN_OPTIONS:+:$ASAN_OPTIONS}

running=()
trap '[ ${#running[@]} = 0 ] || kill "${running[@]}" 2>/dev/null || true' EXIT
trap 'exit 130' INT TERM

start() { # target
	local found=$build/found/$1 log=$build/log/$1
	mkdir -p "$found" "$build/findings" "$build/log"
	rm -f "$build/findings/$1"-*
	# A whole input may take 25 s before it counts as a hang: the machine may be busy.
	"$build/tests/fuzz/targets/$1" -max_total_time="$seconds" -timeout=25 \
		-print_final_stats=1 -artifact_prefix="$build/findings/$1-" \
		"$found" "tests/fuzz/corpus/$1" >"$log" 2>&1 &
	running+=($!)
}

field() { # log name: the last number that libFuzzer printed under this name
	sed -nE "s/.*\b$2:? +([0-9]+).*/\1/p" "$1" | tail -n 1
}

report() { # target status
	local log=$build/log/$1 result=pass finding
	[ "$2" = 0 ] || result=FAIL
	printf '%-10s %10s %6s %6s %6s  %s\n' "$1" "$(field "$log" number_of_executed_units)" \
		"$(field "$log" cov)" "$(field "$log" ft)" \
		"$(field "$log" new_units_added)" "$result"
	[ "$2" != 0 ] || return 0
	grep -m 1 -E 'ERROR:|runtime error:|Assertion' "$log" || tail -n 20 "$log"
	for finding in "$build/findings/$1"-*; do
		[ ! -e "$finding" ] || printf '    input: %s\n    again: %s %s\n' "$finding" \
			"$build/tests/fuzz/targets/$1" "$finding"
	done
	printf '    log:   %s\n' "$log"
}

targets=()
for source in tests/fuzz/targets/*.c; do
	targets+=("$(basename "$source" .c)")
done

failed=0
printf '%-10s %10s %6s %6s %6s  %s\n' target runs cov ft new result
for ((i = 0; i < ${#targets[@]}; i += 2)); do
	pair=("${targets[@]:i:2}")
	running=()
	for target in "${pair[@]}"; do
		start "$target"
	done
	for j in "${!pair[@]}"; do
		status=0
		wait "${running[j]}" || status=$?
		[ "$status" = 0 ] || failed=1
		report "${pair[j]}" "$status"
	done
	running=()
done
exit "$failed"
