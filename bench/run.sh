#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# run.sh BUILD: runs the rows, one after another, and says what came out: a table, plots,
# and the budgets with a verdict each. ROWS="crc memif" picks rows, QUICK=1 makes them short.
#
#   rows/*.sh ─► BUILD/bench/samples.tsv ─► results.jsonl ─► table, plots, budgets
#
# Interrupted, it ends the row that runs and keeps the numbers there are.
set -eu
bench=$(cd "$(dirname "$0")" && pwd)
build=$(realpath "${1:?usage: run.sh BUILD}")
out=$build/bench
export BENCH_BUILD=$build QUICK=${QUICK:-}
order='crc core port memif files disk workers veth throttle throttle_veth foreground rtt loss followers crowd memory idle'
limit=1200 # seconds a row may take, on a busy machine, too
group=0   # process group of the row that runs

fail() {
	echo "bench: $*" >&2
	exit 64
}
rows=${ROWS:-$order}
for row in $rows; do
	[ -x "$bench/rows/$row.sh" ] || fail "there is no row '$row'; the rows are: $order"
done

# Two at once would measure each other.
exec 9>"$out/lock"
flock -n 9 || fail "another bench runs on $build; wait for its end"

# Where copies are made: memory, if there is any.
if [ -z "${TMPDIR:-}" ] && [ "$(stat -f -c %T /dev/shm 2>/dev/null)" = tmpfs ] &&
	[ -w /dev/shm ]; then
	export TMPDIR=/dev/shm
fi
export BENCH_SAMPLES=$out/samples.tsv
: >"$BENCH_SAMPLES"
machine=$("$bench/machine.sh")

end_row() {
	local i
	[ "$group" != 0 ] || return 0
	kill -TERM -- "-$group" 2>/dev/null || true
	wait "$group" 2>/dev/null || true
	# perf ends before the row that it looks at has cleaned up
	for ((i = 0; i < 100; i++)); do
		kill -0 -- "-$group" 2>/dev/null || break
		sleep 0.1
	done
	kill -KILL -- "-$group" 2>/dev/null || true
	group=0
}
summarise() {
	echo "$machine" >"$out/results.jsonl"
	jq -R -s -c -f "$bench/summary.jq" "$BENCH_SAMPLES" >>"$out/results.jsonl"
	cat "$out"/*.profile >>"$out/results.jsonl" 2>/dev/null || true
}

# A sample a hundredth of a second costs what it measures nothing. BENCH_PERF= does without.
perf=${BENCH_PERF-perf}
sampler=()
for clock in cpu-clock cpu-clock:u; do
	try=("$perf" record --quiet -F 99 -e "$clock")
	if [ -n "$perf" ] && "${try[@]}" -o "$out/try.perf" -- true >/dev/null 2>&1; then
		sampler=("${try[@]}")
		break
	fi
done
rm -f "$out"/*.profile "$out/try.perf"
trap 'end_row; summarise' EXIT
trap 'exit 130' INT TERM

align() { # COLUMN: which one is flush right
	awk -F '\t' -v right="$1" '
		{ for (i = 1; i <= NF; i++) {
			cell[NR, i] = $i
			if (length($i) > width[i]) width[i] = length($i)
		  }
		  count[NR] = NF }
		END { for (row = 1; row <= NR; row++) {
			line = ""
			for (i = 1; i <= count[row]; i++) {
				sign = i == right ? "" : "-"
				line = line sprintf("%" sign width[i] "s  ", cell[row, i])
			}
			sub(/ +$/, "", line)
			print line
		} }'
}

run_row() { # NAME
	local status=0 start=$SECONDS command=("$bench/rows/$1.sh")
	[ ${#sampler[@]} = 0 ] || command=("${sampler[@]}" -o "$out/$1.perf" -- "${command[@]}")
	# timeout makes itself the leader of a process group
	BENCH_ROW=$1 timeout --kill-after=20 "$limit" "${command[@]}" \
		</dev/null >"$out/$1.log" 2>&1 9>&- &
	group=$!
	wait "$group" || status=$?
	end_row
	case $status in
	0) printf '%-10s %4d s\n' "$1" $((SECONDS - start)) ;;
	77) printf '%-10s skipped: %s\n' "$1" "$(tail -n 1 "$out/$1.log")" ;;
	124) printf '%-10s given up after %d s; see %s\n' "$1" "$limit" "$out/$1.log" ;;
	*)
		printf '%-10s FAILED: %s\n' "$1" "$(tail -n 1 "$out/$1.log")"
		failed=1
		;;
	esac
	[ ! -s "$out/$1.perf" ] || "$bench/profile.sh" "$1" "$out/$1.perf" >"$out/$1.profile" || true
	rm -f "$out/$1.perf"
	summarise
}

failed=0
jq -r '.machine | "\(.cpu), \(.cores) cores\(if .virtual == "yes" then ", virtual" else ""
	end), \(.memory), Linux \(.kernel), DPDK \(.dpdk), ISA-L \(.isal) with \(.crc)
load at start \(.load), \(.hugepages) hugepages free, root \(.root), revision \(.revision)"' \
	<<<"$machine"
is_quiet() {
	awk -v cores="$(nproc)" '{ exit !($1 < cores / 4) }' /proc/loadavg
}
is_quiet || echo 'other programs are running: try the harness, but quote none of these numbers'
for row in $rows; do
	run_row "$row"
done

echo
(
	printf 'row\tcase\tsubject\tmedian\tunit\tp10 to p90\truns\n'
	jq -r -f "$bench/table.jq" "$out/results.jsonl"
) | align 4 | tee "$out/table.txt"
"$bench/plot.sh" "$out"
echo
jq -r -s -f "$bench/budgets.jq" "$out/results.jsonl" |
	if [ -n "${ROWS:-}" ]; then grep -v 'not measured' || true; else cat; fi >"$out/judged"
(
	printf 'budget\tmeasured\tbar\tverdict\n'
	cut -f 1-4 "$out/judged"
) | align 0 | tee "$out/budgets.txt"

misses=$(awk -F '\t' '$4 == "not yet" && !seen[$5]++ { print $5 }' "$out/judged")
if [ -n "$misses" ]; then
	echo
	(
		printf 'row\tthread or case\twhere the time goes\t\n'
		for row in $misses; do
			jq -r -s --arg row "$row" -f "$bench/profile.jq" "$out/results.jsonl"
		done
	) | align 4 | tee "$out/profile.txt"
fi
echo
echo "results, plots and logs after $SECONDS s: $out"
exit "$failed"
