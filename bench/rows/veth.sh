#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Files to files over a veth pair between two network namespaces: snapline by AF_PACKET and
# AF_XDP, against iperf3 (no files), rsync, nginx and curl, and get_file on that link.
#
#   a: servers ── v0 ═══ v1 ── b: clients      10.90.0.0/24, the kernel's while rivals run,
#             └── c0 ─── c1 ──┘                and nobody's while snapline does
#                                              10.70.0.0/24, snapline's control connection
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
shape=$(quick_or 16x67108864 16x16777216)
runs=$(quick_or 3 1)
ns=snapbench-$$
server_ip=10.90.0.1
control=10.70.0.1:5000

[ "$(id -u)" = 0 ] || skip 'needs root: network namespaces'
# Namespaces of this run, and of runs that were killed.
remove_namespaces() {
	local name pid
	for name in $(ip netns list | grep -o '^snapbench-[0-9]*-[ab]'); do
		pid=${name#snapbench-}
		pid=${pid%-*}
		if [ "$pid" = $$ ] || ! [ -d "/proc/$pid" ]; then
			ip netns pids "$name" | xargs -r kill -KILL 2>/dev/null || true
			ip netns del "$name" || true
		fi
	done
}
trap 'remove_namespaces; cleanup' EXIT
remove_namespaces
ip netns add "$ns-a" 2>"$dir/err" || skip "no network namespaces: $(cat "$dir/err")"
ip netns add "$ns-b"
printf '#!/bin/sh\nexec ip netns exec %s "$@"\n' "$ns-a" >"$dir/in-a"
printf '#!/bin/sh\nexec ip netns exec %s "$@"\n' "$ns-b" >"$dir/in-b"
printf '#!/bin/sh\nexec %s/in-a %s "$@"\n' "$dir" "$snapline" >"$dir/snapline-a"
chmod +x "$dir"/in-? "$dir/snapline-a"
server_in=("$dir/in-a")
client_in=("$dir/in-b")

join() { # MTU IFACE IFACE
	ip link add "$2" mtu "$1" netns "$ns-a" type veth peer name "$3" mtu "$1" \
		netns "$ns-b" 2>"$dir/err" || skip "no veth: $(cat "$dir/err")"
	ip -n "$ns-a" link set "$2" up
	ip -n "$ns-b" link set "$3" up
}
ip -n "$ns-a" link set lo up
ip -n "$ns-b" link set lo up
join 1500 c0 c1
ip -n "$ns-a" addr add 10.70.0.1/24 dev c0
ip -n "$ns-b" addr add 10.70.0.2/24 dev c1

kernel_has_link() { # add|del
	ip -n "$ns-a" addr "$1" "$server_ip/24" dev v0
	ip -n "$ns-b" addr "$1" 10.90.0.2/24 dev v1
}
# The leader, in namespace a, with the device or without one.
start_leader_in_a() { # ADDRESS OPTION...
	leader=$1
	snapline=$dir/snapline-a start_node leader "$@"
}

measure_iperf() { # RUN CASE
	background "$dir/iperf.log" "${server_in[@]}" iperf3 -s -1 -B "$server_ip" -p 5201
	local pid=$!
	wait_for 5 iperf_listens || fail "iperf3: $(cat "$dir/iperf.log")"
	"${client_in[@]}" iperf3 -c "$server_ip" -p 5201 -t "$(quick_or 4 2)" -J \
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
