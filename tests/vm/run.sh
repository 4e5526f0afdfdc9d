#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# run.sh SNAPLINE [NIC...]: the drivers of PCI NICs, tried on QEMU's models of them. Each
# NIC gets a virtual machine with two of its kind on one wire, behind an IOMMU; guest.sh
# is what happens inside. KVM is not used, and nothing of the host's is changed.
#
# Exit 77: skipped, the last line says why.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
snapline=$(realpath "${1:?usage: run.sh SNAPLINE [NIC...]}")
shift
[ $# -gt 0 ] || set -- e1000e vmxnet3 virtio-net-pci
# shellcheck source=../e2e/lib.sh
. "$here/../e2e/lib.sh"

pmds=$(pkg-config --variable=libdir libdpdk 2>"$dir/err")/dpdk/pmds-23.0
drivers='bus_pci bus_vdev mempool_ring net_e1000 net_vmxnet3 net_virtio'
modules='irqbypass vfio vfio_virqfd vfio_iommu_type1 vfio-pci-core vfio-pci'
# or the kernel takes a host that is busy for broken timers
slow='tsc=reliable no_timer_check'
silence=60 # seconds without a word of the guest until it counts as hung

for program in qemu-system-x86_64 busybox cpio; do
	command -v $program >"$dir/out" || skip "$program is missing: make vm installs it"
done
[ -d "$pmds" ] || skip "DPDK 22.11's drivers are not in $pmds"

# Debian's kernel and its modules of vfio, kept beside the build and never installed.
get_kernel() {
	local cache=${snapline%/*}/vm package
	package=$(apt-cache depends linux-image-amd64 2>"$dir/err" |
		sed -n 's/^ *Depends: \(linux-image-[0-9]\)/\1/p' | head -n 1)
	kernel=$cache/$package
	if [ -z "$package" ]; then
		kernel=$(find "$cache" -maxdepth 1 -name 'linux-image-*' 2>"$dir/err" | head -n 1)
		[ -n "$kernel" ] || skip 'no linux-image-amd64: run apt-get update'
	elif ! [ -d "$kernel" ]; then
		mkdir -p "$cache" "$dir/wanted"
		(cd "$dir" && apt-get -qq download "$package" >"$dir/out" 2>"$dir/err") ||
			skip "$package cannot be had: $(tail -n 1 "$dir/err")"
		dpkg-deb -x "$dir/$package"_*.deb "$dir/kernel"
		mv "$dir"/kernel/boot/vmlinuz-* "$dir/wanted/vmlinuz"
		for module in $modules; do
			find "$dir/kernel" -name "$module.ko" -exec mv {} "$dir/wanted" \;
		done
		mv "$dir/wanted" "$kernel"
	fi
}

# Programs and drivers with all the libraries they need, busybox, modules of vfio.
make_image() {
	local root=$dir/root driver file libs
	mkdir -p "$root/bin" "$root/modules" "$root$pmds"
	cp "$(command -v busybox)" "$root/bin/busybox"
	ln -s busybox "$root/bin/sh"
	install -m 755 "$snapline" "$here/../../hugepages/hugepages.sh" "$root/bin"
	install -m 755 "$here/guest.sh" "$root/init"
	libs=$(dirname "$(ldconfig -p | sed -n 's/.* => \(.*libc\.so\.6\)$/\1/p' | head -n 1)")
	mkdir -p "$root$libs"
	for driver in $drivers; do
		file=librte_$driver.so.23
		cp -L "$pmds/$file" "$root$libs"
		# the same file under both names, or DPDK loads it twice
		ln -s "$libs/$file" "$root$pmds/librte_$driver.so"
		ldd "$pmds/$file"
	done >"$dir/libs"
	ldd "$snapline" >>"$dir/libs"
	grep -o '/[^ ]*' "$dir/libs" | sort -u | while read -r file; do
		cp -L --parents "$file" "$root"
	done
	cp "$kernel"/*.ko "$root/modules"
	(cd "$root" && find . | cpio -o -H newc --quiet | gzip -1) >"$dir/initrd"
}

# What the model has to say beside its name, and the queues its driver has.
describe() { # NIC
	queues=2
	case $1 in
	virtio*)
		device=$1,disable-legacy=on,iommu_platform=on
		queues=1 # this wire has no more
		;;
	e1000)
		device=$1
		queues=1
		;;
	*) device=$1 ;;
	esac
}

boot() { # DEVICE QUEUES
	: >"$dir/serial"
	mkfifo "$dir/monitor"
	exec 3<>"$dir/monitor"
	qemu-system-x86_64 -accel tcg,thread=multi -cpu max -smp 2 \
		-m 1536 -machine q35,kernel-irqchip=split -nodefaults -display none -no-reboot \
		-device intel-iommu,intremap=on,aw-bits=48 \
		-monitor stdio \
		-serial "file:$dir/serial" \
		-kernel "$kernel/vmlinuz" -initrd "$dir/initrd" \
		-append "console=ttyS0 quiet panic=-1 intel_iommu=on $slow queues=$2" \
		-netdev hubport,id=wire0,hubid=0 -netdev hubport,id=wire1,hubid=0 \
		-device "$1,id=nic0,netdev=wire0,addr=10.0,mac=52:54:00:00:00:01,romfile=" \
		-device "$1,id=nic1,netdev=wire1,addr=11.0,mac=52:54:00:00:00:02,romfile=" \
		<&3 >"$dir/qemu.log" 2>&1 &
	qemu=$!
	pids+=("$qemu")
}

# Reads what the guest says until it ends; false when it hangs, or died before its end.
follow() { # NIC
	local line quiet=0 ended=1
	exec 4<"$dir/serial"
	while [ "$quiet" -lt $((silence * 5)) ]; do
		if IFS= read -r line <&4; then
			quiet=0
			line=${line%$'\r'}
			case $line in
			*'vm: host '*) echo "${line#*vm: host }" >&3 ;;
			*'vm: pass '*) passed=$((passed + 1)) && echo "pass  $1: ${line#*vm: pass }" ;;
			*'vm: FAILED '*) failed=$((failed + 1)) && echo "FAIL  $1: ${line#*vm: FAILED }" ;;
			*'vm: end') ended=0 && break ;;
			esac
		elif is_gone "$qemu"; then
			break
		else
			quiet=$((quiet + 1))
			sleep 0.2
		fi
	done
	exec 4<&-
	return $ended
}

passed=0 failed=0
get_kernel
make_image
for nic; do
	qemu-system-x86_64 -device help 2>&1 | grep -qF "name \"$nic\"," ||
		fail "this QEMU has no $nic"
	describe "$nic"
	before=$failed
	boot "$device" "$queues"
	if ! follow "$nic"; then
		failed=$((failed + 1))
		echo "FAIL  $nic: the virtual machine hung or ended early"
	fi
	stop "$qemu" 5 2>"$dir/err" || true
	exec 3>&-
	rm "$dir/monitor"
	[ "$failed" = "$before" ] || sed 's/^/    | /' "$dir/qemu.log" "$dir/serial"
done
echo "$passed passed, $failed failed"
[ "$failed" = 0 ] && [ "$passed" -gt 0 ]
