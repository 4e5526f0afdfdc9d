#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# What an operator can get wrong around a node, and strangers can send to it: every mistake
# is answered with one line that names the remedy and a code of sysexits.h, and the node
# goes on.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
snapline=$(realpath "${1:?usage: bad_input.sh SNAPLINE}")
# shellcheck source=lib.sh
. "$here/lib.sh"
# shellcheck source=nodes.sh
. "$here/nodes.sh"
become_user "$0"
choose_addresses leader follower nobody
# shellcheck disable=SC2034 # nodes.sh reads it
node_options=(--stall-timeout 2s)

mkdir "$dir/from"
make_data "$dir/from/file" 8
create() { # STORE ARGUMENT...
	local store=$1
	shift
	"$snapline" snapshot create --store "$store" --index 5 --term 1 "$@" "$dir/from" \
		>"$dir/out"
}
create "$dir/leader"
start_leader

# A node that shall not start, on a device that needs no peer.
ring=(--dev net_ring0 --ip 10.79.0.1/24)
# shellcheck disable=SC2154 # choose_addresses sets it
base=(--listen "$nobody" --group g --peer-id "$nobody:0" --store "$dir/new")
refuse() { # CODE TEXT... -- OPTION...
	local want=$1 texts=()
	shift
	while [ "$1" != -- ]; do
		texts+=("$1")
		shift
	done
	shift
	# A logfmt line or two may come before; the last one is for the operator.
	local status=0
	timeout 20 "$snapline" node "$@" >"$dir/stdout" 2>"$dir/all" </dev/null || status=$?
	grep -v '^20[0-9-]*T[0-9:.]*Z info ' "$dir/all" >"$dir/stderr" || true
	cat "$dir/stderr"
	[ "$status" = "$want" ] || fail "exit $status, not $want: node $*: $(cat "$dir/all")"
	expect_line "$dir/stderr" "${texts[@]}"
}

# ---- options
refuse 64 'did you mean --store?' -- "${base[@]}" --stor x "${ring[@]}"
refuse 64 '--ip' -- "${base[@]}" --dev net_ring0
refuse 64 'not in the subnet of 10.79.0.1/24' -- "${base[@]}" "${ring[@]}" --gateway 10.80.0.1
refuse 64 'not of the family' -- "${base[@]}" "${ring[@]}" --gateway fe80::1
refuse 64 '--vlan 4095' -- "${base[@]}" "${ring[@]}" --vlan 4095
refuse 64 '1 --dev and 2 --vlan' -- "${base[@]}" "${ring[@]}" --vlan 1 --vlan 2
refuse 64 'MAC of a host' -- "${base[@]}" "${ring[@]}" --neighbor 10.79.0.2=1:2
refuse 64 'no --ip has it' -- "${base[@]}" "${ring[@]}" --neighbor fd00::2=02:00:00:00:00:02
refuse 64 '2 --dev, 1 --ip' -- "${base[@]}" "${ring[@]}" --dev net_ring1
for ip in 10.79.0/24 10.79.0.1/33 10.79.0.1/ nonsense 10.79.0.256/24 ''; do
	refuse 64 '--ip' -- "${base[@]}" --dev net_ring0 --ip "$ip"
done
refuse 64 'nonsense' 'IP:PORT' -- --listen "$nobody" --group g --peer-id nonsense \
	--store "$dir/new" "${ring[@]}"
refuse 64 'HOST:PORT' -- --listen nonsense --group g --peer-id "$nobody:0" \
	--store "$dir/new" "${ring[@]}"
refuse 64 '--log-level' -- "${base[@]}" "${ring[@]}" --log-level loud
refuse 64 '--buffers' -- "${base[@]}" "${ring[@]}" --buffers 1
refuse 64 '--buffer-size' -- "${base[@]}" "${ring[@]}" --buffer-size 8MiB
refuse 64 '--stall-timeout' -- "${base[@]}" "${ring[@]}" --stall-timeout 1ms
refuse 64 '--cc cubic' 'swift' -- "${base[@]}" "${ring[@]}" --cc cubic
long=$(printf 'g%.0s' {1..2000})
refuse 64 'group' -- --listen "$nobody" --group "$long" --peer-id "$nobody:0" \
	--store "$dir/new" "${ring[@]}"

# ---- devices and memory
refuse 69 'net_nope0' -- "${base[@]}" --dev net_nope0 --ip 10.79.0.1/24
refuse 69 'ff:00.0' -- "${base[@]}" --dev 0000:ff:00.0 --ip 10.79.0.1/24
refuse 64 'net_ring0' 'used twice' -- "${base[@]}" "${ring[@]}" "${ring[@]}"
refuse 71 'not enough memory' 'fewer' -- "${base[@]}" "${ring[@]}" --buffers 65535 \
	--buffer-size 4MiB
refuse 64 '--queues 9' '1 to 8' -- "${base[@]}" "${ring[@]}" --queues 9
refuse 64 '1 --dev and 2 --queues' -- "${base[@]}" "${ring[@]}" --queues 1 --queues 2
refuse 64 '--cores 0' '1 CPUs for 2 workers' -- "${base[@]}" "${ring[@]}" --queues 2 --cores 0
refuse 64 '--cores 3-1' '2,4-7' -- "${base[@]}" "${ring[@]}" --cores 3-1
refuse 64 'queue 1' 'core 1023 is not there' -- "${base[@]}" "${ring[@]}" --queues 2 \
	--cores 0,1023

# ---- stores
mkdir "$dir/foreign"
echo precious >"$dir/foreign/letters.txt"
refuse 78 'letters.txt' -- --listen "$nobody" --group g --peer-id "$nobody:0" \
	--store "$dir/foreign" "${ring[@]}"
[ "$(ls -A "$dir/foreign")" = letters.txt ] || fail 'a foreign directory was changed'
refuse 75 "$dir/leader" 'another' -- --listen "$nobody" --group g --peer-id "$nobody:0" \
	--store "$dir/leader" "${ring[@]}"
expect_error 75 "$dir/leader" -- create "$dir/leader"

# ---- addresses
refuse 69 "$leader" 'another process listens there' -- --listen "$leader" --group g \
	--peer-id "$leader:0" --store "$dir/new" "${ring[@]}"
refuse 69 "$dir/leader.sock" 'another path' -- "${base[@]}" "${ring[@]}" \
	--admin "$dir/leader.sock"
refuse 64 'longer than' -- "${base[@]}" "${ring[@]}" --admin "$dir/$long"
refuse 64 'longer than' -- "${base[@]}" "${ring[@]}" --admin "$dir/${long:0:100}"
refuse 66 'does not exist' -- "${base[@]}" "${ring[@]}" --admin "$dir/no/admin.sock"
refuse 69 'no interface of this machine' -- --listen 192.0.2.1:8000 --group g \
	--peer-id 192.0.2.1:8000:0 --store "$dir/new" "${ring[@]}"

# ---- transfer
expect_error 69 "$dir/none.sock" 'is the node running' -- "$snapline" transfer list \
	--admin "$dir/none.sock"
expect_error 64 'too long' -- "$snapline" transfer list --admin "$dir/$long"
expect_error 64 '--admin PATH is missing' -- "$snapline" transfer list
expect_error 64 'PEER is missing' -- "$snapline" transfer start --admin "$dir/leader.sock"
to() { # PEER
	"$snapline" transfer start "$1" --admin "$dir/leader.sock"
}
expect_error 69 "$nobody" 'is the node running' -- to "$nobody"
expect_error 64 "$leader" 'this node itself' -- to "$leader"
expect_error 64 'nonsense' -- to nonsense
expect_error 64 '256.0.0.1' -- to 256.0.0.1:8000
expect_error 64 'IP:PORT' -- to "$long"
expect_error 64 'IP:PORT' -- to ''

# ---- pull
from() { # ARGUMENT...
	timeout 20 "$snapline" pull "$@" --store "$dir/pulled" --dev "$(memif 1 client)" \
		--stall-timeout 2s
}
expect_error 69 "$nobody" 'is the node running' -- from "$nobody" --group g --ip 10.78.0.2/24
expect_error 64 'HOST:PORT' -- from nonsense --group g --ip 10.78.0.2/24
expect_error 64 'remote://' -- from remote://nonsense --group g --ip 10.78.0.2/24
expect_error 66 "group 'h'" -- from "$leader" --group h --ip 10.78.0.2/24
# Subnets that do not match; one that does, with no device behind it.
expect_error 69 '10.99.0.2' 'subnet' -- from "$leader" --group g --ip 10.99.0.2/24 \
	--path dpdk
expect_error 75 '10.77.0.1' 'on one network' -- from "$leader" --group g --ip 10.77.0.9/24
expect_kept "$dir/pulled"

expect_error 69 'net_nope0' -- timeout 20 "$snapline" pull "$leader" --group g \
	--store "$dir/pulled" --dev net_nope0 --ip 10.78.0.2/24

# ---- buffers smaller than the chunks, on either side
expect_error 64 '--buffer-size' -- from "$leader" --group g --ip 10.78.0.2/24 \
	--buffer-size 256KiB --path dpdk
node_options+=(--buffer-size 512KiB)
stop_node leader
start_leader
expect_error 69 "leader's buffers" '--buffer-size' -- from "$leader" --group g \
	--ip 10.78.0.2/24 --path dpdk
expect_kept "$dir/pulled"

# ---- a follower without a way over the devices, one of another group
stop_node leader
node_options=(--stall-timeout 2s)
start_leader
start_node other "$follower" --dev "$(memif 0 client)" --ip 10.99.0.2/24
expect 0 'path tcp' to "$follower"
grep -q 'warn copier event=path path=tcp .*subnet' "$dir/other.log" ||
	explain other 'does not say why it took the other path'
stop_node other
background "$dir/other.log" "$snapline" node --store "$dir/other" --listen "$follower" \
	--group other --peer-id "$follower:0" --admin "$dir/other.sock" \
	--dev "$(memif 0 client)" --ip 10.77.0.2/24
other_pid=$!
wait_for 60 answers_or_ended other "$other_pid" || explain other 'does not answer'
expect_error 66 'peer_id not exist' "group 'g'" '--peer-id' -- to "$follower"
stop_node other

# ---- strangers on both sockets
junk() { # BYTES-COMMAND...
	"$@" 2>/dev/null | timeout 2 bash -c "cat >/dev/tcp/${leader/:/\/}" 2>/dev/null || true
}
junk echo 'GET / HTTP/1.1'
junk head -c 100000 /dev/urandom
junk printf 'PRPC\377\377\377\377\377\377\377\377'
junk printf 'PRPC\0\0\0\10\0\0\0\4abcdefgh'
junk printf 'PRPC\0\0'
junk true
socket() { # FILE: its bytes to the admin socket
	python3 -c 'import socket, sys
s = socket.socket(socket.AF_UNIX)
s.connect(sys.argv[1])
s.sendall(sys.stdin.buffer.read())
s.close()' "$dir/leader.sock" <"$1" 2>/dev/null || true
}
if command -v python3 >"$dir/out"; then
	head -c 5000 /dev/urandom >"$dir/junk"
	socket "$dir/junk"
	printf 'PRPC\0\0\0\10\0\0\0\4abcdefgh' >"$dir/junk"
	socket "$dir/junk"
fi
expect 0 "$follower" "$snapline" transfer list --admin "$dir/leader.sock"
grep -c ' warn rpc event=malformed' "$dir/leader.log" >"$dir/out" ||
	explain leader 'does not count what it cannot read'

# After all that, it serves.
"$snapline" pull "$leader" --group g --store "$dir/pulled" --dev "$(memif 1 client)" \
	--ip 10.78.0.2/24 >"$dir/out" || fail 'cannot pull after all that'
expect_store "$dir/pulled" 5
stop_node leader
