#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# The init of the virtual machine: gives both NICs to vfio-pci and moves a snapshot from
# one to the other, again and again. What it prints behind "vm: " is for run.sh.
#
#   leader ── 00:10.0 ═══ 00:11.0 ── pull        TCP between them goes over lo
#
# shellcheck shell=dash # busybox
# The kernel's command line says nic=MODEL and queues=N, what the model has.
leader=/tmp/leader follower=/tmp/follower
nic0=0000:00:10.0 nic1=0000:00:11.0
name=snapshot_00000000000000000007
address=127.0.0.1:5000

prepare() {
	/bin/busybox mkdir -p /dev /proc /sys /tmp /run /var
	/bin/busybox --install -s /bin
	ln -s /run /var/run
	mount -t proc none /proc
	mount -t sysfs none /sys
	mount -t devtmpfs none /dev
	mount -t tmpfs none /tmp
	mkdir -p /dev/hugepages
	mount -t hugetlbfs none /dev/hugepages
	ip link set lo up
	for module in irqbypass vfio vfio_virqfd vfio_iommu_type1 vfio-pci-core vfio-pci; do
		[ ! -f "/modules/$module.ko" ] || insmod "/modules/$module.ko"
	done
	for nic in $nic0 $nic1; do
		echo vfio-pci >/sys/bus/pci/devices/"$nic"/driver_override
		echo "$nic" >/sys/bus/pci/drivers_probe
		[ -e /sys/bus/pci/drivers/vfio-pci/"$nic"/iommu_group ] ||
			echo "vm: FAILED $nic is not with vfio-pci, behind an IOMMU"
	done
	hugepages.sh reserve 200
	mkdir /tmp/from
	head -c 20971520 /dev/urandom >/tmp/from/large
	echo small >/tmp/from/small
	snapline snapshot create --store $leader --index 7 --term 3 --quiet /tmp/from
}

start() { # OPTION...
	snapline node --store $leader --listen $address --group g --peer-id $address:0 \
		--admin /tmp/leader.sock --log-level debug --dev $nic0 "$@" \
		>/tmp/leader.log 2>&1 &
	node=$!
	until snapline transfer list --admin /tmp/leader.sock >/tmp/list 2>&1; do
		kill -0 $node 2>/tmp/list || return 1
		sleep 0.1
	done
}
pull() { # OPTION...
	rm -rf $follower
	snapline pull $address --group g --store $follower --path dpdk --quiet \
		--dev $nic1 "$@" >/tmp/out 2>&1 &&
		diff -r $leader/$name $follower/$name >>/tmp/out 2>&1
}
stop() {
	kill $node && wait $node
}
failed() { # WHAT
	sed 's/^/    | /' /tmp/leader.log /tmp/out
	echo "vm: FAILED $1"
}
passed() { # WHAT
	echo "vm: pass $1: $(tail -n 1 /tmp/out)"
}

# A leader that serves so many pulls, one after another.
moves() { # WHAT NETWORK PULLS OPTION...
	local what=$1 net=$2 pulls=$3 len=64 ok=1
	shift 3
	[ "$net" = fd80:: ] || len=24
	echo "-- $what" >/tmp/out
	start --ip "${net}1/$len" "$@" || ok=0
	while [ $ok = 1 ] && [ "$pulls" -gt 0 ]; do
		pull --ip "${net}2/$len" "$@" || ok=0
		pulls=$((pulls - 1))
	done
	stop || ok=0
	if [ $ok = 1 ]; then passed "$what"; else failed "$what"; fi
}

# The cable is pulled out for two seconds in the middle of a transfer.
survives_link() {
	local what='link down for 2 s'
	start --ip 10.80.0.1/24 --rate 40Mbit
	(
		sleep 1.5
		echo 'vm: host set_link nic1 off'
		sleep 2
		echo 'vm: host set_link nic1 on'
	) &
	if pull --ip 10.80.0.2/24 --rate 40Mbit && wait $! && stop; then
		passed "$what"
	else
		failed "$what"
	fi
}

prepare
read -r line </proc/cmdline
queues=${line##*queues=}
queues=${queues%% *}
moves 'IPv4, MTU 1500' 10.80.0. 1
moves 'IPv6, MTU 1500' fd80:: 1
moves 'IPv4, MTU 9000, four chunk buffers, twice' 10.80.0. 2 --mtu 9000 --buffers 4
moves 'IPv6, MTU 9000' fd80:: 1 --mtu 9000
[ "$queues" = 1 ] || moves "$queues queues, MTU 9000" 10.80.0. 1 --mtu 9000 --queues "$queues"
survives_link
hugepages.sh release
moves 'IPv4, MTU 1500, no hugepages' 10.80.0. 1
echo 'vm: end'
poweroff -f
