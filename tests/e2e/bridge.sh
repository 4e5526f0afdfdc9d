# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=bash
# Servers in network namespaces of their own on one bridge, for the stories of kv.sh; root
# only. Sourced after kv.sh.
#
#     server 1       server 2       server 3       clients
#    eth0  data     eth0  data     eth0  data         │         eth0: the kernel's, TCP
#     └──┬──┘        └──┬──┘        └──┬──┘           │         data: DPDK's, AF_PACKET
#     ═══╧══════════════╧══════════════╧═════ br0 ════╧═══      MTU 9000
#
# shellcheck disable=SC2154,SC2034,SC2004 # what kv.sh sets, and reads; its arrays have names
# shellcheck source=namespaces.sh
. "$here/namespaces.sh"

# Whether there can be one here. Then servers 1 to N are to live on it.
make_bridge() { # N
	local id
	[ "$(id -u)" = 0 ] && ip netns add "$ns-hub" 2>/dev/null || return 1
	trap 'remove_namespaces; cleanup' EXIT
	ip -n "$ns-hub" link add br0 mtu 9000 type bridge 2>/dev/null || return 1
	ip -n "$ns-hub" addr add 10.88.0.254/24 dev br0
	ip -n "$ns-hub" link set br0 up
	for ((id = 1; id <= $1; id++)); do
		ip netns add "$ns-$id"
		ip -n "$ns-$id" link set lo up
		plug "$id" eth0
		plug "$id" data
		ip -n "$ns-$id" addr add "10.88.0.$id/24" dev eth0
		host[$id]=10.88.0.$id
		namespace[$id]=$ns-$id
		port[$id]=7000
	done
	clients=(ip netns exec "$ns-hub")
}
plug() { # ID IFACE
	ip link add "$2" mtu 9000 netns "$ns-$1" type veth peer name "$2$1" mtu 9000 \
		netns "$ns-hub"
	ip -n "$ns-hub" link set "$2$1" master br0 up
	ip -n "$ns-$1" link set "$2" up
}
