#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Files to files over a veth pair between two network namespaces: snapline by AF_PACKET and
# AF_XDP, against iperf3 (no files), rsync, nginx and curl, and get_file on that link.
#
#   a: servers ── v0 ═══ v1 ── b: clients      10.90.0.0/24, the kernel's while rivals run,
#                                              and nobody's while snapline does
#
# An AF_PACKET socket gets a copy of every frame, and a kernel address makes the kernel
# answer: so neither is there while the other one is measured.
set -eu
# shellcheck source=../lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=../shapes.sh
. "$bench/shapes.sh"
# shellcheck source=../rivals.sh
. "$bench/rivals.sh"
# shellcheck source=../ours.sh
. "$bench/ours.sh"
# shellcheck source=../namespaces.sh
. "$bench/namespaces.sh"
shape=$(quick_or 16x33554432 16x16777216) # fits what warm_memory can keep
runs=$(quick_or 5 1)
server_ip=10.90.0.1

kernel_has_link() { # add|del
	ip -n "$ns-a" addr "$1" "$server_ip/24" dev v0
	ip -n "$ns-b" addr "$1" 10.90.0.2/24 dev v1
}
measure_iperf() { # RUN CASE
	background "$dir/iperf.log" "${server_in[@]}" iperf3 -s -1 -B "$server_ip" -p 5201
	local pid=$!
	wait_for 5 iperf_listens || fail "iperf3: $(cat "$dir/iperf.log")"
	"${client_in[@]}" iperf3 -c "$server_ip" -p 5201 -t "$(quick_or 4 1)" -J \
		>"$dir/iperf.json" || fail "iperf3: $(jq -r .error "$dir/iperf.json")"
	wait "$pid" || true
	[ "$1" = 0 ] || record "$2" iperf3 Gb/s \
		"$(jq '.end.sum_received.bits_per_second / 1e9' "$dir/iperf.json")"
}
iperf_listens() {
	"${server_in[@]}" ss -Hltn 'sport = :5201' | grep -q .
}

measure_rivals() { # RUN CASE BYTES
	kernel_has_link add
	[ "$1" != 0 ] || {
		start_rsync
		start_nginx
	}
	[ "$1" = 0 ] || measure_iperf "$1" "$2"
	measure_copy "$1" "$2" rsync "$3" "$rsync_pid" copy_rsync
	measure_copy "$1" "$2" nginx+curl "$3" "$nginx_pid" copy_curl
	start_leader_in_a "$server_ip:5000"
	measure_copy "$1" "$2" get_file "$3" "$leader_pid" copy_getfile
	stop_node leader
	kernel_has_link del
}

measure_ours() { # RUN CASE BYTES DRIVER
	start_leader_in_a "$control" --dev "net_${4}0,iface=v0" --ip 10.90.0.1/24
	measure_pull "$1" "$2" "$4" "$3" --dev "net_${4}0,iface=v1" --ip 10.90.0.2/24
	stop_node leader
}

measure_mtu() { # MTU DRIVER...
	local mtu=$1 run driver
	shift
	ip -n "$ns-a" link del v0 2>/dev/null || true
	join "$mtu" v0 v1
	for ((run = 0; run <= runs; run++)); do
		measure_rivals "$run" "MTU $mtu" "$bytes"
		for driver; do
			measure_ours "$run" "MTU $mtu" "$bytes" "$driver"
		done
	done
	stop_rivals
}

xdp=af_xdp
perl -MSocket -e 'exit !socket my $s, 44, SOCK_RAW, 0' 2>/dev/null || xdp=
need_mib "$(quick_or 5000 1500)"
make_shape "$dir/made" "$shape"
bytes=$(bytes_of "$dir/made")
make_leader_store "$dir/made"
rm -rf "$dir/made"
# shellcheck disable=SC2086 # none or one
{
	measure_mtu 9000 af_packet
	measure_mtu 1500 af_packet $xdp
	# the largest MTU that AF_XDP takes
	[ -z "$xdp" ] || [ -n "$quick" ] || measure_mtu 3438 $xdp
}
