# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=bash
# Two network namespaces for the rows that need a link of their own; sourced after lib.sh
# and nodes.sh. Skips the row where there are none. $server_in and $client_in run a command
# in one; both go when the row ends.
#
#   a: servers ── c0 ═══ c1 ── b: clients      10.70.0.0/24, snapline's control connection
#             └── more, by join ──┘
#
# shellcheck disable=SC2034,SC2154 # the rows use what is set here; lib.sh sets $dir
# shellcheck source=../tests/e2e/namespaces.sh
. "$(dirname "${BASH_SOURCE[0]}")/../tests/e2e/namespaces.sh"
control=10.70.0.1:5000

[ "$(id -u)" = 0 ] || skip 'needs root: network namespaces'
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

# The leader, in namespace a, with the device or without one.
start_leader_in_a() { # ADDRESS OPTION...
	leader=$1
	snapline=$dir/snapline-a start_node leader "$@"
}
