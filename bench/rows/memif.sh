#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Goodput over net_memif to a receiver that throws away what it has checked, against what
# testpmd moves over the same pair: frames of the same size that nobody reads.
set -eu
# shellcheck source=../lib.sh
. "$(dirname "$0")/../lib.sh"
slice=8192
overhead=82 # Ethernet, IPv4, UDP and our header
seconds=$(quick_or 4 2)

testpmd() { # ROLE MODE
	# without a terminal it runs until it is told to end; -l needs a core for main; its
	# runtime directory would stay
	background "$dir/testpmd.$1" env RUNTIME_DIRECTORY="$dir" dpdk-testpmd -l 0,1 \
		--main-lcore "$3" --no-huge \
		--no-shconf --no-pci --file-prefix "bench-$1-$$" -m 256 \
		--vdev "net_memif0,role=$1,id=0,socket=$dir/testpmd.sock,socket-abstract=no,bsize=9216,rsize=7" \
		-- --forward-mode "$2" --mbuf-size 9344 --txpkts $((slice + overhead)) \
		--burst 32 --total-num-mbufs 2048 --nb-cores 1 --stats-period 1 \
		--no-lsc-interrupt
}
# Bits a second of frames that have our size, without the first seconds. --mbuf-size has
# to come before --txpkts, or testpmd refuses the size and sends frames of 64 bytes.
testpmd_rates() {
	awk -v frame=$((slice + overhead)) '/Rx-pps:/ && $2 > 0 {
		size = $4 / 8 / $2
		if (size > frame * 0.99 && size < frame * 1.01 && ++seen > 2) print $4
	}' "$dir/testpmd.client"
}

has_run() {
	[ "$(testpmd_rates | wc -l)" -ge "$seconds" ]
}
measure_testpmd() {
	local server client rate
	rm -f "$dir/testpmd.sock"
	testpmd server txonly 1
	server=$!
	wait_for 10 test -S "$dir/testpmd.sock" ||
		fail "testpmd: $(tail -n 1 "$dir/testpmd.server")"
	testpmd client rxonly 0
	client=$!
	wait_for 60 has_run || fail "testpmd moves no frames of $((slice + overhead)) bytes"
	stop "$client" 5 || true
	stop "$server" 5 || true
	testpmd_rates | while read -r rate; do
		record "$slice" testpmd Gb/s \
			"$(calc "$rate / 1e9 * $slice / ($slice + $overhead)")"
	done
}
measure_pair() { # RUNS
	local run
	for ((run = 0; run < $1; run++)); do
		rm -f "$dir/pair.sock"
		collect "$build/bench/pair" "$dir/pair.sock" "$(quick_or 4096 1024)" "$slice"
	done
}
# in turns, so that what else goes on in the machine meets both
for ((turn = 0; turn < $(quick_or 3 1); turn++)); do
	measure_testpmd
	measure_pair 3
done
