#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# plot.sh OUT: draws OUT/results.jsonl, a picture a row and unit, as PNG and SVG.
set -eu
out=${1:?usage: plot.sh OUT}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# Bars in groups: a group a case, a colour a subject, the spread as a line.
plot() { # ROW UNIT NAME TITLE
	local subjects=() subject i=0 clauses='' terminal
	mapfile -t subjects < <(jq -r --arg row "$1" --arg unit "$2" 'select(.row == $row and
		.unit == $unit) | .subject' "$out/results.jsonl" | awk '!seen[$0]++')
	[ ${#subjects[@]} -gt 0 ] || return 0
	for subject in "${subjects[@]}"; do
		# cases in the order of the row, the same for every subject
		jq -r -s --arg row "$1" --arg unit "$2" --arg subject "$subject" '
			[.[] | select(.row == $row and .unit == $unit)] as $all
			| reduce $all[].case as $case ([]; if index([$case]) then . else . + [$case] end)
			| .[] as $case
			| first($all[] | select(.case == $case and .subject == $subject)) //
				{median: "?", p10: "?", p90: "?"}
			| [$case, .median, .p10, .p90] | @tsv' "$out/results.jsonl" >"$work/$i"
		clauses+="${clauses:+, }'$work/$i' using 2:3:4:xtic(1) title \"$subject\""
		i=$((i + 1))
	done
	for terminal in png svg; do
		gnuplot <<-EOF
			set terminal $terminal noenhanced size 1000,600
			set output '$out/$3.$terminal'
			set title "$4"
			set ylabel "$2"
			set datafile separator "\t"
			set datafile missing "?"
			set style data histogram
			set style histogram errorbars gap 1 linewidth 1
			set style fill solid 0.6 border -1
			set boxwidth 0.9
			set yrange [0:*]
			set grid ytics
			set key outside bottom center horizontal
			plot $clauses
		EOF
	done
}

plot crc bytes/cycle crc 'CRC-32C and copy'
plot core cycles/packet core 'Cycles a packet, core alone'
plot port cycles/packet port 'Cycles a packet, through net_ring; nic alone on net_null'
plot port Gb/s fills 'What one core fills, by cycles a packet'
plot memif Gb/s memif 'memif, discarding'
plot files Gb/s files 'Files to files in memory'
plot files core-s/GiB cpu 'CPU of both ends, files to files in memory'
plot veth Gb/s veth 'Files to files over veth'
plot rtt Gb/s rtt 'Round trip, 10 Gb/s, simulated'
plot loss 'wire bytes/byte' loss 'Loss, simulated'
plot followers 'bytes read/byte' followers 'Followers at once, simulated'
plot memory MiB memory 'Memory by size of the snapshot'
