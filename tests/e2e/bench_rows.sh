#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# make bench: what becomes of samples, how a budget is judged, where the time of a row goes
# that misses its bar, and what is said of one that fails, is skipped, does not exist or is
# interrupted. The rows are planted; the numbers of the real ones are nobody's business here.
#
# shellcheck disable=SC2016 # what is planted expands later
set -eu
here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=lib.sh
. "$here/lib.sh"
bench=$dir/bench
cp -r "$here/../../bench" "$bench"
rm "$bench"/rows/*
printf '#!/bin/sh\n' >"$bench/plot.sh" # drawing takes longer than all the rest
mkdir -p "$dir/build/bench"

plant() { # ROW SCRIPT
	printf '#!/bin/bash\n%s\n' "$2" >"$bench/rows/$1.sh"
	chmod +x "$bench/rows/$1.sh"
}
say='say() { printf "%s\t%s\t%s\t%s\t%s\n" "$BENCH_ROW" "$@" >>"$BENCH_SAMPLES"; };'
run() { # ROWS
	ROWS=$1 QUICK=1 "$bench/run.sh" "$dir/build"
}
export BENCH_PERF= # no profile, unless a story says so
result() { # ROW SUBJECT EXPRESSION
	jq -s -e --arg row "$1" --arg subject "$2" \
		"any(.[]; .row == \$row and .subject == \$subject and ($3))" \
		"$dir/build/bench/results.jsonl" >"$dir/jq" ||
		fail "$2 is not '$3': $(cat "$dir/build/bench/results.jsonl")"
}

# ---- medians and spread; the machine is described; a budget has a verdict
plant memif "$say"'
	for rate in 7 1 3 2 9; do say 8192 snapline Gb/s $rate; done
	say 8192 testpmd Gb/s 4
	say 8192 testpmd Gb/s 5'
plant loss "$say"' say "loss 5 %" snapline "wire bytes/byte" 1.2'
expect 0 'results, plots and logs' run 'memif loss'
result memif snapline '.median == 3 and .n == 5 and .p10 == 1.4 and .p90 == 8.2'
result memif testpmd '.median == 4.5 and .unit == "Gb/s" and .case == "8192"'
jq -s -e '.[0].machine | .cpu != "" and .cores > 0 and .load != ""' \
	"$dir/build/bench/results.jsonl" >"$dir/jq" || fail 'the machine is not described'
grep -Eq 'of testpmd +0\.67 x +>= 0\.8 x +not yet$' "$dir/out" || fail "$(cat "$dir/out")"
grep -Eq '^loss 5 %.* 1\.2 +<= 1\.11 +not yet$' "$dir/out" || fail "$(cat "$dir/out")"
plant memif "$say"' say 8192 snapline Gb/s 4; say 8192 testpmd Gb/s 5'
expect 0 'pass' run memif
grep -Eq 'of testpmd +0\.8 x +>= 0\.8 x +pass$' "$dir/out" || fail "$(cat "$dir/out")"

# ---- where the time of a row that misses goes: by its stages, or by a profile of our threads
plant files "$say"' say "16 x 64 MiB" "snapline busy" core-s/GiB 2
	say "16 x 64 MiB" "snapline: leader tx" s/GiB 0.25
	say "16 x 64 MiB" "snapline: wire" s/GiB 1.5'
expect 0 'where the time goes' run 'files memif'
grep -Eq '^files +16 x 64 MiB +snapline: wire +1\.5 s/GiB$' "$dir/out" || fail "$(cat "$dir/out")"
printf '#!/bin/bash\n%s\n' 'if [ "$1" = script ]; then
	for symbol in f+0x1f f+0x2 "[unknown]"; do echo "snapline-nic 7 55 $symbol (/lib/pmd.so)"; done
	echo "snapline 7 ff copy+0x1 ([kernel.kallsyms])"
	echo "rsync 8 ff busy+0x1 (/bin/rsync)"
	exit
fi
while [ "$1" != -- ]; do [ "$1" != -o ] || echo data >"$2"; shift; done
shift; "$@"' >"$dir/perf"
chmod +x "$dir/perf"
BENCH_PERF=$dir/perf expect 0 'where the time goes' run 'files memif'
for line in 'snapline-nic +f +50 %' 'snapline-nic +pmd.so +25 %' 'snapline +copy \(kernel\) +25 %'; do
	grep -Eq "^files +$line\$" "$dir/out" || fail "no '$line' in $(cat "$dir/out")"
done
if grep -q 'rsync\|^memif .*%$' "$dir/out"; then
	fail "a rival, or a row that passes, is profiled: $(cat "$dir/out")"
fi
jq -s -e 'any(.[]; .row == "files" and .samples == 4 and .profile[0].share == 0.5)' \
	"$dir/build/bench/results.jsonl" >"$dir/jq" || fail 'the profile is not in the results'

# ---- one row fails, one is skipped: the others count all the same, the exit code tells
plant crc 'echo reading; echo it broke; exit 3'
plant veth 'echo "needs root"; exit 77'
expect 1 'crc        FAILED: it broke' run 'crc veth memif'
grep -q '^veth       skipped: needs root$' "$dir/out" || fail "$(cat "$dir/out")"
result memif snapline '.median == 4'

# ---- no such row; two at once
expect 64 "there is no row 'nonsense'" run 'nonsense'
expect 64 'another bench runs' flock "$dir/build/bench/lock" env ROWS=memif \
	"$bench/run.sh" "$dir/build"

# ---- interrupted: the row cleans up, though perf is gone by then; it and its children end, the
# numbers there are stay
plant idle "$say"' trap "sleep 0.5; echo >'"$dir/tidy"'" EXIT; trap "trap \"\" TERM; exit 130" TERM
	say memif node "%" 1; sleep 300 & echo $! >'"$dir/left"'; wait'
(ROWS='memif idle' BENCH_PERF=$dir/perf exec "$bench/run.sh" "$dir/build") >"$dir/out" 2>&1 &
running=$!
pids+=("$running")
wait_for 10 test -s "$dir/left" || fail "it does not begin: $(cat "$dir/out")"
status=0
kill -TERM "$running"
wait "$running" || status=$?
[ "$status" = 130 ] || fail "exit $status, not 130"
[ -e "$dir/tidy" ] || fail 'the row was killed before it had cleaned up'
wait_for 5 is_gone "$(cat "$dir/left")" || fail 'a child outlived the bench'
result memif snapline '.median == 4'
