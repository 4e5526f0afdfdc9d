#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# machine.sh: one line of JSON that says where and when the numbers were taken.
set -eu
export LC_ALL=C

cpu=$(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1)
flags=$(sed -n 's/^flags[^:]*: //p' /proc/cpuinfo | head -n 1)
has() { # FLAG...
	local flag
	for flag; do
		[[ " $flags " = *" $flag "* ]] || return 1
	done
}
# As ISA-L chooses crc32_iscsi at run time.
crc=base
if has avx512f avx512vl avx512bw avx512dq vpclmulqdq pclmulqdq; then
	crc='AVX-512 and VPCLMULQDQ'
elif has pclmulqdq sse4_2; then
	crc='SSE4.2 and PCLMULQDQ'
fi
virtual=no
! has hypervisor || virtual=yes

jq -n -c --arg cpu "$cpu" --arg crc "$crc" --arg virtual "$virtual" \
	--arg kernel "$(uname -r)" --argjson cores "$(nproc)" \
	--arg memory "$(awk '/^MemTotal/ { printf "%.0f GiB", $2 / 1048576 }' /proc/meminfo)" \
	--argjson hugepages "$(awk '/^HugePages_Free/ { print $2 }' /proc/meminfo)" \
	--arg load "$(cut -d ' ' -f 1-3 /proc/loadavg)" \
	--arg dpdk "$(pkg-config --modversion libdpdk)" \
	--arg isal "$(pkg-config --modversion libisal)" \
	--arg root "$([ "$(id -u)" = 0 ] && echo yes || echo no)" \
	--arg revision "$(git describe --always --dirty 2>/dev/null || echo unknown)" \
	--arg time "$(date -u +%Y-%m-%dT%H:%M:%SZ)" \
	'{machine: $ARGS.named}'
