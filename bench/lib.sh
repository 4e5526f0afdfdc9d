# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=bash
# What the rows share: numbers go in here, one at a time. run.sh has set BENCH_ROW,
# BENCH_SAMPLES (a file), BENCH_BUILD and QUICK. Sourcing it makes $dir, as tests/e2e/lib.sh
# says, in memory where there is room.
#
# shellcheck disable=SC2034 # the rows use what is set here
bench=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
here=$bench/../tests/e2e
build=$(realpath "${BENCH_BUILD:?run it through bench/run.sh}")
snapline=$build/snapline
quick=${QUICK:-}
: "${BENCH_ROW:?}" "${BENCH_SAMPLES:?}"
export LC_ALL=C
# shellcheck source=../tests/e2e/lib.sh
. "$here/lib.sh"
# shellcheck source=../tests/e2e/nodes.sh
. "$here/nodes.sh"

# quick_or FULL QUICK: the number that suits the run
quick_or() {
	if [ -n "$quick" ]; then echo "$2"; else echo "$1"; fi
}

record() { # CASE SUBJECT UNIT VALUE
	[[ $4 =~ ^-?[0-9.]+(e[-+]?[0-9]+)?$ ]] || fail "$1, $2: '$4' is no number"
	printf '%s\t%s\t%s\t%s\t%s\n' "$BENCH_ROW" "$1" "$2" "$3" "$4" >>"$BENCH_SAMPLES"
}

# Runs a program of bench/, whose output is samples.
collect() { # COMMAND...
	"$@" 2>"$dir/collect.err" >"$dir/collect" ||
		fail "$*: $(tail -n 1 "$dir/collect.err")"
	sed "s/^/$BENCH_ROW\t/" "$dir/collect" >>"$BENCH_SAMPLES"
}

# Before a command of one thread that must not wait for others; root's privilege.
at_once=()
if chrt -f 10 true 2>/dev/null; then
	at_once=(chrt -f 10)
fi

calc() { # EXPRESSION of awk
	awk "BEGIN { printf(\"%.6g\", ($1)) }"
}
gbps() { # BYTES SECONDS
	calc "$1 * 8 / 1e9 / $2"
}
now() {
	date +%s.%N
}

# CPU seconds of processes and of their children, those that have ended included.
cpu_of() { # PID...
	local pid
	for pid; do
		echo "$pid"
		cat "/proc/$pid/task/$pid/children" 2>/dev/null || true
	done | tr ' ' '\n' | sort -u | while read -r pid; do
		cut -d ')' -f 2 "/proc/$pid/stat" 2>/dev/null || true
	done | awk -v hz="$(getconf CLK_TCK)" '{ sum += $12 + $13 + $14 + $15 }
		END { printf "%.3f", sum / hz }'
}
# CPU seconds of the commands the shell has waited for.
cpu_of_shell() { # PID
	cut -d ')' -f 2 "/proc/$1/stat" |
		awk -v hz="$(getconf CLK_TCK)" '{ printf "%.3f", ($14 + $15) / hz }'
}

free_mib() { # in the file system of $dir
	df --output=avail -m "$dir" | tail -n 1 | tr -d ' '
}
# A hypervisor takes back what memory a guest has let go of for some seconds, and gives it
# again page by page: files of fresh memory are then written at a tenth to half of the speed.
# So that what is measured is not that, right before it. More than a GiB would not stay.
warm_memory() { # MIB
	head -c "$1M" /dev/zero >"$dir/warm"
	rm "$dir/warm"
}
# For a copy of a directory, which holes take no memory of.
warm_for() { # DIR
	warm_memory "$(du -sm "$1" | cut -f 1)"
}
need_mib() { # MIB
	[ "$(free_mib)" -ge "$1" ] ||
		skip "needs $1 MiB free in $(dirname "$dir"), there are $(free_mib)"
}
