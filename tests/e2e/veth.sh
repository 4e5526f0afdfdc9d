#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Real Ethernet frames through the kernel: nodes in network namespaces of their own, on
# veth pairs, by AF_PACKET and AF_XDP; a router between two subnets; a tap. Links break,
# strangers shout, the kernel asks who we are.
#
#       leader ── v0 ═══ v1 ── follower        10.80.0.0/24, the data plane's alone
#              └─ c0 ─── c1 ─┘                 10.70.0.0/24, the kernel's: TCP
#
# Needs root, for the namespaces; everything is inside them and goes away with them.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
snapline=$(realpath "${1:?usage: veth.sh SNAPLINE}")
# shellcheck source=lib.sh
. "$here/lib.sh"
# shellcheck source=nodes.sh
. "$here/nodes.sh"
# shellcheck source=namespaces.sh
. "$here/namespaces.sh"
real=$snapline
leader=10.70.0.1:5000
follower=10.70.0.2:5000

[ "$(id -u)" = 0 ] || skip 'needs root: network namespaces'
ip netns add "$ns-a" 2>"$dir/err" || skip "no network namespaces: $(cat "$dir/err")"

trap 'remove_namespaces; cleanup' EXIT
remove_namespaces

ip netns add "$ns-a"
ip -n "$ns-a" link add v0 type veth peer name v1 2>"$dir/err" ||
	skip "no veth: $(cat "$dir/err")"

# A program in a namespace is a file, so that it can stand where $snapline does.
add_namespace() { # NAME
	ip netns add "$ns-$1"
	ip -n "$ns-$1" link set lo up
	printf '#!/bin/sh\nexec ip netns exec %s %s "$@"\n' "$ns-$1" "$real" >"$dir/in-$1"
	chmod +x "$dir/in-$1"
}
in_ns() { # NAME COMMAND...
	local name=$1
	shift
	ip netns exec "$ns-$name" "$@"
}
# Two interfaces joined by a cable. An address is the kernel's; the data plane's interfaces
# have none there.
join() { # MTU NAME IFACE ADDRESS NAME IFACE ADDRESS
	ip link add "$3" mtu "$1" netns "$ns-$2" type veth peer name "$6" mtu "$1" netns "$ns-$5"
	shift
	while [ $# -gt 0 ]; do
		[ -z "$3" ] || ip -n "$ns-$1" addr add "$3" dev "$2"
		ip -n "$ns-$1" link set "$2" up
		shift 3
	done
}
make_pair() { # MTU
	remove_namespaces
	add_namespace a
	add_namespace b
	join 1500 a c0 10.70.0.1/24 b c1 10.70.0.2/24
	join "$1" a v0 '' b v1 ''
}
node_in() { # NAMESPACE NAME ADDRESS OPTION...
	local in=$dir/in-$1
	shift
	snapline=$in start_node "$@" --stall-timeout 2s
}
net=10.80.0. len=24
start_pair() { # DRIVER, without its number, OPTION...
	start_leader_with "$@"
	start_follower_with "$@"
}
start_leader_with() { # DRIVER OPTION...
	local driver=$1
	shift
	node_in a leader "$leader" --dev "${driver}0,iface=v0" --ip "${net}1/$len" "$@"
}
start_follower_with() { # DRIVER OPTION...
	local driver=$1
	shift
	rm -rf "$dir/follower"
	node_in b follower "$follower" --dev "${driver}0,iface=v1" --ip "${net}2/$len" "$@"
}
stop_pair() {
	stop_node follower
	stop_node leader
}
same() {
	local name=snapshot_00000000000000000007
	diff -r "$dir/leader/$name" "$dir/follower/$name" || fail 'the follower differs'
}
transfer() { # WHAT: has to go over dpdk
	# shellcheck disable=SC2119 # nodes.sh: its arguments are optional
	start_transfer >"$dir/out" 2>&1 || {
		cat "$dir/out" >&2
		explain follower "did not get it: $1"
	}
	grep -q ', path dpdk, ' "$dir/out" || fail "$1: $(cat "$dir/out")"
	echo "$1: $(cat "$dir/out")"
}
has_slices() { # BYTES
	grep -q "path=dpdk slice=$1 " "$dir/leader.log" || explain leader "has no slices of $1"
}

make_data "$dir/large" 64
mkdir "$dir/from"
mv "$dir/large" "$dir/from"
echo small >"$dir/from/small"
"$snapline" snapshot create --store "$dir/leader" --index 7 --term 3 "$dir/from" >"$dir/out"

# Starts a transfer and returns when it is in its middle, with the leader frozen: what
# happens before `thaw` happens there, however slow this machine is.
begin() {
	rm -rf "$dir/follower/temp" # or little would be left to do
	# so that the middle lasts for a second and a half
	"$snapline" queue set-rate 0 300Mbit --admin "$dir/leader.sock" >"$dir/out"
	# shellcheck disable=SC2119
	(via='exec' && start_transfer) >"$dir/begun" 2>"$dir/begun.err" &
	begun=$!
	pids+=("$begun")
	wait_for 20 is_moving_or_ended || fail 'nothing moves'
	is_running "$begun" || fail "not in mid-transfer: $(cat "$dir/begun.err")"
	kill -STOP "${leader_pid:?}"
}
is_moving_or_ended() {
	is_moving leader 5 || is_gone "$begun"
}
thaw() {
	kill -CONT "$leader_pid"
}
link() { # NAMESPACE IFACE up|down
	ip -n "$ns-$1" link set "$2" "$3"
}
says() { # NAME TEXT
	grep -F -- "$2" "$dir/$1.log"
}

# ---- MTU 1500, with strangers on the link
make_pair 1500
start_pair net_af_packet
background "$dir/noise" in_ns a "$here/frames.pl" noise v0 10.80.0.2 2000
background "$dir/noise" in_ns b "$here/frames.pl" noise v1 10.80.0.1 2000
transfer 'MTU 1500, strangers on the link'
has_slices 1408
same

forget() { # the follower begins with nothing again
	stop_node follower
	start_follower_with net_af_packet
}
# ---- a link that is down for a second costs a second, on either side
for end in 'a v0' 'b v1'; do
	forget
	# shellcheck disable=SC2086 # two words
	{
		begin
		link $end down
		thaw
		sleep 1
		link $end up
	}
	wait "$begun" || explain follower "did not survive a second: $(cat "$dir/begun.err")"
	echo "$end down for 1 s: $(cat "$dir/begun")"
	same
done

# ---- down for longer than the stall timeout: both say so, nothing is committed
forget
begin
link a v0 down
thaw
status=0
wait "$begun" || status=$?
[ "$status" = 75 ] || fail "exit $status, not 75: $(cat "$dir/begun" "$dir/begun.err")"
expect_line "$dir/begun.err" 'no packet from the' 'for the stall timeout'
wait_for 5 says leader "text=\"no packet from the follower's device 10.80.0.2" ||
	wait_for 1 says leader "no packet from the leader's device 10.80.0.1" ||
	explain leader 'does not say why'
wait_for 5 says follower "no packet from the leader's device 10.80.0.1" ||
	explain follower 'does not say why'
expect_kept "$dir/follower"
link a v0 up
transfer 'and up again'
same

# ---- an interface that is gone: the node still ends when asked to
forget
begin
ip -n "$ns-b" link del v1
thaw
wait "$begun" && fail 'a transfer without a link succeeds'
expect_kept "$dir/follower"
stop_pair

# ---- four queues: the kernel spreads packets by a hash, and ports are found that suit it
make_pair 1500
node_in a leader "$leader" --dev net_af_packet0,iface=v0 --ip 10.80.0.1/24 --queues 4
rm -rf "$dir/follower"
node_in b follower "$follower" --dev net_af_packet0,iface=v1 --ip 10.80.0.2/24 --queues 4
transfer 'four queues'
same
for name in leader follower; do
	line=$(grep 'event=stripes .* stripes=4 ' "$dir/$name.log") ||
		explain "$name" 'says nothing of stripes'
	echo "$name: ${line#* event=}"
done
stop_pair
expect 64 'has 1 queue, not 2: give --queues 1' "$dir/in-a" node --store "$dir/none" \
	--listen "$leader" --group g --peer-id "$leader:0" --queues 2 \
	--dev net_af_packet0,iface=v0,qpairs=1 --ip 10.80.0.1/24

# ---- the kernel's neighbour: ARP, ping, floods
make_pair 1500
node_in a leader "$leader" --dev net_af_packet0,iface=v0 --ip 10.80.0.1/24
ip -n "$ns-b" addr add 10.80.0.9/24 dev v1
in_ns b "$here/frames.pl" ping 10.80.0.1 56
in_ns b ip neigh show 10.80.0.1 | grep lladdr || fail 'ARP was not answered'
in_ns b "$here/frames.pl" flood 10.80.0.1
background "$dir/noise" in_ns b "$here/frames.pl" noise v1 10.80.0.1 500
in_ns b "$here/frames.pl" ping 10.80.0.1 0
wait_for 3 is_gone "$!"
in_ns b "$here/frames.pl" ping 10.80.0.1 400
stop_node leader

# ---- jumbo frames: the MTU is the interface's, the driver's sizes follow
make_pair 9000
start_pair net_af_packet
transfer 'MTU 9000'
has_slices 8192
same
stop_pair
expect 64 'run ip link set dev v0 mtu 9500' "$dir/in-a" node --store "$dir/other" \
	--listen "$leader" --group g --peer-id "$leader:0" \
	--dev net_af_packet0,iface=v0 --ip 10.80.0.1/24 --mtu 9500

# ---- two followers at one queue: recovery goes before rebalance, and weights count
pull_in_b() { # IP STORE OPTION...
	local ip=$1 store=$2
	shift 2
	background "$dir/pull.log" "$dir/in-b" pull "$leader" --group g --store "$store" --quiet \
		--dev net_af_packet0,iface=v1 --ip "$ip/24" "$@"
}
# Sets moved[1] and moved[2]: what both transfers move until the first one has come 6 MiB
# further.
watch_both() {
	local before after i
	before=$(both_done)
	for ((i = 0; i < 400; i++)); do
		after=$(both_done)
		moved=(0 $((${after% *} - ${before% *})) $((${after#* } - ${before#* })))
		[ "${moved[1]}" -lt $((6 << 20)) ] || break
		sleep 0.05
	done
	echo "$1: ${moved[1]} and ${moved[2]} bytes"
	[ "${moved[1]}" -ge $((6 << 20)) ] || fail "$1: the first one does not move"
}
both_done() {
	"$snapline" transfer list --admin "$dir/leader.sock" --json >"$dir/both.json"
	jq -r '(map(select(.id == 1)) + map(select(.id == 2))) | map(.bytes_done) | join(" ")' \
		"$dir/both.json"
}
throttle() { # ID ARGUMENT...
	"$snapline" transfer throttle "$@" --admin "$dir/leader.sock" >"$dir/out"
}
start_leader_with net_af_packet --rate 20Mbit --cc fixed # until both are there
pull_in_b 10.80.0.2 "$dir/p1"
first=$!
wait_for 10 is_moving leader 0 || fail "the first does not begin: $(cat "$dir/pull.log")"
pull_in_b 10.80.0.3 "$dir/p2" --weight 30
second=$!
has_two() {
	"$snapline" transfer list --admin "$dir/leader.sock" --json |
		jq -e 'map(select(.bytes_done > 0)) | length == 2'
}
wait_for 10 has_two || fail "the second does not begin: $(cat "$dir/pull.log")"
"$snapline" queue set-rate 0 100Mbit --admin "$dir/leader.sock" >"$dir/out"
watch_both 'weights 10 and 30'
[ $((moved[2] * 2)) -gt $((moved[1] * 3)) ] || fail 'the weight does not count'
throttle 2 --class rebalance
watch_both 'the second can wait'
[ "${moved[2]}" -lt $((moved[1] / 2)) ] || fail 'the class does not count'
throttle 2 --weight 10
throttle 1 --class rebalance --weight 30
watch_both 'weights 30 and 10'
[ $((moved[1] * 2)) -gt $((moved[2] * 3)) ] || fail 'the weights do not count'
"$snapline" queue set-rate 0 unlimited --admin "$dir/leader.sock" >"$dir/out"
for puller in "$first" "$second"; do
	wait "$puller" || fail "a pull fails: $(cat "$dir/pull.log")"
done
rm -rf "$dir/p1" "$dir/p2"
stop_node leader

# ---- link-local addresses, in a VLAN that the kernel knows nothing of
net=fe80:: len=64
start_pair net_af_packet --vlan 7
transfer 'IPv6 in a VLAN, MTU 9000'
has_slices 8192
same
stop_pair

# ---- IPv6: the kernel is the neighbour, then another node; the smallest MTU there is
make_pair 1280
net=fd80::
start_leader_with net_af_packet
ip -n "$ns-b" addr add fd80::9/64 dev v1 nodad
in_ns b "$here/frames.pl" ping6 fd80::1 56
in_ns b ip neigh show fd80::1 | grep lladdr || fail 'a neighbour solicitation was not answered'
in_ns b "$here/frames.pl" ping6 fd80::1 350
ip -n "$ns-b" addr del fd80::9/64 dev v1
background "$dir/noise" in_ns b "$here/frames.pl" noise v1 10.80.0.1 1000
start_follower_with net_af_packet
transfer 'IPv6, MTU 1280'
has_slices 1152
same
stop_pair
net=10.80.0. len=24

# ---- two subnets and a router: a ═══ r ═══ b
make_pair 1500
add_namespace r
join 1500 a g0 '' r r0 10.81.0.254/24
join 1500 b g1 '' r r1 10.82.0.254/24
in_ns r sh -c 'echo 1 >/proc/sys/net/ipv4/ip_forward'
rm -rf "$dir/follower"
node_in a leader "$leader" --dev net_af_packet0,iface=g0 --ip 10.81.0.1/24 \
	--gateway 10.81.0.254
node_in b follower "$follower" --dev net_af_packet0,iface=g1 --ip 10.82.0.1/24 \
	--gateway 10.82.0.254
transfer 'over a router'
same
in_ns r "$here/frames.pl" ping 10.82.0.1 56
stop_pair

# ---- AF_XDP, in copy mode; 3438 is the largest MTU it takes
if perl -MSocket -e 'exit !socket my $s, 44, SOCK_RAW, 0'; then
	# libxdp keeps 80 bytes after its umem is deleted
	echo 'leak:xsk_umem__create' >"$dir/leaks"
	export LSAN_OPTIONS=suppressions=$dir/leaks:print_suppressions=0
	make_pair 3438
	start_pair net_af_xdp
	transfer 'AF_XDP, MTU 3438'
	has_slices 3328
	same
	stop_pair
else
	echo 'no AF_XDP: this kernel has no XDP sockets'
fi

# ---- a tap: the kernel is the neighbour
if [ -c /dev/net/tun ]; then
	make_pair 1500
	node_in a leader "$leader" --dev net_tap0,iface=tap0 --ip 10.83.0.1/24
	ip -n "$ns-a" addr add 10.83.0.9/24 dev tap0
	in_ns a "$here/frames.pl" ping 10.83.0.1 56
	in_ns a ip neigh show 10.83.0.1 | grep lladdr || fail 'ARP was not answered on a tap'
	stop_node leader
else
	echo 'no net_tap: /dev/net/tun is missing'
fi
