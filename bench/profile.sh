#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# profile.sh ROW PERF_DATA: one line of JSON, the functions in which our own threads were
# found most often: those of processes that move a snapshot. Rivals, shells and what else the
# row has started are left out.
set -eu
export LC_ALL=C

# comm, process, address, symbol, (object); the kernel's object is [kernel.kallsyms]
"${BENCH_PERF:-perf}" script -i "$2" -F comm,pid,ip,sym,dso 2>/dev/null | awk -v OFS='\t' '
	$1 ~ /^snapline-(nic|disk)$/ { moves[$2] = 1 }
	$1 ~ /^(core|port|pair|far)$/ { moves[$2] = 1 }
	{
		name = $4
		sub(/\+0x[0-9a-f]+$/, "", name)
		if (name == "[unknown]") name = $NF
		gsub(/^\(.*\/|^\(|\)$/, "", name)
		if (name ~ /^__mem(cpy|move)_/) name = "memcpy"
		if (name ~ /^__memset_/) name = "memset"
		if ($NF ~ /kernel/) name = name " (kernel)"
		thread[NR] = $1; process[NR] = $2; place[NR] = name
	}
	END {
		for (i = 1; i <= NR; i++) if (process[i] in moves) {
			count[thread[i] "\t" place[i]]++
			all++
		}
		for (at in count) print count[at], all, at
	}' | sort -rn | head -n 8 |
	jq -R -s -c --arg row "$1" '[split("\n")[] | select(. != "") | split("\t")
		| {thread: .[2], function: .[3], share: ((.[0] | tonumber) / (.[1] | tonumber)),
			all: (.[1] | tonumber)}]
		| select(length > 0)
		| {$row, samples: .[0].all, profile: map(del(.all))}'
