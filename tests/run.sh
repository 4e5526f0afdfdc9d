#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# run.sh BUILD [NAME...]: runs the built tests under BUILD and the scripts of tests/e2e,
# one line a test, the whole log of a failure. NAME picks some: unit/crc, e2e/cli, sim.
# Exit 77 of a test means skipped, its last line of output says why. What a passed test
# prints behind "table: " is shown below its line.
set -eu
cd "$(dirname "$0")/.."

if [ $# -lt 1 ]; then
	echo "usage: tests/run.sh BUILD [NAME...]" >&2
	exit 64
fi
build=$1
shift

# Seconds until a test counts as hung: far beyond what a loaded machine with sanitizers
# needs. TEST_LIMIT overrides all of them.
declare -A limits=([unit]=120 [sim]=600 [os]=300 [dpdk]=300 [fuzz]=300 [e2e]=900)

passed=0 failed=0 skipped=0
# Where programs have their files: gone after each test, and with the next run what one that
# was killed has left. The stories see to theirs.
scratch=/tmp/snapline-tests-$$
for left in /tmp/snapline-tests-*; do
	[ -d "/proc/${left##*-}" ] || rm -rf "$left"
done
mkdir "$scratch"
log=$scratch/log
group=0 # the process group of the running test; timeout(1) makes itself its leader

kill_group() {
	[ "$group" = 0 ] || kill -KILL -- "-$group" 2>/dev/null || true
	group=0
}
trap 'kill_group; rm -rf "$scratch"' EXIT
trap 'exit 130' INT TERM

is_picked() { # kind name picks...
	local kind=$1 name=$2 pick
	shift 2
	[ $# -gt 0 ] || return 0
	for pick; do
		[ "$pick" = "$kind/$name" ] || [ "$pick" = "$kind" ] && return 0
	done
	return 1
}

run() { # kind name command...
	local kind=$1 name=$2 start end seconds status=0
	shift 2
	start=$(date +%s%N)
	mkdir "$scratch/files"
	[ "$kind" = e2e ] || set -- env TMPDIR="$scratch/files" "$@"
	timeout --kill-after=10 "${TEST_LIMIT:-${limits[$kind]}}" "$@" </dev/null >"$log" 2>&1 &
	group=$!
	wait "$group" 2>/dev/null || status=$? # bash would tell of a crash as well
	kill_group
	rm -rf "$scratch/files"
	end=$(date +%s%N)
	seconds=$(printf '%d.%02d' $(((end - start) / 1000000000)) \
		$(((end - start) / 10000000 % 100)))
	case $status in
	0)
		passed=$((passed + 1))
		printf 'pass  %-28s %7s s\n' "$kind/$name" "$seconds"
		sed -n 's/^table: /      /p' "$log"
		;;
	77)
		skipped=$((skipped + 1))
		printf 'skip  %-28s %7s s  %s\n' "$kind/$name" "$seconds" "$(tail -n 1 "$log")"
		;;
	*)
		failed=$((failed + 1))
		printf 'FAIL  %-28s %7s s  %s\n' "$kind/$name" "$seconds" "$(why "$status")"
		sed 's/^/    | /' "$log"
		;;
	esac
}

why() { # status
	case $1 in
	124 | 137) echo "killed, or still running at its time limit" ;;
	*) [ "$1" -le 128 ] && echo "exit $1" || echo "signal $(kill -l "$1")" ;;
	esac
}

for kind in unit sim os dpdk fuzz; do
	# By source, not by binary: a binary whose source is gone is not a test any more.
	for source in tests/"$kind"/*.c; do
		name=$(basename "$source" .c)
		if [ -f "$source" ] && is_picked "$kind" "$name" "$@"; then
			run "$kind" "$name" "$build/tests/$kind/$name"
		fi
	done
done
for script in tests/e2e/*.sh; do
	name=$(basename "$script" .sh)
	# what is only sourced cannot be executed
	if [ -x "$script" ] && is_picked e2e "$name" "$@"; then
		run e2e "$name" "$script" "$build/snapline"
	fi
done

summary="$passed passed, $failed failed"
[ "$skipped" = 0 ] || summary="$summary, $skipped skipped"
[ $((passed + failed)) -gt 0 ] || echo "run.sh: no test ran" >&2
echo "$summary"
[ "$failed" = 0 ] && [ "$passed" -gt 0 ]
